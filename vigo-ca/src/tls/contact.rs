use std::fmt;

use vigo_core::Pin;

/// How a server was found to be the right one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TrustedBy {
    /// A CA that it presented has a pinned key, and signed its certificate; the name is right.
    CaPin,
    /// Its own certificate has a pinned key.
    LeafPin,
    /// No pin was known: whoever answered first is trusted from now on.
    FirstUse,
}

/// The server of a first contact, after it was verified.
///
/// ```
/// # use std::sync::Arc;
/// # use rustls::{ClientConfig, ClientConnection, ConnectionCommon, ServerConfig, ServerConnection, SideData};
/// use vigo_ca::tls::{FirstContact, TrustedBy, web_server_config};
/// # use vigo_ca::CertificateAuthority;
/// # use vigo_core::{Serial, ServerId, UnixTime};
/// # fn pass<A: SideData, B: SideData>(
/// #     from: &mut ConnectionCommon<A>,
/// #     to: &mut ConnectionCommon<B>,
/// # ) -> Result<(), rustls::Error> {
/// #     let mut bytes = Vec::new();
/// #     while from.wants_write() {
/// #         from.write_tls(&mut bytes).expect("a vector takes all");
/// #     }
/// #     let mut rest = bytes.as_slice();
/// #     while !rest.is_empty() {
/// #         to.read_tls(&mut rest).expect("there is some");
/// #         to.process_new_packets()?;
/// #     }
/// #     Ok(())
/// # }
/// # /// A handshake in memory: the server's connection after it.
/// # fn dial(
/// #     client: ClientConfig,
/// #     server: ServerConfig,
/// #     name: &'static str,
/// # ) -> Result<ServerConnection, rustls::Error> {
/// #     let mut client = ClientConnection::new(Arc::new(client), name.try_into().expect("a name"))?;
/// #     let mut server = ServerConnection::new(Arc::new(server))?;
/// #     while client.is_handshaking() || server.is_handshaking() {
/// #         pass(&mut client, &mut server)?;
/// #         pass(&mut server, &mut client)?;
/// #     }
/// #     Ok(server)
/// # }
/// # let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
/// # let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
/// # let (server, now) = (ServerId::from_random([1; 16]), UnixTime::from_secs(since.as_secs()));
/// # let authority = CertificateAuthority::create(&server, Serial::from_random([2; 16]), now)?;
/// # let leaf = authority.issue_leaf(&["vigo.example.com".parse()?], None, Serial::from_random([3; 16]), now)?;
/// let first = FirstContact::new(provider.clone(), vec![leaf.pin()]);
/// dial(first.client_config()?, web_server_config(provider, &leaf)?, "tunnel.example.net")?;
///
/// // It has the pinned key. Before more is said, an agent asks for a name that its certificate has.
/// let contact = first.verified().expect("it proved to hold its key");
/// assert_eq!((contact.by, contact.name_matches), (TrustedBy::LeafPin, false));
/// assert_eq!(contact.root_pin, authority.root().pin);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contact {
    /// The root that it presented and that signed its certificate, DER: what an agent keeps.
    pub root_der: Vec<u8>,
    /// The pin of that root's key.
    pub root_pin: Pin,
    /// The pin of the server's own key.
    pub leaf_pin: Pin,
    /// Why it is trusted.
    pub by: TrustedBy,
    /// Whether its certificate has the name or address that was dialled. Only a pinned leaf is trusted without; later
    /// connections, checked by the root, need it.
    pub name_matches: bool,
}

/// Why a server of a first contact is not trusted.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ContactError {
    /// None of the keys that it presented is pinned.
    #[error(
        "the server is not the one that was pinned: expected {}, found the CA {} and the server key {leaf}",
        List(expected),
        List(roots)
    )]
    PinMismatch {
        /// The pins that were given.
        expected: Vec<Pin>,
        /// The pins of the roots that it presented.
        roots: Vec<Pin>,
        /// The pin of its own key.
        leaf: Pin,
    },
    /// It presented no CA certificate that signed its own.
    #[error("the server did not present the CA certificate that signed its own")]
    NoRoot,
    /// The certificate is outside its validity, for another name or purpose, or not signed by the root.
    #[error("the server's certificate is refused: {0}")]
    Certificate(rustls::Error),
    /// The root is outside its validity.
    #[error("the server's CA certificate is not valid now: check this machine's clock")]
    RootNotValidNow,
    /// A later connection met another server than the first.
    #[error("another server answered than before: {before} then, {now} now")]
    Changed {
        /// The pin of the first one's root.
        before: Pin,
        /// The pin of this one's root.
        now: Pin,
    },
}

struct List<'a>(&'a [Pin]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        for (at, pin) in self.0.iter().enumerate() {
            write!(f, "{}{pin}", if at == 0 { "" } else { " or " })?;
        }
        Ok(())
    }
}

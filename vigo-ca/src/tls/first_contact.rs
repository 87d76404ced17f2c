use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use vigo_core::Pin;

use super::{Contact, ContactError, TlsError, TrustedBy};
use crate::Root;

/// Handshakes that may be between certificate and signature at one time.
const MAX_PENDING: usize = 16;

/// Verifies a server that this machine has not met before: by pins, or, when there are none, by trusting whom it meets
/// first. What it found out is there once the server has proved that it holds its key.
///
/// - A pinned CA: the server presents it, it signed the server's certificate itself, and the name or address is right.
/// - A pinned server key: the certificate has it, and a presented CA signed the certificate.
/// - No pin at all: a presented CA signed the certificate, and the name or address is right.
///
/// Once one server was verified, a connection to one with another root is refused.
///
/// ```
/// # use std::sync::Arc;
/// # use rustls::{ClientConfig, ClientConnection, ConnectionCommon, ServerConfig, ServerConnection, SideData};
/// use vigo_ca::tls::{ContactError, FirstContact, TrustedBy, web_server_config};
/// # use vigo_ca::CertificateAuthority;
/// # use vigo_core::{Pin, Serial, ServerId, UnixTime};
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
/// let server = web_server_config(provider.clone(), &leaf)?;
/// // The pin that was in the line that somebody typed.
/// let first = FirstContact::new(provider.clone(), vec![authority.root().pin]);
/// assert_eq!(first.verified(), None);
/// dial(first.client_config()?, server.clone(), "vigo.example.com")?;
/// let contact = first.verified().expect("it proved to hold its key");
/// assert_eq!((contact.by, contact.root_der), (TrustedBy::CaPin, authority.root().der.clone()));
///
/// let other = FirstContact::new(provider, vec![Pin::from([9; 32])]);
/// assert!(dial(other.client_config()?, server, "vigo.example.com").is_err());
/// assert!(matches!(other.failure(), Some(ContactError::PinMismatch { .. })));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct FirstContact {
    provider: Arc<CryptoProvider>,
    pins: Vec<Pin>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Certificates in order whose signatures are awaited, and what each will tell once it is there.
    pending: HashMap<Vec<u8>, Contact>,
    verified: Option<Contact>,
    failure: Option<ContactError>,
}

impl FirstContact {
    /// A verifier for these pins; for none, the first server met is trusted.
    #[must_use]
    pub fn new(provider: Arc<CryptoProvider>, pins: Vec<Pin>) -> Arc<Self> {
        Arc::new(Self { provider, pins, state: Mutex::default() })
    }

    /// The configuration that verifies by it: HTTP/2, no client certificate, no resumption.
    ///
    /// # Errors
    /// `Rustls` when the provider cannot do TLS 1.2 or 1.3.
    pub fn client_config(self: &Arc<Self>) -> Result<ClientConfig, TlsError> {
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(self) as Arc<dyn ServerCertVerifier>)
            .with_no_client_auth();
        // A resumed session would not pass through this verifier.
        config.resumption = Resumption::disabled();
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(config)
    }

    /// The server that was met, after it proved that it holds its key; none before.
    #[must_use]
    pub fn verified(&self) -> Option<Contact> {
        self.state().verified.clone()
    }

    /// Why the last server that was met is not trusted.
    #[must_use]
    pub fn failure(&self) -> Option<ContactError> {
        self.state().failure.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn examine(
        &self,
        leaf: &CertificateDer<'_>,
        presented: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<Contact, ContactError> {
        let parsed = ParsedCertificate::try_from(leaf).map_err(ContactError::Certificate)?;
        let leaf_pin = Pin::of_spki(&parsed.subject_public_key_info());
        let named = verify_server_name(&parsed, name);
        let roots: Vec<Root> = presented.iter().filter_map(|der| Root::from_der(der).ok()).collect();
        let by_leaf = self.pins.contains(&leaf_pin);
        let mut refusal = None;
        for root in &roots {
            let by_ca = self.pins.contains(&root.pin);
            if !(by_ca || by_leaf || self.pins.is_empty()) {
                continue;
            }
            if let Err(error) = self.check_chain(&parsed, root, now) {
                refusal.get_or_insert(error);
                continue;
            }
            let by = match (&named, by_ca, by_leaf) {
                (Ok(()), true, _) => TrustedBy::CaPin,
                (_, _, true) => TrustedBy::LeafPin,
                (Ok(()), false, false) => TrustedBy::FirstUse,
                (Err(error), _, false) => {
                    refusal.get_or_insert(ContactError::Certificate(error.clone()));
                    continue;
                }
            };
            let (root_der, root_pin) = (root.der.clone(), root.pin);
            return Ok(Contact { root_der, root_pin, leaf_pin, by, name_matches: named.is_ok() });
        }
        Err(refusal.unwrap_or_else(|| {
            if by_leaf || self.pins.is_empty() {
                return ContactError::NoRoot;
            }
            let roots = roots.iter().map(|root| root.pin).collect();
            ContactError::PinMismatch { expected: self.pins.clone(), roots, leaf: leaf_pin }
        }))
    }

    /// Signed by exactly this root, for a server, within both validities.
    fn check_chain(&self, leaf: &ParsedCertificate<'_>, root: &Root, now: UnixTime) -> Result<(), ContactError> {
        // The library takes an anchor as good whatever its dates are.
        if !root.is_valid_at(vigo_core::UnixTime::from_secs(now.as_secs())) {
            return Err(ContactError::RootNotValidNow);
        }
        let mut anchors = RootCertStore::empty();
        anchors.add(CertificateDer::from(root.der.as_slice())).map_err(ContactError::Certificate)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        // No intermediates: our authorities allow none below them, which is not looked at in an anchor either.
        verify_server_cert_signed_by_trust_anchor(leaf, &anchors, &[], now, algorithms)
            .map_err(ContactError::Certificate)
    }

    /// The signature over this handshake is the certificate's: only now has anything been proved.
    fn prove(
        &self,
        cert: &CertificateDer<'_>,
        signature: Result<HandshakeSignatureValid, Error>,
    ) -> Result<HandshakeSignatureValid, Error> {
        let mut state = self.state();
        let valid = signature.map_err(|error| state.fail(ContactError::Certificate(error)))?;
        let Some(contact) = state.pending.remove(cert.as_ref()) else {
            return Err(Error::General("a signature for a certificate that was not verified".to_owned()));
        };
        if let Err(error) = state.same_as_before(&contact) {
            return Err(state.fail(error));
        }
        state.failure = None;
        state.verified.get_or_insert(contact);
        Ok(valid)
    }
}

impl State {
    fn same_as_before(&self, contact: &Contact) -> Result<(), ContactError> {
        match &self.verified {
            Some(before) if before.root_pin != contact.root_pin => {
                Err(ContactError::Changed { before: before.root_pin, now: contact.root_pin })
            }
            _ => Ok(()),
        }
    }

    fn fail(&mut self, error: ContactError) -> Error {
        self.failure = Some(error.clone());
        match error {
            ContactError::Certificate(error) => error,
            other => CertificateError::Other(OtherError(Arc::new(other))).into(),
        }
    }
}

impl ServerCertVerifier for FirstContact {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let examined = self.examine(end_entity, intermediates, server_name, now);
        let mut state = self.state();
        match examined.and_then(|contact| state.same_as_before(&contact).map(|()| contact)) {
            Ok(contact) => {
                // Handshakes that were given up leave theirs behind.
                if state.pending.len() >= MAX_PENDING {
                    state.pending.clear();
                }
                state.pending.insert(end_entity.to_vec(), contact);
                Ok(ServerCertVerified::assertion())
            }
            Err(error) => Err(state.fail(error)),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.prove(cert, verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.prove(cert, verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

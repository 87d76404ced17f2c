use std::time::Duration;

use rustls_pki_types::{CertificateDer, UnixTime as TlsTime};
use vigo_ca::{PeerError, PeerIdentity};
use vigo_core::{
    EnvoyId, FrameError, IdentityKey, Notice, Pin, ServerId, ServerKey, SignedBundle, UnixTime, VerifiedBundle, wire,
};

/// A server's answer to a registration, after everything in it was found to be what was asked for.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) envoy: EnvoyId,
    pub(crate) server: ServerId,
    pub(crate) certificate: CertificateDer<'static>,
    pub(crate) roots: Vec<CertificateDer<'static>>,
    pub(crate) server_key: ServerKey,
    pub(crate) interval: Duration,
    pub(crate) bundle: Option<(SignedBundle, VerifiedBundle)>,
    pub(crate) notices: Vec<Notice>,
}

/// What an answer must fit.
pub(crate) struct Asked {
    /// The key that asked.
    pub(crate) identity: IdentityKey,
    /// The pin of the key in the certificate request.
    pub(crate) tls_key: Pin,
    /// The pin of the root that the server proved itself by.
    pub(crate) root: Pin,
    /// Now.
    pub(crate) now: UnixTime,
}

/// Why an answer is not taken. Nothing of it was used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// A field that cannot be.
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// The certificate is none of an envoy's.
    #[error("the certificate is refused: {0}")]
    Certificate(#[from] PeerError),
    /// The certificate is for somebody or something else.
    #[error("the certificate is for another {0}")]
    Other(&'static str),
    /// The certificate does not lead to the roots that came with it.
    #[error("the certificate does not lead to the server's CA: {0}")]
    Chain(String),
    /// The roots do not hold the one that the server proved itself by.
    #[error("the server's CA is not among the roots that it sent")]
    Root,
    /// The bundle or a notice.
    #[error("{0}")]
    Frame(#[from] FrameError),
}

impl Answer {
    /// Parses and checks all of it.
    pub(crate) fn check(wire: wire::Registered, asked: &Asked) -> Result<Self, AnswerError> {
        use AnswerError::{Malformed, Other};
        let envoy = EnvoyId::try_from(wire.envoy.as_slice()).map_err(|_| Malformed("the envoy's id"))?;
        let server = ServerId::try_from(wire.server.as_slice()).map_err(|_| Malformed("the server's id"))?;
        let server_key = ServerKey::try_from(wire.signing_key.as_slice()).map_err(|_| Malformed("the signing key"))?;
        if wire.interval_secs == 0 {
            return Err(Malformed("an interval of nothing"));
        }
        let peer = PeerIdentity::from_certificate(&wire.certificate)?;
        let fits = [
            (peer.envoy == envoy, "envoy"),
            (peer.server == server, "fleet"),
            (peer.identity_digest == PeerIdentity::digest_of(&asked.identity), "identity key"),
            (peer.key_pin == asked.tls_key, "TLS key"),
        ];
        if let Some((_, what)) = fits.into_iter().find(|(fits, _)| !fits) {
            return Err(Other(what));
        }
        let roots: Vec<vigo_ca::Root> = wire
            .roots
            .iter()
            .map(|der| vigo_ca::Root::from_der(der).map_err(|_| Malformed("a root")))
            .collect::<Result<_, _>>()?;
        if !roots.iter().any(|root| root.pin == asked.root) {
            return Err(AnswerError::Root);
        }
        let certificate = CertificateDer::from(wire.certificate);
        chain(&certificate, &wire.roots, asked.now)?;
        let bundle = match wire.bundle {
            None => None,
            Some(bundle) => {
                let signed = SignedBundle::try_from(bundle)?;
                let verified = signed.verify(&server_key, &server)?;
                Some((signed, verified))
            }
        };
        Ok(Self {
            envoy,
            server,
            certificate,
            roots: wire.roots.into_iter().map(CertificateDer::from).collect(),
            server_key,
            interval: Duration::from_secs(wire.interval_secs.into()),
            bundle,
            notices: wire.notices.into_iter().map(Notice::from_wire).collect::<Result<_, _>>()?,
        })
    }
}

/// The certificate is one that the server's own roots vouch for, now, for a TLS client.
fn chain(certificate: &CertificateDer<'_>, roots: &[Vec<u8>], now: UnixTime) -> Result<(), AnswerError> {
    let refused = |error: webpki::Error| AnswerError::Chain(error.to_string());
    let roots: Vec<CertificateDer<'_>> = roots.iter().map(|der| der.as_slice().into()).collect();
    let anchors = roots.iter().map(webpki::anchor_from_trusted_cert).collect::<Result<Vec<_>, _>>().map_err(refused)?;
    let leaf = webpki::EndEntityCert::try_from(certificate).map_err(refused)?;
    leaf.verify_for_usage(
        webpki::ALL_VERIFICATION_ALGS,
        &anchors,
        &[],
        TlsTime::since_unix_epoch(Duration::from_secs(now.as_secs())),
        webpki::KeyUsage::client_auth(),
        None,
        None,
    )
    .map(drop)
    .map_err(refused)
}

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

#[cfg(test)]
mod tests {
    use vigo_ca::{CertificateAuthority, ClientRequest, VerifiedCsr};
    use vigo_core::{Admission, Bundle, ClientAddr, IdentitySecret, Serial, ServerSecret};
    use zeroize::Zeroizing;

    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_780_272_000);

    fn server(byte: u8) -> ServerId {
        ServerId::from_random([byte; 16])
    }

    fn authority(byte: u8) -> CertificateAuthority {
        CertificateAuthority::create(&server(byte), Serial::from_random([byte; 16]), NOW).unwrap()
    }

    fn identity(byte: u8) -> IdentityKey {
        IdentitySecret::from_seed(&Zeroizing::new([byte; 32])).public()
    }

    fn certificate(authority: &CertificateAuthority, envoy: u8, key: u8, request: &ClientRequest) -> Vec<u8> {
        let from = ClientAddr::new([127, 0, 0, 1].into());
        let envoy = EnvoyId::from_random([envoy; 16]);
        let grant = Admission::assertion(envoy, "web3.example.com".parse().unwrap(), identity(key), from);
        let csr = VerifiedCsr::from_der(request.csr()).unwrap();
        authority.sign(&csr, grant, Serial::from_random([8; 16]), NOW).unwrap().der
    }

    /// An answer that nothing is wrong with, changed; what became of it.
    #[track_caller]
    fn check(change: impl FnOnce(&mut wire::Registered, &mut Asked), expected: &str) {
        let (authority, request) = (authority(1), ClientRequest::generate().unwrap());
        let secret = ServerSecret::from_seed(&Zeroizing::new([5; 32]));
        let (bundle, _) = Bundle::default().sign(&secret, &server(1)).unwrap();
        let mut answer = wire::Registered {
            envoy: EnvoyId::from_random([7; 16]).as_bytes().to_vec(),
            certificate: certificate(&authority, 7, 3, &request),
            roots: vec![authority.root().der.clone()],
            server: server(1).as_bytes().to_vec(),
            signing_key: secret.public().as_bytes().to_vec(),
            interval_secs: 300,
            bundle: Some((&bundle).into()),
            notices: vec![wire::Notice { code: "hello".into(), message: "Hello".into() }],
        };
        let tls_key = VerifiedCsr::from_der(request.csr()).unwrap().key_pin();
        let mut asked = Asked { identity: identity(3), tls_key, root: authority.root().pin, now: NOW };
        change(&mut answer, &mut asked);
        let outcome = Answer::check(answer, &asked).map_or_else(|error| error.to_string(), |_| "taken".to_owned());
        assert!(outcome.starts_with(expected), "{outcome}");
    }

    #[test]
    fn what_was_asked_for_is_taken() {
        check(|_, _| {}, "taken");
        check(|answer, _| answer.bundle = None, "taken");
        // A root more, as while a CA is replaced.
        check(|answer, _| answer.roots.push(authority(1).root().der.clone()), "taken");
    }

    #[test]
    fn rule_10_an_answer_for_somebody_else_is_refused() {
        let request = || ClientRequest::generate().unwrap();
        check(
            |answer, _| answer.envoy = EnvoyId::from_random([6; 16]).as_bytes().to_vec(),
            "the certificate is for another envoy",
        );
        check(|answer, _| answer.server = server(2).as_bytes().to_vec(), "the certificate is for another fleet");
        check(|_, asked| asked.identity = identity(4), "the certificate is for another identity key");
        check(
            |answer, _| answer.certificate = certificate(&authority(1), 7, 3, &request()),
            "the certificate is for another TLS key",
        );
        check(|answer, _| answer.certificate = authority(1).root().der.clone(), "the certificate is refused");
        check(|answer, _| answer.certificate.truncate(40), "the certificate is refused");
    }

    #[test]
    fn rule_01_an_answer_of_another_ca_is_refused() {
        check(|_, asked| asked.root = Pin::of_spki(b"another"), "the server's CA is not among the roots");
        check(|answer, _| answer.roots.clear(), "the server's CA is not among the roots");
        check(|answer, _| answer.roots[0].truncate(40), "malformed: a root");
        // The right root is there, but it did not sign.
        check(
            |answer, asked| {
                let other = authority(1);
                asked.root = other.root().pin;
                answer.roots = vec![other.root().der.clone()];
            },
            "the certificate does not lead to the server's CA",
        );
        check(|_, asked| asked.now = NOW.before(Duration::from_hours(1)), "the certificate does not lead");
    }

    #[test]
    fn fields_that_cannot_be_are_refused() {
        check(|answer, _| answer.envoy.clear(), "malformed: the envoy's id");
        check(|answer, _| answer.server.truncate(15), "malformed: the server's id");
        check(|answer, _| answer.signing_key = vec![0; 32], "malformed: the signing key");
        check(|answer, _| answer.interval_secs = 0, "malformed: an interval");
        check(|answer, _| answer.notices[0].message = "\u{1b}[2J".into(), "malformed: a notice");
        check(|answer, _| answer.bundle.as_mut().unwrap().body.push(0), "the signature does not fit");
        let foreign = ServerSecret::from_seed(&Zeroizing::new([6; 32]));
        let (bundle, _) = Bundle::default().sign(&foreign, &server(1)).unwrap();
        check(|answer, _| answer.bundle = Some((&bundle).into()), "the signature does not fit");
    }
}

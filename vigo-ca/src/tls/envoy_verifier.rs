use std::sync::Arc;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};
use rustls_pki_types::{CertificateDer, UnixTime};
use vigo_core::ServerId;

use super::DenySet;
use crate::PeerIdentity;

/// Takes a client's certificate if our authority signed it, it is in its validity, it names an envoy of this fleet, and
/// nobody denied it. A client without one is let in too: what it may call is decided for each method.
#[derive(Debug)]
pub(super) struct EnvoyVerifier {
    chain: Arc<dyn ClientCertVerifier>,
    server: ServerId,
    deny: Arc<DenySet>,
}

impl EnvoyVerifier {
    /// `chain` checks signature, validity and purpose, and lets in clients without a certificate.
    pub(super) fn new(chain: Arc<dyn ClientCertVerifier>, server: ServerId, deny: Arc<DenySet>) -> Self {
        Self { chain, server, deny }
    }
}

impl ClientCertVerifier for EnvoyVerifier {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        // None: an envoy has one certificate, and names of CAs would only tell strangers about the fleet.
        &[]
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.chain.verify_client_cert(end_entity, intermediates, now)?;
        let refused = CertificateError::ApplicationVerificationFailure;
        let peer = PeerIdentity::from_certificate(end_entity).map_err(|_| refused.clone())?;
        if peer.server != self.server {
            return Err(refused.into());
        }
        if self.deny.denies(&peer) {
            return Err(CertificateError::Revoked.into());
        }
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.chain.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

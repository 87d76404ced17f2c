//! `vigo-server health`: whether the server of a home is ready, as the machines that it serves would see it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use vigo_core::Pin;

use crate::config::{Config, ConfigError};

/// Why a server is not healthy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HealthError {
    /// Its configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Its certificate, whose key the answering server must have.
    #[error("cannot read the certificate {}: {reason}; the first start of the server makes it", path.display())]
    Certificate {
        /// Which file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// The system's part of TLS.
    #[error("TLS cannot be had: {0}")]
    Tls(#[source] rustls::Error),
    /// Nothing answers, or something that is not this server.
    #[error("no server of this home answers at {address}: {reason}")]
    Unreachable {
        /// Where it was asked.
        address: SocketAddr,
        /// Why.
        reason: String,
    },
    /// It answers that it cannot do its work.
    #[error("the server at {address} is not ready: it answers {status}")]
    NotReady {
        /// Where it was asked.
        address: SocketAddr,
        /// What it answers.
        status: StatusCode,
    },
}

impl HealthError {
    /// The exit code: 6 where nothing could be reached, else 1.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Unreachable { .. } => 6,
            _ => 1,
        }
    }
}

/// Asks the server of this configuration whether it is ready, over HTTPS and this host's own address; gives the line to
/// print.
///
/// Who answers must have the key of the home's certificate: another server on the same port is not this one's health.
///
/// # Errors
/// With what is wrong, at the latest after `most`.
pub async fn run(path: &Path, most: Duration) -> Result<String, HealthError> {
    let config = Config::read(path)?;
    let address = address(config.server.api_listen.0);
    let file = match &config.server.api_tls {
        Some(api) => &api.cert_file,
        None => &config.server.tls.cert_file,
    };
    let pin = pin(&Config::home_of(path).join(file))?;
    let unreachable = |reason: String| HealthError::Unreachable { address, reason };
    let connector = connector(pin)?;
    let answer = tokio::time::timeout(most, ask(address, connector)).await;
    let status = answer
        .map_err(|_| unreachable(format!("no answer within {} s", most.as_secs())))?
        .map_err(|error| unreachable(error.to_string()))?;
    if !status.is_success() {
        return Err(HealthError::NotReady { address, status });
    }
    Ok(format!("ready at https://{address}"))
}

/// Where this host reaches a listener: one that listens everywhere, over loopback.
fn address(listen: SocketAddr) -> SocketAddr {
    // Listening on `::` takes IPv4 too, and IPv6 may be switched off.
    let ip = if listen.ip().is_unspecified() { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { listen.ip() };
    SocketAddr::new(ip, listen.port())
}

/// The pin of the first certificate of a file.
fn pin(path: &Path) -> Result<Pin, HealthError> {
    let wrong = |reason: String| HealthError::Certificate { path: path.into(), reason };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let chain = vigo_ca::pem::certificates(&text).map_err(|error| wrong(error.to_string()))?;
    let leaf = chain.first().ok_or_else(|| wrong("there is none in it".into()))?;
    pin_of(leaf).map_err(|error| wrong(error.to_string()))
}

fn pin_of(certificate: &CertificateDer<'_>) -> Result<Pin, rustls::Error> {
    Ok(Pin::of_spki(&ParsedCertificate::try_from(certificate)?.subject_public_key_info()))
}

fn connector(pin: Pin) -> Result<TlsConnector, HealthError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = Arc::new(HasKey { pin, provider: Arc::clone(&provider) });
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(HealthError::Tls)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

async fn ask(address: SocketAddr, connector: TlsConnector) -> anyhow::Result<StatusCode> {
    let stream = TcpStream::connect(address).await?;
    let stream = connector.connect(ServerName::from(address.ip()), stream).await?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::get("/readyz").header(header::HOST, address.to_string()).body(Body::empty())?;
    let answer = sender.send_request(request);
    tokio::pin!(connection, answer);
    tokio::select! {
        biased;
        answer = &mut answer => Ok(answer?.status()),
        _ = &mut connection => Ok(answer.await?.status()),
    }
}

/// Accepts the one that holds this key, whatever its name: it is asked over loopback.
#[derive(Debug)]
struct HasKey {
    pin: Pin,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for HasKey {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if pin_of(end_entity)? == self.pin {
            Ok(ServerCertVerified::assertion())
        } else {
            Err(rustls::Error::General("it has another key than the home's certificate".into()))
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(listen: &str, expected: &str) {
        assert_eq!(address(listen.parse().unwrap()).to_string(), expected, "{listen}");
    }

    #[test]
    fn where_a_listener_is_asked() {
        check("[::]:8443", "127.0.0.1:8443");
        check("0.0.0.0:8443", "127.0.0.1:8443");
        check("[::1]:1", "[::1]:1");
        check("10.0.0.1:8443", "10.0.0.1:8443");
    }
}

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls_pki_types::CertificateDer;
use vigo_ca::tls::{Contact, FirstContact, TlsError, TrustedBy, client_config};
use vigo_ca::{Root, pem};
use vigo_core::Pin;

use crate::Exit;
use crate::client::{ClientError, Https, Secret};
use crate::failure::Failure;
use crate::url::ServerUrl;

/// How a server was verified.
pub(crate) struct Trusted {
    /// The CA to check it by from now on; none where the system's roots do.
    pub(crate) root: Option<Root>,
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn unusable(error: &TlsError) -> Failure {
    Failure::new(Exit::Failed, "tls", format!("TLS cannot be set up: {error}"))
}

/// HTTP/1.1 alone is spoken here.
fn http(mut config: ClientConfig) -> Arc<ClientConfig> {
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

/// A server with a pinned CA or key.
pub(crate) fn by_pins(url: ServerUrl, pins: Vec<Pin>, token: Option<Secret>) -> Result<Https, Failure> {
    if pins.is_empty() {
        // Without pins the verifier would trust whom it meets first.
        return by_system(url, token);
    }
    let first = FirstContact::new(provider(), pins);
    let config = first.client_config().map_err(|error| unusable(&error))?;
    Ok(Https::new(url, http(config), Some(first), token))
}

/// A server whose certificate this CA signed.
pub(crate) fn by_root(url: ServerUrl, ca_pem: &str, token: Option<Secret>) -> Result<Https, Failure> {
    let roots = pem::certificates(ca_pem).map_err(|error| unusable(&error.into()))?;
    let config = client_config(provider(), &roots, None).map_err(|error| unusable(&error))?;
    Ok(Https::new(url, http(config), None, token))
}

/// A server with a certificate that this system's roots know.
pub(crate) fn by_system(url: ServerUrl, token: Option<Secret>) -> Result<Https, Failure> {
    // A root that cannot be read or used is not trusted; others are.
    let found = rustls_native_certs::load_native_certs().certs;
    let roots: Vec<CertificateDer<'_>> = found.into_iter().filter(usable).collect();
    // No root at all would be an error before the server's pin can be shown: any pin that matches nothing refuses alike.
    if roots.is_empty() {
        return by_pins(url, vec![Pin::from([0; 32])], token);
    }
    let config = client_config(provider(), &roots, None).map_err(|error| unusable(&error))?;
    Ok(Https::new(url, http(config), None, token))
}

fn usable(root: &CertificateDer<'_>) -> bool {
    rustls::RootCertStore::empty().add(root.clone()).is_ok()
}

/// Dials, verifies, and says nothing.
pub(crate) async fn meet(url: &ServerUrl, pins: Vec<Pin>) -> Result<Trusted, Failure> {
    if pins.is_empty() {
        return match by_system(url.clone(), None)?.dial().await {
            Ok(_) => Ok(Trusted { root: None }),
            Err(ClientError::Untrusted(_)) => Err(unknown(url).await?),
            Err(error) => Err(unreachable(url, &error)),
        };
    }
    let contact = first_contact(url, pins).await?;
    if !contact.name_matches {
        return Err(Failure::new(
            Exit::Auth,
            "wrong_name",
            format!("the server has the pinned key, but its certificate is not for {}", url.bare_host()),
        )
        .help("Use a name or address of its certificate (server.tls_sans on the server), or pin its CA."));
    }
    let root = Root::from_der(&contact.root_der).map_err(|error| {
        Failure::new(Exit::Auth, "server_not_trusted", format!("the server's CA cannot be used: {error}"))
    })?;
    Ok(Trusted { root: Some(root) })
}

async fn first_contact(url: &ServerUrl, pins: Vec<Pin>) -> Result<Contact, Failure> {
    let first = FirstContact::new(provider(), pins);
    let config = first.client_config().map_err(|error| unusable(&error))?;
    let https = Https::new(url.clone(), http(config), Some(Arc::clone(&first)), None);
    match https.dial().await {
        Ok(_) => first.verified().ok_or_else(|| {
            Failure::new(Exit::Auth, "server_not_trusted", format!("{url} did not prove that it holds its key"))
        }),
        Err(ClientError::Untrusted(failure)) => Err(*failure),
        Err(error) => Err(unreachable(url, &error)),
    }
}

/// What is said of a server that nothing here vouches for: the pin that it showed, and how to tell whether it is right.
async fn unknown(url: &ServerUrl) -> Result<Failure, Failure> {
    // Nothing is sent on this connection, and nothing of it is kept.
    let contact = first_contact(url, Vec::new()).await?;
    let pin = match contact.by {
        TrustedBy::LeafPin => contact.leaf_pin,
        _ => contact.root_pin,
    };
    Ok(Failure::new(
        Exit::Auth,
        "pin_needed",
        format!("nothing here vouches for {url}; it showed the CA pin {pin}, and nothing was sent to it"),
    )
    .help(format!(
        "Compare it with the CA pin of `vigocli ca show` on the server's host. If they are the same: vigocli login {url} \
         --ca-pin {pin}"
    )))
}

fn unreachable(url: &ServerUrl, error: &ClientError) -> Failure {
    Failure::new(Exit::Unreachable, "unreachable", format!("cannot reach the server at {url}: {error}"))
        .help("Is vigo-server running there, and does a firewall let this machine reach that port?")
}

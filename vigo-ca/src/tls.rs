//! rustls configurations of servers and agents: who may talk to whom.
//!
//! Every function takes the cryptography as an argument; none installs or uses a default.

mod client;
mod contact;
mod deny_set;
mod envoy_verifier;
mod first_contact;
mod server;

use std::sync::Arc;

pub use client::{ClientIdentity, client_config};
pub use contact::{Contact, ContactError, TrustedBy};
pub use deny_set::DenySet;
pub use first_contact::FirstContact;
pub use server::{grpc_server_config, public_server_config, web_server_config};

/// Why no TLS configuration could be made.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// Nobody to trust.
    #[error("no root certificate to check the other side against")]
    NoRoots,
    /// A certificate or key is not PEM.
    #[error(transparent)]
    Pem(#[from] crate::pem::PemError),
    /// The library refused a certificate, a key, or the two together.
    #[error("TLS cannot be set up: {0}")]
    Rustls(#[from] rustls::Error),
}

/// The roots in the form that rustls looks them up in.
fn root_store<'a>(ders: impl IntoIterator<Item = &'a [u8]>) -> Result<Arc<rustls::RootCertStore>, TlsError> {
    let mut store = rustls::RootCertStore::empty();
    for der in ders {
        store.add(der.into())?;
    }
    if store.is_empty() { Err(TlsError::NoRoots) } else { Ok(Arc::new(store)) }
}

#![doc = include_str!("../README.md")]

#[cfg(not(any(feature = "aws-lc", feature = "ring")))]
compile_error!("cryptography has to come from somewhere: feature `aws-lc`, or `ring` where that is not built");

mod name;
mod root;

mod csr;
mod plan;
mod profile;

mod authority;
mod key;
mod leaf;
mod peer;
mod request;
mod signer;

mod ca_files;
pub mod files;
mod leaf_files;
pub mod pem;

#[cfg(feature = "tls")]
pub mod tls;

pub use authority::{CaError, CertificateAuthority, SignError};
pub use ca_files::{CaFiles, CaFilesError};
pub use csr::{CsrError, VerifiedCsr};
pub use key::PrivateKeyError;
pub use leaf::{LeafError, ServerLeaf};
pub use leaf_files::{LeafFiles, LeafFilesError};
pub use name::SubjectName;
pub use peer::{PeerError, PeerIdentity};
pub use plan::{Plan, PlanError, Role};
pub use profile::Profile;
pub use request::ClientRequest;
pub use root::{Root, RootError};
pub use signer::CaSigner;

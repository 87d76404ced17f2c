use std::sync::Arc;

use vigo_core::{Bundle, FrameError, Hostname, PolicyState, ServerId, ServerSecret, SignedBundle};

use crate::Stacks;
use crate::stacks::Table;

/// Every bundle of a policy, signed once; a look-up costs one match of the name, and no signature.
///
/// ```
/// use vigo_core::{ServerId, ServerSecret};
/// use vigo_policy::{Catalogue, Stacks};
/// # let secret = ServerSecret::from_seed(&zeroize::Zeroizing::new([7; 32]));
/// # let server = ServerId::from_random([9; 16]);
/// let stacks = Stacks::from_texts([("envoys.vgo", "envoys:\n  - {match: '*.example.com'}\n")])?;
/// let catalogue = Catalogue::sign(&stacks, &secret, &server)?;
/// let published = catalogue.bundle_for(&"web1.example.com".parse()?);
///
/// // What an agent gets, and checks with the server's public key.
/// let verified = published.signed.verify(&secret.public(), &server)?;
/// assert_eq!(verified.bundle.hostcrate.as_deref(), Some("*.example.com"));
/// assert_eq!(verified.state, published.state);
///
/// // After a restart the same files are the same bytes: no envoy is sent them again.
/// let again = Catalogue::sign(&stacks, &secret, &server)?;
/// assert_eq!(again.bundle_for(&"web2.example.com".parse()?), published);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Catalogue {
    table: Arc<Table>,
    published: Vec<Published>,
    empty: Published,
}

/// A bundle as envoys get it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The bytes and the server's signature.
    pub signed: SignedBundle,
    /// Its version and digest, to compare with what an envoy reports.
    pub state: PolicyState,
    /// The match block it is for; `None` is the empty bundle of hosts that no block takes.
    pub hostcrate: Option<String>,
}

/// A bundle could not be signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the bundle of `{hostcrate}` cannot be published")]
#[non_exhaustive]
pub struct CatalogueError {
    /// The match block.
    pub hostcrate: String,
    /// Most likely it is too large.
    #[source]
    pub source: FrameError,
}

impl Catalogue {
    /// Signs the bundle of each block, and the empty one. The same policy and key give the same bytes.
    ///
    /// # Errors
    /// When a bundle is larger than [`MAX_BUNDLE`](vigo_core::frame::MAX_BUNDLE).
    pub fn sign(stacks: &Stacks, secret: &ServerSecret, server: &ServerId) -> Result<Self, CatalogueError> {
        let publish = |bundle: &Bundle| {
            let (signed, state) = bundle
                .sign(secret, server)
                .map_err(|source| CatalogueError { hostcrate: bundle.hostcrate.clone().unwrap_or_default(), source })?;
            Ok(Published { signed, state, hostcrate: bundle.hostcrate.clone() })
        };
        let published = stacks.hostcrates().iter().map(|h| publish(&h.bundle)).collect::<Result<_, _>>()?;
        Ok(Self { table: stacks.table(), published, empty: publish(&Bundle::default())? })
    }

    /// What the host of this name has to apply.
    #[must_use]
    pub fn bundle_for(&self, name: &Hostname) -> &Published {
        self.table.find(name).map_or(&self.empty, |index| &self.published[index])
    }
}

use std::sync::Arc;

use vigo_core::{Bundle, FrameError, Hostname, PolicyState, ServerId, ServerSecret, SignedBundle};

use crate::Stacks;
use crate::stacks::Table;

/// Every bundle of a policy, signed once; a look-up costs one match of the name, and no signature.
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

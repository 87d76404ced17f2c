use std::path::Path;

use vigo_ca::files::{self, FileError};
use vigo_core::{FrameError, PolicyState, ServerId, ServerKey, SignedBundle, StateReport, VerifiedBundle};

/// The policy that this machine holds, verified, with the file that keeps it.
#[derive(Debug, Default)]
pub struct Policy {
    held: Option<VerifiedBundle>,
}

/// Why a bundle is not held.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PolicyError {
    /// It is not the server's, or malformed.
    #[error("the policy bundle is refused: {0}")]
    Refused(#[from] FrameError),
    /// It could not be kept.
    #[error("the policy bundle could not be kept: {0}")]
    File(#[from] FileError),
}

/// More than any bundle that a server may send.
const MAX_FILE: u64 = 2 * vigo_core::frame::MAX_BUNDLE as u64;

impl Policy {
    /// Reads the cached bundle. One that is missing, damaged or another server's is none: the next check-in brings it.
    #[must_use]
    pub fn read(path: &Path, key: &ServerKey, server: &ServerId) -> Self {
        let held = match std::fs::metadata(path) {
            Ok(meta) if meta.len() <= MAX_FILE => std::fs::read(path).ok(),
            _ => None,
        };
        let held = held.and_then(|bytes| match SignedBundle::from_bytes(&bytes).and_then(|b| b.verify(key, server)) {
            Ok(bundle) => Some(bundle),
            Err(error) => {
                tracing::info!(%error, "the cached policy is not this server's; the next check-in brings it anew");
                None
            }
        });
        Self { held }
    }

    /// Verifies a bundle and keeps it: on disk first, and only then does it count.
    ///
    /// # Errors
    /// When it is refused or cannot be kept; then the one held before still counts.
    pub fn take(
        &mut self,
        bundle: &SignedBundle,
        path: &Path,
        key: &ServerKey,
        server: &ServerId,
    ) -> Result<&VerifiedBundle, PolicyError> {
        let verified = bundle.verify(key, server)?;
        files::replace_private(path, &bundle.to_bytes())?;
        Ok(self.held.insert(verified))
    }

    /// The bundle held.
    #[must_use]
    pub const fn held(&self) -> Option<&VerifiedBundle> {
        self.held.as_ref()
    }

    /// What a check-in says of it.
    #[must_use]
    pub fn state(&self) -> Option<PolicyState> {
        self.held.as_ref().map(|held| held.state.clone())
    }

    /// What a check-in says of the machine's state.
    #[must_use]
    pub fn report(&self) -> StateReport {
        let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
        self.held.as_ref().map_or_else(StateReport::default, |held| StateReport {
            configcrates: count(held.bundle.configcrates.len()),
            resources: count(held.bundle.resources()),
            ..StateReport::default()
        })
    }
}

#[cfg(test)]
mod tests {
    use vigo_core::{Bundle, Configcrate, Resource, ServerSecret};
    use zeroize::Zeroizing;

    use super::*;

    #[test]
    fn a_bundle_is_verified_kept_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bundle");
        let (secret, server) = (ServerSecret::from_seed(&Zeroizing::new([1; 32])), ServerId::from_random([2; 16]));
        let key = secret.public();
        let bundle = Bundle {
            configcrates: vec![Configcrate { name: "base".into(), resources: vec![Resource::default(); 2] }],
            ..Bundle::default()
        };
        let (signed, state) = bundle.sign(&secret, &server).unwrap();
        let mut policy = Policy::read(&path, &key, &server);
        assert!(policy.held().is_none() && policy.state().is_none());
        policy.take(&signed, &path, &key, &server).unwrap();
        assert_eq!(policy.state(), Some(state.clone()));
        assert_eq!(Policy::read(&path, &key, &server).state(), Some(state.clone()));
        assert_eq!(policy.report(), StateReport { configcrates: 1, resources: 2, ..StateReport::default() });

        let (foreign, _) = Bundle::default().sign(&ServerSecret::from_seed(&Zeroizing::new([9; 32])), &server).unwrap();
        assert!(matches!(policy.take(&foreign, &path, &key, &server), Err(PolicyError::Refused(_))));
        assert_eq!(policy.state(), Some(state.clone()), "the old one still counts");
        assert_eq!(Policy::read(&path, &key, &server).state(), Some(state), "on disk too");

        std::fs::write(&path, b"half a bun").unwrap();
        assert!(Policy::read(&path, &key, &server).held().is_none());
    }
}

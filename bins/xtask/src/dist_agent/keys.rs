//! The keys that builds are signed with, and those that they trust.

use std::path::Path;

use anyhow::Context as _;
use vigo_core::{AgentSigningKey, AgentSigningSecret};

/// The private key in a file.
pub(crate) fn secret(path: &Path) -> anyhow::Result<AgentSigningSecret> {
    let pem = vigo_ca::files::read_private(path)?;
    AgentSigningSecret::from_pem(&pem).with_context(|| format!("{}: `cargo xtask keygen` makes a key", path.display()))
}

/// What is compiled in: the key, and the next after a comma, each as 64 hexadecimal digits.
pub(crate) fn compiled_in(key: &Path, next: Option<&Path>) -> anyhow::Result<String> {
    let key = secret(key)?.public().to_string();
    match next {
        Some(next) => Ok(format!("{key},{}", public(next)?)),
        None => Ok(key),
    }
}

/// The public key in a file that holds it, or the private one.
fn public(path: &Path) -> anyhow::Result<AgentSigningKey> {
    let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    match AgentSigningKey::from_pem(&text) {
        Ok(key) => Ok(key),
        Err(_) => Ok(secret(path)?.public()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    #[test]
    fn two_keys_as_an_agent_reads_them() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = dir.path().join(name);
            vigo_ca::files::write_new_private(&path, text.as_bytes()).unwrap();
            path
        };
        let [one, two] = [1, 2].map(|byte| AgentSigningSecret::from_seed(&Zeroizing::new([byte; 32])));
        let (key, next) = (write("key", &one.to_pem()), write("next", &two.to_pem()));
        let public = write("next.pub", &two.public().to_pem());
        let (one, two) = (one.public().to_string(), two.public().to_string());
        assert_eq!(one.len(), 64);
        assert_eq!(compiled_in(&key, None).unwrap(), one);
        assert_eq!(compiled_in(&key, Some(&next)).unwrap(), format!("{one},{two}"));
        assert_eq!(compiled_in(&key, Some(&public)).unwrap(), format!("{one},{two}"));
        assert!(compiled_in(&public, None).unwrap_err().to_string().contains("`cargo xtask keygen` makes a key"));
    }
}

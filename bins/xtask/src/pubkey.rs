use std::path::PathBuf;

use clap::Args;

use crate::dist_agent::keys;

#[derive(Args)]
pub(crate) struct Pubkey {
    /// The private key
    #[arg(long, value_name = "FILE", env = "SIGN_KEY")]
    key: PathBuf,
    /// The key that later builds will be signed with, its public or its private half
    #[arg(long, value_name = "FILE", env = "SIGN_KEY_NEXT")]
    next_key: Option<PathBuf>,
}

impl Pubkey {
    pub(crate) fn run(self) -> anyhow::Result<String> {
        Ok(format!("{}\n", keys::compiled_in(&self.key, self.next_key.as_deref())?))
    }
}

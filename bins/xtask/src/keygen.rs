use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use rand::TryRng as _;
use rand::rngs::SysRng;
use vigo_core::AgentSigningSecret;
use zeroize::Zeroizing;

use crate::files::put;

#[derive(Args)]
pub(crate) struct Keygen {
    /// The private key's file, which must not be there yet; the public half gets `.pub` at its end
    file: PathBuf,
}

impl Keygen {
    pub(crate) fn run(self) -> anyhow::Result<String> {
        let mut seed = Zeroizing::new([0; 32]);
        SysRng.try_fill_bytes(&mut *seed).context("the system gives no random numbers")?;
        let secret = AgentSigningSecret::from_seed(&seed);
        vigo_ca::files::write_new_private(&self.file, secret.to_pem().as_bytes())?;
        let mut name = self.file.clone().into_os_string();
        name.push(".pub");
        let public = PathBuf::from(name);
        put(&public, secret.public().to_pem().as_bytes())?;
        Ok(format!(
            "private key  {}  keep it off every server; who has it commands every machine\npublic key   {}\nfor builds   \
             VIGO_AGENT_SIGNING_PUBKEY={}\n",
            self.file.display(),
            public.display(),
            secret.public()
        ))
    }
}

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use vigo_core::{AgentManifest, AgentSigningSecret, AgentVersion};

use crate::clock;
use crate::files::{Build, put};

#[derive(Args)]
pub(crate) struct Sign {
    /// The private key: an Ed25519 key in PKCS#8 PEM, from `keygen` or `openssl genpkey -algorithm ed25519`
    #[arg(long, value_name = "FILE", env = "SIGN_KEY")]
    key: PathBuf,
    /// The build's version
    #[arg(long)]
    version: AgentVersion,
    /// The oldest agent that may install this build
    #[arg(long, value_name = "VERSION")]
    minimum: Option<AgentVersion>,
    /// For how many days it may be installed
    #[arg(long, value_name = "N", default_value_t = 365, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    /// The builds, each as `<os>-<arch>/vigo`
    #[arg(required = true, value_name = "BUILD")]
    builds: Vec<PathBuf>,
}

impl Sign {
    pub(crate) fn run(self) -> anyhow::Result<String> {
        let pem = vigo_ca::files::read_private(&self.key)?;
        let secret = AgentSigningSecret::from_pem(&pem)
            .with_context(|| format!("{}: `cargo xtask keygen` makes a key", self.key.display()))?;
        let now = clock::now()?;
        let until = now.after(Duration::from_secs(u64::from(self.days) * 86_400));
        let mut said = String::new();
        for path in &self.builds {
            let build = Build::read(path)?;
            let mut manifest = AgentManifest::of_binary(&build.bytes, build.target, self.version.clone(), now..until);
            if let Some(minimum) = &self.minimum {
                manifest.minimum = minimum.clone();
            }
            let signed = manifest.sign(&secret).with_context(|| path.display().to_string())?;
            // The signature last: until it is there the build is not offered.
            put(&build.manifest, &signed.text)?;
            put(&build.signature, signed.signature.as_bytes())?;
            said += &format!("signed  {}  {} {}\n", path.display(), manifest.version, manifest.target);
        }
        Ok(said)
    }
}

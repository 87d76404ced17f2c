use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use vigo_core::{AgentManifest, AgentSigningSecret, AgentVersion, UnixTime};

use crate::clock;
use crate::dist_agent::keys;
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
    #[arg(long, value_name = "N", default_value_t = Self::DAYS, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    /// The builds, each as `<os>-<arch>/vigo`
    #[arg(required = true, value_name = "BUILD")]
    builds: Vec<PathBuf>,
}

impl Sign {
    /// For how many days a build may be installed where nobody says otherwise.
    pub(crate) const DAYS: u32 = 365;

    pub(crate) fn run(self) -> anyhow::Result<String> {
        let secret = keys::secret(&self.key)?;
        let now = clock::now()?;
        let one = |path: &PathBuf| Self::one(&secret, path, &self.version, self.minimum.as_ref(), self.days, now);
        self.builds.iter().map(one).collect()
    }

    /// Signs one build; what is said of it.
    pub(crate) fn one(
        secret: &AgentSigningSecret,
        path: &Path,
        version: &AgentVersion,
        minimum: Option<&AgentVersion>,
        days: u32,
        now: UnixTime,
    ) -> anyhow::Result<String> {
        let until = now.after(Duration::from_secs(u64::from(days) * 86_400));
        let build = Build::read(path)?;
        let mut manifest = AgentManifest::of_binary(&build.bytes, build.target, version.clone(), now..until);
        if let Some(minimum) = minimum {
            manifest.minimum = minimum.clone();
        }
        let signed = manifest.sign(secret).with_context(|| path.display().to_string())?;
        // The signature last: until it is there the build is not offered.
        put(&build.manifest, &signed.text)?;
        put(&build.signature, signed.signature.as_bytes())?;
        Ok(format!("signed  {}  {} {}\n", path.display(), manifest.version, manifest.target))
    }
}

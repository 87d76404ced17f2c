use std::path::PathBuf;

use anyhow::{Context as _, bail};
use clap::Args;
use vigo_core::{AgentSigningKey, SignedManifest};

use crate::clock;
use crate::files::Build;

#[derive(Args)]
pub(crate) struct Verify {
    /// A public key, as a file in PEM or as 64 hexadecimal digits; may be given twice, for the current and the next
    #[arg(long = "pub", value_name = "KEY", required = true)]
    keys: Vec<String>,
    /// The builds, each as `<os>-<arch>/vigo` with vigo.manifest and vigo.sig beside it
    #[arg(required = true, value_name = "BUILD")]
    builds: Vec<PathBuf>,
}

fn key(text: &str) -> anyhow::Result<AgentSigningKey> {
    if let Ok(bytes) = hex::decode(text) {
        return AgentSigningKey::try_from(bytes.as_slice()).with_context(|| text.to_owned());
    }
    let pem = std::fs::read_to_string(text).with_context(|| format!("cannot read {text}"))?;
    AgentSigningKey::from_pem(&pem).with_context(|| text.to_owned())
}

impl Verify {
    pub(crate) fn run(self) -> anyhow::Result<String> {
        let keys: Vec<AgentSigningKey> = self.keys.iter().map(|text| key(text)).collect::<Result<_, _>>()?;
        let now = clock::now()?;
        let mut said = String::new();
        for path in &self.builds {
            let name = || path.display().to_string();
            let build = Build::read(path)?;
            let text = std::fs::read(&build.manifest)
                .with_context(|| format!("cannot read {}: `cargo xtask sign` writes it", build.manifest.display()))?;
            let signature = std::fs::read(&build.signature)
                .with_context(|| format!("cannot read {}: `cargo xtask sign` writes it", build.signature.display()))?;
            let Ok(signature) = signature.as_slice().try_into() else {
                bail!("{}: a signature has 64 bytes, this file {}", build.signature.display(), signature.len());
            };
            let manifest = SignedManifest { text, signature }.verify(&keys).with_context(name)?;
            manifest.check_binary(&build.bytes).with_context(name)?;
            manifest.check(&build.target, &manifest.version, &manifest.version, now).with_context(name)?;
            let until = jiff::Timestamp::from_second(i64::try_from(manifest.expires.as_secs())?)?;
            said += &format!(
                "good    {}  {} {}, to be installed until {until}\n",
                path.display(),
                manifest.version,
                manifest.target
            );
        }
        Ok(said)
    }
}

//! The agent for every system: built where it can be linked here, type-checked where not, and run where something here
//! runs it.

mod cargo;
pub(crate) mod keys;
mod table;
mod target;
mod tools;
mod trial;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use clap::Args;
use sha2::{Digest as _, Sha256};
use vigo_core::{AgentSigningSecret, AgentVersion};

use self::cargo::Cargo;
use self::table::{Row, Step};
use self::target::{Job, Link, Named, Order};
use self::tools::Tools;
use self::trial::Ran;
use crate::clock;
use crate::files::put;
use crate::sign::Sign;

/// A binary above this is not what it should be.
const MAX_SIZE: u64 = 10_000_000;

#[derive(Args)]
pub(crate) struct DistAgent {
    /// For these systems [default: the static Linux build, and one type-check of each other family]
    #[arg(long, value_name = "OS-ARCH", value_delimiter = ',', conflicts_with = "all")]
    targets: Vec<Named>,
    /// For all systems
    #[arg(long)]
    all: bool,
    /// The folder that `<os>-<arch>/vigo` is written into
    #[arg(long, value_name = "DIR", default_value = "agents")]
    out: PathBuf,
    /// The version, which has to be the one in Cargo.toml
    #[arg(long)]
    version: Option<AgentVersion>,
    /// The private key that signs the builds, and whose public half they trust
    #[arg(long, value_name = "FILE", env = "SIGN_KEY")]
    key: Option<PathBuf>,
    /// The key that later builds will be signed with, its public or its private half: these builds trust it too
    #[arg(long, value_name = "FILE", env = "SIGN_KEY_NEXT", requires = "key")]
    next_key: Option<PathBuf>,
}

impl DistAgent {
    pub(crate) fn run(self) -> anyhow::Result<String> {
        let version = version(self.version.as_ref())?;
        let workspace = std::fs::canonicalize(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))?;
        let keys = self.key.as_deref().map(|key| keys::compiled_in(key, self.next_key.as_deref())).transpose()?;
        let secret = self.key.as_deref().map(keys::secret).transpose()?;
        let folder = workspace.join("target/dist");
        std::fs::create_dir_all(&folder)?;
        let tools = Tools::ready(&folder)?;
        let cargo = Cargo { tools: &tools, workspace: &workspace, folder, keys };
        if secret.is_none() {
            eprintln!("dist-agent: unsigned: agents refuse updates. SIGN_KEY=FILE signs them");
        }
        let orders = target::orders(&self.targets, self.all);
        let mut rows = Vec::new();
        for (at, order) in orders.iter().enumerate() {
            let (target, job, provider) = *order;
            let does = if job == Job::Build { "building" } else { "checking" };
            let which = provider.feature();
            eprintln!("dist-agent: {does} {} with {which} ({} of {})", target.name, at + 1, orders.len());
            let begun = clock::now()?;
            let mut row = Row::new(target, provider);
            if let Err(error) = one(*order, &cargo, &self.out, &version, secret.as_ref(), &mut row) {
                eprintln!("dist-agent: {}: {error:#}", target.name);
                row.failed = Some(format!("{error:#}"));
            }
            row.seconds = clock::now()?.as_secs().saturating_sub(begun.as_secs());
            rows.push(row);
        }
        let text = table::text(&rows);
        if rows.iter().any(|row| row.failed.is_some()) {
            print!("{text}");
            bail!("not all of it was done");
        }
        Ok(text)
    }
}

/// The version that is built.
fn version(asked: Option<&AgentVersion>) -> anyhow::Result<String> {
    let own = env!("CARGO_PKG_VERSION");
    match asked {
        Some(asked) if asked.to_string() != own => {
            bail!("--version {asked}: this is the source of {own}; the version stands in Cargo.toml")
        }
        _ => Ok(own.to_owned()),
    }
}

/// One target, as far as it goes; `row` says how far that was.
fn one(
    order: Order,
    cargo: &Cargo<'_>,
    out: &Path,
    version: &str,
    secret: Option<&AgentSigningSecret>,
    row: &mut Row,
) -> anyhow::Result<()> {
    let (target, job, _) = order;
    let built = cargo.run(order)?;
    row.checked = Step::Done(String::new());
    if job == Job::Check {
        row.linked = match target.link {
            Link::Not(why) => Step::NotDone(why.to_owned()),
            Link::Zigbuild | Link::Script => Step::NotDone("not asked for".to_owned()),
        };
        return Ok(());
    }
    row.linked = Step::Done(String::new());
    let bytes = std::fs::read(&built).with_context(|| format!("cannot read {}", built.display()))?;
    row.size = Some(bytes.len() as u64);
    if bytes.len() as u64 > MAX_SIZE {
        bail!("{} bytes; no more than {MAX_SIZE} are sent to every machine of a fleet", bytes.len());
    }
    row.ran = match trial::run(target, &built, &cargo.folder, version)? {
        Ran::Yes(how) => Step::Done(how.to_owned()),
        Ran::No(why) => Step::NotDone(why),
    };
    let path = lay_down(&bytes, &out.join(target.name), version)?;
    if let Some(secret) = secret {
        let signed = Sign::one(secret, &path, &version.parse()?, None, Sign::DAYS, clock::now()?)?;
        eprint!("dist-agent: {signed}");
    }
    Ok(())
}

/// Writes the binary, its hash and its version into a folder that the server reads.
fn lay_down(bytes: &[u8], folder: &Path, version: &str) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    // The server offers nothing that others than its owner may change.
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755))?;
    // A signature of the build before would be one of another binary.
    for name in ["vigo.sig", "vigo.manifest"] {
        match std::fs::remove_file(folder.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove {}", folder.join(name).display()));
            }
            _ => {}
        }
    }
    let path = folder.join("vigo");
    put(&path, bytes)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
    put(&folder.join("vigo.sha256"), format!("{}  vigo\n", hex::encode(Sha256::digest(bytes))).as_bytes())?;
    put(&folder.join("VERSION"), format!("{version}\n").as_bytes())?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser as _;
    use clap::error::ErrorKind::{ArgumentConflict, InvalidValue, MissingRequiredArgument, ValueValidation};

    #[derive(clap::Parser)]
    struct Line {
        #[command(flatten)]
        arguments: DistAgent,
    }

    #[track_caller]
    fn check(line: &str, expected: Result<(usize, bool, &str), clap::error::ErrorKind>) {
        let parsed = Line::try_parse_from(format!("x {line}").split_whitespace());
        let parsed = parsed.map(|line| line.arguments).map_err(|error| error.kind());
        let told = parsed.as_ref().map(|a| (a.targets.len(), a.all, a.out.to_str().unwrap())).map_err(|kind| *kind);
        assert_eq!(told, expected, "{line}");
    }

    #[test]
    fn what_is_taken() {
        check("", Ok((0, false, "agents")));
        check("--targets linux-x86_64,windows-x86_64 --out o", Ok((2, false, "o")));
        check("--all --version 0.1.0 --key k --next-key n", Ok((0, true, "agents")));
        check("--all --targets linux-x86_64", Err(ArgumentConflict));
        check("--targets linux-mips", Err(InvalidValue));
        check("--version one", Err(ValueValidation));
        check("--next-key n", Err(MissingRequiredArgument));
    }

    #[test]
    fn the_version_is_that_of_the_source() {
        let own = env!("CARGO_PKG_VERSION");
        assert_eq!(version(None).unwrap(), own);
        assert_eq!(version(Some(&own.parse().unwrap())).unwrap(), own);
        let error = version(Some(&"99.0.0".parse().unwrap())).unwrap_err().to_string();
        assert_eq!(error, format!("--version 99.0.0: this is the source of {own}; the version stands in Cargo.toml"));
    }

    #[test]
    fn what_the_server_finds() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("linux-x86_64");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("vigo.sig"), "of another build").unwrap();
        let path = lay_down(b"abc", &folder, "0.1.0").unwrap();
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        assert_eq!(read("vigo"), "abc");
        // As in FIPS 180-2, appendix B.1.
        assert_eq!(read("vigo.sha256"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  vigo\n");
        assert_eq!(read("VERSION"), "0.1.0\n");
        assert!(!folder.join("vigo.sig").exists());
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o755);
    }
}

//! `vigo-server quickstart`: a home, a running server, this very host enrolled, and the line for the next one.

use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::server::{Running, Server};

/// What `quickstart` was asked.
#[derive(Clone, Debug)]
pub struct Quickstart {
    /// The home to make or to use again.
    pub dir: PathBuf,
    /// The port for enrolment and check-in.
    pub grpc_port: Option<u16>,
    /// The port for bootstrap and the API.
    pub api_port: Option<u16>,
    /// Whether to stop once the host is shown.
    pub once: Once,
}

/// Whether `quickstart` stays up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Once {
    /// Until it is told to stop.
    StaysUp,
    /// It stops when all was shown.
    Stops,
}

/// How long the first check-in may take.
const FIRST_CHECK_IN: Duration = Duration::from_secs(30);

/// Runs it until `stop`.
///
/// # Errors
/// With what failed, and the next step where there is one.
pub async fn run(quickstart: Quickstart, stop: CancellationToken) -> anyhow::Result<()> {
    let agent = crate::agents::beside("vigo")
        .context("the agent `vigo` must lie beside `vigo-server`; build both: cargo build --release")?;
    let _alone = hold(&quickstart.dir)?;
    let config_path = prepare(&quickstart)?;
    let config = Config::read(&config_path)?;
    say(&format!("home       {}", quickstart.dir.display()));
    let running = Server::builder(config, quickstart.dir.clone()).build().await?.start().await?;
    for warning in running.warnings() {
        say(&format!("warning    {warning}"));
    }
    say(&format!("server     gRPC on {}, HTTPS on {}", running.grpc_addr(), running.api_addr()));
    say(&format!("CA         {}", running.ca_pin()));

    let envoy = quickstart.dir.join("this-host");
    let dirs = [("--config-dir", envoy.join("etc")), ("--state-dir", envoy.join("state"))];
    let enrolled = dirs[0].1.join("config");
    if enrolled.exists() {
        redirect(&enrolled, running.grpc_addr(), running.api_addr())?;
    } else {
        enrol(&running, &agent, &dirs).await?;
    }
    if let Some(hostname) = running.revoked_on(&dirs[0].1.join("config")) {
        let (home, config) = (quickstart.dir.display(), config_path.display());
        running.stop().await;
        bail!(
            "this host's envoy, {hostname}, was revoked. To enrol it anew: remove {home}/this-host, run `vigo-server \
             --config {config}`, `vigocli --config {config} envoys delete {hostname}` and the line that `vigocli \
             --config {config} tokens generate --pattern {hostname}` prints"
        );
    }
    let mut daemon = daemon(&agent, &dirs)?;
    // Held open by this process alone, and not by `wait`, which would close it: however this ends, the agent ends with it.
    let _held = daemon.stdin.take();
    let shown = async {
        running.first_check_in(FIRST_CHECK_IN).await?;
        say("");
        table(&config_path).await?;
        say("");
        let (token, expires) = running.any_host_token().await?;
        let first = running.first_admin().await?;
        let mut out = io::stdout().lock();
        writeln!(out, "The next machine, as root (a token for any one hostname: one use, until {expires}):\n")?;
        writeln!(out, "  {}\n", running.one_liner(&token))?;
        writeln!(out, "On this very machine it needs a name of its own: add --hostname next.example.com")?;
        writeln!(out, "Where you are root already, leave `sudo` out\n")?;
        let config = config_path.display();
        writeln!(out, "Operators:  vigocli --config {config} envoys list")?;
        writeln!(
            out,
            "Web page:   {}  (the browser warns of a certificate of the server's own CA)",
            running.api_url()
        )?;
        match &first {
            Some((name, password)) => {
                writeln!(
                    out,
                    "            log in as {name} with the password {} (shown this once)",
                    password.as_str()
                )?;
            }
            None => writeln!(
                out,
                "            a lost password: vigocli --config {config} admin set-password admin --generate"
            )?,
        }
        out.flush()?;
        anyhow::Ok(())
    };
    let shown = tokio::select! {
        shown = shown => shown,
        ended = daemon.wait() => bail!("the agent ended: {}", ended?),
        () = stop.cancelled() => Ok(()),
    };
    if shown.is_ok() && quickstart.once == Once::StaysUp {
        say("running    Ctrl-C stops the server and this host's agent");
        tokio::select! {
            () = stop.cancelled() => {}
            ended = daemon.wait() => tracing::error!(?ended, "the agent ended"),
        }
    }
    end(&mut daemon).await;
    running.stop().await;
    shown
}

/// Whoever reads may have gone; the server goes on.
fn say(line: &str) {
    let _ = writeln!(io::stdout().lock(), "{line}");
}

/// Makes the home's folder; it is this process' alone while the returned file is open.
fn hold(dir: &Path) -> anyhow::Result<std::fs::File> {
    use std::os::unix::fs::DirBuilderExt as _;
    let make = || -> io::Result<std::fs::File> {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        std::fs::File::open(dir)
    };
    let folder = make()
        .with_context(|| format!("cannot make {}: name a folder that you may write to with --dir", dir.display()))?;
    match folder.try_lock() {
        Ok(()) => Ok(folder),
        Err(std::fs::TryLockError::WouldBlock) => {
            bail!("another quickstart runs in {}: stop it, or choose another --dir", dir.display())
        }
        Err(std::fs::TryLockError::Error(error)) => {
            Err(error).with_context(|| format!("cannot lock {}", dir.display()))
        }
    }
}

/// Writes the home's `server.yaml`, or uses the one that is there.
fn prepare(quickstart: &Quickstart) -> anyhow::Result<PathBuf> {
    let dir = &quickstart.dir;
    let path = dir.join("server.yaml");
    let asked =
        |before: (u16, u16)| (quickstart.grpc_port.unwrap_or(before.0), quickstart.api_port.unwrap_or(before.1));
    let text = match std::fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => server_yaml(asked((1530, 8443))),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
        Ok(text) => {
            let section = Config::parse(&text, &path)?.server;
            let before = (section.grpc_listen.0.port(), section.api_listen.0.port());
            if asked(before) == before {
                return Ok(path);
            }
            if text != server_yaml(before) {
                bail!("{} was edited and says other ports: change them there, or choose another --dir", path.display());
            }
            server_yaml(asked(before))
        }
    };
    let write = || -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(&path).map_err(|error| error.error)?;
        Ok(())
    };
    write().with_context(|| format!("cannot write {}", path.display()))?;
    prepare_stacks(&dir.join("stacks"))?;
    Ok(path)
}

/// The configuration that is made, and made anew when other ports are asked for and nobody edited it.
fn server_yaml((grpc, api): (u16, u16)) -> String {
    format!(
        "# Made by `vigo-server quickstart`. Every key may be left out; relative paths are relative to this file.\n\
         server:\n  grpc_listen: \":{grpc}\"\n  api_listen: \":{api}\"\n  # What agents are told to dial; found out at every start while unset.\n  # hostname: vigo.example.com\n\
         checkin:\n  interval: 1m\n"
    )
}

/// A first policy, so that an operator sees where one goes and how it reaches an envoy.
fn prepare_stacks(dir: &Path) -> anyhow::Result<()> {
    if dir.exists() {
        return Ok(());
    }
    let files = [
        (
            "envoys.vgo",
            "# Which policy an envoy gets: the first block whose pattern takes its hostname.\nenvoys:\n  - match: '*'\n    configcrates: [base]\n",
        ),
        (
            "configcrates/base.vgo",
            "# A named set of resources. This version carries, verifies and counts them; it does not apply them yet.\nname: base\nresources:\n  - name: motd\n    type: file\n    state: present\n    path: /etc/motd\n    content: Managed by Vigo\n",
        ),
    ];
    std::fs::create_dir_all(dir.join("configcrates")).with_context(|| format!("cannot make {}", dir.display()))?;
    for (name, text) in files {
        let path = dir.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Enrols this host by the agent itself, over loopback, under the name that the agent finds for it.
async fn enrol(running: &Running, agent: &Path, dirs: &[(&str, PathBuf); 2]) -> anyhow::Result<()> {
    let token = running.any_host_token().await?.0;
    let mut child = Command::new(agent)
        .arg("bootstrap")
        .args(["--server", &local(running.grpc_addr())])
        .args(["--api-addr", &format!("https://{}", local(running.api_addr()))])
        .args(["--ca-pin", &running.ca_pin().to_string(), "--token-stdin", "--no-service"])
        .args(dirs.iter().flat_map(|(flag, dir)| [flag.as_ref(), dir.as_os_str()]))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot run {}", agent.display()))?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(token.reveal().as_bytes()).await?;
        stdin.write_all(b"\n").await?;
    }
    let output = child.wait_with_output().await?;
    if !output.status.success() {
        bail!("this host was not enrolled:\n{}", String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(())
}

/// Over loopback, whatever address others are told.
fn local(addr: SocketAddr) -> String {
    crate::names::with_port("127.0.0.1", addr.port())
}

/// This host's agent dials the ports of this start, which may be others than those that it was enrolled at.
fn redirect(config: &Path, grpc: SocketAddr, api: SocketAddr) -> anyhow::Result<()> {
    let text = std::fs::read_to_string(config).with_context(|| format!("cannot read {}", config.display()))?;
    let line = |line: &str| match line.split_once(": ") {
        Some(("server", _)) => format!("server: {}\n", local(grpc)),
        Some(("api_addr", _)) => format!("api_addr: https://{}\n", local(api)),
        _ => format!("{line}\n"),
    };
    let changed: String = text.lines().map(line).collect();
    if changed != text {
        vigo_ca::files::replace_private(config, changed.as_bytes())?;
    }
    Ok(())
}

fn daemon(agent: &Path, dirs: &[(&str, PathBuf); 2]) -> anyhow::Result<Child> {
    Command::new(agent)
        .args(dirs.iter().flat_map(|(flag, dir)| [flag.as_ref(), dir.as_os_str()]))
        .args(["daemon", "--until-stdin-ends"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("cannot run {}", agent.display()))
}

/// Shows the fleet as an operator sees it: by `vigocli` itself.
async fn table(config: &Path) -> anyhow::Result<()> {
    let vigocli = crate::agents::beside("vigocli")
        .context("`vigocli` must lie beside `vigo-server`; build all three: cargo build --release")?;
    let status = Command::new(vigocli).arg("--config").arg(config).args(["envoys", "list"]).status().await?;
    if !status.success() {
        bail!("`vigocli envoys list` failed: {status}");
    }
    Ok(())
}

/// Asks the agent to end, and insists after five seconds.
async fn end(daemon: &mut Child) {
    if let Some(pid) = daemon.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
    if tokio::time::timeout(Duration::from_secs(5), daemon.wait()).await.is_err() {
        let _ = daemon.kill().await;
    }
}

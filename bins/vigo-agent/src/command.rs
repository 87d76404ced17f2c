//! What each command does with the library, and what it prints.

use std::io::{self, BufRead as _, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::CryptoProvider;
use vigo_core::{Pin, Takeover, TokenText};
use zeroize::Zeroizing;

use crate::agent::{Agent, Bootstrapped, ServiceChoice, ServiceOutcome, Setup};
use crate::args::{self, Cli, Command, Folders, TokenSource};
use crate::os;
use crate::register::{Order, Registered};
use crate::{Build, Config, Ended, Exit, Failure, Paths, Told, Trust, UpdateOutcome, UpdateTold, hostname};

/// A token has some 200 bytes; no more is read for one.
const MAX_TOKEN: u64 = 4096;

/// What a command needs of the process that it runs in.
pub struct World {
    /// The cryptography.
    pub provider: Arc<CryptoProvider>,
    /// `VIGO_TOKEN`.
    pub token: Option<Zeroizing<String>>,
    /// The zone that times are shown in.
    pub zone: jiff::tz::TimeZone,
    /// What this program is, and by which keys it takes updates.
    pub build: Build,
}

/// What a process does once its command was carried out.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It ends.
    End,
    /// It becomes the version that an update has put into its program's place.
    Restart,
}

/// Carries out one command line.
///
/// # Errors
/// With what a person is to be told; nothing of it was printed yet.
pub async fn run(cli: Cli, world: World, stop: impl Future<Output = ()>) -> Result<Then, Failure> {
    let Folders { config_dir, state_dir } = cli.folders;
    let paths = Paths::new(absolute(&config_dir)?, absolute(&state_dir)?);
    let agent = Agent::new(paths.clone(), Arc::clone(&world.provider)).with_build(world.build.clone());
    if let None | Some(Command::Daemon { .. }) = cli.command {
        return daemon(&agent, cli.command, stop).await;
    }
    // Whatever it waits for, it ends when it is asked to; every command can be given again.
    tokio::select! {
        done = carry_out(cli.command, &agent, world, &paths) => done.map(|()| Then::End),
        () = stop => Err(Failure::new(Exit::Failed, "interrupted", "it was told to end before it was done")
            .help("give the same command again: it finishes what was begun")),
    }
}

async fn carry_out(command: Option<Command>, agent: &Agent, world: World, paths: &Paths) -> Result<(), Failure> {
    match command {
        None | Some(Command::Daemon { .. }) => Ok(()),
        Some(Command::Version) => print(&format!("vigo {}\n", world.build.version)),
        Some(Command::Update { check, json }) => {
            updated(&agent.update(check).await.map_err(|error| Failure::from(&error))?, json)
        }
        Some(Command::Run) => told(agent.run().await.map_err(|error| Failure::from(&error))?),
        Some(Command::Status { json }) => {
            let status = agent.status().await.map_err(|error| Failure::from(&error))?;
            if json {
                let text = serde_json::to_string_pretty(&status);
                print(&format!("{}\n", text.map_err(|error| Failure::new(Exit::Failed, "failed", error))?))
            } else {
                print(&status.text(&world.zone))
            }
        }
        Some(Command::Uninstall { yes }) => {
            let usual = Paths::usual();
            if *paths == usual && !os::here().may_install() {
                return Err(Failure::new(Exit::Failed, "not_root", "only root may remove vigo from this machine")
                    .help("run it as root, or name folders of your own with --config-dir and --state-dir"));
            }
            if (paths.config_dir() == usual.config_dir()) != (paths.state_dir() == usual.state_dir()) {
                return Err(Failure::new(
                    Exit::Usage,
                    "usage",
                    "one folder is named, and the other is this machine's own",
                )
                .help("name both, --config-dir and --state-dir, or neither"));
            }
            if !yes {
                confirm(paths)?;
            }
            print(&agent.uninstall().map_err(|error| Failure::from(&error))?.text())
        }
        Some(Command::Register(register)) => {
            let order = order(register, world.token, paths)?;
            let registered = agent.register(&order).await.map_err(|error| Failure::from(&error))?;
            print(&enrolled(&registered))?;
            warn(&registered);
            print("next: `vigo daemon` checks in at every interval, `vigo run` once\n")
        }
        Some(Command::Bootstrap(bootstrap)) => {
            if let Some(pin) = bootstrap.signing_pin {
                let (manifest, signature) = (bootstrap.manifest.as_deref(), bootstrap.signature.as_deref());
                check_self(&world.build, pin, manifest, signature)?;
            }
            let order = order(bootstrap.register, world.token, paths)?;
            let service = if bootstrap.no_service { ServiceChoice::None } else { ServiceChoice::Install };
            let bin_dirs = match bootstrap.bin_dir.as_deref() {
                Some(dir) => vec![absolute(dir)?],
                None if service == ServiceChoice::Install => os::here().places().programs,
                None => Vec::new(),
            };
            let done = agent.bootstrap(&order, &Setup { service, bin_dirs }).await;
            bootstrapped(done.map_err(|error| Failure::from(&error))?, paths)
        }
    }
}

async fn daemon(agent: &Agent, command: Option<Command>, stop: impl Future<Output = ()>) -> Result<Then, Failure> {
    let (until_stdin_ends, trial) = match command {
        Some(Command::Daemon { until_stdin_ends, trial }) => (until_stdin_ends, trial),
        _ => (false, None),
    };
    let watched = until_stdin_ends || trial.is_some();
    let ended = async {
        if watched {
            // Whatever ends the wait, nobody holds the other end any more.
            let _ = stdin_ended().await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    let stop = async {
        tokio::select! {
            () = stop => {}
            () = ended => {}
        }
    };
    let ended = match trial {
        Some(pause) => agent.on_trial(Duration::from_millis(pause), stop).await,
        None => agent.daemon(stop).await,
    };
    match ended.map_err(|error| Failure::from(&error))? {
        Ended::Stopped => Ok(Then::End),
        Ended::Updated => Ok(Then::Restart),
    }
}

fn check_self(build: &Build, pin: Pin, manifest: Option<&str>, signature: Option<&str>) -> Result<(), Failure> {
    let program = std::env::current_exe().map_err(|error| {
        Failure::new(Exit::Failed, "failed", format_args!("this program cannot find itself: {error}"))
    })?;
    crate::update::check_self(build, pin, manifest, signature, &program)
}

/// What an update came to.
fn updated(told: &UpdateTold, json: bool) -> Result<(), Failure> {
    if json {
        let text = serde_json::to_string_pretty(told).map_err(|error| Failure::new(Exit::Failed, "failed", error))?;
        print(&format!("{text}\n"))?;
    }
    if let Some((exit, code, message, help)) = told.failure.clone() {
        return Err(Failure { exit: Exit::from_code(exit), code, message, help });
    }
    let version = told.version.as_deref().unwrap_or("none");
    match told.outcome {
        _ if json => Ok(()),
        UpdateOutcome::UpToDate => print(&format!("up to date: the server offers {version}, which runs\n")),
        UpdateOutcome::Available => {
            print(&format!("available  {version} (running {}); `vigo update` installs it\n", told.running))
        }
        UpdateOutcome::Installed => print(&format!(
            "installed  {version} (was {}); it runs from the daemon's next start, or already\n",
            told.running
        )),
        UpdateOutcome::Failed => print("not updated\n"),
    }
}

/// Asks at the terminal.
fn confirm(paths: &Paths) -> Result<(), Failure> {
    use std::io::IsTerminal as _;
    let refused = |what: &str| {
        Failure::new(Exit::Usage, "not_confirmed", what).help("add --yes to remove it without being asked")
    };
    if !io::stdin().is_terminal() {
        return Err(refused("nothing was removed: there is no terminal to ask at"));
    }
    note(&format!(
        "this removes the agent with its keys in {} and its state in {}. Go on? [y/N]",
        paths.config_dir().display(),
        paths.state_dir().display()
    ));
    let mut answer = String::new();
    let read = io::BufReader::new(io::stdin().lock().take(64)).read_line(&mut answer);
    read.map_err(|error| Failure::new(Exit::Failed, "failed", format_args!("standard input: {error}")))?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(refused("nothing was removed")),
    }
}

/// Told once standard input has ended. A thread of its own reads it: one that the runtime would wait for at its end cannot
/// be stopped.
fn stdin_ended() -> tokio::sync::oneshot::Receiver<()> {
    let (told, ended) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        let _ = told.send(());
    });
    ended
}

/// Services and daemons are started elsewhere: a relative folder would be another one there.
fn absolute(path: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(path)
        .map_err(|error| Failure::new(Exit::Usage, "path_refused", format_args!("{}: {error}", path.display())))
}

fn order(
    register: args::Register,
    from_environment: Option<Zeroizing<String>>,
    paths: &Paths,
) -> Result<Order, Failure> {
    let (server, api) = match (register.server, register.api_addr) {
        (Some(server), Some(api)) => (server, api),
        (Some(server), None) => {
            let api = server.api();
            (server, api)
        }
        (None, Some(api)) => (api.server(), api),
        (None, None) => match Config::read(&paths.config()) {
            Ok(config) => (config.server, config.api),
            Err(_) => {
                return Err(Failure::new(Exit::Usage, "usage", "no server is named")
                    .help("name it with --server HOST:1530, as the bootstrap line does"));
            }
        },
    };
    let hostname = match register.hostname {
        Some(hostname) => hostname,
        None => hostname::own().map_err(|error| Failure::from(&error))?,
    };
    Ok(Order {
        server,
        api,
        pins: register.ca_pin,
        token: token(register.token, from_environment)?,
        hostname,
        takeover: if register.force { Takeover::Asked } else { Takeover::No },
    })
}

/// The token, from where it was said to be; a flag wins over the environment.
fn token(source: TokenSource, from_environment: Option<Zeroizing<String>>) -> Result<Option<TokenText>, Failure> {
    let text = if let Some(token) = source.token {
        note(
            "warning: a token in an argument can be seen by others on this machine; --token-file and --token-stdin cannot",
        );
        Zeroizing::new(token)
    } else if let Some(path) = source.token_file {
        let failed = |error: io::Error| {
            Failure::new(Exit::Failed, "token_unreadable", format_args!("--token-file {}: {error}", path.display()))
        };
        first_line(std::fs::File::open(&path).map_err(failed)?).map_err(failed)?
    } else if source.token_stdin {
        first_line(io::stdin().lock())
            .map_err(|error| Failure::new(Exit::Failed, "token_unreadable", format_args!("standard input: {error}")))?
    } else {
        match from_environment {
            Some(token) => token,
            None => return Ok(None),
        }
    };
    let token = TokenText::new(text.trim().to_owned());
    if token.ca_pin().is_none() {
        return Err(Failure::new(
            Exit::Usage,
            "token_malformed",
            "what was given is no token: it starts with `vgt1.` and has five parts",
        )
        .help("copy it again, all of it and nothing else"));
    }
    Ok(Some(token))
}

fn first_line(from: impl io::Read) -> io::Result<Zeroizing<String>> {
    // Room for all at once: a text that grows leaves copies behind.
    let mut line = Zeroizing::new(String::with_capacity(MAX_TOKEN as usize));
    io::BufReader::new(from.take(MAX_TOKEN)).read_line(&mut line)?;
    Ok(line)
}

/// What is said of a registration that was won.
fn enrolled(registered: &Registered) -> String {
    let Registered { config, root, policy, .. } = registered;
    let trusted = match config.trust {
        Trust::CaPin => "its CA has the pin that was given",
        Trust::LeafPin => "its key has the pin that was given",
        Trust::FirstUse => "FIRST USE: no pin was given",
    };
    let policy = match policy {
        Some((version, configcrates, resources)) => {
            let many = |count: usize| if count == 1 { "" } else { "s" };
            let (c, r) = (many(*configcrates), many(*resources));
            format!("{version}, {configcrates} configcrate{c}, {resources} resource{r}")
        }
        None => "none".to_owned(),
    };
    format!(
        "enrolled   {} as envoy {}\nserver     {} ({trusted})\nCA         {root}\npolicy     {policy}\n",
        config.hostname, config.envoy, config.server
    )
}

/// What must not go by unseen.
fn warn(registered: &Registered) {
    if registered.config.trust == Trust::FirstUse {
        note(&format!(
            "warning: no pin was given, so the first server that answered was trusted; compare its CA, {}, with `vigocli ca show`",
            registered.root
        ));
    }
    for notice in &registered.notices {
        note(&format!("warning: {}", notice.message));
    }
}

fn bootstrapped(done: Bootstrapped, paths: &Paths) -> Result<(), Failure> {
    let Bootstrapped { registered, program, service, checked_in } = done;
    print(&enrolled(&registered))?;
    warn(&registered);
    let usual = Paths::usual();
    let moved = |flag: &str, dir: &Path, usual: &Path| match dir {
        dir if dir == usual => String::new(),
        dir => format!(" {flag} {}", dir.display()),
    };
    let daemon = format!(
        "{}{}{} daemon",
        program.display(),
        moved("--config-dir", paths.config_dir(), usual.config_dir()),
        moved("--state-dir", paths.state_dir(), usual.state_dir())
    );
    if let [first, others @ ..] = os::here().places().programs.as_slice()
        && others.iter().any(|folder| Some(folder.as_path()) == program.parent())
    {
        note(&format!("{} takes no program, so it is {}", first.display(), program.display()));
    }
    match service {
        ServiceOutcome::Started(manager) => {
            let service = manager.service();
            print(&format!("service    {service} runs, and starts at boot\nchecked in by the service\n"))?;
        }
        ServiceOutcome::NotWanted => print(&format!("service    none, as asked; to check in from now on: {daemon}\n"))?,
        ServiceOutcome::NoManager => {
            print("service    not installed\n")?;
            note(&format!(
                "no service manager that is known runs this system, so no service was installed. Start the agent yourself, now and at boot:\n  {daemon}"
            ));
        }
        ServiceOutcome::NotRoot => {
            print("service    not installed\n")?;
            note(&format!("only root may install a service. Start the agent yourself, now and at boot:\n  {daemon}"));
        }
    }
    let Some(mut checked_in) = checked_in else { return Ok(()) };
    // What was said with the registration is not said twice.
    checked_in.notices.retain(|(code, _)| registered.notices.iter().all(|notice| notice.code != *code));
    told(checked_in)
}

/// What a check-in came to.
fn told(told: Told) -> Result<(), Failure> {
    for (_, message) in &told.notices {
        note(&format!("warning: {}", crate::refused::clean(message)));
    }
    let line = match &told.new_policy {
        Some(version) => format!("checked in with {}, new policy {version}\n", told.server),
        None => format!("checked in with {}\n", told.server),
    };
    match told.into_failure() {
        Some(failure) => Err(failure),
        None => print(&line),
    }
}

fn print(text: &str) -> Result<(), Failure> {
    io::stdout()
        .write_all(text.as_bytes())
        .map_err(|error| Failure::new(Exit::Failed, "output_failed", format_args!("standard output: {error}")))
}

/// A line for whoever runs the command, beside its result.
fn note(text: &str) {
    // Where standard error is gone nobody reads what was to be said.
    let _ = writeln!(io::stderr(), "vigo: {text}");
}

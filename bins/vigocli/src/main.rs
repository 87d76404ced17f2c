//! `vigocli`: the operator's command line. All of it is in the library; here are the process's own things alone.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser as _;
use vigocli::{Cli, Exit, World, run};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = writeln!(io::stderr(), "vigocli: cannot start: {error}");
            return Exit::Failed.into();
        }
    };
    let terminal = io::stdout().is_terminal();
    let world = World {
        stdout: &mut io::stdout().lock(),
        stderr: &mut io::stderr().lock(),
        zone: jiff::tz::TimeZone::system(),
        width: if terminal { comfy_table::Table::new().width() } else { None },
        terminal,
        no_color: no_color(),
        stderr_terminal: io::stderr().is_terminal(),
        tty: PathBuf::from("/dev/tty"),
        logins: logins(),
        api_token: api_token(),
    };
    runtime.block_on(run(cli, world)).into()
}

/// What <https://no-color.org> asks for, and terminals that know no colors.
#[expect(clippy::disallowed_methods, reason = "a program's main reads the environment")]
fn no_color() -> bool {
    std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
        || std::env::var_os("TERM").is_some_and(|value| value == "dumb")
}

/// `$XDG_CONFIG_HOME/vigo`, else `~/.config/vigo`. The specification wants absolute paths alone.
#[expect(clippy::disallowed_methods, reason = "a program's main reads the environment")]
fn logins() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")))?;
    Some(config.join("vigo"))
}

#[expect(clippy::disallowed_methods, reason = "a program's main reads the environment")]
fn api_token() -> Option<String> {
    std::env::var("VIGO_API_TOKEN").ok().map(|token| token.trim().to_owned()).filter(|token| !token.is_empty())
}

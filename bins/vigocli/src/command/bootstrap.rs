use clap::Subcommand;
use serde::Deserialize;

use crate::Exit;
use crate::command::Os;
use crate::context::Context;
use crate::failure::Failure;
use crate::printable::Printable;
use crate::table::Style;

#[derive(Subcommand)]
pub(crate) enum Bootstrap {
    /// Print the line to run on a new host; `tokens generate` prints it with a token
    #[command(after_help = "\
Examples:
  vigocli bootstrap command
  vigocli bootstrap command --os openbsd
  vigocli bootstrap command --local | sh

Every line checks the server's key before it runs anything:
  linux, macos, illumos  curl pins the server's key; then sudo, or pfexec on illumos
  freebsd, openbsd       fetch or ftp cannot pin: openssl compares the CA's key first, and they trust that CA alone;
                         then sudo, or doas on OpenBSD
  netbsd                 openssl does all of it, because not every ftp there checks certificates
  windows                curl.exe pins the server's key; for a PowerShell that an administrator started
Where you are root already, leave sudo, doas or pfexec out. If a BSD has curl, the line for linux works there too.")]
    Command {
        /// The system of the new host
        #[arg(long, default_value = "linux")]
        os: Os,
        /// For the server's own host, over 127.0.0.1
        #[arg(long)]
        local: bool,
    },
}

#[derive(Deserialize)]
struct Line {
    command: Printable,
}

impl Bootstrap {
    pub(crate) async fn run(self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        let Self::Command { os, local } = self;
        let path = format!("/api/v1/bootstrap/command?os={}&local={local}", os.name());
        let reply = context.client()?.get(&path).await?;
        context.out.show(&reply, |line: &Line, _: &Style| format!("{}\n", line.command))?;
        Ok(Exit::Ok)
    }
}

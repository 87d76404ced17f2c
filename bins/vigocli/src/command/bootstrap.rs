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
  vigocli bootstrap command --local | sh")]
    Command {
        /// The system of the new host; this version has an agent for Linux
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

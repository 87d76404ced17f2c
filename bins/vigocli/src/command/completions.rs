use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::context::Context;
use crate::failure::Failure;
use crate::{Cli, Exit};

#[derive(Args)]
#[command(after_help = "\
Examples:
  vigocli completions bash > /etc/bash_completion.d/vigocli
  vigocli completions zsh")]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(&self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        // Into memory first: clap_complete panics where it cannot write.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "vigocli", &mut script);
        context.out.write(&String::from_utf8_lossy(&script))?;
        Ok(Exit::Ok)
    }
}

#![doc = include_str!("../README.md")]

mod args;
mod exit;
mod failure;

mod clock;
mod duration;
mod printable;
mod query;
mod sse;
mod time;
mod url;
mod when;

mod confirm;
mod context;
mod output;
mod prompt;
mod table;

mod client;
mod filters;
mod list;
mod login;
mod socket;

mod command;

pub use args::Cli;
pub use context::World;
pub use exit::Exit;

use args::{Color, Format, Global};
use context::Context;

/// Carries out one command line and tells how it ended. What went wrong is on `world.stderr` by then.
pub async fn run(cli: Cli, world: World<'_>) -> Exit {
    let format = cli.global.output;
    let mut context = Context::new(cli.global, world);
    match cli.command.run(&mut context).await {
        Ok(exit) => exit,
        Err(failure) => {
            failure.print(format, context.err);
            failure.exit()
        }
    }
}

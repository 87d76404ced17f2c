use std::io::Write;
use std::path::PathBuf;

use jiff::tz::TimeZone;

use crate::client::Client;
use crate::confirm::Confirm;
use crate::failure::Failure;
use crate::output::Output;
use crate::table::Style;
use crate::{Color, Global, socket};

/// What a run needs of the process it runs in.
pub struct World<'a> {
    /// Where results go.
    pub stdout: &'a mut dyn Write,
    /// Where failures go.
    pub stderr: &'a mut dyn Write,
    /// The zone that times are shown in.
    pub zone: TimeZone,
    /// How many columns free text is wrapped at; `None` never wraps.
    pub width: Option<u16>,
    /// Whether stdout is a terminal.
    pub terminal: bool,
    /// Whether the environment asks for no colors.
    pub no_color: bool,
    /// The terminal that questions are asked on.
    pub tty: PathBuf,
}

/// What a command works with.
pub(crate) struct Context<'a> {
    pub(crate) global: Global,
    pub(crate) out: Output<'a>,
    confirm: Confirm,
}

impl<'a> Context<'a> {
    pub(crate) fn new(global: Global, world: World<'a>) -> (Self, &'a mut dyn Write) {
        let color = match global.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => world.terminal && !world.no_color,
        };
        let style = Style { zone: world.zone, width: world.width, color };
        let out = Output::new(world.stdout, global.output, style, world.terminal);
        let confirm = if global.yes { Confirm::Given } else { Confirm::Ask { tty: world.tty } };
        (Self { global, out, confirm }, world.stderr)
    }

    /// The way to the server.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        Ok(Client::new(socket::find(&self.global)?))
    }

    /// Whether `--yes` was given: nothing will be asked.
    pub(crate) fn confirmed(&self) -> bool {
        matches!(self.confirm, Confirm::Given)
    }

    /// Goes on if the operator types `word`, or gave `--yes`.
    pub(crate) fn confirm(&self, warning: &str, word: &str) -> Result<(), Failure> {
        self.confirm.ask(warning, word)
    }
}

use std::io::Write;
use std::path::PathBuf;

use jiff::tz::TimeZone;

use crate::client::{Client, Https, Secret, Transport};
use crate::confirm::Confirm;
use crate::failure::Failure;
use crate::login::{self, Login, Store};
use crate::output::Output;
use crate::printable::Printable;
use crate::table::Style;
use crate::url::ServerUrl;
use crate::{Color, Exit, Global, socket};

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
    /// Whether stderr is a terminal.
    pub stderr_terminal: bool,
    /// The terminal that questions are asked on.
    pub tty: PathBuf,
    /// The folder of this user's logins.
    pub logins: Option<PathBuf>,
    /// A token of the server's API, from the environment.
    pub api_token: Option<String>,
}

/// What a command works with.
pub(crate) struct Context<'a> {
    pub(crate) global: Global,
    pub(crate) out: Output<'a>,
    pub(crate) err: &'a mut dyn Write,
    pub(crate) stderr_terminal: bool,
    pub(crate) tty: PathBuf,
    confirm: Confirm,
    logins: Option<PathBuf>,
    api_token: Option<Secret>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(global: Global, world: World<'a>) -> Self {
        let color = match global.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto => world.terminal && !world.no_color,
        };
        let style = Style { zone: world.zone, width: world.width, color };
        let out = Output::new(world.stdout, global.output, style, world.terminal);
        let tty = world.tty;
        let confirm = if global.yes { Confirm::Given } else { Confirm::Ask { tty: tty.clone() } };
        let (err, stderr_terminal, logins) = (world.stderr, world.stderr_terminal, world.logins);
        let api_token = world.api_token.map(Secret::new);
        Self { global, out, err, stderr_terminal, tty, confirm, logins, api_token }
    }

    /// The way to the server: the one named; else the one of this host where it is found; else the newest login.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        let transport = match &self.global.server {
            Some(url) => Transport::Https(self.named(url)?),
            None if socket::is_named(&self.global) => Transport::Unix(socket::find(&self.global)?),
            None => match self.newest()? {
                Some(login) => Transport::Https(known(&login)?),
                None => Transport::Unix(socket::find(&self.global)?),
            },
        };
        Ok(Client::new(transport))
    }

    /// The file of this user's logins.
    pub(crate) fn store(&self) -> Result<Store, Failure> {
        Store::new(self.logins.as_deref())
    }

    fn named(&self, url: &ServerUrl) -> Result<Https, Failure> {
        let login = self.login(url)?;
        let token = match (&self.api_token, &login) {
            (Some(token), _) => token.clone(),
            (None, Some(login)) => login.token.clone(),
            (None, None) => {
                return Err(Failure::new(Exit::Auth, "not_logged_in", format!("you are not logged in to {url}"))
                    .help(format!("vigocli login {url} --ca-pin PIN, or VIGO_API_TOKEN with --ca-pin PIN.")));
            }
        };
        match (self.global.ca_pin.is_empty(), login) {
            (true, Some(Login { ca: Some(ca), .. })) => login::by_root(url.clone(), &ca, Some(token)),
            (true, _) => login::by_system(url.clone(), Some(token)),
            (false, _) => login::by_pins(url.clone(), self.global.ca_pin.clone(), Some(token)),
        }
    }

    /// The login to this server.
    pub(crate) fn login(&self, url: &ServerUrl) -> Result<Option<Login>, Failure> {
        if self.logins.is_none() {
            return Ok(None);
        }
        let url = url.to_string();
        Ok(self.store()?.read()?.into_iter().find(|login| login.url == url))
    }

    fn newest(&self) -> Result<Option<Login>, Failure> {
        if self.api_token.is_some() {
            return Err(Failure::new(Exit::Usage, "no_server", "VIGO_API_TOKEN is set, and no server is named")
                .help("Name it with --server URL or VIGO_SERVER, and its CA with --ca-pin PIN."));
        }
        if self.logins.is_none() {
            return Ok(None);
        }
        Ok(self.store()?.read()?.pop())
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

/// The way to a server that this user is logged in to.
pub(crate) fn known(login: &Login) -> Result<Https, Failure> {
    let url: ServerUrl = login.url.parse().map_err(|_| {
        let url = Printable::new(&login.url);
        Failure::new(Exit::Failed, "logins_unreadable", format!("the logins name a server {url} that is none"))
            .help("Remove the file of logins and log in again.")
    })?;
    match &login.ca {
        Some(ca) => login::by_root(url, ca, Some(login.token.clone())),
        None => login::by_system(url, Some(login.token.clone())),
    }
}

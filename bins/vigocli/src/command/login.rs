//! Logging in to a server over HTTPS, and out again.

use std::path::PathBuf;

use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Exit;
use crate::client::{Client, Secret, Transport, bad_answer};
use crate::context::{Context, known};
use crate::failure::Failure;
use crate::login::{Login as Kept, by_root, by_system, meet};
use crate::printable::Printable;
use crate::prompt::{self, Source};
use crate::table::{Style, cell};
use crate::time::Moment;
use crate::url::ServerUrl;

#[derive(Args)]
#[command(after_help = "\
Examples:
  vigocli login https://vigo.example.com:8443 --ca-pin sha256:6ce0b1a2a7d9b5a3f4a1f0e2c3d4b5a69788796a5b4c3d2e1f00112233445566
  vigocli login https://vigo.example.com --name ann --password-file ./password
  vigocli login --list

The pin is what `vigocli ca show` prints on the server's host. A server with a certificate of a public CA needs none.
The login is kept in $XDG_CONFIG_HOME/vigo (else ~/.config/vigo), readable by you alone, until it ends or `vigocli logout`.")]
pub(crate) struct Login {
    /// The server, as `https://vigo.example.com:8443`
    #[arg(required_unless_present = "list")]
    url: Option<ServerUrl>,
    /// The account [default: asked for]
    #[arg(long)]
    name: Option<String>,
    /// Read the password from stdin
    #[arg(long, conflicts_with = "password_file")]
    password_stdin: bool,
    /// Read the password from a file
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// List the servers that you are logged in to
    #[arg(long, conflicts_with_all = ["url", "name", "password_stdin", "password_file"])]
    list: bool,
}

#[derive(Args)]
#[command(after_help = "Examples:\n  vigocli logout\n  vigocli logout https://vigo.example.com:8443")]
pub(crate) struct Logout {
    /// The server [default: --server, else the one that you logged in to last]
    url: Option<ServerUrl>,
}

/// What the server gave. No `Debug`: it holds the token.
#[derive(Deserialize)]
struct Granted {
    token: Secret,
    name: Printable,
    role: Printable,
    expires_at: Moment,
}

#[derive(Deserialize)]
struct Who {
    name: Printable,
    role: Printable,
    by: Printable,
    expires_at: Option<Moment>,
}

impl Login {
    pub(crate) async fn run(self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        let Some(url) = &self.url else { return list(context) };
        // Who the server is comes before anything secret is asked for.
        let trusted = meet(url, context.global.ca_pin.clone()).await?;
        let ca = trusted.root.as_ref().map(vigo_ca::Root::pem);
        let https = |token: Option<Secret>| match &ca {
            Some(ca) => by_root(url.clone(), ca, token),
            None => by_system(url.clone(), token),
        };
        let client = Client::new(Transport::Https(https(None)?));
        let name = match &self.name {
            Some(name) => name.clone(),
            None => prompt::line(&context.tty, "Name")?,
        };
        let source = match (&self.password_file, self.password_stdin) {
            (Some(file), _) => Source::File(file),
            (None, true) => Source::Stdin,
            (None, false) => Source::Terminal,
        };
        let question = format!("Password of {} at {url}", Printable::new(&name));
        let password = prompt::password(&context.tty, &source, &question)?;
        let reply = client.post("/api/v1/login", &json!({"name": name, "password": password.expose()})).await?;
        // The parser's own words could quote the token.
        let granted = reply.parse().map_err(|_| bad_answer("it grants no login"));
        let Granted { token, name, role, expires_at } = granted?;
        let login = Kept {
            url: url.to_string(),
            ca,
            pin: trusted.root.as_ref().map(|root| root.pin.to_string()),
            token,
            name: name.to_string(),
            role: role.to_string(),
            expires_at: expires_at.clone(),
        };
        let shown = shown(&login);
        context.store()?.keep(login)?;
        context.out.show_own(&shown, |_, style| {
            let until = style.time(Some(&expires_at));
            format!("Logged in to {url} as {name} ({role}) until {until}.\n")
        })?;
        Ok(Exit::Ok)
    }
}

/// A login without what is secret.
fn shown(login: &Kept) -> Value {
    json!({"url": login.url, "name": login.name, "role": login.role, "pin": login.pin,
        "expires_at": login.expires_at.to_string()})
}

fn list(context: &mut Context<'_>) -> Result<Exit, Failure> {
    let logins = context.store()?.read()?;
    let rows: Vec<Value> = logins.iter().map(shown).collect();
    context.out.show_own(&rows, |_, style| table(&logins, style))?;
    Ok(Exit::Ok)
}

fn table(logins: &[Kept], style: &Style) -> String {
    let rows = logins.iter().map(|login| {
        [
            cell(Printable::new(&login.url)),
            cell(Printable::new(&login.name)),
            cell(Printable::new(&login.role)),
            cell(style.time(Some(&login.expires_at))),
        ]
    });
    style.table(["SERVER", "NAME", "ROLE", "EXPIRES"], rows)
}

impl Logout {
    pub(crate) async fn run(self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        let store = context.store()?;
        let login = match self.url.as_ref().or(context.global.server.as_ref()) {
            Some(url) => context.login(url)?,
            None => store.read()?.pop(),
        };
        let Some(login) = login else {
            return Err(Failure::new(Exit::NotFound, "not_logged_in", "you are not logged in there")
                .help("`vigocli login --list` lists where you are."));
        };
        let client = Client::new(Transport::Https(known(&login)?));
        let asked = client.post("/api/v1/logout", &json!({})).await;
        let over =
            matches!(&asked, Err(failure) if failure.exit() == Exit::Auth && failure.code() != "server_not_trusted");
        if let Err(failure) = asked
            && !over
        {
            return Err(failure.help(format!(
                "The login is kept, because the server still takes it; it ends by itself at {}.",
                login.expires_at
            )));
        }
        store.remove(&login.url)?;
        context.out.show_own(&json!({"url": login.url, "result": "logged_out"}), |_, _| {
            format!("Logged out of {}.\n", Printable::new(&login.url))
        })?;
        Ok(Exit::Ok)
    }
}

/// Who the server takes this user for.
pub(crate) async fn whoami(context: &mut Context<'_>) -> Result<Exit, Failure> {
    let reply = context.client()?.get("/api/v1/whoami").await?;
    context.out.show(&reply, |who: &Who, style| {
        style.fields([
            ("Name", who.name.to_string()),
            ("Role", who.role.to_string()),
            ("By", who.by.to_string()),
            ("Expires", style.time(who.expires_at.as_ref())),
        ])
    })?;
    Ok(Exit::Ok)
}

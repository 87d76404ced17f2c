//! What is wrong with the server of this host, by its own word; where it has none, by what can be seen from outside.

use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;
use std::{fs, net};

use serde::{Deserialize, Serialize};

use crate::command::listeners;
use crate::context::Context;
use crate::failure::Failure;
use crate::printable::Printable;
use crate::table::{Style, cell};
use crate::{Exit, list, socket};

/// Where a server listens unless its configuration says.
const PORTS: [(&str, u16); 2] = [("grpc_listen", 1530), ("api_listen", 8443)];

/// One thing that was looked at.
#[derive(Serialize, Deserialize)]
struct Finding {
    check: Printable,
    severity: Printable,
    message: Printable,
    help: Option<Printable>,
}

impl Finding {
    fn new(check: &str, severity: &str, message: &str, help: &str) -> Self {
        let help = (!help.is_empty()).then(|| Printable::new(help));
        Self {
            check: Printable::new(check),
            severity: Printable::new(severity),
            message: Printable::new(message),
            help,
        }
    }

    fn is_ok(&self) -> bool {
        self.severity.as_str() == "ok"
    }
}

pub(crate) async fn run(context: &mut Context<'_>) -> Result<Exit, Failure> {
    let findings = match context.client() {
        Ok(client) => match client.get("/api/v1/doctor").await {
            Ok(reply) => {
                let rows: Vec<serde_json::Value> = reply.parse()?;
                rows.into_iter().map(list::row).collect::<Result<Vec<Finding>, Failure>>()?
            }
            Err(failure) if failure.exit() == Exit::Unreachable => outside(context, &failure),
            Err(failure) => return Err(failure),
        },
        Err(failure) if failure.exit() == Exit::Unreachable => outside(context, &failure),
        Err(failure) => return Err(failure),
    };
    let exit = if findings.iter().all(Finding::is_ok) { Exit::Ok } else { Exit::Findings };
    context.out.show_own(&findings, |findings, style| show(findings, style))?;
    Ok(exit)
}

/// The server does not answer: that, and what of it can be seen from here.
fn outside(context: &Context<'_>, failure: &Failure) -> Vec<Finding> {
    let mut findings = vec![Finding::new("server", "error", &failure.to_string(), failure.next_step())];
    // Another host's files and ports tell nothing.
    if context.global.server.is_some() {
        return findings;
    }
    let config = match socket::config_file(&context.global) {
        Ok(config) => config,
        Err(failure) => {
            findings.push(Finding::new("configuration", "error", &failure.to_string(), failure.next_step()));
            return findings;
        }
    };
    let text = match fs::read_to_string(&config) {
        Ok(text) => text,
        Err(error) => {
            let message = format!("cannot read {}: {error}", config.display());
            findings.push(Finding::new(
                "configuration",
                "error",
                &message,
                "Run vigocli as the server's user or as root.",
            ));
            return findings;
        }
    };
    let ports = match listens(&text) {
        Ok(ports) => {
            let message = format!("{} can be read", config.display());
            findings.push(Finding::new("configuration", "ok", &message, ""));
            ports
        }
        Err(why) => {
            let message = format!("{} is not what a server reads: {why}", config.display());
            findings.push(Finding::new(
                "configuration",
                "error",
                &message,
                "`vigo-server check` tells what is wrong with it.",
            ));
            return findings;
        }
    };
    findings.push(folder(&socket::home(&config).join("run")));
    findings.extend(ports.iter().map(|(name, address)| port(name, *address)));
    findings
}

/// The addresses that the configuration names, the defaults where it names none.
fn listens(text: &str) -> Result<Vec<(&'static str, net::SocketAddr)>, String> {
    #[derive(Default, Deserialize)]
    struct File {
        server: Option<Server>,
    }
    #[derive(Default, Deserialize)]
    struct Server {
        grpc_listen: Option<String>,
        api_listen: Option<String>,
    }
    let file = match text.trim() {
        "" => None,
        text => serde_saphyr::from_str::<Option<File>>(text).map_err(|error| error.to_string())?,
    };
    let Server { grpc_listen, api_listen } = file.unwrap_or_default().server.unwrap_or_default();
    let address = |(name, port): (&'static str, u16), text: Option<String>| {
        let text = text.unwrap_or_else(|| format!(":{port}"));
        let whole = if text.starts_with(':') { format!("[::]{text}") } else { text.clone() };
        whole.parse().map(|address| (name, address)).map_err(|_| format!("{name}: `{text}` is no listening address"))
    };
    Ok(vec![address(PORTS[0], grpc_listen)?, address(PORTS[1], api_listen)?])
}

/// The folder of the admin socket: there, and closed to others.
fn folder(run: &Path) -> Finding {
    let (at, name) = (run.display(), "socket folder");
    match fs::metadata(run) {
        Ok(found) if !found.is_dir() => {
            Finding::new(name, "error", &format!("{at} is no folder"), "Move it away; the server makes the folder.")
        }
        Ok(found) if found.permissions().mode() & 0o077 != 0 => {
            let message = format!("{at} is open to others (mode {:o})", found.permissions().mode() & 0o777);
            Finding::new(name, "warning", &message, &format!("chmod 700 {at}"))
        }
        Ok(_) => Finding::new(name, "ok", &format!("{at} is there, and closed to others"), ""),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let message = format!("there is no {at}: no server has run in that home yet");
            Finding::new(name, "warning", &message, "`vigo-server --config FILE` makes it when it starts.")
        }
        Err(error) => {
            let message = format!("cannot look at {at}: {error}");
            Finding::new(name, "error", &message, "Run vigocli as the server's user or as root.")
        }
    }
}

/// Whether anybody listens there, and who.
fn port(name: &str, address: net::SocketAddr) -> Finding {
    let port = address.port();
    let mut dialled = address;
    if address.ip().is_unspecified() {
        dialled.set_ip(net::Ipv4Addr::LOCALHOST.into());
    }
    match net::TcpStream::connect_timeout(&dialled, Duration::from_secs(2)) {
        Ok(_) => {
            let who = listeners::of(port);
            let who = if who.is_empty() { "a program that this user may not see".to_owned() } else { who.join(", ") };
            // The server does not answer on its socket: whoever has its port keeps it from starting, or is it, hung.
            let help =
                "If that is not vigo-server, stop it or choose another port in server.yaml; if it is, see its log.";
            Finding::new(name, "warning", &format!("port {port} is taken by {who}"), help)
        }
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            Finding::new(name, "ok", &format!("port {port} is free"), "")
        }
        Err(error) => Finding::new(
            name,
            "warning",
            &format!("port {port} does not answer on this host: {error}"),
            "Does a firewall drop it?",
        ),
    }
}

fn show(findings: &[Finding], style: &Style) -> String {
    let rows = findings.iter().map(|finding| {
        let help = finding.help.as_ref().map_or("-", |help| if help.as_str().is_empty() { "-" } else { help.as_str() });
        [cell(&finding.severity), cell(&finding.check), cell(&finding.message), cell(help)]
    });
    style.table(["SEVERITY", "CHECK", "~FOUND", "~NEXT STEP"], rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let found = listens(text).map(|all| all.iter().map(|(_, address)| address.to_string()).collect::<Vec<_>>());
        assert_eq!(found.unwrap_or_default(), expected, "{text}");
    }

    #[test]
    fn where_a_server_listens() {
        check("", &["[::]:1530", "[::]:8443"]);
        check("# nothing\n", &["[::]:1530", "[::]:8443"]);
        check("server:\n  api_listen: 10.0.0.1:443\n", &["[::]:1530", "10.0.0.1:443"]);
        check("server:\n  grpc_listen: ':7'\n  hostname: a\nstacks: {}\n", &["[::]:7", "[::]:8443"]);
        check("server:\n  grpc_listen: soon\n", &[]);
        check("server: [\n", &[]);
    }
}

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::{Exit, Global};

/// The server's configuration where nothing else is named.
const DEFAULT_CONFIG: &str = "server.yaml";

/// The admin socket: the one named, else the one in the home of the server whose configuration is named or lies here.
pub(crate) fn find(global: &Global) -> Result<PathBuf, Failure> {
    match &global.admin_socket {
        Some(socket) => Ok(socket.clone()),
        None => Ok(home(&config_file(global)?).join("run").join("admin.sock")),
    }
}

/// Whether a server of this host is named, or lies here.
pub(crate) fn is_named(global: &Global) -> bool {
    global.admin_socket.is_some() || global.config.is_some() || Path::new(DEFAULT_CONFIG).exists()
}

/// The server's configuration file; it is there.
pub(crate) fn config_file(global: &Global) -> Result<PathBuf, Failure> {
    let path = global.config.clone().unwrap_or_else(|| PathBuf::from(DEFAULT_CONFIG));
    let Err(error) = fs::metadata(&path) else { return Ok(path) };
    Err(match (error.kind(), &global.config) {
        (ErrorKind::NotFound, None) => Failure::new(
            Exit::Unreachable,
            "no_server",
            "no server is named, and there is no server.yaml in this directory",
        )
        .help("Run this in the server's home, or give --config /srv/vigo/server.yaml, VIGO_CONFIG_FILE or VIGO_ADMIN_SOCKET; or `vigocli login URL`."),
        (ErrorKind::NotFound, Some(_)) => {
            Failure::new(Exit::Unreachable, "no_server", format!("there is no {}", path.display()))
                .help("Give the path of the server's own configuration with --config or VIGO_CONFIG_FILE.")
        }
        (ErrorKind::PermissionDenied, _) => {
            Failure::new(Exit::Unreachable, "no_permission", format!("this user may not read {}", path.display()))
                .help("Run vigocli as the server's user or as root.")
        }
        _ => Failure::new(Exit::Failed, "config_unreadable", format!("cannot read {}: {error}", path.display())),
    })
}

/// The server's home: where its configuration lies.
pub(crate) fn home(config: &Path) -> &Path {
    match config.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_home_is_where_the_configuration_lies() {
        for (config, expected) in [("/srv/vigo/server.yaml", "/srv/vigo"), ("server.yaml", "."), ("a/s.yaml", "a")] {
            assert_eq!(home(Path::new(config)), Path::new(expected), "{config}");
        }
    }

    #[test]
    fn a_named_socket_wins_and_an_absent_configuration_is_named() {
        let named =
            Global { admin_socket: Some("/run/a.sock".into()), config: Some("/no".into()), ..Global::default() };
        assert_eq!(find(&named).unwrap(), Path::new("/run/a.sock"));
        let absent = Global { config: Some("/nonexistent/server.yaml".into()), ..Global::default() };
        let failure = find(&absent).unwrap_err();
        assert_eq!(
            (failure.exit(), failure.to_string().as_str()),
            (Exit::Unreachable, "there is no /nonexistent/server.yaml")
        );
    }
}

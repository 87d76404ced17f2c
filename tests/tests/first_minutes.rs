//! A newcomer's first minutes: `quickstart`, and the line that it prints, typed into a real shell.

#![expect(clippy::unwrap_used, reason = "what is not as expected ends the test")]

use std::path::Path;

use vigo_tests::{Daemon, Machine, Program, Server, needs_tools, sh, until};

/// `quickstart` in a folder of its own.
fn quickstart(dir: &Path, more: &[&str]) -> Program {
    let ports = [free_port(), free_port()].map(|port| port.to_string());
    Program::ours("vigo-server")
        .args(["quickstart", "--dir"])
        .args([dir])
        .args(["--grpc-port", &ports[0], "--api-port", &ports[1]])
        .args(more)
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn quickstart_shows_an_enrolled_host_and_the_line_for_the_next() {
    let folder = tempfile::Builder::new().prefix("vigo-").tempdir().unwrap();
    let dir = folder.path().join("home");
    let told = quickstart(&dir, &["--once"]).run().ok();
    let header = told.lines().position(|line| line.starts_with("ID ")).unwrap_or_else(|| panic!("{told}"));
    let header_words: Vec<&str> =
        told.lines().nth(header).unwrap().split("  ").filter(|w| !w.is_empty()).map(str::trim).collect();
    assert_eq!(header_words, ["ID", "HOSTNAME", "IP", "ENROLLED", "LAST SEEN", "STATUS"]);
    let row = told.lines().nth(header + 1).unwrap();
    assert!(row.contains(" 127.0.0.1 ") && row.ends_with("active"), "{row}");
    let line = told.lines().find(|line| line.trim_start().starts_with("curl ")).unwrap();
    for part in ["-sSfk --pinnedpubkey 'sha256//", "/bootstrap | sudo sh -s -- --ca-pin sha256:", " --token vgt1."] {
        assert!(line.contains(part), "{line}");
    }
    assert!(told.contains("--hostname next.example.com"), "{told}");

    // Again: the same home, the same envoy.
    let id = row.split(' ').next().unwrap();
    let told = quickstart(&dir, &["--once"]).run().ok();
    assert!(told.contains(id), "{told}");
    assert_eq!(told.lines().filter(|line| line.ends_with("active")).count(), 1);
}

#[test]
fn quickstart_stays_up_until_it_is_told_to_stop() {
    let folder = tempfile::Builder::new().prefix("vigo-").tempdir().unwrap();
    let dir = folder.path().join("home");
    let daemon: Daemon = quickstart(&dir, &[]).daemon();
    let list = || {
        let config = dir.join("server.yaml");
        Program::ours("vigocli").args(["--config".as_ref(), config.as_os_str()]).args(["envoys", "list"]).run()
    };
    until("the host is listed as active", || list().stdout.contains("active").then_some(()));
    let configured = std::fs::read(dir.join("server.yaml")).unwrap();
    let said = quickstart(&dir, &["--once"]).run().failed(1);
    assert!(said.contains("another quickstart runs in"), "{said}");
    assert_eq!(std::fs::read(dir.join("server.yaml")).unwrap(), configured);
    daemon.stop();
    assert_eq!(list().code, 6, "the server is gone");
}

#[test]
fn quickstart_takes_other_ports_later_and_says_what_a_revoked_host_can_do() {
    let folder = tempfile::Builder::new().prefix("vigo-").tempdir().unwrap();
    let dir = folder.path().join("home");
    let taken = std::net::TcpListener::bind("[::]:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let start = |more: &[&str]| {
        Program::ours("vigo-server").args(["quickstart", "--once", "--dir"]).args([&dir]).args(more).run()
    };
    let api = free_port().to_string();
    let said = start(&["--grpc-port", &port, "--api-port", &api]).failed(1);
    assert!(said.contains("choose another port"), "{said}");
    let told = start(&["--grpc-port", &free_port().to_string()]).ok();
    assert!(told.contains("active"), "{told}");
    // Now this host is enrolled, at the ports of that start.
    let told = start(&["--grpc-port", &free_port().to_string(), "--api-port", &free_port().to_string()]).ok();
    assert!(told.contains("active"), "{told}");
    let config = dir.join("server.yaml");
    let edited = std::fs::read_to_string(&config).unwrap() + "# mine\n";
    std::fs::write(&config, edited).unwrap();
    let said = start(&["--grpc-port", &free_port().to_string()]).failed(1);
    assert!(said.contains("was edited and says other ports"), "{said}");

    let daemon = Program::ours("vigo-server").args(["quickstart", "--dir"]).args([&dir]).daemon();
    let cli = |arguments: &[&str]| {
        Program::ours("vigocli").args(["--config".as_ref(), config.as_os_str()]).args(arguments).run()
    };
    let id = until("the host is listed", || {
        let rows: serde_json::Value = serde_json::from_str(&cli(&["-o", "json", "envoys", "list"]).stdout).ok()?;
        Some(rows[0]["id"].as_str()?.to_owned())
    });
    let _ = cli(&["--yes", "envoys", "revoke", &id]).ok();
    daemon.kill();
    let said = start(&[]).failed(1);
    assert!(said.contains("was revoked. To enrol it anew"), "{said}");
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let said = quickstart(Path::new("/proc/vigo"), &["--once"]).run().failed(1);
    assert!(said.contains("cannot make /proc/vigo") && said.contains("--dir"), "{said}");
}

/// The printed line as this test's user types it: no sudo, folders of the machine's own.
fn typed(command: &str, machine: &Machine, more: &str) -> String {
    let bin = machine.dir().join("bin");
    format!(
        "{} --no-service --config-dir '{}' --state-dir '{}' --bin-dir '{}' {more}",
        command.replace("| sudo sh", "| sh"),
        machine.config_dir().display(),
        machine.state_dir().display(),
        bin.display()
    )
}

fn command(server: &Server, pattern: &str) -> String {
    server.json(&["tokens", "generate", "--pattern", pattern])["command"].as_str().unwrap().to_owned()
}

#[test]
fn rule_02_the_printed_line_enrols_this_machine_with_curl() {
    if !needs_tools("rule_02_the_printed_line_enrols_this_machine_with_curl", &["curl", "sha256sum"]) {
        return;
    }
    let server = Server::start();
    let machine = Machine::new("next.example.com");
    let told = sh(&typed(&command(&server, "next.example.com"), &machine, "--hostname next.example.com"));
    assert_eq!(told.code, 0, "{}{}", told.stdout, told.stderr);
    assert!(told.stdout.contains("enrolled   next.example.com as envoy "), "{}", told.stdout);
    assert!(told.stderr.contains("fetching vigo"), "{}", told.stderr);
    assert_eq!(server.envoys(), [("next.example.com".to_owned(), "active".to_owned())]);
    let program = machine.dir().join("bin/vigo");
    let version = Program::at(&program).args(["version"]).run().ok();
    assert!(version.starts_with("vigo "), "{version}");
    let names: Vec<_> = machine.dir().join("bin").read_dir().unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["vigo"], "nothing is left beside it");

    // The same line a second time: its token is spent, and the identity that is here is the way in.
    let again = typed(&command(&server, "other.example.com"), &machine, "--hostname next.example.com");
    let told = sh(&again);
    assert_eq!(told.code, 5, "a bad token never falls through: {}", told.stderr);
    let _ = machine.check_in().ok();
}

#[test]
fn rule_02_the_printed_line_enrols_with_wget_and_with_openssl_alone() {
    let test = "rule_02_the_printed_line_enrols_with_wget_and_with_openssl_alone";
    if !needs_tools(test, &["wget", "openssl", "sha256sum"]) {
        return;
    }
    let server = Server::start();
    let script = server.dir().join("bootstrap");
    let _ = sh(&format!("curl -sSfk {}/bootstrap -o '{}'", server.api(), script.display())).ok();
    for (downloader, name) in [("wget", "wget.example.com"), ("none", "openssl.example.com")] {
        let machine = Machine::new(name);
        let bin = machine.dir().join("path");
        std::fs::create_dir(&bin).unwrap();
        let tools = "sh cat chmod cut dirname env grep head id ls mkdir mktemp mv openssl printf rm rmdir sed sha256sum \
                     stty sync tail timeout tr uname wc";
        for tool in tools.split_whitespace().chain((downloader == "wget").then_some("wget")) {
            let found = sh(&format!("command -v {tool}")).stdout;
            if let Some(path) = found.trim().strip_prefix('/') {
                std::os::unix::fs::symlink(format!("/{path}"), bin.join(tool)).unwrap();
            }
        }
        let line = command(&server, name);
        let (_, arguments) = line.split_once("sh -s -- ").unwrap();
        let piped = format!("cat '{}' | sh -s -- {arguments}", script.display());
        let told = Program::at("/bin/sh")
            .args(["-c", &typed(&piped, &machine, &format!("--hostname {name}"))])
            .env("PATH", &bin)
            .run();
        assert_eq!(told.code, 0, "{name}: {}{}", told.stdout, told.stderr);
        assert!(server.envoys().contains(&(name.to_owned(), "active".to_owned())), "{name}");
    }
}

#[test]
fn rule_09_the_printed_line_under_a_name_that_is_taken_shows_how_to_allow_it() {
    if !needs_tools("rule_09_the_printed_line_under_a_name_that_is_taken_shows_how_to_allow_it", &["curl"]) {
        return;
    }
    let server = Server::start();
    let _first = Machine::enrolled("web1.example.com", &server);
    let machine = Machine::new("web1.example.com");
    let told = sh(&typed(&command(&server, "*.example.com"), &machine, "--hostname web1.example.com"));
    assert_eq!(told.code, 5);
    assert!(told.stderr.contains("An active envoy with this hostname already exists"), "{}", told.stderr);
    assert!(told.stderr.contains("vigocli envoys allow-reenroll web1.example.com"), "{}", told.stderr);
    assert!(!machine.config_dir().join("config").exists());
}

#[test]
fn rule_02_the_wrong_server_behind_the_address_gets_nothing() {
    if !needs_tools("rule_02_the_wrong_server_behind_the_address_gets_nothing", &["curl"]) {
        return;
    }
    let (server, other) = (Server::start(), Server::start());
    let machine = Machine::new("web1.example.com");
    // curl: the pin is in the line.
    let line = command(&server, "web1.example.com").replace(&server.api(), &other.api());
    let told = sh(&typed(&line, &machine, "--hostname web1.example.com"));
    assert!(told.stderr.contains("pinned"), "{}", told.stderr);
    // A script of the other server: it carries other pins than the line does.
    let (_, arguments) = line.split_once("sh -s -- ").unwrap();
    let line = format!("curl -sSfk {}/bootstrap | sh -s -- {arguments}", other.api());
    let told = sh(&typed(&line, &machine, "--hostname web1.example.com"));
    assert_eq!(told.code, 4, "{}", told.stderr);
    assert!(told.stderr.contains("pin_mismatch"), "{}", told.stderr);
    for server in [&server, &other] {
        assert!(server.envoys().is_empty());
    }
    assert!(!machine.dir().join("bin/vigo").exists());
}

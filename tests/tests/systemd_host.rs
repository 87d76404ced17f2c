//! Machines as they are: a real systemd, an address of their own, and the printed line typed into a shell.

#![expect(clippy::unwrap_used, reason = "what is not as expected ends the test")]

use std::fs;

use vigo_core::{AgentManifest, AgentSigningSecret, UnixTime};
use vigo_tests::{Ended, Host, Network, Options, Server, until};
use zeroize::Zeroizing;

/// The agent's service, as systemd knows it.
const SERVICE: &str = "vigo-envoy.service";

/// A server in the network's middle that offers the agent that cargo built.
fn server(network: &Network, bootstrap: &str) -> Server {
    let mut options = Options { host: Network::SERVER.into(), namespace: Some(network.hub()), ..Options::default() };
    options.sections.push_str(bootstrap);
    options.sections.push_str("checkin:\n  interval: 1s\n");
    let mut server = Server::home(&options);
    let agents = server.file("agents/linux-x86_64");
    fs::create_dir_all(&agents).unwrap();
    let programs = std::env::current_exe().unwrap();
    let agent = programs.parent().and_then(|deps| deps.parent()).unwrap().join("vigo");
    fs::copy(agent, agents.join("vigo")).unwrap();
    server.run();
    server
}

/// A line as it is printed, typed by root, who needs no sudo.
fn typed(host: &Host, line: &str) -> Ended {
    let (fetch, rest) = line.split_once("| sudo sh").unwrap();
    host.sh(&format!("{fetch}| sh{rest}"))
}

fn ask(host: &Host, command: &[&str]) -> String {
    host.run(command).stdout.trim().to_owned()
}

/// The agent's process, while systemd says that it serves.
fn main_pid(host: &Host) -> Option<String> {
    let told = ask(host, &["systemctl", "show", SERVICE, "--property=ActiveState,MainPID"]);
    let pid = told.lines().find_map(|line| line.strip_prefix("MainPID="))?;
    (told.contains("ActiveState=active") && pid != "0").then(|| pid.to_owned())
}

fn seen(server: &Server, hostname: &str) -> String {
    server.json(&["envoys", "show", hostname])["last_seen_at"].to_string()
}

/// systemd says that the service is active, and the server hears from it anew.
#[track_caller]
fn is_active(server: &Server, host: &Host, hostname: &str) -> String {
    let pid = until("the service is active", || main_pid(host));
    let before = seen(server, hostname);
    until("the agent checks in", || (seen(server, hostname) != before).then_some(()));
    assert!(server.envoys().contains(&(hostname.to_owned(), "active".to_owned())), "{:?}", server.envoys());
    assert_eq!(ask(host, &["systemctl", "is-enabled", SERVICE]), "enabled");
    pid
}

#[test]
fn one_line_makes_a_service_that_outlives_kills_reboots_and_power_cuts() {
    let test = "one_line_makes_a_service_that_outlives_kills_reboots_and_power_cuts";
    if !Host::possible(test) {
        return;
    }
    let network = Network::new();
    let server = server(&network, "");
    let name = "a1.example.com";
    let mut host = Host::start(name, &network.host("a"));
    let line = server.json(&["tokens", "generate", "--pattern", name, "--uses", "2"]);
    let line = line["command"].as_str().unwrap();

    let told = typed(&host, line);
    assert_eq!(told.code, 0, "{}", told.stderr);
    let pid = is_active(&server, &host, name);
    let id = server.json(&["envoys", "show", name])["id"].clone();

    let _ = host.run(&["kill", "-9", &pid]).ok();
    let again = until("systemd starts it again", || main_pid(&host).filter(|now| *now != pid));
    assert_ne!(again, pid);
    let _ = is_active(&server, &host, name);

    host.reboot();
    let _ = is_active(&server, &host, name);
    host.cut_power();
    let _ = is_active(&server, &host, name);
    assert_eq!(server.json(&["envoys", "show", name])["id"], id, "it is the same envoy all the time");

    // The same line once more: another envoy in the place of the first, and the service is its.
    let told = typed(&host, line);
    assert_eq!(told.code, 0, "{}", told.stderr);
    let _ = is_active(&server, &host, name);
    let rows = server.json(&["envoys", "list"]);
    let status = |id: &serde_json::Value| {
        rows.as_array().unwrap().iter().find(|row| row["id"] == *id).map(|row| row["status"].clone())
    };
    let new = server.json(&["envoys", "show", name])["id"].clone();
    assert_ne!(new, id);
    assert_eq!((status(&new), status(&id)), (Some("active".into()), Some("revoked".into())), "{rows}");

    let told = host.run(&["vigo", "uninstall", "--yes"]).ok();
    assert!(told.contains("/usr/local/sbin/vigo"), "{told}");
    assert!(told.contains(&format!("vigocli envoys revoke {}", new.as_str().unwrap())), "{told}");
    for path in ["/usr/local/sbin/vigo", "/etc/systemd/system/vigo-envoy.service", "/etc/vigo-envoy", "/var/lib/vigo"] {
        assert!(!host.has(path), "{path} is left: {told}");
    }
    assert_eq!(ask(&host, &["find", "/etc", "/usr/local", "/var/lib", "/opt", "/run", "-iname", "*vigo*"]), "");
    // systemd may remember the name for a while.
    let known = ask(&host, &["systemctl", "show", SERVICE, "--property=LoadState,ActiveState"]);
    assert_eq!(known, "LoadState=not-found\nActiveState=inactive");
    assert_eq!(host.run(&["pgrep", "-x", "vigo"]).code, 1, "nothing of it runs");
}

/// A build of the agent whose keys are its own: a service has no environment.
fn build(version: &str, wrong: &str, keys: &AgentSigningSecret) -> Vec<u8> {
    let programs = std::env::current_exe().unwrap();
    let agent = programs.parent().and_then(|deps| deps.parent()).unwrap().join("updatable");
    let mut bytes = fs::read(agent).unwrap();
    bytes.extend_from_slice(format!("\nBUILD {version} {wrong} {}\n", keys.public()).as_bytes());
    bytes
}

/// Lays a signed build down where the server looks.
fn publish(server: &Server, version: &str, wrong: &str, keys: &AgentSigningSecret) {
    let folder = server.file("agents/linux-x86_64");
    fs::create_dir_all(&folder).unwrap();
    let binary = build(version, wrong, keys);
    let from = fs::metadata(&folder).unwrap().modified().unwrap().duration_since(std::time::UNIX_EPOCH).unwrap();
    let valid = UnixTime::from_secs(from.as_secs() - 60)..UnixTime::from_secs(from.as_secs() + 3600);
    let target = "linux-x86_64".parse().unwrap();
    let manifest = AgentManifest::of_binary(&binary, target, version.parse().unwrap(), valid);
    let signed = manifest.sign(keys).unwrap();
    for (name, bytes) in [("vigo", &binary), ("vigo.manifest", &signed.text)] {
        fs::write(folder.join("fresh"), bytes).unwrap();
        fs::rename(folder.join("fresh"), folder.join(name)).unwrap();
    }
    fs::write(folder.join("vigo.sig"), signed.signature.as_bytes()).unwrap();
}

/// The service becomes the new version without systemd seeing it end; a version that is not fit never becomes the service.
#[test]
fn rule_15_a_service_updates_itself() {
    if !Host::possible("a_service_updates_itself") {
        return;
    }
    let keys = AgentSigningSecret::from_seed(&Zeroizing::new([1; 32]));
    let network = Network::new();
    let server = server(&network, &format!("agents: {{signing_keys: [\"{}\"]}}\n", keys.public()));
    publish(&server, "0.2.0", "nothing", &keys);
    let name = "a1.example.com";
    let mut host = Host::start(name, &network.host("a"));
    let line = until("the line demands the key", || {
        let line = server.json(&["tokens", "generate", "--pattern", name]);
        let line = line["command"].as_str().unwrap().to_owned();
        line.contains("--signing-pin sha256:").then_some(line)
    });
    let told = typed(&host, &line);
    assert_eq!(told.code, 0, "{}", told.stderr);
    let pid = is_active(&server, &host, name);
    let shown = |field: &str| server.json(&["envoys", "show", name])[field].clone();
    assert_eq!(shown("agent_version"), "0.2.0");

    publish(&server, "0.3.0", "crashes", &keys);
    until("the bad one is told of", || (shown("update_failure")["code"] == "update_failed").then_some(()));
    assert_eq!(is_active(&server, &host, name), pid, "nothing happened to the service");

    publish(&server, "0.3.1", "nothing", &keys);
    until("the new one checks in", || (shown("agent_version") == "0.3.1").then_some(()));
    assert_eq!(is_active(&server, &host, name), pid, "systemd saw nothing end");
    assert!(host.has("/usr/local/sbin/vigo.previous"));
    host.cut_power();
    let _ = is_active(&server, &host, name);
    assert_eq!(shown("agent_version"), "0.3.1");
    let _ = host.run(&["/usr/local/sbin/vigo", "uninstall", "--yes"]).ok();
    assert!(!host.has("/usr/local/sbin/vigo.previous"));
}

#[test]
fn three_hosts_on_three_networks_meet_the_rules() {
    let test = "three_hosts_on_three_networks_meet_the_rules";
    if !Host::possible(test) {
        return;
    }
    let network = Network::new();
    let rules = "  trusted_enrollment:
    - {pattern: 'a*.example.com', cidrs: [10.1.0.0/24]}
    - {pattern: 'b*.example.com', cidrs: [192.168.5.0/24]}
";
    let server = server(&network, rules);
    let line = server.json(&["bootstrap", "command"]);
    let line = line["command"].as_str().unwrap();
    let hosts = [("a", "a1.example.com"), ("b", "b1.example.com"), ("c", "a2.example.com")];
    let hosts = hosts.map(|(on, name)| (Host::start(name, &network.host(on)), name));
    for (host, name) in &hosts[..2] {
        let told = typed(host, line);
        assert_eq!(told.code, 0, "{name}: {}", told.stderr);
        let _ = is_active(&server, host, name);
    }
    // The name of a rule, on another network.
    let (host, name) = &hosts[2];
    let told = typed(host, line).failed(5);
    assert!(told.contains("No rule admits a2.example.com from 10.2.7.9"), "{told}");
    assert!(!host.has("/usr/local/sbin/vigo") && !host.has("/etc/systemd/system/vigo-envoy.service"), "{name}: {told}");
    let ips: Vec<String> =
        server.json(&["envoys", "list"]).as_array().unwrap().iter().map(|row| row["ip"].to_string()).collect();
    assert_eq!(ips, ["\"10.1.0.2\"", "\"192.168.5.2\""]);
}

//! A server's home, whole and damaged: what is wrong is named with the next step, and nothing is made anew in silence.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use vigo_tests::{Machine, Options, Program, Server, needs_root, needs_tools, sh, until};

/// A server that will not start, nor pass its check: both say this.
#[track_caller]
fn refused(server: &Server, parts: &[&str]) {
    for said in [server.try_run().failed(1), server.check().failed(1)] {
        for part in parts {
            assert!(said.contains(part), "`{part}` is not in: {said}");
        }
    }
}

fn stopped() -> Server {
    let mut server = Server::start();
    let _ = Machine::enrolled("web1.example.com", &server);
    server.stop();
    server
}

/// The home is as it was: it starts, and knows its envoy.
#[track_caller]
fn whole(mut server: Server) {
    let _ = server.check().ok();
    server.run();
    assert_eq!(server.envoys(), [("web1.example.com".to_owned(), "active".to_owned())]);
}

#[test]
fn rule_03_a_loose_key_is_named_with_its_cure() {
    let server = stopped();
    for name in ["tls/ca_key", "tls/key", "tls/signing_key", "tls/token_key"] {
        let file = server.file(name);
        for mode in [0o644, 0o640, 0o604] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            refused(&server, &[name, &format!("{mode:04o}"), "chmod 600"]);
        }
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    }
    whole(server);
}

#[test]
fn a_file_that_is_gone_is_never_made_anew() {
    let server = stopped();
    let away = server.file("away");
    for name in ["tls/ca", "tls/ca_key", "tls/key", "tls/signing_key", "tls/token_key", "db/vigo.redb"] {
        fs::rename(server.file(name), &away).unwrap();
        refused(&server, &[name]);
        assert!(!server.file(name).exists(), "{name} was made anew");
        fs::rename(&away, server.file(name)).unwrap();
    }
    whole(server);
}

#[test]
fn a_file_that_is_damaged_is_named() {
    let server = stopped();
    for name in ["tls/ca", "tls/ca_key", "tls/key", "tls/cert", "tls/signing_key", "tls/token_key", "db/vigo.redb"] {
        let good = fs::read(server.file(name)).unwrap();
        for bad in [&b""[..], b"rubbish\n", &good[..good.len() / 2]] {
            fs::write(server.file(name), bad).unwrap();
            refused(&server, &[name]);
        }
        fs::write(server.file(name), good).unwrap();
    }
    whole(server);
}

#[test]
fn files_of_two_fleets_are_told_apart() {
    let (server, other) = (stopped(), stopped());
    let swap = |name: &str| {
        let own = fs::read(server.file(name)).unwrap();
        fs::copy(other.file(name), server.file(name)).unwrap();
        own
    };
    for (name, word) in [("tls/ca", "ca"), ("tls/ca_key", "belong"), ("db/vigo.redb", "fleet"), ("tls/cert", "belong")]
    {
        let own = swap(name);
        refused(&server, &[word]);
        fs::write(server.file(name), own).unwrap();
    }
    // A whole CA of another fleet: the store knows better.
    let pair = [swap("tls/ca"), swap("tls/ca_key")];
    refused(&server, &["fleet"]);
    fs::write(server.file("tls/ca"), &pair[0]).unwrap();
    fs::write(server.file("tls/ca_key"), &pair[1]).unwrap();
    whole(server);
}

#[test]
fn a_configuration_that_cannot_be_meant_is_refused_with_its_place() {
    let server = stopped();
    let good = server.configuration();
    for (yaml, expected) in [
        ("server:\n  hostnam: x\n", "server.yaml:2:3: unknown field `hostnam`"),
        ("bootstrap:\n  trusted_enrollment: [{pattern: '[a]', cidrs: [10.0.0.0/8]}]\n", "server.yaml:2:34: `[a]`"),
        (
            "bootstrap:\n  trusted_enrollment: [{pattern: '*.a', cidrs: []}]\n",
            "an empty list of networks admits nobody",
        ),
        ("bootstrap:\n  trusted_enrollment: [{pattern: '*.a', cidrs: [10.0.0.1/8]}]\n", "write 10.0.0.0/8"),
        ("checkin:\n  interval: soon\n", "server.yaml:2:13: `soon` is no length of time"),
        ("server:\n  hostname: a_b\n", "server.hostname: `a_b`"),
        ("server:\n  tls_sans: [a_b]\n", "server.tls_sans: `a_b`"),
    ] {
        server.configure(yaml);
        refused(&server, &[expected]);
    }
    server.configure(&good);
    whole(server);
}

#[test]
fn a_port_in_use_and_a_home_in_use_are_named() {
    let server = Server::start();
    let second = server.try_run().failed(1);
    assert!(second.contains("another process uses it"), "{second}");
    let checked = server.check().ok();
    assert!(checked.contains("good") && checked.contains("a running server has the store"), "{checked}");
    let other = Server::home(&Options::default());
    other.configure(&other.configuration().replace(&other.grpc_port().to_string(), &server.grpc_port().to_string()));
    let said = other.try_run().failed(1);
    assert!(said.contains(&format!("cannot listen on 127.0.0.1:{}", server.grpc_port())), "{said}");
}

#[test]
fn a_first_start_that_was_killed_is_finished_by_the_next() {
    let mut server = Server::home(&Options::default());
    for round in 0..20 {
        let mut daemon =
            vigo_tests::Program::ours("vigo-server").args(["--config".as_ref(), server.config().as_os_str()]).start();
        vigo_tests::pause(std::time::Duration::from_millis(round));
        daemon.kill();
        let _ = daemon.end();
    }
    server.run();
    let pin = server.ca_pin();
    let _ = Machine::enrolled("web1.example.com", &server);
    server.kill();
    server.run();
    assert_eq!(server.ca_pin(), pin);
}

#[test]
fn policies_that_are_wrong_stop_the_start_with_their_place() {
    let server = stopped();
    fs::create_dir(server.file("stacks")).unwrap();
    fs::write(server.file("stacks/envoys.vgo"), "envoys:\n  - match: '*'\n    configcrates: [nothing]\n").unwrap();
    refused(&server, &["envoys.vgo:3:", "nothing"]);
    let said = server.cli(&["config", "validate"]);
    assert_ne!(said.code, 0);
    fs::remove_dir_all(server.file("stacks")).unwrap();
    whole(server);
}

#[test]
fn a_full_disk_refuses_new_machines_and_loses_nobody() {
    let test = "a_full_disk_refuses_new_machines_and_loses_nobody";
    if !needs_root(test, "mounting a small disk") || !needs_tools(test, &["mount", "umount"]) {
        return;
    }
    let mut server =
        Server::home(&Options { sections: "bootstrap:\n  token_hash: {cost: 4}\n  trusted_enrollment: [{pattern: '*.example.com', cidrs: [127.0.0.0/8]}]\n".into(), ..Options::default() });
    let disk = server.file("db");
    fs::create_dir(&disk).unwrap();
    let mounted = sh(&format!("mount -t tmpfs -o size=2m,mode=700 tmpfs '{}'", disk.display()));
    if mounted.code != 0 {
        panic!("{}", mounted.stderr);
    }
    server.run();
    let pin = server.ca_pin();
    let kept = Machine::enrolled("kept.example.com", &server);
    let filler = disk.join("filler");
    let _ = sh(&format!("dd if=/dev/zero of='{}' bs=4096 2>/dev/null", filler.display()));
    let mut refused = 0;
    let mut let_in = vec!["kept.example.com".to_owned()];
    for n in 0..60 {
        let name = format!("web{n}.example.com");
        let told = Machine::new(&name).bootstrap(&server, None, &["--ca-pin", &pin]);
        match told.code {
            0 => let_in.push(name),
            _ => {
                assert!(
                    told.stderr.contains("cannot enrol at the moment") || told.stderr.contains("too many"),
                    "{}",
                    told.stderr
                );
                refused += 1;
                break;
            }
        }
    }
    assert!(refused > 0, "the disk never was full");
    let _ = kept.check_in().ok();
    fs::remove_file(&filler).unwrap();
    let _ = Machine::new("late.example.com").bootstrap(&server, None, &["--ca-pin", &pin]).ok();
    let_in.push("late.example.com".to_owned());
    server.kill();
    server.run();
    let mut names: Vec<String> = server.envoys().into_iter().map(|(name, _)| name).collect();
    names.sort();
    let_in.sort();
    assert_eq!(names, let_in);
    server.stop();
    let _ = sh(&format!("umount '{}'", disk.display())).ok();
}

#[test]
fn of_several_first_starts_in_one_home_one_makes_the_fleet() {
    for _ in 0..5 {
        let mut server = Server::home(&Options::default());
        let configuration = server.configuration();
        let others: Vec<_> = (0..3)
            .map(|n| {
                let path = server.file(&format!("other{n}.yaml"));
                let mut text = configuration.clone();
                for port in [server.grpc_port(), server.api_port()] {
                    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
                    text = text.replace(&port.to_string(), &free.to_string());
                }
                std::fs::write(&path, text).unwrap();
                Program::ours("vigo-server").args(["--config".as_ref(), path.as_os_str()]).daemon()
            })
            .collect();
        server.begin();
        // Whoever won serves a fleet that stays; all others end, and none takes anything away.
        let made = until("a fleet is made", || std::fs::read(server.file("tls/ca")).ok());
        server.kill();
        others.into_iter().for_each(vigo_tests::Daemon::kill);
        server.run();
        assert_eq!(std::fs::read(server.file("tls/ca")).unwrap(), made);
        assert!(server.envoys().is_empty());
    }
}

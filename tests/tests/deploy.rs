//! What a server is shipped as: the image, the unit, the package.

#![expect(clippy::unwrap_used, reason = "what is not as expected ends the test")]

use std::fs;
use std::path::{Path, PathBuf};

use vigo_tests::{Program, needs_root, needs_tools};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// One instruction of a Dockerfile: its name and what follows.
type Instruction = (String, String);

/// The instructions of each stage: continued lines joined, comments gone.
fn stages(text: &str) -> Vec<Vec<Instruction>> {
    let mut stages: Vec<Vec<Instruction>> = Vec::new();
    let mut line = String::new();
    for part in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
        if let Some(part) = part.strip_suffix('\\') {
            line.push_str(part);
            continue;
        }
        line.push_str(part);
        let whole = std::mem::take(&mut line);
        let whole: Vec<&str> = whole.split_whitespace().collect();
        let Some((name, rest)) = whole.split_first() else { continue };
        if *name == "FROM" || stages.is_empty() {
            stages.push(Vec::new());
        }
        stages.last_mut().unwrap().push(((*name).to_owned(), rest.join(" ")));
    }
    stages
}

/// What is wrong with a Dockerfile, by our own rules.
fn faults(text: &str) -> Vec<String> {
    let stages = stages(text);
    let mut found = Vec::new();
    for (name, rest) in stages.iter().flatten() {
        let fault = match name.as_str() {
            "FROM" => {
                let image = rest.split(' ').next().unwrap();
                let tag = image.split_once(':').map(|(_, tag)| tag);
                if tag.is_none_or(|tag| tag.starts_with("latest")) { "an image without a fixed tag" } else { continue }
            }
            "ADD" => "ADD fetches and unpacks: COPY does not",
            "ENV" | "ARG" => {
                let name = rest.split('=').next().unwrap().to_uppercase();
                let secret = ["KEY", "SECRET", "TOKEN", "PASSWORD"].iter().any(|word| name.contains(word));
                if secret { "a secret that stays in the image" } else { continue }
            }
            "RUN" if rest.contains("apt-get install") => {
                let whole = rest.contains("apt-get update &&")
                    && rest.contains("--no-install-recommends")
                    && rest.ends_with("rm -rf /var/lib/apt/lists/*");
                if whole { continue } else { "apt-get without update before, or with its lists left" }
            }
            "RUN" if rest.contains("curl ") || rest.contains("wget ") || rest.contains("chmod 777") => "RUN fetches",
            "COPY" if rest.contains(".key") || rest.contains(".pem") => "a key that stays in the image",
            "RUN" | "COPY" | "WORKDIR" | "USER" | "VOLUME" | "EXPOSE" | "STOPSIGNAL" | "HEALTHCHECK" | "ENTRYPOINT"
            | "CMD" => continue,
            _ => "an instruction that nobody checks",
        };
        found.push(format!("{name} {rest}: {fault}"));
    }
    let Some(last) = stages.last() else { return vec!["no stage".into()] };
    let place = |wanted: &str| last.iter().position(|(name, _)| name == wanted);
    let value = |wanted: &str| last.iter().rfind(|(name, _)| name == wanted).map(|(_, rest)| rest.as_str());
    match value("USER") {
        None | Some("root" | "0" | "0:0") => found.push("it runs as root".into()),
        Some(_) if place("USER") > place("ENTRYPOINT") => found.push("USER after ENTRYPOINT".into()),
        Some(_) => {}
    }
    for needed in ["HEALTHCHECK", "VOLUME", "EXPOSE", "STOPSIGNAL", "WORKDIR", "ENTRYPOINT"] {
        if place(needed).is_none() {
            found.push(format!("the last stage has no {needed}"));
        }
    }
    // What is laid down after VOLUME is lost.
    if let Some(volume) = place("VOLUME") {
        let late = last[volume..].iter().any(|(name, _)| name == "COPY" || name == "RUN");
        if late {
            found.push("content after VOLUME".into());
        }
    }
    if value("ENTRYPOINT").is_some_and(|entry| !entry.starts_with("[\"/")) {
        found.push("ENTRYPOINT through a shell, which no signal passes".into());
    }
    found
}

#[test]
fn the_dockerfile_keeps_the_rules() {
    let text = text("Dockerfile.server");
    assert_eq!(faults(&text), Vec::<String>::new());
    let stages = stages(&text);
    assert!(stages.len() == 2 && stages[0][0].1.ends_with("AS builder"));
    let last = stages.last().unwrap();
    let expected = [
        ("ENV", "VIGO_CONFIG_FILE=/srv/vigo/server.yaml"),
        ("VOLUME", "/srv/vigo"),
        ("EXPOSE", "1530 8443"),
        ("STOPSIGNAL", "SIGTERM"),
        ("ENTRYPOINT", "[\"/usr/local/bin/vigo-server\"]"),
    ];
    for (name, rest) in expected {
        assert!(last.contains(&(name.to_owned(), rest.to_owned())), "{name} {rest}");
    }
    // What is copied out of the context is there.
    let context = text.lines().filter_map(|line| line.strip_prefix("COPY ")).filter(|line| !line.contains("--from="));
    for line in context {
        let source = line.split(' ').find(|word| !word.starts_with("--")).unwrap();
        assert!(root().join(source).exists(), "{line}");
    }
}

#[track_caller]
fn check(old: &str, new: &str, expected: &str) {
    let text = text("Dockerfile.server");
    assert!(text.contains(old), "{old}");
    let found = faults(&text.replacen(old, new, 1));
    assert!(found.iter().any(|fault| fault.contains(expected)), "{new}: {found:?}");
}

#[test]
fn what_the_rules_find() {
    check("FROM debian:bookworm-slim", "FROM debian", "fixed tag");
    check("FROM debian:bookworm-slim", "FROM debian:latest", "fixed tag");
    check("COPY . .", "ADD . .", "ADD fetches");
    check("ARG AGENT_TARGETS", "ARG SIGN_KEY\nARG AGENT_TARGETS", "a secret that stays");
    check("COPY . .", "COPY signing.key .", "a key that stays");
    check("&& rm -rf /var/lib/apt/lists/*", "", "lists left");
    check("USER 10001:10001\n", "", "as root");
    check("USER 10001:10001", "USER root", "as root");
    check("VOLUME /srv/vigo\n", "VOLUME /srv/vigo\nRUN true\n", "content after VOLUME");
    check("HEALTHCHECK", "#HEALTHCHECK", "no HEALTHCHECK");
    check("ENTRYPOINT [\"/usr/local/bin/vigo-server\"]", "ENTRYPOINT vigo-server", "through a shell");
    check("COPY . .", "ONBUILD RUN true", "nobody checks");
}

#[test]
fn the_image_s_steps_make_a_server_that_is_healthy() {
    let test = "the_image_s_steps_make_a_server_that_is_healthy";
    if !needs_root(test, "a chroot") || !needs_tools(test, &["mmdebstrap", "unshare", "setpriv"]) {
        return;
    }
    let programs = std::env::current_exe().unwrap();
    let programs = programs.parent().and_then(Path::parent).unwrap();
    // A tree that another test made, with more in it, serves as well.
    let trees = [root().join("target/systemd-host/tree"), root().join("target/replay/tree")];
    let tree = trees.iter().find(|tree| tree.join(".done").exists()).unwrap_or(&trees[1]);
    let ended = Program::at(root().join("scripts/replay-dockerfile"))
        .args(["--binaries".as_ref(), programs.as_os_str(), "--tree".as_ref(), tree.as_os_str()])
        .run();
    let said = ended.ok();
    for line in ["healthy: ready at https://127.0.0.1:8443", "runs as 10001:10001", "SIGTERM ended it with 0"] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(said.contains("ID  HOSTNAME  IP  ENROLLED  LAST SEEN  STATUS"), "{said}");
}

#[test]
fn compose_runs_the_image_with_nothing_that_it_does_not_need() {
    let text = text("deploy/compose.yaml");
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    for line in [
        "container_name: vigo",
        "dockerfile: Dockerfile.server",
        "restart: unless-stopped",
        "- \"1530:1530\"",
        "- \"8443:8443\"",
        "- vigo:/srv/vigo",
        "read_only: true",
        "- /tmp",
        "- no-new-privileges:true",
    ] {
        assert!(lines.contains(&line), "{line}");
    }
    let drop = lines.iter().position(|line| *line == "cap_drop:").unwrap();
    assert_eq!(lines[drop + 1], "- ALL");
    assert!(!text.contains("privileged") && !text.contains("docker.sock") && !text.contains("network_mode"));
}

#[test]
fn the_unit_is_one_that_systemd_takes_and_is_closed_in() {
    let unit = text("deploy/vigo-server.service");
    for line in ["User=vigo", "ProtectSystem=strict", "ReadWritePaths=/srv/vigo", "NoNewPrivileges=yes", "UMask=0077"] {
        assert!(unit.lines().any(|one| one == line), "{line}");
    }
    if !needs_tools("the_unit_is_one_that_systemd_takes_and_is_closed_in", &["systemd-analyze"]) {
        return;
    }
    let path = root().join("deploy/vigo-server.service");
    let verified = Program::at("systemd-analyze").args(["verify".as_ref(), path.as_os_str()]).run();
    // The program is not installed where this runs.
    let said = format!("{}{}", verified.stdout, verified.stderr);
    let said: Vec<&str> =
        said.lines().filter(|line| line.contains("vigo") && !line.contains("vigo-server is not executable")).collect();
    assert!(said.is_empty(), "{said:#?}");
    let rated = Program::at("systemd-analyze")
        .args(["security".as_ref(), "--offline=yes".as_ref(), "--threshold=25".as_ref(), path.as_os_str()])
        .run();
    assert_eq!(rated.code, 0, "{}", rated.stdout);
}

#[test]
fn the_package_s_files_are_there_and_its_scripts_are_sound() {
    let manifest = text("bins/vigo-server/Cargo.toml");
    let assets = manifest.lines().filter_map(|line| line.trim().strip_prefix("[\"")?.split('"').next());
    let found: Vec<&str> = assets.filter(|path| !path.starts_with("target/release/")).collect();
    assert!(found.len() >= 3, "{found:?}");
    for path in found {
        assert!(root().join("bins/vigo-server").join(path).is_file(), "{path}");
    }
    for script in ["postinst", "postrm"] {
        let path = root().join("deploy/debian").join(script);
        assert!(
            fs::read_to_string(&path).unwrap().contains("\n#DEBHELPER#\n"),
            "{script} has no place for the unit's part"
        );
        let _ = Program::at("/bin/sh").args(["-n".as_ref(), path.as_os_str()]).run().ok();
        if needs_tools("the_package_s_files_are_there_and_its_scripts_are_sound", &["shellcheck"]) {
            let _ = Program::at("shellcheck").args([&path]).run().ok();
        }
    }
    // Every configuration that the package or the image lays down is one that the server takes.
    let home = tempfile::tempdir().unwrap();
    fs::copy(root().join("deploy/server.yaml"), home.path().join("server.yaml")).unwrap();
    let config = home.path().join("server.yaml");
    let ended = Program::ours("vigo-server").args(["--config".as_ref(), config.as_os_str(), "check".as_ref()]).run();
    assert!(ended.ok().contains("good"), "the example configuration");
    let uncommented: String = text("deploy/server.yaml")
        .lines()
        .skip(2)
        .take(6)
        .map(|line| format!("{}\n", line.trim_start_matches("# ")))
        .collect();
    fs::write(&config, &uncommented).unwrap();
    let ended = Program::ours("vigo-server").args(["--config".as_ref(), config.as_os_str(), "check".as_ref()]).run();
    assert!(ended.code == 0 && ended.stdout.contains("good"), "{uncommented}{}", ended.stderr);
}

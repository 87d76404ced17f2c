//! The token's way from the operator to the agent.

use std::fs;
use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use vigo_enroll::script::bootstrap;

use crate::pki;
use crate::shells::{Shell, common_shells, find, is_there, shells};
use crate::world::{Fetcher, SECRET, World, token};

/// Runs with a token and expects it on the agent's standard input and nowhere else.
#[track_caller]
fn check(shell: &Shell, fetcher: Fetcher, args: &[&str], env: &[(&str, &str)], file: Option<&str>) {
    let world = World::new(fetcher);
    if let Some(text) = file {
        fs::write(world.at("token file"), text).expect("a file");
    }
    let (bin_dir, path) = (world.bin_dir(), world.at("token file"));
    let mut all = vec!["--bin-dir", bin_dir.to_str().expect("UTF-8")];
    all.extend(args);
    if file.is_some() {
        all.extend(["--token-file", path.to_str().expect("UTF-8")]);
    }
    let ran = world.run(shell, &world.values(), &all, env);
    let name = shell.name;
    assert_eq!(ran.code, Some(0), "{name}: {}", ran.stderr);
    assert_eq!(ran.agent_stdin, Some(format!("{}\n", token(pki::ours().ca_pin))), "{name}");
    assert!(!ran.stderr.contains(SECRET) && !ran.stdout.contains(SECRET), "{name}: {}", ran.stderr);
    for call in &ran.calls {
        assert!(!call.args.iter().any(|arg| arg.contains(SECRET)), "{name}: {} {:?}", call.program, call.args);
        assert!(!call.env.contains(SECRET), "{name}: {} {}", call.program, call.env);
    }
    // The token's pin is known now, so the agent gets it as one that was given.
    let pin = format!("--ca-pin {}", pki::ours().ca_pin);
    assert!(ran.only("vigo").args.join(" ").contains(&pin), "{name}");
}

#[test]
fn rule_03_a_token_reaches_the_agents_standard_input_and_nothing_else() {
    let token = token(pki::ours().ca_pin);
    for shell in shells() {
        for fetcher in [Fetcher::Curl, Fetcher::Wget, Fetcher::BusyboxWgetAndOpenssl] {
            check(&shell, fetcher, &["--token", &token], &[], None);
        }
        check(&shell, Fetcher::Curl, &[&format!("--token={token}")], &[], None);
    }
}

#[test]
fn rule_03_a_token_from_the_environment_is_taken_out_of_it() {
    let token = token(pki::ours().ca_pin);
    let other = "vgt1.not.the.right.one";
    for shell in shells() {
        check(&shell, Fetcher::Curl, &[], &[("VIGO_TOKEN", &token)], None);
        // A flag wins.
        check(&shell, Fetcher::Curl, &["--token", &token], &[("VIGO_TOKEN", other)], None);
        // A variable that is exported already, by whatever name the script uses, does not carry the token along.
        let exported = [("VIGO_TOKEN", token.as_str()), ("vigo_token", "x"), ("vigo_line", "x"), ("result", "x")];
        check(&shell, Fetcher::Curl, &[], &exported, None);
        check(&shell, Fetcher::Curl, &["--token", &token], &exported[1..], None);
    }
}

#[test]
fn rule_03_a_token_from_a_file_is_its_first_line() {
    let token = token(pki::ours().ca_pin);
    for shell in shells() {
        for text in [format!("{token}\n"), token.clone(), format!("{token}\nmore\n")] {
            check(&shell, Fetcher::Curl, &[], &[], Some(&text));
        }
        let world = World::new(Fetcher::Curl);
        let blank = world.at("blank");
        std::fs::write(&blank, format!("\n{token}\n")).expect("a file");
        let blank = blank.to_str().expect("UTF-8");
        for (path, message) in [
            ("/nowhere/token", "cannot be read"),
            ("/tmp", "/tmp cannot be read"),
            ("/dev/null", "the first line of /dev/null is empty"),
            // A token in a line below is not one that was given: nothing is fetched without it.
            (blank, "is empty"),
        ] {
            let ran = world.run(&shell, &world.values(), &["--token-file", path], &[]);
            assert_eq!(ran.code, Some(1), "{}: {}", shell.name, ran.stderr);
            assert!(ran.stderr.contains(message) && !ran.sent(), "{}: {}", shell.name, ran.stderr);
        }
    }
}

#[test]
fn rule_03_a_token_is_asked_for_at_the_terminal_without_an_echo() {
    if !is_there("script", "a terminal for --token-prompt") {
        return;
    }
    let token = token(pki::ours().ca_pin);
    for shell in shells() {
        let world = World::new(Fetcher::Curl);
        let file = world.at("bootstrap.sh");
        fs::write(&file, bootstrap(&world.values())).expect("a file");
        let shell_path = shell.path();
        let line = format!(
            "{} {} {} --bin-dir '{}' --token-prompt <'{}'",
            shell_path.display(),
            shell.flags.join(" "),
            shell.piped.join(" "),
            world.bin_dir().display(),
            file.display()
        );
        let mut child = Command::new(find("script").expect("it is there"))
            .args(["-qefc", &line, "/dev/null"])
            .env_clear()
            .env("PATH", world.at("path"))
            .env("SHELL", "/bin/sh")
            .current_dir(world.at("work"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("script starts");
        let mut output = child.stdout.take().expect("piped");
        let mut seen = Vec::new();
        let mut byte = [0];
        while !seen.ends_with(b"Token: ") && output.read(&mut byte).expect("output") == 1 {
            seen.push(byte[0]);
        }
        let mut input = child.stdin.take().expect("piped");
        input.write_all(format!("{token}\n").as_bytes()).expect("it reads");
        output.read_to_end(&mut seen).expect("output");
        drop(input);
        let status = child.wait().expect("it ends");
        let seen = String::from_utf8_lossy(&seen);
        assert!(status.success(), "{}: {seen}", shell.name);
        assert!(!seen.contains(SECRET), "{}: {seen}", shell.name);
        assert_eq!(fs::read_to_string(world.at("agent_stdin")).expect("the agent ran"), format!("{token}\n"));
        for call in world.calls() {
            assert!(!call.args.join(" ").contains(SECRET) && !call.env.contains(SECRET), "{}: {call:?}", shell.name);
        }
    }
}

#[test]
fn rule_03_without_a_terminal_the_prompt_says_so() {
    if !is_there("setsid", "a run without a terminal") {
        return;
    }
    for shell in common_shells() {
        let world = World::new(Fetcher::Curl);
        let file = world.at("bootstrap.sh");
        fs::write(&file, bootstrap(&world.values())).expect("a file");
        let output = Command::new(find("setsid").expect("it is there"))
            .arg("--wait")
            .arg(shell.path())
            .args(shell.flags)
            .args(shell.piped)
            .arg("--token-prompt")
            .env_clear()
            .env("PATH", world.at("path"))
            .stdin(fs::File::open(&file).expect("a file"))
            .output()
            .expect("it runs");
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{}: {stderr}", shell.name);
        assert!(stderr.contains("there is no terminal to ask at"), "{}: {stderr}", shell.name);
    }
}

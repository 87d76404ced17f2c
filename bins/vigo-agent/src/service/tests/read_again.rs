//! The texts, read again by what would read them, where that can be had.

use std::io::{self, Write as _};
use std::process::{Command, Stdio};

use super::super::{Manager, Start, systemd};
use super::{text, usual};

/// Says that what would read the texts is not here.
#[expect(clippy::disallowed_methods, reason = "tests are run by a command that sets it")]
fn skipped(test: &str, tool: &str) {
    eprintln!("SKIPPED {test}: there is no {tool} here");
    if let Some(log) = std::env::var_os("VIGO_SKIP_LOG") {
        let mut log = std::fs::OpenOptions::new().append(true).create(true).open(log).unwrap();
        writeln!(log, "SKIPPED {test}: there is no {tool} here").unwrap();
    }
}

/// What a program makes of a text on its standard input; `None` where there is no such program.
#[track_caller]
fn ask(program: &[&str], input: &str) -> Option<String> {
    let mut command = Command::new(program[0]);
    command.args(&program[1..]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        child => child.unwrap(),
    };
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{program:?}: {said}\n{input}");
    Some(String::from_utf8(output.stdout).unwrap())
}

/// A path of all that a shell, an XML reader or an rc could take for something else.
const ODD: &str = "/o/it's \"$HOME\" `id` & <b>;\\*";

fn odd() -> Start {
    Start::words(&[ODD, "--config-dir", "/c d", "daemon"])
}

/// For those that do not take any path for the program's.
fn odd_folder(program: &str) -> Start {
    Start::words(&[program, "--config-dir", ODD, "daemon"])
}

#[test]
fn scripts_are_scripts_in_every_shell() {
    let shells: [&[&str]; 7] = [
        &["dash"],
        &["busybox", "sh"],
        &["bash", "--posix"],
        &["mksh"],
        &["ksh93"],
        &["yash"],
        &["zsh", "--emulate", "sh"],
    ];
    for shell in shells {
        for (manager, start) in [
            (Manager::OpenRc, odd_folder("/o p/vigo")),
            (Manager::FreeBsd, odd()),
            (Manager::NetBsd, odd_folder("/o/vigo")),
            (Manager::OpenBsd, usual()),
        ] {
            if ask(&[shell, &["-n"]].concat(), &text(manager, &start).unwrap()).is_none() {
                skipped("scripts_are_scripts_in_every_shell", shell[0]);
                break;
            }
        }
    }
}

/// What a script's rc would start, one word a line, by a stand-in for that rc.
#[track_caller]
fn check_words(manager: Manager, start: &Start, stand_in: &str, expected: &[&str]) {
    let script = text(manager, start).unwrap();
    let script: String =
        script.lines().filter(|line| !line.starts_with(". ")).map(|line| format!("{line}\n")).collect();
    let said = ask(&["sh", "-s"], &format!("load_rc_config() {{ :; }}\n{stand_in}\n{script}\nend\n")).unwrap();
    assert_eq!(said.lines().collect::<Vec<_>>(), expected, "{manager:?}");
}

#[test]
fn an_rc_finds_the_words_again() {
    // FreeBSD and NetBSD evaluate command and arguments as one line.
    let rc = "run_rc_command() { eval \"set -- $command $command_args\"; printf '%s\\n' \"$@\"; }; end() { :; }";
    let daemon = ["/usr/sbin/daemon", "-S", "-T", "vigo_envoy", "-t", "vigo_envoy", "-R", "5", "-P"];
    let words = ["/var/run/vigo_envoy.pid", ODD, "--config-dir", "/c d", "daemon"];
    check_words(Manager::FreeBsd, &odd(), rc, &[daemon.as_slice(), &words].concat());
    // NetBSD's line ends in a pipe to logger.
    let rc = "run_rc_command() { eval \"set -- $command ${command_args%</dev/null*}\"; printf '%s\\n' \"$@\"; }\n\
              end() { printf '%s\\n' \"</dev/null${command_args##*</dev/null}\"; }";
    let pipe = "</dev/null 2>&1 | /usr/bin/logger -t vigo_envoy -p daemon.info &";
    check_words(Manager::NetBsd, &odd_folder("/o/vigo"), rc, &["/o/vigo", "--config-dir", ODD, "daemon", pipe]);
    // OpenRC evaluates the program between double quotes, and the arguments.
    let rc = "end() { eval \"set -- \\\"$command\\\" $command_args\"; printf '%s\\n' \"$@\"; }";
    check_words(Manager::OpenRc, &odd_folder("/o p/vigo"), rc, &["/o p/vigo", "--config-dir", ODD, "daemon"]);
    // OpenBSD evaluates both as they stand.
    let rc = "rc_cmd() { eval \"set -- $daemon $daemon_flags\"; printf '%s\\n' \"$@\"; }; end() { :; }";
    let start = Start::words(&["/o/vigo", "--state-dir", "/s", "daemon"]);
    check_words(Manager::OpenBsd, &start, rc, &["/o/vigo", "--state-dir", "/s", "daemon"]);
}

#[test]
fn launchd_and_smf_find_the_words_again() {
    const TEST: &str = "launchd_and_smf_find_the_words_again";
    let plist = text(Manager::Launchd, &odd()).unwrap();
    let program = "import sys, plistlib\n\
                   p = plistlib.loads(sys.stdin.buffer.read())\n\
                   print('\\n'.join(p['ProgramArguments'] + [p['Label'], str(p['KeepAlive']), oct(p['Umask'])]))";
    match ask(&["python3", "-c", program], &plist) {
        Some(said) => assert_eq!(
            said.lines().collect::<Vec<_>>(),
            [ODD, "--config-dir", "/c d", "daemon", "com.vigo.envoy", "True", "0o77"]
        ),
        None => skipped(TEST, "python3"),
    }
    let manifest = text(Manager::Smf, &odd()).unwrap();
    let program = "import sys, xml.dom.minidom as m\n\
                   methods = m.parse(sys.stdin.buffer).getElementsByTagName('exec_method')\n\
                   print('\\n'.join(x.getAttribute('exec') for x in methods))";
    match ask(&["python3", "-c", program], &manifest) {
        Some(said) => {
            let (start, stop) = said.trim_end().split_once('\n').unwrap();
            assert_eq!(stop, ":kill");
            let words = ask(&["sh", "-s"], &format!("set -- {start}\nprintf '%s\\n' \"$@\"\n")).unwrap();
            assert_eq!(words.lines().collect::<Vec<_>>(), [ODD, "--config-dir", "/c d", "daemon"]);
        }
        None => skipped(TEST, "python3"),
    }
}

#[test]
fn systemd_takes_the_unit() {
    let dir = tempfile::tempdir().unwrap();
    let unit = dir.path().join(systemd::NAME);
    for start in [Start::words(&["/bin/sh", "daemon"]), Start::words(&["/bin/sh", "--state-dir", "/a b", "daemon"])] {
        std::fs::write(&unit, text(Manager::Systemd, &start).unwrap()).unwrap();
        match Command::new("systemd-analyze").args(["verify", "--man=no"]).arg(&unit).output() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return skipped("systemd_takes_the_unit", "systemd-analyze");
            }
            output => {
                let said = String::from_utf8_lossy(&output.unwrap().stderr).into_owned();
                assert!(!said.contains(systemd::NAME), "{said}");
            }
        }
    }
}

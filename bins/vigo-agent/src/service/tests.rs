//! Every rendered text, on whatever system the tests run: held by what would read it, where that can be had.

#![cfg(unix)]

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::plan::{OnFailure, Step};
use super::*;

const ALL: [Manager; 8] = [
    Manager::Systemd,
    Manager::OpenRc,
    Manager::Launchd,
    Manager::FreeBsd,
    Manager::NetBsd,
    Manager::OpenBsd,
    Manager::Smf,
    Manager::Windows,
];

fn usual() -> Start {
    Start::words(&["/usr/local/sbin/vigo", "daemon"])
}

fn moved() -> Start {
    Start::words(&["/opt/my vigo/vigo", "--config-dir", "/opt/my vigo/etc", "daemon"])
}

/// `0644 /path`, `$ command`, `? command that may fail`, `… command that is tried again`, `- /removed`, `/link -> /file`.
fn steps(plan: &Plan) -> Vec<String> {
    let step = |step: &Step| match step {
        Step::Write { path, mode, .. } => format!("{mode:04o} {path}"),
        Step::Link { path, to } => format!("{path} -> {to}"),
        Step::Remove { path } => format!("- {path}"),
        Step::Run { program, arguments, failure } => {
            let mark = match failure {
                OnFailure::Stop => '$',
                OnFailure::GoOn => '?',
                OnFailure::TryAgain => '…',
            };
            format!("{mark} {program} {}", arguments.join(" "))
        }
    };
    plan.steps.iter().map(step).collect()
}

/// The text of the first file.
fn text(manager: Manager, start: &Start) -> Result<String, String> {
    let plan = manager.install(start).map_err(|error| error.to_string())?;
    let text = plan.steps.into_iter().find_map(|step| match step {
        Step::Write { text, .. } => Some(text),
        _ => None,
    });
    Ok(text.expect("a file"))
}

#[track_caller]
fn check_steps(manager: Manager, install: &[&str], remove: &[&str]) {
    assert_eq!(steps(&manager.install(&usual()).unwrap()), install, "{manager:?}");
    assert_eq!(steps(&manager.remove()), remove, "{manager:?}");
    // What makes the service is the first file that is written, and it is removed.
    if let Some(file) = manager.file() {
        let written = install.iter().find(|step| step.starts_with('0')).unwrap();
        assert!(written.ends_with(file) && remove.contains(&format!("- {file}").as_str()), "{manager:?}");
    }
}

#[test]
fn what_each_manager_is_told() {
    check_steps(
        Manager::Systemd,
        &[
            "0644 /etc/systemd/system/vigo-envoy.service",
            "$ systemctl daemon-reload",
            "$ systemctl enable vigo-envoy.service",
            "$ systemctl restart vigo-envoy.service",
        ],
        &[
            "? systemctl disable --now vigo-envoy.service",
            "- /etc/systemd/system/vigo-envoy.service",
            "? systemctl daemon-reload",
            "? systemctl reset-failed vigo-envoy.service",
        ],
    );
    check_steps(
        Manager::OpenRc,
        &["0755 /etc/init.d/vigo-envoy", "$ rc-update add vigo-envoy default", "$ rc-service vigo-envoy restart"],
        &[
            "? rc-service vigo-envoy stop",
            "? rc-update del vigo-envoy default",
            "- /etc/init.d/vigo-envoy",
            "- /var/log/vigo-envoy.log",
        ],
    );
    check_steps(
        Manager::Launchd,
        &[
            "? launchctl bootout system/com.vigo.envoy",
            "0644 /Library/LaunchDaemons/com.vigo.envoy.plist",
            "$ launchctl enable system/com.vigo.envoy",
            "… launchctl bootstrap system /Library/LaunchDaemons/com.vigo.envoy.plist",
        ],
        &[
            "? launchctl bootout system/com.vigo.envoy",
            "- /Library/LaunchDaemons/com.vigo.envoy.plist",
            "- /var/log/vigo-envoy.log",
        ],
    );
    check_steps(
        Manager::FreeBsd,
        &["0755 /usr/local/etc/rc.d/vigo_envoy", "$ sysrc vigo_envoy_enable=YES", "$ service vigo_envoy restart"],
        &[
            "? service vigo_envoy onestop",
            "? sysrc -x vigo_envoy_enable",
            "- /usr/local/etc/rc.d/vigo_envoy",
            "- /var/run/vigo_envoy.pid",
        ],
    );
    check_steps(
        Manager::NetBsd,
        &[
            "0755 /etc/rc.d/vigo_envoy",
            "0644 /etc/rc.conf.d/vigo_envoy",
            "/usr/local/etc/rc.d/vigo_envoy -> /etc/rc.d/vigo_envoy",
            "$ /etc/rc.d/vigo_envoy restart",
        ],
        &[
            "? /etc/rc.d/vigo_envoy onestop",
            "- /etc/rc.conf.d/vigo_envoy",
            "- /usr/local/etc/rc.d/vigo_envoy",
            "- /etc/rc.d/vigo_envoy",
        ],
    );
    check_steps(
        Manager::OpenBsd,
        &["0755 /etc/rc.d/vigo_envoy", "$ rcctl enable vigo_envoy", "$ rcctl restart vigo_envoy"],
        &["? rcctl stop vigo_envoy", "? rcctl disable vigo_envoy", "- /etc/rc.d/vigo_envoy"],
    );
    check_steps(
        Manager::Smf,
        &[
            "0644 /var/svc/manifest/site/vigo-envoy.xml",
            "$ svccfg import /var/svc/manifest/site/vigo-envoy.xml",
            "$ svcadm enable -r svc:/system/vigo-envoy:default",
            "? svcadm clear svc:/system/vigo-envoy:default",
            "$ svcadm restart svc:/system/vigo-envoy:default",
        ],
        &[
            "? svcadm disable -s svc:/system/vigo-envoy:default",
            "? svccfg delete -f svc:/system/vigo-envoy",
            "- /var/svc/manifest/site/vigo-envoy.xml",
        ],
    );
}

#[test]
fn what_the_service_control_manager_is_told() {
    let start = Start::words(&[r"C:\Program Files\Vigo\vigo.exe", "--state-dir", r"D:\my state", "daemon"]);
    let line = r#"binPath= "C:\Program Files\Vigo\vigo.exe" "--state-dir" "D:\my state" "daemon" start= auto DisplayName= Vigo envoy"#;
    assert_eq!(
        steps(&Manager::Windows.install(&start).unwrap()),
        [
            "? sc.exe stop vigo-envoy",
            &format!("? sc.exe create vigo-envoy {line}"),
            &format!("$ sc.exe config vigo-envoy {line}"),
            "$ sc.exe description vigo-envoy Checks in with the server that manages this machine",
            "$ sc.exe failure vigo-envoy reset= 86400 actions= restart/5000/restart/5000/restart/5000",
            "$ sc.exe failureflag vigo-envoy 1",
            "… sc.exe start vigo-envoy",
        ]
    );
    assert_eq!(steps(&Manager::Windows.remove()), ["? sc.exe stop vigo-envoy", "? sc.exe delete vigo-envoy"]);
    assert_eq!(
        windows::access(r"C:\ProgramData\Vigo").join(" "),
        r"C:\ProgramData\Vigo /inheritance:r /grant:r *S-1-5-18:(OI)(CI)F *S-1-5-32-544:(OI)(CI)F"
    );
}

#[track_caller]
fn check_line(manager: Manager, start: &Start, expected: &str) {
    let text = text(manager, start).unwrap_or_else(|error| error);
    assert!(text.lines().any(|line| line.trim() == expected), "{manager:?}: {expected}\nis not in\n{text}");
}

#[test]
fn what_is_started() {
    check_line(Manager::Systemd, &usual(), "ExecStart=/usr/local/sbin/vigo daemon");
    check_line(Manager::Systemd, &moved(), "ExecStart=\"/opt/my vigo/vigo\" --config-dir \"/opt/my vigo/etc\" daemon");
    for line in ["Type=notify", "Restart=always", "StartLimitIntervalSec=0", "WantedBy=multi-user.target"] {
        check_line(Manager::Systemd, &usual(), line);
    }
    check_line(Manager::OpenRc, &usual(), "command=/usr/local/sbin/vigo");
    check_line(Manager::OpenRc, &usual(), "command_args=daemon");
    check_line(Manager::OpenRc, &usual(), "supervisor=supervise-daemon");
    check_line(Manager::Launchd, &usual(), "<string>/usr/local/sbin/vigo</string>");
    check_line(Manager::Launchd, &usual(), "<string>com.vigo.envoy</string>");
    let daemon =
        "command_args='-S -T vigo_envoy -t vigo_envoy -R 5 -P /var/run/vigo_envoy.pid /usr/local/sbin/vigo daemon'";
    check_line(Manager::FreeBsd, &usual(), daemon);
    check_line(Manager::FreeBsd, &usual(), "# PROVIDE: vigo_envoy");
    check_line(Manager::NetBsd, &usual(), "rcvar=$name");
    check_line(Manager::OpenBsd, &usual(), "daemon=\"/usr/local/sbin/vigo\"");
    check_line(Manager::OpenBsd, &usual(), "daemon_flags=\"daemon\"");
    let method = r#"<exec_method type="method" name="start" exec="/usr/local/sbin/vigo daemon" timeout_seconds="0"/>"#;
    check_line(Manager::Smf, &usual(), method);
}

#[track_caller]
fn check_refused(path: &str, by: &[Manager]) {
    for manager in ALL {
        for start in [Start::words(&[path, "daemon"]), Start::words(&["/v", "--state-dir", path, "daemon"])] {
            match manager.install(&start) {
                Ok(_) => assert!(!by.contains(&manager), "{manager:?} takes {path:?}"),
                Err(error) => {
                    assert!(by.contains(&manager), "{manager:?} refuses {path:?}");
                    assert!(error.to_string().contains("cannot stand in "), "{error}");
                }
            }
        }
    }
}

#[test]
fn paths_that_would_mean_something_else_are_refused() {
    use Manager::{OpenBsd, Smf, Systemd, Windows};
    check_refused("/a\nb", &ALL);
    check_refused("/a\0b", &ALL);
    check_refused("/a b", &[OpenBsd]);
    check_refused("/a+b", &[OpenBsd]);
    check_refused("/a%n", &[Systemd, OpenBsd, Smf, Windows]);
    check_refused("/a$HOME", &[Systemd, OpenBsd]);
    check_refused("/a\"b", &[Systemd, OpenBsd, Windows]);
    check_refused("/a;b", &[Systemd, OpenBsd]);
    check_refused("/ä", &[Systemd, OpenBsd]);
    check_refused("/a\\", &[Systemd, OpenBsd, Windows]);
}

#[test]
fn folders_that_are_not_the_usual_ones_are_named() {
    let start = |program: &str, config: &str| {
        let usual = Paths::usual();
        let config = if config.is_empty() { usual.config_dir().to_owned() } else { config.into() };
        let paths = Paths::new(config, usual.state_dir().to_owned());
        Start::new(Path::new(program), &paths).map(|start| start.0.join(" ")).map_err(|error| error.to_string())
    };
    assert_eq!(start("/usr/local/sbin/vigo", "").unwrap(), "/usr/local/sbin/vigo daemon");
    assert_eq!(start("/o/vigo", "/o/etc").unwrap(), "/o/vigo --config-dir /o/etc daemon");
    assert_eq!(start("vigo", "").unwrap_err(), "vigo cannot stand in a service: use a path of plain characters");
}

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
        for (manager, start) in
            [(Manager::OpenRc, odd()), (Manager::FreeBsd, odd()), (Manager::NetBsd, odd()), (Manager::OpenBsd, usual())]
        {
            if ask(&[shell, &["-n"]].concat(), &text(manager, &start).unwrap()).is_none() {
                skipped("scripts_are_scripts_in_every_shell", shell[0]);
                break;
            }
        }
    }
}

/// What a script's rc would start, one word a line, by a stand-in for its `rc.subr`.
#[track_caller]
fn check_words(manager: Manager, stand_in: &str, expected: &[&str]) {
    let script = text(manager, &odd()).unwrap();
    let script: String =
        script.lines().filter(|line| !line.starts_with(". ")).map(|line| format!("{line}\n")).collect();
    let said = ask(&["sh", "-s"], &format!("load_rc_config() {{ :; }}\n{stand_in}\n{script}\n{}", "end")).unwrap();
    assert_eq!(said.lines().collect::<Vec<_>>(), expected, "{manager:?}");
}

#[test]
fn an_rc_finds_the_words_again() {
    let words = [ODD, "--config-dir", "/c d", "daemon"];
    // FreeBSD and NetBSD evaluate command and arguments as one line.
    let freebsd = "run_rc_command() { eval \"set -- $command $command_args\"; printf '%s\\n' \"$@\"; }; end() { :; }";
    let daemon =
        ["/usr/sbin/daemon", "-S", "-T", "vigo_envoy", "-t", "vigo_envoy", "-R", "5", "-P", "/var/run/vigo_envoy.pid"];
    check_words(Manager::FreeBsd, freebsd, &[daemon.as_slice(), &words].concat());
    // NetBSD's line is a pipe into logger; the program is put apart, what is said is said by the stand-in for it.
    let netbsd = "run_rc_command() { said=$command; show() { printf '%s\\n' \"$said\" \"$@\"; }\n\
                  line=${command_args%%</dev/null*}; eval \"show $line\"\n\
                  case $command_args in *' | /usr/bin/logger -t vigo_envoy -p daemon.info &') ;; *) echo \"$command_args\";; esac; }\n\
                  end() { :; }";
    check_words(Manager::NetBsd, netbsd, &words);
    // OpenRC evaluates the arguments, and takes the program as it is.
    let openrc = "end() { eval \"set -- $command_args\"; printf '%s\\n' \"$command\" \"$@\"; }";
    check_words(Manager::OpenRc, openrc, &words);
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

/// A folder that stands for a machine, and a folder of commands that write down how they were called.
fn ground(dir: &Path, tools: &[(&str, &str)]) -> Ground {
    let bin = dir.join("bin");
    std::fs::create_dir(&bin).unwrap();
    for (name, body) in tools {
        let path = bin.join(name);
        let log = dir.join("calls");
        std::fs::write(&path, format!("#!/bin/sh\necho \"{name} $*\" >>'{}'\n{body}\n", log.display())).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&path, mode).unwrap();
    }
    Ground::folder(&dir.join("root"), &bin)
}

#[test]
fn a_plan_is_carried_out() {
    let dir = tempfile::tempdir().unwrap();
    // The second try of what may have to wait succeeds.
    let waits = format!("[ -e '{0}' ] || {{ : >'{0}'; echo busy >&2; exit 5; }}", dir.path().join("tried").display());
    let launchctl = format!("case $1 in bootout) exit 3 ;; bootstrap) {waits} ;; esac");
    let ground = ground(dir.path(), &[("launchctl", &launchctl), ("rc-update", "echo no >&2; exit 1")]);
    ground.carry_out(&Manager::Launchd.install(&usual()).unwrap()).unwrap();
    let plist = ground.at(launchd::FILE);
    assert_eq!(std::fs::read_to_string(&plist).unwrap(), text(Manager::Launchd, &usual()).unwrap());
    assert_eq!(std::fs::read_to_string(dir.path().join("calls")).unwrap().matches("bootstrap system").count(), 2);
    assert_eq!(ground.carry_out(&Manager::Launchd.remove()).unwrap(), [plist]);
    assert!(ground.carry_out(&Manager::Launchd.remove()).unwrap().is_empty(), "nothing is left to remove");

    let error = ground.carry_out(&Manager::OpenRc.install(&usual()).unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "`rc-update add vigo-envoy default` failed: no");
    let error = ground.carry_out(&Manager::Smf.install(&usual()).unwrap()).unwrap_err();
    assert!(error.to_string().starts_with("`svccfg import "), "{error}");
}

#[test]
fn a_second_name_is_a_convenience() {
    let dir = tempfile::tempdir().unwrap();
    let ground = ground(dir.path(), &[]);
    let plan = Plan::default().link("/usr/local/etc/rc.d/vigo_envoy", "/etc/rc.d/vigo_envoy");
    ground.carry_out(&plan).unwrap();
    let link = ground.at("/usr/local/etc/rc.d/vigo_envoy");
    assert_eq!(std::fs::read_link(&link).unwrap(), Path::new("/etc/rc.d/vigo_envoy"));
    ground.carry_out(&plan).unwrap();
    // Another's file is left alone.
    std::fs::remove_file(&link).unwrap();
    std::fs::write(&link, "theirs").unwrap();
    ground.carry_out(&plan).unwrap();
    assert_eq!(std::fs::read(&link).unwrap(), b"theirs");
}

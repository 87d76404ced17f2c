//! Every rendered text, on whatever system the tests run.

#![cfg(unix)]

mod read_again;

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
    assert_eq!(windows::owner(r"C:\ProgramData\Vigo").join(" "), r"C:\ProgramData\Vigo /setowner *S-1-5-32-544");
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

/// Who does not take this path for the program's, and who not for a folder's.
#[track_caller]
fn check_refused(path: &str, program: &[Manager], folder: &[Manager]) {
    let refusing = |start: Start| -> Vec<Manager> {
        let refuses = |manager: &Manager| match manager.install(&start) {
            Ok(_) => false,
            Err(error) => {
                assert!(error.to_string().contains(" cannot stand in "), "{error}");
                true
            }
        };
        ALL.into_iter().filter(refuses).collect()
    };
    assert_eq!(refusing(Start::words(&[path, "daemon"])), program, "{path:?} as program");
    assert_eq!(refusing(Start::words(&["/v", "--state-dir", path, "daemon"])), folder, "{path:?} as folder");
}

#[test]
fn paths_that_would_mean_something_else_are_refused() {
    use Manager::{NetBsd, OpenBsd, OpenRc, Smf, Systemd, Windows};
    check_refused("/a\nb", &ALL, &ALL);
    check_refused("/a\0b", &ALL, &ALL);
    check_refused("/a b", &[NetBsd, OpenBsd], &[OpenBsd]);
    check_refused("/a+b", &[NetBsd, OpenBsd], &[OpenBsd]);
    check_refused("/a%n", &[Systemd, OpenRc, NetBsd, OpenBsd, Smf, Windows], &[Systemd, OpenBsd, Smf, Windows]);
    check_refused("/a$HOME", &[Systemd, OpenRc, NetBsd, OpenBsd], &[Systemd, OpenBsd]);
    check_refused("/a\"b", &[Systemd, OpenRc, NetBsd, OpenBsd, Windows], &[Systemd, OpenBsd, Windows]);
    check_refused("/a;b", &[Systemd, OpenRc, NetBsd, OpenBsd], &[Systemd, OpenBsd]);
    check_refused("/ä", &[Systemd, OpenRc, NetBsd, OpenBsd], &[Systemd, OpenBsd]);
    check_refused("/a\\", &[Systemd, OpenRc, NetBsd, OpenBsd, Windows], &[Systemd, OpenBsd, Windows]);
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

#![cfg(unix)]

use std::os::unix::fs::PermissionsExt as _;

use super::*;

/// A folder that stands for a machine which `bootstrap` has set up, with a systemctl that writes down its arguments.
struct Machine {
    dir: tempfile::TempDir,
    ground: Ground,
    paths: Paths,
}

impl Machine {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (root, bin) = (dir.path().join("root"), dir.path().join("bin"));
        fs::create_dir_all(&bin).unwrap();
        let tool = format!("#!/bin/sh\necho \"$*\" >>'{}'\n", dir.path().join("calls").display());
        fs::write(bin.join("systemctl"), tool).unwrap();
        fs::set_permissions(bin.join("systemctl"), fs::Permissions::from_mode(0o755)).unwrap();
        let ground = Ground::folder(&root, &bin);
        let paths = Paths::new(root.join("etc/vigo-envoy"), root.join("var/lib/vigo/state"));
        Self { dir, ground, paths }
    }

    fn put(&self, path: &str) {
        let path = self.ground.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }

    fn installed() -> Self {
        let machine = Self::new();
        let config = crate::config::tests::sample();
        let envoy = format!("/etc/vigo-envoy/envoys/{}", config.envoy);
        for name in Paths::ENVOY_FILES {
            machine.put(&format!("{envoy}/{name}"));
        }
        for name in Paths::PENDING_FILES {
            machine.put(&format!("/etc/vigo-envoy/pending/{name}"));
        }
        for name in Paths::STATE_FILES.iter().chain(&["lock"]) {
            machine.put(&format!("/var/lib/vigo/state/{name}"));
        }
        machine.put("/etc/vigo-envoy/.vigo-Ab3.tmp");
        machine.put("/etc/vigo-envoy/lock");
        machine.put("/usr/local/sbin/vigo");
        machine.put("/usr/local/sbin/.vigo-new-x");
        machine.put("/usr/local/sbin/.vigo-next-0011");
        machine.put("/usr/local/sbin/vigo.previous");
        machine.put("/usr/local/sbin/vigo.previous-new");
        machine.put("/usr/local/sbin/theirs");
        machine.put("/etc/systemd/system/vigo-envoy.service");
        config.write(&machine.paths.config()).unwrap();
        machine
    }

    fn uninstall(&self, scope: Scope) -> Result<Uninstalled, UninstallError> {
        let own = std::env::current_exe().unwrap();
        let manager = Some(Manager::Systemd);
        Removal { os: os::here(), ground: &self.ground, manager, own: Some(&own) }.all(&self.paths, scope)
    }

    /// What it says, without the machine's own folder.
    #[track_caller]
    fn says(&self, scope: Scope) -> String {
        let root = self.dir.path().join("root");
        self.uninstall(scope).unwrap().text().replace(root.to_str().unwrap(), "")
    }
}

const ENVOY: &str = "07070707-0707-4707-8707-070707070707";

#[test]
fn all_of_it_goes_and_nothing_else() {
    let machine = Machine::installed();
    assert_eq!(
        machine.says(Scope::Machine),
        format!(
            "removed    /etc/systemd/system/vigo-envoy.service\n\
             removed    /etc/vigo-envoy\n\
             removed    /var/lib/vigo\n\
             removed    /usr/local/sbin/vigo\n\
             removed    /usr/local/sbin/.vigo-new-x\n\
             removed    /usr/local/sbin/.vigo-next-0011\n\
             removed    /usr/local/sbin/vigo.previous\n\
             removed    /usr/local/sbin/vigo.previous-new\n\
             next: this machine stays enrolled until the server is told otherwise: vigocli envoys revoke {ENVOY}\n"
        )
    );
    assert!(machine.ground.at("/usr/local/sbin/theirs").exists() && machine.ground.at("/var/lib").exists());
    let calls = fs::read_to_string(machine.dir.path().join("calls")).unwrap();
    assert!(calls.starts_with("disable --now vigo-envoy.service\n"), "{calls}");
    assert_eq!(machine.says(Scope::Machine), "nothing of vigo was left here\n");
}

#[test]
fn half_of_it_goes() {
    let machine = Machine::new();
    machine.put("/var/lib/vigo/state/status.json");
    machine.put("/opt/vigo/vigo");
    assert_eq!(machine.says(Scope::Machine), "removed    /var/lib/vigo\nremoved    /opt/vigo\n");
}

#[test]
fn what_is_not_ours_stays() {
    let machine = Machine::installed();
    machine.put("/etc/vigo-envoy/notes.txt");
    machine.put("/etc/vigo-envoy/envoys/backup/identity_key");
    machine.put(&format!("/etc/vigo-envoy/envoys/{ENVOY}/theirs"));
    machine.put("/opt/vigo/theirs");
    // A folder of ours that is a link elsewhere: neither the link's target nor what is in it is touched.
    machine.put("/elsewhere/status.json");
    std::os::unix::fs::symlink(machine.ground.at("/elsewhere"), machine.ground.at("/etc/vigo-envoy/.pending.old"))
        .unwrap();
    let text = machine.says(Scope::Machine);
    assert!(text.contains(&format!("left       /etc/vigo-envoy/envoys/{ENVOY}: ")), "{text}");
    assert!(text.contains("left       /opt/vigo: ") && text.contains("removed    /etc/vigo-envoy/config\n"), "{text}");
    for path in ["/etc/vigo-envoy/notes.txt", "/etc/vigo-envoy/envoys/backup/identity_key", "/elsewhere/status.json"] {
        assert!(machine.ground.at(path).exists(), "{path}");
    }
}

#[test]
fn without_the_machine_only_the_folders_go() {
    let machine = Machine::installed();
    let text = machine.says(Scope::Folders);
    let own = std::env::current_exe().unwrap();
    let left = format!("left       {}: the program; remove it where nothing else uses it\n", own.display());
    assert!(text.starts_with(&format!("removed    /etc/vigo-envoy\nremoved    /var/lib/vigo\n{left}next: ")), "{text}");
    assert!(machine.ground.at("/usr/local/sbin/vigo").exists());
    assert!(machine.ground.at("/etc/systemd/system/vigo-envoy.service").exists());
    assert!(!machine.dir.path().join("calls").exists(), "no service was asked");
}

#[test]
fn nothing_goes_from_under_an_agent_that_runs() {
    let machine = Machine::installed();
    let held = Lock::take(&machine.paths.lock()).unwrap();
    assert!(matches!(machine.uninstall(Scope::Folders), Err(UninstallError::Lock(LockError::Held { .. }))));
    assert!(machine.paths.config().exists());
    drop(held);
    assert!(machine.uninstall(Scope::Folders).unwrap().left.is_empty());
}

#[test]
fn whose_service_it_is() {
    let machine = Machine::new();
    let is_for = |paths: &Paths| is_for(os::here(), Some(Manager::Systemd), &machine.ground, paths);
    let other = Paths::new("/o/etc".into(), "/o/state".into());
    assert!(is_for(&Paths::usual()), "half of it may be there");
    assert!(!is_for(&other));
    let install = |program: &str, paths: &Paths| {
        let start = Start::new(Path::new(program), paths).unwrap();
        machine.ground.carry_out(&Manager::Systemd.install(&start).unwrap()).unwrap();
    };
    install("/usr/local/sbin/vigo", &Paths::usual());
    assert!(!is_for(&other));
    install("/usr/local/sbin/vigo", &other);
    assert!(is_for(&other));
}

//! Hosts with a real systemd as their first process: containers on overlays of one tree, each in a network namespace.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::process::{Ended, Program};
use crate::skip::{needs_root, needs_tools, skipped};
use crate::tree;
use crate::wait::{until, within};

/// The programs that a host is made with.
const TOOLS: [&str; 7] = ["mmdebstrap", "systemd-nspawn", "ip", "mount", "umount", "nsenter", "pgrep"];
/// What systemd-nspawn ends with when the container wants to be started anew.
const REBOOT: i32 = 133;

/// Mounts what is in `lower`, with changes of its own, at `root` in a folder.
fn overlay(lower: &Path, folder: &Path) -> Ended {
    let [root, changes, work] = ["root", "changes", "work"].map(|part| folder.join(part));
    for part in [&root, &changes, &work] {
        fs::create_dir(part).unwrap();
    }
    let layers = format!("lowerdir={},upperdir={},workdir={}", lower.display(), changes.display(), work.display());
    Program::at("mount").args(["-t", "overlay", "overlay", "-o", &layers]).args([root]).run()
}

/// A host that runs systemd; gone when dropped.
pub struct Host {
    name: String,
    namespace: String,
    folder: TempDir,
    container: Option<Child>,
}

impl Host {
    /// Whether the test can go on: root runs it on a Debian that has what hosts are made with. Otherwise that is written
    /// down.
    #[must_use]
    pub fn possible(test: &str) -> bool {
        if !needs_root(test, "a host with systemd") || !needs_tools(test, &TOOLS) {
            return false;
        }
        if tree::release().is_none() {
            skipped(test, "hosts with systemd are made from this machine's Debian, and it has none");
            return false;
        }
        // In a container there may be no leave to mount, or an overlay beneath, on which no other can lie.
        let folder = tempfile::Builder::new().prefix("probe-").tempdir_in(tree::folder()).unwrap();
        let mounted = overlay("/etc".as_ref(), folder.path());
        if mounted.code != 0 {
            skipped(test, &format!("no overlay can be mounted here: {}", mounted.stderr.trim()));
            return false;
        }
        let _ = Program::at("umount").args([folder.path().join("root")]).run().ok();
        true
    }

    /// A host of this name in a network namespace, up.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn start(name: &str, namespace: &str) -> Self {
        let tree = tree::tree();
        let folder = tempfile::Builder::new().prefix("host-").tempdir_in(tree::folder()).unwrap();
        let mut host = Self { name: name.to_owned(), namespace: namespace.to_owned(), folder, container: None };
        let _ = overlay(&tree, host.folder.path()).ok();
        fs::write(host.file("/etc/hostname"), format!("{name}\n")).unwrap();
        fs::write(host.file("/etc/hosts"), format!("127.0.0.1 localhost\n127.0.1.1 {name}\n")).unwrap();
        host.power_on();
        host
    }

    fn part(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn root(&self) -> PathBuf {
        self.part("root")
    }

    /// A file of the host, as this machine sees it.
    #[must_use]
    pub fn file(&self, path: &str) -> PathBuf {
        self.root().join(path.trim_start_matches('/'))
    }

    /// Whether there is such a file.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        Path::new(&self.file(path)).symlink_metadata().is_ok()
    }

    fn power_on(&mut self) {
        let console = fs::File::options().create(true).append(true).open(self.part("console")).unwrap();
        let container = Command::new("systemd-nspawn")
            .args(["--quiet", "--boot", "--register=no", "--keep-unit", "--console=pipe", "--kill-signal=SIGRTMIN+4"])
            .args(["--resolv-conf=off", "--timezone=off", "--link-journal=no"])
            .arg(format!("--machine={}", self.name.split('.').next().unwrap_or_default()))
            .arg(format!("--hostname={}", self.name))
            .arg(format!("--network-namespace-path=/run/netns/{}", self.namespace))
            .arg("-D")
            .arg(self.root())
            .env("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "1")
            .stdin(Stdio::null())
            .stdout(console.try_clone().unwrap())
            .stderr(console)
            .spawn()
            .unwrap();
        self.container = Some(container);
        let up = within(Duration::from_secs(60), || {
            let state = self.try_run(&["systemctl", "is-system-running"])?.stdout;
            matches!(state.trim(), "running" | "degraded").then_some(())
        });
        assert!(up.is_some(), "{} did not come up: {}", self.name, self.console());
    }

    /// What it wrote to its console.
    #[must_use]
    pub fn console(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.part("console")).unwrap_or_default()).into_owned()
    }

    /// Its first process, as this machine counts them; another after each start.
    fn first(&self) -> Option<String> {
        let container = self.container.as_ref()?.id().to_string();
        let found = Program::at("pgrep").args(["-P", &container, "-x", "systemd"]).run();
        found.stdout.lines().next().map(str::to_owned)
    }

    fn try_run(&self, command: &[&str]) -> Option<Ended> {
        let first = self.first()?;
        let enter = ["-t", &first, "-m", "-u", "-i", "-n", "-p", "-C", "-r", "-w", "--", "/usr/bin/env", "-i"];
        let environment =
            ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8"];
        Some(Program::at("nsenter").args(enter).args(environment).args(command).run())
    }

    /// Runs a command in it, as root.
    ///
    /// # Panics
    /// When the host is not up.
    #[track_caller]
    #[must_use]
    pub fn run(&self, command: &[&str]) -> Ended {
        self.try_run(command).expect("the host is up")
    }

    /// Types a line into its shell, as root.
    #[track_caller]
    #[must_use]
    pub fn sh(&self, line: &str) -> Ended {
        self.run(&["/bin/sh", "-c", line])
    }

    /// Has it start anew in good order.
    ///
    /// # Panics
    /// When it does not.
    pub fn reboot(&mut self) {
        // What asked for it is itself ended by it.
        let _ = self.run(&["systemctl", "--no-block", "reboot"]);
        let container = self.container.as_mut().expect("the host is up");
        let status = until("the host goes down", || container.try_wait().unwrap());
        assert_eq!(status.code(), Some(REBOOT), "{}", self.console());
        self.power_on();
    }

    /// Cuts its power, and turns it on again.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn cut_power(&mut self) {
        self.kill();
        self.power_on();
    }

    /// Every process of it ends with its first.
    fn kill(&mut self) {
        let first = self.first();
        let Some(mut container) = self.container.take() else { return };
        // Either may have ended already.
        if let Some(pid) = first.as_deref().and_then(|pid| pid.parse().ok()).and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::KILL);
        }
        let _ = container.kill();
        let _ = container.wait();
        if let Some(first) = first {
            let _ = within(Duration::from_secs(10), || (!Path::new("/proc").join(&first).exists()).then_some(()));
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.kill();
        let gone = within(Duration::from_secs(10), || {
            (Program::at("umount").args([self.root()]).run().code == 0).then_some(())
        });
        if gone.is_none() {
            eprintln!("{} is still in use", self.root().display());
        }
    }
}

//! `vigo-server health`, and `scripts/upgrade.sh` with releases that are good and bad.

#![expect(clippy::unwrap_used, reason = "what is not as expected ends the test")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use vigo_tests::{Ended, Program, Server, needs_tools, sh, until};

#[test]
fn health_is_this_home_s_server_and_no_other() {
    let mut server = Server::start();
    let health = |server: &Server| {
        let config = server.config();
        Program::ours("vigo-server").args(["--config".as_ref(), config.as_os_str(), "health".as_ref()]).run()
    };
    let line = format!("ready at {}\n", server.api());
    assert_eq!(health(&server).ok(), line);

    // Another fleet's home that names the same port.
    let other = Server::start();
    let text = other.configuration().replace(&other.api_port().to_string(), &server.api_port().to_string());
    let mut taken = other;
    taken.stop();
    taken.configure(&text);
    let refused = health(&taken);
    assert_eq!(refused.code, 6, "{}", refused.stderr);
    assert!(refused.stderr.contains("another key than the home's certificate"), "{}", refused.stderr);

    server.stop();
    let stopped = health(&server);
    assert_eq!((stopped.code, stopped.stdout.as_str()), (6, ""), "{}", stopped.stderr);
    fs::remove_file(server.file("tls/cert")).unwrap();
    let bare = health(&server);
    assert_eq!(bare.code, 1, "{}", bare.stderr);
    assert!(bare.stderr.contains("the first start of the server makes it"), "{}", bare.stderr);
}

/// What a service manager does for one service, as far as an upgrade asks. `DIR` is the host's folder.
const SYSTEMCTL: &str = r#"#!/bin/bash
runs() { p=$(cat DIR/pid 2>/dev/null) && [ -d "/proc/$p" ] && ! grep -q '^State:.[ZX]' "/proc/$p/status" 2>/dev/null; }
stop() {
  if runs; then
    kill "$p"
    while runs; do sleep 0.02; done
  fi
}
echo "$*" >>DIR/calls
case $1 in
  restart)
    stop
    for program in DIR/bin/vigo-server DIR/packaged/vigo-server; do
      if [ -x "$program" ]; then
        setsid "$program" --config DIR/home/server.yaml </dev/null >>DIR/log 2>&1 &
        echo $! >DIR/pid
        exit 0
      fi
    done
    exit 1
    ;;
  stop) stop ;;
  is-active) runs ;;
  *) exit 1 ;;
esac
"#;

/// A host with a service manager of its own and room for releases.
struct Host {
    dir: tempfile::TempDir,
    /// Its folder and its configuration; what runs in it is the service manager's.
    home: Server,
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = Program::at(self.at("tools/systemctl")).args(["stop"]).run();
    }
}

fn programs() -> PathBuf {
    std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().to_owned()
}

fn script_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/upgrade.sh")
}

fn executable(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

impl Host {
    fn new() -> Option<Self> {
        if !needs_tools("scripts/upgrade.sh", &["flock", "setsid"]) {
            return None;
        }
        let server = Server::home(&vigo_tests::Options::default());
        let dir = tempfile::Builder::new().prefix("vigo-").tempdir().unwrap();
        let host = Self { dir, home: server };
        std::os::unix::fs::symlink(host.home.dir(), host.at("home")).unwrap();
        executable(&host.at("tools/systemctl"), &SYSTEMCTL.replace("DIR", host.dir.path().to_str().unwrap()));
        Some(host)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A folder as a build leaves it. `run` is what its server does when it is to serve; everything else is the real one.
    fn build(&self, name: &str, run: &str) -> String {
        let real = programs();
        let real = real.display();
        let server = format!(
            "#!/bin/sh\n# {name}\ncase \" $* \" in *' check '* | *' health '* | *' --version '*) ;; *) {run} ;; esac\n\
             exec {real}/vigo-server \"$@\"\n"
        );
        executable(&self.at(&format!("{name}/vigo-server")), &server);
        executable(&self.at(&format!("{name}/vigocli")), &format!("#!/bin/sh\nexec {real}/vigocli \"$@\"\n"));
        self.at(name).to_str().unwrap().to_owned()
    }

    fn upgrade(&self, more: &[&str]) -> Ended {
        self.script(more).run()
    }

    fn script(&self, more: &[&str]) -> Program {
        let at = |name: &str| self.at(name).to_str().unwrap().to_owned();
        let places = ["--prefix", &at("opt"), "--bin-dir", &at("bin"), "--agents-link", &at("share/agents")];
        let config = self.home.config();
        let path = format!("{}:{}:/usr/sbin:/usr/bin:/sbin:/bin", at("tools"), at("packaged"));
        Program::at(script_file())
            .args(places)
            .args(["--config".as_ref(), config.as_os_str()])
            .args(["--deadline", "20"])
            .args(more)
            .env("PATH", path)
    }

    fn is_healthy(&self) -> bool {
        let config = self.home.config();
        Program::ours("vigo-server").args(["--config".as_ref(), config.as_os_str(), "health".as_ref()]).run().code == 0
    }

    /// What operators reach through the links.
    fn answers(&self) -> bool {
        let config = self.home.config();
        let cli = Program::at(self.at("bin/vigocli"));
        cli.args(["--config".as_ref(), config.as_os_str(), "envoys".as_ref(), "list".as_ref()]).run().code == 0
    }

    fn pid(&self) -> String {
        fs::read_to_string(self.at("pid")).unwrap_or_default()
    }

    fn current(&self) -> String {
        fs::read_link(self.at("opt/current")).map_or_else(|_| String::new(), |path| path.to_str().unwrap().to_owned())
    }

    fn releases(&self) -> usize {
        fs::read_dir(self.at("opt/releases")).unwrap().count()
    }
}

#[track_caller]
fn ended(ended: &Ended, code: i32, said: &str) {
    let all = format!("{}{}", ended.stdout, ended.stderr);
    assert_eq!(ended.code, code, "{all}");
    assert!(all.contains(said), "{said}: {all}");
}

#[test]
fn a_good_release_is_swapped_in_and_the_same_one_is_left_alone() {
    let Some(host) = Host::new() else { return };
    let first = host.build("first", ":");
    ended(&host.upgrade(&["--from", &first]), 0, "is healthy");
    assert!(host.answers());
    let (pid, current) = (host.pid(), host.current());
    ended(&host.upgrade(&["--from", &first]), 0, "nothing to do");
    assert_eq!((host.pid(), host.current()), (pid, current.clone()));

    let second = host.build("second", ":");
    ended(&host.upgrade(&["--from", &second, "--dry-run"]), 0, "would lay down");
    assert_eq!((host.current(), host.releases()), (current.clone(), 1));
    ended(&host.upgrade(&["--from", &second]), 0, "the previous one is");
    assert!(host.answers() && host.current() != current);
    assert_eq!(fs::read_link(host.at("opt/previous")).unwrap().to_str(), Some(current.as_str()));

    // The previous one stays whatever --keep says; what is older goes.
    let third = host.build("third", ":");
    ended(&host.upgrade(&["--from", &third, "--keep", "0"]), 0, "removed");
    assert!(host.answers() && !Path::new(&current).exists());
    assert_eq!(host.releases(), 2);
}

#[test]
fn a_release_that_is_not_healthy_is_taken_back() {
    let Some(host) = Host::new() else { return };
    ended(&host.upgrade(&["--from", &host.build("good", ":")]), 0, "is healthy");
    let current = host.current();
    for (name, run) in [("ends-at-once", "exit 3"), ("never-ready", "exec sleep 600")] {
        let bad = host.build(name, run);
        ended(&host.upgrade(&["--from", &bad, "--deadline", "3"]), 5, "answers again");
        assert!(host.answers(), "{name}");
        assert_eq!((host.current(), host.releases()), (current.clone(), 1), "{name}");
    }
    // And a good one after them installs.
    ended(&host.upgrade(&["--from", &host.build("better", ":")]), 0, "is healthy");
    assert!(host.answers() && host.current() != current);
}

#[test]
fn without_an_older_release_the_packaged_server_comes_back_or_none() {
    let Some(host) = Host::new() else { return };
    let bad = host.build("bad", "exit 3");
    ended(&host.upgrade(&["--from", &bad, "--deadline", "2"]), 6, "no older server");
    assert_eq!((host.current().as_str(), host.releases()), ("", 0));
    let packaged = host.build("packaged", ":");
    let _ = Program::at(host.at("tools/systemctl")).args(["restart"]).run().ok();
    // Until the first start has made all of the home, there is none to check.
    until("the packaged server answers", || host.is_healthy().then_some(()));
    ended(&host.upgrade(&["--from", &bad, "--deadline", "10"]), 5, &format!("{packaged}/vigo-server answers again"));
}

#[test]
fn what_is_wrong_before_the_swap_changes_nothing() {
    let Some(host) = Host::new() else { return };
    let good = host.build("good", ":");
    ended(&host.upgrade(&["--from", &good]), 0, "is healthy");
    let (pid, current) = (host.pid(), host.current());
    let check = |arguments: &[&str], code: i32, said: &str| {
        ended(&host.upgrade(arguments), code, said);
        assert_eq!((host.pid(), host.current(), host.releases()), (pid.clone(), current.clone(), 1), "{arguments:?}");
    };
    let odd = host.build("odd", ":");
    executable(&host.at("odd/vigo-server"), "#!/bin/sh\nexit 1\n");
    check(&["--from", &odd], 1, "does not run here");
    executable(&host.at("odd/vigo-server"), "#!/bin/sh\n[ \"$1\" = --version ] && echo vigo-server 0.2.0\n");
    check(&["--from", &odd], 1, "refuses the configuration");
    executable(&host.at("odd/vigo-server"), "#!/bin/sh\necho 'vigo-server ../../etc'\n");
    check(&["--from", &odd], 1, "calls itself");
    fs::remove_file(host.at("odd/vigocli")).unwrap();
    check(&["--from", &odd], 1, "no vigocli");
    check(&["--form", &odd], 2, "unknown argument");
    check(&["--from"], 2, "needs a value");
    check(&["--from", &good, "--deadline", "soon"], 2, "take numbers");
    let (lock, opt, config) = (host.at("opt/.lock"), host.at("opt"), host.home.config());
    let line = format!(
        "flock '{}' '{}' --config '{}' --prefix '{}' --from '{good}'",
        lock.display(),
        script_file().display(),
        config.display(),
        opt.display()
    );
    ended(&sh(&line), 1, "another upgrade is going on");
}

#[test]
fn agents_of_a_release_are_signed_on_the_way() {
    let Some(host) = Host::new() else { return };
    let good = host.build("good", ":");
    let key = host.at("signing.key");
    let key = key.to_str().unwrap();
    let _ = Program::ours("xtask").args(["keygen", key]).run().ok();
    std::os::unix::fs::symlink(programs().join("xtask"), host.at("good/xtask")).unwrap();
    executable(&host.at("good/agents/linux-x86_64/vigo"), "\x7fELF and the rest");
    ended(&host.upgrade(&["--from", &good, "--dry-run"]), 0, "the agent for linux-x86_64 is not signed");
    ended(&host.script(&["--from", &good]).env("SIGN_KEY", key).run(), 0, "is healthy");
    let agent = host.at("share/agents/linux-x86_64/vigo");
    let verified =
        Program::ours("xtask").args(["verify", "--pub", &format!("{key}.pub"), agent.to_str().unwrap()]).run();
    ended(&verified, 0, "linux-x86_64");
}

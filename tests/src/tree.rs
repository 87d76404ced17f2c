//! The files of a Debian with systemd, as small as it gets: made once, and shared by all hosts that start from them.

use std::fs::{self, File};
use std::path::PathBuf;

use crate::process::Program;

/// What a host needs besides the smallest Debian.
const PACKAGES: &str = "systemd,systemd-sysv,dbus,curl,ca-certificates,iproute2,procps";
/// Timers and services of Debian's that have nothing to do there.
const MASKED: &str = "apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer systemd-timesyncd.service getty.target \
                      console-getty.service systemd-networkd-wait-online.service";

/// Where everything of the hosts is: beside what cargo builds, because an overlay cannot lie on another one.
pub(crate) fn folder() -> PathBuf {
    // target/debug/deps/test-0123 → target
    let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned();
    let folder = target.join("systemd-host");
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// This machine's Debian release by its code name, and where apt has its packages from. What is built here runs there.
pub(crate) fn release() -> Option<(String, &'static str)> {
    let text = fs::read_to_string("/etc/os-release").ok()?;
    let value = |name: &str| text.lines().find_map(|line| Some(line.strip_prefix(name)?.trim_matches('"').to_owned()));
    let sources = ["/etc/apt/sources.list.d/debian.sources", "/etc/apt/sources.list"];
    let sources = sources.into_iter().find(|path| fs::metadata(path).is_ok_and(|meta| meta.len() > 0))?;
    if value("ID=")? == "debian" { Some((value("VERSION_CODENAME=")?, sources)) } else { None }
}

/// The tree. The first that asks for it makes it; others wait for that.
pub(crate) fn tree() -> PathBuf {
    let (folder, (release, sources)) = (folder(), release().expect("checked before"));
    let lock = File::create(folder.join("lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let (tree, unfinished) = (folder.join(format!("tree-{release}")), folder.join("unfinished"));
    if !tree.is_dir() {
        let _ = fs::remove_dir_all(&unfinished);
        let paths = ["doc", "man", "locale"].map(|name| format!("--dpkgopt=path-exclude=/usr/share/{name}/*"));
        let _ = Program::at("mmdebstrap")
            .args(["--quiet", "--mode=root", "--variant=minbase", "--aptopt=Acquire::Languages \"none\""])
            .args(paths)
            .args([
                format!("--include={PACKAGES}"),
                format!("--customize-hook=chroot \"$1\" systemctl --quiet mask {MASKED}"),
                // Empty: each host draws its own.
                "--customize-hook=: >\"$1/etc/machine-id\"".to_owned(),
                release,
            ])
            .args([unfinished.as_os_str(), sources.as_ref()])
            .run()
            .ok();
        fs::rename(&unfinished, &tree).unwrap();
    }
    tree
}

//! Every Unix: what it calls itself, what it fetches with, and what computes its checksums.

use std::fs;

use vigo_enroll::script::WebCertificate;

use crate::pki;
use crate::shells::{Shell, shells};
use crate::world::{Call, Fetcher, Ran, World, token, values};

/// Questions and answers: the arguments of a program and what it says, or programs and what they do.
type Says = &'static [(&'static str, &'static str)];

/// A machine as its `uname` and the like describe it.
struct Machine {
    /// As the agent's target has it.
    os: &'static str,
    arch: &'static str,
    /// For `uname`: its argument, and what it says.
    uname: Says,
    /// Other programs that tell something of it, and what they do.
    more: Says,
}

const LINUX: Machine = Machine { os: "linux", arch: "x86_64", uname: &[("-s", "Linux"), ("-m", "x86_64")], more: &[] };
const MACOS: Machine = Machine {
    os: "macos",
    arch: "aarch64",
    uname: &[("-s", "Darwin"), ("-m", "arm64")],
    more: &[("sysctl", "exit 1")],
};
const FREEBSD: Machine =
    Machine { os: "freebsd", arch: "x86_64", uname: &[("-s", "FreeBSD"), ("-m", "amd64")], more: &[] };
const OPENBSD: Machine =
    Machine { os: "openbsd", arch: "x86_64", uname: &[("-s", "OpenBSD"), ("-m", "amd64")], more: &[] };
const NETBSD: Machine =
    Machine { os: "netbsd", arch: "x86_64", uname: &[("-s", "NetBSD"), ("-m", "amd64")], more: &[] };
const ILLUMOS: Machine = Machine {
    os: "illumos",
    arch: "x86_64",
    uname: &[("-s", "SunOS"), ("-o", "illumos"), ("-m", "i86pc")],
    more: &[("isainfo", "[ \"$*\" = -k ] && echo amd64")],
};

impl Machine {
    fn world(&self, fetcher: Fetcher) -> World {
        let world = World::of(self.os, self.arch, fetcher);
        let says: String = self.uname.iter().map(|(flag, says)| format!("{flag}) echo '{says}' ;; ")).collect();
        world.fake("uname", &format!("case $* in {says}*) exit 1 ;; esac"));
        for (name, body) in self.more {
            world.fake(name, body);
        }
        world
    }
}

fn run(world: &World, shell: &Shell, more: &[&str], env: &[(&str, &str)]) -> Ran {
    let bin_dir = world.bin_dir();
    let mut args = vec!["--bin-dir", bin_dir.to_str().expect("UTF-8")];
    args.extend(more);
    world.run(shell, &world.values(), &args, env)
}

/// What was fetched from the server, and whether each answer could come from nobody else.
#[track_caller]
fn check_requests(name: &str, fetcher: Fetcher, ran: &Ran) {
    let by = |program: &str| -> Vec<&Call> {
        ran.calls.iter().filter(|call| call.program == program && call.args != ["--help"]).collect()
    };
    let connections: Vec<&Call> = by("openssl").into_iter().filter(|call| call.args[0] == "s_client").collect();
    let pin = pki::ours().leaf_pin.to_curl();
    let (calls, proof, first) = match fetcher {
        Fetcher::Curl => (by("curl"), format!("--pinnedpubkey {pin}"), 0),
        Fetcher::Wget => (by("wget"), format!("--pinnedpubkey {pin}"), 0),
        Fetcher::OldWgetAndOpenssl => (by("wget"), "--check-certificate --ca-certificate=".to_owned(), 1),
        Fetcher::FetchAndOpenssl => (by("fetch"), "--ca-cert=".to_owned(), 0),
        Fetcher::FtpAndOpenssl => (by("ftp"), "-S cafile=".to_owned(), 0),
        _ => (connections.clone(), "-verify_hostname vigo.example.com -verify_return_error -CAfile ".to_owned(), 1),
    };
    // The CA comes unchecked, and is then compared with the pin; the rest is an announcement and an agent.
    assert_eq!(calls.len(), 2 + first, "{name}: {calls:?}");
    for call in &calls[first..] {
        assert!(call.args.join(" ").contains(&proof), "{name}: {call:?}");
    }
    if matches!(fetcher, Fetcher::FetchAndOpenssl | Fetcher::FtpAndOpenssl) {
        assert_eq!(connections.len(), 1, "{name}");
    }
    assert!(by("ftp").is_empty() || fetcher == Fetcher::FtpAndOpenssl, "{name}");
}

/// All of them in every shell: the agent comes, is the right one, and gets its token.
#[track_caller]
fn check(machine: &Machine, fetchers: &[Fetcher], checksums: &[&[&str]]) {
    let (pin, token) = (pki::ours().ca_pin.to_string(), token(pki::ours().ca_pin));
    for shell in shells() {
        for &fetcher in fetchers {
            for programs in checksums {
                let name = format!("{} {} {fetcher:?} {programs:?}", shell.name, machine.os);
                let world = machine.world(fetcher);
                programs.iter().for_each(|program| world.checksum_by(program));
                let env = [("SSL_NO_VERIFY_PEER", "1"), ("SSL_NO_VERIFY_HOSTNAME", "1")];
                let ran = run(&world, &shell, &["--ca-pin", &pin, "--token", &token], &env);
                assert_eq!(ran.code, Some(0), "{name}: {}", ran.stderr);
                check_requests(&name, fetcher, &ran);
                let last = programs.last().and_then(|program| program.rsplit(' ').next()).expect("a program");
                assert!(ran.count(last) > 0, "{name}: by which program?");
                assert!(ran.only("vigo").args.join(" ").ends_with("--token-stdin"), "{name}");
                assert_eq!(ran.agent_stdin.as_deref(), Some(format!("{token}\n").as_str()), "{name}");
                for call in &ran.calls {
                    assert!(!call.args.join(" ").contains(&token) && !call.env.contains(&token), "{name}: {call:?}");
                }
                assert!(world.is_clean(), "{name} left something behind");
            }
        }
    }
}

use Fetcher::{
    BusyboxWget, BusyboxWgetAndOpenssl, Curl, FetchAndOpenssl, FtpAndOpenssl, Nothing, OldWgetAndOpenssl,
    UselessFtpAndOpenssl, Wget,
};

#[test]
fn rule_02_linux_by_everything_that_it_may_have() {
    let fetchers = [Curl, Wget, OldWgetAndOpenssl, BusyboxWgetAndOpenssl];
    check(&LINUX, &fetchers, &[&["sha256sum"], &["openssl"]]);
    check(&LINUX, &[Curl], &[&["shasum"], &["GNU cksum"]]);
}

#[test]
fn rule_02_macos_by_everything_that_it_may_have() {
    check(&MACOS, &[Curl], &[&["shasum"], &["sha256"], &["openssl"]]);
}

#[test]
fn rule_02_freebsd_by_everything_that_it_may_have() {
    check(&FREEBSD, &[FetchAndOpenssl, Curl, Wget], &[&["sha256"], &["openssl"]]);
}

#[test]
fn rule_02_openbsd_by_everything_that_it_may_have() {
    check(&OPENBSD, &[FtpAndOpenssl, Curl, Wget], &[&["sha256"], &["NetBSD cksum"]]);
}

#[test]
fn rule_02_netbsd_by_everything_that_it_may_have() {
    check(&NETBSD, &[UselessFtpAndOpenssl, Curl, Wget], &[&["NetBSD cksum"], &["pkgsrc digest", "openssl"]]);
}

#[test]
fn rule_02_illumos_by_everything_that_it_may_have() {
    check(&ILLUMOS, &[Curl, Wget, OldWgetAndOpenssl], &[&["digest"], &["sha256sum"]]);
}

#[test]
fn every_name_that_a_system_has_for_its_processor() {
    let arm = |os, uname, more| Machine { os, arch: "aarch64", uname, more };
    for machine in [
        Machine { os: "linux", arch: "x86_64", uname: &[("-s", "Linux"), ("-m", "amd64")], more: &[] },
        arm("linux", &[("-s", "Linux"), ("-m", "aarch64")], &[]),
        arm("linux", &[("-s", "Linux"), ("-m", "arm64")], &[]),
        MACOS,
        // Of a Mac with an Apple processor, in a shell that is translated.
        arm(
            "macos",
            &[("-s", "Darwin"), ("-m", "x86_64")],
            &[("sysctl", "[ \"$*\" = '-n sysctl.proc_translated' ] && echo 1")],
        ),
        Machine {
            os: "macos",
            arch: "x86_64",
            uname: &[("-s", "Darwin"), ("-m", "x86_64")],
            more: &[("sysctl", "echo 0")],
        },
        Machine { os: "macos", arch: "x86_64", uname: &[("-s", "Darwin"), ("-m", "x86_64")], more: &[] },
        FREEBSD,
        arm("freebsd", &[("-s", "FreeBSD"), ("-m", "arm64")], &[]),
        OPENBSD,
        arm("openbsd", &[("-s", "OpenBSD"), ("-m", "arm64")], &[]),
        NETBSD,
        arm("netbsd", &[("-s", "NetBSD"), ("-m", "evbarm"), ("-p", "aarch64")], &[]),
        ILLUMOS,
    ] {
        for shell in shells() {
            let world = machine.world(Curl);
            world.wrap("sha256sum");
            world.fake("curl", "exit 7");
            let ran = run(&world, &shell, &[], &[]);
            assert_eq!(ran.code, Some(6), "{} {:?}: {}", shell.name, machine.uname, ran.stderr);
            let query = format!("?os={}&arch={}&format=text", machine.os, machine.arch);
            let url = ran.only("curl").args.last().expect("an address");
            assert!(url.ends_with(&query), "{} {:?}: {url}", shell.name, machine.uname);
        }
    }
}

#[test]
fn another_platform_is_named_and_so_are_those_supported() {
    let systems = "supported: Linux, macOS, FreeBSD, OpenBSD, NetBSD, illumos, and Windows";
    let processors = "supported: x86_64 (amd64), aarch64 (arm64)";
    let windows = "vigocli bootstrap command --os windows";
    let cases: [(Says, &str, &str); 9] = [
        (&[("-s", "Linux"), ("-m", "riscv64")], "no agent for Linux on riscv64", processors),
        (&[("-s", "Linux"), ("-m", "i686")], "no agent for Linux on i686", processors),
        (&[("-s", "NetBSD"), ("-m", "evbarm"), ("-p", "earmv7hf")], "no agent for NetBSD on earmv7hf", processors),
        (&[("-s", "SunOS"), ("-o", "illumos"), ("-m", "i86pc")], "no agent for SunOS on an unknown", processors),
        // Solaris, with an `uname` that knows `-o` and one that does not.
        (&[("-s", "SunOS"), ("-o", "Solaris"), ("-m", "i86pc")], "no agent for SunOS", systems),
        (&[("-s", "SunOS"), ("-m", "i86pc")], "no agent for SunOS", systems),
        (&[("-s", "AIX"), ("-m", "x86_64")], "no agent for AIX", systems),
        (&[("-s", "MINGW64_NT-10.0-19045"), ("-m", "x86_64")], "no agent for MINGW64_NT-10.0-19045", windows),
        (&[], "no agent for a system without uname", systems),
    ];
    for shell in shells() {
        for (uname, message, hint) in cases {
            let machine = Machine { os: "linux", arch: "x86_64", uname: &[], more: &[] };
            let world = machine.world(Curl);
            let says: String = uname.iter().map(|(flag, says)| format!("{flag}) echo '{says}' ;; ")).collect();
            world.fake("uname", &format!("case $* in {says}*) exit 1 ;; esac"));
            let ran = run(&world, &shell, &[], &[]);
            assert_eq!(ran.code, Some(1), "{} {uname:?}: {}", shell.name, ran.stderr);
            assert!(ran.stderr.contains(&format!("vigo: platform_unsupported: there is {message}")), "{}", ran.stderr);
            assert!(ran.stderr.contains(hint), "{} {uname:?}: {}", shell.name, ran.stderr);
            assert!(!ran.sent() && world.is_clean(), "{}", shell.name);
        }
    }
}

#[test]
fn rule_02_where_nothing_can_check_the_pin_the_systems_package_is_named() {
    let packages = "curl wget openssl";
    for shell in shells() {
        for (machine, manager, hint) in [
            (&LINUX, "apk", "apk add"),
            (&LINUX, "apt-get", "apt-get install"),
            (&LINUX, "dnf", "dnf install"),
            (&LINUX, "nothing", "the packages:"),
            (&MACOS, "brew", "brew install"),
            (&FREEBSD, "fetch", "pkg install"),
            (&OPENBSD, "ftp", "pkg_add"),
            (&NETBSD, "ftp", "pkgin install"),
            (&ILLUMOS, "pkg", "pkg install"),
            (&ILLUMOS, "pkgin", "pkgin install"),
        ] {
            let world = machine.world(if manager == "apk" { BusyboxWget } else { Nothing });
            world.wrap("sha256sum");
            world.fake(manager, "exit 99");
            let ran = run(&world, &shell, &["--ca-pin", &pki::ours().ca_pin.to_string()], &[]);
            let name = format!("{} {} {manager}: {}", shell.name, machine.os, ran.stderr);
            assert_eq!(ran.code, Some(1), "{name}");
            assert!(ran.stderr.contains("vigo: downloader_missing: "), "{name}");
            assert!(ran.stderr.contains(&format!("{hint} {packages}")), "{name}");
            assert!(!ran.sent() && ran.count(manager) == 0 && world.is_clean(), "{name}");
        }
    }
}

#[test]
fn rule_02_fetch_and_ftp_verify_a_publicly_trusted_certificate_by_the_system() {
    let public = values("vigo.example.com:1530", "https://vigo.example.com", WebCertificate::PubliclyTrusted);
    for shell in shells() {
        for (machine, fetcher, program) in [(&FREEBSD, FetchAndOpenssl, "fetch"), (&OPENBSD, FtpAndOpenssl, "ftp")] {
            let world = machine.world(fetcher);
            world.without("openssl");
            world.checksum_by("sha256");
            let bin_dir = world.bin_dir();
            let env = [("SSL_NO_VERIFY_PEER", "1")];
            let ran = world.run(&shell, &public, &["--bin-dir", bin_dir.to_str().expect("UTF-8")], &env);
            assert_eq!(ran.code, Some(0), "{} {program}: {}", shell.name, ran.stderr);
            assert_eq!(ran.count(program), 2, "{} {program}", shell.name);
            for call in ran.calls.iter().filter(|call| call.program == program) {
                assert!(!call.args.join(" ").contains("ca"), "{} {:?}", shell.name, call.args);
            }
        }
    }
}

#[test]
fn rule_02_another_ca_stops_fetch_and_ftp() {
    for shell in shells() {
        for (machine, fetcher, program) in [(&FREEBSD, FetchAndOpenssl, "fetch"), (&OPENBSD, FtpAndOpenssl, "ftp")] {
            let world = machine.world(fetcher);
            world.checksum_by("sha256");
            fs::copy(pki::theirs().file("ca.pem"), world.at("served/ca")).expect("a copy");
            let ran = run(&world, &shell, &[], &[]);
            assert_eq!(ran.code, Some(4), "{} {program}: {}", shell.name, ran.stderr);
            assert!(ran.stderr.contains("vigo: pin_mismatch: "), "{} {program}: {}", shell.name, ran.stderr);
            assert_eq!(ran.count(program), 0, "{} {program}", shell.name);
        }
    }
}

#[test]
fn what_fetch_and_ftp_say_of_a_server_without_an_agent_is_understood() {
    for shell in shells() {
        for (machine, fetcher, program, says, code, message) in [
            (&FREEBSD, FetchAndOpenssl, "fetch", "fetch: https://s/latest: Not Found", 3, "no_agent: "),
            (&OPENBSD, FtpAndOpenssl, "ftp", "ftp: Error retrieving https://s/latest: 404 Not Found", 3, "no_agent: "),
            (
                &FREEBSD,
                FetchAndOpenssl,
                "fetch",
                "fetch: https://s:404/x: Connection refused",
                6,
                "server_unreachable: ",
            ),
            (&OPENBSD, FtpAndOpenssl, "ftp", "ftp: connect: Connection refused", 6, "server_unreachable: "),
        ] {
            let world = machine.world(fetcher);
            world.checksum_by("sha256");
            world.fake(program, &format!("echo '{says}' >&2; exit 1"));
            let ran = run(&world, &shell, &[], &[]);
            assert_eq!(ran.code, Some(code), "{} {says}: {}", shell.name, ran.stderr);
            assert!(ran.stderr.contains(message), "{} {says}: {}", shell.name, ran.stderr);
            assert_eq!(ran.stderr.contains(says), code == 6, "{} {says}: {}", shell.name, ran.stderr);
            assert!(world.is_clean(), "{}", shell.name);
        }
    }
}

#[test]
fn a_head_that_does_not_count_bytes_is_done_without() {
    for shell in shells() {
        let world = OPENBSD.world(FtpAndOpenssl);
        world.checksum_by("sha256");
        world.fake("head", "echo 'head: unknown option -- c' >&2; exit 1");
        let ran = run(&world, &shell, &[], &[]);
        assert_eq!(ran.code, Some(0), "{}: {}", shell.name, ran.stderr);
        assert!(ran.count("dd") > 1, "{}", shell.name);
    }
}

/// No program of this machine is touched: `mkdir`, `mktemp` and `rmdir` are not what they seem.
#[test]
fn where_usr_local_cannot_be_written_vigo_goes_elsewhere_and_says_so() {
    for shell in shells() {
        let world = ILLUMOS.world(Curl);
        world.checksum_by("digest");
        let opt = world.at("opt");
        world.fake("mkdir", "case $* in */usr/local*) exit 1 ;; */opt/vigo*) exit 0 ;; esac; exec /bin/mkdir \"$@\"");
        world.fake(
            "mktemp",
            &format!(
                "case $2 in /opt/vigo/*) /bin/mkdir -p '{0}' && exec /bin/mktemp -d '{0}/.vigo-XXXXXX' ;; esac; exit 1",
                opt.display()
            ),
        );
        world.fake("rmdir", "exit 0");
        let ran = world.run(&shell, &world.values(), &[], &[]);
        assert_eq!(ran.code, Some(0), "{}: {}", shell.name, ran.stderr);
        let said = "vigo: /usr/local/sbin cannot be written: vigo goes into /opt/vigo";
        assert!(ran.stderr.contains(said), "{}: {}", shell.name, ran.stderr);
        assert!(ran.only("vigo").args.join(" ").ends_with("--bin-dir /opt/vigo"), "{}", shell.name);
        assert_eq!(fs::read_dir(&opt).expect("made").count(), 0, "{} left something behind", shell.name);

        // Nowhere at all, and the way out is this system's.
        world.fake("mkdir", "exit 1");
        world.fake("mktemp", "exit 1");
        let ran = world.run(&shell, &world.values(), &[], &[]);
        assert_eq!(ran.code, Some(1), "{}: {}", shell.name, ran.stderr);
        let said = "not_writable: nothing can be written to /usr/local/sbin\nvigo: run as root (| pfexec sh -s -- ...)";
        assert!(ran.stderr.contains(said), "{}: {}", shell.name, ran.stderr);
    }
}

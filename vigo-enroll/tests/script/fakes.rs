//! Downloaders and programs for checksums as the systems have them, in terms of this machine's.

use crate::shells::find;
use crate::world::{Fetcher, World};

impl World {
    /// What can fetch here.
    pub(crate) fn install(&self, fetcher: Fetcher) {
        let busybox = "case $1 in --help) echo 'BusyBox v1.35.0 multi-call binary. Usage: wget [-cqS] URL' >&2; exit 1 ;; esac; exit 98";
        match fetcher {
            Fetcher::Curl => self.fake("curl", &self.serving()),
            Fetcher::Wget => self.fake("wget", &self.wget("--ca-certificate=F --pinnedpubkey=F")),
            Fetcher::OldWgetAndOpenssl => {
                self.fake_openssl();
                self.fake("wget", &self.wget("--ca-certificate=F"));
            }
            Fetcher::BusyboxWgetAndOpenssl => {
                self.fake_openssl();
                self.fake("wget", busybox);
            }
            Fetcher::BusyboxWget => self.fake("wget", busybox),
            Fetcher::FetchAndOpenssl => {
                self.fake_openssl();
                let checks =
                    "case $* in *--no-verify*) exit 96 ;; esac; /usr/bin/env | /bin/grep -q SSL_NO_VERIFY && exit 95";
                self.fake("fetch", &format!("{checks}\n{}", self.serving()));
            }
            Fetcher::FtpAndOpenssl => {
                self.fake_openssl();
                self.fake("ftp", &format!("case $* in *dont*) exit 96 ;; esac\n{}", self.serving()));
            }
            Fetcher::UselessFtpAndOpenssl => {
                self.fake_openssl();
                self.fake("ftp", "exit 98");
            }
            Fetcher::Nothing => {}
            Fetcher::Real(names) => names.iter().for_each(|name| self.wrap(name)),
        }
    }

    fn wget(&self, help: &str) -> String {
        format!("case $1 in --help) echo '  {help}'; exit ;; esac\n{}", self.serving())
    }

    /// Writes the file that the last argument asks for.
    fn serving(&self) -> String {
        let mut body = "for url; do :; done\ncase $* in *--redirect*) exit 97 ;; esac\ncase $url in\n".to_owned();
        for (file, path) in self.files() {
            body += &format!("  'https://'*'{path}') exec /bin/cat '{}' ;;\n", self.at("served").join(file).display());
        }
        body + "esac\nexit 22"
    }

    /// Real openssl, but for the connection.
    fn fake_openssl(&self) {
        let real = find("openssl").expect("openssl is installed");
        self.fake(
            "openssl",
            &format!(
                r#"case $1 in s_client) ;; *) exec {} "$@" ;; esac
IFS=' ' read -r method url version
printf 'HTTP/1.0 200 OK\r\ncontent-type: text/plain\r\n\r\n'
set -- "https://server$url"
{}"#,
                real.display(),
                self.serving()
            ),
        );
    }

    /// A program that computes a SHA-256 and says it as the system of that program does.
    pub(crate) fn checksum_by(&self, program: &str) {
        let real = find("sha256sum").expect("sha256sum is installed");
        let (name, flags, says) = match program {
            "sha256sum" => ("sha256sum", "", "%s  -"),
            "shasum" => ("shasum", "-a 256", "%s  -"),
            "sha256" => ("sha256", "-q", "%s"),
            "digest" => ("digest", "-a sha256", "%s"),
            "NetBSD cksum" => ("cksum", "-a sha256", "%s"),
            "GNU cksum" => ("cksum", "-a sha256", "SHA256 (-) = %s"),
            // Another program of this name, which takes other arguments.
            "pkgsrc digest" => return self.fake("digest", "echo \"digest: can't open -a\" >&2; exit 1"),
            // It may be there for the download already.
            "openssl" if self.at("path/openssl").exists() => return,
            "openssl" => return self.wrap("openssl"),
            other => panic!("no program {other}"),
        };
        self.fake(
            name,
            &format!("[ \"$*\" = '{flags}' ] || exit 64\nset -- $({})\nprintf '{says}\\n' \"$1\"", real.display()),
        );
    }
}

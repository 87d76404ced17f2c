use crate::config::Config;

/// One key of `server.yaml`, as the reference shows it. A test holds [`KEYS`] equal to what the parser takes.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// With its sections, `[]` for each entry of a list: `bootstrap.trusted_enrollment[].pattern`.
    pub name: &'static str,
    /// What its value looks like.
    pub value: &'static str,
    /// What it is for, in a sentence or two.
    pub meaning: &'static str,
    default: fn(&Config) -> String,
}

impl Key {
    /// What holds where the key is left out, as it would be written; empty where there is nothing to write.
    ///
    /// ```
    /// use vigo_server::config::KEYS;
    /// let listen = KEYS.iter().find(|key| key.name == "server.grpc_listen").unwrap();
    /// assert_eq!(listen.default(), ":1530");
    /// ```
    #[must_use]
    pub fn default(&self) -> String {
        (self.default)(&Config::default())
    }
}

const fn key(name: &'static str, value: &'static str, default: fn(&Config) -> String, meaning: &'static str) -> Key {
    Key { name, value, meaning, default }
}

fn path(path: &std::path::Path) -> String {
    path.display().to_string()
}

fn hours(span: std::time::Duration) -> String {
    match span.as_secs() {
        secs if secs % 3600 == 0 => format!("{}h", secs / 3600),
        secs if secs % 60 == 0 => format!("{}m", secs / 60),
        secs => format!("{secs}s"),
    }
}

fn listed<T>(values: &[T]) -> String {
    if values.is_empty() { "[]".to_owned() } else { format!("{} entries", values.len()) }
}

fn none(_: &Config) -> String {
    String::new()
}

/// Every key of `server.yaml`, in its order there.
pub const KEYS: &[Key] = &[
    key(
        "server.grpc_listen",
        "address",
        |c| c.server.grpc_listen.to_string(),
        "Where agents enrol and check in (gRPC). `:1530` is every address of the host, IPv4 and IPv6.",
    ),
    key(
        "server.api_listen",
        "address",
        |c| c.server.api_listen.to_string(),
        "Where the bootstrap script, the API and the web page are (HTTPS).",
    ),
    key(
        "server.hostname",
        "name or address",
        |c| c.server.hostname.clone().unwrap_or_default(),
        "What agents are told to dial. Left out: the host's own name if it resolves, else its first address that is not loopback, with a warning at the start.",
    ),
    key(
        "server.tls.cert_file",
        "path",
        |c| path(&c.server.tls.cert_file),
        "The server's certificate, PEM. Renewed by the server; its key stays.",
    ),
    key(
        "server.tls.key_file",
        "path",
        |c| path(&c.server.tls.key_file),
        "The key of that certificate. `curl --pinnedpubkey` in the printed lines is this key's pin.",
    ),
    key(
        "server.tls.ca_file",
        "path",
        |c| path(&c.server.tls.ca_file),
        "The fleet's CA. `signing_key` and `token_key` lie beside it.",
    ),
    key(
        "server.tls.ca_key_file",
        "path",
        |c| path(&c.server.tls.ca_key_file),
        "The CA's key. Empty (`\"\"`): this server enrols nobody, and goes on with who is enrolled.",
    ),
    key(
        "server.tls_sans",
        "list of names and addresses",
        |c| listed(&c.server.tls_sans),
        "More names for the server's certificate. localhost, 127.0.0.1, ::1, `server.hostname` and the addresses of the host's interfaces are always there.",
    ),
    key(
        "server.api_tls.cert_file",
        "path",
        none,
        "A publicly trusted certificate chain for `server.api_listen` alone, PEM. It is read again when it changes. Port 1530 keeps the fleet's own.",
    ),
    key("server.api_tls.key_file", "path", none, "Its key, PEM."),
    key(
        "server.trusted_proxies",
        "list of networks",
        |c| listed(&c.server.trusted_proxies),
        "The proxies in front of `server.api_listen` whose forwarding headers count.",
    ),
    key(
        "bootstrap.trusted_enrollment[].pattern",
        "pattern",
        none,
        "Hostnames that may enrol without a token, if they also ask from one of these networks. `*` is one or more characters, `?` one that is no dot.",
    ),
    key(
        "bootstrap.trusted_enrollment[].cidrs",
        "list of networks, not empty",
        none,
        "Those networks. `0.0.0.0/0` and `::/0` are any.",
    ),
    key(
        "bootstrap.cert_validity",
        "time",
        |c| hours(c.bootstrap.cert_validity.0),
        "How long an envoy's certificate is valid.",
    ),
    key(
        "bootstrap.reenroll",
        "`proof`, `token` or `any`",
        |c| {
            match c.bootstrap.reenroll {
                super::ReenrollMode::Proof => "proof",
                super::ReenrollMode::Token => "token",
                super::ReenrollMode::Any => "any",
            }
            .to_owned()
        },
        "What may take over the name of an envoy that is not revoked. `proof`: the old identity's signature, or `vigocli envoys allow-reenroll`. `token`: also a token for exactly that name, or one made with `--allow-replace`. `any`: whatever way in; it lets anybody who may enrol take any name.",
    ),
    key(
        "bootstrap.token_hash.cost",
        "4 to 16",
        |c| c.bootstrap.token_hash.cost.0.to_string(),
        "bcrypt's cost for the secrets of tokens.",
    ),
    key(
        "checkin.interval",
        "time",
        |c| hours(c.checkin.interval.0),
        "How often an envoy checks in. One that is silent for 2.5 intervals is `stale`.",
    ),
    key(
        "store.engine",
        "`redb`",
        |c| {
            match c.store.engine {
                super::Engine::Redb => "redb",
            }
            .to_owned()
        },
        "Which store. `redb` is one file in the server's home.",
    ),
    key("store.path", "path", |c| path(&c.store.path), "That file."),
    key(
        "agents.dir",
        "path",
        |c| path(&c.agents.dir),
        "The agents that machines fetch, each in `<os>-<arch>/`. What is not there is looked for in `/usr/share/vigo/agents`.",
    ),
    key(
        "agents.signing_keys",
        "list of at most two keys, 64 hexadecimal digits each",
        |c| listed(c.agents.signing_keys.0.as_slice()),
        "Of these one must have signed a build, or it is not offered. Left out: those that the server was built with; if there are none, builds are handed out as they lie there and no updates are offered.",
    ),
    key("stacks.dir", "path", |c| path(&c.stacks.dir), "The policies, `.vgo` files."),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;

    /// The fields that the parser expects in a section, if it is one: it names them when it meets another.
    fn fields(section: &str) -> Option<Vec<String>> {
        let mut yaml = "{no_such_key: 1}".to_owned();
        for part in section.split('.').rev().filter(|part| !part.is_empty()) {
            yaml = match part.strip_suffix("[]") {
                Some(list) => format!("{{{list}: [{yaml}]}}"),
                None => format!("{{{part}: {yaml}}}"),
            };
        }
        let error = Config::parse(&yaml, Path::new("server.yaml")).err()?.to_string();
        let (_, expected) = error.split_once("unknown field `no_such_key`, expected ")?;
        let expected = expected.trim_start_matches("one of ");
        Some(expected.split(", ").map(|field| field.trim_matches('`').to_owned()).collect())
    }

    fn collect(section: &str, found: &mut BTreeSet<String>) {
        for field in fields(section).unwrap_or_else(|| panic!("`{section}` is no section")) {
            let name = if section.is_empty() { field } else { format!("{section}.{field}") };
            let list = format!("{name}[]");
            if fields(&name).is_some() {
                collect(&name, found);
            } else if fields(&list).is_some() {
                collect(&list, found);
            } else {
                assert!(found.insert(name), "twice in {section}");
            }
        }
    }

    #[test]
    fn they_are_the_keys_that_the_parser_takes() {
        let mut taken = BTreeSet::new();
        collect("", &mut taken);
        let told: BTreeSet<String> = KEYS.iter().map(|key| key.name.to_owned()).collect();
        assert_eq!(told, taken);
        assert_eq!(told.len(), KEYS.len(), "one of them is there twice");
    }

    #[track_caller]
    fn check(name: &str, default: &str) {
        let key = KEYS.iter().find(|key| key.name == name).unwrap();
        assert_eq!(key.default(), default, "{name}");
    }

    #[test]
    fn defaults_are_shown_as_they_would_be_written() {
        check("server.api_listen", ":8443");
        check("server.hostname", "");
        check("server.tls.ca_key_file", "tls/ca_key");
        check("bootstrap.cert_validity", "8760h");
        check("bootstrap.reenroll", "token");
        check("checkin.interval", "5m");
        check("agents.signing_keys", "[]");
        assert_eq!(hours(std::time::Duration::from_secs(90)), "90s");
    }

    /// What is shown as a default means the default.
    #[test]
    fn defaults_can_be_typed() {
        for key in KEYS.iter().filter(|key| !key.default().is_empty()) {
            let mut yaml = key.default();
            if !yaml.starts_with('[') {
                yaml = format!("\"{yaml}\"");
            }
            if key.name.ends_with("cost") {
                yaml = key.default();
            }
            for part in key.name.split('.').rev() {
                yaml = format!("{{{part}: {yaml}}}");
            }
            let read = Config::parse(&yaml, Path::new("server.yaml")).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!((key.default)(&read), key.default(), "{}", key.name);
        }
    }
}

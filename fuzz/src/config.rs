//! `server.yaml`: refused with one line that names a place in the text, or taken with values that cannot be wrong.

use std::path::Path;

use vigo_server::{Config, ConfigError};

use crate::Seed;
use crate::place::holds;

const LONGEST: usize = 8 * 1024;

/// The target.
pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(&data[..data.len().min(LONGEST)]) else { return };
    let path = Path::new("server.yaml");
    match Config::parse(text, path) {
        Ok(config) => in_order(&config),
        Err(error) => {
            let shown = error.to_string();
            assert!(!shown.contains(['\n', '\r']), "more than one line: {shown:?}");
            let ConfigError::Wrong { path: named, line, column, message } = error else {
                panic!("a text is no file that could not be read: {shown}")
            };
            assert_eq!(named, path);
            assert_eq!(shown, format!("server.yaml:{line}:{column}: {message}"));
            assert!(!message.trim().is_empty(), "no reason given for {text:?}");
            assert!(holds(text, line, column), "{shown:?} is no place in {text:?}");
        }
    }
}

fn in_order(config: &Config) {
    for rule in &config.bootstrap.trusted_enrollment {
        assert!(!rule.cidrs.0.is_empty(), "a rule without networks");
        assert_eq!(rule.pattern.0.as_str().parse().as_ref(), Ok(&rule.pattern.0));
    }
    assert!(config.checkin.interval.0.as_secs() >= 1);
    assert!(config.bootstrap.cert_validity.0.as_secs() >= 1);
    assert!((4..=16).contains(&config.bootstrap.token_hash.cost.0));
}

/// Whole files, and mistakes of each kind.
#[must_use]
pub fn seeds() -> Vec<Seed> {
    const WHOLE: &str = "\
# Everything that can be set.
server:
  grpc_listen: :1530
  api_listen: '[::1]:8443'
  hostname: vigo.example.com
  tls: {cert_file: tls/cert, key_file: tls/key, ca_file: tls/ca, ca_key_file: tls/ca_key}
  tls_sans: [vigo, 10.0.0.1]
  api_tls:
    cert_file: public.pem
    key_file: public.key
  trusted_proxies: [10.9.0.0/16, fd00::/8]
bootstrap:
  trusted_enrollment:
    - pattern: '*.lab.example.com'
      cidrs: [10.1.0.0/16, fd00:a::/64]
  cert_validity: 30d
  reenroll: proof
  token_hash: {cost: 12}
checkin:
  interval: 90s
store: {engine: redb, path: db/vigo.redb}
agents: {dir: agents}
stacks: {dir: stacks}
";
    let texts = [
        ("whole", WHOLE),
        ("empty", "# nothing\n"),
        ("unknown-key", "server:\n  hostnam: x\n"),
        ("no-networks", "bootstrap:\n  trusted_enrollment:\n    - pattern: '*.a'\n      cidrs: []\n"),
        ("host-bits", "bootstrap:\n  trusted_enrollment:\n    - {pattern: a.b, cidrs: [10.0.0.1/8]}\n"),
        ("bad-pattern", "bootstrap:\n  trusted_enrollment:\n    - {pattern: '[a]', cidrs: [10.0.0.0/8]}\n"),
        ("bad-span", "checkin:\n  interval: \"so\\non\"\n"),
        ("bad-cost", "bootstrap:\n  token_hash: {cost: 40}\n"),
        ("bad-listen", "server:\n  grpc_listen: 1530\n"),
        ("double-key", "server:\n  tls_sans: [a]\n  tls_sans: [b]\n"),
        ("anchors", "server: &a\n  tls_sans: [&b vigo, *b]\nserver: *a\n"),
        ("block-text", "server:\n  hostname: |\n    a\n    b\n  tls_sans: >-\n    x\n"),
        ("open-list", "server: [1\n"),
        ("tab", "server:\n\tx: 1\n"),
        ("documents", "---\nserver: {}\n...\n---\nserver: {}\n"),
        ("tags", "server: !!map {hostname: !!str 7, tls_sans: !!seq []}\ncheckin: {interval: !x 5m}\n"),
        ("not-ascii", "server:\n  hostname: \"größe\"\n  größe: 1\n"),
    ];
    texts.into_iter().map(|(name, text)| Seed::new(name, text)).collect()
}

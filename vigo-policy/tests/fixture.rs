//! A whole stacks directory, and the bundles that it must give.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::fmt::Write as _;
use std::path::Path;

use vigo_core::{Bundle, Hostname, ServerId, ServerSecret, Value};
use vigo_policy::{Catalogue, Stacks};
use zeroize::Zeroizing;

fn fixture() -> Stacks {
    Stacks::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stacks")).unwrap()
}

fn name(text: &str) -> Hostname {
    text.parse().unwrap()
}

/// A bundle as a person would write it down.
fn show(bundle: &Bundle) -> String {
    let mut text =
        format!("{} in {} as {:?}\n", bundle.hostcrate.as_deref().unwrap(), bundle.environment, bundle.roles);
    for configcrate in &bundle.configcrates {
        writeln!(text, "{}", configcrate.name).unwrap();
        for resource in &configcrate.resources {
            write!(text, "  {} {} {}", resource.kind, resource.name, resource.state).unwrap();
            for (attribute, value) in &resource.attributes {
                write!(text, " {attribute}={}", show_value(value)).unwrap();
            }
            text.push('\n');
        }
    }
    text
}

fn show_value(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(b) => b.to_string(),
        Value::Int(n) => n.to_string(),
        Value::Float(x) => x.to_string(),
        Value::Text(text) => format!("{text:?}"),
        Value::List(items) => format!("[{}]", items.iter().map(show_value).collect::<Vec<_>>().join(" ")),
        Value::Map(map) => {
            let entry = |(k, v): (&String, &Value)| format!("{k}={}", show_value(v));
            format!("{{{}}}", map.iter().map(entry).collect::<Vec<_>>().join(" "))
        }
    }
}

#[track_caller]
fn check(host: &str, expected: &str) {
    let stacks = fixture();
    let hostcrate = stacks.hostcrate(&name(host)).unwrap();
    assert_eq!(show(&hostcrate.bundle), expected, "{host}");
}

#[test]
fn each_host_gets_the_bundle_of_the_first_block_that_takes_it() {
    check(
        "web1.example.com",
        r#"web*.example.com (+1) in production as ["web", "monitored"]
base
  file /etc/motd present content="welcome to production in eu-1, ${USER}" mode="0644"
nginx
  package nginx present
  file /etc/nginx/nginx.conf present settings={gzip=true limit=null listen=[80 443] ratio=0.5 root="/srv/www/html" workers=8}
  service nginx running
site
  directory /srv/www present
metrics
  service metrics-80 running
"#,
    );
    check(
        "api.example.com",
        r#"*.example.com in staging as ["web"]
base
  file /etc/motd present content="welcome to common in nowhere, ${USER}" mode="0644"
nginx
  package nginx present
  file /etc/nginx/nginx.conf present settings={gzip=true limit=null listen=[80 443] ratio=0.5 root="/srv/www/html" workers=2}
  service nginx running
site
  directory /srv/www present
"#,
    );
    check(
        "db1.example.com",
        r#"db1.example.com in production as []
postgres
  directory /srv/pg present
"#,
    );
    let stacks = fixture();
    assert_eq!(stacks.hostcrate(&name("www.example.com")), stacks.hostcrate(&name("web9.example.com")));
    assert_eq!(stacks.hostcrate(&name("example.com")), None);
    assert_eq!(stacks.warnings(), []);
    assert_eq!(stacks.hostcrates().len(), 3);
}

fn keys() -> (ServerSecret, ServerId) {
    (ServerSecret::from_seed(&Zeroizing::new([7; 32])), ServerId::from_random([9; 16]))
}

#[test]
fn a_catalogue_is_signed_once_and_the_same_every_time() {
    let (secret, server) = keys();
    let catalogue = Catalogue::sign(&fixture(), &secret, &server).unwrap();
    let again = Catalogue::sign(&fixture(), &secret, &server).unwrap();
    for host in ["web1.example.com", "api.example.com", "db1.example.com", "elsewhere.net"] {
        let published = catalogue.bundle_for(&name(host));
        assert_eq!(published, again.bundle_for(&name(host)), "{host}");
        let verified = published.signed.verify(&secret.public(), &server).unwrap();
        assert_eq!(verified.state, published.state, "{host}");
        let stacks = fixture();
        let expected = stacks.hostcrate(&name(host)).map(|h| h.bundle.clone()).unwrap_or_default();
        assert_eq!(verified.bundle, expected, "{host}");
        assert_eq!(published.hostcrate, expected.hostcrate, "{host}");
    }
    assert_eq!(catalogue.bundle_for(&name("elsewhere.net")).hostcrate, None);
    let versions = |host: &str| catalogue.bundle_for(&name(host)).state.version.clone();
    assert_eq!(versions("web1.example.com"), versions("www.example.com"));
    assert_ne!(versions("web1.example.com"), versions("api.example.com"));
}

#[test]
fn another_key_is_another_signature_over_the_same_version() {
    let (secret, server) = keys();
    let other = ServerSecret::from_seed(&Zeroizing::new([8; 32]));
    let host = name("web1.example.com");
    let (a, b) =
        (Catalogue::sign(&fixture(), &secret, &server).unwrap(), Catalogue::sign(&fixture(), &other, &server).unwrap());
    assert_eq!(a.bundle_for(&host).state, b.bundle_for(&host).state);
    assert!(a.bundle_for(&host).signed.verify(&other.public(), &server).is_err());
}

#[test]
fn a_missing_directory_is_an_empty_policy_with_a_warning() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("stacks");
    let stacks = Stacks::load(&missing).unwrap();
    assert_eq!(stacks.hostcrates(), []);
    assert_eq!(
        stacks.warnings()[0].to_string(),
        format!(
            "{}: there is no stacks directory: every envoy gets the empty bundle\n  \
             fix: make it, with an envoys.vgo in it, when there is a policy to give",
            missing.display()
        )
    );
    let (secret, server) = keys();
    let catalogue = Catalogue::sign(&stacks, &secret, &server).unwrap();
    let published = catalogue.bundle_for(&name("web1.example.com"));
    assert_eq!(published.signed.verify(&secret.public(), &server).unwrap().bundle, Bundle::default());
}

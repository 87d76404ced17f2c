//! The public surface of the library crates, as text in `tests/public-api/`: a change of it is seen in review. And the
//! examples in its documentation: what a newcomer begins with has one.
//!
//! `VIGO_UPDATE=1 cargo nextest run -p vigo-tests --test public_api` writes the texts anew.

#![expect(clippy::unwrap_used, reason = "what is not as expected ends the test")]

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use public_api::Builder;
use serde_json::Value;

const CRATES: [&str; 4] = ["vigo-core", "vigo-enroll", "vigo-ca", "vigo-policy"];

/// Crates whose types may stand in our public API, each with the reason. Everything else is kept behind types of ours, so
/// that a new version of it is no new version of ours.
const FOREIGN: [(&str, &str); 15] = [
    ("core", "the language"),
    ("alloc", "the language"),
    ("std", "the language"),
    ("zeroize", "a secret that is handed out must be wiped by whoever takes it"),
    ("ipnet", "the network in an error that says what to write instead"),
    ("futures_core", "a watch is a stream, and std has no such trait"),
    ("rustls", "feature `tls`: the point of it is to give rustls its configurations"),
    ("rustls_pki_types", "certificates and keys as every TLS library of this family takes them"),
    ("prost", "feature `grpc`: the generated messages"),
    ("tonic", "feature `grpc`: the generated client and server"),
    ("http", "feature `grpc`: bounds of the generated client and server"),
    ("bytes", "feature `grpc`: bounds of the generated client and server"),
    ("http_body", "feature `grpc`: bounds of the generated client and server"),
    ("tower_service", "feature `grpc`: the generated server is a service"),
    ("i32", "feature `grpc`: the numbers of the schema's enumerations"),
];

/// What a newcomer begins with. Each has an example, on itself or on one of its methods; `cargo test --doc` runs them.
const ENTRY_POINTS: [(&str, &str); 4] = [
    (
        "vigo-core",
        "Hostname HostPattern PatternSet ClientAddr Cidr CidrSet EnvoyId Pin TokenText IdentityKey IdentitySecret \
         ServerSecret Registration SignedRegistration CheckIn Reply Bundle SignedBundle ChallengeKey Session \
         Admission Issuer audit::verify keyspace record::Record store::Store store::Transaction store::scan_all \
         store::conformance store::MemoryStore store::RedbStore",
    ),
    (
        "vigo-enroll",
        "Registrar RegistrarParts AdmissionHook HashPool Limiter Limits Reason Refusal decide rules::Rules \
         token::Token token::TokenKey token::TokenSecret operate::create_token operate::revoke_token \
         operate::add_approval operate::approvals operate::remove_approval operate::allow_reenroll \
         operate::revoke_envoy operate::delete_envoy script::System script::ScriptValues script::bootstrap \
         script::bootstrap_for_windows script::one_liner \
         script::one_liner_for_windows",
    ),
    (
        "vigo-ca",
        "CertificateAuthority CaFiles CaSigner LeafFiles ServerLeaf Root SubjectName VerifiedCsr Profile Plan \
         PeerIdentity ClientRequest files::read_private files::read_public files::write_new_private \
         files::replace_private files::create_private_dir pem::certificates pem::private_key pem::encode_certificate \
         tls::client_config tls::ClientIdentity tls::grpc_server_config tls::web_server_config \
         tls::public_server_config tls::FirstContact tls::Contact tls::DenySet",
    ),
    ("vigo-policy", "Stacks Catalogue Problem StackErrors"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// rustdoc's JSON is unstable: it is asked of the ordinary toolchain, by a rustdoc of ours that lets it, and only to be read
/// here. Everything else of the build stays as the documentation's, so that next to nothing is built for it.
fn document(into: &Path) {
    let rustdoc = into.join("rustdoc");
    std::fs::write(&rustdoc, "#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec rustdoc \"$@\"\n").unwrap();
    std::fs::set_permissions(&rustdoc, std::fs::Permissions::from_mode(0o755)).unwrap();
    let output = Command::new(env!("CARGO"))
        .current_dir(root())
        .args(["doc", "--quiet", "--locked", "--no-deps", "--lib", "--workspace", "--all-features"])
        .env("RUSTDOC", &rustdoc)
        .env("RUSTDOCFLAGS", "-Zunstable-options --output-format json --cap-lints allow")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Where [`document`] put a crate's documentation.
fn json(name: &str) -> PathBuf {
    // target/debug/deps/public_api-0123 → target
    let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned();
    target.join("doc").join(format!("{}.json", name.replace('-', "_")))
}

fn surface(name: &str) -> Vec<String> {
    let api = Builder::from_rustdoc_json(json(name))
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()
        .unwrap();
    api.items().map(ToString::to_string).collect()
}

/// One test, because the documentation is made once.
#[test]
fn the_public_surface_is_what_was_reviewed_and_has_its_examples() {
    // How rustdoc writes an item differs from version to version: the texts are of the oldest one that is promised.
    let version = Command::new("rustdoc").arg("--version").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    if !version.starts_with(concat!("rustdoc ", env!("CARGO_PKG_RUST_VERSION"), ".")) {
        let why = format!("it needs rustdoc {}, and this is {version}", env!("CARGO_PKG_RUST_VERSION"));
        vigo_tests::skipped("the_public_surface_is_what_was_reviewed_and_has_its_examples", why.trim());
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    document(folder.path());
    the_public_surface_is_what_was_reviewed();
    entry_points_have_examples();
}

fn the_public_surface_is_what_was_reviewed() {
    let update = update();
    let (mut changed, mut strange, mut used) = (Vec::new(), Vec::new(), BTreeSet::new());
    for name in CRATES {
        let items = surface(name);
        let ours = [name.replace('-', "_"), "vigo_core".to_owned()];
        for item in &items {
            for first in crates(item).into_iter().filter(|first| !ours.iter().any(|ours| ours == first)) {
                match FOREIGN.iter().find(|(foreign, _)| *foreign == first) {
                    Some((foreign, _)) => _ = used.insert(*foreign),
                    None => strange.push(format!("{name}: `{first}` may not stand in a public API: {item}")),
                }
            }
        }
        // What is generated from the schema is the schema's to show.
        let found: BTreeSet<String> = items.into_iter().filter(|item| !item.contains("::wire::")).collect();
        let path = root().join("tests/public-api").join(format!("{name}.txt"));
        if update {
            let lines: Vec<&str> = found.iter().map(String::as_str).collect();
            std::fs::write(&path, lines.join("\n") + "\n").unwrap();
        }
        let known: BTreeSet<String> =
            std::fs::read_to_string(&path).unwrap_or_default().lines().map(str::to_owned).collect();
        changed.extend(known.difference(&found).map(|line| format!("{name}: - {line}")));
        changed.extend(found.difference(&known).map(|line| format!("{name}: + {line}")));
    }
    assert!(strange.is_empty(), "{}", strange.join("\n"));
    assert_eq!(used, FOREIGN.iter().map(|(name, _)| *name).collect(), "each of the list stands there");
    assert!(changed.is_empty(), "VIGO_UPDATE=1 writes it anew; review the change:\n{}", changed.join("\n"));
}

fn entry_points_have_examples() {
    let mut lacking = Vec::new();
    for (name, paths) in ENTRY_POINTS {
        let documentation = Documentation::of(name);
        for path in paths.split_whitespace() {
            match documentation.item(path) {
                Some(item) if documentation.has_example(item) => {}
                Some(_) => lacking.push(format!("{name}: `{path}` has no example")),
                None => lacking.push(format!("{name}: there is no `{path}`")),
            }
        }
    }
    assert!(lacking.is_empty(), "{}", lacking.join("\n"));
}

/// A crate's documentation, as rustdoc writes it: items by id, each naming those in it by their ids.
struct Documentation(Value);

impl Documentation {
    fn of(name: &str) -> Self {
        Self(serde_json::from_slice(&std::fs::read(json(name)).unwrap()).unwrap())
    }

    fn by_id(&self, id: &Value) -> &Value {
        &self.0["index"][id.to_string()]
    }

    fn by_ids<'a>(&'a self, ids: &'a Value) -> impl Iterator<Item = &'a Value> {
        ids.as_array().into_iter().flatten().map(|id| self.by_id(id))
    }

    /// The item that others name by this path: re-exports are followed.
    fn item(&self, path: &str) -> Option<&Value> {
        path.split("::").try_fold(self.by_id(&self.0["root"]), |module, part| {
            self.by_ids(&module["inner"]["module"]["items"]).find_map(|item| match &item["inner"]["use"] {
                Value::Null => (item["name"] == part).then_some(item),
                reexport => (reexport["name"] == part).then(|| self.by_id(&reexport["id"])),
            })
        })
    }

    /// Whether there is one on the item, on a method of its own, or, for a trait, on something in it.
    fn has_example(&self, item: &Value) -> bool {
        let inner = &item["inner"];
        let impls = ["struct", "enum"].into_iter().flat_map(|kind| self.by_ids(&inner[kind]["impls"]));
        let own = impls.map(|block| &block["inner"]["impl"]).filter(|block| block["trait"].is_null());
        let methods = own.flat_map(|block| self.by_ids(&block["items"]));
        let mut all = std::iter::once(item).chain(methods).chain(self.by_ids(&inner["trait"]["items"]));
        all.any(|item| shows_code(item["docs"].as_str().unwrap_or_default()))
    }
}

/// Whether a text has a block of code that is compiled and run.
fn shows_code(docs: &str) -> bool {
    let fences = docs.lines().map(str::trim).filter(|line| line.starts_with("```"));
    fences.step_by(2).any(|opening| matches!(opening, "```" | "```rust"))
}

/// The crates that the paths of one item begin in.
fn crates(item: &str) -> BTreeSet<&str> {
    let words = item.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':'));
    let paths = words.filter(|word| word.contains("::") && word.starts_with(|c: char| c.is_ascii_lowercase()));
    paths.filter_map(|path| path.split("::").next()).collect()
}

#[expect(clippy::disallowed_methods, reason = "tests are run by a command that sets it")]
fn update() -> bool {
    std::env::var_os("VIGO_UPDATE").is_some()
}

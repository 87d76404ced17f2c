//! Bad updates, each refused without a trace, each followed by a good one that installs.

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use serde_json::{Value, json};
use vigo_core::UnixTime;
use vigo_tests::Lie;

use crate::world::{CURRENT, NEXT, Told, World, build, is_download, is_latest, manifest, now, public, whole};

/// The bad one is refused with this code, and the program, its folder and the floor are what they were.
#[track_caller]
fn refuse(world: &World, name: &str, code: &str) {
    let floor = world.ledger()["floor"].clone();
    let told = world.update();
    assert_ne!(told.code, 0, "{name} was installed: {}", told.stdout);
    let said: Value = serde_json::from_str(&told.stdout).unwrap_or_else(|_| panic!("{name}: {}", told.stderr));
    assert_eq!(said["failure"][1], code, "{name}: {said}");
    assert_eq!(world.version(), "vigo 0.2.0", "{name}");
    assert_eq!(world.ledger()["floor"], floor, "{name} moved the floor");
    let partial = code == "server_unreachable";
    assert!(partial || world.beside().is_empty(), "{name} left {:?}", world.beside());
}

/// Refused, then a good one installs, then all is as before.
#[track_caller]
fn check(world: &World, name: &str, told: Told, code: &str) {
    world.tell(told);
    refuse(world, name, code);
    world.installs("0.3.0", name);
    world.reset();
}

/// The same for what cannot be said of a build.
#[track_caller]
fn check_lie(world: &World, name: &str, lie: Lie, code: &str) {
    world.liar.tell(lie);
    refuse(world, name, code);
    world.installs("0.3.0", name);
    world.reset();
}

fn new() -> Vec<u8> {
    build("0.3.0", "nothing")
}

#[test]
fn rule_15_manifests_that_are_refused() {
    let world = World::new("manifests.example.com");
    let good = || manifest("0.3.0", &new());
    let text = |change: fn(String) -> String| Told::text(&change(good().to_text()), new());
    let signature = |bytes: Vec<u8>| Told { signature: bytes, ..Told::of(&good(), new()) };

    let mut flipped = Told::of(&good(), new());
    flipped.signature[7] ^= 1;
    check(&world, "a wrong signature", flipped, "update_signature");
    check(&world, "an all-zero signature", signature(vec![0; 64]), "update_signature");
    check(&world, "an empty signature", signature(vec![]), "reply_refused");
    check(&world, "a signature of 65 bytes", signature(vec![1; 65]), "reply_refused");
    let mut changed = Told::of(&good(), new());
    let at = changed.manifest.windows(5).position(|bytes| bytes == b"0.3.0").unwrap();
    changed.manifest[at] = b'1';
    check(&world, "a manifest changed after it was signed", changed, "update_signature");
    check(&world, "the next key before it is announced", Told::by(NEXT, &good(), new()), "update_signature");
    check(&world, "a key of nobody's", Told::by(9, &good(), new()), "update_signature");
    check(
        &world,
        "the right key over another label",
        text(|t| t.replace("vigo/agent/v1", "vigo/bundle/v1")),
        "update_manifest",
    );
    check(&world, "another product's", text(|t| t.replace("product vigo", "product other")), "update_manifest");
    check(&world, "another spelling", text(|t| t.replace('\n', "\r\n")), "update_manifest");
    check(&world, "more than its lines", text(|t| t + "more\n"), "update_manifest");
    check(&world, "a size of nothing", text(|t| t.replace("size ", "size 0\nsize ")), "update_manifest");
    check(&world, "a manifest of 2 KiB", text(|t| t + &"x".repeat(2048)), "reply_refused");
    check(&world, "an empty manifest", Told::text("", new()), "update_manifest");

    let target = |name: &str| Told::of(&vigo_core::AgentManifest { target: name.parse().unwrap(), ..good() }, new());
    check(&world, "another processor's", target("linux-aarch64"), "update_other_target");
    check(&world, "another system's", target("macos-x86_64"), "update_other_target");
    let valid = |from: u64, until: u64| {
        let (not_before, expires) = (UnixTime::from_secs(from), UnixTime::from_secs(until));
        Told::of(&vigo_core::AgentManifest { not_before, expires, ..good() }, new())
    };
    check(&world, "an expired one", valid(now() - 600, now() - 1), "update_expired");
    check(&world, "one not yet valid", valid(now() + 600, now() + 6000), "update_not_yet_valid");
    let older = build("0.1.9", "nothing");
    check(&world, "an older version", Told::of(&manifest("0.1.9", &older), older), "update_older");
    let minimum = vigo_core::AgentManifest { minimum: "0.2.1".parse().unwrap(), ..good() };
    check(&world, "one that wants a newer agent", Told::of(&minimum, new()), "update_below_minimum");
}

#[test]
fn rule_15_answers_that_are_refused() {
    let world = World::new("answers.example.com");
    let latest = |response: fn() -> Response| -> Lie { Box::new(move |parts| is_latest(parts).then(response)) };
    check_lie(
        &world,
        "no manifest",
        latest(|| axum::Json(json!({"version": "0.3.0"})).into_response()),
        "agent_unsigned",
    );
    check_lie(&world, "no JSON", latest(|| "0.3.0".into_response()), "reply_refused");
    check_lie(&world, "no answer", latest(|| StatusCode::INTERNAL_SERVER_ERROR.into_response()), "refused");
    check_lie(&world, "a redirect to elsewhere", latest(elsewhere), "refused");
    check_lie(&world, "an endless description", latest(|| endless().into_response()), "reply_refused");

    // The manifest is good, and what is handed out is not what it says.
    let download = |response: fn(&[u8]) -> Response| -> Lie {
        let told = Told::good("0.3.0");
        Box::new(move |parts| {
            if is_latest(parts) {
                return Some(axum::Json(told.latest()).into_response());
            }
            is_download(parts).then(|| response(&told.binary))
        })
    };
    check_lie(&world, "a binary elsewhere", download(|_| elsewhere()), "refused");
    check_lie(&world, "an empty binary", download(|_| whole(b"")), "server_unreachable");
    check_lie(&world, "a truncated binary", download(|bytes| whole(&bytes[..bytes.len() / 2])), "server_unreachable");
    check_lie(&world, "a binary one byte short", download(|b| whole(&b[..b.len() - 1])), "server_unreachable");
    check_lie(&world, "a binary one byte long", download(|b| whole(&[b, b"!"].concat())), "checksum_mismatch");
    check_lie(&world, "an endless binary", download(|_| endless().into_response()), "checksum_mismatch");
    check_lie(&world, "a flipped bit", download(flipped), "checksum_mismatch");
    check_lie(
        &world,
        "an old binary for a new manifest",
        download(|_| whole(&build("0.2.9", "nothing"))),
        "checksum_mismatch",
    );
}

fn elsewhere() -> Response {
    (StatusCode::FOUND, [("location", "https://192.0.2.1/agent")]).into_response()
}

fn flipped(bytes: &[u8]) -> Response {
    let mut bytes = bytes.to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    whole(&bytes)
}

fn endless() -> Body {
    Body::from_stream(futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from(vec![b' '; 64 * 1024]))))
}

#[test]
fn rule_15_floors() {
    let world = World::new("floors.example.com");
    // A good manifest of a far version, and a binary that is not its own.
    let far = manifest("9.0.0", &build("9.0.0", "nothing"));
    check(&world, "a floor reached forward", Told::of(&far, build("9.9.9", "nothing")), "checksum_mismatch");
    let expired =
        vigo_core::AgentManifest { expires: UnixTime::from_secs(now() - 1), not_before: UnixTime::from_secs(1), ..far };
    check(
        &world,
        "a floor reached forward by an expired one",
        Told::of(&expired, build("9.0.0", "nothing")),
        "update_expired",
    );

    // What was verified once is the floor, also for a program that was put back by hand.
    world.installs("0.4.0", "nothing");
    world.put_back();
    std::fs::remove_file(world.bin().join("vigo.previous")).unwrap();
    world.tell(Told::good("0.3.0"));
    refuse(&world, "older than what was once verified", "update_older");
    world.installs("0.4.0", "one older than the floor");
    // A file that cannot be read is no empty one.
    std::fs::write(world.machine.state_dir().join("update.json"), "{").unwrap();
    world.tell(Told::good("0.5.0"));
    let said = world.update();
    assert_eq!(said.code, 1, "{}", said.stderr);
    assert!(said.stderr.contains("update.json"), "{}", said.stderr);
}

#[test]
fn rule_15_keys_that_are_none() {
    let mut world = World::new("keys.example.com");
    let weak = format!("01{}", "00".repeat(31));
    for (name, keys) in [("no key", String::new()), ("the zero key", "00".repeat(32)), ("a weak key", weak)] {
        world.keys = keys;
        world.tell(Told::good("0.3.0"));
        refuse(&world, name, "update_no_key");
        let told = world.vigo(&["status"]).run().ok();
        assert!(told.contains("Updates: refused (this agent was built without a signing key)"), "{told}");
    }
    // A signature that anybody can make for a weak key: R = A = the neutral point, s = 0.
    let mut told = Told::good("0.3.0");
    told.signature = [&[1][..], &[0; 63]].concat();
    world.tell(told);
    refuse(&world, "a forged signature by a weak key", "update_no_key");

    // The next key counts once it is announced, and then the current one need not.
    world.keys = format!("{},{}", public(CURRENT), public(NEXT));
    let binary = build("0.3.0", "nothing");
    world.tell(Told::by(NEXT, &manifest("0.3.0", &binary), binary));
    assert_eq!(world.update().code, 0);
    assert_eq!(world.version(), "vigo 0.3.0");
    let told = world.vigo(&["status"]).run().ok();
    assert!(told.contains("Updates: signed by sha256:") && told.contains(" or sha256:"), "{told}");
    assert!(told.contains("Version: 0.3.0"), "{told}");
}

#[test]
fn a_download_goes_on_where_it_broke_off() {
    let world = World::new("resume.example.com");
    let told = Told::good("0.3.0");
    world.publish(&told);
    let half = told.binary.len() / 2;
    let bytes = told.binary.clone();
    world.liar.tell(Box::new(move |parts| is_download(parts).then(|| whole(&bytes[..half]))));
    refuse(&world, "half of it", "server_unreachable");
    let [partial] = &world.beside()[..] else { panic!("{:?}", world.beside()) };
    assert_eq!(std::fs::metadata(world.bin().join(partial)).unwrap().len(), half as u64);
    let asked = std::sync::Arc::new(std::sync::Mutex::new(None));
    let seen = std::sync::Arc::clone(&asked);
    world.liar.tell(Box::new(move |parts| {
        if is_download(parts) {
            *seen.lock().unwrap() = parts.headers.get("range").map(|range| range.to_str().unwrap().to_owned());
        }
        None
    }));
    let done = world.update();
    assert_eq!(done.code, 0, "{}{}", done.stdout, done.stderr);
    assert_eq!(asked.lock().unwrap().as_deref(), Some(format!("bytes={half}-").as_str()));
    assert_eq!(world.version(), "vigo 0.3.0");
}

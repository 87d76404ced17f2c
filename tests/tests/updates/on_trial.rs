//! What a signed build must show before it takes the old one's place.

use vigo_tests::{Program, until};

use crate::world::{Told, World, build, manifest};

fn told(version: &str, wrong: &str) -> Told {
    let binary = build(version, wrong);
    Told::of(&manifest(version, &binary), binary)
}

/// Signed by the right key, and not fit: it is refused with what it did, and skipped from then on.
#[track_caller]
fn check(world: &World, wrong: &str, bad: Told, says: &str) {
    world.tell(bad);
    let done = world.update();
    assert_eq!(done.code, 1, "{wrong} was installed: {}", done.stdout);
    let said: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!(said["failure"][1], "update_failed", "{said}");
    assert!(said["failure"][2].as_str().unwrap().contains(says), "{said}");
    assert_eq!(world.version(), "vigo 0.2.0");
    assert!(world.beside().is_empty(), "{wrong} left {:?}", world.beside());
    let _ = world.vigo(&["run"]).run().ok();
    let shown = world.server.json(&["envoys", "show", &world.machine.envoy()]);
    assert_eq!(shown["update_failure"]["code"], "update_failed", "the server knows: {shown}");
    world.installs("0.3.0", wrong);
    world.reset();
}

#[test]
fn rule_15_signed_builds_that_are_not_fit() {
    let world = World::new("unfit.example.com");
    check(&world, "one that crashes at once", told("0.3.0", "crashes"), "it ended (signal: 6");
    check(&world, "one that never checks in", told("0.3.0", "hangs"), "did not check in 2 times within 6 s");
    check(&world, "one that loses the network", told("0.3.0", "loses-the-network"), "did not check in 2 times");
    let text = b"not a program\n".to_vec();
    check(&world, "one that is no program", Told::of(&manifest("0.3.0", &text), text), "it cannot be started");
    let other = build("0.2.9", "nothing");
    check(&world, "one that is another version", Told::of(&manifest("0.3.0", &other), other), "it calls itself 0.2.9");
    check(
        &world,
        "one that crashes in its place",
        told("0.3.0", "crashes-in-service"),
        "it ended in its place (signal: 6",
    );
    let other = b"#!/bin/true\n".to_vec();
    check(&world, "one that ends well and says nothing", Told::of(&manifest("0.3.0", &other), other), "after 0 of 2");
}

/// The daemon updates itself from what the server offers, becomes the new version, and leaves a bad one alone.
#[test]
fn rule_15_the_daemon_updates_itself() {
    let world = World::new("daemon.example.com");
    world.tell_the_truth();
    world.publish(&told("0.3.0", "crashes"));
    let mut daemon = world.vigo(&["daemon"]).daemon();
    daemon.says("0.3.0 was tried and is not installed");
    let envoy = world.machine.envoy();
    let shown = |field: &str| world.server.json(&["envoys", "show", &envoy])[field].clone();
    until("the server knows of the failure", || (shown("update_failure")["version"] == "0.3.0").then_some(()));
    assert_eq!(shown("agent_version"), "0.2.0");
    let tries = daemon.all().matches("verified; trying it").count();

    // Left alone, until the server has another: the same version, built right.
    world.publish(&told("0.3.1", "nothing"));
    until("the new version checks in", || (shown("agent_version") == "0.3.1").then_some(()));
    assert_eq!(tries, 1, "{}", daemon.all());
    assert_eq!(daemon.all().matches("verified; trying it").count(), 2, "{}", daemon.all());
    world.becomes(&daemon, "0.3.1");
    until("the failure is over", || shown("update_failure").is_null().then_some(()));
    assert_eq!(world.version(), "vigo 0.3.1");
    assert_eq!(world.beside(), ["vigo.previous"]);
    let previous = Program::at(world.bin().join("vigo.previous")).args(["version"]).run().ok();
    assert_eq!(previous.trim(), "vigo 0.2.0", "the old one is kept");
    // The process is the same one: no service manager saw it end.
    let told = world.vigo(&["update", "--check"]).run().ok();
    assert!(told.starts_with("up to date"), "{told}");
    daemon.stop();
}

/// While a version is on trial nobody makes it update itself; and an outage then is not the build's fault.
#[test]
fn rule_15_what_happens_around_a_trial() {
    let world = World::new("around.example.com");
    world.tell(told("0.3.0", "nothing"));
    let mut daemon = world.vigo(&["daemon"]).env("TEST_PAUSE", "5000").env("TEST_DEADLINE", "60000").daemon();
    daemon.says("checking in");
    let first = world.vigo(&["update"]).start();
    daemon.says("verified; trying it");
    until("what is on trial refuses", || {
        let asked = world.vigo(&["update"]).run();
        asked.stderr.contains("a version is on trial at this moment").then_some(())
    });
    assert_eq!(first.end().code, 0);
    world.becomes(&daemon, "0.3.0");
    assert_eq!(world.version(), "vigo 0.3.0");
    assert_eq!(world.ledger()["floor"], "0.3.0");
    daemon.stop();

    world.reset();
    let good = told("0.3.1", "nothing");
    world.publish(&good);
    let down = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let flag = std::sync::Arc::clone(&down);
    world.liar.tell(Box::new(move |parts| {
        use std::sync::atomic::Ordering::SeqCst;
        if crate::world::is_download(parts) {
            flag.store(true, SeqCst);
            return Some(crate::world::whole(&good.binary));
        }
        let gone = || axum::response::IntoResponse::into_response(http::StatusCode::SERVICE_UNAVAILABLE);
        flag.load(SeqCst).then(gone)
    }));
    let mut daemon = world.vigo(&["daemon"]).daemon();
    daemon.says("could not be tried: the server cannot be reached");
    world.tell_the_truth();
    until("it is tried again", || (world.version() == "vigo 0.3.1").then_some(()));
    world.becomes(&daemon, "0.3.1");
    daemon.stop();
}

/// What a process cannot write down it says all the same.
#[test]
fn a_damaged_ledger_is_told_of() {
    let world = World::new("damaged.example.com");
    world.tell_the_truth();
    std::fs::write(world.machine.state_dir().join("update.json"), "{").unwrap();
    let mut daemon = world.vigo(&["daemon"]).daemon();
    daemon.says("checking in");
    let envoy = world.machine.envoy();
    let shown = |field: &str| world.server.json(&["envoys", "show", &envoy])[field].clone();
    until("the server knows", || (shown("update_failure")["code"] == "update_state_damaged").then_some(()));
    let _ = world.server.json(&["envoys", "rebootstrap", &envoy, "--yes"]);
    let directive = until("it is settled", || Some(shown("directive")).filter(|it| it["outcome"] == "failed"));
    assert_eq!(directive["code"], "update_state_damaged", "{directive}");
    daemon.stop();
}

/// By hand while a daemon runs: the daemon does it, and its answer comes before it becomes the new version.
#[test]
fn a_person_updates_a_daemon() {
    let world = World::new("by-hand.example.com");
    world.tell_the_truth();
    let mut daemon = world.vigo(&["daemon"]).daemon();
    daemon.says("checking in");
    let none = world.vigo(&["update"]).run();
    assert_eq!(none.code, 3, "{}", none.stderr);
    world.tell(told("0.4.0", "crashes"));
    let bad = world.vigo(&["update"]).run();
    assert_eq!(bad.code, 1, "{}", bad.stderr);
    assert!(bad.stderr.contains("0.4.0 was tried and is not installed"), "{}", bad.stderr);
    world.tell(told("0.4.1", "nothing"));
    let there = world.vigo(&["update", "--check"]).run().ok();
    assert_eq!(there, "available  0.4.1 (running 0.2.0); `vigo update` installs it\n");
    let done = world.vigo(&["update"]).run().ok();
    assert_eq!(done, "installed  0.4.1 (was 0.2.0); it runs from the daemon's next start, or already\n");
    until("the new one is there", || {
        let status = world.vigo(&["status"]).run();
        (status.stdout.contains("Service: running") && status.stdout.contains("Version: 0.4.1")).then_some(())
    });
    world.becomes(&daemon, "0.4.1");
    daemon.stop();
}

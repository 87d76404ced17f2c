//! Updates and enrolments that an operator asks for.

use vigo_tests::until;

use crate::world::{Told, World, build, manifest};

#[test]
fn rebootstrap_updates_what_failed_before() {
    let world = World::new("web1.example.com");
    world.tell_the_truth();
    let envoy = world.machine.envoy();
    let directive = || world.server.json(&["envoys", "show", &envoy])["directive"].clone();
    let bad = build("0.3.0", "crashes");
    world.publish(&Told::of(&manifest("0.3.0", &bad), bad));
    let mut daemon = world.vigo(&["daemon"]).daemon();
    daemon.says("0.3.0 was tried and is not installed");

    let would = world.server.json(&["envoys", "rebootstrap", "web*.example.com", "--dry-run"]);
    assert_eq!(
        (would[0]["hostname"].as_str(), would[0]["outcome"].as_str()),
        (Some("web1.example.com"), Some("would"))
    );
    assert!(directive().is_null(), "a dry run changes nothing");
    let none = world.server.cli(&["envoys", "rebootstrap", "db*.example.com", "--yes"]);
    assert_eq!(none.code, 3, "{}", none.stderr);
    let many = world.server.cli(&["envoys", "rebootstrap", "*.example.com", "--at-most", "0", "--yes"]);
    assert_eq!(many.code, 5, "{}", many.stderr);
    assert!(many.stderr.contains("nothing was changed"), "{}", many.stderr);
    let unconfirmed = world.server.cli(&["envoys", "rebootstrap", "*.example.com"]);
    assert_ne!(unconfirmed.code, 0);

    // The same bad one, because somebody asks for it: tried again, and told.
    let asked = world.server.json(&["envoys", "rebootstrap", &envoy, "--yes"]);
    assert_eq!(asked[0]["outcome"], "pending");
    let failed = until("the directive failed", || Some(directive()).filter(|it| it["outcome"] == "failed"));
    assert_eq!(failed["code"], "update_failed", "{failed}");
    assert_eq!(daemon.all().matches("verified; trying it").count(), 2, "{}", daemon.all());
    let (outcome, detail) = world.server.last_audit("envoy.rebootstrap");
    assert_eq!(outcome, "update_failed");
    assert!(detail.starts_with("web1.example.com: update: version 0.3.0 was tried"), "{detail}");

    world.publish(&Told::good("0.3.1"));
    until("the good one runs", || {
        (world.server.json(&["envoys", "show", &envoy])["agent_version"] == "0.3.1").then_some(())
    });
    world.becomes(&daemon, "0.3.1");
    let _ = world.server.cli(&["envoys", "rebootstrap", "web1.example.com", "--yes"]).ok();
    let done = until("the directive is done", || Some(directive()).filter(|it| it["outcome"] == "done"));
    assert!(done["settled_at"].is_string(), "nothing was left to do: {done}");
    daemon.stop();
}

#[test]
fn rule_09_rebootstrap_enrols_anew_by_proof() {
    let world = World::new("web2.example.com");
    world.tell_the_truth();
    let envoy = world.machine.envoy();
    // Its own way to the server: the one between would speak for the old envoy.
    let config = world.machine.config_dir().join("config");
    let text = std::fs::read_to_string(&config).unwrap();
    let between = format!("127.0.0.1:{}", world.liar.port());
    std::fs::write(&config, text.replace(&between, &world.server.grpc())).unwrap();

    let mut daemon = world.vigo(&["daemon"]).daemon();
    daemon.says("checking in");
    let _ = world.server.cli(&["envoys", "rebootstrap", "web2.example.com", "--action", "reenroll", "--yes"]).ok();
    let (old, new) = until("it is another envoy", || {
        let new = world.machine.envoy();
        let old = world.server.json(&["envoys", "show", &envoy]);
        (new != envoy && old["status"] == "revoked").then_some((old, new))
    });
    assert_eq!(
        (old["directive"]["outcome"].as_str(), old["directive"]["action"].as_str()),
        (Some("done"), Some("reenroll"))
    );
    let record = until("the new one checks in", || {
        Some(world.server.json(&["envoys", "show", &new])).filter(|it| it["last_seen_at"].is_string())
    });
    assert_eq!(record["status"], "active");
    let (_, detail) = world.server.last_audit("envoy.enrol");
    assert!(detail.contains("(allowed by proof); as ") && detail.ends_with(" directed"), "{detail}");
    daemon.stop();
}

//! `approval_hook`: what becomes of hosts that the rules admit, and of one that they do not.

use vigo_tests::Program;

#[test]
fn a_hook_refuses_and_never_admits() {
    let hosts = ["web1.lan.example.com", "db1.lan.example.com", "web1.example.net"];
    let told = Program::at(env!("CARGO_BIN_EXE_approval_hook")).args(hosts).run().ok();
    let refused = "db1.lan.example.com is not in the inventory (trusted:1:*.lan.example.com admits it)";
    let none = "No rule admits web1.example.net from 192.0.2.7";
    let expected = [
        "web1.lan.example.com: enrolled by trusted:1:*.lan.example.com",
        &format!("db1.lan.example.com: refused_by_hook: {refused}"),
        &format!("web1.example.net: not_admitted: {none}"),
        "audit: envoy.enrol ok: web1.lan.example.com by trusted:1:*.lan.example.com",
        &format!("audit: envoy.enrol refused_by_hook: {refused}"),
        &format!("audit: envoy.enrol not_admitted: {none}"),
    ];
    assert_eq!(told.lines().collect::<Vec<_>>(), expected);
}

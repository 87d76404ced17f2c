//! Networks decide: machines with real addresses of their own, in network namespaces.

use vigo_tests::{Machine, Network, Options, Program, Server, needs_root, needs_tools};

/// A server in the network's middle that listens on every address, IPv4 and IPv6.
fn server(network: &Network, more: &str, bootstrap: &str) -> Server {
    let mut options = Options { host: Network::SERVER.into(), namespace: Some(network.hub()), ..Options::default() };
    options.server.push_str(more);
    options.sections.push_str(bootstrap);
    let mut server = Server::home(&options);
    let (grpc, api) = (server.grpc_port(), server.api_port());
    let listens = server.configuration().replace(&format!("{}:{grpc}", Network::SERVER), &format!(":{grpc}"));
    server.configure(&listens.replace(&format!("{}:{api}", Network::SERVER), &format!(":{api}")));
    server.run();
    server
}

const RULES: &str = "  trusted_enrollment:
    - {pattern: 'a*.example.com', cidrs: [10.1.0.0/24]}
    - {pattern: 'b*.example.com', cidrs: [192.168.5.0/24, 'fd00:a::/64']}
";

#[test]
fn rule_06_rules_and_tokens_see_the_sockets_address() {
    let test = "rule_06_rules_and_tokens_see_the_sockets_address";
    if !needs_root(test, "a network namespace") || !needs_tools(test, &["ip"]) {
        return;
    }
    let network = Network::new();
    let server = server(&network, "", RULES);
    let pin = server.ca_pin();
    let ask = |host: &str, name: &str| {
        Machine::new(name).inside(&network.host(host)).bootstrap(&server, None, &["--ca-pin", &pin])
    };
    let _ = ask("a", "a1.example.com").ok();
    let _ = ask("b", "b1.example.com").ok();
    for (host, name, address) in [
        ("b", "a2.example.com", "192.168.5.2"),
        ("a", "b2.example.com", "10.1.0.2"),
        ("c", "a3.example.com", "10.2.7.9"),
    ] {
        let refused = ask(host, name).failed(5);
        assert!(refused.contains(&format!("No rule admits {name} from {address}")), "{refused}");
    }
    // IPv6, and the IPv4 of a socket that takes both.
    let v6 = format!("[{}]:{}", Network::SERVER_V6, server.grpc_port());
    let machine = Machine::new("b6.example.com").inside(&network.host("a"));
    let told = machine
        .vigo(&["bootstrap", "--no-service", "--server", &v6, "--hostname", "b6.example.com", "--ca-pin", &pin])
        .run();
    let _ = told.ok();
    let ips: Vec<String> = server
        .json(&["envoys", "list"])
        .as_array()
        .unwrap()
        .iter()
        .map(|row| format!("{} {}", row["hostname"].as_str().unwrap(), row["ip"].as_str().unwrap()))
        .collect();
    assert_eq!(ips.len(), 3);
    for expected in ["a1.example.com 10.1.0.2", "b1.example.com 192.168.5.2", "b6.example.com fd00:a::2"] {
        assert!(ips.iter().any(|ip| ip == expected), "{ips:?}");
    }
    // A token for one network.
    let token = server.token("*.example.com", &["--cidr", "10.2.0.0/16"]);
    let refused =
        Machine::new("t.example.com").inside(&network.host("a")).bootstrap(&server, Some(&token), &[]).failed(5);
    assert!(refused.contains("not accepted"), "{refused}");
    assert_eq!(server.last_audit("envoy.enrol").0, "token_other_network");
    let _ = Machine::new("t.example.com").inside(&network.host("c")).bootstrap(&server, Some(&token), &[]).ok();
    // What is decided is what is explained.
    let explained = server.json(&["enroll", "explain", "--hostname", "a9.example.com", "--ip", "10.1.0.9"]);
    assert_eq!(explained["verdict"], "admit");
}

#[test]
fn rule_06_forged_forwarding_headers_count_for_nothing_but_from_a_trusted_proxy() {
    let test = "rule_06_forged_forwarding_headers_count_for_nothing_but_from_a_trusted_proxy";
    if !needs_root(test, "a network namespace") || !needs_tools(test, &["ip", "curl"]) {
        return;
    }
    let network = Network::new();
    let server = server(&network, "  trusted_proxies: [192.168.5.2/32]\n", RULES);
    // A registration by JSON that is refused names the address that it was taken to come from.
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let root = server.ca_pin().parse().unwrap();
    let (registration, identity, _) = vigo_tests::client::registration("x.example.com", 7, None);
    let frame = registration.sign(&identity, None, vigo_core::Audience::root(&root)).unwrap();
    drop(runtime);
    use base64::Engine as _;
    let encode = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
    let body =
        format!("{{\"frame\":\"{}\",\"signature\":\"{}\"}}", encode(&frame.body), encode(frame.signature.as_bytes()));
    let ask = |host: &str, header: &str| {
        let url = format!("{}/api/v1/bootstrap/register", server.api());
        Program::at("curl")
            .args(["-sSk", "--data-binary", "@-", "-H", header, &url])
            .input(&body)
            .inside(Some(&network.host(host)))
            .run()
            .ok()
    };
    for header in ["X-Forwarded-For: 10.1.0.9", "Forwarded: for=10.1.0.9", "X-Real-IP: 10.1.0.9"] {
        let answer = ask("c", header);
        assert!(answer.contains("No rule admits x.example.com from 10.2.7.9"), "{header}: {answer}");
    }
    let answer = ask("b", "X-Forwarded-For: 6.6.6.6, 10.1.0.9");
    assert!(answer.contains("from 10.1.0.9"), "{answer}");
    let answer = ask("b", "X-Forwarded-For: not an address");
    assert!(answer.contains("from 192.168.5.2"), "{answer}");
}

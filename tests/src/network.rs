//! Hosts with addresses of their own on one machine: network namespaces, no route out.

use std::sync::atomic::{AtomicU32, Ordering};

use crate::process::Program;

/// Four client hosts on networks of their own around one server host.
pub struct Network {
    tag: String,
}

/// A host's name, its address and the server's address on its network, with prefix lengths.
const CLIENTS: [(&str, &str, &str); 3] = [
    ("a", "10.1.0.2/24", "10.1.0.1/24"),
    ("b", "192.168.5.2/24", "192.168.5.1/24"),
    ("c", "10.2.7.9/16", "10.2.0.1/16"),
];

fn ip(arguments: &str) {
    let _ = Program::at("ip").args(arguments.split(' ')).run().ok();
}

impl Network {
    /// The address of the server that every client reaches, each by its own network.
    pub const SERVER: &'static str = "10.9.9.9";
    /// The server's IPv6 address on `a`'s network.
    pub const SERVER_V6: &'static str = "fd00:a::1";

    /// Makes the hosts.
    ///
    /// # Panics
    /// When the system refuses.
    #[must_use]
    pub fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let network = Self { tag: format!("vigo{}-{count}-", std::process::id()) };
        for host in ["hub", "a", "b", "c"] {
            let name = network.host(host);
            ip(&format!("netns add {name}"));
            ip(&format!("-n {name} link set lo up"));
        }
        let hub = network.hub();
        for (host, address, server) in CLIENTS {
            let name = network.host(host);
            ip(&format!("link add v-{host} netns {hub} type veth peer name eth0 netns {name}"));
            ip(&format!("-n {hub} addr add {server} dev v-{host}"));
            ip(&format!("-n {hub} link set v-{host} up"));
            ip(&format!("-n {name} addr add {address} dev eth0"));
            ip(&format!("-n {name} link set eth0 up"));
            ip(&format!("-n {name} route add default via {}", server.split('/').next().unwrap_or_default()));
        }
        let a = network.host("a");
        ip(&format!("-n {hub} addr add {}/64 dev v-a nodad", Self::SERVER_V6));
        ip(&format!("-n {a} addr add fd00:a::2/64 dev eth0 nodad"));
        ip(&format!("-n {hub} addr add {}/32 dev lo", Self::SERVER));
        network
    }

    /// The namespace of a client: `a` (10.1.0.2, fd00:a::2), `b` (192.168.5.2) or `c` (10.2.7.9).
    #[must_use]
    pub fn host(&self, name: &str) -> String {
        format!("{}{name}", self.tag)
    }

    /// The namespace of the server.
    #[must_use]
    pub fn hub(&self) -> String {
        self.host("hub")
    }
}

impl Default for Network {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        for host in ["a", "b", "c", "hub"] {
            // One that was never made is not there to be removed.
            let _ = Program::at("ip").args(["netns", "del", &self.host(host)]).run();
        }
    }
}

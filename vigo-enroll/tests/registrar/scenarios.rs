//! The ways to be admitted, each as a machine that is about to be.

use vigo_core::EnvoyId;
use vigo_enroll::operate;
use vigo_enroll::rules::Reenroll;

use crate::machine::Machine;
use crate::world::{Fleet, act, block_on, request, secs};

pub(crate) const NAME: &str = "web1.example.com";

/// A machine that is about to be admitted, and what will come of it.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) prepare: fn(&Fleet) -> Machine,
    pub(crate) told: &'static str,
    /// The records that the one commit writes, sorted.
    pub(crate) writes: &'static [&'static str],
}

pub(crate) const ALL: &[Scenario] = &[
    Scenario {
        name: "a token, a new name",
        prepare: |fleet| Machine::new(1, NAME).token(&fleet.token("*.example.com")),
        told: "enrolled",
        writes: &["audit/record", "envoy", "host", "identity", "request", "serial", "token"],
    },
    Scenario {
        name: "a trusted rule, a new name",
        prepare: |fleet| {
            fleet.set_rules(&[("*.example.com", &["192.0.2.0/24"])], Reenroll::Token);
            Machine::new(1, NAME)
        },
        told: "enrolled",
        writes: &["audit/record", "envoy", "host", "identity", "request", "serial"],
    },
    Scenario {
        name: "an approved pattern, a new name",
        prepare: |fleet| {
            fleet.approve("web?.example.com");
            Machine::new(1, NAME)
        },
        told: "enrolled",
        writes: &["audit/record", "envoy", "host", "identity", "request", "serial"],
    },
    Scenario {
        name: "a proof, the name of the proved envoy",
        prepare: |fleet| {
            let (old, envoy) = old(fleet);
            Machine::new(1, NAME).claiming(envoy, &old).forced()
        },
        told: "enrolled, replaced by proof",
        writes: &["audit/record", "envoy", "envoy", "host", "identity", "request", "serial"],
    },
    Scenario {
        name: "a token for exactly that name, which is taken",
        prepare: |fleet| {
            old(fleet);
            Machine::new(1, NAME).token(&fleet.token(NAME)).forced()
        },
        told: "enrolled, replaced by token",
        writes: &["audit/record", "envoy", "envoy", "host", "identity", "request", "serial", "token"],
    },
    Scenario {
        name: "a token for many names and a proof",
        prepare: |fleet| {
            let (old, envoy) = old(fleet);
            Machine::new(1, NAME).token(&fleet.token("*.example.com")).claiming(envoy, &old).forced()
        },
        told: "enrolled, replaced by proof",
        writes: &["audit/record", "envoy", "envoy", "host", "identity", "request", "serial", "token"],
    },
    Scenario {
        name: "an approved pattern, and an operator allows the name",
        prepare: |fleet| {
            old(fleet);
            fleet.approve("*.example.com");
            allow(fleet);
            Machine::new(1, NAME).forced()
        },
        told: "enrolled, replaced by allow-reenroll",
        writes: &["audit/record", "envoy", "envoy", "host", "identity", "request", "serial"],
    },
    Scenario {
        name: "a trusted rule where any way in replaces",
        prepare: |fleet| {
            old(fleet);
            fleet.set_rules(&[("*.example.com", &["192.0.2.0/24"])], Reenroll::Any);
            Machine::new(1, NAME).forced()
        },
        told: "enrolled, replaced by any",
        writes: &["audit/record", "envoy", "envoy", "host", "identity", "request", "serial"],
    },
    Scenario {
        name: "a token for exactly that name, which an operator revoked",
        prepare: |fleet| {
            let (_, envoy) = old(fleet);
            block_on(operate::revoke_envoy(&*fleet.store, &envoy, "", &act())).expect("it is revoked");
            Machine::new(1, NAME).token(&fleet.token(NAME))
        },
        told: "enrolled, allowed by token",
        writes: &["audit/record", "envoy", "host", "identity", "request", "serial", "token"],
    },
];

/// An envoy that has the name; it came by a token that admits many names.
pub(crate) fn old(fleet: &Fleet) -> (Machine, EnvoyId) {
    let (token, _) = fleet.token_of(request("*.example.com"));
    let machine = Machine::new(900, NAME).token(&token);
    // By another server, so that what the watched one does is the scenario's alone.
    let enrolled = fleet.another().enrol(&machine);
    (machine, enrolled.record.id)
}

/// An operator allows the name for a minute.
pub(crate) fn allow(fleet: &Fleet) {
    let name = NAME.parse().expect("a hostname");
    block_on(operate::allow_reenroll(&*fleet.store, &name, secs(60), &act())).expect("it is allowed");
}

/// The kinds of records under these keys.
pub(crate) fn kinds<'a>(keys: impl Iterator<Item = &'a [u8]>) -> Vec<String> {
    let kind = |key: &[u8]| {
        let key = String::from_utf8(key.to_vec()).expect("keys are text");
        key.rsplit_once('/').expect("a kind and a name").0.to_owned()
    };
    let mut kinds: Vec<String> = keys.map(kind).collect();
    kinds.sort();
    kinds
}

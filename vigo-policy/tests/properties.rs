//! What holds for every policy.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::collections::BTreeMap;
use std::fmt::Write as _;

use proptest::prelude::*;
use vigo_core::{Bundle, ServerId, ServerSecret, Value};
use vigo_policy::{Catalogue, Stacks};
use zeroize::Zeroizing;

const HOST: &str = "a.example.com";

fn bundle(stacks: &Stacks) -> Bundle {
    stacks.hostcrate(&HOST.parse().unwrap()).unwrap().bundle.clone()
}

fn order(bundle: &Bundle) -> Vec<String> {
    bundle.configcrates.iter().map(|c| c.name.clone()).collect()
}

/// Configcrates `c0`, `c1`, … with these dependencies, and a block that wants some of them.
fn policy(edges: &[(usize, usize)], count: usize, wanted: &[usize]) -> Vec<(String, String)> {
    let list = |numbers: &mut dyn Iterator<Item = usize>| {
        let mut seen = Vec::new();
        numbers.for_each(|n| {
            if !seen.contains(&n) {
                seen.push(n);
            }
        });
        seen.iter().map(|n| format!("c{n}")).collect::<Vec<_>>().join(", ")
    };
    let mut files = vec![(
        "envoys.vgo".to_owned(),
        format!("envoys:\n  - match: {HOST}\n    configcrates: [{}]\n", list(&mut wanted.iter().copied())),
    )];
    for n in 0..count {
        let needs = list(&mut edges.iter().filter(|(from, _)| *from == n).map(|(_, to)| *to));
        files.push((format!("configcrates/c{n}.vgo"), format!("name: c{n}\ndepends_on: [{needs}]\n")));
    }
    files
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(
        text in "\\PC{0,200}",
        yaml in "(envoys|roles|vars|match|name|resources|configcrates)?(: ?|\n)[a-z0-9:{}\\[\\]&*!|>'\"#%@,?~<$\n -]{0,80}",
        path in prop::sample::select(vec![
            "envoys.vgo", "roles.vgo", "common.vgo", "environments.vgo", "configcrates/a.vgo", "other.vgo", "",
        ]),
    ) {
        for text in [text, yaml] {
            if let Err(errors) = Stacks::from_texts([(path, text)]) {
                prop_assert!(!errors.problems().is_empty());
                prop_assert!(errors.problems().iter().all(|p| !p.help.is_empty() && !p.message.is_empty()));
            }
        }
    }

    #[test]
    fn the_strongest_layer_that_names_a_variable_wins(layers in prop::collection::vec(any::<bool>(), 5)) {
        let vars = |n: usize| if layers[n] { format!("{{v: {n}}}") } else { "{}".to_owned() };
        let files = [
            ("environments.vgo", format!("environments: {{e: {}}}", vars(0))),
            ("envoys.vgo", format!(
                "envoys: [{{match: {HOST}, environment: e, roles: [r], configcrates: [c], vars: {}}}]", vars(1),
            )),
            ("roles.vgo", format!("roles: {{r: {{vars: {}}}}}", vars(2))),
            ("common.vgo", format!("vars: {}", vars(3))),
            ("configcrates/c.vgo", format!(
                "name: c\nvars: {}\nresources: [{{name: a, type: file, v: \"${{v}}\"}}]", vars(4),
            )),
        ];
        let found = Stacks::from_texts(files);
        match layers.iter().position(|named| *named) {
            Some(strongest) => {
                let attributes = &bundle(&found.unwrap()).configcrates[0].resources[0].attributes;
                prop_assert_eq!(attributes, &BTreeMap::from([("v".to_owned(), Value::Int(strongest as i64))]));
            }
            None => prop_assert!(found.unwrap_err().to_string().contains("undefined variable `v`")),
        }
    }

    #[test]
    fn dependencies_come_first_and_nothing_else_moves(
        edges in prop::collection::vec((0usize..8, 0usize..8), 0..16),
        wanted in prop::collection::vec(0usize..8, 1..8),
    ) {
        // Edges to smaller numbers only: no cycles.
        let edges: Vec<_> = edges.into_iter().filter(|(from, to)| from > to).collect();
        let files = policy(&edges, 8, &wanted);
        let found = order(&bundle(&Stacks::from_texts(files.clone()).unwrap()));
        let place = |n: usize| found.iter().position(|name| *name == format!("c{n}"));
        for (from, to) in &edges {
            if let Some(from) = place(*from) {
                prop_assert!(place(*to).unwrap() < from);
            }
        }
        // Exactly what is wanted, and what that needs.
        let mut needed = wanted.clone();
        let mut next = 0;
        while let Some(n) = needed.get(next).copied() {
            needed.extend(edges.iter().filter(|(from, _)| *from == n).map(|(_, to)| *to));
            next += 1;
        }
        needed.sort_unstable();
        needed.dedup();
        prop_assert_eq!(found.len(), needed.len());
        prop_assert!(needed.iter().all(|n| place(*n).is_some()));
        if edges.is_empty() {
            let mut expected = Vec::new();
            for n in wanted {
                let name = format!("c{n}");
                if !expected.contains(&name) {
                    expected.push(name);
                }
            }
            prop_assert_eq!(&found, &expected);
        }
        // The order of the files does not matter.
        let reversed = Stacks::from_texts(files.into_iter().rev()).unwrap();
        prop_assert_eq!(order(&bundle(&reversed)), found);
    }

    #[test]
    fn a_cycle_is_found_wherever_it_is(edges in prop::collection::vec((0usize..6, 0usize..6), 0..12)) {
        let mut reach = [[false; 6]; 6];
        edges.iter().for_each(|(from, to)| reach[*from][*to] = true);
        for via in 0..6 {
            for from in 0..6 {
                for to in 0..6 {
                    reach[from][to] |= reach[from][via] && reach[via][to];
                }
            }
        }
        let cyclic = (0..6).any(|n| reach[n][n]);
        let found = Stacks::from_texts(policy(&edges, 6, &[0]));
        prop_assert_eq!(found.is_err(), cyclic);
    }
}

/// What can be loaded can be signed, sent and read: the deepest value that is allowed goes through every limit.
#[test]
fn the_deepest_value_survives_the_way_to_the_envoy() {
    let depth = vigo_policy::MAX_DEPTH;
    let deep = format!("{}1{}", "{k: ".repeat(depth), "}".repeat(depth));
    let stacks = Stacks::from_texts([
        ("envoys.vgo", format!("envoys: [{{match: {HOST}, configcrates: [c]}}]")),
        ("configcrates/c.vgo", format!("name: c\nresources: [{{name: a, type: file, deep: {deep}}}]")),
    ])
    .unwrap();
    let (secret, server) = (ServerSecret::from_seed(&Zeroizing::new([7; 32])), ServerId::from_random([9; 16]));
    let catalogue = Catalogue::sign(&stacks, &secret, &server).unwrap();
    let verified = catalogue.bundle_for(&HOST.parse().unwrap()).signed.verify(&secret.public(), &server).unwrap();
    assert_eq!(verified.bundle, bundle(&stacks));
}

/// No recursion along dependencies: a chain may be longer than the stack is deep.
#[test]
fn a_long_chain_of_dependencies() {
    let count = 20_000;
    let mut files = vec![("envoys.vgo".to_owned(), format!("envoys: [{{match: {HOST}, configcrates: [c0]}}]"))];
    for n in 0..count {
        let mut text = format!("name: c{n}\n");
        if n + 1 < count {
            writeln!(text, "depends_on: [c{}]", n + 1).unwrap();
        }
        files.push((format!("configcrates/c{n}.vgo"), text));
    }
    let found = order(&bundle(&Stacks::from_texts(files).unwrap()));
    assert_eq!(found.len(), count);
    assert_eq!(found[0], format!("c{}", count - 1));
}

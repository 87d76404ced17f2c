//! An update that ends in the middle: at every act on a file, by a kill and by a full disk.

use std::path::{Path, PathBuf};

use vigo_tests::{Program, needs_tools, sh};

use crate::world::{Told, World};

/// The library that counts what an agent does to files.
fn faulty_disk(folder: &Path) -> PathBuf {
    let library = folder.join("faulty_disk.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/updates/faulty_disk.c");
    let _ = sh(&format!("gcc -Wall -Werror -shared -fPIC -o {} {source} -ldl", library.display())).ok();
    library
}

struct Bench {
    world: World,
    library: PathBuf,
    log: PathBuf,
}

impl Bench {
    fn new(hostname: &str) -> Self {
        let world = World::new(hostname);
        let library = faulty_disk(world.machine.dir());
        let log = world.machine.dir().join("acts");
        world.tell(Told::good("0.3.0"));
        Self { world, library, log }
    }

    fn update(&self, mode: &str, at: usize) -> Program {
        let _ = std::fs::remove_file(&self.log);
        self.world
            .vigo(&["update"])
            .env("LD_PRELOAD", &self.library)
            .env("FAULTY_UNDER", self.world.machine.dir())
            .env("FAULTY_LOG", &self.log)
            .env("FAULTY_MODE", mode)
            .env("FAULTY_AT", at.to_string())
    }

    fn acts(&self) -> Vec<String> {
        let log = std::fs::read_to_string(&self.log).unwrap();
        log.lines().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
    }

    /// Every act, but of a run of writes the first, one in the middle and the last.
    fn steps(&self) -> Vec<(usize, String)> {
        self.world.reset();
        let _ = self.update("none", 0).run().ok();
        let acts = self.acts();
        let mut steps = Vec::new();
        let mut from = 0;
        while from < acts.len() {
            let run = acts[from..].iter().take_while(|act| **act == "write" && acts[from] == "write").count().max(1);
            let mut chosen = vec![from, from + run / 2, from + run - 1];
            chosen.dedup();
            steps.extend(chosen.into_iter().map(|at| (at + 1, acts[at].clone())));
            from += run;
        }
        steps
    }
}

/// Whatever step it ended at: there is a program in its place that runs and checks in, and the next update installs.
#[track_caller]
fn recovers(world: &World, at: &str) {
    let version = world.version();
    assert!(["vigo 0.2.0", "vigo 0.3.0"].contains(&version.as_str()), "{at}: {version}");
    let checked = world.vigo(&["run"]).run();
    assert_eq!(checked.code, 0, "{at}: {}", checked.stderr);
    if version == "vigo 0.2.0" {
        let done = world.vigo(&["update"]).run();
        assert_eq!(done.code, 0, "{at}: {}", done.stderr);
    }
    assert_eq!(world.version(), "vigo 0.3.0", "{at}");
}

#[test]
fn rule_15_a_kill_at_every_step_leaves_a_working_agent() {
    if !needs_tools("a_kill_at_every_step_leaves_a_working_agent", &["gcc"]) {
        return;
    }
    let bench = Bench::new("killed.example.com");
    let steps = bench.steps();
    assert!(steps.len() > 12, "{steps:?}");
    for (at, act) in &steps {
        bench.world.reset();
        let ended = bench.update("kill", *at).run();
        assert_eq!(ended.code, -1, "{at} {act}: {}", ended.stderr);
        recovers(&bench.world, &format!("killed at {at} ({act})"));
    }
    println!("killed at {} steps: {steps:?}", steps.len());
}

#[test]
fn rule_15_a_full_disk_at_every_step_leaves_a_working_agent() {
    if !needs_tools("a_full_disk_at_every_step_leaves_a_working_agent", &["gcc"]) {
        return;
    }
    let bench = Bench::new("full.example.com");
    for (at, act) in &bench.steps() {
        bench.world.reset();
        let ended = bench.update("full", *at).run();
        let name = format!("full at {at} ({act})");
        // What is only for show, or tidies up, may fail: the update is done all the same.
        let version = bench.world.version();
        let expected = if ended.code == 0 { "vigo 0.3.0" } else { "vigo 0.2.0" };
        let swapped = act == "fsync" && version == "vigo 0.3.0";
        assert!(version == expected || swapped, "{name}: {version}, exit {}: {}", ended.code, ended.stderr);
        recovers(&bench.world, &name);
        let left = bench.world.beside();
        assert!(left.iter().all(|name| !name.starts_with(".vigo-next-")), "{name} left {left:?}");
    }
}

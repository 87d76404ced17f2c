//! The first install with `--signing-pin`: a program that checks itself before it installs itself.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use vigo_tests::Program;

use crate::world::{CURRENT, NEXT, Told, World, build, manifest, secret};

struct Line<'a> {
    world: &'a World,
    pin: String,
    told: Option<Told>,
}

impl Line<'_> {
    fn bootstrap(&self) -> vigo_tests::Ended {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (server, api) = (self.world.server.grpc(), self.world.server.api());
        let token = self.world.server.token("pinned.example.com", &[]);
        let mut program = Program::at(self.world.program())
            .env("TEST_SIGNING_KEYS", &self.world.keys)
            .args(["--config-dir", &at("etc"), "--state-dir", &at("state"), "bootstrap", "--no-service"])
            .args([
                "--server",
                &server,
                "--api-addr",
                &api,
                "--hostname",
                "pinned.example.com",
                "--force",
                "--token-stdin",
            ])
            .args(["--signing-pin", &self.pin, "--bin-dir", &at("sbin")])
            .input(&token);
        if let Some(told) = &self.told {
            program = program.args(["--manifest", &STANDARD.encode(&told.manifest)]);
            program = program.args(["--signature", &STANDARD.encode(&told.signature)]);
        }
        let ended = program.run();
        assert_eq!(folder.path().join("sbin/vigo").exists(), ended.code == 0, "{}", ended.stderr);
        assert_eq!(folder.path().join("etc").exists(), ended.code == 0, "nothing was drawn: {}", ended.stderr);
        ended
    }

    #[track_caller]
    fn refused(&self, says: &str) {
        let ended = self.bootstrap();
        assert_eq!(ended.code, 4, "{}", ended.stderr);
        assert!(ended.stderr.contains(says), "{}", ended.stderr);
    }
}

#[test]
fn rule_15_a_pinned_first_install() {
    let mut world = World::new("first.example.com");
    let pin = |seed: u8| secret(seed).public().pin().to_string();
    let own = build("0.2.0", "nothing");
    let good = || Some(Told::of(&manifest("0.2.0", &own), own.clone()));
    fn line(world: &World, pin: String, told: Option<Told>) -> Line<'_> {
        Line { world, pin, told }
    }
    line(&world, pin(NEXT), good()).refused("not by the one of --signing-pin");
    line(&world, pin(CURRENT), None).refused("--signing-pin needs the manifest");
    let other = build("0.2.0", "other");
    line(&world, pin(CURRENT), Some(Told::of(&manifest("0.2.0", &other), other)))
        .refused("not the one that was signed");
    let forged = Told::by(NEXT, &manifest("0.2.0", &own), own.clone());
    line(&world, pin(CURRENT), Some(forged)).refused("signature is not one of");
    let _ = line(&world, pin(CURRENT), good()).bootstrap().ok();

    world.keys = String::new();
    line(&world, pin(CURRENT), good()).refused("built without a signing key");
}

//! The pure paths, each beside what it cannot do without or what one would use instead.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use vigo_core::record::ApprovedRecord;
use vigo_core::store::Revision;
use vigo_core::{
    ApprovalId, ChallengeKey, CheckIn, Cidr, CidrSet, ClientAddr, EnvoyId, Epoch, HostPattern, Hostname,
    IdentitySecret, PatternSet, Pin, Platform, Reply, ReplyOutcome, ServerId, ServerSecret, Session, StateReport, Step,
    Takeover, TokenText, UnixTime,
};
use vigo_enroll::rules::{Reenroll, Rules, TrustedRule};
use vigo_enroll::token::{Token, TokenKey};
use vigo_enroll::{Facts, Request, decide, verdict};
use zeroize::Zeroizing;

/// How many rules a fleet may have.
const SIZES: [usize; 3] = [100, 10_000, 100_000];

/// The kinds that operators write, in equal parts.
fn pattern(number: usize) -> HostPattern {
    let text = match number % 5 {
        0 => format!("web{number:06}.example.com"),
        1 => format!("*.team{number:06}.example.com"),
        2 => format!("app{number:06}*.example.com"),
        3 => format!("*-svc{number:06}-*.example.com"),
        _ => format!("db{number:06}?.example.com"),
    };
    parsed(&text)
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("the benchmarks' texts are good")
}

fn globs(patterns: &[HostPattern]) -> GlobSet {
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let glob = pattern.as_str().replace('?', "[!.]").replace('*', "?*");
        set.add(GlobBuilder::new(&glob).build().expect("a glob"));
    }
    set.build().expect("a set of globs")
}

fn names(c: &mut Criterion) {
    let mut group = c.benchmark_group("names");
    // A stranger chooses it: it shares the domain, and no rule takes it.
    let miss: Hostname = parsed("eu-svc999999-1.example.com");
    for size in SIZES {
        let patterns: Vec<HostPattern> = (0..size).map(pattern).collect();
        let set = PatternSet::new(&patterns);
        let hit: Hostname = parsed("a-svc000053-b.example.com");
        assert_eq!((set.matches(&hit), set.matches(&miss)), (vec![53], vec![]));
        group.bench_with_input(BenchmarkId::new("hit", size), &size, |b, _| b.iter(|| set.matches(black_box(&hit))));
        group.bench_with_input(BenchmarkId::new("miss", size), &size, |b, _| b.iter(|| set.matches(black_box(&miss))));
        if size <= 10_000 {
            let rival = globs(&patterns);
            group.bench_with_input(BenchmarkId::new("miss, GlobSet", size), &size, |b, _| {
                b.iter(|| rival.matches(black_box(miss.as_str())));
            });
        }
    }
    group.finish();
}

fn networks(c: &mut Criterion) {
    let mut group = c.benchmark_group("networks");
    for size in SIZES {
        let lists: Vec<[Cidr; 1]> =
            (0..size).map(|n| [parsed(&format!("10.{}.{}.{}/32", n >> 16 & 255, n >> 8 & 255, n & 255))]).collect();
        let set = CidrSet::new(&lists);
        let addr = ClientAddr::new(parsed("10.0.0.42"));
        assert_eq!(set.matches(addr), [42]);
        group.bench_with_input(BenchmarkId::new("hit", size), &size, |b, _| b.iter(|| set.matches(black_box(addr))));
    }
    group.finish();
}

fn decisions(c: &mut Criterion) {
    let mut group = c.benchmark_group("decide");
    for size in SIZES {
        let trusted = (0..size / 2)
            .map(|n| TrustedRule::new(pattern(n), vec![parsed("10.0.0.0/8")]).expect("a rule with a network"))
            .collect();
        let approved = (size / 2..size)
            .map(|n| {
                let mut id = [0; 16];
                id[..8].copy_from_slice(&(n as u64).to_be_bytes());
                let record = ApprovedRecord {
                    id: ApprovalId::from_random(id),
                    pattern: pattern(n),
                    note: String::new(),
                    created_at: UnixTime::from_secs(0),
                    created_by: String::new(),
                };
                (record, Revision::new(1))
            })
            .collect();
        let rules = Rules::new(trusted, approved, Reenroll::Token);
        let request = Request {
            hostname: parsed("app000002x.example.com"),
            from: ClientAddr::new(parsed("10.1.0.2")),
            takeover: Takeover::No,
        };
        let now = UnixTime::from_secs(1_780_272_000);
        group.bench_with_input(BenchmarkId::new("the verdict", size), &size, |b, _| {
            b.iter(|| verdict(black_box(&request), &Facts::stranger(), &rules, now));
        });
        // With the trace of every rule, as `enroll explain` shows it: that grows with them.
        if size == SIZES[0] {
            group.bench_with_input(BenchmarkId::new("with its trace", size), &size, |b, _| {
                b.iter(|| decide(black_box(&request), &Facts::stranger(), &rules, now));
            });
        }
    }
    group.finish();
}

fn tokens(c: &mut Criterion) {
    let mut group = c.benchmark_group("tokens");
    let key = TokenKey::derive(&[1; 32]);
    let (token, _) = Token::mint(&key, [2; 16], &[3; 32], &Pin::from([4; 32]));
    group.bench_function("parse and MAC", |b| b.iter(|| Token::parse(black_box(token.reveal()), &key).is_ok()));
    let forged = TokenText::new(token.reveal().replacen("vgt1.0", "vgt1.1", 1));
    group
        .bench_function("parse and MAC, forged", |b| b.iter(|| Token::parse(black_box(forged.reveal()), &key).is_ok()));
    group.finish();
}

fn frames(c: &mut Criterion) {
    let mut group = c.benchmark_group("check-in");
    let identity = IdentitySecret::from_seed(&Zeroizing::new([1; 32]));
    let signing = ServerSecret::from_seed(&Zeroizing::new([2; 32]));
    let (server, envoy) = (ServerId::from_random([3; 16]), EnvoyId::from_random([4; 16]));
    let (challenges, epoch) = (ChallengeKey::derive(&[5; 32]), Epoch::from_random([6; 16]));
    let mut session = Session::default();
    let Step::Resync(resync) = session.step(&challenges, envoy, epoch, None) else { return };
    let facts = CheckIn {
        envoy,
        session: Some(vigo_core::SessionPoint { epoch, sequence: resync.next, challenge: resync.challenge }),
        platform: Platform { agent_version: "0.1.0".into(), os: "linux".into(), arch: "x86_64".into() },
        policy: None,
        trusted_roots: vec![Pin::from([7; 32])],
        report: StateReport::default(),
    };
    let frame = facts.sign(&identity, &server).expect("a frame of the usual size");
    let key = identity.public();
    group.bench_function("the envoy signs", |b| b.iter(|| facts.sign(&identity, &server)));
    group.bench_function("the server verifies", |b| b.iter(|| frame.verify(envoy, &key, &server)));
    group.bench_function("challenge and sequence", |b| {
        b.iter(|| {
            let mut session = session;
            session.step(&challenges, envoy, epoch, black_box(facts.session.as_ref()))
        });
    });
    let reply = Reply {
        request: frame.digest(),
        envoy,
        server_time: UnixTime::from_secs(1),
        outcome: ReplyOutcome::Resync(resync),
    };
    group.bench_function("the server signs", |b| b.iter(|| reply.sign(&signing, &server)));
    group.finish();
}

criterion_group!(all, names, networks, decisions, tokens, frames);
criterion_main!(all);

//! Stored records and the audit chain: what is read is what was written, and no change stays unseen.
//!
//! The first byte chooses: one kind of record, whose bytes follow, or a chain that is built from what follows and then
//! changed in one place.

use std::fmt::Debug;

use vigo_core::audit::{AuditRecord, ChainLink, verify};
use vigo_core::record::{
    ApprovedRecord, CertificateRecord, DirectiveOutcome, DirectiveRecord, EnvoyRecord, HostClaim, Record, RequestRecord, Revocation, RevocationCause,
    Seen, SeenPage, TokenRecord, TokenUse,
};
use vigo_core::store::{Entry, Revision};
use vigo_core::{ApprovalId, ClientAddr, Directive, DirectiveAction, DirectiveId, Epoch, Notice, Pin, PolicyState, Serial, TokenId, UnixTime, UpdateFailure, keyspace};

use crate::Seed;
use crate::input::Input;
use crate::scene;

const LONGEST: usize = 16 * 1024;
const MOST_RECORDS: usize = 24;
const CHAIN: u8 = 8;

/// The target.
pub fn check(data: &[u8]) {
    let Some((kind, bytes)) = data.split_first() else { return };
    let bytes = &bytes[..bytes.len().min(LONGEST)];
    match kind % (CHAIN + 1) {
        0 => record::<AuditRecord>(bytes),
        1 => record::<ChainLink>(bytes),
        2 => record::<EnvoyRecord>(bytes),
        3 => record::<HostClaim>(bytes),
        4 => record::<RequestRecord>(bytes),
        5 => record::<TokenRecord>(bytes),
        6 => record::<ApprovedRecord>(bytes),
        7 => record::<SeenPage>(bytes),
        _ => chain(Input::new(bytes)),
    }
}

/// What can be read is written in one way, and that is read as the same.
fn record<R: Record + PartialEq + Debug>(bytes: &[u8]) {
    let Ok(record) = R::decode(bytes) else { return };
    let written = record.encode();
    assert_eq!(R::decode(&written).as_ref(), Ok(&record));
}

/// Records in the order of their revisions, and links that cover some of them.
struct Chain {
    links: Vec<ChainLink>,
    records: Vec<Entry>,
    covered: usize,
}

fn build(input: &mut Input<'_>) -> Chain {
    let mut chain = Chain { links: vec![], records: vec![], covered: 0 };
    let mut revision = 1;
    for number in 0..=input.byte() % MOST_RECORDS as u8 {
        let step = input.byte();
        revision += u64::from(step & 3);
        let key = keyspace::audit_record([number; 16]).into_bytes();
        chain.records.push(Entry {
            key,
            value: input.bytes(usize::from(step >> 4)).to_vec(),
            revision: Revision::new(revision),
        });
        if step & 4 != 0 {
            // Up to here, or a little further. Nothing more is committed at a revision that a link covers.
            revision += u64::from(step >> 3 & 1);
            let new = &chain.records[chain.covered..];
            chain.links.push(ChainLink::after(chain.links.last(), Revision::new(revision), new));
            chain.covered = chain.records.len();
            revision += 1;
        }
    }
    chain
}

fn chain(mut input: Input<'_>) {
    let mut chain = build(&mut input);
    let whole = verify(&chain.links, &chain.records).expect("a chain that nobody touched");
    assert_eq!(whole.links, chain.links.len() as u64);
    assert_eq!(whole.covered, chain.covered as u64);
    assert_eq!(whole.uncovered, (chain.records.len() - chain.covered) as u64);
    assert_eq!(whole.head, chain.links.last().map_or([0; 32], |link| link.hash));
    let mut backwards = chain.records.clone();
    backwards.reverse();
    assert_eq!(verify(&chain.links, &backwards).as_ref(), Ok(&whole), "the order in which records are read counts");
    if let Some(what) = change(&mut chain, &mut input) {
        let found = verify(&chain.links, &chain.records);
        assert!(found.is_err(), "{what} stayed unseen: {found:?}");
    }
}

/// Changes one thing that a link covers, and says what.
fn change(chain: &mut Chain, input: &mut Input<'_>) -> Option<&'static str> {
    let through = chain.links.last()?.through;
    let (how, bit) = (input.byte(), input.byte());
    let record = input.index(chain.covered.max(1));
    let link = input.index(chain.links.len());
    if how % 8 < 4 && chain.covered == 0 {
        return None;
    }
    match how % 8 {
        0 => {
            chain.records.remove(record);
            Some("a record that was dropped")
        }
        1 => {
            let value = &mut chain.records[record].value;
            match value.len() {
                0 => value.push(bit),
                length => value[usize::from(bit) % length] ^= 1 << (bit % 8),
            }
            Some("a value that was altered")
        }
        2 => {
            chain.records[record].key[usize::from(bit) % 8] ^= 1 << (bit % 8);
            Some("a key that was altered")
        }
        3 => {
            let other = input.index(chain.records.len());
            let (one, two) = (chain.records[record].value.clone(), chain.records[other].value.clone());
            if one == two {
                return None;
            }
            (chain.records[record].value, chain.records[other].value) = (two, one);
            Some("two values that were swapped")
        }
        4 => {
            let revision = Revision::new(u64::from(bit) % (through.get() + 1));
            chain.records.push(Entry { key: b"audit/record/added".into(), value: vec![], revision });
            Some("a record that was added")
        }
        5 => {
            // Without its last link a chain is that of a moment before.
            if link + 1 == chain.links.len() {
                return None;
            }
            chain.links.remove(link);
            Some("a link that was dropped")
        }
        6 => {
            let doubled = chain.links[link].clone();
            chain.links.insert(usize::from(bit) % (chain.links.len() + 1), doubled);
            Some("a link that was doubled")
        }
        _ => {
            let changed = &mut chain.links[link];
            match bit % 5 {
                0 => changed.number ^= 1 << (bit % 64),
                1 => changed.previous[usize::from(bit) % 32] ^= 1 << (bit % 8),
                2 => changed.through = Revision::new(changed.through.get() ^ 1 << (bit % 64)),
                3 => changed.records ^= 1 << (bit % 64),
                _ => changed.hash[usize::from(bit) % 32] ^= 1 << (bit % 8),
            }
            Some("a link that was altered")
        }
    }
}

fn revocation() -> Revocation {
    Revocation {
        cause: RevocationCause::Operator,
        at: UnixTime::from_secs(1_780_272_000),
        by: "operator:root".into(),
        reason: "lost".into(),
    }
}

/// One record of each kind, and a few chains.
#[must_use]
pub fn seeds() -> Vec<Seed> {
    let at = UnixTime::from_secs(1_780_272_000);
    let (envoy, identity) = (scene::envoy(), scene::identity().public());
    let hostname = || "web3.example.com".parse().expect("a name");
    let address = ClientAddr::new([192, 0, 2, 7].into());
    let v6 = ClientAddr::new([0xfd00, 0, 0, 0, 0, 0, 0, 7].into());
    let audit = AuditRecord {
        at,
        actor: "operator:root".into(),
        action: "token.create".into(),
        subject: "web3.example.com".into(),
        outcome: "ok".into(),
        detail: "one use".into(),
    };
    let link = ChainLink::after(None, Revision::new(3), &[]);
    let certificate =
        CertificateRecord { serial: Serial::from_random([1; 16]), key_pin: Pin::from([2; 32]), not_after: at };
    let record = EnvoyRecord {
        id: envoy,
        hostname: hostname(),
        identity,
        address,
        reported_ip: Some([10, 0, 0, 1].into()),
        enrolled_at: at,
        certificates: vec![certificate],
        admitted_by: "token".into(),
        platform: scene::platform(),
        revocation: None,
        directive: None,
    };
    let failure = Some(Notice { code: "trial_failed".into(), message: "It ended at once.".into() });
    let directive = DirectiveRecord {
        directive: Directive { id: DirectiveId::from_random([8; 16]), action: DirectiveAction::Update },
        at,
        by: "root".into(),
        outcome: Some(DirectiveOutcome { at, failure: failure.clone() }),
    };
    let revoked = EnvoyRecord {
        address: v6,
        reported_ip: None,
        revocation: Some(revocation()),
        directive: Some(directive),
        ..record.clone()
    };
    let claim = HostClaim { envoy, released: Some(revocation()), reenroll_until: Some(at) };
    let request =
        RequestRecord { identity, csr_digest: [3; 32], hostname: hostname(), envoy, certificate: vec![0x30, 0], at };
    let token = TokenRecord {
        id: TokenId::from_random([4; 16]),
        secret_hash: "$2b$04$abcdefghijklmnopqrstuuabcdefghijklmnopqrstuuabcdefghi".into(),
        pattern: "web*.example.com".parse().expect("a pattern"),
        cidrs: vec!["10.0.0.0/8".parse().expect("a network"), "fd00::/8".parse().expect("a network")],
        uses_allowed: 2,
        uses: vec![TokenUse { envoy, identity, at }],
        created_at: at,
        expires_at: at,
        note: "rack 7".into(),
        allow_replace: true,
        revocation: None,
        created_by: "root".into(),
    };
    let approved = ApprovedRecord {
        id: ApprovalId::from_random([5; 16]),
        pattern: "*.lab.example.com".parse().expect("a pattern"),
        note: String::new(),
        created_at: at,
        created_by: "root".into(),
    };
    let policy = Some(PolicyState { version: "0123456789ab".into(), digest: [6; 32] });
    let update_failure =
        failure.map(|why| UpdateFailure { version: "0.2.0".parse().expect("a version"), why });
    let seen = Seen { envoy, at, address, platform: scene::platform(), policy, update_failure };
    let page = SeenPage { epoch: Epoch::from_random([7; 16]), envoys: vec![seen] };
    let records = [
        ("audit", 0, audit.encode()),
        ("link", 1, link.encode()),
        ("envoy", 2, record.encode()),
        ("envoy-revoked", 2, revoked.encode()),
        ("host", 3, claim.encode()),
        ("request", 4, request.encode()),
        ("token", 5, token.encode()),
        ("approved", 6, approved.encode()),
        ("seen", 7, page.encode()),
        // Count, then steps with values of one byte and more; at the end what to change.
        ("chain-drop", CHAIN, vec![3, 0x11, b'a', 0x14, b'b', 0x11, b'c', 0x15, b'd', 0, 0, 0, 1]),
        ("chain-alter", CHAIN, vec![2, 0x21, b'a', b'a', 0x14, b'b', 0x1d, b'c', 1, 9, 0, 0]),
        ("chain-key", CHAIN, vec![1, 0x11, b'a', 0x14, b'b', 2, 3, 0, 1]),
        ("chain-swap", CHAIN, vec![2, 0x10, b'a', 0x10, b'b', 0x14, b'c', 3, 0, 0, 0, 0, 0, 0, 1]),
        ("chain-add", CHAIN, vec![2, 0x13, b'a', 0x17, b'b', 0x13, b'c', 4, 3]),
        ("chain-drop-link", CHAIN, vec![2, 0x14, b'a', 0x14, b'b', 0x14, b'c', 5, 0, 0, 0, 0, 1]),
        ("chain-double-link", CHAIN, vec![2, 0x14, b'a', 4, 4, 6, 2, 0, 0, 0, 1]),
        ("chain-alter-link", CHAIN, vec![2, 0x14, b'a', 4, 4, 7, 2, 0, 0, 0, 1]),
        ("chain-uncovered", CHAIN, vec![5, 0x13, b'a', 3, 3, 4, 3, 0x23, b'b', b'b', 0, 0, 0, 0]),
    ];
    records.into_iter().map(|(name, kind, bytes)| Seed::new(name, [&[kind], bytes.as_slice()].concat())).collect()
}

//! `LeafFiles`

use std::fs;

use vigo_ca::files::FileError;
use vigo_ca::{CertificateAuthority, LeafError, LeafFiles, LeafFilesError, ServerLeaf, SignError};
use vigo_core::UnixTime;

use crate::fleet::{self, DAY, HOUR, NOW, authority, names, serial, server_id};
use crate::{Place, chmod, mode, says};

const NAMES: &[&str] = &["vigo.example.com", "127.0.0.1"];

fn files(place: &Place) -> LeafFiles {
    LeafFiles::new(place.path("server.crt"), place.path("server.key"))
}

fn get(
    place: &Place,
    authority: &CertificateAuthority,
    texts: &[&str],
    now: UnixTime,
) -> Result<ServerLeaf, LeafFilesError> {
    // A new serial for every moment, as a server draws it.
    let serial = serial(now.as_secs().to_be_bytes().iter().fold(7, |sum: u8, byte| sum.wrapping_mul(31) ^ byte));
    files(place).load_or_issue(authority, &names(texts), serial, now)
}

/// The same authority on a server that has no key of it.
fn keyless(authority: &CertificateAuthority) -> CertificateAuthority {
    CertificateAuthority::load(&authority.cert_pem(), None, &server_id(), NOW).unwrap()
}

#[test]
fn made_once_and_then_loaded() {
    let (place, authority) = (Place::new(), authority());
    let first = get(&place, &authority, NAMES, NOW).unwrap();
    assert_eq!(first.names(), names(NAMES));
    let kept = (place.read("server.crt"), place.read("server.key"));
    for now in [NOW, NOW.after(DAY), NOW.after(DAY * 200)] {
        let again = get(&place, &authority, NAMES, now).unwrap();
        assert_eq!((again.chain(), again.pin()), (first.chain(), first.pin()));
        assert_eq!(again.key_pem(), first.key_pem());
    }
    // Fewer names than it has are no reason for another.
    get(&place, &authority, &NAMES[..1], NOW).unwrap();
    assert_eq!((place.read("server.crt"), place.read("server.key")), kept);
    assert_eq!(place.names(), ["server.crt", "server.key"]);
    assert_eq!(place.read("server.crt"), first.cert_pem());
}

#[test]
fn rule_03_a_new_pair_is_its_owners_alone() {
    let (place, authority) = (Place::new(), authority());
    get(&place, &authority, NAMES, NOW).unwrap();
    for name in ["server.crt", "server.key"] {
        assert_eq!(mode(&place.path(name)), 0o600, "{name}");
    }
}

#[test]
fn rule_03_a_loose_mode_is_refused() {
    let (place, authority) = (Place::new(), authority());
    get(&place, &authority, NAMES, NOW).unwrap();
    let (key, cert) = (place.path("server.key"), place.path("server.crt"));
    for loose in [0o640, 0o604, 0o660, 0o644, 0o666] {
        chmod(&key, loose);
        let error = get(&place, &authority, NAMES, NOW).unwrap_err();
        says(&error, &key, &format!("(mode {loose:04o}): run `chmod 600 {}`", key.display()));
        // Not even to renew with.
        let error = get(&place, &authority, &["new.example.com"], NOW).unwrap_err();
        says(&error, &key, "chmod 600");
    }
    chmod(&key, 0o600);
    chmod(&cert, 0o664);
    says(&get(&place, &authority, NAMES, NOW).unwrap_err(), &cert, "chmod go-w");
    chmod(&cert, 0o644);
    get(&place, &authority, NAMES, NOW).unwrap();
}

/// What people typed has the pin of the key in it: rule 1 wants it to survive.
#[test]
fn rule_01_the_key_outlives_its_certificates() {
    #[track_caller]
    fn check(texts: &[&str], now: UnixTime) {
        let (place, authority) = (Place::new(), authority());
        let first = get(&place, &authority, NAMES, NOW).unwrap();
        let key = place.read("server.key");
        let next = get(&place, &authority, texts, now).unwrap();
        assert_ne!(next.chain()[0], first.chain()[0]);
        assert_eq!((next.pin(), next.key_pem()), (first.pin(), first.key_pem()));
        assert_eq!(place.read("server.key"), key);
        assert_eq!(place.read("server.crt"), next.cert_pem());
        assert!(next.is_issued_by(&authority) && !next.needs_renewal(&names(texts), now));
        assert_eq!(place.names(), ["server.crt", "server.key"]);
        assert_eq!(mode(&place.path("server.crt")), 0o600);
        // And that is the one from now on.
        assert_eq!(get(&place, &authority, texts, now).unwrap().chain(), next.chain());
    }
    check(&["vigo.example.com", "127.0.0.1", "::1"], NOW);
    check(&["other.example.com"], NOW);
    // With a third of its 397 days left.
    check(NAMES, NOW.after(DAY * 270));
    check(NAMES, NOW.after(DAY * 397));
    check(NAMES, NOW.after(DAY * 1000));
}

#[test]
fn renewed_when_less_than_a_third_is_left() {
    let authority = authority();
    let leaf = fleet::leaf(&authority);
    let own = leaf.names().to_vec();
    let third = DAY * 397 / 3;
    let at = |now| leaf.needs_renewal(&own, now);
    assert_eq!(leaf.not_after(), NOW.after(DAY * 397).before(HOUR / 12));
    assert!(!at(NOW));
    assert!(!at(leaf.not_after().before(third + HOUR)));
    assert!(at(leaf.not_after().before(third - HOUR)));
    assert!(at(leaf.not_after().after(HOUR)));
    // The clock went back to before it was made.
    assert!(at(NOW.before(DAY)));
    assert!(leaf.needs_renewal(&names(&["new.example.com"]), NOW));
    assert!(!leaf.needs_renewal(&[], NOW));
}

#[test]
fn never_longer_than_its_authority() {
    let authority = authority();
    let late = authority.root().not_after.before(DAY);
    let leaf = authority.issue_leaf(&names(NAMES), None, serial(1), late).unwrap();
    assert_eq!(leaf.not_after(), authority.root().not_after);
    let after = authority.issue_leaf(&names(NAMES), None, serial(1), authority.root().not_after.after(DAY));
    assert!(matches!(after, Err(LeafError::Sign(SignError::NotValidNow))), "{after:?}");
}

#[test]
fn a_lost_certificate_is_made_again_and_a_lost_key_is_not() {
    let (place, authority) = (Place::new(), authority());
    let first = get(&place, &authority, NAMES, NOW).unwrap();
    fs::remove_file(place.path("server.crt")).unwrap();
    let next = get(&place, &authority, NAMES, NOW.after(DAY)).unwrap();
    assert_eq!(next.pin(), first.pin());
    assert_ne!(next.chain()[0], first.chain()[0]);

    fs::remove_file(place.path("server.key")).unwrap();
    let error = get(&place, &authority, NAMES, NOW).unwrap_err();
    says(&error, &place.path("server.key"), "restore the key from a backup");
    says(&error, &place.path("server.crt"), "its pin changes");
    assert_eq!(place.names(), ["server.crt"]);
    assert_eq!(place.read("server.crt"), next.cert_pem());
}

#[test]
fn without_the_key_of_the_authority() {
    let (place, authority) = (Place::new(), authority());
    let keyless = keyless(&authority);
    let nothing = get(&place, &keyless, NAMES, NOW).unwrap_err();
    assert!(matches!(&nothing, LeafFilesError::Leaf { source: LeafError::Sign(SignError::NoKey), .. }), "{nothing:?}");
    assert!(place.names().is_empty(), "not even a key was made");

    let first = get(&place, &authority, NAMES, NOW).unwrap();
    // It cannot have what is asked for, and what is there is better than nothing, until its end.
    for (texts, now) in
        [(NAMES, NOW), (&["new.example.com"], NOW), (NAMES, NOW.after(DAY * 300)), (NAMES, first.not_after())]
    {
        assert_eq!(get(&place, &keyless, texts, now).unwrap().chain(), first.chain());
    }
    let late = get(&place, &keyless, NAMES, first.not_after().after(HOUR)).unwrap_err();
    says(&late, &place.path("server.crt"), "this server has no CA key");
    assert_eq!(place.read("server.crt"), first.cert_pem());
}

#[test]
fn files_that_are_no_pair_of_this_authority() {
    #[track_caller]
    fn refused(cert: Option<&str>, key: &str, named: &str, expected: impl Fn(&LeafFilesError) -> bool) {
        let place = Place::new();
        if let Some(cert) = cert {
            place.write("server.crt", cert, 0o644);
        }
        place.write("server.key", key, 0o600);
        let before = place.names();
        let authority = fleet::authority();
        let error = get(&place, &authority, NAMES, NOW).unwrap_err();
        assert!(expected(&error), "{error:?}");
        says(&error, &place.path(named), "");
        assert_eq!(place.names(), before);
        assert_eq!(
            (place.read("server.key"), cert.is_none_or(|cert| place.read("server.crt") == cert)),
            (key.into(), true)
        );
    }
    let elsewhere = authority();
    let (one, two) = (fleet::leaf(&elsewhere), fleet::leaf(&elsewhere));
    refused(Some(&one.cert_pem()), &one.key_pem(), "server.crt", |error| {
        matches!(error, LeafFilesError::OtherAuthority { .. })
    });
    refused(Some(&one.cert_pem()), &two.key_pem(), "server.crt", |error| {
        matches!(error, LeafFilesError::Leaf { source: LeafError::Mismatch, .. })
    });
    refused(Some(""), &one.key_pem(), "server.crt", |error| {
        matches!(error, LeafFilesError::Leaf { source: LeafError::Pem(_), .. })
    });
    let ed25519 = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap().serialize_pem();
    for cert in [None, Some(one.cert_pem())] {
        for key in ["", &one.key_pem()[..100], &ed25519] {
            refused(cert.as_deref(), key, "server.key", |error| {
                matches!(error, LeafFilesError::Leaf { source: LeafError::Key(_), .. })
            });
        }
    }
}

#[test]
fn a_certificate_needs_a_name() {
    let (place, authority) = (Place::new(), authority());
    let error = get(&place, &authority, &[], NOW).unwrap_err();
    says(&error, &place.path("server.crt"), "needs a name or an address");
    assert!(place.names().is_empty());
}

#[test]
fn a_directory_in_place_of_a_file() {
    let (place, authority) = (Place::new(), authority());
    fs::create_dir(place.path("server.key")).unwrap();
    let error = get(&place, &authority, NAMES, NOW).unwrap_err();
    assert!(matches!(error, LeafFilesError::File(FileError::WrongKind { .. })), "{error:?}");
    says(&error, &place.path("server.key"), "is not a file");
    assert_eq!(place.names(), ["server.key"]);
}

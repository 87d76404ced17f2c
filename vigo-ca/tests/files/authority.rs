//! `CaFiles`

use vigo_ca::files::FileError;
use vigo_ca::{CaError, CaFiles, CaFilesError, CertificateAuthority, RootError};
use vigo_core::ServerId;

use crate::fleet::{self, DAY, NOW, serial, server_id};
use crate::{Place, chmod, forge, mode, says};

fn files(place: &Place) -> CaFiles {
    CaFiles::new(place.path("ca.crt"), Some(place.path("ca.key")))
}

fn made(place: &Place) -> CertificateAuthority {
    files(place).create(&server_id(), serial(1), NOW).unwrap()
}

fn load(place: &Place) -> Result<CertificateAuthority, CaFilesError> {
    files(place).load(&server_id(), NOW)
}

#[test]
fn made_once_and_then_loaded() {
    let place = Place::new();
    assert!(!files(&place).exist().unwrap());
    let first = files(&place).load_or_create(&server_id(), serial(1), NOW).unwrap();
    assert!(files(&place).exist().unwrap());
    let kept = (place.read("ca.crt"), place.read("ca.key"));
    for _ in 0..2 {
        let again = files(&place).load_or_create(&server_id(), serial(2), NOW.after(DAY)).unwrap();
        assert_eq!(again.root(), first.root());
        assert!(again.can_sign());
        assert_eq!(again.key_pem(), first.key_pem());
        assert_eq!((place.read("ca.crt"), place.read("ca.key")), kept);
    }
    assert_eq!(load(&place).unwrap().root(), first.root());
    assert_eq!(place.names(), ["ca.crt", "ca.key"]);

    let error = files(&place).create(&server_id(), serial(3), NOW).unwrap_err();
    says(&error, &place.path("ca.crt"), "exists already and is not overwritten");
    assert_eq!((place.read("ca.crt"), place.read("ca.key")), kept);
}

#[test]
fn what_an_authority_signed_holds_after_a_restart() {
    let place = Place::new();
    let leaf = fleet::leaf(&made(&place));
    assert!(leaf.is_issued_by(&load(&place).unwrap()));
    assert!(!leaf.is_issued_by(&fleet::authority()));
}

#[test]
fn rule_03_a_new_authority_is_its_owners_alone() {
    let place = Place::new();
    made(&place);
    for name in ["ca.crt", "ca.key"] {
        assert_eq!(mode(&place.path(name)), 0o600, "{name}");
    }
}

#[test]
fn rule_03_a_loose_mode_is_refused() {
    let place = Place::new();
    made(&place);
    let (key, cert) = (place.path("ca.key"), place.path("ca.crt"));
    for loose in [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o666, 0o777, 0o440] {
        chmod(&key, loose);
        let error = load(&place).unwrap_err();
        assert!(matches!(error, CaFilesError::File(FileError::LooseMode { .. })), "{error:?}");
        says(&error, &key, &format!("(mode {loose:04o}): run `chmod 600 {}`", key.display()));
        let error = files(&place).load_or_create(&server_id(), serial(2), NOW).unwrap_err();
        says(&error, &key, "chmod 600");
    }
    for good in [0o600, 0o400, 0o700] {
        chmod(&key, good);
        load(&place).unwrap();
    }
    // A certificate is no secret, but who may change it chooses whom the fleet trusts.
    for loose in [0o622, 0o666, 0o620, 0o602, 0o646] {
        chmod(&cert, loose);
        says(&load(&place).unwrap_err(), &cert, &format!("(mode {loose:04o}): run `chmod go-w {}`", cert.display()));
    }
    for good in [0o644, 0o600, 0o444] {
        chmod(&cert, good);
        load(&place).unwrap();
    }
}

#[test]
fn half_an_authority_is_never_made_whole() {
    #[track_caller]
    fn check(lost: &str, kept: &str, rest: &str) {
        let place = Place::new();
        made(&place);
        let before = place.read(kept);
        std::fs::remove_file(place.path(lost)).unwrap();
        for _ in 0..2 {
            let errors =
                [load(&place).unwrap_err(), files(&place).load_or_create(&server_id(), serial(2), NOW).unwrap_err()];
            for error in errors {
                says(&error, &place.path(lost), rest);
                says(&error, &place.path(kept), rest);
            }
            let error = files(&place).create(&server_id(), serial(2), NOW).unwrap_err();
            says(&error, &place.path(kept), "exists already");
        }
        assert_eq!(place.names(), [kept]);
        assert_eq!(place.read(kept), before);
    }
    check("ca.key", "ca.crt", "restore the key from a backup");
    check("ca.crt", "ca.key", "restore the certificate from a backup");
}

/// As when the volume with the key is not mounted.
#[test]
fn a_link_that_leads_nowhere_is_not_made_into_a_file() {
    let place = Place::new();
    made(&place);
    let away = Place::new();
    std::fs::rename(place.path("ca.key"), away.path("ca.key")).unwrap();
    std::os::unix::fs::symlink(away.path("ca.key"), place.path("ca.key")).unwrap();
    load(&place).unwrap();
    std::fs::rename(away.path("ca.key"), away.path("elsewhere")).unwrap();
    says(&load(&place).unwrap_err(), &place.path("ca.key"), "does not exist");
    std::fs::remove_file(place.path("ca.crt")).unwrap();
    let error = files(&place).load_or_create(&server_id(), serial(2), NOW).unwrap_err();
    says(&error, &place.path("ca.crt"), "restore the certificate");
    assert_eq!(away.names(), ["elsewhere"]);
}

#[test]
fn without_a_key_it_says_who_signed_and_signs_nothing() {
    let place = Place::new();
    let made = made(&place);
    let without = CaFiles::new(place.path("ca.crt"), None);
    let authority = without.load_or_create(&server_id(), serial(2), NOW).unwrap();
    assert!(!authority.can_sign() && authority.key_pem().is_none());
    assert_eq!(authority.root(), made.root());
    assert!(fleet::leaf(&made).is_issued_by(&authority));

    let empty = Place::new();
    let without = CaFiles::new(empty.path("ca.crt"), None);
    let error = without.load_or_create(&server_id(), serial(2), NOW).unwrap_err();
    says(&error, &empty.path("ca.crt"), "no CA can be made without server.tls.ca_key_file");
    assert!(matches!(without.load(&server_id(), NOW), Err(CaFilesError::File(FileError::Absent { .. }))));
    assert!(matches!(load(&empty), Err(CaFilesError::File(FileError::Absent { .. }))));
    assert!(empty.names().is_empty());
}

/// Loads these texts as the files of an authority.
#[track_caller]
fn refused(cert: &str, key: &str, names: &str, expected: impl Fn(&CaError) -> bool) {
    let place = Place::new();
    place.write("ca.crt", cert, 0o644);
    place.write("ca.key", key, 0o600);
    let error = load(&place).unwrap_err();
    let CaFilesError::Ca { source, .. } = &error else { panic!("{error:?}") };
    assert!(expected(source), "{source:?}");
    says(&error, &place.path(names), &source.to_string());
    // The text of a key is in no error.
    assert!(key.is_empty() || !error.to_string().contains(key.lines().nth(1).unwrap_or(key)), "{error}");
    assert_eq!(place.names(), ["ca.crt", "ca.key"]);
}

#[test]
fn files_that_are_no_authority_of_this_fleet() {
    let (ours, other) = (fleet::authority(), fleet::authority());
    let (cert, key) = (ours.cert_pem(), ours.key_pem().unwrap());
    refused(&cert, &other.key_pem().unwrap(), "ca.crt", |error| matches!(error, CaError::Mismatch));
    refused(&(cert.clone() + &other.cert_pem()), &key, "ca.crt", |error| matches!(error, CaError::Many(2)));
    refused("", &key, "ca.crt", |error| matches!(error, CaError::Pem(_)));
    refused(&cert[..100], &key, "ca.crt", |error| matches!(error, CaError::Pem(_)));
    refused(&cert, "", "ca.key", |error| matches!(error, CaError::Key(_)));
    let two = format!("{}{}", *key, *other.key_pem().unwrap());
    refused(&cert, &two, "ca.key", |error| matches!(error, CaError::Key(_)));
    for algorithm in [&rcgen::PKCS_ED25519, &rcgen::PKCS_ECDSA_P384_SHA384] {
        let wrong = rcgen::KeyPair::generate_for(algorithm).unwrap().serialize_pem();
        refused(&cert, &wrong, "ca.key", |error| matches!(error, CaError::Key(_)));
    }

    let found = ServerId::from_random([0xf2; 16]);
    let stranger = fleet::authority_of(found);
    refused(
        &stranger.cert_pem(),
        &stranger.key_pem().unwrap(),
        "ca.crt",
        |error| matches!(error, CaError::OtherFleet { expected, found: id } if *expected == server_id() && *id == found),
    );
    let leaf = fleet::leaf(&ours);
    let alone = vigo_ca::pem::encode_certificate(&leaf.chain()[0]);
    refused(&alone, &leaf.key_pem(), "ca.crt", |error| matches!(error, CaError::Root(RootError::NotCa)));
    let mut params = forge::ca_params("No CRLs");
    params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
    let forged = forge::self_signed(&params);
    let pem = vigo_ca::pem::encode_certificate(&forged.der);
    refused(&pem, &forged.key.serialize_pem(), "ca.crt", |error| matches!(error, CaError::Root(RootError::KeyUsage)));
    let below = forge::signed_by(&ours, &forge::ca_params("Below"));
    let pem = vigo_ca::pem::encode_certificate(&below.der);
    let not_self_signed = |error: &CaError| matches!(error, CaError::Root(RootError::NotSelfSigned));
    refused(&pem, &below.key.serialize_pem(), "ca.crt", not_self_signed);
}

#[test]
fn an_authority_outside_its_validity_is_not_loaded() {
    let place = Place::new();
    let root = made(&place).root().clone();
    let at = |now| files(&place).load(&server_id(), now);
    for good in [root.not_before, root.not_after] {
        at(good).unwrap();
    }
    for bad in [root.not_before.before(fleet::HOUR), root.not_after.after(fleet::HOUR)] {
        says(&at(bad).unwrap_err(), &place.path("ca.crt"), "check this machine's clock");
        let again = files(&place).load_or_create(&server_id(), serial(2), bad);
        assert!(matches!(again, Err(CaFilesError::Ca { source: CaError::NotValidNow, .. })));
    }
}

#[test]
fn rule_03_what_is_shown_of_an_authority() {
    let place = Place::new();
    let authority = made(&place);
    let leaf = fleet::leaf(&authority);
    let request = vigo_ca::ClientRequest::generate().unwrap();
    let shown = format!("{authority:?} {leaf:?} {request:?} {:?}", files(&place));
    for pem in [authority.key_pem().unwrap(), leaf.key_pem(), request.key_pem()] {
        let key = vigo_ca::pem::private_key(&pem).unwrap();
        // The private number lies near the front of PKCS#8, at the same place in each.
        let secret = &key.secret_der()[36..68];
        assert!(!shown.contains(&hex::encode(secret)) && !shown.contains(&format!("{secret:?}")), "{shown}");
        assert!(pem.lines().skip(1).all(|line| !shown.contains(line)), "{shown}");
    }
    assert!(shown.contains(&format!("{:?}", authority.root().pin)), "{shown}");
}

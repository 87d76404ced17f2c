//! PEM in: what this crate reads is what `rustls-pki-types` reads, on every fixture. `rustls-pemfile`, which it reads
//! with, is no longer maintained; as long as this holds, the one module that names it can change its mind.
#![expect(clippy::unwrap_used, reason = "a test")]

use proptest::prelude::*;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use vigo_ca::pem::{self, PemError};

/// What `rustls-pki-types` finds, under our rules: all certificates, and at least one.
fn certificates(text: &str) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text.as_bytes()).collect();
    let found = found.map_err(|_| PemError::Broken)?;
    if found.is_empty() { Err(PemError::NoCertificate) } else { Ok(found) }
}

/// What `rustls-pki-types` finds, under our rules: exactly one key.
fn private_key(text: &str) -> Result<PrivateKeyDer<'static>, PemError> {
    let mut keys = PrivateKeyDer::pem_slice_iter(text.as_bytes()).map(|key| key.map_err(|_| PemError::Broken));
    let key = keys.next().unwrap_or(Err(PemError::NoKey))?;
    match keys.next() {
        None => Ok(key),
        Some(second) => second.and(Err(PemError::ManyKeys)),
    }
}

#[track_caller]
fn equal(text: &str) {
    assert_eq!(pem::certificates(text), certificates(text), "{text}");
    assert_eq!(pem::private_key(text), private_key(text), "{text}");
}

/// A section with these bytes in it: PEM does not look at what it carries.
fn section(label: &str, der: &[u8]) -> String {
    let line_ending = pem_rfc7468::LineEnding::LF;
    pem_rfc7468::encode_string(label, line_ending, der).unwrap()
}

fn certificate(byte: u8) -> String {
    section("CERTIFICATE", &[byte; 100])
}

fn key(byte: u8) -> String {
    section("PRIVATE KEY", &[byte; 50])
}

/// Name, text, how many certificates are in it, which key.
type Fixture = (&'static str, String, Result<usize, PemError>, Result<Kind, PemError>);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Pkcs8,
    Sec1,
    Pkcs1,
}

fn fixtures() -> Vec<Fixture> {
    use Kind::{Pkcs1, Pkcs8, Sec1};
    use PemError::{Broken, ManyKeys, NoCertificate, NoKey};
    let (none, no_key) = (Err(NoCertificate), Err(NoKey));
    let (one, two) = (certificate(1), certificate(2));
    let sec1 = section("EC PRIVATE KEY", &[3; 50]);
    let pkcs1 = section("RSA PRIVATE KEY", &[4; 50]);
    let crlf = |text: &str| text.replace('\n', "\r\n");
    let headers = "Proc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n";
    let encrypted = pkcs1.replacen('\n', &format!("\n{headers}"), 1);
    let explained =
        format!("Bag Attributes\n    friendlyName: web\nsubject=CN = web\n\n{one}\n# and the key\n{}", key(5));
    vec![
        ("nothing", String::new(), none, no_key),
        ("an empty line", "\n".into(), none, no_key),
        ("other text", "no PEM at all\nnot even -----\n".into(), none, no_key),
        ("one certificate", one.clone(), Ok(1), no_key),
        ("a chain", [one.as_str(), &two, &certificate(6)].concat(), Ok(3), no_key),
        ("one twice", [one.as_str(), &one].concat(), Ok(2), no_key),
        ("PKCS#8", key(5), none, Ok(Pkcs8)),
        ("SEC 1", sec1.clone(), none, Ok(Sec1)),
        ("PKCS#1", pkcs1.clone(), none, Ok(Pkcs1)),
        ("as openssl ecparam -genkey writes", section("EC PARAMETERS", &[7; 10]) + &sec1, none, Ok(Sec1)),
        ("an encrypted key", section("ENCRYPTED PRIVATE KEY", &[7; 80]), none, no_key),
        ("an encrypted key beside a plain one", section("ENCRYPTED PRIVATE KEY", &[7; 80]) + &key(5), none, Ok(Pkcs8)),
        ("a key encrypted the old way", encrypted, Err(Broken), Err(Broken)),
        ("two keys", key(5) + &key(6), none, Err(ManyKeys)),
        ("two keys of two kinds", key(5) + &sec1, none, Err(ManyKeys)),
        ("one key twice", key(5) + &key(5), none, Err(ManyKeys)),
        ("all in one", [one.as_str(), &key(5), &two].concat(), Ok(2), Ok(Pkcs8)),
        (
            "other sections",
            ["PUBLIC KEY", "CERTIFICATE REQUEST", "X509 CRL", "TRUSTED CERTIFICATE", "DH PARAMETERS"]
                .map(|label| section(label, &[8; 30]))
                .concat()
                + &one,
            Ok(1),
            no_key,
        ),
        ("CRLF", crlf(&format!("{one}{}", key(5))), Ok(1), Ok(Pkcs8)),
        ("CR alone", one.replace('\n', "\r"), Ok(1), no_key),
        ("explained", explained.clone(), Ok(1), Ok(Pkcs8)),
        ("explained, CRLF", crlf(&explained), Ok(1), Ok(Pkcs8)),
        ("no newline at the end", one.trim_end().into(), Ok(1), no_key),
        ("spaces after the lines", one.replace('\n', "  \n"), Ok(1), no_key),
        ("a byte order mark", format!("\u{feff}{one}"), none, no_key),
        ("lower case", one.to_lowercase(), none, no_key),
        ("cut off within the base64", one[..60].into(), Err(Broken), Err(Broken)),
        ("cut off before the end line", one.split("-----END").next().unwrap().into(), Err(Broken), Err(Broken)),
        ("cut off after a good one", format!("{one}{}", &two[..60]), Err(Broken), Err(Broken)),
        ("another end", one.replace("END CERTIFICATE", "END PRIVATE KEY"), Err(Broken), Err(Broken)),
        ("no base64", one.replacen("AQEB", "A!EB", 1), Err(Broken), Err(Broken)),
        ("a missing digit", one.replacen("AQEB", "AQE", 1), Err(Broken), Err(Broken)),
        ("an empty section", section("CERTIFICATE", b""), Ok(1), no_key),
        ("one long line", one_line(&one), Ok(1), no_key),
    ]
}

/// The base64 on a line of its own, as many tools write it.
fn one_line(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let [first, middle @ .., last] = lines.as_slice() else { panic!("no section") };
    format!("{first}\n{}\n{last}\n", middle.concat())
}

#[test]
fn equal_to_rustls_pki_types_on_every_fixture() {
    for (name, text, certificates, key) in fixtures() {
        let kind = |key: PrivateKeyDer<'_>| match key {
            PrivateKeyDer::Pkcs8(_) => Kind::Pkcs8,
            PrivateKeyDer::Sec1(_) => Kind::Sec1,
            PrivateKeyDer::Pkcs1(_) => Kind::Pkcs1,
            other => panic!("{other:?}"),
        };
        assert_eq!(pem::certificates(&text).map(|found| found.len()), certificates, "{name}");
        assert_eq!(pem::private_key(&text).map(kind), key, "{name}");
        equal(&text);
    }
}

#[test]
fn equal_to_rustls_pki_types_wherever_a_fixture_is_cut() {
    for (_, text, _, _) in fixtures() {
        for (at, _) in text.char_indices() {
            equal(&text[..at]);
            equal(&text[at..]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn equal_to_rustls_pki_types_on_fixtures_shuffled_by_line(
        lines in prop::collection::vec(prop::sample::select(all_lines()), 0..12),
        ending in prop::sample::select(vec!["\n", "\r\n", "\r"]),
    ) {
        equal(&lines.join(ending));
    }

    #[test]
    fn equal_to_rustls_pki_types_on_changed_fixtures(
        text in prop::sample::select(fixtures().into_iter().map(|(_, text, _, _)| text).collect::<Vec<_>>()),
        at: prop::sample::Index,
        with in "[-A-Z \r\n=!a-z+/]|\\PC",
    ) {
        let mut signs: Vec<char> = text.chars().collect();
        if !signs.is_empty() {
            let at = at.index(signs.len());
            signs.splice(at..=at, with.chars());
        }
        equal(&signs.into_iter().collect::<String>());
    }

    #[test]
    fn what_is_written_is_read(der: Vec<u8>) {
        let text = pem::encode_certificate(&der);
        prop_assert_eq!(pem::certificates(&text), Ok(vec![der.into()]));
    }
}

fn all_lines() -> Vec<String> {
    let lines = [certificate(1), key(5), section("EC PRIVATE KEY", &[3; 50])];
    let mut lines: Vec<String> = lines.iter().flat_map(|text| text.lines()).map(str::to_owned).collect();
    lines.extend(["", " ", "=", "-----", "-----BEGIN CERTIFICATE", "-----END CERTIFICATE-----x"].map(str::to_owned));
    lines
}

#[test]
fn one_module_alone_names_rustls_pemfile() {
    fn naming(directory: &std::path::Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                naming(&path, found);
            } else if std::fs::read_to_string(&path).unwrap().contains("rustls_pemfile") {
                found.push(path.file_name().unwrap().to_string_lossy().into_owned());
            }
        }
    }
    let mut found = Vec::new();
    naming(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert_eq!(found, ["pem.rs"]);
}

//! The bootstrap script and the line that fetches it: nothing from a request, a configuration or a token is ever a sign
//! for the shell.
//!
//! The data is lines of text: the server's address, the API's address, a token, and the query of `GET /bootstrap`.

use axum::extract::Query;
use serde::Deserialize;
use vigo_core::{Pin, TokenText};
use vigo_enroll::script::{OneLiner, ScriptValues, System, WebCertificate, bootstrap, one_liner};

use crate::Seed;

const LONGEST: usize = 2 * 1024;

/// The target.
pub fn check(data: &[u8]) {
    let text = String::from_utf8_lossy(&data[..data.len().min(LONGEST)]);
    let mut lines = text.split('\n');
    let mut line = || lines.next().unwrap_or_default();
    let (server, api, token, query) = (line(), line(), line(), line());
    for certificate in [WebCertificate::OwnCa, WebCertificate::PubliclyTrusted] {
        let (ca, leaf) = (Pin::from([1; 32]), Pin::from([2; 32]));
        if let Ok(values) = ScriptValues::new(server, api, ca, leaf, certificate) {
            script(&values);
            for system in System::ALL {
                for local in [false, true] {
                    one_line(&values, token, system, local);
                }
            }
            let again = ScriptValues::new(values.server(), values.api_addr(), ca, leaf, certificate);
            assert_eq!(again.as_ref(), Ok(&values), "what is written is read as something else");
        }
    }
    asked_for(query);
}

fn is_address(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
}

fn script(values: &ScriptValues) {
    let api = values.api_addr().strip_prefix("https://").expect("https alone");
    assert!(is_address(values.server()) && is_address(api), "{values:?}");
    let script = bootstrap(values);
    assert!(script.starts_with("{\n") && script.ends_with('}'), "{script}");
    let placeholder = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_uppercase() || b == b'_');
    // Every other part between two `@` could be a name.
    assert_eq!(script.split('@').skip(1).find(placeholder), None, "a value was not put in");
    let plain = ScriptValues::new("s:1", "https://a:1", values.ca_pin(), values.leaf_pin(), WebCertificate::OwnCa);
    let plain = bootstrap(&plain.expect("plain values"));
    assert_eq!(script.lines().count(), plain.lines().count(), "a value has more than one line");
}

fn one_line(values: &ScriptValues, token: &str, system: System, local: bool) {
    let token_text = TokenText::new(token.to_owned());
    let line = OneLiner { system, local, ..OneLiner::default() };
    let (without, with) = (one_liner(values, &line), one_liner(values, &OneLiner { token: Some(&token_text), ..line }));
    let (flag, prompt, end, pipes) = match system {
        System::Windows => (" -Token ", " -TokenPrompt", " }", Some(0)),
        System::Linux | System::Macos | System::Illumos => (" --token ", " --token-prompt", "", Some(1)),
        _ => (" --token ", " --token-prompt", "", None),
    };
    let without = without.strip_suffix(end).expect("the end of it");
    let added =
        with.strip_prefix(without).and_then(|added| added.strip_suffix(end)).expect("a token is added at the end");
    match added.strip_prefix(flag) {
        Some(shown) => {
            // PowerShell has it in quotes.
            let shown = shown.trim_matches('\'');
            assert_eq!(shown, token);
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
            assert!(!shown.is_empty() && !shown.starts_with('-') && shown.bytes().all(plain), "{with}");
        }
        None => assert_eq!(added, prompt),
    }
    assert!(with.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{with}");
    assert!(pipes.is_none_or(|pipes| with.matches('|').count() == pipes), "{with}");
    // Between quotes, and out of them again: brackets are patterns to some shells, and `!` is history to csh.
    let bare: String = without.split('\'').step_by(2).collect();
    let patterns = system != System::Windows && bare.contains(['[', ']']);
    assert!(without.matches('\'').count().is_multiple_of(2) && !patterns, "{without}");
    assert!(!with.contains('!'), "{with}");
}

/// As the server's handler reads it.
#[derive(Debug, Deserialize)]
struct Asked {
    os: Option<String>,
}

/// The query chooses a system and nothing else: what the server says of a bad one does not repeat it.
fn asked_for(query: &str) {
    let Ok(uri) = format!("/bootstrap?{query}").parse::<http::Uri>() else { return };
    match Query::<Asked>::try_from_uri(&uri) {
        Ok(Query(Asked { os })) => assert!(os.is_none() || query.contains("os"), "a system from nowhere: {os:?}"),
        Err(rejection) => {
            let said = rejection.body_text();
            let repeated = query.split(['&', '=']).find(|part| part.len() > 3 && said.contains(part));
            assert_eq!(repeated, None, "{said}");
        }
    }
}

/// Addresses, tokens and queries, good and hostile.
#[must_use]
pub fn seeds() -> Vec<Seed> {
    let token = format!("vgt1.{}.{}.{}.{}", "0f".repeat(16), "s".repeat(43), "A".repeat(43), "m".repeat(43));
    let texts = [
        ("names", format!("vigo.example.com:1530\nhttps://vigo.example.com:8443\n{token}\nos=linux")),
        ("no-port", format!("vigo.example.com:1530\nhttps://vigo.example.com/\n{token}\n")),
        ("v4", "192.0.2.7:1530\nhttps://192.0.2.7:8443\na b\nos=windows".to_owned()),
        ("v6", "[fd00::1]:1530\nhttps://[fd00::1]:8443\n-x\nos=linux&os=linux".to_owned()),
        ("v6-mapped", "[::ffff:192.0.2.7]:1530\nhttps://[::ffff:192.0.2.7]\n$(id)\nos".to_owned()),
        ("v6-zone", "[fe80::1%25eth0]:1530\nhttps://[fe80::1%eth0]:8443\n;id\nos=%00".to_owned()),
        ("shell", "$(reboot):1530\nhttps://a`id`:8443\n`id`\nos=$(id)&x=';id'".to_owned()),
        ("ports", "a:+1\nhttps://a:0\n\nos=%ff%fe".to_owned()),
        ("ports-large", "a:65536\nhttps://a:99999999999999999999\n.\na=b&&&c".to_owned()),
        ("placeholders", "@SERVER@:1\nhttps://@CA_PIN@:1\n@TOKEN@\n@=@".to_owned()),
        ("user", "root@a:1\nhttps://a:1/bootstrap?x#y\ntoken\nos=a%26b".to_owned()),
        ("upper-case", "VIGO.Example.COM.:01530\nhttps://VIGO.Example.COM.:008443/\nT_-.\n+".to_owned()),
    ];
    texts.into_iter().map(|(name, text)| Seed::new(name, text)).collect()
}

//! What stands in the script.

use vigo_enroll::script::WebCertificate;

use crate::lexer::{Token, read};
use crate::{compiled_source, script};

const BOTH: [WebCertificate; 2] = [WebCertificate::OwnCa, WebCertificate::PubliclyTrusted];

#[test]
fn rule_02_the_script_is_one_whole_that_its_last_byte_closes() {
    for certificate in BOTH {
        let text = script(certificate);
        let read = read(&text).unwrap_or_else(|error| panic!("{error}"));
        assert!(text.starts_with("(&"), "the first bracket stands before everything");
        assert_eq!(read.first_closed, Some(text.len() - 1), "every copy that is shorter leaves it open");
    }
}

#[test]
fn the_script_is_plain_text() {
    let text = script(WebCertificate::OwnCa);
    assert!(text.is_ascii(), "Windows PowerShell reads a file in the code page of the system");
    assert!(text.bytes().all(|b| b == b'\n' || b >= b' '), "no tabs, one kind of line ends");
    let trailing: Vec<&str> = text.lines().filter(|line| line.ends_with(' ')).collect();
    assert!(trailing.is_empty(), "a backtick before a space continues nothing: {trailing:?}");
    let marks: Vec<&str> = text.lines().filter(|line| line.contains("@SOURCE") || line.contains("'@T")).collect();
    assert!(marks.is_empty(), "{marks:?}");
    assert!(!compiled_source(&text).lines().any(|line| line.starts_with("'@")));
}

#[test]
fn carried_values_stand_in_plain_strings_alone() {
    let text = script(WebCertificate::OwnCa);
    let tokens = read(&text).expect("the script is read").tokens;
    for (value, times) in [
        ("[fd00::1]:1530", 1),
        ("https://vigo.example.com:8443", 1),
        (&format!("sha256:{}", "ca".repeat(32)), 1),
        (&format!("sha256:{}", "1e".repeat(32)), 1),
        ("sha256//Hh4e", 1),
        ("sha256//ysrK", 1),
    ] {
        let plain = tokens.iter().filter(|token| matches!(token, Token::Plain(text) if text.starts_with(value)));
        assert_eq!(plain.count(), times, "{value}");
        assert_eq!(text.matches(value).count(), times, "{value}");
    }
    let carried: Vec<&str> = text.lines().filter(|line| line.contains("PubliclyTrusted = ")).map(str::trim).collect();
    assert_eq!(carried, ["PubliclyTrusted = 'no'"]);
    assert!(script(WebCertificate::PubliclyTrusted).contains("PubliclyTrusted = 'yes'"));
    assert!(!tokens.contains(&Token::Plain("@SERVER@".into())));
}

/// Code that is evaluated from text, accepts every key, or ends somebody's session is none of ours.
#[test]
fn what_the_script_never_does() {
    let text = script(WebCertificate::OwnCa);
    let tokens = read(&text).expect("the script is read").tokens;
    let code: String = tokens
        .iter()
        .filter_map(|token| if let Token::Code(code) = token { Some(code.as_str()) } else { None })
        .collect();
    for never in ["iex", "Invoke-Expression", "{$true}", "{ $true }", "SkipCertificateCheck", "DownloadString", "-Uri"]
    {
        assert!(!code.contains(never), "{never}");
    }
    let exits: Vec<&str> = code.lines().map(str::trim).filter(|line| line.contains("exit ")).collect();
    assert_eq!(exits, ["if ($own.File) { exit $run.Code }"]);
    // The secret goes where a token goes, and to the agent's standard input.
    let uses: Vec<&str> =
        code.lines().map(str::trim).filter(|line| line.contains("+= ") && line.contains("$secret")).collect();
    assert_eq!(uses, ["if ($secret) { $arguments +=  }"], "and what is added is a flag");
}

#[test]
fn the_class_is_named_after_its_text() {
    let text = script(WebCertificate::OwnCa);
    let class =
        compiled_source(&text).lines().find_map(|line| line.strip_prefix("public sealed class ")).expect("a class");
    assert!(class.starts_with("VigoKeyCheck_") && class.len() == 29, "{class}");
    assert_eq!(text.matches(&format!("'{class}'")).count(), 4, "as it is asked for, made and used");
}

//! The script and the line for Windows.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use vigo_core::TokenText;

use super::one_liner::is_plain;
use super::{OneLiner, ScriptValues, WebCertificate};

/// The script before its values are put in. The parentheses are here, around all of it: no text that lacks the last one
/// is PowerShell.
const WINDOWS: &str = concat!(
    "(& {\n",
    include_str!("windows/start.ps1"),
    "\n",
    include_str!("windows/flags.ps1"),
    "\n",
    include_str!("windows/fetch.ps1"),
    "\n",
    include_str!("windows/install.ps1"),
    "\n",
    include_str!("windows/run.ps1"),
    "} @args)"
);

/// What the script compiles to check the server's key.
const KEY_CHECK: &str = include_str!("windows/key_check.cs");
/// The name of its class.
const KEY_CHECK_CLASS: &str = "VigoKeyCheck";

/// The bootstrap script for Windows: for Windows PowerShell 5.1 and PowerShell 7, one `(…)`, no newline after its end, so
/// that every copy that was cut short is a syntax error and does nothing.
///
/// ```
/// use vigo_core::Pin;
/// use vigo_enroll::script::{ScriptValues, WebCertificate, bootstrap_for_windows};
/// let (ca, leaf) = (Pin::from([1; 32]), Pin::from([2; 32]));
/// let (server, api) = ("vigo.example.com:1530", "https://vigo.example.com:8443");
/// let script = bootstrap_for_windows(&ScriptValues::new(server, api, ca, leaf, WebCertificate::OwnCa)?);
/// assert!(script.contains(&format!("Server = '{server}'")) && script.contains(&format!("LeafPin = '{leaf}'")));
/// assert!(script.starts_with('(') && script.ends_with(')'));
/// # Ok::<(), vigo_enroll::script::ScriptError>(())
/// ```
#[must_use]
pub fn bootstrap_for_windows(values: &ScriptValues) -> String {
    let trusted = match values.certificate() {
        WebCertificate::OwnCa => "no",
        WebCertificate::PubliclyTrusted => "yes",
    };
    // A session keeps a class for ever: another text of it needs another name.
    let digest = hex::encode(Sha256::digest(KEY_CHECK));
    let class = format!("{KEY_CHECK_CLASS}_{}", &digest[..16]);
    WINDOWS
        .replace("@SOURCE@", KEY_CHECK.replace(KEY_CHECK_CLASS, &class).trim_end())
        .replace("'@TYPE@'", &quoted(&class))
        .replace("'@SERVER@'", &quoted(values.server()))
        .replace("'@API_ADDR@'", &quoted(values.api_addr()))
        .replace("'@CA_PIN@'", &quoted(&values.ca_pin().to_string()))
        .replace("'@CA_PIN_CURL@'", &quoted(&values.ca_pin().to_curl()))
        .replace("'@CA_PIN_TOKEN@'", &quoted(&URL_SAFE_NO_PAD.encode(values.ca_pin().as_bytes())))
        .replace("'@LEAF_PIN@'", &quoted(&values.leaf_pin().to_string()))
        .replace("'@LEAF_PIN_CURL@'", &quoted(&values.leaf_pin().to_curl()))
        .replace("'@PUBLICLY_TRUSTED@'", &quoted(trusted))
}

/// The line that enrols a Windows machine, to be typed into an administrator's PowerShell.
///
/// Windows' own curl checks the pin before it sends a byte, even with `-k`. The file is run as a block of this session: no
/// policy about the execution of files stops it, and the token is in no program's arguments.
///
/// ```
/// use vigo_core::Pin;
/// use vigo_enroll::script::{OneLiner, ScriptValues, WebCertificate, one_liner_for_windows};
/// # let (ca, leaf) = (Pin::from([1; 32]), Pin::from([2; 32]));
/// let (server, api) = ("vigo.example.com:1530", "https://vigo.example.com:8443");
/// let values = ScriptValues::new(server, api, ca, leaf, WebCertificate::OwnCa)?;
/// let line = one_liner_for_windows(&values, &OneLiner::default());
/// assert!(line.starts_with("curl.exe -sSfk --pinnedpubkey 'sha256//"));
/// assert!(line.ends_with(&format!("-CaPin {ca} }}")));
/// # Ok::<(), vigo_enroll::script::ScriptError>(())
/// ```
#[must_use]
pub fn one_liner_for_windows(values: &ScriptValues, line: &OneLiner<'_>) -> String {
    let (server, api) = values.endpoints();
    let loopback = format!("https://{}", api.on_loopback().to_text());
    let (flags, address) = match (values.certificate(), line.local) {
        (WebCertificate::PubliclyTrusted, _) => ("-sSf".to_owned(), values.api_addr()),
        (WebCertificate::OwnCa, true) => (pinned(values), loopback.as_str()),
        (WebCertificate::OwnCa, false) => (pinned(values), values.api_addr()),
    };
    let url = quoted(&format!("{address}/bootstrap?os=windows"));
    let mut text = format!(
        "curl.exe {flags} -o \"$env:TEMP\\vigo.ps1\" {url}; if ($LASTEXITCODE -eq 0) {{ & \
         ([scriptblock]::Create((Get-Content -Raw \"$env:TEMP\\vigo.ps1\"))) -CaPin {}",
        values.ca_pin()
    );
    if let Some(pin) = line.signing_pin {
        text += &format!(" -SigningPin {pin}");
    }
    if line.local {
        text += &format!(" -Server {} -ApiAddr {}", quoted(&server.on_loopback().to_text()), quoted(address));
    }
    match line.token.map(TokenText::reveal) {
        Some(token) if is_plain(token) => text += &format!(" -Token {}", quoted(token)),
        Some(_) => text += " -TokenPrompt",
        None => {}
    }
    text + " }"
}

fn pinned(values: &ScriptValues) -> String {
    format!("-sSfk --pinnedpubkey {}", quoted(&values.leaf_pin().to_curl()))
}

/// A text as PowerShell reads it back, whatever it holds. The four typographic quotes end a text there as `'` does.
fn quoted(text: &str) -> String {
    let mut out = String::from("'");
    for c in text.chars() {
        if matches!(c, '\'' | '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}') {
            out.push(c);
        }
        out.push(c);
    }
    out + "'"
}

#[cfg(test)]
mod tests {
    use vigo_core::Pin;

    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        assert_eq!(quoted(text), expected);
    }

    #[test]
    fn what_a_quoted_text_is() {
        check("", "''");
        check("$(reboot) `n \"", "'$(reboot) `n \"'");
        check("a'b''", "'a''b'''''");
        check("\u{2018}\u{2019}\u{201a}\u{201b}", "'\u{2018}\u{2018}\u{2019}\u{2019}\u{201a}\u{201a}\u{201b}\u{201b}'");
    }

    #[track_caller]
    fn check_line(certificate: WebCertificate, local: bool, token: Option<&str>, expected: &str) {
        let token = token.map(|text| TokenText::new(text.to_owned()));
        let (server, api) = ("vigo.example.com:1530", "https://[fd00::1]:8443");
        let values = ScriptValues::new(server, api, Pin::from([1; 32]), Pin::from([2; 32]), certificate);
        let values = values.expect("good values");
        let expected = expected
            .replace("LEAF", &values.leaf_pin().to_curl())
            .replace("RUN", "& ([scriptblock]::Create((Get-Content -Raw \"$env:TEMP\\vigo.ps1\"))) -CaPin")
            .replace("FILE", "\"$env:TEMP\\vigo.ps1\"")
            .replace("CA_PIN", &values.ca_pin().to_string());
        assert_eq!(
            one_liner_for_windows(&values, &OneLiner { token: token.as_ref(), local, ..OneLiner::default() }),
            expected
        );
    }

    #[test]
    fn the_lines() {
        use WebCertificate::{OwnCa, PubliclyTrusted};
        check_line(
            OwnCa,
            false,
            None,
            "curl.exe -sSfk --pinnedpubkey 'LEAF' -o FILE 'https://[fd00::1]:8443/bootstrap?os=windows'; if \
             ($LASTEXITCODE -eq 0) { RUN CA_PIN }",
        );
        check_line(
            OwnCa,
            true,
            Some("vgt1.a.b.c.d"),
            "curl.exe -sSfk --pinnedpubkey 'LEAF' -o FILE 'https://127.0.0.1:8443/bootstrap?os=windows'; if \
             ($LASTEXITCODE -eq 0) { RUN CA_PIN -Server '127.0.0.1:1530' -ApiAddr 'https://127.0.0.1:8443' -Token \
             'vgt1.a.b.c.d' }",
        );
        check_line(
            PubliclyTrusted,
            true,
            Some("$(reboot)"),
            "curl.exe -sSf -o FILE 'https://[fd00::1]:8443/bootstrap?os=windows'; if ($LASTEXITCODE -eq 0) { RUN CA_PIN \
             -Server '127.0.0.1:1530' -ApiAddr 'https://[fd00::1]:8443' -TokenPrompt }",
        );
    }
}

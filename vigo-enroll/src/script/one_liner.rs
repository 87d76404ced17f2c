use vigo_core::{Pin, TokenText};

use super::values::Endpoint;
use super::{ScriptValues, System, WebCertificate, one_liner_for_windows};

/// What the line that an operator copies is for.
#[derive(Clone, Copy, Debug, Default)]
pub struct OneLiner<'a> {
    /// The new machine's system.
    pub system: System,
    /// The token to put into it. A text that could not stand in a shell's line unquoted is no token and is left out:
    /// the line asks for it at the terminal instead.
    pub token: Option<&'a TokenText>,
    /// The pin of the key that must have signed the agent.
    pub signing_pin: Option<Pin>,
    /// For the server's own host, over 127.0.0.1.
    pub local: bool,
}

/// The line that enrols a machine, to be typed into its shell: what fetches the script, a pipe, and the shell that runs it.
///
/// curl checks the pin of the server's key before it sends a byte, even with `-k`. Where the base system has no curl the
/// line is longer, because what it has cannot pin: the CA's certificate comes first, openssl compares its key with the
/// CA's pin, and the script is then fetched with that CA as the only one trusted (`fetch` on FreeBSD, `ftp` on OpenBSD,
/// openssl itself on NetBSD, whose ftp does not check in every version). Nothing that was not checked reaches the shell.
///
/// sudo stands for what the system has: doas on OpenBSD, pfexec on illumos. For Windows it is
/// [`one_liner_for_windows`].
///
/// Over 127.0.0.1 a publicly trusted certificate cannot be verified, so there the HTTPS part keeps its name and gRPC alone
/// takes the loopback.
///
/// ```
/// use vigo_core::{Pin, TokenText};
/// use vigo_enroll::script::{OneLiner, ScriptValues, System, WebCertificate, one_liner};
/// # let (ca, leaf) = (Pin::from([1; 32]), Pin::from([2; 32]));
/// let (server, api) = ("vigo.example.com:1530", "https://vigo.example.com");
/// let values = ScriptValues::new(server, api, ca, leaf, WebCertificate::PubliclyTrusted)?;
/// let line = one_liner(&values, &OneLiner::default());
/// assert_eq!(line, format!("curl -sSf https://vigo.example.com:443/bootstrap | sudo sh -s -- --ca-pin {ca}"));
/// let line = one_liner(&values, &OneLiner { system: System::Openbsd, ..OneLiner::default() });
/// assert_eq!(line, format!("ftp -MVo - https://vigo.example.com:443/bootstrap | doas sh -s -- --ca-pin {ca}"));
///
/// // What a shell would take for more than a token never gets into the line.
/// let token = TokenText::new("$(reboot)".to_owned());
/// let line = one_liner(&values, &OneLiner { token: Some(&token), ..OneLiner::default() });
/// assert!(line.ends_with("--token-prompt"));
/// # Ok::<(), vigo_enroll::script::ScriptError>(())
/// ```
#[must_use]
pub fn one_liner(values: &ScriptValues, line: &OneLiner<'_>) -> String {
    let (server, api) = values.endpoints();
    let api = match (values.certificate(), line.local) {
        (WebCertificate::OwnCa, true) => &api.on_loopback(),
        _ => api,
    };
    let (fetched, elevated) = match line.system {
        System::Windows => return one_liner_for_windows(values, line),
        System::Linux | System::Macos => (by_curl(values, api), "sudo"),
        System::Illumos => (by_curl(values, api), "pfexec"),
        System::Freebsd => (by_fetch(values, api), "sudo"),
        System::Openbsd => (by_ftp(values, api), "doas"),
        System::Netbsd => (by_openssl(values, api), "sudo"),
    };
    let mut text = format!("{fetched} | {elevated} sh -s -- --ca-pin {}", values.ca_pin());
    if let Some(pin) = line.signing_pin {
        text += &format!(" --signing-pin {pin}");
    }
    if line.local {
        text += &format!(" --server {} --api-addr {}", server.on_loopback().to_text(), quoted(&url(api, "")));
    }
    match line.token.map(TokenText::reveal) {
        Some(token) if is_plain(token) => text += &format!(" --token {token}"),
        Some(_) => text += " --token-prompt",
        None => {}
    }
    text
}

fn url(api: &Endpoint, path: &str) -> String {
    format!("https://{}{path}", api.to_text())
}

/// zsh takes an IPv6 address' brackets for a pattern.
fn quoted(url: &str) -> String {
    if url.contains('[') { format!("'{url}'") } else { url.to_owned() }
}

fn by_curl(values: &ScriptValues, api: &Endpoint) -> String {
    let url = quoted(&url(api, "/bootstrap"));
    match values.certificate() {
        WebCertificate::PubliclyTrusted => format!("curl -sSf {url}"),
        WebCertificate::OwnCa => format!("curl -sSfk --pinnedpubkey '{}' {url}", values.leaf_pin().to_curl()),
    }
}

/// The environment may tell fetch to check nothing, or to trust more than the file that it is given.
fn by_fetch(values: &ScriptValues, api: &Endpoint) -> String {
    let script = url(api, "/bootstrap");
    match values.certificate() {
        WebCertificate::PubliclyTrusted => format!("fetch -qo - {}", quoted(&script)),
        WebCertificate::OwnCa => by_ca(
            values,
            "unset SSL_NO_VERIFY_PEER SSL_NO_VERIFY_HOSTNAME SSL_CA_CERT_PATH; ",
            &format!("fetch -qo - --no-verify-peer --no-verify-hostname \"{}\"", url(api, CA)),
            &format!("fetch -qo - --ca-cert=$c \"{script}\""),
        ),
    }
}

fn by_ftp(values: &ScriptValues, api: &Endpoint) -> String {
    let script = url(api, "/bootstrap");
    match values.certificate() {
        WebCertificate::PubliclyTrusted => format!("ftp -MVo - {}", quoted(&script)),
        WebCertificate::OwnCa => by_ca(
            values,
            "",
            &format!("ftp -MV -S dont -o - \"{}\"", url(api, CA)),
            &format!("ftp -MV -S cafile=$c -o - \"{script}\""),
        ),
    }
}

/// HTTP/1.0 by hand; the head ends at the first line that holds a carriage return alone.
fn by_openssl(values: &ScriptValues, api: &Endpoint) -> String {
    let authority = api.to_text();
    let get = format!(
        "g() {{ p=$1; shift; printf \"GET $p HTTP/1.0\\r\\nHost: {authority}\\r\\n\\r\\n\" | openssl s_client -quiet \
         -connect \"{authority}\" \"$@\" 2>/dev/null | sed \"1,/^.\\{{0,1\\}}\\$/d\"; }}; "
    );
    let checks = format!("-verify_return_error {}", api.to_openssl());
    match values.certificate() {
        WebCertificate::PubliclyTrusted => format!("sh -c '{get}g /bootstrap {checks}'"),
        WebCertificate::OwnCa => by_ca(
            values,
            &get,
            &format!("g {CA}"),
            // An old openssl would trust the system's CAs as well.
            &format!(
                "SSL_CERT_FILE=$c SSL_CERT_DIR=$c; export SSL_CERT_FILE SSL_CERT_DIR; g /bootstrap -CAfile $c {checks}"
            ),
        ),
    }
}

/// Where the CA's certificate is.
const CA: &str = "/api/v1/bootstrap/ca";

/// What writes the script to its output if the CA has the pinned key, in any login shell: nothing in the quotes is more
/// than itself even in csh. One certificate is kept, whatever else came with it.
fn by_ca(values: &ScriptValues, first: &str, get_ca: &str, get_script: &str) -> String {
    let pin = values.ca_pin().to_string();
    let pin = pin.strip_prefix("sha256:").unwrap_or(&pin);
    format!(
        "sh -c '{first}c=$(mktemp /tmp/vigo.XXXXXX) && trap \"rm -f $c\" 0 && {get_ca} | openssl x509 -out $c && \
         case $(openssl x509 -in $c -noout -pubkey | openssl pkey -pubin -outform DER | openssl dgst -sha256 -r) in \
         {pin}*) {get_script} ;; *) echo \"vigo: pin_mismatch: the server shows another CA\" >&2 ;; esac'"
    )
}

/// Whether a token is nothing but itself in a shell's line.
pub(super) fn is_plain(token: &str) -> bool {
    !token.is_empty()
        && !token.starts_with('-')
        && token.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

//! The codes of errors: every one that a program of ours says. A test over the sources holds the tables to them.

/// A code and what it means.
type Code = (&'static str, &'static str);

/// What a machine that wants to join is told, by gRPC and by `POST /api/v1/bootstrap/register`.
const JOINING: &[Code] = &[
    (
        "token_rejected",
        "The token is not accepted for this host. Whether it is unknown, expired, revoked, wrong, or for other hostnames or networks is in the audit log alone.",
    ),
    ("token_used", "All uses of the token are spent. Only who proves its secret is told so."),
    ("not_admitted", "No token was given, and no rule admits this hostname from this address."),
    ("hostname_taken", "An envoy that is not revoked has this hostname."),
    (
        "hostname_revoked",
        "The last envoy with this hostname was revoked by an operator: a token for it, or `allow-reenroll`, lets it in again.",
    ),
    ("refused_by_hook", "The rules admit it, and the hook of the program that embeds the server does not."),
    ("identity_used", "The identity key belongs to an envoy already."),
    ("request_reused", "The request id was used for another registration."),
    ("never_won", "The answer of a registration was asked for that was never won."),
    ("no_ca_key", "This server has no key of the CA, so it enrols nobody."),
    ("rate_limited", "Too many registrations from this address, or of this name."),
    ("busy", "Too much at once: try again in seconds. On an agent: another `vigo` is at work in the same folders."),
    (
        "bad_signature",
        "A registration or a check-in is not signed by the key that it names, for this server. Something in between may be ending TLS.",
    ),
    ("malformed", "The request cannot be read, or is too large."),
    ("key_refused", "The identity key is weak."),
    ("hostname_refused", "The hostname is none: letters, digits and hyphens, no address."),
    ("csr_refused", "The certificate request is bad."),
    ("unavailable", "The server failed, and its log says at what. Trying again may succeed."),
];

/// What an envoy is told.
const CHECKING_IN: &[Code] = &[
    ("certificate_required", "The request came without an envoy's certificate."),
    ("certificate_expired", "The envoy's certificate has expired: run a bootstrap line with `--force` on it."),
    (
        "envoy_revoked",
        "The envoy was revoked, or the identity key was. It does not come back; the host may, as a new envoy.",
    ),
    ("unknown_envoy", "The server does not know this envoy, as after an old backup was restored."),
    ("identity_mismatch", "The certificate is another identity's than the check-in."),
    ("replayed", "The check-in was seen before. An agent begins again by itself."),
    ("forged_challenge", "The check-in echoes a challenge that was never given."),
    (
        "no_hostcrate",
        "A notice, no refusal: no block of `envoys.vgo` takes this hostname, so there is nothing to apply.",
    ),
];

/// What operators are told of who they are.
const LOGGED_IN: &[Code] = &[
    ("not_logged_in", "The request has no session and no API token, or one that is over."),
    ("not_allowed", "The role is too small for this; the message names the one that is needed."),
    ("login_failed", "Name or password is wrong. Which of them, nobody is told."),
    (
        "too_many_logins",
        "Too many logins failed, of this name or from this address: the right password is not looked at either for a while.",
    ),
    (
        "cross_site",
        "The request was sent by a browser from another site's page. A proxy must leave `Host` and `Origin` as they are.",
    ),
    ("exists", "There is an account of that name."),
    ("last_admin", "It would leave no administrator."),
];

/// What HTTPS and the admin socket answer besides.
const ASKING: &[Code] = &[
    ("not_found", "There is nothing of that name, or at that address."),
    ("method_not_allowed", "The address does not take that method."),
    ("invalid", "A value cannot be meant; the message says which."),
    ("any_host", "The pattern takes every host, and that was not confirmed."),
    ("conflict", "Somebody else changed the same thing at the same time: look again, then decide."),
    ("too_many", "More envoys than `--at-most` allows."),
    ("audit_broken", "A record of the audit log was changed or removed."),
    ("too_slow", "The request took too long to arrive."),
    ("not_ready", "The server is up and cannot serve yet, or no longer."),
    ("no_agent", "The server has no agent for that system."),
    ("agent_unsigned", "The server's agent for that system is not signed, or not by a key that counts."),
    ("agent_changed", "The agent was exchanged while it was downloaded: begin again."),
    ("range_refused", "The range of a download lies outside of the file."),
];

/// What `vigo` says, on standard error and in its status.
const AGENT: &[Code] = &[
    ("failed", "Something that has no code of its own; the message says what."),
    ("usage", "Called in a way that cannot be meant."),
    ("interrupted", "It was told to end before it was done."),
    ("not_enrolled", "This machine is not enrolled."),
    ("already_enrolled", "This machine is enrolled; `--force` asks for a new enrolment."),
    ("enrolled_before", "A notice: the line had enrolled this machine before, and nothing was changed."),
    ("pin_mismatch", "The server shows other keys than the pins name. Nothing secret was sent."),
    ("server_not_trusted", "The server's certificate is not one of the fleet's."),
    ("server_name_mismatch", "The server's certificate is not for the name or address that was dialled."),
    ("server_unreachable", "Nothing answers at the server's address, or it stopped in the middle."),
    ("not_a_server", "What answers there is no Vigo server's gRPC port."),
    ("connection_lost", "The connection ended before the answer was there."),
    ("certificate_refused", "The server refused this envoy's certificate."),
    ("reply_refused", "The server's answer is not signed by it, not for this request, or not understood."),
    ("refused", "Something between agent and server refused, in words that are not the server's."),
    ("policy_refused", "The policy that came is not the server's, or cannot be read. The one before stays."),
    ("token_unreadable", "The file or the input that is to hold the token cannot be read."),
    ("token_malformed", "What was given is no token."),
    ("path_refused", "A path cannot be used."),
    ("not_writable", "A folder is not there or takes nothing: run as root, or name folders of your own."),
    ("file_error", "A file cannot be read or written, or others may read it who should not."),
    ("locked", "Another process took the daemon's place."),
    ("config_refused", "The agent's configuration cannot be meant."),
    ("enrolment_damaged", "Files of the enrolment do not belong together."),
    ("pending_damaged", "A registration that was begun cannot be read."),
    ("pending_failed", "A registration could not be prepared."),
    ("service_failed", "Enrolled, and the service could not be installed or started."),
    ("service_silent", "Enrolled and installed, and the service has not checked in yet."),
    ("daemon_silent", "The daemon that runs here does not answer."),
    ("not_root", "Only root may do this."),
    ("not_removed", "Something could not be removed; `vigo uninstall` goes on where it stopped."),
    ("not_confirmed", "Not confirmed, and nothing was changed."),
    ("output_failed", "Standard output takes nothing."),
    (
        "envoy_replaced",
        "What an operator asked of the envoy was not done: another enrolment of its hostname came first.",
    ),
    ("unsupported", "The server asked for something that this agent does not know."),
];

/// Why an update was not installed. The agent that runs goes on.
const UPDATES: &[Code] = &[
    ("update_no_key", "This agent was built without a signing key, so it takes no updates."),
    ("update_embedded", "This agent is part of another program, which updates it."),
    ("update_signature", "The compiled-in key did not sign the manifest."),
    ("update_manifest", "The manifest cannot be read, or is another product's."),
    ("update_other_target", "The build is for another system or architecture."),
    ("update_older", "The build is older than one that was verified here."),
    ("update_below_minimum", "This agent is too old to go to that version in one step."),
    ("update_not_yet_valid", "The manifest's first moment is still to come: compare the clocks."),
    ("update_expired", "The manifest's last moment is over: sign it again."),
    ("update_refused", "The manifest is good, and the build is not for here."),
    ("checksum_mismatch", "The binary is not the one that was signed."),
    ("update_failed", "The new version was tried and did not check in, so the old one stays."),
    ("update_on_trial", "A version is on trial at this moment."),
    ("update_state_damaged", "What is known of earlier updates cannot be read."),
    ("signing_pin_mismatch", "The key that `--signing-pin` names did not sign this program."),
];

/// What the bootstrap script says besides, before there is an agent that could.
const SCRIPT: &[Code] = &[
    (
        "downloader_missing",
        "Nothing on the machine can fetch the agent and check the server's key; the message names a package.",
    ),
    ("checksum_missing", "Nothing on the machine can compute a SHA-256; the message names a package."),
    ("platform_unsupported", "There is no agent for this system or processor."),
    ("signature_mismatch", "The key of `-SigningPin` did not sign the agent, or signed another (Windows)."),
    ("too_large", "More bytes come than there can be (Windows)."),
    ("not_administrator", "Only an administrator may install a service (Windows)."),
    ("cannot_check", "A policy of this host keeps PowerShell from checking keys, so nothing is fetched (Windows)."),
];

/// What `vigocli` says of itself.
const CLI: &[Code] = &[
    ("no_server", "No server is named, and there is none in this folder."),
    ("no_permission", "This user may not read the server's configuration or open its socket."),
    ("unreachable", "The server does not answer."),
    ("bad_answer", "The server's answer is not what was expected; server and vigocli may not be of fitting versions."),
    ("config_unreadable", "The server's configuration cannot be read."),
    ("confirmation_required", "There is no terminal to ask on, and `--yes` was not given."),
    ("token_file", "The file with a token cannot be read."),
    ("unreadable", "A file that was named cannot be read."),
    ("unwritable", "A file or folder that was named cannot be written."),
    ("no_terminal", "There is no terminal to ask on; the message names the flags."),
    ("no_password", "The password is empty."),
    ("passwords_differ", "The two passwords that were typed differ."),
    ("max_required", "Many envoys are meant, and `--yes` needs `--max` then."),
    ("names_and_filters", "Envoys were named, and filters were given too."),
    ("bad_stdin", "A line of standard input is no id or hostname."),
    ("pin_needed", "Nothing vouches for the server: give its pin with `--ca-pin`. Nothing was sent."),
    ("wrong_name", "The server has the pinned key, and its certificate is for other names."),
    ("tls", "TLS cannot be set up."),
    ("no_home", "There is no folder for logins."),
    ("logins_exposed", "Others may open the file of logins."),
    ("logins_unreadable", "The file of logins cannot be read."),
    ("logins_unwritable", "The file of logins cannot be written."),
    ("stdout", "Standard output takes nothing."),
    ("internal", "A fault of vigocli itself."),
];

/// What `vigocli audit list` shows in place of `token_rejected`.
const AUDIT: &[Code] = &[
    ("token_malformed", "No token at all."),
    ("token_forged", "Its MAC does not fit: made up, or of another fleet."),
    ("token_unknown", "Its id is not in the store."),
    ("token_wrong_secret", "A known id with another secret."),
    ("token_revoked", "An operator revoked it."),
    ("token_expired", "Its time is over."),
    ("token_other_host", "It is for other hostnames."),
    ("token_other_network", "It is for other networks."),
];

const SECTIONS: [(&str, &[Code]); 9] = [
    ("Joining", JOINING),
    ("The bootstrap script", SCRIPT),
    ("Checking in", CHECKING_IN),
    ("Who is asking", LOGGED_IN),
    ("Asking the server", ASKING),
    ("The agent", AGENT),
    ("Updates", UPDATES),
    ("vigocli", CLI),
    ("In the audit log alone", AUDIT),
];

pub(super) fn page() -> String {
    let mut text = "# Error codes\n\n\
        Whatever goes wrong has a code, one sentence, and the next step. Scripts may rely on codes: one is never renamed. \
        By HTTP an error is `{\"error\":{\"code\",\"message\",\"help\"}}`; the agent shows codes in `vigo status --json`, \
        `vigocli` with `-o json`.\n\n\
        Exit codes of `vigo` and `vigocli`: 0 ok · 1 failed · 2 usage · 3 not found · 4 who is asking is not proved · \
        5 refused or in conflict · 6 unreachable · 7 done in part · 8 findings.\n"
        .to_owned();
    for (name, codes) in SECTIONS {
        text.push_str(&format!("\n## {name}\n\n| code | what it means |\n|---|---|\n"));
        for (code, meaning) in codes {
            text.push_str(&format!("| `{code}` | {meaning} |\n"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use regex::Regex;

    use super::*;
    use crate::docs::book::below;
    use crate::docs::root;

    /// The crates that say codes.
    const CRATES: [&str; 4] = ["vigo-enroll", "bins/vigo-server", "bins/vigo-agent", "bins/vigocli"];

    /// A file's text without its tests and comments.
    fn program(text: &str) -> String {
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        text.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")).collect()
    }

    /// The codes that a program's text says, wherever our sources give one.
    fn said(text: &str) -> BTreeSet<String> {
        let word = Regex::new(r#""([a-z]+(?:_[a-z]+)*)""#).unwrap();
        // A status, an exit code or a kind, then the code; a field; a word for "refuse with".
        let one = r#"(?x)
            \(\s*(?:StatusCode|Exit|RefusalKind)::\w+\s*,\s*"([a-z_]+)"
            | \(\s*(?:Policy|Identity|Malformed|Limited|Unavailable|exit|status)\s*,\s*"([a-z_]+)"
            | \bcode:\s*"([a-z_]+)"
            | \brefuse\(\s*"([a-z_]+)""#;
        // A function or a variable of that name: all words in it.
        let all = Regex::new(r"(?s)(?:fn (?:audit_)?code\(.*?\n    \}\n|let \(?(?:audit_)?code\b.*?;\n)").unwrap();
        let one = Regex::new(one).unwrap();
        let mut found = BTreeSet::new();
        found.extend(
            one.captures_iter(text)
                .filter_map(|found| Some(found.iter().skip(1).flatten().next()?.as_str().to_owned())),
        );
        for part in all.find_iter(text) {
            found.extend(word.captures_iter(part.as_str()).map(|found| found[1].to_owned()));
        }
        found
    }

    /// The codes that a bootstrap script says: what it prints begins with one.
    fn said_by_script(text: &str) -> BTreeSet<String> {
        let code = Regex::new(r#"(?:["']|\bvigo: )([a-z]+(?:_[a-z]+)+): "#).unwrap();
        code.captures_iter(text).map(|found| found[1].to_owned()).collect()
    }

    fn scripts() -> BTreeMap<String, String> {
        let folder = root().join("vigo-enroll/src/script");
        let paths = ["sh", "ps1"].into_iter().flat_map(|end| below(&folder, end).unwrap());
        let read = |path: std::path::PathBuf| {
            (format!("vigo-enroll/src/script/{}", path.display()), std::fs::read_to_string(folder.join(path)).unwrap())
        };
        paths.map(read).collect()
    }

    fn sources() -> BTreeMap<String, String> {
        let mut sources = BTreeMap::new();
        for name in CRATES {
            let folder = root().join(name).join("src");
            for path in below(&folder, "rs").unwrap() {
                let is_test =
                    path.iter().any(|part| part == "tests" || part == "tests.rs") || path.starts_with("decide/");
                if !is_test {
                    let text = std::fs::read_to_string(folder.join(&path)).unwrap();
                    sources.insert(format!("{name}/src/{}", path.display()), program(&text));
                }
            }
        }
        sources
    }

    #[test]
    fn every_code_that_is_said_is_explained_and_no_other() {
        let explained: BTreeSet<&str> =
            SECTIONS.iter().flat_map(|(_, codes)| codes.iter().map(|code| code.0)).collect();
        let mut said_anywhere = BTreeSet::new();
        let mut missing = Vec::new();
        let programs = sources().into_iter().map(|(path, text)| (path, said(&text)));
        let scripts = scripts().into_iter().map(|(path, text)| (path, said_by_script(&text)));
        for (path, codes) in programs.chain(scripts) {
            for code in codes {
                if !explained.contains(code.as_str()) {
                    missing.push(format!("{path} says `{code}`: explain it in {}", file!()));
                }
                said_anywhere.insert(code);
            }
        }
        assert!(missing.is_empty(), "{}", missing.join("\n"));
        let never: Vec<&&str> = explained.iter().filter(|code| !said_anywhere.contains(**code)).collect();
        assert!(never.is_empty(), "explained, and never said: {never:?}");
    }

    /// What the test above cannot read: a code that is no literal, nor a variable of that name, whose words it does read.
    #[test]
    fn codes_are_written_where_they_are_said() {
        let made = Regex::new(r"\b(?:ApiError|Failure)::new\(\s*[^,]+,\s*([^,]+),").unwrap();
        for (path, text) in sources() {
            for found in made.captures_iter(&text) {
                let code = &found[1];
                // What vigocli was told by the server, it repeats.
                let known = code.starts_with('"') || code == "code" || code == "error.code.to_string()";
                assert!(known, "{path}: write the code in place of `{code}`");
            }
        }
    }

    #[test]
    fn a_code_is_explained_once() {
        let mut seen = BTreeSet::new();
        // What the agent and the audit log mean by this differs.
        for (name, codes) in SECTIONS.iter().filter(|(name, _)| *name != "In the audit log alone") {
            for (code, meaning) in *codes {
                assert!(seen.insert(code), "{code} again in {name}");
                assert!(!meaning.contains('|') && meaning.ends_with('.'), "{meaning}");
            }
        }
    }

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        assert_eq!(said(&program(text)).iter().collect::<Vec<_>>(), expected, "{text}");
    }

    #[test]
    fn what_counts_as_a_code() {
        check("ApiError::new(\n    StatusCode::NOT_FOUND,\n    \"not_found\",\n    \"there is\",", &["not_found"]);
        check("Failure::new(Exit::Usage, \"usage\", \"no server\")", &["usage"]);
        check("Self::new(Malformed, \"malformed\", format!(\"x\"))", &["malformed"]);
        check("Notice { code: \"no_hostcrate\".into(), message: \"none\".into() }", &["no_hostcrate"]);
        check("let code = if a { \"one\" } else { \"two\" };\n", &["one", "two"]);
        check("    fn code(&self) -> &str {\n        match self { A => \"a_b\" }\n    }\n\"other\"", &["a_b"]);
        check("refuse(\"signing_pin_mismatch\", &what)", &["signing_pin_mismatch"]);
        check("// Exit::Usage, \"usage\"\n#[cfg(test)]\nmod tests {\n(Exit::Usage, \"usage\")", &[]);
        let script = said_by_script("die 4 \"pin_mismatch: $a\"\nStop-Run 1 'too_large: b'\nsay 'a_b c'\nx_y: z\n");
        assert_eq!(script.iter().collect::<Vec<_>>(), ["pin_mismatch", "too_large"]);
        check("json!({\"ttl_secs\": 1})", &[]);
    }
}

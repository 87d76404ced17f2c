//! Tokens as people see them.

use serde::Deserialize;

use crate::printable::Printable;
use crate::table::{Style, cell, status};
use crate::time::Moment;

/// A token's one showing. No `Debug`: it holds the secret.
#[derive(Deserialize)]
pub(super) struct Generated {
    id: Printable,
    token: Printable,
    command: Printable,
    expires_at: Moment,
    pattern: Printable,
    uses: u64,
}

#[derive(Deserialize)]
pub(super) struct Token {
    id: Printable,
    pattern: Printable,
    cidrs: Vec<Printable>,
    uses: u64,
    used: u64,
    created_at: Moment,
    expires_at: Moment,
    note: Printable,
    allow_replace: bool,
    status: Printable,
    created_by: Printable,
    #[serde(default)]
    used_by: Vec<Use>,
}

#[derive(Deserialize)]
struct Use {
    envoy: Printable,
    at: Moment,
}

pub(super) fn generated(token: &Generated, style: &Style) -> String {
    let hosts = if token.uses == 1 { "one host".to_owned() } else { format!("{} hosts", token.uses) };
    let until = style.time(Some(&token.expires_at));
    format!(
        "{}\n\nThe token {} is good for {hosts} of {} until {until}, and is not shown again.\n\
         On the new host, run (as root; leave out what makes you root where you are):\n\n  {}\n",
        token.token, token.id, token.pattern, token.command
    )
}

pub(super) fn list(tokens: &[Token], style: &Style) -> String {
    let rows = tokens.iter().map(|token| {
        [
            cell(&token.id),
            cell(&token.pattern),
            cell(format!("{}/{}", token.used, token.uses)),
            cell(style.time(Some(&token.created_at))),
            cell(style.time(Some(&token.expires_at))),
            status(&token.status, style),
            cell(if token.note.as_str().is_empty() { "-" } else { token.note.as_str() }),
        ]
    });
    style.table(["ID", "PATTERN", "USED", "CREATED", "EXPIRES", "STATUS", "~NOTE"], rows)
}

pub(super) fn one(token: &Token, style: &Style) -> String {
    let cidrs: Vec<_> = token.cidrs.iter().map(Printable::as_str).collect();
    let fields = style.fields([
        ("ID", token.id.to_string()),
        ("Pattern", token.pattern.to_string()),
        ("Networks", if cidrs.is_empty() { "any".to_owned() } else { cidrs.join(", ") }),
        ("Status", token.status.to_string()),
        ("Used", format!("{} of {}", token.used, token.uses)),
        ("May replace", may_replace(token).to_owned()),
        ("Created", format!("{} by {}", style.time(Some(&token.created_at)), token.created_by)),
        ("Expires", style.time(Some(&token.expires_at))),
        ("Note", if token.note.as_str().is_empty() { "-".to_owned() } else { token.note.to_string() }),
    ]);
    if token.used_by.is_empty() {
        return fields;
    }
    let uses = token.used_by.iter().map(|one| [cell(&one.envoy), cell(style.time(Some(&one.at)))]);
    format!("{fields}\n{}", style.table(["USED BY", "AT"], uses))
}

/// Whether the holder may take a name that an envoy has, where the server's `bootstrap.reenroll` is not `proof`.
fn may_replace(token: &Token) -> &'static str {
    match (token.allow_replace, token.pattern.as_str().contains(['*', '?'])) {
        (true, _) => "yes",
        (false, false) => "yes: it names exactly this host",
        (false, true) => "no",
    }
}

pub(super) fn revoked(token: &Token, _: &Style) -> String {
    format!("Revoked the token {} for {}. Envoys that it let in stay.\n", token.id, token.pattern)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::table::tests::plain;

    fn sent() -> Value {
        json!({
            "id": "6f2b", "pattern": "*.web.example.com", "cidrs": ["10.1.0.0/24", "fd00::/64"], "uses": 20, "used": 1,
            "created_at": "2026-05-13T11:03:00Z", "expires_at": "2026-05-13T12:03:00Z", "note": "rack \u{1b}[2J4",
            "allow_replace": false, "status": "active", "created_by": "operator:uid=0",
            "used_by": [{"envoy": "0190", "at": "2026-05-13T11:05:00Z"}], "later": "unknown keys are no harm",
        })
    }

    #[test]
    fn a_list() {
        let tokens: Vec<Token> = serde_json::from_value(json!([sent()])).unwrap();
        let expected = "\
ID    PATTERN            USED  CREATED           EXPIRES           STATUS  NOTE
6f2b  *.web.example.com  1/20  2026-05-13 13:03  2026-05-13 14:03  active  rack \\u{1b}[2J4
";
        assert_eq!(list(&tokens, &plain()), expected);
        assert_eq!(list(&[], &plain()), "ID  PATTERN  USED  CREATED  EXPIRES  STATUS  NOTE\n");
    }

    #[test]
    fn one_token() {
        let token = serde_json::from_value(sent()).unwrap();
        let expected = "\
ID:           6f2b
Pattern:      *.web.example.com
Networks:     10.1.0.0/24, fd00::/64
Status:       active
Used:         1 of 20
May replace:  no
Created:      2026-05-13 13:03 by operator:uid=0
Expires:      2026-05-13 14:03
Note:         rack \\u{1b}[2J4

USED BY  AT
0190     2026-05-13 13:05
";
        assert_eq!(one(&token, &plain()), expected);
    }

    #[test]
    fn a_new_token_is_shown_with_its_line() {
        let token = serde_json::from_value(json!({
            "id": "6f2b", "token": "vgt1.6f2b.s.p.m", "command": "curl … | sudo sh -s -- --token vgt1.6f2b.s.p.m",
            "ca_pin": "sha256:00", "expires_at": "2026-05-13T12:03:00Z", "pattern": "web3.example.com", "uses": 1,
        }))
        .unwrap();
        let expected = "\
vgt1.6f2b.s.p.m

The token 6f2b is good for one host of web3.example.com until 2026-05-13 14:03, and is not shown again.
On the new host, run (as root; leave out what makes you root where you are):

  curl … | sudo sh -s -- --token vgt1.6f2b.s.p.m
";
        assert_eq!(generated(&token, &plain()), expected);
    }
}

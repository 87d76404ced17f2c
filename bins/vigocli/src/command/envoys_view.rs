//! Envoys as people see them.

use serde::Deserialize;

use crate::printable::Printable;
use crate::table::{Style, cell, status};
use crate::time::Moment;

#[derive(Deserialize)]
pub(super) struct Envoy {
    pub(super) id: Printable,
    pub(super) hostname: Printable,
    pub(super) ip: Printable,
    enrolled_at: Moment,
    last_seen_at: Option<Moment>,
    pub(super) status: Printable,
    #[serde(default)]
    possible_clone: bool,
}

/// One envoy with all that is known of it.
#[derive(Deserialize)]
pub(super) struct Details {
    #[serde(flatten)]
    envoy: Envoy,
    agent_version: Printable,
    os: Printable,
    arch: Printable,
    policy_version: Option<Printable>,
    identity_key: Printable,
    admitted_by: Printable,
    reported_ip: Option<Printable>,
    certificates: Vec<Certificate>,
    revocation: Option<Revocation>,
    directive: Option<Directive>,
    update_failure: Option<UpdateFailure>,
}

#[derive(Deserialize)]
struct Directive {
    action: Printable,
    at: Moment,
    by: Printable,
    outcome: Printable,
    settled_at: Option<Moment>,
    message: Option<Printable>,
}

#[derive(Deserialize)]
struct UpdateFailure {
    version: Printable,
    code: Printable,
    message: Printable,
}

#[derive(Deserialize)]
struct Certificate {
    serial: Printable,
    key_pin: Printable,
    not_after: Moment,
}

#[derive(Deserialize)]
struct Revocation {
    cause: Printable,
    at: Moment,
    by: Printable,
    reason: Printable,
}

#[derive(Deserialize)]
pub(super) struct Allowed {
    hostname: Printable,
    until: Moment,
}

impl Envoy {
    fn standing(&self) -> Printable {
        let clone = if self.possible_clone { " (possible clone)" } else { "" };
        Printable::new(&format!("{}{clone}", self.status))
    }
}

pub(super) fn list(envoys: &[Envoy], style: &Style) -> String {
    let rows = envoys.iter().map(|envoy| {
        [
            cell(&envoy.id),
            cell(&envoy.hostname),
            cell(&envoy.ip),
            cell(style.time(Some(&envoy.enrolled_at))),
            cell(style.time(envoy.last_seen_at.as_ref())),
            status(&envoy.standing(), style),
        ]
    });
    style.table(["ID", "HOSTNAME", "IP", "ENROLLED", "LAST SEEN", "STATUS"], rows)
}

pub(super) fn one(details: &Details, style: &Style) -> String {
    let Details { envoy, .. } = details;
    let or_dash = |text: &Option<Printable>| text.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
    let mut fields = vec![
        ("ID", envoy.id.to_string()),
        ("Hostname", envoy.hostname.to_string()),
        ("IP", envoy.ip.to_string()),
        ("Reported IP", or_dash(&details.reported_ip)),
        ("Status", envoy.standing().to_string()),
        ("Enrolled", style.time(Some(&envoy.enrolled_at))),
        ("Admitted by", details.admitted_by.to_string()),
        ("Last seen", style.time(envoy.last_seen_at.as_ref())),
        ("Policy", or_dash(&details.policy_version)),
        ("Agent", format!("{} ({} {})", details.agent_version, details.os, details.arch)),
        ("Identity key", details.identity_key.to_string()),
    ];
    if let Some(revocation) = &details.revocation {
        let reason =
            if revocation.reason.as_str().is_empty() { String::new() } else { format!(": {}", revocation.reason) };
        let (at, by) = (style.time(Some(&revocation.at)), &revocation.by);
        fields.push(("Revoked", format!("{at} by {by} ({}){reason}", revocation.cause)));
    }
    if let Some(given) = &details.directive {
        let mut text = format!("{} {}", given.action, given.outcome);
        if let Some(at) = &given.settled_at {
            text += &format!(" {}", style.time(Some(at)));
        }
        if let Some(message) = &given.message {
            text += &format!(": {message}");
        }
        fields.push(("Rebootstrap", format!("{text} (asked {} by {})", style.time(Some(&given.at)), given.by)));
    }
    if let Some(failed) = &details.update_failure {
        fields.push(("Update failed", format!("{} {}: {}", failed.version, failed.code, failed.message)));
    }
    let certificates = details.certificates.iter().map(|certificate| {
        [cell(&certificate.serial), cell(&certificate.key_pin), cell(style.time(Some(&certificate.not_after)))]
    });
    format!("{}\n{}", style.fields(fields), style.table(["CERTIFICATE", "KEY PIN", "EXPIRES"], certificates))
}

pub(super) fn revoked(envoy: &Envoy, _: &Style) -> String {
    format!("Revoked {} ({}): its next request is refused.\n", envoy.hostname, envoy.id)
}

pub(super) fn deleted(envoy: &Envoy, _: &Style) -> String {
    format!("Deleted {} ({}): its id and keys stay refused.\n", envoy.hostname, envoy.id)
}

pub(super) fn allowed(allowed: &Allowed, style: &Style) -> String {
    format!(
        "{} may enrol again, once, until {}. It still needs a way in (a token, or a pattern that takes it), and --force \
         on the line.\n",
        allowed.hostname,
        style.time(Some(&allowed.until))
    )
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::table::tests::plain;

    fn sent(last_seen_at: &Value, possible_clone: bool) -> Value {
        json!({
            "id": "3f8d1f3e-7a51-4c0e-9a53-0d6b7f1c2e90", "hostname": "web3.example.com", "ip": "10.1.0.2",
            "enrolled_at": "2026-05-13T11:03:00Z", "last_seen_at": last_seen_at, "status": "active",
            "agent_version": "0.1.0", "os": "linux", "arch": "x86_64", "certificate_expires_at": "2027-05-13T11:03:00Z",
            "policy_version": null, "possible_clone": possible_clone, "identity_key": "ab12", "admitted_by": "token 6f2b",
            "reported_ip": "192.168.1.2", "certificates": [{"serial": "40ff", "key_pin": "sha256:00", "not_after": "2027-05-13T11:03:00Z"}],
            "revocation": null, "directive": null, "update_failure": null,
        })
    }

    #[test]
    fn a_list() {
        let rows = json!([sent(&Value::Null, false), sent(&"2026-05-13T11:04:10Z".into(), true)]);
        let expected = "\
ID                                    HOSTNAME          IP        ENROLLED          LAST SEEN         STATUS
3f8d1f3e-7a51-4c0e-9a53-0d6b7f1c2e90  web3.example.com  10.1.0.2  2026-05-13 13:03  -                 active
3f8d1f3e-7a51-4c0e-9a53-0d6b7f1c2e90  web3.example.com  10.1.0.2  2026-05-13 13:03  2026-05-13 13:04  active (possible clone)
";
        assert_eq!(list(&serde_json::from_value::<Vec<Envoy>>(rows).unwrap(), &plain()), expected);
        assert_eq!(list(&[], &plain()), "ID  HOSTNAME  IP  ENROLLED  LAST SEEN  STATUS\n");
    }

    #[test]
    fn statuses_are_colored_when_asked() {
        let rows: Vec<Envoy> = serde_json::from_value(json!([sent(&Value::Null, false)])).unwrap();
        let shown = list(&rows, &Style { color: true, ..plain() });
        let colored = shown.split_once("\u{1b}[38;5;10mactive").and_then(|(_, rest)| rest.split_once("\u{1b}[39m"));
        assert_eq!(colored.map(|(padding, _)| padding.trim()), Some(""), "{shown:?}");
    }

    #[test]
    fn one_envoy() {
        let mut sent = sent(&Value::Null, false);
        sent["revocation"] =
            json!({"cause": "operator", "at": "2026-05-14T11:03:00Z", "by": "operator:uid=0", "reason": "stolen"});
        sent["directive"] = json!({"id": "07", "action": "update", "at": "2026-05-14T10:03:00Z", "by": "uid=0",
            "outcome": "failed", "settled_at": "2026-05-14T10:05:00Z", "code": "trial_failed", "message": "it ended"});
        sent["update_failure"] = json!({"version": "0.3.0", "code": "trial_failed", "message": "it ended"});
        let expected = "\
ID:            3f8d1f3e-7a51-4c0e-9a53-0d6b7f1c2e90
Hostname:      web3.example.com
IP:            10.1.0.2
Reported IP:   192.168.1.2
Status:        active
Enrolled:      2026-05-13 13:03
Admitted by:   token 6f2b
Last seen:     -
Policy:        -
Agent:         0.1.0 (linux x86_64)
Identity key:  ab12
Revoked:       2026-05-14 13:03 by operator:uid=0 (operator): stolen
Rebootstrap:   update failed 2026-05-14 12:05: it ended (asked 2026-05-14 12:03 by uid=0)
Update failed: 0.3.0 trial_failed: it ended

CERTIFICATE  KEY PIN    EXPIRES
40ff         sha256:00  2027-05-13 13:03
";
        assert_eq!(one(&serde_json::from_value(sent).unwrap(), &plain()), expected);
    }
}

//! What may be wrong with a server that runs, and what to do about it: facts, then findings.

use std::time::Duration;

use vigo_core::UnixTime;

use crate::admin::{audit, rules};
use crate::app::App;
use crate::clock;
use crate::fleet::{Query, Status};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Severity {
    Ok,
    Warning,
    Error,
}

impl Severity {
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) check: &'static str,
    pub(crate) severity: Severity,
    pub(crate) message: String,
    pub(crate) help: &'static str,
}

/// What is looked at.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    now: UnixTime,
    ca_ends: UnixTime,
    leaf_ends: UnixTime,
    can_sign: bool,
    /// Where agents are told to dial.
    public: String,
    has_signing_keys: bool,
    reenroll: &'static str,
    /// Trusted rules that take any host.
    any_host: usize,
    stale: usize,
    in_service: usize,
    /// In service, with two weeks of their certificate left or less.
    expiring: usize,
    clones: usize,
    /// Records that the audit chain does not cover yet, or what is wrong with it.
    audit: Result<u64, String>,
}

impl Facts {
    async fn of(app: &App) -> Self {
        let now = clock::now();
        let found = app.fleet.find(&Query { limit: 1, ..Query::default() }, &app.standing(now));
        let (mut expiring, mut clones) = (0, 0);
        for envoy in app.fleet.all() {
            let live = envoy.live();
            if matches!(Status::of(&live, app.checkins.interval, now), Status::Active | Status::Stale) {
                let ends = live.record.certificate().map(|certificate| certificate.not_after);
                expiring += usize::from(ends.is_some_and(|ends| ends.since(now) <= DAY * 14));
                clones += usize::from(live.clone_at.is_some());
            }
        }
        let [active, stale, _, _] = found.counts;
        Self {
            now,
            ca_ends: app.authority.root().not_after,
            leaf_ends: app.certificates.leaf().not_after(),
            can_sign: app.authority.can_sign(),
            public: app.script.api_addr().to_owned(),
            has_signing_keys: app.agents.signing_pin().is_some(),
            reenroll: rules::reenroll(app),
            any_host: rules::trusted(app).iter().filter(|rule| rule.pattern == "*").count(),
            stale,
            in_service: active + stale,
            expiring,
            clones,
            audit: audit::check(app).await.map(|verified| verified.uncovered).map_err(|error| error.message),
        }
    }
}

const DAY: Duration = Duration::from_hours(24);

/// Looks at a running server.
pub(crate) async fn run(app: &App) -> Vec<Finding> {
    findings(&Facts::of(app).await)
}

/// What the facts say, one finding for each check.
fn findings(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut look = |check, bad: Option<(Severity, String, &'static str)>, good: String| {
        let (severity, message, help) = bad.unwrap_or((Severity::Ok, good, ""));
        found.push(Finding { check, severity, message, help });
    };
    let days = |until: UnixTime| until.since(facts.now).as_secs() / 86_400;
    let ends = |until: UnixTime, soon: u64, help| match days(until) {
        _ if until <= facts.now => Some((Severity::Error, "it has ended".to_owned(), help)),
        left if left < soon => Some((Severity::Warning, format!("it ends in {left} days"), help)),
        _ => None,
    };
    let good = |until: UnixTime| format!("good for {} days", days(until));
    look(
        "ca_certificate",
        ends(facts.ca_ends, 365, "plan a new fleet CA: this version cannot rotate it"),
        good(facts.ca_ends),
    );
    look(
        "server_certificate",
        ends(facts.leaf_ends, 7, "it is renewed by itself where the CA's key is: see the server's log"),
        good(facts.leaf_ends),
    );
    let none = (Severity::Warning, "there is no CA key here: nobody can enrol".to_owned(), "`server.tls.ca_key_file`");
    look("ca_key", (!facts.can_sign).then_some(none), "this server enrols".to_owned());
    let host = facts.public.trim_start_matches("https://");
    let is_loopback = ["127.", "localhost", "[::1]"].iter().any(|loopback| host.starts_with(loopback));
    let message = format!("machines are told to dial {}, which is this very host to each of them", facts.public);
    let loopback = (Severity::Warning, message, "set `server.hostname` to a name or address that machines reach");
    look("public_address", is_loopback.then_some(loopback), format!("machines are told to dial {}", facts.public));
    let unsigned = (
        Severity::Warning,
        "agents are handed out unsigned, and no updates are offered".to_owned(),
        "`cargo xtask keygen`, then `agents.signing_keys`",
    );
    look("agent_signing", (!facts.has_signing_keys).then_some(unsigned), "agents are signed".to_owned());
    let any = (
        Severity::Warning,
        "an active envoy may be replaced by whatever way in its name has".to_owned(),
        "`bootstrap.reenroll: token`",
    );
    look("reenroll", (facts.reenroll == "any").then_some(any), format!("replaced by {}", facts.reenroll));
    let open = (
        Severity::Warning,
        format!("{} trusted rules take any hostname", facts.any_host),
        "name the domain in `bootstrap.trusted_enrollment`, as in `*.example.com`",
    );
    look("trusted_rules", (facts.any_host > 0).then_some(open), "no rule takes any hostname".to_owned());
    let stale = (
        Severity::Warning,
        format!("{} of {} envoys in service are silent", facts.stale, facts.in_service),
        "`vigocli envoys list --status stale`; is port 1530 reachable for them?",
    );
    look("stale_envoys", (facts.stale > 0).then_some(stale), format!("{} in service, none silent", facts.in_service));
    let expiring = (
        Severity::Warning,
        format!("{} envoys' certificates end within two weeks", facts.expiring),
        "`vigocli envoys list --expires-before 14d`; run a bootstrap line with --force on them",
    );
    look("envoy_certificates", (facts.expiring > 0).then_some(expiring), "none ends within two weeks".to_owned());
    let clones = (
        Severity::Error,
        format!("two machines speak for one envoy, {} times", facts.clones),
        "`vigocli envoys revoke` those, and enrol both machines anew",
    );
    look("clones", (facts.clones > 0).then_some(clones), "no envoy has two machines".to_owned());
    match &facts.audit {
        Err(message) => {
            look("audit_log", Some((Severity::Error, message.clone(), "compare with a backup")), String::new());
        }
        Ok(uncovered) => {
            let behind = (
                Severity::Warning,
                format!("{uncovered} records are not yet covered by the chain"),
                "look again in a minute; then see the server's log",
            );
            look("audit_log", (*uncovered > 1000).then_some(behind), "nobody changed it".to_owned());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn well() -> Facts {
        let now = UnixTime::from_secs(1_780_272_000);
        Facts {
            now,
            ca_ends: now.after(DAY * 3650),
            leaf_ends: now.after(DAY * 300),
            can_sign: true,
            public: "https://vigo.example.com:8443".into(),
            has_signing_keys: true,
            reenroll: "token",
            any_host: 0,
            stale: 0,
            in_service: 3,
            expiring: 0,
            clones: 0,
            audit: Ok(2),
        }
    }

    #[track_caller]
    fn check(change: impl Fn(&mut Facts), expected: Option<(&str, Severity, &str)>) {
        let mut facts = well();
        change(&mut facts);
        let found = findings(&facts);
        let bad: Vec<_> = found.iter().filter(|finding| finding.severity != Severity::Ok).collect();
        assert_eq!(found.len(), 11);
        match expected {
            None => assert!(bad.is_empty(), "{bad:?}"),
            Some((name, severity, said)) => {
                assert_eq!((bad.len(), bad[0].check, bad[0].severity), (1, name, severity), "{bad:?}");
                assert!(bad[0].message.contains(said) && !bad[0].help.is_empty(), "{bad:?}");
            }
        }
    }

    #[test]
    fn each_trouble_is_found_by_its_check_alone() {
        use Severity::{Error, Warning};
        check(|_| {}, None);
        check(|f| f.ca_ends = f.now.after(DAY * 100), Some(("ca_certificate", Warning, "in 100 days")));
        check(|f| f.ca_ends = f.now, Some(("ca_certificate", Error, "has ended")));
        check(|f| f.leaf_ends = f.now.after(DAY * 2), Some(("server_certificate", Warning, "in 2 days")));
        check(|f| f.can_sign = false, Some(("ca_key", Warning, "nobody can enrol")));
        for public in ["https://127.0.0.1:8443", "https://localhost:8443", "https://[::1]:8443"] {
            check(|f| f.public = public.into(), Some(("public_address", Warning, public)));
        }
        check(|f| f.has_signing_keys = false, Some(("agent_signing", Warning, "unsigned")));
        check(|f| f.reenroll = "any", Some(("reenroll", Warning, "whatever way")));
        check(|f| f.any_host = 1, Some(("trusted_rules", Warning, "any hostname")));
        check(|f| f.stale = 2, Some(("stale_envoys", Warning, "2 of 3")));
        check(|f| f.expiring = 1, Some(("envoy_certificates", Warning, "two weeks")));
        check(|f| f.clones = 1, Some(("clones", Error, "two machines")));
        check(|f| f.audit = Err("link 3 is not".into()), Some(("audit_log", Error, "link 3")));
        check(|f| f.audit = Ok(5000), Some(("audit_log", Warning, "5000")));
    }
}

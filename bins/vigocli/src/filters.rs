//! Which envoys are meant, by what is known of them.

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use vigo_core::HostPattern;

use crate::clock;
use crate::query::Query;
use crate::when::When;

/// Envoys of which all of this holds.
#[derive(Args, Clone, Default)]
pub(crate) struct Filters {
    /// With one of these statuses
    #[arg(help_heading = "Filters", long, value_enum, value_delimiter = ',', value_name = "STATUS")]
    pub(crate) status: Vec<Status>,
    /// With a hostname of this pattern
    #[arg(help_heading = "Filters", long)]
    pub(crate) pattern: Option<HostPattern>,
    /// With this text in what is known of them
    #[arg(help_heading = "Filters", long, value_name = "TEXT")]
    pub(crate) search: Option<String>,
    /// Not seen since: 2d (ago) or 2026-05-13T11:03:00Z
    #[arg(help_heading = "Filters", long, value_name = "TIME")]
    pub(crate) seen_before: Option<When>,
    /// With a certificate that expires before: 30d (from now) or 2026-05-13T11:03:00Z
    #[arg(help_heading = "Filters", long, value_name = "TIME")]
    pub(crate) expires_before: Option<When>,
}

/// What an envoy's status can be asked for.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Status {
    /// Checks in
    Active,
    /// Has been silent for 2.5 intervals
    Stale,
    /// Its certificate is too old
    Expired,
    /// Refused for ever
    Revoked,
    /// Is to install the agent that is offered
    UpdatePending,
}

impl Status {
    /// As the server has it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Stale => "stale",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::UpdatePending => "update_pending",
        }
    }
}

impl Filters {
    /// Whether nothing is filtered: all envoys are meant.
    pub(crate) fn is_empty(&self) -> bool {
        let Self { status, pattern, search, seen_before, expires_before } = self;
        status.is_empty() && pattern.is_none() && search.is_none() && seen_before.is_none() && expires_before.is_none()
    }

    pub(crate) fn query(&self, path: &str) -> Query {
        self.query_at(path, clock::now())
    }

    fn query_at(&self, path: &str, now: Timestamp) -> Query {
        let statuses: Vec<_> = self.status.iter().map(|status| status.name()).collect();
        let statuses = (!statuses.is_empty()).then(|| statuses.join(","));
        Query::new(path)
            .with_some("search", self.search.as_deref())
            .with_some("status", statuses.as_deref())
            .with_some("pattern", self.pattern.as_ref().map(HostPattern::as_str))
            .with_some("seen_before", self.seen_before.map(|when| when.past(now).to_string()).as_deref())
            .with_some("expires_before", self.expires_before.map(|when| when.future(now).to_string()).as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_sent() {
        let filters = Filters {
            status: vec![Status::Active, Status::UpdatePending],
            pattern: Some("*.example.com".parse().unwrap()),
            search: Some("rack 4".to_owned()),
            seen_before: Some("2d".parse().unwrap()),
            expires_before: Some("30d".parse().unwrap()),
        };
        let now = "2026-05-13T11:03:00Z".parse().unwrap();
        let expected = "/e?search=rack%204&status=active,update_pending&pattern=%2A.example.com\
            &seen_before=2026-05-11T11%3A03%3A00Z&expires_before=2026-06-12T11%3A03%3A00Z";
        assert_eq!(filters.query_at("/e", now).as_str(), expected);
        assert!(!filters.is_empty() && Filters::default().is_empty());
        assert_eq!(Filters::default().query_at("/e", now).as_str(), "/e");
    }
}

//! What an operator lays down about who may join.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use vigo_core::record::ApprovedRecord;
use vigo_core::store::Revision;
use vigo_core::{Cidr, CidrSet, ClientAddr, HostPattern, Hostname, PatternSet};

/// Hosts of these names, from these networks, enrol with no token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedRule {
    pattern: HostPattern,
    cidrs: Vec<Cidr>,
}

/// A trusted rule without a network would trust the whole world.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the trusted rule for {0} names no network: list its `cidrs`, or use `vigocli approved add` for any network")]
pub struct NoNetwork(pub HostPattern);

impl TrustedRule {
    /// Pattern and networks, of which there is at least one.
    ///
    /// # Errors
    /// When there is none.
    pub fn new(pattern: HostPattern, cidrs: Vec<Cidr>) -> Result<Self, NoNetwork> {
        if cidrs.is_empty() { Err(NoNetwork(pattern)) } else { Ok(Self { pattern, cidrs }) }
    }

    /// The hostnames.
    #[must_use]
    pub fn pattern(&self) -> &HostPattern {
        &self.pattern
    }

    /// The networks; never empty.
    #[must_use]
    pub fn cidrs(&self) -> &[Cidr] {
        &self.cidrs
    }
}

/// What may replace an envoy that has the name (`bootstrap.reenroll`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reenroll {
    /// A signature of the old identity key, or `envoys allow-reenroll`.
    Proof,
    /// Those, or a good token for exactly that name or made with `--allow-replace`.
    #[default]
    Token,
    /// Whatever way in; loudly logged.
    Any,
}

impl fmt::Display for Reenroll {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Proof => "proof",
            Self::Token => "token",
            Self::Any => "any",
        })
    }
}

/// A text is no value of `bootstrap.reenroll`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`bootstrap.reenroll` is proof, token or any")]
pub struct ReenrollError;

impl FromStr for Reenroll {
    type Err = ReenrollError;

    fn from_str(text: &str) -> Result<Self, ReenrollError> {
        match text {
            "proof" => Ok(Self::Proof),
            "token" => Ok(Self::Token),
            "any" => Ok(Self::Any),
            _ => Err(ReenrollError),
        }
    }
}

/// All that an operator laid down about who may join, compiled once.
///
/// Matching a name costs the same whatever the number of patterns; only writing down why each lost grows with them.
///
/// ```
/// use vigo_core::{ClientAddr, Takeover, UnixTime, record::ApprovedRecord, store::Revision};
/// use vigo_enroll::rules::{Reenroll, Rules, TrustedRule};
/// use vigo_enroll::{Facts, Request, Verdict, decide};
/// let lab = TrustedRule::new("*.lab.example.com".parse()?, vec!["10.1.0.0/24".parse()?])?;
/// let rules = Rules::new(vec![lab], vec![], Reenroll::default());
/// # let (from, created_at) = (ClientAddr::new("192.0.2.7".parse()?), UnixTime::from_secs(1_780_272_000));
/// let request = Request { hostname: "web1.example.com".parse()?, from, takeover: Takeover::No };
/// let admits = |rules: &Rules| {
///     let decision = decide(&request, &Facts::stranger(), rules, UnixTime::from_secs(1_780_272_000));
///     matches!(decision.verdict, Verdict::Admit(_))
/// };
/// assert!(!admits(&rules));
/// # let (note, created_by) = (String::new(), "ada".to_owned());
/// # let id = vigo_core::ApprovalId::from_random([1; 16]);
/// // From `operate::approvals`, in earnest.
/// let web = ApprovedRecord { id, pattern: "web?.example.com".parse()?, note, created_at, created_by };
/// assert!(admits(&rules.with_approved(vec![(web, Revision::new(1))])));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Rules {
    pub(crate) trusted: Arc<[TrustedRule]>,
    trusted_names: Arc<PatternSet>,
    trusted_networks: Arc<CidrSet>,
    pub(crate) approved: Arc<[(Arc<ApprovedRecord>, Revision)]>,
    approved_names: Arc<PatternSet>,
    pub(crate) reenroll: Reenroll,
}

impl Rules {
    /// Compiles the rules. `approved` has each record with the commit that wrote it, so that a registration admitted by
    /// one can demand that it is still there.
    #[must_use]
    pub fn new(trusted: Vec<TrustedRule>, approved: Vec<(ApprovedRecord, Revision)>, reenroll: Reenroll) -> Self {
        let trusted_names = Arc::new(PatternSet::new(trusted.iter().map(TrustedRule::pattern)));
        let trusted_networks = Arc::new(CidrSet::new(trusted.iter().map(TrustedRule::cidrs)));
        let (approved, approved_names) = compile(approved);
        Self { trusted: trusted.into(), trusted_names, trusted_networks, approved, approved_names, reenroll }
    }

    /// The same rules with other approved patterns.
    #[must_use]
    pub fn with_approved(&self, approved: Vec<(ApprovedRecord, Revision)>) -> Self {
        let (approved, approved_names) = compile(approved);
        Self { approved, approved_names, ..self.clone() }
    }

    /// What may replace an envoy.
    #[must_use]
    pub fn reenroll(&self) -> Reenroll {
        self.reenroll
    }

    /// The first trusted rule whose pattern takes the name and one of whose networks the address lies in.
    pub(crate) fn trusted_for(&self, name: &Hostname, from: ClientAddr) -> Option<usize> {
        let networks = self.trusted_networks.matches(from);
        if networks.is_empty() {
            return None;
        }
        // Both in ascending order.
        self.trusted_names.matches(name).into_iter().find(|index| networks.binary_search(index).is_ok())
    }

    /// The first approved pattern that takes the name.
    pub(crate) fn approved_for(&self, name: &Hostname) -> Option<usize> {
        self.approved_names.matches(name).first().copied()
    }
}

type Approved = Arc<[(Arc<ApprovedRecord>, Revision)]>;

fn compile(approved: Vec<(ApprovedRecord, Revision)>) -> (Approved, Arc<PatternSet>) {
    let set = PatternSet::new(approved.iter().map(|(record, _)| &record.pattern));
    let approved = approved.into_iter().map(|(record, revision)| (Arc::new(record), revision)).collect();
    (approved, Arc::new(set))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rule_07_a_trusted_rule_names_a_network() {
        let pattern: HostPattern = "*.lan.example.com".parse().unwrap();
        assert_eq!(
            TrustedRule::new(pattern.clone(), vec![]).unwrap_err().to_string(),
            "the trusted rule for *.lan.example.com names no network: list its `cidrs`, \
             or use `vigocli approved add` for any network"
        );
        assert!(TrustedRule::new(pattern, vec!["10.1.0.0/24".parse().unwrap()]).is_ok());
    }

    #[test]
    fn reenroll_is_read_and_written_alike() {
        for mode in [Reenroll::Proof, Reenroll::Token, Reenroll::Any] {
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
        assert_eq!("Any".parse::<Reenroll>(), Err(ReenrollError));
        assert_eq!(Reenroll::default(), Reenroll::Token);
    }
}

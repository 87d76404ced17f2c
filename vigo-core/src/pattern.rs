use std::fmt;
use std::str::FromStr;

use crate::Hostname;
use crate::hostname::{HostnameError, check_labels};

/// A pattern over hostnames, anchored at both ends.
///
/// | sign | stands for |
/// |---|---|
/// | `*` | one or more characters, dots included |
/// | `?` | one character that is no dot |
/// | any other | itself; ASCII case is ignored |
///
/// ```
/// use vigo_core::{HostPattern, Hostname};
/// let pattern: HostPattern = "*.example.com".parse().unwrap();
/// let matches = |name: &str| pattern.matches(&name.parse::<Hostname>().unwrap());
/// assert!(matches("api.dev.example.com"));
/// assert!(!matches("evilexample.com"));
/// assert!(!matches("example.com"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPattern(Box<str>);

/// Why a text is no host pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HostPatternError {
    /// A sign that some globbers know and this one does not.
    #[error("`{0}` is not a sign of host patterns: `*` is one or more characters, `?` one that is no dot")]
    Sign(char),
    /// What is left breaks the rules of hostnames.
    #[error("not a host pattern: {0}")]
    Name(#[from] HostnameError),
}

/// How many hosts a pattern can take, as far as an operator must be asked about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Breadth {
    /// Exactly one name.
    One,
    /// Every name that shares the pattern's literal part.
    Some,
    /// No letter or digit in it: any host at all.
    Any,
}

impl HostPattern {
    /// The pattern as text, lower-case, without a trailing dot.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The pattern that takes this one name.
    #[must_use]
    pub fn exactly(name: &Hostname) -> Self {
        Self(name.as_str().into())
    }

    /// How much the pattern takes.
    #[must_use]
    pub fn breadth(&self) -> Breadth {
        if !self.0.contains(['*', '?']) {
            Breadth::One
        } else if self.0.bytes().any(|b| b.is_ascii_alphanumeric()) {
            Breadth::Some
        } else {
            Breadth::Any
        }
    }

    /// Whether the whole of `name` fits. At most 253 × 253 steps.
    #[must_use]
    pub fn matches(&self, name: &Hostname) -> bool {
        fits(self.0.as_bytes(), name.as_str().as_bytes())
    }
}

/// Matches by the shortest run for each `*`, and one step longer for the last `*` at each failure: earlier ones never
/// need another try, so the time is the product of the lengths.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                (p, n) = (p + 1, n + 1);
                retry = Some((p, n));
            }
            Some(b'?') if name[n] != b'.' => (p, n) = (p + 1, n + 1),
            Some(&sign) if sign == name[n] => (p, n) = (p + 1, n + 1),
            _ => match retry {
                Some((after, from)) => {
                    (p, n) = (after, from + 1);
                    retry = Some((after, from + 1));
                }
                None => return false,
            },
        }
    }
    p == pattern.len()
}

impl FromStr for HostPattern {
    type Err = HostPatternError;

    fn from_str(text: &str) -> Result<Self, HostPatternError> {
        if let Some(sign) = text.chars().find(|c| "[]{}!\\,/".contains(*c)) {
            return Err(HostPatternError::Sign(sign));
        }
        let pattern = text.strip_suffix('.').unwrap_or(text);
        check_labels(pattern, |b| b == b'*' || b == b'?')?;
        if !pattern.contains(['*', '?']) {
            pattern.parse::<Hostname>()?;
        }
        Ok(Self(pattern.to_ascii_lowercase().into()))
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(pattern: &str, name: &str, expected: bool) {
        let pattern: HostPattern = pattern.parse().unwrap();
        assert_eq!(pattern.matches(&name.parse().unwrap()), expected, "{pattern} against {name}");
    }

    #[test]
    fn rule_05_patterns() {
        check("web3.example.com", "WEB3.example.com.", true);
        check("web3.example.com", "web4.example.com", false);
        check("*.example.com", "a.example.com", true);
        check("*.example.com", "a.b.example.com", true);
        check("*.example.com", "evilexample.com", false);
        check("*.example.com", "example.com", false);
        check("*.example.com", "a.example.com.evil.net", false);
        check("*.dev.*", "api.dev.example.com", true);
        check("*.dev.*", "dev.example.com", false);
        check("web?.example.com", "web1.example.com", true);
        check("web?.example.com", "web.example.com", false);
        check("web?example.com", "web.example.com", false);
        check("web*", "web", false);
        check("web*", "web1", true);
        check("*", "anything.at.all", true);
        check("**", "a", false);
        check("*a*a*a*", "banana", false);
        check("*a*a*", "banana", true);
    }

    #[test]
    fn signs_of_other_globbers_are_refused() {
        for text in ["[a-z].example.com", "{a,b}.example.com", "!a", "a\\*", "a/b"] {
            assert!(matches!(text.parse::<HostPattern>(), Err(HostPatternError::Sign(_))), "{text}");
        }
        for text in ["", ".", "*..com", "-*.com", "10.1.0.2", "a b", "ä*"] {
            assert!(matches!(text.parse::<HostPattern>(), Err(HostPatternError::Name(_))), "{text}");
        }
    }

    #[test]
    fn breadth_tells_what_needs_a_yes() {
        for (text, breadth) in [
            ("web3.example.com", Breadth::One),
            ("*.example.com", Breadth::Some),
            ("*", Breadth::Any),
            ("?*", Breadth::Any),
            ("*.*", Breadth::Any),
        ] {
            assert_eq!(text.parse::<HostPattern>().unwrap().breadth(), breadth, "{text}");
        }
    }

    fn naive(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern, name) {
            ([], []) => true,
            ([b'*', rest @ ..], _) => (1..=name.len()).any(|n| naive(rest, &name[n..])),
            ([b'?', rest @ ..], [c, tail @ ..]) => *c != b'.' && naive(rest, tail),
            ([p, rest @ ..], [c, tail @ ..]) => p == c && naive(rest, tail),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(pattern in "[ab.*?]{0,10}", name in "[ab.]{0,12}") {
            prop_assert_eq!(fits(pattern.as_bytes(), name.as_bytes()), naive(pattern.as_bytes(), name.as_bytes()));
        }
    }
}

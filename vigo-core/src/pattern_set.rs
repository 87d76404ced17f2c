use std::collections::HashMap;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::{Breadth, HostPattern, Hostname};

/// Many patterns, compiled once; a look-up gives the indices of all that match, in ascending order.
///
/// ```
/// use vigo_core::{HostPattern, PatternSet};
/// let patterns: Vec<HostPattern> = ["*.example.com", "web1.example.com", "db*"].map(|p| p.parse().unwrap()).into();
/// let set = PatternSet::new(&patterns).unwrap();
/// assert_eq!(set.matches(&"web1.example.com".parse().unwrap()), [0, 1]);
/// ```
#[derive(Debug)]
pub struct PatternSet {
    exact: HashMap<Box<str>, Vec<usize>>,
    globs: GlobSet,
    indices: Vec<usize>,
}

/// The patterns could not be compiled together: they are too many or too long for the automaton's limits.
#[derive(Debug, thiserror::Error)]
#[error("the patterns cannot be compiled together: {0}")]
pub struct PatternSetError(#[from] globset::Error);

impl PatternSet {
    /// Compiles the patterns. Index `i` of every answer is the `i`-th of them.
    ///
    /// # Errors
    /// When the automaton of the patterns with wildcards would pass the regex engine's size limit.
    pub fn new<'a>(patterns: impl IntoIterator<Item = &'a HostPattern>) -> Result<Self, PatternSetError> {
        let mut exact: HashMap<Box<str>, Vec<usize>> = HashMap::new();
        let mut globs = GlobSetBuilder::new();
        let mut indices = Vec::new();
        for (index, pattern) in patterns.into_iter().enumerate() {
            if pattern.breadth() == Breadth::One {
                exact.entry(pattern.as_str().into()).or_default().push(index);
            } else {
                let glob = pattern.as_str().replace('?', "[!.]").replace('*', "?*");
                globs.add(GlobBuilder::new(&glob).build()?);
                indices.push(index);
            }
        }
        Ok(Self { exact, globs: globs.build()?, indices })
    }

    /// The indices of all patterns that take `name`, in ascending order.
    #[must_use]
    pub fn matches(&self, name: &Hostname) -> Vec<usize> {
        let exact = self.exact.get(name.as_str()).map_or(&[][..], Vec::as_slice);
        let globs = self.globs.matches(name.as_str());
        let mut found: Vec<usize> = exact.iter().copied().chain(globs.into_iter().map(|g| self.indices[g])).collect();
        found.sort_unstable();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name() -> impl Strategy<Value = String> {
        "[ab1]{1,4}(\\.[ab1]{1,4}){0,3}".prop_filter("no address", |n| n.parse::<Hostname>().is_ok())
    }

    fn pattern() -> impl Strategy<Value = String> {
        "[ab1*?]{1,4}(\\.[ab1*?]{1,4}){0,2}".prop_filter("no address", |p| p.parse::<HostPattern>().is_ok())
    }

    proptest! {
        #[test]
        fn agrees_with_each_pattern_alone(patterns in prop::collection::vec(pattern(), 0..8), name in name()) {
            let patterns: Vec<HostPattern> = patterns.iter().map(|p| p.parse().unwrap()).collect();
            let name: Hostname = name.parse().unwrap();
            let expected: Vec<usize> = (0..patterns.len()).filter(|&i| patterns[i].matches(&name)).collect();
            prop_assert_eq!(PatternSet::new(&patterns).unwrap().matches(&name), expected);
        }
    }
}

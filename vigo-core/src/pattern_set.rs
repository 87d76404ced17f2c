use std::collections::HashMap;
use std::ops::Range;

use crate::{HostPattern, Hostname};

mod anchors;
mod grams;

use anchors::{Anchored, Ends};
use grams::Grams;

/// Many patterns, compiled once; a look-up gives the indices of all that match, in ascending order.
///
/// What a look-up costs depends on the name's length and on how many patterns match, hardly on how many there are: each
/// pattern lies under something literal that a name must have to match it. Where thousands of patterns have nothing literal
/// that tells them apart (`*a?b*`, `*a??b*`, …), each of these is tried, once.
///
/// - No wildcard: under the whole of it.
/// - Else under its two ends, the literals before its first and after its last wildcard (either may be empty), unless
///   many patterns share these two.
/// - Else under up to eight characters of a literal between two wildcards, those that the fewest patterns have.
///
/// Whatever a name is found under is then matched in full, so the tables may err on the side of finding too much.
///
/// ```
/// use vigo_core::{HostPattern, PatternSet};
/// let patterns: Vec<HostPattern> = ["*.example.com", "web1.example.com", "db*"].map(|p| p.parse().unwrap()).into();
/// let set = PatternSet::new(&patterns);
/// assert_eq!(set.matches(&"web1.example.com".parse().unwrap()), [0, 1]);
/// ```
#[derive(Clone, Debug)]
pub struct PatternSet {
    groups: Vec<Group>,
    /// Of all groups, group by group, each in ascending order.
    indices: Vec<u32>,
    whole: HashMap<u64, Head>,
    ends: Ends,
    anchored: HashMap<Anchored, Head>,
    grams: Grams,
}

/// The patterns of one text.
#[derive(Clone, Debug)]
struct Group {
    pattern: HostPattern,
    indices: Range<u32>,
    /// The next group under the same key.
    next: Head,
}

/// The first group under a key, if there is one.
type Head = Option<Number>;

/// A group's place in the table, plus one: an `Option` of it takes no more room.
type Number = std::num::NonZeroU32;

/// Patterns that share their ends are looked for by what is between these when there are more of them than this.
const CROWD: u32 = 4;

impl PatternSet {
    /// Compiles the patterns. Index `i` of every answer is the `i`-th of them.
    ///
    /// # Panics
    /// With more than `u32::MAX` patterns.
    #[must_use]
    pub fn new<'a>(patterns: impl IntoIterator<Item = &'a HostPattern>) -> Self {
        let mut texts: Vec<(&HostPattern, u32)> = patterns
            .into_iter()
            .enumerate()
            .map(|(index, pattern)| (pattern, u32::try_from(index).expect("fewer than 2^32 patterns")))
            .collect();
        texts.sort_unstable();
        let indices: Vec<u32> = texts.iter().map(|(_, index)| *index).collect();
        let mut groups: Vec<Group> = Vec::new();
        for (at, (pattern, _)) in (0..).zip(&texts) {
            match groups.last_mut() {
                Some(group) if group.pattern == **pattern => group.indices.end = at + 1,
                _ => groups.push(Group { pattern: (*pattern).clone(), indices: at..at + 1, next: None }),
            }
        }
        groups.shrink_to_fit();
        let mut set = Self {
            groups,
            indices,
            whole: HashMap::new(),
            ends: Ends::default(),
            anchored: HashMap::new(),
            grams: Grams::default(),
        };
        set.sort_in();
        set
    }

    /// Puts each group under its key.
    fn sort_in(&mut self) {
        let mut sharing: HashMap<Anchored, u32> = HashMap::new();
        let mut having: HashMap<u64, u32> = HashMap::new();
        for group in &self.groups {
            let text = group.pattern.as_str();
            if let Some(ends) = Anchored::of(text) {
                *sharing.entry(ends).or_default() += 1;
                for gram in grams::of(text) {
                    *having.entry(gram.key()).or_default() += 1;
                }
            }
        }
        for at in 0..self.groups.len() {
            let group = &mut self.groups[at];
            let number = u32::try_from(at + 1).ok().and_then(Number::new).expect("fewer than 2^32 patterns");
            let text = group.pattern.as_str();
            let head = match Anchored::of(text) {
                None => self.whole.entry(anchors::forward(text)).or_default(),
                Some(ends) => {
                    let together = sharing[&ends];
                    let rarest = grams::of(text).min_by_key(|gram| having[&gram.key()]);
                    match rarest.filter(|gram| together > CROWD && having[&gram.key()] < together) {
                        Some(gram) => self.grams.head(gram),
                        None => {
                            self.ends.add(text);
                            self.anchored.entry(ends).or_default()
                        }
                    }
                }
            };
            group.next = head.replace(number);
        }
        self.whole.shrink_to_fit();
        self.anchored.shrink_to_fit();
        self.ends.shrink_to_fit();
        self.grams.shrink_to_fit();
    }

    /// The indices of all patterns that take `name`, in ascending order.
    #[must_use]
    pub fn matches(&self, name: &Hostname) -> Vec<usize> {
        let mut found: Vec<u32> = Vec::new();
        let text = name.as_str();
        self.take(self.whole.get(&anchors::forward(text)), name, &mut found);
        self.ends.pairs(text, |ends| self.take(self.anchored.get(&ends), name, &mut found));
        let mut heads: Vec<Head> = Vec::new();
        self.grams.found_in(text, |head| heads.push(*head));
        // A name may hold the same characters at many places.
        heads.sort_unstable();
        heads.dedup();
        for head in &heads {
            self.take(Some(head), name, &mut found);
        }
        found.sort_unstable();
        found.into_iter().map(|index| index as usize).collect()
    }

    fn take(&self, head: Option<&Head>, name: &Hostname, found: &mut Vec<u32>) {
        let mut next = head.copied().flatten();
        while let Some(number) = next {
            let group = &self.groups[number.get() as usize - 1];
            if group.pattern.matches(name) {
                found.extend_from_slice(&self.indices[group.indices.start as usize..group.indices.end as usize]);
            }
            next = group.next;
        }
    }

    /// The number of patterns.
    #[must_use]
    pub fn len(&self) -> usize {
        self.indices.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.indices.is_empty()
    }
}

#[cfg(test)]
mod tests;

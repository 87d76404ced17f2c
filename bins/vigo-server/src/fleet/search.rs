//! Finds names that contain a text without looking at every name: by the three letters that stand in a row in it.

use std::collections::HashMap;

/// For each three letters in a row, the places of the names that have them; in ascending order.
#[derive(Debug, Default)]
pub(super) struct Grams {
    places: HashMap<[u8; 3], Vec<u32>>,
    names: u32,
}

impl Grams {
    /// Adds the next name.
    pub(super) fn add(&mut self, name: &str) {
        for gram in name.as_bytes().array_windows::<3>() {
            let places = self.places.entry(*gram).or_default();
            if places.last() != Some(&self.names) {
                places.push(self.names);
            }
        }
        self.names += 1;
    }

    /// The places of all names that contain `text`, and perhaps of some others; `None` where it is too short to tell.
    pub(super) fn may_contain(&self, text: &str) -> Option<Vec<u32>> {
        let mut lists: Vec<&[u32]> = text
            .as_bytes()
            .array_windows::<3>()
            .map(|gram| self.places.get(gram).map_or(&[][..], Vec::as_slice))
            .collect();
        // The rarest first: the others are asked about its places alone.
        lists.sort_by_key(|list| list.len());
        let (first, others) = lists.split_first()?;
        let in_all = |place: &&u32| others.iter().all(|list| list.binary_search(place).is_ok());
        Some(first.iter().filter(in_all).copied().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_contains_a_text_is_always_found() {
        let names = ["web1.example.com", "web10.example.com", "db1.example.com", "aaaa", "ab", "w", "xn--bcher-kva"];
        let mut grams = Grams::default();
        for name in names {
            grams.add(name);
        }
        for text in ["web", "web1", "example", ".com", "aaa", "aaaa", "aaaaa", "b1.", "--b", "zzz", "1.example"] {
            let found = grams.may_contain(text).unwrap();
            let contain: Vec<u32> =
                (0..).zip(names).filter(|(_, name)| name.contains(text)).map(|(place, _)| place).collect();
            assert!(contain.iter().all(|place| found.contains(place)), "{text}: {found:?} and {contain:?}");
        }
        assert_eq!(grams.may_contain("web10"), Some(vec![1]));
        assert_eq!((grams.may_contain("w"), grams.may_contain("")), (None, None));
    }
}

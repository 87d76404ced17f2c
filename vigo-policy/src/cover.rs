use vigo_core::HostPattern;

/// Whether `wide` takes every name that `narrow` takes. May be wrong in one direction only: a `true` always holds.
///
/// `wide` is matched against the signs of `narrow`: a `*` there is a run of any length, so only a `*` can take it; a `?`
/// is taken by `?` and `*`; a character by itself, by `?` unless it is a dot, and by `*`.
pub(crate) fn covers(wide: &HostPattern, narrow: &HostPattern) -> bool {
    let (wide, narrow) = (wide.as_str().as_bytes(), narrow.as_str().as_bytes());
    // One row of the table at a time: `row[n]` says whether the signs of `wide` read so far can take `narrow[..n]`.
    let mut row = vec![false; narrow.len() + 1];
    row[0] = true;
    for &sign in wide {
        let mut next = vec![false; narrow.len() + 1];
        for n in 1..=narrow.len() {
            let takes = match (sign, narrow[n - 1]) {
                (b'*', _) | (b'?', b'?') => true,
                (b'?', other) => other != b'*' && other != b'.',
                (literal, other) => literal == other,
            };
            next[n] = takes && (row[n - 1] || (sign == b'*' && next[n - 1]));
        }
        row = next;
    }
    row[narrow.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use vigo_core::Hostname;

    #[track_caller]
    fn check(wide: &str, narrow: &str, expected: bool) {
        assert_eq!(covers(&wide.parse().unwrap(), &narrow.parse().unwrap()), expected, "{wide} over {narrow}");
    }

    #[test]
    fn what_covers_what() {
        check("*", "anything.at.all", true);
        check("*", "*.example.com", true);
        check("*.example.com", "web1.example.com", true);
        check("*.example.com", "*.dev.example.com", true);
        check("*.example.com", "example.com", false);
        check("*.dev.example.com", "*.example.com", false);
        check("web?.example.com", "web1.example.com", true);
        check("web?.example.com", "web*.example.com", false);
        check("web*.example.com", "web?.example.com", true);
        check("web*", "web", false);
        check("a?b", "a.b", false);
        check("**", "?", false);
        check("**", "??", true);
    }

    proptest! {
        #[test]
        fn a_covered_pattern_takes_nothing_else(wide in "[ab.*?]{1,6}", narrow in "[ab.*?]{1,6}", name in "[ab.]{1,8}") {
            let (Ok(wide), Ok(narrow), Ok(name)) =
                (wide.parse::<HostPattern>(), narrow.parse::<HostPattern>(), name.parse::<Hostname>()) else {
                return Ok(());
            };
            if covers(&wide, &narrow) && narrow.matches(&name) {
                prop_assert!(wide.matches(&name), "{} over {} at {}", wide, narrow, name);
            }
        }
    }
}

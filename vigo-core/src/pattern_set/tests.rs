use globset::{GlobBuilder, GlobSetBuilder};
use proptest::prelude::*;

use super::*;

fn set(patterns: &[&str]) -> PatternSet {
    let patterns: Vec<HostPattern> = patterns.iter().map(|p| p.parse().unwrap()).collect();
    PatternSet::new(&patterns)
}

#[track_caller]
fn check(set: &PatternSet, name: &str, expected: &[usize]) {
    assert_eq!(set.matches(&name.parse().unwrap()), expected, "{name}");
}

#[test]
fn rule_05_all_that_match_are_found_and_no_other() {
    let all = set(&[
        "*.example.com",
        "web1.example.com",
        "web*",
        "*",
        "*.example.com",
        "web?.example.com",
        "*.dev.*",
        "web*.example.com",
        "??b1.example.com",
        "*b*example*com",
    ]);
    check(&all, "web1.example.com", &[0, 1, 2, 3, 4, 5, 7, 8, 9]);
    check(&all, "example.com", &[3]);
    check(&all, "web", &[3]);
    check(&all, "web.example.com", &[0, 2, 3, 4, 9]);
    check(&all, "api.dev.example.com", &[0, 3, 4, 6]);
    check(&all, "api.dev", &[3]);
    check(&set(&[]), "web1.example.com", &[]);
    assert!(set(&[]).is_empty());
    assert_eq!(all.len(), 10);
}

#[test]
fn ends_do_not_overlap_in_a_name() {
    let all = set(&["abc*cde", "abc*abc", "a*a"]);
    check(&all, "abcde", &[]);
    check(&all, "abc", &[]);
    check(&all, "abcabc", &[]);
    check(&all, "abcxabc", &[1]);
    check(&all, "abccde", &[]);
    check(&all, "abc-cde", &[0]);
    check(&all, "aba", &[2]);
}

/// Each kind in a crowd, so that all tables are used; what is between the ends is found wherever it stands.
#[test]
fn a_crowd_is_told_apart_by_what_is_between_its_ends() {
    let patterns: Vec<String> = (0..500).map(|n| format!("*-svc{n:05}-*.example.com")).collect();
    let patterns: Vec<HostPattern> = patterns.iter().map(|p| p.parse().unwrap()).collect();
    let all = PatternSet::new(&patterns);
    check(&all, "eu-svc00042-a.example.com", &[42]);
    check(&all, "a-svc00042-svc00499-svc00042-b.example.com", &[42, 499]);
    check(&all, "eu-svc00500-a.example.com", &[]);
    check(&all, "eu-svc00042-a.example.org", &[]);
}

fn name() -> impl Strategy<Value = String> {
    "[ab1]{1,4}(\\.[ab1]{1,4}){0,3}".prop_filter("no address", |n| n.parse::<Hostname>().is_ok())
}

fn pattern() -> impl Strategy<Value = String> {
    "[ab1*?]{1,5}(\\.[ab1*?]{1,4}){0,2}".prop_filter("no address", |p| p.parse::<HostPattern>().is_ok())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn agrees_with_each_pattern_alone(patterns in prop::collection::vec(pattern(), 0..60), name in name()) {
        let patterns: Vec<HostPattern> = patterns.iter().map(|p| p.parse().unwrap()).collect();
        let name: Hostname = name.parse().unwrap();
        let expected: Vec<usize> = (0..patterns.len()).filter(|&i| patterns[i].matches(&name)).collect();
        prop_assert_eq!(PatternSet::new(&patterns).matches(&name), expected);
    }

    /// Somebody else's globs, put into words that they understand: `*` is `?*` there, `?` is `[!.]`.
    #[test]
    fn agrees_with_globset(patterns in prop::collection::vec(pattern(), 0..20), name in name()) {
        let patterns: Vec<HostPattern> = patterns.iter().map(|p| p.parse().unwrap()).collect();
        let mut globs = GlobSetBuilder::new();
        for pattern in &patterns {
            let glob = pattern.as_str().replace('?', "[!.]").replace('*', "?*");
            globs.add(GlobBuilder::new(&glob).build().unwrap());
        }
        let mut expected = globs.build().unwrap().matches(&name);
        expected.sort_unstable();
        prop_assert_eq!(PatternSet::new(&patterns).matches(&name.parse().unwrap()), expected);
    }
}

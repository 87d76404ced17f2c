//! What is known of updates from one run to the next: `update.json` in the folder of the state.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use vigo_ca::files::{self, FileError};
use vigo_core::{AgentVersion, DirectiveId, DirectiveResult, Notice, UnixTime, UpdateFailure};

use super::{UpdateError, Wish};
use crate::{Paths, stamp};

/// A build that could not be verified is looked at again after so long: the server may have mended it meanwhile.
const LOOK_AGAIN: Duration = Duration::from_hours(1);
/// A trial that was ended from outside so often is the new version's doing.
const TRIES: u8 = 3;
/// A version that was started so often and never checked in goes.
const STARTS: u8 = 4;
/// How many builds are remembered as failed.
const REMEMBERED: usize = 8;

/// What is known of updates. A file that cannot be read is no empty one: without the floor no update is installed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Ledger {
    /// The highest version that was ever verified here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    floor: Option<String>,
    /// The build that is being tried, until it runs or is given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trying: Option<Trying>,
    /// The last that failed, until another is installed or it is no longer offered: what check-ins tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failed: Option<Failed>,
    /// Builds that are left alone, the latest last. Whatever is told or forgotten of the last failure, these stay.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    skipped: Vec<Skipped>,
    /// What became of the last directive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    result: Option<Done>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Trying {
    version: String,
    sha256: String,
    attempts: u8,
    directive: Option<String>,
    /// How often it was started as the daemon, once it was in the program's place, before it checked in.
    #[serde(default)]
    starts: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Skipped {
    sha256: String,
    /// Until when; without, for ever.
    #[serde(with = "stamp", default)]
    until: Option<UnixTime>,
}

/// What a daemon that starts finds of an update.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opened {
    /// Nothing of it, or nothing new.
    AsBefore,
    /// Something to be written.
    Changed,
    /// This version was started again and again and never checked in: the one before it is to take its place.
    GoBack,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Failed {
    version: String,
    code: String,
    message: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Done {
    directive: String,
    /// Code and sentence; without, it was carried out.
    failure: Option<(String, String)>,
}

impl Ledger {
    /// Reads it; an empty one where there is none.
    ///
    /// # Errors
    /// `Ledger` for a file that cannot be read.
    pub(crate) fn read(paths: &Paths) -> Result<Self, UpdateError> {
        let path = paths.updates();
        let damaged = |what: String| UpdateError::Ledger { path: path.clone(), what };
        let text = match files::read_private(&path) {
            Ok(text) => text,
            Err(FileError::Absent { .. }) => return Ok(Self::default()),
            Err(error) => return Err(damaged(error.to_string())),
        };
        // A list without fields would be taken for an empty one.
        if !text.trim_start().starts_with('{') {
            return Err(damaged("no JSON object".to_owned()));
        }
        let ledger: Self = serde_json::from_str(&text).map_err(|error| damaged(error.to_string()))?;
        ledger.floor()?;
        Ok(ledger)
    }

    pub(crate) fn write(&self, paths: &Paths) -> Result<(), UpdateError> {
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| UpdateError::Ledger { path: paths.updates(), what: error.to_string() })?;
        Ok(files::replace_private(&paths.updates(), text.as_bytes())?)
    }

    /// The highest version that was ever verified here.
    pub(crate) fn floor(&self) -> Result<Option<AgentVersion>, UpdateError> {
        let parse = |text: &String| {
            text.parse().map_err(|_| UpdateError::Ledger { path: "update.json".into(), what: "floor".to_owned() })
        };
        self.floor.as_ref().map(parse).transpose()
    }

    pub(crate) fn raise_floor(&mut self, version: &AgentVersion) -> Result<(), UpdateError> {
        if self.floor()?.is_none_or(|floor| floor < *version) {
            self.floor = Some(version.to_string());
        }
        Ok(())
    }

    /// The version that runs is the one that is offered: what failed is not wanted any more. `true`: something had.
    pub(crate) fn forget_failure(&mut self) -> bool {
        self.failed.take().is_some()
    }

    /// Whether this version was begun with, and has not checked in from the program's place.
    pub(crate) fn is_on_probation(&self, version: &AgentVersion) -> bool {
        self.trying.as_ref().is_some_and(|trying| trying.version == version.to_string())
    }

    /// Whether a build is left alone unless somebody asks for it.
    pub(crate) fn skips(&self, sha256: &[u8; 32], now: UnixTime) -> bool {
        let sha256 = hex::encode(sha256);
        self.skipped.iter().any(|skipped| skipped.sha256 == sha256 && skipped.until.is_none_or(|until| now < until))
    }

    fn skip(&mut self, sha256: &[u8; 32], until: Option<UnixTime>) {
        let sha256 = hex::encode(sha256);
        self.skipped.retain(|skipped| skipped.sha256 != sha256);
        if self.skipped.len() == REMEMBERED {
            self.skipped.remove(0);
        }
        self.skipped.push(Skipped { sha256, until });
    }

    pub(crate) fn begin(&mut self, version: &AgentVersion, sha256: &[u8; 32], wish: Wish) {
        let sha256 = hex::encode(sha256);
        let directive = match wish {
            Wish::Directed(id) => Some(id.to_string()),
            Wish::Offered | Wish::Here => None,
        };
        let again = |trying: &&Trying| trying.sha256 == sha256 && trying.directive == directive && wish != Wish::Here;
        let before = self.trying.as_ref().filter(again).map_or(0, |trying| trying.attempts);
        let attempts = before.saturating_add(1);
        self.trying = Some(Trying { version: version.to_string(), sha256, attempts, directive, starts: 0 });
    }

    /// Notes a failure. `true`: it is another than the one that was noted before.
    pub(crate) fn fail(
        &mut self,
        error: &UpdateError,
        version: &AgentVersion,
        sha256: Option<&[u8; 32]>,
        wish: Wish,
        now: UnixTime,
    ) -> bool {
        self.trying = None;
        let Notice { code, message } = error.notice();
        if let Some(sha256) = sha256 {
            match error {
                UpdateError::Trial { .. } | UpdateError::Interrupted(_) => self.skip(sha256, None),
                UpdateError::TooLong(_) | UpdateError::Refused { .. } | UpdateError::NeverCheckedIn { .. } => {
                    self.skip(sha256, Some(now.after(LOOK_AGAIN)));
                }
                // Nothing that is the build's fault: the next check-in tries again.
                _ => {}
            }
        }
        let failed = Failed { version: version.to_string(), code, message };
        let mut news = self.failed.as_ref() != Some(&failed);
        self.failed = Some(failed.clone());
        if let Wish::Directed(id) = wish {
            self.settle(id, Some(Notice { code: failed.code, message: failed.message }));
            news = true;
        }
        news
    }

    /// Notes what became of a directive.
    pub(crate) fn settle(&mut self, id: DirectiveId, failure: Option<Notice>) {
        self.result =
            Some(Done { directive: id.to_string(), failure: failure.map(|notice| (notice.code, notice.message)) });
    }

    /// Whether that directive was carried out, or given up.
    pub(crate) fn has_settled(&self, id: DirectiveId) -> bool {
        self.result.as_ref().is_some_and(|done| done.directive == id.to_string())
    }

    /// At the start of a daemon that runs `version`: what a process before it had begun may be over.
    pub(crate) fn open(&mut self, version: &AgentVersion, now: UnixTime) -> Opened {
        let Some(trying) = &mut self.trying else { return Opened::AsBefore };
        if trying.version == version.to_string() {
            trying.starts = trying.starts.saturating_add(1);
            return if trying.starts > STARTS { Opened::GoBack } else { Opened::Changed };
        }
        let tried: Result<AgentVersion, _> = trying.version.parse();
        match (tried, trying.attempts >= TRIES) {
            (Ok(tried), true) => {
                self.give_up(&UpdateError::Interrupted(tried.clone()), &tried, now);
                Opened::Changed
            }
            _ => Opened::AsBefore,
        }
    }

    /// The build that is being tried, or has just taken the program's place, is not fit.
    pub(crate) fn give_up(&mut self, error: &UpdateError, version: &AgentVersion, now: UnixTime) {
        let (mut sha256, mut wish, mut known) = ([0; 32], Wish::Offered, false);
        if let Some(trying) = &self.trying {
            known = hex::decode_to_slice(&trying.sha256, &mut sha256).is_ok();
            if let Some(id) = trying.directive.as_ref().and_then(|id| id.parse().ok()) {
                wish = Wish::Directed(id);
            }
        }
        self.fail(error, version, known.then_some(&sha256), wish, now);
    }

    /// A check-in of this version was accepted: if it was on probation, that is over. `true`: it was.
    pub(crate) fn proved(&mut self, version: &AgentVersion) -> bool {
        let Some(trying) = self.trying.clone().filter(|trying| trying.version == version.to_string()) else {
            return false;
        };
        (self.trying, self.failed) = (None, None);
        self.skipped.retain(|skipped| skipped.sha256 != trying.sha256);
        if let Some(id) = trying.directive.and_then(|id| id.parse().ok()) {
            self.settle(id, None);
        }
        true
    }

    /// What a check-in says.
    pub(crate) fn report(&self) -> (Option<UpdateFailure>, Option<DirectiveResult>) {
        let failure = self.failed.as_ref().and_then(|failed| {
            let why = Notice { code: failed.code.clone(), message: failed.message.clone() };
            Some(UpdateFailure { version: failed.version.parse().ok()?, why })
        });
        let result = self.result.as_ref().and_then(|done| {
            let failure = done.failure.clone().map(|(code, message)| Notice { code, message });
            Some(DirectiveResult { id: done.directive.parse().ok()?, failure })
        });
        (failure, result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixTime = UnixTime::from_secs(1_780_000_000);

    fn paths(dir: &tempfile::TempDir) -> Paths {
        Paths::new(dir.path().join("etc"), dir.path().to_owned())
    }

    fn version(text: &str) -> AgentVersion {
        text.parse().unwrap()
    }

    fn trial(text: &str) -> UpdateError {
        UpdateError::Trial { version: version(text), why: "it ended".to_owned() }
    }

    fn id(n: u8) -> DirectiveId {
        DirectiveId::from_random([n; 16])
    }

    #[test]
    fn rule_15_the_floor_only_rises_and_is_never_guessed() {
        let dir = tempfile::tempdir().unwrap();
        let paths = paths(&dir);
        let mut ledger = Ledger::read(&paths).unwrap();
        assert_eq!(ledger.floor().unwrap(), None);
        for (raised, expected) in [("0.3.0", "0.3.0"), ("0.2.0", "0.3.0"), ("0.10.0", "0.10.0")] {
            ledger.raise_floor(&version(raised)).unwrap();
            ledger.write(&paths).unwrap();
            ledger = Ledger::read(&paths).unwrap();
            assert_eq!(ledger.floor().unwrap(), Some(version(expected)));
        }
        for damaged in ["", "{", "[]", r#"{"floor":"newest"}"#, r#"{"flor":"0.3.0"}"#] {
            std::fs::write(paths.updates(), damaged).unwrap();
            let error = Ledger::read(&paths).unwrap_err();
            assert_eq!(error.code(), "update_state_damaged", "{damaged}");
        }
    }

    #[test]
    fn what_failed_on_trial_is_left_alone_and_other_builds_are_not() {
        let mut ledger = Ledger::default();
        let year = NOW.after(Duration::from_hours(8760));
        assert!(ledger.fail(&trial("0.3.0"), &version("0.3.0"), Some(&[1; 32]), Wish::Offered, NOW), "news");
        assert!(!ledger.fail(&trial("0.3.0"), &version("0.3.0"), Some(&[1; 32]), Wish::Offered, NOW), "old news");
        assert!(ledger.skips(&[1; 32], year) && !ledger.skips(&[2; 32], year));
        // What could not be verified may have been mended.
        ledger.fail(&UpdateError::TooLong(9), &version("0.3.0"), Some(&[3; 32]), Wish::Offered, NOW);
        assert!(ledger.skips(&[3; 32], NOW.after(Duration::from_secs(3599))));
        assert!(!ledger.skips(&[3; 32], NOW.after(LOOK_AGAIN)));
        ledger.fail(&UpdateError::Unsigned, &version("0.3.0"), None, Wish::Offered, NOW);
        assert!(ledger.skips(&[1; 32], year), "whatever fails besides");
        let (failure, _) = ledger.report();
        assert_eq!(failure.map(|failure| failure.why.code).as_deref(), Some("agent_unsigned"));
    }

    /// The agent was ended while it tried a version: twice that may be anybody's doing.
    #[test]
    fn the_third_interrupted_trial_is_the_last() {
        let mut ledger = Ledger::default();
        for attempt in 1..=3 {
            assert!(!ledger.skips(&[1; 32], NOW), "attempt {attempt}");
            ledger.begin(&version("0.3.0"), &[1; 32], Wish::Offered);
            let expected = if attempt == 3 { Opened::Changed } else { Opened::AsBefore };
            assert_eq!(ledger.open(&version("0.2.0"), NOW), expected);
        }
        assert!(ledger.skips(&[1; 32], NOW));
        ledger.begin(&version("0.3.1"), &[2; 32], Wish::Offered);
        assert_eq!(ledger.open(&version("0.3.1"), NOW), Opened::Changed);
        assert!(ledger.proved(&version("0.3.1")) && !ledger.proved(&version("0.3.1")));
        assert_eq!(ledger.report(), (None, None));
        assert!(ledger.skips(&[1; 32], NOW), "the bad one stays bad");
        // Directed, and ended from outside as often: told of as failed.
        for attempt in 1..=3 {
            ledger.begin(&version("0.4.0"), &[4; 32], Wish::Directed(id(9)));
            let expected = if attempt == 3 { Opened::Changed } else { Opened::AsBefore };
            assert_eq!(ledger.open(&version("0.3.1"), NOW), expected);
        }
        assert!(ledger.has_settled(id(9)));
    }

    /// In the program's place, and never accepted: whatever ends it, it is not started for ever.
    #[test]
    fn rule_15_a_version_that_never_checks_in_goes() {
        let mut ledger = Ledger::default();
        ledger.begin(&version("0.3.0"), &[1; 32], Wish::Offered);
        for _ in 0..STARTS {
            assert_eq!(ledger.open(&version("0.3.0"), NOW), Opened::Changed);
        }
        assert_eq!(ledger.open(&version("0.3.0"), NOW), Opened::GoBack);
        let error = UpdateError::NeverCheckedIn { version: version("0.3.0"), why: "started again".to_owned() };
        ledger.give_up(&error, &version("0.3.0"), NOW);
        assert!(ledger.skips(&[1; 32], NOW), "left alone");
        assert!(!ledger.skips(&[1; 32], NOW.after(LOOK_AGAIN)), "it may have been the network");
    }

    #[test]
    fn what_is_remembered_is_bounded_and_outlives_other_failures() {
        let mut ledger = Ledger::default();
        for n in 0..=8 {
            ledger.fail(&trial("0.3.0"), &version("0.3.0"), Some(&[n; 32]), Wish::Offered, NOW);
        }
        assert!(!ledger.skips(&[0; 32], NOW) && ledger.skips(&[1; 32], NOW) && ledger.skips(&[8; 32], NOW));
        ledger.fail(&UpdateError::Unsigned, &version("0.4.0"), None, Wish::Offered, NOW);
        assert!(ledger.forget_failure() && ledger.skips(&[8; 32], NOW));
    }

    #[test]
    fn a_directive_is_settled_once_the_new_version_runs() {
        let mut ledger = Ledger::default();
        ledger.begin(&version("0.3.0"), &[1; 32], Wish::Directed(id(7)));
        assert!(!ledger.has_settled(id(7)));
        assert_eq!(ledger.open(&version("0.3.0"), NOW), Opened::Changed);
        assert!(!ledger.has_settled(id(7)), "not before it checked in");
        assert!(ledger.proved(&version("0.3.0")));
        assert!(ledger.has_settled(id(7)) && !ledger.has_settled(id(8)));
        assert_eq!(ledger.report().1, Some(DirectiveResult { id: id(7), failure: None }));
        ledger.fail(&trial("0.4.0"), &version("0.4.0"), Some(&[3; 32]), Wish::Directed(id(8)), NOW);
        let (_, result) = ledger.report();
        assert_eq!(result.and_then(|result| result.failure).map(|why| why.code).as_deref(), Some("update_failed"));
        assert_eq!(ledger.open(&version("0.3.0"), NOW), Opened::AsBefore, "nothing was begun");
    }
}

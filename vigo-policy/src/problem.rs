use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};

/// Something to put right in a stacks directory, and how.
///
/// ```
/// use vigo_policy::{Position, Stacks};
/// let mistakes = Stacks::from_texts([("envoys.vgo", "envoys:\n  - macth: a\n")]).unwrap_err();
/// let problem = &mistakes.problems()[0];
/// assert_eq!(problem.file.to_str(), Some("envoys.vgo"));
/// assert_eq!(problem.position, Some(Position { line: 2, column: 5 }));
/// // As editors and terminals link it, with the way out below.
/// let text = problem.to_string();
/// assert!(text.starts_with("envoys.vgo:2:5: ") && text.ends_with(&format!("\n  fix: {}", problem.help)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Problem {
    /// The file, or the directory where no file is to blame.
    pub file: PathBuf,
    /// Where in the file; `None` where the whole of it is meant.
    pub position: Option<Position>,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do about it.
    pub help: String,
}

/// A place in a text file, as editors count: both numbers start at 1, columns are characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line.
    pub line: u32,
    /// The column.
    pub column: u32,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A file may have any name, and this ends up on a terminal.
        f.write_str(&escaped(&self.file.to_string_lossy()))?;
        if let Some(Position { line, column }) = self.position {
            write!(f, ":{line}:{column}")?;
        }
        write!(f, ": {}\n  fix: {}", self.message, self.help)
    }
}

/// Everything that is wrong with a stacks directory, in the order of files and lines. Never empty.
///
/// ```
/// use vigo_policy::Stacks;
/// let texts = [("envoys.vgo", "envoys:\n  - {match: a, role: web}\n"), ("roles.vgo", "rolls: {}\n")];
/// let mistakes = Stacks::from_texts(texts).unwrap_err();
/// let files: Vec<_> = mistakes.problems().iter().map(|problem| problem.file.display().to_string()).collect();
/// assert_eq!(files, ["envoys.vgo", "roles.vgo"]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StackErrors(Vec<Problem>);

impl StackErrors {
    /// Each problem, in the order of files and lines.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.0
    }
}

impl fmt::Display for StackErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            problem.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for StackErrors {}

/// A place in one of the files of a [`Report`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Spot {
    pub(crate) file: FileNo,
    pub(crate) position: Position,
}

/// Which file of a [`Report`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct FileNo(usize);

/// Collects what is found, so that one run shows all of it.
#[derive(Debug, Default)]
pub(crate) struct Report {
    files: Vec<PathBuf>,
    errors: BTreeSet<Problem>,
    warnings: BTreeSet<Problem>,
}

impl Report {
    pub(crate) fn file(&mut self, path: &Path) -> FileNo {
        self.files.push(path.to_owned());
        FileNo(self.files.len() - 1)
    }

    pub(crate) fn error(&mut self, spot: Spot, message: impl Into<String>, help: impl Into<String>) {
        let problem = self.problem(spot, message.into(), help.into());
        self.errors.insert(problem);
    }

    pub(crate) fn warn(&mut self, spot: Spot, message: impl Into<String>, help: impl Into<String>) {
        let problem = self.problem(spot, message.into(), help.into());
        self.warnings.insert(problem);
    }

    /// About a whole file or directory.
    pub(crate) fn error_in(&mut self, file: &Path, message: impl Into<String>, help: impl Into<String>) {
        self.errors.insert(whole(file, message, help));
    }

    /// About a whole file or directory.
    pub(crate) fn warn_in(&mut self, file: &Path, message: impl Into<String>, help: impl Into<String>) {
        self.warnings.insert(whole(file, message, help));
    }

    /// `path:line:column`, to name a second place in a message.
    pub(crate) fn show(&self, spot: Spot) -> String {
        let name = escaped(&self.files[spot.file.0].file_name().unwrap_or_default().to_string_lossy());
        format!("{name}:{}:{}", spot.position.line, spot.position.column)
    }

    /// The warnings, if there was no error.
    pub(crate) fn finish(self) -> Result<Vec<Problem>, StackErrors> {
        if self.errors.is_empty() {
            Ok(self.warnings.into_iter().collect())
        } else {
            Err(StackErrors(self.errors.into_iter().collect()))
        }
    }

    fn problem(&self, spot: Spot, message: String, help: String) -> Problem {
        Problem { file: self.files[spot.file.0].clone(), position: Some(spot.position), message, help }
    }
}

fn whole(file: &Path, message: impl Into<String>, help: impl Into<String>) -> Problem {
    Problem { file: file.to_owned(), position: None, message: message.into(), help: help.into() }
}

/// The whole text with its control characters escaped.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        if c.is_control() { escaped.extend(c.escape_default()) } else { escaped.push(c) }
    }
    escaped
}

/// A text from a file as it can be shown: at most 80 characters, control characters escaped.
pub(crate) fn shown(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((end, _)) => escaped(&text[..end]) + "…",
        None => escaped(text),
    }
}

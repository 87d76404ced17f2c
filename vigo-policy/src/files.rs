use std::collections::HashSet;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::draft::Draft;
use crate::problem::{Position, Report, Spot};
use crate::read::Reader;
use crate::tree::{self, Unreadable};

/// The most bytes that one `.vgo` file may have.
pub const MAX_FILE_BYTES: usize = 4 * 1024 * 1024;

/// One file's text, and what it is by its place in the directory.
#[derive(Debug)]
pub(crate) struct Source {
    path: PathBuf,
    kind: Kind,
    /// `None` where the file is there and could not be read: reported already.
    text: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Common,
    Environments,
    Roles,
    Configcrate,
    Envoys,
}

impl Kind {
    const TOP: [(&'static str, Self); 4] = [
        ("envoys.vgo", Self::Envoys),
        ("roles.vgo", Self::Roles),
        ("common.vgo", Self::Common),
        ("environments.vgo", Self::Environments),
    ];

    /// By its path relative to the stacks directory.
    fn of(path: &Path) -> Option<Self> {
        if path.parent() == Some(Path::new("configcrates")) && path.extension().is_some_and(|e| e == "vgo") {
            return Some(Self::Configcrate);
        }
        Self::TOP.iter().find(|(name, _)| path == Path::new(name)).map(|(_, kind)| *kind)
    }
}

/// Reads the directory. Files of other names are left alone; those that look misplaced are warned of.
pub(crate) fn read(dir: &Path, report: &mut Report) -> Vec<Source> {
    let mut sources = Vec::new();
    let Some(top) = entries(dir, report) else {
        report.warn_in(
            dir,
            "there is no stacks directory: every envoy gets the empty bundle",
            "make it, with an envoys.vgo in it, when there is a policy to give",
        );
        return sources;
    };
    let crates = dir.join("configcrates");
    let below = if top.contains(&crates) { entries(&crates, report).unwrap_or_default() } else { Vec::new() };
    for path in top.into_iter().chain(below).filter(|path| *path != crates) {
        let relative = path.strip_prefix(dir).unwrap_or(&path);
        match Kind::of(relative) {
            Some(kind) => {
                let text = text(&path, report);
                sources.push(Source { path, kind, text });
            }
            None => warn_misplaced(&path, report),
        }
    }
    if !sources.iter().any(|s| s.kind == Kind::Envoys) {
        report.warn_in(
            dir,
            "there is no envoys.vgo: every envoy gets the empty bundle",
            "write one: `envoys:`, and under it `- match: \"*.example.com\"` with its roles or configcrates",
        );
    }
    sources
}

/// Takes texts in place of files.
pub(crate) fn sort<P: Into<PathBuf>, T: Into<String>>(
    texts: impl IntoIterator<Item = (P, T)>,
    report: &mut Report,
) -> Vec<Source> {
    let mut sources = Vec::new();
    let mut seen = HashSet::new();
    for (path, text) in texts {
        let (path, text) = (path.into(), text.into());
        match Kind::of(&path) {
            Some(kind) if text.len() > MAX_FILE_BYTES => {
                too_large(&path, report);
                sources.push(Source { path, kind, text: None });
            }
            Some(_) if !seen.insert(path.clone()) => {
                report.error_in(&path, "given twice", "give each path once");
            }
            Some(kind) => sources.push(Source { path, kind, text: Some(text) }),
            None => warn_misplaced(&path, report),
        }
    }
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    sources
}

/// The entries of a directory in the order of their names, those of editors and version control left out. `None` if
/// there is no such directory.
fn entries(dir: &Path, report: &mut Report) -> Option<Vec<PathBuf>> {
    let listed = fs::read_dir(dir)
        .and_then(|entries| entries.map(|entry| entry.map(|e| e.path())).collect::<Result<Vec<_>, _>>());
    match listed {
        Ok(mut paths) => {
            paths.retain(|path| !path.file_name().is_some_and(|n| n.as_encoded_bytes().starts_with(b".")));
            paths.sort();
            Some(paths)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        Err(error) => {
            report.error_in(dir, format!("cannot be listed: {error}"), "make it a directory that the server may read");
            Some(Vec::new())
        }
    }
}

fn warn_misplaced(path: &Path, report: &mut Report) {
    let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    if matches!(ending, "vgo" | "yaml" | "yml") {
        let tops = Kind::TOP.map(|(name, _)| name).join(", ");
        let help = format!("policy is read from {tops} and configcrates/*.vgo; rename it or move it away");
        report.warn_in(path, "this file is not read", help);
    }
}

fn too_large(path: &Path, report: &mut Report) {
    let message = format!("more than {} MiB", MAX_FILE_BYTES / 1024 / 1024);
    report.error_in(path, message, "split it, or use patterns in place of single names");
}

/// The text of a regular file. A pipe or a device is refused before it is opened: opening could block for ever.
fn text(path: &Path, report: &mut Report) -> Option<String> {
    let read = || -> std::io::Result<Option<Vec<u8>>> {
        if !fs::metadata(path)?.is_file() {
            return Ok(None);
        }
        let mut bytes = Vec::new();
        fs::File::open(path)?.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    };
    match read() {
        Ok(None) => report.error_in(path, "not a regular file", "put a file with this name there, or remove it"),
        Ok(Some(bytes)) if bytes.len() > MAX_FILE_BYTES => too_large(path, report),
        Ok(Some(bytes)) => match String::from_utf8(bytes) {
            Ok(text) => return Some(text),
            Err(error) => {
                let (good, _) = error.as_bytes().split_at(error.utf8_error().valid_up_to());
                let line = good.iter().filter(|b| **b == b'\n').count() + 1;
                let start = good.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
                let column = String::from_utf8_lossy(&good[start..]).chars().count() + 1;
                let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
                let position = Position { line: count(line), column: count(column) };
                let spot = Spot { file: report.file(path), position };
                report.error(spot, "not UTF-8", "save the file as UTF-8");
            }
        },
        Err(error) => report.error_in(path, format!("cannot be read: {error}"), "let the server's user read it"),
    }
    None
}

/// Reads every text, as far as it can be read.
pub(crate) fn draft(sources: Vec<Source>, report: &mut Report) -> Draft {
    let mut draft = Draft::default();
    for Source { path, kind, text } in sources {
        let file = report.file(&path);
        let mut reader = Reader { file, report, broken: text.is_none() };
        let root = match text.as_deref().map(tree::parse) {
            Some(Ok(root)) => Some(root),
            Some(Err(Unreadable { at, message, help })) => {
                let spot = reader.spot(at);
                reader.error(spot, message, help);
                None
            }
            None => None,
        };
        if let Some(root) = root {
            match kind {
                Kind::Envoys => draft.blocks = reader.envoys(root),
                Kind::Roles => draft.roles = reader.roles(root),
                Kind::Common => draft.common = reader.common(root),
                Kind::Environments => draft.environments = reader.environments(root),
                Kind::Configcrate => {
                    if let Some(found) = reader.configcrate(root) {
                        match draft.configcrates.get(&found.name.text) {
                            Some(first) => {
                                let at = reader.report.show(first.name.spot);
                                let message = format!("the configcrate `{}` is already at {at}", found.name.text);
                                reader.error(found.name.spot, message, "rename one of the two");
                            }
                            None => drop(draft.configcrates.insert(found.name.text.clone(), found)),
                        }
                    }
                }
            }
        }
        let broken = reader.broken;
        match kind {
            Kind::Envoys => {}
            Kind::Roles => draft.broken.roles |= broken,
            Kind::Common => draft.broken.common |= broken,
            Kind::Environments => draft.broken.environments |= broken,
            Kind::Configcrate => draft.broken.configcrates |= broken,
        }
    }
    draft
}

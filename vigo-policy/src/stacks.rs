use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use vigo_core::{Bundle, HostPattern, Hostname, PatternSet};

use crate::draft::{Block, Draft};
use crate::files::{self, Source};
use crate::order::report_cycles;
use crate::problem::{Problem, Report, StackErrors};
use crate::resolve::{Resolver, report_unknown, warn_shadowed};

/// A stacks directory, read and resolved: every match block with the bundle that its hosts get.
///
/// ```
/// use vigo_policy::Stacks;
/// # let dir = tempfile::tempdir()?;
/// let envoys = "envoys:
///   - {match: 'web*.example.com', environment: production}
///   - {match: '*.example.com'}
/// ";
/// std::fs::write(dir.path().join("envoys.vgo"), envoys)?;
/// std::fs::write(dir.path().join("environments.vgo"), "environments: {production: {}}\n")?;
/// let stacks = Stacks::load(dir.path())?;
///
/// // The first block that takes a name has it.
/// let block = stacks.hostcrate(&"web1.example.com".parse()?).expect("both take it");
/// assert_eq!((block.name.as_str(), block.bundle.environment.as_str()), ("web*.example.com", "production"));
/// assert!(stacks.hostcrate(&"web1.example.net".parse()?).is_none());
///
/// // The other way round, the second could never match: no mistake, but hardly meant.
/// let blocks = "envoys:\n  - {match: '*.example.com'}\n  - {match: 'web*.example.com'}\n";
/// assert_eq!(Stacks::from_texts([("envoys.vgo", blocks)])?.warnings().len(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Stacks {
    hostcrates: Vec<Hostcrate>,
    table: Arc<Table>,
    warnings: Vec<Problem>,
}

/// One match block, resolved once for all hosts that it takes.
#[derive(Clone, Debug, PartialEq)]
pub struct Hostcrate {
    /// The block's first pattern, and how many more it has: `web*.example.com (+2)`.
    pub name: String,
    /// What the block takes, unless a block above it took it.
    pub patterns: Vec<HostPattern>,
    /// What its hosts have to apply.
    pub bundle: Bundle,
}

/// Which hostcrate a name belongs to.
#[derive(Debug)]
pub(crate) struct Table {
    patterns: PatternSet,
    /// The hostcrate of each pattern.
    owners: Vec<usize>,
}

impl Table {
    /// First match wins: the patterns are in the order of the blocks.
    pub(crate) fn find(&self, name: &Hostname) -> Option<usize> {
        self.patterns.matches(name).first().map(|&pattern| self.owners[pattern])
    }
}

impl Stacks {
    /// Reads the `.vgo` files under `dir`. A directory that is not there is an empty policy with a
    /// [warning](Self::warnings): every host gets the empty bundle.
    ///
    /// # Errors
    /// All mistakes of all files at once.
    pub fn load(dir: &Path) -> Result<Self, StackErrors> {
        let mut report = Report::default();
        let sources = files::read(dir, &mut report);
        Self::build(sources, report)
    }

    /// The same from texts that are no files. A path is as under the directory: `envoys.vgo`, `configcrates/nginx.vgo`.
    ///
    /// # Errors
    /// All mistakes of all texts at once.
    pub fn from_texts<P: Into<PathBuf>, T: Into<String>>(
        texts: impl IntoIterator<Item = (P, T)>,
    ) -> Result<Self, StackErrors> {
        let mut report = Report::default();
        let sources = files::sort(texts, &mut report);
        Self::build(sources, report)
    }

    fn build(sources: Vec<Source>, mut report: Report) -> Result<Self, StackErrors> {
        let draft = files::draft(sources, &mut report);
        report_unknown(&draft, &mut report);
        report_cycles(&draft.configcrates, &mut report);
        let table = table(&draft, &mut report);
        let mut resolver = Resolver { draft: &draft, report: &mut report, seen: HashSet::new() };
        let hostcrates = draft.blocks.iter().map(|block| resolver.hostcrate(block)).collect();
        Ok(Self { hostcrates, table: Arc::new(table), warnings: report.finish()? })
    }

    /// The block that takes this name: the first of those that match.
    #[must_use]
    pub fn hostcrate(&self, name: &Hostname) -> Option<&Hostcrate> {
        self.table.find(name).map(|index| &self.hostcrates[index])
    }

    /// All blocks, in their order.
    #[must_use]
    pub fn hostcrates(&self) -> &[Hostcrate] {
        &self.hostcrates
    }

    /// What is allowed and hardly meant, such as a block that can never match.
    #[must_use]
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    pub(crate) fn table(&self) -> Arc<Table> {
        Arc::clone(&self.table)
    }
}

fn table(draft: &Draft, report: &mut Report) -> Table {
    let patterns = PatternSet::new(draft.blocks.iter().flat_map(|block| &block.patterns));
    let owned = |(number, block): (usize, &Block)| vec![number; block.patterns.len()];
    let owners: Vec<usize> = draft.blocks.iter().enumerate().flat_map(owned).collect();
    warn_shadowed(&draft.blocks, &patterns, &owners, report);
    Table { patterns, owners }
}

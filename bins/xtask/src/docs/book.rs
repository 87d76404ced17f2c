//! Building the book, and holding it to its links.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use mdbook_driver::MDBook;
use mdbook_driver::book::BookItem;

use super::links;

/// Builds the book of the workspace.
pub(super) fn build(root: &Path, out: &Path) -> anyhow::Result<String> {
    let folder = root.join("docs");
    may_be_replaced(out)?;
    let mut book = MDBook::load(&folder).with_context(|| format!("cannot load the book in {}", folder.display()))?;
    let chapters: BTreeSet<PathBuf> = book.iter().filter_map(path_of).collect();
    let source = folder.join("src");
    let unlisted: Vec<String> = below(&source, "md")?
        .into_iter()
        .filter(|page| page != Path::new("SUMMARY.md") && !chapters.contains(page))
        .map(|page| page.display().to_string())
        .collect();
    ensure!(unlisted.is_empty(), "not in docs/src/SUMMARY.md: {}", unlisted.join(", "));
    book.config.build.build_dir = out.to_owned();
    book.build().context("the book cannot be built")?;
    let broken = links::broken(out)?;
    ensure!(broken.is_empty(), "links that lead nowhere:\n{}", broken.join("\n"));
    Ok(format!("built  {} pages in {}\n", chapters.len(), out.display()))
}

fn path_of(item: &BookItem) -> Option<PathBuf> {
    match item {
        BookItem::Chapter(chapter) => chapter.source_path.clone(),
        _ => None,
    }
}

/// mdBook empties the folder that it builds in: it must be empty, or hold a book.
fn may_be_replaced(out: &Path) -> anyhow::Result<()> {
    let Ok(mut entries) = std::fs::read_dir(out) else { return Ok(()) };
    if entries.next().is_some() && !(out.join("toc.html").is_file() && out.join("index.html").is_file()) {
        bail!("{} holds something else than a book: name another folder with --out", out.display());
    }
    Ok(())
}

/// The files below a folder whose names end so, relative to it.
pub(super) fn below(folder: &Path, extension: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).with_context(|| format!("cannot read {}", next.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == extension) {
                found.push(path.strip_prefix(folder)?.to_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// A book of these files, and how its building ends.
    #[track_caller]
    fn check(files: &[(&str, &str)], expected: Result<(), &str>) {
        let root = tempfile::tempdir().unwrap();
        let source = root.path().join("docs/src");
        fs::create_dir_all(&source).unwrap();
        fs::write(root.path().join("docs/book.toml"), include_str!("../../../../docs/book.toml")).unwrap();
        for (name, text) in files {
            fs::write(source.join(name), text).unwrap();
        }
        let told = build(root.path(), &root.path().join("out")).map_err(|error| format!("{error:#}"));
        match (told, expected) {
            (Ok(_), Ok(())) => {}
            (Err(told), Err(part)) => assert!(told.contains(part), "{told}"),
            (told, _) => panic!("{told:?}"),
        }
    }

    #[test]
    fn what_a_book_must_have() {
        const SUMMARY: (&str, &str) = ("SUMMARY.md", "# Summary\n\n- [A](a.md)\n- [B](b.md)\n");
        let a = |text| ("a.md", text);
        let b = ("b.md", "# Of B\n\n## A part\n\nwords\n");
        check(&[SUMMARY, a("# Of A\n\n[b](b.md#a-part) [own](#of-a) [else](https://example.com/x)\n"), b], Ok(()));
        check(&[SUMMARY, a("# Of A\n\n[b](b.md#no-part)\n"), b], Err("a.html: b.html#no-part"));
        check(&[SUMMARY, a("# Of A\n\n[c](c.md)\n"), b], Err("a.html: c.html"));
        check(&[SUMMARY, a("# Of A\n\n[own](#nothing)\n"), b], Err("a.html: #nothing"));
        check(&[SUMMARY, a("# Of A\n\n![c](c.png)\n"), b], Err("a.html: c.png"));
        check(&[SUMMARY, a("# Of A\n"), b, ("c.md", "# Of C\n")], Err("not in docs/src/SUMMARY.md: c.md"));
        check(&[SUMMARY, a("# Of A\n")], Err("b.md"));
        check(&[SUMMARY, a("# Of A\n\n```text\n<a href=\"gone.html\">\n```\n"), b], Ok(()));
    }

    #[test]
    fn what_is_no_book_is_left_alone() {
        let out = tempfile::tempdir().unwrap();
        fs::write(out.path().join("letter"), "dear").unwrap();
        assert!(may_be_replaced(out.path()).is_err());
        fs::remove_file(out.path().join("letter")).unwrap();
        assert!(may_be_replaced(out.path()).is_ok() && may_be_replaced(&out.path().join("new")).is_ok());
    }
}

//! The links of a book that was built: each must lead to a file, and to an element where it names one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use super::book::below;

/// A page, as far as links are concerned.
#[derive(Debug, Default, PartialEq)]
struct Page {
    ids: BTreeSet<String>,
    links: Vec<String>,
}

/// `page: link` for each that leads nowhere.
pub(super) fn broken(book: &Path) -> anyhow::Result<Vec<String>> {
    let mut pages = BTreeMap::new();
    for path in below(book, "html")? {
        let page = read(&std::fs::read_to_string(book.join(&path))?);
        pages.insert(path, page);
    }
    let mut broken = Vec::new();
    for (path, page) in &pages {
        for link in page.links.iter().filter(|link| !leads(link, path, book, &pages)) {
            broken.push(format!("{}: {link}", path.display()));
        }
    }
    Ok(broken)
}

fn leads(link: &str, from: &Path, book: &Path, pages: &BTreeMap<PathBuf, Page>) -> bool {
    if link.contains("://") || link.starts_with("mailto:") || link.starts_with("data:") {
        return true;
    }
    let (target, element) = link.split_once('#').map_or((link, None), |(target, element)| (target, Some(element)));
    let target = if target.is_empty() { from.to_owned() } else { resolved(from, target) };
    match (pages.get(&target), element) {
        (Some(page), Some(element)) if !element.is_empty() => page.ids.contains(element),
        (Some(_), _) => true,
        (None, _) => book.join(&target).is_file(),
    }
}

/// A relative target, from the folder of the page that names it.
fn resolved(from: &Path, target: &str) -> PathBuf {
    let mut path = from.parent().map(Path::to_owned).unwrap_or_default();
    for part in Path::new(target).components() {
        match part {
            Component::ParentDir => drop(path.pop()),
            Component::Normal(name) => path.push(name),
            _ => {}
        }
    }
    path
}

/// The ids and links of a page's tags. Text has no `<` of its own, and scripts are passed over.
fn read(html: &str) -> Page {
    let mut page = Page::default();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if let Some(comment) = rest.strip_prefix("!--") {
            rest = comment.split_once("-->").map_or("", |(_, rest)| rest);
            continue;
        }
        let (name, attributes, after) = tag(rest);
        for (attribute, value) in attributes {
            match attribute {
                "id" => drop(page.ids.insert(value.to_owned())),
                "href" | "src" => page.links.push(value.replace("&amp;", "&")),
                _ => {}
            }
        }
        rest = match name {
            "script" => after.split_once("</script").map_or("", |(_, rest)| rest),
            "style" => after.split_once("</style").map_or("", |(_, rest)| rest),
            _ => after,
        };
    }
    page
}

/// A tag's name, its quoted attributes, and what follows it.
fn tag(text: &str) -> (&str, Vec<(&str, &str)>, &str) {
    let end = text.find(|c: char| c.is_whitespace() || c == '>').unwrap_or(text.len());
    let (name, mut rest) = text.split_at(end);
    let mut attributes = Vec::new();
    loop {
        rest = rest.trim_start();
        let Some(end) = rest.find(|c: char| c == '=' || c == '>' || c.is_whitespace()) else {
            return (name, attributes, "");
        };
        let attribute = &rest[..end];
        rest = &rest[end..];
        if let Some(after) = rest.strip_prefix('>') {
            return (name, attributes, after);
        }
        if let Some(value) = rest.strip_prefix("=\"") {
            let (value, after) = value.split_once('"').unwrap_or((value, ""));
            attributes.push((attribute, value));
            rest = after;
        } else {
            rest = rest.strip_prefix('=').unwrap_or(rest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(html: &str, ids: &[&str], links: &[&str]) {
        let page = read(html);
        assert_eq!(page.ids.iter().collect::<Vec<_>>(), ids, "{html}");
        assert_eq!(page.links, links, "{html}");
    }

    #[test]
    fn what_is_read() {
        check("<h2 id=\"a\"><a class=\"header\" href=\"#a\">A</a></h2>", &["a"], &["#a"]);
        check("<img alt=\"x > y\" src=\"a.png\"><p hidden>", &[], &["a.png"]);
        check("<script src=\"a.js\">if (a < b) { '<a href=\"no\">' }</script><i id=\"b\">", &["b"], &["a.js"]);
        check("<!-- <a href=\"no\"> --><code>&lt;a href=\"no\"&gt;</code>", &[], &[]);
        check("<a href=\"a?x&amp;y\"", &[], &["a?x&y"]);
        check("", &[], &[]);
    }

    #[test]
    fn where_a_target_is() {
        for (from, target, expected) in [
            ("a.html", "b.html", "b.html"),
            ("how-to/a.html", "b.html", "how-to/b.html"),
            ("how-to/a.html", "../b.html", "b.html"),
            ("how-to/a.html", "./../x/b.html", "x/b.html"),
        ] {
            assert_eq!(resolved(Path::new(from), target), Path::new(expected), "{from} {target}");
        }
    }
}

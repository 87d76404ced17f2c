//! Words as each kind of text takes them. What cannot stand in one is refused, never repaired.

/// A word of systemd.service(5): no character in it that is more than itself.
pub(super) fn systemd(word: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@, ".contains(c);
    let quoted = || if word.contains(' ') { format!("\"{word}\"") } else { word.to_owned() };
    (!word.is_empty() && word.chars().all(plain)).then(quoted)
}

/// A word of a shell.
pub(super) fn shell(word: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+@,".contains(c);
    if word.is_empty() || word.contains(char::is_control) {
        None
    } else if word.chars().all(plain) {
        Some(word.to_owned())
    } else {
        Some(format!("'{}'", word.replace('\'', r"'\''")))
    }
}

/// A text between tags, or in an attribute's double quotes.
pub(super) fn xml(text: &str) -> Option<String> {
    if text.is_empty() || text.contains(|c: char| c.is_control() || c == '\u{fffe}' || c == '\u{ffff}') {
        return None;
    }
    Some(text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;"))
}

/// A word that nothing quotes: an rc finds the process by it, in a command line and in a regular expression.
pub(super) fn bare(word: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-@,".contains(c);
    (!word.is_empty() && word.chars().all(plain)).then(|| word.to_owned())
}

/// A word of a Windows command line. A backslash before the closing quote would take its meaning away.
pub(super) fn windows(word: &str) -> Option<String> {
    let refused = |c: char| c.is_control() || "\"%<>|*?".contains(c);
    (!word.is_empty() && !word.contains(refused) && !word.ends_with('\\')).then(|| format!("\"{word}\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(quote: fn(&str) -> Option<String>, word: &str, expected: Option<&str>) {
        assert_eq!(quote(word).as_deref(), expected, "{word:?}");
    }

    #[test]
    fn what_each_text_takes() {
        check(systemd, "/opt/my vigo", Some("\"/opt/my vigo\""));
        for refused in ["", "/a%n", "/a$b", "/a\"b", "/a\nb", "/a;b", "/ä", "/a\\b"] {
            check(systemd, refused, None);
        }
        check(shell, "/usr/local/sbin/vigo", Some("/usr/local/sbin/vigo"));
        check(shell, "/o/it's $HOME;`x`", Some(r"'/o/it'\''s $HOME;`x`'"));
        check(shell, "/a\nb", None);
        check(xml, "/a<b>&\"c'", Some("/a&lt;b&gt;&amp;&quot;c'"));
        check(xml, "/a\u{1}", None);
        check(bare, "/opt/vigo_1/vigo", Some("/opt/vigo_1/vigo"));
        for refused in ["/a b", "/a+b", "/a'b", "/a*"] {
            check(bare, refused, None);
        }
        check(windows, r"C:\Program Files\Vigo\vigo.exe", Some(r#""C:\Program Files\Vigo\vigo.exe""#));
        for refused in ["D:\\", "C:\\%x%", "C:\\a\"b", ""] {
            check(windows, refused, None);
        }
    }
}

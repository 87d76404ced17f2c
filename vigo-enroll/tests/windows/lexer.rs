//! A strict reader of the part of PowerShell's lexical grammar that the script keeps to. What it does not know, it refuses.

/// One token that matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    /// Outside of every string and comment, up to the next of these.
    Code(String),
    /// `'…'`, what it stands for.
    Plain(String),
    /// `"…"` without what stands in `$(…)`, whose tokens follow it.
    Expanded(String),
    /// `@'` to `'@`.
    Here(String),
}

/// A text that was read to its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Read {
    pub(crate) tokens: Vec<Token>,
    /// Where the first bracket is closed.
    pub(crate) first_closed: Option<usize>,
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    open: Vec<char>,
    read: Read,
    code: String,
}

/// Reads all of it.
pub(crate) fn read(text: &str) -> Result<Read, String> {
    let read = Read { tokens: Vec::new(), first_closed: None };
    let mut lexer = Lexer { text, at: 0, open: Vec::new(), read, code: String::new() };
    lexer.code(0)?;
    lexer.end_code();
    match lexer.open.last() {
        None => Ok(lexer.read),
        Some(open) => Err(format!("`{open}` is not closed")),
    }
}

impl Lexer<'_> {
    fn next(&mut self) -> Option<char> {
        let c = self.text[self.at..].chars().next()?;
        self.at += c.len_utf8();
        Some(c)
    }

    fn starts(&self, with: &str) -> bool {
        self.text[self.at..].starts_with(with)
    }

    fn wrong(&self, what: &str) -> String {
        format!("line {}: {what}", self.text[..self.at].matches('\n').count() + 1)
    }

    fn end_code(&mut self) {
        if !self.code.is_empty() {
            self.read.tokens.push(Token::Code(std::mem::take(&mut self.code)));
        }
    }

    /// Code, until so many brackets are open again as were before, or to the end.
    fn code(&mut self, depth: usize) -> Result<(), String> {
        while let Some(c) = self.next() {
            match c {
                '#' if self.code.ends_with('<') => return Err(self.wrong("a block comment")),
                '#' if self.code.is_empty() || self.code.ends_with([' ', '\n', '(', '{', ';', '|']) => {
                    while self.text[self.at..].starts_with(|c| c != '\n') {
                        self.next();
                    }
                }
                '#' => return Err(self.wrong("a `#` in a word")),
                '\'' => {
                    self.end_code();
                    let text = self.plain()?;
                    self.read.tokens.push(Token::Plain(text));
                }
                '"' => {
                    self.end_code();
                    self.expanded()?;
                }
                '@' if self.starts("\"") => return Err(self.wrong("a here-string that is expanded")),
                '@' if self.starts("'") => {
                    self.end_code();
                    self.here()?;
                }
                '`' if !self.starts("\n") => return Err(self.wrong("a backtick that ends no line")),
                '(' | '{' | '[' => {
                    self.open.push(c);
                    self.code.push(c);
                }
                ')' | '}' | ']' => {
                    let open = self.open.pop().ok_or_else(|| self.wrong("nothing to close"))?;
                    if !matches!((open, c), ('(', ')') | ('{', '}') | ('[', ']')) {
                        return Err(self.wrong(&format!("`{open}` closed by `{c}`")));
                    }
                    if self.open.is_empty() && self.read.first_closed.is_none() {
                        self.read.first_closed = Some(self.at - 1);
                    }
                    if depth > 0 && self.open.len() < depth {
                        return Ok(());
                    }
                    self.code.push(c);
                }
                c => self.code.push(c),
            }
        }
        Ok(())
    }

    fn plain(&mut self) -> Result<String, String> {
        let mut text = String::new();
        loop {
            match self.next().ok_or_else(|| self.wrong("a string without an end"))? {
                '\'' if self.starts("'") => {
                    self.next();
                    text.push('\'');
                }
                '\'' => return Ok(text),
                '\n' => return Err(self.wrong("a string over two lines")),
                c => text.push(c),
            }
        }
    }

    fn expanded(&mut self) -> Result<(), String> {
        let place = self.read.tokens.len();
        self.read.tokens.push(Token::Expanded(String::new()));
        let mut text = String::new();
        loop {
            match self.next().ok_or_else(|| self.wrong("a string without an end"))? {
                '"' if self.starts("\"") => return Err(self.wrong("a doubled quote")),
                '"' => {
                    self.read.tokens[place] = Token::Expanded(text);
                    return Ok(());
                }
                '`' if !self.starts("n") => return Err(self.wrong("an escape")),
                '\n' => return Err(self.wrong("a string over two lines")),
                '$' if self.starts("(") => {
                    self.next();
                    self.open.push('(');
                    self.code(self.open.len())?;
                    self.end_code();
                }
                '$' if !self.text[self.at..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '{') => {
                    return Err(self.wrong("a `$` before no name"));
                }
                c => text.push(c),
            }
        }
    }

    fn here(&mut self) -> Result<(), String> {
        if !self.starts("'\n") {
            return Err(self.wrong("a here-string that does not start on a line of its own"));
        }
        self.at += 2;
        let length = self.text[self.at..].find("\n'@").ok_or_else(|| self.wrong("a here-string without an end"))?;
        self.read.tokens.push(Token::Here(self.text[self.at..self.at + length].to_owned()));
        self.at += length + 3;
        Ok(())
    }
}

#[track_caller]
fn check(text: &str, expected: Result<&[Token], &str>) {
    let read = read(text).map(|read| read.tokens);
    assert_eq!(read.as_deref().map_err(String::as_str), expected, "{text}");
}

#[test]
fn what_the_lexer_reads() {
    use Token::{Code, Expanded, Here, Plain};
    let code = |text: &str| Code(text.to_owned());
    check("(a) # b ' c", Ok(&[code("(a) ")]));
    check("& 'a''b(' c", Ok(&[code("& "), Plain("a'b(".into()), code(" c")]));
    let nested = [code("a "), Expanded("b  c".into()), code("$d"), Plain(")".into()), code(" e")];
    check("a \"b $($d')') c\" e", Ok(&nested));
    check("@'\n{ \" #\n'@\n", Ok(&[Here("{ \" #".into()), code("\n")]));
    check("a `\n b", Ok(&[code("a `\n b")]));
    for (text, expected) in [
        ("(a", "`(` is not closed"),
        ("(a]", "line 1: `(` closed by `]`"),
        ("\n}", "line 2: nothing to close"),
        ("'a\n'", "line 2: a string over two lines"),
        ("\"a", "line 1: a string without an end"),
        ("\"$(a\"", "line 1: a string without an end"),
        ("\"a`\"\"", "line 1: an escape"),
        ("\"costs $5\"", "line 1: a `$` before no name"),
        ("<# a #>", "line 1: a block comment"),
        ("a`b", "line 1: a backtick that ends no line"),
        ("@\"\n\"@", "line 1: a here-string that is expanded"),
        ("@'\na", "line 2: a here-string without an end"),
    ] {
        check(text, Err(expected));
    }
}

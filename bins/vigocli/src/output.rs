use std::io::{ErrorKind, Write};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::client::Reply;
use crate::failure::Failure;
use crate::printable::commands;
use crate::table::Style;
use crate::{Exit, Format};

/// Where results go, in the form that was asked for.
pub(crate) struct Output<'a> {
    to: &'a mut dyn Write,
    format: Format,
    style: Style,
    terminal: bool,
    closed: bool,
}

impl<'a> Output<'a> {
    pub(crate) fn new(to: &'a mut dyn Write, format: Format, style: Style, terminal: bool) -> Self {
        Self { to, format, style, terminal, closed: false }
    }

    /// Shows what the server sent: as it came where JSON was asked for, through `render` for people.
    pub(crate) fn show<T: DeserializeOwned>(
        &mut self,
        reply: &Reply,
        render: impl FnOnce(&T, &Style) -> String,
    ) -> Result<(), Failure> {
        let text = match self.format {
            Format::Table => render(&reply.parse()?, &self.style),
            Format::Json if self.terminal => pretty(&reply.parse()?),
            Format::Json => {
                // As a value: what nests without end is no answer, though its brackets may fit.
                reply.parse::<Value>()?;
                format!("{}\n", reply.text().trim())
            }
            Format::Jsonl => lines(&reply.parse()?),
        };
        match self.format {
            Format::Table => self.write(&text),
            Format::Json | Format::Jsonl => self.write(&ascii_controls(&text)),
        }
    }

    /// Shows rows to people.
    pub(crate) fn show_rows<T>(
        &mut self,
        rows: &[T],
        render: impl FnOnce(&[T], &Style) -> String,
    ) -> Result<(), Failure> {
        self.write(&render(rows, &self.style))
    }

    /// Shows a value in the form of JSON that was asked for.
    pub(crate) fn show_value(&mut self, value: &Value) -> Result<(), Failure> {
        let text = match self.format {
            Format::Jsonl => lines(value),
            _ if self.terminal => pretty(value),
            _ => format!("{value}\n"),
        };
        self.write(&ascii_controls(&text))
    }

    /// Shows one line of JSON.
    pub(crate) fn show_line(&mut self, value: &Value) -> Result<(), Failure> {
        self.write(&ascii_controls(&format!("{value}\n")))
    }

    /// How results look to people.
    pub(crate) fn style(&self) -> &Style {
        &self.style
    }

    /// Whether nobody reads any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Shows what was made here.
    pub(crate) fn show_own<T: Serialize>(
        &mut self,
        own: &T,
        render: impl FnOnce(&T, &Style) -> String,
    ) -> Result<(), Failure> {
        if self.format == Format::Table {
            return self.write(&render(own, &self.style));
        }
        let value = serde_json::to_value(own)
            .map_err(|error| Failure::new(Exit::Failed, "internal", format!("cannot write JSON: {error}")))?;
        let text = if self.format == Format::Json { pretty(&value) } else { lines(&value) };
        self.write(&ascii_controls(&text))
    }

    /// Writes text as it is. A reader that left (`| head`) has seen what it wanted: no failure.
    pub(crate) fn write(&mut self, text: &str) -> Result<(), Failure> {
        if self.closed {
            return Ok(());
        }
        match self.to.write_all(text.as_bytes()).and_then(|()| self.to.flush()) {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            Err(error) => Err(Failure::new(Exit::Failed, "stdout", format!("cannot write the result: {error}"))),
        }
    }
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

/// One line for each element of a list, one for anything else.
fn lines(value: &Value) -> String {
    match value {
        Value::Array(rows) => rows.iter().map(|row| format!("{row}\n")).collect(),
        one => format!("{one}\n"),
    }
}

/// The same JSON, with what a terminal would obey written as JSON's own escapes. In valid JSON such a character stands
/// only within a string, white space apart.
pub(crate) fn ascii_controls(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        if commands(c) && !matches!(c, '\n' | '\r' | '\t') {
            safe.extend(c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            safe.push(c);
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::tests::plain;

    #[track_caller]
    fn check(format: Format, terminal: bool, sent: &str, expected: &str) {
        let mut stdout = Vec::new();
        let mut out = Output::new(&mut stdout, format, plain(), terminal);
        out.show(&Reply::new(sent.to_owned()), |n: &Value, _| format!("shown {n}\n")).unwrap();
        assert_eq!(String::from_utf8(stdout).unwrap(), expected);
    }

    #[test]
    fn json_is_as_the_server_sent_it() {
        let sent = r#"[{"z":1, "a":[]},{"z":2}]"#;
        check(Format::Json, false, sent, "[{\"z\":1, \"a\":[]},{\"z\":2}]\n");
        check(Format::Json, true, sent, "[\n  {\n    \"z\": 1,\n    \"a\": []\n  },\n  {\n    \"z\": 2\n  }\n]\n");
        check(Format::Jsonl, false, sent, "{\"z\":1,\"a\":[]}\n{\"z\":2}\n");
        check(Format::Json, false, "[]", "[]\n");
        check(Format::Jsonl, false, "[]", "");
        check(Format::Jsonl, false, "{\n\"a\": 1}", "{\"a\":1}\n");
        check(Format::Table, false, "1", "shown 1\n");
    }

    #[test]
    fn json_holds_nothing_a_terminal_obeys() {
        let sent = "{\"note\":\"\u{9b}2J\u{7f}\u{202e}\u{e0041}\"}";
        let safe = "{\"note\":\"\\u009b2J\\u007f\\u202e\\udb40\\udc41\"}\n";
        check(Format::Json, false, sent, safe);
        check(Format::Jsonl, true, sent, safe);
        let (sent, safe): (Value, Value) = (serde_json::from_str(sent).unwrap(), serde_json::from_str(safe).unwrap());
        assert_eq!(sent, safe);
    }

    struct Closed(ErrorKind);
    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_left_is_no_failure_and_a_full_disk_is() {
        for (kind, expected) in [(ErrorKind::BrokenPipe, None), (ErrorKind::StorageFull, Some(Exit::Failed))] {
            let mut to = Closed(kind);
            let mut out = Output::new(&mut to, Format::Json, plain(), false);
            assert_eq!(out.write("x").err().map(|failure| failure.exit()), expected);
        }
    }
}

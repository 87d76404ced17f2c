//! Server-sent events, as much of them as the server sends.

/// The most bytes of one event: a server that sends more sends none of ours.
const MOST: usize = 256 << 10;

/// One event.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) data: String,
}

/// The stream cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SseError {
    #[error("an event that is not text")]
    NotText,
    #[error("an event that is too large")]
    TooLarge,
}

/// Reads events from bytes in whatever pieces they come. Lines end as the standard has it: LF, CR LF or CR.
#[derive(Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    /// The last byte was CR: a LF right behind it belongs to it.
    after_cr: bool,
    event: Event,
    has_data: bool,
}

impl Parser {
    /// The events that these bytes complete.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<Vec<Event>, SseError> {
        let mut events = Vec::new();
        for &byte in bytes {
            let paired = self.after_cr && byte == b'\n';
            self.after_cr = byte == b'\r';
            match byte {
                _ if paired => {}
                b'\n' | b'\r' => events.extend(self.end_of_line()?),
                _ if self.line.len() + self.event.data.len() >= MOST => return Err(SseError::TooLarge),
                byte => self.line.push(byte),
            }
        }
        Ok(events)
    }

    fn end_of_line(&mut self) -> Result<Option<Event>, SseError> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            // Without data an event is none, but for those that are only a name.
            let complete = std::mem::take(&mut self.has_data) || !event.name.is_empty();
            return Ok(complete.then_some(event));
        }
        let line = std::str::from_utf8(&line).map_err(|_| SseError::NotText)?;
        // No colon: all of it is the field. A colon first: a comment, which keeps the connection alive.
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event.name),
            "data" => {
                if std::mem::replace(&mut self.has_data, true) {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            _ => {}
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(bytes: &[u8]) -> Vec<(String, String)> {
        let events = Parser::default().feed(bytes).unwrap();
        events.into_iter().map(|event| (event.name, event.data)).collect()
    }

    #[track_caller]
    fn check(text: &str, expected: &[(&str, &str)]) {
        let expected: Vec<_> = expected.iter().map(|(name, data)| (name.to_string(), data.to_string())).collect();
        assert_eq!(parse(text.as_bytes()), expected, "{text:?}");
    }

    #[test]
    fn events() {
        check("event: envoy\ndata: {}\n\n", &[("envoy", "{}")]);
        check("event:envoy\r\ndata:{}\r\n\r\n", &[("envoy", "{}")]);
        check("event: a\rdata: 1\r\rdata: 2\n\n", &[("a", "1"), ("", "2")]);
        check("data: one\ndata: two\n\n", &[("", "one\ntwo")]);
        check("data\ndata:  x\n\n", &[("", "\n x")]);
        check(": alive\n\n: alive\n\n", &[]);
        check("event: lost\n\n", &[("lost", "")]);
        check("id: 7\nretry: 10\nunknown\ndata: 1\n\n", &[("", "1")]);
        check("data: without an end\n", &[]);
        check("\n\n\n", &[]);
    }

    #[test]
    fn what_is_no_event() {
        assert_eq!(Parser::default().feed(b"data: \xff\n"), Err(SseError::NotText));
        assert_eq!(Parser::default().feed(&vec![b'x'; MOST + 1]), Err(SseError::TooLarge));
        let lines = "data: 0123456789\n".repeat(MOST / 10 + 10);
        assert_eq!(Parser::default().feed(lines.as_bytes()), Err(SseError::TooLarge));
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(
            text in "((event|data|:|id|x)?[: \r\na-cä]{0,6}[\r\n]{0,3}){0,12}",
            cuts in proptest::collection::vec(0usize..80, 0..8),
        ) {
            let bytes = text.as_bytes();
            let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let mut parser = Parser::default();
            let mut events = Vec::new();
            for pair in cuts.windows(2) {
                events.extend(parser.feed(&bytes[pair[0]..pair[1]]).unwrap());
            }
            prop_assert_eq!(events, Parser::default().feed(bytes).unwrap());
        }
    }
}

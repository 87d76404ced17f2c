use std::fs::File;
use std::io::{BufRead as _, BufReader, Read, Write};
use std::path::PathBuf;

use crate::Exit;
use crate::failure::Failure;

/// The operator's yes to what cannot be taken back.
pub(crate) enum Confirm {
    /// `--yes`.
    Given,
    /// To be asked on this terminal, whatever stdin and stdout are.
    Ask {
        /// The terminal, `/dev/tty`.
        tty: PathBuf,
    },
}

impl Confirm {
    /// Goes on if the operator types `word`.
    pub(crate) fn ask(&self, warning: &str, word: &str) -> Result<(), Failure> {
        let Self::Ask { tty } = self else { return Ok(()) };
        let open = || Ok::<_, std::io::Error>((File::open(tty)?, File::options().append(true).open(tty)?));
        let (from, to) = open().map_err(|_| {
            Failure::new(Exit::Usage, "confirmation_required", warning)
                .help("No terminal to ask on: add --yes if so meant.")
        })?;
        if typed(from, to, warning, word) {
            return Ok(());
        }
        Err(Failure::new(Exit::Failed, "not_confirmed", "not confirmed: nothing was changed"))
    }
}

/// Whether the answer is `word`. No answer, and one that cannot be read, is a no.
fn typed(from: impl Read, mut to: impl Write, warning: &str, word: &str) -> bool {
    let mut line = String::new();
    let asked = write!(to, "{warning}\nType `{word}` to go on: ").and_then(|()| to.flush());
    let answered = BufReader::new(from.take(1024)).read_line(&mut line);
    asked.is_ok() && answered.is_ok() && line.trim() == word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(answer: &[u8], expected: bool) {
        let mut shown = Vec::new();
        assert_eq!(typed(answer, &mut shown, "Revokes web3.", "yes"), expected);
        assert_eq!(String::from_utf8(shown).unwrap(), "Revokes web3.\nType `yes` to go on: ");
    }

    #[test]
    fn only_the_word_goes_on() {
        check(b"yes\n", true);
        check(b"  yes \r\n", true);
        check(b"yes", true);
        check(b"y\n", false);
        check(b"\n", false);
        check(b"", false);
        check(b"no\nyes\n", false);
        check(b"\xff\xfe\n", false);
        check(&[b'y'; 5000], false);
    }

    #[test]
    fn without_a_terminal_it_is_a_usage_error() {
        let ask = Confirm::Ask { tty: "/nonexistent/tty".into() };
        assert_eq!(ask.ask("Revokes web3.", "yes").unwrap_err().exit(), Exit::Usage);
        assert!(Confirm::Given.ask("Revokes web3.", "yes").is_ok());
    }
}

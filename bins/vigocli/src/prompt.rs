//! Secrets that people type, and those in files.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::path::Path;

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::Exit;
use crate::client::Secret;
use crate::failure::Failure;

/// More than any password has.
const MOST: u64 = 4096;

/// The terminal as it is for a password: no echo, and each key as it is typed, Ctrl-C too, so that none leaves the echo
/// off. As it was when dropped.
struct Silent<'a> {
    tty: &'a File,
    before: Termios,
}

impl<'a> Silent<'a> {
    fn new(tty: &'a File) -> io::Result<Self> {
        let before = tcgetattr(tty)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        silent.special_codes[SpecialCodeIndex::VMIN] = 1;
        silent.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(tty, OptionalActions::Flush, &silent)?;
        Ok(Self { tty, before })
    }
}

impl Drop for Silent<'_> {
    fn drop(&mut self) {
        // A terminal that is gone echoes nothing.
        let _ = tcsetattr(self.tty, OptionalActions::Now, &self.before);
    }
}

/// Asks on the terminal, and shows what is typed.
pub(crate) fn line(tty: &Path, question: &str) -> Result<String, Failure> {
    let file = open(tty)?;
    let typed = ask(&file, question).map_err(|error| unreadable(&error))?;
    Ok(typed.expose().to_owned())
}

/// Asks on the terminal, and shows nothing of what is typed.
pub(crate) fn secret(tty: &Path, question: &str) -> Result<Secret, Failure> {
    let file = open(tty)?;
    let typed = {
        let _silent = Silent::new(&file).map_err(|error| unreadable(&error))?;
        write!(&file, "{question}: ").and_then(|()| keys(&file))
    };
    // The return that was typed was not shown either.
    let _ = writeln!(&file);
    typed.map_err(|error| unreadable(&error))
}

fn open(tty: &Path) -> Result<File, Failure> {
    File::options().read(true).write(true).open(tty).map_err(|_| {
        Failure::new(Exit::Usage, "no_terminal", "there is no terminal to ask on")
            .help("Give the password with --password-stdin or --password-file, and the name with --name.")
    })
}

fn ask(mut tty: &File, question: &str) -> io::Result<Secret> {
    write!(tty, "{question}: ")?;
    tty.flush()?;
    first_line(tty)
}

/// What is typed up to the return, with the keys that correct it.
#[expect(clippy::unbuffered_bytes, reason = "a key at a time, and a buffer would keep a copy of the password")]
fn keys(from: impl Read) -> io::Result<Secret> {
    const CTRL_C: u8 = 3;
    const CTRL_D: u8 = 4;
    const CTRL_H: u8 = 8;
    const CTRL_U: u8 = 21;
    const DELETE: u8 = 127;
    let mut typed = Zeroizing::new(Vec::with_capacity(256));
    for byte in from.take(MOST).bytes() {
        match byte? {
            b'\n' | b'\r' | CTRL_D => return text(&typed),
            CTRL_C => return Err(io::Error::other("it was broken off")),
            CTRL_U => typed.clear(),
            DELETE | CTRL_H => {
                // One character, of however many bytes.
                while typed.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
            }
            byte => typed.push(byte),
        }
    }
    Err(io::Error::other("the terminal was closed, or it is longer than any password"))
}

/// The password: from stdin, a file, or asked for on the terminal.
pub(crate) fn password(tty: &Path, source: &Source<'_>, question: &str) -> Result<Secret, Failure> {
    let password = match source {
        Source::Stdin => first_line(io::stdin().lock()).map_err(|error| unreadable(&error))?,
        Source::File(path) => {
            let read = File::open(path).and_then(first_line);
            read.map_err(|error| {
                Failure::new(Exit::Failed, "unreadable", format!("cannot read {}: {error}", path.display()))
            })?
        }
        Source::Terminal => secret(tty, question)?,
    };
    if password.expose().is_empty() {
        return Err(Failure::new(Exit::Usage, "no_password", "the password is empty"));
    }
    Ok(password)
}

/// Where a password comes from.
pub(crate) enum Source<'a> {
    Stdin,
    File(&'a Path),
    Terminal,
}

/// The first line, without its end.
fn first_line(from: impl Read) -> io::Result<Secret> {
    let mut bytes = Zeroizing::new(Vec::new());
    BufReader::new(from.take(MOST + 1)).read_until(b'\n', &mut bytes)?;
    if bytes.len() as u64 > MOST {
        return Err(io::Error::other("it is longer than any password"));
    }
    text(&bytes)
}

fn text(bytes: &[u8]) -> io::Result<Secret> {
    let text = std::str::from_utf8(bytes).map_err(|_| io::Error::other("it is not text"))?;
    Ok(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

fn unreadable(error: &io::Error) -> Failure {
    Failure::new(Exit::Failed, "unreadable", format!("cannot read the answer: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(sent: &[u8], expected: Option<&str>) {
        let read = first_line(sent).ok();
        assert_eq!(read.as_ref().map(Secret::expose), expected);
    }

    #[test]
    fn a_password_is_one_line() {
        check(b"open sesame \n", Some("open sesame "));
        check(b"open\r\nmore\n", Some("open"));
        check(b"open", Some("open"));
        check(b"", Some(""));
        check(b"\xff\xfe\n", None);
        check(&[b'a'; 5000], None);
    }

    #[track_caller]
    fn check_keys(sent: &[u8], expected: Option<&str>) {
        let read = keys(sent).ok();
        assert_eq!(read.as_ref().map(Secret::expose), expected);
    }

    #[test]
    fn keys_correct_what_is_typed() {
        check_keys(b"open sesame\nmore", Some("open sesame"));
        check_keys("ax\x7f\u{e4}\u{4e3b}\x08b\r".as_bytes(), Some("a\u{e4}b"));
        check_keys(b"\x7f\x7fa\n", Some("a"));
        check_keys(b"wrong\x15right\x04", Some("right"));
        check_keys(b"open\x03\n", None);
        check_keys(b"open", None);
        check_keys(&[b'a'; 5000], None);
    }
}

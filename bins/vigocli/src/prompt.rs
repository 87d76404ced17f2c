//! Secrets that people type, and those in files.

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read, Write};
use std::path::Path;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::Exit;
use crate::client::Secret;
use crate::failure::Failure;

/// More than any password has.
const MOST: u64 = 4096;

/// The terminal with its echo off; on again when dropped.
struct Silent<'a> {
    tty: &'a File,
    before: Termios,
}

impl<'a> Silent<'a> {
    fn new(tty: &'a File) -> io::Result<Self> {
        let before = tcgetattr(tty)?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
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
        ask(&file, question)
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
    let text = std::str::from_utf8(&bytes).map_err(|_| io::Error::other("it is not text"))?;
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
}

//! Asks the person at the terminal: a typed confirmation, a password that is not shown.
//!
//! Never asks where stdin is no terminal: a command in a script fails or goes on,
//! it does not hang.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::path::Path;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::error::CliError;
use super::output::note;

/// The longest password that is read, in bytes.
const MOST_PASSWORD_BYTES: u64 = 4096;

/// Whether there is a person who could answer.
pub fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks for `word` to be typed; anything else ends the command with nothing done.
pub fn confirm(doing: &str, warning: &str, word: &str) -> Result<(), CliError> {
    note(warning);
    write!(io::stderr().lock(), "Type `{word}` to go on: ").ok();
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer).map_err(|error| CliError::from_error(doing, &error))?;
    if answer.trim() == word {
        return Ok(());
    }
    Err(CliError::failed(doing, "not confirmed, so nothing was done"))
}

/// Asks as [`confirm`] does; where nobody can be asked the command is refused, since `--yes` was not passed.
pub fn confirm_or_refuse(doing: &str, warning: &str, word: &str) -> Result<(), CliError> {
    if !can_ask() {
        return Err(CliError::usage(doing, "pass --yes where nobody can be asked"));
    }
    confirm(doing, warning, word)
}

/// Where a password comes from.
pub enum PasswordSource<'a> {
    /// The first line of a file.
    File(&'a Path),
    /// The first line of stdin.
    Stdin,
    /// The person at the terminal.
    Prompt,
}

/// Reads a password: not empty, one line. `who` is shown in the prompt.
pub fn password(source: &PasswordSource<'_>, who: &str) -> Result<Zeroizing<String>, CliError> {
    let doing = format!("read the password of `{who}`");
    let text = match source {
        PasswordSource::File(path) => {
            let file = File::open(path)
                .map_err(|error| CliError::failed(&doing, format!("`{}`: {error}", path.display())))?;
            first_line(file)
        }
        PasswordSource::Stdin => first_line(io::stdin().lock()),
        PasswordSource::Prompt => unseen_line(&format!("Password of `{who}`: ")),
    }
    .map_err(|error| CliError::from_error(&doing, &error))?;
    if text.is_empty() {
        return Err(CliError::usage(doing, "it is empty"));
    }
    Ok(text)
}

/// Reads a new password twice where a person types it, so that a slip is seen.
pub fn new_password(source: &PasswordSource<'_>, who: &str) -> Result<Zeroizing<String>, CliError> {
    let typed = password(source, who)?;
    if matches!(source, PasswordSource::Prompt) {
        let again = unseen_line("Once more: ")
            .map_err(|error| CliError::from_error(format!("read the password of `{who}`"), &error))?;
        if *again != *typed {
            return Err(CliError::usage(format!("set the password of `{who}`"), "the two are not the same"));
        }
    }
    Ok(typed)
}

/// The first line of what `reader` gives, without its end.
fn first_line(reader: impl Read) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    reader.take(MOST_PASSWORD_BYTES).read_to_string(&mut text)?;
    Ok(Zeroizing::new(text.lines().next().unwrap_or_default().to_owned()))
}

/// Reads a line from the terminal without showing it.
///
/// Ctrl-C comes as a character and ends with an error, so that the terminal is never left mute.
fn unseen_line(prompt: &str) -> io::Result<Zeroizing<String>> {
    let mut terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
    terminal.write_all(prompt.as_bytes())?;
    let guard = Mute::new(fs::File::try_clone(&terminal)?)?;
    let typed = typed_line(&mut terminal);
    drop(guard);
    terminal.write_all(b"\n")?;
    typed
}

/// Collects what is typed until the end of the line, obeying the keys that erase and interrupt.
///
/// Reads byte by byte: what is typed ahead belongs to the next question.
fn typed_line(keys: &mut impl Read) -> io::Result<Zeroizing<String>> {
    let mut typed = Zeroizing::new(Vec::with_capacity(256));
    let mut key = [0];
    while keys.read(&mut key)? > 0 {
        match key[0] {
            b'\n' | b'\r' | 0x04 => break,
            0x03 => return Err(io::Error::new(io::ErrorKind::Interrupted, "interrupted")),
            0x15 => typed.clear(),
            0x08 | 0x7f => {
                // One character may be several bytes.
                while typed.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
            }
            byte => typed.push(byte),
        }
    }
    String::from_utf8(typed.to_vec())
        .map(Zeroizing::new)
        .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
}

/// A terminal that shows nothing of what is typed, until this is dropped.
struct Mute {
    terminal: File,
    before: Termios,
}

impl Mute {
    fn new(terminal: File) -> io::Result<Self> {
        let before = tcgetattr(&terminal)?;
        let mut mute = before.clone();
        mute.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
        tcsetattr(&terminal, OptionalActions::Flush, &mute)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Mute {
    fn drop(&mut self) {
        // If the terminal is gone, there is nothing to be put right.
        tcsetattr(&self.terminal, OptionalActions::Flush, &self.before).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn type_keys(mut keys: &[u8]) -> io::Result<String> {
        typed_line(&mut keys).map(|text| text.to_string())
    }

    #[test]
    fn keys_that_erase_and_interrupt_are_obeyed() {
        assert_eq!(type_keys("abc\u{7f}d\nrest".as_bytes()).unwrap(), "abd");
        assert_eq!(type_keys("aß\u{7f}c\r".as_bytes()).unwrap(), "ac");
        assert_eq!(type_keys(b"wrong\x15right\n").unwrap(), "right");
        assert!(type_keys(b"ab\x03").is_err());
    }

    #[test]
    fn a_password_is_the_first_line() {
        assert_eq!(*first_line("päss word\r\nmore\n".as_bytes()).unwrap(), "päss word");
        assert_eq!(*first_line("".as_bytes()).unwrap(), "");
    }
}

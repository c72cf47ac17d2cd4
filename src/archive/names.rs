//! Names of entries: which are safe, and how any file name becomes one.
//!
//! The same rule holds when writing and when reading, so that nothing is
//! written that would be refused later.

use super::error::{ArchiveError, shown};

/// Checks that `name` stays inside the folder it is unpacked in and means one thing everywhere.
///
/// A trailing `/` marks a folder. Length and depth are [`Limits`](super::Limits)' affair.
pub fn check(name: &str) -> Result<(), ArchiveError> {
    match problem(name) {
        None => Ok(()),
        Some(reason) => Err(ArchiveError::BadName { name: shown(name), reason }),
    }
}

fn problem(name: &str) -> Option<&'static str> {
    if name.is_empty() {
        return Some("it is empty");
    }
    if name.contains('\0') {
        return Some("it holds a NUL");
    }
    if name.contains('\\') {
        return Some("it holds a backslash");
    }
    if name.chars().any(char::is_control) {
        return Some("it holds a control character");
    }
    if name.starts_with('/') {
        return Some("it is absolute");
    }
    let bytes = name.as_bytes();
    if bytes.len() >= 2 && bytes[0].is_ascii_alphabetic() && bytes[1] == b':' {
        return Some("it begins with a drive");
    }
    let path = name.strip_suffix('/').unwrap_or(name);
    path.split('/').find_map(|component| match component {
        "" => Some("it has an empty component"),
        "." | ".." => Some("it has a component `.` or `..`"),
        _ => None,
    })
}

/// Turns the bytes of one file name into one component of an entry's name.
///
/// What is not UTF-8 or not portable (control characters, `/ \ : * ? " < > | %`, the names `.` and
/// `..`) becomes `%XX`. Two different names never become the same; [`unescape_component`] inverts.
pub fn escape_component(raw: &[u8]) -> String {
    let mut escaped = String::with_capacity(raw.len());
    if raw.iter().all(|byte| *byte == b'.') && raw.len() <= 2 {
        escape_bytes(&mut escaped, raw);
        return escaped;
    }
    for chunk in raw.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character.is_control() || r#"/\:*?"<>|%"#.contains(character) {
                escape_bytes(&mut escaped, character.encode_utf8(&mut [0; 4]).as_bytes());
            } else {
                escaped.push(character);
            }
        }
        escape_bytes(&mut escaped, chunk.invalid());
    }
    escaped
}

/// Gives back the bytes that [`escape_component`] was given.
pub fn unescape_component(component: &str) -> Vec<u8> {
    percent_encoding::percent_decode_str(component).collect()
}

fn escape_bytes(text: &mut String, bytes: &[u8]) {
    for byte in bytes {
        text.push_str(percent_encoding::percent_encode_byte(*byte));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_that_leave_the_folder_are_refused() {
        for name in [
            "",
            "/",
            "/etc/passwd",
            "../x",
            "a/../../x",
            "a/..",
            "..",
            ".",
            "./a",
            "a/./b",
            "a//b",
            "a//",
            "C:/x",
            "c:x",
            "a\\b",
            "..\\x",
            "a\0b",
            "a\nb",
            "a\u{7f}b",
            "\u{85}",
        ] {
            assert!(check(name).is_err(), "{name:?} was accepted");
        }
        for name in ["a", "a/", "a/b", "..a", "a..", "...", "ä/ö", "a b", "xx:y", ".hidden/.x"] {
            assert!(check(name).is_ok(), "{name:?} was refused");
        }
    }

    proptest! {
        #[test]
        fn escaping_is_inverted_and_gives_safe_names(raw in prop::collection::vec(any::<u8>(), 1..40)) {
            let escaped = escape_component(&raw);
            prop_assert!(check(&escaped).is_ok());
            prop_assert!(!escaped.contains('/'));
            prop_assert_eq!(unescape_component(&escaped), raw);
        }

        #[test]
        fn escaping_of_texts_is_inverted(text in "[.%a/\\\\ü\u{301}]{1,6}") {
            let escaped = escape_component(text.as_bytes());
            prop_assert!(check(&escaped).is_ok());
            prop_assert_eq!(unescape_component(&escaped), text.as_bytes());
        }
    }
}

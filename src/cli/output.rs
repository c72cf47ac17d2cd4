//! What a command prints: one JSON document, or text for people, on stdout; everything else on stderr.
//!
//! A reader that goes away (`| head`) is no error: what is left is not printed,
//! and the exit code goes on telling how the operation ended.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use comfy_table::{ContentArrangement, Table, presets};
use indicatif::HumanBytes;
use serde::Serialize;
use serde_json::Value;

/// The width of a terminal, in characters, from which on tables are fitted to it.
const LEAST_FITTED_WIDTH: u16 = 80;

/// Where a command's result goes.
pub struct Output {
    json: bool,
    is_closed: AtomicBool,
}

impl Output {
    /// Output as one JSON document if `json`, else for people.
    pub fn new(json: bool) -> Self {
        Self { json, is_closed: AtomicBool::new(false) }
    }

    /// Whether the result is a JSON document.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// Whether the reader has gone away, so that nobody waits for more.
    pub fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::Relaxed)
    }

    /// Prints `document` as JSON, or what `text` makes of it.
    pub fn show<T: Serialize>(&self, document: &T, text: impl FnOnce(&T) -> String) {
        if self.json {
            self.line(
                &serde_json::to_string_pretty(document).expect("a document of ours has text keys only"),
            );
        } else {
            self.line(&text(document));
        }
    }

    /// Prints one line, or several, to stdout.
    pub fn line(&self, text: &str) {
        if self.is_closed() {
            return;
        }
        let mut stdout = io::stdout().lock();
        let written = writeln!(stdout, "{text}").and_then(|()| stdout.flush());
        if written.is_err() {
            self.is_closed.store(true, Ordering::Relaxed);
        }
    }
}

/// Says something to a person, on stderr, beside the result.
pub fn note(text: &str) {
    // Nobody is left to be told if stderr is closed.
    writeln!(io::stderr().lock(), "{text}").ok();
}

/// A table of texts; fitted to the terminal, and as wide as it needs to be elsewhere.
pub fn table(header: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    // In a narrow window long lines are easier to read than columns of single letters.
    if table.width().is_some_and(|width| width >= LEAST_FITTED_WIDTH) {
        table.set_content_arrangement(ContentArrangement::Dynamic);
    }
    table.set_header(header.to_vec());
    for row in rows {
        table.add_row(row.iter().map(|cell| printable(cell)).collect::<Vec<_>>());
    }
    table.trim_fmt()
}

/// Name and value, one pair a line, the values in one column.
pub fn pairs(pairs: &[(&str, String)]) -> String {
    let width = pairs.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let lines: Vec<_> = pairs
        .iter()
        .map(|(name, value)| format!("{name:width$}  {}", printable(value)).trim_end().to_owned())
        .collect();
    lines.join("\n")
}

/// All fields of an object, one a line.
pub fn fields(object: &Value) -> String {
    let Value::Object(object) = object else { return text(object) };
    let all: Vec<_> = object.iter().map(|(name, value)| (name.as_str(), text(value))).collect();
    pairs(&all)
}

/// A JSON value as a person would write it; nothing for null.
pub fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A field of an object, as text.
pub fn field(object: &Value, name: &str) -> String {
    text(&object[name])
}

/// A size for people, `12.30 MiB`; empty where none is known.
pub fn size(bytes: Option<u64>) -> String {
    bytes.map(|bytes| HumanBytes(bytes).to_string()).unwrap_or_default()
}

/// A text from elsewhere without what a terminal would obey; line ends become spaces.
pub fn printable(text: &str) -> String {
    text.chars().map(|c| if matches!(c, '\n' | '\t') { ' ' } else { c }).filter(|c| !c.is_control()).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_table_shows_nothing_that_a_terminal_obeys() {
        let text = table(&["ID", "ERROR"], vec![vec!["a".into(), "\u{1b}]0;gotcha\u{7}x\ny".into()]]);
        assert!(text.lines().count() == 2 && !text.contains('\u{1b}') && text.contains("x y"), "{text:?}");
    }

    #[test]
    fn fields_stand_in_one_column_and_null_is_empty() {
        assert_eq!(
            fields(&json!({"id": "a", "created_by": null, "n": 3})),
            "id          a\ncreated_by\nn           3"
        );
    }
}

//! What lists ask of SQLite that it has not.

use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::ValueRef;

/// Adds `holds(part, text, …)` to a connection: whether a part occurs in one of the texts, ignoring case (ASCII). What is
/// no text holds nothing, not even the empty part, which occurs in every text.
///
/// It says what `LIKE '%' || part || '%'` says of each text, but takes a part as it is written, and all texts of a row at
/// once: a search through very many rows takes half the time.
pub(super) fn add(connection: &Connection) -> rusqlite::Result<()> {
    let flags =
        FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC | FunctionFlags::SQLITE_DIRECTONLY;
    connection.create_scalar_function("holds", -1, flags, |context| {
        let ValueRef::Text(part) = context.get_raw(0) else { return Ok(false) };
        Ok((1..context.len()).any(|index| match context.get_raw(index) {
            ValueRef::Text(text) => holds(text, part),
            _ => false,
        }))
    })
}

fn holds(text: &[u8], part: &[u8]) -> bool {
    let Some((first, rest)) = part.split_first() else { return true };
    // No later place has room for the whole part.
    let Some(last) = text.len().checked_sub(part.len()) else { return false };
    memchr::memchr2_iter(first.to_ascii_lowercase(), first.to_ascii_uppercase(), &text[..=last])
        .any(|at| text[at + 1..][..rest.len()].eq_ignore_ascii_case(rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn connection() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        add(&connection).unwrap();
        connection
    }

    #[test]
    fn parts_are_found_in_any_of_the_texts_and_nothing_in_what_is_no_text() {
        let connection = connection();
        let ask = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, bool>(0)).unwrap();
        assert!(ask("SELECT holds('North', NULL, 'far north', 'x')"));
        assert!(ask("SELECT holds('', '')"));
        assert!(ask("SELECT holds('50%_', 'is 50%_')"));
        assert!(!ask("SELECT holds('50%_', 'is 50 of it')"));
        assert!(!ask("SELECT holds('north', 'nort', 'orth')"));
        assert!(!ask("SELECT holds('1', 1, NULL)"));
        assert!(!ask("SELECT holds(NULL, 'a')"));
        assert!(!ask("SELECT holds('a')"));
        // As `LIKE` does it: other letters than those of ASCII have to be the same.
        assert!(!ask("SELECT holds('Ä', 'ä')"));
    }

    proptest! {
        #[test]
        fn a_part_is_found_as_like_finds_it(text in "[abAB%_\\\\é]{0,8}", part in "[abAB%_\\\\é]{0,3}") {
            let pattern = part.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
            let (ours, like): (bool, bool) = connection().query_row(
                "SELECT holds(?1, ?2), ?2 LIKE '%' || ?3 || '%' ESCAPE '\\'",
                [&part, &text, &pattern],
                |row| Ok((row.get(0)?, row.get(1)?)),
            ).unwrap();
            prop_assert_eq!(ours, like);
        }
    }
}

//! Messages of the broker that could not be used: the last of them, and how many there were of each reason.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};
use serde::Serialize;

use super::{Records, RecordsError};

/// A message that could not be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeadLetter {
    /// Its number; 0 before it is kept.
    pub id: i64,
    /// When it was received, UTC with milliseconds.
    pub received_at: String,
    /// Why it could not be used.
    pub reason: String,
    /// The flow that it names, if it does.
    pub flow_id: Option<String>,
    /// The step that it names, if it does.
    pub step_id: Option<String>,
    /// Its routing key.
    pub routing_key: String,
    /// Whether the broker had delivered it before.
    pub redelivered: bool,
    /// The length of its body in bytes.
    pub size_bytes: u64,
    /// The beginning of its body as text; what is no UTF-8 is replaced.
    pub body: String,
}

/// A page of dead letters, the newest first.
#[derive(Clone, Debug, Default)]
pub struct DeadLetterPage {
    /// The messages.
    pub items: Vec<DeadLetter>,
    /// How many are kept.
    pub total: u64,
    /// The offset that was asked for.
    pub offset: u64,
    /// The size that was asked for.
    pub size: u64,
    /// How many there were ever, by reason.
    pub counts: BTreeMap<String, u64>,
}

fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

impl Records {
    /// Keeps messages and counts them; of all that are kept, the last `most` stay.
    ///
    /// # Errors
    /// The database's own.
    pub fn insert_dead_letters(
        connection: &Connection,
        letters: &[DeadLetter],
        most: u32,
    ) -> Result<(), RecordsError> {
        let mut insert = connection.prepare_cached(
            "INSERT INTO dead_letters (received_at, reason, flow_id, step_id, routing_key, is_redelivered, size_bytes, body)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )?;
        let mut count = connection.prepare_cached(
            "INSERT INTO dead_letter_counts (reason, count) VALUES (?, 1)
             ON CONFLICT (reason) DO UPDATE SET count = count + 1",
        )?;
        for letter in letters {
            insert.execute(params![
                letter.received_at,
                letter.reason,
                letter.flow_id,
                letter.step_id,
                letter.routing_key,
                letter.redelivered,
                number(letter.size_bytes),
                letter.body,
            ])?;
            count.execute([&letter.reason])?;
        }
        connection
            .prepare_cached(
                "DELETE FROM dead_letters WHERE number <=
                 (SELECT number FROM dead_letters ORDER BY number DESC LIMIT 1 OFFSET ?)",
            )?
            .execute([most])?;
        Ok(())
    }

    /// One page of the messages that are kept.
    ///
    /// # Errors
    /// The database's own.
    pub fn dead_letters(
        connection: &Connection,
        offset: u64,
        size: u64,
    ) -> Result<DeadLetterPage, RecordsError> {
        let total: i64 = connection.query_row("SELECT count(*) FROM dead_letters", [], |row| row.get(0))?;
        let items = connection
            .prepare_cached(
                "SELECT number, received_at, reason, flow_id, step_id, routing_key, is_redelivered, size_bytes, body
                 FROM dead_letters ORDER BY number DESC LIMIT ? OFFSET ?",
            )?
            .query_map([number(size), number(offset)], |row| {
                Ok(DeadLetter {
                    id: row.get(0)?,
                    received_at: row.get(1)?,
                    reason: row.get(2)?,
                    flow_id: row.get(3)?,
                    step_id: row.get(4)?,
                    routing_key: row.get(5)?,
                    redelivered: row.get(6)?,
                    size_bytes: u64::try_from(row.get::<_, i64>(7)?).unwrap_or(0),
                    body: row.get(8)?,
                })
            })?
            .collect::<rusqlite::Result<_>>()?;
        let counts = connection
            .prepare_cached("SELECT reason, count FROM dead_letter_counts")?
            .query_map([], |row| Ok((row.get(0)?, u64::try_from(row.get::<_, i64>(1)?).unwrap_or(0))))?
            .collect::<rusqlite::Result<_>>()?;
        Ok(DeadLetterPage { items, total: u64::try_from(total).unwrap_or(0), offset, size, counts })
    }

    /// Removes the messages that are kept, and answers how many there were. The counts stay.
    ///
    /// # Errors
    /// The database's own.
    pub fn clear_dead_letters(connection: &Connection) -> Result<u64, RecordsError> {
        Ok(connection.execute("DELETE FROM dead_letters", [])? as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter(reason: &str, body: &str) -> DeadLetter {
        DeadLetter {
            id: 0,
            received_at: "2026-01-01T00:00:00.000Z".to_owned(),
            reason: reason.to_owned(),
            flow_id: None,
            step_id: Some("s".to_owned()),
            routing_key: "a.b.snapshot".to_owned(),
            redelivered: false,
            size_bytes: 3,
            body: body.to_owned(),
        }
    }

    #[test]
    fn the_last_messages_are_kept_and_all_are_counted() {
        let mut connection = Connection::open_in_memory().unwrap();
        super::super::schema::migrations().run(&mut connection).unwrap();
        for body in ["1", "2", "3"] {
            let letters = [letter("not_json", body), letter("no_headers", body)];
            Records::insert_dead_letters(&connection, &letters, 3).unwrap();
        }
        let page = Records::dead_letters(&connection, 1, 5).unwrap();
        let bodies: Vec<&str> = page.items.iter().map(|letter| letter.body.as_str()).collect();
        assert_eq!((bodies, page.total), (vec!["3", "2"], 3));
        assert_eq!(Records::clear_dead_letters(&connection).unwrap(), 3);
        let page = Records::dead_letters(&connection, 0, 5).unwrap();
        assert_eq!(page.total, 0);
        assert_eq!(page.counts, BTreeMap::from([("no_headers".to_owned(), 3), ("not_json".to_owned(), 3)]));
    }
}

//! Who did what that an administrator may have to account for: logins are not here, changes and downloads are.

use rusqlite::{Connection, Row, params_from_iter, types::Value as SqlValue};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::model::{SnapshotId, Timestamp, UserName};

use super::{Records, RecordsError};

/// The action of a delete of a snapshot.
const DELETE: &str = "snapshot_delete";

/// One line of the audit.
#[derive(Clone, Debug)]
pub struct AuditLine {
    /// Counts up, never given twice.
    pub number: i64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub username: UserName,
    /// What was done with what kind of thing, e.g. `user_create`.
    pub action: String,
    /// With which one.
    pub subject: String,
    /// What else is to be known; never a secret.
    pub details: Option<Value>,
}

/// Which lines are meant; what is none does not choose.
#[derive(Clone, Debug, Default)]
pub struct AuditFilter {
    /// Those of this user.
    pub username: Option<String>,
    /// Those of this execution.
    pub execution_id: Option<String>,
    /// Those from this moment on.
    pub since: Option<Timestamp>,
    /// Those before this moment.
    pub before: Option<Timestamp>,
    /// Those of a greater number.
    pub after: Option<i64>,
}

impl AuditFilter {
    fn condition(&self) -> (String, Vec<SqlValue>) {
        let text = |moment: &Timestamp| moment.to_string();
        let (mut conditions, mut parameters) = (vec!["1".to_owned()], Vec::new());
        for (condition, value) in [
            ("username = ?", self.username.clone()),
            ("json_extract(details, '$.execution_id') = ?", self.execution_id.clone()),
            ("at >= ?", self.since.as_ref().map(text)),
            ("at < ?", self.before.as_ref().map(text)),
        ] {
            if let Some(value) = value {
                conditions.push(condition.to_owned());
                parameters.push(SqlValue::Text(value));
            }
        }
        if let Some(after) = self.after {
            conditions.push("number > ?".to_owned());
            parameters.push(SqlValue::Integer(after));
        }
        (conditions.join(" AND "), parameters)
    }
}

impl Records {
    /// Writes one line of the audit in the transaction of what it tells of. Never a secret in `details`.
    ///
    /// # Errors
    /// The database's own.
    pub fn audit(
        connection: &Connection,
        user: &UserName,
        action: &str,
        subject: &str,
        details: Option<&Value>,
    ) -> Result<(), RecordsError> {
        connection.execute(
            "INSERT INTO audit (at, username, action, subject, details) VALUES (?, ?, ?, ?, ?)",
            (Timestamp::now().to_string(), user.as_str(), action, subject, details.map(Value::to_string)),
        )?;
        Ok(())
    }

    /// Writes that a snapshot was deleted, whose archive is this file of the store: the file goes after the record.
    ///
    /// # Errors
    /// The database's own.
    pub fn audit_delete(
        connection: &Connection,
        user: &UserName,
        snapshot: &SnapshotId,
        file: Uuid,
    ) -> Result<(), RecordsError> {
        Self::audit(connection, user, DELETE, snapshot.as_str(), Some(&json!({ "archive_file": file })))
    }

    /// Whether the snapshot was deleted whose archive is this file: the service stopped before the file was gone.
    ///
    /// # Errors
    /// The database's own.
    pub fn was_deleted(connection: &Connection, file: Uuid) -> Result<bool, RecordsError> {
        Ok(connection.query_row(
            "SELECT EXISTS (SELECT 1 FROM audit WHERE action = ? AND details ->> 'archive_file' = ?)",
            [DELETE, &file.to_string()],
            |row| row.get(0),
        )?)
    }

    /// How many lines a filter chooses, and `size` of them from `offset` on; the oldest first, or the newest.
    ///
    /// # Errors
    /// The database's own.
    pub fn audit_lines(
        connection: &Connection,
        filter: &AuditFilter,
        newest_first: bool,
        offset: u64,
        size: u64,
    ) -> Result<(u64, Vec<AuditLine>), RecordsError> {
        let (condition, mut parameters) = filter.condition();
        let total: i64 = connection.query_row(
            &format!("SELECT count(*) FROM audit WHERE {condition}"),
            params_from_iter(&parameters),
            |row| row.get(0),
        )?;
        let order = if newest_first { "DESC" } else { "ASC" };
        let sql = format!(
            "SELECT number, at, username, action, subject, details FROM audit WHERE {condition}
             ORDER BY at {order}, number {order} LIMIT ? OFFSET ?"
        );
        let whole = |number: u64| SqlValue::Integer(i64::try_from(number).unwrap_or(i64::MAX));
        parameters.extend([whole(size), whole(offset)]);
        let lines = connection
            .prepare(&sql)?
            .query_map(params_from_iter(&parameters), |row| Ok(line(row)))?
            .map(|line| line.map_err(RecordsError::from).and_then(|line| line))
            .collect::<Result<_, RecordsError>>()?;
        Ok((u64::try_from(total).unwrap_or(0), lines))
    }

    /// The greatest number of a line; 0 where there is none.
    ///
    /// # Errors
    /// The database's own.
    pub fn last_audit_line(connection: &Connection) -> Result<i64, RecordsError> {
        Ok(connection.query_row("SELECT coalesce(max(number), 0) FROM audit", [], |row| row.get(0))?)
    }

    /// Removes the lines that a filter chooses, and answers how many those were.
    ///
    /// # Errors
    /// The database's own.
    pub fn delete_audit_lines(connection: &Connection, filter: &AuditFilter) -> Result<u64, RecordsError> {
        let (condition, parameters) = filter.condition();
        let sql = format!("DELETE FROM audit WHERE {condition}");
        Ok(connection.execute(&sql, params_from_iter(&parameters))? as u64)
    }
}

fn line(row: &Row<'_>) -> Result<AuditLine, RecordsError> {
    let at: String = row.get(1)?;
    let details: Option<String> = row.get(5)?;
    Ok(AuditLine {
        number: row.get(0)?,
        at: Timestamp::parse(&at).ok_or(RecordsError::Unknown { what: "a time", value: at })?,
        username: UserName::trusted(row.get::<_, String>(2)?),
        action: row.get(3)?,
        subject: row.get(4)?,
        details: details.and_then(|details| serde_json::from_str(&details).ok()),
    })
}

//! Who did what that an administrator may have to account for: logins are not here, changes and downloads are.

use rusqlite::Connection;
use serde_json::Value;

use crate::model::{Timestamp, UserName};

use super::{Records, RecordsError};

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
}

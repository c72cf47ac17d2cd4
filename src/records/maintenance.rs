//! Maintenance mode, which outlives a restart: asked for, and since when it is there.

use rusqlite::{Connection, OptionalExtension};

use crate::model::{Timestamp, UserName};

use super::{Records, RecordsError};

/// A maintenance that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaintenanceRecord {
    /// Who asked for it.
    pub requested_by: UserName,
    /// When.
    pub requested_at: Timestamp,
    /// Since when nothing runs any more; none while something still does.
    pub activated_at: Option<Timestamp>,
}

impl Records {
    /// The maintenance that was asked for, or none.
    ///
    /// # Errors
    /// The database's own.
    pub fn maintenance(connection: &Connection) -> Result<Option<MaintenanceRecord>, RecordsError> {
        let row: Option<(String, String, Option<String>)> = connection
            .query_row("SELECT requested_by, requested_at, activated_at FROM maintenance", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()?;
        row.map(|(requested_by, requested_at, activated_at)| {
            Ok(MaintenanceRecord {
                requested_by: UserName::trusted(requested_by),
                requested_at: Timestamp::parse(&requested_at)
                    .ok_or(RecordsError::Unknown { what: "a time", value: requested_at })?,
                activated_at: activated_at.as_deref().and_then(Timestamp::parse),
            })
        })
        .transpose()
    }

    /// Keeps the maintenance, or that there is none.
    ///
    /// # Errors
    /// The database's own.
    pub fn set_maintenance(
        connection: &Connection,
        maintenance: Option<&MaintenanceRecord>,
    ) -> Result<(), RecordsError> {
        connection.execute("DELETE FROM maintenance", [])?;
        if let Some(maintenance) = maintenance {
            connection.execute(
                "INSERT INTO maintenance (number, requested_by, requested_at, activated_at) VALUES (1, ?, ?, ?)",
                (
                    maintenance.requested_by.as_str(),
                    maintenance.requested_at.to_string(),
                    maintenance.activated_at.map(|moment| moment.to_string()),
                ),
            )?;
        }
        Ok(())
    }
}

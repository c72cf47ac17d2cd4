//! What an administrator changed of the roles that have a permission.

use rusqlite::Connection;

use crate::model::{Grants, Role};

use super::{Records, RecordsError};

impl Records {
    /// Who has which permission.
    ///
    /// # Errors
    /// The database's own.
    pub fn grants(connection: &Connection) -> Result<Grants, RecordsError> {
        let changes = connection
            .prepare_cached("SELECT role, permission, is_granted FROM permission_changes")?
            .query_map([], |row| Ok((row.get::<_, String>(0)?, row.get(1)?, row.get(2)?)))?
            .map(|row| {
                let (role, permission, is_granted) = row?;
                let role = Role::parse(&role).ok_or(RecordsError::Unknown { what: "a role", value: role })?;
                Ok((role, permission, is_granted))
            })
            .collect::<Result<Vec<_>, RecordsError>>()?;
        Ok(Grants::new(changes))
    }

    /// Gives a role a permission, or takes it; with none it is as the program has it.
    ///
    /// # Errors
    /// The database's own.
    pub fn set_grant(
        connection: &Connection,
        role: Role,
        permission: &str,
        is_granted: Option<bool>,
    ) -> Result<(), RecordsError> {
        let Some(is_granted) = is_granted else {
            connection.execute(
                "DELETE FROM permission_changes WHERE role = ? AND permission = ?",
                (role.as_str(), permission),
            )?;
            return Ok(());
        };
        connection.execute(
            "INSERT INTO permission_changes (role, permission, is_granted) VALUES (?1, ?2, ?3)
             ON CONFLICT (role, permission) DO UPDATE SET is_granted = ?3",
            (role.as_str(), permission, is_granted),
        )?;
        Ok(())
    }
}

//! Users and their roles in tenants. One table serves all faces; a restore never changes who may log in.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::model::{SystemRole, TenantName, TenantRole, Timestamp, UserName};

use super::{Records, RecordsError};

/// A user's record.
#[derive(Clone, Debug)]
pub struct User {
    /// The name.
    pub username: UserName,
    /// The Argon2id hash (PHC text form); none where no password works, as for a user that a restore brought.
    pub password_hash: Option<String>,
    /// The role everywhere.
    pub role: SystemRole,
    /// Whether the user may log in.
    pub active: bool,
    /// When the record was made.
    pub created_at: Timestamp,
    /// The first login, if any.
    pub first_login_at: Option<Timestamp>,
    /// The last login, if any.
    pub last_login_at: Option<Timestamp>,
}

/// A user's role in a tenant.
#[derive(Clone, Debug)]
pub struct Membership {
    /// The user.
    pub username: UserName,
    /// The tenant's name; the tenant itself is state of the manager and may be absent.
    pub tenant_name: TenantName,
    /// The role.
    pub role: TenantRole,
    /// Whether it counts; one that outlived its tenant waits for a confirmation.
    pub confirmed: bool,
}

const USER: &str = "username, password_hash, role, active, created_at, first_login_at, last_login_at";

impl Records {
    /// The user of this name, or none.
    ///
    /// # Errors
    /// The database's own.
    pub fn user(connection: &Connection, username: &str) -> Result<Option<User>, RecordsError> {
        connection
            .prepare_cached(&format!("SELECT {USER} FROM users WHERE username = ?"))?
            .query_row([username], |row| Ok(user_from_row(row)))
            .optional()?
            .transpose()
    }

    /// All users, by name.
    ///
    /// # Errors
    /// The database's own.
    pub fn users(connection: &Connection) -> Result<Vec<User>, RecordsError> {
        connection
            .prepare_cached(&format!("SELECT {USER} FROM users ORDER BY username"))?
            .query_map([], |row| Ok(user_from_row(row)))?
            .map(|user| user.map_err(RecordsError::from).and_then(|user| user))
            .collect()
    }

    /// Writes a new user; answers false where the name is taken.
    ///
    /// # Errors
    /// The database's own.
    pub fn insert_user(connection: &Connection, user: &User) -> Result<bool, RecordsError> {
        let inserted = connection.execute(
            "INSERT INTO users (username, password_hash, role, active, created_at) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT (username) DO NOTHING",
            params![
                user.username.as_str(),
                user.password_hash,
                user.role.as_str(),
                user.active,
                user.created_at.to_string()
            ],
        )?;
        Ok(inserted == 1)
    }

    /// Changes what is given of a user; answers false where there is none of this name.
    ///
    /// # Errors
    /// The database's own.
    pub fn update_user(
        connection: &Connection,
        username: &str,
        password_hash: Option<&str>,
        role: Option<SystemRole>,
        active: Option<bool>,
    ) -> Result<bool, RecordsError> {
        let updated = connection.execute(
            "UPDATE users SET password_hash = coalesce(?2, password_hash), role = coalesce(?3, role),
             active = coalesce(?4, active) WHERE username = ?1",
            params![username, password_hash, role.map(SystemRole::as_str), active],
        )?;
        Ok(updated == 1)
    }

    /// Removes a user, the memberships and the tokens; answers false where there is none of this name.
    ///
    /// # Errors
    /// The database's own.
    pub fn delete_user(connection: &Connection, username: &str) -> Result<bool, RecordsError> {
        Ok(connection.execute("DELETE FROM users WHERE username = ?", [username])? == 1)
    }

    /// Keeps that a user logged in now.
    ///
    /// # Errors
    /// The database's own.
    pub fn touch_login(connection: &Connection, username: &str) -> Result<(), RecordsError> {
        let now = Timestamp::now().to_string();
        connection.execute(
            "UPDATE users SET last_login_at = ?2, first_login_at = coalesce(first_login_at, ?2) WHERE username = ?1",
            (username, now),
        )?;
        Ok(())
    }

    /// All memberships, or those of one user.
    ///
    /// # Errors
    /// The database's own.
    pub fn memberships(
        connection: &Connection,
        username: Option<&str>,
    ) -> Result<Vec<Membership>, RecordsError> {
        connection
            .prepare_cached(
                "SELECT username, tenant_name, role, confirmed FROM memberships
                 WHERE ?1 IS NULL OR username = ?1 ORDER BY username, tenant_name",
            )?
            .query_map([username], |row| {
                Ok((
                    row.get::<_, String>(0)?,
                    row.get::<_, String>(1)?,
                    row.get::<_, String>(2)?,
                    row.get(3)?,
                ))
            })?
            .map(|row| {
                let (username, tenant_name, role, confirmed) = row?;
                Ok(Membership {
                    username: UserName::trusted(username),
                    tenant_name: TenantName::trusted(tenant_name),
                    role: TenantRole::parse(&role)
                        .ok_or(RecordsError::Unknown { what: "a role in a tenant", value: role })?,
                    confirmed,
                })
            })
            .collect()
    }

    /// Gives a user a role in a tenant, or another one; it counts from now on where `confirmed`.
    ///
    /// # Errors
    /// The database's own; an absent user is a foreign key's refusal.
    pub fn set_membership(connection: &Connection, membership: &Membership) -> Result<(), RecordsError> {
        connection.execute(
            "INSERT INTO memberships (username, tenant_name, role, confirmed) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (username, tenant_name) DO UPDATE SET role = ?3, confirmed = ?4",
            params![
                membership.username.as_str(),
                membership.tenant_name.as_str(),
                membership.role.as_str(),
                membership.confirmed
            ],
        )?;
        Ok(())
    }

    /// Takes a user out of a tenant; answers false where there was no membership.
    ///
    /// # Errors
    /// The database's own.
    pub fn delete_membership(
        connection: &Connection,
        username: &str,
        tenant: &str,
    ) -> Result<bool, RecordsError> {
        let deleted = connection
            .execute("DELETE FROM memberships WHERE username = ? AND tenant_name = ?", (username, tenant))?;
        Ok(deleted == 1)
    }
}

fn user_from_row(row: &Row<'_>) -> Result<User, RecordsError> {
    let role: String = row.get(2)?;
    let created_at: String = row.get(4)?;
    let moment = |index: usize| -> Result<Option<Timestamp>, RecordsError> {
        Ok(row.get::<_, Option<String>>(index)?.as_deref().and_then(Timestamp::parse))
    };
    Ok(User {
        username: UserName::trusted(row.get::<_, String>(0)?),
        password_hash: row.get(1)?,
        role: SystemRole::parse(&role).ok_or(RecordsError::Unknown { what: "a system role", value: role })?,
        active: row.get(3)?,
        created_at: Timestamp::parse(&created_at)
            .ok_or(RecordsError::Unknown { what: "a time", value: created_at })?,
        first_login_at: moment(5)?,
        last_login_at: moment(6)?,
    })
}

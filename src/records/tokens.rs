//! Tokens: what a program uses in place of a password. Only the hash of the secret part is kept.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::model::{Timestamp, UserName};

use super::{Records, RecordsError};

/// A token's record, without its secret.
#[derive(Clone, Debug)]
pub struct TokenRecord {
    /// The public part.
    pub id: String,
    /// Whose it is.
    pub username: UserName,
    /// The SHA-256 of the secret part, in hex: the secret is random, so no slow hash is needed.
    pub secret_sha256: String,
    /// What it is for, as its owner says.
    pub description: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when it no longer works, if ever.
    pub expiration_date: Option<Timestamp>,
    /// When it was last used.
    pub last_used: Option<Timestamp>,
}

/// A token to be written.
pub type NewToken = TokenRecord;

const TOKEN: &str = "id, username, secret_sha256, description, created_at, expiration_date, last_used";

impl Records {
    /// Writes a token.
    ///
    /// # Errors
    /// The database's own.
    pub fn insert_token(connection: &Connection, token: &NewToken) -> Result<(), RecordsError> {
        connection.execute(
            "INSERT INTO tokens (id, username, secret_sha256, description, created_at, expiration_date)
             VALUES (?, ?, ?, ?, ?, ?)",
            params![
                token.id,
                token.username.as_str(),
                token.secret_sha256,
                token.description,
                token.created_at.to_string(),
                token.expiration_date.map(|moment| moment.to_string()),
            ],
        )?;
        Ok(())
    }

    /// The token with this public part, or none.
    ///
    /// # Errors
    /// The database's own.
    pub fn token(connection: &Connection, id: &str) -> Result<Option<TokenRecord>, RecordsError> {
        connection
            .prepare_cached(&format!("SELECT {TOKEN} FROM tokens WHERE id = ?"))?
            .query_row([id], |row| Ok(token_from_row(row)))
            .optional()?
            .transpose()
    }

    /// The tokens of one user, or of all, oldest first.
    ///
    /// # Errors
    /// The database's own.
    pub fn tokens(connection: &Connection, username: Option<&str>) -> Result<Vec<TokenRecord>, RecordsError> {
        connection
            .prepare_cached(&format!(
                "SELECT {TOKEN} FROM tokens WHERE ?1 IS NULL OR username = ?1 ORDER BY created_at, id"
            ))?
            .query_map([username], |row| Ok(token_from_row(row)))?
            .map(|token| token.map_err(RecordsError::from).and_then(|token| token))
            .collect()
    }

    /// Removes a token; answers false where there is none.
    ///
    /// # Errors
    /// The database's own.
    pub fn delete_token(connection: &Connection, id: &str) -> Result<bool, RecordsError> {
        Ok(connection.execute("DELETE FROM tokens WHERE id = ?", [id])? == 1)
    }

    /// Keeps that a token was used now.
    ///
    /// # Errors
    /// The database's own.
    pub fn touch_token(connection: &Connection, id: &str) -> Result<(), RecordsError> {
        connection
            .execute("UPDATE tokens SET last_used = ? WHERE id = ?", (Timestamp::now().to_string(), id))?;
        Ok(())
    }
}

fn token_from_row(row: &Row<'_>) -> Result<TokenRecord, RecordsError> {
    let created_at: String = row.get(4)?;
    let moment = |index: usize| -> Result<Option<Timestamp>, RecordsError> {
        Ok(row.get::<_, Option<String>>(index)?.as_deref().and_then(Timestamp::parse))
    };
    Ok(TokenRecord {
        id: row.get(0)?,
        username: UserName::trusted(row.get::<_, String>(1)?),
        secret_sha256: row.get(2)?,
        description: row.get(3)?,
        created_at: Timestamp::parse(&created_at)
            .ok_or(RecordsError::Unknown { what: "a time", value: created_at })?,
        expiration_date: moment(5)?,
        last_used: moment(6)?,
    })
}

//! The restore journal: what stands at each live name before and after a restore, and how far it is.
//!
//! One row per restore or rollback. It holds identities, never flags of done steps: start-up compares what stands
//! at each live name and knows what is left to do.

use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use crate::model::{ExecutionId, Timestamp};

use super::{Records, RecordsError};

/// How far a restore is. `Unswapping` is written before the first step back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JournalPhase {
    /// Restored copies are being built; the live state is untouched.
    Staging,
    /// They are built, checked and durable.
    Staged,
    /// Live names are being exchanged.
    Swapping,
    /// All live names are exchanged.
    Swapped,
    /// Live names are being exchanged back.
    Unswapping,
    /// All is done; the former state is kept.
    Finished,
    /// The live state is the former one; nothing of the restore is left.
    Undone,
}

impl JournalPhase {
    const ALL: [Self; 7] = [
        Self::Staging,
        Self::Staged,
        Self::Swapping,
        Self::Swapped,
        Self::Unswapping,
        Self::Finished,
        Self::Undone,
    ];

    /// The name in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Staging => "staging",
            Self::Staged => "staged",
            Self::Swapping => "swapping",
            Self::Swapped => "swapped",
            Self::Unswapping => "unswapping",
            Self::Finished => "finished",
            Self::Undone => "undone",
        }
    }
}

/// Which way sources are exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// The restored copy to the live name.
    Forward,
    /// The former state back to it.
    Back,
}

/// What stands, or is to stand, at a source's live name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Identity {
    /// A generation of the embedded manager, by its number.
    Generation(u64),
}

/// One source of a restore.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceEntry {
    /// The source's name.
    pub name: String,
    /// What stood at its live name when the restore began.
    pub before: Identity,
    /// What is to stand there.
    pub after: Identity,
}

/// One row of the journal.
#[derive(Clone, Debug)]
pub struct Journal {
    /// The execution that restores or rolls back.
    pub execution_id: ExecutionId,
    /// How far it is.
    pub phase: JournalPhase,
    /// The sources in the order in which they are exchanged.
    pub sources: Vec<SourceEntry>,
}

impl Records {
    /// Writes the journal's row of an execution, or changes it; durable when the transaction is.
    ///
    /// # Errors
    /// The database's own.
    pub fn set_journal(connection: &Connection, journal: &Journal) -> Result<(), RecordsError> {
        let sources = serde_json::to_string(&journal.sources)
            .map_err(|error| RecordsError::Unknown { what: "a journal", value: error.to_string() })?;
        let now = Timestamp::now().to_string();
        connection.execute(
            "INSERT INTO restores (execution_id, phase, sources, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?4)
             ON CONFLICT (execution_id) DO UPDATE SET phase = ?2, sources = ?3, updated_at = ?4",
            params![journal.execution_id.to_string(), journal.phase.as_str(), sources, now],
        )?;
        Ok(())
    }

    /// The restore that was begun last, finished or not.
    ///
    /// # Errors
    /// The database's own.
    pub fn last_journal(connection: &Connection) -> Result<Option<Journal>, RecordsError> {
        connection
            .query_row(
                "SELECT execution_id, phase, sources FROM restores ORDER BY number DESC LIMIT 1",
                [],
                |row| Ok(journal_from_row(row)),
            )
            .optional()?
            .transpose()
    }

    /// The restore or rollback that was finished last: what a rollback undoes.
    ///
    /// # Errors
    /// The database's own.
    pub fn last_finished_journal(connection: &Connection) -> Result<Option<Journal>, RecordsError> {
        connection
            .query_row(
                "SELECT execution_id, phase, sources FROM restores WHERE phase = 'finished' ORDER BY number DESC LIMIT 1",
                [],
                |row| Ok(journal_from_row(row)),
            )
            .optional()?
            .transpose()
    }
}

fn journal_from_row(row: &Row<'_>) -> Result<Journal, RecordsError> {
    let execution: String = row.get(0)?;
    let phase: String = row.get(1)?;
    let sources: String = row.get(2)?;
    let unknown = |what: &'static str, value: &str| RecordsError::Unknown { what, value: value.to_owned() };
    Ok(Journal {
        execution_id: execution.parse().map_err(|_| unknown("an execution's id", &execution))?,
        phase: JournalPhase::ALL
            .into_iter()
            .find(|candidate| candidate.as_str() == phase)
            .ok_or_else(|| unknown("a journal's phase", &phase))?,
        sources: serde_json::from_str(&sources).map_err(|_| unknown("a journal's sources", &sources))?,
    })
}

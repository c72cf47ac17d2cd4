//! Messages of the broker that could not be used: counted and kept, so that an administrator can see what was lost.

use serde_json::{Map, Value};

use crate::records::{DeadLetter, DeadLetterPage, Records};

use super::{FlowError, Flows};

/// How much of a message's body is kept, in bytes.
pub(super) const KEPT_BODY_BYTES: usize = 8 << 10;

/// Why a message could not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadLetterReason {
    /// Its body is no JSON value.
    NotJson,
    /// It says no flow or no step.
    NoHeaders,
    /// There is no such flow.
    UnknownFlow,
    /// The flow's graph has no such step.
    UnknownStep,
    /// The value, or what a merge would give, is longer than the setting allows.
    TooLarge,
    /// A merge takes an object.
    NotAnObject,
    /// Its `snapshotEvent` is neither `snapshot` nor `updateSnapshot`.
    UnknownEvent,
}

impl DeadLetterReason {
    /// The name on the wire and in tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotJson => "not_json",
            Self::NoHeaders => "no_headers",
            Self::UnknownFlow => "unknown_flow",
            Self::UnknownStep => "unknown_step",
            Self::TooLarge => "too_large",
            Self::NotAnObject => "not_an_object",
            Self::UnknownEvent => "unknown_event",
        }
    }

    /// The reason that a refusal of an emit is; none where it is no fault of the message.
    pub(super) fn of(refusal: &FlowError) -> Option<Self> {
        match refusal {
            FlowError::NotFound { .. } => Some(Self::UnknownFlow),
            FlowError::StepNotInFlow { .. } => Some(Self::UnknownStep),
            FlowError::SnapshotTooLarge { .. } => Some(Self::TooLarge),
            FlowError::NotAnObject => Some(Self::NotAnObject),
            FlowError::Invalid { .. } => Some(Self::NotJson),
            FlowError::Forbidden { .. }
            | FlowError::Running(_)
            | FlowError::SnapshotExists { .. }
            | FlowError::SnapshotNotFound { .. }
            | FlowError::BodyTooLong { .. }
            | FlowError::Mismatch { .. }
            | FlowError::ChangedSince { .. }
            | FlowError::NothingToUndo(_)
            | FlowError::Conflict(_)
            | FlowError::Execution(_)
            | FlowError::Manager(_)
            | FlowError::Records(_)
            | FlowError::Stopping => None,
        }
    }
}

impl Flows {
    /// The messages that could not be used, the newest first, and how many of each reason there were at all.
    ///
    /// # Errors
    /// The records' own.
    pub async fn dead_letters(&self, offset: u64, size: u64) -> Result<DeadLetterPage, FlowError> {
        Ok(self.inner.records.read(move |connection| Records::dead_letters(connection, offset, size)).await?)
    }

    /// Forgets the messages that could not be used; the counts stay. Answers how many there were.
    ///
    /// # Errors
    /// The records' own.
    pub async fn clear_dead_letters(&self) -> Result<u64, FlowError> {
        Ok(self.inner.records.write(|tx| Records::clear_dead_letters(tx)).await?)
    }

    pub(super) async fn keep_dead_letters(&self, letters: Vec<DeadLetter>) -> Result<(), FlowError> {
        let most = self.settings().dead_letters;
        Ok(self.inner.records.write(move |tx| Records::insert_dead_letters(tx, &letters, most)).await?)
    }
}

/// A page of dead letters in the service's own form.
impl From<DeadLetterPage> for Value {
    fn from(page: DeadLetterPage) -> Self {
        let counts: Map<String, Self> =
            page.counts.into_iter().map(|(reason, count)| (reason, Self::from(count))).collect();
        serde_json::json!({
            "items": page.items,
            "metadata": { "pagination": { "total": page.total, "size": page.size, "offset": page.offset } },
            "counts": counts,
        })
    }
}

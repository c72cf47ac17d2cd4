//! What comes of the rules by which a selective restore is refused: they end a restore, and are told in a plan.

use std::cell::RefCell;

use serde::Serialize;

use super::super::super::SourceError;

/// A rule because of which a selective restore would be refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BrokenRule {
    /// The rule.
    pub rule: &'static str,
    /// What the restore would fail with.
    pub message: String,
}

/// What a part of an archive is brought into a copy of the live state for.
#[derive(Debug)]
pub(super) enum Purpose {
    /// The copy becomes live: a broken rule ends the work.
    Restore,
    /// It is told what the copy became: the work goes on as if each broken rule were kept, and no file is brought.
    Plan(RefCell<Vec<BrokenRule>>),
}

impl Purpose {
    /// A plan in which no rule is broken yet.
    pub fn plan() -> Self {
        Self::Plan(RefCell::default())
    }

    /// Whether the files of what comes are brought to the manager's.
    pub fn brings_files(&self) -> bool {
        matches!(self, Self::Restore)
    }

    /// Says that a rule is broken.
    ///
    /// # Errors
    /// The message, where a restore ends by it.
    pub fn refuse(&self, rule: &'static str, message: String) -> Result<(), SourceError> {
        match self {
            Self::Restore => Err(SourceError::Refused(message)),
            Self::Plan(broken) => {
                broken.borrow_mut().push(BrokenRule { rule, message });
                Ok(())
            }
        }
    }

    /// The rules that were broken so far.
    pub fn broken(&self) -> Vec<BrokenRule> {
        match self {
            Self::Restore => Vec::new(),
            Self::Plan(broken) => broken.borrow().clone(),
        }
    }
}

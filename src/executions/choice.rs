//! Which events a caller means, beside what a list takes anyway.

use crate::database::{Scope, text};
use crate::model::Timestamp;

/// What chooses among events.
#[derive(Clone, Debug, Default)]
pub struct EventChoice {
    /// The first moment that is meant.
    pub from: Option<Timestamp>,
    /// The last moment that is meant.
    pub to: Option<Timestamp>,
    /// What the text is like; `%` stands for anything.
    pub message: Option<String>,
    /// The execution group to which they, or their executions, belong.
    pub group: Option<String>,
}

impl EventChoice {
    /// Adds to a scope that an event is one of those.
    #[must_use]
    pub fn restrict(self, mut scope: Scope) -> Scope {
        if let Some(from) = self.from {
            scope = scope.and("reported_timestamp >= ?", [text(from.to_string())]);
        }
        if let Some(to) = self.to {
            scope = scope.and("reported_timestamp <= ?", [text(to.to_string())]);
        }
        if let Some(group) = self.group {
            scope = scope.and(
                "execution_group_id = ? OR execution_id IN (SELECT e.id FROM executions e WHERE e.execution_group_id = ?)",
                [text(&*group), text(&*group)],
            );
        }
        if let Some(message) = self.message {
            // Cloudify's wildcard is SQL's.
            scope = scope.and("message LIKE ?", [text(message)]);
        }
        scope
    }
}

//! What a state holds, as a list of its entities, and what differs between two states.
//!
//! An archive is taken in first, then what it is compared with: the live state, or another archive. Or the live state
//! comes first, then what a part of an archive makes of it. Memory stays constant, as the list is a temporary database. Each entity has a name and a digest; the digests are made with a key
//! that is forgotten, so that what is left on a disk tells no secret. What names an entity is read from the tables, so
//! that a kind which a snapshot carries is in every comparison.

mod fields;
mod identity;
mod points;
mod sink;
mod table;
#[cfg(test)]
mod tests;

use crate::sources::{EntrySource, SourceError};

use super::charts::has_metrics;

pub use fields::FieldChange;
pub use sink::{IndexSink, Reading, replay};
pub use table::{Change, EntityChange, Index, ItemPlace, KindSummary, Side, Way};

impl Index {
    /// What differs in one entity, value by value: none where neither state has it, an empty list where it is the same.
    /// Sealed values are told as different and never shown. `archive` is the one that was taken in first.
    ///
    /// # Errors
    /// An archive that is not that one; the database's own.
    pub fn fields(
        &self,
        archive: &dyn EntrySource,
        is_settled: bool,
        (kind, tenant, id): (&str, &str, &str),
    ) -> Result<Option<Vec<FieldChange>>, SourceError> {
        let archived = match self.place(kind, tenant, id)? {
            Some(place) => Some(sink::read_item(archive, kind, &place, is_settled)?),
            None => None,
        };
        self.changes_of((kind, tenant, id), archived)
    }
}

/// Whether an archive with these entries carries measurements.
pub fn carries_metrics(names: &[&str]) -> bool {
    has_metrics(names)
}

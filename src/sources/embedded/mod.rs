//! The embedded manager as a source: cut at one moment, staged as a generation, swapped by a link.

mod charts;
mod collect;
mod entities;
mod files;
mod flows;
mod index;
mod judge;
mod lost;
mod nested;
mod passage;
mod rows;
mod sealed;
mod selected;
mod stage;
mod tables;

use std::collections::BTreeMap;

use rusqlite::Connection;
use serde::{Deserialize, Serialize};

use crate::charts::store::StoreCut;
use crate::database::Database;
use crate::executions::Job;
use crate::manager::{Generation, Manager, ManagerError, Pin, keep_fired, named_blobs, tenant_names};
use crate::model::Timestamp;
use crate::records::{Direction, Identity};

pub use entities::kinds;
pub use flows::read_flow;
pub use index::{
    Change, EntityChange, FieldChange, Index, IndexSink, KindSummary, Reading, Side, Way, carries_metrics,
    replay,
};

pub use judge::judge;
pub use lost::{Lack, Lost, LostMaterial, blueprints_without_archive};
pub use passage::WalLimit;
pub use selected::{BrokenRule, PlannedSelection, Selected, Wish};
pub use stage::require_known_tables;

use super::{CollectOptions, Collected, EntrySink, EntrySource, SourceError};

/// The name of this source in archives, reports and the journal.
pub const NAME: &str = "embedded";
/// What our manager says of itself in an archive.
const ABOUT: &str = "lifeboat/manager.json";
/// An envelope is closed at this many items (Cloudify's own limit) …
const ENVELOPE_ITEMS: usize = 500;
/// … or at about this many bytes.
const ENVELOPE_BYTES: usize = 4 << 20;

#[derive(Serialize, Deserialize)]
struct About {
    /// The version of the tables that the state was taken from.
    schema_version: u32,
    /// The moment of the cut.
    cut_at: Timestamp,
}

/// What was counted in a state, by kind.
pub type Counts = BTreeMap<String, u64>;

/// The embedded manager, seen as a source.
#[derive(Clone)]
pub struct Embedded {
    manager: Manager,
    wal_limit: WalLimit,
}

/// One moment of the embedded manager, held while writers go on.
pub struct Cut {
    moment: Moment,
    /// What the logs belong to that grow while the moment is held.
    databases: Vec<Database>,
    /// The files of that moment, kept from being removed.
    _pins: Vec<Pin>,
    wal_limit: WalLimit,
}

/// The read transactions in which a moment can be seen.
struct Moment {
    connection: Connection,
    /// The measurements of the same moment.
    metrics: StoreCut,
    at: Timestamp,
    manager: Manager,
}

/// A restored generation that waits beside the live one.
pub struct StagedGeneration {
    manager: Manager,
    /// The live generation when the staging began.
    pub before: u64,
    /// The restored one.
    pub after: u64,
    /// What it holds, by kind.
    pub counts: Counts,
    /// What could not be brought back as it was, and why.
    pub notes: Vec<String>,
    /// The same of flows.
    pub flow_notes: Vec<String>,
    /// Whether its measurements came out of the archive, else they are the live ones.
    pub has_metrics: bool,
    /// The files that it names, kept until it is live or gone.
    _pins: Vec<Pin>,
}

impl Embedded {
    /// The source of this manager. Where its state is read, the databases' logs grow to about `wal_limit` at the most.
    pub fn new(manager: Manager, wal_limit: WalLimit) -> Self {
        Self { manager, wal_limit }
    }

    /// Takes the cut: between two commits of the writer.
    ///
    /// # Errors
    /// The database's own.
    pub fn cut(&self) -> Result<Cut, SourceError> {
        self.cut_of(&self.manager.current())
    }

    /// The cut of any generation.
    fn cut_of(&self, generation: &Generation) -> Result<Cut, SourceError> {
        let blobs = self.manager.blobs().clone();
        let measured = generation.metrics.clone();
        let (connection, (metrics, pins)) = generation.database.cut_blocking(move |connection| {
            // The writer of the state waits meanwhile, that of the measurements stands between two commits: one moment.
            let metrics = measured.cut_blocking()?;
            let named = named_blobs(connection).map_err(state)?;
            let pins = named.into_iter().map(|blob| blobs.pin(blob)).collect();
            Ok::<(StoreCut, Vec<Pin>), SourceError>((metrics, pins))
        })?;
        let databases = vec![generation.database.clone(), generation.metrics.database().clone()];
        let moment = Moment { connection, metrics, at: Timestamp::now(), manager: self.manager.clone() };
        Ok(Cut { moment, databases, _pins: pins, wal_limit: self.wal_limit })
    }

    /// Builds the restored state as a generation beside the live one, checked, and durable. The live state is not
    /// touched. A generation that is left over from a crash is removed at the next start.
    ///
    /// # Errors
    /// An archive that is not what a create wrote, or that this version can't read; a cancel; the disk's own. What
    /// was staged is gone then.
    pub fn stage(&self, job: &Job, entries: &dyn EntrySource) -> Result<StagedGeneration, SourceError> {
        let before = self.manager.current().number;
        let live = self.manager.current();
        // Measurements that the archive has not stay as they are.
        let has_metrics = charts::has_metrics(&entries.names());
        let generation = match has_metrics {
            true => self.manager.generations().create(),
            false => self.manager.generations().create_beside(&live),
        };
        let generation = generation.map_err(state)?;
        let number = generation.number;
        let filled = stage::fill(&self.manager, &generation, job, entries, stage::Parts::ALL)
            .and_then(|filled| go_on(&live, &generation).map(|()| filled));
        generation.close_blocking();
        match filled {
            Ok(filled) => Ok(StagedGeneration {
                manager: self.manager.clone(),
                before,
                after: number,
                counts: filled.counts,
                notes: filled.notes,
                flow_notes: filled.flow_notes,
                has_metrics,
                _pins: filled.pins,
            }),
            Err(error) => {
                if let Err(error) = self.manager.generations().remove(number) {
                    tracing::warn!(error = %error, "a half staged generation could not be removed; the next start does it");
                }
                Err(error)
            }
        }
    }
}

impl Cut {
    /// The moment that was cut.
    pub fn at(&self) -> Timestamp {
        self.moment.at
    }

    /// About how many bytes the archive of this cut may have at the most: the database, the files, and the measurements
    /// since `metrics_from` (seconds since 1970) where they are taken.
    ///
    /// # Errors
    /// The database's own.
    pub fn estimate_bytes(&self, metrics_from: Option<i64>) -> Result<u64, SourceError> {
        let Moment { connection, metrics, .. } = &self.moment;
        let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0))?;
        let page: i64 = connection.query_row("PRAGMA page_size", [], |row| row.get(0))?;
        let files: i64 = connection.query_row(
            "SELECT (SELECT coalesce(sum(archive_size_bytes), 0) FROM blueprints)
                  + (SELECT coalesce(sum(archive_size_bytes), 0) FROM plugins)",
            [],
            |row| row.get(0),
        )?;
        let mut bytes = u64::try_from(pages * page + files).unwrap_or(0);
        if let Some(from) = metrics_from {
            for tenant in tenant_names(connection).map_err(state)? {
                bytes += metrics.estimate_bytes(&tenant, from)?;
            }
        }
        Ok(bytes)
    }

    /// Streams the state of that moment into `sink`. The moment is let go as soon as it was read, which is before
    /// all is written, and early where the databases' logs would grow too long.
    ///
    /// # Errors
    /// A cancel, a file that is gone, no space for what has to be read early, the sink's own.
    pub fn collect(
        self,
        job: &Job,
        options: CollectOptions,
        sink: &mut dyn EntrySink,
    ) -> Result<Collected, SourceError> {
        collect::collect(self, job, options, sink)
    }
}

impl StagedGeneration {
    /// What stands at the live name before and after.
    pub fn identities(&self) -> (Identity, Identity) {
        (Identity::Generation(self.before), Identity::Generation(self.after))
    }

    /// The names of its tenants.
    ///
    /// # Errors
    /// The database's own.
    pub fn tenants(&self) -> Result<Vec<String>, SourceError> {
        let generation = self.manager.generations().load(self.after).map_err(state)?;
        let names = generation.database.read_blocking(tenant_names).map_err(state);
        generation.close_blocking();
        Ok(names?.iter().map(ToString::to_string).collect())
    }

    /// Removes the restored generation: the restore does not happen.
    ///
    /// # Errors
    /// The file system's own.
    pub fn discard(self) -> Result<(), SourceError> {
        self.manager.generations().remove(self.after).map_err(state)
    }
}

/// Lets a kept generation go on where the live one is, before it becomes live: no number of a space, chart or annotation
/// is given out twice, and no occurrence of a schedule starts its execution twice.
///
/// # Errors
/// The databases' own.
pub fn keep_going(manager: &Manager, kept: u64) -> Result<(), SourceError> {
    let kept = manager.generations().load(kept).map_err(state)?;
    let gone_on = go_on(&manager.current(), &kept);
    kept.close_blocking();
    gone_on
}

fn go_on(live: &Generation, other: &Generation) -> Result<(), SourceError> {
    charts::keep_numbers(live, other)?;
    keep_fired(live, other).map_err(state)
}

/// Puts the one or the other state at the live name; does nothing where it stands already.
///
/// # Errors
/// [`SourceError::Refused`] where neither of the two stands there: somebody else changed it. The file system's own.
pub fn swap(
    manager: &Manager,
    before: &Identity,
    after: &Identity,
    direction: Direction,
) -> Result<(), SourceError> {
    let (Identity::Generation(before), Identity::Generation(after)) = (before, after);
    let (from, to) = match direction {
        Direction::Forward => (*before, *after),
        Direction::Back => (*after, *before),
    };
    let live = manager.generations().current().map_err(state)?;
    if live == Some(to) && manager.current().number == to {
        return Ok(());
    }
    if live != Some(from) && live != Some(to) {
        return Err(SourceError::Refused(format!(
            "generation {} stands at the live name, where {from} or {to} was expected: somebody else changed it; put one of the two back and start again",
            live.map_or_else(|| "none".to_owned(), |number| number.to_string())
        )));
    }
    manager.switch_to(to).map_err(|error: ManagerError| SourceError::State(Box::new(error)))
}

fn state(error: impl std::error::Error + Send + Sync + 'static) -> SourceError {
    SourceError::State(Box::new(error))
}

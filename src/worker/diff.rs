//! Comparing states: two archives, an archive and the live state.
//!
//! Both sides are read as far as both carry it; what one of them leaves out is named and not shown as a difference.

use serde_json::{Map, Value, json};

use crate::archive::{Archive, ArchiveOptions, Format, Identity};
use crate::executions::table::Progress;
use crate::executions::{Job, JobError, JobResult};
use crate::failpoints;
use crate::model::{SnapshotId, Timestamp};
use crate::records::{Records, RecordsError};
use crate::sources::embedded::{
    Change, EntityChange, FieldChange, Index, IndexSink, Reading, Side, Way, carries_metrics, replay,
};
use crate::sources::{CollectOptions, EntrySource, SourceError, accounts};

use super::SnapshotWorker;
use super::carrier::ArchiveSource;
use super::comparisons::{Comparison, Subject};

/// How many entities of each kind and change a report names.
const NAMED: u64 = 20;
/// The kinds that stand for measurements.
const METRIC_KINDS: [&str; 3] = ["metrics", "series", "annotations"];

/// What one of two archives does not carry, or keeps shut.
#[derive(Default)]
struct Uncompared {
    reading: Reading,
    told: Vec<Value>,
}

impl Uncompared {
    fn skip(&mut self, kinds: &[&'static str], reason: &str) {
        self.reading.skipped.extend(kinds);
        self.told.push(json!({ "kinds": kinds, "reason": reason }));
    }

    /// Says what two states can't be compared in.
    fn of(archives: &[&Archive], identities: &[Identity]) -> Self {
        let mut found = Self::default();
        let all = |wanted: fn(&ArchiveOptions) -> bool| {
            archives.iter().filter_map(|archive| options(archive)).all(|options| wanted(&options))
        };
        if !archives.iter().all(|archive| carries_metrics(&names(archive))) {
            found.skip(&METRIC_KINDS, "an archive holds no measurements");
        }
        if !all(|options| options.include_flow_history) {
            found.skip(&["step_history"], "an archive holds no history of flows");
        }
        let events: Vec<(bool, bool)> = archives
            .iter()
            .filter_map(|archive| options(archive))
            .map(|options| (options.include_events, options.include_logs))
            .collect();
        if events.windows(2).any(|pair| pair[0] != pair[1]) || events.contains(&(false, false)) {
            found.skip(&["events"], "an archive holds no events or no logs");
        }
        if !archives.iter().all(|archive| opens(archive, identities)) {
            found.skip(&["secrets"], "no key is here that opens the sealed parts of an archive");
        }
        let has_keys = all(|options| options.include_credentials)
            && archives.iter().all(|archive| opens(archive, identities));
        if !has_keys {
            found.reading.without_keys = true;
            found.skip(
                &["agent_credentials"],
                "an archive holds no credentials: private keys among properties are not compared either",
            );
        }
        found
    }
}

fn options(archive: &Archive) -> Option<ArchiveOptions> {
    archive.metadata().lifeboat.as_ref().map(|ours| ours.options)
}

fn names(archive: &Archive) -> Vec<&str> {
    archive.entries().iter().map(|entry| entry.path).collect()
}

/// Whether the sealed parts of an archive can be opened: one without any can.
pub(super) fn opens(archive: &Archive, identities: &[Identity]) -> bool {
    let has_sealed = archive.entries().iter().any(|entry| entry.path.starts_with("credentials/"));
    let sealed_for = archive.metadata().lifeboat.as_ref().map(|ours| ours.sealed_for.as_slice());
    !has_sealed
        || identities.iter().any(|identity| sealed_for.unwrap_or_default().contains(&identity.fingerprint()))
}

fn require_own_format(archive: &Archive, name: &str) -> Result<(), JobError> {
    match archive.format() {
        Format::Lifeboat1 => Ok(()),
        Format::Foreign { snapshot_version } => Err(JobError::Failed(format!(
            "`{name}` is an archive of Cloudify {snapshot_version}, not of Lifeboat: it can't be compared"
        ))),
    }
}

/// Takes an archive in as one side of a comparison.
pub(super) fn take_in(
    index: &mut Index,
    side: Side,
    reading: &Reading,
    source: &dyn EntrySource,
    check: &mut dyn FnMut() -> Result<(), SourceError>,
) -> Result<(), SourceError> {
    let mut sink = IndexSink::new(index, side, reading.clone());
    replay(source, &mut sink, check)?;
    sink.finish()
}

/// Compares two archives; answers the comparison and what is told of it.
///
/// # Errors
/// An archive of another manager, or one that is damaged; what `check` says.
pub(super) fn compare_archives(
    mut index: Index,
    (first, first_name): (&Archive, &str),
    (second, second_name): (&Archive, &str),
    identities: &[Identity],
    check: &mut dyn FnMut() -> Result<(), SourceError>,
) -> Result<(Index, Value), JobError> {
    require_own_format(first, first_name)?;
    require_own_format(second, second_name)?;
    let Uncompared { reading, told } = Uncompared::of(&[first, second], identities);
    for (side, archive) in [(Side::First, first), (Side::Second, second)] {
        take_in(&mut index, side, &reading, &ArchiveSource::new(archive, identities), check)?;
    }
    let mut report = summary(&index)?;
    report.insert("not_compared".to_owned(), Value::Array(told));
    Ok((index, Value::Object(report)))
}

/// What is told of a comparison: totals, and by kind counts and the first names.
pub(super) fn summary(index: &Index) -> Result<Map<String, Value>, SourceError> {
    let mut kinds = Map::new();
    let mut totals = [0; 3];
    for (kind, found) in index.summary() {
        let mut described =
            serde_json::to_value(found).map_err(|error| SourceError::State(Box::new(error)))?;
        let mut first = Map::new();
        for (change, total) in Change::ALL.into_iter().zip(&mut totals) {
            let (named, count) = index.page(Some(kind), Some(change), 0, NAMED)?;
            *total += count;
            let named = named.iter().map(|named| json!({ "tenant": named.tenant, "id": named.id }));
            first.insert(change.as_str().to_owned(), named.collect());
        }
        described["first"] = Value::Object(first);
        kinds.insert(kind.clone(), described);
    }
    let mut summary = Map::new();
    let totals = Change::ALL.into_iter().zip(totals);
    let totals: Map<String, Value> =
        totals.map(|(change, total)| (change.as_str().to_owned(), Value::from(total))).collect();
    summary.insert("totals".to_owned(), Value::Object(totals));
    summary.insert("kinds".to_owned(), Value::Object(kinds));
    Ok(summary)
}

/// The moment since which an archive holds measurements, in seconds since 1970.
fn metrics_from(source: &dyn EntrySource) -> Result<Option<i64>, SourceError> {
    if !source.names().contains(&"report.json") {
        return Ok(None);
    }
    let report: Value = serde_json::from_slice(&source.bytes("report.json")?)
        .map_err(|error| SourceError::Entry { entry: "report.json".to_owned(), reason: error.to_string() })?;
    let from = report["sources"]["metrics"].get("from").cloned().unwrap_or_default();
    let from: Option<Timestamp> = serde_json::from_value(from).unwrap_or_default();
    Ok(from.map(|from| from.moment().timestamp()))
}

impl SnapshotWorker {
    /// Compares a snapshot with another one, or with the live state.
    pub(super) fn diff_snapshot(&self, job: &Job) -> JobResult {
        let execution = job.execution();
        let snapshot = self.snapshot_of(execution)?;
        job.progress(Progress { phase: "comparing", ..Progress::default() });
        failpoints::hit("diff:comparing", job)?;
        let archive = self.open_stored(&snapshot)?;
        let index = Index::create(&self.settings.partial, job.boot(), Way::FromFirst)?;
        let with = execution.parameters.get("with").and_then(Value::as_str).map(SnapshotId::trusted);
        let (index, mut report, subject) = match with {
            Some(id) => {
                job.log(format!("Comparing snapshot `{}` with snapshot `{id}`", snapshot.id));
                let (tenant, wanted) = (execution.tenant_name.clone(), id.clone());
                let other = self
                    .records
                    .database()
                    .read_blocking(move |connection| Records::snapshot(connection, &tenant, &wanted))?
                    .ok_or_else(|| {
                        JobError::Failed(format!("Requested `Snapshot` with ID `{id}` was not found"))
                    })?;
                let second = self.open_stored(&other)?;
                let (first, second) = ((&archive, snapshot.id.as_str()), (&second, id.as_str()));
                let mut check = || Ok(job.check()?);
                let keys = self.keys.current();
                let (index, report) = compare_archives(index, first, second, &keys.identities, &mut check)?;
                (index, report, Subject::Snapshot(id))
            }
            None => {
                job.log(format!("Comparing snapshot `{}` with the live state", snapshot.id));
                let (index, report) = self.compare_live(job, index, &archive, snapshot.id.as_str())?;
                (index, report, Subject::Live)
            }
        };
        report["snapshot_id"] = Value::from(snapshot.id.as_str());
        report["with"] = match &subject {
            Subject::Snapshot(id) => Value::from(id.as_str()),
            Subject::Plan | Subject::Live => Value::Null,
        };
        report["execution_id"] = Value::from(execution.id.to_string());
        report["made_at"] = Value::from(Timestamp::now().to_string());
        let of = (snapshot.tenant_name, snapshot.id, snapshot.archive_file);
        self.comparisons.keep(Comparison::new(execution.id, of, subject, report.clone(), index));
        Ok(Some(report))
    }

    fn compare_live(
        &self,
        job: &Job,
        mut index: Index,
        archive: &Archive,
        name: &str,
    ) -> Result<(Index, Value), JobError> {
        require_own_format(archive, name)?;
        let keys = self.keys.current();
        let Uncompared { reading, told } = Uncompared::of(&[archive], &keys.identities);
        let source = ArchiveSource::new(archive, &keys.identities);
        take_in(&mut index, Side::First, &reading, &source, &mut || Ok(job.check()?))?;
        failpoints::hit("diff:read", job)?;
        let options = options(archive).unwrap_or_default();
        let collect = CollectOptions {
            include_credentials: true,
            include_logs: options.include_logs,
            include_events: options.include_events,
            include_flow_history: options.include_flow_history,
            metrics_from: match carries_metrics(&names(archive)) {
                true => Some(metrics_from(&source)?.unwrap_or(i64::MIN)),
                false => None,
            },
        };
        let mut sink = IndexSink::new(&mut index, Side::Second, reading);
        let (records, ()) = self.records.database().cut_blocking(|_| Ok::<(), RecordsError>(()))?;
        accounts::collect(&records, &mut sink)?;
        // A moment that is held keeps the log of its database growing.
        drop(records);
        self.embedded().cut()?.collect(job, collect, &mut sink)?;
        sink.finish()?;
        let mut report = summary(&index)?;
        report.insert("not_compared".to_owned(), Value::Array(told));
        Ok((index, Value::Object(report)))
    }
}

/// A comparison of two archive files, without any service.
pub struct FileComparison {
    first: Archive,
    identities: Vec<Identity>,
    index: Index,
    /// What is told of it.
    pub report: Value,
}

impl FileComparison {
    /// Compares two open archives; the names are for messages.
    ///
    /// # Errors
    /// An archive of another manager, or a damaged one; the file system's own.
    pub fn new(
        (first, first_name): (Archive, &str),
        (second, second_name): (Archive, &str),
        identities: Vec<Identity>,
        folder: &std::path::Path,
    ) -> Result<Self, JobError> {
        let index = Index::create(folder, 0, Way::FromFirst)?;
        let (index, report) =
            compare_archives(index, (&first, first_name), (&second, second_name), &identities, &mut || {
                Ok(())
            })?;
        Ok(Self { first, identities, index, report })
    }

    /// What differs, of one kind or of all, of one change or of all.
    ///
    /// # Errors
    /// The database's own.
    pub fn changes(&self, kind: Option<&str>, change: Option<Change>) -> Result<Vec<EntityChange>, JobError> {
        Ok(self.index.page(kind, change, 0, u64::MAX)?.0)
    }

    /// What differs in one entity, value by value; none where neither archive has it.
    ///
    /// # Errors
    /// A damaged archive; the database's own.
    pub fn fields(&self, entity: (&str, &str, &str)) -> Result<Option<Vec<FieldChange>>, JobError> {
        let source = ArchiveSource::new(&self.first, &self.identities);
        Ok(self.index.fields(&source, false, entity)?)
    }
}

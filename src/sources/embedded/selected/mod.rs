//! Some entities of an archive, brought back into a copy of the live state that waits beside it.
//!
//! The archive is staged as a whole first, as any restore does, into a generation that never becomes live: there its
//! entities can be asked for, compared and followed to what they need by SQL, in memory that does not grow with them.
//! Then the live state is copied, and the copy is changed. Everything else in it stays as it is.

mod compare;
mod measured;
mod plan;
mod replace;
mod rules;
mod sql;
mod wanted;

use std::collections::BTreeSet;

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::executions::Job;
use crate::executions::table::Progress;
use crate::failpoints;
use crate::manager::{Generation, Pin, tenant_names};
use crate::model::{EntityName, Selection, Timestamp};

use super::super::{EntrySource, PLACEHOLDER_PREFIX, SourceError};
use super::entities::ENTITIES;
use super::files::bring_file;
use super::stage::{self, Parts};
use super::tables::{Kind, TABLES};
use super::{Counts, Embedded, Lack, Lost, StagedGeneration, go_on, state};
use measured::Measured;
use rules::Purpose;

pub use plan::PlannedSelection;
pub use rules::BrokenRule;

/// How many names a report holds of each list at the most.
const REPORTED: usize = 1000;

/// What is to be brought back, and what may be done for it.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The entities.
    pub selection: Selection,
    /// What they need is taken along where the manager lacks it; else the restore is refused.
    pub include_dependencies: bool,
    /// What exists and differs is replaced; else the restore is refused.
    pub force: bool,
    /// What entities of the archive lose, as sealed parts of it are passed over.
    pub lost: Vec<Lost>,
}

/// What a selective restore did, for its report.
#[derive(Debug)]
pub struct Selected {
    /// The report's part on entities.
    pub report: Value,
    /// The deployments that came.
    pub deployments: BTreeSet<(String, String)>,
    /// What the whole archive holds, by kind, but for what was not looked at.
    pub archived: Counts,
    /// The kinds that were not looked at.
    pub left_out: Vec<&'static str>,
    /// Whether something of the manager is replaced or goes, for which leave has to be asked by `force`.
    pub needs_force: bool,
    /// Whether measurements came.
    pub has_metrics: bool,
    /// What came without something that is sealed.
    pub lost: Vec<Lost>,
}

/// A generation that goes when the work is done.
struct Scratch<'a> {
    embedded: &'a Embedded,
    generation: Option<Generation>,
}

impl Scratch<'_> {
    fn generation(&self) -> &Generation {
        self.generation.as_ref().expect("it is taken out only when this is dropped")
    }
}

impl Drop for Scratch<'_> {
    fn drop(&mut self) {
        if let Some(generation) = self.generation.take() {
            let number = generation.number;
            generation.close_blocking();
            self.embedded.remove(number);
        }
    }
}

impl Embedded {
    /// Builds the live state with the wished entities of an archive in it as a generation beside the live one, checked
    /// and durable. Nobody may write the live state meanwhile. It is not touched.
    ///
    /// # Errors
    /// As [`Embedded::stage`]; an id, kind or tenant that the archive lacks; what is needed or differs, without the
    /// leave to take it along or to replace it. What was staged is gone then.
    pub fn stage_selected(
        &self,
        job: &Job,
        entries: &dyn EntrySource,
        wish: &Wish,
    ) -> Result<(StagedGeneration, Selected), SourceError> {
        let live = self.manager.current();
        let began = Timestamp::now().to_string();
        let (scratch, archived) = self.fill_scratch(job, entries)?;
        let number = self.manager.generations().create_copy(&live, true).map_err(state)?;
        let purpose = Purpose::Restore;
        let archive = scratch.generation();
        let work = Work { embedded: self, job, entries, wish, purpose: &purpose, began, archive, number };
        let done = work.change(archived).and_then(|mut changed| {
            let staged = self.manager.generations().load(number).map_err(state)?;
            work.change_metrics(&staged, &mut changed.selected)?;
            go_on(&live, &staged)?;
            let counts =
                staged.database.read_blocking(crate::manager::Inventory::read).map_err(state)?.counts;
            // While it is open: what it keeps beside its file is a part of it.
            self.manager.generations().sync(number).map_err(state)?;
            staged.close_blocking();
            failpoints::hit("restore:selected", job)?;
            Ok((changed, counts))
        });
        drop(scratch);
        match done {
            Ok((changed, counts)) => {
                let staged = StagedGeneration {
                    manager: self.manager.clone(),
                    before: live.number,
                    after: number,
                    counts,
                    notes: changed.notes,
                    flow_notes: changed.flow_notes,
                    has_metrics: changed.selected.has_metrics,
                    _pins: changed.pins,
                };
                Ok((staged, changed.selected))
            }
            Err(error) => {
                self.remove(number);
                // Inside of the database a cancel looks like a failure of it.
                Err(if job.is_cancelled() { SourceError::Cancelled } else { error })
            }
        }
    }

    /// The archive's whole state, without files and measurements.
    fn fill_scratch(
        &self,
        job: &Job,
        entries: &dyn EntrySource,
    ) -> Result<(Scratch<'_>, Counts), SourceError> {
        let generation = self.manager.generations().create().map_err(state)?;
        let scratch = Scratch { embedded: self, generation: Some(generation) };
        let parts = Parts { files: false, metrics: false };
        let filled = stage::fill(&self.manager, scratch.generation(), job, entries, parts)?;
        Ok((scratch, filled.counts))
    }

    fn remove(&self, number: u64) {
        if let Err(error) = self.manager.generations().remove(number) {
            tracing::warn!(error = %error, "a generation that is not needed could not be removed; the next start does it");
        }
    }
}

struct Work<'a> {
    embedded: &'a Embedded,
    job: &'a Job,
    entries: &'a dyn EntrySource,
    wish: &'a Wish,
    purpose: &'a Purpose,
    /// When the staging began.
    began: String,
    archive: &'a Generation,
    /// The generation that is being changed.
    number: u64,
}

/// What was done in the copy.
struct Changed {
    selected: Selected,
    notes: Vec<String>,
    flow_notes: Vec<String>,
    /// The files that came.
    pins: Vec<Pin>,
}

impl Work<'_> {
    fn phase(&self, phase: &'static str) {
        self.job.progress(Progress { phase, ..Progress::default() });
    }

    /// Changes the tables of the copy.
    fn change(&self, archived: Counts) -> Result<Changed, SourceError> {
        let connection = self.open()?;
        self.phase("selecting");
        connection.execute_batch(sql::LISTS)?;
        self.select(&connection)?;
        wanted::add_parts(&connection, self.job)?;
        wanted::add_dependencies(&connection, self.job)?;
        if !self.wish.include_dependencies
            && let Some(names) = wanted::told(&connection, "wanted WHERE why = 'dependency'")?
        {
            self.purpose.refuse("needs_dependencies", format!(
                "what is selected needs what the manager lacks: {names}. Select it too, or ask with `dependencies` = `include` to take it along; nothing was changed"
            ))?;
        }
        self.phase("comparing");
        let kept = self.not_carried();
        compare::compare(&connection, self.job, self.embedded.manager.vault(), &kept)?;
        wanted::add_going(&connection, self.job)?;
        let differing = wanted::told(&connection, "wanted WHERE state = 'differs'")?;
        let going = wanted::told(&connection, "going")?;
        let needs_force = differing.is_some() || going.is_some();
        if needs_force && !self.wish.force {
            let differing = differing.map(|names| format!(" It differs: {names}."));
            let going = going.map(|names| format!(" The archive has not: {names}."));
            self.purpose.refuse("needs_force", format!(
                "the manager holds what is selected in another form.{}{} Ask with `force` to replace it by the archive's; nothing was changed",
                differing.unwrap_or_default(),
                going.unwrap_or_default()
            ))?;
        }
        self.phase("replacing");
        let pins = if self.purpose.brings_files() { self.files(&connection)? } else { Vec::new() };
        replace::replace(&connection, self.job, &kept)?;
        replace::check(&connection)?;
        let (notes, flow_notes) = (self.notes(&connection)?, flow_notes(&connection)?);
        let selected = Selected {
            report: self.report(&connection)?,
            deployments: deployments(&connection)?,
            archived,
            left_out: vec!["metrics", "annotations", "measurements"],
            needs_force,
            has_metrics: false,
            lost: self.lost(&connection)?,
        };
        connection.close().map_err(|(_, error)| error)?;
        Ok(Changed { selected, notes, flow_notes, pins })
    }

    /// One connection to the copy, and to the archive's state beside it.
    fn open(&self) -> Result<Connection, SourceError> {
        let folder = self.embedded.manager.generations().path(self.number);
        let mut connection = Connection::open(folder.join("manager.db"))?;
        connection.busy_timeout(std::time::Duration::from_secs(30))?;
        // Rows are replaced one after the other; whether all links stand is checked at the end.
        connection.execute_batch("PRAGMA foreign_keys = OFF; PRAGMA trusted_schema = OFF")?;
        let archive = self.archive.database.path().to_string_lossy().into_owned();
        connection.execute("ATTACH ? AS archive", [archive])?;
        let is_cancelled = self.job.stopper();
        connection.progress_handler(10_000, Some(is_cancelled))?;
        Ok(connection)
    }

    fn select(&self, connection: &Connection) -> Result<(), SourceError> {
        let selection = &self.wish.selection;
        let tenants = self.archive.database.read_blocking(tenant_names).map_err(state)?;
        for name in selection.tenants() {
            if !tenants.contains(name) {
                let held: Vec<&str> = tenants.iter().map(|tenant| tenant.as_str()).collect();
                self.purpose.refuse(
                    "not_in_archive",
                    format!(
                        "the archive holds no tenant `{name}`, only {}; nothing was changed",
                        held.join(", ")
                    ),
                )?;
            }
        }
        let mut matcher = selection.matcher();
        let mut found = wanted::select(connection, self.job, selection, &mut matcher)?;
        for (tenant, count) in measured::match_names(self.job, self.entries, &mut matcher)?.0 {
            found += count;
            // Measurements have a file of their own, which knows no tenants.
            connection.execute(
                "INSERT OR IGNORE INTO archive.wanted (kind, tenant, id, k1, why, needed_by)
                 SELECT 'tenants', name, name, name, 'dependency', 'metrics/' || name || '/*' FROM archive.tenants o
                 WHERE o.name = ?1 AND NOT EXISTS (SELECT 1 FROM main.tenants l WHERE l.name = o.name)",
                [tenant.as_str()],
            )?;
        }
        let unmet: Vec<String> = matcher.unmet().take(wanted::NAMED).map(|id| format!("`{id}`")).collect();
        if !unmet.is_empty() {
            self.purpose.refuse(
                "not_in_archive",
                format!("the archive holds nothing that {} names; nothing was changed", unmet.join(", ")),
            )?;
        } else if found == 0 {
            self.purpose.refuse(
                "not_in_archive",
                "the archive holds nothing of what is selected; nothing was changed".to_owned(),
            )?;
        }
        Ok(())
    }

    /// Values that this archive does not carry, so that the live ones stay.
    fn not_carried(&self) -> Vec<(&'static str, &'static str)> {
        let is_there = self.entries.names().contains(&"credentials/agents.age");
        match is_there && !self.entries.is_skipped("agents") {
            true => Vec::new(),
            false => vec![("agents", "sealed_rabbitmq_password"), ("agents", "sealed_key_file")],
        }
    }

    /// Brings the files of what comes to the manager's, so that they are there before the rows are.
    fn files(&self, connection: &Connection) -> Result<Vec<Pin>, SourceError> {
        let mut pins = Vec::new();
        for kind in ["plugins", "blueprints"] {
            let sql = format!(
                "SELECT t.tenant_name, t.id, t.archive_blob FROM archive.wanted w JOIN archive.{kind} t
                 ON t.tenant_name = w.tenant AND t.id = w.k1
                 WHERE w.kind = ?1 AND w.state IN ('missing', 'differs') AND t.archive_blob IS NOT NULL"
            );
            let mut statement = connection.prepare(&sql)?;
            let mut rows = statement.query([kind])?;
            while let Some(row) = rows.next()? {
                let (tenant, id, blob): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
                let manager = &self.embedded.manager;
                pins.push(bring_file(manager, self.job, self.entries, kind, &tenant, &id, &blob)?);
            }
        }
        Ok(pins)
    }

    fn notes(&self, connection: &Connection) -> Result<Vec<String>, SourceError> {
        let mut notes = Vec::new();
        let cancelled: i64 = connection.query_row(
            "SELECT count(*) FROM archive.wanted w JOIN main.executions t ON t.id = w.k1 AND t.tenant_name = w.tenant
             WHERE w.kind = 'executions' AND w.state <> 'same' AND t.error = 'interrupted by a restore' AND t.ended_at >= ?",
            [&self.began],
            |row| row.get(0),
        )?;
        if cancelled > 0 {
            notes.push(format!("{cancelled} execution(s) that were active at the cut are cancelled"));
        }
        for table in TABLES {
            let fields = table.dumped.iter().chain(table.extra);
            let columns =
                fields.filter(|field| field.kind == Kind::Properties).filter_map(|field| field.column);
            let holds: Vec<String> =
                columns.map(|column| format!("instr(t.\"{column}\", '{PLACEHOLDER_PREFIX}') > 0")).collect();
            let entities = ENTITIES.iter().find(|entities| entities.kind == table.target());
            let (Some(entities), false) = (entities, holds.is_empty()) else { continue };
            let from = format!(
                "wanted w JOIN main.{} t ON {} WHERE w.kind = '{}' AND w.state <> 'same' AND ({})",
                entities.kind,
                entities.is_of("t", "w"),
                entities.kind,
                holds.join(" OR "),
            );
            let sql = format!(
                "SELECT DISTINCT w.kind || '/' || w.tenant || '/' || w.id FROM archive.{from} LIMIT 100"
            );
            let mut statement = connection.prepare(&sql)?;
            let names = statement.query_map([], |row| row.get::<_, String>(0))?;
            for name in names {
                notes.push(format!(
                    "private keys of `{}` were not in the archive: a placeholder stands in their place",
                    name?
                ));
            }
        }
        Ok(notes)
    }

    /// What of the losses concerns what comes.
    fn lost(&self, connection: &Connection) -> Result<Vec<Lost>, SourceError> {
        let mut statement = connection
            .prepare("SELECT state FROM archive.wanted WHERE kind = ? AND tenant = ? AND id = ?")?;
        let mut lost = Vec::new();
        for one in &self.wish.lost {
            let mut rows = statement.query([&one.kind, &one.tenant, &one.id])?;
            let state: Option<String> = rows.next()?.map(|row| row.get(0)).transpose()?;
            let is_lost = match state.as_deref() {
                Some("missing") => true,
                // Where the manager has credentials, they stay.
                Some("differs") => one.lacks != Lack::Credentials,
                _ => false,
            };
            lost.extend(is_lost.then(|| one.clone()));
        }
        Ok(lost)
    }

    fn report(&self, connection: &Connection) -> Result<Value, SourceError> {
        let listed = |from: &str| -> Result<Value, SourceError> {
            let (names, more) = wanted::names(connection, from, REPORTED)?;
            let names: Vec<EntityName> = names.into_iter().map(|(name, _)| name).collect();
            Ok(match more {
                0 => json!(names),
                more => {
                    let mut names = json!(names);
                    if let Some(list) = names.as_array_mut() {
                        list.push(json!(format!("and {more} more")));
                    }
                    names
                }
            })
        };
        let dependencies = if self.wish.include_dependencies { "include" } else { "refuse" };
        Ok(json!({
            "selection": self.wish.selection.to_json(),
            "dependencies": dependencies,
            "added": replace::count(connection, "wanted WHERE state = 'missing'")?,
            "replaced": replace::count(connection, "wanted WHERE state = 'differs'")?,
            "unchanged": replace::count(connection, "wanted WHERE state = 'same'")?,
            "removed": replace::count(connection, "going")?,
            "taken_along": listed("wanted WHERE why = 'dependency'")?,
            "replaced_names": listed("wanted WHERE state = 'differs'")?,
            "removed_names": listed("going")?,
        }))
    }

    /// Changes the measurements of the copy, and says in the report what came.
    fn change_metrics(&self, staged: &Generation, selected: &mut Selected) -> Result<(), SourceError> {
        let Measured { counts, replaces } =
            measured::replace(self.job, self.entries, self.wish, self.purpose, staged)?;
        selected.needs_force |= replaces;
        if !counts.is_empty() {
            selected.has_metrics = true;
            selected.report["measurements"] = json!(counts);
        }
        Ok(())
    }
}

fn deployments(connection: &Connection) -> Result<BTreeSet<(String, String)>, SourceError> {
    let sql = "SELECT tenant, id FROM archive.wanted WHERE kind = 'deployments' AND state IN ('missing', 'differs')";
    let mut statement = connection.prepare(sql)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Says of snapshots whose step the graph has not that they are there and can't be seen.
fn flow_notes(connection: &Connection) -> Result<Vec<String>, SourceError> {
    let mut statement = connection.prepare(
        "SELECT w.k1, w.k2 FROM archive.wanted w WHERE w.kind = 'step_snapshots' AND w.state <> 'same' AND NOT EXISTS
         (SELECT 1 FROM main.flow_steps p WHERE p.flow_id = w.k1 AND p.id = w.k2) ORDER BY 1, 2 LIMIT 100",
    )?;
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    rows.map(|row| {
        let (flow, step) = row?;
        Ok(format!(
            "the graph of the flow `{flow}` has no step `{step}`: its snapshot was restored, and is shown once the graph has such a step"
        ))
    })
    .collect()
}

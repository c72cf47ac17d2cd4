//! A state from an archive, built as a generation beside the live one.

use std::collections::HashSet;

use rusqlite::types::Value as SqlValue;
use rusqlite::{Transaction, params_from_iter};
use serde_json::{Map, Value};

use crate::executions::Job;
use crate::executions::table::Progress;
use crate::failpoints;
use crate::manager::{Generation, Manager, Pin, schema, settle_plugins_updates};
use crate::model::{EntityId, TenantName, Timestamp};

use super::super::KeyMaterial;
use super::collect::sealed_blueprint;
use super::files::bring_file;
use super::nested::nested_rows;
use super::tables::{Field, Kind, TABLES, Table};
use super::{ABOUT, About, Counts, EntrySource, SourceError, sealed, state};

/// What a filled generation holds and names.
pub(super) struct Filled {
    pub counts: Counts,
    pub notes: Vec<String>,
    /// The same of flows.
    pub flow_notes: Vec<String>,
    pub pins: Vec<Pin>,
}

/// What is written in one transaction at the most, in envelopes.
const ENVELOPES_PER_TRANSACTION: usize = 16;

/// What is taken of an archive beside its entities.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parts {
    /// The archives of blueprints and plugins.
    pub files: bool,
    /// Measurements.
    pub metrics: bool,
}

impl Parts {
    /// Everything.
    pub const ALL: Self = Self { files: true, metrics: true };
}

pub(super) fn fill(
    manager: &Manager,
    generation: &Generation,
    job: &Job,
    entries: &dyn EntrySource,
    parts: Parts,
) -> Result<Filled, SourceError> {
    require_known_tables(entries)?;
    let mut stage = Stage {
        manager,
        generation,
        job,
        entries,
        parts,
        keys: private_keys(entries)?,
        filled: Filled { counts: Counts::new(), notes: Vec::new(), flow_notes: Vec::new(), pins: Vec::new() },
    };
    stage.tenants()?;
    stage.envelopes()?;
    let filled = &mut stage.filled;
    super::flows::stage(generation, job, entries, &mut filled.counts, &mut filled.flow_notes)?;
    super::charts::stage(generation, job, entries, &mut filled.counts)?;
    if parts.metrics {
        super::charts::stage_metrics(generation, job, entries, &mut filled.counts)?;
    }
    failpoints::here("restore:filling");
    sealed::stage_secrets(manager, generation, job, entries, filled)?;
    sealed::stage_agent_credentials(manager, generation, job, entries, filled)?;
    stage.settle()?;
    stage.check()?;
    Ok(stage.filled)
}

/// Refuses an archive of a newer version, whose tables this one does not know.
///
/// # Errors
/// That; an archive that says nothing of its tables.
pub fn require_known_tables(entries: &dyn EntrySource) -> Result<(), SourceError> {
    let about: About = parse(ABOUT, &entries.bytes(ABOUT)?)?;
    if about.schema_version > schema::SCHEMA_VERSION {
        return Err(SourceError::Refused(format!(
            "the archive was taken by a newer Lifeboat (tables of version {}, this one knows {}): restore it with that version",
            about.schema_version,
            schema::SCHEMA_VERSION
        )));
    }
    Ok(())
}

pub(super) fn parse<T: serde::de::DeserializeOwned>(entry: &str, bytes: &[u8]) -> Result<T, SourceError> {
    serde_json::from_slice(bytes)
        .map_err(|error| SourceError::Entry { entry: entry.to_owned(), reason: error.to_string() })
}

fn private_keys(entries: &dyn EntrySource) -> Result<KeyMaterial, SourceError> {
    let mut keys = KeyMaterial::default();
    entries.each_sealed("private-keys", &mut |path, content| {
        keys = KeyMaterial::from_json(&content)
            .map_err(|error| SourceError::Entry { entry: path.to_owned(), reason: error.to_string() })?;
        Ok(())
    })?;
    Ok(keys)
}

#[derive(serde::Deserialize)]
pub(super) struct Envelope {
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub source: Option<String>,
    #[serde(default)]
    pub source_id: Option<String>,
    pub items: Vec<Map<String, Value>>,
}

/// A row that is ready to be written.
pub(super) struct Row {
    pub target: &'static str,
    pub columns: Vec<&'static str>,
    pub values: Vec<SqlValue>,
}

struct Stage<'a> {
    manager: &'a Manager,
    generation: &'a Generation,
    job: &'a Job,
    entries: &'a dyn EntrySource,
    parts: Parts,
    keys: KeyMaterial,
    filled: Filled,
}

impl Stage<'_> {
    fn wrong(entry: &str, reason: impl Into<String>) -> SourceError {
        SourceError::Entry { entry: entry.to_owned(), reason: reason.into() }
    }

    fn count(&mut self, kind: &str, number: usize) {
        *self.filled.counts.entry(kind.to_owned()).or_default() += number as u64;
    }

    fn tenants(&mut self) -> Result<(), SourceError> {
        const ENTRY: &str = "mgmt/00000001.json";
        let envelope: Envelope = parse(ENTRY, &self.entries.bytes(ENTRY)?)?;
        let folders: HashSet<&str> = self.entries.names().into_iter().filter_map(tenant_folder).collect();
        let mut tenants = Vec::new();
        for item in &envelope.items {
            let name = item.get("name").and_then(Value::as_str).unwrap_or_default();
            let name = TenantName::parse(name).map_err(|error| Self::wrong(ENTRY, error.to_string()))?;
            if !folders.contains(name.as_str()) {
                return Err(Self::wrong(ENTRY, format!("the tenant `{name}` has no folder in the archive")));
            }
            let extra = format!("lifeboat/{name}/00000001.json");
            let extra: Envelope = parse(&extra, &self.entries.bytes(&extra)?)?;
            let created_at =
                extra.items.first().and_then(|item| item.get("created_at")).and_then(Value::as_str);
            tenants.push((name.to_string(), created_at.unwrap_or_default().to_owned()));
        }
        self.count("tenants", tenants.len());
        self.generation.database.write_blocking(move |tx| {
            for (name, created_at) in tenants {
                tx.execute("INSERT INTO tenants (name, created_at) VALUES (?, ?)", (name, created_at))?;
            }
            Ok::<(), SourceError>(())
        })
    }

    /// All envelopes of entities, in the order of the archive, which is one in which they can be inserted.
    fn envelopes(&mut self) -> Result<(), SourceError> {
        let entries = self.entries;
        let all: HashSet<&str> = entries.names().into_iter().collect();
        let tenant = |name| tenant_envelope(name).or_else(|| own_envelope(name, &all));
        let names: Vec<(&str, &str)> =
            entries.names().into_iter().filter_map(|name| Some((name, tenant(name)?))).collect();
        let total = names.len() as u64;
        let mut rows = Vec::new();
        for (done, (name, tenant)) in names.into_iter().enumerate() {
            self.job.check()?;
            self.envelope(name, tenant, &mut rows)?;
            let progress = self.job.current_progress();
            self.job.progress(Progress {
                phase: "staging",
                finished_operations: done as u64 + 1,
                total_operations: total,
                ..progress
            });
            if done % ENVELOPES_PER_TRANSACTION == 0 {
                self.write(std::mem::take(&mut rows))?;
            }
        }
        self.write(rows)
    }

    fn envelope(&mut self, name: &str, tenant: &str, rows: &mut Vec<Row>) -> Result<(), SourceError> {
        let envelope: Envelope = parse(name, &self.entries.bytes(name)?)?;
        if envelope.kind == "sites" && envelope.items.is_empty() {
            return Ok(());
        }
        let is_own = name.starts_with("lifeboat/");
        let is_meant = |table: &&Table| {
            table.kind == envelope.kind
                && table.is_dumped() != is_own
                && (envelope.source.is_none() || envelope.source.as_deref() == table.source_kind)
        };
        let table = TABLES.iter().find(is_meant).ok_or_else(|| {
            Self::wrong(name, format!("entities of type `{}` are not known here", envelope.kind))
        })?;
        let extras: Option<Envelope> = if table.extra.is_empty() || is_own {
            None
        } else {
            let extra = name.replacen("tenants/", "lifeboat/", 1);
            Some(parse(&extra, &self.entries.bytes(&extra)?)?)
        };
        if let Some(extras) = &extras
            && (extras.kind != envelope.kind || extras.items.len() != envelope.items.len())
        {
            return Err(Self::wrong(name, "what Lifeboat keeps beside it does not fit"));
        }
        self.count(table.kind, envelope.items.len());
        let mut extras = extras.map(|extras| extras.items).unwrap_or_default().into_iter();
        for item in envelope.items {
            let (mut item, extra) =
                if is_own { (Map::new(), item) } else { (item, extras.next().unwrap_or_default()) };
            let nested = match table.nested {
                Some(nested) => {
                    nested_rows(nested, &mut self.keys, (name, tenant), &mut item, &mut self.filled.notes)?
                }
                None => Vec::new(),
            };
            let mut row = self.row(name, tenant, table, envelope.source_id.as_deref(), item, extra)?;
            self.file_of(tenant, table, &mut row)?;
            rows.push(row);
            rows.extend(nested);
        }
        Ok(())
    }

    fn row(
        &mut self,
        entry: &str,
        tenant: &str,
        table: &'static Table,
        source_id: Option<&str>,
        mut item: Map<String, Value>,
        mut extra: Map<String, Value>,
    ) -> Result<Row, SourceError> {
        let mut row = Row {
            target: table.target(),
            columns: vec!["tenant_name"],
            values: vec![tenant.to_owned().into()],
        };
        if let (Some(source), true) = (table.source, table.source_is_column) {
            let id = source_id.ok_or_else(|| Self::wrong(entry, "it has no `source_id`"))?;
            row.columns.push(source);
            row.values.push(id.to_owned().into());
        }
        let dumped = table.dumped.iter().map(|field| (field, true));
        for (field, is_dumped) in dumped.chain(table.extra.iter().map(|field| (field, false))) {
            let Some(column) = field.column else { continue };
            let from = if is_dumped { &mut item } else { &mut extra };
            let Some(mut value) = from.remove(field.key) else { continue };
            if field.key == "id" {
                check_id(table, &value).map_err(|reason| Self::wrong(entry, reason))?;
            }
            if field.kind == Kind::Properties {
                let missing = self.keys.put_back(&mut value);
                if missing > 0 {
                    self.filled.notes.push(format!(
                        "{missing} private key(s) in `{}` of an entity of type `{}` of tenant `{tenant}` were not in the archive: a placeholder stands in their place",
                        field.key, table.kind
                    ));
                }
            }
            row.columns.push(column);
            row.values.push(sql_value(field, value).map_err(|reason| Self::wrong(entry, reason))?);
        }
        Ok(row)
    }

    /// Brings the archive of a blueprint or plugin to the manager's files, so that it is there before the row is.
    fn file_of(&mut self, tenant: &str, table: &Table, row: &mut Row) -> Result<(), SourceError> {
        let text = |row: &Row, column: &str| {
            let index = row.columns.iter().position(|name| *name == column)?;
            match &row.values[index] {
                SqlValue::Text(text) => Some(text.clone()),
                _ => None,
            }
        };
        let Some(expected) = text(row, "archive_blob") else { return Ok(()) };
        let id = text(row, "id").unwrap_or_default();
        if table.kind == "blueprints" && self.entries.is_skipped(&sealed_blueprint(tenant, &id)) {
            self.leave_file_out(tenant, &id, row);
            return Ok(());
        }
        if !self.parts.files {
            return Ok(());
        }
        let pin = bring_file(self.manager, self.job, self.entries, table.kind, tenant, &id, &expected)?;
        self.filled.pins.push(pin);
        Ok(())
    }

    /// Keeps a blueprint without its archive: its plan is there, and what was deployed from it stays what it is.
    fn leave_file_out(&mut self, tenant: &str, id: &str, row: &mut Row) {
        for (column, value) in row.columns.iter().zip(&mut row.values) {
            match *column {
                "archive_blob" => *value = SqlValue::Null,
                "archive_size_bytes" => *value = SqlValue::Integer(0),
                _ => {}
            }
        }
        self.filled.notes.push(format!(
            "the blueprint `{id}` of tenant `{tenant}` has no archive: it holds keys, was sealed and was not restored"
        ));
    }

    fn write(&self, rows: Vec<Row>) -> Result<(), SourceError> {
        self.generation.database.write_blocking(move |tx| {
            for row in rows {
                insert(tx, row.target, &row.columns, row.values)?;
            }
            Ok::<(), SourceError>(())
        })
    }

    /// What was active at the cut does not go on: it is cancelled, and what it was making is said to be unfinished.
    fn settle(&mut self) -> Result<(), SourceError> {
        let now = Timestamp::now().to_string();
        let cancelled = self.generation.database.write_blocking(move |tx| {
            let cancelled = tx.execute(
                "UPDATE executions SET status = 'cancelled', error = 'interrupted by a restore', ended_at = ?
                 WHERE status IN ('pending', 'started', 'cancelling', 'force_cancelling', 'kill_cancelling')",
                [now],
            )?;
            // Those whose execution waits go on.
            tx.execute(
                "UPDATE deployment_updates SET state = 'failed' WHERE state = 'updating'
                 AND NOT EXISTS (SELECT 1 FROM executions e WHERE e.id = execution_id AND e.ended_at IS NULL)",
                [],
            )?;
            settle_plugins_updates(tx)?;
            tx.execute(
                "UPDATE blueprints SET state = 'failed_uploading', error = 'interrupted by a restore: upload it again'
                 WHERE plan IS NULL AND state NOT LIKE 'failed%' AND state <> 'invalid'",
                [],
            )?;
            add_missing_sites(tx)?;
            Ok::<_, SourceError>(cancelled)
        })?;
        if cancelled > 0 {
            self.filled
                .notes
                .push(format!("{cancelled} execution(s) that were active at the cut are cancelled"));
        }
        Ok(())
    }

    fn check(&self) -> Result<(), SourceError> {
        self.generation.database.read_blocking(|connection| {
            let verdict: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0))?;
            if verdict != "ok" {
                return Err(SourceError::Refused(format!("the staged tables are damaged: {verdict}")));
            }
            let mut statement = connection.prepare("PRAGMA foreign_key_check")?;
            let mut orphans = statement.query([])?;
            if let Some(orphan) = orphans.next()? {
                let table: String = orphan.get(0)?;
                return Err(SourceError::Refused(format!(
                    "a row of `{table}` belongs to nothing in the archive"
                )));
            }
            Ok(())
        })?;
        // Emptied into the database file, so that the generation is one file whose fsync is enough.
        self.manager.generations().sync(self.generation.number).map_err(state)
    }
}

/// Archives from before there were sites name them only at deployments.
fn add_missing_sites(tx: &Transaction<'_>) -> Result<(), SourceError> {
    tx.execute("UPDATE deployments SET site_name = NULL WHERE site_name = ''", [])?;
    tx.execute(
        "INSERT INTO sites (tenant_name, name, visibility, created_at, created_by)
         SELECT tenant_name, site_name, 'tenant', min(created_at), created_by FROM deployments d
         WHERE site_name IS NOT NULL AND NOT EXISTS (SELECT 1 FROM sites s WHERE s.name = d.site_name
           AND (s.tenant_name = d.tenant_name OR s.visibility = 'global'))
         GROUP BY tenant_name, site_name",
        [],
    )?;
    Ok(())
}

pub(super) fn insert(
    tx: &Transaction<'_>,
    table: &str,
    columns: &[&str],
    values: Vec<SqlValue>,
) -> Result<(), SourceError> {
    let names: Vec<String> = columns.iter().map(|column| format!("\"{column}\"")).collect();
    let marks = vec!["?"; columns.len()].join(", ");
    let sql = format!("INSERT INTO {table} ({}) VALUES ({marks})", names.join(", "));
    tx.prepare_cached(&sql)?.execute(params_from_iter(values)).map_err(|error| match error {
        rusqlite::Error::SqliteFailure(cause, message)
            if cause.code == rusqlite::ErrorCode::ConstraintViolation =>
        {
            SourceError::Refused(format!(
                "an entity of `{table}` in the archive can't be taken in: {}",
                message.unwrap_or_else(|| cause.to_string())
            ))
        }
        other => other.into(),
    })?;
    Ok(())
}

/// An id from an archive becomes part of names of entries and files, so it follows the rule of the call that makes
/// such an entity.
fn check_id(table: &Table, value: &Value) -> Result<(), String> {
    let text = value.as_str().ok_or_else(|| format!("`id` is {value}"))?;
    let is_fit = match table.kind {
        "deployments" => EntityId::of_deployment(text).is_ok(),
        "blueprints" | "blueprints_filters" | "deployments_filters" => EntityId::parse("id", text).is_ok(),
        "plugins" | "executions" => uuid::Uuid::parse_str(text).is_ok(),
        _ => !text.is_empty() && !text.chars().any(char::is_control),
    };
    if is_fit {
        Ok(())
    } else {
        Err(format!("`{}` is no id for an entity of type `{}`", text.escape_debug(), table.kind))
    }
}

pub(super) fn sql_value(field: &Field, value: Value) -> Result<SqlValue, String> {
    let wrong = |value: &Value| format!("`{}` is {value}", field.key);
    match (field.kind, value) {
        (_, Value::Null) if field.kind != Kind::Json && field.kind != Kind::Properties => Ok(SqlValue::Null),
        (Kind::Text, Value::String(text)) => Ok(SqlValue::Text(text)),
        (Kind::Integer, Value::Number(number)) => {
            number.as_i64().map(SqlValue::Integer).ok_or_else(|| wrong(&Value::Number(number)))
        }
        (Kind::Boolean, Value::Bool(value)) => Ok(SqlValue::Integer(i64::from(value))),
        // A JSON column that holds no text and one that holds `null` mean the same.
        (Kind::Json | Kind::Properties, Value::Null) => Ok(SqlValue::Null),
        (Kind::Json | Kind::Properties, value) => Ok(SqlValue::Text(value.to_string())),
        (Kind::Text | Kind::Integer | Kind::Boolean, value) => Err(wrong(&value)),
    }
}

/// The tenant whose folder entry this is.
pub(super) fn tenant_folder(name: &str) -> Option<&str> {
    name.strip_prefix("tenants/")?.strip_suffix('/').filter(|tenant| !tenant.contains('/'))
}

/// The tenant whose envelope this is, of entities of which Cloudify's dump has nothing: it stands beside none.
fn own_envelope<'a>(name: &'a str, names: &HashSet<&str>) -> Option<&'a str> {
    let (tenant, file) = name.strip_prefix("lifeboat/")?.split_once('/')?;
    let is_beside = names.contains(name.replacen("lifeboat/", "tenants/", 1).as_str());
    (!file.contains('/') && file.ends_with(".json") && !is_beside).then_some(tenant)
}

/// The tenant whose envelope of entities this is.
pub(super) fn tenant_envelope(name: &str) -> Option<&str> {
    let (tenant, file) = name.strip_prefix("tenants/")?.split_once('/')?;
    (!file.contains('/') && file.ends_with(".json")).then_some(tenant)
}

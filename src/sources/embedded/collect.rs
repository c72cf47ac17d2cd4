//! One cut of the embedded manager, streamed row by row into an archive.

use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use serde_json::{Map, Value, json};

use crate::executions::Job;
use crate::failpoints;
use crate::manager::schema;
use crate::model::BlobId;

use super::super::KeyMaterial;
use super::passage::{Outlet, Wal, pass};
use super::tables::{Field, Kind, TABLES, Table};
use super::{
    ABOUT, About, CollectOptions, Collected, Cut, ENVELOPE_BYTES, ENVELOPE_ITEMS, EntrySink, Moment,
    SourceError, sealed, state,
};

pub(super) fn collect(
    cut: Cut,
    job: &Job,
    options: CollectOptions,
    sink: &mut dyn EntrySink,
) -> Result<Collected, SourceError> {
    let manager = cut.moment.manager.clone();
    let rows = operations(&cut.moment.connection)?;
    let wal = Wal::new(cut.databases, cut.wal_limit)?;
    pass((&manager, job), (cut.moment, &wal), rows, sink, |moment, outlet| read(moment, job, options, outlet))
}

fn read(
    moment: &Moment,
    job: &Job,
    options: CollectOptions,
    outlet: &mut Outlet<'_>,
) -> Result<Collected, SourceError> {
    let tenants = tenants(&moment.connection)?;
    let mut collected = Collected::default();
    let items: Vec<Value> = tenants.iter().map(|(name, _)| json!({ "name": name })).collect();
    write_json(outlet, "mgmt/00000001.json", &json!({ "type": "tenants", "items": items }))?;
    collected.count("tenants", tenants.len() as u64);
    let about = About { schema_version: schema::SCHEMA_VERSION, cut_at: moment.at };
    write_json(outlet, ABOUT, &serde_json::to_value(&about).map_err(state)?)?;
    let mut dump = Dump { moment, job, options, outlet, collected, keys: KeyMaterial::default() };
    for (tenant, created_at) in &tenants {
        dump.tenant(tenant, created_at)?;
    }
    between_tables(job)?;
    super::flows::collect(
        &moment.connection,
        job,
        options.include_flow_history,
        dump.outlet,
        &mut dump.collected,
    )?;
    between_tables(job)?;
    super::charts::collect(&moment.connection, job, dump.outlet, &mut dump.collected)?;
    if let Some(from) = options.metrics_from {
        between_tables(job)?;
        let (outlet, collected) = (&mut *dump.outlet, &mut dump.collected);
        super::charts::collect_metrics(&moment.connection, &moment.metrics, job, from, outlet, collected)?;
    }
    between_tables(job)?;
    sealed::collect_secrets(moment, job, dump.outlet, &mut dump.collected)?;
    dump.agent_keys()?;
    dump.key_values()?;
    Ok(dump.collected)
}

/// Where writers may go on while a state is half read.
fn between_tables(job: &Job) -> Result<(), SourceError> {
    Ok(failpoints::hit("collect:table", job)?)
}

fn tenants(connection: &Connection) -> Result<Vec<(String, String)>, SourceError> {
    let mut statement = connection.prepare("SELECT name, created_at FROM tenants ORDER BY name")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Rows and files to be written, for the progress.
fn operations(connection: &Connection) -> Result<u64, SourceError> {
    let mut total = 0;
    for table in TABLES {
        total += connection
            .query_row(&format!("SELECT count(*) FROM {}", table.table), [], |row| row.get::<_, i64>(0))?;
    }
    Ok(u64::try_from(total).unwrap_or(0))
}

fn write_json(outlet: &mut Outlet<'_>, name: &str, document: &Value) -> Result<(), SourceError> {
    outlet.bytes(name.to_owned(), serde_json::to_vec(document).map_err(state)?)
}

/// One envelope that is being filled.
#[derive(Default)]
struct Envelope {
    source_id: Option<String>,
    latest: Option<String>,
    items: Vec<Value>,
    extras: Vec<Value>,
    bytes: usize,
}

struct Dump<'a, 'b> {
    moment: &'a Moment,
    job: &'a Job,
    options: CollectOptions,
    outlet: &'a mut Outlet<'b>,
    collected: Collected,
    keys: KeyMaterial,
}

impl Dump<'_, '_> {
    fn tenant(&mut self, tenant: &str, created_at: &str) -> Result<(), SourceError> {
        self.outlet.folder(format!("tenants/{tenant}/"))?;
        let mut number = 1;
        // Cloudify drops a tenant without any envelope; this one is there for every tenant.
        write_json(
            self.outlet,
            &entity_name("tenants", tenant, number),
            &json!({ "type": "sites", "items": [] }),
        )?;
        write_json(
            self.outlet,
            &entity_name("lifeboat", tenant, number),
            &json!({ "type": "tenant", "items": [{ "name": tenant, "created_at": created_at }] }),
        )?;
        for table in TABLES {
            between_tables(self.job)?;
            self.table(tenant, table, &mut number)?;
        }
        if !self.outlet.wants_files() {
            return Ok(());
        }
        between_tables(self.job)?;
        self.blueprint_archives(tenant)?;
        self.plugin_archives(tenant)
    }

    fn table(&mut self, tenant: &str, table: &'static Table, number: &mut u32) -> Result<(), SourceError> {
        let fields: Vec<&Field> = table.dumped.iter().chain(table.extra).collect();
        let mut columns: Vec<String> = fields
            .iter()
            .map(
                |field| {
                    if field.column.is_some() { format!("\"{}\"", field.sql) } else { field.sql.to_owned() }
                },
            )
            .collect();
        columns.push(table.source.map_or("NULL".to_owned(), |source| format!("\"{source}\"")));
        let order = if table.source.is_some() {
            format!("{}, number", columns[columns.len() - 1])
        } else {
            "number".to_owned()
        };
        let condition = match (table.kind, self.options.include_events, self.options.include_logs) {
            ("events", false, false) => "0",
            ("events", false, true) => "type = 'cloudify_log'",
            ("events", true, false) => "type = 'cloudify_event'",
            _ => "1",
        };
        let sql = format!(
            "SELECT {} FROM {} WHERE tenant_name = ? AND {condition} ORDER BY {order}",
            columns.join(", "),
            table.table
        );
        let moment = self.moment;
        let mut statement = moment.connection.prepare(&sql)?;
        let mut rows = statement.query([tenant])?;
        let mut envelope = Envelope::default();
        while let Some(row) = rows.next()? {
            let source_id: Option<String> = row.get(fields.len())?;
            let is_full = envelope.items.len() >= ENVELOPE_ITEMS || envelope.bytes >= ENVELOPE_BYTES;
            if !envelope.items.is_empty() && (is_full || envelope.source_id != source_id) {
                self.write(tenant, table, std::mem::take(&mut envelope), number)?;
            }
            envelope.source_id = source_id;
            let mut item = Map::new();
            let mut extra = Map::new();
            for (index, field) in fields.iter().enumerate() {
                let mut value = value(row, index, field.kind)?;
                if field.kind == Kind::Properties {
                    let id = item.get("id").or_else(|| extra.get("id"));
                    let id = id.and_then(Value::as_str).unwrap_or_default();
                    self.keys.take(&format!("{tenant}/{}/{id}.{}", table.kind, field.key), &mut value);
                }
                let target = if index < table.dumped.len() { &mut item } else { &mut extra };
                target.insert(field.key.to_owned(), value);
            }
            if let Some(time) = table.time.and_then(|key| item.get(key)).and_then(Value::as_str)
                && envelope.latest.as_deref().is_none_or(|latest| latest < time)
            {
                envelope.latest = Some(time.to_owned());
            }
            envelope.bytes += row_bytes(row, fields.len());
            envelope.items.push(Value::Object(item));
            envelope.extras.push(Value::Object(extra));
            self.outlet.count_row()?;
        }
        if !envelope.items.is_empty() {
            self.write(tenant, table, envelope, number)?;
        }
        Ok(())
    }

    fn write(
        &mut self,
        tenant: &str,
        table: &Table,
        envelope: Envelope,
        number: &mut u32,
    ) -> Result<(), SourceError> {
        *number += 1;
        self.collected.count(table.kind, envelope.items.len() as u64);
        let mut document = Map::new();
        document.insert("type".to_owned(), json!(table.kind));
        if let Some(source) = table.source_kind {
            document.insert("source".to_owned(), json!(source));
        }
        if let Some(source_id) = &envelope.source_id {
            document.insert("source_id".to_owned(), json!(source_id));
        }
        if let Some(latest) = &envelope.latest {
            document.insert("latest_timestamp".to_owned(), json!(latest));
        }
        document.insert("items".to_owned(), Value::Array(envelope.items));
        if table.is_dumped() {
            write_json(self.outlet, &entity_name("tenants", tenant, *number), &Value::Object(document))?;
        }
        if !table.extra.is_empty() {
            let extras = json!({ "type": table.kind, "items": envelope.extras });
            write_json(self.outlet, &entity_name("lifeboat", tenant, *number), &extras)?;
        }
        Ok(())
    }

    fn blueprint_archives(&mut self, tenant: &str) -> Result<(), SourceError> {
        let moment = self.moment;
        let mut statement = moment.connection.prepare(
            "SELECT id, archive_blob, holds_key_material FROM blueprints
             WHERE tenant_name = ? AND archive_blob IS NOT NULL ORDER BY number",
        )?;
        let mut rows = statement.query([tenant])?;
        while let Some(row) = rows.next()? {
            let (id, blob, holds_keys): (String, String, bool) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let of = format!("blueprint `{id}` of tenant `{tenant}`");
            let blob = named_blob(&blob, &of)?;
            if holds_keys {
                // Sealed whole, never left out: what a private key opens must not lie in the open.
                self.outlet.sealed_blob(sealed_blueprint(tenant, &id), blob, of)?;
            } else {
                self.outlet.blob(format!("tenants/{tenant}/blueprints/{id}.tar.gz"), blob, of)?;
            }
        }
        Ok(())
    }

    fn plugin_archives(&mut self, tenant: &str) -> Result<(), SourceError> {
        let moment = self.moment;
        let mut statement = moment
            .connection
            .prepare("SELECT id, archive_blob FROM plugins WHERE tenant_name = ? ORDER BY number")?;
        let mut rows = statement.query([tenant])?;
        while let Some(row) = rows.next()? {
            let (id, blob): (String, String) = (row.get(0)?, row.get(1)?);
            let of = format!("plugin `{id}` of tenant `{tenant}`");
            let blob = named_blob(&blob, &of)?;
            self.outlet.blob(format!("tenants/{tenant}/plugins/{id}.zip"), blob, of)?;
        }
        Ok(())
    }

    /// Agents' passwords and key files: sealed where credentials are asked for, else left out by name.
    fn agent_keys(&mut self) -> Result<(), SourceError> {
        let moment = self.moment;
        let sql = "SELECT tenant_name, id, sealed_rabbitmq_password, sealed_key_file FROM agents
             WHERE sealed_rabbitmq_password IS NOT NULL OR sealed_key_file IS NOT NULL ORDER BY tenant_name, number";
        let mut statement = moment.connection.prepare(sql)?;
        if !self.options.include_credentials {
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let (tenant, id): (String, String) = (row.get(0)?, row.get(1)?);
                self.collected.left_out.push(format!(
                    "credentials of agent `{id}` of tenant `{tenant}`: credentials were not asked for"
                ));
            }
            return Ok(());
        }
        drop(statement);
        sealed::collect_agent_credentials(moment, self.job, sql, self.outlet, &mut self.collected)
    }

    /// Private keys that stood among properties: sealed where credentials are asked for, else left out by name.
    fn key_values(&mut self) -> Result<(), SourceError> {
        if self.keys.is_empty() {
            return Ok(());
        }
        if self.options.include_credentials {
            let keys = self.keys.to_json();
            self.collected.count("private_keys", self.keys.places().len() as u64);
            return self.outlet.sealed("private-keys", &mut |sealed| sealed.add("private-keys.json", &keys));
        }
        let places = self.keys.places().iter();
        self.collected.left_out.extend(
            places.map(|place| format!("the private key at `{place}`: credentials were not asked for")),
        );
        Ok(())
    }
}

fn named_blob(blob: &str, of: &str) -> Result<BlobId, SourceError> {
    BlobId::parse(blob)
        .ok_or_else(|| SourceError::Refused(format!("the record of {of} names no file: upload it again")))
}

/// The name of the sealed part that holds a blueprint's archive.
pub(super) fn sealed_blueprint(tenant: &str, id: &str) -> String {
    format!("blueprints/{tenant}/{id}.tar.gz")
}

/// The name of an envelope.
pub(super) fn entity_name(top: &str, tenant: &str, number: u32) -> String {
    format!("{top}/{tenant}/{number:08}.json")
}

fn value(row: &Row<'_>, index: usize, kind: Kind) -> Result<Value, SourceError> {
    Ok(match kind {
        Kind::Text => row.get::<_, Option<String>>(index)?.map_or(Value::Null, Value::from),
        Kind::Integer => row.get::<_, Option<i64>>(index)?.map_or(Value::Null, Value::from),
        Kind::Boolean => row.get::<_, Option<bool>>(index)?.map_or(Value::Null, Value::from),
        Kind::Json | Kind::Properties => match row.get::<_, Option<String>>(index)? {
            Some(text) => serde_json::from_str(&text).map_err(state)?,
            None => Value::Null,
        },
    })
}

fn row_bytes(row: &Row<'_>, columns: usize) -> usize {
    (0..columns)
        .map(|index| match row.get_ref(index) {
            Ok(ValueRef::Text(text)) => text.len() + 16,
            _ => 24,
        })
        .sum()
}

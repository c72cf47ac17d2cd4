//! What of the manager's state is only ever carried sealed: secrets' values, agents' passwords and key files.
//!
//! Taken and brought back one content after the other: however many there are, few are in memory at once, and that
//! memory is wiped.

use rusqlite::types::Value as SqlValue;
use serde::Serialize;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::executions::Job;
use crate::manager::{Generation, Manager, Place};

use super::super::SealedSink;
use super::passage::Outlet;
use super::stage::{Envelope, Filled, insert, parse};
use super::{Collected, ENVELOPE_ITEMS, EntrySource, Moment, SourceError, state};

/// An envelope of secrets is closed at about this many bytes.
const SEALED_ENVELOPE_BYTES: usize = 1 << 20;
/// How many agents' values are written in one transaction.
const VALUES_PER_TRANSACTION: usize = 500;

/// A secret as Cloudify's dump has it. Its value is wiped when it is dropped, which a JSON value's text is not.
#[derive(Serialize)]
struct Secret {
    key: String,
    #[serde(serialize_with = "as_text")]
    value: Zeroizing<String>,
    visibility: String,
    is_hidden_value: bool,
    encrypted: bool,
    tenant_name: String,
    creator: String,
    created_at: String,
}

fn as_text<S: serde::Serializer>(value: &Zeroizing<String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(value)
}

/// What our manager knows of a secret beyond that.
#[derive(Serialize)]
struct SecretExtra {
    updated_at: Option<String>,
    schema: Option<String>,
}

#[derive(Serialize)]
struct Items<'a, T> {
    #[serde(rename = "type")]
    kind: &'static str,
    items: &'a [T],
}

/// The envelope of secrets that is being filled.
#[derive(Default)]
struct Secrets {
    tenant: String,
    /// Of the tenant, from 1.
    number: u32,
    items: Vec<Secret>,
    extras: Vec<SecretExtra>,
    bytes: usize,
}

impl Secrets {
    fn is_full(&self) -> bool {
        self.items.len() >= ENVELOPE_ITEMS || self.bytes >= SEALED_ENVELOPE_BYTES
    }

    fn write(&mut self, sealed: &mut dyn SealedSink) -> Result<(), SourceError> {
        if self.items.is_empty() {
            return Ok(());
        }
        self.number += 1;
        let name = envelope_name(self.number);
        let document = Items { kind: "secrets", items: &self.items };
        // Room at once: a buffer that grows leaves copies of its content behind.
        let mut content = Zeroizing::new(Vec::with_capacity(2 * self.bytes + 512 * self.items.len()));
        serde_json::to_writer(&mut *content, &document).map_err(state)?;
        sealed.add(&format!("tenants/{}/{name}", self.tenant), &content)?;
        let extras = Items { kind: "secrets", items: &self.extras };
        let extras = serde_json::to_vec(&extras).map_err(state)?;
        sealed.add(&format!("lifeboat/{}/{name}", self.tenant), &extras)?;
        self.items.clear();
        self.extras.clear();
        self.bytes = 0;
        Ok(())
    }
}

/// `secrets.json`, then `secrets.0002.json` and so on.
fn envelope_name(number: u32) -> String {
    if number == 1 { "secrets.json".to_owned() } else { format!("secrets.{number:04}.json") }
}

fn is_envelope_name(name: &str) -> bool {
    let Some(middle) = name.strip_prefix("secrets").and_then(|rest| rest.strip_suffix(".json")) else {
        return false;
    };
    middle.is_empty() || middle.strip_prefix('.').is_some_and(|number| number.parse::<u32>().is_ok())
}

/// Secrets' values are state: always taken, always sealed.
pub(super) fn collect_secrets(
    moment: &Moment,
    job: &Job,
    outlet: &mut Outlet<'_>,
    collected: &mut Collected,
) -> Result<(), SourceError> {
    let mut count = 0;
    outlet.sealed("secrets", &mut |sealed| {
        let mut statement = moment.connection.prepare(
            "SELECT tenant_name, key, visibility, created_at, updated_at, created_by, is_hidden_value, schema, sealed_value
             FROM secrets ORDER BY tenant_name, number",
        )?;
        let mut rows = statement.query([])?;
        let mut secrets = Secrets::default();
        while let Some(row) = rows.next()? {
            job.check()?;
            let (tenant, key): (String, String) = (row.get(0)?, row.get(1)?);
            if tenant != secrets.tenant {
                secrets.write(sealed)?;
                secrets = Secrets { tenant: tenant.clone(), ..Secrets::default() };
            } else if secrets.is_full() {
                secrets.write(sealed)?;
            }
            let place = Place { kind: "secret", tenant: &tenant, key: &key };
            let value = moment.manager.vault().open_text(place, &row.get::<_, Vec<u8>>(8)?).map_err(state)?;
            let value = Zeroizing::new(value);
            secrets.bytes += key.len() + value.len();
            secrets.items.push(Secret {
                key,
                value,
                visibility: row.get(2)?,
                is_hidden_value: row.get(6)?,
                encrypted: false,
                tenant_name: tenant,
                creator: row.get(5)?,
                created_at: row.get(3)?,
            });
            secrets.extras.push(SecretExtra { updated_at: row.get(4)?, schema: row.get(7)? });
            count += 1;
        }
        secrets.write(sealed)
    })?;
    collected.count("secrets", count);
    Ok(())
}

/// The word for an agent's sealed value at rest.
pub(super) fn agent_value(kind: &str) -> &'static str {
    if kind == "key_file" { "agent_key_file" } else { "agent_password" }
}

/// Agents' passwords and key files, by `sql`, one content each.
pub(super) fn collect_agent_credentials(
    moment: &Moment,
    job: &Job,
    sql: &str,
    outlet: &mut Outlet<'_>,
    collected: &mut Collected,
) -> Result<(), SourceError> {
    let mut count = 0;
    outlet.sealed("agents", &mut |sealed| {
        let mut statement = moment.connection.prepare(sql)?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            job.check()?;
            let (tenant, id): (String, String) = (row.get(0)?, row.get(1)?);
            for (index, kind) in [(2, "rabbitmq_password"), (3, "key_file")] {
                let Some(value) = row.get::<_, Option<Vec<u8>>>(index)? else { continue };
                let place = Place { kind: agent_value(kind), tenant: &tenant, key: &id };
                let value = moment.manager.vault().open(place, &value).map_err(state)?;
                sealed.add(&format!("{tenant}/{id}/{kind}"), &value)?;
                count += 1;
            }
        }
        Ok(())
    })?;
    collected.count("agent_credentials", count);
    Ok(())
}

fn wrong(entry: &str, reason: impl Into<String>) -> SourceError {
    SourceError::Entry { entry: entry.to_owned(), reason: reason.into() }
}

/// Brings secrets back, envelope by envelope: Cloudify's half comes first, ours follows it.
pub(super) fn stage_secrets(
    manager: &Manager,
    generation: &Generation,
    job: &Job,
    entries: &dyn EntrySource,
    filled: &mut Filled,
) -> Result<(), SourceError> {
    let mut waiting: Option<(String, Zeroizing<Vec<u8>>)> = None;
    let mut count = 0;
    let is_there = entries.each_sealed("secrets", &mut |path, content| {
        job.check()?;
        match path.split('/').collect::<Vec<_>>()[..] {
            ["tenants", tenant, name] if is_envelope_name(name) && waiting.is_none() => {
                waiting = Some((format!("lifeboat/{tenant}/{name}"), content));
                Ok(())
            }
            ["lifeboat", tenant, _] => match waiting.take() {
                Some((expected, secrets)) if expected == path => {
                    let rows = rows_of(manager, tenant, (path, &secrets), &content)?;
                    count += rows.len();
                    write_secrets(generation, rows)
                }
                _ => Err(wrong(path, "the secrets that it is about do not stand before it")),
            },
            _ => Err(wrong(path, "no such content belongs among secrets")),
        }
    })?;
    if let Some((expected, _)) = waiting {
        return Err(wrong(&expected, "what Lifeboat keeps beside secrets is not there"));
    }
    if is_there {
        *filled.counts.entry("secrets".to_owned()).or_default() += count as u64;
    } else if entries.is_skipped("secrets") {
        filled.notes.push("the secrets in the archive are sealed and were not restored".to_owned());
    } else {
        filled.notes.push("the archive holds no secrets".to_owned());
    }
    Ok(())
}

fn rows_of(
    manager: &Manager,
    tenant: &str,
    (path, secrets): (&str, &[u8]),
    extras: &[u8],
) -> Result<Vec<Vec<SqlValue>>, SourceError> {
    let (secrets, extras): (Envelope, Envelope) = (parse(path, secrets)?, parse(path, extras)?);
    if secrets.items.len() != extras.items.len() {
        return Err(wrong(path, "what Lifeboat keeps beside it does not fit"));
    }
    let mut rows = Vec::with_capacity(secrets.items.len());
    for (mut item, extra) in secrets.items.into_iter().zip(&extras.items) {
        let value = match item.remove("value") {
            Some(Value::String(value)) => Zeroizing::new(value),
            _ => Zeroizing::default(),
        };
        let text = |key: &str| item.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let optional = |key: &str| match extra.get(key) {
            Some(Value::String(text)) => SqlValue::Text(text.clone()),
            _ => SqlValue::Null,
        };
        let key = text("key");
        let place = Place { kind: "secret", tenant, key: &key };
        let sealed = manager.vault().seal(place, value.as_bytes()).map_err(state)?;
        let is_hidden = item.get("is_hidden_value").and_then(Value::as_bool).unwrap_or(false);
        rows.push(vec![
            tenant.to_owned().into(),
            key.into(),
            text("visibility").into(),
            text("created_at").into(),
            optional("updated_at"),
            text("creator").into(),
            i64::from(is_hidden).into(),
            optional("schema"),
            SqlValue::Blob(sealed),
        ]);
    }
    Ok(rows)
}

fn write_secrets(generation: &Generation, rows: Vec<Vec<SqlValue>>) -> Result<(), SourceError> {
    const COLUMNS: [&str; 9] = [
        "tenant_name",
        "key",
        "visibility",
        "created_at",
        "updated_at",
        "created_by",
        "is_hidden_value",
        "schema",
        "sealed_value",
    ];
    generation.database.write_blocking(move |tx| {
        for row in rows {
            insert(tx, "secrets", &COLUMNS, row)?;
        }
        Ok::<(), SourceError>(())
    })
}

/// An agent's value as it is written: column, tenant, agent, sealed at rest.
type AgentValue = (&'static str, String, String, Vec<u8>);

/// Brings agents' passwords and key files back, to agents that are there.
pub(super) fn stage_agent_credentials(
    manager: &Manager,
    generation: &Generation,
    job: &Job,
    entries: &dyn EntrySource,
    filled: &mut Filled,
) -> Result<(), SourceError> {
    let mut values: Vec<AgentValue> = Vec::new();
    let mut count = 0;
    let is_there = entries.each_sealed("agents", &mut |path, content| {
        job.check()?;
        let [tenant, id, kind] = path.split('/').collect::<Vec<_>>()[..] else {
            return Err(wrong(path, "it is not `<tenant>/<agent>/<value>`"));
        };
        let column = match kind {
            "key_file" => "sealed_key_file",
            "rabbitmq_password" => "sealed_rabbitmq_password",
            _ => return Err(wrong(path, format!("agents have no value `{kind}`"))),
        };
        let place = Place { kind: agent_value(kind), tenant, key: id };
        let sealed = manager.vault().seal(place, &content).map_err(state)?;
        values.push((column, tenant.to_owned(), id.to_owned(), sealed));
        count += 1;
        if values.len() < VALUES_PER_TRANSACTION {
            return Ok(());
        }
        write_agent_values(generation, std::mem::take(&mut values))
    })?;
    write_agent_values(generation, values)?;
    if is_there {
        *filled.counts.entry("agent_credentials".to_owned()).or_default() += count;
    }
    Ok(())
}

fn write_agent_values(generation: &Generation, values: Vec<AgentValue>) -> Result<(), SourceError> {
    generation.database.write_blocking(move |tx| {
        for (column, tenant, id, sealed) in values {
            let sql = format!("UPDATE agents SET {column} = ? WHERE tenant_name = ? AND id = ?");
            tx.prepare_cached(&sql)?.execute((sealed, tenant, id))?;
        }
        Ok::<(), SourceError>(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envelopes_of_secrets_are_told_by_their_names() {
        for number in [1, 2, 99_999] {
            assert!(is_envelope_name(&envelope_name(number)), "{number}");
        }
        for name in ["secrets", "secrets.x.json", "secrets..json", "other.json", "secrets.json.gz"] {
            assert!(!is_envelope_name(name), "{name}");
        }
    }
}

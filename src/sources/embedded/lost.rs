//! What an archive's entities lose where its sealed parts are passed over, by name.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::super::holds_placeholder;
use super::collect::sealed_blueprint;
use super::entities::ENTITIES;
use super::stage::{Envelope, parse, tenant_envelope};
use super::tables::{TABLES, Table};
use super::{EntrySource, SourceError};

/// What an entity comes back without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Lack {
    /// It does not come back at all.
    All,
    /// Its archive.
    Archive,
    /// Its password or its key file.
    Credentials,
    /// The private keys among its properties: placeholders stand in their place.
    PrivateKeys,
}

/// An entity that comes back without something.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Lost {
    pub kind: String,
    pub tenant: String,
    pub id: String,
    /// What it lacks.
    pub lacks: Lack,
}

/// What is lost of an archive.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LostMaterial {
    /// By name, in the order of names.
    pub named: Vec<Lost>,
    /// The kinds whose names are sealed, too, and no key is here.
    pub unnamed: Vec<&'static str>,
}

impl LostMaterial {
    /// Reads what is lost of an archive some of whose sealed parts `entries` passes over. `opened` is the same archive
    /// with all that the keys here open.
    ///
    /// # Errors
    /// An archive that is not what a create wrote.
    pub fn read(entries: &dyn EntrySource, opened: &dyn EntrySource) -> Result<Self, SourceError> {
        let mut named = BTreeSet::new();
        let mut unnamed = Vec::new();
        let names = entries.names();
        for part in names.iter().filter_map(|name| sealed_part(name)) {
            if let Some((tenant, id)) = blueprint_of(part).filter(|_| entries.is_skipped(part)) {
                named.insert(lost("blueprints", tenant, id, Lack::Archive));
            }
        }
        if entries.is_skipped("private-keys") {
            for name in &names {
                if let Some(tenant) = tenant_envelope(name) {
                    private_keys(entries, name, tenant, &mut named)?;
                }
            }
        }
        for (part, kind) in [("agents", "agent_credentials"), ("secrets", "secrets")] {
            if !entries.is_skipped(part) {
                continue;
            }
            match sealed_names(opened, part) {
                Ok(found) => named.extend(found),
                Err(SourceError::Cancelled) => return Err(SourceError::Cancelled),
                // It is passed over because no key opens it, or because it is damaged.
                Err(_) => unnamed.push(kind),
            }
        }
        Ok(Self { named: named.into_iter().collect(), unnamed })
    }
}

fn lost(kind: &str, tenant: &str, id: &str, lacks: Lack) -> Lost {
    Lost { kind: kind.to_owned(), tenant: tenant.to_owned(), id: id.to_owned(), lacks }
}

fn sealed_part(name: &str) -> Option<&str> {
    name.strip_prefix("credentials/")?.strip_suffix(".age")
}

/// The tenant and id of the blueprint whose archive a sealed part is.
fn blueprint_of(part: &str) -> Option<(&str, &str)> {
    let (tenant, file) = part.strip_prefix("blueprints/")?.split_once('/')?;
    let id = file.strip_suffix(".tar.gz")?;
    debug_assert_eq!(sealed_blueprint(tenant, id), part);
    Some((tenant, id))
}

/// The blueprints whose archives are passed over.
pub fn blueprints_without_archive(entries: &dyn EntrySource) -> BTreeSet<(String, String)> {
    let names = entries.names();
    let parts = names.iter().filter_map(|name| sealed_part(name)).filter(|part| entries.is_skipped(part));
    parts.filter_map(blueprint_of).map(|(tenant, id)| (tenant.to_owned(), id.to_owned())).collect()
}

/// Names the entities of an envelope in which placeholders stand.
fn private_keys(
    entries: &dyn EntrySource,
    name: &str,
    tenant: &str,
    named: &mut BTreeSet<Lost>,
) -> Result<(), SourceError> {
    let content = entries.bytes(name)?;
    let extra = name.replacen("tenants/", "lifeboat/", 1);
    let envelope: Envelope = parse(name, &content)?;
    let Some(table) = TABLES.iter().find(|table| table.kind == envelope.kind) else { return Ok(()) };
    let extras: Option<Envelope> = match table.extra.is_empty() || envelope.items.is_empty() {
        true => None,
        false => Some(parse(&extra, &entries.bytes(&extra)?)?),
    };
    for (index, item) in envelope.items.iter().enumerate() {
        let beside = extras.as_ref().and_then(|extras| extras.items.get(index));
        let mut values = item.values().chain(beside.into_iter().flat_map(Map::values));
        if values.any(holds_placeholder)
            && let Some((kind, id)) = name_of(table, envelope.source_id.as_deref(), item)
        {
            named.insert(lost(kind, tenant, &id, Lack::PrivateKeys));
        }
    }
    Ok(())
}

/// The kind and id of an item, as selections and reports have them.
fn name_of(
    table: &'static Table,
    source: Option<&str>,
    item: &Map<String, Value>,
) -> Option<(&'static str, String)> {
    let entities = ENTITIES.iter().find(|entities| entities.kind == table.target())?;
    let value = |column: &&str| match table.source == Some(*column) {
        true => source,
        false => {
            let field = table.dumped.iter().find(|field| field.column == Some(*column))?;
            item.get(field.key)?.as_str()
        }
    };
    let parts: Option<Vec<&str>> = entities.key.iter().map(value).collect();
    Some((entities.kind, parts?.join("/")))
}

#[derive(Deserialize)]
struct SecretNames {
    items: Vec<SecretName>,
}

/// The value that stands beside it is not read.
#[derive(Deserialize)]
struct SecretName {
    key: String,
}

/// The names of what stands in a sealed part.
fn sealed_names(opened: &dyn EntrySource, part: &str) -> Result<BTreeSet<Lost>, SourceError> {
    let mut named = BTreeSet::new();
    opened.each_sealed(part, &mut |path, content| {
        match (part, path.split('/').collect::<Vec<_>>().as_slice()) {
            ("agents", [tenant, id, _]) => {
                named.insert(lost("agents", tenant, id, Lack::Credentials));
            }
            ("secrets", ["tenants", tenant, _]) => {
                let secrets: SecretNames = parse(path, &content)?;
                named.extend(
                    secrets.items.iter().map(|secret| lost("secrets", tenant, &secret.key, Lack::All)),
                );
            }
            _ => {}
        }
        Ok(())
    })?;
    Ok(named)
}

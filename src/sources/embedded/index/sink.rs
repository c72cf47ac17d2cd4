//! A state on its way into an index: what a create would write, read entry by entry.
//!
//! The live state comes through the collector itself and an archive is replayed into the same sink, so that what is
//! compared is what a restore would bring back, and neither side can be read in another way than the other.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufReader, Read};

use serde::Deserialize;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use crate::sources::{EntrySink, EntrySource, KeyMaterial, SealedSink, SourceError};

use super::super::tables::{TABLES, is_own};
use super::fields::{
    Fields, fields, holds_placeholders, leave_archive_out, mark_placeholders, normalize, parse, settle, text,
};
use super::identity::{Name, complete, name};
use super::points::Points;
use super::table::{Index, Side};

/// Of a secret, what nobody is to see.
const SECRET_VALUES: [&str; 2] = ["value", "schema"];
/// Of a user, what every login changes, and what no archive carries.
const SERVICE_VALUES: [&str; 3] = ["first_login_at", "last_login_at", "password_hash"];

/// How a state is taken in.
#[derive(Clone, Debug, Default)]
pub struct Reading {
    /// Entities are taken as a restore would bring them back: flows stopped, executions cancelled.
    pub settled: bool,
    /// Private keys among properties are not compared: one of the states does not carry them.
    pub without_keys: bool,
    /// Users and what else is the service's own are no part of what is compared.
    pub without_accounts: bool,
    /// The state is gone once it was taken in, so that its values are kept: else the first side is read again where
    /// they are asked for.
    pub passing: bool,
    /// Blueprints, by tenant and id, that a restore brings back without their archives.
    pub without_archives: BTreeSet<(String, String)>,
    /// The kinds that are not compared: one of the states does not carry them, or they can't be opened.
    pub skipped: Vec<&'static str>,
}

/// Takes one side of a comparison in.
pub struct IndexSink<'a> {
    index: &'a mut Index,
    side: Side,
    reading: Reading,
    /// An envelope of entities that waits for what Lifeboat keeps beside it.
    held: Option<(String, Vec<u8>)>,
    /// Cloudify's half of a tenant's secrets, by the path of ours.
    held_secrets: Option<(String, Zeroizing<Vec<u8>>)>,
    /// The number that was given last to an entity without a name of its own.
    last_number: (String, u64),
    keys: KeyMaterial,
    points: Points,
}

type Item<'a> = BTreeMap<String, &'a RawValue>;

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    source_id: Option<String>,
    #[serde(borrow, default)]
    items: Vec<Item<'a>>,
}

fn wrong(entry: &str, reason: impl Into<String>) -> SourceError {
    SourceError::Entry { entry: entry.to_owned(), reason: reason.into() }
}

fn envelope<'a>(name: &str, content: &'a [u8]) -> Result<Envelope<'a>, SourceError> {
    serde_json::from_slice(content).map_err(|error| wrong(name, error.to_string()))
}

/// The top folder and the tenant of `top/tenant/file`.
fn parts(name: &str) -> Option<(&str, &str, &str)> {
    let (top, rest) = name.split_once('/')?;
    let (tenant, file) = rest.split_once('/')?;
    (!file.contains('/') && !file.is_empty()).then_some((top, tenant, file))
}

/// What an entity belongs to is a value of it, though its envelope says it.
fn name_source(kind: &str, source: Option<&str>, fields: &mut Fields) {
    let Some(source) = source else { return };
    let key = TABLES.iter().find(|table| table.kind == kind).and_then(|table| table.source);
    let key = key.unwrap_or("source_id");
    if !fields.contains_key(key) {
        fields.insert(key.to_owned(), serde_json::Value::from(source).to_string());
    }
}

fn has_extra(kind: &str) -> bool {
    TABLES.iter().any(|table| table.kind == kind && !table.extra.is_empty())
}

impl<'a> IndexSink<'a> {
    /// Takes a state in as `side`. The first side comes first.
    pub fn new(index: &'a mut Index, side: Side, reading: Reading) -> Self {
        Self {
            index,
            side,
            reading,
            held: None,
            held_secrets: None,
            last_number: (String::new(), 0),
            keys: KeyMaterial::default(),
            points: Points::default(),
        }
    }

    /// Ends a side: what waited for the keys is taken in.
    ///
    /// # Errors
    /// An envelope without its other half; the database's own.
    pub fn finish(mut self) -> Result<(), SourceError> {
        if let Some((name, _)) = &self.held {
            return Err(wrong(name, "what Lifeboat keeps beside it is not there"));
        }
        self.end_series()?;
        let mut last = 0_i64;
        loop {
            let next: Option<(i64, [String; 4])> = {
                let mut statement = self.index.connection.prepare_cached(
                    "SELECT number, kind, tenant, id, fields FROM waiting WHERE number > ? ORDER BY number LIMIT 1",
                )?;
                let mut rows = statement.query([last])?;
                match rows.next()? {
                    Some(row) => Some((row.get(0)?, [row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?])),
                    None => None,
                }
            };
            let Some((number, [kind, tenant, id, json])) = next else { break };
            last = number;
            let mut fields = parse(&json).map_err(super::super::state)?;
            let keys = (!self.reading.without_keys).then_some(&self.keys);
            mark_placeholders(&kind, &mut fields, keys, &self.index.digests).map_err(super::super::state)?;
            self.index.add(self.side, (&kind, &tenant, &id), &fields, None)?;
        }
        self.index.connection.execute("DELETE FROM waiting", [])?;
        if self.side == Side::Second {
            self.index.sum_up()?;
        }
        Ok(())
    }

    fn skips(&self, kind: &str) -> bool {
        self.reading.skipped.contains(&kind)
    }

    /// Whether a sealed part is to be opened; those of files are not.
    fn opens(&self, part: &str) -> bool {
        match part {
            "secrets" => !self.skips("secrets"),
            "agents" => !self.skips("agent_credentials"),
            "private-keys" => !self.reading.without_keys,
            _ => !part.contains('/'),
        }
    }

    /// Takes an entity in under the name that its kind has.
    fn entity(
        &mut self,
        kind: &str,
        tenant: &str,
        source: Option<&str>,
        mut fields: Fields,
        place: Option<(&str, usize)>,
    ) -> Result<(), SourceError> {
        if self.skips(kind) {
            return Ok(());
        }
        if self.reading.settled {
            settle(kind, &mut fields);
        }
        normalize(kind, &mut fields);
        complete(kind, &mut fields);
        let id = match name(kind, source, &fields) {
            Name::Own(id) => id,
            Name::Numbered(stem) => {
                // Those that share it stand in their order; what comes and goes moves the numbers of later ones.
                let mut number = if self.last_number.0 == stem { self.last_number.1 + 1 } else { 1 };
                let id = loop {
                    let id = format!("{stem}/{number}");
                    if !self.index.has(self.side, (kind, tenant, &id))? {
                        break id;
                    }
                    number += 1;
                };
                self.last_number = (stem, number);
                id
            }
        };
        name_source(kind, source, &mut fields);
        if holds_placeholders(kind, &fields) {
            let json = super::fields::json(&fields);
            self.index
                .connection
                .prepare_cached("INSERT INTO waiting (kind, tenant, id, fields) VALUES (?, ?, ?, ?)")?
                .execute([kind, tenant, &id, &json])?;
            return Ok(());
        }
        let is_bare =
            kind == "blueprints" && self.reading.without_archives.contains(&(tenant.to_owned(), id.clone()));
        if is_bare {
            leave_archive_out(&mut fields);
        }
        let place = place.filter(|_| !self.reading.passing && !is_bare);
        self.index.add(self.side, (kind, tenant, &id), &fields, place)
    }

    /// Entities of a tenant, with what Lifeboat keeps beside them.
    fn entities(&mut self, name: &str, content: &[u8], extra: Option<&[u8]>) -> Result<(), SourceError> {
        let tenant = parts(name).map_or("", |(_, tenant, _)| tenant);
        let found = envelope(name, content)?;
        let extras = match extra {
            Some(content) => Some(envelope(name, content)?.items),
            None => None,
        };
        if extras.as_ref().is_some_and(|extras| extras.len() != found.items.len()) {
            return Err(wrong(name, "what Lifeboat keeps beside it does not fit"));
        }
        for (index, item) in found.items.iter().enumerate() {
            let extra = extras.as_ref().and_then(|extras| extras.get(index));
            let fields = fields(item, extra);
            self.entity(&found.kind, tenant, found.source_id.as_deref(), fields, Some((name, index)))?;
        }
        Ok(())
    }

    /// What is the service's own: it belongs to no tenant, and its times of logins are no difference.
    fn service_entities(&mut self, name: &str, content: &[u8]) -> Result<(), SourceError> {
        let found = envelope(name, content)?;
        // Tenants are taken in with the times that Lifeboat keeps beside them.
        if found.kind == "tenants" || self.reading.without_accounts {
            return Ok(());
        }
        for (index, item) in found.items.iter().enumerate() {
            let mut fields = fields(item, None);
            fields.retain(|key, _| !SERVICE_VALUES.contains(&key.as_str()));
            self.entity(&found.kind, "", None, fields, Some((name, index)))?;
        }
        Ok(())
    }

    fn end_series(&mut self) -> Result<(), SourceError> {
        if let Some((tenant, id, fields)) = self.points.take(&self.index.digests) {
            self.index.add(self.side, ("series", &tenant, &id), &fields, None)?;
        }
        Ok(())
    }

    /// Takes a file of measurements in, line by line.
    pub(super) fn measurements(&mut self, name: &str, content: &mut dyn Read) -> Result<(), SourceError> {
        if self.skips("series") {
            return Ok(());
        }
        let tenant = parts(name).map_or("", |(_, tenant, _)| tenant);
        let mut reader = BufReader::new(content);
        let mut line = Vec::new();
        while super::points::read_line(&mut reader, &mut line)
            .map_err(|error| wrong(name, error.to_string()))?
        {
            let text = std::str::from_utf8(&line).map_err(|_| wrong(name, "it is not UTF-8"))?;
            let Some(point) = super::points::parse(text).map_err(|reason| wrong(name, reason))? else {
                continue;
            };
            if !self.points.is_of(tenant, point.series) {
                self.end_series()?;
                self.points.begin(tenant, point.series);
            }
            self.points.add(&point);
        }
        Ok(())
    }

    /// One content of a sealed part.
    fn sealed_content(&mut self, part: &str, path: &str, content: &[u8]) -> Result<(), SourceError> {
        match (part, parts(path)) {
            ("private-keys", _) => {
                self.keys =
                    KeyMaterial::from_json(content).map_err(|error| wrong(path, error.to_string()))?;
                Ok(())
            }
            ("secrets", _) if self.skips("secrets") => Ok(()),
            ("agents", _) if self.skips("agent_credentials") => Ok(()),
            ("secrets", Some(("tenants", tenant, file))) => {
                self.held_secrets =
                    Some((format!("lifeboat/{tenant}/{file}"), Zeroizing::new(content.to_vec())));
                Ok(())
            }
            ("secrets", Some(("lifeboat", tenant, _))) => match self.held_secrets.take() {
                Some((expected, secrets)) if expected == path => {
                    self.secrets(path, tenant, &secrets, content)
                }
                _ => Err(wrong(path, "what stands beside it is not there")),
            },
            ("agents", Some((tenant, agent, value))) => {
                let fields = Fields::from([("value".to_owned(), self.index.digests.mark(content))]);
                let id = format!("{agent}/{value}");
                self.index.add(self.side, ("agent_credentials", tenant, &id), &fields, None)
            }
            _ => {
                let fields = Fields::from([("content".to_owned(), self.index.digests.mark(content))]);
                self.index.add(self.side, (part, "", path), &fields, None)
            }
        }
    }

    /// The secrets of a tenant, Cloudify's half and ours.
    fn secrets(&mut self, path: &str, tenant: &str, secrets: &[u8], extra: &[u8]) -> Result<(), SourceError> {
        let (secrets, extras) = (envelope(path, secrets)?, envelope(path, extra)?);
        if secrets.items.len() != extras.items.len() {
            return Err(wrong(path, "what Lifeboat keeps beside it does not fit"));
        }
        for (item, extra) in secrets.items.iter().zip(&extras.items) {
            let mut fields = fields(item, Some(extra));
            for key in SECRET_VALUES {
                if let Some(raw) = fields.get_mut(key).filter(|raw| *raw != "null") {
                    *raw = self.index.digests.mark(raw.as_bytes());
                }
            }
            let id = text(&fields, "key").ok_or_else(|| wrong(path, "a secret has no key"))?;
            self.index.add(self.side, ("secrets", tenant, &id), &fields, None)?;
        }
        Ok(())
    }
}

struct Contents<'a, 'b> {
    sink: &'a mut IndexSink<'b>,
    part: &'a str,
}

impl SealedSink for Contents<'_, '_> {
    fn add(&mut self, path: &str, content: &[u8]) -> Result<(), SourceError> {
        self.sink.sealed_content(self.part, path, content)
    }
}

impl EntrySink for IndexSink<'_> {
    fn wants_files(&self) -> bool {
        // An entity of a blueprint or plugin names the hash of its file.
        false
    }

    fn folder(&mut self, _name: &str) -> Result<(), SourceError> {
        Ok(())
    }

    fn bytes(&mut self, name: &str, content: &[u8]) -> Result<(), SourceError> {
        match parts(name) {
            Some(("tenants", _, file)) if file.ends_with(".json") => {
                let found = envelope(name, content)?;
                if has_extra(&found.kind) {
                    self.held = Some((name.replacen("tenants/", "lifeboat/", 1), content.to_vec()));
                    return Ok(());
                }
                self.entities(name, content, None)
            }
            Some(("lifeboat", tenant, file)) if file.ends_with(".json") => {
                if self.held.as_ref().is_some_and(|(expected, _)| expected == name) {
                    let (_, held) = self.held.take().unwrap_or_default();
                    return self.entities(&name.replacen("lifeboat/", "tenants/", 1), &held, Some(content));
                }
                let found = envelope(name, content)?;
                if is_own(&found.kind) {
                    return self.entities(name, content, None);
                }
                if found.kind == "tenant" {
                    for item in &found.items {
                        let fields = fields(item, None);
                        self.index.add(self.side, ("tenants", tenant, tenant), &fields, None)?;
                    }
                }
                Ok(())
            }
            Some(("flows" | "charts" | "metrics", _, file)) if file.ends_with(".json") => {
                self.entities(name, content, None)
            }
            Some(("metrics", _, file)) if file.ends_with(".txt") => {
                self.measurements(name, &mut std::io::Cursor::new(content))
            }
            _ if name.starts_with("mgmt/") && name.ends_with(".json") => self.service_entities(name, content),
            _ => Ok(()),
        }
    }

    fn file(&mut self, _name: &str, _file: &mut File) -> Result<(), SourceError> {
        Ok(())
    }

    fn sealed(
        &mut self,
        name: &str,
        fill: &mut dyn FnMut(&mut dyn SealedSink) -> Result<(), SourceError>,
    ) -> Result<(), SourceError> {
        fill(&mut Contents { sink: self, part: name })?;
        match self.held_secrets.take() {
            Some((expected, _)) => Err(wrong(&expected, "it is not there")),
            None => Ok(()),
        }
    }

    fn sealed_stream(&mut self, _name: &str, _content: &mut dyn Read) -> Result<(), SourceError> {
        Ok(())
    }
}

/// Replays an archive into a sink, as if its state were collected. `check` is asked before each entry.
///
/// # Errors
/// What `check` says; an archive that is not what a create wrote; a sealed part that no key opens.
pub fn replay(
    source: &dyn EntrySource,
    sink: &mut IndexSink<'_>,
    check: &mut dyn FnMut() -> Result<(), SourceError>,
) -> Result<(), SourceError> {
    let names = source.names();
    for name in names {
        check()?;
        match parts(name) {
            // Read beside what it belongs to, wherever it stands.
            Some(("lifeboat", _, _)) => {
                let content = source.bytes(name)?;
                let kind = envelope(name, &content)?.kind;
                if kind == "tenant" || is_own(&kind) {
                    sink.bytes(name, &content)?;
                }
            }
            Some(("tenants", _, file)) if file.ends_with(".json") => {
                sink.bytes(name, &source.bytes(name)?)?;
                if let Some(extra) = sink.held.as_ref().map(|(extra, _)| extra.clone()) {
                    sink.bytes(&extra, &source.bytes(&extra)?)?;
                }
            }
            Some(("metrics", _, file)) if file.ends_with(".txt") => {
                sink.measurements(name, &mut *source.stream(name)?)?;
            }
            Some(("flows" | "charts" | "metrics", _, file)) if file.ends_with(".json") => {
                sink.bytes(name, &source.bytes(name)?)?;
            }
            _ if name.starts_with("mgmt/") => sink.bytes(name, &source.bytes(name)?)?,
            _ => {
                let part = name.strip_prefix("credentials/").and_then(|name| name.strip_suffix(".age"));
                let Some(part) = part.filter(|part| sink.opens(part)) else { continue };
                sink.sealed(part, &mut |sealed| {
                    source.each_sealed(part, &mut |path, content| sealed.add(path, &content)).map(drop)
                })?;
            }
        }
    }
    Ok(())
}

/// Reads the values of one entity of an archive again.
///
/// # Errors
/// An archive that is not the one that was taken in.
pub(super) fn read_item(
    source: &dyn EntrySource,
    kind: &str,
    place: &super::ItemPlace,
    is_settled: bool,
) -> Result<Fields, SourceError> {
    let name = &place.entry;
    let gone = || wrong(name, "it is not the archive that was compared");
    let content = source.bytes(name)?;
    let found = envelope(name, &content)?;
    let item = found.items.get(place.item).filter(|_| found.kind == kind).ok_or_else(gone)?;
    let beside = match has_extra(kind) && name.starts_with("tenants/") {
        true => Some(source.bytes(&name.replacen("tenants/", "lifeboat/", 1))?),
        false => None,
    };
    let extras = beside.as_deref().map(|content| envelope(name, content)).transpose()?;
    let extra = extras.as_ref().and_then(|extras| extras.items.get(place.item));
    let mut fields = fields(item, extra);
    if name.starts_with("mgmt/") {
        fields.retain(|key, _| !SERVICE_VALUES.contains(&key.as_str()));
    }
    if is_settled {
        settle(kind, &mut fields);
    }
    normalize(kind, &mut fields);
    complete(kind, &mut fields);
    name_source(kind, found.source_id.as_deref(), &mut fields);
    Ok(fields)
}

//! Reads an archive as a restore would, and writes nothing: whether all that it names is there and can be read.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};

use serde::Deserialize;
use serde::de::IgnoredAny;
use sha2::{Digest, Sha256};

use crate::executions::Job;

use super::super::{EntrySource, Polled, SourceError};
use super::collect::sealed_blueprint;
use super::stage::{tenant_envelope, tenant_folder};
use super::tables::{is_dumped, is_own};
use super::{ABOUT, About};

/// The sealed parts of several contents.
const BUNDLES: [&str; 3] = ["secrets", "agents", "private-keys"];

/// What of an envelope tells which further entries belong to it.
#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "type")]
    kind: String,
    items: Vec<Item>,
}

/// What of an item does; what else stands in it only has to be JSON.
#[derive(Deserialize)]
struct Item {
    #[serde(default)]
    id: Option<Id>,
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    archive_blob: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Id {
    Text(String),
    Number(IgnoredAny),
}

/// Reads every document, opens every sealed part, and looks for every file that a record names. Answers how many
/// entities there are, by kind, of those that stand in documents.
///
/// # Errors
/// The first thing that a restore would stumble over, with its entry; a cancel.
pub fn judge(job: &Job, entries: &dyn EntrySource) -> Result<BTreeMap<String, u64>, SourceError> {
    let judge = Judge { job, entries, names: entries.names().into_iter().collect() };
    let about: About = parse(ABOUT, &entries.bytes(ABOUT)?)?;
    if about.schema_version > crate::manager::schema::SCHEMA_VERSION {
        return Err(SourceError::Refused(format!(
            "the archive was taken by a newer Lifeboat (tables of version {}): restore it with that version",
            about.schema_version
        )));
    }
    let mut counts = BTreeMap::new();
    for name in entries.names().into_iter().filter(|name| name.ends_with(".json")) {
        job.check()?;
        judge.document(name, &mut counts)?;
    }
    for name in BUNDLES {
        job.check()?;
        entries.each_sealed(name, &mut |path, content| {
            job.check()?;
            if path.ends_with(".json") { parse::<IgnoredAny>(path, &content).map(drop) } else { Ok(()) }
        })?;
    }
    Ok(counts)
}

struct Judge<'a> {
    job: &'a Job,
    entries: &'a dyn EntrySource,
    names: BTreeSet<&'a str>,
}

impl Judge<'_> {
    fn document(&self, name: &str, counts: &mut BTreeMap<String, u64>) -> Result<(), SourceError> {
        let bytes = self.entries.bytes(name)?;
        let top = name.split('/').next().unwrap_or_default();
        if name.split('/').count() == 1 || (top == "lifeboat" && name == ABOUT) {
            return parse::<IgnoredAny>(name, &bytes).map(drop);
        }
        let envelope: Envelope = parse(name, &bytes)?;
        match top {
            "lifeboat" if is_own(&envelope.kind) => {}
            "lifeboat" => return self.beside(name),
            "mgmt" if envelope.kind == "tenants" => self.tenants(name, &envelope)?,
            "tenants" => self.entities(name, &envelope)?,
            _ => {}
        }
        *counts.entry(envelope.kind).or_default() += envelope.items.len() as u64;
        Ok(())
    }

    /// What Lifeboat keeps beside an envelope, which has to be there.
    fn beside(&self, name: &str) -> Result<(), SourceError> {
        let is_of_tenant = name.split('/').count() == 3;
        if is_of_tenant && !self.names.contains(name.replacen("lifeboat/", "tenants/", 1).as_str()) {
            return Err(wrong(name, "the entities that it is about are not there"));
        }
        Ok(())
    }

    fn tenants(&self, name: &str, envelope: &Envelope) -> Result<(), SourceError> {
        let folders: BTreeSet<&str> = self.names.iter().filter_map(|name| tenant_folder(name)).collect();
        for item in &envelope.items {
            let tenant = item.name.as_deref().unwrap_or_default();
            if !folders.contains(tenant) {
                return Err(wrong(name, format!("the tenant `{tenant}` has no folder in the archive")));
            }
        }
        Ok(())
    }

    /// An envelope of entities, what is kept beside it, and the files that its items name.
    fn entities(&self, name: &str, envelope: &Envelope) -> Result<(), SourceError> {
        let Some(tenant) = tenant_envelope(name) else {
            return Err(wrong(name, "it is no envelope of entities"));
        };
        if envelope.kind == "sites" && envelope.items.is_empty() {
            return Ok(());
        }
        if !is_dumped(&envelope.kind) {
            return Err(wrong(name, format!("entities of type `{}` are not known here", envelope.kind)));
        }
        let extra = name.replacen("tenants/", "lifeboat/", 1);
        if !self.names.contains(extra.as_str()) {
            return Ok(());
        }
        let extras: Envelope = parse(&extra, &self.entries.bytes(&extra)?)?;
        if extras.kind != envelope.kind || extras.items.len() != envelope.items.len() {
            return Err(wrong(name, "what Lifeboat keeps beside it does not fit"));
        }
        for (item, extra) in envelope.items.iter().zip(&extras.items) {
            let (Some(Id::Text(id)), Some(blob)) = (&item.id, &extra.archive_blob) else { continue };
            self.file(&envelope.kind, tenant, id, blob)?;
        }
        Ok(())
    }

    /// The archive of a blueprint or plugin: it is there, it opens, and it is the one that its record names.
    fn file(&self, kind: &str, tenant: &str, id: &str, expected: &str) -> Result<(), SourceError> {
        self.job.check()?;
        let name = match kind {
            "plugins" => format!("tenants/{tenant}/plugins/{id}.zip"),
            _ => format!("tenants/{tenant}/blueprints/{id}.tar.gz"),
        };
        let found = match self.entries.sha256(&name) {
            // What is in the open was read and hashed before, as the manifest lists it.
            Some(sha256) => sha256,
            None => {
                let sealed = match kind {
                    "plugins" => None,
                    _ => self.entries.sealed_stream(&sealed_blueprint(tenant, id))?,
                };
                let content = match sealed {
                    Some(content) => content,
                    None => self.entries.stream(&name)?,
                };
                self.hash(content)?
            }
        };
        if found != expected {
            return Err(wrong(&name, "it is not the archive that its record names"));
        }
        Ok(())
    }

    fn hash(&self, content: Box<dyn Read + '_>) -> Result<String, SourceError> {
        let mut content = Polled::new(self.job, content);
        let mut hash = Sha256::new();
        let mut buffer = vec![0; 256 << 10];
        loop {
            let read =
                content.read(&mut buffer).map_err(|error: io::Error| match self.job.is_cancelled() {
                    true => SourceError::Cancelled,
                    false => error.into(),
                })?;
            match read {
                0 => return Ok(hex::encode(hash.finalize())),
                read => hash.update(&buffer[..read]),
            }
        }
    }
}

fn parse<T: serde::de::DeserializeOwned>(entry: &str, bytes: &[u8]) -> Result<T, SourceError> {
    serde_json::from_slice(bytes).map_err(|error| wrong(entry, error.to_string()))
}

fn wrong(entry: &str, reason: impl Into<String>) -> SourceError {
    SourceError::Entry { entry: entry.to_owned(), reason: reason.into() }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value, json};

    use super::super::super::TakeContent;
    use super::super::tables::TABLES;
    use super::*;
    use crate::model::{Caller, Execution, Grants, SystemRole, TenantName, UserName, Workflow};
    use crate::records::Records;

    /// The entries of an archive, by name.
    struct Fake(BTreeMap<String, Vec<u8>>);

    impl Fake {
        fn set(mut self, name: &str, content: &Value) -> Self {
            self.0.insert(name.to_owned(), content.to_string().into_bytes());
            self
        }

        fn without(mut self, name: &str) -> Self {
            self.0.remove(name).unwrap();
            self
        }
    }

    fn absent(name: &str) -> SourceError {
        SourceError::Entry { entry: name.to_owned(), reason: "it is not there".to_owned() }
    }

    impl EntrySource for Fake {
        fn names(&self) -> Vec<&str> {
            self.0.keys().map(String::as_str).collect()
        }

        fn bytes(&self, name: &str) -> Result<Vec<u8>, SourceError> {
            self.0.get(name).cloned().ok_or_else(|| absent(name))
        }

        fn sha256(&self, name: &str) -> Option<String> {
            self.0.get(name).map(|content| hex::encode(Sha256::digest(content)))
        }

        fn stream(&self, name: &str) -> Result<Box<dyn Read + '_>, SourceError> {
            let content = self.0.get(name).ok_or_else(|| absent(name))?;
            Ok(Box::new(content.as_slice()))
        }

        fn is_skipped(&self, _: &str) -> bool {
            false
        }

        fn each_sealed(&self, _: &str, _: &mut TakeContent<'_>) -> Result<bool, SourceError> {
            Ok(false)
        }

        fn sealed_stream(&self, _: &str) -> Result<Option<Box<dyn Read + '_>>, SourceError> {
            Ok(None)
        }
    }

    fn sound() -> Fake {
        let blob = hex::encode(Sha256::digest(b"\"wagon\""));
        Fake(BTreeMap::new())
            .set(ABOUT, &json!({ "schema_version": 1, "cut_at": "2026-02-20T01:18:46.000Z" }))
            .set("mgmt/00000001.json", &json!({ "type": "tenants", "items": [{ "name": "north" }] }))
            .set("tenants/north/", &json!(null))
            .set("tenants/north/00000001.json", &json!({ "type": "sites", "items": [] }))
            .set(
                "tenants/north/00000002.json",
                &json!({ "type": "plugins", "items": [{ "id": "p", "title": null }] }),
            )
            .set(
                "lifeboat/north/00000002.json",
                &json!({ "type": "plugins", "items": [{ "archive_blob": blob }] }),
            )
            .set("tenants/north/plugins/p.zip", &json!("wagon"))
            .set("charts/north/00000001.json", &json!({ "type": "spaces", "items": [{ "id": 1000 }] }))
            .set("report.json", &json!({}))
    }

    fn run(fake: &Fake) -> Result<BTreeMap<String, u64>, SourceError> {
        let folder = tempfile::tempdir().unwrap();
        let records = Records::open(&folder.path().join("records.db")).unwrap();
        let caller = Caller {
            user: UserName::trusted("admin"),
            system_role: SystemRole::SysAdmin,
            tenant: TenantName::default_tenant(),
            tenant_role: None,
            tenants: Vec::new(),
            grants: Grants::default(),
        };
        let execution = Execution::new(&caller, Workflow::VerifySnapshot, Map::new());
        judge(&Job::detached(execution, records.database().clone()), fake)
    }

    #[test]
    fn a_sound_archive_is_counted() {
        let counts = run(&sound()).unwrap();
        assert_eq!(counts["plugins"], 1);
        assert_eq!((counts["tenants"], counts["spaces"]), (1, 1));
    }

    #[test]
    fn every_kind_that_is_dumped_is_counted() {
        for table in TABLES.iter().filter(|table| table.is_dumped()) {
            let envelope = json!({ "type": table.kind, "items": [{}] });
            let counts = run(&sound().set("tenants/north/00000003.json", &envelope)).unwrap();
            assert!(counts[table.kind] > 0, "{counts:?}");
        }
    }

    #[test]
    fn what_a_restore_would_stumble_over_is_named() {
        let file = "tenants/north/plugins/p.zip";
        for (fake, entry) in [
            (sound().without(ABOUT), ABOUT),
            (sound().without("tenants/north/"), "mgmt/00000001.json"),
            (sound().without(file), file),
            (sound().set(file, &json!("other")), file),
            (
                sound().set("lifeboat/north/00000002.json", &json!({ "type": "plugins", "items": [] })),
                "tenants/north/00000002.json",
            ),
            (
                sound().set("tenants/north/00000002.json", &json!({ "type": "towers", "items": [{}] })),
                "tenants/north/00000002.json",
            ),
            (
                sound().set("charts/north/00000001.json", &json!({ "items": [] })),
                "charts/north/00000001.json",
            ),
        ] {
            let error = run(&fake).unwrap_err().to_string();
            assert!(error.contains(entry), "{entry}: {error}");
        }
        let mut torn = sound();
        torn.0.insert("report.json".to_owned(), b"{\"a\":".to_vec());
        assert!(run(&torn).unwrap_err().to_string().contains("report.json"));
    }
}

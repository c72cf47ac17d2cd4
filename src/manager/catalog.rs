//! The plugins of a manager as blueprints import them: by package and version, each with its description.

use std::collections::HashMap;
use std::io::Read;
use std::str::FromStr;

use pep440_rs::{Operator, Version, VersionSpecifier};
use rusqlite::Connection;

use crate::model::BlobId;

use super::blueprint::{Catalog, Description};
use super::wagon::Wagon;
use super::{Blobs, Manager, ManagerError};

/// How an import says that it means a plugin.
const PREFIX: &str = "plugin:";

/// A plugin that blueprints of a tenant may import.
struct Kept {
    package: String,
    version: Version,
    distribution: Option<String>,
    blob: BlobId,
}

/// Which version of a package takes the place of the one that an import asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mapping {
    /// The import, as written.
    pub import: String,
    /// The package that is imported in its place.
    pub package: String,
    /// The versions that serve, e.g. `==1.2.0`.
    pub version: String,
}

/// The plugins that blueprints of a tenant may import.
pub(super) struct Plugins {
    kept: Vec<Kept>,
    blobs: Blobs,
    /// Versions of packages that serve, beside what the imports say.
    constraints: HashMap<String, String>,
    mappings: Vec<Mapping>,
}

impl Plugins {
    /// Those that `user` sees in a tenant. One whose version is none of Python's is left out: none can be said to be later.
    ///
    /// # Errors
    /// The database's own.
    pub fn read(
        connection: &Connection,
        manager: &Manager,
        tenant: &str,
        user: &str,
    ) -> Result<Self, ManagerError> {
        let kept: Vec<Option<Kept>> = connection
            .prepare_cached(
                "SELECT package_name, package_version, distribution, archive_blob FROM plugins
                 WHERE (tenant_name = ?1 AND (visibility <> 'private' OR created_by = ?2)) OR visibility = 'global'
                 ORDER BY number",
            )?
            .query_map((tenant, user), |row| {
                let (version, blob): (Option<String>, Option<String>) = (row.get(1)?, row.get(3)?);
                let version = version.and_then(|version| Version::from_str(&version).ok());
                let blob = blob.as_deref().and_then(BlobId::parse);
                let (package, distribution) = (row.get(0)?, row.get(2)?);
                Ok(version.zip(blob).map(|(version, blob)| Kept { package, version, distribution, blob }))
            })?
            .collect::<rusqlite::Result<_>>()?;
        let kept = kept.into_iter().flatten().collect();
        let blobs = manager.blobs().clone();
        Ok(Self { kept, blobs, constraints: HashMap::new(), mappings: Vec::new() })
    }

    /// The same, of which only such versions serve.
    pub fn constrained(self, constraints: HashMap<String, String>, mappings: Vec<Mapping>) -> Self {
        Self { constraints, mappings, ..self }
    }

    /// The latest plugin that an import means.
    fn find(&self, import: &str) -> Result<Option<&Kept>, String> {
        let mapping = self.mappings.iter().find(|mapping| mapping.import == import);
        let Some(spec) = import.strip_prefix(PREFIX).or(mapping.map(|_| "")) else { return Ok(None) };
        let (name, query) = spec.trim().split_once('?').unwrap_or((spec.trim(), ""));
        let mut wanted: Vec<VersionSpecifier> = Vec::new();
        let mut distribution: Option<String> = None;
        for (key, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match key.as_ref() {
                "version" => wanted.extend(specifiers(&value)?),
                "distribution" => distribution = Some(value.into_owned()),
                other => {
                    return Err(format!(
                        "`{other}` can't be asked of a plugin: write version=… or distribution=…"
                    ));
                }
            }
        }
        let name = mapping.map_or(name, |mapping| &mapping.package);
        let by_name = self.mappings.iter().find(|mapping| mapping.package == name);
        if let Some(mapping) = mapping.or(by_name) {
            wanted = specifiers(&mapping.version)?;
        } else if let Some(constraint) = self.constraints.get(name) {
            wanted.extend(specifiers(constraint)?);
        }
        // As Python's tools have it, a version before its release serves only who names such a one.
        let takes_early = wanted.iter().any(|specifier| specifier.version().any_prerelease());
        let serves = |kept: &&Kept| {
            kept.package == name
                && (takes_early || !kept.version.any_prerelease())
                && distribution.as_ref().is_none_or(|wanted| kept.distribution.as_ref() == Some(wanted))
                && wanted.iter().all(|specifier| specifier.contains(&kept.version))
        };
        Ok(self.kept.iter().filter(serves).max_by(|one, other| one.version.cmp(&other.version)))
    }
}

/// Versions that serve, with commas between them; one without an operator is meant exactly.
pub(super) fn specifiers(text: &str) -> Result<Vec<VersionSpecifier>, String> {
    text.split(',')
        .map(str::trim)
        .map(|one| {
            VersionSpecifier::from_str(one).or_else(|_| {
                let exact = Version::from_str(one)
                    .map_err(|_| format!("`{one}` is no version, nor a range such as `>=1.2`"))?;
                VersionSpecifier::from_version(Operator::ExactEqual, exact).map_err(|error| error.to_string())
            })
        })
        .collect()
}

impl Catalog for Plugins {
    fn description(&self, import: &str, language: &str) -> Result<Option<Description>, String> {
        let Some(kept) = self.find(import)? else { return Ok(None) };
        let name = format!("{PREFIX}{}?version={}", kept.package, kept.version);
        let unreadable = |error: &dyn std::fmt::Display| {
            tracing::warn!(%error, "the archive of plugin `{name}` could not be read");
            format!("the archive of `{name}` can't be read: upload the plugin again")
        };
        let archive = self.blobs.read(&kept.blob).map_err(|error| unreadable(&error))?;
        let found = Wagon::extract_yaml(archive, Some(language), self.blobs.partial_folder())
            .map_err(|error| unreadable(&error))?;
        // A wagon that was uploaded without its description says nothing to a blueprint.
        let Some((_, mut file)) = found else { return Ok(None) };
        let mut yaml = String::new();
        file.read_to_string(&mut yaml).map_err(|error| unreadable(&error))?;
        Ok(Some(Description { name, yaml }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plugins(of: &[(&str, &str)]) -> Plugins {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("tmp")).unwrap();
        let blobs = Blobs::open(&folder.path().join("blobs"), &folder.path().join("tmp")).unwrap();
        let blob = blobs.put(&mut &b"wagon"[..]).unwrap().pin.blob().clone();
        let kept = of.iter().map(|(package, version)| Kept {
            package: (*package).to_owned(),
            version: Version::from_str(version).unwrap(),
            distribution: None,
            blob: blob.clone(),
        });
        Plugins { kept: kept.collect(), blobs, constraints: HashMap::new(), mappings: Vec::new() }
    }

    fn found(plugins: &Plugins, import: &str) -> Option<String> {
        plugins.find(import).unwrap().map(|kept| format!("{} {}", kept.package, kept.version))
    }

    #[test]
    fn an_import_means_the_latest_version_that_serves() {
        let plugins =
            plugins(&[("lamp", "1.10.0"), ("lamp", "1.9.1"), ("lamp", "2.0.0rc1"), ("buoy", "3.0")]);
        assert_eq!(found(&plugins, "plugin:lamp").as_deref(), Some("lamp 1.10.0"));
        assert_eq!(found(&plugins, "plugin:lamp?version=>=2.0.0rc1").as_deref(), Some("lamp 2.0.0rc1"));
        assert_eq!(found(&plugins, "plugin:lamp?version=<2").as_deref(), Some("lamp 1.10.0"));
        assert_eq!(found(&plugins, "plugin:lamp?version=1.9.1").as_deref(), Some("lamp 1.9.1"));
        assert_eq!(found(&plugins, "plugin:lamp?version=>=1.9,<1.10").as_deref(), Some("lamp 1.9.1"));
        assert_eq!(found(&plugins, "plugin:lamp?version=7"), None);
        assert_eq!(found(&plugins, "plugin:lamp?distribution=debian"), None);
        assert_eq!(found(&plugins, "lamp"), None);
        assert!(plugins.find("plugin:lamp?colour=red").is_err());
        assert!(plugins.find("plugin:lamp?version=>>1").is_err());
    }

    #[test]
    fn constraints_narrow_what_an_import_says_and_mappings_take_its_place() {
        let plugins = plugins(&[("lamp", "1.9.1"), ("lamp", "1.10.0"), ("lamp", "2.0"), ("buoy", "3.0")]);
        let constraints = HashMap::from([("lamp".to_owned(), ">=1.9,<2".to_owned())]);
        let mapping = Mapping {
            import: "plugin:old-buoy".to_owned(),
            package: "buoy".to_owned(),
            version: "==3.0".to_owned(),
        };
        let plugins = plugins.constrained(constraints, vec![mapping]);
        assert_eq!(found(&plugins, "plugin:lamp").as_deref(), Some("lamp 1.10.0"));
        assert_eq!(found(&plugins, "plugin:lamp?version=<1.10").as_deref(), Some("lamp 1.9.1"));
        assert_eq!(found(&plugins, "plugin:lamp?version=2.0"), None);
        assert_eq!(found(&plugins, "plugin:old-buoy").as_deref(), Some("buoy 3.0"));
        assert_eq!(found(&plugins, "plugin:buoy?version=1").as_deref(), Some("buoy 3.0"));
    }
}

//! Plugins: archives of code that blueprints name. They are kept, listed and handed out; nothing in them is run.

use rusqlite::{OptionalExtension, params};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::database::{Collection, Column, ColumnKind, ListQuery, Page};
use crate::files::OpenFile;
use crate::model::{BlobId, Caller, Timestamp, UserName, Visibility};

use super::entities::{Kind, PRIVATE_RESOURCE, RESOURCE_AVAILABILITY, find, locate};
use super::labels::label_pair;
use super::wagon::{Wagon, read_plugin};
use super::{Download, Manager, ManagerError, StoredBlob};

/// A plugin as Cloudify 7 lists it.
pub const PLUGINS: Collection = Collection {
    noun: "Plugin",
    table: "plugins",
    columns: &[
        Column::text("id"),
        Column::text("visibility"),
        Column::text("archive_name"),
        Column::text("distribution"),
        Column::text("distribution_release"),
        Column::text("distribution_version"),
        Column::json("excluded_wheels"),
        Column::text("package_name"),
        Column::text("package_source"),
        Column::text("package_version"),
        Column::text("supported_platform"),
        Column::json("supported_py_versions"),
        Column::text("uploaded_at"),
        Column::json("wheels"),
        Column::text("title"),
        Column::expression("installation_state", "'[]'", ColumnKind::Json),
        Column::expression("labels", "nullif(labels, '[]')", ColumnKind::Json),
        Column::json("blueprint_labels"),
        Column::json("resource_tags"),
        Column::text("tenant_name"),
        Column::text("created_by"),
        RESOURCE_AVAILABILITY,
        PRIVATE_RESOURCE,
        Column::expression("file_server_path", "''", ColumnKind::Text),
        Column::expression("yaml_url_path", "''", ColumnKind::Text),
        Column::integer("archive_size_bytes"),
    ],
    search: &["id", "package_name", "title"],
    default_sort: "uploaded_at, number",
};

const PLUGIN: Kind = Kind { collection: &PLUGINS, key: "id" };

/// A plugin that a caller brings; its archive is stored already.
#[derive(Debug)]
pub struct NewPlugin {
    /// Its id, where it comes from another manager.
    pub id: Option<String>,
    /// Whose it is, where that is not the caller.
    pub created_by: Option<UserName>,
    /// When it was uploaded, where that is not now.
    pub uploaded_at: Option<Timestamp>,
    /// Who may see it.
    pub visibility: Visibility,
    /// The name that people see; the package's where none is given.
    pub title: Option<String>,
    /// A wagon, or a zip that holds one.
    pub archive: StoredBlob,
}

impl NewPlugin {
    /// One of the caller's own, with the title of its package.
    pub fn new(visibility: Visibility, archive: StoredBlob) -> Self {
        Self { id: None, created_by: None, uploaded_at: None, visibility, title: None, archive }
    }
}

/// What is to be changed of a plugin; `None` leaves it.
#[derive(Clone, Debug, Default)]
pub struct PluginChange {
    /// The labels that blueprints get which use it: lists of values by key.
    pub blueprint_labels: Option<Map<String, Value>>,
    /// The labels that their deployments get, in the same form.
    pub labels: Option<Map<String, Value>>,
    /// The tags of what their deployments make.
    pub resource_tags: Option<Map<String, Value>>,
    /// Whose it is.
    pub owner: Option<UserName>,
}

impl Manager {
    /// The plugins that the caller sees.
    ///
    /// # Errors
    /// Columns that there are not; the database's own.
    pub async fn plugins(&self, caller: &Caller, query: ListQuery) -> Result<Page, ManagerError> {
        self.page(&PLUGIN, caller, query).await
    }

    /// One plugin.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`]; columns that there are not; the database's own.
    pub async fn plugin(
        &self,
        caller: &Caller,
        id: &str,
        include: Option<Vec<String>>,
    ) -> Result<Map<String, Value>, ManagerError> {
        self.one(&PLUGIN, caller, id, include).await
    }

    /// Keeps a plugin under a new id, or the one that it has elsewhere, and answers it.
    ///
    /// # Errors
    /// [`ManagerError::BadParameters`] for an archive without a `package.json`; an id that is no UUID;
    /// [`ManagerError::Conflict`] where the same version of the package for the same system is kept already, or a plugin of
    /// that id.
    pub async fn create_plugin(
        &self,
        caller: &Caller,
        new: NewPlugin,
    ) -> Result<Map<String, Value>, ManagerError> {
        let id = match &new.id {
            Some(id) => Uuid::parse_str(id).map_err(|_| {
                ManagerError::BadParameters(format!("the id of a plugin is a UUID, and not `{id}`"))
            })?,
            None => Uuid::new_v4(),
        }
        .to_string();
        let archive = self.blobs().read(new.archive.pin.blob())?;
        let wagon = tokio::task::spawn_blocking(move || read_plugin(archive))
            .await
            .map_err(std::io::Error::other)??
            .package;
        let caller = caller.clone();
        self.write(move |tx| {
            let taken: Option<String> = tx
                .query_row(
                    "SELECT archive_name FROM plugins WHERE (tenant_name = ?1 OR visibility = 'global' OR ?7)
                     AND package_name = ?2 AND package_version IS ?3 AND distribution IS ?4
                     AND distribution_release IS ?5 AND distribution_version IS ?6",
                    params![
                        caller.tenant.as_str(),
                        wagon.package_name,
                        wagon.package_version,
                        wagon.distribution,
                        wagon.distribution_release,
                        wagon.distribution_version,
                        new.visibility == Visibility::Global,
                    ],
                    |row| row.get(0),
                )
                .optional()?;
            if let Some(archive_name) = taken {
                return Err(ManagerError::Conflict(format!(
                    "a plugin archive by the name of {archive_name} already exists for package with name {} and version {}",
                    wagon.package_name,
                    wagon.package_version.as_deref().unwrap_or("None"),
                )));
            }
            if tx.query_row("SELECT EXISTS (SELECT 1 FROM plugins WHERE id = ?)", [&id], |row| row.get(0))? {
                return Err(ManagerError::Conflict(format!("plugin with id `{id}` already exists")));
            }
            let list = |names: &[String]| Value::from(names.to_vec()).to_string();
            tx.execute(
                "INSERT INTO plugins (tenant_name, id, visibility, created_by, uploaded_at, archive_name, package_name,
                 package_version, package_source, distribution, distribution_version, distribution_release,
                 supported_platform, supported_py_versions, wheels, excluded_wheels, title, archive_blob,
                 archive_size_bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                params![
                    caller.tenant.as_str(),
                    id,
                    new.visibility.as_str(),
                    new.created_by.as_ref().unwrap_or(&caller.user).as_str(),
                    new.uploaded_at.unwrap_or_else(Timestamp::now).to_string(),
                    wagon.archive_name,
                    wagon.package_name,
                    wagon.package_version,
                    wagon.package_source,
                    wagon.distribution,
                    wagon.distribution_version,
                    wagon.distribution_release,
                    wagon.supported_platform,
                    list(&wagon.supported_py_versions),
                    list(&wagon.wheels),
                    list(&wagon.excluded_wheels),
                    new.title.as_deref().unwrap_or(&wagon.package_name),
                    new.archive.pin.blob().as_str(),
                    i64::try_from(new.archive.size_bytes).unwrap_or(i64::MAX),
                ],
            )?;
            find(tx, &PLUGIN, &caller, &id, None)
        })
        .await
    }

    /// Removes a plugin, and answers what it was.
    ///
    /// # Errors
    /// [`ManagerError::PluginInUse`] while nodes of deployments use it, unless forced.
    pub async fn delete_plugin(
        &self,
        caller: &Caller,
        id: &str,
        force: bool,
    ) -> Result<Map<String, Value>, ManagerError> {
        let (caller, id) = (caller.clone(), id.to_owned());
        self.write(move |tx| {
            let number = locate(tx, &PLUGIN, &caller, &id)?;
            let plugin = find(tx, &PLUGIN, &caller, &id, None)?;
            let using: Vec<String> = tx
                .prepare_cached(
                    "SELECT DISTINCT n.deployment_id FROM nodes n, json_each(n.plugins) p
                     WHERE (n.tenant_name = ?1 OR ?2 = 'global')
                     AND json_extract(p.value, '$.package_name') = ?3
                     AND json_extract(p.value, '$.package_version') = ?4 ORDER BY 1 LIMIT 20",
                )?
                .query_map(
                    params![
                        caller.tenant.as_str(),
                        plugin["visibility"].as_str(),
                        plugin["package_name"].as_str(),
                        plugin["package_version"].as_str()
                    ],
                    |row| row.get(0),
                )?
                .collect::<rusqlite::Result<_>>()?;
            if !using.is_empty() && !force {
                return Err(ManagerError::PluginInUse(format!(
                    "Plugin \"{id}\" is currently in use in deployments: {}. You can \"force\" plugin removal if needed.",
                    using.join(", ")
                )));
            }
            tx.execute("DELETE FROM plugins WHERE number = ?", [number])?;
            Ok(plugin)
        })
        .await
    }

    /// Changes a plugin, and answers it.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`]; labels that are none.
    pub async fn change_plugin(
        &self,
        caller: &Caller,
        id: &str,
        change: PluginChange,
    ) -> Result<Map<String, Value>, ManagerError> {
        let blueprint_labels = change.blueprint_labels.map(kept_labels).transpose()?;
        let labels = change.labels.map(kept_labels).transpose()?;
        let resource_tags = change.resource_tags.map(|tags| Value::Object(tags).to_string());
        let (caller, id) = (caller.clone(), id.to_owned());
        self.write(move |tx| {
            let number = locate(tx, &PLUGIN, &caller, &id)?;
            tx.execute(
                "UPDATE plugins SET blueprint_labels = coalesce(?2, blueprint_labels), labels = coalesce(?3, labels),
                 resource_tags = coalesce(?4, resource_tags), created_by = coalesce(?5, created_by) WHERE number = ?1",
                params![
                    number,
                    blueprint_labels,
                    labels,
                    resource_tags,
                    change.owner.as_ref().map(UserName::as_str)
                ],
            )?;
            find(tx, &PLUGIN, &caller, &id, None)
        })
        .await
    }

    /// The description of a plugin that was uploaded beside its wagon; where there are several, the one for a version of
    /// the blueprint language (`cloudify_dsl_1_4`), else one for all of them.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`] for the plugin, and where it has no description; the file system's own.
    pub async fn plugin_yaml(
        &self,
        caller: &Caller,
        id: &str,
        dsl_version: Option<String>,
    ) -> Result<Download, ManagerError> {
        self.plugin(caller, id, Some(vec!["id".to_owned()])).await?;
        let archive = self.blobs().read(&self.blob_of_plugin(id).await?)?;
        let partial = self.blobs().partial_folder().to_owned();
        let found = tokio::task::spawn_blocking(move || {
            Wagon::extract_yaml(archive, dsl_version.as_deref(), &partial)
        })
        .await
        .map_err(std::io::Error::other)??;
        let (name, file) =
            found.ok_or_else(|| ManagerError::NotFound { noun: "Plugin yaml", id: id.to_owned() })?;
        Ok(Download { file: OpenFile::new(file)?, name })
    }

    async fn blob_of_plugin(&self, id: &str) -> Result<BlobId, ManagerError> {
        let id = id.to_owned();
        self.read(move |connection| {
            let sql = "SELECT archive_blob FROM plugins WHERE id = ?";
            let blob: Option<String> = connection.query_row(sql, [&id], |row| row.get(0)).optional()?;
            blob.as_deref().and_then(BlobId::parse).ok_or(ManagerError::NotFound { noun: PLUGINS.noun, id })
        })
        .await
    }

    /// The archive of a plugin: its wagon, or all that was uploaded.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`]; the file system's own.
    pub async fn plugin_archive(
        &self,
        caller: &Caller,
        id: &str,
        is_full: bool,
    ) -> Result<Download, ManagerError> {
        let plugin = self.plugin(caller, id, None).await?;
        let blob = self.blob_of_plugin(id).await?;
        let archive_name = plugin["archive_name"].as_str().unwrap_or("plugin.wgn").to_owned();
        let download = self.open_blob(Some(blob.as_str()), archive_name.clone())?;
        let archive = self.blobs().read(&blob)?;
        let partial = self.blobs().partial_folder().to_owned();
        tokio::task::spawn_blocking(move || match (is_full, Wagon::is_beside_others(archive.try_clone()?)?) {
            // The upload was the wagon itself.
            (_, false) => Ok(download),
            (true, true) => Ok(Download { name: format!("{archive_name}.zip"), ..download }),
            (false, true) => {
                let wagon = Wagon::extract(archive, &partial)?;
                Ok(Download { file: OpenFile::new(wagon)?, name: archive_name })
            }
        })
        .await
        .map_err(std::io::Error::other)?
    }

    /// Lets more callers see a plugin.
    ///
    /// # Errors
    /// [`ManagerError::IllegalAction`] where it is seen by more already.
    pub async fn set_plugin_visibility(
        &self,
        caller: &Caller,
        id: &str,
        visibility: Visibility,
    ) -> Result<Map<String, Value>, ManagerError> {
        self.widen(&PLUGIN, caller, id, visibility).await
    }
}

/// The labels that a plugin gives, as they are kept: lists of values by key.
fn kept_labels(given: Map<String, Value>) -> Result<String, ManagerError> {
    let mut kept = Map::new();
    for (key, values) in given {
        let malformed = || {
            ManagerError::BadParameters(format!(
                "Labels of a plugin must be a dictionary of lists: {{<key>: [<value1>, <value2>]}}, got {values} for {key}"
            ))
        };
        let mut of_key = Vec::new();
        let mut own_key = key.to_lowercase();
        for value in values.as_array().ok_or_else(malformed)? {
            let (key, value) = label_pair(&key, value.as_str().ok_or_else(malformed)?)?;
            own_key = key;
            of_key.push(Value::from(value));
        }
        kept.insert(own_key, Value::Array(of_key));
    }
    Ok(Value::Object(kept).to_string())
}

//! Tenants: whose entities are whose. Who belongs to one is no state of the manager.

use rusqlite::{Connection, OptionalExtension};

use crate::model::{TenantName, Timestamp};

use super::{Manager, ManagerError};

/// The tables whose rows belong to a tenant, with the word for one of their entities.
pub(super) const OWNED: [(&str, &str); 11] = [
    ("blueprints", "blueprints"),
    ("deployments", "deployments"),
    ("plugins", "plugins"),
    ("secrets", "secrets"),
    ("agents", "agents"),
    ("sites", "sites"),
    ("blueprints_filters", "filters for blueprints"),
    ("deployments_filters", "filters for deployments"),
    ("flows", "flows"),
    ("captures", "captures of flows"),
    ("spaces", "spaces of charts"),
];

/// The names of all tenants of a state, in their order.
///
/// # Errors
/// The database's own.
pub fn tenant_names(connection: &Connection) -> Result<Vec<TenantName>, ManagerError> {
    let names = connection
        .prepare_cached("SELECT name FROM tenants ORDER BY name")?
        .query_map([], |row| row.get::<_, String>(0).map(TenantName::trusted))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(names)
}

impl Manager {
    /// The names of all tenants, in their order.
    ///
    /// # Errors
    /// The database's own.
    pub async fn tenants(&self) -> Result<Vec<TenantName>, ManagerError> {
        self.read(tenant_names).await
    }

    /// Makes a tenant.
    ///
    /// # Errors
    /// A name that can't be one, or is taken.
    pub async fn create_tenant(&self, name: &str) -> Result<TenantName, ManagerError> {
        let name = TenantName::parse(name)?;
        let new = name.clone();
        self.write(move |tx| {
            let made = tx.execute(
                "INSERT INTO tenants (name, created_at) VALUES (?, ?) ON CONFLICT (name) DO NOTHING",
                (new.as_str(), Timestamp::now().to_string()),
            )?;
            if made == 1 {
                return Ok(());
            }
            Err(ManagerError::Conflict(format!("<Tenant name=`{new}`> already exists")))
        })
        .await?;
        Ok(name)
    }

    /// Removes a tenant that owns nothing.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`]; [`ManagerError::IllegalAction`] for `default_tenant`, and while it owns entities.
    pub async fn delete_tenant(&self, name: &str) -> Result<(), ManagerError> {
        let name = name.to_owned();
        let measured = &self.current().metrics;
        let tenant = TenantName::trusted(name.clone());
        let has_metrics = measured.metrics(tenant.clone(), None, 0, 1, false).await?.total > 0;
        let has_annotations = !measured.annotation_streams(tenant, None).await?.is_empty();
        self.write(move |tx| {
            if name == TenantName::DEFAULT {
                return Err(ManagerError::IllegalAction(format!(
                    "Can't delete tenant `{name}`: every manager has it"
                )));
            }
            let found: Option<String> = tx
                .query_row("SELECT name FROM tenants WHERE name = ?", [&name], |row| row.get(0))
                .optional()?;
            if found.is_none() {
                return Err(ManagerError::NotFound { noun: "Tenant", id: name });
            }
            for (table, noun) in OWNED {
                let sql = format!("SELECT EXISTS (SELECT 1 FROM {table} WHERE tenant_name = ?)");
                if tx.query_row(&sql, [&name], |row| row.get(0))? {
                    return Err(ManagerError::IllegalAction(format!(
                        "Can't delete tenant `{name}` with existing resources; it still has {noun}"
                    )));
                }
            }
            for (is_there, noun) in [(has_metrics, "metrics"), (has_annotations, "annotations")] {
                if is_there {
                    return Err(ManagerError::IllegalAction(format!(
                        "Can't delete tenant `{name}` with existing resources; it still has {noun}"
                    )));
                }
            }
            tx.execute("DELETE FROM events WHERE tenant_name = ?", [&name])?;
            tx.execute("DELETE FROM executions WHERE tenant_name = ?", [&name])?;
            tx.execute("DELETE FROM tenants WHERE name = ?", [&name])?;
            Ok(())
        })
        .await
    }
}

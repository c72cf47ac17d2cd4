//! Secrets that leave in a file and come back, written into the audit: who took or brought how many, never what.

use serde_json::{Map, Value, json};

use crate::app::Service;
use crate::manager::{ImportedSecrets, ManagerError, SecretExport, SecretImport};
use crate::model::{Caller, UserName};
use crate::records::{Records, RecordsError};

/// Why secrets could not leave or come.
#[derive(Debug, thiserror::Error)]
pub enum SharingError {
    #[error(transparent)]
    Manager(#[from] ManagerError),
    #[error("failed to use the records of the service")]
    Records(#[from] RecordsError),
}

impl Service {
    /// The secrets that the caller may read, with their values.
    ///
    /// # Errors
    /// The manager's and the records' own.
    pub async fn export_secrets(
        &self,
        caller: &Caller,
        export: SecretExport,
    ) -> Result<Vec<Map<String, Value>>, SharingError> {
        let is_sealed = export.passphrase.is_some();
        let secrets = self.manager.export_secrets(caller, export).await?;
        // Before they are answered: nobody gets them without a line.
        let details = json!({ "count": secrets.len(), "encrypted": is_sealed });
        self.audit_secrets(caller, "secret_export", details).await?;
        Ok(secrets)
    }

    /// Takes the secrets of a file.
    ///
    /// # Errors
    /// The manager's and the records' own.
    pub async fn import_secrets(
        &self,
        caller: &Caller,
        mut import: SecretImport,
    ) -> Result<ImportedSecrets, SharingError> {
        let users = self.records.read(Records::users).await?;
        import.users = users.into_iter().map(|user| user.username).collect::<Vec<UserName>>();
        let imported = self.manager.import_secrets(caller, import).await?;
        let details = json!({ "count": imported.written, "refused": imported.errors.len() });
        self.audit_secrets(caller, "secret_import", details).await?;
        Ok(imported)
    }

    async fn audit_secrets(
        &self,
        caller: &Caller,
        action: &'static str,
        mut details: Value,
    ) -> Result<(), RecordsError> {
        details["tenant_name"] = json!(caller.tenant);
        let (user, tenant) = (caller.user.clone(), caller.tenant.to_string());
        self.records.write(move |tx| Records::audit(tx, &user, action, &tenant, Some(&details))).await
    }
}

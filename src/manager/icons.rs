//! Pictures of blueprints.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rusqlite::OptionalExtension;

use crate::model::Caller;

use super::blueprints::BLUEPRINT;
use super::entities::{find, locate};
use super::{Manager, ManagerError};

/// The first bytes of every PNG (W3C, PNG 3rd edition, 5.2).
const PNG: [u8; 8] = [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a];

impl Manager {
    /// Keeps a picture for a blueprint, or takes it away where it is empty.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`]; [`ManagerError::BadParameters`] for what is no PNG.
    pub async fn set_blueprint_icon(
        &self,
        caller: &Caller,
        id: &str,
        picture: &[u8],
    ) -> Result<(), ManagerError> {
        if !picture.is_empty() && !picture.starts_with(&PNG) {
            return Err(ManagerError::BadParameters(
                "The provided icon file is invalid; a PNG picture is expected".to_owned(),
            ));
        }
        let icon = (!picture.is_empty()).then(|| STANDARD.encode(picture));
        let (caller, id) = (caller.clone(), id.to_owned());
        self.write(move |tx| {
            let number = locate(tx, &BLUEPRINT, &caller, &id)?;
            tx.execute("UPDATE blueprints SET icon = ?2 WHERE number = ?1", (number, icon))?;
            Ok(())
        })
        .await
    }

    /// The picture of a blueprint.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`] for the blueprint, and where it has none.
    pub async fn blueprint_icon(&self, caller: &Caller, id: &str) -> Result<Vec<u8>, ManagerError> {
        let (caller, id) = (caller.clone(), id.to_owned());
        self.read(move |connection| {
            let blueprint = find(connection, &BLUEPRINT, &caller, &id, Some(vec!["tenant_name".to_owned()]))?;
            let icon: Option<String> = connection
                .query_row(
                    "SELECT icon FROM blueprints WHERE tenant_name = ? AND id = ?",
                    (blueprint["tenant_name"].as_str(), &id),
                    |row| row.get(0),
                )
                .optional()?
                .flatten();
            icon.and_then(|icon| STANDARD.decode(icon).ok())
                .ok_or(ManagerError::NotFound { noun: "Blueprint icon", id })
        })
        .await
    }
}

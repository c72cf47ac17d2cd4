//! The audit, as administrators see and cut it.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::database::Page;
use crate::model::Caller;
use crate::records::{AuditFilter, AuditLine, Records, RecordsError};

use super::{Access, AccessError};

/// How often who follows the audit looks whether a line was written.
const LOOK: Duration = Duration::from_millis(500);

/// The most lines that who follows the audit gets at once.
const MOST: u64 = 1000;

/// Which part of the audit is wanted.
#[derive(Clone, Debug)]
pub struct AuditQuery {
    /// Which lines.
    pub filter: AuditFilter,
    /// Whether the newest come first.
    pub newest_first: bool,
    /// How many to pass over.
    pub offset: u64,
    /// The most to answer; 0 means all.
    pub size: u64,
}

impl Access {
    /// A page of the audit.
    ///
    /// # Errors
    /// The records' own.
    pub async fn audit_log(&self, query: AuditQuery) -> Result<Page, AccessError> {
        let (offset, size) = (query.offset, query.size);
        let most = if size == 0 { u64::MAX } else { size };
        let (total, lines) = self
            .records
            .read(move |connection| {
                Records::audit_lines(connection, &query.filter, query.newest_first, offset, most)
            })
            .await?;
        Ok(Page { items: lines.iter().map(view).collect(), total, offset, size, filtered: None })
    }

    /// Follows the audit: from a moment on where the filter says one, else from now on.
    ///
    /// # Errors
    /// The records' own.
    pub async fn follow_audit_log(&self, filter: AuditFilter) -> Result<AuditFollower, AccessError> {
        let after = match filter.since {
            Some(_) => 0,
            None => self.records.read(Records::last_audit_line).await?,
        };
        Ok(AuditFollower { records: self.records.clone(), filter, after })
    }

    /// Removes lines of the audit, and answers how many. That it was done is itself a line.
    ///
    /// # Errors
    /// The records' own.
    pub async fn truncate_audit_log(&self, caller: &Caller, filter: AuditFilter) -> Result<u64, AccessError> {
        let user = caller.user.clone();
        let deleted = self
            .records
            .write(move |tx| {
                let deleted = Records::delete_audit_lines(tx, &filter)?;
                let details = json!({
                    "deleted": deleted,
                    "before": filter.before,
                    "creator_name": filter.username,
                    "of_execution": filter.execution_id,
                });
                Records::audit(tx, &user, "audit_delete", "audit", Some(&details))?;
                Ok::<_, RecordsError>(deleted)
            })
            .await?;
        Ok(deleted)
    }
}

/// Somebody who follows the audit.
pub struct AuditFollower {
    records: Records,
    filter: AuditFilter,
    after: i64,
}

impl AuditFollower {
    /// The lines that were written since the last time; waits a moment, and gives none where there are none.
    ///
    /// # Errors
    /// The records' own.
    pub async fn look(&mut self) -> Result<Vec<Map<String, Value>>, AccessError> {
        let filter = AuditFilter { after: Some(self.after), ..self.filter.clone() };
        let lines = self
            .records
            .read(move |connection| Records::audit_lines(connection, &filter, false, 0, MOST))
            .await?
            .1;
        match lines.iter().map(|line| line.number).max() {
            Some(number) => self.after = number,
            None => tokio::time::sleep(LOOK).await,
        }
        Ok(lines.iter().map(view).collect())
    }
}

/// A line in Cloudify's words: the last word of an action is the operation, those before it are the kind.
fn view(line: &AuditLine) -> Map<String, Value> {
    let (noun, operation) = line.action.rsplit_once('_').unwrap_or(("service", &line.action));
    let detail = |name: &str| line.details.as_ref().and_then(|details| details.get(name)).cloned();
    let mut identifier = json!({ "id": line.subject });
    if let Some(tenant) = detail("tenant_name") {
        identifier["tenant_name"] = tenant;
    }
    let view = json!({
        "id": line.number,
        "ref_table": format!("{noun}s"),
        "ref_id": line.number,
        "ref_identifier": identifier,
        "operation": operation,
        "creator_name": line.username,
        "execution_id": detail("execution_id"),
        "created_at": line.at,
        "details": line.details,
    });
    view.as_object().cloned().unwrap_or_default()
}

//! The archives of blueprints and plugins, on their way from an archive to the manager's files.

use crate::executions::Job;
use crate::manager::{Manager, Pin};

use super::super::{EntrySource, Polled, SourceError};
use super::collect::sealed_blueprint;

/// Brings the archive of a blueprint or plugin to the manager's files. `expected` is the name that its row has for it.
pub(super) fn bring_file(
    manager: &Manager,
    job: &Job,
    entries: &dyn EntrySource,
    kind: &str,
    tenant: &str,
    id: &str,
    expected: &str,
) -> Result<Pin, SourceError> {
    let mut content: Box<dyn std::io::Read + '_> = match kind {
        "plugins" => entries.stream(&format!("tenants/{tenant}/plugins/{id}.zip"))?,
        _ => match entries.sealed_stream(&sealed_blueprint(tenant, id))? {
            Some(content) => content,
            None => entries.stream(&format!("tenants/{tenant}/blueprints/{id}.tar.gz"))?,
        },
    };
    let stored = manager
        .blobs()
        .put(&mut Polled::new(job, &mut content))
        .map_err(|error| if job.is_cancelled() { SourceError::Cancelled } else { error.into() })?;
    if stored.pin.blob().as_str() != expected {
        return Err(SourceError::Refused(format!(
            "the archive of `{id}` of tenant `{tenant}` is not the one that its record names"
        )));
    }
    Ok(stored.pin)
}

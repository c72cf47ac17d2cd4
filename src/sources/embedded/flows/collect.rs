//! The flows of one cut, streamed row by row into an archive.

use rusqlite::Connection;

use crate::executions::Job;
use crate::manager::tenant_names;

use super::super::super::{Collected, SourceError};
use super::super::passage::Outlet;
use super::super::rows::collect_table;
use super::super::state;
use super::{FLOW_TABLES, FOLDER, HISTORY};

/// Streams the flows of a cut into `outlet`. Flows that run at the cut are named in `collected.fuzzy`: what their
/// components hold in memory is not in it.
pub(in super::super) fn collect(
    connection: &Connection,
    job: &Job,
    include_history: bool,
    outlet: &mut Outlet<'_>,
    collected: &mut Collected,
) -> Result<(), SourceError> {
    for tenant in tenant_names(connection).map_err(state)? {
        let mut number = 0;
        for table in FLOW_TABLES.iter().filter(|table| include_history || table.kind != HISTORY) {
            collect_table(connection, job, (FOLDER, &tenant), table, &mut number, outlet, collected)?;
        }
    }
    let running = "SELECT id FROM flows WHERE status = 'active' OR current_status = 'active' ORDER BY number";
    let mut statement = connection.prepare(running)?;
    collected.fuzzy = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok(())
}

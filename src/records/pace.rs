//! How fast jobs on archives were, from the rows of those that ended well.

use rusqlite::Connection;

use super::{Records, RecordsError};

/// What earlier jobs of one sort took.
#[derive(Clone, Debug, PartialEq)]
pub struct Pace {
    /// What they did, in the plural: `restores` or `creates`.
    pub workflow: &'static str,
    /// How many were measured.
    pub jobs: u64,
    /// Bytes of their archives together.
    pub bytes: u64,
    /// Seconds that they took together.
    pub seconds: f64,
}

impl Pace {
    /// How long a job on an archive of this length takes at that pace, in seconds. A short one takes what those took
    /// on average, as most of that was no matter of length.
    pub fn seconds_for(&self, bytes: u64) -> f64 {
        let average_bytes = self.bytes as f64 / self.jobs as f64;
        let average = self.seconds / self.jobs as f64;
        let seconds = average * (bytes as f64 / average_bytes).max(1.0);
        (seconds * 10.0).round() / 10.0
    }
}

// Where the clock jumped meanwhile, what is told is less than nothing or more than a week, and is left out.
const RESTORES: &str = "
SELECT json_extract(report, '$.archive_bytes') AS bytes, (julianday(ended_at) - julianday(started_at)) * 86400 AS seconds
FROM executions WHERE workflow_id = 'restore_snapshot' AND status = 'terminated' AND bytes > 0
AND seconds BETWEEN 0 AND 604800 ORDER BY number DESC LIMIT 10";

const CREATES: &str = "
SELECT s.size_bytes AS bytes, (julianday(e.ended_at) - julianday(e.started_at)) * 86400 AS seconds
FROM snapshots s JOIN executions e ON e.id = s.execution_id
WHERE e.workflow_id = 'create_snapshot' AND e.status = 'terminated' AND s.size_bytes > 0
AND seconds BETWEEN 0 AND 604800 ORDER BY s.number DESC LIMIT 10";

impl Records {
    /// How fast the last restores were; where there was none, how fast the last creates were.
    ///
    /// # Errors
    /// The database's own.
    pub fn restore_pace(connection: &Connection) -> Result<Option<Pace>, RecordsError> {
        for (workflow, sql) in [("restores", RESTORES), ("creates", CREATES)] {
            let sums = format!("SELECT count(*), total(bytes), total(seconds) FROM ({sql})");
            let (jobs, bytes, seconds): (i64, f64, f64) =
                connection.query_row(&sums, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
            if jobs > 0 {
                return Ok(Some(Pace { workflow, jobs: jobs as u64, bytes: bytes as u64, seconds }));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn longer_archives_take_longer_and_short_ones_no_less_than_measured() {
        let pace = Pace { workflow: "restores", jobs: 2, bytes: 200, seconds: 8.0 };
        assert_eq!(pace.seconds_for(300), 12.0);
        assert_eq!(pace.seconds_for(10), 4.0);
    }
}

//! The tables of metrics.db.
//!
//! Times are seconds since 1970. The head holds points as they come; blocks hold what was sealed, each block the rows of one series and level for a stretch of time that no other block of them overlaps.

use refinery::{Migration, Runner};

/// The version of these tables.
pub const SCHEMA_VERSION: u32 = 1;

const V1: &str = "
-- One row, counted up by every write: what is remembered outside of the file is good only for its count.
CREATE TABLE writes (
    count INTEGER NOT NULL
) STRICT;
INSERT INTO writes VALUES (0);

CREATE TABLE metrics (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_name TEXT NOT NULL,
    name TEXT NOT NULL COLLATE NOCASE,
    kind TEXT NOT NULL,
    period INTEGER,
    display_name TEXT,
    description TEXT,
    attributes TEXT NOT NULL DEFAULT '{}',
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (tenant_name, name)
) STRICT;

-- What is older than `sealed_to` is in blocks alone, what is newer in the head alone. Levels up to `native` hold only
-- a few points in a bucket, so they are read from the raw rows as long as there are any. What is older than a level's
-- `_from` was dropped from it.
CREATE TABLE series (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    metric_id INTEGER NOT NULL REFERENCES metrics(id) ON DELETE CASCADE,
    tags TEXT NOT NULL,
    sealed_to INTEGER,
    native INTEGER NOT NULL DEFAULT 3,
    raw_from INTEGER,
    minute_from INTEGER,
    quarter_hour_from INTEGER,
    hour_from INTEGER,
    UNIQUE (metric_id, tags)
) STRICT;

-- The points that one write brought for a series; `write` is the count of `writes`, so a higher one holds the later
-- word on a time.
CREATE TABLE head (
    series_id INTEGER NOT NULL REFERENCES series(id) ON DELETE CASCADE,
    write INTEGER NOT NULL,
    first_time INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    data BLOB NOT NULL,
    PRIMARY KEY (series_id, write)
) STRICT, WITHOUT ROWID;

-- With row ids: rows of some kilobytes fill the pages of such a table far better.
CREATE TABLE blocks (
    id INTEGER PRIMARY KEY,
    series_id INTEGER NOT NULL REFERENCES series(id) ON DELETE CASCADE,
    level INTEGER NOT NULL,
    first_time INTEGER NOT NULL,
    last_time INTEGER NOT NULL,
    rows INTEGER NOT NULL,
    data BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX blocks_by_time ON blocks(series_id, level, first_time);
CREATE INDEX blocks_by_age ON blocks(level, last_time, series_id);

CREATE TABLE annotations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_name TEXT NOT NULL,
    stream TEXT NOT NULL COLLATE NOCASE,
    title TEXT NOT NULL,
    source TEXT,
    description TEXT,
    start_time INTEGER NOT NULL,
    end_time INTEGER,
    links TEXT NOT NULL DEFAULT '[]'
) STRICT;
CREATE INDEX annotations_by_time ON annotations(tenant_name, stream, start_time);
";

/// The migrations of metrics.db, oldest first.
pub fn migrations() -> Runner {
    Runner::new(&[Migration::unapplied("V1__metrics", V1).expect("the migration's name is well formed")])
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_tables_of_each_version_are_those_that_were_published() {
        crate::database::versions::assert_published("metrics", super::migrations);
    }
}

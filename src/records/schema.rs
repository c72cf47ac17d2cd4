//! The tables of records.db: what the service knows, and no restore touches.

use refinery::{Migration, Runner};

use crate::executions::table::{LISTING_INDEXES, SCHEMA_GROUPS, SCHEMA_V1 as EXECUTIONS_V1};

const V1: &str = "
CREATE TABLE service (
    name TEXT PRIMARY KEY NOT NULL,
    value TEXT NOT NULL
) STRICT;

CREATE TABLE users (
    username TEXT PRIMARY KEY NOT NULL,
    password_hash TEXT,
    role TEXT NOT NULL,
    active INTEGER NOT NULL DEFAULT 1,
    created_at TEXT NOT NULL,
    first_login_at TEXT,
    last_login_at TEXT
) STRICT;

CREATE TABLE memberships (
    username TEXT NOT NULL REFERENCES users(username) ON DELETE CASCADE,
    tenant_name TEXT NOT NULL,
    role TEXT NOT NULL,
    confirmed INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (username, tenant_name)
) STRICT;

CREATE TABLE tokens (
    id TEXT PRIMARY KEY NOT NULL,
    username TEXT NOT NULL REFERENCES users(username) ON DELETE CASCADE,
    secret_sha256 TEXT NOT NULL,
    description TEXT,
    created_at TEXT NOT NULL,
    expiration_date TEXT,
    last_used TEXT
) STRICT;
CREATE INDEX tokens_by_user ON tokens(username);

CREATE TABLE snapshots (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_name TEXT NOT NULL,
    id TEXT NOT NULL,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    visibility TEXT NOT NULL DEFAULT 'private',
    status TEXT NOT NULL,
    error TEXT NOT NULL DEFAULT '',
    execution_id TEXT,
    archive_file TEXT NOT NULL UNIQUE,
    size_bytes INTEGER,
    sha256 TEXT,
    contents TEXT,
    verified_at TEXT,
    proven_at TEXT,
    protected INTEGER NOT NULL DEFAULT 0,
    origin TEXT NOT NULL,
    UNIQUE (tenant_name, id)
) STRICT;
CREATE INDEX snapshots_by_time ON snapshots(created_at, number);

CREATE TABLE restores (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    execution_id TEXT NOT NULL UNIQUE,
    phase TEXT NOT NULL,
    sources TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT NOT NULL
) STRICT;

CREATE TABLE audit (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    at TEXT NOT NULL,
    username TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    details TEXT
) STRICT;
";

const V2: &str = "
CREATE TABLE dead_letters (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    received_at TEXT NOT NULL,
    reason TEXT NOT NULL,
    flow_id TEXT,
    step_id TEXT,
    routing_key TEXT NOT NULL,
    is_redelivered INTEGER NOT NULL,
    size_bytes INTEGER NOT NULL,
    body TEXT NOT NULL
) STRICT;

CREATE TABLE dead_letter_counts (
    reason TEXT PRIMARY KEY NOT NULL,
    count INTEGER NOT NULL
) STRICT;
";

const V3: &str = "
CREATE TABLE chart_snapshots (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_name TEXT NOT NULL,
    execution_id TEXT NOT NULL UNIQUE,
    chart_id INTEGER NOT NULL,
    request TEXT NOT NULL,
    end_time INTEGER NOT NULL,
    duration INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    image_key TEXT NOT NULL,
    png_blob TEXT,
    svg_blob TEXT
) STRICT;
CREATE INDEX chart_snapshots_by_tenant ON chart_snapshots(tenant_name, id);
";

const V4: &str = "
CREATE TABLE user_groups (
    name TEXT PRIMARY KEY NOT NULL,
    role TEXT NOT NULL,
    ldap_dn TEXT,
    created_at TEXT NOT NULL
) STRICT;

CREATE TABLE group_members (
    group_name TEXT NOT NULL REFERENCES user_groups(name) ON DELETE CASCADE,
    username TEXT NOT NULL REFERENCES users(username) ON DELETE CASCADE,
    PRIMARY KEY (group_name, username)
) STRICT;
CREATE INDEX group_members_by_user ON group_members(username);

CREATE TABLE group_memberships (
    group_name TEXT NOT NULL REFERENCES user_groups(name) ON DELETE CASCADE,
    tenant_name TEXT NOT NULL,
    role TEXT NOT NULL,
    confirmed INTEGER NOT NULL DEFAULT 1,
    PRIMARY KEY (group_name, tenant_name)
) STRICT;

-- Only what differs from the permissions that the program knows.
CREATE TABLE permission_changes (
    role TEXT NOT NULL,
    permission TEXT NOT NULL,
    is_granted INTEGER NOT NULL,
    PRIMARY KEY (role, permission)
) STRICT;

-- One row while the manager is entering or in maintenance mode, none else.
CREATE TABLE maintenance (
    number INTEGER PRIMARY KEY CHECK (number = 1),
    requested_by TEXT NOT NULL,
    requested_at TEXT NOT NULL,
    activated_at TEXT
) STRICT;
CREATE INDEX audit_by_time ON audit(at, number);
";

/// `spare_file` names a file in the store that is the snapshot's archive not yet or not any more; `resealed_by` the
/// execution that replaced the archive last.
const V5: &str = "
ALTER TABLE snapshots ADD COLUMN spare_file TEXT;
ALTER TABLE snapshots ADD COLUMN resealed_by TEXT;
";

const V6: &str = "
ALTER TABLE snapshots ADD COLUMN protected_by TEXT;
ALTER TABLE snapshots ADD COLUMN protected_at TEXT;
";

/// The indexes by which snapshots are listed.
const SNAPSHOT_INDEXES: &str = "
DROP INDEX snapshots_by_time;
CREATE INDEX snapshots_by_time ON snapshots(created_at, number, tenant_name, visibility, created_by, status, id);
CREATE INDEX snapshots_by_tenant ON snapshots(tenant_name, created_at, number, visibility, created_by, status, id);
CREATE INDEX snapshots_global ON snapshots(created_at, number, tenant_name, status, id) WHERE visibility = 'global';
";

const V10: &str = "
CREATE INDEX snapshots_by_size ON snapshots(tenant_name, size_bytes, created_at, number, visibility, created_by, status,
    id);
";

/// The migrations of records.db, oldest first.
pub fn migrations() -> Runner {
    let v1 = format!("{EXECUTIONS_V1}{V1}");
    let v8 = format!("{LISTING_INDEXES}{SNAPSHOT_INDEXES}");
    let migrations = [
        ("V1__records", v1.as_str()),
        ("V2__dead_letters", V2),
        ("V3__chart_snapshots", V3),
        ("V4__access", V4),
        ("V5__reseal", V5),
        ("V6__protection", V6),
        ("V8__listing_indexes", v8.as_str()),
        ("V9__execution_groups", SCHEMA_GROUPS),
        ("V10__snapshots_by_size", V10),
    ];
    Runner::new(
        &migrations.map(|(name, sql)| {
            Migration::unapplied(name, sql).expect("the migrations' names are well formed")
        }),
    )
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_tables_of_each_version_are_those_that_were_published() {
        crate::database::versions::assert_published("records", super::migrations);
    }
}

//! The tables of spaces and charts in a generation of the embedded manager.
//!
//! Times are whole seconds since 1970 (Librato's). Numbers below 1,000 belong to what the service ships.

/// The tables, as the third migration of manager.db makes them.
pub(super) const V3: &str = "
CREATE TABLE spaces (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_name TEXT NOT NULL REFERENCES tenants(name),
    name TEXT NOT NULL,
    has_tags INTEGER NOT NULL DEFAULT 0,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX spaces_by_tenant ON spaces(tenant_name, id);

CREATE TABLE charts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    space_id INTEGER NOT NULL REFERENCES spaces(id) ON DELETE CASCADE,
    definition TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;
CREATE INDEX charts_by_space ON charts(space_id, id);

INSERT INTO sqlite_sequence (name, seq) VALUES ('spaces', 999), ('charts', 999);
";

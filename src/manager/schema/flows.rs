//! The tables of flows in a generation of the embedded manager.
//!
//! Times are texts in UTC with milliseconds and `Z`. Graphs and values are JSON texts as they were sent; a value that
//! is SQL's NULL is no value, the JSON value null is the text `null`.

/// The indexes by which flows are sorted; each holds what a list asks of a flow.
pub(super) const V10: &str = "
CREATE INDEX flows_by_name ON flows(name, number, tenant_name, status, type, created_by);
CREATE INDEX flows_by_creation ON flows(created_at, number, tenant_name, status, type, created_by, name);
CREATE INDEX flows_by_update ON flows(updated_at, number, tenant_name, status, type, created_by, name);
";

/// The tables, as the second migration of manager.db makes them.
pub(super) const V2: &str = "
CREATE TABLE flows (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_name TEXT NOT NULL REFERENCES tenants(name),
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    description TEXT,
    type TEXT NOT NULL,
    status TEXT NOT NULL,
    current_status TEXT NOT NULL,
    reports_current_status INTEGER NOT NULL DEFAULT 0,
    paused_by TEXT,
    restored_by TEXT,
    default_mapper_type TEXT NOT NULL,
    cron TEXT,
    graph TEXT NOT NULL,
    version INTEGER NOT NULL DEFAULT 1,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    last_modified TEXT NOT NULL,
    last_start_time TEXT,
    last_stop_time TEXT
) STRICT;
CREATE INDEX flows_by_tenant ON flows(tenant_name, number);
CREATE INDEX flows_paused ON flows(paused_by) WHERE paused_by IS NOT NULL;

-- What the graphs say, so that a step is found without reading its graph.
CREATE TABLE flow_steps (
    flow_id TEXT NOT NULL REFERENCES flows(id) ON DELETE CASCADE,
    id TEXT NOT NULL,
    position INTEGER NOT NULL,
    PRIMARY KEY (flow_id, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE step_snapshots (
    flow_id TEXT NOT NULL REFERENCES flows(id) ON DELETE CASCADE,
    step_id TEXT NOT NULL,
    value TEXT NOT NULL,
    updated_at TEXT NOT NULL,
    PRIMARY KEY (flow_id, step_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE step_history (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    flow_id TEXT NOT NULL REFERENCES flows(id) ON DELETE CASCADE,
    change INTEGER NOT NULL,
    change_steps INTEGER NOT NULL DEFAULT 1,
    step_id TEXT NOT NULL,
    action TEXT NOT NULL,
    via TEXT NOT NULL,
    at TEXT NOT NULL,
    username TEXT,
    execution_id TEXT,
    is_redelivered INTEGER NOT NULL DEFAULT 0,
    undoes INTEGER,
    is_undone INTEGER NOT NULL DEFAULT 0,
    value_before TEXT,
    value_after TEXT
) STRICT;
CREATE INDEX step_history_by_step ON step_history(flow_id, step_id, number);
CREATE INDEX step_history_by_change ON step_history(flow_id, change, number);

-- A capture outlives its flow, so that what a deleted flow knew can be put back into another one.
CREATE TABLE captures (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_name TEXT NOT NULL REFERENCES tenants(name),
    id TEXT NOT NULL UNIQUE,
    flow_id TEXT NOT NULL,
    flow_name TEXT NOT NULL,
    description TEXT,
    is_fuzzy INTEGER NOT NULL,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    execution_id TEXT
) STRICT;
CREATE INDEX captures_by_flow ON captures(flow_id, number);
CREATE INDEX captures_by_tenant ON captures(tenant_name, number);

CREATE TABLE captured_steps (
    capture_id TEXT NOT NULL REFERENCES captures(id) ON DELETE CASCADE,
    step_id TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (capture_id, step_id)
) STRICT, WITHOUT ROWID;
";

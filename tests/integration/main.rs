//! Tests of the whole program from outside: the real binary, the real clients, raw HTTP.
//!
//! Every test starts servers of its own, on ports that the system picks, in
//! folders that are gone afterwards. `tests/setup` must have run once. Nothing
//! here uses the library's types: what is proved is what a caller sees.

mod archive_judged;
mod cfy_access;
mod cfy_errors;
mod cfy_inventory;
mod cfy_maintenance;
mod cfy_story;
mod charts_annotations;
mod charts_cli;
mod charts_clients;
mod charts_export;
mod charts_metrics;
mod charts_own;
mod charts_pictures;
mod charts_refusals;
mod charts_restart;
mod charts_restore;
mod charts_snapshots;
mod charts_spaces;
mod cli;
mod common_client;
mod flows_access;
mod flows_captures;
mod flows_cli;
mod flows_emit;
mod flows_flows;
mod flows_history;
mod flows_restart;
mod flows_runtime;
mod flows_snapshot;
mod flows_wire;
mod harness;
mod keys_reseal;
mod keys_rotation;
mod keys_sealing;
mod kills;
mod openapi;
mod openapi_charts;
mod plan;
mod plan_property;
mod plan_refused;
mod quickstart;
mod resources_filters;
mod resources_sites;
mod rest_client;
mod restart;
mod rules_archives;
mod rules_keys;
mod rules_material;
mod rules_restore;
mod rules_running;
mod schedules;
mod selective;
mod selective_rules;
mod state_carried;
mod stress;
mod structure;
mod verified;
mod wire_auth;
mod wire_errors;
mod wire_executions;
mod wire_snapshots;
mod wire_transfer;

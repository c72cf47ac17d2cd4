//! Who ran beside whom, read from the times of the executions themselves.

use chrono::DateTime;
use serde_json::Value;

use super::model::{Call, Kind};

/// Workflows that run alone.
const ALONE: [&str; 2] = ["restore_snapshot", "rollback"];
/// What counts as nothing active: who may not run beside it waits for it.
const NEVER_ACTIVE: [&str; 4] = ["render_chart", "verify_snapshot", "plan_snapshot", "diff_snapshot"];

fn moment(execution: &Value, key: &str) -> Option<i64> {
    let text = execution[key].as_str()?;
    Some(DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis())
}

fn is_alone(execution: &Value) -> bool {
    ALONE.contains(&execution["workflow_id"].as_str().unwrap())
}

/// From its start to its end; none for what never started.
fn run(execution: &Value) -> Option<(i64, i64)> {
    Some((moment(execution, "started_at")?, moment(execution, "ended_at")?))
}

/// Panics where something ran beside what runs alone.
pub fn check_alone(executions: &[Value]) {
    for alone in executions.iter().filter(|execution| is_alone(execution)) {
        let Some((started, ended)) = run(alone) else { continue };
        for other in executions {
            // Environments that a restore makes again are parts of it.
            let is_part = other["parent_id"] == alone["id"];
            let Some((other_started, other_ended)) = run(other) else { continue };
            if other["id"] != alone["id"] && !is_part && other_started < ended && started < other_ended {
                panic!("it ran beside what runs alone: {other:#}\n{alone:#}");
            }
        }
    }
}

/// Panics where somebody was refused because of what was active, and nothing was.
pub fn check_refusals(executions: &[Value], history: &[Call]) {
    for call in history {
        let Kind::Conflict { of_exclusive } = call.kind else { continue };
        let (called, returned) = call.clock;
        let is_reason = |execution: &&Value| {
            let workflow = execution["workflow_id"].as_str().unwrap();
            let kind_fits =
                if of_exclusive { !NEVER_ACTIVE.contains(&workflow) } else { is_alone(execution) };
            let begins = moment(execution, "created_at").unwrap();
            let ends = moment(execution, "ended_at").unwrap();
            kind_fits && begins <= returned && called <= ends
        };
        assert!(executions.iter().any(|execution| is_reason(&execution)), "nothing was active: {call:?}");
    }
}

/// The restore or rollback that ended well last.
pub fn last_swap(executions: &[Value]) -> Option<&Value> {
    executions
        .iter()
        .filter(|execution| is_alone(execution) && execution["status"] == "terminated")
        .max_by_key(|execution| moment(execution, "ended_at"))
}

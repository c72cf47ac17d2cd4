//! Who may run beside whom: the one place where it is decided.
//!
//! A restore and a rollback run alone. Creates, captures and restores of one flow run beside each other and beside
//! everything but those, and so do the drawing of charts and comparisons, a few at a time. Creates that pause flows run
//! one after the other, so that none starts what the other has stopped. Executions of one deployment run one after the
//! other, and so do those of one snapshot where one of them replaces its archive and those that update plugins. Of an execution group run so many beside
//! each other as it says. Verifies run beside everything else, a few at a time: they read archives and no state, and stand
//! still while a restore or rollback runs.

use crate::model::{Execution, ExecutionStatus, Workflow};

/// How many executions of deployments run beside each other at the most (Cloudify's `max_concurrent_workflows`).
const DEPLOYMENT_EXECUTIONS: usize = 20;
/// How many charts are drawn beside each other at the most.
const RENDERS: usize = 2;
/// How many states are compared beside each other at the most.
const COMPARISONS: usize = 2;
/// How many archives are verified beside each other at the most.
const VERIFIES: usize = 2;

/// What may start at all: maintenance keeps executions from starting, whatever else runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intake {
    /// Everything.
    Everything,
    /// What was admitted already; what is queued or scheduled waits.
    Admitted,
    /// The service's own executions: those that change the manager's state otherwise than by a restore wait.
    OfTheService,
}

/// Whether maintenance lets an execution start.
pub fn is_taken_in(candidate: &Execution, intake: Intake) -> bool {
    match intake {
        Intake::Everything => true,
        Intake::Admitted => candidate.status == ExecutionStatus::Pending,
        Intake::OfTheService => candidate.workflow.is_of_the_service(),
    }
}

/// Whether `candidate` may start now, beside those that run and before those that wait and are older.
pub fn may_start(candidate: &Execution, running: &[Execution], waiting_before: &[Execution]) -> bool {
    if candidate.workflow == Workflow::VerifySnapshot {
        return running.iter().filter(|execution| is_verify(execution)).count() < VERIFIES
            && !running.iter().any(|other| replaces_archive(candidate, other));
    }
    if candidate.workflow.is_exclusive() {
        return running.iter().all(is_verify);
    }
    let meets_exclusive =
        running.iter().chain(waiting_before).any(|execution| execution.workflow.is_exclusive());
    if meets_exclusive {
        return false;
    }
    if running.iter().any(|other| replaces_archive(candidate, other)) {
        return false;
    }
    match candidate.workflow {
        // One that was queued on request waits for all others, as Cloudify's does.
        Workflow::CreateSnapshot => {
            let meets_pause =
                pauses_flows(candidate) && running.iter().chain(waiting_before).any(pauses_flows);
            !meets_pause && (candidate.status != ExecutionStatus::Queued || running.iter().all(is_verify))
        }
        Workflow::ResealSnapshot | Workflow::RestoreFlow | Workflow::CaptureFlow => true,
        Workflow::RenderChart => {
            let renders = running.iter().filter(|execution| execution.workflow == Workflow::RenderChart);
            renders.count() < RENDERS
        }
        Workflow::PlanSnapshot | Workflow::DiffSnapshot => {
            running.iter().filter(|execution| is_comparison(&execution.workflow)).count() < COMPARISONS
        }
        Workflow::VerifySnapshot | Workflow::RestoreSnapshot | Workflow::Rollback => true,
        // It waits for executions of its deployments, which need a place.
        Workflow::UpdatePlugin => {
            running.iter().all(|execution| execution.workflow != Workflow::UpdatePlugin)
        }
        Workflow::UploadBlueprint
        | Workflow::CreateDeploymentEnvironment
        | Workflow::DeleteDeploymentEnvironment
        | Workflow::Deployment(_) => {
            let of_deployments = running.iter().filter(|execution| !execution.workflow.is_of_the_service());
            of_deployments.count() < DEPLOYMENT_EXECUTIONS
                && has_room_in_group(candidate, running)
                && !running.iter().chain(waiting_before).any(|other| is_same_deployment(candidate, other))
        }
    }
}

fn is_comparison(workflow: &Workflow) -> bool {
    matches!(workflow, Workflow::PlanSnapshot | Workflow::DiffSnapshot)
}

fn is_verify(execution: &Execution) -> bool {
    execution.workflow == Workflow::VerifySnapshot
}

fn has_room_in_group(candidate: &Execution, running: &[Execution]) -> bool {
    candidate.group.as_ref().is_none_or(|group| {
        let is_of_group = |other: &&Execution| other.group.as_ref().is_some_and(|other| other.id == group.id);
        running.iter().filter(is_of_group).count() < group.concurrency
    })
}

fn pauses_flows(execution: &Execution) -> bool {
    execution.workflow == Workflow::CreateSnapshot && execution.asks_for("pause_flows")
}

/// Whether one of the two replaces the archive that the other works on.
fn replaces_archive(one: &Execution, other: &Execution) -> bool {
    [one, other].iter().any(|execution| execution.workflow == Workflow::ResealSnapshot)
        && one.snapshot_id.is_some()
        && one.snapshot_id == other.snapshot_id
        && one.tenant_name == other.tenant_name
}

fn is_same_deployment(one: &Execution, other: &Execution) -> bool {
    one.deployment_id.is_some()
        && one.deployment_id == other.deployment_id
        && one.tenant_name == other.tenant_name
}

/// The executions because of which a new one of `workflow` is refused, or queued where the caller asks for it.
pub fn conflicts<'a>(workflow: &Workflow, queue: bool, open: &'a [Execution]) -> Vec<&'a Execution> {
    open.iter()
        .filter(|other| match workflow {
            // Who asks for the queue wants to wait for whatever is active, not only for what forbids the start.
            // Pictures, comparisons and verifies count as nothing active: who has to wait for them does so by itself.
            _ if matches!(other.workflow, Workflow::RenderChart | Workflow::VerifySnapshot)
                || is_comparison(&other.workflow) =>
            {
                false
            }
            Workflow::CreateSnapshot if queue => other.status.is_active(),
            Workflow::CreateSnapshot
            | Workflow::ResealSnapshot
            | Workflow::RestoreFlow
            | Workflow::CaptureFlow => other.workflow.is_exclusive() && other.status.is_active(),
            Workflow::RestoreSnapshot | Workflow::Rollback => {
                // A blueprint is read in a moment: the restore waits for it by itself.
                other.status.is_active() && other.workflow != Workflow::UploadBlueprint
            }
            Workflow::UploadBlueprint
            | Workflow::RenderChart
            | Workflow::PlanSnapshot
            | Workflow::DiffSnapshot
            | Workflow::VerifySnapshot
            | Workflow::UpdatePlugin
            | Workflow::CreateDeploymentEnvironment
            | Workflow::DeleteDeploymentEnvironment
            | Workflow::Deployment(_) => false,
        })
        .collect()
}

/// Whether an execution waits for its start: its time has come, and it was not claimed.
pub fn is_waiting(execution: &Execution, now: crate::model::Timestamp) -> bool {
    match execution.status {
        ExecutionStatus::Pending | ExecutionStatus::Queued => true,
        ExecutionStatus::Scheduled => execution.scheduled_for.is_none_or(|time| time <= now),
        ExecutionStatus::Started
        | ExecutionStatus::Cancelling
        | ExecutionStatus::ForceCancelling
        | ExecutionStatus::KillCancelling
        | ExecutionStatus::Terminated
        | ExecutionStatus::Failed
        | ExecutionStatus::Cancelled => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{EntityId, ExecutionGroup, ExecutionId, TenantName, Timestamp, UserName};

    fn execution(workflow: &str, deployment: Option<&str>, status: ExecutionStatus) -> Execution {
        Execution {
            id: ExecutionId::new(),
            workflow: Workflow::of(workflow, deployment.is_some()),
            tenant_name: TenantName::default_tenant(),
            created_by: UserName::trusted("admin"),
            deployment_id: deployment.map(EntityId::trusted),
            blueprint_id: None,
            snapshot_id: None,
            status,
            error: String::new(),
            parameters: serde_json::Map::new(),
            created_at: Timestamp::now(),
            scheduled_for: None,
            is_dry_run: false,
            group: None,
        }
    }

    fn running(workflow: &str, deployment: Option<&str>) -> Execution {
        execution(workflow, deployment, ExecutionStatus::Started)
    }

    #[test]
    fn the_matrix_of_who_runs_beside_whom() {
        use ExecutionStatus::Pending;
        let cases = [
            ("create_snapshot", "create_snapshot", true),
            ("create_snapshot", "install", true),
            ("create_snapshot", "restore_snapshot", false),
            ("create_snapshot", "rollback", false),
            ("restore_snapshot", "create_snapshot", false),
            ("restore_snapshot", "install", false),
            ("restore_snapshot", "upload_blueprint", false),
            ("rollback", "restore_snapshot", false),
            ("install", "create_snapshot", true),
            ("install", "restore_snapshot", false),
            ("upload_blueprint", "restore_snapshot", false),
            ("update_plugin", "restore_snapshot", false),
            ("update_plugin", "update_plugin", false),
            ("update_plugin", "install", true),
            ("capture_flow", "create_snapshot", true),
            ("capture_flow", "restore_snapshot", false),
            ("restore_snapshot", "capture_flow", false),
            ("restore_flow", "install", true),
            ("plan_snapshot", "create_snapshot", true),
            ("plan_snapshot", "restore_snapshot", false),
            ("restore_snapshot", "plan_snapshot", false),
            ("diff_snapshot", "install", true),
            ("restore_flow", "rollback", false),
            ("verify_snapshot", "restore_snapshot", true),
            ("restore_snapshot", "verify_snapshot", true),
            ("rollback", "verify_snapshot", true),
            ("create_snapshot", "verify_snapshot", true),
            ("install", "verify_snapshot", true),
        ];
        for (candidate, other, expected) in cases {
            let candidate_row = execution(candidate, None, Pending);
            assert_eq!(
                may_start(&candidate_row, &[running(other, None)], &[]),
                expected,
                "{candidate} beside {other}"
            );
        }
        let second = execution("uninstall", Some("d"), Pending);
        assert!(!may_start(&second, &[running("install", Some("d"))], &[]));
        assert!(may_start(&second, &[running("install", Some("e"))], &[]));
    }

    /// The table of the documentation: what is asked for, what is active, and what happens.
    fn documented() -> Vec<(String, String, String)> {
        let (_, matrix) = include_str!("../../docs/concurrency.md").split_once("<!-- matrix -->\n").unwrap();
        let cells = |line: &str| -> Vec<String> {
            line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`').to_owned()).collect()
        };
        let mut lines = matrix.lines().take_while(|line| line.starts_with('|'));
        let head = cells(lines.next().unwrap());
        let rows: Vec<_> = lines.skip(1).map(cells).collect();
        let of_rows: Vec<&String> = rows.iter().map(|row| &row[0]).collect();
        assert_eq!(of_rows, head[1..].iter().collect::<Vec<_>>(), "rows and columns are the same");
        let cases = rows.iter().flat_map(|row| {
            let cells = row[1..].iter().zip(&head[1..]);
            cells.map(|(cell, active)| (row[0].clone(), active.clone(), cell.clone())).collect::<Vec<_>>()
        });
        cases.collect()
    }

    #[test]
    fn the_documented_matrix_is_what_the_lanes_do() {
        let cases = documented();
        // Every workflow that has a name of its own.
        let source = include_str!("../model/execution.rs");
        let (_, names) = source
            .split_once(
                "pub fn as_str(&self) -> &str {\n        match self {\n            Self::CreateSnapshot",
            )
            .unwrap();
        let (names, _) = names.split_once("Self::Deployment(name)").unwrap();
        let names: Vec<&str> = names.split('"').skip(1).step_by(2).chain(["install"]).collect();
        let is_known = |name: &String| names.contains(&name.as_str());
        for (asked, active, expected) in cases.iter().filter(|case| is_known(&case.0) && is_known(&case.1)) {
            let row = execution(asked, None, ExecutionStatus::Pending);
            let other = [running(active, None)];
            let happens =
                match (conflicts(&row.workflow, false, &other).is_empty(), may_start(&row, &other, &[])) {
                    (false, _) => "refused",
                    (true, true) => "runs",
                    (true, false) => "waits",
                };
            assert_eq!(happens, expected, "{asked} beside {active}");
            // Who asks for the queue is never refused, and does not start beside what would have refused it.
            if happens == "refused" {
                assert!(!may_start(&row, &other, &[]), "{asked} beside {active}");
            }
        }
        assert!(names.len() >= 9, "only {names:?}");
        for name in &names {
            assert!(
                cases.iter().any(|(asked, _, _)| asked == name),
                "`{name}` is not in docs/concurrency.md"
            );
        }
    }

    #[test]
    fn maintenance_lets_what_was_admitted_end_and_then_only_the_service_work() {
        use ExecutionStatus::{Pending, Queued};
        let (create, install) = (
            |status| execution("create_snapshot", None, status),
            |status| execution("install", Some("d"), status),
        );
        for (intake, expected) in [
            (Intake::Everything, [true, true, true, true]),
            (Intake::Admitted, [true, false, true, false]),
            (Intake::OfTheService, [true, true, false, false]),
        ] {
            let found = [create(Pending), create(Queued), install(Pending), install(Queued)]
                .map(|candidate| is_taken_in(&candidate, intake));
            assert_eq!(found, expected, "{intake:?}");
        }
    }

    #[test]
    fn of_a_group_run_so_many_beside_each_other_as_it_says() {
        let of = |group: &str, deployment: &str| {
            let mut execution = running("install", Some(deployment));
            execution.group = Some(ExecutionGroup { id: group.to_owned(), concurrency: 2 });
            execution
        };
        let next = of("coast", "c");
        assert!(may_start(&next, &[of("coast", "a"), of("other", "b")], &[]));
        assert!(!may_start(&next, &[of("coast", "a"), of("coast", "b")], &[]));
        assert!(may_start(&running("install", Some("d")), &[of("coast", "a"), of("coast", "b")], &[]));
    }

    #[test]
    fn creates_that_pause_flows_run_one_after_the_other() {
        let mut pausing = running("create_snapshot", None);
        pausing.parameters.insert("pause_flows".to_owned(), true.into());
        let mut next = execution("create_snapshot", None, ExecutionStatus::Pending);
        assert!(may_start(&next, std::slice::from_ref(&pausing), &[]));
        next.parameters = pausing.parameters.clone();
        assert!(!may_start(&next, &[pausing], &[]));
        assert!(may_start(&next, &[running("create_snapshot", None)], &[]));
    }

    #[test]
    fn an_archive_that_is_replaced_is_not_worked_on_beside_it() {
        let of = |workflow: &str, id: &str| Execution {
            snapshot_id: Some(crate::model::SnapshotId::trusted(id)),
            ..running(workflow, None)
        };
        let reseal = of("reseal_snapshot", "a");
        for workflow in ["reseal_snapshot", "restore_flow"] {
            assert!(!may_start(&of(workflow, "a"), std::slice::from_ref(&reseal), &[]), "{workflow}");
            assert!(!may_start(&reseal, &[of(workflow, "a")], &[]), "{workflow}");
            assert!(may_start(&of(workflow, "b"), std::slice::from_ref(&reseal), &[]), "{workflow}");
        }
        assert!(may_start(&reseal, &[running("create_snapshot", None)], &[]));
        assert!(!may_start(&reseal, &[running("rollback", None)], &[]));
    }

    #[test]
    fn what_is_younger_does_not_overtake_a_waiting_restore() {
        let restore = execution("restore_snapshot", None, ExecutionStatus::Queued);
        let create = execution("create_snapshot", None, ExecutionStatus::Pending);
        assert!(!may_start(&create, &[], &[restore]));
    }

    #[test]
    fn verifies_are_few_and_keep_nobody_waiting() {
        let verify = execution("verify_snapshot", None, ExecutionStatus::Pending);
        let one = running("verify_snapshot", None);
        assert!(may_start(&verify, std::slice::from_ref(&one), &[]));
        assert!(!may_start(&verify, &[one.clone(), running("verify_snapshot", None)], &[]));
        let restore = execution("restore_snapshot", None, ExecutionStatus::Queued);
        assert!(may_start(&verify, &[], std::slice::from_ref(&restore)));
        for workflow in [Workflow::RestoreSnapshot, Workflow::Rollback, Workflow::CreateSnapshot] {
            assert!(conflicts(&workflow, true, std::slice::from_ref(&one)).is_empty());
        }
    }

    #[test]
    fn a_restore_conflicts_with_what_is_active_and_not_with_what_is_queued() {
        let restore = Workflow::RestoreSnapshot;
        assert_eq!(conflicts(&restore, false, &[running("install", Some("d"))]).len(), 1);
        assert_eq!(
            conflicts(&restore, false, &[execution("install", None, ExecutionStatus::Queued)]).len(),
            0
        );
        assert_eq!(conflicts(&Workflow::CreateSnapshot, false, &[running("create_snapshot", None)]).len(), 0);
        assert_eq!(conflicts(&Workflow::CreateSnapshot, false, &[running("rollback", None)]).len(), 1);
        assert_eq!(conflicts(&Workflow::CreateSnapshot, true, &[running("create_snapshot", None)]).len(), 1);
    }
}

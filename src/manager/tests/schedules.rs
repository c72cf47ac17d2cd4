//! Schedules start their executions, each occurrence once.

use super::*;
use crate::database::Filter;
use crate::model::Timestamp;

fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn schedule(id: &str, rule: Value) -> NewSchedule {
    NewSchedule {
        id: id.to_owned(),
        deployment_id: "north".to_owned(),
        workflow_id: "install".to_owned(),
        parameters: None,
        arguments: Map::new(),
        rule: rule.as_object().unwrap().clone(),
        since: time("2030-01-01T10:00:00Z"),
        until: None,
        slip_minutes: 30,
        stop_on_fail: false,
        enabled: true,
        created_by: None,
        created_at: None,
    }
}

impl Fixture {
    /// A manager with a deployment and a schedule of it that begins in 2030.
    fn with_schedule(rule: Value) -> Self {
        let fixture = Self::with_deployment();
        let new = schedule("nightly", rule);
        fixture.run(fixture.manager.create_schedule(&ann(), new, time("2029-01-01T00:00:00Z"))).unwrap();
        fixture
    }

    fn fire(&self, now: &str) -> Fired {
        self.run(self.manager.fire_schedules(time(now))).unwrap()
    }

    fn nightly(&self) -> Map<String, Value> {
        self.run(self.manager.schedule(&ann(), "north", "nightly", None, time("2029-01-01T00:00:00Z")))
            .unwrap()
    }

    fn end(&self, id: ExecutionId, status: ExecutionStatus) {
        let change = StatusChange { error: Some("it broke"), ..StatusChange::default() };
        self.manager
            .write_blocking(move |tx| {
                table::set_status(tx, id, ExecutionStatus::Started, &StatusChange::default())?;
                Ok(table::set_status(tx, id, status, &change)?)
            })
            .unwrap();
    }
}

#[test]
fn an_occurrence_starts_its_execution_once_and_the_next_one_follows() {
    let fixture = Fixture::with_schedule(json!({ "recurrence": "1 day", "count": 2 }));
    assert_eq!(fixture.nightly()["next_occurrence"], "2030-01-01T10:00:00.000Z");
    assert_eq!(fixture.fire("2030-01-01T09:59:59Z"), Fired::default());
    let fired = fixture.fire("2030-01-01T10:00:00Z");
    assert_eq!(fired.executions.len(), 1);
    assert_eq!(fixture.fire("2030-01-01T10:00:01Z"), Fired::default());
    let nightly = fixture.nightly();
    assert_eq!(nightly["next_occurrence"], "2030-01-02T10:00:00.000Z");
    assert_eq!(nightly["latest_execution"], fired.executions[0].to_string());
    assert_eq!(nightly["latest_execution_status"], "pending");
    // As long as it has not ended, the next occurrence is passed over.
    let second = fixture.fire("2030-01-02T10:00:00Z");
    assert_eq!((second.executions.len(), second.passed), (0, 1));
    assert_eq!(fixture.nightly()["next_occurrence"], Value::Null);
    assert_eq!(fixture.fire("2031-01-01T00:00:00Z"), Fired::default());
    let execution = fired.executions[0];
    let row = fixture
        .manager
        .read_blocking(move |connection| Ok(table::find(connection, execution)?))
        .unwrap()
        .unwrap();
    assert_eq!((row.created_by.as_str(), row.workflow.as_str()), ("ann", "install"));
}

#[test]
fn a_missed_occurrence_starts_within_its_slip_and_a_minute() {
    for (now, starts) in [("2030-01-01T10:30:59Z", true), ("2030-01-01T10:31:00Z", false)] {
        let fixture = Fixture::with_schedule(json!({ "recurrence": "1 day" }));
        let fired = fixture.fire(now);
        assert_eq!((fired.executions.len() == 1, fired.passed == 0), (starts, starts), "{now}");
        assert_eq!(fixture.nightly()["next_occurrence"], "2030-01-02T10:00:00.000Z");
    }
}

#[test]
fn a_schedule_ends_with_a_failure_where_that_was_asked_for() {
    let fixture = Fixture::with_schedule(json!({ "recurrence": "1 day" }));
    let change = ScheduleChange { stop_on_fail: Some(true), ..ScheduleChange::default() };
    let now = time("2029-01-01T00:00:00Z");
    fixture.run(fixture.manager.change_schedule(&ann(), "north", "nightly", change, now)).unwrap();
    let fired = fixture.fire("2030-01-01T10:00:00Z");
    fixture.end(fired.executions[0], ExecutionStatus::Failed);
    assert!(fixture.fire("2030-01-02T10:00:00Z").executions.is_empty());
    assert_eq!(fixture.nightly()["enabled"], false);
    assert_eq!(fixture.fire("2030-01-03T10:00:00Z"), Fired::default());
}

#[test]
fn what_can_not_be_started_is_an_execution_that_failed() {
    let fixture = Fixture::with_schedule(json!({ "count": 1 }));
    fixture
        .manager
        .write_blocking(|tx| Ok(tx.execute("UPDATE deployments SET workflows = '[]'", [])?))
        .unwrap();
    let fired = fixture.fire("2030-01-01T10:00:00Z");
    let id = fired.executions[0];
    let row =
        fixture.manager.read_blocking(move |connection| Ok(table::find(connection, id)?)).unwrap().unwrap();
    assert_eq!(row.status, ExecutionStatus::Failed);
    assert_eq!(
        row.error,
        "schedule `nightly` could not start it: Workflow install does not exist in deployment north"
    );
}

#[test]
fn nothing_fires_while_writers_are_kept_out_or_where_it_is_disabled() {
    let fixture = Fixture::with_schedule(json!({ "count": 1 }));
    fixture.manager.close_blocking().unwrap();
    let refused = fixture.run(fixture.manager.fire_schedules(time("2030-01-01T10:00:00Z")));
    assert!(matches!(refused, Err(ManagerError::Maintenance)));
    fixture.manager.reopen();
    let change = |enabled| ScheduleChange { enabled: Some(enabled), ..ScheduleChange::default() };
    let now = time("2029-01-01T00:00:00Z");
    fixture.run(fixture.manager.change_schedule(&ann(), "north", "nightly", change(false), now)).unwrap();
    assert_eq!(fixture.fire("2030-01-01T10:00:00Z"), Fired::default());
    fixture.run(fixture.manager.change_schedule(&ann(), "north", "nightly", change(true), now)).unwrap();
    assert_eq!(fixture.fire("2030-01-01T10:00:00Z").executions.len(), 1);
}

#[test]
fn what_has_started_in_one_state_does_not_start_again_in_another() {
    let fixture = Fixture::with_schedule(json!({ "recurrence": "1 day" }));
    // A state of before the occurrence, as a restore would stage it.
    let live = fixture.manager.current();
    let other = fixture.manager.generations().create().unwrap();
    let (from, to) = (live.database.path().to_owned(), other.database.path().to_owned());
    let copied = rusqlite::Connection::open(from).unwrap();
    let number = other.number;
    other.close_blocking();
    std::fs::remove_file(&to).unwrap();
    copied.execute("VACUUM INTO ?", [to.to_str().unwrap()]).unwrap();
    let other = fixture.manager.generations().load(number).unwrap();

    assert_eq!(fixture.fire("2030-01-01T10:00:00Z").executions.len(), 1);
    keep_fired(&fixture.manager.current(), &other).unwrap();
    fixture.manager.switch_to(number).unwrap();
    let fired = fixture.fire("2030-01-01T10:00:05Z");
    assert_eq!((fired.executions.len(), fired.passed), (0, 1));
    assert_eq!(fixture.nightly()["next_occurrence"], "2030-01-02T10:00:00.000Z");
    assert_eq!(fixture.fire("2030-01-02T10:00:00Z").executions.len(), 1);

    // And back again.
    keep_fired(&fixture.manager.current(), &live).unwrap();
    fixture.manager.switch_to(live.number).unwrap();
    let first = fixture.nightly()["latest_execution"].as_str().unwrap().parse().unwrap();
    fixture.end(first, ExecutionStatus::Terminated);
    assert!(fixture.fire("2030-01-02T10:00:05Z").executions.is_empty());
    assert_eq!(fixture.fire("2030-01-03T10:00:00Z").executions.len(), 1);
}

#[test]
fn schedules_are_named_by_their_deployment_and_listed_with_what_is_to_come() {
    let fixture = Fixture::with_schedule(json!({ "recurrence": "1 day", "count": 3 }));
    let now = time("2029-01-01T00:00:00Z");
    let again =
        fixture.run(fixture.manager.create_schedule(&ann(), schedule("nightly", json!({ "count": 1 })), now));
    assert!(matches!(again, Err(ManagerError::Exists { .. })));
    let mut unknown = schedule("other", json!({ "count": 1 }));
    unknown.workflow_id = "dance".to_owned();
    let unknown = fixture.run(fixture.manager.create_schedule(&ann(), unknown, now));
    assert!(matches!(unknown, Err(ManagerError::NonexistentWorkflow(_))));
    let query = ListQuery {
        include: Some(vec!["id".to_owned(), "all_next_occurrences".to_owned()]),
        filters: vec![Filter { column: "deployment_id".to_owned(), values: vec!["north".to_owned()] }],
        size: 10,
        ..ListQuery::default()
    };
    let page = fixture.run(fixture.manager.schedules(&ann(), query, time("2030-01-01T10:00:01Z"))).unwrap();
    let expected =
        json!({ "id": "nightly", "all_next_occurrences": ["2030-01-02 10:00:00", "2030-01-03 10:00:00"] });
    assert_eq!(Value::Object(page.items[0].clone()), expected);
    fixture.run(fixture.manager.delete_schedule(&ann(), "north", "nightly")).unwrap();
    let gone = fixture.run(fixture.manager.delete_schedule(&ann(), "north", "nightly"));
    assert!(matches!(gone, Err(ManagerError::NotFound { .. })));
}

impl Fixture {
    fn schedule(&self, new: NewSchedule) {
        self.run(self.manager.create_schedule(&ann(), new, time("2029-01-01T00:00:00Z"))).unwrap();
    }

    fn change(&self, change: ScheduleChange) -> Result<Map<String, Value>, ManagerError> {
        let now = time("2029-01-01T00:00:00Z");
        self.run(self.manager.change_schedule(&ann(), "north", "nightly", change, now))
    }

    fn execution(&self, id: ExecutionId) -> Execution {
        self.manager.read_blocking(move |connection| Ok(table::find(connection, id)?)).unwrap().unwrap()
    }
}

#[test]
fn one_that_is_disabled_stays_where_it_is_while_another_comes_due() {
    let fixture = Fixture::with_schedule(json!({ "recurrence": "1 day" }));
    fixture.change(ScheduleChange { enabled: Some(false), ..ScheduleChange::default() }).unwrap();
    fixture.schedule(schedule("other", json!({ "count": 1 })));
    let fired = fixture.fire("2030-01-01T10:00:00Z");
    assert_eq!((fired.executions.len(), fired.passed), (1, 0));
    let nightly = fixture.nightly();
    assert_eq!((&nightly["latest_execution"], &nightly["enabled"]), (&Value::Null, &json!(false)));
    assert_eq!(nightly["next_occurrence"], "2030-01-01T10:00:00.000Z");
}

#[test]
fn of_many_occurrences_that_were_missed_none_is_made_up_for() {
    let fixture = Fixture::with_schedule(json!({ "recurrence": "1 day" }));
    let fired = fixture.fire("2030-01-05T12:00:00Z");
    assert_eq!((fired.executions.len(), fired.passed), (0, 1));
    assert_eq!(fixture.nightly()["next_occurrence"], "2030-01-06T10:00:00.000Z");
}

#[test]
fn what_the_live_state_has_started_takes_nothing_back_that_another_has_started_later() {
    let fixture = Fixture::with_schedule(json!({ "recurrence": "1 day" }));
    let live = fixture.manager.current();
    let number = fixture.manager.generations().create_copy(&live, false).unwrap();
    let other = fixture.manager.generations().load(number).unwrap();
    other
        .database
        .write_blocking(|tx| {
            let sql = "INSERT INTO fired_schedules (tenant_name, deployment_id, schedule_id, created_at, occurrence)
                SELECT tenant_name, deployment_id, id, created_at, '2030-01-03T10:00:00.000Z' FROM execution_schedules";
            Ok::<_, ManagerError>(tx.execute(sql, [])?)
        })
        .unwrap();
    assert_eq!(fixture.fire("2030-01-01T10:00:00Z").executions.len(), 1);
    keep_fired(&live, &other).unwrap();
    fixture.manager.switch_to(number).unwrap();
    for (day, starts) in [(2, 0), (3, 0), (4, 1)] {
        let fired = fixture.fire(&format!("2030-01-0{day}T10:00:00Z"));
        assert_eq!(fired.executions.len(), starts, "on the day {day}");
    }
}

#[test]
fn a_schedule_that_was_made_anew_under_its_id_is_another_one() {
    let fixture = Fixture::with_schedule(json!({ "count": 1 }));
    let fired = fixture.fire("2030-01-01T10:00:00Z");
    fixture.end(fired.executions[0], ExecutionStatus::Terminated);
    fixture.run(fixture.manager.delete_schedule(&ann(), "north", "nightly")).unwrap();
    let made = Some(time("2029-06-01T00:00:00Z"));
    fixture.schedule(NewSchedule { created_at: made, ..schedule("nightly", json!({ "count": 1 })) });
    assert_eq!(fixture.fire("2030-01-01T10:00:10Z").executions.len(), 1);
}

#[test]
fn its_execution_is_started_as_the_schedule_says() {
    let fixture = Fixture::with_deployment();
    let arguments = json!({ "allow_custom_parameters": true, "is_dry_run": true, "force": true });
    let parameters = json!({ "own": "value" });
    fixture.schedule(NewSchedule {
        arguments: arguments.as_object().unwrap().clone(),
        parameters: parameters.as_object().cloned(),
        ..schedule("nightly", json!({ "count": 1 }))
    });
    let late = NewSchedule {
        since: time("2030-01-01T10:00:30Z"),
        ..schedule("waiting", json!({ "recurrence": "1 day", "count": 2 }))
    };
    fixture.schedule(late);
    // Something else runs on the deployment: who forces does not wait for it, and who does not is queued.
    let other = Execution {
        deployment_id: Some(crate::model::EntityId::trusted("north")),
        ..Execution::new(&ann(), Workflow::Deployment("heal".to_owned()), Map::new())
    };
    let row = other.clone();
    fixture.manager.write_blocking(move |tx| Ok(table::insert(tx, &row)?)).unwrap();
    let fired = fixture.fire("2030-01-01T10:00:00Z");
    let execution = fixture.execution(fired.executions[0]);
    assert_eq!(execution.status, ExecutionStatus::Pending, "{}", execution.error);
    assert!(execution.is_dry_run);
    assert_eq!(execution.parameters.get("own"), Some(&json!("value")), "{:?}", execution.parameters);
    let fired = fixture.fire("2030-01-01T10:00:30Z");
    let execution = fixture.execution(fired.executions[0]);
    assert_eq!(execution.status, ExecutionStatus::Queued, "{}", execution.error);
    assert!(!execution.is_dry_run);
}

#[test]
fn what_is_changed_of_a_schedule_is_what_it_follows() {
    let fixture = Fixture::with_schedule(json!({ "recurrence": "1 day" }));
    let unknown = ScheduleChange { workflow_id: Some("dance".to_owned()), ..ScheduleChange::default() };
    assert!(matches!(fixture.change(unknown), Err(ManagerError::NonexistentWorkflow(_))));
    let changed = fixture
        .change(ScheduleChange {
            since: Some(time("2030-02-01T08:00:00Z")),
            until: Some(time("2030-02-02T09:00:00Z")),
            slip_minutes: Some(5),
            ..ScheduleChange::default()
        })
        .unwrap();
    assert_eq!(changed["all_next_occurrences"], json!(["2030-02-01 08:00:00", "2030-02-02 08:00:00"]));
    assert_eq!(changed["next_occurrence"], "2030-02-01T08:00:00.000Z");
    // Nothing of it is lost by the next change.
    let disabled = ScheduleChange { stop_on_fail: Some(true), ..ScheduleChange::default() };
    let again = fixture.change(disabled).unwrap();
    for name in ["since", "until", "slip", "rule", "next_occurrence", "workflow_id", "enabled"] {
        assert_eq!(again[name], changed[name], "{name}");
    }
    assert_eq!(fixture.fire("2030-02-01T08:06:00Z").passed, 1, "it is later than its slip and a minute");
    assert_eq!(fixture.fire("2030-02-02T08:05:59Z").executions.len(), 1);
}

//! What acts on many deployments or later: schedules, dependencies, groups and tasks graphs.

use serde_json::json;

use super::super::Api;
use super::super::material::lamps;
use super::Dice;

/// A schedule that does not come due.
pub(super) fn schedule(api: &Api, deployment: &str, id: &str, dice: &mut Dice) {
    let mut body = json!({
        "workflow_id": "install", "since": "2099-01-02T03:04:05", "slip": dice.below(90), "stop_on_fail": dice.chance(50),
        "enabled": dice.chance(70), "parameters": dice.object(2),
    });
    match dice.below(3) {
        0 => body["count"] = json!(1),
        1 => body["rrule"] = json!("RRULE:FREQ=WEEKLY;BYDAY=MO,FR;COUNT=9"),
        _ => {
            body["recurrence"] = json!(format!("{} days", dice.between(1, 9)));
            body["count"] = json!(dice.between(2, 5));
            body["until"] = json!("2099-12-31T00:00:00");
        }
    }
    api.put(&format!("execution-schedules/{id}?deployment_id={deployment}"), &body).expect(201);
}

/// Dependencies among deployments and deployments within others, each on or in one that was made before it.
pub(super) fn dependencies(api: &Api, deployments: &[(String, bool)], is_whole: bool, dice: &mut Dice) {
    for (index, (source, _)) in deployments.iter().enumerate().skip(1) {
        let (target, _) = &deployments[dice.below(index)];
        if dice.chance(30) {
            let labels = json!({ "labels": [{ "csys-obj-parent": target }, { "key8": dice.label() }] });
            api.patch(&format!("deployments/{source}"), &labels).expect(200);
        }
        if dice.chance(50) || is_whole {
            // An update of the source makes those anew that its blueprint's functions make.
            let function = if is_whole { "own" } else { dice.pick(&["get_capability", "own"]) };
            let body = json!({
                "dependency_creator": format!("nodes.{}.{function}", dice.name()),
                "source_deployment": source, "target_deployment": target,
            });
            api.put("deployments/inter-deployment-dependencies", &body).expect(200);
        }
    }
}

/// An update of a deployment, to what it is or to the inputs that it has, that may install what is new.
pub(super) fn deployment_update(api: &Api, deployment: &str, dice: &mut Dice) {
    let update = json!({ "skip_install": dice.chance(50), "force": dice.chance(50) });
    let update = api.post(&format!("deployment-updates/{deployment}/update/initiate"), &update).expect(200);
    let execution = api.get(&format!("executions/{}", update["execution_id"].as_str().unwrap())).expect(200);
    assert_eq!(api.wait_for_end(&execution)["status"], "terminated");
}

/// A plugin of two versions, and an update of a blueprint to the second, and one that changes nothing any more.
pub(super) fn plugins_updates(api: &Api, dice: &mut Dice) {
    lamps(api, "lantern", dice.below(3));
    for _ in 0..2 {
        let update = json!({ "all_to_latest": true, "force": dice.chance(50) });
        let update = api.post("plugins-updates/lantern/update/initiate", &update).expect(200);
        let execution =
            api.get(&format!("executions/{}", update["execution_id"].as_str().unwrap())).expect(200);
        assert_eq!(api.wait_for_end(&execution)["status"], "terminated");
    }
}

/// A modification of a deployment, which may have ended, one way or the other.
pub(super) fn modification(api: &Api, deployment: &str, dice: &mut Dice) {
    let nodes = api.get(&format!("nodes?deployment_id={deployment}")).items();
    if nodes.is_empty() {
        return;
    }
    let node = nodes[dice.below(nodes.len())]["id"].as_str().unwrap().to_owned();
    let body = json!({
        "deployment_id": deployment, "nodes": { node: { "instances": dice.below(4) } }, "context": dice.object(2),
    });
    let made = api.post("deployment-modifications", &body).expect(201);
    let id = made["id"].as_str().unwrap();
    if let Some(end) = [None, Some("finish"), Some("rollback")][dice.below(3)] {
        api.post(&format!("deployment-modifications/{id}/{end}"), &json!({})).expect(200);
    }
}

/// Groups of deployments, one of them with an execution group and a tasks graph.
pub(super) fn groups(api: &Api, deployments: &[(String, bool)], is_whole: bool, dice: &mut Dice) {
    let members: Vec<&String> =
        deployments.iter().filter(|_| dice.chance(60) || is_whole).map(|(id, _)| id).collect();
    let body = json!({
        "deployment_ids": members, "description": dice.name(), "default_inputs": dice.object(2),
        "labels": [{ "key9": dice.label() }],
    });
    api.put("deployment-groups/some", &body).expect(200);
    let start = json!({
        "deployment_group_id": "some", "workflow_id": "install", "concurrency": dice.between(1, 3), "force": true,
    });
    let started = api.post("execution-groups", &start).expect(200);
    for execution in started["execution_ids"].as_array().unwrap() {
        let operations: Vec<_> = (0..dice.between(usize::from(is_whole), 3))
            .map(|number| {
                json!({
                    "id": format!("{}-{number}", execution.as_str().unwrap()), "name": dice.name(),
                    "type": "RemoteWorkflowTask", "parameters": dice.object(2), "dependencies": [],
                })
            })
            .collect();
        let graph = json!({ "execution_id": execution, "name": "graph", "operations": operations });
        api.post("tasks_graphs/tasks_graphs", &graph).expect(201);
    }
}

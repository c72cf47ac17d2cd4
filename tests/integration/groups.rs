//! Groups: a workflow runs on many deployments, so many beside each other, and all of it is carried.

use serde_json::{Value, json};

use crate::harness::{Api, FERRY, TestServer, deploy, eventually, upload_text};

const DEPLOYMENTS: [&str; 5] = ["a", "b", "c", "d", "e"];

/// A server with five deployments in one group.
fn with_group(server: &TestServer) -> Api {
    let api = server.api();
    upload_text(&api, "ferry", FERRY);
    for deployment in DEPLOYMENTS {
        deploy(&api, "ferry", deployment);
    }
    api.put("deployment-groups/coast", &json!({ "deployment_ids": DEPLOYMENTS })).expect(200);
    api
}

fn statuses(api: &Api, group: &Value) -> Vec<String> {
    let path = format!("executions?_group_id={}&_sort=created_at", group["id"].as_str().unwrap());
    let executions = api.get(&path).items();
    executions.iter().map(|execution| execution["status"].as_str().unwrap().to_owned()).collect()
}

fn group(api: &Api, group: &Value) -> Value {
    api.get(&format!("execution-groups/{}", group["id"].as_str().unwrap())).expect(200)
}

fn wait_for_end(api: &Api, started: &Value) -> Value {
    eventually("the execution group ends", 60, || {
        let group = group(api, started);
        ["terminated", "failed"].contains(&group["status"].as_str().unwrap()).then_some(group)
    })
}

#[test]
fn no_more_executions_of_a_group_run_beside_each_other_than_it_says() {
    let server = TestServer::builder().holding("workflow:running").start();
    let api = with_group(&server);
    let body = json!({ "deployment_group_id": "coast", "workflow_id": "install", "concurrency": 2 });
    let started = api.post("execution-groups", &body).expect(200);
    let running = |count: usize| {
        eventually("so many executions run", 30, || {
            let running = statuses(&api, &started).iter().filter(|status| *status == "started").count();
            (running == count).then_some(())
        });
    };
    running(2);
    // Another execution starts beside them: the scheduler has looked at all that wait, and none of the group may start.
    api.put("deployments/f", &json!({ "blueprint_id": "ferry" })).expect(201);
    eventually("another execution ends", 30, || {
        let made = api.get("executions?deployment_id=f&status=terminated").items();
        (made.len() == 1).then_some(())
    });
    assert_eq!(statuses(&api, &started), ["started", "started", "queued", "queued", "queued"]);
    assert_eq!(group(&api, &started)["status"], "started");
    // More of them, as soon as the group says so.
    let path = format!("execution-groups/{}", started["id"].as_str().unwrap());
    api.patch(&path, &json!({ "concurrency": 3 })).expect(200);
    running(3);
    server.release();
    assert_eq!(wait_for_end(&api, &started)["status"], "terminated");
    assert_eq!(statuses(&api, &started), ["terminated"; 5]);
    let events = api.get(&format!(
        "events?execution_group_id={}&event_type=workflow_succeeded",
        started["id"].as_str().unwrap()
    ));
    assert_eq!(events.items().len(), 5);
}

#[test]
fn a_group_is_cancelled_as_a_whole_and_resumed() {
    let server = TestServer::builder().holding("workflow:running").start();
    let api = with_group(&server);
    api.put("deployment-groups/lit", &json!({})).expect(200);
    let body = json!({ "deployment_group_id": "coast", "workflow_id": "install", "concurrency": 1 });
    let started = api.post("execution-groups", &body).expect(200);
    let path = format!("execution-groups/{}", started["id"].as_str().unwrap());
    api.patch(&path, &json!({ "success_group_id": "lit" })).expect(200);
    eventually("one execution runs", 30, || {
        statuses(&api, &started).contains(&"started".to_owned()).then_some(())
    });
    api.post(&path, &json!({ "action": "cancel" })).expect(200);
    let ended = wait_for_end(&api, &started);
    assert_eq!(
        (&ended["status"], statuses(&api, &started)),
        (&json!("terminated"), vec!["cancelled".to_owned(); 5])
    );
    api.post(&path, &json!({ "action": "dance" })).expect_error(400, "bad_parameters_error");
    server.release();
    api.post(&path, &json!({ "action": "resume" })).expect(200);
    wait_for_end(&api, &started);
    assert_eq!(statuses(&api, &started), ["terminated"; 5]);
    let lit = api.get("deployment-groups/lit").expect(200);
    assert_eq!(lit["deployment_ids"].as_array().unwrap().len(), 5, "{lit:#}");
}

#[test]
fn a_filter_chooses_the_deployments_of_a_group() {
    let server = TestServer::start();
    let api = with_group(&server);
    api.patch("deployments/b", &json!({ "labels": [{ "sea": "north" }] })).expect(200);
    let rules = json!([{ "key": "sea", "values": ["north"], "operator": "any_of", "type": "label" }]);
    api.put("filters/deployments/northern", &json!({ "filter_rules": rules })).expect(200);
    for (id, by) in
        [("saved", json!({ "filter_id": "northern" })), ("given", json!({ "filter_rules": rules }))]
    {
        api.put(&format!("deployment-groups/{id}"), &json!({})).expect(200);
        let group = api.patch(&format!("deployment-groups/{id}"), &json!({ "add": by })).expect(200);
        assert_eq!(group["deployment_ids"], json!(["b"]), "{id}");
    }
    let listed = api.get("deployments?_group_id=saved").items();
    assert_eq!(listed.iter().map(|item| &item["id"]).collect::<Vec<_>>(), ["b"]);
}

//! Flows with what their steps have kept, its history and captures, from a source of chance.

use serde_json::json;

use super::super::{Api, Flow, flow_body};
use super::Dice;

/// The ids of steps, odd ones among them.
const STEPS: [&str; 5] = ["step_1", "Schritt ü/2", "a.b:c", "%2F", "灯"];

/// Makes a flow in a tenant's workspace; one that is whole has a snapshot, a history and a capture.
pub fn flow(api: &Api, tenant: &str, is_whole: bool, dice: &mut Dice) {
    let steps = &STEPS[..dice.between(1, STEPS.len())];
    let mut body = flow_body(tenant, &dice.name(), steps);
    if dice.chance(50) {
        body["data"]["attributes"]["description"] = json!(dice.text());
        body["data"]["attributes"]["cron"] = json!("*/5 * * * *");
    }
    let made = api.post("/v2/flows", &body).expect(201);
    let flow = Flow { api: api.clone(), id: made["data"]["id"].as_str().unwrap().to_owned() };
    for _ in 0..dice.below(8) {
        let step = *dice.pick(steps);
        let is_kept = flow.value(step).is_some();
        match dice.below(if is_kept { 6 } else { 2 }) {
            0 => flow.emit(step, &dice.json_text(3)).expect_status(200),
            1 if !is_kept => flow.create_snapshot(step, &dice.json_text(2)).expect_status(201),
            1 | 2 => flow.emit(step, &dice.json_text(2)).expect_status(200),
            3 => flow.edit(step, &dice.json_text(2)).expect_status(200),
            4 => flow.merge(step, &dice.object_text(2)).expect_status(200),
            _ => flow.remove(step).expect_status(204),
        }
    }
    if dice.chance(25) {
        flow.reset(&[]);
    }
    if dice.chance(25) {
        // There may be nothing to undo.
        let reply = flow.undo(&json!({ "steps": 1 }));
        assert!(reply.status < 500, "{}", reply.text());
    }
    if is_whole {
        flow.emit(steps[0], &dice.json_text(2)).expect_status(200);
    }
    if dice.chance(40) || is_whole {
        flow.capture(&dice.text());
    }
    if dice.chance(30) {
        // A step leaves the graph, and its snapshot stays.
        let graph = super::super::graph(&steps[..1]);
        let edit = json!({ "data": { "type": "flow", "id": flow.id, "attributes": { "graph": graph } } });
        api.patch(&flow.path(""), &edit).expect(200);
    }
    if dice.chance(20) {
        flow.start();
    }
}

//! A flow, a space and what belongs to them come and go, while annotations stay: a new one of each, time after time.

use serde_json::{Value, json};

use super::stories::Story;
use crate::harness::{Api, Flow, create_chart, create_space};

/// The calls after which all begins again.
const CALLS: usize = 7;
/// The stream of annotations, of which each round leaves one.
const STREAM: &str = "guests";

/// Which of them is at hand.
pub struct Guests {
    flow: Option<String>,
    space: i64,
    began: i64,
}

impl Guests {
    /// Nobody is there yet.
    pub fn new(_api: &Api) -> Self {
        Self { flow: None, space: 0, began: crate::harness::now() - 10_000 }
    }

    fn flow(&self, api: &Api) -> Flow {
        Flow { api: api.clone(), id: self.flow.clone().expect("the flow came by the first call") }
    }

    /// How many rounds have left their annotation.
    fn annotations(api: &Api) -> usize {
        let reply = api.get(&format!("/v1/annotations/{STREAM}"));
        if reply.status == 404 {
            return 0;
        }
        let stream = reply.expect(200);
        let events = stream["events"][0]["unassigned"].as_array().cloned().unwrap_or_default();
        for (number, event) in events.iter().enumerate() {
            assert_eq!(event["title"], (number + 1).to_string(), "an annotation is missing: {stream:#}");
        }
        events.len()
    }

    /// The flow that is there, with the value of its step: the number of its round and whether its step has kept it.
    fn found_flow(api: &Api) -> Option<(usize, bool)> {
        let flows = api.get("/v2/flows?search=guest&page[size]=100").expect(200);
        let flows = flows["data"].as_array().unwrap();
        let flow = flows.first()?;
        assert_eq!(flows.len(), 1, "two flows at once: {flows:?}");
        let number = flow["attributes"]["name"].as_str().unwrap().strip_prefix("guest ").unwrap();
        let flow = Flow { api: api.clone(), id: flow["id"].as_str().unwrap().to_owned() };
        let value = flow.value("a");
        assert!(value.as_deref().is_none_or(|value| value == number), "{value:?} of flow {number}");
        Some((number.parse().unwrap(), value.is_some()))
    }

    /// The space that is there, and whether its chart is.
    fn found_space(api: &Api) -> Option<(usize, bool)> {
        let spaces = api.get("/v1/spaces?length=100").expect(200);
        let named = |space: &&Value| space["name"].as_str().unwrap().starts_with("guest ");
        let spaces: Vec<&Value> = spaces["spaces"].as_array().unwrap().iter().filter(named).collect();
        let space = *spaces.first()?;
        assert_eq!(spaces.len(), 1, "two spaces at once: {spaces:?}");
        let number = space["name"].as_str().unwrap().strip_prefix("guest ").unwrap();
        let charts = api.get(&format!("/v1/spaces/{}/charts", space["id"])).expect(200);
        let charts = charts.as_array().unwrap();
        assert!(charts.iter().all(|chart| chart["name"] == number), "{charts:?} in space {number}");
        Some((number.parse().unwrap(), !charts.is_empty()))
    }
}

impl Story for Guests {
    fn name(&self) -> String {
        "flows and spaces that come and go".to_owned()
    }

    fn call(&mut self, api: &Api, number: usize) {
        let round = (number - 1) / CALLS + 1;
        let name = format!("guest {round}");
        match (number - 1) % CALLS {
            0 => self.flow = Some(Flow::create(api, &name, &["a"]).id),
            1 => self.flow(api).emit("a", &round.to_string()).expect_status(200),
            2 => self.space = create_space(api, &name),
            3 => {
                let chart = json!({ "name": round.to_string(), "streams": [{ "metric": "guests" }] });
                create_chart(api, self.space, &chart);
            }
            4 => {
                let start = self.began + i64::try_from(round).unwrap();
                let event = json!({ "title": round.to_string(), "start_time": start });
                api.post(&format!("/v1/annotations/{STREAM}"), &event).expect(201);
            }
            5 => api.delete(&self.flow(api).path("")).expect_status(204),
            _ => api.delete(&format!("/v1/spaces/{}", self.space)).expect_status(204),
        }
    }

    fn positions(&self, api: &Api) -> Vec<usize> {
        let (annotations, flow, space) =
            (Self::annotations(api), Self::found_flow(api), Self::found_space(api));
        // A round has left its annotation or not: it is this one, or the one before it.
        let ended = (annotations * CALLS, (None, None));
        let left = |calls: usize, flow: bool| {
            let flow = flow.then_some((annotations, true));
            (annotations.saturating_sub(1) * CALLS + calls, (flow, Some((annotations, true))))
        };
        let comes = |calls: usize, flow: (usize, bool), space: Option<(usize, bool)>| {
            (annotations * CALLS + calls, (Some(flow), space))
        };
        let next = annotations + 1;
        let known = [
            ended,
            comes(1, (next, false), None),
            comes(2, (next, true), None),
            comes(3, (next, true), Some((next, false))),
            comes(4, (next, true), Some((next, true))),
            left(5, true),
            left(6, false),
        ];
        let found = known.iter().find(|(_, parts)| *parts == (flow, space));
        let (calls, _) = found
            .unwrap_or_else(|| panic!("{}: {annotations} annotations, {flow:?}, {space:?}", self.name()));
        vec![*calls]
    }
}

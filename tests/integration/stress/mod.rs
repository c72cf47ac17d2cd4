//! Many clients doing random things at once, each answer held against a model of what may be answered.
//!
//! How long is `LIFEBOAT_STRESS_SECONDS`, how many clients `LIFEBOAT_STRESS_CLIENTS`, the seed `LIFEBOAT_SEED`. What the
//! model is stands in `model`; what holds for the lanes is read from the executions' own times (`lanes`).

mod client;
mod lanes;
mod model;

use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::harness::{
    Api, Flow, State, TestServer, all_executions, check_invariants, create_chart, create_space,
    from_environment, read_state,
};
use client::{Client, Scene};

/// How many states there are to go back to. Each has one more secret than the one before.
const BASES: usize = 3;

/// Makes the states and a snapshot of each, which nobody deletes.
fn bases(api: &Api) -> Vec<State> {
    (0..BASES)
        .map(|base| {
            for number in 0..=base {
                let key = format!("base{base}-{number}");
                api.put(&format!("secrets/{key}"), &json!({ "value": key })).expect(200);
            }
            if base > 0 {
                for number in 0..base {
                    api.delete(&format!("secrets/base{}-{number}", base - 1)).expect(200);
                }
            }
            api.create_snapshot(&format!("base{base}"), &json!({ "include_flow_history": true }));
            read_state(api)
        })
        .collect()
}

#[test]
fn clients_who_do_random_things_get_only_answers_that_the_model_allows() {
    let seconds = from_environment("LIFEBOAT_STRESS_SECONDS", 60);
    let clients = from_environment("LIFEBOAT_STRESS_CLIENTS", 64);
    let seed = from_environment("LIFEBOAT_SEED", 1);
    println!("{clients} clients for {seconds} s, seed {seed}");
    let server = TestServer::start();
    let api = server.api();
    let flow = Flow::create(&api, "Nightly", &["a"]).id;
    let space = create_space(&api, "Harbour");
    let chart = create_chart(&api, space, &json!({ "name": "Tide", "streams": [{ "metric": "tide" }] }));
    let bases = bases(&api);
    let archive = api.archive("base0");
    let executions = Mutex::new(Vec::new());
    let scene =
        Scene { archive: &archive, flow: &flow, chart, executions: &executions, begun: Instant::now() };

    let until = Instant::now() + Duration::from_secs(seconds);
    let histories: Vec<Vec<model::Call>> = thread::scope(|scope| {
        let working: Vec<_> = (0..clients)
            .map(|number| {
                let client = Client::new(api.clone(), scene, seed * 1000 + number);
                scope.spawn(move || client.work_until(until))
            })
            .collect();
        working.into_iter().map(|client| client.join().unwrap()).collect()
    });
    let history: Vec<model::Call> = histories.into_iter().flatten().collect();
    println!("{} calls", history.len());
    println!("{:?}", model::tally(&history));

    check_invariants(&server, "after all clients");
    let ended: Vec<Value> = all_executions(&api);
    lanes::check_alone(&ended);
    lanes::check_refusals(&ended, &history);
    model::check(&history);
    // Captures are what clients have added to it.
    let state = read_state(&api).without(&["/v2/captures"]);
    let differences: Vec<_> = bases.iter().map(|base| state.differences(base)).collect();
    let live = differences.iter().position(Vec::is_empty);
    let live = live.unwrap_or_else(|| panic!("the state is none of those that there were: {differences:#?}"));
    if let Some(last) = lanes::last_swap(&ended) {
        let counts = &last["report"]["sources"]["embedded"]["counts"];
        assert_eq!(counts["secrets"], live + 1, "the state is not that of the last restore: {last:#}");
    }
}

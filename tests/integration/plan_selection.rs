//! The plan of a restore of some entities says exactly what that restore does, and nothing of it is left behind.
//!
//! What the restore did is read from archives of before and after by code of the tests, as for restores of everything.

use serde_json::{Value, json};

use crate::harness::{Api, Dice, Size, TestServer, document, fails, from_environment, generate, lifeboat};
use crate::plan::plan;
use crate::plan_property::{
    Differences, Held, SHUT, differences, disturb, everything, held, planned, secrets,
};

/// The kinds that can be selected, as the service names them.
fn kinds(api: &Api) -> Vec<String> {
    let body = json!({ "select": { "kinds": ["no_such_kind"] } });
    let message = api.post("snapshots/kept/plan", &body).expect_error(400, "bad_parameters_error");
    let (_, known) = message.split_once("use one of ").unwrap();
    known.split(", ").map(str::to_owned).collect()
}

/// Everything that there is, in the open and sealed.
fn truth(api: &Api, id: &str) -> Held {
    api.create_snapshot(id, &everything());
    let mut all = held(&api.archive(id));
    all.extend(secrets(api));
    api.delete(&format!("snapshots/{id}")).expect_status(200);
    all
}

fn generations(server: &TestServer) -> usize {
    server.files_in("manager").iter().filter(|name| name.starts_with("generation-")).count()
}

/// What has become of a restore by its plan.
#[derive(Default, Debug)]
struct Tally {
    refused: usize,
    changes: usize,
}

/// Plans a selection, restores it, and compares what was said with what became of it.
#[track_caller]
fn assert_kept(server: &TestServer, snapshot: &str, options: &Value, claim: &str, tally: &mut Tally) {
    let api = server.api();
    let before = truth(&api, "truth_before");
    let kept = generations(server);
    let said = plan(&api, snapshot, options);
    assert_eq!(generations(server), kept, "{claim}: the plan leaves nothing behind");
    let listed = planned(&api, snapshot);
    let mut restore = options.clone();
    restore["recreate_deployments_envs"] = json!(false);
    let restored = api.restore_snapshot(snapshot, &restore);
    let after = truth(&api, "truth_after");
    let changed = differences(&before, &after);
    if said["can_be_restored"] == false {
        assert_eq!(restored["status"], "failed", "{claim}: {said:#}");
        assert_eq!(restored["error"], said["refusals"][0]["message"], "{claim}: {said:#}");
        assert_eq!(changed, Differences::new(), "{claim}: it was refused");
        tally.refused += 1;
        return;
    }
    assert_eq!(restored["status"], "terminated", "{claim}: {restored:#}\n{said:#}");
    assert_eq!(restored["report"]["selected"], said["selected"], "{claim}");
    for change in ["added", "removed", "changed"] {
        let count = listed.iter().filter(|(.., found)| found == change).count();
        assert_eq!(said["totals"][change], count, "{claim}: {change}");
    }
    // Where private keys stand, archives have placeholders whose numbers mean nothing.
    let is_told = |(kind, tenant, id, _): &&(String, String, String, String)| {
        let key = (kind.clone(), tenant.clone(), id.clone());
        let has_keys =
            |held: &Held| held.get(&key).is_some_and(|item| item.contains("lifeboat:private-key:"));
        kind != SHUT[1] && !has_keys(&before) && !has_keys(&after)
    };
    let unsaid: Vec<_> = changed.difference(&listed).filter(is_told).take(10).collect();
    let undone: Vec<_> = listed.difference(&changed).filter(is_told).take(10).collect();
    for (kind, tenant, id, _) in unsaid.iter().chain(&undone) {
        let key = (kind.clone(), tenant.clone(), id.clone());
        println!("{key:?}\nbefore: {:?}\nafter:  {:?}", before.get(&key), after.get(&key));
    }
    assert!(unsaid.is_empty() && undone.is_empty(), "{claim}: not said: {unsaid:#?}\nnot done: {undone:#?}");
    tally.changes += listed.len();

    let mut again = options.clone();
    again["force"] = json!(true);
    let nothing = plan(&api, snapshot, &again);
    let none = json!({ "added": 0, "removed": 0, "changed": 0 });
    assert_eq!(nothing["totals"], none, "{claim}: planned again: {:#?}", planned(&api, snapshot));
}

/// Some selection, and what is asked for with it.
fn some(dice: &mut Dice, kinds: &[String], tenants: &[String]) -> Value {
    let mut select = json!({});
    if dice.chance(70) {
        let some: Vec<&String> = (0..dice.between(1, 4)).map(|_| dice.pick(kinds)).collect();
        select["kinds"] = json!(some);
    }
    if dice.chance(40) {
        select["tenants"] = json!([dice.pick(tenants)]);
    }
    if dice.chance(30) || select == json!({}) {
        select["ids"] =
            json!([dice.pick::<&str>(&["*", "a*", "n*", "q*", "m0*", "secrets/*/*", "plugins/*/*"])]);
    }
    let dependencies = if dice.chance(70) { "include" } else { "refuse" };
    json!({ "select": select, "dependencies": dependencies, "force": dice.chance(70) })
}

#[test]
fn a_selective_restore_does_exactly_what_its_plan_said() {
    let first = from_environment("LIFEBOAT_SEED", 1);
    let mut tally = Tally::default();
    for seed in first..first + from_environment("LIFEBOAT_STATES", 3) {
        println!("seed {seed}");
        let one = TestServer::start();
        let api = one.api();
        generate(&api, seed, if seed % 3 == 0 { Size::Full } else { Size::Small });
        api.create_snapshot("kept", &everything());
        disturb(&api, seed);
        let two = TestServer::builder().opening_archives_of(&one).start();
        let other = two.api();
        generate(&other, seed + 1_000_000, Size::Small);
        other.send_archive("kept", &api.archive("kept")).expect(201);

        let mut dice = Dice::new(seed);
        let kinds = kinds(&api);
        let tenants: Vec<String> = api
            .get("tenants")
            .items()
            .iter()
            .map(|tenant| tenant["name"].as_str().unwrap().to_owned())
            .collect();
        for number in 0..4 {
            let server = if number % 2 == 0 { &one } else { &two };
            let options = some(&mut dice, &kinds, &tenants);
            assert_kept(server, "kept", &options, &format!("seed {seed}, {number}: {options}"), &mut tally);
        }
        let all = json!({ "select": { "kinds": kinds }, "dependencies": "include", "force": true });
        for server in [&one, &two] {
            assert_kept(server, "kept", &all, &format!("seed {seed}: all kinds"), &mut tally);
        }
    }
    assert!(tally.refused > 0 && tally.changes > 20, "too little was tried: {tally:?}");
}

#[test]
fn a_plan_of_a_selection_tells_rules_and_fields_and_the_command_line_asks_the_same() {
    let server = TestServer::start();
    let api = server.api();
    crate::harness::fill(&api);
    api.create_snapshot("kept", &everything());
    let north = api.clone().tenant("north");
    north.delete("deployments/north-tower?force=true").expect_status(200);
    crate::harness::eventually("the deployment is gone", 30, || {
        north.get("deployments").items().is_empty().then_some(())
    });
    let blueprint = north.get("blueprints").items()[0]["id"].as_str().unwrap().to_owned();
    north.delete(&format!("blueprints/{blueprint}?force=true")).expect_status(200);
    api.patch("secrets/lamp_passphrase", &json!({ "value": "another-canary" })).expect_status(200);
    api.put("secrets/fresh", &json!({ "value": "x" })).expect_status(200);

    // Nothing is said of what is not selected.
    let secrets = json!({ "select": { "kinds": ["secrets"] } });
    let said = plan(&api, "kept", &secrets);
    assert_eq!(said["totals"], json!({ "added": 0, "removed": 0, "changed": 1 }), "{said:#}");
    assert_eq!(said["can_be_restored"], false);
    assert_eq!(said["refusals"][0]["rule"], "needs_force", "{said:#}");
    assert_eq!(said["refusals"].as_array().unwrap().len(), 1, "the manager may hold anything: {said:#}");
    let name = "secrets/default_tenant/lamp_passphrase";
    assert_eq!(said["force"], json!({ "is_asked": false, "is_needed": true, "holds": [name] }));
    let sources: Vec<&Value> =
        said["stays"].as_array().unwrap().iter().map(|stays| &stays["source"]).collect();
    assert_eq!(sources, ["accounts", "metrics"]);
    let fields = api
        .get("snapshots/kept/plan/fields?kind=secrets&tenant=default_tenant&entity_id=lamp_passphrase")
        .expect(200);
    let value = fields["fields"].as_array().unwrap().iter().find(|field| field["pointer"] == "/value");
    let sealed = json!({ "pointer": "/value", "before": "(sealed)", "after": "(sealed)" });
    assert_eq!(value, Some(&sealed), "{fields:#}");
    assert!(!format!("{said}{fields}").contains("canary"), "{said:#}");

    // What is needed is in the plan, allowed or not.
    let tower = json!({ "select": { "ids": ["deployments/north/north-tower"] } });
    let said = plan(&api, "kept", &tower);
    assert_eq!(said["refusals"][0]["rule"], "needs_dependencies", "{said:#}");
    assert!(said["refusals"][0]["message"].as_str().unwrap().contains(&blueprint), "{said:#}");
    assert_eq!(said["kinds"]["blueprints"]["added"], 1, "{said:#}");
    let mut along = tower.clone();
    along["dependencies"] = json!("include");
    let said = plan(&api, "kept", &along);
    assert_eq!(said["can_be_restored"], true, "{said:#}");
    let node = api.get("snapshots/kept/plan/changes?kind=nodes").expect(200)["items"][0].clone();
    let path = format!(
        "snapshots/kept/plan/fields?kind=nodes&tenant=north&entity_id={}",
        node["id"].as_str().unwrap()
    );
    let fields = api.get(&path).expect(200);
    assert!(
        fields["fields"].as_array().unwrap().iter().all(|field| field.get("before").is_none()),
        "{fields:#}"
    );

    for (select, word) in
        [(json!({ "tenants": ["west"] }), "`west`"), (json!({ "ids": ["no-such"] }), "`no-such`")]
    {
        let said = plan(&api, "kept", &json!({ "select": select }));
        assert_eq!(said["refusals"][0]["rule"], "not_in_archive", "{said:#}");
        assert!(said["refusals"][0]["message"].as_str().unwrap().contains(word), "{said:#}");
        assert_eq!(said["totals"], json!({ "added": 0, "removed": 0, "changed": 0 }), "{said:#}");
    }
    for body in
        [json!({ "select": {} }), json!({ "dependencies": "include" }), json!({ "select": { "kinds": [7] } })]
    {
        api.post("snapshots/kept/plan", &body).expect_error(400, "bad_parameters_error");
    }
    // The query says the same, and a second plan of everything is one of everything.
    let execution = api.post("snapshots/kept/plan?kind=secrets&force=true", &json!({})).expect(201);
    assert_eq!(api.wait_for_end(&execution)["report"]["can_be_restored"], true);
    assert!(plan(&api, "kept", &json!({ "force": true })).get("selected").is_none());

    let said = document(
        &server,
        &["snapshot", "plan", "kept", "--id", "deployments/north/north-tower", "--with-dependencies"],
    );
    assert_eq!(said["can_be_restored"], true, "{said:#}");
    assert_eq!(said["selected"]["added"]["deployments"], 1, "{said:#}");
    let listed = document(&server, &["snapshot", "plan", "kept", "--kind", "secrets", "--list", "secrets"]);
    assert_eq!(listed[0]["id"], "lamp_passphrase", "{listed:#}");
    fails(lifeboat(&server, &["snapshot", "plan", "kept", "--with-dependencies"]), 2, &["--kind"]);
    fails(lifeboat(&server, &["snapshot", "plan", "kept", "--kind", "towers"]), 4, &["towers"]);
    assert_eq!(generations(&server), 1, "plans leave nothing behind");
}

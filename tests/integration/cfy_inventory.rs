//! What `cfy` 7.0.5 offers for blueprints, deployments, nodes, executions, events, plugins, sites, labels, filters and
//! summaries: every command answers rightly or with a clear error.

use serde_json::{Value, json};

use crate::harness::{
    Cfy, FERRY, Finished, TestServer, blueprint_file, deploy, fill, upload_text, write_plugin,
};

const TOWER: &str = "default_tenant-tower";

/// A command as a person types it; no argument holds a space.
fn run(cfy: &Cfy, command: &str) -> Finished {
    cfy.run(&command.split_whitespace().collect::<Vec<_>>())
}

fn all_succeed(cfy: &Cfy, commands: &[&str]) {
    for command in commands {
        run(cfy, command).success();
    }
}

fn filled() -> (TestServer, Cfy) {
    let server = TestServer::start();
    fill(&server.api());
    let cfy = server.cfy();
    (server, cfy)
}

fn ids(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
}

#[test]
fn sites_are_handled() {
    let (server, cfy) = filled();
    all_succeed(
        &cfy,
        &[
            "sites create cape --location 32.071072,34.787274",
            "sites create dune -l private",
            "sites list --sort-by name --descending",
            "sites list --search ap -o 0 -s 1 --all-tenants",
            "sites update cape --new-name cliff --location 1,2",
        ],
    );
    run(&cfy, "sites get cliff").success().says(&["1.0, 2.0", "tenant"]);
    // A 404 is told in words that are `cfy`'s own, and its exit code says nothing of it.
    run(&cfy, "sites get cape").success().says(&["Requested site with name `cape` was not found"]);
    run(&cfy, "sites create cliff").refused(&["409", "already exists"]);
    run(&cfy, "sites create north --location north").refused(&["400", "Invalid location"]);
    run(&cfy, &format!("deployments set-site {TOWER} -s cliff")).success().says(&["set to cliff"]);
    assert_eq!(server.api().get(&format!("deployments/{TOWER}")).expect(200)["site_name"], "cliff");
    run(&cfy, "deployments summary site_name").success().says(&["cliff"]);
    run(&cfy, &format!("deployments set-site {TOWER} --detach-site")).success().says(&["was detached"]);
    run(&cfy, &format!("deployments set-site {TOWER} -s nowhere")).refused(&["404", "Requested `Site`"]);
    run(&cfy, "sites delete cliff").success().says(&["Site deleted"]);
    run(&cfy, "sites delete cliff").success().says(&["was not found"]);
}

#[test]
fn labels_and_filters_are_handled() {
    let (_server, cfy) = filled();
    for (noun, id) in [("deployments", TOWER), ("blueprints", "lighthouse")] {
        run(&cfy, &format!("{noun} labels add env:prod,Team:red {id}")).success().says(&["env", "Team"]);
        run(&cfy, &format!("{noun} labels add env:prod {id}")).success().says(&["already assigned"]);
        run(&cfy, &format!("{noun} labels list {id}")).success().says(&["env", "prod", "team", "red"]);
        run(&cfy, &format!("{noun} labels add csys-mine:1 {id}"))
            .refused(&["400", "reserved for internal use"]);
        for (name, options) in [
            ("prod", "-lr env=prod"),
            ("many", "-lr env!=[test,dev] -lr team-is-not-there"),
            ("names", "-ar created_by=[admin,jo] -ar created_by!=nobody"),
        ] {
            let filter = run(&cfy, &format!("{noun} filters create {name} {options}"));
            if name == "many" {
                filter.refused(&["not in the right format"]);
            } else {
                filter.success().says(&["created"]);
            }
        }
        run(&cfy, &format!("{noun} filters create prod -lr env=dev")).refused(&["409"]);
        run(&cfy, &format!("{noun} filters create bad -ar colour=red"))
            .refused(&["invalid", "Allowed attributes"]);
        run(&cfy, &format!("{noun} filters get prod")).success().says(&["env=prod"]);
        run(&cfy, &format!("{noun} filters get none")).success().says(&["was not found"]);
        all_succeed(
            &cfy,
            &[
                &format!("{noun} filters list --sort-by id --descending -a --search pro"),
                &format!("{noun} filters update prod -lr env=[prod,test] -l global"),
                &format!("{noun} list --filter-id prod"),
            ],
        );
        let chosen = |options: &str| {
            cfy.json(&format!("{noun} list {options}").split_whitespace().collect::<Vec<_>>())
        };
        assert_eq!(ids(&chosen("--filter-id prod")), [id]);
        assert_eq!(ids(&chosen("--filter-id names")), [id]);
        assert_eq!(ids(&chosen("-lr env=prod")), [id]);
        assert_eq!(ids(&chosen("-lr env!=prod")), Vec::<&str>::new());
        cfy.run(&[noun, "list", "-lr", "env is null"]).success().says(&["1 hidden by filter"]);
        cfy.run(&[noun, "list", "-lr", "env is-not test"]).success().says(&[id]);
        cfy.run(&[noun, "list", "-ar", "created_by starts-with adm"]).success().says(&[id]);
        cfy.run(&[noun, "list", "-ar", "created_by does-not-contain adm"]).success();
        run(&cfy, &format!("{noun} list --filter-id none")).refused(&["404"]);
        run(&cfy, &format!("{noun} filters delete prod")).success().says(&["Filter removed"]);
        run(&cfy, &format!("{noun} labels delete env,team:red {id}")).success();
        assert_eq!(cfy.json(&[noun, "labels", "list", id]), json!({}));
    }
    run(&cfy, "deployments filters delete csys-service-filter")
        .refused(&["400", "Cannot delete a system filter"]);
    cfy.run(&["deployments", "list", "-ar", "site_name is not empty"]).success().says(&["Showing 0 of 0"]);
}

#[test]
fn blueprints_are_handled() {
    let (server, cfy) = filled();
    let file = blueprint_file();
    let file = file.to_str().unwrap();
    server
        .api()
        .put("users", &json!({ "username": "jo", "password": "jo-password-1", "role": "default" }))
        .expect(201);
    all_succeed(
        &cfy,
        &[
            &format!("blueprints upload {file} -b second --labels env:test -l private"),
            "blueprints list --sort-by created_at --descending --search light -s 1 -o 0",
            "blueprints list --all-tenants",
            "blueprints get lighthouse",
            "blueprints inputs lighthouse",
            &format!("blueprints package {file} -o packed"),
            "blueprints set-visibility second -l tenant",
            "blueprints set-owner second -s jo",
            "blueprints summary tenant_name visibility --all-tenants",
            "blueprints download second -o second.tar.gz",
        ],
    );
    let icon = cfy.home().join("icon.png");
    std::fs::write(&icon, b"\x89PNG\r\n\x1a\nand so on").unwrap();
    run(&cfy, "blueprints set-icon second -i icon.png").success();
    assert_eq!(server.api().get("blueprints/second/icon").body, std::fs::read(&icon).unwrap());
    std::fs::write(&icon, "no picture").unwrap();
    run(&cfy, "blueprints set-icon second -i icon.png").success().says(&["400", "PNG"]);
    run(&cfy, "blueprints set-icon second").success();
    server.api().get("blueprints/second/icon").expect_error(404, "not_found_error");
    run(&cfy, "blueprints set-owner second -s nobody").refused(&["404"]);
    run(&cfy, "blueprints set-visibility lighthouse -l global")
        .success()
        .says(&["400", "also exists in other tenants"]);
    run(&cfy, "blueprints set-global second").success();
    run(&cfy, "blueprints get none").refused(&["404"]);
    let second = cfy.json(&["blueprints", "get", "second"]);
    assert_eq!((&second["created_by"], &second["visibility"]), (&json!("jo"), &json!("global")));
    let summary = cfy.json(&["blueprints", "summary", "tenant_name", "-a"]);
    assert_eq!(
        summary,
        json!([{ "tenant_name": "default_tenant", "blueprints": 2 }, { "tenant_name": "north", "blueprints": 1 }])
    );
    run(&cfy, "blueprints delete second").success();
}

#[test]
fn deployments_nodes_and_workflows_are_handled() {
    let (server, cfy) = filled();
    server
        .api()
        .put("users", &json!({ "username": "jo", "password": "jo-password-1", "role": "default" }))
        .expect(201);
    let instance = server.api().get(&format!("node-instances?deployment_id={TOWER}&node_id=tower")).items();
    let instance = instance[0]["id"].as_str().unwrap().to_owned();
    all_succeed(
        &cfy,
        &[
            "sites create cape",
            "deployments create second -b lighthouse -n Leuchtturm --labels env:test --site-name cape",
            "deployments list -b lighthouse --search-name Leucht --sort-by display_name -s 5 -o 0",
            "deployments status-list",
            &format!("deployments inputs {TOWER}"),
            &format!("deployments outputs {TOWER}"),
            &format!("deployments capabilities {TOWER}"),
            "deployments set-owner second -s jo",
            "deployments set-visibility second -l tenant",
            "deployments summary blueprint_id site_name",
            &format!("workflows list -d {TOWER}"),
            &format!("workflows list -d {TOWER} --all"),
            &format!("nodes list -d {TOWER} --sort-by id --search tow"),
            "nodes list --all-tenants",
            &format!("nodes get tower -d {TOWER}"),
            &format!("nodes get tower -d {TOWER} --evaluate-functions"),
            "nodes summary deployment_id visibility",
            &format!("node-instances list -d {TOWER} -n lamp"),
            &format!("node-instances get {instance}"),
            "node-instances summary node_id state -a",
            "agents list",
            &format!("deployments modifications list {TOWER}"),
        ],
    );
    run(&cfy, &format!("deployments outputs {TOWER}")).success().says(&["Jürgen"]);
    run(&cfy, &format!("node-instances update-runtime {instance} -p lit=true")).success().says(&["lit"]);
    run(&cfy, &format!("node-instances update-runtime {instance} -p height=52")).success().says(&["height"]);
    run(&cfy, &format!("node-instances delete-runtime {instance} -p lit")).success();
    let kept = server.api().get(&format!("node-instances/{instance}")).expect(200);
    assert_eq!(kept["runtime_properties"], json!({ "height": "52" }));
    run(&cfy, "deployments modifications list none").refused(&["404"]);
    run(&cfy, "deployments modifications get none").refused(&["404"]);
    run(&cfy, "deployments inputs none").refused(&["404"]);
    run(&cfy, &format!("workflows get nothing -d {TOWER}")).refused(&["nothing"]);
    run(&cfy, "node-instances get nothing").refused(&["not found"]);
    let found = cfy.json(&["deployments", "list", "--search-name", "LEUCHT"]);
    assert_eq!(ids(&found), ["second"]);
    assert_eq!(found[0]["created_by"], "jo");
}

#[test]
fn executions_and_events_are_listed_counted_and_deleted() {
    let (server, cfy) = filled();
    let api = server.api();
    let made = api.get(&format!("executions?deployment_id={TOWER}")).items();
    let made = made[0]["id"].as_str().unwrap().to_owned();
    cfy.run(&["snapshots", "create", "nightly", "-w"]).success();
    all_succeed(
        &cfy,
        &[
            &format!("executions list -d {TOWER} --sort-by created_at --descending -s 1 -o 0"),
            &format!("executions get {made}"),
            "executions summary workflow_id status -a",
            &format!("executions graphs list {made}"),
            &format!("executions operations list {made}"),
            &format!("events list {made}"),
            &format!("events list {made} --json-output --from 2020-01-01"),
        ],
    );
    run(&cfy, &format!("executions resume {made}")).refused(&["409", "Cannot resume execution"]);
    run(&cfy, &format!("executions cancel {made}")).refused(&["400"]);

    let events = api.get(&format!("events?deployment_id={TOWER}")).items().len();
    assert!(events > 0);
    run(&cfy, &format!("events delete {TOWER} --to 2020-01-01")).success().says(&["No events to delete"]);
    run(&cfy, &format!("events delete {TOWER} --include-logs"))
        .success()
        .says(&[&format!("Deleted {events} events")]);
    assert_eq!(api.get(&format!("events?deployment_id={TOWER}")).items(), Vec::<Value>::new());
    run(&cfy, "events delete none").refused(&["404"]);

    run(&cfy, "executions delete --keep-last 5").success().says(&["No executions to delete"]);
    run(&cfy, "executions delete --to 2020-01-01").success().says(&["No executions to delete"]);
    // The blueprint's upload goes; what made the deployment, and the service's own, stay.
    let body = json!({ "to_datetime": "2100-01-01T00:00:00" });
    let deleted = api.send(api.request(reqwest::Method::DELETE, "executions").json(&body)).expect(200);
    assert_eq!(deleted["items"], json!([{ "count": 1 }]));
    let left: Vec<Value> = api
        .get("executions?_include_system_workflows=true&workflow_id=create_snapshot&workflow_id=create_deployment_environment&workflow_id=upload_blueprint")
        .items()
        .iter()
        .map(|item| item["workflow_id"].clone())
        .collect();
    assert_eq!(left, ["create_deployment_environment", "create_snapshot"]);
    assert_eq!(api.get("blueprints/lighthouse").expect(200)["state"], "uploaded");
    let north = api.clone().tenant("north");
    assert_eq!(
        north.get("executions?_include_system_workflows=true&workflow_id=upload_blueprint").items().len(),
        1
    );
    for bad in [
        json!({}),
        json!({ "keep_last": 0 }),
        json!({ "keep_last": 1, "to_datetime": "2020-01-01T00:00:00" }),
    ] {
        let reply = api.send(api.request(reqwest::Method::DELETE, "executions").json(&bad));
        reply.expect_error(400, "bad_parameters_error");
    }
}

#[test]
fn plugins_are_handled() {
    let (server, cfy) = filled();
    let plugin = cfy.json(&["plugins", "list"])[0]["id"].as_str().unwrap().to_owned();
    server
        .api()
        .put("users", &json!({ "username": "jo", "password": "jo-password-1", "role": "default" }))
        .expect(201);
    let (wagon, yaml) = write_plugin(&server.scratch());
    run(&cfy, &format!("plugins upload {wagon} -y {yaml}")).refused(&["409", "already exists"]);
    run(&cfy, &format!("plugins validate {wagon}"));
    all_succeed(
        &cfy,
        &[
            "plugins list --sort-by package_name --descending --search beacon -s 1 -o 0 --get-data",
            &format!("plugins get {plugin} --get-data"),
            &format!("plugins download {plugin} -o beacon.wgn"),
            &format!("plugins download_yaml {plugin} -o plugin.yaml"),
            &format!("plugins set-visibility {plugin} -l global"),
            &format!("plugins set-owner {plugin} -s jo"),
            &format!("plugins blueprint-labels list {plugin}"),
            &format!("plugins blueprint-labels add env:prod,env:test {plugin}"),
            &format!("plugins blueprint-labels delete env:test {plugin}"),
            &format!("plugins deployment-labels add team:red {plugin}"),
            &format!("plugins deployment-labels list {plugin}"),
            &format!("plugins deployment-labels delete team {plugin}"),
            &format!("plugins resource-tags add owner:me {plugin}"),
            &format!("plugins resource-tags list {plugin}"),
        ],
    );
    let kept = server.api().get(&format!("plugins/{plugin}")).expect(200);
    assert_eq!(kept["blueprint_labels"], json!({ "env": ["prod"] }));
    assert_eq!(kept["labels"], json!({}));
    assert_eq!(kept["created_by"], "jo");
    let yaml = std::fs::read_to_string(cfy.home().join("plugin.yaml")).unwrap();
    assert!(yaml.contains("package_name: beacon-plugin"), "{yaml}");
    run(&cfy, &format!("plugins install {plugin} --manager-hostname here")).refused(&["405"]);
    run(&cfy, &format!("plugins delete {plugin}")).success();
    run(&cfy, &format!("plugins get {plugin}")).refused(&["404"]);
}

#[test]
fn deployments_are_listed_and_counted_by_group_dependencies_and_what_belongs_to_them() {
    let server = TestServer::start();
    let (api, cfy) = (server.api(), server.cfy());
    upload_text(&api, "ferry", FERRY);
    for deployment in ["isle", "quay", "boat", "crane"] {
        deploy(&api, "ferry", deployment);
    }
    run(&cfy, "deployments groups create coast").success();
    run(&cfy, "deployments groups extend coast -d isle -d quay").success();
    let listed = |command: &str| {
        let listed = cfy.json(&command.split_whitespace().collect::<Vec<_>>());
        let mut ids: Vec<String> = ids(&listed).into_iter().map(str::to_owned).collect();
        ids.sort();
        ids
    };
    assert_eq!(listed("deployments list -g coast"), ["isle", "quay"]);
    assert_eq!(listed("deployments list -g coast --attrs-rule created_by=admin"), ["isle", "quay"]);
    assert_eq!(listed("deployments list -g desert"), Vec::<String>::new());
    let counted = cfy.json(&["deployments", "summary", "blueprint_id", "--group-id", "coast"]);
    assert_eq!(counted, json!([{ "blueprint_id": "ferry", "deployments": 2 }]));
    let counted = cfy.json(&["deployments", "summary", "blueprint_id"]);
    assert_eq!(counted, json!([{ "blueprint_id": "ferry", "deployments": 4 }]));
    assert_eq!(cfy.json(&["deployments", "summary", "blueprint_id", "--group-id", "desert"]), json!([]));

    for (source, target) in [("boat", "quay"), ("quay", "isle"), ("isle", "boat")] {
        let body = json!({
            "dependency_creator": "a.b", "source_deployment": source, "target_deployment": target,
        });
        let reply = api.put("deployments/inter-deployment-dependencies", &body);
        // The last one would close a circle.
        assert_eq!(reply.status == 200, source != "isle", "{}", reply.text());
    }
    assert_eq!(listed("deployments list --dependencies-of boat"), ["isle", "quay"]);
    assert_eq!(listed("deployments list --dependencies-of quay"), ["isle"]);
    assert_eq!(listed("deployments list --dependencies-of isle"), Vec::<String>::new());
    run(&cfy, "deployments list --dependencies-of nobody").refused(&["404", "nobody"]);

    // What belongs to a deployment shows in its status.
    for (deployment, labels) in [
        ("quay", json!([{ "csys-obj-parent": "isle" }, { "csys-obj-type": "environment" }])),
        ("boat", json!([{ "csys-obj-parent": "quay" }])),
    ] {
        api.patch(&format!("deployments/{deployment}"), &json!({ "labels": labels })).expect(200);
    }
    for deployment in ["isle", "quay", "boat"] {
        run(&cfy, &format!("executions start install -d {deployment}")).success();
    }
    let statuses = |deployment: &str| {
        let found = api.get(&format!("deployments/{deployment}")).expect(200);
        ["deployment_status", "sub_services_status", "sub_environments_status"]
            .map(|name| found[name].clone())
    };
    let (good, none, bad) = (json!("good"), Value::Null, json!("requires_attention"));
    assert_eq!(statuses("isle"), [good.clone(), good.clone(), good.clone()]);
    assert_eq!(statuses("quay"), [good.clone(), good.clone(), none.clone()]);
    assert_eq!(statuses("boat"), [good.clone(), none.clone(), none.clone()]);
    run(&cfy, "executions start uninstall -d boat").success();
    assert_eq!(statuses("isle"), [bad.clone(), bad.clone(), good.clone()]);
    assert_eq!(statuses("quay"), [bad.clone(), bad.clone(), none.clone()]);
    assert_eq!(statuses("boat"), [bad.clone(), none.clone(), none]);
    run(&cfy, "deployments status-list").success().says(&["requires_attention"]);
    let found = api.get("deployments?sub_services_status=requires_attention&_sort=id").items();
    assert_eq!(found.iter().map(|item| item["id"].as_str().unwrap()).collect::<Vec<_>>(), ["isle", "quay"]);
    let found = api.get("deployments?sub_environments_status=good").items();
    assert_eq!(found.len(), 1, "{found:#?}");
    let counted = api.get("summary/deployments?_target_field=deployment_status").items();
    // The crane was never installed.
    assert_eq!(counted, [json!({ "deployment_status": "requires_attention", "deployments": 4 })]);
}

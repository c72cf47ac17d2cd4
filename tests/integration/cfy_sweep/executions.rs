//! `cfy executions`, `events`, `nodes`, `node-instances`, `workflows`, `agents`, and installing as a whole.

use std::fs;

use super::{FERRY, Sweep, TOWER};

pub(super) fn sweep(sweep: &mut Sweep) {
    executions(sweep);
    execution_groups(sweep);
    events(sweep);
    nodes(sweep);
    agents(sweep);
    installs(sweep);
}

fn first_id(sweep: &mut Sweep, line: &str) -> String {
    sweep.shell.json(line)[0]["id"].as_str().unwrap_or_else(|| panic!("`{line}` lists nothing")).to_owned()
}

fn executions(sweep: &mut Sweep) {
    sweep.succeed(&[
        (
            "executions start install -d ferry -t default_tenant --include-logs --timeout 60 --with-worker-names \
             --wait-after-fail 10 --force",
            &["Finished executing workflow install on deployment ferry"],
        ),
        ("executions start uninstall -d ferry --json-output --no-logs --without-worker-names --queue", &["Finished"]),
        ("executions start install -d ferry --dry-run", &["Finished"]),
        ("executions start install -d ferry -p a=1 --allow-custom-parameters", &["Finished"]),
        ("executions start uninstall -d ferry --schedule 204001011000+0000", &["scheduled"]),
        ("executions list -d ferry --include-system-workflows", &["install", "create_deployment_environment"]),
        ("executions summary workflow_id status -t default_tenant", &["install", "TOTAL"]),
        ("executions summary tenant_name --all-tenants", &["north"]),
    ]);
    sweep.lists("executions list", "", "created_at");
    let done = first_id(sweep, "executions list -d ferry --sort-by created_at");
    let scheduled = first_id(sweep, "executions list -d ferry --sort-by created_at --descending");
    sweep.succeed(&[
        (&format!("executions get {done} -t default_tenant -x"), &["ferry", "completed"]),
        (&format!("executions graphs list {done} --name install"), &["Tasks graphs"]),
        (&format!("executions operations list {done} --show-internal --state pending"), &["Operations"]),
        (&format!("executions cancel {scheduled} -t default_tenant"), &["cancel"]),
    ]);
    let cancelled = sweep.get(&format!("executions/{scheduled}"))["status"].clone();
    sweep.claim(&format!("the scheduled execution is cancelled, not {cancelled}"), cancelled == "cancelled");
    let graph = sweep.api.post(
        "tasks_graphs/tasks_graphs",
        &serde_json::json!({ "execution_id": done, "name": "journey", "operations": [{
            "id": "5f0c6f4e-0000-4000-8000-000000000001", "name": "cast off", "type": "RemoteWorkflowTask",
            "parameters": { "task_kwargs": { "kwargs": { "__cloudify_context": { "operation": { "name": "a.b" }, "node_id": "ferry_x" } } } },
            "dependencies": [] }] }),
    );
    let graph = graph.expect(201)["id"].as_str().unwrap().to_owned();
    sweep.succeed(&[
        (&format!("executions graphs list {done}"), &["journey"]),
        (&format!("executions operations list --graph-id {graph}"), &["cast off"]),
        ("executions operations get 5f0c6f4e-0000-4000-8000-000000000001", &["cast off"]),
    ]);
    sweep.refused(&[
        ("executions start install -d none", &["404", "none"]),
        ("executions start nothing -d ferry", &["nothing"]),
        ("executions get none", &["not found"]),
        ("executions cancel none", &["404"]),
        (&format!("executions cancel {done} --force"), &["400"]),
        (&format!("executions resume {done} --reset-operations -t default_tenant"), &["409"]),
        ("executions operations get none", &["404"]),
    ]);
    sweep.succeed(&[
        (&format!("executions cancel {done} --kill"), &[]),
        ("executions delete --keep-last 1000 -t default_tenant", &["No executions to delete"]),
        ("executions delete --to 2020-01-01 --all-tenants", &["No executions to delete"]),
    ]);
}

fn execution_groups(sweep: &mut Sweep) {
    sweep.succeed(&[
        (
            "executions groups start install -g fleet --concurrency 2 -w --json-output --force --timeout 100",
            &["install"],
        ),
        ("executions groups start uninstall -g fleet --without-worker-names", &["uninstall"]),
    ]);
    sweep.lists("executions groups list", "", "created_at");
    let groups = sweep.shell.json("executions groups list");
    let [one, two] = [0, 1].map(|at| groups[at]["id"].as_str().unwrap().to_owned());
    sweep.succeed(&[
        (&format!("executions groups get {one} -x"), &["fleet"]),
        (&format!("executions groups details {one} -x"), &["fleet"]),
        (&format!("executions groups set-concurrency {one} 3"), &["3"]),
        (&format!("executions groups set-success-group {one} fleet -t default_tenant"), &["fleet"]),
        (&format!("executions groups set-failure-group {one} fleet -t default_tenant"), &["fleet"]),
        (&format!("executions groups cancel {two} -t default_tenant"), &[]),
        (&format!("executions groups cancel {two} --force"), &[]),
        (&format!("executions groups cancel {two} --kill"), &[]),
        (&format!("executions groups resume {two} --reset-operations -t default_tenant"), &[]),
        (&format!("events list --execution-group {one}"), &["workflow execution succeeded"]),
    ]);
    let group = sweep.get(&format!("execution-groups/{one}"));
    sweep.claim(&format!("the group is what cfy made of it: {group}"), group["concurrency"] == 3);
    sweep.refused(&[
        ("executions groups start install -g none", &["404", "none"]),
        ("executions groups start install -g fleet -p depth=3", &["400", "depth"]),
        ("executions groups get none", &["404"]),
        ("executions groups details none", &["404"]),
        ("executions groups cancel none", &["404"]),
        ("executions groups set-concurrency none 1", &["404"]),
        (&format!("executions groups set-success-group {one} none"), &["404", "none"]),
    ]);
}

fn events(sweep: &mut Sweep) {
    let done = first_id(sweep, &format!("executions list -d {FERRY} --sort-by created_at"));
    sweep.succeed(&[
        (
            &format!("events list {done} -t default_tenant --no-logs --without-worker-names"),
            &["ferry", "Showing"],
        ),
        (
            &format!(
                "events list -e {done} --json-output --from 2020-01-01 --to 2100-01-01 --include-logs -w"
            ),
            &["ferry"],
        ),
        (
            &format!("events list {done} --before 1m --node ferry --operation none -o 0 -s 5"),
            &["Showing 0 of 0"],
        ),
        (&format!("events list {done} --tail"), &["ferry"]),
        ("events delete ferry --from 2020-01-01 --to 2020-02-01 -t default_tenant", &["No events to delete"]),
        ("events delete ferry --include-logs --store-before --output-path events.json", &["Deleted"]),
    ]);
    let stored = fs::read_to_string(sweep.shell.home().join("events.json")).unwrap_or_default();
    sweep.claim("the deleted events were stored before", stored.contains("ferry"));
    sweep.refused(&[
        ("events list none", &["not found"]),
        ("events list --execution-group none", &[]),
        ("events delete none", &["404"]),
    ]);
}

fn nodes(sweep: &mut Sweep) {
    sweep.succeed(&[
        (&format!("nodes get tower -d {TOWER} -t default_tenant -x"), &["tower"]),
        (&format!("nodes get tower -d {TOWER} --evaluate-functions"), &["tower"]),
        (&format!("nodes list -d {TOWER} --evaluate-functions"), &["tower"]),
        ("nodes summary deployment_id visibility -t default_tenant", &["ferry", "TOTAL"]),
        ("nodes summary tenant_name --all-tenants", &["north"]),
        (&format!("node-instances list -d {TOWER} -n lamp"), &["lamp"]),
        ("node-instances summary node_id state -t default_tenant", &["ferry", "TOTAL"]),
        ("node-instances summary tenant_name --all-tenants", &["north"]),
        (&format!("groups list -d {TOWER}"), &[]),
    ]);
    sweep.lists("nodes list", "", "id");
    sweep.lists("node-instances list", "", "id");
    sweep.lists("workflows list", &format!("-d {FERRY}"), "name");
    sweep.succeed(&[
        ("workflows list -d ferry --all", &["install"]),
        ("workflows get install -d ferry -t default_tenant -x", &["install"]),
    ]);
    let instance = first_id(sweep, &format!("node-instances list -d {FERRY}"));
    sweep.succeed(&[
        (&format!("node-instances get {instance} -t default_tenant --evaluate-functions -x"), &["ferry"]),
        (
            &format!(
                "node-instances update-runtime {instance} -p speed=12 -p flag=blue -t default_tenant -x"
            ),
            &["speed"],
        ),
        (&format!("node-instances delete-runtime {instance} -p flag -t default_tenant -x"), &["speed"]),
    ]);
    let kept = sweep.get(&format!("node-instances/{instance}"))["runtime_properties"].clone();
    sweep.claim(
        &format!("the properties are what cfy made them, not {kept}"),
        kept.get("speed").is_some() && kept.get("flag").is_none(),
    );
    sweep.refused(&[
        ("node-instances get none", &["not found"]),
        ("node-instances update-runtime none -p a=1", &["404"]),
        ("node-instances delete-runtime none -p a", &["404"]),
        ("workflows get none -d ferry", &["none"]),
        ("workflows list -d none", &["404"]),
    ]);
}

fn agents(sweep: &mut Sweep) {
    let instance = first_id(sweep, &format!("node-instances list -d {FERRY}"));
    sweep
        .api
        .put(
            "agents/pilot",
            &serde_json::json!({ "node_instance_id": instance, "state": "started", "install_method": "remote", "ip": "10.0.0.7" }),
        )
        .expect(200);
    sweep.succeed(&[
        ("agents list -t default_tenant -x", &["pilot", "10.0.0.7"]),
        ("agents list --all-tenants --all-states --install-method remote", &["pilot"]),
        (&format!("agents list --deployment-id {FERRY}"), &["pilot"]),
        ("agents list --node-id ferry", &["pilot"]),
        (&format!("agents list --node-instance-id {instance}"), &["pilot"]),
    ]);
    let none = sweep.shell.json("agents list --deployment-id none");
    sweep.claim("no agent of a deployment that is not", none == serde_json::json!([]));
}

fn installs(sweep: &mut Sweep) {
    sweep.succeed(&[
        (
            "install keeper/blueprint.yaml -b liner -d liner -i name=Jo -l tenant -t default_tenant \
             --skip-plugins-validation --timeout 60 --include-logs --blueprint-labels a:b --deployment-labels c:d \
             -w install --force --allow-custom-parameters -p x=1",
            &["Finished executing workflow install on deployment liner"],
        ),
        ("install keeper/blueprint.yaml -n blueprint.yaml -b pair -g pair --count 2 --no-logs --json-output", &["install"]),
        (
            "apply --blueprint-path keeper/blueprint.yaml -d applied -b applied -i name=Jo -l tenant -t default_tenant \
             --force --allow-custom-parameters -p x=1 --json-output",
            &["Finished executing workflow install"],
        ),
        (
            "apply --blueprint-path keeper/blueprint.yaml -n blueprint.yaml -d applied -i name=Ulla --ignore-failure --install-first \
             --dont-update-plugins --include-logs --auto-correct-types --reevaluate-active-statuses \
             --runtime-only-evaluation --skip-plugins-validation --blueprint-labels a:b --deployment-labels c:d",
            &["Successfully updated deployment applied"],
        ),
        ("apply --blueprint-path keeper/blueprint.yaml -d applied --preview --skip-install --skip-uninstall", &[]),
        ("uninstall liner -w uninstall --force --timeout 60 --include-logs -t default_tenant", &["Finished executing workflow uninstall", "Blueprint deleted"]),
        ("uninstall applied --allow-custom-parameters -p x=1 --json-output --no-logs --force", &["deleted"]),
    ]);
    for gone in ["deployments/liner", "blueprints/liner"] {
        sweep.claim(&format!("{gone} is gone"), sweep.api.get(gone).status == 404);
    }
    sweep.refused(&[
        ("install no-such-file.yaml", &["You must provide either a path"]),
        ("install keeper/blueprint.yaml -b ferry", &["409"]),
        ("uninstall none", &["404"]),
        ("apply --blueprint-path no-such-file.yaml", &["You must provide either a path"]),
    ]);
}

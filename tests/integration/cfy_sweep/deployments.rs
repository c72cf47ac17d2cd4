//! `cfy deployments` with its filters, groups, labels, modifications, schedules and updates.

use std::fs;

use serde_json::{Value, json};

use super::{FERRY, Sweep, TOWER};

pub(super) fn sweep(sweep: &mut Sweep) {
    single(sweep);
    updates(sweep);
    filters(sweep);
    groups(sweep);
    schedules(sweep);
    modifications(sweep);
}

fn single(sweep: &mut Sweep) {
    fs::write(sweep.shell.home().join("inputs.yaml"), "keeper: Jonna\n").unwrap();
    sweep.succeed(&[
        (
            "deployments create second -b lighthouse -i inputs.yaml -n Leuchtturm --labels env:test --site-name cape \
             -l private -t default_tenant --runtime-only-evaluation --skip-plugins-validation",
            &["Deployment `Leuchtturm` created. The deployment's id is second"],
        ),
        ("deployments create -b lighthouse -i keeper=Jo --generate-id --private-resource", &["created"]),
        (&format!("deployments inputs {TOWER} -t default_tenant"), &["keeper", "Jürgen"]),
        (&format!("deployments outputs {TOWER} -t default_tenant"), &["Jürgen"]),
        (&format!("deployments capabilities {TOWER} -t default_tenant"), &["Retrieving capabilities"]),
        ("deployments labels add team:red,env:prod second -t default_tenant", &["team"]),
        ("deployments labels list second -t default_tenant", &["team", "red", "prod"]),
        ("deployments labels delete team second -t default_tenant", &["deleted"]),
        ("deployments set-owner second -s keeper -t default_tenant", &["now owned by user `keeper`"]),
        ("deployments set-visibility second -l tenant", &["was set to tenant"]),
        ("deployments set-site second --detach-site", &["was detached"]),
        ("deployments set-site second -s cape", &["was set to cape"]),
        ("deployments summary blueprint_id site_name -t default_tenant", &["cape", "TOTAL"]),
        ("deployments summary tenant_name --all-tenants", &["north"]),
        ("deployments list --dependencies-of second", &["Showing 0 of 0"]),
        ("deployments status-list --dependencies-of second", &["Showing 0 of 0"]),
        ("deployments list -b lighthouse --search-name LEUCHT", &["second", "Showing 1 of 1"]),
        ("deployments list -lr env=prod -ar created_by=keeper", &["second", "Showing 1 of 1"]),
        ("deployments status-list -b lighthouse --search-name LEUCHT -lr env=prod -ar created_by=keeper", &["second"]),
        ("groups list -d second -t default_tenant", &[]),
    ]);
    sweep.claim("what cfy did is there", {
        let second = sweep.get("deployments/second");
        second["created_by"] == "keeper"
            && second["visibility"] == "tenant"
            && second["site_name"] == "cape"
            && second["display_name"] == "Leuchtturm"
            && second["inputs"] == json!({ "keeper": "Jonna" })
    });
    sweep.lists("deployments list", "", "created_at");
    sweep.lists("deployments status-list", "", "id");
    sweep.refused(&[
        ("deployments create second -b lighthouse", &["409", "already exists"]),
        ("deployments create other -b none", &["404", "none"]),
        ("deployments create other -b lighthouse -i wrong=1", &["400", "wrong"]),
        ("deployments create other -b lighthouse -s nowhere", &["404", "nowhere"]),
        ("deployments inputs none", &["404"]),
        ("deployments outputs none", &["404"]),
        ("deployments capabilities none", &["404"]),
        ("deployments labels list none", &["404"]),
        ("deployments set-site second", &["Must provide either"]),
        ("deployments set-owner second -s nobody", &["404", "nobody"]),
        ("deployments delete none", &["404"]),
        ("groups list -d none", &["none"]),
    ]);
    sweep.succeed(&[
        ("deployments set-visibility none -l tenant", &["404"]),
        ("deployments delete second --with-logs --recursive -t default_tenant", &["Deployment deleted"]),
    ]);
}

fn updates(sweep: &mut Sweep) {
    sweep.succeed(&[
        ("deployments create updated -b ferry", &["created"]),
        ("blueprints upload keeper/blueprint.yaml -b keeper", &["Blueprint uploaded"]),
        ("deployments update updated -b keeper --preview", &["pier"]),
        (
            "deployments update updated -b keeper -i name=Jo --skip-install --skip-uninstall --skip-reinstall \
             --skip-drift-check --skip-heal --ignore-failure --install-first --dont-update-plugins --force \
             -t default_tenant --include-logs --runtime-only-evaluation --auto-correct-types \
             --reevaluate-active-statuses",
            &["Successfully updated deployment updated"],
        ),
        ("deployments update updated -i name=Ulla --json-output --no-logs", &["Successfully updated deployment"]),
        ("deployments update updated -i name=Ulla -r pier_none --force-reinstall", &[]),
        ("deployments history -d updated", &["updated", "successful"]),
    ]);
    sweep.claim("the update is there", sweep.get("deployments/updated")["inputs"]["name"] == "Ulla");
    sweep.lists("deployments history", "", "created_at");
    let update = sweep.shell.json("deployments history -d updated")[0]["id"].as_str().unwrap().to_owned();
    sweep.succeed(&[(&format!("deployments get-update {update} -t default_tenant"), &["updated"])]);
    sweep.refused(&[
        ("deployments get-update none", &["404"]),
        ("deployments update none -b keeper", &["404"]),
        ("deployments update updated -b none", &["404", "none"]),
        ("deployments update updated -b keeper -i wrong=1", &["wrong"]),
        (
            "deployments update updated -p keeper/blueprint.yaml -b other -l tenant --validate",
            &["no longer supported"],
        ),
    ]);
}

fn filters(sweep: &mut Sweep) {
    sweep.succeed(&[
        ("deployments labels add env:prod updated", &["added"]),
        (
            "deployments filters create testing -lr env=prod -ar blueprint_id=keeper -l private -t default_tenant",
            &["created"],
        ),
        ("deployments filters create other -lr env=prod", &["created"]),
        ("deployments filters get testing -t default_tenant", &["blueprint_id"]),
        ("deployments list --filter-id testing", &["updated", "Showing 1 of 1"]),
        ("deployments status-list --filter-id testing", &["updated"]),
        (
            "deployments filters update testing -lr env=[prod,test] -ar created_by=admin -l tenant -t default_tenant",
            &["updated"],
        ),
        ("deployments filters get none", &["not found"]),
        ("deployments filters delete none", &["not found"]),
        ("deployments filters delete testing -t default_tenant", &["Filter removed"]),
    ]);
    sweep.lists("deployments filters list", "", "id");
    sweep.refused(&[
        ("deployments filters create other -lr env=prod", &["409", "already exists"]),
        ("deployments filters create bad -ar colour=red", &["Allowed attributes"]),
    ]);
}

fn groups(sweep: &mut Sweep) {
    sweep.succeed(&[
        ("deployments groups create fleet -b ferry --description ships", &["Group fleet created"]),
        ("deployments groups create harbour -i keeper=Jo -b lighthouse", &["Group harbour created"]),
        ("deployments groups update fleet --description boats -b ferry", &["Group fleet updated"]),
        ("deployments groups update harbour -i keeper=Ulla", &["Group harbour updated"]),
        ("deployments groups extend fleet --count 2", &["contains 2 deployments"]),
        ("deployments groups extend fleet -d ferry", &["contains 3 deployments"]),
        ("deployments groups extend harbour --filter-id other", &["contains 1 deployments"]),
        ("deployments groups extend harbour -lr env=prod -ar blueprint_id=keeper", &["contains 1 deployments"]),
        ("deployments groups extend harbour --from-group fleet", &["contains 4 deployments"]),
        ("deployments groups extend harbour --into-environments fleet", &["contains 4 deployments"]),
        ("deployments groups shrink harbour --filter-id other", &["now has 3 deployments"]),
        ("deployments groups shrink harbour -d ferry", &["now has 2 deployments"]),
        ("deployments groups shrink harbour -lr env=prod -ar blueprint_id=keeper", &["now has 2 deployments"]),
        ("deployments groups shrink harbour --from-group fleet", &["now has 0 deployments"]),
        ("deployments groups labels add sea:north,size:small fleet -t default_tenant", &["sea"]),
        ("deployments groups labels list fleet -t default_tenant", &["sea", "north"]),
        ("deployments groups labels delete size fleet -t default_tenant", &["deleted"]),
        ("deployments list -g fleet", &["ferry", "Showing 3 of 3"]),
        ("deployments status-list -g fleet", &["ferry"]),
        ("deployments list --group-id none", &[]),
        (
            "deployments groups update-deployments fleet -b keeper -i name=Jo --skip-install --skip-uninstall \
             --skip-reinstall --skip-drift-check --skip-heal --ignore-failure --install-first \
             --dont-update-plugins --force --runtime-only-evaluation --auto-correct-types \
             --reevaluate-active-statuses --concurrency 2 -t default_tenant",
            &[],
        ),
    ]);
    sweep.lists("deployments groups list", "", "id");
    let group = sweep.get("deployment-groups/fleet");
    sweep.claim(
        "the group is what cfy made",
        group["description"] == "boats" && group["labels"].to_string().contains("north"),
    );
    sweep.refused(&[
        ("deployments groups extend none --count 1", &["404", "none"]),
        ("deployments groups extend fleet -d none", &["none"]),
        ("deployments groups shrink none -d ferry", &["404", "none"]),
        ("deployments groups delete none", &["404"]),
        ("deployments groups labels list none", &["404"]),
        ("deployments groups create bad -b none", &["none"]),
        ("deployments groups update-deployments none -b keeper", &["404"]),
    ]);
    sweep.succeed(&[("deployments groups delete harbour", &["Group harbour deleted"])]);
}

fn schedules(sweep: &mut Sweep) {
    sweep.succeed(&[
        (
            "deployments schedule create ferry install -n daily -s '2040-01-01 10:00' -u '2040-02-01 10:00' --tz EST \
             -r '1 days' -c 5 --weekdays 'mo,tu' --slip 1 --stop-on-fail --force --dry-run --wait-after-fail 10 \
             --allow-custom-parameters -p a=1 -t default_tenant",
            &["created successfully"],
        ),
        ("deployments schedule create ferry uninstall -s '2040-01-01 10:00' --rrule 'FREQ=DAILY;COUNT=3'", &["created successfully"]),
        ("deployments schedule get ferry daily -t default_tenant -x", &["2040-01", "1 days"]),
        ("deployments schedule get ferry uninstall --preview 2", &["Listing first 2"]),
        ("deployments schedule list ferry -s '2039-01-01 10:00' -u '2041-01-01 10:00' --tz EST", &["daily", "Showing 2 of 2"]),
        ("deployments schedule disable ferry daily -t default_tenant", &["disabled successfully"]),
        ("deployments schedule enable ferry daily -t default_tenant", &["enabled successfully"]),
        (
            "deployments schedule update ferry daily -s '2040-01-02 10:00' -u '2040-03-01 10:00' --tz GMT -r '2 days' \
             -c 3 --slip 2 --continue-on-fail -t default_tenant",
            &["updated successfully"],
        ),
        ("deployments schedule update ferry uninstall --rrule 'FREQ=DAILY;COUNT=4'", &["updated successfully"]),
        ("deployments schedule summary deployment_id -t default_tenant", &["ferry"]),
        ("deployments schedule summary tenant_name --all-tenants", &["default_tenant"]),
    ]);
    sweep.lists("deployments schedule list", "", "id");
    let daily = sweep.get("execution-schedules/daily?deployment_id=ferry");
    sweep.claim(
        &format!("the schedule is what cfy made: {daily}"),
        daily["rule"]["recurrence"] == "2 days"
            && daily["enabled"] == true
            && daily["parameters"] == json!({ "a": "1" }),
    );
    sweep.refused(&[
        (
            "deployments schedule create ferry install -n daily -s '2040-01-01 10:00' -r '1 days'",
            &["409", "already exists"],
        ),
        ("deployments schedule create none install -s '2040-01-01 10:00' -c 1", &["404", "none"]),
        ("deployments schedule create ferry nothing -s '2040-01-01 10:00'", &["nothing"]),
        ("deployments schedule get ferry none", &["404"]),
        ("deployments schedule delete ferry none", &["404"]),
        ("deployments schedule enable ferry daily", &["already enabled"]),
    ]);
    sweep.succeed(&[(
        "deployments schedule delete ferry uninstall -t default_tenant",
        &["deleted successfully"],
    )]);
}

fn modifications(sweep: &mut Sweep) {
    sweep.succeed(&[(
        &format!("deployments modifications list {FERRY} -t default_tenant -o 0 -s 5 -x"),
        &["Showing 0 of 0"],
    )]);
    sweep.refused(&[
        ("deployments modifications get none -t default_tenant", &["404"]),
        ("deployments modifications rollback none -t default_tenant", &["404"]),
    ]);
    let _: Value = sweep.get("deployment-modifications");
}

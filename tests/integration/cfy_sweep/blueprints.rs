//! `cfy blueprints`, `cfy sites`.

use std::fs;

use serde_json::json;

use super::{Sweep, TOWER};

pub(super) fn sweep(sweep: &mut Sweep) {
    fs::write(sweep.shell.home().join("icon.png"), b"\x89PNG\r\n\x1a\nand so on").unwrap();
    sweep.succeed(&[
        ("users create keeper -p keeper-password-1 -r default -t default_tenant -l user", &["created"]),
        (
            "blueprints upload keeper/blueprint.yaml -b second --labels env:test -l private -t default_tenant -i icon.png",
            &["Blueprint uploaded. The blueprint's id is second"],
        ),
        ("blueprints upload keeper/blueprint.yaml -b third -a --private-resource -n blueprint.yaml", &["upload started"]),
        ("blueprints validate plain/blueprint.yaml", &["validated successfully"]),
        ("blueprints upload plain/blueprint.yaml -b plain --validate", &["validated successfully", "Blueprint uploaded"]),
        ("blueprints package plain/blueprint.yaml -o packed --validate", &["Packaging complete"]),
        ("blueprints upload packed.tar.gz -b packed -n blueprint.yaml", &["Blueprint uploaded"]),
        ("blueprints create-requirements plain/blueprint.yaml -o requirements.txt", &["Requirements file created"]),
        ("blueprints create-requirements plain/blueprint.yaml", &[]),
        ("blueprints get second -t default_tenant -x", &["second", "private"]),
        ("blueprints inputs lighthouse -t default_tenant -x", &["keeper"]),
        ("blueprints labels add team:red,env:prod second -t default_tenant", &["team"]),
        ("blueprints labels list second -t default_tenant", &["team", "red", "prod"]),
        ("blueprints labels delete team:red second -t default_tenant", &["deleted"]),
        ("blueprints set-owner second -s keeper -t default_tenant", &["now owned by user `keeper`"]),
        ("blueprints set-visibility second -l tenant", &["was set to tenant"]),
        ("blueprints set-global second", &["was set to global"]),
        ("blueprints set-icon second -i icon.png", &["new icon set"]),
        ("blueprints summary visibility tenant_name -t default_tenant", &["global", "TOTAL"]),
        ("blueprints summary tenant_name --all-tenants", &["north"]),
        ("blueprints download second -o second.tar.gz -t default_tenant", &["downloaded as second.tar.gz"]),
        ("blueprints filters create testing -lr env=prod -ar created_by=keeper -l private -t default_tenant", &["created"]),
        ("blueprints filters create other -lr env=prod", &["created"]),
        ("blueprints filters get testing -t default_tenant", &["created_by"]),
        ("blueprints list --filter-id testing", &["second", "Showing 1 of 1"]),
        ("blueprints list -lr env=prod -ar created_by=keeper", &["second", "Showing 1 of 1"]),
        ("blueprints filters update testing -lr env=[prod,test] -ar created_by=admin -l tenant -t default_tenant", &["updated"]),
    ]);
    sweep.claim("what cfy did is there", {
        let second = sweep.get("blueprints/second");
        second["created_by"] == "keeper"
            && second["visibility"] == "global"
            && second["labels"].to_string().contains("prod")
    });
    sweep.lists("blueprints list", "", "created_at");
    sweep.lists("blueprints filters list", "", "id");
    sweep.refused(&[
        ("blueprints upload keeper/blueprint.yaml -b second", &["409", "already exists"]),
        ("blueprints upload no-such-file.yaml", &["You must provide either a path"]),
        ("blueprints validate icon.png", &[]),
        ("blueprints get none", &["404", "`Blueprint` with ID `none`"]),
        ("blueprints inputs none", &["404"]),
        ("blueprints download none", &["404"]),
        ("blueprints delete none", &["404"]),
        ("blueprints delete lighthouse", &["400", TOWER]),
        ("blueprints labels add a:b none", &["404"]),
        ("blueprints labels list none", &["404"]),
        ("blueprints labels delete a none", &["404"]),
        ("blueprints list -lr env", &["not in the right format"]),
        ("blueprints set-owner second -s nobody", &["404", "nobody"]),
        ("blueprints filters create testing -lr env=prod", &["409", "already exists"]),
    ]);
    sweep.succeed(&[
        // Refusals that `cfy` tells without saying so by its code.
        ("blueprints set-visibility second -l tenant", &["400"]),
        ("blueprints set-global none", &["404"]),
        ("blueprints set-icon none -i icon.png", &["404"]),
        ("blueprints filters get none", &["not found"]),
        ("blueprints filters delete none", &["not found"]),
        ("blueprints filters delete testing -t default_tenant", &["Filter removed"]),
        ("blueprints set-icon second", &["icon removed"]),
        ("blueprints delete second -t default_tenant", &["Blueprint deleted"]),
        ("blueprints delete packed --force", &["Blueprint deleted"]),
    ]);
    sites(sweep);
}

fn sites(sweep: &mut Sweep) {
    sweep.succeed(&[
        ("sites create cape --location 32.071072,34.787274 -l tenant -t default_tenant", &["created"]),
        ("sites create dune -l private", &["created"]),
        ("sites update dune --new-name hill --location 1,2 -l tenant -t default_tenant", &["updated"]),
        ("sites get hill -t default_tenant -x", &["1.0, 2.0", "tenant"]),
        ("sites get none", &["not found"]),
        ("sites delete none", &["not found"]),
        ("sites update none --location 1,2", &["not found"]),
    ]);
    sweep.lists("sites list", "", "name");
    sweep.refused(&[
        ("sites create cape", &["409", "already exists"]),
        ("sites create north --location north", &["400", "Invalid location"]),
    ]);
    sweep.succeed(&[("sites delete hill -t default_tenant", &["Site deleted"])]);
    let names: Vec<_> = sweep.api.get("sites").items().iter().map(|site| site["name"].clone()).collect();
    sweep.claim(&format!("only the cape is left, not {names:?}"), names == [json!("cape")]);
}

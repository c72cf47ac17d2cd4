//! `cfy plugins` with their labels, tags and updates.

use std::fs;

use super::{LAMP, Sweep};
use crate::harness::{write_plugin, write_zip};

pub(super) fn sweep(sweep: &mut Sweep) {
    let (wagon, yaml) = write_plugin(sweep.shell.home());
    let bundle = write_zip(&[("README", b"no plugin")]);
    fs::write(sweep.shell.home().join("bundle.zip"), bundle).unwrap();
    let plugin =
        sweep.get("plugins?package_name=beacon-plugin")["items"][0]["id"].as_str().unwrap().to_owned();
    sweep.lists("plugins list", "", "uploaded_at");
    sweep.succeed(&[
        ("plugins list --get-data", &["beacon"]),
        (&format!("plugins get {plugin} --get-data -t default_tenant"), &["beacon-plugin", "1.2.0"]),
        (
            &format!("plugins download {plugin} -o beacon.wgn -t default_tenant"),
            &["downloaded as beacon.wgn"],
        ),
        (
            &format!("plugins download_yaml {plugin} -o beacon.yaml -t default_tenant"),
            &["downloaded as beacon.yaml"],
        ),
        (&format!("plugins set-visibility {plugin} -l tenant"), &[]),
        (&format!("plugins set-global {plugin}"), &["was set to global"]),
        (&format!("plugins set-owner {plugin} -s keeper"), &["now owned by user `keeper`"]),
    ]);
    for (noun, label) in
        [("blueprint-labels", "env:prod"), ("deployment-labels", "env:prod"), ("resource-tags", "env:prod")]
    {
        sweep.succeed(&[
            (&format!("plugins {noun} add {label},team:red {plugin} -t default_tenant"), &["added"]),
            (&format!("plugins {noun} list {plugin} -t default_tenant"), &["env", "prod", "team"]),
            (&format!("plugins {noun} delete team {plugin} -t default_tenant"), &["deleted"]),
        ]);
        sweep.refused(&[
            (&format!("plugins {noun} list none"), &["404"]),
            (&format!("plugins {noun} add a:b none"), &["404"]),
            (&format!("plugins {noun} delete a none"), &["404"]),
        ]);
    }
    let kept = sweep.get(&format!("plugins/{plugin}"));
    for (key, expected) in [
        ("created_by", serde_json::json!("keeper")),
        ("visibility", serde_json::json!("global")),
        ("blueprint_labels", serde_json::json!({ "env": ["prod"] })),
        ("resource_tags", serde_json::json!({ "env": ["prod"] })),
    ] {
        sweep
            .claim(&format!("`{key}` of the plugin is {expected}, not {}", kept[key]), kept[key] == expected);
    }
    sweep.refused(&[
        (&format!("plugins upload {wagon} -y {yaml}"), &["409", "already exists"]),
        ("plugins get none", &["404"]),
        ("plugins download none", &["404"]),
        ("plugins download_yaml none", &["404"]),
        ("plugins delete none", &["404"]),
        ("plugins set-owner none -s keeper", &["404"]),
        (&format!("plugins install {plugin} --manager-hostname here --timeout 5"), &["405"]),
        (&format!("plugins install {plugin} --agent-name pilot"), &["405"]),
        (&format!("plugins upload {yaml} -y {yaml}"), &["400"]),
        ("plugins bundle-upload -p bundle.zip -x", &["400", "no `package.json`"]),
        // The wheel in it is none that can be installed, which `cfy` tries by itself.
        (&format!("plugins validate {wagon}"), &["Could not install package"]),
        ("plugins update --all-blueprints --all-tenants --to-latest lamp", &["mutually exclusive"]),
        ("plugins update --all-blueprints --to-minor lamp --all-to-minor", &["mutually exclusive"]),
    ]);
    sweep.succeed(&[
        ("plugins set-visibility none -l global", &["404"]),
        ("plugins set-global none", &["404"]),
        (&format!("plugins delete {plugin} --force -t default_tenant"), &["Plugin deleted"]),
        (
            &format!("plugins upload {wagon} -y {yaml} --title Beacon -l private -t default_tenant"),
            &["Plugin uploaded"],
        ),
    ]);
    updates(sweep);
}

fn updates(sweep: &mut Sweep) {
    sweep.succeed(&[
        (
            "plugins update lamp --plugin-name lamp --all-to-latest --include-logs --force --auto-correct-types \
             --reevaluate-active-statuses -t default_tenant",
            &["Successfully updated plugins for blueprint lamp"],
        ),
        ("plugins update --all-blueprints --except-blueprint lamp --all-to-minor --no-logs --json-output", &["Successfully updated"]),
        ("plugins update --all-blueprints --all-tenants", &["Successfully updated"]),
        ("plugins list_updates -t default_tenant --get-data", &[LAMP]),
        ("plugins history -b lamp", &[LAMP]),
    ]);
    sweep.lists("plugins list_updates", "", "created_at");
    sweep.lists("plugins history", "", "created_at");
    let update = sweep.shell.json("plugins history")[0]["id"].as_str().unwrap().to_owned();
    sweep.succeed(&[(&format!("plugins get-update {update} -t default_tenant -x"), &["successful"])]);
    sweep.refused(&[
        ("plugins get-update none", &["404"]),
        ("plugins update none", &["404", "none"]),
        ("plugins update", &["BLUEPRINT_ID"]),
    ]);
}

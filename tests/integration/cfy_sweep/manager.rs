//! What `cfy` asks of the manager itself: snapshots, maintenance, audit, settings, and what is of other editions.

use std::fs;

use super::Sweep;

/// What a community edition answers to what is of the premium edition.
const COMMUNITY: &[&str] = &["404", "community edition"];

pub(super) fn sweep(sweep: &mut Sweep) {
    itself(sweep);
    audit(sweep);
    snapshots(sweep);
    maintenance(sweep);
}

fn itself(sweep: &mut Sweep) {
    fs::write(sweep.shell.home().join("license.yaml"), "license: {}\n").unwrap();
    sweep.succeed(&[
        ("--version", &["7.0.5"]),
        ("status", &["Lifeboat", "Active"]),
        ("--json status", &["Lifeboat"]),
        ("cluster status", &["Embedded manager"]),
        ("cluster update-profile", &[]),
        ("cluster brokers get lifeboat", &["127.0.0.1"]),
        ("idp get", &["local"]),
        ("ldap status", &["disabled"]),
        ("license check", &["licensed"]),
        ("license list -x", &[]),
        ("license environments list -x -o 0 -s 5 --sort-by id --descending", &["north-tower"]),
        ("license environments count", &["count: "]),
        ("config list", &["Config"]),
        ("log-bundles list -x --sort-by id --descending --search a -o 0 -s 5", &["Showing 0 of 0"]),
        ("certificates generate-replace-config -o certificates.yaml", &["saved to certificates.yaml"]),
    ]);
    for command in [
        "cluster managers list",
        "managers list",
        "cluster db-nodes list",
        "db-nodes list",
        "cluster brokers list",
    ] {
        sweep.lists(command, "", "name");
        sweep.succeed(&[(command, &["lifeboat"])]);
    }
    sweep.refused(&[
        ("license upload license.yaml", COMMUNITY),
        ("license remove", COMMUNITY),
        (
            "ldap set -s ldap://127.0.0.1 -u u -p p -d example.org -a -e x --ldap-base-dn a --ldap-group-dn b \
             --ldap-bind-format c --ldap-user-filter d --ldap-group-member-filter e --ldap-attribute-email f \
             --ldap-attribute-first-name g --ldap-attribute-last-name h --ldap-attribute-uid i \
             --ldap-attribute-group-membership j --ldap-nested-levels 1",
            COMMUNITY,
        ),
        ("db-nodes update -x", COMMUNITY),
        ("cluster db-nodes update -x", COMMUNITY),
        ("cluster remove lifeboat", COMMUNITY),
        ("cluster remove none", &["none is not a manager in the cluster"]),
        ("cluster brokers add second 10.0.0.2 --port 5671 -n '{\"default\": \"10.0.0.2\"}'", COMMUNITY),
        ("cluster brokers remove lifeboat", COMMUNITY),
        ("cluster brokers update lifeboat -n '{\"second\": \"10.0.0.2\"}'", COMMUNITY),
        ("cluster brokers get none", &["none is not a broker in the cluster"]),
        ("config update \"{'rest.ldap_username': 'x'}\"", &["404", "settings file"]),
        ("log-bundles create logs --queue", &["400", "standard error"]),
        ("log-bundles create", &["400", "standard error"]),
        ("log-bundles delete logs", &["404", "LogBundle"]),
        ("log-bundles download logs -o logs.zip", &["404", "LogBundle"]),
        ("community register -f A -l B -e a@example.org -p 1 -a", COMMUNITY),
        ("certificates replace -i certificates.yaml", &["ssh-key"]),
    ]);
}

fn audit(sweep: &mut Sweep) {
    sweep.succeed(&[
        ("auditlog list -c admin -i 1h -s 5 -o 0", &["audit log entries"]),
        ("auditlog list --execution-id none", &["Showing 0 of 0"]),
        ("auditlog list --since 2100-01-01", &["Showing 0 of 0"]),
        ("auditlog list -c nobody --sort-by created_at --descending", &["Showing 0 of 0"]),
        ("auditlog truncate -b 900d -c admin -e none", &["0 audit log entries have been truncated"]),
        ("auditlog truncate -b @0", &["0 audit log entries have been truncated"]),
    ]);
    let up = sweep.list("auditlog list --sort-by id");
    let mut down = sweep.list("auditlog list --sort-by id --descending");
    down.reverse();
    sweep.claim("the audit is sorted", !up.is_empty() && up == down);
    follow(sweep);
    sweep.refused(&[
        ("auditlog list --sort-by no_such_field", &["400"]),
        ("auditlog list --since never", &["400"]),
    ]);
}

/// Who follows the audit sees what was done before, where that is asked for, and then waits until time is up.
fn follow(sweep: &mut Sweep) {
    let followed = sweep.shell.run("auditlog list --follow --since 2020-01-01 -c admin --timeout 3");
    let is_told = followed.stdout.contains("user admin CREATED users");
    sweep.claim(&format!("the audit is followed: {}", followed.all()), is_told && !followed.is_broken());
}

fn snapshots(sweep: &mut Sweep) {
    sweep.succeed(&[
        (
            "snapshots create nightly -w --exclude-credentials --exclude-logs --exclude-events --queue \
             --tempdir-path /tmp --no-legacy --listener-timeout 30",
            &["Successfully created snapshot nightly"],
        ),
        ("snapshots create", &["Started workflow execution"]),
        (
            "snapshots download nightly -o nightly.zip -t default_tenant",
            &["Snapshot downloaded as nightly.zip"],
        ),
        ("snapshots upload nightly.zip -s again -t default_tenant", &["Snapshot uploaded"]),
        ("snapshots status", &["No snapshot is currently being restored"]),
        ("snapshots delete again -t default_tenant", &["Snapshot deleted"]),
    ]);
    sweep.lists("snapshots list", "", "created_at");
    sweep.refused(&[
        ("snapshots create nightly", &["409", "already exists"]),
        ("snapshots delete none", &["404"]),
        ("snapshots download none", &["404"]),
        ("snapshots upload nightly.zip -s nightly", &["409"]),
        ("snapshots upload secret.txt -s odd", &["400"]),
        ("snapshots restore none", &["404"]),
        ("snapshots restore nightly --no-reboot", &["400", "restore_certificates"]),
    ]);
    let before = sweep.get("blueprints")["items"].clone();
    sweep.succeed(&[
        ("blueprints delete third", &["Blueprint deleted"]),
        (
            "snapshots restore nightly --force --restore-certificates --no-reboot --ignore-plugin-failure",
            &["Restoring snapshot nightly", "execution"],
        ),
    ]);
    let latest = "executions?_include_system_workflows=true&workflow_id=restore_snapshot&_sort=-created_at";
    let restore = sweep.api.get(latest).items()[0].clone();
    let ended = sweep.api.wait_for_end(&restore);
    sweep.claim(&format!("the restore ended well: {ended}"), ended["status"] == "terminated");
    let after = sweep.get("blueprints")["items"].clone();
    sweep.claim("the restore brought the blueprint back", before == after);
}

fn maintenance(sweep: &mut Sweep) {
    sweep.refused(&[("maintenance-mode deactivate", &["Nothing to modify"])]);
    sweep.succeed(&[
        ("maintenance-mode status -x", &["deactivated"]),
        ("maintenance-mode activate --wait --timeout 60", &["Manager is in maintenance mode."]),
        ("maintenance-mode status", &["activated", "Requested By:\tadmin"]),
        ("status", &["Maintenance mode is activated."]),
        ("snapshots list", &["nightly"]),
    ]);
    sweep.refused(&[
        ("maintenance-mode activate", &["Nothing to modify"]),
        ("blueprints list", &["maintenance mode"]),
        ("secrets create x -s y", &["maintenance mode"]),
    ]);
    sweep.succeed(&[
        ("maintenance-mode deactivate", &["Maintenance mode is off."]),
        ("blueprints list", &["lighthouse"]),
    ]);
}

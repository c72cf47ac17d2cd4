//! `cfy users`, `user-groups`, `tenants`, `permissions`, `tokens`.

use super::Sweep;

pub(super) fn sweep(sweep: &mut Sweep) {
    users(sweep);
    tenants(sweep);
    user_groups(sweep);
    permissions(sweep);
    tokens(sweep);
}

fn users(sweep: &mut Sweep) {
    sweep.succeed(&[
        ("users create jo -p jo-password-1 -r default -t default_tenant -l viewer", &["created"]),
        ("users get jo --get-data -x", &["jo", "viewer"]),
        ("users set-password jo -p jo-password-2", &["New password set"]),
        ("users set-role jo -r sys_admin", &["sys_admin"]),
        ("users set-role jo -r default", &["default"]),
        ("users deactivate jo", &["deactivated"]),
        ("users activate jo", &["activated"]),
        ("users unlock jo", &["already unlocked"]),
        ("users list --get-data", &["viewer"]),
    ]);
    sweep.lists("users list", "", "username");
    sweep.refused(&[
        ("users create jo -p jo-password-1", &["409", "already exists"]),
        ("users create x -p short", &["400"]),
        ("users create y -p long-enough-1 -t none -l viewer", &["none"]),
        ("users get none", &["404"]),
        ("users set-password none -p long-enough-1", &["404"]),
        ("users set-role none -r default", &["404"]),
        ("users set-role jo -r captain", &["captain"]),
        ("users deactivate none", &["404"]),
        ("users activate none", &["404"]),
        ("users unlock none", &["404"]),
        ("users delete none", &["404"]),
        ("users delete admin", &["400"]),
    ]);
}

fn tenants(sweep: &mut Sweep) {
    sweep.succeed(&[
        ("tenants create south", &["Tenant `south` created"]),
        ("tenants add-user jo -t south -r user", &["added"]),
        ("tenants update-user jo -t south -r manager", &["updated"]),
        ("tenants get south --get-data", &["south", "jo"]),
    ]);
    sweep.lists("tenants list", "", "name");
    sweep.claim("the role is what cfy made it", {
        let south = sweep.get("tenants/south?_get_data=true").to_string();
        south.contains("jo") && south.contains("manager")
    });
    sweep.refused(&[
        // `cfy` counts what it has just shown, and breaks.
        ("tenants list --get-data", &["south", "'list' object has no attribute 'metadata'"]),
        ("tenants create south", &["409", "already exists"]),
        ("tenants create 'bad name'", &[]),
        ("tenants get none", &["404"]),
        ("tenants delete none", &["404"]),
        ("tenants delete default_tenant", &[]),
        ("tenants add-user none -t south -r user", &["404"]),
        ("tenants add-user jo -t none -r user", &["404"]),
        ("tenants add-user jo -t south -r captain", &["captain"]),
        ("tenants delete north", &[]),
    ]);
}

fn user_groups(sweep: &mut Sweep) {
    sweep.succeed(&[
        ("user-groups create keepers -r default", &["created"]),
        ("user-groups add-user jo -g keepers", &["added"]),
        ("user-groups set-role keepers -r default", &["default"]),
        ("user-groups get keepers --get-data -x", &["keepers", "jo"]),
        ("user-groups list --get-data", &["keepers"]),
        ("tenants add-user-group keepers -t south -r user", &["added"]),
        ("tenants update-user-group keepers -t south -r operations", &["updated"]),
    ]);
    sweep.lists("user-groups list", "", "name");
    sweep.refused(&[
        ("user-groups create keepers", &["409", "already exists"]),
        ("user-groups get none", &["404"]),
        ("user-groups set-role none -r default", &["404"]),
        ("user-groups add-user none -g keepers", &["404"]),
        ("user-groups add-user jo -g none", &["404"]),
        ("user-groups delete none", &["404"]),
        ("tenants add-user-group none -t south -r user", &["404"]),
    ]);
    sweep.succeed(&[
        ("user-groups create directory -l cn=keepers", &["created"]),
        ("user-groups delete directory", &["removed"]),
        // What is so already, or need not be undone, is told without an error.
        ("tenants update-user none -t south -r user", &["*not* currently associated"]),
        ("tenants remove-user none -t south", &["is not associated"]),
        ("tenants update-user-group none -t south -r user", &["*not* currently associated"]),
        ("tenants remove-user-group none -t south", &["is not associated"]),
        ("user-groups remove-user admin -g keepers", &["is not associated"]),
        ("tenants remove-user-group keepers -t south", &["removed"]),
        ("user-groups remove-user jo -g keepers", &["removed"]),
        ("user-groups delete keepers", &["removed"]),
        ("tenants remove-user jo -t south", &["removed"]),
        ("tenants delete south", &["Tenant removed"]),
        ("users delete jo", &["User removed"]),
    ]);
}

fn permissions(sweep: &mut Sweep) {
    sweep.succeed(&[
        ("permissions list --role viewer", &["viewer", "blueprint_get"]),
        ("permissions allow --role viewer --permission blueprint_upload", &[]),
        ("permissions disallow --role viewer --permission blueprint_upload", &[]),
    ]);
    let rows = sweep.list("permissions list");
    sweep.claim("permissions are listed", rows.len() > 100);
    sweep.refused(&[
        ("permissions allow --role captain --permission blueprint_upload", &["captain"]),
        ("permissions allow --role viewer --permission fly", &["fly"]),
        ("permissions disallow --role viewer --permission fly", &["fly"]),
    ]);
}

fn tokens(sweep: &mut Sweep) {
    let token = sweep.shell.json("tokens create -e +1day -d backups");
    let id = token["id"].as_str().unwrap_or_default().to_owned();
    sweep.claim("the token opens", {
        let api = crate::harness::Api::new(sweep.server.port());
        api.token(token["value"].as_str().unwrap_or_default()).get("version").status == 200
    });
    sweep.succeed(&[(&format!("tokens get {id}"), &["backups"])]);
    sweep.lists("tokens list", "", "id");
    sweep.refused(&[
        ("tokens get none", &["404"]),
        ("tokens delete none", &["404"]),
        ("tokens create -e '2001-01-01 00:00'", &["400", "not a time in the future"]),
    ]);
    sweep.succeed(&[(&format!("tokens delete {id}"), &[])]);
    sweep.claim("the token is gone", sweep.api.get(&format!("tokens/{id}")).status == 404);
}

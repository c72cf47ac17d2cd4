//! `cfy profiles` and `cfy init`: whom `cfy` asks, and as whom.

use super::Sweep;
use crate::harness::ADMIN_PASSWORD;

pub(super) fn sweep(sweep: &mut Sweep) {
    let port = sweep.server.port();
    let token = sweep.shell.json("tokens create")["value"].as_str().unwrap_or_default().to_owned();
    let login = format!("-u admin -p {ADMIN_PASSWORD}");
    sweep.lists("profiles list", "", "name");
    sweep.succeed(&[
        ("profiles show-current -x", &["admin", "127.0.0.1"]),
        (&format!("profiles use 127.0.0.1 --profile-name second {login} -t north --rest-port {port}"), &["Using manager"]),
        ("blueprints list", &["lighthouse", "north"]),
        ("profiles set --profile-name renamed -t default_tenant", &["Settings saved successfully"]),
        (&format!("profiles set -T {token}"), &["Setting token"]),
        ("status", &["Active"]),
        (&format!("profiles set {login} -m 127.0.0.1 --rest-port {port}"), &["Settings saved successfully"]),
        (
            &format!("profiles set -s sailor -k key.pem --ssh-port 23 --ssl off --rest-port {port} --skip-credentials-validation"),
            &["Settings saved successfully"],
        ),
        ("profiles unset -s -k", &["Settings saved successfully"]),
        ("profiles export -o profiles.tar.gz", &["Export complete"]),
        ("profiles delete 127.0.0.1", &["Profile deleted"]),
        ("profiles import profiles.tar.gz", &["Import complete"]),
        ("profiles use 127.0.0.1", &["Using manager"]),
        ("profiles delete renamed", &["Profile deleted"]),
    ]);
    sweep.refused(&[
        ("profiles set-cluster none -s sailor", &["Node none not found in the cluster"]),
        ("profiles set -p wrong-password", &["401"]),
        ("profiles set -t nowhere", &["nowhere"]),
        ("profiles use 127.0.0.1 --profile-name third -u admin -p wrong --rest-port 1", &["127.0.0.1"]),
        ("profiles delete none", &["does not exist"]),
    ]);
    sweep.succeed(&[
        ("cluster update-profile", &["up to date"]),
        (
            "profiles set-cluster lifeboat -s sailor -k key.pem --ssh-port 23",
            &["Settings saved successfully"],
        ),
        ("init -r --enable-colors", &["Initialization completed successfully"]),
        ("profiles use 127.0.0.1", &["Using manager"]),
        ("blueprints list", &["lighthouse"]),
    ]);
}

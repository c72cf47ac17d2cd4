//! What maintenance does to each call: the one place where it is decided.
//!
//! On Cloudify's face it is as in Cloudify: nearly everything is refused, also reading, but for what is needed to see to
//! the manager and to restore it. Users, tokens and the audit are the service's own and go on. The faces of flows and
//! charts are read on, and not written.

use super::Mode;

/// When a call is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Never.
    GoesOn,
    /// While maintenance is being entered, as it starts what maintenance waits for; not any more once it is there.
    WaitsForActivation,
    /// In maintenance.
    Refused,
    /// In maintenance, and while it is being entered, as it starts what maintenance waits for.
    RefusedEarly,
}

impl Effect {
    /// Whether the call is refused in a mode.
    pub fn refuses(self, mode: Mode) -> bool {
        match (self, mode) {
            (_, Mode::Deactivated) | (Self::GoesOn, _) => false,
            (Self::WaitsForActivation | Self::RefusedEarly, Mode::Activating) => true,
            (Self::Refused | Self::RefusedEarly, Mode::Activated) => true,
            (Self::Refused, Mode::Activating) | (Self::WaitsForActivation, Mode::Activated) => false,
        }
    }

    /// Its name in the description of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::GoesOn => "goes on",
            Self::WaitsForActivation => "refused while activating",
            Self::Refused => "refused when activated",
            Self::RefusedEarly => "refused while activating and when activated",
        }
    }
}

/// First parts of Cloudify's paths whose calls see to the manager itself, or to what is the service's own.
const GO_ON: [&str; 26] = [
    "audit",
    "brokers",
    "cluster-status",
    "config",
    "contacts",
    "db-nodes",
    "idp",
    "ldap",
    "license",
    "license-check",
    "maintenance",
    "managers",
    "ok",
    "permissions",
    "provider",
    "snapshot-status",
    "snapshots",
    "status",
    "tokens",
    "user",
    "user-groups",
    "users",
    "version",
    "log-bundles",
    "monitoring",
    "file-server-auth",
];

/// First parts of Cloudify's paths whose writes start executions.
const START: [&str; 8] = [
    "deployment-groups",
    "deployment-modifications",
    "deployment-updates",
    "deployments",
    "execution-groups",
    "execution-schedules",
    "executions",
    "plugins-updates",
];

/// What maintenance does to the calls of a route. `pattern` is the path with the names of its parts in braces.
pub fn effect(method: &str, pattern: &str) -> Effect {
    let reads = matches!(method, "GET" | "HEAD" | "OPTIONS");
    let parts: Vec<&str> = pattern.split('/').skip(1).collect();
    match parts.as_slice() {
        ["api", "version"] => Effect::GoesOn,
        ["api", _, path @ ..] => of_cloudify(method, reads, path),
        ["v1" | "v2", ..] if !reads => Effect::Refused,
        // Both are restores.
        ["service", "rollback"] | ["service", "snapshots", _, "restore-flow"] => Effect::WaitsForActivation,
        _ => Effect::GoesOn,
    }
}

fn of_cloudify(method: &str, reads: bool, path: &[&str]) -> Effect {
    match path {
        ["snapshots", _, "restore"] => Effect::WaitsForActivation,
        ["snapshots", _] if matches!(method, "PUT" | "POST" | "PATCH") => Effect::WaitsForActivation,
        // To follow a restore, and to cancel it.
        ["executions"] | ["executions", _] | ["events"] if reads => Effect::GoesOn,
        ["executions", _] if method == "POST" => Effect::GoesOn,
        [first, ..] if GO_ON.contains(first) => Effect::GoesOn,
        [first, ..] if START.contains(first) && matches!(method, "PUT" | "POST" | "PATCH") => {
            Effect::RefusedEarly
        }
        _ => Effect::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cloudify_lets_through_goes_on_and_what_starts_work_stops_early() {
        use Effect::{GoesOn, Refused, RefusedEarly, WaitsForActivation};
        for (call, expected) in [
            ("GET /api/version", GoesOn),
            ("GET /api/v3.1/maintenance", GoesOn),
            ("POST /api/v3.1/maintenance/deactivate", GoesOn),
            ("GET /api/v2.1/snapshots", GoesOn),
            ("PUT /api/v2.1/snapshots/{id}", WaitsForActivation),
            ("PUT /api/v2.1/snapshots/{id}/archive", GoesOn),
            ("POST /api/v3/snapshots/{id}/restore", WaitsForActivation),
            ("DELETE /api/v3/snapshots/{id}", GoesOn),
            ("POST /api/v3.1/executions", RefusedEarly),
            ("POST /api/v3.1/executions/{id}", GoesOn),
            ("GET /api/v3.1/executions/{id}", GoesOn),
            ("GET /api/v3.1/events", GoesOn),
            ("PUT /api/v3.1/deployments/{id}", RefusedEarly),
            ("GET /api/v3.1/deployments", Refused),
            ("DELETE /api/v3.1/deployments/{id}", Refused),
            ("PUT /api/v3.1/secrets/{key}", Refused),
            ("GET /api/v3.1/tenants", Refused),
            ("PUT /api/v3.1/users", GoesOn),
            ("GET /v2/flows/{flow}", GoesOn),
            ("POST /v2/flows", Refused),
            ("POST /v1/measurements", Refused),
            ("GET /images/{key}", GoesOn),
            ("POST /service/rollback", WaitsForActivation),
            ("GET /service/health", GoesOn),
        ] {
            let (method, pattern) = call.split_once(' ').unwrap();
            assert_eq!(effect(method, pattern), expected, "{call}");
        }
    }
}

//! What a manager's state is, collection by collection, and what is compared of each.
//!
//! Every collection that the service's description lists is here: as a kind, or among what is no state, with the reason.

/// Where the items of a kind are listed.
#[derive(Clone, Copy, Debug)]
pub enum Listed {
    /// On Cloudify's face, each with `tenant_name`, named by this key.
    Cloudify(&'static str),
    /// The service lists it in a form of its own, and the reader knows it.
    Own,
}

/// One kind of entity.
#[derive(Debug)]
pub struct Kind {
    /// Its collection's path, as the service's description has it.
    pub path: &'static str,
    pub listed: Listed,
    /// More of an item, below its path.
    pub below: &'static [Below],
    /// The fields that a restore changes, each with the reason.
    pub exempt: &'static [(&'static str, &'static str)],
}

/// Something that an item has below its own path.
#[derive(Debug)]
pub struct Below {
    pub path: &'static str,
    pub read: ReadBelow,
}

/// How it is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadBelow {
    /// As a JSON document.
    Document,
    /// As a file that may be absent: by its length and hash.
    File,
}

const fn document(path: &'static str) -> Below {
    Below { path, read: ReadBelow::Document }
}

const fn file(path: &'static str) -> Below {
    Below { path, read: ReadBelow::File }
}

/// All kinds.
pub const KINDS: &[Kind] = &[
    Kind { path: "/tenants", listed: Listed::Own, below: &[], exempt: &[] },
    Kind {
        path: "/blueprints",
        listed: Listed::Cloudify("id"),
        below: &[document(""), file("/archive"), file("/icon")],
        exempt: &[],
    },
    Kind {
        path: "/deployments",
        listed: Listed::Cloudify("id"),
        below: &[document(""), document("/outputs"), document("/capabilities")],
        exempt: &[],
    },
    Kind {
        path: "/deployments/inter-deployment-dependencies",
        listed: Listed::Cloudify("id"),
        below: &[],
        exempt: &[],
    },
    Kind { path: "/deployment-updates", listed: Listed::Cloudify("id"), below: &[document("")], exempt: &[] },
    Kind {
        path: "/deployment-modifications",
        listed: Listed::Cloudify("id"),
        below: &[document("")],
        exempt: &[],
    },
    Kind { path: "/plugins-updates", listed: Listed::Cloudify("id"), below: &[document("")], exempt: &[] },
    Kind { path: "/deployment-groups", listed: Listed::Cloudify("id"), below: &[document("")], exempt: &[] },
    Kind { path: "/execution-groups", listed: Listed::Cloudify("id"), below: &[document("")], exempt: &[] },
    Kind { path: "/tasks_graphs", listed: Listed::Cloudify("id"), below: &[], exempt: &[] },
    Kind { path: "/operations", listed: Listed::Cloudify("id"), below: &[document("")], exempt: &[] },
    Kind {
        path: "/execution-schedules",
        listed: Listed::Cloudify("deployment_id,id"),
        below: &[],
        exempt: &[],
    },
    Kind { path: "/nodes", listed: Listed::Cloudify("deployment_id,id"), below: &[], exempt: &[] },
    Kind { path: "/node-instances", listed: Listed::Cloudify("id"), below: &[document("")], exempt: &[] },
    Kind {
        path: "/plugins",
        listed: Listed::Cloudify("id"),
        below: &[document(""), file("/archive?full_archive=true")],
        exempt: &[],
    },
    Kind { path: "/secrets", listed: Listed::Cloudify("key"), below: &[document("")], exempt: &[] },
    Kind {
        path: "/agents",
        listed: Listed::Cloudify("id"),
        below: &[document(""), file("/key-file")],
        exempt: &[],
    },
    Kind { path: "/sites", listed: Listed::Cloudify("name"), below: &[document("")], exempt: &[] },
    Kind { path: "/filters/{resource}", listed: Listed::Own, below: &[document("")], exempt: &[] },
    Kind { path: "/executions", listed: Listed::Own, below: &[document("")], exempt: &[] },
    Kind { path: "/events", listed: Listed::Own, below: &[], exempt: &[] },
    Kind {
        path: "/v2/flows",
        listed: Listed::Own,
        below: &[],
        exempt: &[
            ("status", "flows come back stopped"),
            ("current_status", "flows come back stopped"),
            ("reports_current_status", "after a restore no runtime has reported"),
        ],
    },
    Kind { path: "/v2/flows/{flow}/snapshots", listed: Listed::Own, below: &[], exempt: &[] },
    Kind { path: "/v2/flows/{flow}/history", listed: Listed::Own, below: &[], exempt: &[] },
    Kind { path: "/v2/captures", listed: Listed::Own, below: &[], exempt: &[] },
    Kind { path: "/v1/spaces", listed: Listed::Own, below: &[], exempt: &[] },
    Kind { path: "/v1/spaces/{space}/charts", listed: Listed::Own, below: &[], exempt: &[] },
    Kind { path: "/v1/metrics", listed: Listed::Own, below: &[], exempt: &[] },
    Kind { path: "/v1/annotations", listed: Listed::Own, below: &[], exempt: &[] },
];

/// What answers a GET without naming one item and is no state of its own.
pub const NOT_STATE: &[(&str, &str)] = &[
    ("/", "leads to the description"),
    ("/agents/{name}/key-file", "read with each agent"),
    ("/api/version", "the service"),
    ("/audit", "records of the service"),
    ("/audit/stream", "records of the service"),
    ("/idp", "the service"),
    ("/ldap", "the service"),
    ("/license", "the service"),
    ("/log-bundles", "always empty"),
    ("/log-bundles/{id}/archive", "always empty"),
    ("/secrets-providers", "never succeeds"),
    ("/secrets/share/export", "read with each secret"),
    ("/blueprints/{id}/archive", "read with each blueprint"),
    ("/blueprints/{id}/icon", "read with each blueprint"),
    ("/brokers", "the service"),
    ("/cluster-status", "the service"),
    ("/config", "the service"),
    ("/db-nodes", "the service"),
    ("/deployments/{id}/capabilities", "read with each deployment"),
    ("/deployments/{id}/outputs", "read with each deployment"),
    ("/labels/{resource}", "what blueprints and deployments say"),
    ("/license", "the service"),
    ("/log-bundles", "always empty"),
    ("/log-bundles/{id}/archive", "always empty"),
    ("/secrets-providers", "never succeeds"),
    ("/secrets/share/export", "read with each secret"),
    ("/license-check", "the service"),
    ("/maintenance", "the service"),
    ("/managers", "the service"),
    ("/ok", "the service"),
    ("/permissions", "the service"),
    ("/plugins/{id}/archive", "read with each plugin"),
    ("/plugins/{id}/yaml", "a part of each plugin's archive"),
    ("/provider/context", "the service"),
    ("/service/dead-letters", "records of the service"),
    ("/service/docs", "a page"),
    ("/service/docs/app.js", "a page"),
    ("/service/docs/style.css", "a page"),
    ("/service/health", "the service"),
    ("/service/keys", "the service"),
    ("/service/openapi.json", "the service"),
    ("/snapshot-status", "records of the service"),
    ("/snapshots", "records of the service, which survive a restore"),
    ("/snapshots/{id}/archive", "records of the service"),
    ("/snapshots/{id}/diff", "a comparison"),
    ("/snapshots/{id}/diff/changes", "a comparison"),
    ("/snapshots/{id}/diff/fields", "a comparison"),
    ("/snapshots/{id}/plan", "a comparison"),
    ("/snapshots/{id}/plan/changes", "a comparison"),
    ("/snapshots/{id}/plan/fields", "a comparison"),
    ("/status", "the service"),
    ("/tokens", "records of the service"),
    ("/user", "records of the service"),
    ("/user-groups", "records of the service: a restore changes no user that is there"),
    ("/users", "records of the service: a restore changes no user that is there"),
    ("/v1/snapshots", "pictures: records of the service"),
    ("/v2/captures/{capture}/compare", "what others say"),
    ("/v2/flows/{flow}/captures", "a part of `/v2/captures`"),
    ("/v2/flows/{flow}/snapshots/{step}/history", "a part of the flow's history"),
    ("/v2/users/me", "the caller"),
    ("/v2/workspaces", "the tenants"),
    ("/version", "the service"),
    ("/workflows", "what deployments say"),
];

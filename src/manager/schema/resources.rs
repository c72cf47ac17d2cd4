//! The tables of sites and saved filters, and the labels of blueprints and deployments as rows that filters ask.
//!
//! What an entity's column `labels` says is the truth; the rows follow it by triggers, so no writer can forget them and
//! no snapshot has to carry them.

/// Sites, and those that deployments named before there were any.
const SITES: &str = "
CREATE TABLE sites (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_name TEXT NOT NULL REFERENCES tenants(name),
    name TEXT NOT NULL,
    location TEXT,
    visibility TEXT NOT NULL,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    UNIQUE (tenant_name, name)
) STRICT;
CREATE INDEX deployments_by_site ON deployments(site_name) WHERE site_name IS NOT NULL;
-- Deployments named their sites before there were any.
UPDATE deployments SET site_name = NULL WHERE site_name = '';
INSERT INTO sites (tenant_name, name, visibility, created_at, created_by)
SELECT tenant_name, site_name, 'tenant', min(created_at), created_by FROM deployments
WHERE site_name IS NOT NULL GROUP BY tenant_name, site_name;

-- No foreign key: the filters of the system are there before any tenant is.
";

/// The saved filters of one resource.
const FILTERS: &str = "CREATE TABLE {resource}s_filters (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_name TEXT NOT NULL,
    id TEXT NOT NULL,
    visibility TEXT NOT NULL,
    created_at TEXT NOT NULL,
    updated_at TEXT,
    created_by TEXT NOT NULL,
    value TEXT NOT NULL,
    is_system_filter INTEGER NOT NULL DEFAULT 0,
    UNIQUE (tenant_name, id)
) STRICT;
";

/// The filters of Cloudify's system, and what plugins and blueprints have beside them.
const SYSTEM_FILTERS: &str = "INSERT INTO deployments_filters (tenant_name, id, visibility, created_at, updated_at, created_by, value, is_system_filter)
SELECT 'default_tenant', column1, 'global', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), strftime('%Y-%m-%dT%H:%M:%fZ', 'now'),
       'admin', column2, 1
FROM (VALUES
    ('csys-environment-filter', '[{\"key\":\"csys-obj-type\",\"values\":[\"environment\"],\"operator\":\"any_of\",\"type\":\"label\"},{\"key\":\"csys-obj-parent\",\"values\":[],\"operator\":\"is_null\",\"type\":\"label\"}]'),
    ('csys-service-filter', '[{\"key\":\"csys-obj-type\",\"values\":[\"environment\"],\"operator\":\"is_not\",\"type\":\"label\"}]'));
INSERT INTO deployments_filters (tenant_name, id, visibility, created_at, updated_at, created_by, value, is_system_filter)
SELECT 'default_tenant', column1, 'global', strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), strftime('%Y-%m-%dT%H:%M:%fZ', 'now'),
       'admin',
       json_array(json_object('key', 'obj-type', 'values', json_array(column2), 'operator', 'any_of', 'type', 'label')), 1
FROM (VALUES
    ('csys-k8s-filter', 'k8s'), ('csys-terraform-filter', 'terraform'), ('aws-deployments', 'aws'),
    ('azure-deployments', 'azure'), ('gcp-deployments', 'gcp'), ('terragrunt-deployments', 'terragrunt'),
    ('helm-deployments', 'helm'), ('ansible-deployments', 'ansible'), ('starlingx-deployments', 'starlingx'),
    ('vsphere-deployments', 'vsphere'), ('docker-deployments', 'docker'), ('netconf-deployments', 'netconf'),
    ('fabric-deployments', 'fabric'), ('libvirt-deployments', 'libvirt'), ('utilities-deployments', 'utilities'),
    ('host-pool-deployments', 'host-pool'), ('diamond-deployments', 'diamond'), ('openstack-deployments', 'openstack'),
    ('openstack-v3-deployments', 'openstack-v3'), ('vcloud-deployments', 'vcloud'));

-- What blueprints and deployments that use a plugin get: objects of lists, and an object of texts.
ALTER TABLE plugins ADD COLUMN blueprint_labels TEXT;
ALTER TABLE plugins ADD COLUMN resource_tags TEXT;
-- A picture, as base64.
ALTER TABLE blueprints ADD COLUMN icon TEXT;

";

/// The labels of one resource as rows.
const LABELS: &str = "CREATE TABLE {resource}_labels (
    owner INTEGER NOT NULL REFERENCES {resource}s(number) ON DELETE CASCADE,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (key, value, owner)
) STRICT, WITHOUT ROWID;
CREATE INDEX {resource}_labels_by_owner ON {resource}_labels(owner);
CREATE TRIGGER {resource}_labels_of_new AFTER INSERT ON {resource}s BEGIN
    INSERT OR IGNORE INTO {resource}_labels (owner, key, value)
    SELECT NEW.number, json_extract(l.value, '$.key'), json_extract(l.value, '$.value') FROM json_each(NEW.labels) l;
END;
CREATE TRIGGER {resource}_labels_of_changed AFTER UPDATE OF labels ON {resource}s BEGIN
    DELETE FROM {resource}_labels WHERE owner = NEW.number;
    INSERT OR IGNORE INTO {resource}_labels (owner, key, value)
    SELECT NEW.number, json_extract(l.value, '$.key'), json_extract(l.value, '$.value') FROM json_each(NEW.labels) l;
END;
INSERT OR IGNORE INTO {resource}_labels (owner, key, value)
SELECT {alias}.number, json_extract(l.value, '$.key'), json_extract(l.value, '$.value') FROM {resource}s {alias}, json_each({alias}.labels) l;
";

/// The fourth migration of manager.db. Blueprints and deployments have filters and labels alike.
pub(super) fn v4() -> String {
    let of = |template: &str, resource: &str| {
        template.replace("{resource}", resource).replace("{alias}", &resource[..1])
    };
    [
        SITES,
        &of(FILTERS, "blueprint"),
        &of(FILTERS, "deployment"),
        SYSTEM_FILTERS,
        &of(LABELS, "blueprint"),
        "\n",
        &of(LABELS, "deployment"),
    ]
    .concat()
}

//! The tables of sites and saved filters, and the labels of blueprints and deployments as rows that filters ask.
//!
//! What an entity's column `labels` says is the truth; the rows follow it by triggers, so no writer can forget them and
//! no snapshot has to carry them.

/// The fourth migration of manager.db.
pub(super) const SCHEMA_V4: &str = "
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
CREATE TABLE blueprints_filters (
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
CREATE TABLE deployments_filters (
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
INSERT INTO deployments_filters (tenant_name, id, visibility, created_at, updated_at, created_by, value, is_system_filter)
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

CREATE TABLE blueprint_labels (
    owner INTEGER NOT NULL REFERENCES blueprints(number) ON DELETE CASCADE,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (key, value, owner)
) STRICT, WITHOUT ROWID;
CREATE INDEX blueprint_labels_by_owner ON blueprint_labels(owner);
CREATE TRIGGER blueprint_labels_of_new AFTER INSERT ON blueprints BEGIN
    INSERT OR IGNORE INTO blueprint_labels (owner, key, value)
    SELECT NEW.number, json_extract(l.value, '$.key'), json_extract(l.value, '$.value') FROM json_each(NEW.labels) l;
END;
CREATE TRIGGER blueprint_labels_of_changed AFTER UPDATE OF labels ON blueprints BEGIN
    DELETE FROM blueprint_labels WHERE owner = NEW.number;
    INSERT OR IGNORE INTO blueprint_labels (owner, key, value)
    SELECT NEW.number, json_extract(l.value, '$.key'), json_extract(l.value, '$.value') FROM json_each(NEW.labels) l;
END;
INSERT OR IGNORE INTO blueprint_labels (owner, key, value)
SELECT b.number, json_extract(l.value, '$.key'), json_extract(l.value, '$.value') FROM blueprints b, json_each(b.labels) l;

CREATE TABLE deployment_labels (
    owner INTEGER NOT NULL REFERENCES deployments(number) ON DELETE CASCADE,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (key, value, owner)
) STRICT, WITHOUT ROWID;
CREATE INDEX deployment_labels_by_owner ON deployment_labels(owner);
CREATE TRIGGER deployment_labels_of_new AFTER INSERT ON deployments BEGIN
    INSERT OR IGNORE INTO deployment_labels (owner, key, value)
    SELECT NEW.number, json_extract(l.value, '$.key'), json_extract(l.value, '$.value') FROM json_each(NEW.labels) l;
END;
CREATE TRIGGER deployment_labels_of_changed AFTER UPDATE OF labels ON deployments BEGIN
    DELETE FROM deployment_labels WHERE owner = NEW.number;
    INSERT OR IGNORE INTO deployment_labels (owner, key, value)
    SELECT NEW.number, json_extract(l.value, '$.key'), json_extract(l.value, '$.value') FROM json_each(NEW.labels) l;
END;
INSERT OR IGNORE INTO deployment_labels (owner, key, value)
SELECT d.number, json_extract(l.value, '$.key'), json_extract(l.value, '$.value') FROM deployments d, json_each(d.labels) l;
";

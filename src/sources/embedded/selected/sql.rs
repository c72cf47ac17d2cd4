//! How the rows of entities are found: SQL made from what [`ENTITIES`](super::super::entities::ENTITIES) says.
//!
//! Two databases are open on one connection: `main` is the copy of the live state that is being changed, `archive` the
//! whole state of the archive, which goes when the work is done. The lists of names are kept in `archive`, so that
//! they take no memory.

use super::super::entities::{Entities, Need, Tenancy};

/// The lists of names: what comes, what goes, and which places rows had.
pub(super) const LISTS: &str = "
CREATE TABLE archive.wanted (
    kind TEXT NOT NULL, tenant TEXT NOT NULL, id TEXT NOT NULL, k1, k2,
    why TEXT NOT NULL, needed_by TEXT, state TEXT,
    PRIMARY KEY (kind, tenant, id)
) WITHOUT ROWID;
CREATE INDEX archive.wanted_by_key ON wanted (kind, k1, k2);
CREATE TABLE archive.going (
    kind TEXT NOT NULL, tenant TEXT NOT NULL, id TEXT NOT NULL, k1, k2,
    PRIMARY KEY (kind, tenant, id)
) WITHOUT ROWID;
CREATE INDEX archive.going_by_key ON going (kind, k1, k2);
CREATE TABLE archive.places (
    kind TEXT NOT NULL, tenant TEXT NOT NULL, id TEXT NOT NULL, number INTEGER NOT NULL,
    PRIMARY KEY (kind, tenant, id)
) WITHOUT ROWID;
";

impl Entities {
    /// The tenant of the row `alias` of `db`.
    pub fn tenant(&self, db: &str, alias: &str) -> String {
        match self.tenancy {
            Tenancy::Column => format!("{alias}.tenant_name"),
            Tenancy::Own => format!("{alias}.name"),
            Tenancy::Of { column, table } => {
                format!("(SELECT p.tenant_name FROM {db}.{table} p WHERE p.id = {alias}.{column})")
            }
        }
    }

    /// The id of the row `alias`.
    pub fn id(&self, alias: &str) -> String {
        let keys: Vec<String> =
            self.key.iter().map(|key| format!("CAST({alias}.\"{key}\" AS TEXT)")).collect();
        keys.join(" || '/' || ")
    }

    /// `tenant, id, k1, k2` of the row `alias` of `db`, as the lists have them.
    pub fn name(&self, db: &str, alias: &str) -> String {
        let second = self.key.get(1).map_or("NULL".to_owned(), |key| format!("{alias}.\"{key}\""));
        format!("{}, {}, {alias}.\"{}\", {second}", self.tenant(db, alias), self.id(alias), self.key[0])
    }

    /// Whether the row `alias` is of the entity that the row `list` of a list names.
    pub fn is_of(&self, alias: &str, list: &str) -> String {
        let mut conditions = vec![format!("{alias}.\"{}\" = {list}.k1", self.key[0])];
        conditions.extend(self.key.get(1).map(|key| format!("{alias}.\"{key}\" = {list}.k2")));
        if matches!(self.tenancy, Tenancy::Column) {
            conditions.push(format!("{alias}.tenant_name = {list}.tenant"));
        }
        conditions.join(" AND ")
    }

    /// Whether two rows are of entities of one name.
    pub fn is_same(&self, one: &str, other: &str) -> String {
        let mut conditions: Vec<String> =
            self.key.iter().map(|key| format!("{one}.\"{key}\" = {other}.\"{key}\"")).collect();
        if matches!(self.tenancy, Tenancy::Column) {
            conditions.push(format!("{one}.tenant_name = {other}.tenant_name"));
        }
        conditions.join(" AND ")
    }
}

impl Need {
    /// Whether the row `t` belongs to the row `o`, both of `db`.
    pub fn on(&self, db: &str) -> String {
        self.on.replace("{db}", db)
    }
}

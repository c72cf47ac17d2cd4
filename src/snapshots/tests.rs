//! How SQLite reads the list of snapshots.

use rusqlite::Connection;

use super::*;
use crate::database::{Filter, Sort, assert_indexed};
use crate::model::{SystemRole, TenantRole, UserName};

#[test]
fn snapshots_are_listed_and_counted_in_an_index() {
    let mut connection = Connection::open_in_memory().unwrap();
    crate::records::migrations().run(&mut connection).unwrap();
    let tenant = TenantName::default_tenant();
    let caller = |system_role| Caller {
        user: UserName::trusted("u"),
        system_role,
        tenant: tenant.clone(),
        tenant_role: Some(TenantRole::Viewer),
        tenants: vec![(tenant.clone(), TenantRole::Viewer)],
        grants: crate::model::Grants::default(),
    };
    let (admin, viewer) = (caller(SystemRole::SysAdmin), caller(SystemRole::Default));
    let any = || ListQuery { size: 10, ..ListQuery::default() };
    let in_tenant = Scope::everything().and("tenant_name = ?", [crate::database::text(tenant.as_str())]);
    for descending in [false, true] {
        let sort = vec![Sort { column: "size_bytes".to_owned(), descending }];
        assert_indexed(&connection, &SNAPSHOTS, &ListQuery { sort, ..any() }, &in_tenant);
    }
    let sorted =
        |descending| ListQuery { sort: vec![Sort { column: "created_at".to_owned(), descending }], ..any() };
    let filters = vec![Filter { column: "status".to_owned(), values: vec!["failed".to_owned()] }];
    let queries = [
        any(),
        sorted(false),
        sorted(true),
        ListQuery { filters, ..any() },
        ListQuery { search: Some("nightly".to_owned()), ..any() },
    ];
    for scope in
        [visible(&admin, false), visible(&viewer, false), visible(&admin, true), visible(&viewer, true)]
    {
        for query in &queries {
            assert_indexed(&connection, &SNAPSHOTS, query, &scope);
        }
    }
}

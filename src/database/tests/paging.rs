//! Pages over several branches and databases are the pages of one sorted list.

use proptest::prelude::*;

use super::super::{Column, Filter, Sort, text};
use super::*;

const ROWS: Collection = Collection {
    noun: "Row",
    table: "rows",
    columns: &[
        Column::text("id"),
        Column::text("tenant_name"),
        Column::text("visibility"),
        Column::integer("size"),
    ],
    search: &["id"],
    default_sort: "created_at, number",
};

/// A row as the test keeps it: its time, its number in its database, the database.
#[derive(Clone, Debug)]
struct Kept {
    created_at: i64,
    size: Option<i64>,
    number: i64,
    database: usize,
    tenant: &'static str,
    is_global: bool,
}

impl Kept {
    fn id(&self) -> String {
        format!("{}-{}", self.database, self.number)
    }
    /// In which branch of the list it stands.
    fn branch(&self) -> usize {
        usize::from(self.tenant != "a")
    }
}

fn migrations() -> refinery::Runner {
    let sql = "CREATE TABLE rows (number INTEGER PRIMARY KEY, id TEXT NOT NULL, tenant_name TEXT NOT NULL,
        visibility TEXT NOT NULL, created_at INTEGER NOT NULL, size INTEGER);";
    refinery::Runner::new(&[refinery::Migration::unapplied("V1__rows", sql).unwrap()])
}

fn fill(database: &Database, rows: Vec<Kept>) {
    let insert = move |tx: &rusqlite::Transaction<'_>| {
        for row in rows {
            let visibility = if row.is_global { "global" } else { "tenant" };
            tx.execute(
                "INSERT INTO rows VALUES (?, ?, ?, ?, ?, ?)",
                (row.number, row.id(), row.tenant, visibility, row.created_at, row.size),
            )?;
        }
        Ok::<_, DatabaseError>(())
    };
    database.write_blocking(insert).unwrap();
}

fn scope() -> Scope {
    Scope::either(vec![
        Scope::everything().and("tenant_name = ?", [text("a")]),
        Scope::everything().and("visibility = 'global' AND tenant_name <> ?", [text("a")]),
    ])
}

fn rows(database: usize, count: usize) -> impl Strategy<Value = Vec<Kept>> {
    // Few distinct times, so that many are alike.
    let row = (0..200_i64, prop::option::of(0..3_i64), 0..10_u8);
    prop::collection::vec(row, 0..count).prop_map(move |rows| {
        let kept = rows.into_iter().enumerate().map(|(index, (created_at, size, kind))| Kept {
            created_at,
            size,
            number: index as i64 + 1,
            database,
            tenant: if kind < 7 { "a" } else { "b" },
            is_global: kind == 0 || kind == 8,
        });
        kept.collect()
    })
}

fn expected(
    rows: &[Vec<Kept>],
    sort: Option<(&str, bool)>,
    offset: usize,
    size: usize,
) -> (Vec<String>, u64) {
    let mut rows: Vec<&Kept> =
        rows.iter().flatten().filter(|row| row.tenant == "a" || row.is_global).collect();
    let descending = sort.is_some_and(|(_, descending)| descending);
    rows.sort_by(|one, other| {
        let by_size = if sort.is_some_and(|(column, _)| column == "size") {
            one.size.cmp(&other.size)
        } else {
            Ordering::Equal
        };
        let order = by_size.then(one.created_at.cmp(&other.created_at)).then(one.number.cmp(&other.number));
        let order = if descending { order.reverse() } else { order };
        order.then((one.database, one.branch()).cmp(&(other.database, other.branch())))
    });
    let total = rows.len() as u64;
    (rows.into_iter().skip(offset).take(size).map(Kept::id).collect(), total)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
    #[test]
    fn a_page_of_two_databases_is_a_page_of_one_list(
        first in rows(0, 4000),
        second in rows(1, 3000),
        pages in prop::collection::vec((0..5000_u64, 0..60_u64, 0..4_u8), 12),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let open = |name: &str| Database::open(&folder.path().join(name), &migrations()).unwrap();
        let databases = [open("first.db"), open("second.db")];
        fill(&databases[0], first.clone());
        fill(&databases[1], second.clone());
        let kept = [first, second];
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for (offset, size, sort) in pages {
            let sort = match sort {
                0 => None,
                1 => Some(("size", false)),
                2 => Some(("size", true)),
                _ => None,
            };
            let query = ListQuery {
                sort: sort.iter().map(|(column, descending)| Sort { column: (*column).to_owned(), descending: *descending }).collect(),
                offset,
                size,
                ..ListQuery::default()
            };
            let page = runtime.block_on(list_both(databases.clone(), &ROWS, query, scope())).unwrap();
            let ids: Vec<String> = page.items.iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect();
            prop_assert_eq!((ids, page.total), expected(&kept, sort, offset as usize, size as usize));
        }
    }
}

#[test]
fn what_is_asked_for_that_there_is_not_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::open(&folder.path().join("t.db"), &migrations()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let filters = vec![Filter { column: "colour".to_owned(), values: vec!["x".to_owned()] }];
    let query = ListQuery { filters, size: 1, ..ListQuery::default() };
    let answer = runtime.block_on(list_both([database.clone(), database], &ROWS, query, scope()));
    assert!(matches!(answer, Err(ListError::UnknownFilter { .. })));
}

//! Lists of flows: filters, search, order and pages as elastic.io's API has them.

use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, params_from_iter};

use crate::database::{Scope, text};
use crate::model::{Asking, Caller};

use super::flow::find_workspace;
use super::{Flow, FlowError, FlowStatus, FlowType, Flows};

/// Which part of a list is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paging {
    /// The page's number; the first is 1.
    pub number: u64,
    /// How many a page has, at least 1.
    pub size: u64,
}

impl Paging {
    fn offset(self) -> u64 {
        self.number.saturating_sub(1).saturating_mul(self.size)
    }
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct Paged<T> {
    /// What is on the page.
    pub items: Vec<T>,
    /// How many there are in all.
    pub total: u64,
    /// What was asked for.
    pub paging: Paging,
}

/// The order of a list of flows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FlowOrder {
    /// By what; as they were made where it is `None`.
    pub column: Option<FlowColumn>,
    /// Whether the largest comes first.
    pub descending: bool,
}

/// What flows can be sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowColumn {
    /// The name.
    Name,
    /// When it was made.
    CreatedAt,
    /// When it changed last.
    UpdatedAt,
}

impl FlowOrder {
    /// What [`FlowOrder::parse`] reads.
    pub const NAMES: &'static [&'static str] =
        &["name", "-name", "created_at", "-created_at", "updated_at", "-updated_at"];

    /// Reads `name`, `-created_at` and the like.
    pub fn parse(text: &str) -> Option<Self> {
        let (descending, name) = match text.strip_prefix('-') {
            Some(name) => (true, name),
            // A plus that was not escaped arrives as a space.
            None => (false, text.trim_start_matches(['+', ' '])),
        };
        let column = match name {
            "name" => FlowColumn::Name,
            "created_at" => FlowColumn::CreatedAt,
            "updated_at" => FlowColumn::UpdatedAt,
            _ => return None,
        };
        Some(Self { column: Some(column), descending })
    }

    fn sql(self) -> &'static str {
        match (self.column, self.descending) {
            (None, _) => "number",
            (Some(FlowColumn::Name), false) => "name, number",
            (Some(FlowColumn::Name), true) => "name DESC, number DESC",
            (Some(FlowColumn::CreatedAt), false) => "created_at, number",
            (Some(FlowColumn::CreatedAt), true) => "created_at DESC, number DESC",
            (Some(FlowColumn::UpdatedAt), false) => "updated_at, number",
            (Some(FlowColumn::UpdatedAt), true) => "updated_at DESC, number DESC",
        }
    }

    /// The table, with the index that has the order: by itself SQLite would take that of the tenant, and sort.
    fn table(self) -> &'static str {
        match self.column {
            None => "flows",
            Some(FlowColumn::Name) => "flows INDEXED BY flows_by_name",
            Some(FlowColumn::CreatedAt) => "flows INDEXED BY flows_by_creation",
            Some(FlowColumn::UpdatedAt) => "flows INDEXED BY flows_by_update",
        }
    }
}

/// Which flows are wanted; `None` asks for all.
#[derive(Clone, Debug, Default)]
pub struct FlowFilter {
    /// Those of this workspace; without it those of all the caller's.
    pub workspace: Option<String>,
    /// Those that are to run, or not.
    pub status: Option<FlowStatus>,
    /// Those that are run so.
    pub flow_type: Option<FlowType>,
    /// Those that this user made.
    pub user: Option<String>,
    /// Those with a draft beside their version: none has one here.
    pub has_draft: Option<bool>,
    /// Those in whose name this text occurs, ignoring case (ASCII).
    pub search: Option<String>,
}

/// What belongs to the workspaces of which the caller is a member.
pub(super) fn of_member(caller: &Caller) -> Scope {
    if caller.is_admin() {
        return Scope::everything();
    }
    let marks = vec!["?"; caller.tenants.len()].join(", ");
    let names = caller.tenants.iter().map(|(name, _)| text(name.as_str()));
    Scope::everything().and(&format!("tenant_name IN ({marks})"), names)
}

/// What a page is read from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Listed {
    /// The table, which has a column `number`.
    pub(super) table: &'static str,
    /// The table, and where SQLite would take the wrong one, the index.
    pub(super) indexed: &'static str,
    /// What is read of the rows on the page.
    pub(super) columns: &'static str,
    pub(super) order: &'static str,
}

impl Listed {
    /// What is found by the table's own indexes.
    pub(super) fn new(table: &'static str, columns: &'static str, order: &'static str) -> Self {
        Self { table, indexed: table, columns, order }
    }

    fn count_sql(&self, condition: &str) -> String {
        format!("SELECT count(*) FROM {} WHERE {condition}", self.indexed)
    }

    /// What is passed over are numbers in an index, not rows with their graphs.
    fn numbers_sql(&self, condition: &str) -> String {
        let Self { indexed, order, .. } = self;
        format!("SELECT number AS listed FROM {indexed} WHERE {condition} ORDER BY {order} LIMIT ? OFFSET ?")
    }
}

/// How many rows of a table are in a scope, and those of one page read by `read`.
pub(super) fn page<T>(
    connection: &Connection,
    listed: Listed,
    scope: Scope,
    paging: Paging,
    read: fn(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> Result<Paged<T>, FlowError> {
    let (condition, mut parameters) = scope.into_sql();
    let total: i64 = connection
        .prepare_cached(&listed.count_sql(&condition))?
        .query_row(params_from_iter(parameters.iter()), |row| row.get(0))?;
    let number = |value: u64| SqlValue::Integer(i64::try_from(value).unwrap_or(i64::MAX));
    parameters.extend([number(paging.size), number(paging.offset())]);
    let Listed { table, columns, order, .. } = listed;
    // The numbers first, each row by its own then: the words `CROSS JOIN` fix that.
    let sql = format!(
        "SELECT {columns} FROM ({}) CROSS JOIN {table} ON number = listed ORDER BY {order}",
        listed.numbers_sql(&condition)
    );
    let items = connection
        .prepare_cached(&sql)?
        .query_map(params_from_iter(parameters.iter()), read)?
        .collect::<rusqlite::Result<_>>()?;
    Ok(Paged { items, total: u64::try_from(total).unwrap_or(0), paging })
}

impl Flows {
    /// One page of the flows of the caller's workspaces.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] for a workspace of which the caller is no member.
    pub async fn list(
        &self,
        asking: Asking,
        filter: FlowFilter,
        order: FlowOrder,
        paging: Paging,
    ) -> Result<Paged<Flow>, FlowError> {
        self.read(move |connection| {
            let mut scope = match &filter.workspace {
                None => of_member(&asking.caller),
                Some(workspace) => {
                    let workspace = find_workspace(connection, &asking, workspace)?;
                    Scope::everything().and("tenant_name = ?", [text(workspace.as_str())])
                }
            };
            if let Some(status) = filter.status {
                scope = scope.and("status = ?", [text(status.as_str())]);
            }
            if let Some(flow_type) = filter.flow_type {
                scope = scope.and("type = ?", [text(flow_type.as_str())]);
            }
            if let Some(user) = filter.user {
                scope = scope.and("created_by = ?", [text(user)]);
            }
            if filter.has_draft == Some(true) {
                scope = scope.and("0", []);
            }
            if let Some(search) = filter.search.filter(|search| !search.is_empty()) {
                scope = scope.and("holds(?, name)", [text(search)]);
            }
            let listed = Listed {
                table: "flows",
                indexed: order.table(),
                columns: Flow::columns(),
                order: order.sql(),
            };
            page(connection, listed, scope, paging, Flow::from_row)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every order is read from one index, without sorting and without the rows, whatever is asked beside it.
    #[test]
    fn flows_are_listed_in_an_index() {
        let mut connection = Connection::open_in_memory().unwrap();
        crate::manager::schema::migrations().run(&mut connection).unwrap();
        for order in FlowOrder::NAMES.iter().filter_map(|name| FlowOrder::parse(name)) {
            let listed =
                Listed { indexed: order.table(), ..Listed::new("flows", Flow::columns(), order.sql()) };
            for condition in ["1", "tenant_name = 't'", "tenant_name IN ('t', 'u') AND created_by = 'ann'"] {
                let sql = format!("EXPLAIN QUERY PLAN {}", listed.numbers_sql(condition));
                let mut statement = connection.prepare(&sql).unwrap();
                let plan: Vec<String> =
                    statement.query_map([1, 1], |row| row.get(3)).unwrap().map(Result::unwrap).collect();
                assert!(plan.len() == 1 && plan[0].contains("COVERING INDEX"), "{sql}\n{plan:?}");
            }
        }
    }
}

//! Lists as Cloudify's API has them: projection, sorting, filters, search and paging over one table.
//!
//! A [`Collection`] names the columns that may be asked for; nothing a caller writes becomes SQL. Knows no HTTP.

use rusqlite::Row;
use rusqlite::types::Value as SqlValue;
use serde_json::{Map, Value};

/// How a column's value is written in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// A text, or null.
    Text,
    /// A whole number; null where there is none.
    Integer,
    /// 0 or 1 in the table.
    Boolean,
    /// JSON text in the table.
    Json,
}

/// One column that a list shows.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Its name on the wire.
    pub name: &'static str,
    /// The SQL that gives it: a column, or an expression over the table.
    pub sql: &'static str,
    /// How it is written.
    pub kind: ColumnKind,
}

impl Column {
    /// A text column named alike in table and wire.
    pub const fn text(name: &'static str) -> Self {
        Self { name, sql: name, kind: ColumnKind::Text }
    }
    /// A number column named alike in table and wire.
    pub const fn integer(name: &'static str) -> Self {
        Self { name, sql: name, kind: ColumnKind::Integer }
    }
    /// A boolean column named alike in table and wire.
    pub const fn boolean(name: &'static str) -> Self {
        Self { name, sql: name, kind: ColumnKind::Boolean }
    }
    /// A JSON column named alike in table and wire.
    pub const fn json(name: &'static str) -> Self {
        Self { name, sql: name, kind: ColumnKind::Json }
    }
    /// A column that an expression gives.
    pub const fn expression(name: &'static str, sql: &'static str, kind: ColumnKind) -> Self {
        Self { name, sql, kind }
    }
}

/// A table as callers may list it.
#[derive(Debug)]
pub struct Collection {
    /// The word for one of its entities in messages, e.g. `Blueprint`.
    pub noun: &'static str,
    /// The table, or a join in parentheses.
    pub table: &'static str,
    /// The columns that `_include`, `_sort` and filters may name, in the order of the wire.
    pub columns: &'static [Column],
    /// The columns that `_search` looks into.
    pub search: &'static [&'static str],
    /// The order where none is asked for, e.g. `created_at, rowid`.
    pub default_sort: &'static str,
}

impl Collection {
    /// The column of this name on the wire.
    pub fn column(&self, name: &str) -> Option<&'static Column> {
        self.columns.iter().find(|column| column.name == name)
    }

    pub(super) fn allowed(&self) -> String {
        let names: Vec<String> = self.columns.iter().map(|column| format!("'{}'", column.name)).collect();
        format!("[{}]", names.join(", "))
    }

    /// Checks that every name of an `_include` is a column, before anything is read.
    ///
    /// # Errors
    /// [`ListError::UnknownInclude`] with the names that are none.
    pub fn check_include(&self, include: Option<&[String]>) -> Result<(), ListError> {
        let unknown: Vec<&str> = include
            .into_iter()
            .flatten()
            .map(String::as_str)
            .filter(|name| self.column(name).is_none())
            .collect();
        if unknown.is_empty() {
            Ok(())
        } else {
            Err(ListError::UnknownInclude { keys: quoted(&unknown), allowed: self.allowed() })
        }
    }
}

/// One column to sort by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sort {
    /// The column's name on the wire.
    pub column: String,
    /// Whether the largest comes first.
    pub descending: bool,
}

/// A column that has to have one of the values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// The column's name on the wire.
    pub column: String,
    /// The values, compared as text; booleans as `true` and `false` in any case.
    pub values: Vec<String>,
}

/// What a caller asks of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// The columns to show; all where `None`.
    pub include: Option<Vec<String>>,
    /// The order; the collection's own where empty.
    pub sort: Vec<Sort>,
    /// What has to hold, all of it.
    pub filters: Vec<Filter>,
    /// A text that has to occur, ignoring case (ASCII), in a column that the collection searches.
    pub search: Option<String>,
    /// How many entities are passed over.
    pub offset: u64,
    /// How many are shown at the most.
    pub size: u64,
    /// Whether entities of all tenants that the caller may see are meant.
    pub all_tenants: bool,
}

/// A condition that the caller does not choose (tenant, visibility), with its parameters.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    conditions: Vec<String>,
    parameters: Vec<SqlValue>,
    alternatives: Vec<Scope>,
}

impl Scope {
    /// Everything in the table.
    pub fn everything() -> Self {
        Self::default()
    }

    /// What is in one of the scopes. They must not overlap: each is read by an index of its own and what it holds is
    /// counted by itself, where one condition with `OR` could only be tried on every row.
    pub fn either(alternatives: Vec<Self>) -> Self {
        Self { alternatives, ..Self::default() }
    }

    /// Adds a condition; each `?` in it takes the next of `parameters`.
    #[must_use]
    pub fn and(mut self, condition: &str, parameters: impl IntoIterator<Item = SqlValue>) -> Self {
        self.conditions.push(format!("({condition})"));
        self.parameters.extend(parameters);
        self
    }

    /// The scope as one SQL condition and the parameters that its `?` take, for statements that are no lists.
    pub fn into_sql(self) -> (String, Vec<SqlValue>) {
        let Self { mut conditions, mut parameters, alternatives } = self;
        if !alternatives.is_empty() {
            let mut terms = Vec::with_capacity(alternatives.len());
            for alternative in alternatives {
                let (condition, more) = alternative.into_sql();
                terms.push(condition);
                parameters.extend(more);
            }
            conditions.push(format!("({})", terms.join(" OR ")));
        }
        let condition = if conditions.is_empty() { "1".to_owned() } else { conditions.join(" AND ") };
        (condition, parameters)
    }

    /// The conditions that together hold exactly what the scope does, and don't overlap.
    fn branches(&self) -> Vec<(String, Vec<SqlValue>)> {
        let own = Self { alternatives: Vec::new(), ..self.clone() };
        if self.alternatives.is_empty() {
            return vec![own.into_sql()];
        }
        let (condition, parameters) = own.into_sql();
        let mut branches = Vec::new();
        for alternative in &self.alternatives {
            for (more, of_it) in alternative.branches() {
                let all = parameters.iter().cloned().chain(of_it).collect();
                branches.push((format!("{condition} AND {more}"), all));
            }
        }
        branches
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The entities, each an object of the columns asked for.
    pub items: Vec<Map<String, Value>>,
    /// How many there are without paging.
    pub total: u64,
    /// The offset that was asked for.
    pub offset: u64,
    /// The size that was asked for.
    pub size: u64,
    /// How many entities the rules of a filter hid; none where none chose.
    pub filtered: Option<u64>,
}

/// Why a list can't be given. The messages are Cloudify's.
#[derive(Debug, thiserror::Error)]
pub enum ListError {
    #[error("Include keys '{keys}' do not exist. Allowed keys are: {allowed}")]
    UnknownInclude { keys: String, allowed: String },
    #[error("Sort keys '{keys}' do not exist. Allowed keys are: {allowed}")]
    UnknownSort { keys: String, allowed: String },
    #[error("Filter keys '{keys}' do not exist. Allowed keys are: {allowed}")]
    UnknownFilter { keys: String, allowed: String },
    #[error(transparent)]
    Database(#[from] super::DatabaseError),
}

impl From<rusqlite::Error> for ListError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error.into())
    }
}

/// What a query asks of a collection, as SQL: checked, and ready to be read by [`super::paging`].
#[derive(Clone, Debug)]
pub(super) struct Selection {
    /// The table.
    pub table: &'static str,
    /// The columns to show.
    pub columns: Vec<&'static Column>,
    /// The terms to sort by, whether each is descending; no two rows are alike in all of them.
    pub order: Vec<(&'static str, bool)>,
    /// The conditions that don't overlap, each with its parameters.
    pub branches: Vec<(String, Vec<SqlValue>)>,
    /// Whether every row has to be tried, for a text in it.
    pub is_costly: bool,
}

impl Selection {
    /// Checks a query.
    ///
    /// # Errors
    /// A column that the collection has not, named with those that it has.
    pub fn of(collection: &Collection, query: &ListQuery, scope: &Scope) -> Result<Self, ListError> {
        collection.check_include(query.include.as_deref())?;
        let columns = collection
            .columns
            .iter()
            .filter(|column| {
                query.include.as_ref().is_none_or(|names| names.iter().any(|name| name == column.name))
            })
            .collect();
        let order = order(collection, &query.sort)?;
        let branches = narrowed(collection, query, scope)?.branches();
        let is_costly = query.search.as_ref().is_some_and(|search| !search.is_empty());
        Ok(Self { table: collection.table, columns, order, branches, is_costly })
    }
}

/// Writes one row, whose columns were selected in this order, as an object.
///
/// # Errors
/// A column of another type than declared.
pub fn row_object(row: &Row<'_>, columns: &[&Column]) -> rusqlite::Result<Map<String, Value>> {
    let mut object = Map::with_capacity(columns.len());
    for (index, column) in columns.iter().enumerate() {
        let value = match column.kind {
            ColumnKind::Text => row.get::<_, Option<String>>(index)?.map_or(Value::Null, Value::from),
            ColumnKind::Integer => row.get::<_, Option<i64>>(index)?.map_or(Value::Null, Value::from),
            ColumnKind::Boolean => row.get::<_, Option<bool>>(index)?.map_or(Value::Null, Value::from),
            ColumnKind::Json => match row.get::<_, Option<String>>(index)? {
                Some(text) => serde_json::from_str(&text).map_err(|error| {
                    rusqlite::Error::FromSqlConversionFailure(
                        index,
                        rusqlite::types::Type::Text,
                        Box::new(error),
                    )
                })?,
                None => Value::Null,
            },
        };
        object.insert(column.name.to_owned(), value);
    }
    Ok(object)
}

fn order(collection: &Collection, sort: &[Sort]) -> Result<Vec<(&'static str, bool)>, ListError> {
    let unknown: Vec<&str> = sort
        .iter()
        .map(|sort| sort.column.as_str())
        .filter(|name| collection.column(name).is_none())
        .collect();
    if !unknown.is_empty() {
        return Err(ListError::UnknownSort { keys: quoted(&unknown), allowed: collection.allowed() });
    }
    let mut terms: Vec<(&'static str, bool)> = Vec::new();
    let mut add = |sql: &'static str, descending: bool| {
        if terms.iter().all(|(term, _)| *term != sql) {
            terms.push((sql, descending));
        }
    };
    for sort in sort {
        if let Some(column) = collection.column(&sort.column) {
            add(column.sql, sort.descending);
        }
    }
    // Equal values would come in any order, and pages would overlap: the own order decides among them. It runs in the
    // same direction, so that an index gives either by being read from one of its ends.
    let descending = sort.first().is_some_and(|sort| sort.descending);
    collection.default_sort.split(", ").for_each(|term| add(term, descending));
    Ok(terms)
}

/// What has to hold of an entity of the list, and the parameters that its `?` take.
///
/// # Errors
/// A filter on a column that there is not.
pub fn condition(
    collection: &Collection,
    query: &ListQuery,
    scope: &Scope,
) -> Result<(String, Vec<SqlValue>), ListError> {
    Ok(narrowed(collection, query, scope)?.into_sql())
}

fn narrowed(collection: &Collection, query: &ListQuery, scope: &Scope) -> Result<Scope, ListError> {
    let mut scope = scope.clone();
    let unknown: Vec<&str> = query
        .filters
        .iter()
        .map(|filter| filter.column.as_str())
        .filter(|name| collection.column(name).is_none())
        .collect();
    if !unknown.is_empty() {
        return Err(ListError::UnknownFilter { keys: quoted(&unknown), allowed: collection.allowed() });
    }
    for filter in &query.filters {
        let Some(column) = collection.column(&filter.column) else { continue };
        let values = filter.values.iter().map(|value| filter_value(column.kind, value));
        scope = match filter.values.len() {
            1 => scope.and(&format!("{} = ?", column.sql), values),
            several => scope.and(&format!("{} IN ({})", column.sql, vec!["?"; several].join(", ")), values),
        };
    }
    if let Some(search) = query.search.as_deref().filter(|search| !search.is_empty()) {
        let texts: String = collection.search.iter().map(|column| format!(", {column}")).collect();
        scope = scope.and(&format!("holds(?{texts})"), [text(search)]);
    }
    Ok(scope)
}

fn filter_value(kind: ColumnKind, text: &str) -> SqlValue {
    match kind {
        ColumnKind::Text | ColumnKind::Json => SqlValue::Text(text.to_owned()),
        ColumnKind::Integer => {
            text.parse().map_or_else(|_| SqlValue::Text(text.to_owned()), SqlValue::Integer)
        }
        ColumnKind::Boolean => match text.to_ascii_lowercase().as_str() {
            "true" | "1" => SqlValue::Integer(1),
            "false" | "0" => SqlValue::Integer(0),
            _ => SqlValue::Text(text.to_owned()),
        },
    }
}

pub(super) fn quoted(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    format!("[{}]", names.join(", "))
}

/// Lets a text be a parameter of a [`Scope`].
pub fn text(value: impl Into<String>) -> SqlValue {
    SqlValue::Text(value.into())
}

//! Pages of lists, found by index: of one table, of parts of it that don't overlap, or of two databases.
//!
//! A list is one or more branches, each in order by itself. What stands before a page is never read: it is passed over
//! in an index, from the end that is nearer, and where there are several branches the place of the page in each is
//! found by comparing single rows. So a page costs memory for itself alone, however deep it lies.

mod far;

use std::cmp::Ordering;
use std::sync::mpsc::channel;

use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, OptionalExtension, params_from_iter};
use serde_json::{Map, Value};

use super::listing::{Collection, ListError, ListQuery, Page, Scope, Selection, row_object};
use super::{Database, DatabaseError};
use far::{Far, answer};

/// What is still passed over row by row, once the place of the page is known as closely.
const NEAR: u64 = 256;
/// Up to this offset a page is looked for before anything is counted: a short list is then never counted.
const SHALLOW: u64 = 1000;

/// Where a row stands in its list, and what finds it.
#[derive(Clone, Debug)]
struct Key {
    row: i64,
    place: Vec<SqlValue>,
}

/// Reads one page. The total and the page come from the same moment, as `connection` is in a transaction.
///
/// # Errors
/// A column that the collection has not, named with those that it has; or the database's own.
pub fn list(
    connection: &Connection,
    collection: &Collection,
    query: &ListQuery,
    scope: &Scope,
) -> Result<Page, ListError> {
    let selection = Selection::of(collection, query, scope)?;
    let part = Part { connection, selection: &selection };
    read_page(&[&part], &selection, query)
}

/// Reads one page of what two databases hold in tables of the same form, merged by the list's order. The same scope
/// holds for both.
///
/// # Errors
/// A column that the collection has not, named with those that it has; or the databases' own.
pub async fn list_both(
    [first, second]: [Database; 2],
    collection: &'static Collection,
    query: ListQuery,
    scope: Scope,
) -> Result<Page, ListError> {
    let selection = Selection::of(collection, &query, &scope)?;
    first
        .read(move |connection| {
            // Asked for only once this thread is there: whoever waits for the second database's threads holds one of
            // the first, and those of the second wait for nobody else.
            let (questions, inbox) = channel();
            let of_second = selection.clone();
            let answered = second
                .submit_read(move |connection| answer(&Part { connection, selection: &of_second }, inbox));
            let near = Part { connection, selection: &selection };
            let far = Far::new(questions, selection.branches.len());
            let page = read_page(&[&near, &far], &selection, &query);
            drop(far);
            match answered.blocking_recv() {
                Ok(answered) => answered.and(page),
                Err(_) => Err(DatabaseError::Closed.into()),
            }
        })
        .await
}

/// The branches that one connection reads.
///
/// What is asked is answered when the answer is called for. Whoever has to ask several asks all of them first: those on
/// another thread then work beside the one that waits.
trait Branches {
    fn len(&self) -> usize;
    /// The keys of up to `length` rows from `from` on; counted from the end where `reversed`.
    fn keys(&self, branch: usize, span: Span) -> Answer<'_, Vec<Key>>;
    /// The keys of the first `wanted` rows, and how many rows there are in all.
    fn first(&self, branch: usize, wanted: u64) -> Answer<'_, First>;
    fn rows(&self, rows: Vec<i64>) -> Answer<'_, Vec<Map<String, Value>>>;
}

type Answer<'a, T> = Box<dyn FnOnce() -> Result<T, ListError> + 'a>;

/// The keys of the first rows of a branch, and how many there are.
type First = (Vec<Key>, u64);

/// Calls for answers that were all asked for. Those of other threads stand last: they come while the first ones are found.
fn answered<T>(answers: Vec<Answer<'_, T>>) -> Result<Vec<T>, ListError> {
    answers.into_iter().map(|answer| answer()).collect()
}

#[derive(Clone, Debug)]
struct Span {
    /// Rows that are passed over: from the beginning, or from behind `after`.
    from: u64,
    length: u64,
    reversed: bool,
    /// The place of a row behind which to begin.
    after: Option<Vec<SqlValue>>,
}

struct Part<'a> {
    connection: &'a Connection,
    selection: &'a Selection,
}

/// Reads the key of the row that a statement stands on.
type ReadKey<'a> = dyn Fn() -> rusqlite::Result<Key> + 'a;

impl Part<'_> {
    fn count_sql(&self, branch: usize) -> String {
        format!("SELECT count(*) FROM {} WHERE {}", self.selection.table, self.selection.branches[branch].0)
    }

    fn keys_sql(&self, branch: usize, reversed: bool, is_after: bool) -> String {
        let Selection { table, order, branches, .. } = self.selection;
        let terms: Vec<&str> = order.iter().map(|(term, _)| *term).collect();
        let behind = if is_after {
            let than = if order.iter().any(|(_, descending)| *descending != reversed) { "<" } else { ">" };
            format!(" AND ({}) {than} ({})", terms.join(", "), vec!["?"; terms.len()].join(", "))
        } else {
            String::new()
        };
        let by: Vec<String> = order
            .iter()
            .map(|(term, descending)| {
                format!("{term} {}", if *descending != reversed { "DESC" } else { "ASC" })
            })
            .collect();
        let condition = &branches[branch].0;
        format!(
            "SELECT rowid, {} FROM {table} WHERE {condition}{behind} ORDER BY {} LIMIT ? OFFSET ?",
            terms.join(", "),
            by.join(", ")
        )
    }
}

impl Part<'_> {
    fn count(&self, branch: usize) -> Result<u64, ListError> {
        let parameters = self.selection.branches[branch].1.iter();
        let count: i64 = self
            .connection
            .prepare_cached(&self.count_sql(branch))?
            .query_row(params_from_iter(parameters), |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Steps through the rows of a span; `take` gets what reads the row's key.
    fn each_key(
        &self,
        branch: usize,
        span: Span,
        take: &mut dyn FnMut(&ReadKey<'_>) -> rusqlite::Result<()>,
    ) -> Result<(), ListError> {
        let number = |value: u64| SqlValue::Integer(i64::try_from(value).unwrap_or(i64::MAX));
        let sql = self.keys_sql(branch, span.reversed, span.after.is_some());
        let parameters = self.selection.branches[branch].1.iter().cloned();
        let parameters = parameters.chain(span.after.into_iter().flatten());
        let parameters = parameters.chain([number(span.length), number(span.from)]);
        let terms = self.selection.order.len();
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut rows = statement.query(params_from_iter(parameters))?;
        while let Some(row) = rows.next()? {
            take(&|| {
                let place = (1..=terms).map(|term| row.get(term)).collect::<rusqlite::Result<_>>()?;
                Ok(Key { row: row.get(0)?, place })
            })?;
        }
        Ok(())
    }

    fn read_keys(&self, branch: usize, span: Span) -> Result<Vec<Key>, ListError> {
        let mut keys = Vec::new();
        self.each_key(branch, span, &mut |key| {
            keys.push(key()?);
            Ok(())
        })?;
        Ok(keys)
    }

    fn read_first(&self, branch: usize, wanted: u64) -> Result<First, ListError> {
        let from_start = |length| Span { from: 0, length, reversed: false, after: None };
        if !self.selection.is_costly {
            let first = self.read_keys(branch, from_start(wanted))?;
            let read = first.len() as u64;
            let count = if read < wanted { read } else { self.count(branch)? };
            return Ok((first, count));
        }
        // Every row has to be tried, which is the work: once for both.
        let (mut first, mut count) = (Vec::new(), 0);
        self.each_key(branch, from_start(u64::MAX), &mut |key| {
            count += 1;
            if count <= wanted {
                first.push(key()?);
            }
            Ok(())
        })?;
        Ok((first, count))
    }

    fn read_rows(&self, rows: Vec<i64>) -> Result<Vec<Map<String, Value>>, ListError> {
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let columns = &self.selection.columns;
        let selected = if columns.is_empty() {
            "NULL".to_owned()
        } else {
            columns.iter().map(|column| column.sql).collect::<Vec<_>>().join(", ")
        };
        let sql = format!("SELECT {selected} FROM {} WHERE rowid = ?", self.selection.table);
        let mut statement = self.connection.prepare_cached(&sql)?;
        let mut objects = Vec::with_capacity(rows.len());
        for number in rows {
            // All is one transaction: a row whose key was read is there.
            if let Some(object) = statement.query_row([number], |row| row_object(row, columns)).optional()? {
                objects.push(object);
            }
        }
        Ok(objects)
    }
}

impl Branches for Part<'_> {
    fn len(&self) -> usize {
        self.selection.branches.len()
    }
    fn keys(&self, branch: usize, span: Span) -> Answer<'_, Vec<Key>> {
        Box::new(move || self.read_keys(branch, span))
    }
    fn first(&self, branch: usize, wanted: u64) -> Answer<'_, First> {
        Box::new(move || self.read_first(branch, wanted))
    }
    fn rows(&self, rows: Vec<i64>) -> Answer<'_, Vec<Map<String, Value>>> {
        Box::new(move || self.read_rows(rows))
    }
}

/// One branch while the page's place in it is looked for.
struct Cursor<'a> {
    part: usize,
    branches: &'a dyn Branches,
    branch: usize,
    count: u64,
    /// The keys of the first rows, where they were read already.
    first: Vec<Key>,
    /// How many of its rows are known to stand before the page.
    passed: u64,
    /// The place of the last of them, where a search can begin behind it.
    after: Option<Vec<SqlValue>>,
}

impl<'a> Cursor<'a> {
    /// A span that begins `ahead` rows behind those that are passed.
    fn span(&self, ahead: u64, length: u64, reversed: bool) -> Span {
        match &self.after {
            Some(place) => Span { from: ahead, length, reversed, after: Some(place.clone()) },
            None => Span { from: self.passed + ahead, length, reversed, after: None },
        }
    }

    fn keys(&mut self, span: Span) -> Answer<'a, Vec<Key>> {
        let have = self.first.len() as u64;
        if !span.reversed
            && span.after.is_none()
            && span.from.saturating_add(span.length).min(self.count) <= have
        {
            let from = usize::try_from(span.from).unwrap_or(usize::MAX).min(self.first.len());
            let length = usize::try_from(span.length).unwrap_or(usize::MAX);
            let keys: Vec<Key> = self.first.drain(from..).take(length).collect();
            return Box::new(move || Ok(keys));
        }
        self.branches.keys(self.branch, span)
    }
}

fn read_page(parts: &[&dyn Branches], selection: &Selection, query: &ListQuery) -> Result<Page, ListError> {
    let end = query.offset.saturating_add(query.size);
    let is_shallow = query.offset <= SHALLOW;
    // One more than the page has says whether there is more.
    let wanted = if is_shallow { end.saturating_add(1) } else { 1 };
    let mut cursors = Vec::new();
    let mut total = 0_u64;
    let all: Vec<(usize, usize)> = parts
        .iter()
        .enumerate()
        .flat_map(|(part, branches)| (0..branches.len()).map(move |branch| (part, branch)))
        .collect();
    let asked = all.iter().map(|&(part, branch)| parts[part].first(branch, wanted)).collect();
    for ((part, branch), (first, count)) in all.into_iter().zip(answered(asked)?) {
        total += count;
        if count > 0 {
            cursors.push(Cursor {
                part,
                branches: parts[part],
                branch,
                count,
                first,
                passed: 0,
                after: None,
            });
        }
    }
    let length = query.size.min(total.saturating_sub(query.offset));
    let keys = if length == 0 {
        Vec::new()
    } else {
        // From the nearer end, unless the first rows are there already.
        let reversed = !is_shallow && query.offset > total / 2;
        let skip = if reversed { total - query.offset - length } else { query.offset };
        let mut keys =
            span_of(&mut cursors, &selection.order, Span { from: skip, length, reversed, after: None })?;
        if reversed {
            keys.reverse();
        }
        keys
    };
    Ok(Page { items: rows_of(parts, keys)?, total, offset: query.offset, size: query.size, filtered: None })
}

/// The keys of `span` of all branches merged, each with its part.
fn span_of(
    cursors: &mut [Cursor<'_>],
    order: &[(&'static str, bool)],
    span: Span,
) -> Result<Vec<(usize, Key)>, ListError> {
    let mut skip = span.from;
    if let [only] = cursors {
        let part = only.part;
        return Ok(only.keys(span)()?.into_iter().map(|key| (part, key)).collect());
    }
    // Each turn compares the rows that stand an equal share of the way ahead in every branch. Up to the first of them
    // no branch can have come to the page: all shares together are no more than what is left.
    while skip > NEAR {
        let open = cursors.iter().filter(|cursor| cursor.passed < cursor.count).count().max(1) as u64;
        let share = (skip / open).max(1);
        let mut ahead = Vec::new();
        let mut asked = Vec::new();
        for (index, cursor) in cursors.iter().enumerate() {
            let rows = share.min(cursor.count - cursor.passed);
            if rows > 0 {
                ahead.push((index, rows));
                let at = cursor.span(rows - 1, 1, span.reversed);
                asked.push(cursor.branches.keys(cursor.branch, at));
            }
        }
        let mut first: Option<(usize, u64, Key)> = None;
        for ((index, ahead), mut keys) in ahead.into_iter().zip(answered(asked)?) {
            let Some(key) = keys.pop() else { continue };
            let is_first = first.as_ref().is_none_or(|(_, _, before)| {
                match compare(&key, before, order, span.reversed) {
                    Ordering::Less => true,
                    // Among equals the branches' own order, as below.
                    Ordering::Equal => span.reversed,
                    Ordering::Greater => false,
                }
            });
            if is_first {
                first = Some((index, ahead, key));
            }
        }
        let Some((index, ahead, key)) = first else { break };
        cursors[index].passed += ahead;
        cursors[index].after = can_seek(order).then_some(key.place);
        skip -= ahead;
    }
    let wanted = skip.saturating_add(span.length);
    let asked = cursors
        .iter_mut()
        .map(|cursor| {
            let from = cursor.span(0, wanted, span.reversed);
            cursor.keys(from)
        })
        .collect();
    let mut keys: Vec<(usize, usize, Key)> = Vec::new();
    for ((index, cursor), of_branch) in cursors.iter().enumerate().zip(answered(asked)?) {
        keys.extend(of_branch.into_iter().map(|key| (index, cursor.part, key)));
    }
    keys.sort_by(|(one_index, _, one), (other_index, _, other)| {
        // Rows of two databases may be alike in all that orders them: the branch decides, the same way from either end.
        let among_equals = one_index.cmp(other_index);
        let among_equals = if span.reversed { among_equals.reverse() } else { among_equals };
        compare(one, other, order, span.reversed).then(among_equals)
    });
    let position = |number: u64| usize::try_from(number).unwrap_or(usize::MAX);
    let keys = keys.into_iter().skip(position(skip)).take(position(span.length));
    Ok(keys.map(|(_, part, key)| (part, key)).collect())
}

/// Whether the rows behind one can be told by one comparison: that takes one direction, and columns that always have a
/// value, as those have that lists are ordered by where nothing else is asked.
fn can_seek(order: &[(&'static str, bool)]) -> bool {
    let is_one_way = order.windows(2).all(|pair| pair[0].1 == pair[1].1);
    is_one_way
        && order.iter().all(|(term, _)| ["created_at", "reported_timestamp", "id", "number"].contains(term))
}

/// The rows of `keys`, in their order.
fn rows_of(parts: &[&dyn Branches], keys: Vec<(usize, Key)>) -> Result<Vec<Map<String, Value>>, ListError> {
    let asked = parts
        .iter()
        .enumerate()
        .map(|(part, branches)| {
            branches.rows(keys.iter().filter(|(of, _)| *of == part).map(|(_, key)| key.row).collect())
        })
        .collect();
    let mut of_parts: Vec<_> = answered(asked)?.into_iter().map(Vec::into_iter).collect();
    Ok(keys.iter().filter_map(|(part, _)| of_parts[*part].next()).collect())
}

/// The order of two rows; where it is reversed, each term's.
fn compare(one: &Key, other: &Key, order: &[(&'static str, bool)], reversed: bool) -> Ordering {
    for ((one, other), (_, descending)) in one.place.iter().zip(&other.place).zip(order) {
        let order = compare_values(one, other);
        if order != Ordering::Equal {
            return if *descending == reversed { order } else { order.reverse() };
        }
    }
    Ordering::Equal
}

/// The order of SQLite: nothing, then numbers, then texts by their bytes, then blobs.
fn compare_values(one: &SqlValue, other: &SqlValue) -> Ordering {
    let rank = |value: &SqlValue| match value {
        SqlValue::Null => 0,
        SqlValue::Integer(_) | SqlValue::Real(_) => 1,
        SqlValue::Text(_) => 2,
        SqlValue::Blob(_) => 3,
    };
    match (one, other) {
        (SqlValue::Integer(one), SqlValue::Integer(other)) => one.cmp(other),
        (SqlValue::Real(one), SqlValue::Real(other)) => one.total_cmp(other),
        (SqlValue::Text(one), SqlValue::Text(other)) => one.cmp(other),
        (SqlValue::Blob(one), SqlValue::Blob(other)) => one.cmp(other),
        (one, other) => rank(one).cmp(&rank(other)),
    }
}

/// Asserts that every statement of a list is read in its order from an index, and is counted and passed over in that
/// index alone.
#[cfg(test)]
pub fn assert_indexed(connection: &Connection, collection: &Collection, query: &ListQuery, scope: &Scope) {
    super::functions::add(connection).unwrap();
    let selection = Selection::of(collection, query, scope).unwrap();
    let part = Part { connection, selection: &selection };
    for (branch, (_, parameters)) in selection.branches.iter().enumerate() {
        let keys = [false, true].map(|reversed| part.keys_sql(branch, reversed, false));
        for sql in keys.into_iter().chain([part.count_sql(branch)]) {
            let is_count = sql.starts_with("SELECT count");
            let page = (!is_count).then_some([SqlValue::Integer(1), SqlValue::Integer(1)]);
            let parameters = parameters.iter().cloned().chain(page.into_iter().flatten());
            let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let plan = statement
                .query_map(params_from_iter(parameters), |row| row.get::<_, String>(3))
                .unwrap()
                .collect::<rusqlite::Result<Vec<_>>>()
                .unwrap()
                .join("\n");
            assert!(!plan.contains("TEMP B-TREE"), "sorts: {sql}\n{plan}");
            assert!(plan.contains("COVERING INDEX"), "reads the table: {sql}\n{plan}");
        }
    }
}

#[cfg(test)]
#[path = "../tests/paging.rs"]
mod tests;

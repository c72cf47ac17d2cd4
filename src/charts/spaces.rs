//! Spaces and their charts, of the caller's tenant; and the space *Manager*, which every installation has.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde_json::{Map, Value};

use crate::model::{Caller, TenantName, Timestamp};

use super::own::{self, OWN_SPACE};
use super::{ChartDefinition, ChartError, Charts};

/// The longest name of a space, in characters.
const MAX_NAME_CHARACTERS: usize = 4096;

/// A space.
#[derive(Clone, Debug)]
pub struct Space {
    /// Its number.
    pub id: i64,
    /// The name; several spaces may have the same.
    pub name: String,
    /// Whether its charts choose series by tags, not by sources.
    pub has_tags: bool,
    /// The numbers of its charts.
    pub charts: Vec<i64>,
}

/// A chart.
#[derive(Clone, Debug)]
pub struct Chart {
    /// Its number.
    pub id: i64,
    /// The space in which it is.
    pub space: i64,
    /// What it draws.
    pub definition: ChartDefinition,
}

/// One page of a list, counted as Librato does.
#[derive(Clone, Debug)]
pub struct Found<T> {
    /// What is on the page.
    pub items: Vec<T>,
    /// How many match.
    pub found: u64,
    /// How many there are.
    pub total: u64,
}

/// Which part of a list is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slice {
    /// How many are passed over.
    pub offset: u64,
    /// How many are shown at the most.
    pub length: u64,
    /// Whether the last comes first.
    pub descending: bool,
}

pub(super) fn now() -> i64 {
    Timestamp::now().moment().timestamp()
}

fn not_found(noun: &'static str, id: i64) -> ChartError {
    ChartError::NotFound { noun, id: id.to_string() }
}

/// Refuses a change of what the service ships.
fn require_changeable(space: i64) -> Result<(), ChartError> {
    if space == OWN_SPACE {
        let message =
            "the space `Manager` comes with the service and can't be changed: make a space of your own";
        return Err(ChartError::Forbidden(message.to_owned()));
    }
    Ok(())
}

fn require_space(connection: &Connection, tenant: &TenantName, id: i64) -> Result<(), ChartError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM spaces WHERE id = ? AND tenant_name = ?)";
    match connection.prepare_cached(sql)?.query_row(params![id, tenant.as_str()], |row| row.get(0))? {
        true => Ok(()),
        false => Err(not_found("space", id)),
    }
}

fn charts_of(connection: &Connection, space: i64) -> Result<Vec<i64>, ChartError> {
    Ok(connection
        .prepare_cached("SELECT id FROM charts WHERE space_id = ? ORDER BY id")?
        .query_map([space], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?)
}

fn space_from_row(row: &Row<'_>) -> rusqlite::Result<Space> {
    Ok(Space { id: row.get(0)?, name: row.get(1)?, has_tags: row.get(2)?, charts: Vec::new() })
}

fn chart_from_row(row: &Row<'_>) -> rusqlite::Result<Chart> {
    let definition: String = row.get(2)?;
    let definition = serde_json::from_str(&definition).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(2, rusqlite::types::Type::Text, Box::new(error))
    })?;
    Ok(Chart { id: row.get(0)?, space: row.get(1)?, definition })
}

fn check_name(name: &str) -> Result<(), ChartError> {
    if name.trim().is_empty() {
        return Err(ChartError::parameter("name", "can't be blank"));
    }
    if name.chars().count() > MAX_NAME_CHARACTERS {
        return Err(ChartError::parameter("name", "is too long"));
    }
    Ok(())
}

/// The chart of this number in a tenant, or one of those that the service ships.
pub(super) fn chart_by_id(
    connection: &Connection,
    tenant: &TenantName,
    id: i64,
) -> Result<Option<Chart>, ChartError> {
    if let Some(chart) = own::charts().into_iter().find(|chart| chart.id == id) {
        return Ok(Some(chart));
    }
    let sql = "SELECT c.id, c.space_id, c.definition FROM charts c JOIN spaces s ON s.id = c.space_id
               WHERE c.id = ? AND s.tenant_name = ?";
    let found =
        connection.prepare_cached(sql)?.query_row(params![id, tenant.as_str()], chart_from_row).optional()?;
    Ok(found)
}

impl Charts {
    /// The spaces of the caller's tenant whose name contains a text, ignoring case (ASCII); the space *Manager* first.
    ///
    /// # Errors
    /// The database's own.
    pub async fn spaces(
        &self,
        caller: &Caller,
        name: Option<String>,
        slice: Slice,
    ) -> Result<Found<Space>, ChartError> {
        let tenant = caller.tenant.clone();
        let spaces = self
            .read(move |connection| {
                let mut statement = connection.prepare_cached(
                    "SELECT id, name, has_tags FROM spaces WHERE tenant_name = ? ORDER BY id",
                )?;
                let rows = statement.query_map([tenant.as_str()], space_from_row)?;
                Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?)
            })
            .await?;
        let mut spaces: Vec<Space> = std::iter::once(own::space()).chain(spaces).collect();
        let total = spaces.len() as u64;
        let wanted = name.unwrap_or_default().to_ascii_lowercase();
        spaces.retain(|space| space.name.to_ascii_lowercase().contains(&wanted));
        if slice.descending {
            spaces.reverse();
        }
        let found = spaces.len() as u64;
        let offset = usize::try_from(slice.offset).unwrap_or(usize::MAX);
        let length = usize::try_from(slice.length).unwrap_or(usize::MAX);
        Ok(Found { items: spaces.into_iter().skip(offset).take(length).collect(), found, total })
    }

    /// One space with the numbers of its charts.
    ///
    /// # Errors
    /// [`ChartError::NotFound`].
    pub async fn space(&self, caller: &Caller, id: i64) -> Result<Space, ChartError> {
        if id == OWN_SPACE {
            return Ok(own::space());
        }
        let tenant = caller.tenant.clone();
        self.read(move |connection| {
            let space = connection
                .prepare_cached("SELECT id, name, has_tags FROM spaces WHERE id = ? AND tenant_name = ?")?
                .query_row(params![id, tenant.as_str()], space_from_row)
                .optional()?
                .ok_or_else(|| not_found("space", id))?;
            Ok(Space { charts: charts_of(connection, id)?, ..space })
        })
        .await
    }

    /// Makes a space.
    ///
    /// # Errors
    /// [`ChartError::Parameter`] for a name that can't be one.
    pub async fn create_space(
        &self,
        caller: &Caller,
        name: String,
        has_tags: bool,
    ) -> Result<Space, ChartError> {
        check_name(&name)?;
        let caller = caller.clone();
        self.write(move |tx| {
            tx.execute(
                "INSERT INTO spaces (tenant_name, name, has_tags, created_at, created_by, updated_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?4)",
                params![caller.tenant.as_str(), name, has_tags, now(), caller.user.as_str()],
            )?;
            Ok(Space { id: tx.last_insert_rowid(), name, has_tags, charts: Vec::new() })
        })
        .await
    }

    /// Renames a space.
    ///
    /// # Errors
    /// [`ChartError::NotFound`]; [`ChartError::Parameter`] for a name that can't be one; [`ChartError::Forbidden`] for the
    /// space *Manager*.
    pub async fn rename_space(
        &self,
        caller: &Caller,
        id: i64,
        name: Option<String>,
    ) -> Result<(), ChartError> {
        require_changeable(id)?;
        let tenant = caller.tenant.clone();
        self.write(move |tx| {
            require_space(tx, &tenant, id)?;
            if let Some(name) = name {
                check_name(&name)?;
                tx.execute(
                    "UPDATE spaces SET name = ?2, updated_at = ?3 WHERE id = ?1",
                    params![id, name, now()],
                )?;
            }
            Ok(())
        })
        .await
    }

    /// Removes a space with its charts. Their snapshots and pictures stay.
    ///
    /// # Errors
    /// [`ChartError::NotFound`]; [`ChartError::Forbidden`] for the space *Manager*.
    pub async fn delete_space(&self, caller: &Caller, id: i64) -> Result<(), ChartError> {
        require_changeable(id)?;
        let tenant = caller.tenant.clone();
        self.write(move |tx| {
            require_space(tx, &tenant, id)?;
            tx.execute("DELETE FROM spaces WHERE id = ?", [id])?;
            Ok(())
        })
        .await
    }

    /// The charts of a space, oldest first.
    ///
    /// # Errors
    /// [`ChartError::NotFound`].
    pub async fn charts(&self, caller: &Caller, space: i64) -> Result<Vec<Chart>, ChartError> {
        if space == OWN_SPACE {
            return Ok(own::charts());
        }
        let tenant = caller.tenant.clone();
        self.read(move |connection| {
            require_space(connection, &tenant, space)?;
            let mut statement = connection.prepare_cached(
                "SELECT id, space_id, definition FROM charts WHERE space_id = ? ORDER BY id",
            )?;
            let rows = statement.query_map([space], chart_from_row)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }

    /// One chart of a space.
    ///
    /// # Errors
    /// [`ChartError::NotFound`].
    pub async fn chart(&self, caller: &Caller, space: i64, id: i64) -> Result<Chart, ChartError> {
        let tenant = caller.tenant.clone();
        self.read(move |connection| find_chart(connection, &tenant, space, id)).await
    }

    /// Makes a chart.
    ///
    /// # Errors
    /// [`ChartError::NotFound`] for the space; [`ChartError::Parameter`]; [`ChartError::Forbidden`] for the space *Manager*.
    pub async fn create_chart(
        &self,
        caller: &Caller,
        space: i64,
        object: Map<String, Value>,
    ) -> Result<Chart, ChartError> {
        require_changeable(space)?;
        let caller = caller.clone();
        self.write(move |tx| {
            require_space(tx, &caller.tenant, space)?;
            let mut definition = ChartDefinition::read(&object, None)?;
            tx.execute(
                "INSERT INTO charts (space_id, definition, created_at, created_by, updated_at)
                 VALUES (?1, '{}', ?2, ?3, ?2)",
                params![space, now(), caller.user.as_str()],
            )?;
            let id = tx.last_insert_rowid();
            definition.number_streams(id);
            set_definition(tx, id, &definition)?;
            Ok(Chart { id, space, definition })
        })
        .await
    }

    /// Changes what is named of a chart. Its snapshots and their pictures stay as they are.
    ///
    /// # Errors
    /// [`ChartError::NotFound`]; [`ChartError::Parameter`]; [`ChartError::Forbidden`] for the space *Manager*.
    pub async fn edit_chart(
        &self,
        caller: &Caller,
        space: i64,
        id: i64,
        object: Map<String, Value>,
    ) -> Result<Chart, ChartError> {
        require_changeable(space)?;
        let tenant = caller.tenant.clone();
        self.write(move |tx| {
            let chart = find_chart(tx, &tenant, space, id)?;
            let mut definition = ChartDefinition::read(&object, Some(&chart.definition))?;
            definition.number_streams(id);
            set_definition(tx, id, &definition)?;
            Ok(Chart { definition, ..chart })
        })
        .await
    }

    /// Removes a chart. Its snapshots and their pictures stay.
    ///
    /// # Errors
    /// [`ChartError::NotFound`]; [`ChartError::Forbidden`] for the space *Manager*.
    pub async fn delete_chart(&self, caller: &Caller, space: i64, id: i64) -> Result<(), ChartError> {
        require_changeable(space)?;
        let tenant = caller.tenant.clone();
        self.write(move |tx| {
            find_chart(tx, &tenant, space, id)?;
            tx.execute("DELETE FROM charts WHERE id = ?", [id])?;
            Ok(())
        })
        .await
    }
}

fn find_chart(
    connection: &Connection,
    tenant: &TenantName,
    space: i64,
    id: i64,
) -> Result<Chart, ChartError> {
    chart_by_id(connection, tenant, id)?
        .filter(|chart| chart.space == space)
        .ok_or_else(|| not_found("chart", id))
}

fn set_definition(tx: &Transaction<'_>, id: i64, definition: &ChartDefinition) -> Result<(), ChartError> {
    let text = serde_json::to_string(definition).map_err(|error| ChartError::Io(error.into()))?;
    tx.execute("UPDATE charts SET definition = ?2, updated_at = ?3 WHERE id = ?1", params![id, text, now()])?;
    Ok(())
}

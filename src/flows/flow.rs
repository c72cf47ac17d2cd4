//! Flows: created, edited, started, stopped, removed; and who may do what with one.

use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::model::{Asking, Permission, TenantName, TenantRole, Timestamp};
use crate::words::words;

use super::{FlowError, Flows, Graph, JsonText};

/// Reading takes a membership in the flow's workspace.
pub const FLOW_READ: Permission = Permission::tenant("workspaces.flow.get", TenantRole::Viewer);
/// Changing flows, the snapshots of their steps, and captures.
pub const FLOW_EDIT: Permission = Permission::tenant("workspaces.flow.edit", TenantRole::User);
/// Starting and stopping.
pub const FLOW_TOGGLE: Permission = Permission::tenant("workspaces.flow.toggleStatus", TenantRole::User);
/// Ours: what a runtime does, emitting and reporting.
pub const FLOW_EMIT: Permission = Permission::tenant("workspaces.flow.emit", TenantRole::Operations);

/// Names and descriptions are cut off nowhere, so they have a limit, in characters.
const MAX_NAME_CHARACTERS: usize = 1024;

words! {
    /// Whether a flow is to run (`status`), or does (`current_status`).
    FlowStatus {
        /// It runs, or is to.
        Active = "active",
        /// It does not run, or is not to.
        Inactive = "inactive",
    }
}
words! {
    /// How a flow is run (elastic.io's words).
    FlowType {
        /// Its components are started for each run.
        Ordinary = "ordinary",
        /// Its components stay up.
        LongRunning = "long_running",
    }
}
words! {
    /// What maps data between steps where a step does not say it (elastic.io's words).
    MapperType {
        /// JSONata expressions.
        Jsonata = "jsonata",
        /// Handlebars templates.
        Handlebars = "handlebars",
    }
}

/// What a runtime reports of a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CurrentStatus {
    /// The fact; from now on only reports change it.
    Reported(FlowStatus),
    /// Nobody reports any more: it follows `status` again.
    Follows,
}

/// A flow.
#[derive(Clone, Debug)]
pub struct Flow {
    /// 24 hexadecimal digits.
    pub id: String,
    /// The tenant that is its workspace.
    pub tenant_name: TenantName,
    /// The name that people see.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// How it is run.
    pub flow_type: FlowType,
    /// Whether it is to run.
    pub status: FlowStatus,
    /// Whether it runs.
    pub current_status: FlowStatus,
    /// Whether a runtime reports `current_status`; else it follows `status`.
    pub reports_current_status: bool,
    /// What maps data between steps.
    pub default_mapper_type: MapperType,
    /// When it is run, as a cron expression.
    pub cron: Option<String>,
    /// The graph as it was sent.
    pub graph: JsonText,
    /// How many times it was made or edited.
    pub version: i64,
    /// Who made it.
    pub created_by: String,
    /// When it was made.
    pub created_at: String,
    /// When its row changed last, by whatever call.
    pub updated_at: String,
    /// When somebody edited it last.
    pub last_modified: String,
    /// When it was started last.
    pub last_start_time: Option<String>,
    /// When it was stopped last.
    pub last_stop_time: Option<String>,
}

/// A flow that a caller brings.
#[derive(Clone, Debug)]
pub struct NewFlow {
    /// The workspace that it gets into.
    pub workspace: String,
    /// The name that people see, at least one character.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// How it is run.
    pub flow_type: FlowType,
    /// What maps data between steps.
    pub default_mapper_type: MapperType,
    /// When it is run.
    pub cron: Option<String>,
    /// Its steps.
    pub graph: Graph,
}

/// What is to be changed of a flow; `None` leaves it.
#[derive(Clone, Debug, Default)]
pub struct FlowChange {
    /// The name that people see.
    pub name: Option<String>,
    /// What it is for; `Some(None)` removes the text.
    pub description: Option<Option<String>>,
    /// How it is run; only while it is stopped.
    pub flow_type: Option<FlowType>,
    /// What maps data between steps.
    pub default_mapper_type: Option<MapperType>,
    /// When it is run; `Some(None)` ends that.
    pub cron: Option<Option<String>>,
    /// Its steps; only while it is stopped.
    pub graph: Option<Graph>,
}

const COLUMNS: &str = "id, tenant_name, name, description, type, status, current_status, reports_current_status, \
     default_mapper_type, cron, graph, version, created_by, created_at, updated_at, last_modified, last_start_time, \
     last_stop_time";

impl Flow {
    /// Whether it runs, or is to: then only runtimes write the snapshots of its steps.
    pub fn is_running(&self) -> bool {
        self.status == FlowStatus::Active || self.current_status == FlowStatus::Active
    }

    /// The columns that [`Flow::from_row`] reads.
    pub(super) fn columns() -> &'static str {
        COLUMNS
    }

    pub(super) fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        fn word<T>(row: &Row<'_>, index: usize, parse: fn(&str) -> Option<T>) -> rusqlite::Result<T> {
            let text: String = row.get(index)?;
            parse(&text).ok_or_else(|| {
                let unknown = format!("unknown word `{text}`");
                rusqlite::Error::FromSqlConversionFailure(index, rusqlite::types::Type::Text, unknown.into())
            })
        }
        Ok(Self {
            id: row.get(0)?,
            tenant_name: TenantName::trusted(row.get::<_, String>(1)?),
            name: row.get(2)?,
            description: row.get(3)?,
            flow_type: word(row, 4, FlowType::parse)?,
            status: word(row, 5, FlowStatus::parse)?,
            current_status: word(row, 6, FlowStatus::parse)?,
            reports_current_status: row.get(7)?,
            default_mapper_type: word(row, 8, MapperType::parse)?,
            cron: row.get(9)?,
            graph: JsonText::trusted(row.get::<_, String>(10)?),
            version: row.get(11)?,
            created_by: row.get(12)?,
            created_at: row.get(13)?,
            updated_at: row.get(14)?,
            last_modified: row.get(15)?,
            last_start_time: row.get(16)?,
            last_stop_time: row.get(17)?,
        })
    }
}

/// Lets a caller in who has the permission in a workspace. Who is no member of it does not learn that `noun` `id` exists.
pub(super) fn admit(
    asking: &Asking,
    workspace: &TenantName,
    noun: &'static str,
    id: &str,
) -> Result<(), FlowError> {
    let role = asking.caller.role_in(workspace);
    if !asking.caller.is_admin() && role.is_none() {
        return Err(FlowError::NotFound { noun, id: id.to_owned() });
    }
    if asking.caller.may_in(asking.permission, workspace) {
        return Ok(());
    }
    Err(FlowError::Forbidden {
        user: asking.caller.user.to_string(),
        permission: asking.permission.name,
        workspace: workspace.to_string(),
        least: asking.permission.least().map_or("sys_admin", TenantRole::as_str),
    })
}

/// The flow of this id, where the caller has the permission in its workspace.
pub(super) fn find(connection: &Connection, asking: &Asking, id: &str) -> Result<Flow, FlowError> {
    let flow = by_id(connection, id)?.ok_or_else(|| not_found(id))?;
    admit(asking, &flow.tenant_name, "flow", id)?;
    Ok(flow)
}

/// As [`find`], where it does not run.
pub(super) fn find_stopped(connection: &Connection, asking: &Asking, id: &str) -> Result<Flow, FlowError> {
    let flow = find(connection, asking, id)?;
    if flow.is_running() { Err(FlowError::Running(flow.id)) } else { Ok(flow) }
}

pub(super) fn not_found(id: &str) -> FlowError {
    FlowError::NotFound { noun: "flow", id: id.to_owned() }
}

/// The flow of this id, whoever asks.
pub(super) fn by_id(connection: &Connection, id: &str) -> Result<Option<Flow>, FlowError> {
    Ok(connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM flows WHERE id = ?"))?
        .query_row([id], Flow::from_row)
        .optional()?)
}

/// An id as elastic.io's are: 24 hexadecimal digits that begin with the second in which it was made.
pub(super) fn new_id() -> String {
    let seconds = u32::try_from(Timestamp::now().moment().timestamp()).unwrap_or(u32::MAX);
    hex::encode([&seconds.to_be_bytes()[..], &rand::random::<[u8; 8]>()].concat())
}

/// Writes the steps of a graph in place of those of the former one.
pub(super) fn set_steps(tx: &Connection, flow: &str, steps: &[String]) -> Result<(), FlowError> {
    tx.execute("DELETE FROM flow_steps WHERE flow_id = ?", [flow])?;
    let mut insert = tx.prepare_cached("INSERT INTO flow_steps (flow_id, id, position) VALUES (?, ?, ?)")?;
    for (step, position) in steps.iter().zip(0_i64..) {
        insert.execute(params![flow, step, position])?;
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), FlowError> {
    let is_fit = !name.trim().is_empty() && name.chars().count() <= MAX_NAME_CHARACTERS;
    if is_fit {
        return Ok(());
    }
    let detail = format!("a name has 1 to {MAX_NAME_CHARACTERS} characters that are not all blank");
    Err(FlowError::invalid("/data/attributes/name", detail))
}

impl Flows {
    /// Makes a flow, stopped.
    ///
    /// # Errors
    /// [`FlowError::NotFound`] for a workspace of which the caller is no member; [`FlowError::Forbidden`];
    /// [`FlowError::Invalid`].
    pub async fn create(&self, asking: Asking, new: Result<NewFlow, FlowError>) -> Result<Flow, FlowError> {
        self.write(move |tx| {
            // Whom the workspace lets in is asked for before the rest of the document is judged.
            let new = new?;
            let workspace = find_workspace(tx, &asking, &new.workspace)?;
            check_name(&new.name)?;
            let id = new_id();
            let now = Timestamp::now().to_string();
            tx.execute(
                "INSERT INTO flows (tenant_name, id, name, description, type, status, current_status,
                 default_mapper_type, cron, graph, created_at, created_by, updated_at, last_modified)
                 VALUES (?1, ?2, ?3, ?4, ?5, 'inactive', 'inactive', ?6, ?7, ?8, ?9, ?10, ?9, ?9)",
                params![
                    workspace.as_str(),
                    id,
                    new.name,
                    new.description,
                    new.flow_type.as_str(),
                    new.default_mapper_type.as_str(),
                    new.cron,
                    new.graph.text().as_str(),
                    now,
                    asking.caller.user.as_str(),
                ],
            )?;
            set_steps(tx, &id, new.graph.steps())?;
            find(tx, &asking, &id)
        })
        .await
    }

    /// One flow.
    ///
    /// # Errors
    /// [`FlowError::NotFound`].
    pub async fn get(&self, asking: Asking, id: &str) -> Result<Flow, FlowError> {
        let id = id.to_owned();
        self.read(move |connection| find(connection, &asking, &id)).await
    }

    /// One flow, and the ids of steps that have a snapshot and are not in its graph any more.
    ///
    /// # Errors
    /// [`FlowError::NotFound`].
    pub async fn get_with_orphans(&self, asking: Asking, id: &str) -> Result<(Flow, Vec<String>), FlowError> {
        let id = id.to_owned();
        self.read(move |connection| {
            let flow = find(connection, &asking, &id)?;
            let mut statement = connection.prepare_cached(
                "SELECT step_id FROM step_snapshots s WHERE flow_id = ?
                 AND NOT EXISTS (SELECT 1 FROM flow_steps p WHERE p.flow_id = s.flow_id AND p.id = s.step_id)",
            )?;
            let orphans = statement.query_map([&id], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
            Ok((flow, orphans))
        })
        .await
    }

    /// Changes a flow, which makes a new version of it. The snapshots of steps that leave the graph are kept, for the
    /// day on which a step of that id comes back.
    ///
    /// # Errors
    /// [`FlowError::NotFound`], [`FlowError::Forbidden`]; [`FlowError::Running`] where graph or type are to change;
    /// [`FlowError::Invalid`].
    pub async fn edit(
        &self,
        asking: Asking,
        id: &str,
        change: Result<FlowChange, FlowError>,
    ) -> Result<Flow, FlowError> {
        let id = id.to_owned();
        self.write(move |tx| {
            let flow = find(tx, &asking, &id)?;
            let change = change?;
            if flow.is_running() && (change.graph.is_some() || change.flow_type.is_some()) {
                return Err(FlowError::Running(flow.id));
            }
            let name = change.name.unwrap_or(flow.name);
            check_name(&name)?;
            tx.execute(
                "UPDATE flows SET name = ?2, description = ?3, type = ?4, default_mapper_type = ?5, cron = ?6,
                 graph = coalesce(?7, graph), version = version + 1, updated_at = ?8, last_modified = ?8 WHERE id = ?1",
                params![
                    id,
                    name,
                    change.description.unwrap_or(flow.description),
                    change.flow_type.unwrap_or(flow.flow_type).as_str(),
                    change.default_mapper_type.unwrap_or(flow.default_mapper_type).as_str(),
                    change.cron.unwrap_or(flow.cron),
                    change.graph.as_ref().map(|graph| graph.text().as_str()),
                    Timestamp::now().to_string(),
                ],
            )?;
            if let Some(graph) = &change.graph {
                set_steps(tx, &id, graph.steps())?;
            }
            find(tx, &asking, &id)
        })
        .await
    }

    /// Removes a flow with the snapshots of its steps and their history. Its captures stay.
    ///
    /// # Errors
    /// [`FlowError::NotFound`], [`FlowError::Forbidden`], [`FlowError::Running`].
    pub async fn delete(&self, asking: Asking, id: &str) -> Result<(), FlowError> {
        let id = id.to_owned();
        self.write(move |tx| {
            find_stopped(tx, &asking, &id)?;
            tx.execute("DELETE FROM flows WHERE id = ?", [&id])?;
            Ok(())
        })
        .await
    }

    /// Starts a flow. One that runs already goes on; one that a snapshot has paused starts again when that is done.
    ///
    /// # Errors
    /// [`FlowError::NotFound`], [`FlowError::Forbidden`].
    pub async fn start(&self, asking: Asking, id: &str) -> Result<Flow, FlowError> {
        self.toggle(
            asking,
            id,
            "UPDATE flows SET status = 'active', last_start_time = ?2, updated_at = ?2,
             current_status = CASE WHEN reports_current_status THEN current_status ELSE 'active' END
             WHERE id = ?1 AND status <> 'active' AND paused_by IS NULL",
        )
        .await
    }

    /// Stops a flow. One that is stopped stays so, also after a snapshot that has paused it.
    ///
    /// # Errors
    /// [`FlowError::NotFound`], [`FlowError::Forbidden`].
    pub async fn stop(&self, asking: Asking, id: &str) -> Result<Flow, FlowError> {
        self.toggle(
            asking,
            id,
            "UPDATE flows SET status = 'inactive', last_stop_time = ?2, updated_at = ?2, paused_by = NULL,
             current_status = CASE WHEN reports_current_status THEN current_status ELSE 'inactive' END
             WHERE id = ?1 AND (status <> 'inactive' OR paused_by IS NOT NULL)",
        )
        .await
    }

    async fn toggle(&self, asking: Asking, id: &str, sql: &'static str) -> Result<Flow, FlowError> {
        let id = id.to_owned();
        self.write(move |tx| {
            find(tx, &asking, &id)?;
            tx.execute(sql, (&id, Timestamp::now().to_string()))?;
            find(tx, &asking, &id)
        })
        .await
    }

    /// Keeps what a runtime says of a flow.
    ///
    /// # Errors
    /// [`FlowError::NotFound`], [`FlowError::Forbidden`], [`FlowError::Invalid`].
    pub async fn report(
        &self,
        asking: Asking,
        id: &str,
        current: Result<CurrentStatus, FlowError>,
    ) -> Result<Flow, FlowError> {
        let id = id.to_owned();
        self.write(move |tx| {
            find(tx, &asking, &id)?;
            let reported = match current? {
                CurrentStatus::Reported(status) => Some(status.as_str()),
                CurrentStatus::Follows => None,
            };
            tx.execute(
                "UPDATE flows SET current_status = coalesce(?2, status), reports_current_status = ?2 IS NOT NULL,
                 updated_at = ?3 WHERE id = ?1",
                (&id, reported, Timestamp::now().to_string()),
            )?;
            find(tx, &asking, &id)
        })
        .await
    }
}

/// The tenant that is this workspace, where the caller has the permission in it.
pub(super) fn find_workspace(
    connection: &Connection,
    asking: &Asking,
    id: &str,
) -> Result<TenantName, FlowError> {
    let exists: bool =
        connection
            .query_row("SELECT EXISTS (SELECT 1 FROM tenants WHERE name = ?)", [id], |row| row.get(0))?;
    if !exists {
        return Err(FlowError::NotFound { noun: "workspace", id: id.to_owned() });
    }
    let workspace = TenantName::trusted(id);
    admit(asking, &workspace, "workspace", id)?;
    Ok(workspace)
}

//! Tasks graphs: the operations of a workflow as it runs, as the client that runs it stores and reads them.

use rusqlite::{OptionalExtension, Transaction, params};
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::database::{Collection, Column, ColumnKind, ListQuery, Page, list, text};
use crate::model::{Caller, Timestamp};

use super::entities::{Kind, PRIVATE_RESOURCE, RESOURCE_AVAILABILITY, find, locate};
use super::scope::{visible, writable};
use super::{Manager, ManagerError};

/// The tables of tasks graphs and their operations.
pub const SCHEMA_V5: &str = "
CREATE TABLE tasks_graphs (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_name TEXT NOT NULL,
    id TEXT NOT NULL,
    execution_id TEXT NOT NULL REFERENCES executions(id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    visibility TEXT NOT NULL,
    created_at TEXT NOT NULL,
    created_by TEXT NOT NULL,
    UNIQUE (tenant_name, id),
    UNIQUE (execution_id, name)
) STRICT;

CREATE TABLE operations (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant_name TEXT NOT NULL,
    id TEXT NOT NULL,
    tasks_graph_id TEXT NOT NULL,
    name TEXT,
    state TEXT NOT NULL,
    created_at TEXT NOT NULL,
    dependencies TEXT NOT NULL DEFAULT '[]',
    type TEXT,
    parameters TEXT,
    manager_name TEXT,
    agent_name TEXT,
    UNIQUE (tenant_name, id),
    FOREIGN KEY (tenant_name, tasks_graph_id) REFERENCES tasks_graphs(tenant_name, id) ON DELETE CASCADE
) STRICT;
CREATE INDEX operations_by_graph ON operations(tenant_name, tasks_graph_id);
";

/// A tasks graph as Cloudify 7 lists it.
pub const TASKS_GRAPHS: Collection = Collection {
    noun: "TasksGraph",
    table: "tasks_graphs",
    columns: &[
        Column::text("visibility"),
        Column::text("created_at"),
        Column::text("id"),
        Column::text("name"),
        Column::text("execution_id"),
        Column::text("tenant_name"),
        Column::text("created_by"),
        RESOURCE_AVAILABILITY,
        PRIVATE_RESOURCE,
    ],
    search: &["id", "name"],
    default_sort: "created_at, number",
};

macro_rules! of_graph {
    ($column:literal) => {
        concat!(
            "(SELECT g.",
            $column,
            " FROM tasks_graphs g WHERE g.tenant_name = operations.tenant_name AND g.id = operations.tasks_graph_id)"
        )
    };
}

/// An operation of a tasks graph as Cloudify 7 lists it.
pub const OPERATIONS: Collection = Collection {
    noun: "Operation",
    table: "operations",
    columns: &[
        Column::text("created_at"),
        Column::text("id"),
        Column::text("name"),
        Column::text("state"),
        Column::json("dependencies"),
        Column::text("type"),
        Column::json("parameters"),
        Column::text("manager_name"),
        Column::text("agent_name"),
        Column::text("tasks_graph_id"),
        Column::expression("execution_id", of_graph!("execution_id"), ColumnKind::Text),
        Column::expression("visibility", of_graph!("visibility"), ColumnKind::Text),
        Column::expression("created_by", of_graph!("created_by"), ColumnKind::Text),
        Column::text("tenant_name"),
    ],
    search: &["id", "name"],
    default_sort: "created_at, number",
};

const GRAPH: Kind = Kind { collection: &TASKS_GRAPHS, key: "id" };

/// A tasks graph that a caller stores.
#[derive(Clone, Debug)]
pub struct NewTasksGraph {
    /// Its id, where it had one before.
    pub id: Option<String>,
    /// The execution whose operations it holds.
    pub execution_id: String,
    /// Its name, one of its own in the execution.
    pub name: String,
    /// Its operations.
    pub operations: Vec<NewOperation>,
    /// When it was made, where that is not now.
    pub created_at: Option<Timestamp>,
}

/// An operation that a caller stores.
#[derive(Clone, Debug, Default)]
pub struct NewOperation {
    /// The id that the caller gives it.
    pub id: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// Where it stands; `pending` where nobody says.
    pub state: Option<String>,
    /// The ids of the operations that come before it.
    pub dependencies: Option<Vec<Value>>,
    /// What kind of task it is.
    pub kind: Option<String>,
    /// What it needs to run.
    pub parameters: Option<Value>,
    /// The manager that ran it.
    pub manager_name: Option<String>,
    /// The agent that ran it.
    pub agent_name: Option<String>,
    /// When it was made, where that is not now.
    pub created_at: Option<Timestamp>,
}

/// Which operations are meant.
#[derive(Clone, Debug, Default)]
pub struct OperationChoice {
    /// Those of a graph.
    pub graph_id: Option<String>,
    /// Those of an execution.
    pub execution_id: Option<String>,
    /// Without what a workflow does by itself.
    pub skip_internal: bool,
}

impl Manager {
    /// The tasks graphs that the caller sees.
    ///
    /// # Errors
    /// Columns that there are not; the database's own.
    pub async fn tasks_graphs(&self, caller: &Caller, query: ListQuery) -> Result<Page, ManagerError> {
        self.page(&GRAPH, caller, query).await
    }

    /// Stores a tasks graph with its operations, all or nothing, and answers it.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`] for the execution; [`ManagerError::Conflict`] where it has a graph of this name.
    pub async fn create_tasks_graph(
        &self,
        caller: &Caller,
        new: NewTasksGraph,
    ) -> Result<Map<String, Value>, ManagerError> {
        let caller = caller.clone();
        self.write(move |tx| {
            let (condition, parameters) = writable(&caller).into_sql();
            let sql = format!("SELECT visibility FROM executions WHERE id = ? AND {condition}");
            let parameters = [text(&*new.execution_id)].into_iter().chain(parameters);
            let visibility: Option<String> = tx
                .prepare_cached(&sql)?
                .query_row(rusqlite::params_from_iter(parameters), |row| row.get(0))
                .optional()?;
            let visibility = visibility.ok_or_else(|| ManagerError::NotFound {
                noun: "Execution",
                id: new.execution_id.clone(),
            })?;
            let id = new.id.clone().unwrap_or_else(|| Uuid::new_v4().to_string());
            let is_taken: bool = tx.query_row(
                "SELECT EXISTS (SELECT 1 FROM tasks_graphs WHERE (execution_id = ?1 AND name = ?2)
                 OR (tenant_name = ?3 AND id = ?4))",
                (&new.execution_id, &new.name, caller.tenant.as_str(), &id),
                |row| row.get(0),
            )?;
            if is_taken {
                return Err(ManagerError::Conflict(format!(
                    "the execution `{}` has a tasks graph `{}` already, or the id `{id}` is taken",
                    new.execution_id, new.name
                )));
            }
            tx.execute(
                "INSERT INTO tasks_graphs (tenant_name, id, execution_id, name, visibility, created_at, created_by)
                 VALUES (?, ?, ?, ?, ?, ?, ?)",
                params![
                    caller.tenant.as_str(),
                    id,
                    new.execution_id,
                    new.name,
                    visibility,
                    new.created_at.unwrap_or_else(Timestamp::now).to_string(),
                    caller.user.as_str(),
                ],
            )?;
            for operation in &new.operations {
                insert(tx, &caller, &id, operation)?;
            }
            find(tx, &GRAPH, &caller, &id, None)
        })
        .await
    }

    /// A tasks graph. It has no state of its own: its operations have.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`].
    pub async fn tasks_graph(&self, caller: &Caller, id: &str) -> Result<Map<String, Value>, ManagerError> {
        self.one(&GRAPH, caller, id, None).await
    }

    /// The operations that the caller sees and that were chosen.
    ///
    /// # Errors
    /// Columns that there are not; the database's own.
    pub async fn operations(
        &self,
        caller: &Caller,
        choice: OperationChoice,
        query: ListQuery,
    ) -> Result<Page, ManagerError> {
        let (condition, parameters) = visible(caller, query.all_tenants).into_sql();
        let graphs = format!(
            "EXISTS (SELECT 1 FROM tasks_graphs WHERE tasks_graphs.tenant_name = operations.tenant_name
             AND tasks_graphs.id = operations.tasks_graph_id AND {condition})"
        );
        let mut scope = crate::database::Scope::everything().and(&graphs, parameters);
        if let Some(graph) = choice.graph_id {
            scope = scope.and("tasks_graph_id = ?", [text(graph)]);
        }
        if let Some(execution) = choice.execution_id {
            scope = scope.and(
                "tasks_graph_id IN (SELECT id FROM tasks_graphs g WHERE g.execution_id = ?)",
                [text(execution)],
            );
        }
        if choice.skip_internal {
            scope = scope.and("type IN ('RemoteWorkflowTask', 'SubgraphTask')", []);
        }
        self.read(move |connection| Ok(list(connection, &OPERATIONS, &query, &scope)?)).await
    }

    /// One operation.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`].
    pub async fn operation(&self, caller: &Caller, id: &str) -> Result<Map<String, Value>, ManagerError> {
        let query = ListQuery {
            filters: vec![crate::database::Filter { column: "id".to_owned(), values: vec![id.to_owned()] }],
            size: 1,
            ..ListQuery::default()
        };
        let mut page = self.operations(caller, OperationChoice::default(), query).await?;
        page.items.pop().ok_or_else(|| not_found(id))
    }

    /// Stores an operation of a graph, and answers it.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`] for the graph; [`ManagerError::Exists`].
    pub async fn create_operation(
        &self,
        caller: &Caller,
        graph: &str,
        new: NewOperation,
    ) -> Result<Map<String, Value>, ManagerError> {
        let (of, graph) = (caller.clone(), graph.to_owned());
        let id = self
            .write(move |tx| {
                locate(tx, &GRAPH, &of, &graph)?;
                insert(tx, &of, &graph, &new)
            })
            .await?;
        self.operation(caller, &id).await
    }

    /// Changes where an operation stands and who ran it.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`].
    pub async fn change_operation(
        &self,
        caller: &Caller,
        id: &str,
        change: NewOperation,
    ) -> Result<(), ManagerError> {
        self.operation(caller, id).await?;
        let (tenant, id) = (caller.tenant.clone(), id.to_owned());
        self.write(move |tx| {
            let changed = tx.execute(
                "UPDATE operations SET state = coalesce(?3, state), manager_name = coalesce(?4, manager_name),
                 agent_name = coalesce(?5, agent_name) WHERE tenant_name = ?1 AND id = ?2",
                params![tenant.as_str(), id, change.state, change.manager_name, change.agent_name],
            )?;
            if changed == 1 { Ok(()) } else { Err(not_found(&id)) }
        })
        .await
    }

    /// Removes an operation.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`].
    pub async fn delete_operation(&self, caller: &Caller, id: &str) -> Result<(), ManagerError> {
        self.operation(caller, id).await?;
        let (tenant, id) = (caller.tenant.clone(), id.to_owned());
        self.write(move |tx| {
            let gone = tx
                .execute("DELETE FROM operations WHERE tenant_name = ? AND id = ?", (tenant.as_str(), &id))?;
            if gone == 1 { Ok(()) } else { Err(not_found(&id)) }
        })
        .await
    }
}

fn not_found(id: &str) -> ManagerError {
    ManagerError::NotFound { noun: OPERATIONS.noun, id: id.to_owned() }
}

fn insert(
    tx: &Transaction<'_>,
    caller: &Caller,
    graph: &str,
    new: &NewOperation,
) -> Result<String, ManagerError> {
    let id = new.id.clone().unwrap_or_else(|| Uuid::new_v4().to_string());
    let tenant = caller.tenant.as_str();
    let is_taken: bool = tx
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM operations WHERE tenant_name = ? AND id = ?)")?
        .query_row((tenant, &id), |row| row.get(0))?;
    if is_taken {
        return Err(ManagerError::Exists { noun: OPERATIONS.noun, id, tenant: tenant.to_owned() });
    }
    tx.prepare_cached(
        "INSERT INTO operations (tenant_name, id, tasks_graph_id, name, state, created_at, dependencies, type,
         parameters, manager_name, agent_name) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )?
    .execute(params![
        tenant,
        id,
        graph,
        new.name,
        new.state.as_deref().unwrap_or("pending"),
        new.created_at.unwrap_or_else(Timestamp::now).to_string(),
        Value::Array(new.dependencies.clone().unwrap_or_default()).to_string(),
        new.kind,
        new.parameters.as_ref().map(Value::to_string),
        new.manager_name,
        new.agent_name,
    ])?;
    Ok(id)
}

//! Summaries: which kinds can be counted, and by which of their fields.

use crate::database::{Collection, Column, ColumnKind, Filter, Groups, ListQuery, summarize};
use crate::executions::table::EXECUTIONS;
use crate::model::Caller;

use super::blueprints::BLUEPRINTS;
use super::deployments::DEPLOYMENTS;
use super::filters::in_groups;
use super::nodes::{NODE_INSTANCES, NODES};
use super::schedules::EXECUTION_SCHEDULES;
use super::scope::visible;
use super::{Manager, ManagerError};

/// The kinds of entities that can be counted by their fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Summarized {
    /// Blueprints.
    Blueprints,
    /// Deployments.
    Deployments,
    /// Nodes.
    Nodes,
    /// Node instances.
    NodeInstances,
    /// Executions, of deployments and of the service.
    Executions,
    /// Execution schedules.
    ExecutionSchedules,
}

/// Execution schedules as they are counted: whether they come once or again and again is no column of their list.
const SCHEDULES: Collection = Collection {
    noun: EXECUTION_SCHEDULES.noun,
    table: EXECUTION_SCHEDULES.table,
    columns: &[
        Column::text("id"),
        Column::text("deployment_id"),
        Column::text("workflow_id"),
        Column::text("tenant_name"),
        Column::text("visibility"),
        Column::boolean("enabled"),
        Column::expression(
            "recurrence",
            "CASE WHEN rule ->> '$.recurrence' IS NOT NULL AND coalesce(rule ->> '$.count', 0) <> 1
               OR rule ->> '$.rrule' IS NOT NULL AND upper(rule ->> '$.rrule') || ';' NOT LIKE '%COUNT=1;%'
             THEN 'recurring' ELSE 'single' END",
            ColumnKind::Text,
        ),
    ],
    search: &["id"],
    default_sort: "number",
};

impl Summarized {
    /// All kinds.
    pub const ALL: [Self; 6] = [
        Self::Blueprints,
        Self::Deployments,
        Self::Nodes,
        Self::NodeInstances,
        Self::Executions,
        Self::ExecutionSchedules,
    ];

    /// The kind by its name in paths.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The name in paths, and of the count in a summary.
    pub fn name(self) -> &'static str {
        match self {
            Self::Blueprints => "blueprints",
            Self::Deployments => "deployments",
            Self::Nodes => "nodes",
            Self::NodeInstances => "node_instances",
            Self::Executions => "executions",
            Self::ExecutionSchedules => "execution_schedules",
        }
    }

    /// The list that is counted.
    pub fn collection(self) -> &'static Collection {
        match self {
            Self::Blueprints => &BLUEPRINTS,
            Self::Deployments => &DEPLOYMENTS,
            Self::Nodes => &NODES,
            Self::NodeInstances => &NODE_INSTANCES,
            Self::Executions => &EXECUTIONS,
            Self::ExecutionSchedules => &SCHEDULES,
        }
    }

    /// The fields by which it can be counted.
    pub fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Blueprints => &["tenant_name", "visibility"],
            Self::Deployments => {
                &["blueprint_id", "tenant_name", "visibility", "site_name", "deployment_status"]
            }
            Self::Nodes => &["deployment_id", "tenant_name", "visibility"],
            Self::NodeInstances => {
                &["deployment_id", "index", "node_id", "state", "host_id", "tenant_name", "visibility"]
            }
            Self::Executions => &[
                "status",
                "status_display",
                "blueprint_id",
                "deployment_id",
                "workflow_id",
                "tenant_name",
                "visibility",
            ],
            Self::ExecutionSchedules => &["deployment_id", "workflow_id", "tenant_name", "visibility"],
        }
    }

    /// The fields that can stand below another one.
    pub fn sub_fields(self) -> &'static [&'static str] {
        match self {
            Self::ExecutionSchedules => {
                &["deployment_id", "workflow_id", "tenant_name", "visibility", "recurrence"]
            }
            Self::Blueprints | Self::Deployments | Self::Nodes | Self::NodeInstances | Self::Executions => {
                self.fields()
            }
        }
    }

    /// The fields of a summary: one, or that and a second below it.
    ///
    /// # Errors
    /// [`ManagerError::BadParameters`] for a field by which the kind can't be counted.
    pub fn check_fields(
        self,
        target: Option<&str>,
        sub: Option<&str>,
    ) -> Result<Vec<&'static str>, ManagerError> {
        let known = |name: Option<&str>, fields: &'static [&'static str]| {
            fields.iter().copied().find(|field| Some(*field) == name).ok_or_else(|| {
                ManagerError::BadParameters(format!(
                    "Field {} is not available for summary. Valid fields are: {}",
                    name.unwrap_or("None"),
                    fields.join(", ")
                ))
            })
        };
        let mut fields = vec![known(target, self.fields())?];
        if sub.is_some() {
            fields.push(known(sub, self.sub_fields())?);
        }
        Ok(fields)
    }
}

impl Manager {
    /// Counts the entities of a kind that the caller sees by the values of one or two fields. Deployments can be those of
    /// a group, by a filter on `deployment_group_id`.
    ///
    /// # Errors
    /// A filter on a column that there is not; the database's own.
    pub async fn summarize(
        &self,
        caller: &Caller,
        kind: Summarized,
        fields: Vec<&'static str>,
        mut query: ListQuery,
    ) -> Result<Groups, ManagerError> {
        let mut scope = visible(caller, query.all_tenants);
        if kind == Summarized::Deployments {
            let is_group = |filter: &mut Filter| filter.column == "deployment_group_id";
            for filter in query.filters.extract_if(.., is_group) {
                scope = in_groups(scope, &filter.values);
            }
        }
        self.read(move |connection| Ok(summarize(connection, kind.collection(), &fields, &query, &scope)?))
            .await
    }
}

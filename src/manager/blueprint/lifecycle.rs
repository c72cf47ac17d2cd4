//! Workflows as lists of steps.
//!
//! A step says which operation of which instance is due, which state the
//! instance has before and after, and what the events say. Whoever runs the
//! steps decides what an operation does; nothing is run here.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::steps;

/// One step of a workflow. An executor applies it in this order: state and
/// message before, the operation, state and message after.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LifecycleStep {
    /// The instance.
    pub node_instance_id: String,
    /// Its node.
    pub node_id: String,
    /// The state that the instance enters when the step begins.
    pub state_before: Option<&'static str>,
    /// The event (`workflow_node_event`) at the beginning.
    pub message_before: Option<String>,
    /// The full name of the operation, e.g. `cloudify.interfaces.lifecycle.create`; none for a mere change of state.
    pub operation: Option<String>,
    /// Whether the blueprint maps the operation to something.
    pub has_operation: bool,
    /// The plugin that the operation is mapped to.
    pub plugin: Option<String>,
    /// What the operation is for that plugin (`implementation`), e.g. `script_runner.tasks.run`.
    pub task: Option<String>,
    /// For the operation of a relationship: the instance at its other end.
    pub target_instance_id: Option<String>,
    /// The event at the end.
    pub message_after: Option<String>,
    /// The state that the instance enters when the step has ended.
    pub state_after: Option<&'static str>,
}

/// What a workflow comes down to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkflowPlan {
    /// Steps in the order in which they are to be applied.
    Steps(Vec<LifecycleStep>),
    /// Code of a plugin, about which nothing is known here.
    Remote {
        /// The plugin.
        plugin: String,
        /// The operation of the plugin.
        operation: String,
    },
}

/// Why a workflow cannot be planned.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
pub enum LifecycleError {
    /// A parameter is missing or of the wrong kind.
    #[error("parameter `{name}` of the workflow {problem}")]
    Parameter {
        /// The parameter.
        name: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// Instances depend on each other in a circle, so there is no first.
    #[error("instances depend on each other in a circle; look at `{0}`")]
    Cycle(String),
}

const BUILT_IN: &str = "cloudify.plugins.workflows.";

/// Plans a workflow of a deployment.
///
/// `workflow` is an entry of [`super::DeploymentPlan::workflows`]; `nodes` and
/// `instances` are as stored. `node_ids`, `node_instance_ids` and `type_names`
/// among the `parameters` choose instances. Targets of relationships come before
/// their sources, and after them where things are taken down.
///
/// # Errors
///
/// For parameters of the wrong kind.
pub fn plan_workflow(
    workflow: &Value,
    parameters: &Map<String, Value>,
    nodes: &[Value],
    instances: &[Value],
) -> Result<WorkflowPlan, LifecycleError> {
    let operation = workflow["operation"].as_str().unwrap_or_default();
    let topology = Topology::new(nodes, instances, parameters)?;
    let steps = match operation.strip_prefix(BUILT_IN) {
        Some("install") => topology.each(true, steps::install)?,
        Some("uninstall") => topology.each(false, steps::uninstall)?,
        Some("reinstall") => {
            let mut all = topology.each(false, steps::uninstall)?;
            all.extend(
                topology.each(true, |view| steps::install(&View { state: "deleted", ..view.clone() }))?,
            );
            all
        }
        Some("start") => topology.each(true, |view| steps::execute(view, steps::START))?,
        Some("stop") => topology.each(true, |view| steps::execute(view, steps::STOP))?,
        Some("restart") => {
            let mut all = topology.each(true, |view| steps::execute(view, steps::STOP))?;
            all.extend(topology.each(true, |view| steps::execute(view, steps::START))?);
            all
        }
        Some("execute_operation") => {
            let name =
                parameters.get("operation").and_then(Value::as_str).filter(|name| !name.is_empty()).ok_or(
                    LifecycleError::Parameter { name: "operation", problem: "is to name an operation" },
                )?;
            topology.each(true, |view| steps::execute(view, name))?
        }
        _ => {
            return Ok(WorkflowPlan::Remote {
                plugin: workflow["plugin"].as_str().unwrap_or_default().to_owned(),
                operation: operation.to_owned(),
            });
        }
    };
    Ok(WorkflowPlan::Steps(steps))
}

/// One instance as the steps see it.
#[derive(Clone)]
pub(super) struct View<'a> {
    pub(super) instance: &'a Value,
    pub(super) node: &'a Value,
    pub(super) state: &'a str,
    /// Whether the workflow is about this instance, or only about its links to such ones.
    pub(super) is_chosen: bool,
    /// The links of the instance: the link of the node, and the instance at the other end.
    pub(super) links: Vec<(&'a Value, &'a str)>,
}

struct Topology<'a> {
    views: Vec<View<'a>>,
    chosen: HashSet<&'a str>,
    /// Indices, targets first.
    order: Vec<usize>,
}

impl<'a> Topology<'a> {
    fn new(
        nodes: &'a [Value],
        instances: &'a [Value],
        parameters: &Map<String, Value>,
    ) -> Result<Self, LifecycleError> {
        let by_id: HashMap<&str, &Value> =
            nodes.iter().filter_map(|node| Some((node["id"].as_str()?, node))).collect();
        let choice = Choice::read(parameters)?;
        let mut views = Vec::new();
        let mut chosen = HashSet::new();
        for instance in instances {
            let node = instance["node_id"].as_str().and_then(|id| by_id.get(id));
            let (Some(node), Some(id)) = (node, instance["id"].as_str()) else {
                continue;
            };
            let is_chosen = choice.takes(instance, node);
            if is_chosen {
                chosen.insert(id);
            }
            views.push(View {
                instance,
                node,
                state: instance["state"].as_str().unwrap_or("uninitialized"),
                is_chosen,
                links: links_of(instance, node),
            });
        }
        let order = order(&views)?;
        Ok(Self { views, chosen, order })
    }

    /// The steps of all instances, in dependency order, or against it.
    fn each(
        &self,
        targets_first: bool,
        steps_of: impl Fn(&View<'a>) -> Vec<LifecycleStep>,
    ) -> Result<Vec<LifecycleStep>, LifecycleError> {
        let mut all = Vec::new();
        let mut add = |at: &usize| {
            let view = &self.views[*at];
            if view.is_chosen {
                all.extend(steps_of(view));
            } else {
                // Of the others only the links to chosen instances matter.
                let mut links = view.clone();
                links.links.retain(|(_, target)| self.chosen.contains(target));
                if !links.links.is_empty() {
                    all.extend(steps_of(&links));
                }
            }
        };
        if targets_first {
            self.order.iter().for_each(&mut add);
        } else {
            self.order.iter().rev().for_each(&mut add);
        }
        Ok(all)
    }
}

/// Pairs the links of an instance with those of its node, by type and target.
fn links_of<'a>(instance: &'a Value, node: &'a Value) -> Vec<(&'a Value, &'a str)> {
    let of_node = node["relationships"].as_array();
    instance["relationships"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|link| {
            let found = of_node?
                .iter()
                .find(|known| known["type"] == link["type"] && known["target_id"] == link["target_name"])?;
            Some((found, link["target_id"].as_str()?))
        })
        .collect()
}

fn order(views: &[View<'_>]) -> Result<Vec<usize>, LifecycleError> {
    let index: HashMap<&str, usize> =
        views.iter().enumerate().filter_map(|(at, view)| Some((view.instance["id"].as_str()?, at))).collect();
    let mut waits = vec![0_usize; views.len()];
    let mut sources: Vec<Vec<usize>> = vec![Vec::new(); views.len()];
    for (at, view) in views.iter().enumerate() {
        let targets: HashSet<usize> =
            view.links.iter().filter_map(|(_, target)| index.get(target).copied()).collect();
        waits[at] = targets.len();
        for target in targets {
            sources[target].push(at);
        }
    }
    let mut ready: std::collections::BTreeSet<usize> =
        (0..views.len()).filter(|at| waits[*at] == 0).collect();
    let mut order = Vec::new();
    while let Some(at) = ready.pop_first() {
        order.push(at);
        for source in &sources[at] {
            waits[*source] -= 1;
            if waits[*source] == 0 {
                ready.insert(*source);
            }
        }
    }
    match (0..views.len()).find(|at| waits[*at] > 0) {
        None => Ok(order),
        Some(stuck) => {
            Err(LifecycleError::Cycle(views[stuck].instance["id"].as_str().unwrap_or_default().to_owned()))
        }
    }
}

/// Which instances a workflow is about; an empty list means all.
struct Choice {
    node_ids: HashSet<String>,
    instance_ids: HashSet<String>,
    type_names: HashSet<String>,
}

impl Choice {
    fn read(parameters: &Map<String, Value>) -> Result<Self, LifecycleError> {
        let list = |name: &'static str| -> Result<HashSet<String>, LifecycleError> {
            let wrong = LifecycleError::Parameter { name, problem: "is to be a list of names" };
            match parameters.get(name) {
                None | Some(Value::Null) => Ok(HashSet::new()),
                Some(Value::String(one)) => Ok(HashSet::from([one.clone()])),
                Some(Value::Array(names)) => {
                    names.iter().map(|name| name.as_str().map(str::to_owned).ok_or(wrong.clone())).collect()
                }
                Some(_) => Err(wrong),
            }
        };
        Ok(Self {
            node_ids: list("node_ids")?,
            instance_ids: list("node_instance_ids")?,
            type_names: list("type_names")?,
        })
    }

    fn takes(&self, instance: &Value, node: &Value) -> bool {
        let has = |set: &HashSet<String>, value: &Value| {
            set.is_empty() || value.as_str().is_some_and(|value| set.contains(value))
        };
        let hierarchy = node["type_hierarchy"].as_array();
        has(&self.node_ids, &node["id"])
            && has(&self.instance_ids, &instance["id"])
            && (self.type_names.is_empty()
                || hierarchy.is_some_and(|types| {
                    types.iter().filter_map(Value::as_str).any(|name| self.type_names.contains(name))
                }))
    }
}

//! Flows as the first version of elastic.io's API has them, where a flow is a *task*; and a step as the sailor loads it.

use serde_json::{Value, json};

use crate::model::Asking;

use super::changes::value;
use super::flow::find;
use super::graph::step_settings;
use super::{Flow, FlowError, FlowType, Flows, Graph, JsonText, MapperType, NewFlow};

/// What a sailor gets to know of its step when it starts.
#[derive(Clone, Debug)]
pub struct TaskStep {
    /// The step's id.
    pub id: String,
    /// What its component is configured with.
    pub config: Option<JsonText>,
    /// Whether messages pass through it.
    pub is_passthrough: bool,
    /// What it emitted last, or none.
    pub snapshot: Option<JsonText>,
}

/// A task.
#[derive(Clone, Debug)]
pub struct Task {
    /// The flow that it is.
    pub flow: Flow,
}

/// A task that a caller brings: a chain of nodes.
#[derive(Clone, Debug)]
pub struct NewTask {
    /// The name that people see.
    pub name: String,
    /// The nodes in their order, each an object as it was sent.
    pub nodes: Vec<JsonText>,
    /// When it is run.
    pub cron: Option<String>,
}

impl NewTask {
    /// The flow that the task is: its nodes are the steps `step_1`, `step_2`, …, each joined to the next.
    ///
    /// # Errors
    /// [`FlowError::Invalid`] for a node that is no object.
    pub fn into_flow(self, workspace: String) -> Result<NewFlow, FlowError> {
        let mut nodes = Vec::new();
        for (index, node) in self.nodes.iter().enumerate() {
            let step = Value::from(format!("step_{}", index + 1));
            let wrong = || FlowError::invalid(format!("/nodes/{index}"), "a node is an object");
            if !node.is_object() {
                return Err(wrong());
            }
            // The members stay as they were sent; what a component is configured with is called otherwise in graphs.
            let members: std::collections::BTreeMap<String, &serde_json::value::RawValue> =
                serde_json::from_str(node.as_str()).map_err(|_| wrong())?;
            let mut parts = vec![format!("\"id\":{step}")];
            for (name, value) in members {
                let name = match name.as_str() {
                    "id" => continue,
                    "function" => "command",
                    "config" => "fields",
                    other => other,
                };
                parts.push(format!("{}:{}", Value::from(name), value.get()));
            }
            nodes.push(format!("{{{}}}", parts.join(",")));
        }
        let edges: Vec<Value> = (1..nodes.len())
            .map(|number| json!({ "source": format!("step_{number}"), "target": format!("step_{}", number + 1) }))
            .collect();
        let graph = format!("{{\"nodes\":[{}],\"edges\":{}}}", nodes.join(","), Value::from(edges));
        Ok(NewFlow {
            workspace,
            name: self.name,
            description: None,
            flow_type: FlowType::Ordinary,
            default_mapper_type: MapperType::Jsonata,
            cron: self.cron,
            graph: Graph::parse(JsonText::trusted(graph), "")?,
        })
    }
}

impl Flows {
    /// A step with what its component is configured with and what it emitted last.
    ///
    /// # Errors
    /// [`FlowError::NotFound`], [`FlowError::StepNotInFlow`].
    pub async fn task_step(&self, asking: Asking, flow: &str, step: &str) -> Result<TaskStep, FlowError> {
        let (id, step) = (flow.to_owned(), step.to_owned());
        self.read(move |connection| {
            let flow = find(connection, &asking, &id)?;
            let settings = step_settings(flow.graph.as_str(), &step)
                .ok_or_else(|| FlowError::StepNotInFlow { flow: id.clone(), step: step.clone() })?;
            let snapshot = value(connection, &id, &step)?.map(JsonText::trusted);
            Ok(TaskStep {
                id: step,
                config: settings.fields,
                is_passthrough: settings.is_passthrough,
                snapshot,
            })
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nodes_of_a_task_are_a_chain_of_steps() {
        let node = |text: &str| JsonText::parse(text.as_bytes()).unwrap();
        let task = NewTask {
            name: "t".to_owned(),
            nodes: vec![node(r#"{"function":"a:b","config":{"n": 1e400},"id":"x"}"#), node("{}")],
            cron: None,
        };
        let flow = task.into_flow("w".to_owned()).unwrap();
        assert_eq!(flow.graph.steps(), ["step_1", "step_2"]);
        assert_eq!(
            flow.graph.text().as_str(),
            r#"{"nodes":[{"id":"step_1","fields":{"n": 1e400},"command":"a:b"},{"id":"step_2"}],"edges":[{"source":"step_1","target":"step_2"}]}"#
        );
        let task = NewTask { name: "t".to_owned(), nodes: vec![node("7")], cron: None };
        assert!(task.into_flow("w".to_owned()).is_err());
    }
}

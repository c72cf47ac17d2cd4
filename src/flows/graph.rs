//! A flow's graph: kept as the text that was sent, read only for its steps.
//!
//! A step is a node; its id is chosen by the client and may be any text (elastic.io v2).

use std::collections::{BTreeMap, HashSet};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{FlowError, JsonText};

/// The longest id of a step, in bytes.
const MAX_STEP_ID_BYTES: usize = 1024;
/// The most steps that a flow may have.
const MAX_STEPS: usize = 10_000;

/// A graph that was judged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    text: JsonText,
    steps: Vec<String>,
}

/// What a component needs to know of its step.
#[derive(Clone, Debug)]
pub struct StepSettings {
    /// The node's `fields`: what its component is configured with; none where the node has none.
    pub fields: Option<JsonText>,
    /// Whether messages pass through the step.
    pub is_passthrough: bool,
}

#[derive(Deserialize)]
struct Nodes<'a> {
    #[serde(borrow)]
    nodes: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    edges: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
struct Id {
    id: Option<String>,
}

#[derive(Deserialize)]
struct Edge {
    source: String,
    target: String,
}

impl Graph {
    /// Judges a graph: `nodes` is a list of objects with ids that differ, every edge joins two of them. `pointer` is
    /// where it stands in the caller's document.
    ///
    /// # Errors
    /// [`FlowError::Invalid`] with the place of what is wrong.
    pub fn parse(text: JsonText, pointer: &str) -> Result<Self, FlowError> {
        let invalid = |place: String, detail: String| FlowError::invalid(format!("{pointer}{place}"), detail);
        let parsed: Nodes<'_> = serde_json::from_str(text.as_str())
            .map_err(|error| invalid(String::new(), format!("the graph can't be read: {error}")))?;
        let nodes = parsed
            .nodes
            .ok_or_else(|| invalid("/nodes".to_owned(), "a graph has a list of `nodes`".to_owned()))?;
        if nodes.len() > MAX_STEPS {
            return Err(invalid("/nodes".to_owned(), format!("a flow has at most {MAX_STEPS} steps")));
        }
        let mut steps = Vec::with_capacity(nodes.len());
        let mut seen = HashSet::new();
        for (index, node) in nodes.iter().enumerate() {
            let place = format!("/nodes/{index}/id");
            let id = serde_json::from_str::<Id>(node.get()).ok().and_then(|node| node.id);
            let id = id.filter(|id| !id.is_empty() && id.len() <= MAX_STEP_ID_BYTES);
            let Some(id) = id else {
                let detail = format!("a node has an `id`, a text of 1 to {MAX_STEP_ID_BYTES} bytes");
                return Err(invalid(place, detail));
            };
            if !seen.insert(id.clone()) {
                return Err(invalid(place, format!("two nodes have the id `{id}`")));
            }
            steps.push(id);
        }
        for (index, edge) in parsed.edges.unwrap_or_default().iter().enumerate() {
            let edge: Edge = serde_json::from_str(edge.get()).map_err(|_| {
                invalid(
                    format!("/edges/{index}"),
                    "an edge has a `source` and a `target`, ids of nodes".to_owned(),
                )
            })?;
            for (end, id) in [("source", edge.source), ("target", edge.target)] {
                if !seen.contains(&id) {
                    return Err(invalid(
                        format!("/edges/{index}/{end}"),
                        format!("there is no node with the id `{id}`"),
                    ));
                }
            }
        }
        Ok(Self { text, steps })
    }

    /// The ids of the steps, in the order of the nodes.
    pub fn steps(&self) -> &[String] {
        &self.steps
    }

    /// The graph as it was sent.
    pub fn text(&self) -> &JsonText {
        &self.text
    }
}

/// What the graph says of one step, or none where it has no such step.
pub fn step_settings(graph: &str, step: &str) -> Option<StepSettings> {
    let nodes = serde_json::from_str::<Nodes<'_>>(graph).ok()?.nodes?;
    nodes
        .into_iter()
        .filter_map(|node| serde_json::from_str::<BTreeMap<String, &RawValue>>(node.get()).ok())
        .find(|node| {
            let id = node.get("id").and_then(|id| serde_json::from_str::<String>(id.get()).ok());
            id.as_deref() == Some(step)
        })
        .map(|node| StepSettings {
            fields: node
                .get("fields")
                .filter(|fields| fields.get() != "null")
                .map(|fields| JsonText::from(*fields)),
            is_passthrough: node.get("is_passthrough").is_some_and(|flag| flag.get() == "true"),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(text: &str) -> Result<Graph, FlowError> {
        Graph::parse(JsonText::parse(text.as_bytes()).unwrap(), "/g")
    }

    #[test]
    fn steps_are_the_ids_of_nodes_in_their_order() {
        let text =
            r#"{"nodes":[{"id":"b","n":1e400},{"id":"a/ ü"}],"edges":[{"source":"b","target":"a/ ü"}]}"#;
        let graph = graph(text).unwrap();
        assert_eq!(graph.steps(), ["b", "a/ ü"]);
        assert_eq!(graph.text().as_str(), text);
    }

    #[test]
    fn what_is_no_graph_is_refused_with_its_place() {
        for (text, place) in [
            ("[]", "/g"),
            ("{}", "/g/nodes"),
            (r#"{"nodes":[{}]}"#, "/g/nodes/0/id"),
            (r#"{"nodes":[{"id":""}]}"#, "/g/nodes/0/id"),
            (r#"{"nodes":[{"id":7}]}"#, "/g/nodes/0/id"),
            (r#"{"nodes":[{"id":"a"},{"id":"a"}]}"#, "/g/nodes/1/id"),
            (r#"{"nodes":[{"id":"a"}],"edges":[{"source":"a","target":"b"}]}"#, "/g/edges/0/target"),
            (r#"{"nodes":[{"id":"a"}],"edges":[{}]}"#, "/g/edges/0"),
        ] {
            match graph(text) {
                Err(FlowError::Invalid { pointer, .. }) => {
                    assert_eq!(pointer.as_deref(), Some(place), "{text}")
                }
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_step_is_configured_with_the_fields_of_its_node() {
        let graph = r#"{"nodes":[{"id":"a","fields":{"n": 1.0}},{"id":"b","is_passthrough":true}]}"#;
        let a = step_settings(graph, "a").unwrap();
        assert_eq!((a.fields.unwrap().as_str(), a.is_passthrough), (r#"{"n": 1.0}"#, false));
        assert!(step_settings(graph, "b").unwrap().is_passthrough);
        assert!(step_settings(graph, "c").is_none());
        // What a graph may hold beside its ids is the client's affair.
        let odd = r#"{"nodes":[{"id":"a","is_passthrough":"yes","fields":1,"fields":null}]}"#;
        let a = step_settings(odd, "a").unwrap();
        assert!(a.fields.is_none() && !a.is_passthrough);
    }
}

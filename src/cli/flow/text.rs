//! Flows for people: fields, tables and lines.
//!
//! Knows no call. A table shows the beginning of a value, always of the text that came.

use serde::Serialize;
use serde_json::Value;

use super::resources::{Flow, HistoryEntry, Resource, StepSnapshot};
use crate::cli::output::{pairs, table};

/// So much of a value is shown in a table, in characters.
const VALUE_WIDTH: usize = 60;

/// All that is shown of a flow; as JSON, one document.
#[derive(Serialize)]
pub struct Shown {
    /// The flow.
    pub flow: Resource<Flow>,
    /// What its steps keep.
    pub snapshots: Vec<Resource<StepSnapshot>>,
    /// Its last changes, the newest first, where they are wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub history: Option<Vec<Resource<HistoryEntry>>>,
}

/// A flow for people: its fields, its steps, those that are no longer in its graph, its last changes.
pub fn shown(shown: &Shown) -> String {
    let flow = &shown.flow.parsed;
    let attributes = &flow.attributes;
    let value = |step: &str| {
        let snapshot = shown.snapshots.iter().find(|snapshot| snapshot.parsed.id == step);
        snapshot.map(|snapshot| cut(snapshot.parsed.value())).unwrap_or_default()
    };
    let mut fields = vec![
        ("id", flow.id.clone()),
        ("name", told(&attributes.name)),
        ("status", attributes.status.clone()),
        ("current status", told(&attributes.current_status)),
        ("workspace", flow.workspace().to_owned()),
        ("description", told(&attributes.description)),
        ("cron", told(&attributes.cron)),
        ("started", told(&attributes.last_start_time)),
        ("stopped", told(&attributes.last_stop_time)),
    ];
    fields.retain(|(_, value)| !value.is_empty());
    let steps = attributes.graph.iter().flat_map(|graph| &graph.nodes);
    let steps = steps.map(|step| vec![step.id.clone(), told(&step.command), value(&step.id)]);
    let mut parts = vec![pairs(&fields), table(&["STEP", "COMMAND", "SNAPSHOT"], steps.collect())];
    if !attributes.orphaned_steps.is_empty() {
        let orphans = attributes.orphaned_steps.iter().map(|step| vec![step.clone(), value(step)]);
        parts.push(table(&["STEP NO LONGER IN THE GRAPH", "SNAPSHOT"], orphans.collect()));
    }
    if let Some(history) = &shown.history {
        let rows = history.iter().map(|entry| history_row(&entry.parsed));
        parts.push(table(&["CHANGE", "STEP", "ACTION", "AT", "BY", "NOTE"], rows.collect()));
    }
    parts.join("\n\n")
}

fn history_row(entry: &HistoryEntry) -> Vec<String> {
    let attributes = &entry.attributes;
    let undone = attributes.undoes.as_ref().map(|change| format!("undoes {change}"));
    let notes: Vec<_> =
        undone.into_iter().chain(attributes.redelivered.then(|| "redelivered".to_owned())).collect();
    vec![
        attributes.change.as_ref().unwrap_or(&entry.id).clone(),
        attributes.step.clone(),
        attributes.action.clone(),
        told(&attributes.at),
        attributes.user.as_ref().or(attributes.execution_id.as_ref()).cloned().unwrap_or_default(),
        notes.join(", "),
    ]
}

/// A text that need not be there.
pub fn told(text: &Option<String>) -> String {
    text.clone().unwrap_or_default()
}

/// The status of a flow: the wish, and the fact where it is another.
pub fn status_line(flow: &Resource<Flow>) -> String {
    let Flow { id, attributes, .. } = &flow.parsed;
    let status = &attributes.status;
    let fact = match &attributes.current_status {
        Some(current) if current != status => format!(", its components are still {current}"),
        Some(_) | None => String::new(),
    };
    format!("flow `{id}` is {status}{fact}")
}

/// A change as a line: its id, what it did, and to which steps.
pub fn change_line(change: &Resource) -> String {
    let id = change.id();
    if id.is_empty() {
        return "nothing was to be changed".to_owned();
    }
    let steps = change.parsed["attributes"]["steps"].as_array().into_iter().flatten();
    let steps: Vec<_> = steps.filter_map(Value::as_str).map(ToOwned::to_owned).collect();
    format!("change {id}: {} of {}", change.attribute("action"), quoted(&steps))
}

/// Names in a sentence.
pub fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The beginning of a value, where all of it would be too wide for a table.
pub fn cut(text: &str) -> String {
    if text.chars().count() <= VALUE_WIDTH {
        return text.to_owned();
    }
    text.chars().take(VALUE_WIDTH - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource<T: serde::de::DeserializeOwned>(text: &str) -> Resource<T> {
        serde_json::from_str(text).unwrap()
    }

    fn sample() -> Shown {
        Shown {
            flow: resource(
                r#"{"id":"5d","type":"flow","attributes":{"name":"orders","status":"inactive","current_status":"active","description":null,
                    "graph":{"nodes":[{"id":"a/b","command":"x/timer:timer@latest"},{"id":"none","command":"c","fields":{"n":1e400}},{"id":"null","command":"c"}],"edges":[]},
                    "orphaned_steps":["old"]},"relationships":{"workspace":{"data":{"id":"w","type":"workspace"}}}}"#,
            ),
            snapshots: vec![
                resource(r#"{"id":"a/b","attributes":{"snapshot":{"z":9007199254740993,"a": 1.10}}}"#),
                resource(r#"{"id":"null","attributes":{"snapshot":null}}"#),
                resource(r#"{"id":"old","attributes":{"snapshot":"\u001b[31m"}}"#),
            ],
            history: Some(vec![
                resource(
                    r#"{"id":"18","attributes":{"change":"17","step":"a/b","action":"undo","at":"2026-01-02T03:04:05Z","user":"ann","execution_id":null,"redelivered":false,"undoes":"12"}}"#,
                ),
                resource(
                    r#"{"id":"9","attributes":{"change":"9","step":"old","action":"emit","at":"2026-01-01T03:04:05Z","user":null,"execution_id":"e-1","redelivered":true,"undoes":null,"before":1e400,"after":null}}"#,
                ),
            ]),
        }
    }

    #[test]
    fn a_flow_is_shown_with_values_as_they_came() {
        insta::assert_snapshot!(shown(&sample()), @r#"
        id              5d
        name            orders
        status          inactive
        current status  active
        workspace       w

         STEP  COMMAND               SNAPSHOT
         a/b   x/timer:timer@latest  {"z":9007199254740993,"a": 1.10}
         none  c
         null  c                     null

         STEP NO LONGER IN THE GRAPH  SNAPSHOT
         old                          "\u001b[31m"

         CHANGE  STEP  ACTION  AT                    BY   NOTE
         17      a/b   undo    2026-01-02T03:04:05Z  ann  undoes 12
         9       old   emit    2026-01-01T03:04:05Z  e-1  redelivered
        "#);
    }

    #[test]
    fn a_flow_as_json_is_the_text_that_came() {
        let text = serde_json::to_string_pretty(&sample()).unwrap();
        assert!(text.contains(r#"{"z":9007199254740993,"a": 1.10}"#), "{text}");
        // No `Value` here: it would refuse the numbers that have to come through.
        assert!(serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok(), "{text}");
        assert!(text.contains("\"before\":1e400") && text.contains("\"snapshot\":null"), "{text}");
        let without = Shown { history: None, ..sample() };
        assert!(!serde_json::to_string(&without).unwrap().contains("history"));
    }

    #[test]
    fn a_wide_value_is_cut_by_characters() {
        let text = format!("\"{}\"", "ß".repeat(58));
        assert_eq!(cut(&text), text);
        let wide = format!("\"{}\"", "ß".repeat(59));
        assert_eq!(cut(&wide), format!("\"{}…", "ß".repeat(58)));
    }

    #[test]
    fn a_change_says_what_it_did_and_a_flow_how_it_is() {
        let change = resource(r#"{"id":"17","attributes":{"action":"reset","steps":["a","b/c"]}}"#);
        assert_eq!(change_line(&change), "change 17: reset of `a`, `b/c`");
        let nothing = resource(r#"{"id":null,"attributes":{"action":"reset","steps":[]}}"#);
        assert_eq!(change_line(&nothing), "nothing was to be changed");
        assert_eq!(status_line(&sample().flow), "flow `5d` is inactive, its components are still active");
    }
}

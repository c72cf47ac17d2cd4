//! The values of functions: what can be known from a plan, and what from instances.
//!
//! A function that cannot be known yet stays as it is. Secrets are never
//! resolved here, so no result can leak one.

use std::borrow::Cow;
use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::budget::{Budget, weight};
use super::error::DeploymentError;
use super::functions;
use super::schema::is_of_primitive;

/// How deep functions may refer to functions.
const MAX_DEPTH: usize = 50;
/// How much all results together may weigh.
const MAX_RESULT_BYTES: usize = 64 << 20;
/// What a call weighs besides its result, so that the number of calls is limited too.
const CALL_WEIGHT: usize = 512;

/// Which node `SELF`, `SOURCE` and `TARGET` mean.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Scope<'a> {
    pub(super) node: Option<&'a str>,
    pub(super) target: Option<&'a str>,
}

/// Evaluates the functions within values.
pub(super) struct Evaluator<'a> {
    /// The values of the inputs, where `get_input` is to be resolved.
    inputs: Option<&'a Map<String, Value>>,
    /// Node id → properties.
    properties: HashMap<&'a str, &'a Value>,
    /// Node id → its instances, where attributes are to be resolved.
    instances: Option<HashMap<&'a str, Vec<&'a Value>>>,
    budget: Budget,
}

impl<'a> Evaluator<'a> {
    /// For the creation of a deployment: inputs and properties are known.
    pub(super) fn of_plan(inputs: &'a Map<String, Value>, nodes: &'a [Value]) -> Self {
        Self {
            inputs: Some(inputs),
            properties: properties_of(nodes),
            instances: None,
            budget: Budget::new(MAX_RESULT_BYTES),
        }
    }

    /// For a deployment that exists: properties and attributes are known.
    pub(super) fn of_deployment(nodes: &'a [Value], instances: &'a [Value]) -> Self {
        let mut by_node: HashMap<&str, Vec<&Value>> = HashMap::new();
        for instance in instances {
            let node = instance["node_id"].as_str().unwrap_or_default();
            by_node.entry(node).or_default().push(instance);
        }
        Self {
            inputs: None,
            properties: properties_of(nodes),
            instances: Some(by_node),
            budget: Budget::new(MAX_RESULT_BYTES),
        }
    }

    /// The same, where the deployment's inputs are known too.
    pub(super) fn with_inputs(mut self, inputs: &'a Map<String, Value>) -> Self {
        self.inputs = Some(inputs);
        self
    }

    /// `value` with every function resolved that can be.
    ///
    /// `place` says where the value stands, for messages.
    pub(super) fn resolve(
        &mut self,
        value: &Value,
        scope: Scope<'_>,
        place: &str,
    ) -> Result<Value, DeploymentError> {
        self.at(value, scope, place, 0)
    }

    fn at(
        &mut self,
        value: &Value,
        scope: Scope<'_>,
        place: &str,
        depth: usize,
    ) -> Result<Value, DeploymentError> {
        if depth > MAX_DEPTH {
            return Err(failure("function", place, "functions refer to each other without end"));
        }
        self.budget
            .spend_one(value.as_str().map_or(0, str::len))
            .map_err(|_| failure("function", place, "the values grow too large"))?;
        let resolved = match value {
            Value::Array(items) => {
                let items: Result<Vec<Value>, _> =
                    items.iter().map(|item| self.at(item, scope, place, depth)).collect();
                Value::Array(items?)
            }
            Value::Object(entries) => {
                let mut resolved = Map::new();
                for (key, entry) in entries {
                    resolved.insert(key.clone(), self.at(entry, scope, place, depth)?);
                }
                Value::Object(resolved)
            }
            plain => plain.clone(),
        };
        let Some((name, argument)) = functions::parse(&resolved) else {
            return Ok(resolved);
        };
        self.budget
            .spend(CALL_WEIGHT)
            .map_err(|_| failure(name, place, "there are too many functions in functions"))?;
        let Some((value, scope)) = self.call(name, argument, scope, place, depth)? else {
            return Ok(resolved);
        };
        self.budget.spend(weight(&value)).map_err(|_| failure(name, place, "the values grow too large"))?;
        let value = if functions::contains_function(&value) && value != resolved {
            self.at(&value, scope.borrowed(), place, depth + 1)?
        } else {
            value
        };
        if let Some(expected) = resolved.get("type").and_then(Value::as_str)
            && !functions::is_function(&value)
            && !is_of_primitive(&value, expected)
        {
            let problem = format!("the result is not of type `{expected}`");
            return Err(failure(name, place, &problem));
        }
        Ok(value)
    }

    /// The result of a function, and the scope in which it is to be read; none where it is not known.
    fn call(
        &mut self,
        name: &str,
        argument: &Value,
        scope: Scope<'_>,
        place: &str,
        depth: usize,
    ) -> Result<Option<(Value, OwnScope)>, DeploymentError> {
        let own = OwnScope::of(scope);
        let wrong = |problem: &str| failure(name, place, problem);
        let list = argument.as_array();
        let known = |value: Option<Value>| Ok(value.map(|value| (value, own.clone())));
        if list.is_some_and(|items| items.iter().any(functions::is_function))
            || functions::is_function(argument)
        {
            return Ok(None);
        }
        match name {
            "get_input" => {
                let Some(inputs) = self.inputs else {
                    return Ok(None);
                };
                let (input, path) = head_and_path(argument)
                    .ok_or_else(|| wrong("it takes the name of an input, or a list that begins with it"))?;
                let value =
                    inputs.get(input).ok_or_else(|| wrong(&format!("there is no input `{input}`")))?;
                let value = self.at(value, scope, place, depth + 1)?;
                if functions::is_function(&value) && !path.is_empty() {
                    return Ok(None);
                }
                let found = walk(&value, path).cloned();
                found
                    .map(Some)
                    .ok_or_else(|| wrong(&format!("input `{input}` has no value at {}", shown(path))))
                    .and_then(known)
            }
            "get_property" => {
                let (subject, path) = head_and_path(argument)
                    .filter(|(_, path)| !path.is_empty())
                    .ok_or_else(|| wrong("it takes a list of a node and a property"))?;
                let node = scope
                    .name(subject)
                    .ok_or_else(|| wrong(&format!("`{subject}` has no meaning here")))?
                    .to_owned();
                let properties = *self
                    .properties
                    .get(node.as_str())
                    .ok_or_else(|| wrong(&format!("there is no node `{node}`")))?;
                let inner = Scope { node: Some(&node), target: scope.target };
                let missing = || wrong(&format!("node `{node}` has no property {}", shown(path)));
                // Borrowed as long as possible: a copy of all properties for each call adds up.
                let mut value = Cow::Borrowed(properties);
                for step in path {
                    if functions::is_function(&value) {
                        value = Cow::Owned(self.at(&value, inner, place, depth + 1)?);
                        if functions::is_function(&value) {
                            return Ok(None);
                        }
                    }
                    let step = std::slice::from_ref(step);
                    value = match value {
                        Cow::Borrowed(value) => Cow::Borrowed(walk(value, step).ok_or_else(missing)?),
                        Cow::Owned(value) => Cow::Owned(walk(&value, step).ok_or_else(missing)?.clone()),
                    };
                }
                let value = value.into_owned();
                Ok(Some((value, OwnScope::of(inner))))
            }
            "get_attribute" | "get_attributes_list" | "get_attributes_dict" => {
                known(self.attribute(name, argument, scope))
            }
            "concat" => {
                let items = list.ok_or_else(|| wrong("it takes a list"))?;
                known(Some(Value::from(items.iter().map(python_text).collect::<String>())))
            }
            "merge" => {
                let items = list.ok_or_else(|| wrong("it takes a list"))?;
                let mut merged = Map::new();
                for item in items {
                    let item = item.as_object().ok_or_else(|| wrong("it takes a list of mappings"))?;
                    merged.extend(item.clone());
                }
                known(Some(Value::Object(merged)))
            }
            _ if name.starts_with("string_") => {
                known(Some(text_function(name, argument).ok_or_else(|| wrong("its arguments do not fit"))?))
            }
            _ => Ok(None),
        }
    }

    fn attribute(&self, name: &str, argument: &Value, scope: Scope<'_>) -> Option<Value> {
        let by_node = self.instances.as_ref()?;
        let (subject, path) = head_and_path(argument)?;
        let node = scope.name(subject)?;
        let instances = by_node.get(node).map(Vec::as_slice).unwrap_or_default();
        let properties = self.properties.get(node).copied();
        let of = |instance: &Value| attribute_of(instance, properties, path);
        match (name, instances) {
            ("get_attributes_list", _) => Some(Value::Array(instances.iter().map(|one| of(one)).collect())),
            ("get_attributes_dict", _) => {
                let entries =
                    instances.iter().map(|one| (one["id"].as_str().unwrap_or_default().to_owned(), of(one)));
                Some(Value::Object(entries.collect()))
            }
            (_, [one]) => Some(of(one)),
            (_, []) => Some(json!(format!("<ERROR: node `{node}` has no instances>"))),
            _ => Some(json!(format!("<ERROR: node `{node}` has more than one instance>"))),
        }
    }
}

/// A scope that outlives the call that made it.
#[derive(Debug, Clone)]
struct OwnScope {
    node: Option<String>,
    target: Option<String>,
}

impl OwnScope {
    fn of(scope: Scope<'_>) -> Self {
        Self { node: scope.node.map(str::to_owned), target: scope.target.map(str::to_owned) }
    }

    fn borrowed(&self) -> Scope<'_> {
        Scope { node: self.node.as_deref(), target: self.target.as_deref() }
    }
}

impl<'a> Scope<'a> {
    fn name(self, subject: &'a str) -> Option<&'a str> {
        match subject {
            "SELF" | "SOURCE" => self.node,
            "TARGET" => self.target,
            name => Some(name),
        }
    }
}

fn properties_of(nodes: &[Value]) -> HashMap<&str, &Value> {
    nodes.iter().filter_map(|node| Some((node["id"].as_str()?, &node["properties"]))).collect()
}

fn failure(function: &str, place: &str, problem: &str) -> DeploymentError {
    DeploymentError::Function {
        function: function.to_owned(),
        place: place.to_owned(),
        problem: problem.to_owned(),
    }
}

fn head_and_path(argument: &Value) -> Option<(&str, &[Value])> {
    match argument {
        Value::String(name) => Some((name, &[])),
        Value::Array(items) => {
            let (first, rest) = items.split_first()?;
            Some((first.as_str()?, rest))
        }
        _ => None,
    }
}

fn walk<'v>(value: &'v Value, path: &[Value]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, step| match (value, step) {
        (Value::Object(entries), Value::String(key)) => entries.get(key),
        (Value::Object(entries), step) => entries.get(&step.to_string()),
        (Value::Array(items), Value::Number(index)) => match index.as_i64()? {
            index if index >= 0 => items.get(usize::try_from(index).ok()?),
            index => items.get(items.len().checked_sub(usize::try_from(-index).ok()?)?),
        },
        _ => None,
    })
}

fn shown(path: &[Value]) -> String {
    let parts: Vec<String> = path.iter().map(python_text).collect();
    format!("`{}`", parts.join("."))
}

/// An attribute of an instance: what it learned as it ran, else the property of its node.
fn attribute_of(instance: &Value, properties: Option<&Value>, path: &[Value]) -> Value {
    let learned = walk(&instance["runtime_properties"], path).filter(|value| !value.is_null());
    if let Some(value) = learned {
        return value.clone();
    }
    match path {
        [Value::String(name)] if name == "node_instance_id" => return instance["id"].clone(),
        [Value::String(name)] if name == "node_instance_index" => return instance["index"].clone(),
        _ => {}
    }
    properties.and_then(|properties| walk(properties, path)).cloned().unwrap_or(Value::Null)
}

fn text_function(name: &str, argument: &Value) -> Option<Value> {
    let empty = Vec::new();
    let items = argument.as_array().unwrap_or(&empty);
    let text = |at: usize| items.get(at).and_then(Value::as_str);
    Some(match name {
        "string_lower" => json!(argument.as_str()?.to_lowercase()),
        "string_upper" => json!(argument.as_str()?.to_uppercase()),
        "string_find" => {
            let haystack = text(0)?;
            let found = haystack.find(text(1)?).map(|at| haystack[..at].chars().count() as i64);
            json!(found.unwrap_or(-1))
        }
        "string_replace" => match items.get(3) {
            None => json!(text(0)?.replace(text(1)?, text(2)?)),
            Some(count) => match usize::try_from(count.as_i64()?) {
                Ok(count) => json!(text(0)?.replacen(text(1)?, text(2)?, count)),
                Err(_) => json!(text(0)?.replace(text(1)?, text(2)?)),
            },
        },
        "string_split" => {
            let separator = text(1).filter(|separator| !separator.is_empty())?;
            let parts: Vec<Value> = text(0)?.split(separator).map(Value::from).collect();
            match items.get(2) {
                None => Value::Array(parts),
                Some(index) => walk(&Value::Array(parts), std::slice::from_ref(index))?.clone(),
            }
        }
        _ => return None,
    })
}

/// A value as Python writes it when it is put into a text.
fn python_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => python_form(other),
    }
}

fn python_form(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(python_form).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(entries) => {
            let entries: Vec<String> =
                entries.iter().map(|(key, value)| format!("'{key}': {}", python_form(value))).collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

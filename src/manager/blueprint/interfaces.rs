//! Interfaces: what operations a type has, what a template makes of them, and
//! which plugin or script is behind each.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::builtin::is_url;
use super::error::BlueprintError;
use super::functions::is_function;
use super::reading::{Place, check_keys, mapping, text};
use super::schema::{DataTypes, PARAMETER_KEYS, defaults};

const OPERATION_KEYS: &[&str] = &[
    "implementation",
    "inputs",
    "executor",
    "max_retries",
    "retry_interval",
    "timeout",
    "timeout_recoverable",
];
/// What a template may change without giving another implementation.
const TUNABLE: &[&str] = &["executor", "max_retries", "retry_interval", "timeout", "timeout_recoverable"];
const EXECUTORS: &[&str] = &["central_deployment_agent", "host_agent"];
const INPUT_KEYS: &[&str] = &[
    "required",
    "default",
    "description",
    "type",
    "item_type",
    "constraints",
    "display_label",
    "hidden",
    "display",
];

type Interfaces = Map<String, Value>;

/// Reads the interfaces of a type, whose inputs are schemas.
pub(super) fn of_type(
    raw: Option<&Value>,
    types: &DataTypes,
    place: Place<'_>,
) -> Result<Interfaces, BlueprintError> {
    read(raw, place, |inputs| types.schema(inputs, INPUT_KEYS, place).map(Value::Object))
}

/// Reads the interfaces of a template, whose inputs are values.
pub(super) fn of_template(raw: Option<&Value>, place: Place<'_>) -> Result<Interfaces, BlueprintError> {
    read(raw, place, |inputs| mapping(Some(&inputs), place).map(Value::Object))
}

fn read(
    raw: Option<&Value>,
    place: Place<'_>,
    read_inputs: impl Fn(Value) -> Result<Value, BlueprintError>,
) -> Result<Interfaces, BlueprintError> {
    let mut interfaces = mapping(raw, place)?;
    for (interface, operations) in &mut interfaces {
        let mut read = Map::new();
        for (name, operation) in mapping(Some(operations), place)? {
            let operation = match operation {
                Value::String(implementation) => filled(&implementation, json!({})),
                Value::Null => filled("", json!({})),
                Value::Object(given) => {
                    check_keys(&given, OPERATION_KEYS, place)?;
                    let implementation = text(given.get("implementation"), "implementation", place)?;
                    let inputs = given.get("inputs").cloned().unwrap_or(Value::Null);
                    let mut operation = filled(&implementation.unwrap_or_default(), read_inputs(inputs)?);
                    for key in TUNABLE {
                        if let Some(value) = given.get(*key) {
                            check_tunable(key, value, interface, &name, place)?;
                            operation[*key] = value.clone();
                        }
                    }
                    operation
                }
                _ => {
                    let problem = format!("operation `{interface}.{name}` is text or a mapping");
                    return Err(place.error(problem));
                }
            };
            read.insert(name, operation);
        }
        *operations = Value::Object(read);
    }
    Ok(interfaces)
}

fn check_tunable(
    key: &str,
    value: &Value,
    interface: &str,
    name: &str,
    place: Place<'_>,
) -> Result<(), BlueprintError> {
    let fits = match (key, value) {
        (_, Value::Null) => true,
        ("executor", Value::String(executor)) => EXECUTORS.contains(&executor.as_str()),
        ("max_retries", value) => value.as_i64().is_some_and(|retries| retries >= -1),
        ("retry_interval" | "timeout", value) => value.as_f64().is_some_and(|time| time >= 0.0),
        ("timeout_recoverable", value) => value.is_boolean(),
        _ => false,
    };
    if fits {
        return Ok(());
    }
    let expected = match key {
        "executor" => "central_deployment_agent or host_agent",
        "max_retries" => "an integer from -1 on",
        "timeout_recoverable" => "a boolean",
        _ => "a number from 0 on",
    };
    Err(place.error(format!("`{key}` of operation `{interface}.{name}` is {value}; expected is {expected}")))
}

fn filled(implementation: &str, inputs: Value) -> Value {
    json!({
        "implementation": implementation,
        "inputs": inputs,
        "executor": null,
        "max_retries": null,
        "retry_interval": null,
        "timeout": null,
        "timeout_recoverable": null,
    })
}

fn is_no_op(operation: &Value) -> bool {
    *operation == filled("", json!({}))
}

/// Merges operation by operation; the result has the names of both.
fn merge_with(
    base: &Interfaces,
    over: &Interfaces,
    mut merge: impl FnMut(Option<&Value>, Option<&Value>) -> Result<Value, BlueprintError>,
) -> Result<Interfaces, BlueprintError> {
    let mut merged = Map::new();
    for interface in base.keys().chain(over.keys()) {
        if merged.contains_key(interface) {
            continue;
        }
        let below = base.get(interface).and_then(Value::as_object);
        let above = over.get(interface).and_then(Value::as_object);
        let mut operations = Map::new();
        let names = below.into_iter().chain(above).flat_map(Map::keys);
        for name in names {
            if !operations.contains_key(name) {
                let operation = merge(
                    below.and_then(|operations| operations.get(name)),
                    above.and_then(|operations| operations.get(name)),
                )?;
                operations.insert(name.clone(), operation);
            }
        }
        merged.insert(interface.clone(), Value::Object(operations));
    }
    Ok(merged)
}

/// The interfaces of a type on top of those that it inherits: an operation replaces the inherited one.
pub(super) fn inherit(base: &Interfaces, own: &Interfaces) -> Result<Interfaces, BlueprintError> {
    merge_with(base, own, |base, own| Ok(own.or(base).cloned().unwrap_or(Value::Null)))
}

/// The interfaces of a template on top of those of its type.
pub(super) fn instantiate(
    of_type: &Interfaces,
    of_template: &Interfaces,
    place: Place<'_>,
) -> Result<Interfaces, BlueprintError> {
    merge_with(of_type, of_template, |base, own| match (base, own) {
        (None, own) => Ok(own.cloned().unwrap_or(Value::Null)),
        (Some(base), None) => {
            let mut operation = base.clone();
            operation["inputs"] = with_defaults(base, &Map::new(), place)?;
            Ok(operation)
        }
        (Some(base), Some(own)) if is_no_op(own) || is_no_op(base) => Ok(own.clone()),
        (Some(base), Some(own)) => {
            let mut operation = own.clone();
            let inherits = own["implementation"] == "" || own["implementation"] == base["implementation"];
            if inherits {
                operation["implementation"] = base["implementation"].clone();
                let given = mapping(own.get("inputs"), place)?;
                operation["inputs"] = with_defaults(base, &given, place)?;
                for key in TUNABLE {
                    if own[*key].is_null() {
                        operation[*key] = base[*key].clone();
                    }
                }
            }
            Ok(operation)
        }
    })
}

/// The inputs of an operation: what a template gives, and the defaults of the type.
fn with_defaults(
    operation: &Value,
    given: &Map<String, Value>,
    place: Place<'_>,
) -> Result<Value, BlueprintError> {
    let schema = mapping(operation.get("inputs"), place)?;
    let mut inputs = defaults(&schema);
    inputs.extend(given.clone());
    for (name, definition) in &schema {
        let Some(value) = inputs.get_mut(name) else {
            let implementation = operation["implementation"].as_str().unwrap_or_default();
            let problem = format!("input `{name}` of the operation `{implementation}` has no value");
            return Err(place.error(problem));
        };
        // A function carries the type that its value must have.
        if let Some(of_type) = definition.get("type")
            && is_function(value)
        {
            value["type"] = of_type.clone();
        }
    }
    Ok(Value::Object(inputs))
}

/// What an implementation may refer to.
pub(super) struct Implementations<'a> {
    pub(super) plugins: &'a Map<String, Value>,
    /// The files of the blueprint, relative to the folder of the main file.
    pub(super) scripts: &'a HashSet<String>,
    /// Whether an import is missing, so that unknown plugins may be defined there.
    pub(super) is_partial: bool,
}

/// What is behind an implementation.
struct Found {
    plugin: String,
    operation: String,
    /// An input that the script runner needs: its name and value.
    script: Option<(&'static str, String)>,
    executor: Value,
}

impl Implementations<'_> {
    fn find(&self, mapping: &str, place: Place<'_>) -> Result<Found, BlueprintError> {
        let plugin_of = |name: &str| self.plugins.get(name).map(|plugin| plugin["executor"].clone());
        let file = mapping.rsplit("--").next().unwrap_or(mapping);
        let is_file = is_url(mapping) || self.scripts.contains(file);
        let is_inline = !is_file && mapping.trim().contains('\n');
        if is_file || is_inline {
            let plugin = self.plugins.keys().find(|name| name.ends_with("script")).cloned();
            let plugin = match plugin {
                Some(plugin) => plugin,
                None if self.is_partial => "script".to_owned(),
                None => {
                    return Err(
                        place.error(format!("the plugin `script` is not defined, but `{mapping}` needs it"))
                    );
                }
            };
            let input = if is_inline { "script_source" } else { "script_path" };
            return Ok(Found {
                plugin,
                operation: String::new(),
                script: Some((input, mapping.to_owned())),
                executor: Value::from("auto"),
            });
        }
        let rest_of = |name: &str| mapping.strip_prefix(name)?.strip_prefix('.').map(str::to_owned);
        let mut candidates = self.plugins.keys().filter_map(|name| Some((name.clone(), rest_of(name)?)));
        let found = match (candidates.next(), candidates.next()) {
            (Some(found), None) => found,
            (Some((first, _)), Some((second, _))) => {
                return Err(place.error(format!("`{mapping}` may mean the plugin `{first}` or `{second}`")));
            }
            (None, _) => match mapping.split_once('.') {
                Some((plugin, operation)) if self.is_partial => (plugin.to_owned(), operation.to_owned()),
                _ => {
                    return Err(place.error(format!(
                        "`{mapping}` names neither a plugin of the blueprint nor a file in its archive"
                    )));
                }
            },
        };
        Ok(Found {
            executor: plugin_of(&found.0).unwrap_or(Value::from(EXECUTORS[0])),
            plugin: found.0,
            operation: found.1,
            script: None,
        })
    }

    /// The operations of merged interfaces, by full name and, where it is unambiguous, by short name.
    pub(super) fn operations(
        &self,
        interfaces: &Interfaces,
        place: Place<'_>,
    ) -> Result<Map<String, Value>, BlueprintError> {
        let mut operations = Map::new();
        let mut ambiguous = Vec::new();
        for (interface, entries) in interfaces {
            for (name, entry) in mapping(Some(entries), place)? {
                let operation = self.operation(&entry, place)?;
                if operations.contains_key(&name) {
                    ambiguous.push(name.clone());
                } else {
                    operations.insert(name.clone(), operation.clone());
                }
                operations.insert(format!("{interface}.{name}"), operation);
            }
        }
        operations.retain(|name, _| !ambiguous.contains(name));
        Ok(operations)
    }

    fn operation(&self, entry: &Value, place: Place<'_>) -> Result<Value, BlueprintError> {
        let mut operation = json!({
            "plugin": "",
            "operation": "",
            "executor": null,
            "inputs": {},
            "has_intrinsic_functions": false,
            "max_retries": null,
            "retry_interval": null,
            "timeout": null,
            "timeout_recoverable": null,
        });
        let implementation = entry["implementation"].as_str().unwrap_or_default();
        if implementation.is_empty() {
            return Ok(operation);
        }
        let found = self.find(implementation, place)?;
        let mut inputs = mapping(entry.get("inputs"), place)?;
        let types: Map<String, Value> = inputs
            .iter()
            .filter_map(|(name, value)| Some((name.clone(), value.as_object()?.get("type")?.clone())))
            .collect();
        operation["plugin"] = Value::from(found.plugin);
        operation["operation"] = Value::from(match found.script {
            None => found.operation,
            Some((input, value)) => {
                check_script_inputs(&inputs, implementation, place)?;
                inputs.insert(input.to_owned(), Value::from(value));
                "script_runner.tasks.run".to_owned()
            }
        });
        operation["inputs"] = Value::Object(inputs);
        for key in TUNABLE {
            operation[*key] = entry[*key].clone();
        }
        if operation["executor"].is_null() {
            operation["executor"] = found.executor;
        }
        if !types.is_empty() {
            operation["inputs_types"] = Value::Object(types);
        }
        Ok(operation)
    }

    /// A workflow in the form that a plan carries.
    pub(super) fn workflow(
        &self,
        raw: &Value,
        types: &DataTypes,
        place: Place<'_>,
    ) -> Result<Value, BlueprintError> {
        let entries = match raw {
            Value::String(mapping) => Map::from_iter([("mapping".to_owned(), json!(mapping))]),
            other => mapping(Some(other), place)?,
        };
        check_keys(&entries, &["mapping", "parameters", "is_cascading", "availability_rules"], place)?;
        let Some(implementation) =
            text(entries.get("mapping"), "mapping", place)?.filter(|mapping| !mapping.is_empty())
        else {
            return Err(place.error("it has no `mapping`"));
        };
        let parameters = entries.get("parameters").cloned().unwrap_or(Value::Null);
        let mut parameters = types.schema(parameters, PARAMETER_KEYS, place)?;
        let rules = entries.get("availability_rules").cloned().unwrap_or(Value::Null);
        check_rules(&rules, place)?;
        let is_cascading = entries.get("is_cascading").cloned().unwrap_or(Value::Bool(false));
        if !is_cascading.is_boolean() {
            return Err(place.error("`is_cascading` is not a boolean"));
        }
        let found = self.find(&implementation, place)?;
        let operation = match found.script {
            None => found.operation,
            Some((input, value)) => {
                check_script_inputs(&parameters, &implementation, place)?;
                let parameter = json!({"default": value, "description": "The script to run"});
                parameters.insert(input.to_owned(), parameter);
                "script_runner.tasks.execute_workflow".to_owned()
            }
        };
        Ok(json!({
            "plugin": found.plugin,
            "operation": operation,
            "parameters": parameters,
            "is_cascading": is_cascading,
            "availability_rules": rules,
        }))
    }
}

fn check_script_inputs(
    inputs: &Map<String, Value>,
    implementation: &str,
    place: Place<'_>,
) -> Result<(), BlueprintError> {
    for name in ["script_path", "script_source"] {
        if inputs.contains_key(name) {
            return Err(place.error(format!(
                "`{implementation}` is a script already, so the input `{name}` cannot be given"
            )));
        }
    }
    Ok(())
}

fn check_rules(rules: &Value, place: Place<'_>) -> Result<(), BlueprintError> {
    let rules = mapping(Some(rules), place)?;
    check_keys(&rules, &["available", "node_instances_active", "node_types_required"], place)?;
    let states = rules.get("node_instances_active").and_then(Value::as_array);
    for state in states.into_iter().flatten() {
        if !matches!(state.as_str(), Some("all" | "partial" | "none")) {
            return Err(place
                .error(format!("`node_instances_active` holds {state}; expected are all, partial, none")));
        }
    }
    Ok(())
}

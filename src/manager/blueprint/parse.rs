//! A blueprint, from its files to its plan.
//!
//! The plan has the form that Cloudify keeps with a blueprint, so that its
//! clients can show it and an archive can carry it to another manager. Nothing
//! here opens a file or a connection.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::archive::BlueprintFiles;
use super::budget::Budget;
use super::catalog::{Catalog, NoPlugins};
use super::constraints;
use super::error::BlueprintError;
use super::functions;
use super::groups;
use super::imports::{self, Merged};
use super::interfaces::Implementations;
use super::nodes::{self, Definitions, unique};
use super::reading::{Place, check_keys, mapping, text};
use super::schema::{DataTypes, INPUT_KEYS};
use super::types::Types;

/// How much the YAML of a blueprint may weigh once its aliases are filled in.
const MAX_YAML_BYTES: usize = 32 << 20;
/// How much a plan may weigh.
pub(super) const MAX_PLAN_BYTES: usize = 64 << 20;

/// A blueprint that has been read.
#[derive(Debug, Clone, PartialEq)]
pub struct Blueprint {
    /// The plan, in the form that Cloudify keeps.
    pub plan: Value,
    /// What the blueprint says about itself.
    pub description: Option<String>,
    /// The labels of the blueprint: key → values, as `blueprint_labels` gives them.
    pub labels: Map<String, Value>,
    /// Imports that lie outside of the archive (`blueprint:…`, addresses, plugins that the catalog does not have), as
    /// written.
    ///
    /// They are never fetched. Where there are some, types and plugins that the
    /// blueprint does not define are accepted, for an import may define them.
    pub unresolved_imports: Vec<String>,
    /// What a deployment needs: `secrets` and `parent_capabilities`.
    pub requirements: Value,
}

/// Reads a blueprint from its files alone: no plugin is known.
///
/// # Errors
///
/// As [`parse_with`].
pub fn parse(files: &BlueprintFiles, main_file: &str) -> Result<Blueprint, BlueprintError> {
    parse_with(files, main_file, &NoPlugins)
}

/// Reads a blueprint from its files, and the descriptions of plugins that it imports from a catalog.
///
/// `main_file` is relative to the folder of the application. The result depends
/// on the files and the catalog alone; nothing is fetched.
///
/// # Errors
///
/// Names the file, the section and the definition that breaks a rule, or the
/// limit that the blueprint exceeds.
pub fn parse_with(
    files: &BlueprintFiles,
    main_file: &str,
    catalog: &dyn Catalog,
) -> Result<Blueprint, BlueprintError> {
    let merged = imports::load(files, catalog, main_file, &mut Budget::new(MAX_YAML_BYTES))?;
    let folder = main_file.rsplit_once('/').map_or("", |(folder, _)| folder);
    let scripts = scripts_below(files, folder);
    build(&merged, &scripts).map_err(|error| error.located(&merged.origins))
}

fn scripts_below(files: &BlueprintFiles, folder: &str) -> HashSet<String> {
    let folder = imports::normalize("", folder).unwrap_or_default();
    files
        .names()
        .filter_map(|name| {
            if folder.is_empty() { Some(name) } else { name.strip_prefix(folder.as_str())?.strip_prefix('/') }
        })
        .map(str::to_owned)
        .collect()
}

fn build(merged: &Merged, scripts: &HashSet<String>) -> Result<Blueprint, BlueprintError> {
    let sections = &merged.sections;
    let section = |name: &str| sections.get(name);
    let is_partial = !merged.unresolved.is_empty();
    let budget = &mut Budget::new(MAX_PLAN_BYTES);
    let data = DataTypes::read(section("data_types"), is_partial)?;
    let plugins = read_plugins(section("plugins"))?;
    let implementations = Implementations { plugins: &plugins, scripts, is_partial };
    let node_types = Types::of_nodes(section("node_types"), &data, is_partial, budget)?;
    let relationships = Types::of_relationships(section("relationships"), &data, is_partial, budget)?;
    let definitions = Definitions {
        data: &data,
        nodes: &node_types,
        relationships: &relationships,
        implementations: &implementations,
    };
    let nodes = nodes::read(section("node_templates"), &definitions, budget)?;
    let workflows = read_workflows(section("workflows"), &implementations, &data)?;
    let groups = groups::read(sections, &nodes, &data, is_partial)?;
    let description =
        text(section("description"), "description", Place { section: "description", name: "" })?;
    let labels = read_labels(section("blueprint_labels"), "blueprint_labels", false)?;

    let mut plan = Map::new();
    plan.insert("description".to_owned(), json!(description));
    plan.insert("metadata".to_owned(), section("metadata").cloned().unwrap_or(Value::Null));
    plan.insert("relationships".to_owned(), Value::Object(relationships.to_plan()));
    plan.insert("inputs".to_owned(), read_inputs(section("inputs"), &data)?);
    plan.insert("outputs".to_owned(), read_values(section("outputs"), "outputs")?);
    plan.insert("capabilities".to_owned(), read_values(section("capabilities"), "capabilities")?);
    plan.insert("labels".to_owned(), Value::Object(read_labels(section("labels"), "labels", true)?));
    plan.insert("blueprint_labels".to_owned(), Value::Object(labels.clone()));
    for name in ["resource_tags", "deployment_settings"] {
        let entries = mapping(section(name), Place { section: name, name: "" })?;
        plan.insert(name.to_owned(), Value::Object(entries));
    }
    plan.insert("policies".to_owned(), Value::Object(groups.policies));
    plan.insert("policy_types".to_owned(), Value::Object(groups.policy_types));
    plan.insert("policy_triggers".to_owned(), Value::Object(groups.policy_triggers));
    plan.insert("groups".to_owned(), Value::Object(groups.groups));
    plan.insert("scaling_groups".to_owned(), Value::Object(groups.scaling_groups));
    plan.insert(
        "deployment_plugins_to_install".to_owned(),
        plugins_of_nodes(&nodes, "deployment_plugins_to_install"),
    );
    plan.insert("workflow_plugins_to_install".to_owned(), plugins_of_workflows(&workflows, &plugins));
    plan.insert("host_agent_plugins_to_install".to_owned(), plugins_of_nodes(&nodes, "plugins_to_install"));
    plan.insert("workflows".to_owned(), Value::Object(workflows));
    plan.insert("nodes".to_owned(), Value::Array(nodes));
    plan.insert("version".to_owned(), merged.version.to_plan());
    let imported: Vec<Value> = merged.imported_blueprints.values().cloned().collect();
    plan.insert("imported_blueprints".to_owned(), Value::Array(imported));
    plan.insert("namespaces_mapping".to_owned(), Value::Object(merged.imported_blueprints.clone()));
    plan.insert("data_types".to_owned(), data.to_plan());
    if let (Some((function, name)), false) = (functions::dangling(&plan), is_partial) {
        let (section, what) =
            if function == "get_input" { ("inputs", "input") } else { ("node_templates", "node") };
        let problem = format!("a `{function}` refers to this {what}, which is not defined");
        return Err(BlueprintError::invalid(section, &name, problem));
    }
    let requirements = functions::requirements(&plan);
    plan.insert("requirements".to_owned(), requirements.clone());
    Ok(Blueprint {
        plan: Value::Object(plan),
        description,
        labels,
        unresolved_imports: merged.unresolved.clone(),
        requirements,
    })
}

const PLUGIN_KEYS: &[&str] = &[
    "source",
    "executor",
    "install",
    "install_arguments",
    "package_name",
    "package_version",
    "supported_platform",
    "distribution",
    "distribution_version",
    "distribution_release",
    "properties_description",
    "properties",
];

fn read_plugins(section: Option<&Value>) -> Result<Map<String, Value>, BlueprintError> {
    let mut plugins = mapping(section, Place { section: "plugins", name: "" })?;
    for (name, plugin) in &mut plugins {
        let place = Place { section: "plugins", name };
        let given = mapping(Some(plugin), place)?;
        check_keys(&given, PLUGIN_KEYS, place)?;
        let executor = text(given.get("executor"), "executor", place)?.unwrap_or_default();
        if !matches!(executor.as_str(), "central_deployment_agent" | "host_agent") {
            return Err(place.error(format!(
                "`executor` is `{executor}`; expected is central_deployment_agent or host_agent"
            )));
        }
        let mut read = Map::new();
        for key in PLUGIN_KEYS {
            let value = given.get(*key).cloned().unwrap_or(Value::Null);
            let value = match (*key, value) {
                ("install", Value::Null) => Value::Bool(true),
                ("install", value) if !value.is_boolean() => {
                    return Err(place.error("`install` is not a boolean"));
                }
                ("properties", value) => Value::Object(mapping(Some(&value), place)?),
                // A version that was not quoted is a number by now.
                (_, Value::Number(number)) => Value::from(number.to_string()),
                (_, value) => value,
            };
            read.insert((*key).to_owned(), value);
        }
        let has_package = !read["source"].is_null() || !read["package_name"].is_null();
        if read["install"] == true && !has_package {
            return Err(place.error("it is to be installed, but has no `source` and no `package_name`"));
        }
        read.insert("name".to_owned(), Value::from(name.clone()));
        *plugin = Value::Object(read);
    }
    Ok(plugins)
}

fn read_workflows(
    section: Option<&Value>,
    implementations: &Implementations<'_>,
    data: &DataTypes,
) -> Result<Map<String, Value>, BlueprintError> {
    let mut workflows = mapping(section, Place { section: "workflows", name: "" })?;
    for (name, workflow) in &mut workflows {
        let place = Place { section: "workflows", name };
        *workflow = implementations.workflow(workflow, data, place)?;
    }
    Ok(workflows)
}

fn read_inputs(section: Option<&Value>, data: &DataTypes) -> Result<Value, BlueprintError> {
    let place = Place { section: "inputs", name: "" };
    let raw = section.cloned().unwrap_or(Value::Null);
    let inputs = data.schema(raw, INPUT_KEYS, place)?;
    for (name, input) in &inputs {
        let place = Place { section: "inputs", name };
        constraints::check_definition(input).map_err(|problem| place.error(problem))?;
        let is_hidden = input["hidden"] == true && input.get("required") != Some(&json!(false));
        if is_hidden && input.get("default").is_none() {
            return Err(place.error("it is hidden and required, so it needs a default"));
        }
        if let Some(default) = input.get("default").filter(|value| !value.is_null()) {
            constraints::check(input, default)
                .map_err(|problem| place.error(format!("its default {problem}")))?;
        }
    }
    Ok(Value::Object(inputs))
}

fn read_values(section: Option<&Value>, name: &'static str) -> Result<Value, BlueprintError> {
    let entries = mapping(section, Place { section: name, name: "" })?;
    for (key, entry) in &entries {
        let place = Place { section: name, name: key };
        let entry = mapping(Some(entry), place)?;
        check_keys(&entry, &["description", "value"], place)?;
        text(entry.get("description"), "description", place)?;
        if entry.get("value").is_none_or(Value::is_null) {
            return Err(place.error("it has no `value`"));
        }
    }
    Ok(Value::Object(entries))
}

fn read_labels(
    section: Option<&Value>,
    name: &'static str,
    takes_functions: bool,
) -> Result<Map<String, Value>, BlueprintError> {
    let labels = mapping(section, Place { section: name, name: "" })?;
    for (key, label) in &labels {
        let place = Place { section: name, name: key };
        let label = mapping(Some(label), place)?;
        check_keys(&label, &["values"], place)?;
        let Some(values) = label.get("values").and_then(Value::as_array) else {
            return Err(place.error("it has no list of `values`"));
        };
        for value in values {
            let fits = value.is_string() || takes_functions && value.is_object();
            if !fits || value.get("get_attribute").is_some() {
                return Err(place.error(format!("the value {value} is not text")));
            }
        }
    }
    Ok(labels)
}

fn plugins_of_nodes(nodes: &[Value], key: &str) -> Value {
    let plugins = nodes.iter().filter_map(|node| node[key].as_array()).flatten().cloned();
    Value::Array(unique(plugins.collect()))
}

fn plugins_of_workflows(workflows: &Map<String, Value>, plugins: &Map<String, Value>) -> Value {
    let used = workflows.values().filter_map(|workflow| plugins.get(workflow["plugin"].as_str()?)).cloned();
    Value::Array(unique(used.collect()))
}

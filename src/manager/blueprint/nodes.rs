//! Node templates: what a blueprint is made of.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use super::budget::{Budget, weight};
use super::error::BlueprintError;
use super::interfaces::{self, Implementations};
use super::reading::{Place, check_keys, mapping, text};
use super::scaling;
use super::schema::DataTypes;
use super::types::{Types, too_large};

const SECTION: &str = "node_templates";
const HOST: &str = "cloudify.nodes.Compute";
const CONTAINED_IN: &str = "cloudify.relationships.contained_in";
const ON_OPERATION: &str = "cloudify.relationships.depends_on_lifecycle_operation";

/// What node templates refer to.
pub(super) struct Definitions<'a> {
    pub(super) data: &'a DataTypes,
    pub(super) nodes: &'a Types,
    pub(super) relationships: &'a Types,
    pub(super) implementations: &'a Implementations<'a>,
}

struct Node {
    plan: Value,
    is_host: bool,
    /// Whether it or its type may be more than is known.
    is_open: bool,
    targets: Vec<String>,
    container: Option<String>,
}

/// Reads the section `node_templates` into the nodes of a plan, in the order of the file.
pub(super) fn read(
    section: Option<&Value>,
    definitions: &Definitions<'_>,
    budget: &mut Budget,
) -> Result<Vec<Value>, BlueprintError> {
    let templates = mapping(section, Place { section: SECTION, name: "" })?;
    let mut nodes: Vec<Node> = Vec::new();
    for (name, template) in &templates {
        let node = read_node(name, template, &templates, definitions, budget)?;
        nodes.push(node);
    }
    let index: HashMap<String, usize> =
        templates.keys().enumerate().map(|(index, name)| (name.clone(), index)).collect();
    forbid_cycles(&templates, &nodes, &index)?;
    place_on_hosts(&mut nodes, &index);
    add_plugins(&mut nodes, &index, definitions.implementations.plugins)?;
    Ok(nodes.into_iter().map(|node| node.plan).collect())
}

fn read_node(
    name: &str,
    template: &Value,
    templates: &Map<String, Value>,
    definitions: &Definitions<'_>,
    budget: &mut Budget,
) -> Result<Node, BlueprintError> {
    let place = Place { section: SECTION, name };
    let template = mapping(Some(template), place)?;
    check_keys(
        &template,
        &["type", "instances", "capabilities", "interfaces", "relationships", "properties"],
        place,
    )?;
    let Some(of_type) = text(template.get("type"), "type", place)? else {
        return Err(place.error("it has no `type`"));
    };
    let found = definitions.nodes.find(&of_type, place)?;
    let (instances, scalable) = read_scale(&template, place)?;
    let given = mapping(template.get("properties"), place)?;
    let properties = if found.is_open {
        open_properties(&given, &found.properties)
    } else {
        definitions.data.properties(&given, &found.properties, place)?
    };
    let own = interfaces::of_template(template.get("interfaces"), place)?;
    let interfaces = interfaces::instantiate(&found.interfaces[0], &own, place)?;
    let operations = definitions.implementations.operations(&interfaces, place)?;
    let mut node = json!({
        "type": of_type,
        "instances": instances,
        "capabilities": {"scalable": {"properties": scalable}},
        "interfaces": interfaces,
        "relationships": [],
        "properties": properties,
        "name": name,
        "id": name,
        "type_hierarchy": found.hierarchy,
        "operations": operations,
    });
    budget.spend(weight(&node)).map_err(|_| too_large())?;
    let (links, targets, container) = read_links(name, &template, templates, definitions, budget)?;
    node["relationships"] = Value::Array(links);
    Ok(Node {
        plan: node,
        is_host: found.hierarchy.iter().any(|name| name.contains(HOST)),
        is_open: found.is_open,
        targets,
        container,
    })
}

/// What an open type makes of properties: all that is given, and the known defaults.
fn open_properties(given: &Map<String, Value>, schema: &Map<String, Value>) -> Map<String, Value> {
    let mut properties = super::schema::defaults(schema);
    properties.extend(given.clone());
    properties
}

fn read_scale(
    template: &Map<String, Value>,
    place: Place<'_>,
) -> Result<(Value, Map<String, Value>), BlueprintError> {
    let instances = mapping(template.get("instances"), place)?;
    check_keys(&instances, &["deploy"], place)?;
    let capabilities = mapping(template.get("capabilities"), place)?;
    check_keys(&capabilities, &["scalable"], place)?;
    let deploy = match instances.get("deploy") {
        None if instances.is_empty() && template.get("instances").is_none_or(Value::is_null) => None,
        deploy => match deploy.and_then(Value::as_u64) {
            Some(deploy) => Some(deploy),
            None => {
                return Err(place.error("`instances` asks for `deploy`, a number from 0 on"));
            }
        },
    };
    let is_scalable = template.get("capabilities").is_some_and(|value| !value.is_null());
    match deploy {
        Some(_) if is_scalable => {
            Err(place
                .error("it has both `instances.deploy` and `capabilities.scalable`; leave the former out"))
        }
        Some(deploy) => Ok((json!({"deploy": deploy}), scaling::of_deploy(deploy))),
        None => {
            let scalable = mapping(capabilities.get("scalable"), place)?;
            check_keys(&scalable, &["properties"], place)?;
            Ok((json!({}), scaling::properties(scalable.get("properties"), place)?))
        }
    }
}

type Links = (Vec<Value>, Vec<String>, Option<String>);

fn read_links(
    node: &str,
    template: &Map<String, Value>,
    templates: &Map<String, Value>,
    definitions: &Definitions<'_>,
    budget: &mut Budget,
) -> Result<Links, BlueprintError> {
    let name = format!("{node}.relationships");
    let place = Place { section: SECTION, name: &name };
    let raw = match template.get("relationships") {
        None | Some(Value::Null) => return Ok((Vec::new(), Vec::new(), None)),
        Some(Value::Array(links)) => links,
        Some(_) => return Err(place.error("`relationships` is a list")),
    };
    let mut links = Vec::new();
    let mut targets = Vec::new();
    let mut container: Option<String> = None;
    for link in raw {
        let link = mapping(Some(link), place)?;
        check_keys(
            &link,
            &["type", "target", "properties", "source_interfaces", "target_interfaces"],
            place,
        )?;
        let (Some(of_type), Some(target)) =
            (text(link.get("type"), "type", place)?, text(link.get("target"), "target", place)?)
        else {
            return Err(place.error("a relationship needs a `type` and a `target`"));
        };
        if target == node {
            return Err(place.error(format!("the `{of_type}` has the node itself as its target")));
        }
        let Some(target_template) = templates.get(&target) else {
            return Err(place.error(format!("the target `{target}` of `{of_type}` is not defined")));
        };
        let found = definitions.relationships.find(&of_type, place)?;
        let given = mapping(link.get("properties"), place)?;
        let mut properties = if found.is_open {
            open_properties(&given, &found.properties)
        } else {
            definitions.data.properties(&given, &found.properties, place)?
        };
        if found.is_open {
            properties.entry("connection_type").or_insert(json!("all_to_all"));
        }
        check_connection(&properties, &of_type, place)?;
        if of_type == ON_OPERATION {
            check_operation(&given, &target, target_template, place)?;
        }
        if found.hierarchy.iter().any(|name| name == CONTAINED_IN) {
            if let Some(first) = &container {
                return Err(place
                    .error(format!("it is contained in both `{first}` and `{target}`; one is the limit")));
            }
            container = Some(target.clone());
        }
        let mut plan = json!({
            "type": of_type,
            "properties": properties,
            "type_hierarchy": found.hierarchy,
            "target_id": target,
        });
        for (side, base) in ["source", "target"].iter().zip(&found.interfaces) {
            let key = format!("{side}_interfaces");
            let own = interfaces::of_template(link.get(&key), place)?;
            let merged = interfaces::instantiate(base, &own, place)?;
            let operations = definitions.implementations.operations(&merged, place)?;
            plan[key] = Value::Object(merged);
            plan[format!("{side}_operations")] = Value::Object(operations);
        }
        budget.spend(weight(&plan)).map_err(|_| too_large())?;
        targets.push(target);
        links.push(plan);
    }
    Ok((links, targets, container))
}

fn check_connection(
    properties: &Map<String, Value>,
    of_type: &str,
    place: Place<'_>,
) -> Result<(), BlueprintError> {
    match properties.get("connection_type") {
        None => Ok(()),
        Some(Value::String(kind)) if kind == "all_to_all" || kind == "all_to_one" => Ok(()),
        Some(other) => Err(place.error(format!(
            "`connection_type` of `{of_type}` is {other}; expected is all_to_all or all_to_one"
        ))),
    }
}

fn check_operation(
    given: &Map<String, Value>,
    target: &str,
    target_template: &Value,
    place: Place<'_>,
) -> Result<(), BlueprintError> {
    let Some(operation) = given.get("operation").and_then(Value::as_str) else {
        return Err(place.error(format!("`{ON_OPERATION}` needs the property `operation`")));
    };
    let lifecycle = &target_template["interfaces"]["cloudify.interfaces.lifecycle"];
    if lifecycle.get(operation).is_none() {
        return Err(place.error(format!("the target `{target}` does not define the operation `{operation}`")));
    }
    Ok(())
}

/// No node may depend on itself, be it over others.
fn forbid_cycles(
    templates: &Map<String, Value>,
    nodes: &[Node],
    index: &HashMap<String, usize>,
) -> Result<(), BlueprintError> {
    let names: Vec<&String> = templates.keys().collect();
    let mut waits: Vec<usize> = vec![0; nodes.len()];
    let mut dependants: Vec<Vec<usize>> = vec![Vec::new(); nodes.len()];
    for (at, node) in nodes.iter().enumerate() {
        let targets: HashSet<usize> = node.targets.iter().map(|name| index[name]).collect();
        waits[at] = targets.len();
        for target in targets {
            dependants[target].push(at);
        }
    }
    let mut ready: Vec<usize> = (0..nodes.len()).filter(|at| waits[*at] == 0).collect();
    while let Some(at) = ready.pop() {
        for dependant in &dependants[at] {
            waits[*dependant] -= 1;
            if waits[*dependant] == 0 {
                ready.push(*dependant);
            }
        }
    }
    let stuck: Vec<String> =
        (0..nodes.len()).filter(|at| waits[*at] > 0).map(|at| format!("`{}`", names[at])).collect();
    if let Some(first) = (0..nodes.len()).find(|at| waits[*at] > 0) {
        let place = Place { section: SECTION, name: names[first] };
        let problem = format!("relationships form a cycle; look at {}", stuck.join(", "));
        return Err(place.error(problem));
    }
    Ok(())
}

/// Says for every node on which host it is.
fn place_on_hosts(nodes: &mut [Node], index: &HashMap<String, usize>) {
    for at in 0..nodes.len() {
        let mut seen = at;
        // There are no cycles, so this ends at a host or at a node that is not contained.
        loop {
            if nodes[seen].is_host {
                nodes[at].plan["host_id"] = nodes[seen].plan["id"].clone();
                break;
            }
            nodes[at].is_open |= nodes[seen].is_open;
            match nodes[seen].container.as_ref().map(|name| index[name]) {
                Some(container) => seen = container,
                None => break,
            }
        }
    }
}

/// Lists the plugins that each node needs, and where.
fn add_plugins(
    nodes: &mut [Node],
    index: &HashMap<String, usize>,
    plugins: &Map<String, Value>,
) -> Result<(), BlueprintError> {
    let mut used: Vec<Vec<(String, Value)>> = vec![Vec::new(); nodes.len()];
    for (at, node) in nodes.iter().enumerate() {
        note_plugins(&mut used[at], &node.plan["operations"]);
        for link in node.plan["relationships"].as_array().into_iter().flatten() {
            note_plugins(&mut used[at], &link["source_operations"]);
            if let Some(target) = link["target_id"].as_str() {
                note_plugins(&mut used[index[target]], &link["target_operations"]);
            }
        }
    }
    for (at, node) in nodes.iter_mut().enumerate() {
        let list: Vec<Value> = used[at]
            .iter()
            .filter_map(|(name, executor)| {
                let mut plugin = plugins.get(name)?.clone();
                plugin["executor"] = executor.clone();
                Some(plugin)
            })
            .collect();
        let is_hosted = node.plan.get("host_id").is_some();
        let on_host = list.iter().find(|plugin| plugin["executor"] == "host_agent");
        if let (Some(plugin), false) = (on_host, is_hosted || node.is_open) {
            let name = node.plan["id"].as_str().unwrap_or_default();
            let place = Place { section: SECTION, name };
            return Err(place.error(format!(
                "the plugin {} runs on a host (`host_agent`), but the node is not contained in one",
                plugin["name"]
            )));
        }
        node.plan["deployment_plugins_to_install"] =
            Value::Array(by_executor(&list, "central_deployment_agent"));
        node.plan["plugins"] = Value::Array(list);
    }
    let on_hosts: Vec<(Value, Vec<Value>)> = nodes
        .iter()
        .filter_map(|node| {
            let list = node.plan["plugins"].as_array()?;
            Some((node.plan.get("host_id")?.clone(), by_executor(list, "host_agent")))
        })
        .collect();
    for node in nodes.iter_mut().filter(|node| node.is_host) {
        let list: Vec<Value> = on_hosts
            .iter()
            .filter(|(host, _)| *host == node.plan["id"])
            .flat_map(|(_, plugins)| plugins.clone())
            .collect();
        node.plan["plugins_to_install"] = Value::Array(unique(list));
    }
    Ok(())
}

fn note_plugins(used: &mut Vec<(String, Value)>, operations: &Value) {
    for operation in operations.as_object().into_iter().flat_map(Map::values) {
        let name = operation["plugin"].as_str().unwrap_or_default();
        let entry = (name.to_owned(), operation["executor"].clone());
        if !name.is_empty() && !used.contains(&entry) {
            used.push(entry);
        }
    }
}

fn by_executor(plugins: &[Value], executor: &str) -> Vec<Value> {
    let matching = plugins.iter().filter(|plugin| plugin["executor"] == executor);
    unique(matching.cloned().collect())
}

/// The plugins, each name once.
pub(super) fn unique(plugins: Vec<Value>) -> Vec<Value> {
    let mut names = HashSet::new();
    plugins
        .into_iter()
        .filter(|plugin| names.insert(plugin["name"].as_str().unwrap_or_default().to_owned()))
        .collect()
}

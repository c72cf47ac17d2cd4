//! Groups, the policies of groups, and groups that scale.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use super::error::BlueprintError;
use super::reading::{Place, check_keys, mapping, text};
use super::scaling;
use super::schema::{DataTypes, PARAMETER_KEYS};

const SCALING: &str = "cloudify.policies.scaling";
const CONTAINED_IN: &str = "cloudify.relationships.contained_in";

type Section = Map<String, Value>;

/// The sections that have to do with groups, in the form that a plan carries.
pub(super) struct Groups {
    pub(super) groups: Map<String, Value>,
    pub(super) policies: Map<String, Value>,
    pub(super) policy_types: Map<String, Value>,
    pub(super) policy_triggers: Map<String, Value>,
    pub(super) scaling_groups: Map<String, Value>,
}

/// Reads all sections that have to do with groups.
pub(super) fn read(
    sections: &Map<String, Value>,
    nodes: &[Value],
    data: &DataTypes,
    is_partial: bool,
) -> Result<Groups, BlueprintError> {
    let policy_types = read_kinds(sections, "policy_types", "properties", data)?;
    let policy_triggers = read_kinds(sections, "policy_triggers", "parameters", data)?;
    let groups = read_groups(sections, nodes, data, &policy_types, &policy_triggers, is_partial)?;
    let (policies, scaling_groups) = read_policies(sections, &groups)?;
    let mut scaling_groups = scaling_groups;
    check_members(&scaling_groups)?;
    leave_contained_out(&mut scaling_groups, nodes);
    Ok(Groups { groups, policies, policy_types, policy_triggers, scaling_groups })
}

fn read_kinds(
    sections: &Map<String, Value>,
    section: &str,
    schema_key: &str,
    data: &DataTypes,
) -> Result<Map<String, Value>, BlueprintError> {
    let mut kinds = mapping(sections.get(section), Place { section, name: "" })?;
    for (name, kind) in &mut kinds {
        let place = Place { section, name };
        let given = mapping(Some(kind), place)?;
        check_keys(&given, &[schema_key, "source"], place)?;
        let Some(source) = text(given.get("source"), "source", place)? else {
            return Err(place.error("it has no `source`"));
        };
        let schema = given.get(schema_key).cloned().unwrap_or(Value::Null);
        let schema = data.schema(schema, PARAMETER_KEYS, place)?;
        *kind = json!({"source": source});
        kind[schema_key] = Value::Object(schema);
    }
    Ok(kinds)
}

fn read_groups(
    sections: &Map<String, Value>,
    nodes: &[Value],
    data: &DataTypes,
    policy_types: &Map<String, Value>,
    policy_triggers: &Map<String, Value>,
    is_partial: bool,
) -> Result<Map<String, Value>, BlueprintError> {
    let raw = mapping(sections.get("groups"), Place { section: "groups", name: "" })?;
    let node_names: HashSet<&str> = nodes.iter().filter_map(|node| node["id"].as_str()).collect();
    let mut groups = Map::new();
    for (name, group) in &raw {
        let place = Place { section: "groups", name };
        if node_names.contains(name.as_str()) {
            return Err(place.error("a node template has the same name"));
        }
        let group = mapping(Some(group), place)?;
        check_keys(&group, &["members", "policies"], place)?;
        let mut members: Vec<Value> = Vec::new();
        for member in group.get("members").and_then(Value::as_array).into_iter().flatten() {
            let known =
                member.as_str().is_some_and(|member| node_names.contains(member) || raw.contains_key(member));
            if !known {
                return Err(place.error(format!("the member {member} is no node and no group")));
            }
            if !members.contains(member) {
                members.push(member.clone());
            }
        }
        if members.is_empty() {
            return Err(place.error("it has no `members`"));
        }
        let mut policies = mapping(group.get("policies"), place)?;
        for policy in policies.values_mut() {
            *policy = read_policy(policy, data, policy_types, policy_triggers, is_partial, place)?;
        }
        groups.insert(name.clone(), json!({"members": members, "policies": policies}));
    }
    Ok(groups)
}

fn read_policy(
    raw: &Value,
    data: &DataTypes,
    policy_types: &Map<String, Value>,
    policy_triggers: &Map<String, Value>,
    is_partial: bool,
    place: Place<'_>,
) -> Result<Value, BlueprintError> {
    let policy = mapping(Some(raw), place)?;
    check_keys(&policy, &["type", "properties", "triggers"], place)?;
    let (of_type, properties) =
        read_typed(&policy, "properties", "policy_types", policy_types, data, is_partial, place)?;
    let mut triggers = mapping(policy.get("triggers"), place)?;
    for trigger in triggers.values_mut() {
        let given = mapping(Some(trigger), place)?;
        check_keys(&given, &["type", "parameters"], place)?;
        let (of_type, parameters) =
            read_typed(&given, "parameters", "policy_triggers", policy_triggers, data, is_partial, place)?;
        *trigger = json!({"type": of_type, "parameters": parameters});
    }
    Ok(json!({"type": of_type, "properties": properties, "triggers": triggers}))
}

/// A type of a section, and the values that it asks for.
fn read_typed(
    given: &Map<String, Value>,
    values_key: &str,
    section: &str,
    kinds: &Map<String, Value>,
    data: &DataTypes,
    is_partial: bool,
    place: Place<'_>,
) -> Result<(String, Map<String, Value>), BlueprintError> {
    let Some(of_type) = text(given.get("type"), "type", place)? else {
        return Err(place.error("a policy or a trigger has no `type`"));
    };
    let values = mapping(given.get(values_key), place)?;
    match kinds.get(&of_type) {
        Some(kind) => {
            let schema = mapping(kind.get(values_key), place)?;
            let values = data.properties(&values, &schema, place)?;
            Ok((of_type, values))
        }
        None if is_partial => Ok((of_type, values)),
        None => Err(place.error(format!("`{of_type}` is not defined in `{section}`"))),
    }
}

fn read_policies(
    sections: &Map<String, Value>,
    groups: &Map<String, Value>,
) -> Result<(Section, Section), BlueprintError> {
    let section = "policies";
    let mut policies = mapping(sections.get(section), Place { section, name: "" })?;
    let mut scaling_groups = Map::new();
    for (name, policy) in &mut policies {
        let place = Place { section, name };
        let given = mapping(Some(policy), place)?;
        check_keys(&given, &["type", "properties", "targets"], place)?;
        let of_type = text(given.get("type"), "type", place)?.unwrap_or_default();
        if of_type != SCALING {
            return Err(place.error(format!("its type is `{of_type}`; only `{SCALING}` is supported")));
        }
        let properties = scaling::properties(given.get("properties"), place)?;
        let targets = given.get("targets").and_then(Value::as_array).cloned().unwrap_or_default();
        if targets.is_empty() {
            return Err(place.error("it has no `targets`"));
        }
        for target in &targets {
            let group = target.as_str().and_then(|target| Some((target, groups.get(target)?)));
            let Some((target, group)) = group else {
                return Err(place.error(format!("the target {target} is no group")));
            };
            let entry = json!({"members": group["members"], "properties": properties});
            scaling_groups.insert(target.to_owned(), entry);
        }
        *policy = json!({"type": of_type, "properties": properties, "targets": targets});
    }
    Ok((policies, scaling_groups))
}

/// A member belongs to one scaling group at most, and no group to itself.
fn check_members(scaling_groups: &Map<String, Value>) -> Result<(), BlueprintError> {
    let parents = parents_of(scaling_groups);
    let mut of_member: HashMap<&str, &str> = HashMap::new();
    for (group, entry) in scaling_groups {
        let place = Place { section: "groups", name: group };
        for member in entry["members"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if let Some(other) = of_member.insert(member, group) {
                return Err(
                    place.error(format!("`{member}` is a member of the scaling group `{other}` as well"))
                );
            }
        }
        let mut seen = group.as_str();
        for _ in 0..=scaling_groups.len() {
            match parents.get(seen) {
                Some(parent) if parent == group => {
                    return Err(place.error("it is a member of itself, be it over other groups"));
                }
                Some(parent) => seen = parent,
                None => break,
            }
        }
    }
    Ok(())
}

fn parents_of(scaling_groups: &Map<String, Value>) -> HashMap<String, String> {
    let mut parents = HashMap::new();
    for (group, entry) in scaling_groups {
        for member in entry["members"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            parents.insert(member.to_owned(), group.clone());
        }
    }
    parents
}

/// What is contained in a member of a group scales with that member already.
fn leave_contained_out(scaling_groups: &mut Map<String, Value>, nodes: &[Value]) {
    let mut containers: HashMap<&str, &str> = HashMap::new();
    for node in nodes {
        for link in node["relationships"].as_array().into_iter().flatten() {
            let contains = link["type_hierarchy"]
                .as_array()
                .is_some_and(|types| types.iter().any(|name| name == CONTAINED_IN));
            if let (true, Some(id), Some(target)) =
                (contains, node["id"].as_str(), link["target_id"].as_str())
            {
                containers.insert(id, target);
            }
        }
    }
    for entry in scaling_groups.values_mut() {
        let members: HashSet<String> = entry["members"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|member| member.as_str().map(str::to_owned))
            .collect();
        if let Some(list) = entry["members"].as_array_mut() {
            list.retain(|member| {
                let mut seen = member.as_str().unwrap_or_default();
                while let Some(container) = containers.get(seen) {
                    if members.contains(*container) {
                        return false;
                    }
                    seen = container;
                }
                true
            });
        }
    }
}

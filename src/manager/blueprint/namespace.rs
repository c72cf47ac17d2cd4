//! Names of an import with a namespace: `ns--name`, and the references to them.
//!
//! Only names that the imported file itself may mean are changed. What is
//! called `cloudify.…`, primitive types and `SELF`, `SOURCE`, `TARGET` stay.

use serde_json::{Map, Value};

use super::schema::is_primitive;

/// Sections whose entries get the prefix.
const NAMED: &[&str] = &[
    "inputs",
    "outputs",
    "capabilities",
    "node_types",
    "node_templates",
    "relationships",
    "data_types",
    "plugins",
    "policy_types",
    "policy_triggers",
    "groups",
    "policies",
    "workflows",
    "labels",
    "blueprint_labels",
    "resource_tags",
];

/// Puts `namespace` before the names of `sections` and the references between them.
pub(super) fn apply(namespace: &str, sections: &mut Map<String, Value>) {
    let plugins: Vec<String> = sections
        .get("plugins")
        .and_then(Value::as_object)
        .map(|plugins| plugins.keys().cloned().collect())
        .unwrap_or_default();
    let renamer = Renamer { namespace, plugins };
    for (section, value) in sections.iter_mut() {
        if !NAMED.contains(&section.as_str()) {
            continue;
        }
        let Value::Object(entries) = value else {
            continue;
        };
        let old = std::mem::take(entries);
        for (name, mut entry) in old {
            renamer.entry(section, &mut entry);
            entries.insert(renamer.name(&name), entry);
        }
    }
}

struct Renamer<'a> {
    namespace: &'a str,
    plugins: Vec<String>,
}

impl Renamer<'_> {
    fn name(&self, name: &str) -> String {
        if name.starts_with("cloudify.") { name.to_owned() } else { format!("{}--{name}", self.namespace) }
    }

    fn reference(&self, value: Option<&mut Value>) {
        if let Some(Value::String(name)) = value
            && !is_primitive(name)
        {
            *name = self.name(name);
        }
    }

    fn references(&self, value: Option<&mut Value>) {
        if let Some(Value::Array(names)) = value {
            for name in names {
                self.reference(Some(name));
            }
        }
    }

    fn entry(&self, section: &str, entry: &mut Value) {
        self.functions(entry);
        if section == "workflows" {
            self.implementation(entry);
        }
        let Value::Object(entry) = entry else {
            return;
        };
        self.reference(entry.get_mut("derived_from"));
        match section {
            "inputs" | "node_templates" => self.reference(entry.get_mut("type")),
            "groups" => {
                self.references(entry.get_mut("members"));
                for policy in values_of(entry.get_mut("policies")) {
                    self.reference(policy.get_mut("type"));
                    for trigger in values_of(policy.get_mut("triggers")) {
                        self.reference(trigger.get_mut("type"));
                    }
                }
            }
            "policies" => self.references(entry.get_mut("targets")),
            "node_types" | "data_types" | "relationships" => {
                for property in values_of(entry.get_mut("properties")) {
                    self.reference(property.get_mut("type"));
                }
            }
            "workflows" => {
                if let Some(mapping) = entry.get_mut("mapping") {
                    self.implementation(mapping);
                }
            }
            _ => {}
        }
        for interfaces in ["interfaces", "source_interfaces", "target_interfaces"] {
            self.interfaces(entry.get_mut(interfaces));
        }
        if let Some(Value::Array(links)) = entry.get_mut("relationships") {
            for link in links.iter_mut().filter_map(Value::as_object_mut) {
                self.reference(link.get_mut("type"));
                self.reference(link.get_mut("target"));
                for interfaces in ["source_interfaces", "target_interfaces"] {
                    self.interfaces(link.get_mut(interfaces));
                }
            }
        }
    }

    fn interfaces(&self, interfaces: Option<&mut Value>) {
        for interface in values_of(interfaces) {
            for (_, operation) in interface.iter_mut() {
                self.implementation(operation);
                if let Some(implementation) = operation.get_mut("implementation") {
                    self.implementation(implementation);
                }
            }
        }
    }

    /// An implementation names a plugin of the file, or a script, which keeps its name.
    fn implementation(&self, value: &mut Value) {
        if let Value::String(text) = value {
            let is_own = self
                .plugins
                .iter()
                .any(|plugin| text.strip_prefix(plugin.as_str()).is_some_and(|rest| rest.starts_with('.')));
            if is_own {
                *text = self.name(text);
            }
        }
    }

    /// The first argument of a function that names an input or a node.
    fn functions(&self, value: &mut Value) {
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| self.functions(item)),
            Value::Object(entries) => {
                for (name, argument) in entries.iter_mut() {
                    let names_something = matches!(
                        name.as_str(),
                        "get_input"
                            | "get_property"
                            | "get_attribute"
                            | "get_attributes_list"
                            | "get_attributes_dict"
                    );
                    let first = match argument {
                        Value::Array(items) if names_something => items.first_mut(),
                        Value::String(_) if name == "get_input" => Some(&mut *argument),
                        _ => None,
                    };
                    if let Some(Value::String(first)) = first
                        && !matches!(first.as_str(), "SELF" | "SOURCE" | "TARGET")
                    {
                        *first = format!("{}--{first}", self.namespace);
                    }
                    self.functions(argument);
                }
            }
            _ => {}
        }
    }
}

fn values_of(value: Option<&mut Value>) -> impl Iterator<Item = &mut Map<String, Value>> {
    value
        .and_then(Value::as_object_mut)
        .into_iter()
        .flat_map(|entries| entries.iter_mut().map(|(_, value)| value))
        .filter_map(Value::as_object_mut)
}

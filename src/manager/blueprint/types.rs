//! Node types and relationship types, with what they inherit.
//!
//! A type that an import brings which cannot be seen here is *open*: it takes
//! any property, and its hierarchy is as long as it is known.

use serde_json::{Map, Value};

use super::budget::{Budget, weight};
use super::error::BlueprintError;
use super::interfaces;
use super::reading::{Place, check_keys, check_path, mapping, text};
use super::schema::{DataTypes, PROPERTY_KEYS};

/// A type, with all that it inherits.
#[derive(Debug, Clone, Default)]
pub(super) struct Type {
    pub(super) properties: Map<String, Value>,
    /// One set for nodes; source and target for relationships.
    pub(super) interfaces: Vec<Map<String, Value>>,
    /// From the root to the type itself.
    pub(super) hierarchy: Vec<String>,
    pub(super) derived_from: Option<String>,
    /// Whether an ancestor is not known.
    pub(super) is_open: bool,
}

/// The types of one section.
pub(super) struct Types {
    section: &'static str,
    interface_keys: &'static [&'static str],
    types: Map<String, Value>,
    known: std::collections::HashMap<String, Type>,
    is_partial: bool,
}

/// Says that something grew too large.
pub(super) fn too_large() -> BlueprintError {
    BlueprintError::TooLarge {
        what: "the plan of the blueprint".to_owned(),
        limit: format!("{} MiB", super::parse::MAX_PLAN_BYTES >> 20),
    }
}

impl Types {
    /// Reads the section `node_types`.
    pub(super) fn of_nodes(
        section: Option<&Value>,
        data: &DataTypes,
        is_partial: bool,
        budget: &mut Budget,
    ) -> Result<Self, BlueprintError> {
        Self::read("node_types", &["interfaces"], section, data, is_partial, budget)
    }

    /// Reads the section `relationships`.
    pub(super) fn of_relationships(
        section: Option<&Value>,
        data: &DataTypes,
        is_partial: bool,
        budget: &mut Budget,
    ) -> Result<Self, BlueprintError> {
        let keys = &["source_interfaces", "target_interfaces"];
        Self::read("relationships", keys, section, data, is_partial, budget)
    }

    fn read(
        section: &'static str,
        interface_keys: &'static [&'static str],
        raw: Option<&Value>,
        data: &DataTypes,
        is_partial: bool,
        budget: &mut Budget,
    ) -> Result<Self, BlueprintError> {
        let raw = mapping(raw, Place { section, name: "" })?;
        let mut types =
            Self { section, interface_keys, types: raw, known: std::collections::HashMap::new(), is_partial };
        let names: Vec<String> = types.types.keys().cloned().collect();
        for name in names {
            types.resolve(&name, data, budget, &mut Vec::new())?;
        }
        Ok(types)
    }

    fn resolve(
        &mut self,
        name: &str,
        data: &DataTypes,
        budget: &mut Budget,
        path: &mut Vec<String>,
    ) -> Result<(), BlueprintError> {
        if self.known.contains_key(name) {
            return Ok(());
        }
        let place = Place { section: self.section, name };
        check_path(path, name, place)?;
        let raw = mapping(self.types.get(name), place)?;
        let mut keys = vec!["derived_from", "properties"];
        keys.extend(self.interface_keys);
        if self.section == "node_types" {
            keys.push("runtime_properties");
        }
        check_keys(&raw, &keys, place)?;
        let written = mapping(raw.get("properties"), place)?;
        let mut resolved = Type {
            properties: data.schema(Value::Object(written.clone()), PROPERTY_KEYS, place)?,
            derived_from: text(raw.get("derived_from"), "derived_from", place)?,
            ..Type::default()
        };
        for key in self.interface_keys {
            let interfaces = interfaces::of_type(raw.get(*key), data, place)?;
            resolved.interfaces.push(interfaces);
        }
        if let Some(parent) = resolved.derived_from.clone() {
            if self.types.contains_key(&parent) {
                path.push(name.to_owned());
                self.resolve(&parent, data, budget, path)?;
                path.pop();
            } else if !self.is_partial {
                return Err(place.error(format!("it is derived from the unknown type `{parent}`")));
            }
            let base = self.get(&parent).unwrap_or_else(|| self.open(&parent));
            let own = std::mem::take(&mut resolved.properties);
            resolved.properties = data.inherit(&base.properties, own, &written, place)?;
            for (own, base) in resolved.interfaces.iter_mut().zip(&base.interfaces) {
                *own = interfaces::inherit(base, own)?;
            }
            resolved.hierarchy = base.hierarchy;
            resolved.is_open = base.is_open;
        }
        resolved.hierarchy.push(name.to_owned());
        let heavy = Value::Object(resolved.properties.clone());
        let interfaces: usize =
            resolved.interfaces.iter().map(|interfaces| weight(&Value::Object(interfaces.clone()))).sum();
        budget.spend(weight(&heavy) + interfaces).map_err(|_| too_large())?;
        self.known.insert(name.to_owned(), resolved);
        Ok(())
    }

    fn get(&self, name: &str) -> Option<Type> {
        self.known.get(name).cloned()
    }

    fn open(&self, name: &str) -> Type {
        Type {
            properties: Map::new(),
            interfaces: vec![Map::new(); self.interface_keys.len()],
            hierarchy: vec![name.to_owned()],
            derived_from: None,
            is_open: true,
        }
    }

    /// The type that a template names; an open one where it may be in a missing import.
    pub(super) fn find(&self, name: &str, place: Place<'_>) -> Result<Type, BlueprintError> {
        if let Some(found) = self.get(name) {
            return Ok(found);
        }
        if self.is_partial {
            return Ok(self.open(name));
        }
        Err(place.error(format!("its type `{name}` is not defined in `{}`", self.section)))
    }

    /// The types in the form that a plan carries them, by name.
    pub(super) fn to_plan(&self) -> Map<String, Value> {
        let mut plan = Map::new();
        for name in self.types.keys() {
            let Some(resolved) = self.known.get(name) else {
                continue;
            };
            let mut entry = Map::new();
            if let Some(parent) = &resolved.derived_from {
                entry.insert("derived_from".to_owned(), Value::from(parent.clone()));
            }
            entry.insert("properties".to_owned(), Value::from(resolved.properties.clone()));
            for (key, interfaces) in self.interface_keys.iter().zip(&resolved.interfaces) {
                entry.insert((*key).to_owned(), Value::from(interfaces.clone()));
            }
            entry.insert("name".to_owned(), Value::from(name.clone()));
            entry.insert("type_hierarchy".to_owned(), Value::from(resolved.hierarchy.clone()));
            plan.insert(name.clone(), Value::Object(entry));
        }
        plan
    }
}

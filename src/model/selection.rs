//! Which entities of a manager are meant: by kind, by tenant, by id.
//!
//! An entity is named `kind/tenant/id`. What was said of one of the three narrows what was said of the others; several
//! values of one widen it. One parser reads what bodies, queries and flags say.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use serde::{Serialize, Serializer};
use serde_json::{Value, json};

use super::{IdError, TenantName};

/// The most ids that a selection may name: it is kept in an execution's record.
const MOST_IDS: usize = 10_000;
/// The longest id of an entity, in characters: ids of parts are made of two.
const LONGEST_ID: usize = 1024;

/// Why something can't be a selection. The messages are for the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectionError {
    #[error("`{kind}` is no kind of entity: use one of {known}")]
    UnknownKind { kind: String, known: String },
    #[error("`{0}` is no name of a tenant: {1}")]
    Tenant(String, IdError),
    #[error(
        "`{0}` names no entity: write an id, the beginning of one with `*` at its end, or `kind/tenant/id`"
    )]
    Id(String),
    #[error("`select` names more than {MOST_IDS} ids: use kinds, tenants or `*` at the end of an id")]
    TooMany,
    #[error("`select` is empty: name at least one of `kinds`, `tenants`, `ids`")]
    Empty,
    #[error("`select` must be an object with `kinds`, `tenants`, `ids`, got {0}")]
    NoObject(String),
    #[error("`select` has no key `{0}`: use `kinds`, `tenants`, `ids`")]
    UnknownKey(String),
    #[error("`{0}` of `select` must be a text or a list of texts, got {1}")]
    NoTexts(&'static str, String),
}

/// The full name of an entity, `kind/tenant/id`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EntityName {
    /// Its kind, as the inventory and the archive call it.
    pub kind: String,
    /// Its tenant; a tenant is its own.
    pub tenant: String,
    /// Its id in the tenant. That of a part begins with its owner's: `<deployment>/<node>`.
    pub id: String,
}

impl fmt::Display for EntityName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}/{}", self.kind, self.tenant, self.id)
    }
}

impl Serialize for EntityName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One id that was asked for: an id of any kind and tenant, or the full name of an entity; with `*` at its end, all
/// that begin so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdPattern {
    /// The kind and tenant of a full name. `*` alone stands for any tenant.
    place: Option<(String, String)>,
    /// The id, or its beginning.
    id: String,
    is_prefix: bool,
}

impl IdPattern {
    fn parse(text: &str, known: &[&str]) -> Result<Self, SelectionError> {
        let wrong = || SelectionError::Id(text.escape_debug().to_string());
        let is_long = text.chars().count() > LONGEST_ID;
        if text.is_empty() || is_long || text.chars().any(char::is_control) {
            return Err(wrong());
        }
        let (place, id) = match text.split_once('/') {
            None => (None, text),
            Some((kind, rest)) => {
                let (tenant, id) = rest.split_once('/').ok_or_else(wrong)?;
                known_kind(kind, known)?;
                if tenant != "*" {
                    parse_tenant(tenant)?;
                }
                (Some((kind.to_owned(), tenant.to_owned())), id)
            }
        };
        let (id, is_prefix) = id.strip_suffix('*').map_or((id, false), |start| (start, true));
        if id.contains('*') || (id.is_empty() && !is_prefix) {
            return Err(wrong());
        }
        Ok(Self { place, id: id.to_owned(), is_prefix })
    }

    /// Whether an entity is meant.
    pub fn matches(&self, kind: &str, tenant: &str, id: &str) -> bool {
        let is_there = self.place.as_ref().is_none_or(|(own_kind, own_tenant)| {
            own_kind == kind && (own_tenant == tenant || own_tenant == "*")
        });
        is_there && if self.is_prefix { id.starts_with(&self.id) } else { id == self.id }
    }
}

impl fmt::Display for IdPattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((kind, tenant)) = &self.place {
            write!(formatter, "{kind}/{tenant}/")?;
        }
        formatter.write_str(&self.id)?;
        formatter.write_str(if self.is_prefix { "*" } else { "" })
    }
}

/// Some entities of a manager. Never empty: a selection of everything is none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    kinds: BTreeSet<String>,
    tenants: BTreeSet<TenantName>,
    ids: Vec<IdPattern>,
}

impl Selection {
    /// Judges what was said of each; nothing said of one means all of it. `known` are the kinds that there are.
    ///
    /// # Errors
    /// An unknown kind, a text that can't be a tenant's name or an id, nothing at all, or too many ids.
    pub fn new<T: AsRef<str>>(
        kinds: &[T],
        tenants: &[T],
        ids: &[T],
        known: &[&str],
    ) -> Result<Self, SelectionError> {
        if kinds.is_empty() && tenants.is_empty() && ids.is_empty() {
            return Err(SelectionError::Empty);
        }
        if ids.len() > MOST_IDS {
            return Err(SelectionError::TooMany);
        }
        Ok(Self {
            kinds: kinds
                .iter()
                .map(|kind| known_kind(kind.as_ref(), known).map(str::to_owned))
                .collect::<Result<_, _>>()?,
            tenants: tenants.iter().map(|name| parse_tenant(name.as_ref())).collect::<Result<_, _>>()?,
            ids: ids.iter().map(|id| IdPattern::parse(id.as_ref(), known)).collect::<Result<_, _>>()?,
        })
    }

    /// Reads the object `{"kinds": […], "tenants": […], "ids": […]}`, each key optional and its value a text or a
    /// list of texts. What [`Selection::to_json`] wrote comes back.
    ///
    /// # Errors
    /// As [`Selection::new`], and anything but such an object.
    pub fn from_json(value: &Value, known: &[&str]) -> Result<Self, SelectionError> {
        let object = value.as_object().ok_or_else(|| SelectionError::NoObject(value.to_string()))?;
        if let Some(key) = object.keys().find(|key| !["kinds", "tenants", "ids"].contains(&key.as_str())) {
            return Err(SelectionError::UnknownKey(key.escape_debug().to_string()));
        }
        let texts = |key: &'static str| -> Result<Vec<&str>, SelectionError> {
            match object.get(key) {
                None | Some(Value::Null) => Ok(Vec::new()),
                Some(Value::String(text)) => Ok(vec![text]),
                Some(Value::Array(list)) => list
                    .iter()
                    .map(|item| item.as_str().ok_or_else(|| SelectionError::NoTexts(key, item.to_string())))
                    .collect(),
                Some(other) => Err(SelectionError::NoTexts(key, other.to_string())),
            }
        };
        Self::new(&texts("kinds")?, &texts("tenants")?, &texts("ids")?, known)
    }

    /// Reads the parameters `kind`, `tenant` and `id` of a query, each as often as wanted; none where none of them is
    /// there.
    ///
    /// # Errors
    /// As [`Selection::new`].
    pub fn from_query<'a>(
        parameters: impl Iterator<Item = (&'a str, &'a str)>,
        known: &[&str],
    ) -> Result<Option<Self>, SelectionError> {
        let (mut kinds, mut tenants, mut ids) = (Vec::new(), Vec::new(), Vec::new());
        for (name, value) in parameters {
            match name {
                "kind" => kinds.push(value),
                "tenant" => tenants.push(value),
                "id" => ids.push(value),
                _ => {}
            }
        }
        match Self::new(&kinds, &tenants, &ids, known) {
            Err(SelectionError::Empty) => Ok(None),
            other => other.map(Some),
        }
    }

    /// The object that says the same, for records and reports.
    pub fn to_json(&self) -> Value {
        let ids: Vec<String> = self.ids.iter().map(ToString::to_string).collect();
        json!({ "kinds": self.kinds, "tenants": self.tenants, "ids": ids })
    }

    /// Whether the entity `kind/tenant/id` is meant.
    pub fn matches(&self, kind: &str, tenant: &str, id: &str) -> bool {
        self.may_match(kind, tenant)
            && (self.ids.is_empty() || self.ids.iter().any(|pattern| pattern.matches(kind, tenant, id)))
    }

    /// Whether entities of this kind and tenant can be meant, so that others need not be looked at.
    pub fn may_match(&self, kind: &str, tenant: &str) -> bool {
        (self.kinds.is_empty() || self.kinds.contains(kind))
            && (self.tenants.is_empty() || self.tenants.iter().any(|name| name.as_str() == tenant))
    }

    /// The same question for many entities, and afterwards which ids met none.
    pub fn matcher(&self) -> Matcher<'_> {
        let mut exact: HashMap<&str, Vec<usize>> = HashMap::new();
        let mut prefixes = Vec::new();
        for (index, pattern) in self.ids.iter().enumerate() {
            match pattern.is_prefix {
                true => prefixes.push(index),
                false => exact.entry(&pattern.id).or_default().push(index),
            }
        }
        Matcher { selection: self, exact, prefixes, is_met: vec![false; self.ids.len()] }
    }

    /// The kinds that were named; empty for all.
    pub fn kinds(&self) -> &BTreeSet<String> {
        &self.kinds
    }

    /// The tenants that were named; empty for all.
    pub fn tenants(&self) -> &BTreeSet<TenantName> {
        &self.tenants
    }

    /// The ids that were named; empty for all.
    pub fn ids(&self) -> &[IdPattern] {
        &self.ids
    }
}

/// Asks a selection of many entities in time that does not grow with the number of ids.
#[derive(Debug)]
pub struct Matcher<'a> {
    selection: &'a Selection,
    /// The places of the patterns that mean one id.
    exact: HashMap<&'a str, Vec<usize>>,
    prefixes: Vec<usize>,
    is_met: Vec<bool>,
}

impl<'a> Matcher<'a> {
    /// [`Selection::matches`], remembered.
    pub fn matches(&mut self, kind: &str, tenant: &str, id: &str) -> bool {
        if !self.selection.may_match(kind, tenant) {
            return false;
        }
        if self.selection.ids.is_empty() {
            return true;
        }
        let mut is_meant = false;
        for index in self.exact.get(id).into_iter().flatten().chain(&self.prefixes) {
            if self.selection.ids[*index].matches(kind, tenant, id) {
                self.is_met[*index] = true;
                is_meant = true;
            }
        }
        is_meant
    }

    /// The ids that no entity met so far.
    pub fn unmet(&self) -> impl Iterator<Item = &'a IdPattern> {
        self.selection.ids.iter().zip(&self.is_met).filter(|(_, is_met)| !**is_met).map(|(id, _)| id)
    }
}

fn known_kind<'a>(kind: &'a str, known: &[&str]) -> Result<&'a str, SelectionError> {
    if known.contains(&kind) {
        return Ok(kind);
    }
    let kind = kind.chars().take(64).flat_map(char::escape_debug).collect();
    Err(SelectionError::UnknownKind { kind, known: known.join(", ") })
}

fn parse_tenant(name: &str) -> Result<TenantName, SelectionError> {
    TenantName::parse(name).map_err(|error| {
        SelectionError::Tenant(name.chars().take(64).flat_map(char::escape_debug).collect(), error)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[&str] = &["blueprints", "deployments", "nodes", "secrets"];

    fn read(value: &Value) -> Result<Selection, SelectionError> {
        Selection::from_json(value, KNOWN)
    }

    #[test]
    fn what_is_said_of_kinds_tenants_and_ids_narrows_each_other() {
        let selection = read(&json!({
            "kinds": ["blueprints", "deployments"], "tenants": "north", "ids": ["web", "shop*"],
        }))
        .unwrap();
        for (name, expected) in [
            (("blueprints", "north", "web"), true),
            (("deployments", "north", "shop-1"), true),
            (("deployments", "north", "shop"), true),
            (("deployments", "north", "web-1"), false),
            (("secrets", "north", "web"), false),
            (("blueprints", "south", "web"), false),
        ] {
            assert_eq!(selection.matches(name.0, name.1, name.2), expected, "{name:?}");
        }
    }

    #[test]
    fn a_full_name_means_one_entity_and_may_hold_slashes_in_its_id() {
        let selection =
            read(&json!({ "ids": ["nodes/north/tower/lamp", "secrets/*/key", "nodes/south/*"] })).unwrap();
        assert!(selection.matches("nodes", "north", "tower/lamp"));
        assert!(!selection.matches("nodes", "east", "tower/lamp"));
        assert!(selection.matches("secrets", "any", "key"));
        assert!(!selection.matches("blueprints", "any", "key"));
        assert!(selection.matches("nodes", "south", "a/b"));
    }

    #[test]
    fn a_matcher_says_the_same_and_which_ids_met_nothing() {
        let selection =
            read(&json!({ "kinds": ["nodes"], "ids": ["a", "nodes/north/b*", "c", "d*"] })).unwrap();
        let mut matcher = selection.matcher();
        for name in
            [("nodes", "x", "a"), ("nodes", "north", "b1"), ("nodes", "x", "b1"), ("secrets", "x", "c")]
        {
            assert_eq!(
                matcher.matches(name.0, name.1, name.2),
                selection.matches(name.0, name.1, name.2),
                "{name:?}"
            );
        }
        let unmet: Vec<String> = matcher.unmet().map(ToString::to_string).collect();
        assert_eq!(unmet, ["c", "d*"]);
    }

    #[test]
    fn what_was_written_comes_back() {
        let selection =
            read(&json!({ "kinds": "secrets", "tenants": ["b", "a"], "ids": ["x*", "nodes/*/y", "*"] }))
                .unwrap();
        assert_eq!(
            selection.to_json(),
            json!({ "kinds": ["secrets"], "tenants": ["a", "b"], "ids": ["x*", "nodes/*/y", "*"] })
        );
        assert_eq!(read(&selection.to_json()).unwrap(), selection);
    }

    #[test]
    fn a_query_says_the_same_as_a_body() {
        let query = [("kind", "secrets"), ("force", "true"), ("kind", "nodes"), ("tenant", "a"), ("id", "x")];
        let body = json!({ "kinds": ["nodes", "secrets"], "tenants": ["a"], "ids": ["x"] });
        assert_eq!(Selection::from_query(query.into_iter(), KNOWN).unwrap().unwrap(), read(&body).unwrap());
        assert_eq!(Selection::from_query([("force", "true")].into_iter(), KNOWN), Ok(None));
    }

    #[test]
    fn what_selects_nothing_that_can_be_is_refused_with_what_can() {
        let message = read(&json!({ "kinds": ["blueprint"] })).unwrap_err().to_string();
        assert_eq!(
            message,
            "`blueprint` is no kind of entity: use one of blueprints, deployments, nodes, secrets"
        );
        for wrong in [
            json!({}),
            json!({ "kinds": [], "ids": null }),
            json!([]),
            json!("web"),
            json!({ "kind": "secrets" }),
            json!({ "kinds": [1] }),
            json!({ "kinds": {} }),
            json!({ "tenants": ["a b"] }),
            json!({ "tenants": [""] }),
            json!({ "ids": [""] }),
            json!({ "ids": ["a*b"] }),
            json!({ "ids": ["nodes/x"] }),
            json!({ "ids": ["nodes/north/"] }),
            json!({ "ids": ["towers/north/x"] }),
            json!({ "ids": ["a\u{0}"] }),
            json!({ "ids": ["a".repeat(LONGEST_ID + 1)] }),
            json!({ "ids": vec!["a"; MOST_IDS + 1] }),
        ] {
            assert!(read(&wrong).is_err(), "{}", wrong.to_string().chars().take(80).collect::<String>());
        }
    }
}

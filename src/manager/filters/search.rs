//! Lists that filters choose from.

use rusqlite::{Connection, params_from_iter};
use serde_json::{Map, Value};

use crate::database::{ListQuery, Page, Scope, condition, list, text};
use crate::manager::deployments::DEPLOYMENT;
use crate::manager::entities::find;
use crate::manager::scope::visible;
use crate::manager::{Manager, ManagerError};
use crate::model::Caller;

use super::{FilterRule, Filtered, constraints, saved};

/// What a caller chooses entities by, beside what a list takes anyway.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// A saved filter.
    pub filter_id: Option<String>,
    /// Rules, as the caller wrote them.
    pub rules: Vec<Value>,
    /// Constraints of the blueprint language; not together with rules or a filter.
    pub constraints: Map<String, Value>,
    /// Whether constraints are about the types of nodes, not about their ids.
    pub by_type: bool,
    /// A text that the name which people see has to hold; of deployments only.
    pub search_name: Option<String>,
    /// A deployment group; of deployments only.
    pub group_id: Option<String>,
    /// A deployment that needs them, directly or through others; of deployments only.
    pub needed_by: Option<String>,
}

impl Choice {
    /// The rules that it comes to for entities of a kind.
    ///
    /// # Errors
    /// [`ManagerError::FilterRule`]; [`ManagerError::NotFound`] for the filter; rules beside constraints.
    pub(in crate::manager) fn rules(
        &self,
        connection: &Connection,
        caller: &Caller,
        of: Filtered,
    ) -> Result<Vec<FilterRule>, ManagerError> {
        let mut filter_id = self.filter_id.clone();
        let mut rules = FilterRule::parse_all(&self.rules, of)?;
        if !self.constraints.is_empty() {
            if filter_id.is_some() || !rules.is_empty() {
                return Err(ManagerError::BadParameters(
                    "You should provide either filter_id/filter_rules or DSL constraints, not both"
                        .to_owned(),
                ));
            }
            let attribute = match of {
                Filtered::Deployments => "display_name",
                Filtered::Secrets => "key",
                Filtered::Nodes if self.by_type => "type",
                Filtered::Blueprints | Filtered::Nodes | Filtered::NodeInstances => "id",
            };
            let read = constraints::read(&self.constraints, of, attribute)?;
            filter_id = read.filter_id;
            rules = read.rules;
        }
        if let Some(id) = filter_id {
            for rule in saved::rules_of(connection, caller, of, &id)? {
                if !rules.contains(&rule) {
                    rules.push(rule);
                }
            }
        }
        Ok(rules)
    }

    /// Whether it chooses by rules, so that some entities may be hidden.
    fn has_rules(&self) -> bool {
        self.filter_id.is_some() || !self.rules.is_empty() || !self.constraints.is_empty()
    }
}

impl Manager {
    /// One page of the entities that the caller sees and that were chosen; where rules chose, with how many they hid.
    ///
    /// # Errors
    /// A choice that can't be made; columns that there are not; the database's own.
    pub async fn search(
        &self,
        caller: &Caller,
        of: Filtered,
        choice: Choice,
        query: ListQuery,
    ) -> Result<Page, ManagerError> {
        let caller = caller.clone();
        self.read(move |connection| page(connection, &caller, of, &choice, &query)).await
    }
}

/// [`Manager::search`] as of the moment that the connection sees.
///
/// # Errors
/// As [`Manager::search`].
pub(in crate::manager) fn page(
    connection: &Connection,
    caller: &Caller,
    of: Filtered,
    choice: &Choice,
    query: &ListQuery,
) -> Result<Page, ManagerError> {
    let rules = choice.rules(connection, caller, of)?;
    let mut query = query.clone();
    let mut scope = visible(caller, query.all_tenants);
    if of == Filtered::Deployments {
        scope = named(scope, query.search.take(), choice.search_name.as_deref());
    }
    if let Some(group) = &choice.group_id {
        scope = in_groups(scope, &[group]);
    }
    if let Some(source) = &choice.needed_by {
        find(connection, &DEPLOYMENT, caller, source, Some(vec!["id".to_owned()]))?;
        scope = needed_by(scope, caller, source);
    }
    let mut chosen = scope.clone();
    for rule in &rules {
        chosen = rule.restrict(chosen, of);
    }
    let mut page = list(connection, of.collection(), &query, &chosen)?;
    if choice.has_rules() {
        let all = list(connection, of.collection(), &ListQuery { size: 0, ..query.clone() }, &scope)?;
        page.filtered = Some(all.total.saturating_sub(page.total));
    }
    Ok(page)
}

impl Manager {
    /// The workflows that the chosen deployments have, each once; one is available where it is in any of them.
    ///
    /// # Errors
    /// As [`Manager::search`].
    pub async fn workflows(
        &self,
        caller: &Caller,
        choice: Choice,
        query: ListQuery,
    ) -> Result<Vec<Value>, ManagerError> {
        let caller = caller.clone();
        self.read(move |connection| {
            let of = Filtered::Deployments;
            let mut scope = named(visible(&caller, query.all_tenants), query.search.clone(), None);
            for rule in choice.rules(connection, &caller, of)? {
                scope = rule.restrict(scope, of);
            }
            let query = ListQuery { search: None, ..query };
            let (condition, parameters) = condition(of.collection(), &query, &scope)?;
            let sql = format!(
                "SELECT json_set(json_remove(w.value, '$.is_available'), '$.is_available',
                   json(iif(max(w.value ->> '$.is_available'), 'true', 'false')))
                 FROM (SELECT workflows FROM deployments WHERE {condition}) d, json_each(d.workflows) w
                 GROUP BY json_remove(w.value, '$.is_available') ORDER BY w.value ->> '$.name'"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let texts = statement
                .query_map(params_from_iter(parameters.iter()), |row| row.get::<_, String>(0))?
                .collect::<rusqlite::Result<Vec<_>>>()?;
            Ok(texts.iter().map(|text| serde_json::from_str(text).unwrap_or_default()).collect())
        })
        .await
    }
}

/// The ids of all deployments of the caller's tenant that were chosen, oldest first.
///
/// # Errors
/// As [`Choice::rules`]; the database's own.
pub(in crate::manager) fn chosen_deployments(
    connection: &Connection,
    caller: &Caller,
    choice: &Choice,
) -> Result<Vec<String>, ManagerError> {
    let mut scope = visible(caller, false);
    for rule in choice.rules(connection, caller, Filtered::Deployments)? {
        scope = rule.restrict(scope, Filtered::Deployments);
    }
    let (condition, parameters) = scope.into_sql();
    let sql = format!("SELECT id FROM deployments WHERE {condition} ORDER BY created_at, number");
    let ids = connection
        .prepare_cached(&sql)?
        .query_map(params_from_iter(parameters.iter()), |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    Ok(ids)
}

/// What is in one of these deployment groups.
pub(in crate::manager) fn in_groups(scope: Scope, groups: &[impl AsRef<str>]) -> Scope {
    let marks = vec!["?"; groups.len()].join(", ");
    let condition = format!(
        "EXISTS (SELECT 1 FROM deployment_group_members m WHERE m.tenant_name = deployments.tenant_name
         AND m.deployment_id = deployments.id AND m.group_id IN ({marks}))"
    );
    scope.and(&condition, groups.iter().map(|group| text(group.as_ref())))
}

/// What a deployment of the caller's tenant needs, by inter-deployment dependencies.
fn needed_by(scope: Scope, caller: &Caller, source: &str) -> Scope {
    let tenant = || text(caller.tenant.as_str());
    scope.and(
        "tenant_name = ? AND id IN (WITH RECURSIVE needed(id) AS (
           SELECT target_deployment_id FROM inter_deployment_dependencies
           WHERE tenant_name = ? AND source_deployment_id = ?
           UNION SELECT i.target_deployment_id FROM needed n JOIN inter_deployment_dependencies i
             ON i.tenant_name = ? AND i.source_deployment_id = n.id)
         SELECT id FROM needed)",
        [tenant(), tenant(), text(source), tenant()],
    )
}

/// What occurs in the id, or in the name that people see; either is enough where both are asked for.
fn named(scope: Scope, id: Option<String>, name: Option<&str>) -> Scope {
    let asked = [("holds(?, id)", id.as_deref()), ("holds(?, display_name)", name)];
    let (conditions, parts): (Vec<&str>, Vec<&str>) = asked
        .into_iter()
        .filter_map(|(condition, part)| Some((condition, part.filter(|part| !part.is_empty())?)))
        .unzip();
    if conditions.is_empty() {
        return scope;
    }
    scope.and(&conditions.join(" OR "), parts.into_iter().map(text))
}

//! Which versions of plugins an update brings, and whether it changes any.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::super::ManagerError;
use super::super::catalog::{Mapping, specifiers};

/// The lists of a plan in which the plugins stand that are to be installed.
const INSTALLED: [&str; 3] =
    ["deployment_plugins_to_install", "workflow_plugins_to_install", "host_agent_plugins_to_install"];

/// Which plugins of a blueprint are updated, and how far.
#[derive(Clone, Debug, Default)]
pub struct PluginsChoice {
    /// The packages that are updated; all where there is none.
    pub names: Vec<String>,
    /// Those that go to the latest version where all others stay within their major one.
    pub to_latest: Vec<String>,
    /// Whether all go to the latest version, but for `to_minor`.
    pub all_to_latest: bool,
    /// Those that stay within their major version where all others go to the latest one.
    pub to_minor: Vec<String>,
    /// Whether all stay within their major version, but for `to_latest`.
    pub all_to_minor: bool,
    /// Cloudify's mapping file: `{"updates": [{<import>: {"plugin_name": …, "suggested_version": …}}]}`. It goes before
    /// everything else.
    pub mapping: Map<String, Value>,
}

impl PluginsChoice {
    /// The versions that serve, by package; none for a package of which all do.
    pub(super) fn constraints(&self, plan: &Value) -> HashMap<String, String> {
        let mut constraints = HashMap::new();
        for (package, version) in packages(plan) {
            if let Some(constraint) = self.constraint(package, version) {
                constraints.entry(package.to_owned()).or_insert(constraint);
            }
        }
        constraints
    }

    fn constraint(&self, package: &str, version: &str) -> Option<String> {
        let is_in = |names: &[String]| names.iter().any(|name| name == package);
        if !self.names.is_empty() && !is_in(&self.names) {
            return Some(format!("=={version}"));
        }
        let stays = match (self.all_to_latest, self.all_to_minor) {
            (true, _) => is_in(&self.to_minor),
            (false, true) => !is_in(&self.to_latest),
            (false, false) => is_in(&self.to_minor),
        };
        if stays { within_major(version) } else { None }
    }

    /// What the mapping file says of the packages of a plan.
    ///
    /// # Errors
    /// [`ManagerError::BadParameters`] for a file of another form.
    pub(super) fn mappings(&self, plan: &Value) -> Result<Vec<Mapping>, ManagerError> {
        let wrong = |what: &str| {
            ManagerError::BadParameters(format!(
                "mapping: {what}; write {{\"updates\": [{{\"<import>\": {{\"plugin_name\": …, \"suggested_version\": …}}}}]}}"
            ))
        };
        let updates = match self.mapping.get("updates") {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(Value::Array(updates)) => updates,
            Some(_) => return Err(wrong("`updates` is no list")),
        };
        let mut mappings: Vec<Mapping> = Vec::new();
        for update in updates {
            let entries = update.as_object().ok_or_else(|| wrong("an update is no dict"))?;
            for (import, target) in entries {
                let text = |key: &str| {
                    target[key].as_str().ok_or_else(|| wrong(&format!("`{import}` has no `{key}`")))
                };
                let (package, version) = (text("plugin_name")?, text("suggested_version")?);
                specifiers(&format!("=={version}")).map_err(|error| wrong(&error))?;
                let is_used = packages(plan).any(|(used, _)| used == package);
                if is_used && !mappings.iter().any(|mapping| mapping.package == package) {
                    mappings.push(Mapping {
                        import: import.clone(),
                        package: package.to_owned(),
                        version: format!("=={version}"),
                    });
                }
            }
        }
        Ok(mappings)
    }
}

/// The versions from this one's minor version on, below the next major one.
fn within_major(version: &str) -> Option<String> {
    let mut parts = version.split('.');
    let major: u64 = parts.next()?.parse().ok()?;
    let minor = parts.next().filter(|part| part.parse::<u64>().is_ok()).unwrap_or("0");
    Some(format!(">={major}.{minor},<{}", major + 1))
}

/// The packages that a plan installs, with their versions.
fn packages(plan: &Value) -> impl Iterator<Item = (&str, &str)> {
    let plugins = INSTALLED.iter().flat_map(|list| plan[*list].as_array().into_iter().flatten());
    plugins.filter_map(|plugin| Some((plugin["package_name"].as_str()?, plugin["package_version"].as_str()?)))
}

/// Whether a plan installs a plugin otherwise than another one does.
pub(super) fn changes(after: &Value, before: &Value) -> bool {
    INSTALLED.iter().any(|list| {
        let list = |plan: &Value| plan[*list].as_array().cloned().unwrap_or_default();
        let former = list(before);
        let is_same = |plugin: &Value| {
            former.iter().find(|other| other["name"] == plugin["name"]).is_some_and(|other| other == plugin)
        };
        !list(after).iter().all(is_same)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn plan() -> Value {
        json!({ "deployment_plugins_to_install": [
            { "name": "l", "package_name": "lamp", "package_version": "1.9.1" },
            { "name": "b", "package_name": "buoy", "package_version": "3.0" },
            { "name": "s", "package_name": null, "package_version": null },
        ] })
    }

    fn constraints(choice: &PluginsChoice) -> Vec<(String, String)> {
        let mut constraints: Vec<_> = choice.constraints(&plan()).into_iter().collect();
        constraints.sort();
        constraints
    }

    fn of(constraints: &[(&str, &str)]) -> Vec<(String, String)> {
        constraints.iter().map(|(name, versions)| ((*name).to_owned(), (*versions).to_owned())).collect()
    }

    #[test]
    fn the_choice_says_which_versions_serve() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let latest = PluginsChoice { all_to_latest: true, ..PluginsChoice::default() };
        assert_eq!(constraints(&latest), of(&[]));
        let one = PluginsChoice { names: names(&["lamp"]), ..latest.clone() };
        assert_eq!(constraints(&one), of(&[("buoy", "==3.0")]));
        let but_one = PluginsChoice { to_minor: names(&["lamp"]), ..latest };
        assert_eq!(constraints(&but_one), of(&[("lamp", ">=1.9,<2")]));
        let minor = PluginsChoice { all_to_minor: true, ..PluginsChoice::default() };
        assert_eq!(constraints(&minor), of(&[("buoy", ">=3.0,<4"), ("lamp", ">=1.9,<2")]));
        let but_one = PluginsChoice { to_latest: names(&["buoy"]), ..minor };
        assert_eq!(constraints(&but_one), of(&[("lamp", ">=1.9,<2")]));
    }

    #[test]
    fn a_mapping_is_about_packages_that_are_used() {
        let mapping = |mapping: Value| PluginsChoice {
            mapping: mapping.as_object().unwrap().clone(),
            ..PluginsChoice::default()
        };
        let update = json!({ "updates": [
            { "plugin:lamp": { "plugin_name": "lamp", "suggested_version": "2.0" } },
            { "plugin:x": { "plugin_name": "unused", "suggested_version": "1" } },
        ] });
        let mappings = mapping(update).mappings(&plan()).unwrap();
        assert_eq!(mappings.len(), 1);
        assert_eq!((mappings[0].import.as_str(), mappings[0].version.as_str()), ("plugin:lamp", "==2.0"));
        for wrong in [
            json!({ "updates": 7 }),
            json!({ "updates": [7] }),
            json!({ "updates": [{ "plugin:lamp": { "plugin_name": "lamp" } }] }),
            json!({ "updates": [{ "plugin:lamp": { "plugin_name": "lamp", "suggested_version": "new" } }] }),
        ] {
            assert!(mapping(wrong.clone()).mappings(&plan()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_plan_changes_where_a_plugin_is_another_one() {
        let mut after = plan();
        assert!(!changes(&after, &plan()));
        after["deployment_plugins_to_install"][0]["package_version"] = json!("1.9.2");
        assert!(changes(&after, &plan()));
    }
}

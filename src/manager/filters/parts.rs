//! Searches within one deployment or blueprint: its capabilities and its scaling groups.

use serde_json::{Map, Value, json};

use crate::manager::blueprints::plan_of;
use crate::manager::deployments::DEPLOYMENT;
use crate::manager::entities::find;
use crate::manager::{Manager, ManagerError};
use crate::model::Caller;

/// What a name, or a value, has to be like.
#[derive(Debug, Default)]
struct Wanted {
    /// Operators with what they compare with.
    pattern: Vec<(String, String)>,
    /// The values that are meant; all where none is named.
    valid: Option<Vec<Value>>,
    deployment_id: Option<String>,
    blueprint_id: Option<String>,
}

impl Wanted {
    fn read(constraints: &Map<String, Value>) -> Result<Self, ManagerError> {
        let mut wanted = Self::default();
        for (name, value) in constraints {
            let wrong = || ManagerError::BadParameters(format!("The constraint `{name}` can't be {value}"));
            let text = || value.as_str().map(str::to_owned).ok_or_else(wrong);
            match name.as_str() {
                "deployment_id" => wanted.deployment_id = Some(text()?),
                "blueprint_id" => wanted.blueprint_id = Some(text()?),
                "valid_values" => wanted.valid = Some(value.as_array().ok_or_else(wrong)?.clone()),
                "name_pattern" => {
                    for (operator, value) in value.as_object().ok_or_else(wrong)? {
                        if !["contains", "starts_with", "ends_with", "equals_to"].contains(&operator.as_str())
                        {
                            return Err(wrong());
                        }
                        let plain = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                        wanted.pattern.push((operator.clone(), plain));
                    }
                }
                _ => {
                    return Err(ManagerError::BadParameters(format!(
                        "The constraint `{name}` can't be used here"
                    )));
                }
            }
        }
        Ok(wanted)
    }

    fn fits_name(&self, name: &str) -> bool {
        self.pattern.iter().all(|(operator, value)| match operator.as_str() {
            "contains" => name.contains(value.as_str()),
            "starts_with" => name.starts_with(value.as_str()),
            "ends_with" => name.ends_with(value.as_str()),
            _ => name == value,
        })
    }

    fn fits_value(&self, value: &Value) -> bool {
        self.valid.as_ref().is_none_or(|valid| valid.contains(value))
    }
}

impl Manager {
    /// The capabilities of a deployment that constraints choose, with their values as they are now; `search` is a value.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`]; no deployment, or constraints that there are not; capabilities that can't be evaluated.
    pub async fn search_capabilities(
        &self,
        caller: &Caller,
        deployment: Option<&str>,
        constraints: &Map<String, Value>,
        search: Option<&str>,
    ) -> Result<Vec<Value>, ManagerError> {
        let wanted = Wanted::read(constraints)?;
        let id = deployment.or(wanted.deployment_id.as_deref()).ok_or_else(nowhere)?;
        let declared = self.deployment(caller, id, Some(vec!["capabilities".to_owned()])).await?;
        let evaluated = self.deployment_capabilities(caller, id).await?;
        let chosen: Vec<Value> = evaluated["capabilities"]
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(name, value)| {
                wanted.fits_name(name)
                    && wanted.fits_value(value)
                    && search.is_none_or(|search| value.as_str() == Some(search))
            })
            .map(|(name, value)| {
                let mut capability = declared["capabilities"][name].clone();
                capability["value"] = value.clone();
                json!({ name.as_str(): capability })
            })
            .collect();
        if chosen.is_empty() {
            return Ok(Vec::new());
        }
        Ok(vec![json!({ "deployment_id": id, "capabilities": chosen })])
    }

    /// The scaling groups of a deployment, or of a blueprint's plan, that constraints choose; `search` is a name.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`]; neither of the two, or constraints that there are not.
    pub async fn search_scaling_groups(
        &self,
        caller: &Caller,
        (deployment, blueprint): (Option<&str>, Option<&str>),
        constraints: &Map<String, Value>,
        search: Option<&str>,
    ) -> Result<Vec<Value>, ManagerError> {
        let wanted = Wanted::read(constraints)?;
        let deployment = deployment.or(wanted.deployment_id.as_deref()).map(str::to_owned);
        let blueprint = blueprint.or(wanted.blueprint_id.as_deref()).map(str::to_owned);
        let (caller, of) = (caller.clone(), deployment.clone());
        let groups = self
            .read(move |connection| match (of, blueprint) {
                (Some(id), _) => {
                    let include = Some(vec!["scaling_groups".to_owned()]);
                    Ok(find(connection, &DEPLOYMENT, &caller, &id, include)?["scaling_groups"].clone())
                }
                (None, Some(id)) => {
                    Ok(plan_of(connection, caller.tenant.as_str(), &id)?["scaling_groups"].clone())
                }
                (None, None) => Err(nowhere()),
            })
            .await?;
        let fits = |name: &str| {
            wanted.fits_name(name)
                && wanted.fits_value(&Value::from(name))
                && search.is_none_or(|search| search == name)
        };
        let groups = groups.as_object().into_iter().flatten().filter(|(name, _)| fits(name));
        Ok(groups
            .map(|(name, group)| {
                json!({
                    "deployment_id": deployment, "name": name,
                    "members": group["members"], "properties": group["properties"],
                })
            })
            .collect())
    }
}

fn nowhere() -> ManagerError {
    ManagerError::BadParameters(
        "Please provide a valid 'blueprint_id' or 'deployment_id' parameter or have a relevant key in the constraints."
            .to_owned(),
    )
}

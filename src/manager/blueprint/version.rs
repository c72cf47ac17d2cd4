//! The versions of the blueprint language.

use serde_json::{Map, Value, json};

use super::error::BlueprintError;

const FIELD: &str = "tosca_definitions_version";
const PREFIX: &str = "cloudify_dsl_1_";
const LATEST: u8 = 5;

/// A version `1.x`, by its `x`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(u8);

impl Version {
    /// The first in which all sections may be spread over files.
    pub(super) const V1_3: Self = Self(3);

    /// The version that a main file must name.
    pub(super) fn of_main(sections: &Map<String, Value>, file: &str) -> Result<Self, BlueprintError> {
        match sections.get(FIELD) {
            None | Some(Value::Null) => {
                Err(wrong(file, "the main blueprint file must name its version".to_owned()))
            }
            Some(value) => Self::parse(value, file),
        }
    }

    /// Refuses an import that is written in a later version than the main file.
    pub(super) fn check_import(
        self,
        sections: &Map<String, Value>,
        file: &str,
    ) -> Result<(), BlueprintError> {
        let Some(value) = sections.get(FIELD).filter(|value| !value.is_null()) else {
            return Ok(());
        };
        let version = Self::parse(value, file)?;
        if version > self {
            let problem = format!(
                "`{PREFIX}{}` is later than `{PREFIX}{}` of the main blueprint file",
                version.0, self.0
            );
            return Err(wrong(file, problem));
        }
        Ok(())
    }

    fn parse(value: &Value, file: &str) -> Result<Self, BlueprintError> {
        value
            .as_str()
            .and_then(|text| text.strip_prefix(PREFIX))
            .filter(|minor| minor.len() == 1)
            .and_then(|minor| minor.parse().ok())
            .filter(|minor| *minor <= LATEST)
            .map(Self)
            .ok_or_else(|| {
                let problem =
                    format!("unexpected version {value}; supported are {PREFIX}0 to {PREFIX}{LATEST}");
                wrong(file, problem)
            })
    }

    /// The name of the version, as a main file writes it.
    pub(super) fn name(self) -> String {
        format!("{PREFIX}{}", self.0)
    }

    /// The form that a plan carries.
    pub(super) fn to_plan(self) -> Value {
        json!({
            "raw": self.name(),
            "definitions_name": "cloudify_dsl",
            "definitions_version": [1, self.0],
        })
    }
}

fn wrong(file: &str, problem: String) -> BlueprintError {
    BlueprintError::Invalid {
        file: Some(file.to_owned()),
        section: FIELD.to_owned(),
        name: String::new(),
        problem,
    }
}

//! One rule of a filter: what it says, and the SQL condition that it is.

use serde_json::{Value, json};

use crate::database::{Scope, text};
use crate::manager::ManagerError;
use crate::manager::labels::label_pair;

use super::Filtered;

/// The longest value of a rule, in characters.
const MAX_LENGTH: usize = 256;
/// The operators for labels.
const LABEL_OPERATORS: [Operator; 5] =
    [Operator::AnyOf, Operator::NotAnyOf, Operator::IsNull, Operator::IsNotNull, Operator::IsNot];
/// The operators for attributes.
const ATTRIBUTE_OPERATORS: [Operator; 7] = [
    Operator::AnyOf,
    Operator::NotAnyOf,
    Operator::Contains,
    Operator::NotContains,
    Operator::StartsWith,
    Operator::EndsWith,
    Operator::IsNotEmpty,
];

/// How a label or an attribute is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    AnyOf,
    NotAnyOf,
    IsNull,
    IsNotNull,
    /// Of labels: no such label at all, or another value.
    IsNot,
    Contains,
    NotContains,
    StartsWith,
    EndsWith,
    IsNotEmpty,
}

impl Operator {
    fn as_str(self) -> &'static str {
        match self {
            Self::AnyOf => "any_of",
            Self::NotAnyOf => "not_any_of",
            Self::IsNull => "is_null",
            Self::IsNotNull => "is_not_null",
            Self::IsNot => "is_not",
            Self::Contains => "contains",
            Self::NotContains => "not_contains",
            Self::StartsWith => "starts_with",
            Self::EndsWith => "ends_with",
            Self::IsNotEmpty => "is_not_empty",
        }
    }

    fn takes_values(self) -> bool {
        !matches!(self, Self::IsNull | Self::IsNotNull | Self::IsNotEmpty)
    }
}

/// What a rule is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    Label,
    Attribute,
}

/// One rule of a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterRule {
    subject: Subject,
    key: String,
    operator: Operator,
    values: Vec<String>,
}

impl FilterRule {
    /// Reads rules as clients write them: each `{key, values, operator, type}`. A rule that comes twice is one.
    ///
    /// # Errors
    /// [`ManagerError::FilterRule`] with the rule that can't be used, and why.
    pub fn parse_all(raw: &[Value], of: Filtered) -> Result<Vec<Self>, ManagerError> {
        let mut rules: Vec<Self> = Vec::new();
        for rule in raw {
            let rule = Self::parse(rule, of)
                .map_err(|reason| ManagerError::FilterRule { rule: rule.to_string(), reason })?;
            if !rules.contains(&rule) {
                rules.push(rule);
            }
        }
        Ok(rules)
    }

    fn parse(raw: &Value, of: Filtered) -> Result<Self, String> {
        let Some(object) = raw.as_object() else {
            return Err("The filter rule is not a dictionary".to_owned());
        };
        let [Some(key), Some(values), Some(operator), Some(subject)] =
            ["key", "values", "operator", "type"].map(|name| object.get(name))
        else {
            return Err("At least one of the entries in the filter rule is missing".to_owned());
        };
        if object.len() > 4 {
            return Err("The filter rule has entries beside key, values, operator and type".to_owned());
        }
        let key = key.as_str().ok_or("The filter rule key must be a string")?;
        let values = values.as_array().ok_or("The filter rule values must be a list")?;
        let values: Vec<&str> = values
            .iter()
            .map(|value| value.as_str().ok_or("The filter rule values must be strings"))
            .collect::<Result<_, _>>()?;
        let operator = operator.as_str().unwrap_or_default();
        match subject.as_str() {
            Some("label") => Self::of_label(key, operator, &values, of),
            Some("attribute") => Self::of_attribute(key, operator, &values, of),
            _ => Err("Filter rule type must be one of label, attribute".to_owned()),
        }
    }

    fn of_label(key: &str, operator: &str, values: &[&str], of: Filtered) -> Result<Self, String> {
        if of.labels().is_none() {
            return Err(format!("{} have no labels to filter by", of.name()));
        }
        let operator = find(&LABEL_OPERATORS, operator).ok_or_else(|| {
            format!("The operator for filtering by labels must be one of {}", names(&LABEL_OPERATORS))
        })?;
        check_count(&LABEL_OPERATORS, operator, values)?;
        let (own_key, _) = label_pair(key, "").map_err(|error| error.to_string())?;
        let values = values
            .iter()
            .map(|value| Ok(label_pair(key, value).map_err(|error| error.to_string())?.1))
            .collect::<Result<_, String>>()?;
        Ok(Self { subject: Subject::Label, key: own_key, operator, values })
    }

    fn of_attribute(key: &str, operator: &str, values: &[&str], of: Filtered) -> Result<Self, String> {
        let operator = find(&ATTRIBUTE_OPERATORS, operator).ok_or_else(|| {
            format!("The operator for filtering by attributes must be one of {}", names(&ATTRIBUTE_OPERATORS))
        })?;
        check_count(&ATTRIBUTE_OPERATORS, operator, values)?;
        if !of.attributes().contains(&key) {
            return Err(format!(
                "Allowed attributes to filter {} by are {}",
                of.name(),
                of.attributes().join(", ")
            ));
        }
        if key == "schedules" && operator != Operator::IsNotEmpty {
            return Err("Filtering by deployment schedules is only possible with the is_not_empty operator"
                .to_owned());
        }
        for value in values {
            let argument = "The `attributes' filter rule value` argument";
            if value.is_empty() {
                return Err(format!("{argument} is empty"));
            }
            if value.chars().count() > MAX_LENGTH {
                return Err(format!(
                    "{argument} is too long. Maximum allowed length is {MAX_LENGTH} characters"
                ));
            }
            if value.chars().any(char::is_control) {
                return Err(format!("{argument} contains illegal characters"));
            }
        }
        let values = values.iter().map(|value| (*value).to_owned()).collect();
        Ok(Self { subject: Subject::Attribute, key: key.to_owned(), operator, values })
    }

    /// A rule of ours over an attribute, whose name is known to be one.
    pub(super) fn attribute(key: &str, operator: &str, values: Vec<String>) -> Option<Self> {
        let operator = find(&ATTRIBUTE_OPERATORS, operator)?;
        Some(Self { subject: Subject::Attribute, key: key.to_owned(), operator, values })
    }

    /// The rule as clients write it and as it is kept.
    pub fn to_json(&self) -> Value {
        let subject = match self.subject {
            Subject::Label => "label",
            Subject::Attribute => "attribute",
        };
        json!({ "key": self.key, "values": self.values, "operator": self.operator.as_str(), "type": subject })
    }

    /// Whether it is about a label.
    pub fn is_of_label(&self) -> bool {
        self.subject == Subject::Label
    }

    /// Adds to the scope of a list of `of` that the rule holds.
    #[must_use]
    pub fn restrict(&self, scope: Scope, of: Filtered) -> Scope {
        match self.subject {
            Subject::Label => self.restrict_by_label(scope, of),
            Subject::Attribute => self.restrict_by_attribute(scope, of),
        }
    }

    fn restrict_by_label(&self, scope: Scope, of: Filtered) -> Scope {
        let Some(labels) = of.labels() else { return scope.and("0", []) };
        let own = |is_in: &str, more: &str| {
            format!("number {is_in} (SELECT owner FROM {labels} WHERE key = ?{more})")
        };
        const AMONG: &str = " AND value IN (SELECT j.value FROM json_each(?) j)";
        const NOT_AMONG: &str = " AND value NOT IN (SELECT j.value FROM json_each(?) j)";
        let key = text(self.key.as_str());
        let values = text(json!(self.values).to_string());
        match self.operator {
            Operator::AnyOf => scope.and(&own("IN", AMONG), [key, values]),
            Operator::NotAnyOf => scope.and(&own("IN", NOT_AMONG), [key, values]),
            Operator::IsNot => scope.and(&own("NOT IN", AMONG), [key, values]),
            Operator::IsNull => scope.and(&own("NOT IN", ""), [key]),
            Operator::IsNotNull => scope.and(&own("IN", ""), [key]),
            // No rule over a label is made with one of these.
            Operator::Contains
            | Operator::NotContains
            | Operator::StartsWith
            | Operator::EndsWith
            | Operator::IsNotEmpty => scope.and("0", []),
        }
    }

    fn restrict_by_attribute(&self, scope: Scope, of: Filtered) -> Scope {
        let Some(column) = of.collection().column(&self.key) else { return scope.and("0", []) };
        let sql = column.sql;
        let among = |is_in: &str| format!("{sql} {is_in} (SELECT j.value FROM json_each(?) j)");
        let values = || text(json!(self.values).to_string());
        // An attribute that an entity has not is neither like a value nor unlike it, as in Cloudify.
        let each =
            |condition: &str, joint: &str| vec![format!("{sql} {condition}"); self.values.len()].join(joint);
        let holds = |joint: &str, comparison: &str| {
            vec![format!("instr({sql}, ?) {comparison}"); self.values.len()].join(joint)
        };
        let plain = || self.values.iter().map(|value| text(value.as_str()));
        let escaped = |before: &'static str, after: &'static str| {
            let literal =
                |value: &String| value.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
            self.values.iter().map(move |value| text(format!("{before}{}{after}", literal(value))))
        };
        const LIKE: &str = "LIKE ? ESCAPE '\\'";
        match self.operator {
            Operator::AnyOf => scope.and(&among("IN"), [values()]),
            Operator::NotAnyOf => scope.and(&among("NOT IN"), [values()]),
            Operator::Contains => scope.and(&holds(" OR ", "> 0"), plain()),
            Operator::NotContains => scope.and(&holds(" AND ", "= 0"), plain()),
            Operator::StartsWith => scope.and(&each(LIKE, " OR "), escaped("", "%")),
            Operator::EndsWith => scope.and(&each(LIKE, " OR "), escaped("%", "")),
            Operator::IsNotEmpty => scope.and(&format!("coalesce({sql}, '') NOT IN ('', '[]', '{{}}')"), []),
            // No rule over an attribute is made with one of these.
            Operator::IsNull | Operator::IsNotNull | Operator::IsNot => scope.and("0", []),
        }
    }
}

fn find(operators: &[Operator], name: &str) -> Option<Operator> {
    operators.iter().copied().find(|operator| operator.as_str() == name)
}

fn names(operators: &[Operator]) -> String {
    let names: Vec<&str> = operators.iter().map(|operator| operator.as_str()).collect();
    names.join(", ")
}

fn check_count(operators: &[Operator], operator: Operator, values: &[&str]) -> Result<(), String> {
    let alike: Vec<Operator> =
        operators.iter().copied().filter(|other| other.takes_values() == operator.takes_values()).collect();
    match (operator.takes_values(), values.is_empty()) {
        (true, true) => Err(format!(
            "Values list must include at least one item if the operator is one of {}",
            names(&alike)
        )),
        (false, false) => {
            Err(format!("Values list must be empty if the operator is one of {}", names(&alike)))
        }
        _ => Ok(()),
    }
}

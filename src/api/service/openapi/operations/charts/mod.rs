//! The calls of Librato's face: metrics, measurements, annotations, spaces with their charts, chart snapshots, pictures.

mod annotations;
#[expect(clippy::module_inception, reason = "each file is named like its group")]
mod charts;
mod images;
mod measurements;
mod metrics;
mod snapshots;
mod spaces;

use serde_json::{Value, json};

use crate::charts::ChartError;
use crate::model::{Permission, TenantRole};

use super::super::chart_examples::page;
use super::super::chart_schemas::page_schema;
use super::super::operation::{Field, Method, Operation, call, field};
use super::Group;

const METRIC_READ: Permission = Permission::tenant("metric_get", TenantRole::Viewer);
const METRIC_SUBMIT: Permission = Permission::tenant("metric_submit", TenantRole::Operations);
const METRIC_EDIT: Permission = Permission::tenant("metric_edit", TenantRole::User);
const CHART_READ: Permission = Permission::tenant("chart_get", TenantRole::Viewer);
const CHART_EDIT: Permission = Permission::tenant("chart_edit", TenantRole::User);
const SNAPSHOT_CREATE: Permission = Permission::tenant("chart_snapshot_create", TenantRole::Viewer);
const SNAPSHOT_DELETE: Permission = Permission::tenant("chart_snapshot_delete", TenantRole::User);

/// The groups of these calls.
pub(super) fn groups() -> Vec<Group> {
    vec![
        metrics::group(),
        measurements::group(),
        annotations::group(),
        spaces::group(),
        charts::group(),
        snapshots::group(),
        images::group(),
    ]
}

/// Begins the description of a call of charts.
fn charts_call(method: Method, path: &'static str, summary: &'static str) -> Operation {
    call(method, path, summary).at_root()
}

fn not_found(noun: &'static str, id: &str) -> ChartError {
    ChartError::NotFound { noun, id: id.to_owned() }
}

/// The schema of a moment: seconds since 1970, or a text.
fn moment_schema() -> Value {
    json!({ "type": ["integer", "string"] })
}

const MOMENT_FORMS: &str = "seconds since 1970, `2026-03-01T02:00:00Z`, or `2026-03-01 02:00:00 UTC`";

/// A moment that may be absent.
fn moment(name: &'static str, about: &'static str) -> Field {
    field(name, json!({ "type": ["integer", "string", "null"] }), about)
}

/// A whole number that may be absent.
fn whole(name: &'static str, least: i64, about: &'static str) -> Field {
    field(name, json!({ "type": ["integer", "null"], "minimum": least }), about)
}

/// A number that may be absent.
fn number(name: &'static str, about: &'static str) -> Field {
    field(name, json!({ "type": ["number", "null"] }), about)
}

/// A flag that may be absent.
fn claim(name: &'static str, about: &'static str) -> Field {
    field(name, json!({ "type": ["boolean", "null"] }), about)
}

/// The numbers of a measurement: `value`, or what stands for several.
fn values() -> Vec<Field> {
    vec![
        number(
            "value",
            "The value; at most 1e126, and 0 where it is nearer to 0 than 1e-130. Where it is there, the following are passed over.",
        ),
        whole("count", 1, "How many measurements this one stands for; needed with `sum`."),
        number("sum", "Their sum; needed where there is no `value`."),
        number("min", "The smallest; the mean without it."),
        number("max", "The largest; the mean without it."),
        number("sum_squares", "The sum of their squares."),
        number("last", "The last; the mean without it."),
    ]
}

impl Operation {
    /// Adds what chooses a part of a list, in which `order` says what `sort` does, and `default` what it is where nothing is
    /// said.
    fn in_parts(self, order: &str, default: &str) -> Self {
        self.query(
            "offset",
            json!({ "type": "integer", "minimum": 0, "default": 0 }),
            "How many to pass over.",
        )
        .query(
            "length",
            json!({ "type": "integer", "minimum": 0, "default": 100 }),
            "The most to answer; more than 100 mean 100.",
        )
        .query("sort", json!({ "enum": ["asc", "desc"], "default": default }), order)
        .meets("A parameter can't be used.", ChartError::parameter("sort", "is not one of asc, desc"))
    }

    /// Adds the parameter that chooses by name.
    fn by_name(self) -> Self {
        self.query(
            "name",
            json!({ "type": "string" }),
            "Only those in whose name this text occurs, in any case.",
        )
    }

    /// Adds a parameter that is a moment.
    fn query_moment(self, name: &'static str, about: &str) -> Self {
        self.query(name, moment_schema(), &format!("{about} As {MOMENT_FORMS}."))
    }

    /// Adds the parameter that only names what is not there.
    fn refuses_composites(self) -> Self {
        self.query(
            "compose",
            json!({ "type": "string" }),
            "Refused whatever it says: there are no composite metrics.",
        )
        .meets(
            "`compose` is there.",
            ChartError::parameter("compose", "can't be evaluated: this service has no composite metrics"),
        )
    }

    /// Refuses to write what begins with `manager.`.
    fn spares_own(self) -> Self {
        self.meets(
            "The name begins with `manager.`: such names are the service's own.",
            ChartError::parameter("name", "begins with `manager.`: such names are the service's own"),
        )
    }

    /// Answers a part of a list.
    fn answers_part(self, name: &str, noun: &str, example: &Value) -> Self {
        self.answers(200, "A page of the list.", page_schema(name, noun), page(name, example))
    }
}

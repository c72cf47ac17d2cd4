//! Sites.

use serde_json::json;

use crate::api::ErrorCode;
use crate::api::cloudify::permissions::{SITE_CREATE, SITE_DELETE, SITE_GET, SITE_LIST, SITE_UPDATE};
use crate::manager::SITES;

use super::super::operation::Method::{Delete, Get, Post, Put};
use super::super::operation::{Field, Operation, call, text};
use super::super::resource_examples::site;
use super::Group;
use super::blueprints::{optional_visibility_field, visibility_fields};

const NAME: &str = "The site's name.";
const NOT_FOUND: &str = "Requested `Site` with ID `cape` was not found";

pub(super) fn group() -> Group {
    Group {
        tag: "Sites",
        about: "Named places where deployments stand.",
        operations: vec![list(), get(), create(), change(), delete()],
    }
}

fn location() -> Field {
    text("location", "Where it is: `latitude,longitude`; an empty text means that this is not known.")
}

fn list() -> Operation {
    call(Get, "/sites", "List sites.")
        .needs(SITE_LIST)
        .lists(&SITES)
        .of_all_tenants()
        .answers_page("Site", site())
}

fn get() -> Operation {
    call(Get, "/sites/{name}", "Get a site.")
        .needs(SITE_GET)
        .of(NAME, "cape")
        .includes(&SITES)
        .finds(NOT_FOUND)
        .answers_one("The site.", "Site", site())
}

fn create() -> Operation {
    let mut fields = vec![location()];
    fields.extend(visibility_fields());
    let call = call(Put, "/sites/{name}", "Create a site.")
        .needs(SITE_CREATE)
        .of("The name of the new site: 1 to 256 letters, digits and `-._~`, a letter first.", "cape")
        .takes(fields, json!({ "location": "32.071072,34.787274" }));
    refusing_locations(call)
        .fails(
            ErrorCode::Conflict,
            "The name is used.",
            "<Site id=`cape` tenant=`default_tenant`> already exists on <Tenant name=`default_tenant`> or with global \
             visibility",
        )
        .writes_manager()
        .answers_one("The site.", "Site", site())
}

fn change() -> Operation {
    let fields =
        vec![text("new_name", "The name that it is to get."), location(), optional_visibility_field()];
    let call = call(Post, "/sites/{name}", "Change a site's name, location or visibility.")
        .about("Deployments that stand there follow its name.")
        .needs(SITE_UPDATE)
        .of(NAME, "cape")
        .takes(fields, json!({ "new_name": "cape", "location": "32.071072,34.787274" }))
        .finds(NOT_FOUND);
    refusing_locations(call)
        .fails(
            ErrorCode::Conflict,
            "The new name is used.",
            "Invalid new name `harbour`, it already exists on <Tenant name=`default_tenant`> or with global visibility",
        )
        .fails(
            ErrorCode::IllegalAction,
            "More callers see it already, or other tenants have one of this name.",
            "Can't set the visibility of `cape` because it already has wider visibility",
        )
        .writes_manager()
        .answers_one("The site.", "Site", site())
}

fn refusing_locations(call: Operation) -> Operation {
    call.fails(
        ErrorCode::BadParameters,
        "The name can't be one, or the location is none.",
        "Invalid location `north`, the format is expected to be \"latitude,longitude\" such as \"32.071072,34.787274\"",
    )
}

fn delete() -> Operation {
    call(Delete, "/sites/{name}", "Delete a site.")
        .about("Deployments that stood there stand nowhere then.")
        .needs(SITE_DELETE)
        .of(NAME, "cape")
        .finds(NOT_FOUND)
        .writes_manager()
        .answers_nothing("It is gone.")
}

//! The description of the API, and the page that shows it.

use serde_json::json;

use super::super::operation::Answer;
use super::super::operation::Method::Get;
use super::super::operation::{Operation, call};
use super::Group;

pub(super) fn group() -> Group {
    Group {
        tag: "Documentation",
        about: "This description, and the page on which it is read. None of it needs a login.",
        operations: vec![
            document(),
            file("/service/docs", "Show the description of the API as a page.", &["text/html"]),
            file("/service/docs/app.js", "Get the page's program.", &["text/javascript"]),
            file("/service/docs/style.css", "Get the page's style.", &["text/css"]),
            home(),
        ],
    }
}

fn document() -> Operation {
    let call = call(Get, "/service/openapi.json", "Describe the API (OpenAPI 3.1).")
        .about("Needs no login: it tells nothing of what the service holds.")
        .at_root()
        .needs_no_login();
    call.answers(
        200,
        "The description: this document.",
        json!({
            "type": "object",
            "properties": { "openapi": { "type": "string" }, "info": { "type": "object" }, "paths": { "type": "object" } },
            "required": ["openapi", "info", "paths"],
        }),
        json!({ "openapi": "3.1.0", "info": { "title": "Lifeboat", "version": "0.1.0" }, "paths": {} }),
    )
}

fn file(path: &'static str, summary: &'static str, media_types: &'static [&'static str]) -> Operation {
    call(Get, path, summary)
        .about("Needs no login: it tells nothing of what the service holds.")
        .at_root()
        .needs_no_login()
        .answers_file("The file.", media_types, false)
}

fn home() -> Operation {
    let mut home = call(Get, "/", "Go to the description of the API.")
        .about("For people who open the service's address in a browser.")
        .at_root()
        .needs_no_login();
    home.status = 302;
    home.outcome = "The page's address.";
    home.answer = Answer::Redirect("/service/docs");
    home
}

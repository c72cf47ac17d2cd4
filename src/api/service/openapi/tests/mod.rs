//! The description tells the truth: each call of the sources is in it, and says of each what its handler does.

mod sources;

use std::collections::{BTreeMap, BTreeSet};

use regex::Regex;
use serde_json::{Map, Value, json};

use crate::api::face::Face;
use crate::charts::ChartDefinition;
use crate::model::PERMISSIONS;

use super::document::document;
use super::operation::{Answer, Body, Need, Operation, bracketed, object_schema};
use super::operations::groups;
use super::schemas::COLLECTIONS;
use super::{chart_schemas, fields};
use sources::{Route, fields_read, routes};

fn key(base: super::operation::Base, method: &str, path: &str) -> String {
    format!("{base:?} {method} {path}")
}

/// Each described call with the route that is registered for it.
fn pairs() -> Vec<(Operation, Route)> {
    let mut described: BTreeMap<String, Operation> = BTreeMap::new();
    for operation in groups().into_iter().flat_map(|group| group.operations) {
        let key = key(operation.base, operation.method.as_str(), operation.path);
        assert!(described.insert(key.clone(), operation).is_none(), "{key} is described twice");
    }
    let routes: BTreeMap<String, Route> =
        routes().into_iter().map(|route| (key(route.base, &route.method, &route.path), route)).collect();
    let one: BTreeSet<&String> = routes.keys().collect();
    let other: BTreeSet<&String> = described.keys().collect();
    let missing: Vec<_> = one.difference(&other).collect();
    let invented: Vec<_> = other.difference(&one).collect();
    assert!(missing.is_empty(), "registered and not described: {missing:#?}");
    assert!(invented.is_empty(), "described and not registered: {invented:#?}");
    routes.into_iter().map(|(key, route)| (described.remove(&key).unwrap(), route)).collect()
}

fn assert_all(wrong: &[String]) {
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_route_is_described_and_no_other() {
    assert!(pairs().len() > 155, "the sources were not understood");
}

#[test]
fn titles_are_those_of_the_handlers() {
    let differs = |(operation, route): &(Operation, Route)| operation.summary != route.handler.summary;
    let wrong: Vec<String> = pairs()
        .iter()
        .filter(|pair| differs(pair))
        .map(|(operation, route)| {
            format!("{}: `{}` is described as `{}`", route.path, route.handler.summary, operation.summary)
        })
        .collect();
    assert_all(&wrong);
}

#[test]
fn logins_and_permissions_are_those_of_the_handlers() {
    let mut wrong = Vec::new();
    for (operation, route) in pairs() {
        let asks = route.handler.text.contains("auth: Auth");
        let described = match operation.need {
            Need::Nothing => None,
            Need::Login => Some(None),
            Need::Permission(permission) => Some(Some((
                permission.name.to_owned(),
                permission.least().map(|role| role.as_str().to_owned()),
            ))),
        };
        let actual = asks.then_some(route.handler.permission);
        if described != actual {
            wrong.push(format!("{} {}: {actual:?} is described as {described:?}", route.method, route.path));
        }
        // Where the subject tells the workspace, only a handler that looks at it goes by the tenant of the request.
        let text = &route.handler.text;
        let looks = text.contains("auth.allow(") || text.contains("auth.anyone().tenant");
        let is_in_tenant = asks && (operation.face() == Face::Cloudify || looks);
        if operation.is_in_tenant != is_in_tenant {
            wrong.push(format!("{} {}: goes by the tenant: {is_in_tenant}", route.method, route.path));
        }
    }
    assert_all(&wrong);
}

#[test]
fn every_permission_that_a_call_needs_is_in_the_table_with_the_same_roles() {
    let mut wrong = Vec::new();
    for operation in groups().into_iter().flat_map(|group| group.operations) {
        let Need::Permission(permission) = operation.need else { continue };
        let known = PERMISSIONS.iter().find(|known| known.name == permission.name);
        if known != Some(&permission) {
            wrong.push(format!("{permission:?} of {} is {known:?} in model/permissions.rs", operation.path));
        }
    }
    wrong.sort();
    wrong.dedup();
    assert_all(&wrong);
}

#[test]
fn the_status_of_success_is_that_of_the_handlers() {
    let mut wrong = Vec::new();
    for (operation, route) in pairs() {
        let text = &route.handler.text;
        let statuses = [("Created", 201), ("Accepted", 202), ("NoContent", 204), ("Found", 302)];
        let answers = |name: &str| text.contains(&format!("HttpResponse::{name}()"));
        let expected = statuses.iter().find(|(name, _)| answers(name)).map_or(200, |(_, status)| *status);
        if operation.status != expected {
            wrong.push(format!("{} {}: {expected}, not {}", route.method, route.path, operation.status));
        }
        let other = statuses.iter().rev().find(|(name, status)| answers(name) && *status != expected);
        let other = other.or_else(|| Some(&("NotModified", 304)).filter(|(name, _)| answers(name)));
        if other.map(|(_, status)| *status) != operation.other.map(|(status, _)| status) {
            wrong.push(format!("{} {}: answers {other:?} too", route.method, route.path));
        }
        let is_located = text.contains(r#"(("Location","#);
        if is_located != operation.is_located {
            wrong.push(format!("{} {}: names a location: {is_located}", route.method, route.path));
        }
        if (expected == 204) != matches!(operation.answer, Answer::Empty) {
            wrong.push(format!(
                "{} {}: answers without a body: {}",
                route.method,
                route.path,
                expected == 204
            ));
        }
        let is_file =
            text.contains("FileBody") || text.contains("transfer::send") || text.contains("octet-stream");
        let is_described = matches!(operation.answer, Answer::File { .. } | Answer::Headers);
        if is_file && !is_described {
            wrong.push(format!("{} {}: answers a file", route.method, route.path));
        }
    }
    assert_all(&wrong);
}

#[test]
fn bodies_and_parameters_are_those_that_the_handlers_read() {
    let in_body = Regex::new(r#"body\s*\.(?:text|optional_text|boolean|list|object)\("(\w+)""#).unwrap();
    let in_query = Regex::new(r#"(?:listing\s*\.(?:get|boolean)|\bword)\("([^"]+)""#).unwrap();
    let mut wrong = Vec::new();
    for (operation, route) in pairs() {
        let text = &route.handler.text;
        let at = format!("{} {}", route.method, route.path);
        let fields: Vec<&str> = match &operation.body {
            Some(Body::Json { fields, .. } | Body::Fields { fields, .. }) => {
                fields.iter().map(|field| field.name).collect()
            }
            Some(Body::Document { .. } | Body::File { .. }) | None => Vec::new(),
        };
        let takes_json = text.contains("body: JsonBody");
        if takes_json != matches!(operation.body, Some(Body::Json { .. })) {
            wrong.push(format!("{at}: takes a JSON object: {takes_json}"));
        }
        let takes_fields = text.contains("body: Fields");
        if takes_fields != matches!(operation.body, Some(Body::Fields { .. })) {
            wrong.push(format!("{at}: takes JSON or a form: {takes_fields}"));
        }
        let takes_document = text.contains("body: Document");
        if takes_document != matches!(operation.body, Some(Body::Document { .. })) {
            wrong.push(format!("{at}: takes a document: {takes_document}"));
        }
        let takes_file = text.contains("payload: web::Payload");
        if takes_file != matches!(operation.body, Some(Body::File { .. })) {
            wrong.push(format!("{at}: takes a file: {takes_file}"));
        }
        let parameters: Vec<&str> = operation.parameters.iter().map(|parameter| parameter.name).collect();
        for found in in_body.captures_iter(text) {
            if !fields.contains(&&found[1]) {
                wrong.push(format!("{at}: `{}` of the body is not described", &found[1]));
            }
        }
        for found in in_query.captures_iter(text) {
            if !parameters.contains(&&found[1]) {
                wrong.push(format!("{at}: `{}` of the query is not described", &found[1]));
            }
        }
        let is_list = text.contains("page_json(") || text.contains("listing.query(");
        if is_list != parameters.contains(&"_size") {
            wrong.push(format!("{at}: is a list: {is_list}"));
        }
        if text.contains("listing.include()") != (parameters.contains(&"_include") && !is_list) {
            wrong.push(format!("{at}: `_include` differs"));
        }
        if operation.path.matches('{').count() != operation.path_parts.len() {
            wrong.push(format!("{at}: the parts of the path are not described"));
        }
    }
    assert_all(&wrong);
}

#[test]
fn documents_have_what_the_handlers_read_and_nothing_else() {
    let in_attributes = Regex::new(r#"\.(?:attribute(?:::<[^(]+>)?|required|word|raw)\(\s*"(\w+)""#).unwrap();
    let in_plain = Regex::new(r#"\.member(?:::<[^(]+>)?\(\s*"(\w+)""#).unwrap();
    let kind = Regex::new(r#"\.require_type\("(\w+)"\)"#).unwrap();
    let relationship = Regex::new(r#"\.related\("(\w+)"\)"#).unwrap();
    let mut wrong = Vec::new();
    let mut count = 0;
    for (operation, route) in pairs() {
        let Some(Body::Document { schema, is_required, .. }) = &operation.body else { continue };
        count += 1;
        let at = format!("{} {}", route.method, route.path);
        let readers = &route.handler.readers;
        let is_optional = readers.contains(".optional_resource()");
        if *is_required == is_optional {
            wrong.push(format!("{at}: the body may be absent: {is_optional}"));
        }
        let names = |regex: &Regex| -> BTreeSet<String> {
            regex.captures_iter(readers).map(|found| found[1].to_owned()).collect()
        };
        let keys = |pointer: &str| -> BTreeSet<String> {
            let object = schema.pointer(pointer).and_then(Value::as_object);
            object.into_iter().flat_map(|object| object.keys().cloned()).collect()
        };
        let data = "/properties/data/properties";
        let mut in_frame: BTreeSet<String> = BTreeSet::new();
        for (is_read, name) in [
            (!names(&in_attributes).is_empty(), "attributes"),
            (!names(&kind).is_empty(), "type"),
            (!names(&relationship).is_empty(), "relationships"),
            (readers.contains(".require_id()") || readers.contains(".check_id("), "id"),
        ] {
            if is_read {
                in_frame.insert(name.to_owned());
            }
        }
        let mut in_body = names(&in_plain);
        if !in_frame.is_empty() {
            in_body.insert("data".to_owned());
        }
        for (place, read) in [
            ("/properties".to_owned(), in_body),
            (data.to_owned(), in_frame),
            (format!("{data}/attributes/properties"), names(&in_attributes)),
            (format!("{data}/relationships/properties"), names(&relationship)),
        ] {
            let described = keys(&place);
            if described != read {
                wrong.push(format!("{at}: at {place} {read:?} are read, {described:?} described"));
            }
        }
        let described = schema.pointer(&format!("{data}/type/const")).and_then(Value::as_str);
        let read = names(&kind).into_iter().next();
        if described != read.as_deref() {
            wrong.push(format!("{at}: the type `{read:?}` is described as `{described:?}`"));
        }
    }
    assert_all(&wrong);
    assert!(count > 10, "the sources were not understood");
}

#[test]
fn the_fields_of_charts_are_those_that_the_handlers_read_and_no_others() {
    // They are read only to be refused.
    let refused = ["instrument", "composite"];
    let schemas = chart_schemas::schemas();
    let mut wrong = Vec::new();
    let mut count = 0;
    for (operation, route) in pairs() {
        let Some(Body::Fields { fields, example }) = &operation.body else { continue };
        count += 1;
        let mut described = BTreeSet::new();
        collect_names(&object_schema(fields), &schemas, &mut described);
        let mut read = fields_read(&route.handler);
        read.retain(|name| !refused.contains(&name.as_str()));
        if read != described {
            let missing: Vec<_> = read.difference(&described).collect();
            let invented: Vec<_> = described.difference(&read).collect();
            wrong
                .push(format!("{} {}: {missing:?} missing, {invented:?} invented", route.method, route.path));
        }
        assert!(!bracketed(example).is_empty(), "{} has no example", route.path);
    }
    assert_all(&wrong);
    assert!(count > 8, "the sources were not understood");
}

/// The names of all members that a schema describes, at any depth.
fn collect_names(schema: &Value, schemas: &Map<String, Value>, names: &mut BTreeSet<String>) {
    match schema {
        Value::Object(members) => {
            if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                let name = reference.rsplit('/').next().unwrap_or_default();
                collect_names(&schemas[name], schemas, names);
            }
            for (key, member) in members {
                match member {
                    Value::Object(properties) if key == "properties" => {
                        for (name, property) in properties {
                            names.insert(name.clone());
                            collect_names(property, schemas, names);
                        }
                    }
                    other => collect_names(other, schemas, names),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect_names(item, schemas, names)),
        _ => {}
    }
}

#[test]
fn the_words_of_charts_are_those_that_are_read() {
    let stream = |name: &str| json!({ "name": "a", "streams": [{ "metric": "m", name: "none of them" }] });
    let threshold = |operator: &str, kind: &str| json!({ "name": "a", "thresholds": [{ "operator": operator, "value": 1, "type": kind }] });
    for (words, chart) in [
        (chart_schemas::GROUP_FUNCTIONS, stream("group_function")),
        (chart_schemas::SUMMARY_FUNCTIONS, stream("summary_function")),
        (chart_schemas::SUMMARY_FUNCTIONS, stream("downsample_function")),
        (chart_schemas::THRESHOLD_OPERATORS, threshold("none of them", "red")),
        (chart_schemas::THRESHOLD_LEVELS, threshold(">", "none of them")),
    ] {
        let error = ChartDefinition::read(chart.as_object().unwrap(), None).unwrap_err().to_string();
        assert!(error.ends_with(&format!("is not one of {}", words.join(", "))), "{error}");
    }
}

#[test]
fn objects_become_forms_with_brackets() {
    let object =
        json!({ "a": { "b": [{ "c": 1 }, { "c": "x" }] }, "names": ["y"], "flag": true, "none": null });
    let form = json!({ "a[b][0][c]": "1", "a[b][1][c]": "x", "names[]": "y", "flag": "true" });
    assert_eq!(Value::Object(bracketed(&object)), form);
}

#[test]
fn the_parameters_of_flows_and_charts_are_those_that_the_handlers_read_and_no_others() {
    let named = Regex::new(
        r#"(?:listing\s*\.(?:get|all|boolean)\(|\bword\(|\bbound\(|\b(?:moment|whole|span)\(&fields, )"([^"]+)""#,
    )
    .unwrap();
    let paging = Regex::new(r"paging\(&listing, (\d+), (\d+)\)").unwrap();
    let mut wrong = Vec::new();
    for (operation, route) in pairs() {
        if operation.face() == Face::Cloudify {
            continue;
        }
        let text = format!("{}{}", route.handler.text, route.handler.queries);
        let mut read: BTreeSet<&str> =
            named.captures_iter(&text).map(|found| found.get(1).unwrap().as_str()).collect();
        if text.contains("slice(&listing)") || text.contains("slice_of_newest(&listing)") {
            read.extend(["offset", "length", "sort"]);
        }
        if text.contains("resolution(&fields)") {
            read.insert("resolution");
        }
        if text.contains("tag_filter(") {
            read.insert("tags");
        }
        if let Some(pages) = paging.captures(&text) {
            read.extend(["page[number]", "page[size]"]);
            let size = operation.parameters.iter().find(|parameter| parameter.name == "page[size]");
            let limits =
                size.map(|size| [&size.schema["default"], &size.schema["maximum"]].map(Value::to_string));
            if limits != Some([pages[1].to_owned(), pages[2].to_owned()]) {
                wrong.push(format!("{}: a page has {} of at most {}", route.path, &pages[1], &pages[2]));
            }
        }
        let described: BTreeSet<&str> = operation.parameters.iter().map(|parameter| parameter.name).collect();
        if read != described {
            wrong.push(format!("{} {}: {read:?}, not {described:?}", route.method, route.path));
        }
    }
    assert_all(&wrong);
}

#[test]
fn every_field_of_every_entity_is_described_and_no_other() {
    let mut used = BTreeSet::new();
    let mut wrong = Vec::new();
    for collection in COLLECTIONS {
        for column in collection.columns {
            if fields::about(collection.noun, column.name).is_none() {
                wrong.push(format!("{}.{} is not described", collection.noun, column.name));
            }
            let own = format!("{}.{}", collection.noun, column.name);
            let is_own = fields::FIELDS.iter().any(|(name, _)| *name == own);
            used.insert(if is_own { own } else { column.name.to_owned() });
        }
    }
    let unused = fields::FIELDS.iter().filter(|(name, _)| !used.contains(*name));
    wrong.extend(unused.map(|(name, _)| format!("{name} describes nothing")));
    assert_all(&wrong);
}

#[test]
fn references_of_the_document_lead_somewhere() {
    let document = document();
    let text = document.to_string();
    let reference = Regex::new(r##""\$ref":"#([^"]+)""##).unwrap();
    for found in reference.captures_iter(&text) {
        assert!(document.pointer(&found[1]).is_some(), "{} leads nowhere", &found[1]);
    }
    let ids: Vec<&str> = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|item| item.as_object().unwrap().values())
        .filter_map(|operation| operation["operationId"].as_str())
        .collect();
    let distinct: BTreeSet<&&str> = ids.iter().collect();
    assert_eq!(ids.len(), distinct.len(), "an operationId is used twice");
}

#[test]
fn the_page_needs_nothing_but_itself() {
    for text in [
        include_str!("../../docs/page.html"),
        include_str!("../../docs/app.js"),
        include_str!("../../docs/style.css"),
    ] {
        for forbidden in [
            "http://",
            "https://",
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "eval(",
            "localStorage",
            "@import",
        ] {
            assert!(!text.contains(forbidden), "the page contains `{forbidden}`");
        }
    }
}

#[test]
fn nothing_is_left_to_be_guessed_of_any_call() {
    let document = document();
    let mut wrong = Vec::new();
    let mut count = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap().iter().filter(|(key, _)| *key != "servers") {
            count += 1;
            let mut lacks = |what: String| wrong.push(format!("{method} {path} lacks {what}"));
            for name in ["summary", "description", "operationId"] {
                if operation[name].as_str().unwrap_or_default().is_empty() {
                    lacks(format!("a {name}"));
                }
            }
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                if parameter["$ref"].is_null()
                    && parameter["description"].as_str().unwrap_or_default().is_empty()
                {
                    lacks(format!("a description of `{}`", parameter["name"]));
                }
            }
            let lacks_example = |content: &Value| {
                let media = content["content"].as_object().into_iter().flatten();
                let json = media.filter(|(kind, _)| kind.contains("json"));
                json.map(|(_, media)| media).any(|media| {
                    media["example"].is_null()
                        && media["examples"].is_null()
                        && media["schema"]["type"] != "null"
                })
            };
            if lacks_example(&operation["requestBody"]) {
                lacks("an example of its body".to_owned());
            }
            let answers = operation["responses"].as_object().unwrap();
            for (status, answer) in answers {
                if lacks_example(answer) {
                    lacks(format!("an example of its answer {status}"));
                }
            }
            // A call that needs nothing may have nothing that it could fail in.
            let is_open = operation["security"] == json!([]);
            let has = |status: &str| answers.contains_key(status);
            if !is_open && !has("401") {
                lacks("the answer to whoever is not logged in".to_owned());
            }
            if !operation["x-permission"].is_null() && !has("403") {
                lacks("the answer to whoever may not".to_owned());
            }
            // What is made, written on, refused to everybody or empty where there is none has to be there for nobody.
            let needs_none = method == "put"
                || has("201")
                || !answers.keys().any(|status| status.starts_with(['2', '3']))
                || method == "get" && path == "/v1/annotations/{stream}";
            if path.contains('{') && !needs_none && !has("404") {
                lacks("the answer where there is none".to_owned());
            }
        }
    }
    assert_all(&wrong);
    assert!(count > 155, "the document has lost its calls");
}

//! A small reader of the handlers' sources, for the tests: which routes are registered, and what each handler does.
//!
//! It knows the one form in which routes are written here, and fails where it meets another.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;

use super::super::operation::Base;

/// A registered route.
#[derive(Debug)]
pub(super) struct Route {
    pub method: String,
    pub base: Base,
    pub path: String,
    pub handler: Handler,
}

/// What the source of a handler tells.
#[derive(Clone, Debug)]
pub(super) struct Handler {
    /// The first line of its comment.
    pub summary: String,
    /// The whole function.
    pub text: String,
    /// The functions that read the body for it.
    pub readers: String,
    /// The functions to which it gives its query.
    pub queries: String,
    /// All functions of its face that it calls, and those that they call.
    pub called: String,
    /// The name and least role of the permission that every caller needs.
    pub permission: Option<(String, Option<String>)>,
}

/// All routes of the API.
pub(super) fn routes() -> Vec<Route> {
    let sources = sources("src/api");
    let mut constants = permissions(&sources);
    // What flows ask for is declared beside their rules.
    constants.extend(permissions(&self::sources("src/flows")));
    let resource = Regex::new(r#"web::resource\(\s*"([^"]*)"\s*\)"#).unwrap();
    let route = Regex::new(r"\.route\(\s*web::(\w+)\(\)\s*\.to\(\s*([\w:]+)\s*\)\s*,?\s*\)").unwrap();
    let mut routes = Vec::new();
    for (file, text) in &sources {
        let starts: Vec<(usize, String)> = resource
            .captures_iter(text)
            .map(|found| (found.get(0).unwrap().end(), found[1].to_owned()))
            .collect();
        let mut count = 0;
        for (index, (start, path)) in starts.iter().enumerate() {
            let end = starts.get(index + 1).map_or(text.len(), |(next, _)| *next);
            for found in route.captures_iter(&text[*start..end]) {
                count += 1;
                let handler = handler(&sources, file, &found[2], &constants);
                let (base, path) = placed(file, path);
                routes.push(Route { method: found[1].to_owned(), base, path, handler });
            }
        }
        let written = text.matches(".to(").count() - text.matches("web::to(").count();
        assert_eq!(
            count,
            written,
            "{}: a route is registered in a form that is not understood",
            file.display()
        );
        assert!(
            !text.contains("#[get(") && !text.contains("#[post("),
            "{}: a route by macro",
            file.display()
        );
    }
    routes
}

/// The texts of the files of a folder, without their tests.
fn sources(folder: &str) -> BTreeMap<PathBuf, String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    files(&folder)
        .into_iter()
        .map(|path| {
            // What stands in tests registers nothing.
            let text = std::fs::read_to_string(&path).unwrap();
            let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default().to_owned();
            (path, text)
        })
        .collect()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.ends_with("tests") {
            continue;
        }
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("server.rs")
        {
            found.push(path);
        }
    }
    found
}

/// Where a resource stands: below the versions, below `/service`, or where its path says.
fn placed(file: &Path, path: &str) -> (Base, String) {
    let is_in = |folder: &str| file.components().any(|part| part.as_os_str() == folder);
    if is_in("cloudify") && !path.starts_with("/api/") {
        (Base::Versions, path.to_owned())
    } else if is_in("service") && path != "/" {
        (Base::Root, format!("/service{path}"))
    } else {
        (Base::Root, path.to_owned())
    }
}

/// A constant of a file: its name, and the name and least role of the permission that it is.
type Constant = (PathBuf, String, (String, Option<String>));

/// The permissions that the sources declare, by the names of the constants in each file.
fn permissions(sources: &BTreeMap<PathBuf, String>) -> Vec<Constant> {
    let constant = Regex::new(
        r#"const (\w+): Permission =\s+Permission::(\w+)\(\s*"([\w.]+)"(?:,\s+(?:TenantRole::)?(\w+))?,?\s*\)"#,
    )
    .unwrap();
    let mut found = Vec::new();
    for (file, text) in sources {
        for declared in constant.captures_iter(text) {
            let role = declared.get(4).map(|role| role.as_str().to_lowercase());
            assert_eq!(role.is_some(), &declared[2] == "tenant", "{}", &declared[0]);
            found.push((file.clone(), declared[1].to_owned(), (declared[3].to_owned(), role)));
        }
    }
    found
}

fn handler(sources: &BTreeMap<PathBuf, String>, file: &Path, name: &str, constants: &[Constant]) -> Handler {
    let (file, name) = match name.split_once("::") {
        None => (file.to_owned(), name),
        Some((module, name)) => (file.with_file_name(format!("{module}.rs")), name),
    };
    let text = &sources[&file];
    let start = text
        .find(&format!("async fn {name}("))
        .unwrap_or_else(|| panic!("{}: no handler `{name}`", file.display()));
    let end = start + text[start..].find("\n}").expect("a function ends at the left margin");
    let comment: Vec<&str> =
        text[..start].lines().rev().skip_while(|line| !line.starts_with("///")).collect();
    let summary =
        comment.iter().take_while(|line| line.starts_with("///")).last().expect("a handler has a comment");
    let readers = readers(text, &text[start..end]);
    let queries = queries(text, &text[start..end]);
    let called = called(sources, &file, &text[start..end]);
    let home = |name: &str| imported(text, name).map(|module| file.with_file_name(format!("{module}.rs")));
    let text = text[start..end].to_owned();
    let permission = asked(&text).map(|asked| {
        let known =
            |of: &PathBuf| constants.iter().find(|(file, constant, _)| *constant == asked && file == of);
        let anywhere = || constants.iter().find(|(_, constant, _)| *constant == asked);
        known(&file)
            .or_else(|| known(&home(&asked)?))
            .or_else(anywhere)
            .unwrap_or_else(|| panic!("no permission {asked}"))
            .2
            .clone()
    });
    let summary = summary.trim_start_matches('/').trim().to_owned();
    Handler { summary, text, readers, queries, called, permission }
}

/// The sibling module from which a file takes a name.
fn imported(file: &str, name: &str) -> Option<String> {
    static IMPORT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"use super::(\w+)::\{?([^;]*);").unwrap());
    IMPORT
        .captures_iter(file)
        .find(|found| found[2].split(|c: char| !c.is_alphanumeric() && c != '_').any(|word| word == name))
        .map(|found| found[1].to_owned())
}

/// A function that stands at the left margin of a file.
fn function<'a>(file: &'a str, name: &str) -> Option<&'a str> {
    let start = ["", "pub(super) ", "pub "]
        .iter()
        .find_map(|visible| file.find(&format!("\n{visible}fn {name}(")))?;
    let end = start + file[start..].find("\n}").expect("a function ends at the left margin");
    Some(&file[start..end])
}

/// The functions of a file to which a handler gives its query.
fn queries(file: &str, handler: &str) -> String {
    static CALLED: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b(\w+)\([^()]*&listing\)").unwrap());
    CALLED.captures_iter(handler).filter_map(|call| function(file, &call[1])).collect()
}

/// The functions that a handler calls, and those that they call, in its file and in the siblings from which it takes
/// them.
fn called(sources: &BTreeMap<PathBuf, String>, file: &Path, handler: &str) -> String {
    static CALL: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\bmap\((\w+)\)|\b(\w+)\(").unwrap());
    let mut found: BTreeMap<(PathBuf, String), &str> = BTreeMap::new();
    let mut waiting = vec![(file.to_owned(), handler)];
    while let Some((file, text)) = waiting.pop() {
        for call in CALL.captures_iter(text) {
            let name = call.get(1).or(call.get(2)).unwrap();
            // Methods, and what belongs to other types, are no functions of a face.
            if call.get(2).is_some() && text[..name.start()].ends_with(['.', ':']) {
                continue;
            }
            let name = name.as_str();
            let home = match imported(&sources[&file], name) {
                Some(module) => file.with_file_name(format!("{module}.rs")),
                None => file.clone(),
            };
            let Some(body) = sources.get(&home).and_then(|text| function(text, name)) else { continue };
            if found.insert((home.clone(), name.to_owned()), body).is_none() {
                waiting.push((home, body));
            }
        }
    }
    found.into_values().collect()
}

/// The names of the fields that a handler of charts reads, at any depth of the body.
pub(super) fn fields_read(handler: &Handler) -> BTreeSet<String> {
    let read = Regex::new(concat!(
        r"(?:\b(?:text|whole|flag|moment|time|items|span)\(\s*&?[\w.]+,\s*",
        r"|\b(?:kept|within|is_named)\(\s*",
        r"|\w\s*\.(?:get|contains_key|text|number|whole|flag|word|list|objects|value)\(\s*",
        r#")"(\w+)""#,
    ))
    .unwrap();
    let closed = Regex::new(r#"\b(?:number|required|given)\("(\w+)"\)"#).unwrap();
    let paired = Regex::new(r#"\("(\w+)", (?:&mut |MetricKind::)"#).unwrap();
    let definition = concat!(env!("CARGO_MANIFEST_DIR"), "/src/charts/definition.rs");
    let definition = std::fs::read_to_string(definition).unwrap();
    let definition = definition.split("#[cfg(test)]").next().unwrap();
    let mut texts = format!("{}{}", handler.text, handler.called);
    if handler.text.contains(".create_chart(") || handler.text.contains(".edit_chart(") {
        texts.push_str(&definition[definition.find("\nimpl ChartDefinition").unwrap()..]);
    } else if handler.called.contains("read_tags(") {
        for name in ["read_tags", "tag_condition"] {
            texts.push_str(function(definition, name).unwrap());
        }
    }
    [read, closed, paired]
        .iter()
        .flat_map(|regex| regex.captures_iter(&texts).map(|found| found[1].to_owned()).collect::<Vec<_>>())
        .collect()
}

/// The constant of the permission that every caller of a handler needs.
fn asked(handler: &str) -> Option<String> {
    let allowed = Regex::new(r"(?m)^    (?:let caller = )?auth\.allow\((\w+)\)\?;").unwrap();
    let asked = Regex::new(r"auth\.asks\((\w+)\)").unwrap();
    let mut found: Vec<String> = allowed
        .captures(handler)
        .into_iter()
        .chain(asked.captures_iter(handler))
        .map(|found| found[1].to_owned())
        .collect();
    found.dedup();
    assert!(found.len() < 2, "a handler asks for several permissions: {found:?}");
    found.pop()
}

/// The functions of a file to which a handler gives its body, and those to which they give the resource in it.
fn readers(file: &str, handler: &str) -> String {
    let called = Regex::new(r"\b(\w+)\(&(?:body|resource)\b").unwrap();
    let mut found: BTreeMap<String, &str> = BTreeMap::new();
    let mut waiting = vec![handler];
    while let Some(text) = waiting.pop() {
        for call in called.captures_iter(text) {
            let Some(start) = file.find(&format!("\nfn {}(", &call[1])) else { continue };
            let end = start + file[start..].find("\n}").expect("a function ends at the left margin");
            if found.insert(call[1].to_owned(), &file[start..end]).is_none() {
                waiting.push(&file[start..end]);
            }
        }
    }
    found.into_values().collect()
}

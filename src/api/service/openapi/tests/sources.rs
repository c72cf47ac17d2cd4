//! A small reader of the handlers' sources, for the tests: which routes are registered, and what each handler does.
//!
//! It knows the one form in which routes are written here, and fails where it meets another.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

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
        r#"const (\w+): Permission = Permission::(\w+)\("([\w.]+)"(?:, (?:TenantRole::)?(\w+))?\)"#,
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
    let text = text[start..end].to_owned();
    let permission = asked(&text).map(|asked| {
        let known = |same_file: bool| {
            constants.iter().find(|(of, constant, _)| *constant == asked && (!same_file || *of == file))
        };
        known(true).or_else(|| known(false)).unwrap_or_else(|| panic!("no permission {asked}")).2.clone()
    });
    Handler { summary: summary.trim_start_matches('/').trim().to_owned(), text, readers, permission }
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

//! The files of a blueprint, merged into one.
//!
//! Imports are followed within the archive only, breadth first, so that a file
//! comes before what it imports. Whatever lies outside is named and left alone;
//! nothing here opens a connection.

use std::collections::{HashSet, VecDeque};

use serde_json::{Map, Value};

use super::archive::BlueprintFiles;
use super::budget::Budget;
use super::builtin::{self, is_types_import, is_url};
use super::catalog::Catalog;
use super::error::{BlueprintError, Origins};
use super::namespace;
use super::version::Version;
use super::yaml;

/// How many files one blueprint may consist of.
const MAX_FILES: usize = 500;

/// A blueprint and all it imports, as one.
pub(super) struct Merged {
    /// Section name → section.
    pub(super) sections: Map<String, Value>,
    pub(super) origins: Origins,
    pub(super) version: Version,
    /// Imports that lie outside of the archive, as written, each once.
    pub(super) unresolved: Vec<String>,
    /// Imports of the form `blueprint:ID`: namespace → id.
    pub(super) imported_blueprints: Map<String, Value>,
}

/// Sections whose entries may be spread over files, in every version.
const MERGED: &[&str] = &[
    "node_types",
    "plugins",
    "workflows",
    "relationships",
    "policy_types",
    "groups",
    "policy_triggers",
    "data_types",
];
/// Sections whose entries may be spread over files since 1.3.
const MERGED_SINCE_1_3: &[&str] =
    &["inputs", "outputs", "node_templates", "capabilities", "blueprint_labels", "labels", "resource_tags"];
/// Sections of which the first file that has them wins.
const FIRST_WINS: &[&str] = &["description", "metadata"];
/// Sections that are not merged at all.
const OF_EACH_FILE: &[&str] = &["dsl_definitions", "imports", "tosca_definitions_version"];
/// Sections that may stand in one file only.
const SINGLE: &[&str] = &["policies", "deployment_settings"];

struct File {
    path: String,
    namespace: Option<String>,
    sections: Map<String, Value>,
    is_builtin: bool,
}

/// Reads `main` and all that it imports.
pub(super) fn load(
    files: &BlueprintFiles,
    catalog: &dyn Catalog,
    main: &str,
    budget: &mut Budget,
) -> Result<Merged, BlueprintError> {
    let main = normalize("", main).unwrap_or_else(|| main.to_owned());
    let text = files.yaml(&main).ok_or_else(|| BlueprintError::MissingFile { file: main.clone() })?;
    let root = File {
        sections: document(yaml::load(text, &main, budget)?, &main)?,
        path: main,
        namespace: None,
        is_builtin: false,
    };
    let version = Version::of_main(&root.sections, &root.path)?;
    let mut merged = Merged {
        sections: Map::new(),
        origins: Origins::default(),
        version,
        unresolved: Vec::new(),
        imported_blueprints: Map::new(),
    };
    let mut seen = HashSet::from([(root.path.clone(), None)]);
    let mut waiting = VecDeque::from([root]);
    while let Some(mut file) = waiting.pop_front() {
        for import in imports_of(&file)? {
            let next = follow((files, catalog), &file, &import, &mut merged, &mut seen, budget)?;
            waiting.extend(next);
            if seen.len() > MAX_FILES {
                return Err(BlueprintError::TooLarge {
                    what: "the number of imported files".to_owned(),
                    limit: format!("{MAX_FILES} files"),
                });
            }
        }
        if let Some(namespace) = &file.namespace {
            namespace::apply(namespace, &mut file.sections);
        }
        merge(&mut merged, file)?;
    }
    let lacks_types =
        merged.sections.get("node_types").is_none_or(|types| types.get("cloudify.nodes.Root").is_none());
    if lacks_types && !merged.unresolved.is_empty() {
        // An import that cannot be seen may have brought them.
        merge(&mut merged, builtin_file()?)?;
    }
    Ok(merged)
}

fn builtin_file() -> Result<File, BlueprintError> {
    Ok(File {
        path: builtin::TYPES_FILE.to_owned(),
        namespace: None,
        sections: document(builtin::types()?, builtin::TYPES_FILE)?,
        is_builtin: true,
    })
}

fn document(value: Value, file: &str) -> Result<Map<String, Value>, BlueprintError> {
    match value {
        Value::Object(sections) => Ok(sections),
        _ => Err(BlueprintError::Yaml {
            file: file.to_owned(),
            line: 1,
            problem: "expected a mapping of sections".to_owned(),
        }),
    }
}

/// The imports of a file as written; the properties of plugin imports do not matter here.
fn imports_of(file: &File) -> Result<Vec<String>, BlueprintError> {
    let wrong = |import: &str, problem: &str| BlueprintError::Import {
        file: file.path.clone(),
        import: import.to_owned(),
        problem: problem.to_owned(),
    };
    let entries = match file.sections.get("imports") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::Array(entries)) => entries,
        Some(other) => return Err(wrong(&other.to_string(), "`imports` is a list")),
    };
    let mut imports: Vec<String> = Vec::new();
    for entry in entries {
        let import = match entry {
            Value::String(import) => import,
            Value::Object(with_properties) if with_properties.len() == 1 => {
                with_properties.keys().next().expect("a mapping of length one has a key")
            }
            other => {
                return Err(wrong(
                    &other.to_string(),
                    "an import is a text, or a mapping with a single entry",
                ));
            }
        };
        if imports.contains(import) {
            return Err(wrong(import, "it is imported twice by the same file"));
        }
        imports.push(import.clone());
    }
    Ok(imports)
}

fn follow(
    (files, catalog): (&BlueprintFiles, &dyn Catalog),
    parent: &File,
    import: &str,
    merged: &mut Merged,
    seen: &mut HashSet<(String, Option<String>)>,
    budget: &mut Budget,
) -> Result<Option<File>, BlueprintError> {
    let wrong = |problem: String| BlueprintError::Import {
        file: parent.path.clone(),
        import: import.to_owned(),
        problem,
    };
    let (own_namespace, target) = match import.rsplit_once("--") {
        Some((namespace, target)) if !namespace.is_empty() => (Some(namespace), target),
        _ => (None, import),
    };
    if own_namespace.is_some_and(|namespace| namespace.contains("--")) {
        return Err(wrong("a namespace cannot contain `--`".to_owned()));
    }
    let namespace = match (&parent.namespace, own_namespace) {
        (Some(outer), Some(inner)) => Some(format!("{outer}--{inner}")),
        (Some(one), None) => Some(one.clone()),
        (None, one) => one.map(str::to_owned),
    };
    let folder = parent.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let path = [folder, ""]
        .iter()
        .filter_map(|folder| normalize(folder, target))
        .find(|path| files.yaml(path).is_some());
    if let Some(path) = path {
        if !seen.insert((path.clone(), namespace.clone())) {
            return Ok(None);
        }
        let text = files.yaml(&path).unwrap_or_default();
        let sections = document(yaml::load(text, &path, budget)?, &path)?;
        merged.version.check_import(&sections, &path)?;
        return Ok(Some(File { path, namespace, sections, is_builtin: false }));
    }
    if is_types_import(target) {
        if own_namespace.is_some() {
            return Err(wrong("the basic types cannot have a namespace".to_owned()));
        }
        let is_new = seen.insert((builtin::TYPES_FILE.to_owned(), None));
        return is_new.then(builtin_file).transpose();
    }
    if let Some(plugin) = catalog.description(target, &merged.version.name()).map_err(wrong)? {
        if !seen.insert((plugin.name.clone(), namespace.clone())) {
            return Ok(None);
        }
        let sections = document(yaml::load(&plugin.yaml, &plugin.name, budget)?, &plugin.name)?;
        merged.version.check_import(&sections, &plugin.name)?;
        return Ok(Some(File { path: plugin.name, namespace, sections, is_builtin: false }));
    }
    if !is_url(target) && !target.starts_with("cloudify/") {
        return Err(wrong("the archive holds no such file".to_owned()));
    }
    if let Some(blueprint) = target.strip_prefix("blueprint:") {
        let Some(namespace) = namespace else {
            return Err(wrong("a blueprint is imported with a namespace".to_owned()));
        };
        let id = Value::String(blueprint.to_owned());
        if merged.imported_blueprints.insert(namespace, id).is_some() {
            return Err(wrong("the namespace is taken by another blueprint".to_owned()));
        }
    }
    if !merged.unresolved.iter().any(|known| known == import) {
        merged.unresolved.push(import.to_owned());
    }
    Ok(None)
}

/// The path of `name` seen from `folder`, both within the archive; none where it leaves it.
pub(super) fn normalize(folder: &str, name: &str) -> Option<String> {
    if name.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in folder.split('/').chain(name.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

fn merge(merged: &mut Merged, file: File) -> Result<(), BlueprintError> {
    let spreads_all = merged.version >= Version::V1_3;
    for (section, value) in file.sections {
        let name = section.as_str();
        if OF_EACH_FILE.contains(&name) {
            continue;
        }
        let is_known =
            [MERGED, MERGED_SINCE_1_3, FIRST_WINS, SINGLE].iter().any(|names| names.contains(&name));
        if !is_known {
            merged.origins.insert(name, "", &file.path);
            return Err(
                BlueprintError::invalid(name, "", "there is no such section").located(&merged.origins)
            );
        }
        if value.is_null() {
            continue;
        }
        let is_spread = MERGED.contains(&name) || spreads_all && MERGED_SINCE_1_3.contains(&name);
        match merged.sections.get_mut(name) {
            None => {
                note_origins(&mut merged.origins, name, &value, &file.path);
                merged.sections.insert(section, value);
            }
            Some(_) if FIRST_WINS.contains(&name) => {}
            Some(present) if is_spread => {
                merge_section(&mut merged.origins, name, present, value, &file.path, file.is_builtin)?
            }
            Some(_) => {
                let when = if MERGED_SINCE_1_3.contains(&name) {
                    "it can be spread over files only from cloudify_dsl_1_3 on"
                } else {
                    "it can stand in one file only"
                };
                merged.origins.insert(name, "", &file.path);
                return Err(BlueprintError::invalid(name, "", when).located(&merged.origins));
            }
        }
    }
    Ok(())
}

fn note_origins(origins: &mut Origins, section: &str, value: &Value, file: &str) {
    origins.insert(section, "", file);
    for name in value.as_object().into_iter().flat_map(Map::keys) {
        origins.insert(section, name, file);
    }
}

fn merge_section(
    origins: &mut Origins,
    section: &str,
    present: &mut Value,
    value: Value,
    file: &str,
    is_builtin: bool,
) -> Result<(), BlueprintError> {
    let (Value::Object(present), Value::Object(entries)) = (present, value) else {
        origins.insert(section, "", file);
        return Err(BlueprintError::invalid(section, "", "expected a mapping of names").located(origins));
    };
    for (name, entry) in entries {
        let Some(known) = present.get_mut(&name) else {
            origins.insert(section, &name, file);
            present.insert(name, entry);
            continue;
        };
        // What is called `cloudify.…` is the same everywhere, so it may come twice.
        if is_builtin || name.starts_with("cloudify.") {
            *known = entry;
        } else if section == "node_templates" {
            extend_relationships(origins, &name, known, entry, file)?;
        } else if section == "workflows" {
            if let (Value::Object(known), Value::Object(entry)) = (known, entry) {
                for (key, value) in entry {
                    known.entry(key).or_insert(value);
                }
            }
        } else if !matches!(section, "blueprint_labels" | "labels" | "resource_tags") {
            let first = origins_of(origins, section, &name);
            let problem = format!("it is defined in both {first} and `{file}`");
            return Err(BlueprintError::invalid(section, &name, problem).located(origins));
        }
    }
    Ok(())
}

fn origins_of(origins: &Origins, section: &str, name: &str) -> String {
    match BlueprintError::invalid(section, name, "").located(origins) {
        BlueprintError::Invalid { file: Some(file), .. } => format!("`{file}`"),
        _ => "another file".to_owned(),
    }
}

/// A node template may be spread over files when one of the parts is only relationships.
fn extend_relationships(
    origins: &Origins,
    name: &str,
    known: &mut Value,
    entry: Value,
    file: &str,
) -> Result<(), BlueprintError> {
    let only_links = |value: &Value| {
        value.as_object().is_some_and(|template| {
            template.len() == 1 && template.get("relationships").is_some_and(Value::is_array)
        })
    };
    let conflict = || {
        let first = origins_of(origins, "node_templates", name);
        let problem = format!("it is defined in both {first} and `{file}`");
        BlueprintError::invalid("node_templates", name, problem).located(origins)
    };
    let known_is_links = only_links(known);
    let (Value::Object(known), Value::Object(entry)) = (known, entry) else {
        return Err(conflict());
    };
    let entry_is_links = entry.len() == 1 && entry.contains_key("relationships");
    let has_links = known.get("relationships").is_some_and(Value::is_array);
    if !(has_links && (entry_is_links || known_is_links && entry.contains_key("type"))) {
        return Err(conflict());
    }
    for (key, value) in entry {
        if key != "relationships" {
            known.insert(key, value);
            continue;
        }
        let (Some(Value::Array(links)), Value::Array(more)) = (known.get_mut(&key), value) else {
            return Err(conflict());
        };
        links.extend(more);
    }
    Ok(())
}

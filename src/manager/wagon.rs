//! Wagons, the archives of plugins (a zip, or a tar.gz, with `<package>/package.json`), alone or in a zip beside their
//! descriptions. Hostile until proven otherwise; nothing is unpacked but the wagon itself, on request.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use serde_json::Value;
use zip::ZipArchive;

use super::ManagerError;
use crate::causes::is_storage_full;

/// The longest `package.json`, in bytes.
const MAX_PACKAGE_BYTES: u64 = 4 << 20;
/// The longest wagon inside a zip, unpacked, in bytes.
const MAX_WAGON_BYTES: u64 = 8 << 30;
/// How many entries of an archive are looked at.
const MAX_ENTRIES: usize = 100_000;

/// What a wagon says of itself (`package.json` of the packer `wagon` 0.x and 1.x).
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Package {
    pub archive_name: String,
    pub package_name: String,
    pub package_version: Option<String>,
    pub package_source: Option<String>,
    pub distribution: Option<String>,
    pub distribution_version: Option<String>,
    pub distribution_release: Option<String>,
    pub supported_platform: Option<String>,
    pub supported_py_versions: Vec<String>,
    pub wheels: Vec<String>,
    pub excluded_wheels: Vec<String>,
}

/// A plugin's archive, read.
#[derive(Debug)]
pub(super) struct Wagon {
    pub package: Package,
}

fn bad(problem: impl std::fmt::Display) -> ManagerError {
    ManagerError::BadParameters(format!(
        "the plugin archive can't be used: {problem}; send a wagon, or a zip that holds one"
    ))
}

/// What was read can't be used, or what was unpacked can't be kept.
fn uncopied(error: io::Error) -> ManagerError {
    if is_storage_full(&error) { error.into() } else { bad(error) }
}

/// Reads what a plugin's archive says of itself. For blocking threads.
pub(super) fn read_plugin(mut archive: File) -> Result<Wagon, ManagerError> {
    if !is_zip(&mut archive)? {
        return Ok(Wagon { package: parse(&package_of_tar(MultiGzDecoder::new(archive))?)? });
    }
    let mut zip = ZipArchive::new(archive).map_err(bad)?;
    let package = match wagon_in(&zip) {
        None => package_of_zip(&mut zip)?,
        Some(name) => {
            let mut wagon = tempfile::tempfile()?;
            copy_entry(&mut zip, &name, &mut wagon)?;
            if is_zip(&mut wagon)? {
                package_of_zip(&mut ZipArchive::new(wagon).map_err(bad)?)?
            } else {
                package_of_tar(MultiGzDecoder::new(wagon))?
            }
        }
    };
    Ok(Wagon { package: parse(&package)? })
}

impl Wagon {
    /// Whether an archive is a zip that holds the wagon, and not the wagon itself. For blocking threads.
    pub(super) fn is_beside_others(mut archive: File) -> Result<bool, ManagerError> {
        Ok(is_zip(&mut archive)? && wagon_in(&ZipArchive::new(archive).map_err(bad)?).is_some())
    }

    /// The wagon that is in a zip, as a file of its own in `partial` without a name. For blocking threads.
    pub(super) fn extract(archive: File, partial: &Path) -> Result<File, ManagerError> {
        let mut zip = ZipArchive::new(archive).map_err(bad)?;
        let name = wagon_in(&zip).ok_or_else(|| bad("it holds no wagon"))?;
        let mut file = tempfile::tempfile_in(partial)?;
        copy_entry(&mut zip, &name, &mut file)?;
        Ok(file)
    }
}

/// The longest description, in bytes.
const MAX_YAML_BYTES: u64 = 16 << 20;

impl Wagon {
    /// The description that lies beside the wagon in a zip, with its name; none where there is none. For blocking
    /// threads.
    pub(super) fn extract_yaml(
        mut archive: File,
        dsl_version: Option<&str>,
        partial: &Path,
    ) -> Result<Option<(String, File)>, ManagerError> {
        if !is_zip(&mut archive)? {
            return Ok(None);
        }
        let mut zip = ZipArchive::new(archive).map_err(bad)?;
        if wagon_in(&zip).is_none() {
            return Ok(None);
        }
        let of_version = |name: &str| {
            let stem = name.trim_end_matches(".yaml");
            let tail: Vec<&str> = stem.rsplit('_').take(2).collect();
            tail.len() == 2 && tail.iter().all(|part| part.len() == 1 && part.as_bytes()[0].is_ascii_digit())
        };
        let wanted =
            dsl_version.map(|version| format!("{}.yaml", version.trim_start_matches("cloudify_dsl")));
        let is_wanted =
            |name: &str| wanted.as_deref().is_some_and(|wanted| name.ends_with(wanted) && of_version(name));
        let is_yaml = |name: &str| name.to_ascii_lowercase().ends_with(".yaml") && !name.ends_with('/');
        let name = entry_named(&zip, |name| is_yaml(name) && is_wanted(name))
            .or_else(|| entry_named(&zip, |name| is_yaml(name) && !of_version(name)))
            .or_else(|| entry_named(&zip, is_yaml));
        let Some(name) = name else { return Ok(None) };
        let mut file = tempfile::tempfile_in(partial)?;
        let entry = zip.by_name(&name).map_err(bad)?;
        if io::copy(&mut entry.take(MAX_YAML_BYTES + 1), &mut file).map_err(uncopied)? > MAX_YAML_BYTES {
            return Err(bad(format!("`{name}` is longer than {MAX_YAML_BYTES} bytes")));
        }
        file.seek(SeekFrom::Start(0))?;
        let plain = name.rsplit('/').next().unwrap_or("plugin.yaml").to_owned();
        Ok(Some((plain, file)))
    }
}

fn is_zip(file: &mut File) -> io::Result<bool> {
    let mut head = [0; 2];
    let mut length = 0;
    while length < head.len() {
        match file.read(&mut head[length..])? {
            0 => break,
            read => length += read,
        }
    }
    file.seek(SeekFrom::Start(0))?;
    Ok(head == *b"PK")
}

fn wagon_in(zip: &ZipArchive<File>) -> Option<String> {
    entry_named(zip, |name| name.to_ascii_lowercase().ends_with(".wgn"))
}

fn entry_named(zip: &ZipArchive<File>, fits: impl Fn(&str) -> bool) -> Option<String> {
    // A name that is no text is not one of those that matter.
    zip.file_names().take(MAX_ENTRIES).flatten().find(|name| fits(name)).map(|name| name.into_owned())
}

fn copy_entry(zip: &mut ZipArchive<File>, name: &str, target: &mut File) -> Result<u64, ManagerError> {
    let entry = zip.by_name(name).map_err(bad)?;
    let length = io::copy(&mut entry.take(MAX_WAGON_BYTES + 1), target).map_err(uncopied)?;
    if length > MAX_WAGON_BYTES {
        return Err(bad(format!("`{name}` is longer than {MAX_WAGON_BYTES} bytes")));
    }
    target.seek(SeekFrom::Start(0))?;
    Ok(length)
}

fn is_package(name: &str) -> bool {
    // One folder deep, whatever that is called.
    name.split('/').filter(|part| !part.is_empty() && *part != ".").count() == 2
        && name.ends_with("/package.json")
}

fn package_of_zip(zip: &mut ZipArchive<File>) -> Result<Vec<u8>, ManagerError> {
    let name = entry_named(zip, is_package).ok_or_else(|| bad("it holds no `package.json`"))?;
    text_of(zip.by_name(&name).map_err(bad)?)
}

fn package_of_tar(reader: impl Read) -> Result<Vec<u8>, ManagerError> {
    // What comes before the file is unpacked to find it: no more than a wagon may weigh.
    let mut archive = tar::Archive::new(reader.take(MAX_WAGON_BYTES));
    for entry in archive.entries().map_err(bad)?.take(MAX_ENTRIES) {
        let entry = entry.map_err(bad)?;
        if entry.path().is_ok_and(|path| is_package(&path.to_string_lossy())) {
            return text_of(entry);
        }
    }
    Err(bad("it holds no `package.json`"))
}

fn text_of(reader: impl Read) -> Result<Vec<u8>, ManagerError> {
    let mut text = Vec::new();
    reader.take(MAX_PACKAGE_BYTES + 1).read_to_end(&mut text).map_err(bad)?;
    if text.len() as u64 > MAX_PACKAGE_BYTES {
        return Err(bad(format!("`package.json` is longer than {MAX_PACKAGE_BYTES} bytes")));
    }
    Ok(text)
}

fn parse(package: &[u8]) -> Result<Package, ManagerError> {
    let package: Value = serde_json::from_slice(package)
        .map_err(|error| bad(format!("`package.json` is not JSON: {error}")))?;
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let needed =
        |name: &str| text(&package[name]).ok_or_else(|| bad(format!("`package.json` has no `{name}`")));
    // Version 1 of the packer lists texts, version 0 objects in places.
    let list = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let system = &package["build_server_os_properties"];
    Ok(Package {
        archive_name: needed("archive_name")?,
        package_name: needed("package_name")?,
        package_version: text(&package["package_version"]),
        package_source: text(&package["package_source"]),
        distribution: text(&system["distribution"]),
        distribution_version: text(&system["distribution_version"]),
        distribution_release: text(&system["distribution_release"]),
        supported_platform: text(&package["supported_platform"]),
        supported_py_versions: list(&package["supported_python_versions"]),
        wheels: list(&package["wheels"]),
        excluded_wheels: list(&package["excluded_wheels"]),
    })
}

//! Blueprint archives: which files are in them, and what is in the YAML files.
//!
//! An archive is hostile until proven otherwise. Nothing is written to disk;
//! names, links, sizes and counts are checked; only YAML is kept in memory.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Read, Seek, SeekFrom};

use flate2::read::MultiGzDecoder;

use super::error::BlueprintError;
use super::keys;

/// How much of an archive is looked at before it is refused.
#[derive(Debug, Clone, Copy)]
pub struct ArchiveLimits {
    /// Entries of all kinds.
    pub entries: usize,
    /// Bytes of all entries, unpacked.
    pub unpacked_bytes: u64,
    /// Bytes of one YAML file.
    pub yaml_file_bytes: u64,
    /// Bytes of all YAML files.
    pub yaml_bytes: u64,
}

impl Default for ArchiveLimits {
    fn default() -> Self {
        Self { entries: 20_000, unpacked_bytes: 1 << 30, yaml_file_bytes: 4 << 20, yaml_bytes: 16 << 20 }
    }
}

/// The files of a blueprint, relative to the folder of the application.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BlueprintFiles {
    yaml: BTreeMap<String, String>,
    others: HashSet<String>,
}

impl BlueprintFiles {
    /// Makes files out of texts: name → text of a YAML file, and names of other files.
    pub fn new(
        yaml: impl IntoIterator<Item = (String, String)>,
        others: impl IntoIterator<Item = String>,
    ) -> Self {
        Self { yaml: yaml.into_iter().collect(), others: others.into_iter().collect() }
    }

    /// The text of the YAML file `name`.
    pub fn yaml(&self, name: &str) -> Option<&str> {
        self.yaml.get(name).map(String::as_str)
    }

    /// The names of all files, YAML or not.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.yaml.keys().chain(&self.others).map(String::as_str)
    }
}

/// Reads the files of a blueprint out of a .tar.gz, .tgz, .tar or .zip.
///
/// The bytes decide what it is, not a name. An archive holds one folder, which
/// is left out of the names; one whose files lie at its root is read as well.
/// A single YAML file is not an archive.
///
/// # Errors
///
/// For other kinds of archive, damaged ones, names that leave the archive, links
/// that do, and when a limit is exceeded.
pub fn read_blueprint_archive(
    reader: impl Read + Seek,
    limits: &ArchiveLimits,
) -> Result<BlueprintFiles, BlueprintError> {
    let mut yaml = BTreeMap::new();
    let mut others = HashSet::new();
    let mut yaml_bytes = 0;
    each_file(reader, limits, |name, size, content| {
        if !is_yaml(&name) {
            others.insert(name);
            return Ok(());
        }
        check(size, limits.yaml_file_bytes, || format!("`{name}`"))?;
        let mut bytes = Vec::new();
        content
            .take(limits.yaml_file_bytes + 1)
            .read_to_end(&mut bytes)
            .map_err(|source| BlueprintError::ReadArchive { source })?;
        let length = bytes.len() as u64;
        check(length, limits.yaml_file_bytes, || format!("`{name}`"))?;
        yaml_bytes += length;
        check(yaml_bytes, limits.yaml_bytes, || "the YAML of the archive".to_owned())?;
        let text = String::from_utf8(bytes).map_err(|_| BlueprintError::Yaml {
            file: name.clone(),
            line: 1,
            problem: "the file is not UTF-8".to_owned(),
        })?;
        yaml.insert(name, text);
        Ok(())
    })?;
    Ok(without_top(yaml, others))
}

/// Whether any file of an archive is or contains a private key.
///
/// Reads all of it once with constant memory.
///
/// # Errors
///
/// As [`read_blueprint_archive`].
pub fn contains_key_material(
    reader: impl Read + Seek,
    limits: &ArchiveLimits,
) -> Result<bool, BlueprintError> {
    let mut found = false;
    each_file(reader, limits, |name, _, content| {
        let in_content =
            keys::contains_key(content).map_err(|source| BlueprintError::ReadArchive { source })?;
        found |= in_content || name.to_ascii_lowercase().ends_with(".ppk");
        Ok(())
    })?;
    Ok(found)
}

fn is_yaml(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name.ends_with(".yaml") || name.ends_with(".yml")
}

fn check(size: u64, limit: u64, what: impl FnOnce() -> String) -> Result<(), BlueprintError> {
    if size <= limit {
        return Ok(());
    }
    Err(BlueprintError::TooLarge { what: what(), limit: format!("{limit} bytes") })
}

/// Leaves the one folder out that all files lie in.
fn without_top(yaml: BTreeMap<String, String>, others: HashSet<String>) -> BlueprintFiles {
    let top = yaml
        .keys()
        .chain(&others)
        .map(|name| name.split_once('/').map(|(top, _)| top))
        .reduce(|one, other| if one == other { one } else { None })
        .flatten()
        .map(|top| format!("{top}/"));
    let Some(top) = top else {
        return BlueprintFiles { yaml, others };
    };
    let strip = |name: String| name.strip_prefix(&top).map(str::to_owned).unwrap_or(name);
    BlueprintFiles {
        yaml: yaml.into_iter().map(|(name, text)| (strip(name), text)).collect(),
        others: others.into_iter().map(strip).collect(),
    }
}

type Visit<'a> = dyn FnMut(String, u64, &mut dyn Read) -> Result<(), BlueprintError> + 'a;

/// Calls `visit` with name, claimed size and content of every regular file.
fn each_file(
    mut reader: impl Read + Seek,
    limits: &ArchiveLimits,
    mut visit: impl FnMut(String, u64, &mut dyn Read) -> Result<(), BlueprintError>,
) -> Result<(), BlueprintError> {
    let mut magic = [0; 512];
    let length = read_up_to(&mut reader, &mut magic).map_err(read_error)?;
    reader.seek(SeekFrom::Start(0)).map_err(read_error)?;
    let magic = &magic[..length];
    if magic.starts_with(b"PK\x03\x04") || magic.starts_with(b"PK\x05\x06") {
        each_of_zip(reader, limits, &mut visit)
    } else if magic.starts_with(&[0x1f, 0x8b]) {
        each_of_tar(MultiGzDecoder::new(io::BufReader::new(reader)), limits, &mut visit)
    } else if magic.get(257..262) == Some(b"ustar") {
        each_of_tar(reader, limits, &mut visit)
    } else {
        let found = if magic.is_empty() {
            "empty"
        } else if magic.starts_with(b"BZh") {
            "compressed with bzip2, which is not supported"
        } else if magic.starts_with(&[0xfd, b'7', b'z', b'X', b'Z']) {
            "compressed with xz, which is not supported"
        } else {
            "of an unrecognized format"
        };
        Err(BlueprintError::UnsupportedArchive { found: found.to_owned() })
    }
}

fn read_error(source: io::Error) -> BlueprintError {
    BlueprintError::ReadArchive { source }
}

fn read_up_to(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Refuses more entries than allowed.
fn count_entry(count: &mut usize, limits: &ArchiveLimits) -> Result<(), BlueprintError> {
    *count += 1;
    if *count <= limits.entries {
        return Ok(());
    }
    Err(BlueprintError::TooLarge {
        what: "the number of entries in the blueprint archive".to_owned(),
        limit: format!("{} entries", limits.entries),
    })
}

fn each_of_tar(
    reader: impl Read,
    limits: &ArchiveLimits,
    visit: &mut Visit<'_>,
) -> Result<(), BlueprintError> {
    // Headers and padding count too: an archive of nothing but headers ends here.
    let overhead = limits.entries as u64 * 4096;
    let bounded = Bounded { reader, left: limits.unpacked_bytes.saturating_add(overhead) };
    let mut archive = tar::Archive::new(bounded);
    let mut count = 0;
    let entries = archive.entries().map_err(|error| tar_error(error, limits))?;
    for entry in entries {
        let mut entry = entry.map_err(|error| tar_error(error, limits))?;
        count_entry(&mut count, limits)?;
        let name = safe_name(&entry.path_bytes())?;
        let kind = entry.header().entry_type();
        if kind.is_symlink() || kind.is_hard_link() {
            let target = entry.link_name_bytes().unwrap_or_default().into_owned();
            check_link(&name, &target, kind.is_hard_link())?;
            continue;
        }
        if !(kind.is_file() || kind.is_contiguous()) {
            if kind.is_dir() || kind.is_pax_global_extensions() {
                continue;
            }
            return Err(unsafe_entry(&name, "is neither a file nor a folder"));
        }
        let size = entry.size();
        check(size, limits.unpacked_bytes, || format!("`{name}`"))?;
        visit(name, size, &mut entry).map_err(|error| match error {
            BlueprintError::ReadArchive { source } => tar_error(source, limits),
            other => other,
        })?;
    }
    Ok(())
}

/// What the tar reader says, or the limit that stopped it.
fn tar_error(error: io::Error, limits: &ArchiveLimits) -> BlueprintError {
    if error.kind() == io::ErrorKind::QuotaExceeded || error.to_string().contains(OVER_LIMIT) {
        return BlueprintError::TooLarge {
            what: "the unpacked blueprint archive".to_owned(),
            limit: format!("{} bytes", limits.unpacked_bytes),
        };
    }
    BlueprintError::ReadArchive { source: error }
}

const OVER_LIMIT: &str = "unpacks to more than the limit";

/// A reader that fails where a plain `take` would pretend that the end is reached.
struct Bounded<R> {
    reader: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buffer)?;
        match self.left.checked_sub(read as u64) {
            Some(left) => {
                self.left = left;
                Ok(read)
            }
            None => Err(io::Error::new(io::ErrorKind::QuotaExceeded, OVER_LIMIT)),
        }
    }
}

fn each_of_zip(
    reader: impl Read + Seek,
    limits: &ArchiveLimits,
    visit: &mut Visit<'_>,
) -> Result<(), BlueprintError> {
    let zip_error = |error: zip::result::ZipError| read_error(io::Error::other(error));
    let mut archive = zip::ZipArchive::new(reader).map_err(zip_error)?;
    let mut count = 0;
    let mut left = limits.unpacked_bytes;
    for index in 0..archive.len() {
        count_entry(&mut count, limits)?;
        let mut entry = archive.by_index(index).map_err(zip_error)?;
        let name = safe_name(entry.name_raw())?;
        if entry.is_dir() {
            continue;
        }
        if entry.encrypted() {
            return Err(unsafe_entry(&name, "is encrypted"));
        }
        if entry.is_symlink() {
            let mut target = Vec::new();
            entry.by_ref().take(4096).read_to_end(&mut target).map_err(read_error)?;
            check_link(&name, &target, false)?;
            continue;
        }
        let size = entry.size();
        check(size, left, || "the unpacked blueprint archive".to_owned())?;
        // The claimed size may be a lie; what is really read counts.
        let mut bounded = Bounded { reader: &mut entry, left };
        visit(name, size, &mut bounded).map_err(|error| match error {
            BlueprintError::ReadArchive { source } => tar_error(source, limits),
            other => other,
        })?;
        left = bounded.left.min(left - size);
    }
    Ok(())
}

fn unsafe_entry(name: &str, problem: &'static str) -> BlueprintError {
    BlueprintError::UnsafeEntry { name: name.chars().take(200).collect(), problem }
}

/// The name of an entry, cleaned; refused where it could mean a place outside.
fn safe_name(raw: &[u8]) -> Result<String, BlueprintError> {
    let shown = String::from_utf8_lossy(raw);
    let Ok(name) = std::str::from_utf8(raw) else {
        return Err(unsafe_entry(&shown, "has a name that is not UTF-8"));
    };
    if name.len() > 1024 {
        return Err(unsafe_entry(name, "has a name of more than 1024 bytes"));
    }
    if name.starts_with('/') || name.contains('\\') || name.as_bytes().get(1) == Some(&b':') {
        return Err(unsafe_entry(name, "has an absolute name"));
    }
    if name.chars().any(char::is_control) {
        return Err(unsafe_entry(name, "has control characters in its name"));
    }
    super::imports::normalize("", name)
        .filter(|_| !name.split('/').any(|part| part == ".."))
        .ok_or_else(|| unsafe_entry(name, "has a name that leaves the archive"))
}

/// Links are never followed; one that points outside is refused all the same.
fn check_link(name: &str, target: &[u8], from_root: bool) -> Result<(), BlueprintError> {
    let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
    let stays = std::str::from_utf8(target).is_ok_and(|target| {
        !target.contains('\\')
            && super::imports::normalize(if from_root { "" } else { folder }, target).is_some()
    });
    if stays { Ok(()) } else { Err(unsafe_entry(name, "is a link that leaves the archive")) }
}

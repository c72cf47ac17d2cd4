//! The basic types, which every manager of this kind brings along.
//!
//! A blueprint imports them as `cloudify/types/types.yaml` or by the address
//! of the published file; neither is ever fetched.

use serde_json::Value;

use super::budget::Budget;
use super::error::BlueprintError;
use super::yaml;

const TYPES: &str = include_str!("builtin_types.yaml");
/// Far more than the types weigh; only there because the reader asks for a budget.
const TYPES_WEIGHT: usize = 4 << 20;

/// The name under which the basic types are known as a file.
pub(super) const TYPES_FILE: &str = "cloudify/types/types.yaml";

/// Whether `import` means the basic types.
pub(super) fn is_types_import(import: &str) -> bool {
    let Some((folder, file)) = import.rsplit_once('/') else {
        return false;
    };
    let is_types_file =
        file == "types.yaml" || file.strip_prefix("types_1_").is_some_and(|rest| rest.ends_with(".yaml"));
    is_types_file && (folder == "cloudify/types" || is_url(import) && folder.contains("cloudify"))
}

/// Whether `text` is an absolute address of any scheme (`https:`, `plugin:`, `file:` …).
pub(super) fn is_url(text: &str) -> bool {
    text.split_once(':').is_some_and(|(scheme, _)| {
        scheme.starts_with(|first: char| first.is_ascii_alphabetic())
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
    })
}

/// The basic types, read.
pub(super) fn types() -> Result<Value, BlueprintError> {
    yaml::load(TYPES, TYPES_FILE, &mut Budget::new(TYPES_WEIGHT))
}

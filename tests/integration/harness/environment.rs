//! What the environment says of how much is tried.
//!
//! It must not know what is tried.

/// A number from a variable, or `default` without it.
pub fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| {
        text.parse().unwrap_or_else(|_| panic!("`{name}` is `{text}`, and no number"))
    })
}

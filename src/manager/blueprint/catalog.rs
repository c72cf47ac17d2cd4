//! What a blueprint imports by name from the manager that keeps it: the descriptions of plugins.

/// Where the descriptions of plugins come from.
pub trait Catalog {
    /// The description that an import (`plugin:…`) means, for a blueprint of this version of the language; none where the
    /// manager has none.
    ///
    /// # Errors
    /// Why the import can't be read, in words for who wrote it.
    fn description(&self, import: &str, language: &str) -> Result<Option<Description>, String>;
}

/// The description of a plugin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// What it is called in messages.
    pub name: String,
    /// Its text, in YAML.
    pub yaml: String,
}

/// A catalog without a plugin.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoPlugins;

impl Catalog for NoPlugins {
    fn description(&self, _import: &str, _language: &str) -> Result<Option<Description>, String> {
        Ok(None)
    }
}

//! The flags that say which entities are meant. The service judges what they say.

use clap::Args;
use serde_json::{Value, json};

use super::error::CliError;

/// What is said of a flag that means nothing without a selection.
pub const GOES_WITH: &str = "goes with --kind, --of-tenant or --id";

/// Which entities of the archive are meant; all of them without any of these.
#[derive(Args, Clone, Debug, Default)]
pub struct SelectionArgs {
    /// Only entities of this kind, e.g. `blueprints`; may be given several times
    #[arg(long = "kind", value_name = "KIND", help_heading = "Selection")]
    kinds: Vec<String>,
    /// Only entities of this tenant of the archive; may be given several times
    #[arg(long = "of-tenant", value_name = "NAME", help_heading = "Selection")]
    tenants: Vec<String>,
    /// Only entities of this id, or `kind/tenant/id`; `*` at its end stands for any; may be given several times
    #[arg(long = "id", value_name = "ID", help_heading = "Selection")]
    ids: Vec<String>,
}

impl SelectionArgs {
    /// Whether any of the flags was given.
    pub fn is_given(&self) -> bool {
        !(self.kinds.is_empty() && self.tenants.is_empty() && self.ids.is_empty())
    }

    /// Lets the body of a restore or of its plan say what is selected, and what is to be done about what that needs.
    ///
    /// # Errors
    /// Dependencies without a selection.
    pub fn add_to(&self, body: &mut Value, with_dependencies: bool, doing: &str) -> Result<(), CliError> {
        if self.is_given() {
            body["select"] = json!({ "kinds": self.kinds, "tenants": self.tenants, "ids": self.ids });
            body["dependencies"] = if with_dependencies { "include" } else { "refuse" }.into();
        } else if with_dependencies {
            return Err(CliError::usage(doing, format!("--with-dependencies {GOES_WITH}")));
        }
        Ok(())
    }
}

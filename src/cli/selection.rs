//! The flags that say which entities are meant. The service judges what they say.

use clap::Args;
use serde_json::{Value, json};

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

    /// What a body says as `select`.
    pub fn body(&self) -> Value {
        json!({ "kinds": self.kinds, "tenants": self.tenants, "ids": self.ids })
    }
}

//! How much a blueprint may grow while it is read.
//!
//! Aliases, inheritance and functions let a few kilobytes stand for gigabytes.
//! Whatever is built charges its weight here first, so that growth ends in a
//! clear error and not in a dead process.

use serde_json::Value;

/// What one value weighs besides its text.
const VALUE_WEIGHT: usize = 16;

/// Weight that is left to spend.
#[derive(Debug)]
pub(super) struct Budget {
    left: usize,
}

/// The budget is spent.
#[derive(Debug)]
pub(super) struct Spent;

impl Budget {
    pub(super) fn new(weight: usize) -> Self {
        Self { left: weight }
    }

    /// Takes `weight` away, or says that there is not enough left.
    pub(super) fn spend(&mut self, weight: usize) -> Result<(), Spent> {
        self.left = self.left.checked_sub(weight).ok_or(Spent)?;
        Ok(())
    }

    /// Takes the weight of one value with `text` bytes of its own away.
    pub(super) fn spend_one(&mut self, text: usize) -> Result<(), Spent> {
        self.spend(text.saturating_add(VALUE_WEIGHT))
    }
}

/// What a value weighs: its text, and something for each value within.
pub(super) fn weight(value: &Value) -> usize {
    VALUE_WEIGHT
        + match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
            Value::String(text) => text.len(),
            Value::Array(items) => items.iter().map(weight).sum(),
            Value::Object(entries) => entries.iter().map(|(key, value)| key.len() + weight(value)).sum(),
        }
}

//! Whole states of a manager: made from a seed, and read back as a document that can be compared.
//!
//! Everything goes over the faces that callers use. What is compared and what is not stands in one table, `kinds`.

mod accounts;
mod blueprints;
mod charts;
mod dice;
mod flows;
mod generate;
mod kinds;
mod many;
mod reader;

pub use accounts::{Accounts, read_accounts};
pub use dice::Dice;
pub use generate::{Size, generate};
pub use kinds::{KINDS, NOT_STATE};
pub use reader::{State, read_state, read_state_measured_until};

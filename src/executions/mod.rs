//! The job engine.
pub mod table;

//! The embedded manager.

pub mod blueprint;

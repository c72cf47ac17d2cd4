//! Lifeboat.
pub mod manager;

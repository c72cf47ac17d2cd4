//! Lifeboat.

pub mod archive;

//! Lifeboat keeps the state of a manager: it backs it up, recovers it after a disaster and moves it to another.

pub mod access;
pub mod api;
pub mod app;
pub mod archive;
pub mod causes;
pub mod charts;
pub mod cli;
pub mod clock;
pub mod config;
pub mod database;
pub mod executions;
pub mod failpoints;
pub mod fetch;
pub mod files;
pub mod flows;
pub mod keys;
pub mod maintenance;
pub mod manager;
pub mod model;
pub mod quickstart;
pub mod records;
pub mod serve;
pub mod snapshots;
pub mod sources;
pub mod store;
mod words;
pub mod worker;

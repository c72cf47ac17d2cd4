//! What every suite needs: a server, callers, files to send, and waiting with a deadline.
//!
//! The harness knows how to start and talk; it must not know what is claimed.

mod clients;
mod entries;
mod file_server;
mod http;
mod inventory;
mod material;
mod server;
mod wait;

pub use clients::{Cfy, Finished, java, python_common, python_openapi, python_rest_client, script, unzip};
pub use entries::{Entry, assert_hidden, entries};
pub use file_server::FileServer;
pub use http::Api;
pub use inventory::inventory;
pub use material::{
    BLUEPRINT, SECRET_VALUE, blueprint_archive, blueprint_file, fill, form, plugin_archive, write_plugin,
    write_zip,
};
pub use server::{ADMIN_PASSWORD, TestServer};
pub use wait::eventually;

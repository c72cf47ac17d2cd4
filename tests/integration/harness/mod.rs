//! What every suite needs: a server, callers, files to send, and waiting with a deadline.
//!
//! The harness knows how to start and talk; it must not know what is claimed.

mod broker;
mod cfy_shell;
mod charts;
mod clients;
mod command_line;
mod databases;
mod deployments;
mod dump;
mod entries;
mod environment;
mod file_server;
mod flows;
mod http;
mod invariants;
mod inventory;
mod material;
mod name_server;
mod node;
mod picture;
mod power;
mod server;
mod small_disk;
mod state;
mod strace;
mod wait;
mod wire;

pub use broker::Broker;
pub use cfy_shell::CfyShell;
pub use charts::{
    ChartSnapshot, create_chart, create_space, gauge, local, now, other_tenant, refused_parameter,
    refused_request, send, series, slope, tagged,
};
pub use clients::{
    Cfy, Finished, java, python_common, python_librato, python_openapi, python_rest_client, schemathesis,
    script, unzip,
};
pub use command_line::{document, fails, lifeboat, lifeboat_at, run, stderr, stdout};
pub use databases::{Influx, VictoriaMetrics};
pub use deployments::{FERRY, deploy, send_blueprint, upload_text};
pub use dump::{changes, dump};
pub use entries::{Entry, assert_hidden, entries};
pub use environment::from_environment;
pub use file_server::{FileServer, head_of_file};
pub use flows::{Flow, Item, add_member, flow_body, graph, refused, snapshot_body, workspace};
pub use http::{Api, Reply};
pub use invariants::{all_executions, check_invariants};
pub use inventory::inventory;
pub use material::{
    BLUEPRINT, SECRET_VALUE, blueprint_archive, blueprint_file, fill, form, lamps, long_archive,
    plugin_archive, wagon, workflow_blueprint, write_plugin, write_zip,
};
pub use name_server::NameServer;
pub use node::{EXCHANGE, Running, Step, amqp, node, node_client, publish};
pub use picture::Picture;
pub use server::{ADMIN_PASSWORD, TestServer, copy_data};
pub use state::{
    Accounts, Dice, KINDS, NOT_STATE, Size, State, generate, read_accounts, read_state,
    read_state_measured_until,
};
pub use strace::{Call, Strace};
pub use wait::eventually;
pub use wire::Connection;

//! The one place where every part is built and handed on.

use crate::access::Access;
use crate::manager::Manager;
use crate::records::Records;

/// The parts of a running service, as handlers and the worker see them.
pub struct Service {
    /// The door.
    pub access: Access,
    /// The embedded manager.
    pub manager: Manager,
    /// What the service knows.
    pub records: Records,
    auth_is_off: bool,
}

impl Service {
    /// Whether every caller is taken for `admin`: a setting that the start allows on loopback only.
    pub fn auth_is_off(&self) -> bool {
        self.auth_is_off
    }

    /// Lets the engine look for executions that were just recorded.
    pub fn wake(&self) {}
}

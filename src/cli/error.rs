//! How a command fails: what was being done, why, and the exit code that says so.
//!
//! Knows nothing of any command. Messages are one line and never hold a secret.

use std::error::Error;

use super::output::printable;

use crate::causes::chain;

/// The sort of a failure, which decides the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureKind {
    /// The operation was tried and failed, here or in the service (5xx, an execution that did not end well).
    Failed,
    /// What was asked cannot be meant.
    Usage,
    /// No answer came.
    Unreachable,
    /// The service does not know the caller (401).
    NotLoggedIn,
    /// The service refused (any other 4xx).
    Refused,
    /// The service has a fault or is not ready (5xx).
    Service,
    /// Ctrl-C, or SIGTERM.
    Interrupted,
}

impl FailureKind {
    /// The exit code of the process; 0 is success, and 130 is Ctrl-C while waiting.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Failed | Self::Service => 1,
            Self::Usage => 2,
            Self::Unreachable | Self::NotLoggedIn => 3,
            Self::Refused => 4,
            Self::Interrupted => 130,
        }
    }
}

/// Why a command ended without success.
#[derive(Debug, thiserror::Error)]
#[error("{}", printable(&format!("{doing}: {reason}")))]
pub struct CliError {
    /// What decides the exit code.
    pub kind: FailureKind,
    doing: String,
    reason: String,
}

impl CliError {
    /// A failure of `kind` while `doing` something ("list the snapshots"), because of `reason`.
    pub fn new(kind: FailureKind, doing: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { kind, doing: doing.into(), reason: reason.into() }
    }

    /// Something on this machine, or an operation, that did not work.
    pub fn failed(doing: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::new(FailureKind::Failed, doing, reason)
    }

    /// Arguments that do not go together.
    pub fn usage(doing: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::new(FailureKind::Usage, doing, reason)
    }

    /// A failure whose reason is `error` with everything that caused it.
    pub fn from_error(doing: impl Into<String>, error: &(dyn Error + 'static)) -> Self {
        Self::failed(doing, chain(error))
    }

    /// The same failure with one more sentence of advice.
    pub fn advising(mut self, advice: &str) -> Self {
        self.reason = format!("{}; {advice}", self.reason);
        self
    }

    /// Whether it may go away by itself: no answer, or a fault of the service.
    pub fn is_passing(&self) -> bool {
        matches!(self.kind, FailureKind::Unreachable | FailureKind::Service)
    }
}

/// The first cause of an error, where the layers above it only say that something below failed.
pub fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_exit_code() {
        for (kind, code) in [
            (FailureKind::Failed, 1),
            (FailureKind::Service, 1),
            (FailureKind::Usage, 2),
            (FailureKind::Unreachable, 3),
            (FailureKind::NotLoggedIn, 3),
            (FailureKind::Refused, 4),
            (FailureKind::Interrupted, 130),
        ] {
            assert_eq!(kind.exit_code(), code, "{kind:?}");
        }
    }

    #[test]
    fn a_message_is_one_line_without_control_characters() {
        let error = CliError::failed("restore `a`", "first\nsecond\u{1b}[31m");
        assert_eq!(error.to_string(), "restore `a`: first second[31m");
    }
}

//! Ctrl-C and SIGTERM, seen by the tour between its steps, so that whatever it made is taken away.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

use crate::cli::{CliError, FailureKind};

/// Whether somebody wants the end. Clones watch the same signals.
#[derive(Clone)]
pub(super) struct Interrupts {
    seen: Arc<(Mutex<bool>, Condvar)>,
}

impl Interrupts {
    /// Watches from now on: neither signal ends the process any more.
    pub(super) fn watch() -> Result<Self, CliError> {
        let failed = |error: std::io::Error| CliError::from_error("watch for Ctrl-C", &error);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
        let (mut interrupt, mut terminate) = {
            let _entered = runtime.enter();
            (
                signal(SignalKind::interrupt()).map_err(failed)?,
                signal(SignalKind::terminate()).map_err(failed)?,
            )
        };
        let interrupts = Self { seen: Arc::default() };
        let seen = Arc::clone(&interrupts.seen);
        thread::spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
            });
            *seen.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
            seen.1.notify_all();
        });
        Ok(interrupts)
    }

    /// An error once somebody wants the end.
    pub(super) fn check(&self) -> Result<(), CliError> {
        self.pause(Duration::ZERO)
    }

    /// Waits, and not a moment longer than somebody who wants the end: that is an error.
    pub(super) fn pause(&self, time: Duration) -> Result<(), CliError> {
        let seen = self.seen.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.seen.1.wait_timeout_while(seen, time, |seen| !*seen);
        let (seen, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if *seen {
            let reason = "stopped before its end; both managers are shut down";
            return Err(CliError::new(FailureKind::Interrupted, "run the quickstart", reason));
        }
        Ok(())
    }

    /// Waits until somebody wants the end.
    pub(super) fn wait(&self) {
        let seen = self.seen.0.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.seen.1.wait_while(seen, |seen| !*seen).unwrap_or_else(PoisonError::into_inner));
    }
}

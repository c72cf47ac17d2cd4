//! Asking a running job to stop, and the point from which it can't be asked any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::model::CancelMode;

const RUNNING: u8 = 0;
const REQUESTED: u8 = 1;
const KILL: u8 = 2;
/// Past the point of no return: a request is refused.
const COMMITTED: u8 = 3;

/// Shared by a job and by whoever may cancel it. Clones are the same token.
#[derive(Clone, Debug, Default)]
pub struct CancelToken(Arc<AtomicU8>);

impl CancelToken {
    /// Asks the job to stop; answers false where it is past the point of no return. Run twice, it changes nothing.
    pub fn request(&self, mode: CancelMode) -> bool {
        let wanted = if mode == CancelMode::Kill { KILL } else { REQUESTED };
        self.0
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |state| {
                (state != COMMITTED).then(|| state.max(wanted))
            })
            .is_ok()
    }

    /// Whether the job was asked to stop.
    pub fn is_requested(&self) -> bool {
        matches!(self.0.load(Ordering::SeqCst), REQUESTED | KILL)
    }

    /// Passes the point of no return; answers false where the job was asked to stop before, and must stop.
    pub fn commit(&self) -> bool {
        self.0.compare_exchange(RUNNING, COMMITTED, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn either_the_request_or_the_commit_wins() {
        let token = CancelToken::default();
        assert!(token.request(CancelMode::Cancel) && token.is_requested());
        assert!(!token.commit());
        let token = CancelToken::default();
        assert!(token.commit());
        assert!(!token.request(CancelMode::Kill) && !token.is_requested());
    }
}

//! The one place that waits: for a condition, with a deadline.
//!
//! It must not know what is waited for.

use std::time::{Duration, Instant};

/// Asks `attempt` until it gives a value, and panics with `claim` after `seconds`.
pub fn eventually<T>(claim: &str, seconds: u64, mut attempt: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(seconds);
    loop {
        if let Some(value) = attempt() {
            return value;
        }
        assert!(Instant::now() < deadline, "waited {seconds} s in vain: {claim}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

//! What is counted while the service works, until the next time it measures itself.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// How long what was counted took.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Durations {
    /// How many.
    pub count: u64,
    /// All of them together, in milliseconds.
    pub sum: f64,
    /// The shortest, in milliseconds.
    pub min: f64,
    /// The longest, in milliseconds.
    pub max: f64,
}

/// Counters that are read and set back to nothing. Cheap enough for every request.
#[derive(Debug, Default)]
pub struct Meters {
    requests: Mutex<BTreeMap<&'static str, Durations>>,
    emits: Mutex<BTreeMap<&'static str, u64>>,
}

impl Meters {
    /// Counts a request of a face.
    pub fn request(&self, face: &'static str, took: Duration) {
        let milliseconds = took.as_secs_f64() * 1000.0;
        let mut requests = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let known = requests.entry(face).or_default();
        known.min = if known.count == 0 { milliseconds } else { known.min.min(milliseconds) };
        known.max = known.max.max(milliseconds);
        known.sum += milliseconds;
        known.count += 1;
    }

    /// Counts what runtimes emitted by a way.
    pub fn emits(&self, via: &'static str, count: u64) {
        *self.emits.lock().unwrap_or_else(PoisonError::into_inner).entry(via).or_default() += count;
    }

    /// What was counted since the last call, by face.
    pub(super) fn take_requests(&self) -> BTreeMap<&'static str, Durations> {
        std::mem::take(&mut *self.requests.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What was counted since the last call, by way. Ways that were used before are there with 0.
    pub(super) fn take_emits(&self) -> BTreeMap<&'static str, u64> {
        let mut emits = self.emits.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = emits.clone();
        emits.values_mut().for_each(|count| *count = 0);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_is_not_counted_again() {
        let meters = Meters::default();
        meters.request("flows", Duration::from_millis(2));
        meters.request("flows", Duration::from_millis(6));
        meters.emits("amqp", 3);
        let requests = meters.take_requests();
        assert_eq!(requests["flows"], Durations { count: 2, sum: 8.0, min: 2.0, max: 6.0 });
        assert!(meters.take_requests().is_empty());
        assert_eq!(meters.take_emits()["amqp"], 3);
        assert_eq!(meters.take_emits()["amqp"], 0);
    }
}

//! The delay after wrong passwords: for that user from that address, and for nobody else.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Wrong attempts that cost nothing, for fingers that slip.
const FREE: u32 = 3;
/// The longest delay.
const LONGEST: Duration = Duration::from_secs(10);
/// After this long without an attempt, the past is forgotten.
const FORGET: Duration = Duration::from_secs(900);
/// How many pairs of user and address are remembered; past it the oldest are forgotten.
const REMEMBERED: usize = 10_000;

type Who = (String, Option<IpAddr>);

/// Counts wrong attempts by user and address.
#[derive(Debug, Default)]
pub struct Throttle {
    failures: Mutex<HashMap<Who, (u32, Instant)>>,
}

impl Throttle {
    /// Waits as long as the wrong attempts so far ask for.
    pub async fn wait(&self, user: &str, address: Option<IpAddr>) {
        let delay = self.delay(user, address);
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
    }

    fn delay(&self, user: &str, address: Option<IpAddr>) -> Duration {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        match failures.get(&(user.to_owned(), address)) {
            Some((count, last)) if last.elapsed() < FORGET && *count >= FREE => {
                Duration::from_millis(250).saturating_mul(1 << (count - FREE).min(10)).min(LONGEST)
            }
            _ => Duration::ZERO,
        }
    }

    /// Counts a wrong attempt.
    pub fn failed(&self, user: &str, address: Option<IpAddr>) {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= REMEMBERED {
            failures.retain(|_, (_, last)| last.elapsed() < FORGET);
            if failures.len() >= REMEMBERED
                && let Some(oldest) =
                    failures.iter().min_by_key(|(_, (_, last))| *last).map(|(who, _)| who.clone())
            {
                failures.remove(&oldest);
            }
        }
        let entry = failures.entry((user.to_owned(), address)).or_insert((0, Instant::now()));
        *entry = (entry.0.saturating_add(1), Instant::now());
    }

    /// Forgets the wrong attempts of this user from this address.
    pub fn succeeded(&self, user: &str, address: Option<IpAddr>) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(&(user.to_owned(), address));
    }

    /// Forgets the wrong attempts of this user from anywhere; answers whether they had begun to cost time.
    pub fn forget(&self, user: &str) -> bool {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        let is_slowed = |(count, last): &(u32, Instant)| *count >= FREE && last.elapsed() < FORGET;
        let was_slowed = failures.iter().any(|((name, _), failed)| name == user && is_slowed(failed));
        failures.retain(|(name, _), _| name != user);
        was_slowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_grows_for_one_user_and_address_and_a_success_resets_it() {
        let throttle = Throttle::default();
        let here: Option<IpAddr> = "127.0.0.1".parse().ok();
        let there: Option<IpAddr> = "127.0.0.2".parse().ok();
        let mut last = Duration::ZERO;
        for attempt in 0..20 {
            assert_eq!(throttle.delay("ann", here).is_zero(), attempt < FREE);
            assert!(throttle.delay("ann", here) >= last);
            last = throttle.delay("ann", here);
            throttle.failed("ann", here);
        }
        assert_eq!(last, LONGEST);
        assert!(throttle.delay("ann", there).is_zero() && throttle.delay("bob", here).is_zero());
        throttle.succeeded("ann", here);
        assert!(throttle.delay("ann", here).is_zero());
        assert!(!throttle.forget("ann"));
        (0..=FREE).for_each(|_| throttle.failed("ann", there));
        assert!(throttle.forget("ann") && throttle.delay("ann", there).is_zero());
    }
}

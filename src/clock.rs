//! What time it is, for what happens at a time: handed on from the one place where everything is built.

use std::fmt;
use std::sync::Arc;

use crate::model::Timestamp;

/// A clock. Clones are the same one.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The system's clock. With the feature `failpoints`, the file that the variable `LIFEBOAT_CLOCK_FILE` names says the
    /// time instead, as long as it holds one.
    pub fn system() -> Self {
        #[cfg(feature = "failpoints")]
        if let Some(file) = std::env::var_os("LIFEBOAT_CLOCK_FILE") {
            return Self::new(move || {
                let text = std::fs::read_to_string(&file).unwrap_or_default();
                Timestamp::parse(text.trim()).unwrap_or_else(Timestamp::now)
            });
        }
        Self::new(Timestamp::now)
    }

    /// A clock that shows what `now` answers.
    pub fn new(now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(now))
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Clock({})", self.now())
    }
}

//! How many files and connections the process may have open at once.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// More than these are never asked for.
const MOST: u64 = 65_536;

/// Asks the system for as many as it gives. Run twice, it changes nothing.
///
/// # Errors
/// The system's own.
pub fn raise_limit() -> std::io::Result<()> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.map_or(MOST, |maximum| maximum.min(MOST));
    if current.is_some_and(|current| current < wanted) {
        setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum })?;
    }
    Ok(())
}

/// How many connections there may be: a third of all, as each may need a file of its own, and the work needs files too.
pub fn most_connections() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(MOST).min(MOST) / 3
}

//! Named places where a test can kill, stop or hold the process; without the feature `failpoints` they are nothing.
//!
//! `LIFEBOAT_FAILPOINTS=NAME=ACTION,…` with the actions `kill` (SIGKILL to itself), `fail` (the step fails) and
//! `hold:PATH` (the step waits, open to a cancel, while the file exists).

use crate::executions::{Job, JobError};

/// Does what the variable says for the place `name`.
///
/// # Errors
/// A cancel while it holds; the injected failure.
#[cfg(feature = "failpoints")]
pub fn hit(name: &str, job: &Job) -> Result<(), JobError> {
    let Ok(plan) = std::env::var("LIFEBOAT_FAILPOINTS") else { return Ok(()) };
    for (_, action) in
        plan.split(',').filter_map(|entry| entry.split_once('=')).filter(|(place, _)| *place == name)
    {
        match action.split_once(':') {
            Some(("hold", path)) => {
                while std::path::Path::new(path).exists() {
                    job.check()?;
                    std::thread::sleep(std::time::Duration::from_millis(10));
                }
            }
            _ if action == "fail" => return Err(JobError::Failed(format!("injected failure at {name}"))),
            _ => {
                let _ =
                    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
            }
        }
    }
    Ok(())
}

/// Nothing.
///
/// # Errors
/// Never.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub fn hit(_name: &str, _job: &Job) -> Result<(), JobError> {
    Ok(())
}

/// Kills the process at the place `name` if the variable says so: for places where no job runs.
#[cfg(feature = "failpoints")]
pub fn pass(name: &str) {
    let Ok(plan) = std::env::var("LIFEBOAT_FAILPOINTS") else { return };
    if plan.split(',').any(|entry| entry.split_once('=') == Some((name, "kill"))) {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

/// Nothing.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub fn pass(_name: &str) {}

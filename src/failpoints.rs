//! Named places where a test can kill, stop or hold the process; without the feature `failpoints` they are nothing.
//!
//! `LIFEBOAT_FAILPOINTS=NAME=ACTION,…` with the actions `kill` (SIGKILL to itself), `fail` (the step fails),
//! `hold:PATH` (the step waits, open to a cancel, while the file exists, and says its name in `PATH.at`), `block:PATH` (the
//! same, deaf to a cancel) and `step:PATH` (it waits for the file and takes it away, so that each pass takes one). Every name stands in one case of `tests/integration/kills`, which kills the
//! process there.

use crate::executions::{Job, JobError};

/// Does what the variable says for the place `name`.
///
/// # Errors
/// A cancel while it holds; the injected failure.
#[cfg(feature = "failpoints")]
pub fn hit(name: &str, job: &Job) -> Result<(), JobError> {
    act(name, &|| job.check())
}

/// [`hit`] where no job runs: such a place can't fail, and is not open to a cancel.
#[cfg(feature = "failpoints")]
pub fn here(name: &str) {
    let _ = act(name, &|| Ok(()));
}

#[cfg(feature = "failpoints")]
fn act(name: &str, check: &dyn Fn() -> Result<(), JobError>) -> Result<(), JobError> {
    let Ok(plan) = std::env::var("LIFEBOAT_FAILPOINTS") else { return Ok(()) };
    for (_, action) in
        plan.split(',').filter_map(|entry| entry.split_once('=')).filter(|(place, _)| *place == name)
    {
        match action.split_once(':') {
            Some((waits @ ("hold" | "block"), path)) => {
                if std::path::Path::new(path).exists() {
                    let _ = std::fs::write(format!("{path}.at"), name);
                }
                while std::path::Path::new(path).exists() {
                    if waits == "hold" {
                        check()?;
                    }
                    std::thread::sleep(std::time::Duration::from_millis(10));
                }
            }
            Some(("step", path)) => {
                while std::fs::remove_file(path).is_err() {
                    check()?;
                    std::thread::sleep(std::time::Duration::from_millis(5));
                }
            }
            _ if action == "fail" => return Err(JobError::Failed(format!("injected failure at {name}"))),
            _ => {
                let _ =
                    rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
                // The signal may come a moment later; nothing may happen meanwhile.
                loop {
                    std::thread::park();
                }
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

/// Nothing.
#[cfg(not(feature = "failpoints"))]
#[inline]
pub fn here(_name: &str) {}

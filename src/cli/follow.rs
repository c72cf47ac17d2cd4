//! Follows an execution, or what else the service does by itself, to its end, and says how it ended.
//!
//! Only watches: whatever happens here, Ctrl-C and a lost connection among it,
//! the execution goes on in the service.

use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};

use super::connection::{Call, Service};
use super::error::CliError;
use super::output::{Output, field, note};
use super::progress::{self, Phases};

/// How long a service that has answered before is waited for.
const PATIENCE: Duration = Duration::from_secs(120);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// The exit code after Ctrl-C, as shells have it.
const INTERRUPTED: i32 = 130;

/// How people are told of an execution that was begun.
pub struct Words<'a> {
    /// For the error: "restore snapshot `a`".
    pub doing: &'a str,
    /// Before the progress: "restoring `a`".
    pub label: &'a str,
    /// When it has ended well.
    pub success: &'a str,
}

/// Shows the execution that was begun, at once or when it has ended.
///
/// # Errors
/// Those of [`wait`] and [`outcome`].
pub fn finish(
    service: &Service,
    output: &Output,
    execution: &Value,
    is_awaited: bool,
    words: &Words<'_>,
) -> Result<(), CliError> {
    let id = field(execution, "id");
    if !is_awaited {
        output.show(execution, |execution| format!("execution `{id}` is {}", field(execution, "status")));
        if !output.is_json() {
            note(&format!("follow it with: {}", tail(service, &id)));
        }
        return Ok(());
    }
    let ended = wait(service, &id, words.label)?;
    let outcome = outcome(words.doing, &ended);
    if output.is_json() {
        output.show(&ended, |_| String::new());
    } else if outcome.is_ok() {
        output.line(words.success);
    }
    outcome
}

/// Waits for the end of an execution, showing its progress on stderr; answers its last record.
///
/// # Errors
/// Those of [`follow`]; one that ended without success is no error here, see [`outcome`].
pub fn wait(service: &Service, id: &str, label: &str) -> Result<Value, CliError> {
    let mut phases = Phases::new(label);
    follow(service, id, &mut |execution| {
        phases.show(execution);
        Ok(())
    })
}

/// Reads an execution again and again and hands each reading to `each`, until it has ended.
///
/// What `each` does after the last reading sees everything that the execution did.
///
/// # Errors
/// Where the service does not know the execution, or gives no answer at first or later for two minutes.
pub fn follow(
    service: &Service,
    id: &str,
    each: &mut dyn FnMut(&Value) -> Result<(), CliError>,
) -> Result<Value, CliError> {
    let advice = how_to_go_on(service, id);
    let flag = service.tenant_flag();
    let watched = Watched {
        doing: format!("follow execution `{id}`"),
        path: &["executions", id],
        is_ended,
        on_interrupt: format!("{advice}, cancel it with `lifeboat execution cancel {id}{flag}`"),
        advice,
    };
    watch(service, &watched, each)
}

/// Something of the service that goes on by itself, and is read until it has ended.
pub struct Watched<'a> {
    /// For the error: "follow execution `e`".
    pub doing: String,
    /// Where its record is.
    pub path: &'a [&'a str],
    /// Whether a record is its last one.
    pub is_ended: fn(&Value) -> bool,
    /// That it goes on, and how to come back to it.
    pub advice: String,
    /// The same, for who presses Ctrl-C.
    pub on_interrupt: String,
}

/// Reads a record again and again and hands each reading to `each`, until it is the last one.
///
/// # Errors
/// Where the service does not know it, or gives no answer at first or later for two minutes.
pub fn watch(
    service: &Service,
    watched: &Watched<'_>,
    each: &mut dyn FnMut(&Value) -> Result<(), CliError>,
) -> Result<Value, CliError> {
    announce_on_interrupt(&watched.doing, &watched.on_interrupt)?;
    let mut pause = FIRST_PAUSE;
    let mut last_answer: Option<Instant> = None;
    let mut is_told = false;
    loop {
        let call = Call::get(&watched.doing, watched.path);
        let reading = service.call(call).and_then(|record| each(&record).map(|()| record));
        match reading {
            Ok(record) if (watched.is_ended)(&record) => return Ok(record),
            Ok(_) => (last_answer, is_told) = (Some(Instant::now()), false),
            // It was there, so it may be starting again.
            Err(error) if error.is_passing() && last_answer.is_some_and(|last| last.elapsed() < PATIENCE) => {
                if !is_told {
                    note(&format!("lifeboat: {error}; trying again for two minutes"));
                    is_told = true;
                }
            }
            Err(error) => return Err(error.advising(&watched.advice)),
        }
        thread::sleep(pause);
        pause = (pause * 3 / 2).min(LONGEST_PAUSE);
    }
}

/// Success, or what went wrong with the execution that was to do `doing`.
///
/// # Errors
/// Where it failed or was cancelled.
pub fn outcome(doing: &str, execution: &Value) -> Result<(), CliError> {
    let error = field(execution, "error");
    let because = |what: &str| {
        let id = field(execution, "id");
        // Cloudify's own executions fail with a whole traceback, whose last line is the message.
        let reason = error.lines().rfind(|line| !line.trim().is_empty()).unwrap_or(what).trim();
        let reason = if reason == what { format!("execution `{id}` was {what}") } else { reason.to_owned() };
        CliError::failed(doing, reason)
    };
    match field(execution, "status").as_str() {
        "terminated" => Ok(()),
        "cancelled" => Err(because("cancelled")),
        "failed" => Err(because("failed")),
        other => Err(CliError::failed(doing, format!("the execution is {other}"))),
    }
}

fn is_ended(execution: &Value) -> bool {
    execution["status"].as_str().is_some_and(|status| progress::END.contains(&status))
}

/// The command that follows an execution.
pub fn tail(service: &Service, id: &str) -> String {
    format!("lifeboat execution tail {id}{}", service.tenant_flag())
}

fn how_to_go_on(service: &Service, id: &str) -> String {
    format!("the execution goes on; follow it with `{}`", tail(service, id))
}

/// Makes Ctrl-C say that what is watched goes on, and end the process.
fn announce_on_interrupt(doing: &str, what_goes_on: &str) -> Result<(), CliError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| CliError::from_error(doing, &error))?;
    let mut interrupts = {
        let _entered = runtime.enter();
        signal(SignalKind::interrupt()).map_err(|error| CliError::from_error(doing, &error))?
    };
    let message = format!("\nlifeboat: no longer waiting; {what_goes_on}");
    thread::spawn(move || {
        runtime.block_on(interrupts.recv());
        note(&message);
        leave();
    });
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the thread that reads the answer cannot be asked to stop")]
fn leave() -> ! {
    std::process::exit(INTERRUPTED)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_terminated_execution_is_a_success() {
        assert!(outcome("x", &json!({"status": "terminated", "error": ""})).is_ok());
        let failed = json!({"id": "e", "status": "failed", "error": "Traceback:\n  line\nno space left\n"});
        assert_eq!(outcome("create `a`", &failed).unwrap_err().to_string(), "create `a`: no space left");
        let cancelled = json!({"id": "e", "status": "cancelled", "error": null});
        let error = outcome("create `a`", &cancelled).unwrap_err();
        assert_eq!(error.to_string(), "create `a`: execution `e` was cancelled");
        assert_eq!(error.kind.exit_code(), 1);
    }
}

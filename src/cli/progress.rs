//! Shows on stderr how far something is: a bar on a terminal, now and then a line elsewhere.
//!
//! Only shows; what is shown is told by the caller.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{HumanBytes, ProgressBar, ProgressStyle};
use serde_json::Value;

use super::output::{field, note, printable};

/// How often a line is written where there is no terminal.
const LINE_EVERY: Duration = Duration::from_secs(5);
/// How often a bar that has nothing new to show still moves.
const TICK: Duration = Duration::from_millis(120);

/// The statuses of an execution that nothing follows.
pub const END: [&str; 3] = ["terminated", "failed", "cancelled"];

fn bar(length: Option<u64>, label: &str) -> Option<ProgressBar> {
    if !io::stderr().is_terminal() {
        return None;
    }
    let bar = length.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    bar.set_prefix(printable(label));
    set_style(&bar, if length.is_some() { BYTES } else { NO_LENGTH });
    bar.enable_steady_tick(TICK);
    Some(bar)
}

const BYTES: &str =
    "{spinner} {prefix} [{bar:24}] {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {msg}";
const OPERATIONS: &str = "{spinner} {prefix} [{bar:24}] {pos}/{len} operations {msg}";
const NO_LENGTH: &str = "{spinner} {prefix} {msg}";

fn set_style(bar: &ProgressBar, template: &str) {
    let style = ProgressStyle::with_template(template).expect("our templates are well formed");
    bar.set_style(style.progress_chars("=> "));
}

/// The progress of bytes: a transfer, a file that is read.
pub struct Bytes {
    label: String,
    total: Option<u64>,
    bar: Option<ProgressBar>,
    last_line: Instant,
}

impl Bytes {
    /// Begins at none of `total` bytes.
    pub fn new(label: impl Into<String>, total: Option<u64>) -> Self {
        let label = label.into();
        Self { bar: bar(total, &label), label, total, last_line: Instant::now() }
    }

    /// Says how many bytes are done.
    pub fn set(&mut self, done: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(done);
        } else if self.last_line.elapsed() >= LINE_EVERY {
            self.last_line = Instant::now();
            let of = self.total.map(|total| format!(" of {}", HumanBytes(total))).unwrap_or_default();
            note(&format!("{}: {}{of}", self.label, HumanBytes(done)));
        }
    }

    /// Says how many bytes there are, once it is known.
    pub fn set_total(&mut self, total: u64) {
        if self.total != Some(total) {
            self.total = Some(total);
            if let Some(bar) = &self.bar {
                bar.set_length(total);
                set_style(bar, BYTES);
            }
        }
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// The progress of an execution, from its record: status, phase, bytes or operations.
pub struct Phases {
    label: String,
    bar: Option<ProgressBar>,
    said: String,
    last_line: Instant,
}

impl Phases {
    /// Begins with nothing known.
    pub fn new(label: impl Into<String>) -> Self {
        let label = label.into();
        Self { bar: bar(None, &label), label, said: String::new(), last_line: Instant::now() }
    }

    /// Shows where the execution stands.
    pub fn show(&mut self, execution: &Value) {
        let stage = stage(execution);
        let count = |name: &str| execution[name].as_u64().unwrap_or(0);
        let (done, total) = (count("done_bytes"), count("total_bytes"));
        let (finished, operations) = (count("finished_operations"), count("total_operations"));
        let Some(bar) = &self.bar else {
            return self.write(&stage, (done, total), (finished, operations));
        };
        let (template, position, length) = match (total, operations) {
            (0, 0) => (NO_LENGTH, 0, 0),
            (0, _) => (OPERATIONS, finished, operations),
            (_, _) => (BYTES, done, total),
        };
        bar.set_length(length);
        bar.set_position(position);
        if self.said != format!("{stage}{template}") {
            self.said = format!("{stage}{template}");
            set_style(bar, template);
            // The speed of one phase says nothing of the next.
            bar.reset_eta();
        }
        bar.set_message(stage);
    }

    /// Runs `print` while no bar is in the way.
    pub fn aside(&self, print: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    fn write(&mut self, stage: &str, bytes: (u64, u64), operations: (u64, u64)) {
        if self.said == stage && self.last_line.elapsed() < LINE_EVERY {
            return;
        }
        self.last_line = Instant::now();
        stage.clone_into(&mut self.said);
        let count = match (bytes, operations) {
            ((0, 0), (0, 0)) => String::new(),
            // How far it was when it ended is no progress any more.
            _ if END.contains(&stage) => String::new(),
            ((0, 0), (finished, all)) => format!(", {finished} of {all} operations"),
            ((done, 0), _) => format!(", {}", HumanBytes(done)),
            ((done, total), _) => format!(", {} of {}", HumanBytes(done), HumanBytes(total)),
        };
        note(&printable(&format!("{}: {stage}{count}", self.label)));
    }
}

impl Drop for Phases {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// The status of an execution, with its phase while it runs.
pub fn stage(execution: &Value) -> String {
    let (status, phase) = (field(execution, "status"), field(execution, "phase"));
    match (status.as_str(), phase.as_str()) {
        (_, "") => status,
        (end, _) if END.contains(&end) => status,
        ("started", phase) => phase.to_owned(),
        (status, phase) => format!("{status}, {phase}"),
    }
}

//! The system calls of a running server, written down or made to fail by `strace`.
//!
//! It must not know which calls are right.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::clients::installed;
use super::{TestServer, eventually};

/// How much of what is written is kept: whole pages of a database.
const TEXT_BYTES: &str = "4200";

/// A tracer that is attached to a server. Dropped, it lets go of it.
pub struct Strace {
    child: Child,
    output: PathBuf,
}

/// A system call that has ended.
#[derive(Clone)]
pub struct Call {
    pub name: String,
    /// Its arguments and its result, as strace writes them; files by their paths.
    pub text: String,
    /// Where it began and ended, in the order of all calls.
    pub begun: usize,
    pub ended: usize,
}

impl Strace {
    /// The program itself.
    pub fn command() -> Command {
        Command::new(installed("LIFEBOAT_TEST_STRACE"))
    }

    /// Writes down these calls, with what they write.
    pub fn record(server: &TestServer, calls: &[&str]) -> Self {
        Self::attach(server, &[format!("--trace={}", calls.join(","))], &[])
    }

    /// Lets these calls on `paths` fail with `error`: all of them, or those that `when` says, which counts in each thread.
    pub fn inject(
        server: &TestServer,
        calls: &[&str],
        error: &str,
        when: Option<&str>,
        paths: &[PathBuf],
    ) -> Self {
        let calls = calls.join(",");
        let when = when.map(|when| format!(":when={when}")).unwrap_or_default();
        let arguments = [format!("--trace={calls}"), format!("--inject={calls}:error={error}{when}")];
        Self::attach(server, &arguments, paths)
    }

    fn attach(server: &TestServer, arguments: &[String], paths: &[PathBuf]) -> Self {
        let output = server.scratch().join("strace");
        let mut command = Self::command();
        command.args(["--follow-forks", "--decode-fds=path", "--string-limit", TEXT_BYTES]);
        command.args(arguments);
        for path in paths {
            command.arg(format!("--trace-path={}", path.display()));
        }
        command.arg("--output").arg(&output).arg("--attach").arg(server.pid().to_string());
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut strace = Self { child, output };
        eventually("strace has all threads of the server", 30, || {
            if let Some(status) = strace.child.try_wait().unwrap() {
                panic!("strace ended: {status}; the tests of faults of the disk have to be run as root");
            }
            is_traced(server.pid()).then_some(())
        });
        strace
    }

    /// Lets go of the server, and gives the calls in the order in which they ended.
    pub fn end(mut self) -> Vec<Call> {
        self.let_go();
        read_calls(&self.output)
    }

    fn let_go(&mut self) {
        if self.child.try_wait().unwrap().is_none() {
            kill_process(Pid::from_child(&self.child), Signal::INT).unwrap();
            self.child.wait().unwrap();
        }
    }
}

impl Drop for Strace {
    fn drop(&mut self) {
        self.let_go();
    }
}

fn is_traced(pid: u32) -> bool {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    tasks.flatten().all(|task| {
        // A thread that ends meanwhile needs no tracer.
        let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
        !status.contains("TracerPid:\t0\n")
    })
}

fn read_calls(output: &Path) -> Vec<Call> {
    let text = String::from_utf8_lossy(&fs::read(output).unwrap()).into_owned();
    let mut calls = Vec::new();
    let mut open: HashMap<&str, (usize, String)> = HashMap::new();
    for (number, line) in text.lines().enumerate() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if let Some(begun) = rest.strip_suffix(" <unfinished ...>") {
            open.insert(thread, (number, begun.to_owned()));
            continue;
        }
        let (begun, whole) = match rest.strip_prefix("<... ") {
            Some(resumed) => {
                let Some((begun, first)) = open.remove(thread) else { continue };
                (begun, first + resumed.split_once('>').map_or("", |(_, rest)| rest))
            }
            None => (number, rest.to_owned()),
        };
        // Signals and ends of threads are no calls.
        let Some((name, text)) = whole.split_once('(').filter(|_| !whole.starts_with(['-', '+'])) else {
            continue;
        };
        calls.push(Call { name: name.to_owned(), text: text.to_owned(), begun, ended: number });
    }
    calls
}

impl fmt::Debug for Call {
    /// Without the pages that it writes.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text: Vec<char> = self.text.chars().collect();
        let [start, end] = [&text[..text.len().min(160)], &text[text.len().saturating_sub(40)..]];
        let [start, end]: [String; 2] = [start.iter().collect(), end.iter().collect()];
        write!(formatter, "{}..{} {}({start} … {end}", self.begun, self.ended, self.name)
    }
}

impl Call {
    /// Whether it is of this name, or one of those, and names the path.
    pub fn is(&self, names: &[&str], path: &str) -> bool {
        names.contains(&self.name.as_str()) && self.text.contains(path)
    }

    /// Whether it failed by the tracer's doing.
    pub fn is_injected(&self) -> bool {
        self.text.ends_with("(INJECTED)")
    }
}

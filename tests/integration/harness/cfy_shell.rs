//! `cfy` asked many things in turn, each in a process of its own that need not import everything anew.
//!
//! It notes which commands and options were asked for; it must not know what they answer.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use serde_json::{Value, json};

use super::clients::{Cfy, Finished, installed, script};

/// Seconds that one command may take, on a machine that is busy.
const COMMAND_SECONDS: u64 = 90;

/// The names of options, by the command that has them.
type Options = BTreeMap<String, BTreeSet<String>>;

/// A `cfy` with a profile that stays up between commands.
pub struct CfyShell {
    cfy: Cfy,
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    offered: Options,
    used: Options,
}

impl CfyShell {
    /// Starts with the profile that `cfy` uses.
    pub fn start(cfy: Cfy) -> Self {
        let mut child = cfy
            .program(&installed("LIFEBOAT_TEST_PYTHON_COMMON"), &[&script("cfy_shell.py")])
            .env("PYTHONWARNINGS", "ignore")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let requests = child.stdin.take().expect("it was piped");
        let answers = BufReader::new(child.stdout.take().expect("it was piped"));
        let mut shell = Self { cfy, child, requests, answers, offered: Options::new(), used: Options::new() };
        shell.offered = serde_json::from_value(shell.ask(&json!({ "tree": true }))).unwrap();
        shell
    }

    /// Runs a command as a person types it, and waits for its end.
    pub fn run(&mut self, line: &str) -> Finished {
        let answer = self.ask(&json!({ "run": line, "seconds": COMMAND_SECONDS }));
        let text = |key: &str| answer[key].as_str().unwrap().to_owned();
        let options =
            answer["options"].as_array().unwrap().iter().map(|name| name.as_str().unwrap().to_owned());
        self.used.entry(text("command")).or_default().extend(options);
        let code = answer["code"].as_i64().and_then(|code| i32::try_from(code).ok()).unwrap();
        let finished =
            Finished { command: format!("cfy {line}"), code, stdout: text("stdout"), stderr: text("stderr") };
        println!("$ {}\n{}", finished.command, finished.all());
        finished
    }

    /// Runs a command that prints JSON, and reads it.
    pub fn json(&mut self, line: &str) -> Value {
        let finished = self.run(&format!("--json {line}")).success();
        serde_json::from_str(&finished.stdout)
            .unwrap_or_else(|error| panic!("{}: not JSON ({error}): {}", finished.command, finished.stdout))
    }

    /// Whether a command has an option.
    pub fn offers(&self, command: &str, option: &str) -> bool {
        self.offered.get(command).is_some_and(|options| options.contains(option))
    }

    /// The commands that were never run, and the options that were never given to one that has them.
    pub fn unused(&self) -> (Vec<String>, Vec<String>) {
        let unused = |command: &String| !self.used.contains_key(command);
        let commands = self.offered.keys().filter(|command| unused(command)).cloned().collect();
        let options =
            self.offered.iter().filter(|(command, _)| !unused(command)).flat_map(|(command, options)| {
                options.difference(&self.used[command]).map(move |option| format!("{command} {option}"))
            });
        (commands, options.collect())
    }

    /// The folder in which commands run and downloads land.
    pub fn home(&self) -> &Path {
        self.cfy.home()
    }

    fn ask(&mut self, request: &Value) -> Value {
        writeln!(self.requests, "{request}").unwrap();
        self.requests.flush().unwrap();
        let mut answer = String::new();
        self.answers.read_line(&mut answer).unwrap();
        serde_json::from_str(&answer).unwrap_or_else(|error| panic!("{request}: {error}: {answer:?}"))
    }
}

impl Drop for CfyShell {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

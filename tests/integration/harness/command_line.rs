//! The command line of Lifeboat itself, as a shell runs it: stdout, stderr and the exit code.
//!
//! It must not know what is claimed of any command.

use std::process::{Command, Output, Stdio};

use serde_json::Value;

use super::{ADMIN_PASSWORD, TestServer};

/// The binary with a clean environment, which talks to `url` as `admin`.
pub fn lifeboat_at(url: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lifeboat"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("LIFEBOAT_") {
            command.env_remove(name);
        }
    }
    command
        .args(arguments)
        .env("LIFEBOAT_URL", url)
        .env("LIFEBOAT_USER", "admin")
        .env("LIFEBOAT_PASSWORD", ADMIN_PASSWORD)
        .stdin(Stdio::null());
    command
}

/// The binary, which talks to `server` and runs in its scratch folder.
pub fn lifeboat(server: &TestServer, arguments: &[&str]) -> Command {
    let mut command = lifeboat_at(&format!("http://127.0.0.1:{}", server.port()), arguments);
    command.current_dir(server.scratch());
    command
}

/// Runs a command to its end; it must not break.
pub fn run(mut command: Command) -> Output {
    let output = command.output().unwrap();
    println!("$ {command:?}\n{}{}", stdout(&output), stderr(&output));
    assert!(!stderr(&output).contains("panicked"), "{command:?} broke");
    output
}

/// What it printed as its result.
pub fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What it said beside the result.
pub fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Runs a command that has to work, and reads the one document that it prints.
pub fn document(server: &TestServer, arguments: &[&str]) -> Value {
    let mut arguments = arguments.to_vec();
    arguments.push("--json");
    let output = run(lifeboat(server, &arguments));
    assert_eq!(output.status.code(), Some(0), "{arguments:?}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{arguments:?}: {error}"))
}

/// Runs a command that has to fail with `code` and one line that says all of `words`; gives what it printed.
pub fn fails(command: Command, code: i32, words: &[&str]) -> String {
    let output = run(command);
    assert_eq!(output.status.code(), Some(code), "{}", stderr(&output));
    let said = stderr(&output);
    let line = said.lines().last().unwrap_or_default();
    assert!(line.starts_with("lifeboat: "), "{said}");
    for word in words {
        assert!(line.contains(word), "does not say {word:?}: {line}");
    }
    stdout(&output)
}

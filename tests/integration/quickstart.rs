//! `lifeboat quickstart`: the tour, what it leaves behind, and that it stays where it is asked to.
//!
//! It looks at what somebody sees who tries the program for the first time.

use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::harness::{Api, eventually};

/// The tour in `folder`, with a folder for temporary files of its own in it.
fn quickstart(folder: &Path, arguments: &[&str]) -> Command {
    let temporary = folder.join("temporary");
    fs::create_dir_all(&temporary).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_lifeboat"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("LIFEBOAT_") {
            command.env_remove(name);
        }
    }
    command
        .arg("quickstart")
        .args(arguments)
        .current_dir(folder)
        .env("TMPDIR", temporary)
        // A tour needs no settings, and none may change it.
        .env("LIFEBOAT_SERVER__LISTEN", "no address")
        .env("LIFEBOAT_TENANT", "elsewhere")
        .stdin(Stdio::null());
    command
}

fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn exit_code(mut child: Child) -> Option<i32> {
    eventually("the quickstart ends", 60, || child.try_wait().unwrap()).code()
}

#[test]
fn two_managers_end_up_equal_and_nothing_is_left_behind() {
    let folder = TempDir::new().unwrap();
    let output = quickstart(folder.path(), &[]).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    println!("{said}{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0));
    let rows: Vec<Vec<&str>> = said
        .lines()
        .skip_while(|line| !line.contains("EQUAL"))
        .skip(1)
        .take_while(|line| !line.trim().is_empty())
        .map(|line| line.split_whitespace().collect())
        .collect();
    let kinds = [
        "tenants",
        "sites",
        "deployments",
        "groups",
        "filters",
        "schedules",
        "instances",
        "plugins",
        "agents",
        "secrets",
        "executions",
        "flows",
        "charts",
        "metrics",
    ];
    for kind in kinds {
        let row = rows.iter().find(|row| row[..row.len() - 3].last() == Some(&kind));
        let row = row.unwrap_or_else(|| panic!("no row for {kind}: {rows:?}"));
        let [first, second, equal] = row[row.len() - 3..] else { panic!("{row:?}") };
        assert_ne!(first, "0", "the sample has no {kind}");
        assert_eq!((first, equal), (second, "yes"), "{kind}");
    }
    assert!(said.contains("The two managers are equal"));
    assert!(said.lines().all(|line| line.chars().count() <= 80), "too wide for a terminal");
    assert_eq!(names_in(folder.path()), ["temporary"]);
    assert!(names_in(&folder.path().join("temporary")).is_empty());
}

#[test]
fn with_keep_both_serve_until_sigterm_and_their_data_stays() {
    let folder = TempDir::new().unwrap();
    let mut child = quickstart(folder.path(), &["--keep"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let said: Vec<String> = lines
        .by_ref()
        .inspect(|line| println!("{line}"))
        .take_while(|line| !line.contains("lifeboat snapshot list"))
        .collect();
    assert!(said.iter().all(|line| line.chars().count() <= 80), "too wide for a terminal");
    let mut tried = Command::new(env!("CARGO_BIN_EXE_lifeboat"));
    tried.args(["snapshot", "list", "--json"]);
    for line in &said {
        if let Some((name, value)) = line.trim().strip_prefix("export ").and_then(|set| set.split_once('=')) {
            tried.env(name, value);
        }
    }
    let listed = tried.output().unwrap();
    assert_eq!(listed.status.code(), Some(0), "{}", String::from_utf8_lossy(&listed.stderr));
    assert!(String::from_utf8_lossy(&listed.stdout).contains("\"quickstart\""));
    let logins: Vec<Vec<String>> = said
        .iter()
        .filter(|line| line.contains("password "))
        .map(|line| line.split_whitespace().map(str::to_owned).collect())
        .collect();
    assert_eq!(logins.len(), 2);
    for login in &logins {
        let [_, url, _, user, _, password] = login.as_slice() else { panic!("{login:?}") };
        let port = url.rsplit(':').next().unwrap().parse().unwrap();
        let snapshots = Api::new(port).login(user, password).get("snapshots").items();
        assert_eq!(snapshots[0]["id"], "quickstart");
    }
    let second = quickstart(folder.path(), &["--keep"]).output().unwrap();
    assert_eq!(second.status.code(), Some(1), "a folder in use was taken");
    assert!(String::from_utf8_lossy(&second.stderr).contains("another quickstart"));

    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    lines.for_each(drop);
    assert_eq!(exit_code(child), Some(0));
    let kept = folder.path().join("lifeboat-quickstart");
    assert_eq!(names_in(&kept), ["first", "made-by-lifeboat-quickstart", "quickstart.zip", "second"]);
}

#[test]
fn an_interrupt_ends_the_tour_and_takes_its_files_away() {
    let folder = TempDir::new().unwrap();
    let mut child = quickstart(folder.path(), &[]).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("Started a manager") {
        line.clear();
        assert_ne!(said.read_line(&mut line).unwrap(), 0, "it ended by itself");
    }
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    said.read_to_string(&mut line).unwrap();
    assert_eq!(exit_code(child), Some(130), "{line}");
    assert!(names_in(&folder.path().join("temporary")).is_empty());
}

#[test]
fn a_folder_of_somebody_else_is_left_alone() {
    let folder = TempDir::new().unwrap();
    let kept = folder.path().join("lifeboat-quickstart");
    fs::create_dir(&kept).unwrap();
    fs::write(kept.join("letter.txt"), "mine").unwrap();
    let output = quickstart(folder.path(), &["--keep"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no quickstart made it"));
    assert_eq!(names_in(&kept), ["letter.txt"]);
}

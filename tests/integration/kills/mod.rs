//! A kill at every named step of everything that takes several, and once more inside the recovery from it.
//!
//! The steps are the failpoints of the service; each stands in one table (`cases`), and one that does not fails a test.
//! After every kill and restart the same invariants hold (the harness' `invariants`), and the state is the one before or the one after.

mod cases;
mod scene;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use cases::{CASES, Case, Deed};
use scene::scene;

/// Kills a server at each step of a deed, and looks at what comes up again.
fn kill_at_each_step_of(deeds: &[Deed]) {
    let cases: Vec<&Case> = CASES.iter().filter(|case| deeds.contains(&case.deed)).collect();
    assert!(!cases.is_empty());
    for case in cases {
        let begun = std::time::Instant::now();
        scene().play(case);
        println!("{case}: {:?}", begun.elapsed());
    }
}

#[test]
fn a_create() {
    kill_at_each_step_of(&[Deed::Create, Deed::CreatePausing, Deed::CreateSpooling]);
}

#[test]
fn an_upload() {
    kill_at_each_step_of(&[Deed::Upload, Deed::UploadRefused, Deed::Fetch]);
}

#[test]
fn a_delete() {
    kill_at_each_step_of(&[Deed::Delete]);
}

#[test]
fn a_restore() {
    kill_at_each_step_of(&[Deed::Restore, Deed::RestoreAgain, Deed::Select]);
}

#[test]
fn a_rollback() {
    kill_at_each_step_of(&[Deed::Rollback]);
}

#[test]
fn what_is_done_to_a_flow() {
    kill_at_each_step_of(&[Deed::Capture, Deed::RestoreFlow, Deed::Undo]);
}

#[test]
fn what_is_drawn_compared_run_or_put_in() {
    kill_at_each_step_of(&[
        Deed::Plan,
        Deed::PlanSelection,
        Deed::Diff,
        Deed::Reseal,
        Deed::Verify,
        Deed::Render,
        Deed::RunWorkflow,
        Deed::AddPlugin,
        Deed::UpdatePlugins,
    ]);
}

/// The names of failpoints in the code of the service.
fn failpoints(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            failpoints(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            for call in ["failpoints::hit(\"", "failpoints::here(\""] {
                let names = text.split(call).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
                found.extend(names);
            }
        }
    }
}

#[test]
fn every_failpoint_has_a_case() {
    let mut named = BTreeSet::new();
    failpoints(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut named);
    assert!(named.len() > 30, "{named:?}");
    let cases = CASES.iter().flat_map(|case| [Some(case.at), case.then]).flatten().map(str::to_owned);
    let cases: BTreeSet<String> = cases.collect();
    let missing: Vec<_> = named.difference(&cases).collect();
    assert_eq!(missing, Vec::<&String>::new(), "failpoints without a case");
    let unknown: Vec<_> = cases.difference(&named).collect();
    assert_eq!(unknown, Vec::<&String>::new(), "cases without a failpoint");
}

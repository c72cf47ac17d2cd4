//! The page of faults and attacks (`docs/faults.md`), held against the sources: the tests that it names exist.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The names of all tests below a folder.
fn tests(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            tests(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            let mut is_test = false;
            for line in text.lines().map(str::trim) {
                if line.starts_with("#[") {
                    is_test |= line.ends_with("test]");
                    continue;
                }
                if let Some((before, name)) = line.split_once("fn ").filter(|_| is_test)
                    && ["", "async "].contains(&before)
                {
                    found.insert(name.split(['(', '<']).next().unwrap().to_owned());
                }
                is_test = false;
            }
        }
    }
}

/// The rows of the page's tables: number, and the last cell.
fn rows(page: &str) -> Vec<(String, String)> {
    let cells = page.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    let rows = cells.map(|line| line.split(" | ").collect::<Vec<_>>());
    let numbered =
        rows.filter(|cells| cells[0].strip_prefix(['F', 'A']).is_some_and(|rest| rest.parse::<u8>().is_ok()));
    numbered.map(|cells| (cells[0].to_owned(), cells[cells.len() - 1].to_owned())).collect()
}

#[test]
fn every_test_that_the_page_of_faults_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/faults.md")).unwrap();
    let mut known = BTreeSet::new();
    for folder in ["src", "tests"] {
        tests(&root.join(folder), &mut known);
    }
    assert!(known.len() > 500, "only {} tests were found", known.len());
    let rows = rows(&page);
    let numbers: Vec<String> = (1..=16)
        .map(|number| format!("F{number}"))
        .chain((1..=15).map(|number| format!("A{number}")))
        .collect();
    assert_eq!(rows.iter().map(|(number, _)| number.clone()).collect::<Vec<_>>(), numbers);
    for (number, shown) in rows {
        let names: Vec<&str> = shown.split('`').skip(1).step_by(2).collect();
        assert!(!names.is_empty(), "{number} names no test");
        for name in names {
            assert!(known.contains(name), "{number} names `{name}`, which is no test");
        }
    }
}

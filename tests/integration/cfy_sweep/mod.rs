//! All that `cfy --help` of 7.0.5 offers with a manager: each command is run here and answers rightly or with a clear
//! error, or it is listed with the reason why not.
//!
//! One manager is swept by one test, part by part, and all that is wrong is told at its end.

mod blueprints;
mod deployments;
mod executions;
mod manager;
mod people;
mod plugins;
mod profiles;
mod reasons;
mod secrets;

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::Value;

use crate::harness::{Api, CfyShell, TestServer, fill, lamps, workflow_blueprint};

/// The deployment that [`fill`] makes.
const TOWER: &str = "default_tenant-tower";
/// A blueprint of the basic types, and its deployment, on which workflows run.
const FERRY: &str = "ferry";
/// A blueprint whose plugin has a later version, and the beginning of its deployments' names.
const LAMP: &str = "lamp";

/// The folder of a blueprint in the home of `cfy`, whose own reader takes ASCII only.
const KEEPER: &str = "keeper";
const KEEPER_BLUEPRINT: &str = "\
tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
inputs: { name: { default: Ulla } }
node_templates:
  ferry: { type: cloudify.nodes.Root }
  pier: { type: cloudify.nodes.Root }
";

/// The folder of a blueprint that needs nothing from elsewhere, so that `cfy` can judge it by itself.
const PLAIN: &str = "plain";
const PLAIN_BLUEPRINT: &str = "\
tosca_definitions_version: cloudify_dsl_1_4
node_types: { buoy: {} }
node_templates:
  buoy: { type: buoy }
";

/// What a command is to print, each of the words; none: it only has to end well.
type Words = &'static [&'static str];

/// Sweeps the commands of one part.
type Part = fn(&mut Sweep);

/// A manager, those who ask it, and what was wrong so far.
struct Sweep {
    server: TestServer,
    api: Api,
    shell: CfyShell,
    wrong: Vec<String>,
}

impl Sweep {
    fn start() -> Self {
        let server = TestServer::start();
        let api = server.api();
        fill(&api);
        workflow_blueprint(&api, FERRY);
        lamps(&api, LAMP, 2);
        let shell = CfyShell::start(server.cfy());
        let folder = shell.home().join(KEEPER);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("blueprint.yaml"), KEEPER_BLUEPRINT).unwrap();
        let folder = shell.home().join(PLAIN);
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("blueprint.yaml"), PLAIN_BLUEPRINT).unwrap();
        Self { server, api, shell, wrong: Vec::new() }
    }

    /// Runs a command, which must end with this code, print the words, and not break inside.
    fn run(&mut self, line: &str, code: i32, words: &[&str]) {
        let finished = self.shell.run(line);
        let all = finished.all();
        let mut wrong: Vec<String> = Vec::new();
        if finished.code != code {
            wrong.push(format!("ends with {}, not {code}", finished.code));
        }
        if finished.is_broken() {
            wrong.push("breaks".to_owned());
        }
        wrong.extend(
            words.iter().filter(|word| !all.contains(**word)).map(|word| format!("does not say {word:?}")),
        );
        if !wrong.is_empty() {
            self.wrong.push(format!("$ {}: {}\n{all}", finished.command, wrong.join(", ")));
        }
    }

    /// Runs commands that succeed, and print the words.
    fn succeed(&mut self, rows: &[(&str, Words)]) {
        rows.iter().for_each(|(line, words)| self.run(line, 0, words));
    }

    /// Runs commands that are refused, and say why.
    fn refused(&mut self, rows: &[(&str, Words)]) {
        rows.iter().for_each(|(line, words)| self.run(line, 1, words));
    }

    /// Notes what is not so.
    fn claim(&mut self, claim: &str, is_so: bool) {
        if !is_so {
            self.wrong.push(format!("not so: {claim}"));
        }
    }

    /// Runs a command that lists, with each option of lists that it has, and holds the answers against each other.
    /// `sort` is a field whose values differ; `more` are words that the command cannot do without.
    fn lists(&mut self, command: &str, more: &str, sort: &str) {
        let has = |sweep: &Self, option: &str| sweep.shell.offers(command, option);
        let (is_sorted, is_paged) = (has(self, "sort_by"), has(self, "pagination_size"));
        let line = format!("{command} {more}");
        let sorted = if is_sorted { format!("{line} --sort-by {sort}") } else { line.clone() };
        let whole = self.list(&sorted);
        self.claim(&format!("`{line}` lists something"), !whole.is_empty());
        if is_paged {
            let rest = self.list(&format!("{sorted} --pagination-offset 1 --pagination-size 1000"));
            self.claim(&format!("`{line}` passes over the first"), rest == whole[1..]);
            let first = self.list(&format!("{sorted} --pagination-offset 0 --pagination-size 1"));
            self.claim(&format!("`{line}` gives one"), first == whole[..1]);
        }
        if is_sorted {
            let mut down = self.list(&format!("{sorted} --descending"));
            down.reverse();
            self.claim(&format!("`{line}` sorts by {sort}"), down == whole);
            self.run(&format!("{line} --sort-by no_such_field"), 1, &["no_such_field"]);
        }
        if has(self, "search") {
            let none = self.list(&format!("{line} --search nothing-is-called-so"));
            self.claim(&format!("`{line}` searches"), none.is_empty());
        }
        if has(self, "tenant_name") {
            let here = self.list(&format!("{sorted} -t default_tenant"));
            self.claim(&format!("`{line}` lists those of a tenant"), here == whole);
        }
        if has(self, "all_tenants") {
            let all = self.list(&format!("{line} --all-tenants"));
            self.claim(&format!("`{line}` lists those of all tenants"), all.len() >= whole.len());
        }
        // As a table, which other fields are looked at for.
        let extended = if has(self, "extended_view") { " -x" } else { "" };
        self.run(&format!("{line}{extended}"), 0, &[]);
    }

    fn list(&mut self, line: &str) -> Vec<Value> {
        let finished = self.shell.run(&format!("--json {line}"));
        match serde_json::from_str(&finished.stdout) {
            Ok(Value::Array(items)) => items,
            _ => {
                self.wrong.push(format!("$ {}: no list in JSON\n{}", finished.command, finished.all()));
                Vec::new()
            }
        }
    }

    /// What the REST API answers, to be held against what a command said.
    fn get(&self, path: &str) -> Value {
        self.api.get(path).expect(200)
    }
}

#[test]
fn every_command_of_cfy_is_answered() {
    let mut sweep = Sweep::start();
    let parts: [(&str, Part); 8] = [
        ("blueprints", blueprints::sweep),
        ("deployments", deployments::sweep),
        ("executions", executions::sweep),
        ("plugins", plugins::sweep),
        ("secrets", secrets::sweep),
        ("people", people::sweep),
        ("manager", manager::sweep),
        ("profiles", profiles::sweep),
    ];
    for (name, part) in parts {
        // The others are swept all the same.
        let swept = catch_unwind(AssertUnwindSafe(|| part(&mut sweep)));
        sweep.claim(&format!("`{name}` is swept to its end"), swept.is_ok());
    }
    let (commands, options) = sweep.shell.unused();
    reasons::hold(&mut sweep, &commands, &options);
    let log = sweep.server.log();
    sweep.claim("no handler panicked", !log.contains("panicked"));
    let wrong = sweep.wrong.join("\n\n");
    assert!(sweep.wrong.is_empty(), "{} are wrong:\n{wrong}", sweep.wrong.len());
}

//! Blueprints of several shapes, packed as callers pack them.

use std::fmt::Write as _;

use super::super::material::{tar_gz, write_zip};
use super::Dice;

/// The main file's name in all of them.
pub const MAIN_FILE: &str = "b.yaml";

/// A private key's text, for which a blueprint is sealed whole.
const KEY_FILE: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\nbm90IGEga2V5LCBidXQgaXQgbG9va3MgbGlrZSBvbmU=\n-----END OPENSSH PRIVATE KEY-----\n";

/// A blueprint that can be deployed.
pub struct Blueprint {
    pub archive: Vec<u8>,
    /// Whether it has the workflows of the basic types.
    pub has_workflows: bool,
    /// The inputs that it declares.
    pub inputs: usize,
}

/// Makes one; one that serves has workflows and nodes.
pub fn blueprint(serves: bool, dice: &mut Dice) -> Blueprint {
    let has_workflows = dice.chance(60) || serves;
    let nodes = dice.between(usize::from(serves), 4);
    let inputs = dice.below(3);
    let mut main = String::from("tosca_definitions_version: cloudify_dsl_1_4\n");
    if dice.chance(50) {
        writeln!(main, "description: {}", yaml(&dice.name())).unwrap();
    }
    let root = if has_workflows { "cloudify.nodes.Root" } else { "own" };
    if has_workflows {
        main.push_str("imports: [cloudify/types/types.yaml]\n");
    } else {
        main.push_str("node_types:\n  own:\n    properties:\n      p: {default: {}}\n");
        main.push_str("relationships:\n  rests_on: {}\n");
    }
    if inputs > 0 {
        main.push_str("inputs:\n");
        for number in 0..inputs {
            // A default that is null is none.
            let default = Some(dice.value(2)).filter(|value| !value.is_null()).unwrap_or("".into());
            writeln!(main, "  i{number}: {{default: {default}}}").unwrap();
        }
    }
    if nodes > 0 {
        main.push_str("node_templates:\n");
    } else {
        main.push_str("node_templates: {}\n");
    }
    for node in 0..nodes {
        writeln!(main, "  node{node}:\n    type: {root}").unwrap();
        if dice.chance(30) {
            writeln!(main, "    instances: {{deploy: {}}}", dice.between(1, 3)).unwrap();
        }
        if !has_workflows {
            let value = match inputs {
                0 => dice.value(2).to_string(),
                _ => format!("{{get_input: i{}}}", dice.below(inputs)),
            };
            writeln!(main, "    properties: {{p: {value}}}").unwrap();
        }
        if node > 0 && dice.chance(60) {
            let kind = if has_workflows { "cloudify.relationships.connected_to" } else { "rests_on" };
            writeln!(main, "    relationships: [{{type: {kind}, target: node{}}}]", dice.below(node))
                .unwrap();
        }
    }
    if inputs > 0 && dice.chance(60) {
        main.push_str(
            "outputs:\n  o:\n    value: {get_input: i0}\ncapabilities:\n  c:\n    value: {get_input: i0}\n",
        );
    }
    let mut files = vec![(format!("bp/{MAIN_FILE}"), main.into_bytes())];
    if dice.chance(40) {
        files.push(("bp/scripts/öffne.sh".to_owned(), dice.text().repeat(100).into_bytes()));
    }
    if dice.chance(15) {
        files.push(("bp/keys/id_ed25519".to_owned(), KEY_FILE.as_bytes().to_vec()));
    }
    let files: Vec<(&str, &[u8])> = files.iter().map(|(name, bytes)| (name.as_str(), &bytes[..])).collect();
    let archive = if dice.chance(30) { write_zip(&files) } else { tar_gz(&files) };
    Blueprint { archive, has_workflows, inputs }
}

/// A text as YAML, of which JSON is a part.
fn yaml(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

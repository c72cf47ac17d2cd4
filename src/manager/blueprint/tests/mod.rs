//! Tests of the blueprint reader and the planners, on small blueprints of ours.

mod archives;
mod deployments;
mod errors;
mod modify;
mod plans;
mod workflows;
mod yaml_reading;

use serde_json::{Map, Value, json};

use super::{Blueprint, BlueprintError, BlueprintFiles, DeploymentPlan, parse, plan_deployment};

/// Files out of names and texts.
fn files(texts: &[(&str, &str)]) -> BlueprintFiles {
    let yaml = texts.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    BlueprintFiles::new(yaml, [])
}

/// The shop under `fixtures/blueprints`, with the script that it refers to.
fn shop_files() -> BlueprintFiles {
    let yaml = [
        ("shop.yaml", include_str!("../../../../fixtures/blueprints/shop.yaml")),
        ("parts/web.yaml", include_str!("../../../../fixtures/blueprints/parts/web.yaml")),
        ("parts/more.yaml", include_str!("../../../../fixtures/blueprints/parts/more.yaml")),
    ];
    BlueprintFiles::new(
        yaml.map(|(name, text)| (name.to_owned(), text.to_owned())),
        ["scripts/create.sh".to_owned()],
    )
}

fn shop() -> Blueprint {
    parse(&shop_files(), "shop.yaml").unwrap()
}

/// Reads a blueprint of one file, which begins with version and basic types.
fn read(rest: &str) -> Result<Blueprint, BlueprintError> {
    let head = "tosca_definitions_version: cloudify_dsl_1_4\nimports: [cloudify/types/types.yaml]\n";
    parse(&files(&[("blueprint.yaml", &format!("{head}{rest}"))]), "blueprint.yaml")
}

/// The node `id` of a plan.
fn node<'a>(nodes: &'a [Value], id: &str) -> &'a Value {
    nodes.iter().find(|node| node["id"] == id).unwrap()
}

fn nodes(blueprint: &Blueprint) -> &[Value] {
    blueprint.plan["nodes"].as_array().unwrap()
}

/// Ids that count: `host_1`, `host_2`.
fn counting() -> impl FnMut(&str) -> String {
    let mut count = 0;
    move |name| {
        count += 1;
        format!("{name}_{count}")
    }
}

fn given(inputs: Value) -> Map<String, Value> {
    inputs.as_object().unwrap().clone()
}

fn deploy(blueprint: &Blueprint, inputs: Value) -> DeploymentPlan {
    plan_deployment(&blueprint.plan, &given(inputs), &mut counting()).unwrap()
}

fn shop_deployment() -> DeploymentPlan {
    deploy(&shop(), json!({"image": "ubuntu"}))
}

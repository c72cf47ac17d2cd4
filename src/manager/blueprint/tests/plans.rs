//! What a plan contains, compared with what the parser of the original makes of the same files.

use serde_json::{Value, json};

use super::{files, node, nodes, parse, read, shop};

#[test]
fn a_plan_has_the_sections_that_cloudify_keeps() {
    let plan = shop().plan;
    for section in [
        "nodes",
        "inputs",
        "outputs",
        "capabilities",
        "workflows",
        "groups",
        "policies",
        "policy_types",
        "policy_triggers",
        "scaling_groups",
        "description",
        "metadata",
        "relationships",
        "labels",
        "deployment_plugins_to_install",
        "workflow_plugins_to_install",
        "host_agent_plugins_to_install",
        "version",
        "blueprint_labels",
        "requirements",
        "imported_blueprints",
        "namespaces_mapping",
        "data_types",
        "resource_tags",
        "deployment_settings",
    ] {
        assert!(plan.get(section).is_some(), "the plan lacks `{section}`");
    }
    assert_eq!(plan["version"]["definitions_version"], json!([1, 4]));
    assert_eq!(plan["metadata"], json!({"cloudify_types": true}));
}

#[test]
fn a_node_inherits_types_properties_and_operations_over_several_files() {
    let blueprint = shop();
    let app = node(nodes(&blueprint), "app");
    assert_eq!(
        app["type_hierarchy"],
        json!([
            "cloudify.nodes.Root",
            "cloudify.nodes.SoftwareComponent",
            "shop.nodes.Base",
            "shop.nodes.App"
        ])
    );
    assert_eq!(app["properties"]["limits"], json!({"cpu": 1, "memory": 256}));
    assert_eq!(app["properties"]["verbose"], true);
    assert_eq!(app["host_id"], "host");
    let create = &app["operations"]["cloudify.interfaces.lifecycle.create"];
    assert_eq!(create["plugin"], "script");
    assert_eq!(create["executor"], "auto");
    assert_eq!(create["inputs"], json!({"script_path": "scripts/create.sh"}));
    assert_eq!(app["operations"]["cloudify.interfaces.lifecycle.stop"]["operation"], "tasks.stop");
    // `create` is in two interfaces, `configure` in one.
    assert!(app["operations"].get("create").is_none());
    assert!(app["operations"].get("configure").is_some());
    let establish = &app["relationships"][1]["source_operations"]["establish"];
    assert_eq!(establish["inputs"], json!({"mode": "0644"}));
}

#[test]
fn plugins_are_listed_where_they_run() {
    let plan = shop().plan;
    let names = |section: &str| -> Vec<Value> {
        plan[section].as_array().unwrap().iter().map(|plugin| plugin["name"].clone()).collect()
    };
    assert_eq!(names("deployment_plugins_to_install"), ["agent", "tools"]);
    assert_eq!(names("workflow_plugins_to_install"), ["tools", "default_workflows"]);
    assert_eq!(names("host_agent_plugins_to_install"), ["agent"]);
}

#[test]
fn secrets_labels_and_description_are_reported() {
    let blueprint = shop();
    assert_eq!(blueprint.description.as_deref(), Some("a small shop"));
    assert_eq!(blueprint.requirements, json!({"parent_capabilities": [], "secrets": ["db_id"]}));
    assert_eq!(blueprint.labels["team"], json!({"values": ["shop"]}));
    assert!(blueprint.unresolved_imports.is_empty());
}

#[test]
fn the_published_address_of_the_types_means_the_built_in_ones() {
    for import in [
        "http://www.getcloudify.org/spec/cloudify/4.5/types.yaml",
        "https://cloudify.co/spec/cloudify/6.3.0/types.yaml",
        "https://raw.githubusercontent.com/cloudify-cosmo/cloudify-manager/master/resources/rest-service/cloudify/types/types.yaml",
    ] {
        let text = format!(
            "tosca_definitions_version: cloudify_dsl_1_3\nimports: ['{import}']\nnode_templates: {{vm: {{type: cloudify.nodes.Compute}}}}\n"
        );
        let blueprint = parse(&files(&[("b.yaml", &text)]), "b.yaml").unwrap();
        assert!(blueprint.unresolved_imports.is_empty(), "{import}");
        assert_eq!(nodes(&blueprint)[0]["host_id"], "vm");
    }
}

#[test]
fn imports_from_outside_are_named_and_what_they_may_define_is_accepted() {
    let text = "
tosca_definitions_version: cloudify_dsl_1_3
imports: [cloudify/types/types.yaml, 'plugin:cloudify-aws-plugin', 'https://example.com/more.yaml', other--blueprint:base]
node_types:
  my.Bucket: {derived_from: cloudify.nodes.aws.s3.Bucket}
node_templates:
  bucket:
    type: my.Bucket
    properties: {name: b}
    interfaces: {cloudify.interfaces.lifecycle: {create: aws.tasks.create}}
    relationships: [{type: cloudify.relationships.aws.near, target: vm}]
  vm: {type: cloudify.nodes.aws.ec2.Instances}
";
    let blueprint = parse(&files(&[("blueprint.yaml", text)]), "blueprint.yaml").unwrap();
    assert_eq!(
        blueprint.unresolved_imports,
        ["plugin:cloudify-aws-plugin", "https://example.com/more.yaml", "other--blueprint:base"]
    );
    let bucket = node(nodes(&blueprint), "bucket");
    assert_eq!(bucket["type_hierarchy"], json!(["cloudify.nodes.aws.s3.Bucket", "my.Bucket"]));
    assert_eq!(bucket["operations"]["create"]["plugin"], "aws");
    assert_eq!(blueprint.plan["namespaces_mapping"], json!({"other": "base"}));
}

#[test]
fn files_that_import_each_other_are_read_once() {
    let one =
        "tosca_definitions_version: cloudify_dsl_1_3\nimports: [sub/two.yaml]\ninputs: {a: {default: 1}}\n";
    let two = "imports: [../one.yaml, three.yaml]\ninputs: {b: {default: 2}}\n";
    let three = "imports: [sub/two.yaml]\ninputs: {c: {default: 3}}\n";
    let blueprint =
        parse(&files(&[("one.yaml", one), ("sub/two.yaml", two), ("sub/three.yaml", three)]), "one.yaml")
            .unwrap();
    let inputs: Vec<&String> = blueprint.plan["inputs"].as_object().unwrap().keys().collect();
    assert_eq!(inputs, ["a", "b", "c"]);
}

#[test]
fn a_namespace_prefixes_names_and_the_references_to_them() {
    let main =
        "tosca_definitions_version: cloudify_dsl_1_3\nimports: [cloudify/types/types.yaml, db--db.yaml]\n";
    let db = "
imports: [cloudify/types/types.yaml]
inputs: {size: {default: 1}}
node_types: {my.Db: {derived_from: cloudify.nodes.Database, properties: {size: {}}}}
node_templates:
  store: {type: my.Db, properties: {size: {get_input: size}}}
  user:
    type: cloudify.nodes.Root
    relationships: [{type: cloudify.relationships.depends_on, target: store}]
outputs: {size: {value: {get_property: [store, size]}}}
";
    let blueprint = parse(&files(&[("b.yaml", main), ("db.yaml", db)]), "b.yaml").unwrap();
    let store = node(nodes(&blueprint), "db--store");
    assert_eq!(store["type"], "db--my.Db");
    assert_eq!(store["properties"]["size"], json!({"get_input": "db--size"}));
    assert_eq!(node(nodes(&blueprint), "db--user")["relationships"][0]["target_id"], "db--store");
    assert_eq!(
        blueprint.plan["outputs"]["db--size"]["value"],
        json!({"get_property": ["db--store", "size"]})
    );
}

#[test]
fn instances_are_counted_in_both_ways() {
    let blueprint = read(
        "
node_templates:
  old: {type: cloudify.nodes.Root, instances: {deploy: 3}}
  new: {type: cloudify.nodes.Root, capabilities: {scalable: {properties: {default_instances: 2, max_instances: UNBOUNDED}}}}
",
    )
    .unwrap();
    let scale = |id: &str| node(nodes(&blueprint), id)["capabilities"]["scalable"]["properties"].clone();
    let expected = |count: u64| {
        json!({"min_instances": 0, "max_instances": -1, "default_instances": count,
               "current_instances": count, "planned_instances": count})
    };
    assert_eq!(scale("old"), expected(3));
    assert_eq!(scale("new"), expected(2));
}

#[test]
fn the_basic_types_are_a_valid_blueprint() {
    let blueprint = read("").unwrap();
    assert_eq!(blueprint.plan["workflows"].as_object().unwrap().len(), 15);
    let uninstall = &blueprint.plan["workflows"]["uninstall"];
    assert_eq!(uninstall["operation"], "cloudify.plugins.workflows.uninstall");
    assert_eq!(uninstall["availability_rules"], json!({"node_instances_active": ["all", "partial"]}));
}

#[test]
fn defaults_of_data_types_are_merged_along_the_hierarchy() {
    let blueprint = read(
        "
node_types:
  a: {properties: {conf: {type: d, default: {x: 1}}, opt: {type: d}}}
  b: {derived_from: a, properties: {conf: {type: d, default: {y: {z: 5}}}}}
data_types:
  d: {derived_from: e, properties: {x: {type: integer, default: 3}, y: {type: e, default: {}}}}
  e: {properties: {z: {type: integer, default: 4}}}
node_templates: {n: {type: b, properties: {opt: {z: 9}}}}
",
    )
    .unwrap();
    assert_eq!(
        nodes(&blueprint)[0]["properties"],
        json!({"conf": {"x": 1, "y": {"z": 5}, "z": 4}, "opt": {"x": 3, "y": {"z": 4}, "z": 9}})
    );
}

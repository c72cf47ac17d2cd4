//! Blueprints that are refused, and what the refusal says.

use proptest::prelude::*;

use super::{files, parse, read};

fn refusal(rest: &str) -> String {
    read(rest).unwrap_err().to_string()
}

#[track_caller]
fn assert_says(message: &str, words: &[&str]) {
    for word in words {
        assert!(message.contains(word), "`{message}` does not say `{word}`");
    }
}

#[test]
fn refusals_name_file_section_and_value() {
    for (text, words) in [
        (
            "node_templates: {a: {type: my.Nothing}}",
            &["`blueprint.yaml`", "node_templates", "`a`", "`my.Nothing`"][..],
        ),
        ("node_templates: {a: {}}", &["`a`", "no `type`"]),
        ("node_templates: {a: {type: cloudify.nodes.Root, colour: red}}", &["`colour`", "known are type"]),
        ("node_templates: {a: {type: cloudify.nodes.Root, properties: {x: 1}}}", &["`a`", "no property `x`"]),
        (
            "node_templates: {a: {type: cloudify.nodes.Root, relationships: [{type: cloudify.relationships.depends_on, target: b}]}}",
            &["a.relationships", "`b`", "not defined"],
        ),
        (
            "node_templates: {a: {type: cloudify.nodes.Root, relationships: [{type: my.link, target: b}]}, b: {type: cloudify.nodes.Root}}",
            &["`my.link`", "`relationships`"],
        ),
        ("colours: {}", &["`blueprint.yaml`", "colours", "no such section"]),
        ("node_types: {a: {derived_from: b}, b: {derived_from: a}}", &["node_types", "derived from itself"]),
        ("node_types: {a: {derived_from: nothing}}", &["node_types", "`a`", "`nothing`"]),
        ("data_types: {a: {properties: {x: {type: a}}}}", &["data_types", "contains itself"]),
        ("inputs: {a: {type: colour}}", &["inputs", "`a`", "`colour`"]),
        ("inputs: {a: {type: integer, default: text}}", &["`a`", "`integer`", "text"]),
        ("inputs: {a: {default: 3, constraints: [{less_than: 3}]}}", &["inputs", "`a`", "`less_than`"]),
        ("inputs: {a: {constraints: [{larger: 3}]}}", &["`larger`"]),
        ("outputs: {a: {description: none}}", &["outputs", "`a`", "no `value`"]),
        ("outputs: {a: {value: {get_input: b}}}", &["inputs", "`b`", "`get_input`"]),
        ("workflows: {a: nothing.at.all}", &["workflows", "`a`", "`nothing.at.all`"]),
        ("plugins: {a: {executor: moon}}", &["plugins", "`a`", "`moon`"]),
        ("plugins: {a: {executor: host_agent}}", &["plugins", "`source`"]),
        ("groups: {a: {members: [nobody]}}", &["groups", "`a`", "nobody"]),
        ("policies: {a: {type: cloudify.policies.scaling, targets: [b]}}", &["policies", "`a`", "\"b\""]),
        ("blueprint_labels: {a: {values: [{get_input: b}]}}", &["blueprint_labels", "`a`"]),
        (
            "node_templates: {a: {type: cloudify.nodes.Root, capabilities: {scalable: {properties: {default_instances: 3, max_instances: 2}}}}}",
            &["`default_instances` (3)", "`max_instances` (2)"],
        ),
    ] {
        assert_says(&refusal(text), words);
    }
}

#[test]
fn a_cycle_of_relationships_is_refused() {
    let link = |target: &str| {
        format!(
            "{{type: cloudify.nodes.Root, relationships: [{{type: cloudify.relationships.depends_on, target: {target}}}]}}"
        )
    };
    let text = format!("node_templates: {{a: {}, b: {}, c: {}}}", link("b"), link("c"), link("a"));
    assert_says(&refusal(&text), &["cycle", "`a`", "`b`", "`c`"]);
}

#[test]
fn a_host_plugin_needs_a_host() {
    let text = "
plugins: {p: {executor: host_agent, install: false}}
node_templates: {a: {type: cloudify.nodes.Root, interfaces: {cloudify.interfaces.lifecycle: {create: p.make}}}}
";
    assert_says(&refusal(text), &["`a`", "\"p\"", "host_agent"]);
}

#[test]
fn versions_are_checked() {
    for (main, part, words) in [
        ("inputs: {}", "", "must name its version"),
        ("tosca_definitions_version: cloudify_dsl_1_9", "", "cloudify_dsl_1_9"),
        ("tosca_definitions_version: 1", "", "unexpected version 1"),
        (
            "tosca_definitions_version: cloudify_dsl_1_2\nimports: [part.yaml]",
            "tosca_definitions_version: cloudify_dsl_1_3",
            "later than",
        ),
    ] {
        let files = files(&[("main.yaml", main), ("part.yaml", part)]);
        let message = parse(&files, "main.yaml").unwrap_err().to_string();
        assert_says(&message, &[words, ".yaml`"]);
    }
}

#[test]
fn a_definition_in_two_files_names_both() {
    let main = "tosca_definitions_version: cloudify_dsl_1_3\nimports: [part.yaml]\ninputs: {a: {default: 1}}";
    let files = files(&[("main.yaml", main), ("part.yaml", "inputs: {a: {default: 2}}")]);
    let message = parse(&files, "main.yaml").unwrap_err().to_string();
    assert_says(&message, &["inputs `a`", "`main.yaml`", "`part.yaml`"]);
}

#[test]
fn imports_that_lead_nowhere_are_refused() {
    let message = |import: &str| {
        let text = format!("tosca_definitions_version: cloudify_dsl_1_3\nimports: ['{import}']");
        parse(&files(&[("main.yaml", &text)]), "main.yaml").unwrap_err().to_string()
    };
    assert_says(&message("gone.yaml"), &["`gone.yaml`", "`main.yaml`", "no such file"]);
    assert_says(&message("../../etc/passwd"), &["no such file"]);
    assert_says(&message("blueprint:base"), &["namespace"]);
    assert_says(&message("ns--cloudify/types/types.yaml"), &["namespace"]);
    let missing = parse(&files(&[]), "main.yaml").unwrap_err();
    assert_says(&missing.to_string(), &["`main.yaml`", "does not exist"]);
    assert_eq!(missing.code(), "bad_parameters_error");
}

#[test]
fn inheritance_cannot_blow_a_plan_up() {
    let mut text = String::from("node_types:\n  t:\n    properties:\n");
    for property in 0..2000 {
        text.push_str(&format!("      p{property}: {{default: {}}}\n", "x".repeat(200)));
    }
    text.push_str("node_templates:\n");
    for node in 0..2000 {
        text.push_str(&format!("  n{node}: {{type: t}}\n"));
    }
    assert_says(&refusal(&text), &["plan", "64 MiB"]);
}

proptest! {
    #[test]
    fn parsing_never_panics_on_any_text(text in ".{0,400}") {
        let _ = parse(&files(&[("blueprint.yaml", &text)]), "blueprint.yaml");
    }

    #[test]
    fn parsing_never_panics_on_sections_of_any_shape(
        section in "inputs|node_types|node_templates|relationships|plugins|workflows|groups|policies|outputs|capabilities|labels|blueprint_labels|data_types|policy_types|imports|dsl_definitions|deployment_settings",
        value in shapes(),
    ) {
        let yaml = serde_json::to_string(&value).unwrap();
        let _ = read(&format!("{section}: {yaml}"));
    }
}

/// Values with the words of the language in unlikely places.
fn shapes() -> impl Strategy<Value = serde_json::Value> {
    let word = "type|derived_from|properties|default|members|targets|relationships|target|interfaces|inputs|value|values|constraints|scalable|instances|deploy|mapping|executor|get_input|concat|cloudify.nodes.Root|a|b";
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        word.prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(5, 40, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            prop::collection::vec((word, inner), 0..5)
                .prop_map(|entries| serde_json::Value::Object(entries.into_iter().collect())),
        ]
    })
}

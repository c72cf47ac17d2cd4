//! Dependencies follow from blueprints and callers, and protect what is needed.

use super::*;

const USER: &str = "
tosca_definitions_version: cloudify_dsl_1_5
imports: [cloudify/types/types.yaml]
inputs:
  other: { default: north }
node_templates:
  page:
    type: cloudify.nodes.Root
    properties: {}
outputs:
  address:
    value: { get_capability: [{ get_input: other }, address] }
  later:
    value: { get_capability: [{ get_attribute: [page, target] }, address] }
";

fn new(creator: &str, target: Option<&str>) -> NewDependency {
    NewDependency {
        dependency_creator: creator.to_owned(),
        target_deployment: target.map(str::to_owned),
        ..NewDependency::default()
    }
}

impl Fixture {
    /// The deployments `north`, and `user` that needs it by its blueprint.
    fn with_user() -> Self {
        let fixture = Self::with_deployment();
        let (_, execution) = fixture.upload(&ann(), "user", USER).unwrap();
        fixture.execute(execution).unwrap();
        let mut user = deployment("user");
        user.blueprint_id = "user".to_owned();
        user.inputs = Map::new();
        fixture.run(fixture.manager.create_deployment(&ann(), user)).unwrap();
        fixture.execute_all();
        fixture
    }

    fn dependencies(&self) -> Vec<Value> {
        let query = ListQuery { size: 100, ..ListQuery::default() };
        let page = self.run(self.manager.dependencies(&ann(), query)).unwrap();
        page.items
            .iter()
            .map(|item| {
                json!([
                    item["dependency_creator"],
                    item["source_deployment_id"],
                    item["target_deployment_id"],
                    item["target_deployment_func"]
                ])
            })
            .collect()
    }
}

#[test]
fn a_blueprint_that_uses_a_capability_makes_a_dependency_that_protects() {
    let fixture = Fixture::with_user();
    let func = json!({ "get_capability": [{ "get_attribute": ["page", "target"] }] });
    let expected = [
        json!(["outputs.address.value.get_capability", "user", "north", null]),
        json!(["outputs.later.value.get_capability", "user", null, func]),
    ];
    assert_eq!(fixture.dependencies(), expected);
    let refused =
        fixture.run(fixture.manager.delete_deployment(&ann(), "north", DeleteDeployment::default()));
    assert_eq!(
        refused.unwrap_err().to_string(),
        "Can't delete deployment north - the following existing installations depend on it:\n[1] Deployment `user` uses \
         capabilities of the current deployment in its node `address`"
    );
    // Made again they are the same.
    fixture.run(fixture.manager.restore_dependencies(&ann(), "user")).unwrap();
    assert_eq!(fixture.dependencies(), expected);
    // Forced, what needs it points to nothing.
    let force = DeleteDeployment { force: true, ..DeleteDeployment::default() };
    fixture.run(fixture.manager.delete_deployment(&ann(), "north", force)).unwrap();
    fixture.execute_all();
    assert_eq!(
        fixture.dependencies()[0],
        json!(["outputs.address.value.get_capability", "user", null, null])
    );
    // What needs goes with its needs.
    fixture.run(fixture.manager.delete_deployment(&ann(), "user", DeleteDeployment::default())).unwrap();
    fixture.execute_all();
    assert_eq!(fixture.dependencies(), Vec::<Value>::new());
}

#[test]
fn callers_make_and_rewrite_dependencies_all_or_none_and_never_a_circle() {
    let fixture = Fixture::with_user();
    let create = |source: &str, new| fixture.run(fixture.manager.create_dependency(&ann(), source, new));
    let circle = create("north", new("by.hand", Some("user"))).unwrap_err().to_string();
    assert_eq!(circle, "cyclic dependency between deployments north and user");
    assert!(create("north", new("by.hand", Some("north"))).is_err());
    let absent = create("north", new("by.hand", Some("nowhere"))).unwrap_err().to_string();
    assert!(absent.starts_with("Given target deployment with ID `nowhere` does not exist."), "{absent}");
    let absent = create("nowhere", new("by.hand", Some("north"))).unwrap_err().to_string();
    assert_eq!(absent, "Given source deployment with ID `nowhere` does not exist.");
    let external =
        NewDependency { external_source: Some(json!({ "deployment": "x" })), ..new("far", Some("north")) };
    create("", external).unwrap();

    let before = fixture.dependencies();
    let some = vec![new("one", Some("north")), new("two", Some("user"))];
    assert!(fixture.run(fixture.manager.create_dependencies(&ann(), "user", some.clone(), true)).is_err());
    assert_eq!(fixture.dependencies(), before);
    let some = vec![new("one", Some("north"))];
    fixture.run(fixture.manager.create_dependencies(&ann(), "user", some, true)).unwrap();
    let far = json!(["far", null, "north", null]);
    assert_eq!(fixture.dependencies(), [far.clone(), json!(["one", "user", "north", null])]);

    let which = |target: &str| DependencyQuery {
        dependency_creator: "one".to_owned(),
        source_deployment: "user".to_owned(),
        target_deployment: Some(target.to_owned()),
        is_component_deletion: false,
        external_source: None,
        external_target: None,
    };
    assert!(fixture.run(fixture.manager.delete_dependency(&ann(), which("user"))).is_err());
    fixture.run(fixture.manager.delete_dependency(&ann(), which("north"))).unwrap();
    assert_eq!(fixture.dependencies(), [far]);
}

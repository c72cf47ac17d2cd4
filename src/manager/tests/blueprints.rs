//! Blueprints.

use std::time::Duration;

use super::*;

#[test]
fn an_upload_is_read_by_its_execution_and_downloaded_as_it_came() {
    let fixture = Fixture::new();
    let (blueprint, execution) = fixture.upload(&ann(), "shop", BLUEPRINT).unwrap();
    assert_eq!(blueprint["state"], "pending");
    assert_eq!(blueprint["upload_execution"]["id"], execution.to_string());
    fixture.execute(execution).unwrap();
    let blueprint = fixture.run(fixture.manager.blueprint(&ann(), "shop", None)).unwrap();
    assert_eq!((&blueprint["state"], &blueprint["error"]), (&json!("uploaded"), &Value::Null));
    assert_eq!(blueprint["plan"]["nodes"].as_array().unwrap().len(), 2);
    let download = fixture.run(fixture.manager.blueprint_archive(&ann(), "shop")).unwrap();
    assert_eq!(download.name, "shop.tar.gz");
    assert_eq!(bytes_of(&fixture, &download), archive(BLUEPRINT));
}

#[test]
fn a_failed_upload_says_why_and_is_replaced_but_a_good_one_is_not() {
    let fixture = Fixture::new();
    let broken = BLUEPRINT.replace("cloudify.nodes.Root", "no.such.type");
    let (_, execution) = fixture.upload(&ann(), "shop", &broken).unwrap();
    let taken = fixture.upload(&ann(), "shop", BLUEPRINT).unwrap_err();
    assert!(matches!(taken, ManagerError::Exists { .. }), "one that is being read is not replaced: {taken}");
    assert!(fixture.execute(execution).is_err());
    let blueprint = fixture.run(fixture.manager.blueprint(&ann(), "shop", None)).unwrap();
    assert_eq!(blueprint["state"], "failed_parsing");
    assert!(blueprint["error"].as_str().unwrap().contains("no.such.type"), "{blueprint:?}");

    let (_, execution) = fixture.upload(&ann(), "shop", BLUEPRINT).unwrap();
    fixture.execute(execution).unwrap();
    let taken = fixture.upload(&ann(), "shop", BLUEPRINT).unwrap_err();
    assert_eq!(
        taken.to_string(),
        "<Blueprint id=`shop` tenant=`default_tenant`> already exists on <Tenant name=`default_tenant`> or with global visibility"
    );
}

#[test]
fn who_waits_for_a_bad_upload_is_told_and_nothing_is_left() {
    let fixture = Fixture::new();
    let (_, execution) = fixture.upload(&ann(), "shop", "tosca_definitions_version: what").unwrap();
    assert!(fixture.execute(execution).is_err());
    let told = fixture
        .run(fixture.manager.wait_for_blueprint(&ann(), "shop", execution, Duration::from_secs(5)))
        .unwrap_err();
    assert!(matches!(told, ManagerError::InvalidBlueprint(_)), "{told}");
    assert!(fixture.run(fixture.manager.blueprints(&ann(), all())).unwrap().items.is_empty());
}

#[test]
fn imports_from_outside_are_named_in_the_log_and_the_field() {
    let fixture = Fixture::new();
    let text =
        BLUEPRINT.replace("[cloudify/types/types.yaml]", "[cloudify/types/types.yaml, 'plugin:beacon']");
    let (_, execution) = fixture.upload(&ann(), "shop", &text).unwrap();
    fixture.execute(execution).unwrap();
    let blueprint = fixture.run(fixture.manager.blueprint(&ann(), "shop", None)).unwrap();
    assert_eq!(blueprint["unresolved_imports"], json!(["plugin:beacon"]));
    assert!(fixture.events(execution).iter().any(|message| message.contains("`plugin:beacon`")));
}

#[test]
fn a_private_blueprint_is_its_makers_and_the_managers() {
    let fixture = Fixture::new();
    let archive = fixture.manager.blobs().put(&mut &*archive(BLUEPRINT)).unwrap();
    let new = NewBlueprint {
        id: "secretive".to_owned(),
        visibility: Visibility::Private,
        main_file_name: None,
        labels: vec![json!({ "env": "dev" })],
        archive,
    };
    fixture.run(fixture.manager.create_blueprint(&ann(), new)).unwrap();
    let seen = |caller: &Caller| fixture.ids(fixture.run(fixture.manager.blueprints(caller, all())).unwrap());
    assert_eq!(seen(&ann()), ["secretive"]);
    assert_eq!(seen(&ben()), [""; 0]);
    assert_eq!(seen(&caller("mia", TenantName::DEFAULT, TenantRole::Manager)), ["secretive"]);
    let hidden = fixture.run(fixture.manager.blueprint(&ben(), "secretive", None)).unwrap_err();
    assert_eq!(hidden.to_string(), "Requested `Blueprint` with ID `secretive` was not found");

    fixture.run(fixture.manager.set_blueprint_visibility(&ann(), "secretive", Visibility::Global)).unwrap();
    assert_eq!(seen(&caller("zoe", "elsewhere", TenantRole::Viewer)), ["secretive"]);
    let narrower =
        fixture.run(fixture.manager.set_blueprint_visibility(&ann(), "secretive", Visibility::Tenant));
    assert!(matches!(narrower, Err(ManagerError::IllegalAction(_))));
    let foreign = caller("zoe", "elsewhere", TenantRole::User);
    let gone = fixture.run(fixture.manager.delete_blueprint(&foreign, "secretive", false));
    assert!(matches!(gone, Err(ManagerError::NotFound { .. })), "what is seen is not what may be removed");
}

#[test]
fn a_blueprint_with_deployments_stays() {
    let fixture = Fixture::with_deployment();
    let refused = fixture.run(fixture.manager.delete_blueprint(&ann(), "shop", true)).unwrap_err();
    assert!(matches!(refused, ManagerError::DependentExists(_)), "{refused}");
    assert!(refused.to_string().contains("north"));
    fixture.run(fixture.manager.delete_deployment(&ann(), "north", DeleteDeployment::default())).unwrap();
    fixture.execute_all();
    fixture.run(fixture.manager.delete_blueprint(&ann(), "shop", false)).unwrap();
}

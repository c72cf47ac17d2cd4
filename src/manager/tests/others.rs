//! Secrets, agents, plugins, tenants, the inventory.

use std::io::Cursor;

use proptest::prelude::*;

use crate::charts::store::{Measurement, MetricName, Point, SeriesKey, Tags};

use super::*;

fn secret(key: &str, value: &str) -> NewSecret {
    NewSecret {
        key: key.to_owned(),
        value: json!(value),
        schema: None,
        is_hidden_value: false,
        visibility: Visibility::Tenant,
        update_if_exists: false,
    }
}

/// Whether any file of the installation holds these bytes.
fn is_readable_on_disk(fixture: &Fixture, wanted: &[u8]) -> bool {
    fn files(folder: &Path, found: &mut Vec<std::path::PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { files(&path, found) } else { found.push(path) }
        }
    }
    let mut found = Vec::new();
    files(fixture.folder.path(), &mut found);
    assert!(found.iter().any(|path| path.ends_with("manager.db")));
    found.iter().any(|path| {
        let bytes = std::fs::read(path).unwrap();
        bytes.windows(wanted.len()).any(|window| window == wanted)
    })
}

#[test]
fn secrets_and_key_files_are_given_back_and_not_readable_in_the_file() {
    let fixture = Fixture::with_deployment();
    let value = "open sesame, said forty thieves";
    let listed = fixture.run(fixture.manager.create_secret(&ann(), secret("pass", value))).unwrap();
    assert!(!listed.contains_key("value"));
    assert_eq!(fixture.run(fixture.manager.secret(&ben(), "pass")).unwrap()["value"], value);
    let page = fixture.run(fixture.manager.secrets(&ben(), all())).unwrap();
    assert!(page.items.iter().all(|secret| !secret.contains_key("value")));

    let instance = fixture.instances()[0]["id"].as_str().unwrap().to_owned();
    let agent = AgentChange {
        node_instance_id: Some(instance),
        rabbitmq_password: Some("hare and tortoise".to_owned()),
        ..AgentChange::default()
    };
    fixture.run(fixture.manager.put_agent(&ann(), "host-1", agent)).unwrap();
    let key = b"-----BEGIN PRIVATE KEY----- not really";
    fixture.run(fixture.manager.set_agent_key_file(&ann(), "host-1", key)).unwrap();
    assert_eq!(&*fixture.run(fixture.manager.agent_key_file(&ann(), "host-1")).unwrap(), key);

    for hidden in [value.as_bytes(), b"hare and tortoise", key] {
        assert!(!is_readable_on_disk(&fixture, hidden), "{}", String::from_utf8_lossy(hidden));
    }
    assert!(is_readable_on_disk(&fixture, b"host-1"), "the search finds what is there");
}

#[test]
fn a_hidden_value_is_its_makers_and_the_managers() {
    let fixture = Fixture::new();
    let hidden = NewSecret { is_hidden_value: true, ..secret("pass", "x") };
    fixture.run(fixture.manager.create_secret(&ann(), hidden)).unwrap();
    let value =
        |caller: &Caller| fixture.run(fixture.manager.secret(caller, "pass")).unwrap()["value"].clone();
    assert_eq!((value(&ann()), value(&admin()), value(&ben())), (json!("x"), json!("x"), json!("")));
    let theft = NewSecret { update_if_exists: true, ..secret("pass", "y") };
    let refused = fixture.run(fixture.manager.create_secret(&ben(), theft));
    assert!(matches!(refused, Err(ManagerError::Forbidden(_))));
    assert!(matches!(
        fixture.run(fixture.manager.delete_secret(&ben(), "pass")),
        Err(ManagerError::Forbidden(_))
    ));
    assert_eq!(value(&ann()), "x");
}

#[test]
fn a_secret_is_overwritten_only_on_request() {
    let fixture = Fixture::new();
    fixture.run(fixture.manager.create_secret(&ann(), secret("pass", "one"))).unwrap();
    let taken = fixture.run(fixture.manager.create_secret(&ann(), secret("pass", "two")));
    assert!(matches!(taken, Err(ManagerError::Exists { .. })));
    let again = NewSecret { update_if_exists: true, ..secret("pass", "two") };
    fixture.run(fixture.manager.create_secret(&ann(), again)).unwrap();
    assert_eq!(fixture.run(fixture.manager.secret(&ann(), "pass")).unwrap()["value"], "two");
}

fn zip_of(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn wagon_json() -> Vec<u8> {
    let package = json!({
        "archive_name": "beacon-1.2.0-py311-none-any.wgn",
        "package_name": "beacon",
        "package_version": "1.2.0",
        "supported_platform": "any",
        "supported_python_versions": ["py311"],
        "wheels": ["beacon-1.2.0-py3-none-any.whl"],
    });
    package.to_string().into_bytes()
}

fn wagon() -> Vec<u8> {
    zip_of(&[("beacon/package.json", &wagon_json())])
}

fn add_plugin(fixture: &Fixture, bytes: &[u8]) -> Result<Map<String, Value>, ManagerError> {
    let archive = fixture.manager.blobs().put(&mut &*bytes).unwrap();
    let new = NewPlugin::new(Visibility::Tenant, archive);
    fixture.run(fixture.manager.create_plugin(&ann(), new))
}

#[test]
fn a_plugin_is_read_from_a_zip_or_a_wagon_and_kept_once() {
    let fixture = Fixture::new();
    let full = zip_of(&[("beacon.wgn", &wagon()), ("plugin.yaml", b"plugins: {}")]);
    let plugin = add_plugin(&fixture, &full).unwrap();
    assert_eq!((&plugin["package_name"], &plugin["package_version"]), (&json!("beacon"), &json!("1.2.0")));
    assert!(matches!(add_plugin(&fixture, &wagon()), Err(ManagerError::Conflict(_))));
    let id = plugin["id"].as_str().unwrap();
    let content = |is_full| {
        let download = fixture.run(fixture.manager.plugin_archive(&ann(), id, is_full)).unwrap();
        bytes_of(&fixture, &download)
    };
    assert_eq!(content(true), full);
    assert_eq!(content(false), wagon());
}

#[test]
fn a_plugin_keeps_the_id_that_it_has_elsewhere_where_nobody_has_it() {
    let fixture = Fixture::new();
    let bring = |id: &str, version: &str| {
        let package = String::from_utf8(wagon_json()).unwrap().replace("1.2.0", version);
        let bytes = zip_of(&[("beacon/package.json", package.as_bytes())]);
        let archive = fixture.manager.blobs().put(&mut &*bytes).unwrap();
        let new = NewPlugin { id: Some(id.to_owned()), ..NewPlugin::new(Visibility::Tenant, archive) };
        fixture.run(fixture.manager.create_plugin(&ann(), new))
    };
    let afar = "1e5438ba-b57e-474d-80f6-ef58b072c3a0";
    assert_eq!(bring(afar, "1.2.0").unwrap()["id"], afar);
    let taken = bring(afar, "1.3.0").unwrap_err();
    assert!(matches!(&taken, ManagerError::Conflict(message) if message.contains(afar)), "{taken}");
    assert!(matches!(bring("../afar", "1.3.0"), Err(ManagerError::BadParameters(_))));
    bring("2e5438ba-b57e-474d-80f6-ef58b072c3a0", "1.3.0").unwrap();
}

#[test]
fn a_plugin_that_nodes_use_goes_only_by_force() {
    let fixture = Fixture::with_deployment();
    let plugin = add_plugin(&fixture, &wagon()).unwrap();
    let id = plugin["id"].as_str().unwrap();
    let used = fixture.run(fixture.manager.delete_plugin(&ann(), id, false)).unwrap_err();
    assert!(matches!(used, ManagerError::PluginInUse(_)), "{used}");
    fixture.run(fixture.manager.delete_plugin(&ann(), id, true)).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_bytes_make_the_reading_of_a_plugin_panic(mut bytes: Vec<u8>, begins in 0..3_usize, cut in 0..400_usize) {
        let mut archive = [Vec::new(), wagon(), b"\x1f\x8b\x08".to_vec()][begins].clone();
        archive.truncate(archive.len().saturating_sub(cut % 7));
        bytes.splice(0..0, archive);
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&bytes).unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        let _ = super::super::wagon::read_plugin(file);
    }
}

#[test]
fn a_tenant_goes_only_when_it_owns_nothing() {
    let fixture = Fixture::new();
    fixture.run(fixture.manager.create_tenant("north")).unwrap();
    assert!(matches!(fixture.run(fixture.manager.create_tenant("north")), Err(ManagerError::Conflict(_))));
    let zoe = caller("zoe", "north", TenantRole::User);
    fixture.run(fixture.manager.create_secret(&zoe, secret("pass", "x"))).unwrap();
    assert!(matches!(
        fixture.run(fixture.manager.delete_tenant("north")),
        Err(ManagerError::IllegalAction(_))
    ));
    fixture.run(fixture.manager.delete_secret(&zoe, "pass")).unwrap();
    let measurement = Measurement {
        key: SeriesKey {
            tenant: TenantName::trusted("north"),
            metric: MetricName::parse("cpu").unwrap(),
            tags: Tags::new(),
        },
        kind: None,
        period: None,
        point: Point::plain(1, 2.0),
    };
    let store = fixture.manager.current().metrics.clone();
    fixture.run(store.write(vec![measurement])).unwrap();
    let refused = fixture.run(fixture.manager.delete_tenant("north")).unwrap_err().to_string();
    assert!(refused.ends_with("it still has metrics"), "{refused}");
    fixture.run(store.delete_metrics(TenantName::trusted("north"), vec!["cpu".to_owned()])).unwrap();
    fixture.run(fixture.manager.delete_tenant("north")).unwrap();
    assert!(fixture.run(fixture.manager.delete_tenant(TenantName::DEFAULT)).is_err());
}

#[test]
fn an_inventory_counts_by_tenant_and_names_what_differs() {
    let fixture = Fixture::new();
    let count = |fixture: &Fixture| fixture.manager.inventory_blocking().unwrap();
    let empty = count(&fixture);
    assert!(empty.is_clean());
    assert!(empty.compare(&empty).is_empty());
    fixture.run(fixture.manager.create_tenant("north")).unwrap();
    let zoe = caller("zoe", "north", TenantRole::User);
    assert!(!count(&fixture).is_clean(), "a further tenant was made by somebody");
    fixture.run(fixture.manager.create_secret(&zoe, secret("pass", "x"))).unwrap();
    let differences = empty.compare(&count(&fixture));
    let found = |tenant: Option<&str>, kind: &str| {
        differences.iter().any(|difference| {
            difference.tenant.as_deref() == tenant
                && difference.kind == kind
                && (difference.before, difference.after) != (0, 0)
        })
    };
    assert!(found(None, "tenants") && found(None, "secrets") && found(Some("north"), "secrets"));
    assert_eq!(differences.len(), 3, "{differences:?}");
}

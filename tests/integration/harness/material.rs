//! What the tests send: a blueprint, a plugin, a secret, bytes that do not compress.
//!
//! Everything is small, made by us, and the same each time.

use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use reqwest::Method;
use serde_json::{Value, json};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

use super::{Api, upload_text};

/// The id under which [`fill`] uploads the blueprint.
pub const BLUEPRINT: &str = "lighthouse";

/// What the secret holds; a restore must bring it back to the letter.
pub const SECRET_VALUE: &str = "öffne dich, \"Sesam\"\n\tzweite Zeile ✓";

/// The description of the plugin that goes beside its wagon.
const PLUGIN_YAML: &str = "\
plugins:
  beacon:
    executor: central_deployment_agent
    package_name: beacon-plugin
    package_version: 1.2.0
";

/// The main file of the blueprint in the clone; its folder is what gets uploaded.
pub fn blueprint_file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/blueprint/lighthouse.yaml")
}

/// The blueprint's folder as the clients pack it: a tar.gz with one folder at its root.
pub fn blueprint_archive() -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    let folder = blueprint_file();
    archive.append_dir_all("blueprint", folder.parent().unwrap()).unwrap();
    archive.into_inner().unwrap().finish().unwrap()
}

/// A plugin's code in the form that Cloudify's packer `wagon` 1.0 gives it: a zip.
fn plugin_wagon(name: &str, version: &str) -> Vec<u8> {
    let wheel = format!("{name}-{version}-py3-none-any.whl");
    let package = json!({
        "archive_name": format!("{name}-{version}-py311-none-any.wgn"),
        "build_server_os_properties": {
            "distribution": null, "distribution_release": null, "distribution_version": null
        },
        "created_by_wagon_version": "1.0.3",
        "package_name": name,
        "package_source": ".",
        "package_version": version,
        "supported_platform": "any",
        "supported_python_versions": ["py311"],
        "wheels": [wheel],
    });
    let code = write_zip(&[("beacon_plugin/__init__.py", b"LIT = True\n")]);
    write_zip(&[
        (&format!("{name}/package.json"), package.to_string().as_bytes()),
        (&format!("{name}/wheels/{wheel}"), &code),
    ])
}

/// What `cfy plugins upload` sends: the wagon and its description in one zip.
pub fn plugin_archive() -> Vec<u8> {
    write_zip(&[
        ("beacon_plugin-1.2.0-py311-none-any.wgn", &plugin_wagon("beacon-plugin", "1.2.0")),
        ("plugin.yaml", PLUGIN_YAML.as_bytes()),
    ])
}

/// A plugin with a description that says its version: a type of node `<name>.nodes.Lamp`, made by it.
pub fn described_plugin(name: &str, version: &str) -> Vec<u8> {
    let description = format!(
        "plugins:\n  {name}: {{executor: central_deployment_agent, package_name: {name}, package_version: {version}}}\n\
         node_types:\n  {name}.nodes.Lamp:\n    derived_from: cloudify.nodes.Root\n    properties:\n\
         \x20     made_by: {{default: {version}}}\n    interfaces:\n      cloudify.interfaces.lifecycle:\n\
         \x20       create: {{implementation: {name}.tasks.light}}\n"
    );
    write_zip(&[
        (&format!("{name}-{version}.wgn"), &plugin_wagon(name, version)),
        ("plugin.yaml", description.as_bytes()),
    ])
}

/// The plugin `name` in versions 1.0.0 and 2.0.0, and deployments `<name>-0`, … of a blueprint of that name, which was
/// read when there was only the first.
pub fn lamps(api: &Api, name: &str, deployments: usize) {
    let plugin = |version: &str| {
        let upload = api.request(Method::POST, &format!("plugins?title={name}&visibility=tenant"));
        api.send(upload.body(described_plugin(name, version))).expect(201);
    };
    plugin("1.0.0");
    let main = format!(
        "tosca_definitions_version: cloudify_dsl_1_4\nimports: [cloudify/types/types.yaml, 'plugin:{name}']\n\
         node_templates:\n  lamp: {{ type: {name}.nodes.Lamp }}\n"
    );
    upload_text(api, name, &main);
    for number in 0..deployments {
        let deployment = api.put(&format!("deployments/{name}-{number}"), &json!({ "blueprint_id": name }));
        deployment.expect(201);
        api.wait_for_end(&latest_execution(api, "create_deployment_environment"));
    }
    plugin("2.0.0");
}

/// A plugin of another name, as a bare wagon.
pub fn wagon(name: &str, version: &str) -> Vec<u8> {
    plugin_wagon(name, version)
}

/// A tar.gz of these files.
pub fn tar_gz(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, *bytes).unwrap();
    }
    archive.into_inner().unwrap().finish().unwrap()
}

/// A zip of these entries.
pub fn write_zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// An archive of another program, at least so many bytes long, none of which can be compressed.
pub fn long_archive(bytes: usize) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
    zip.start_file("metadata.json", options).unwrap();
    zip.write_all(br#"{"snapshot_version": "5.1.0"}"#).unwrap();
    zip.start_file("pg_data", options).unwrap();
    let block: Vec<u8> =
        (0..1_u32 << 18).flat_map(|number| number.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    for _ in 0..bytes.div_ceil(block.len()) {
        zip.write_all(&block).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// A form of fields, each a name, a file name if it is a file, and its bytes; the content type first.
pub fn form(fields: &[(&str, Option<&str>, &[u8])]) -> (String, Vec<u8>) {
    let boundary = "6f2a1c-lighthouse-8d41";
    let mut body = Vec::new();
    for (name, file_name, bytes) in fields {
        let file_name = file_name.map(|name| format!("; filename=\"{name}\"")).unwrap_or_default();
        let head = format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"{file_name}\r\n\
             Content-Type: text/plain\r\n\r\n"
        );
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    (format!("multipart/form-data; boundary={boundary}"), body)
}

/// Fills a manager by raw HTTP: a second tenant, a secret, a plugin, a blueprint, a deployment.
pub fn fill(api: &Api) {
    api.post("tenants/north", &json!({})).expect(201);
    for tenant in ["default_tenant", "north"] {
        let api = api.clone().tenant(tenant);
        api.put("secrets/lamp_passphrase", &json!({ "value": SECRET_VALUE })).expect(200);
        upload_blueprint(&api, BLUEPRINT, blueprint_archive());
        api.wait_for_end(&latest_execution(&api, "upload_blueprint"));
        api.put(
            &format!("deployments/{tenant}-tower"),
            &json!({ "blueprint_id": BLUEPRINT, "inputs": { "keeper": "Jürgen" } }),
        )
        .expect(201);
        api.wait_for_end(&latest_execution(&api, "create_deployment_environment"));
    }
    let upload = api.request(Method::POST, "plugins?title=beacon&visibility=tenant").body(plugin_archive());
    api.send(upload).expect(201);
}

/// Uploads a blueprint as the 7.0.5 client does.
fn upload_blueprint(api: &Api, id: &str, archive: Vec<u8>) {
    let params = json!({
        "visibility": "tenant",
        "async_upload": true,
        "skip_execution": false,
        "application_file_name": "lighthouse.yaml",
    });
    let (content_type, body) = form(&[
        ("params", None, params.to_string().as_bytes()),
        ("blueprint_archive", Some("filename"), &archive),
    ]);
    let request = api.request(Method::PUT, &format!("blueprints/{id}"));
    api.send(request.header("Content-Type", content_type).body(body)).expect(201);
}

fn latest_execution(api: &Api, workflow: &str) -> Value {
    api.get(&format!("executions?_include_system_workflows=True&workflow_id={workflow}&_sort=-created_at"))
        .items()
        .into_iter()
        .next()
        .unwrap_or_else(|| panic!("no execution of `{workflow}`"))
}

/// Writes the plugin's two files for `cfy`, and gives their paths.
pub fn write_plugin(folder: &Path) -> (String, String) {
    let wagon = folder.join("beacon_plugin-1.2.0-py311-none-any.wgn");
    let yaml = folder.join("plugin.yaml");
    fs::write(&wagon, plugin_wagon("beacon-plugin", "1.2.0")).unwrap();
    fs::write(&yaml, PLUGIN_YAML).unwrap();
    let text = |path: PathBuf| path.into_os_string().into_string().unwrap();
    (text(wagon), text(yaml))
}

/// A blueprint with the workflows of the basic types, and a deployment of it, both of this id.
pub fn workflow_blueprint(api: &Api, id: &str) {
    const MAIN: &[u8] =
        b"tosca_definitions_version: cloudify_dsl_1_4\nimports: [cloudify/types/types.yaml]\n\
        node_templates:\n  ferry: { type: cloudify.nodes.Root }\n";
    let path = format!("blueprints/{id}?application_file_name=b.yaml");
    let upload = api.request(Method::PUT, &path).body(tar_gz(&[("bp/b.yaml", MAIN)]));
    api.send(upload).expect(201);
    api.put(&format!("deployments/{id}"), &json!({ "blueprint_id": id })).expect(201);
    api.wait_for_end(&latest_execution(api, "create_deployment_environment"));
}

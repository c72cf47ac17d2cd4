//! The whole story told with Python's cloudify-common 7.0.5.
//!
//! The story itself is `tests/clients/common_story.py`.

use crate::harness::{
    ADMIN_PASSWORD, Finished, TestServer, blueprint_file, plugin_archive, python_common, script,
};

#[test]
fn the_story_holds_with_cloudify_common() {
    tell("common_story.py", python_common);
}

#[test]
fn sites_labels_filters_and_summaries_hold_with_cloudify_common() {
    tell("inventory_story.py", python_common);
}

#[test]
fn every_method_of_cloudify_common_is_answered() {
    tell("common_sweep.py", python_common);
}

/// Runs a story between a manager and a second, empty one that may open its archives.
pub fn tell(story: &str, python: fn(&[&str]) -> Finished) {
    let first = TestServer::start();
    let second = TestServer::builder().opening_archives_of(&first).start();
    let folder = first.scratch();
    let plugin = folder.join("plugin.zip");
    std::fs::write(&plugin, plugin_archive()).unwrap();
    python(&[
        &script(story),
        "--port",
        &first.port().to_string(),
        "--second-port",
        &second.port().to_string(),
        "--password",
        ADMIN_PASSWORD,
        "--folder",
        folder.to_str().unwrap(),
        "--blueprint",
        blueprint_file().to_str().unwrap(),
        "--plugin",
        plugin.to_str().unwrap(),
    ])
    .success()
    .says(&["the story held"]);
}

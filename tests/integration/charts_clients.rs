//! The stories of charts told with Librato's real clients: librato-metrics for Python, librato-node.
//!
//! The stories themselves are `librato_story.py` and `librato_node_story.js` in `tests/clients/`.

use serde_json::Value;

use crate::harness::{ADMIN_PASSWORD, TestServer, node, python_librato, script};

#[test]
fn the_story_holds_with_librato_metrics() {
    let server = TestServer::start();
    let port = server.port().to_string();
    python_librato(&[&script("librato_story.py"), "--port", &port, "--password", ADMIN_PASSWORD])
        .success()
        .says(&["the story held"]);
}

/// The points of a source that librato-node's story printed.
fn points(found: &Value, metric: &str, source: &str) -> Vec<Value> {
    let points = found[metric]["measurements"][source].as_array();
    points.unwrap_or_else(|| panic!("no `{metric}` of `{source}`: {found:#}")).clone()
}

#[test]
fn the_story_holds_with_librato_node() {
    let server = TestServer::start();
    let base = format!("http://127.0.0.1:{}", server.port());
    let finished = node("librato_node_story.js", &[&base, "admin", ADMIN_PASSWORD]).success();
    let found: Value = serde_json::from_str(&finished.stdout).expect("the story prints JSON");

    // A counter keeps what it counted; the two flushes may lie in one second.
    let last = |metric: &str, source: &str| points(&found, metric, source).last().unwrap()["value"].as_f64();
    assert_eq!(last("jobs_done_", "worker-1"), Some(6.0), "{found:#}");
    assert_eq!(found["jobs_done_"]["type"], "counter");
    assert_eq!(last("jobs.by_source", "worker-2"), Some(2.0));
    let sizes = &points(&found, "size", "worker-1")[0];
    for (key, value) in
        [("count", 3.0), ("sum", 12.0), ("min", 1.0), ("max", 9.0), ("sum_squares", 86.0), ("value", 4.0)]
    {
        assert_eq!(sizes[key].as_f64(), Some(value), "{key}: {sizes:#}");
    }
    assert_eq!(found["size"]["type"], "gauge");
    assert_eq!(last("once", "worker-1"), Some(2001.0));
    assert_eq!(points(&found, "sync", "worker-1").len(), 1);
    let slow = last("async", "worker-2").unwrap();
    assert!((15.0..10_000.0).contains(&slow), "{slow} ms");
}

//! Tests of the store as a whole, against a model that keeps every point.

mod exported;
mod model;
mod retention;
mod size;

use std::path::PathBuf;

use super::*;
use crate::model::TenantName;

pub fn tenant() -> TenantName {
    TenantName::trusted("default_tenant")
}

pub fn open() -> (tempfile::TempDir, MetricsStore) {
    let folder = tempfile::tempdir().unwrap();
    let store = MetricsStore::open(&path(&folder)).unwrap();
    (folder, store)
}

pub fn path(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("metrics.db")
}

pub fn key(metric: &str, source: &str) -> SeriesKey {
    let mut tags = Tags::new();
    if !source.is_empty() {
        tags.insert("source", source).unwrap();
    }
    SeriesKey { tenant: tenant(), metric: MetricName::parse(metric).unwrap(), tags }
}

pub fn measurement(key: &SeriesKey, point: Point) -> Measurement {
    Measurement { key: key.clone(), kind: None, period: None, point }
}

pub fn write(store: &MetricsStore, key: &SeriesKey, points: impl IntoIterator<Item = Point>) -> Written {
    store.write_blocking(points.into_iter().map(|point| measurement(key, point)).collect()).unwrap()
}

pub fn query(metric: &str, start: i64, end: i64, max_buckets: usize, min_step: u32) -> Query {
    Query {
        tenant: tenant(),
        metric: MetricName::parse(metric).unwrap(),
        filter: TagFilter::any(),
        start,
        end,
        max_buckets,
        min_step,
    }
}

/// The buckets of the only series of a metric.
pub fn read_one(store: &MetricsStore, query: Query) -> SeriesData {
    let mut read = store.read_blocking(query).unwrap();
    assert_eq!(read.len(), 1);
    read.remove(0)
}

#[test]
fn tags_of_different_tenants_and_sources_never_mix() {
    let (_folder, store) = open();
    let mut other = key("cpu", "a");
    other.tenant = TenantName::trusted("other");
    let batch = [key("cpu", "a"), key("CPU", "b"), other.clone()]
        .iter()
        .zip([1.0, 2.0, 3.0])
        .map(|(key, value)| measurement(key, Point::plain(60, value)))
        .collect();
    store.write_blocking(batch).unwrap();
    let mut asked = query("Cpu", 0, 100, 10, 1);
    let read = store.read_blocking(asked.clone()).unwrap();
    let values: Vec<_> = read.iter().map(|series| (series.key.clone(), series.buckets[0].last)).collect();
    assert_eq!(values, [(key("cpu", "a"), 1.0), (key("cpu", "b"), 2.0)]);
    assert_eq!(read[1].key.metric.as_str(), "cpu", "the name is spelled as it was first written");
    asked.filter = TagFilter(vec![("source".into(), vec!["x*".into(), "b*".into()])]);
    assert_eq!(store.read_blocking(asked.clone()).unwrap().len(), 1);
    asked.filter = TagFilter(vec![("host".into(), vec!["*".into()])]);
    assert_eq!(store.read_blocking(asked).unwrap(), []);
    let asked = Query { tenant: other.tenant, ..query("cpu", 0, 100, 10, 1) };
    assert_eq!(read_one(&store, asked).buckets, [Point::plain(60, 3.0)]);
}

#[test]
fn numbers_that_are_no_measurements_are_refused_and_nothing_is_written() {
    let (_folder, store) = open();
    let key = key("m", "");
    for point in [
        Point::plain(1, f64::NAN),
        Point { max: f64::INFINITY, ..Point::plain(1, 1.0) },
        Point::plain(MAX_TIME + 1, 1.0),
        Point::plain(i64::MIN + 1, 1.0),
    ] {
        let batch = vec![measurement(&key, Point::plain(0, 1.0)), measurement(&key, point)];
        assert!(matches!(store.write_blocking(batch), Err(StoreError::NotStorable(_))));
    }
    assert_eq!(store.read_blocking(query("m", 0, 100, 10, 1)).unwrap(), []);
}

#[test]
fn a_write_that_was_taken_back_leaves_nothing_remembered() {
    let (_folder, store) = open();
    let key = key("m", "");
    let taken_back = {
        let batch = vec![measurement(&key, Point::plain(1, 1.0))];
        store.change(move |tx, cache| {
            ingest::write(tx, cache, &batch)?;
            Err::<(), _>(StoreError::Damaged("on purpose"))
        })
    };
    assert!(taken_back.is_err());
    let panicked = {
        let batch = vec![measurement(&key, Point::plain(1, 1.0))];
        store.change(move |tx, cache| -> Result<(), StoreError> {
            ingest::write(tx, cache, &batch)?;
            panic!("on purpose")
        })
    };
    assert!(panicked.is_err());
    write(&store, &key, [Point::plain(2, 2.0)]);
    assert_eq!(read_one(&store, query("m", 0, 10, 10, 1)).buckets, [Point::plain(2, 2.0)]);
}

#[test]
fn a_seal_that_was_taken_back_leaves_every_point_once() {
    let (_folder, store) = open();
    let key = key("m", "");
    let points: Vec<Point> = (0..2500).map(|time| Point::plain(time, time as f64)).collect();
    for part in points.chunks(100) {
        let batch: Vec<_> = part.iter().map(|point| measurement(&key, *point)).collect();
        // Every batch is first taken back, with the seal that it brings now and then, and then written.
        let taken_back = batch.clone();
        let failed = store.change(move |tx, cache| {
            ingest::write(tx, cache, &taken_back)?;
            Err::<(), _>(StoreError::Damaged("on purpose"))
        });
        assert!(failed.is_err());
        store.write_blocking(batch).unwrap();
    }
    assert_eq!(read_one(&store, query("m", 0, 2500, 2500, 1)).buckets, points);
    let hour = read_one(&store, query("m", 0, 2500, 2, 3600)).buckets[0];
    assert_eq!((hour.count, hour.sum), (2500, 2499.0 * 1250.0));
}

#[test]
fn what_was_written_is_there_after_the_store_is_opened_again() {
    let (folder, store) = open();
    let key = key("m", "a");
    write(&store, &key, (0..3000).map(|time| Point::plain(time, time as f64)));
    drop(store);
    let store = MetricsStore::open(&path(&folder)).unwrap();
    write(&store, &key, (2990..3100).map(|time| Point::plain(time, time as f64)));
    let read = read_one(&store, query("m", 0, 4000, 4000, 1));
    assert_eq!(read.buckets, (0..3100).map(|time| Point::plain(time, time as f64)).collect::<Vec<_>>());
}

#[tokio::test]
async fn metrics_are_listed_set_and_deleted_whatever_their_case() {
    let (_folder, store) = open();
    for name in ["Web.requests", "web.errors", "db.size"] {
        let batch = vec![measurement(&key(name, "a"), Point::plain(1, 1.0))];
        store.write(batch).await.unwrap();
    }
    let name = MetricName::parse("WEB.requests").unwrap();
    let mut metric = store.metric(tenant(), name.clone()).await.unwrap().unwrap();
    assert_eq!((metric.name.as_str(), metric.kind), ("Web.requests", MetricKind::Gauge));
    metric.kind = MetricKind::Counter;
    metric.name = name.clone();
    metric.attributes.insert("color".into(), "#f00".into());
    assert!(!store.set_metric(tenant(), metric.clone()).await.unwrap());
    let set = store.metric(tenant(), name).await.unwrap().unwrap();
    assert_eq!((set.name.as_str(), set.kind), ("Web.requests", MetricKind::Counter));
    assert_eq!(set.attributes, metric.attributes);
    metric.name = MetricName::parse("new").unwrap();
    assert!(store.set_metric(tenant(), metric).await.unwrap());

    let page = store.metrics(tenant(), Some("WEB".into()), 1, 10, false).await.unwrap();
    let names: Vec<_> = page.metrics.iter().map(|metric| metric.name.as_str()).collect();
    assert_eq!((names, page.found, page.total), (vec!["Web.requests"], 2, 4));
    assert_eq!(store.delete_metrics(tenant(), vec!["WEB.*".into(), "new".into()]).await.unwrap(), 3);
    assert_eq!(store.delete_metrics(TenantName::trusted("other"), vec!["*".into()]).await.unwrap(), 0);
    assert_eq!(store.metrics(tenant(), None, 0, 10, true).await.unwrap().total, 1);
    // A deleted series is made anew, not written to under its former id.
    store.write(vec![measurement(&key("web.errors", "a"), Point::plain(9, 9.0))]).await.unwrap();
    let read = store.read(query("web.errors", 0, 10, 10, 1)).await.unwrap();
    assert_eq!(read[0].buckets, [Point::plain(9, 9.0)]);
}

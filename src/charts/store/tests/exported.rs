//! Export, import, and annotations.

use super::*;

const DAY: i64 = 86_400;

fn export(store: &MetricsStore, from: i64, chunk_bytes: usize) -> (Vec<String>, Counts) {
    let mut files = Vec::new();
    let each = &mut |file| {
        files.push(file);
        Ok::<_, StoreError>(())
    };
    let counts = store.cut_blocking().unwrap().export(&tenant(), from, chunk_bytes, each).unwrap();
    (files, counts)
}

fn import(store: &MetricsStore, files: &[String]) {
    for file in files {
        assert!(file.starts_with(FILE_HEADER), "a file can't be read alone");
        let measurements = file.lines().filter_map(|line| import_line(&tenant(), line).unwrap()).collect();
        store.write_blocking(measurements).unwrap();
    }
}

fn filled() -> (tempfile::TempDir, MetricsStore) {
    let (folder, store) = open();
    let mut state = 88_172_645_463_325_252;
    for (source, gap) in [("a b,c=d", 60), ("dense", 5)] {
        let points = (0..12 * DAY)
            .step_by(gap)
            .map(|time| Point::plain(time, (size::noise(&mut state) * 1000.0).round() / 4.0));
        write(&store, &key("cpu", source), points);
    }
    let aggregate =
        Point { count: 7, sum: 70.0, max: 20.0, sum_squares: Some(900.0), ..Point::plain(12 * DAY, 5.0) };
    write(&store, &key("db.size", ""), [Point::plain(5, 1e126), aggregate, Point::plain(12 * DAY + 1, -0.0)]);
    (folder, store)
}

#[test]
fn an_export_read_back_answers_the_same_even_past_retention() {
    let (_folder, store) = filled();
    let kept = Retention { raw_days: 2, minute_days: 5, quarter_hour_days: 8, hour_days: 0 };
    let (files, before) = export(&store, i64::MIN, 1 << 20);
    store.maintain_blocking(12 * DAY, &kept).unwrap();
    let (rolled, after) = export(&store, i64::MIN, 1 << 20);
    assert_eq!(before.points, 12 * (1440 + 17_280) + 3);
    assert!(after.points < before.points / 2 && after.files < before.files);
    assert_eq!(after.bytes, rolled.iter().map(|file| file.len() as u64).sum::<u64>());
    for (files, steps) in [(files, vec![1, 60, 900, 3600]), (rolled, vec![3600, 86_400])] {
        let (_folder, copy) = open();
        import(&copy, &files);
        // Twice is as good as once.
        import(&copy, &files[files.len() / 2..]);
        for metric in ["cpu", "db.size"] {
            for &step in &steps {
                let asked = query(metric, 0, 13 * DAY, usize::MAX, step);
                let (Ok(expected), Ok(read)) =
                    (store.read_blocking(asked.clone()), copy.read_blocking(asked))
                else {
                    panic!("a read failed");
                };
                for (expected, read) in expected.iter().zip(&read) {
                    // What the store dropped meanwhile it answers in longer steps.
                    if expected.step == read.step {
                        assert_eq!(
                            (&read.key, &read.buckets),
                            (&expected.key, &expected.buckets),
                            "step {step}"
                        );
                    }
                }
                assert_eq!(expected.len(), read.len());
            }
        }
        // The copy of the rolled up store says the same when it is written out again.
        if steps.len() == 2 {
            assert_eq!(export(&copy, i64::MIN, 1 << 20).0, files);
        }
    }
}

#[test]
fn a_window_leaves_out_what_is_older_and_the_estimate_is_near() {
    let (_folder, store) = filled();
    for from in [0, 6 * DAY, 12 * DAY, 20 * DAY] {
        let (files, counts) = export(&store, from, 256 << 10);
        assert!(files.iter().all(|file| file.len() < (256 << 10) + 1000));
        let oldest = files
            .iter()
            .flat_map(|file| file.lines())
            .filter_map(|line| import_line(&tenant(), line).unwrap());
        assert!(oldest.map(|measurement| measurement.point.time).min().is_none_or(|time| time >= from));
        let estimate = store.cut_blocking().unwrap().estimate_bytes(&tenant(), from).unwrap();
        // The block that `from` cuts counts as a whole.
        let (least, most) = (counts.bytes.saturating_sub(1000) / 2, counts.bytes * 2 + 500_000);
        assert!((least..=most).contains(&estimate), "{estimate} for {}", counts.bytes);
    }
}

#[test]
fn a_cut_does_not_see_what_is_written_or_dropped_after_it() {
    let (_folder, store) = filled();
    let (expected, _) = export(&store, 0, usize::MAX);
    let cut = store.cut_blocking().unwrap();
    write(&store, &key("cpu", "dense"), [Point::plain(77, 7.0)]);
    store
        .maintain_blocking(
            400 * DAY,
            &Retention { raw_days: 1, minute_days: 1, quarter_hour_days: 1, hour_days: 1 },
        )
        .unwrap();
    let mut files = Vec::new();
    let each = &mut |file| {
        files.push(file);
        Ok::<_, StoreError>(())
    };
    cut.export(&tenant(), 0, usize::MAX, each).unwrap();
    assert_eq!(files, expected);
}

#[test]
fn what_the_taker_of_files_says_is_the_error() {
    let (_folder, store) = filled();
    let mut calls = 0;
    let refused = store.cut_blocking().unwrap().export(&tenant(), 0, 1000, &mut |_| {
        calls += 1;
        Err(StoreError::Damaged("the disk is full"))
    });
    assert!(matches!(refused, Err(StoreError::Damaged("the disk is full"))));
    assert_eq!(calls, 1);
}

fn annotation(stream: &str, title: &str, start_time: i64, end_time: Option<i64>) -> Annotation {
    Annotation {
        id: 0,
        stream: stream.into(),
        title: title.into(),
        source: Some("m1".into()),
        description: None,
        start_time,
        end_time,
        links: vec![Link { rel: "snapshot".into(), href: "http://x/1".into(), label: None }],
    }
}

#[tokio::test]
async fn annotations_are_found_by_their_window_and_keep_their_ids_through_an_export() {
    let (_folder, store) = open();
    let other = TenantName::trusted("other");
    store.add_annotation(other.clone(), annotation("backups", "theirs", 5, None)).await.unwrap();
    let mut ids = Vec::new();
    for (title, start, end) in [("long", 0, Some(100)), ("point", 50, None), ("later", 200, Some(300))] {
        ids.push(store.add_annotation(tenant(), annotation("Backups", title, start, end)).await.unwrap());
    }
    store.add_annotation(tenant(), annotation("deploys", "x", 1, None)).await.unwrap();
    let titles = async |start, end, source: Option<&str>| -> Vec<String> {
        let found = store
            .annotations(tenant(), Some("BACKUPS".into()), start, end, source.map(Into::into))
            .await
            .unwrap();
        found.into_iter().map(|annotation| annotation.title).collect()
    };
    assert_eq!(titles(90, 200, None).await, ["long"]);
    assert_eq!(titles(50, 201, None).await, ["long", "point", "later"]);
    assert_eq!(titles(0, 1000, Some("m2")).await, Vec::<String>::new());
    assert_eq!(store.annotation_streams(tenant(), None).await.unwrap(), ["Backups", "deploys"]);
    assert_eq!(store.annotation_streams(tenant(), Some("PLOY".into())).await.unwrap(), ["deploys"]);

    let mut changed = store.annotation(tenant(), "backups".into(), ids[1]).await.unwrap().unwrap();
    changed.end_time = Some(60);
    assert!(store.update_annotation(tenant(), changed.clone()).await.unwrap());
    assert!(!store.update_annotation(other.clone(), changed.clone()).await.unwrap());
    assert_eq!(store.annotation(tenant(), "backups".into(), ids[1]).await.unwrap(), Some(changed));

    let all = tokio::task::spawn_blocking({
        let store = store.clone();
        move || store.cut_blocking().unwrap().annotations(&tenant(), 60).unwrap()
    })
    .await
    .unwrap();
    assert_eq!(all.iter().map(|annotation| annotation.id).collect::<Vec<_>>(), ids);
    assert!(store.delete_annotation(tenant(), "backups".into(), ids[0]).await.unwrap());
    assert_eq!(store.delete_annotation_stream(tenant(), "backups".into()).await.unwrap(), 2);
    let (copied, to) = (all.clone(), store.clone());
    let back = tokio::task::spawn_blocking(move || {
        for _ in 0..2 {
            to.import_annotations_blocking(tenant(), copied.clone()).unwrap();
        }
        to.annotations_blocking(tenant(), Some("backups".into()), 0, 1000, None).unwrap()
    })
    .await
    .unwrap();
    assert_eq!(back, all);
    let theirs = store.annotations(other, Some("backups".into()), 0, 10, None).await.unwrap();
    assert_eq!(theirs.len(), 1);
}

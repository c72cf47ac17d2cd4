//! Every kind that a snapshot carries is compared, in every value that it carries.

use serde_json::{Map, Value, json};

use super::super::charts::CHART_TABLES;
use super::super::flows::FLOW_TABLES;
use super::super::tables::TABLES;
use super::*;
use crate::sources::EntrySink;

/// An entity of a kind as a create writes it: its envelope's folder, its halves, the values of both.
struct Sample {
    kind: &'static str,
    folder: &'static str,
    source: bool,
    item: Map<String, Value>,
    extra: Option<Map<String, Value>>,
}

/// One entity of every kind.
fn samples() -> Vec<Sample> {
    let values = |keys: &mut dyn Iterator<Item = &'static str>| -> Map<String, Value> {
        keys.map(|key| (key.to_owned(), Value::from(format!("{key}-1")))).collect()
    };
    let of_tables = TABLES.iter().map(|table| Sample {
        kind: table.kind,
        folder: "tenants",
        source: table.source.is_some(),
        // A key without a column says nothing of an entity.
        item: values(&mut table.dumped.iter().filter(|field| field.column.is_some()).map(|field| field.key)),
        extra: (!table.extra.is_empty()).then(|| values(&mut table.extra.iter().map(|field| field.key))),
    });
    let of_rows = |folder: &'static str| {
        move |table: &'static super::super::rows::RowTable| Sample {
            kind: table.kind,
            folder,
            source: false,
            item: values(&mut table.columns.iter().map(|(name, _)| *name)),
            extra: None,
        }
    };
    of_tables
        .chain(FLOW_TABLES.iter().map(of_rows("flows")))
        .chain(CHART_TABLES.iter().map(of_rows("charts")))
        .collect()
}

fn take_in(index: &mut Index, side: Side, samples: &[Sample]) {
    let mut sink = IndexSink::new(index, side, Reading::default());
    for (number, sample) in samples.iter().enumerate() {
        let name = |top: &str| format!("{top}/north/{:08}.json", number + 1);
        let mut envelope = json!({ "type": sample.kind, "items": [sample.item] });
        if sample.source {
            envelope["source_id"] = json!("its-source");
        }
        sink.bytes(&name(sample.folder), envelope.to_string().as_bytes()).unwrap();
        if let Some(extra) = &sample.extra {
            let envelope = json!({ "type": sample.kind, "items": [extra] });
            sink.bytes(&name("lifeboat"), envelope.to_string().as_bytes()).unwrap();
        }
    }
    sink.finish().unwrap();
}

fn index(folder: &tempfile::TempDir) -> Index {
    Index::create(folder.path(), 1, Way::FromFirst).unwrap()
}

#[test]
fn every_kind_is_taken_in_and_is_the_same_as_itself() {
    let folder = tempfile::tempdir().unwrap();
    let mut index = index(&folder);
    take_in(&mut index, Side::First, &samples());
    take_in(&mut index, Side::Second, &samples());
    for sample in samples() {
        // Events of executions and of groups of them are one kind.
        let number = samples().iter().filter(|other| other.kind == sample.kind).count() as u64;
        let same = KindSummary { before: number, after: number, ..KindSummary::default() };
        assert_eq!(index.summary().get(sample.kind), Some(&same), "{}", sample.kind);
    }
    assert_eq!(index.page(None, None, 0, 10).unwrap(), (Vec::new(), 0));
    drop(index);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "its file is gone with it");
}

#[test]
fn a_change_of_any_value_of_any_kind_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..samples().len() {
        let keys = |sample: &Sample| -> Vec<(bool, String)> {
            let item = sample.item.keys().map(|key| (false, key.clone()));
            item.chain(sample.extra.iter().flat_map(|extra| extra.keys()).map(|key| (true, key.clone())))
                .collect()
        };
        for (is_extra, key) in keys(&samples()[number]) {
            let mut changed = samples();
            let sample = &mut changed[number];
            let values = if is_extra { sample.extra.as_mut().unwrap() } else { &mut sample.item };
            values.insert(key.clone(), json!("another"));
            let kind = sample.kind;
            let mut index = index(&folder);
            take_in(&mut index, Side::First, &samples());
            take_in(&mut index, Side::Second, &changed);
            let (found, total) = index.page(Some(kind), None, 0, 10).unwrap();
            assert!(!found.is_empty(), "a change of `{key}` of `{kind}` is not seen");
            assert_eq!(index.page(None, None, 0, 10).unwrap().1, total, "only `{kind}` has changed");
        }
    }
}

#[test]
fn pages_of_any_size_hold_every_change_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut index = index(&folder);
    let many = |from: usize, to: usize, note: &str| -> Vec<Sample> {
        let sample = |number: usize, kind: &'static str| Sample {
            kind,
            folder: "charts",
            source: false,
            item: json!({ "id": number, "name": note }).as_object().unwrap().clone(),
            extra: None,
        };
        (from..to).flat_map(|number| [sample(number, "spaces"), sample(number, "charts")]).collect()
    };
    take_in(&mut index, Side::First, &many(0, 20, "a"));
    take_in(&mut index, Side::Second, &many(10, 25, "b"));
    let (all, total) = index.page(None, None, 0, 1000).unwrap();
    assert_eq!((all.len() as u64, total), (50, 50));
    for size in [1, 3, 7, 49] {
        let mut found = Vec::new();
        while (found.len() as u64) < total {
            let (page, of) = index.page(None, None, found.len() as u64, size).unwrap();
            assert!(!page.is_empty() && page.len() as u64 <= size && of == total);
            found.extend(page);
        }
        assert_eq!(found, all, "pages of {size}");
    }
    for (change, count) in [(Change::Added, 5), (Change::Removed, 10), (Change::Changed, 10)] {
        let (found, of) = index.page(Some("charts"), Some(change), 0, 1000).unwrap();
        assert_eq!((found.len(), of), (count, count as u64), "{change:?}");
        assert!(found.iter().all(|entity| entity.kind == "charts" && entity.change == change));
        assert_eq!(index.page(None, Some(change), 0, 1).unwrap().1, 2 * count as u64);
    }
    assert_eq!(index.page(None, None, 50, 10).unwrap().0, []);
    assert_eq!(index.page(Some("nothing"), None, 0, 10).unwrap(), (Vec::new(), 0));
}

#[test]
fn nothing_of_a_secret_is_in_the_file_and_its_change_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let mut index = index(&folder);
    let secret = |value: &str| {
        json!({ "type": "secrets", "items": [{ "key": "pin", "value": value, "visibility": "tenant" }] })
            .to_string()
    };
    for (side, value) in [(Side::First, "8274-canary"), (Side::Second, "5520-canary")] {
        let mut sink = IndexSink::new(&mut index, side, Reading::default());
        sink.sealed("secrets", &mut |sealed| {
            sealed.add("tenants/north/secrets.json", secret(value).as_bytes())?;
            sealed.add("lifeboat/north/secrets.json", br#"{"items":[{"updated_at":null,"schema":null}]}"#)
        })
        .unwrap();
        sink.sealed("agents", &mut |sealed| sealed.add("north/a/key_file", b"8274-canary")).unwrap();
        sink.finish().unwrap();
    }
    let (found, _) = index.page(None, None, 0, 10).unwrap();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].kind.as_str(), found[0].id.as_str()), ("secrets", "pin"));
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.is_empty());
        for canary in ["8274", "5520"] {
            assert!(!bytes.windows(4).any(|window| window == canary.as_bytes()), "{canary}");
        }
    }
}

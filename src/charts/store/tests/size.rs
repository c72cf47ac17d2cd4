//! How much room points take, and how many rows a read takes.

use super::*;

/// Pages of the file that hold something, as SQLite counts them: what the file would have after a VACUUM.
fn used_bytes(store: &MetricsStore) -> u64 {
    let pragma = |name: &'static str| {
        store
            .database()
            .read_blocking(move |connection| {
                Ok::<_, StoreError>(
                    connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0))?,
                )
            })
            .unwrap() as u64
    };
    (pragma("page_count") - pragma("freelist_count")) * pragma("page_size")
}

/// The same numbers in every run (xorshift).
pub fn noise(state: &mut u64) -> f64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    (*state >> 11) as f64 / (1_u64 << 53) as f64
}

#[test]
fn a_point_of_a_regular_series_takes_at_most_four_bytes() {
    type Values = fn(i64, &mut u64) -> f64;
    let two_decimals: Values = |_, state| (noise(state) * 10_000.0).round() / 100.0;
    let wandering: Values =
        |n, state| ((n as f64 / 500.0).sin() * 5000.0 + noise(state) * 50.0).round() / 100.0;
    let counter: Values = |n, state| n as f64 * 137.0 + (noise(state) * 50.0).floor();
    let constant: Values = |_, _| 42.5;
    let points = 100_000;
    for (name, values) in [
        ("two decimals", two_decimals),
        ("wandering", wandering),
        ("counter", counter),
        ("constant", constant),
    ] {
        // Gaps between those are tried with the values that take the most.
        let gaps: &[i64] = if name == "two decimals" { &[1, 8, 60, 900] } else { &[1, 60] };
        for &gap in gaps {
            let (_folder, store) = open();
            let empty = used_bytes(&store);
            let mut state = 0x9e37_79b9_7f4a_7c15;
            let start = 1_700_000_000 - 1_700_000_000 % 3600;
            let mut batch = Vec::new();
            for n in 0..points {
                batch.push(Point::plain(start + n * gap, values(n, &mut state)));
                // The timer comes while points come, not only at the end.
                if batch.len() == 500 {
                    write(&store, &key("m", "a"), batch.drain(..));
                    store.maintain_blocking(start + n * gap, &Retention::FOR_EVER).unwrap();
                }
            }
            let bytes = (used_bytes(&store) - empty) as f64 / points as f64;
            println!(
                "{name} each {gap} s: {bytes:.2} bytes a point in a file with all its levels and indexes"
            );
            assert!(bytes <= 4.0, "{name} each {gap} s: {bytes:.2} bytes a point");
        }
    }
}

#[test]
fn many_series_side_by_side_take_as_little() {
    let (_folder, store) = open();
    let empty = used_bytes(&store);
    let mut state = 0x9e37_79b9_7f4a_7c15;
    let keys: Vec<SeriesKey> = (0..50).map(|n| key("cpu.load", &format!("host-{n}"))).collect();
    let (points, start) = (4000, 1_700_000_000 / 3600 * 3600);
    for n in 0..points {
        let time = start + n * 60;
        let batch = keys
            .iter()
            .map(|key| measurement(key, Point::plain(time, (noise(&mut state) * 10_000.0).round() / 100.0)))
            .collect();
        store.write_blocking(batch).unwrap();
        if n % 100 == 99 {
            store.maintain_blocking(time, &Retention::FOR_EVER).unwrap();
        }
    }
    let bytes = (used_bytes(&store) - empty) as f64 / (points * 50) as f64;
    println!("two decimals each 60 s, 50 series of 4,000: {bytes:.2} bytes a point");
    assert!(bytes <= 4.0, "{bytes:.2} bytes a point");
}

#[test]
fn a_read_takes_rows_in_proportion_to_its_buckets() {
    let (_folder, store) = open();
    // A day and a half of seconds in debug builds is the ten millions of a year in little: the rows that a read
    // takes depend on the window and the buckets, not on the points.
    let points: i64 = if cfg!(debug_assertions) { 400_000 } else { 10_000_000 };
    let gap = if cfg!(debug_assertions) { 60 } else { 3 };
    let key = key("m", "a");
    for start in (0..points).step_by(50_000) {
        write(
            &store,
            &key,
            (start..start + 50_000).map(|n| Point::plain(n * gap, (n % 1000) as f64 / 100.0)),
        );
    }
    store.maintain_blocking(points * gap, &Retention::FOR_EVER).unwrap();
    let year = points * gap;
    for (start, length) in
        [(0, year), (year / 3, year / 12), (year / 2, 86_400), (year / 2, 3600), (year / 2, 600)]
    {
        for most in [100, 600] {
            let read = read_one(&store, query("m", start, start + length, most, 1));
            assert!(read.buckets.len() <= most);
            assert!(!read.buckets.is_empty());
            // A bucket is made of at most 15 minutes of 6 rows; past days of the hours of a step. Two blocks are cut.
            let a_bucket = 90_i64.max(i64::from(read.step) / 3600) as u64;
            let cut = 2 * read.level.block_rows() as u64 + 2 * 4096;
            assert!(
                read.rows_read <= a_bucket * most as u64 + cut,
                "{} rows for {} buckets of {} s in {length} s",
                read.rows_read,
                read.buckets.len(),
                read.step,
            );
        }
    }
}

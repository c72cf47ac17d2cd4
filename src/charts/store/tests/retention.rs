//! What is left after the retention of a level has passed.

use super::*;

const DAY: i64 = 86_400;
const KEPT: Retention = Retention { raw_days: 2, minute_days: 5, quarter_hour_days: 8, hour_days: 20 };

fn wave(time: i64) -> Point {
    Point::plain(time, ((time / 10) % 1000) as f64 / 4.0)
}

/// Buckets of `step` over `days`, read whatever level holds them.
fn buckets(store: &MetricsStore, days: std::ops::Range<i64>, step: u32) -> SeriesData {
    read_one(store, query("m", days.start * DAY, days.end * DAY, usize::MAX, step))
}

#[test]
fn coarser_levels_stay_what_they_were_when_finer_ones_go() {
    // Series with long gaps need long times to fill a block, which goes as a whole.
    for (gap, scale) in [(20, 1), (60, 1), (900, 12), (3600, 40)] {
        let (_folder, store) = open();
        let kept = Retention {
            raw_days: 2 * scale as u32,
            minute_days: 5 * scale as u32,
            quarter_hour_days: 8 * scale as u32,
            hour_days: 20 * scale as u32,
        };
        let now = 15 * scale * DAY;
        write(&store, &key("m", ""), (0..now).step_by(gap).map(wave));
        store.seal_blocking().unwrap();
        let before = [60, 900, 3600].map(|step| buckets(&store, 0..15 * scale, step).buckets);
        let maintained = store.maintain_blocking(now, &kept).unwrap();
        assert!(maintained.dropped_blocks > 0, "nothing was dropped at a gap of {gap} s");
        for (days, step, level) in [
            (13..15, 1, Level::Raw),
            (12..15, 60, Level::Minute),
            (10..15, 60, Level::Minute),
            (9..15, 900, Level::QuarterHour),
            (7..15, 900, Level::QuarterHour),
            (0..15, 3600, Level::Hour),
        ] {
            // A finer step than is held gives way to the finest that is.
            let days = days.start * scale..days.end * scale;
            let read = buckets(&store, days.clone(), 1);
            assert_eq!((read.step, read.level), (step, level), "gap {gap}, {days:?}");
            if let Some(at) = [60, 900, 3600].iter().position(|rolled| *rolled == step) {
                let expected: Vec<Point> =
                    before[at].iter().filter(|bucket| bucket.time >= days.start * DAY).copied().collect();
                assert_eq!(read.buckets, expected, "gap {gap}, {days:?}");
            }
        }
        // Running it again changes nothing.
        assert_eq!(store.maintain_blocking(now, &kept).unwrap(), Maintained::default());
        // After long enough nothing is left, not even the series.
        let then = 200 * scale;
        store.maintain_blocking(then * DAY, &kept).unwrap();
        assert_eq!(store.read_blocking(query("m", 0, now, 100, 1)).unwrap(), []);
        // And it can be written again.
        write(&store, &key("m", ""), [wave(then * DAY)]);
        assert_eq!(buckets(&store, then..then + 1, 1).buckets, [wave(then * DAY)]);
    }
}

#[test]
fn a_point_from_a_dropped_time_is_added_to_the_buckets_that_are_left() {
    let (_folder, store) = open();
    let key = key("m", "");
    write(&store, &key, (0..15 * DAY).step_by(60).map(wave));
    store.seal_blocking().unwrap();
    store.maintain_blocking(15 * DAY, &KEPT).unwrap();
    let late = 11 * DAY + 30;
    let before = [60, 900, 3600].map(|step| buckets(&store, 11..12, step).buckets[0]);
    let written = write(&store, &key, [Point::plain(late, 1000.0)]);
    assert_eq!(written, Written { stored: 1, too_old: 0 });
    for (before, step) in before.iter().zip([60, 900, 3600]) {
        let after = buckets(&store, 11..12, step).buckets[0];
        assert_eq!((after.count, after.sum), (before.count + 1, before.sum + 1000.0), "step {step}");
        assert_eq!((after.max, after.min), (1000.0, before.min), "step {step}");
    }
    // A whole bucket that comes again is known for what it is.
    let bucket = buckets(&store, 11..12, 60).buckets[0];
    write(&store, &key, [bucket]);
    assert_eq!(buckets(&store, 11..12, 60).buckets[0], bucket);
    assert_eq!(buckets(&store, 11..12, 3600).buckets[0].count, before[2].count + 1);
}

#[test]
fn points_older_than_the_hours_are_counted_and_left_out() {
    let (_folder, store) = open();
    let key = key("m", "");
    write(&store, &key, (0..700 * 3600).step_by(600).map(wave));
    store.seal_blocking().unwrap();
    store.maintain_blocking(65 * DAY, &Retention { hour_days: 40, ..KEPT }).unwrap();
    let written = write(&store, &key, [wave(5), wave(60 * DAY)]);
    assert_eq!(written, Written { stored: 1, too_old: 1 });
}

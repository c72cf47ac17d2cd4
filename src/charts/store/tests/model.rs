//! Whatever is written in whatever order, the store answers as a map of all points does.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// What happens to the store.
#[derive(Clone, Debug)]
enum Act {
    /// Points of a series at `start`, `start + gap`, …, in the order of time or against it.
    Run {
        series: usize,
        start: i64,
        gap: i64,
        count: i64,
        is_backwards: bool,
        value: i32,
    },
    /// Points anywhere.
    Scatter {
        series: usize,
        points: Vec<(i64, i32)>,
    },
    /// An aggregate.
    Aggregate {
        series: usize,
        time: i64,
        count: u64,
        value: i32,
    },
    Maintain {
        now: i64,
    },
    Seal,
    Reopen,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let series = 0..2_usize;
    let times = -5_000..60_000_i64;
    let gaps = prop::sample::select(vec![1_i64, 1, 7, 60, 60, 900, 3600]);
    let run = (series.clone(), times.clone(), gaps, 1..1500_i64, any::<bool>(), any::<i32>()).prop_map(
        |(series, start, gap, count, is_backwards, value)| {
            let start = start - start.rem_euclid(gap);
            Act::Run { series, start, gap, count, is_backwards, value }
        },
    );
    let scatter = (series.clone(), prop::collection::vec((times.clone(), any::<i32>()), 1..20))
        .prop_map(|(series, points)| Act::Scatter { series, points });
    let aggregate = (series, times.clone(), 2..9_u64, any::<i32>())
        .prop_map(|(series, time, count, value)| Act::Aggregate { series, time, count, value });
    let act = prop_oneof![
        5 => run,
        2 => scatter,
        1 => aggregate,
        2 => times.prop_map(|now| Act::Maintain { now }),
        1 => Just(Act::Seal),
        1 => Just(Act::Reopen),
    ];
    prop::collection::vec(act, 1..14)
}

/// Quarters, so that sums are exact in whichever order they are added.
fn value(number: i32) -> f64 {
    f64::from(number % 100_000) / 4.0
}

type Model = BTreeMap<(usize, i64), Point>;

fn apply(
    store: &mut MetricsStore,
    folder: &tempfile::TempDir,
    model: &mut Model,
    keys: &[SeriesKey],
    act: &Act,
) {
    let (series, points) = match act {
        Act::Run { series, start, gap, count, is_backwards, value: number } => {
            let mut points: Vec<Point> = (0..*count)
                .map(|n| Point::plain(start + n * gap, value(number.wrapping_add((n * n % 977) as i32))))
                .collect();
            if *is_backwards {
                points.reverse();
            }
            (*series, points)
        }
        Act::Scatter { series, points } => {
            (*series, points.iter().map(|(time, number)| Point::plain(*time, value(*number))).collect())
        }
        Act::Aggregate { series, time, count, value: number } => {
            let value = value(*number);
            let (sum, sum_squares) = (value * *count as f64, Some(value * value * *count as f64));
            let point = Point { count: *count, sum, sum_squares, ..Point::plain(*time, value) };
            (*series, vec![point])
        }
        Act::Maintain { now } => {
            store.maintain_blocking(*now, &Retention::FOR_EVER).unwrap();
            return;
        }
        Act::Seal => {
            store.seal_blocking().unwrap();
            return;
        }
        Act::Reopen => {
            *store = MetricsStore::open(&path(folder)).unwrap();
            return;
        }
    };
    for point in &points {
        model.insert((series, point.time), *point);
    }
    // In several writes, as clients do.
    for part in points.chunks(700) {
        write(store, &keys[series], part.iter().copied());
    }
}

fn fold(points: impl Iterator<Item = Point>, step: i64) -> Vec<Point> {
    let mut buckets: Vec<Point> = Vec::new();
    for point in points {
        let time = point.time.div_euclid(step) * step;
        match buckets.last_mut() {
            Some(last) if last.time == time => last.add(&point),
            _ => buckets.push(Point { time, ..point }),
        }
    }
    buckets
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, max_shrink_iters: 200, ..ProptestConfig::default() })]

    #[test]
    fn reads_at_every_level_are_those_of_the_model(acts in acts(), windows in prop::collection::vec(
        (-10_000..3_000_000_i64, 1..2_000_000_i64), 3,
    )) {
        let (folder, mut store) = open();
        let keys = [key("m", "a"), key("m", "b")];
        let mut model = Model::new();
        for act in &acts {
            apply(&mut store, &folder, &mut model, &keys, act);
        }
        let all = (-20_000, 10_000_000);
        for (start, end) in windows.into_iter().map(|(start, length)| (start, start + length)).chain([all]) {
            for step in [1_u32, 7, 60, 300, 900, 3600, 86_400] {
                let level = Level::ALL.into_iter().rev().find(|l| l.seconds() <= i64::from(step)).unwrap();
                let (from, to) = (level.floor(start), level.floor(end - 1) + level.seconds());
                for read in store.read_blocking(query("m", start, end, usize::MAX, step)).unwrap() {
                    let series = keys.iter().position(|key| *key == read.key).unwrap();
                    let points = model.range((series, from)..(series, to)).map(|(_, point)| *point);
                    let expected = fold(points, i64::from(step));
                    prop_assert_eq!((read.step, read.level), (step, level));
                    prop_assert_eq!(read.buckets, expected, "step {} of series {}", step, series);
                }
            }
        }
    }
}

#[test]
fn any_number_comes_back_bit_for_bit() {
    let (_folder, store) = open();
    let key = key("m", "");
    let numbers =
        [0.0, -0.0, 1e126, -1e126, 5e-324, f64::MIN_POSITIVE, f64::MAX, f64::MIN, 0.1 + 0.2, 1.0 / 3.0];
    write(&store, &key, (0_i64..).zip(numbers).map(|(time, value)| Point::plain(time * 7, value)));
    for _ in 0..2 {
        let read = read_one(&store, query("m", 0, 1000, 1000, 1));
        let bits = |numbers: &mut dyn Iterator<Item = f64>| numbers.map(f64::to_bits).collect::<Vec<_>>();
        for column in [|p: &Point| p.last, |p: &Point| p.sum, |p: &Point| p.min, |p: &Point| p.max] {
            assert_eq!(bits(&mut read.buckets.iter().map(column)), bits(&mut numbers.iter().copied()));
        }
        store.seal_blocking().unwrap();
    }
    // Buckets of such numbers are made without choking on them.
    assert_eq!(read_one(&store, query("m", 0, 1000, 1, 3600)).buckets[0].count, numbers.len() as u64);
}

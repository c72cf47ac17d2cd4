//! Pixels judged: what the values are, and what was drawn of them.

use super::super::*;
use super::golden::{START, stream};

const BLUE: [u8; 3] = [0x00, 0x72, 0xb2];
const COLORS: [(&str, [u8; 3]); 3] =
    [("#0072b2", BLUE), ("#d55e00", [0xd5, 0x5e, 0x00]), ("#009e73", [0x00, 0x9e, 0x73])];
const RED: [u8; 3] = [0xc4, 0x16, 0x2a];
const YELLOW: [u8; 3] = [0xb2, 0x74, 0x00];

/// A decoded picture, and where its plot is.
struct Pixels {
    width: usize,
    height: usize,
    bytes: Vec<u8>,
    plot: [f64; 4],
}

impl Pixels {
    fn of(picture: &Picture) -> Self {
        let svg = to_svg(picture);
        let png = to_png(&svg, picture.scale).unwrap();
        let mut reader = ::png::Decoder::new(std::io::Cursor::new(png)).read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().unwrap()];
        let frame = reader.next_frame(&mut bytes).unwrap();
        let number = |part: &str, name: &str| -> f64 {
            let rest = part.split(&format!(" {name}=\"")).nth(1).unwrap();
            rest.split('"').next().unwrap().parse().unwrap()
        };
        // The plot is the one part with an origin of its own.
        let plot = svg.split("<svg ").nth(2).map(|part| {
            let part = format!(" {part}");
            ["x", "y", "width", "height"].map(|name| number(&part, name))
        });
        let (width, height) = (frame.width as usize, frame.height as usize);
        Self { width, height, bytes, plot: plot.unwrap_or_default() }
    }

    fn at(&self, x: usize, y: usize) -> [u8; 3] {
        let at = (y * self.width + x) * 3;
        [self.bytes[at], self.bytes[at + 1], self.bytes[at + 2]]
    }

    /// The rows of a column that have a colour, or nearly so at the edge of a line.
    fn rows(&self, x: usize, color: [u8; 3]) -> Vec<usize> {
        (0..self.height).filter(|y| near(self.at(x, *y), color, 60)).collect()
    }

    /// The rows of a column that are full of a colour.
    fn full_rows(&self, x: usize, color: [u8; 3]) -> Vec<usize> {
        (0..self.height).filter(|y| near(self.at(x, *y), color, 8)).collect()
    }

    fn count(&self, color: [u8; 3]) -> usize {
        (0..self.width).map(|x| self.rows(x, color).len()).sum()
    }
}

fn near(one: [u8; 3], two: [u8; 3], most: u8) -> bool {
    (0..3).all(|at| one[at].abs_diff(two[at]) <= most)
}

fn chart(kind: PictureKind, streams: Vec<Stream>) -> Picture {
    let y = YAxis { min: Some(0.0), max: Some(100.0), ..YAxis::default() };
    Picture { kind, start: START, end: START + 3_600, streams, y, ..Picture::default() }
}

fn line(points: Vec<(i64, f64)>) -> Picture {
    chart(PictureKind::Line, vec![Stream { color: Some("#0072b2".to_owned()), ..stream("", 60, points) }])
}

#[test]
fn the_line_goes_where_the_values_go() {
    let value = |at: i64| if at <= 30 { 5.0 + 3.0 * at as f64 } else { 95.0 - 1.5 * (at - 30) as f64 };
    for scale in [1, 2] {
        let points = (0..=60).map(|at| (START + at * 60, value(at))).collect();
        let pixels = Pixels::of(&Picture { scale, ..line(points) });
        let [left, top, width, height] = pixels.plot.map(|side| side * f64::from(scale));
        let edge = f64::from(scale);
        let mut judged = 0;
        for x in (left as usize + 3)..((left + width) as usize - 3) {
            let minute = (x as f64 + 0.5 - left) / width * 60.0;
            let value = if minute <= 30.0 { 5.0 + 3.0 * minute } else { 95.0 - 1.5 * (minute - 30.0) };
            let y = top + edge + (1.0 - value / 100.0) * (height - 2.0 * edge);
            let rows = pixels.rows(x, BLUE);
            assert!(!rows.is_empty(), "no line at {x}");
            let middle = rows.iter().sum::<usize>() as f64 / rows.len() as f64 + 0.5;
            assert!((middle - y).abs() < 1.2 * edge, "at {x}: {middle} instead of {y}");
            judged += 1;
        }
        assert!(judged > 400);
    }
}

#[test]
fn a_gap_has_no_line_and_a_lonely_point_is_a_dot() {
    let minutes = (0..=10).chain(20..=20).chain(30..=60);
    let pixels = Pixels::of(&line(minutes.map(|at| (START + at * 60, 50.0)).collect()));
    let [left, _, width, _] = pixels.plot;
    let x_of = |minute: f64| (left + minute / 60.0 * width) as usize;
    let drawn: Vec<bool> = (0..pixels.width).map(|x| !pixels.rows(x, BLUE).is_empty()).collect();
    assert!(
        drawn[x_of(1.0)] && drawn[x_of(9.8)] && drawn[x_of(20.0)] && drawn[x_of(31.0)] && drawn[x_of(59.0)]
    );
    assert!(drawn[x_of(10.3)..x_of(19.6)].iter().all(|drawn| !drawn));
    assert!(drawn[x_of(20.5)..x_of(29.7)].iter().all(|drawn| !drawn));
}

#[test]
fn stacked_areas_add_up() {
    let value = |stream: usize, minute: f64| [20.0 + minute / 3.0, 25.0 - minute / 4.0, 12.0][stream];
    let streams = (0..3).map(|at| Stream {
        color: Some(COLORS[at].0.to_owned()),
        ..stream(
            &format!("s{at}"),
            60,
            (0..=60).map(|minute| (START + minute * 60, value(at, minute as f64))).collect(),
        )
    });
    let pixels = Pixels::of(&chart(PictureKind::Stacked, streams.collect()));
    let [left, top, width, height] = pixels.plot;
    let row_of = |sum: f64| top + (1.0 - sum / 100.0) * height;
    for x in (left as usize + 2)..((left + width) as usize - 2) {
        let minute = (x as f64 + 0.5 - left) / width * 60.0;
        let mut sum = 0.0;
        for (at, (_, color)) in COLORS.iter().enumerate() {
            let rows: Vec<usize> =
                pixels.full_rows(x, *color).into_iter().filter(|row| (*row as f64) < top + height).collect();
            let (upper, lower) = (row_of(sum + value(at, minute)), row_of(sum));
            assert!(
                (*rows.first().unwrap() as f64 - upper).abs() < 2.0,
                "{at} at {x}: {rows:?} from {upper}"
            );
            assert!(
                (*rows.last().unwrap() as f64 + 1.0 - lower).abs() < 2.0,
                "{at} at {x}: {rows:?} to {lower}"
            );
            sum += value(at, minute);
        }
    }
}

#[test]
fn a_silent_stream_counts_as_zero_among_others() {
    let all = |value: f64| (0..=60).map(|at| (START + at * 60, value)).collect::<Vec<_>>();
    let mut lower = stream("a", 60, all(30.0));
    lower.points.retain(|(time, _)| !(20..40).contains(&((time - START) / 60)));
    let mut picture = chart(PictureKind::Stacked, vec![lower, stream("b", 60, all(40.0))]);
    picture.streams[0].color = Some(COLORS[0].0.to_owned());
    picture.streams[1].color = Some(COLORS[1].0.to_owned());
    let pixels = Pixels::of(&picture);
    let [left, top, width, height] = pixels.plot;
    let top_of = |minute: f64| {
        let x = (left + minute / 60.0 * width) as usize;
        (pixels.rows(x, COLORS[1].1)[0] as f64 - top) / height
    };
    assert!((top_of(10.0) - 0.3).abs() < 0.01 && (top_of(50.0) - 0.3).abs() < 0.01);
    assert!((top_of(30.0) - 0.6).abs() < 0.01);
    let x = (left + width / 2.0) as usize;
    assert!(
        pixels.rows(x, BLUE).into_iter().all(|row| row as f64 > top + height),
        "the silent stream is drawn"
    );
}

#[test]
fn a_big_number_is_red_or_yellow_by_a_threshold_only() {
    let threshold = |operator, value, level| Threshold { operator, value, level };
    let picture = |value: f64| Picture {
        thresholds: vec![
            threshold(Operator::Less, 10.0, ThresholdLevel::Yellow),
            threshold(Operator::Less, 5.0, ThresholdLevel::Red),
            threshold(Operator::Equal, 42.0, ThresholdLevel::Red),
            threshold(Operator::Greater, 90.0, ThresholdLevel::Yellow),
        ],
        ..Picture { kind: PictureKind::BigNumber, ..line(vec![(START, 1.0), (START + 60, value)]) }
    };
    for (value, red, yellow) in [
        (50.0, false, false),
        (90.0, false, false),
        (90.5, false, true),
        (9.0, false, true),
        (4.0, true, false),
        (42.0, true, false),
    ] {
        let pixels = Pixels::of(&picture(value));
        assert_eq!((pixels.count(RED) > 300, pixels.count(YELLOW) > 300), (red, yellow), "{value}");
        assert!(red || pixels.count(RED) == 0);
        assert!(yellow || pixels.count(YELLOW) == 0);
        assert_eq!(pixels.count(BLUE), 0, "the stream's colour at {value}");
    }
    // The mean of 1 and 91 crosses nothing.
    let pixels = Pixels::of(&Picture { use_last_value: false, ..picture(91.0) });
    assert_eq!(pixels.count(YELLOW) + pixels.count(RED), 0);
}

#[test]
fn the_lines_stay_within_the_plot_and_the_window() {
    let wild = |at: i64| (START - 3_600 + at * 60, if at % 2 == 0 { -400.0 } else { 900.0 });
    let pixels = Pixels::of(&line((0..180).map(wild).collect()));
    let [left, top, width, height] = pixels.plot;
    let mut inside = 0;
    for x in 0..pixels.width {
        for row in pixels.rows(x, BLUE) {
            let is_inside =
                (left..left + width).contains(&(x as f64)) && (top..top + height).contains(&(row as f64));
            assert!(is_inside, "a pixel of the line at {x}, {row}");
            inside += 1;
        }
    }
    assert!(inside > 1_000);
}

#[test]
fn what_lies_outside_the_window_changes_nothing() {
    let points: Vec<(i64, f64)> = (0..=60).map(|at| (START + at * 60, (at % 7) as f64 * 9.0)).collect();
    let mut more = points.clone();
    more.extend((0..500).map(|at| (START - 90_000 + at * 60, 1e9)));
    more.extend((0..500).map(|at| (START + 90_000 + at * 60, -1e9)));
    let mut picture = Picture { y: YAxis::default(), ..line(points) };
    let before = to_svg(&picture);
    picture.streams[0].points = more;
    assert_eq!(to_svg(&picture), before);
}

#[test]
fn the_same_picture_is_the_same_bytes() {
    let picture = line((0..=60).map(|at| (START + at * 60, (at as f64).sin() * 40.0 + 50.0)).collect());
    let svg = to_svg(&picture);
    assert_eq!(to_svg(&picture), svg);
    assert_eq!(to_png(&svg, 2).unwrap(), to_png(&svg, 2).unwrap());
}

#[test]
fn the_ground_is_everywhere() {
    for (look, ground) in [(Look::Light, [0xff; 3]), (Look::Dark, [0x16, 0x19, 0x1f])] {
        let pixels = Pixels::of(&Picture { look, ..line(Vec::new()) });
        for (x, y) in [(0, 0), (599, 0), (0, 415), (599, 415), (300, 412), (300, 3)] {
            assert_eq!(pixels.at(x, y), ground);
        }
    }
}

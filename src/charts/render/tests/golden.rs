//! Golden images: what pictures look like, byte for byte.
//!
//! With `LIFEBOAT_ACCEPT_PICTURES=1` in the environment, the images are written
//! anew; look at each before it is committed.

use super::super::*;
use std::f64::consts::TAU;
use std::path::PathBuf;

/// 20 February 2016, 00:18:00.
pub const START: i64 = 1_455_927_480;

fn accept_or_compare(name: &str, picture: &Picture) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/charts/{name}.png"));
    let png = to_png(&to_svg(picture), picture.scale).unwrap();
    if std::env::var_os("LIFEBOAT_ACCEPT_PICTURES").is_some() {
        std::fs::write(&path, &png).unwrap();
        return;
    }
    let golden = std::fs::read(&path).unwrap_or_default();
    if golden != png {
        let seen = std::env::temp_dir().join(format!("lifeboat-{name}.png"));
        std::fs::write(&seen, &png).unwrap();
        panic!("`{name}` looks otherwise than its golden image: see {}", seen.display());
    }
}

/// A wave that looks like something measured, the same each time.
fn wave(start: i64, step: u32, count: i64, mean: f64, swing: f64, seed: f64) -> Vec<(i64, f64)> {
    let value = |at: i64| {
        let at = at as f64;
        let slow = (at / count as f64 * TAU * 1.3 + seed).sin();
        let quick = (at * 0.7 + seed * 3.0).sin() * 0.25 + (at * 1.9 + seed * 7.0).sin() * 0.15;
        mean + swing * (slow + quick)
    };
    (0..count).map(|at| (start + at * i64::from(step), value(at))).collect()
}

pub fn stream(name: &str, step: u32, points: Vec<(i64, f64)>) -> Stream {
    Stream { name: name.to_owned(), step, points, ..Stream::default() }
}

fn hour() -> Picture {
    Picture { start: START, end: START + 3_600, ..Picture::default() }
}

fn latency() -> Picture {
    let host = |host: usize| {
        let mean = 40.0 + 22.0 * host as f64;
        stream(
            &format!("web-{}", host + 1),
            60,
            wave(START, 60, 61, mean, 9.0 + host as f64 * 2.0, host as f64),
        )
    };
    Picture {
        title: "Request latency".to_owned(),
        subtitle: Some("production".to_owned()),
        y: YAxis {
            label: Some("95th percentile".to_owned()),
            units: Some("ms".to_owned()),
            ..YAxis::default()
        },
        streams: (0..4).map(host).collect(),
        ..hour()
    }
}

#[test]
fn line() {
    accept_or_compare("line", &latency());
}

#[test]
fn line_dark() {
    accept_or_compare("line_dark", &Picture { look: Look::Dark, ..latency() });
}

#[test]
fn line_double() {
    accept_or_compare("line_double", &Picture { scale: 2, ..latency() });
}

#[test]
fn line_small() {
    accept_or_compare("line_small", &Picture { width: 320, height: 200, ..latency() });
}

#[test]
fn line_large() {
    accept_or_compare("line_large", &Picture { width: 1200, height: 800, ..latency() });
}

#[test]
fn gaps() {
    let rate = |mean: f64, seed: f64| wave(START, 60, 61, mean * 1e5, 160e5, seed);
    let mut points = rate(620.0, 0.4);
    points.retain(|(time, _)| !matches!((time - START) / 60, 12..=17 | 30..=33 | 35..=39 | 55));
    let few = rate(250.0, 2.0).into_iter().step_by(6).collect();
    let connected = Stream { is_connected: true, ..stream("replica (drawn over gaps)", 60, few) };
    let picture = Picture {
        title: "Backup throughput".to_owned(),
        y: YAxis { units: Some("B/s".to_owned()), ..YAxis::default() },
        streams: vec![stream("primary", 60, points), connected],
        ..hour()
    };
    accept_or_compare("gaps", &picture);
}

fn stacked_picture() -> Picture {
    let names = ["create", "restore", "delete", "verify", "chart"];
    let part = |(at, name): (usize, &&str)| {
        let mean = 130.0 / (at as f64 + 1.0);
        stream(name, 600, wave(START, 600, 145, mean, mean * 0.55, at as f64 * 1.7))
    };
    Picture {
        title: "Executions by kind".to_owned(),
        kind: PictureKind::Stacked,
        end: START + 86_400,
        y: YAxis { label: Some("executions per minute".to_owned()), ..YAxis::default() },
        streams: names.iter().enumerate().map(part).collect(),
        ..hour()
    }
}

#[test]
fn stacked() {
    accept_or_compare("stacked", &stacked_picture());
}

#[test]
fn stacked_gaps_dark() {
    let mut picture = Picture { look: Look::Dark, ..stacked_picture() };
    for (at, stream) in picture.streams.iter_mut().enumerate() {
        let hole = 40 + 8 * at as i64..70;
        stream.points.retain(|(time, _)| !hole.contains(&((time - START) / 600)));
    }
    for point in &mut picture.streams[1].points {
        point.1 = -point.1;
    }
    accept_or_compare("stacked_gaps_dark", &picture);
}

fn big_number(value: f64) -> Picture {
    let threshold = |level, value| Threshold { operator: Operator::Greater, value, level };
    Picture {
        title: "Archive store".to_owned(),
        subtitle: Some("used space".to_owned()),
        kind: PictureKind::BigNumber,
        y: YAxis { units: Some("%".to_owned()), ..YAxis::default() },
        streams: vec![Stream {
            color: Some("#00ff00".to_owned()),
            ..stream("store.used · eu-central", 60, vec![(START, 3.0), (START + 3_540, value)])
        }],
        thresholds: vec![threshold(ThresholdLevel::Yellow, 75.0), threshold(ThresholdLevel::Red, 90.0)],
        ..hour()
    }
}

#[test]
fn big_number_plain() {
    accept_or_compare("big_number_plain", &big_number(62.37));
}

#[test]
fn big_number_yellow() {
    accept_or_compare("big_number_yellow", &big_number(81.2));
}

#[test]
fn big_number_red() {
    accept_or_compare("big_number_red", &Picture { look: Look::Dark, ..big_number(93.75) });
}

#[test]
fn big_numbers() {
    let host = |at: usize| stream(&format!("web-{at}"), 60, vec![(START, 1_000.0 * 7_f64.powi(at as i32))]);
    let picture = Picture {
        title: "Requests".to_owned(),
        use_last_value: false,
        y: YAxis { units: Some("requests".to_owned()), ..YAxis::default() },
        streams: (0..8).map(host).collect(),
        ..big_number(0.0)
    };
    accept_or_compare("big_numbers", &picture);
}

#[test]
fn log_axis() {
    let growth = |at: i64| (START + at * 604_800, 3.0 * (at as f64 * 0.24).exp());
    let picture = Picture {
        title: "Points stored".to_owned(),
        end: START + 40 * 604_800,
        y: YAxis { is_log: true, label: Some("points".to_owned()), ..YAxis::default() },
        streams: vec![
            stream("points", 604_800, (0..41).map(growth).collect()),
            stream("files", 604_800, wave(START, 604_800, 41, 60.0, 25.0, 1.0)),
        ],
        ..hour()
    };
    accept_or_compare("log_axis", &picture);
}

#[test]
fn annotations() {
    let mark = |minutes: i64, end: Option<i64>, title: &str| Mark {
        time: START + minutes * 60,
        end: end.map(|minutes| START + minutes * 60),
        title: title.to_owned(),
    };
    let picture = Picture {
        annotations: vec![
            mark(9, Some(21), "backup nightly-2016-02-20"),
            mark(33, None, "deploy 4.2"),
            mark(34, None, "deploy 4.2.1 with a longer title"),
            mark(57, None, "restore of nightly"),
            mark(900, None, "outside"),
        ],
        ..latency()
    };
    accept_or_compare("annotations", &picture);
}

#[test]
fn no_data() {
    let mut picture = latency();
    for stream in &mut picture.streams {
        stream.points.clear();
    }
    accept_or_compare("no_data", &picture);
}

#[test]
fn hostile_names() {
    let names = [
        "<script>alert('x')</script> & \"quoted\"".to_owned(),
        "מדידה של זמן תגובה 42 بطيء جدا".to_owned(),
        "🚀 launch 😀 漢字 \u{1}\u{0}\u{202e}gpj.exe".to_owned(),
        "very.long.metric.name.".repeat(15) + "host=web-17",
        "Z\u{301}\u{302}\u{303}\u{304}\u{305}\u{306}alg\u{301}\u{302}\u{303}\u{304}o\n\nline".to_owned(),
        String::new(),
    ];
    let name = |at: usize| names.get(at).cloned().unwrap_or_else(|| format!("stream number {at}"));
    let of =
        |at: usize| stream(&name(at), 60, wave(START, 60, 61, 10.0 + at as f64 * 4.0, 3.0, at as f64 * 0.9));
    let picture = Picture {
        title: "<b>\u{7}Title</b> & ".to_owned() + &"0123456789 ".repeat(30),
        subtitle: Some("תת כותרת & <i>more</i> ".repeat(9)),
        y: YAxis {
            label: Some("]]> \u{0}<label>".to_owned()),
            units: Some("\"u\"&".to_owned()),
            ..YAxis::default()
        },
        streams: (0..21).map(of).collect(),
        annotations: vec![Mark { time: START + 600, end: None, title: "<&>\"'\u{8} مرحبا".to_owned() }],
        ..hour()
    };
    accept_or_compare("hostile_names", &picture);
}

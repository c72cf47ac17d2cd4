//! Hostile input: any names, values, windows and sizes give a well-formed picture of bounded size.

use super::super::*;
use super::golden::{START, stream};
use proptest::prelude::*;
use resvg::usvg::{self, roxmltree};

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>(),
        -1e3..1e3,
        prop::sample::select(vec![
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            f64::MAX,
            f64::MIN,
            1e126,
            -1e126,
            5e-324,
            1e-130,
            0.0,
            -0.0,
            42.0,
            1e12,
            1e12 + 1.0
        ]),
    ]
}

fn points() -> impl Strategy<Value = Vec<(i64, f64)>> {
    let time = prop_oneof![START - 100..START + 100_000, any::<i64>()];
    prop_oneof![
        prop::collection::vec((time.clone(), value()), 0..60),
        (time, value()).prop_map(|point| vec![point]),
        // A constant, and a long row.
        value().prop_map(|value| (0..50).map(|at| (START + at * 60, value)).collect()),
        prop::collection::vec(value(), 500..3_000).prop_map(|values| values
            .into_iter()
            .enumerate()
            .map(|(at, value)| (START + at as i64, value))
            .collect()),
    ]
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[<>&\"'\u{0}-\u{1f}a-z]{0,40}",
        "[\u{590}-\u{6ff}\u{300}-\u{36f} ]{0,60}",
        ".{300}",
        "\\PC{0,20}",
    ]
}

prop_compose! {
    fn any_stream()(
        name in name(),
        color in prop::option::of(prop_oneof!["#[0-9a-f]{3}", "#[0-9a-f]{6}", any::<String>()]),
        units in prop::option::of(name()),
        step in prop_oneof![Just(0), Just(1), Just(60), any::<u32>()],
        points in points(),
        is_connected in any::<bool>(),
        min in prop::option::of(value()),
        max in prop::option::of(value()),
    ) -> Stream {
        Stream { name, color, units, step, points, is_connected, min, max }
    }
}

prop_compose! {
    fn any_picture()(
        title in name(),
        subtitle in prop::option::of(name()),
        kind in prop::sample::select(vec![PictureKind::Line, PictureKind::Stacked, PictureKind::BigNumber]),
        start in prop_oneof![4 => Just(START), 1 => any::<i64>()],
        seconds in prop_oneof![Just(1), Just(3_600), Just(2_419_200), 1..315_360_000_i64, any::<i64>()],
        (width, height) in prop_oneof![Just((600, 416)), (80..900_u32, 80..900_u32), Just((0, 0)), Just((u32::MAX, 1))],
        look in prop::sample::select(vec![Look::Light, Look::Dark]),
        (min, max, is_log) in (prop::option::of(value()), prop::option::of(value()), any::<bool>()),
        (label, units) in (prop::option::of(name()), prop::option::of(prop_oneof![name(), Just("s".to_owned()), Just("%".to_owned())])),
        streams in prop::collection::vec(any_stream(), 0..12),
        annotations in prop::collection::vec((any::<i32>(), prop::option::of(any::<i64>()), name()), 0..8),
        threshold in (value(), prop::sample::select(vec![Operator::Greater, Operator::Less, Operator::Equal])),
        use_last_value in any::<bool>(),
    ) -> Picture {
        let (value, operator) = threshold;
        Picture {
            title,
            subtitle,
            kind,
            start,
            end: start.saturating_add(seconds),
            width,
            height,
            scale: 1,
            look,
            y: YAxis { min, max, is_log, label, units },
            streams,
            annotations: annotations
                .into_iter()
                .map(|(offset, end, title)| Mark { time: START + i64::from(offset % 10_000), end, title })
                .collect(),
            thresholds: vec![Threshold { operator, value, level: ThresholdLevel::Yellow }],
            use_last_value,
        }
    }
}

/// The coordinates of every path in a document.
fn vertices(document: &roxmltree::Document<'_>) -> Vec<usize> {
    let paths = document.descendants().filter_map(|node| node.attribute("d"));
    // Each point is written as two numbers; each but the first of them is a minus or a space away.
    paths.map(points_of).collect()
}

fn points_of(path: &str) -> usize {
    let mut numbers = 0;
    let mut is_in_number = false;
    for character in path.chars() {
        let is_digit = character.is_ascii_digit() || character == '.';
        numbers += usize::from(is_digit && !is_in_number);
        is_in_number = is_digit;
    }
    numbers / 2
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn any_picture_is_well_formed(picture in any_picture()) {
        let svg = to_svg(&picture);
        let document = roxmltree::Document::parse(&svg).expect("well-formed");
        let allowed = ["svg", "title", "rect", "path", "circle", "text"];
        for node in document.descendants().filter(|node| node.is_element()) {
            prop_assert!(allowed.contains(&node.tag_name().name()), "{:?}", node.tag_name());
            prop_assert!(node.attributes().all(|attribute| !attribute.name().contains("href")));
            prop_assert!(node.attributes().all(|attribute| !attribute.name().starts_with("on")));
            prop_assert!(node.attributes().all(|attribute| !attribute.value().contains("NaN") && !attribute.value().contains("inf")));
        }
        let width = picture.width.clamp(MIN_SIDE, MAX_SIDE) as usize;
        for vertices in vertices(&document) {
            prop_assert!(vertices <= 2 * width + 4, "{vertices}");
        }
        usvg::Tree::from_str(&svg, &super::super::png::options()).expect("readable");
        if width * (picture.height.clamp(MIN_SIDE, MAX_SIDE) as usize) < 300_000 {
            to_png(&svg, picture.scale).expect("drawable");
        }
    }
}

fn dense(kind: PictureKind, streams: usize, points: i64) -> Picture {
    let value = |stream: usize, at: i64| ((at * (37 + stream as i64 * 2)) % 1_009) as f64;
    let seconds = 31_536_000;
    let row =
        |stream: usize| (0..points).map(|at| (START + at * seconds / points, value(stream, at))).collect();
    Picture {
        title: "A year".to_owned(),
        kind,
        start: START,
        end: START + seconds,
        streams: (0..streams)
            .map(|at| stream(&format!("stream {at}"), (seconds / points) as u32 + 1, row(at)))
            .collect(),
        ..Picture::default()
    }
}

#[test]
fn the_size_does_not_grow_with_the_points() {
    for kind in [PictureKind::Line, PictureKind::Stacked] {
        let few = to_svg(&dense(kind, 20, 2_000)).len();
        let many = to_svg(&dense(kind, 20, 50_000)).len();
        println!("{kind:?}: {few} bytes of 2,000 points, {many} bytes of 50,000");
        assert!(many < 200_000, "{kind:?}: {many}");
    }
}

#[test]
fn the_svg_refers_to_nothing_outside() {
    let mut picture = dense(PictureKind::Line, 3, 10);
    picture.title = "<image href=\"http://example.org/x.png\"/>]]><script>".to_owned();
    let svg = to_svg(&picture);
    assert!(!svg.contains("<script") && !svg.contains("<image") && !svg.contains("href=\""));
    assert_eq!(svg.matches("http").count() - svg.matches("http://example.org/x.png&quot;").count(), 1);
}

#[test]
fn what_is_no_svg_is_refused() {
    assert!(matches!(to_png("<svg", 1), Err(RenderError::ReadSvg(_))));
    let large = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"90000\" height=\"9\"/>";
    assert!(matches!(to_png(large, 1), Err(RenderError::TooLarge { .. })));
}

#[test]
fn a_usual_chart_takes_a_few_milliseconds() {
    let picture = dense(PictureKind::Line, 4, 560);
    let drawn = to_png(&to_svg(&picture), 1).unwrap();
    let started = std::time::Instant::now();
    let svg = to_svg(&picture);
    let to_svg = started.elapsed();
    assert_eq!(to_png(&svg, 1).unwrap(), drawn);
    println!(
        "SVG of {} bytes in {to_svg:?}, PNG of {} bytes after {:?}",
        svg.len(),
        drawn.len(),
        started.elapsed()
    );
}

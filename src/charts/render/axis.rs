//! A chart with axes: the grid, the labels, and where everything stands around the plot.

use super::color::{Color, Theme};
use super::frame::{Head, Rect, Sizes};
use super::legend::Legend;
use super::number;
use super::picture::{Picture, PictureKind};
use super::points::{self, Point, Window};
use super::scale::{Bounds, Scale};
use super::svg::{Anchor, Svg};
use super::{lines, marks, stacked, text, time};

/// Pixels for a tick of the values.
const TICK_HEIGHT: f64 = 42.0;

/// Pixels for a tick of the time.
const TICK_WIDTH: f64 = 76.0;

/// The plot: where it is, and which values and times it shows.
#[derive(Debug)]
pub struct Plot {
    /// Where it is.
    pub area: Rect,
    /// The times, from left to right.
    pub window: Window,
    /// The values, from the bottom up.
    pub scale: Scale,
}

impl Plot {
    /// Where a value stands, in pixels from the plot's top.
    pub fn y(&self, value: f64) -> f64 {
        (1.0 - self.scale.share(value)) * self.area.height
    }

    /// Where zero stands, or the end of the scale that is nearest to it.
    pub fn base(&self) -> f64 {
        let base =
            if self.scale.is_log() { self.scale.low } else { 0.0_f64.clamp(self.scale.low, self.scale.high) };
        self.y(base)
    }
}

/// A stream on its way into the plot.
#[derive(Debug)]
pub struct Drawn {
    /// The colour of its line or area.
    pub color: Color,
    /// The dashes of its line.
    pub dashes: &'static str,
    /// Its points within the window.
    pub points: Vec<Point>,
}

/// Draws a chart with axes.
pub fn draw(svg: &mut Svg, picture: &Picture, sizes: &Sizes, theme: &Theme, head: &Head, span: (i64, i64)) {
    let is_log = picture.y.is_log;
    let mut window = Window { start: span.0, end: span.1, width: sizes.inner_width() };
    let drawn: Vec<Drawn> = picture
        .streams
        .iter()
        .enumerate()
        .map(|(index, stream)| Drawn {
            color: theme.stream(index, stream.color.as_deref()),
            dashes: theme.dashes(index),
            // Sums have a logarithm where their parts have none.
            points: points::within(stream, window, is_log && picture.kind == PictureKind::Line),
        })
        .collect();
    let legend = Legend::of(picture, &drawn, sizes);
    let top = head.draw(svg, sizes, theme) + 8.0;

    let axis_head = axis_head(picture);
    let label_height = sizes.label.size * 1.3;
    let mut area = Rect { x: sizes.pad, y: top, width: sizes.inner_width(), height: 0.0 };
    if !axis_head.is_empty() && sizes.has_head {
        let clipped = sizes.label.clip(&axis_head, sizes.inner_width());
        svg.text(sizes.pad, area.y + sizes.label.size, sizes.label, theme.muted, Anchor::Start, &clipped);
        area.y += label_height + 6.0;
    }
    if marks::has_any(picture, window) {
        area.y += label_height + 2.0;
    }
    // Half a label stands above the plot.
    area.y = (area.y + 3.0).round();
    let ticks = time::ticks(span.0, span.1, (sizes.inner_width() / TICK_WIDTH) as usize);
    let has_around = ticks.iter().any(|tick| tick.around.is_some());
    let foot = 6.0 + label_height * if has_around { 2.0 } else { 1.0 } + legend.height();
    area.height = (sizes.height - sizes.pad * 0.75 - foot - area.y).floor().max(12.0);

    let extent = extent(picture, &drawn, window);
    let scale = scale(picture, extent, area.height);
    // Without values, the numbers of an axis that nobody chose would be made up.
    let has_labels = extent.is_some() || picture.y.min.is_some() || picture.y.max.is_some();
    let labels = if has_labels { number::labels(&scale, units(picture)) } else { Vec::new() };
    let gutter = labels.iter().map(|label| sizes.label.width(label)).fold(0.0, f64::max);
    if gutter > 0.0 {
        area.x += (gutter + 8.0).ceil();
        area.width = (sizes.width - sizes.pad - area.x).max(10.0);
    }
    window.width = area.width;
    let plot = Plot { area, window, scale };

    draw_values(svg, &plot, &labels, sizes, theme);
    draw_times(svg, &plot, &ticks, sizes, theme);
    marks::draw_bands(svg, picture, &plot, theme);
    match picture.kind {
        PictureKind::Stacked => stacked::draw(svg, &drawn, &plot, theme),
        PictureKind::Line | PictureKind::BigNumber => lines::draw(svg, &drawn, &plot),
    }
    draw_base(svg, &plot, theme);
    marks::draw_flags(svg, picture, &plot, sizes, theme);
    if extent.is_none() {
        no_values(svg, picture, &plot.area, sizes, theme);
    }
    legend.draw(svg, sizes, theme);
}

/// The axis' unit; where it has none, the one that all streams share.
fn units(picture: &Picture) -> Option<&str> {
    let mut streams = picture.streams.iter().map(|stream| stream.units.as_deref());
    let first = streams.next().flatten();
    let shared = first.filter(|first| streams.all(|units| units == Some(*first)));
    picture.y.units.as_deref().or(shared)
}

/// What stands above the axis of values.
fn axis_head(picture: &Picture) -> String {
    let units = text::clean(units(picture).unwrap_or_default());
    let label = text::clean(picture.y.label.as_deref().unwrap_or_default());
    match (label.is_empty(), number::unit_of_axis(Some(&units))) {
        (true, unit) => unit.unwrap_or_default().to_owned(),
        (false, None) => label,
        (false, Some(unit)) => format!("{label} ({unit})"),
    }
}

fn extent(picture: &Picture, drawn: &[Drawn], window: Window) -> Option<(f64, f64)> {
    match picture.kind {
        PictureKind::Stacked => stacked::extent(drawn, window),
        PictureKind::Line | PictureKind::BigNumber => {
            points::extent(drawn.iter().flat_map(|stream| &stream.points))
        }
    }
}

fn scale(picture: &Picture, extent: Option<(f64, f64)>, height: f64) -> Scale {
    let count = (height / TICK_HEIGHT).round().clamp(if height < 50.0 { 2.0 } else { 3.0 }, 10.0) as usize;
    let is_stacked = picture.kind == PictureKind::Stacked;
    // What the streams think possible counts where the axis says nothing; sums go beyond it.
    let thought = |bound: fn(&super::Stream) -> Option<f64>, pick: fn(f64, f64) -> f64| {
        let bounds = picture.streams.iter().filter_map(bound).filter(|bound| bound.is_finite());
        if is_stacked { None } else { bounds.reduce(pick) }
    };
    let (min, max) = (thought(|stream| stream.min, f64::min), thought(|stream| stream.max, f64::max));
    let extent = extent
        .map(|(low, high)| (min.map_or(low, |min| min.min(low)), max.map_or(high, |max| max.max(high))));
    let bounds = Bounds { min: picture.y.min, max: picture.y.max };
    if picture.y.is_log {
        let positive = extent
            .filter(|(_, high)| *high > 0.0)
            .map(|(low, high)| (if low > 0.0 { low } else { high.min(1.0) }, high));
        Scale::logarithmic(positive, bounds, count)
    } else {
        Scale::linear(extent, bounds, is_stacked, count)
    }
}

fn draw_values(svg: &mut Svg, plot: &Plot, labels: &[String], sizes: &Sizes, theme: &Theme) {
    let area = plot.area;
    for value in &plot.scale.minor {
        svg.rule(area.x, area.y + plot.y(*value), area.width, theme.faint);
    }
    let mut free_below = f64::INFINITY;
    for (at, tick) in plot.scale.ticks.iter().enumerate() {
        let y = (area.y + plot.y(*tick)).round();
        if !(area.y - 1.0..=area.bottom() + 1.0).contains(&y) {
            continue;
        }
        svg.rule(area.x, y, area.width, theme.grid);
        let Some(label) = labels.get(at) else { continue };
        if y + sizes.label.size * 0.6 <= free_below {
            let baseline = y + sizes.label.size * 0.36;
            svg.text(area.x - 8.0, baseline, sizes.label, theme.muted, Anchor::End, label);
            free_below = y - sizes.label.size * 0.6;
        }
    }
}

fn draw_times(svg: &mut Svg, plot: &Plot, ticks: &[time::Tick], sizes: &Sizes, theme: &Theme) {
    let area = plot.area;
    let x_of = |tick: &time::Tick| area.x + plot.window.x(tick.time as f64);
    for tick in ticks {
        svg.upright(x_of(tick), area.y, area.height + 4.0, theme.faint);
        svg.upright(x_of(tick), area.bottom(), 5.0, theme.axis);
    }
    let baseline = area.bottom() + 6.0 + sizes.label.size;
    row(svg, sizes, theme.muted, baseline, ticks.iter().map(|tick| (x_of(tick), tick.label.as_str())));
    let around = ticks.iter().filter_map(|tick| Some((x_of(tick), tick.around.as_deref()?)));
    // Where two days are too near, the first gives way: it is the one at the edge.
    let around: Vec<(f64, &str)> = around.collect();
    let skip = match around.as_slice() {
        [first, second, ..] => {
            let room = (sizes.label.width(first.1) + sizes.label.width(second.1)) / 2.0 + 8.0;
            usize::from(second.0 - first.0.max(sizes.pad + sizes.label.width(first.1) / 2.0) < room)
        }
        _ => 0,
    };
    let baseline = baseline + sizes.label.size * 1.3;
    row(svg, sizes, theme.text, baseline, around.into_iter().skip(skip));
}

/// Labels around their places, within the picture and none upon another.
fn row<'a>(
    svg: &mut Svg,
    sizes: &Sizes,
    color: Color,
    baseline: f64,
    labels: impl Iterator<Item = (f64, &'a str)>,
) {
    let mut free = 0.0;
    for (x, label) in labels {
        let half = sizes.label.width(label) / 2.0;
        let (least, most) = (sizes.pad + half, sizes.width - half - 5.0);
        let x = x.clamp(least, most.max(least));
        if x - half < free {
            continue;
        }
        svg.text(x, baseline, sizes.label, color, Anchor::Middle, label);
        free = x + half + 6.0;
    }
}

/// The line that areas stand on, and the foot of the plot.
fn draw_base(svg: &mut Svg, plot: &Plot, theme: &Theme) {
    let area = plot.area;
    svg.rule(area.x, area.bottom(), area.width, theme.axis);
    let base = area.y + plot.base();
    if plot.scale.low < 0.0 && plot.scale.high >= 0.0 {
        svg.rule(area.x, base, area.width, theme.axis);
    }
}

/// Says plainly that there is nothing to see.
pub fn no_values(svg: &mut Svg, picture: &Picture, area: &Rect, sizes: &Sizes, theme: &Theme) {
    let is_number = |value: &f64| value.is_finite();
    let within = |time: &i64| (picture.start..=picture.end).contains(time);
    let has_some = |point: &(i64, f64)| within(&point.0) && is_number(&point.1);
    let has_points = picture.streams.iter().any(|stream| stream.points.iter().any(has_some));
    let words = if has_points && picture.y.is_log { "No data above zero" } else { "No data" };
    let face = super::text::Face { size: sizes.title.size, weight: 0.3 };
    let (x, y) = (area.x + area.width / 2.0, area.y + area.height / 2.0 + face.size * 0.36);
    let width = face.width(words) + 24.0;
    let behind = Rect { x: x - width / 2.0, y: y - face.size * 1.2, width, height: face.size * 1.7 };
    svg.rect(behind, 4.0, theme.ground, 1.0);
    svg.text(x, y, face, theme.muted, Anchor::Middle, words);
}

//! Stacked areas: at every time, the streams' values upon each other.
//!
//! What is above zero goes up from it, what is below goes down, so that both
//! sums can be read. A stream that is silent counts as zero where others speak.

use super::axis::{Drawn, Plot};
use super::color::Theme;
use super::points::{self, Point, Window};
use super::svg::{Path, Svg};

/// The streams' values at the same times.
#[derive(Debug)]
struct Stack {
    /// The times, ascending.
    times: Vec<f64>,
    /// Whether all streams are silent before a time.
    is_first: Vec<bool>,
    /// For each stream, its value at each time.
    values: Vec<Vec<f64>>,
}

impl Stack {
    fn of(drawn: &[Drawn], window: Window) -> Self {
        let mut times: Vec<f64> =
            drawn.iter().flat_map(|stream| stream.points.iter().map(|point| point.time)).collect();
        times.sort_by(f64::total_cmp);
        times.dedup();
        let is_dense = times.len() as f64 > window.width;
        if is_dense {
            // The middle of each column of pixels that has a point.
            let seconds = (window.end - window.start) as f64 / window.width;
            let column =
                |time: f64| ((time - window.start as f64) / seconds).min(window.width - 0.001).floor();
            let mut columns: Vec<f64> = times.iter().map(|time| column(*time)).collect();
            columns.dedup();
            times =
                columns.into_iter().map(|column| window.start as f64 + (column + 0.5) * seconds).collect();
        }
        let mut is_spoken = vec![false; times.len()];
        let values = drawn
            .iter()
            .map(|stream| {
                let points = if is_dense { means(&stream.points, window) } else { stream.points.clone() };
                at_times(&points, &times, &mut is_spoken)
            })
            .collect();
        Self { times, is_first: is_spoken.into_iter().map(|is_spoken| !is_spoken).collect(), values }
    }

    /// The sums of the first `count` streams' values at each time, of what lies on one side of zero.
    fn sums(&self, count: usize, side: fn(f64) -> f64) -> Vec<f64> {
        let mut sums = vec![0.0; self.times.len()];
        for values in &self.values[..count] {
            for (sum, value) in sums.iter_mut().zip(values) {
                *sum += side(*value);
            }
        }
        // Sums past the largest number are drawn as the largest.
        sums.into_iter().map(|sum: f64| sum.clamp(f64::MIN, f64::MAX)).collect()
    }

    /// The ranges of times without a silence.
    fn pieces(&self) -> Vec<std::ops::Range<usize>> {
        let mut starts: Vec<usize> =
            (0..self.times.len()).filter(|at| self.is_first[*at] || *at == 0).collect();
        starts.push(self.times.len());
        starts.windows(2).map(|pair| pair[0]..pair[1]).collect()
    }
}

fn above(value: f64) -> f64 {
    value.max(0.0)
}

fn below(value: f64) -> f64 {
    value.min(0.0)
}

/// One point for each column of pixels: the mean, since means still add up.
fn means(points: &[Point], window: Window) -> Vec<Point> {
    let seconds = (window.end - window.start) as f64 / window.width;
    let mean = |column: std::ops::Range<usize>| {
        let points = &points[column];
        let first = points.first()?;
        let count = points.len() as f64;
        let value = points.iter().map(|point| point.value / count).sum();
        let column = window.x(first.time).min(window.width - 0.001).floor();
        Some(Point { time: window.start as f64 + (column + 0.5) * seconds, value, is_first: first.is_first })
    };
    points::columns(points, window).into_iter().filter_map(mean).collect()
}

/// A stream's values at `times`: between its points where it speaks, else zero.
/// Marks the times up to which it has spoken since the time before.
fn at_times(points: &[Point], times: &[f64], is_spoken: &mut [bool]) -> Vec<f64> {
    let mut values = Vec::with_capacity(times.len());
    let mut next = 0;
    for (at, time) in times.iter().enumerate() {
        while next < points.len() && points[next].time < *time {
            next += 1;
        }
        let former = next.checked_sub(1).map(|former| &points[former]);
        let value = match (former, points.get(next)) {
            (former, Some(point)) if point.time == *time => {
                is_spoken[at] |= !point.is_first && former.is_some();
                point.value
            }
            (Some(former), Some(point)) if !point.is_first => {
                is_spoken[at] = true;
                let share = (time - former.time) / (point.time - former.time);
                former.value * (1.0 - share) + point.value * share
            }
            _ => 0.0,
        };
        values.push(value);
    }
    values
}

/// The least and the greatest sum.
pub fn extent(drawn: &[Drawn], window: Window) -> Option<(f64, f64)> {
    let stack = Stack::of(drawn, window);
    if stack.times.is_empty() {
        return None;
    }
    let low = stack.sums(drawn.len(), below).into_iter().fold(f64::INFINITY, f64::min);
    let high = stack.sums(drawn.len(), above).into_iter().fold(f64::NEG_INFINITY, f64::max);
    Some(if low < 0.0 {
        (low, high)
    } else {
        (stack.sums(drawn.len(), above).into_iter().fold(f64::INFINITY, f64::min), high)
    })
}

/// Draws the areas: the topmost first and down to zero, each of the others over it, so that no seam shows.
pub fn draw(svg: &mut Svg, drawn: &[Drawn], plot: &Plot, theme: &Theme) {
    let stack = Stack::of(drawn, plot.window);
    svg.begin_part(plot.area);
    let pieces = stack.pieces();
    for side in [above as fn(f64) -> f64, below] {
        if plot.scale.is_log() && side(-1.0) < 0.0 {
            continue;
        }
        for index in (0..drawn.len()).rev() {
            if stack.values[index].iter().all(|value| side(*value) == 0.0) {
                continue;
            }
            let sums = stack.sums(index + 1, side);
            let (mut filled, mut edge) = (Path::default(), Path::default());
            for piece in &pieces {
                outline(&mut filled, &mut edge, &stack.times[piece.clone()], &sums[piece.clone()], plot);
            }
            svg.fill(&filled, drawn[index].color, 1.0);
            // A thin line of the ground keeps neighbours apart, whatever their colours.
            svg.stroke(&edge, theme.ground, 0.8, "");
        }
    }
    svg.end_part();
}

fn outline(filled: &mut Path, edge: &mut Path, times: &[f64], sums: &[f64], plot: &Plot) {
    let base = plot.base();
    // The logarithm of nothing is not far below the plot, it is its foot.
    let y_of = |sum: f64| if plot.scale.is_log() { plot.y(sum).min(base) } else { plot.y(sum) };
    let mut corners: Vec<(f64, f64)> =
        times.iter().zip(sums).map(|(time, sum)| (plot.window.x(*time), y_of(*sum))).collect();
    if let [(x, y)] = corners[..] {
        // One time alone is a bar.
        corners = vec![((x - 1.5).max(0.0), y), ((x + 1.5).min(plot.area.width), y)];
    }
    let (Some(first), Some(last)) = (corners.first().copied(), corners.last().copied()) else { return };
    filled.go(first.0, base);
    for (x, y) in &corners {
        filled.line(*x, *y);
    }
    filled.line(last.0, base);
    filled.close();
    edge.go(first.0, first.1);
    for (x, y) in &corners[1..] {
        edge.line(*x, *y);
    }
}

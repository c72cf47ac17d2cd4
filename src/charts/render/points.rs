//! The points of a stream as they are drawn: in order, within the window, broken at gaps, few for each column of pixels.

use super::picture::Stream;
use std::ops::Range;

/// How many steps without a point are a gap.
const GAP_STEPS: f64 = 2.5;

/// The window on its way to pixels.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Unix seconds.
    pub start: i64,
    /// Unix seconds, after the start.
    pub end: i64,
    /// How many pixels wide it is drawn.
    pub width: f64,
}

impl Window {
    /// Where a time is drawn, in pixels from the left.
    pub fn x(&self, time: f64) -> f64 {
        (time - self.start as f64) / (self.end - self.start) as f64 * self.width
    }
}

/// A point of a stream.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Unix seconds.
    pub time: f64,
    /// A number.
    pub value: f64,
    /// Whether there is a gap before it.
    pub is_first: bool,
}

/// The points of `stream` within the window, gaps marked. Lines over the window's ends are cut there.
pub fn within(stream: &Stream, window: Window, is_log: bool) -> Vec<Point> {
    let is_number = |value: f64| value.is_finite() && (!is_log || value > 0.0);
    let mut raw: Vec<(i64, f64)> = stream.points.clone();
    raw.sort_by_key(|(time, _)| *time);
    let step = if stream.step > 0 { f64::from(stream.step) } else { least_distance(&raw) };
    let mut points: Vec<Point> = Vec::with_capacity(raw.len());
    let mut is_broken = true;
    for (time, value) in raw {
        let time = time as f64;
        if !is_number(value) {
            is_broken = true;
            continue;
        }
        let is_first = match points.last_mut() {
            // The last word on a time counts.
            Some(last) if last.time == time => {
                last.value = value;
                continue;
            }
            Some(last) => !stream.is_connected && (is_broken || time - last.time > GAP_STEPS * step),
            None => true,
        };
        is_broken = false;
        points.push(Point { time, value, is_first });
    }
    cut(&points, window, step, is_log)
}

fn least_distance(points: &[(i64, f64)]) -> f64 {
    let distances = points.windows(2).map(|pair| pair[1].0.saturating_sub(pair[0].0));
    distances.filter(|distance| *distance > 0).min().unwrap_or(1) as f64
}

/// The part of the points within the window.
fn cut(points: &[Point], window: Window, step: f64, is_log: bool) -> Vec<Point> {
    let (start, end) = (window.start as f64, window.end as f64);
    let between = |one: &Point, two: &Point, time: f64| {
        let share = (time - one.time) / (two.time - one.time);
        if is_log {
            (one.value.ln() * (1.0 - share) + two.value.ln() * share).exp()
        } else {
            one.value * (1.0 - share) + two.value * share
        }
    };
    let mut cut: Vec<Point> = Vec::new();
    for (at, point) in points.iter().enumerate() {
        let follower = points.get(at + 1).filter(|next| !next.is_first);
        let former = (!point.is_first && at > 0).then(|| &points[at - 1]);
        if point.time < start {
            match follower {
                Some(next) if next.time > start => {
                    cut.push(Point { time: start, value: between(point, next, start), is_first: true });
                }
                // The bucket began before the window and reaches into it.
                None if point.time + step > start => {
                    cut.push(Point { time: start, is_first: true, ..*point })
                }
                _ => {}
            }
            continue;
        }
        let is_first =
            point.is_first || former.is_none_or(|former| former.time < start && point.time == start);
        if point.time <= end {
            cut.push(Point { is_first, ..*point });
            continue;
        }
        if let Some(former) = former.filter(|former| former.time < end) {
            cut.push(Point { time: end, value: between(former, point, end), is_first: false });
        }
        break;
    }
    cut
}

/// The pieces between gaps.
pub fn pieces(points: &[Point]) -> impl Iterator<Item = &[Point]> {
    let starts: Vec<usize> =
        (0..points.len()).filter(|at| points[*at].is_first || *at == 0).chain([points.len()]).collect();
    (1..starts.len()).map(move |at| &points[starts[at - 1]..starts[at]])
}

/// The runs of points that fall into one column of pixels.
pub fn columns(points: &[Point], window: Window) -> Vec<Range<usize>> {
    let mut columns: Vec<Range<usize>> = Vec::new();
    let mut former = None;
    for (at, point) in points.iter().enumerate() {
        // The right end belongs to the last column.
        let column = window.x(point.time).min(window.width - 0.001).floor() as i64;
        match columns.last_mut() {
            Some(last) if former == Some(column) => last.end = at + 1,
            _ => columns.push(at..at + 1),
        }
        former = Some(column);
    }
    columns
}

/// At most two points for each column of pixels: the least and the greatest, in their order.
pub fn thin(points: &[Point], window: Window) -> Vec<Point> {
    let mut thinned = Vec::new();
    for column in columns(points, window) {
        let (first, points) = (points[column.start].is_first, &points[column]);
        if points.len() <= 2 {
            thinned.extend_from_slice(points);
            continue;
        }
        let by_value = |one: &usize, two: &usize| points[*one].value.total_cmp(&points[*two].value);
        let least = (0..points.len()).min_by(by_value).unwrap_or(0);
        let most = (0..points.len()).max_by(by_value).unwrap_or(0);
        let (one, two) = (least.min(most), least.max(most));
        thinned.push(Point { is_first: first, ..points[one] });
        if one != two {
            thinned.push(Point { is_first: false, ..points[two] });
        }
    }
    thinned
}

/// The least and the greatest value.
pub fn extent<'a>(points: impl IntoIterator<Item = &'a Point>) -> Option<(f64, f64)> {
    points.into_iter().fold(None, |extent, point| match extent {
        None => Some((point.value, point.value)),
        Some((low, high)) => Some((point.value.min(low), point.value.max(high))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Window = Window { start: 100, end: 200, width: 50.0 };

    fn stream(points: &[(i64, f64)]) -> Stream {
        Stream { step: 10, points: points.to_vec(), ..Stream::default() }
    }

    fn written(points: &[Point]) -> String {
        let write = |point: &Point| {
            format!("{}{}:{}", if point.is_first { "|" } else { " " }, point.time, point.value)
        };
        points.iter().map(write).collect()
    }

    #[test]
    fn a_long_silence_and_what_is_no_number_are_gaps() {
        let points =
            [(130, 3.0), (110, 1.0), (120, 2.0), (160, 4.0), (170, f64::NAN), (180, 5.0), (180, 6.0)];
        assert_eq!(written(&within(&stream(&points), WINDOW, false)), "|110:1 120:2 130:3|160:4|180:6");
        let connected = Stream { is_connected: true, ..stream(&points) };
        assert_eq!(written(&within(&connected, WINDOW, false)), "|110:1 120:2 130:3 160:4 180:6");
    }

    #[test]
    fn lines_are_cut_at_the_ends_of_the_window() {
        let points = [(70, 0.0), (95, 1.0), (105, 2.0), (195, 3.0), (205, 4.0), (215, 9.0)];
        assert_eq!(written(&within(&stream(&points), WINDOW, false)), "|100:1.5 105:2|195:3 200:3.5");
        assert_eq!(written(&within(&stream(&[(80, 1.0), (205, 2.0)]), WINDOW, false)), "");
        assert_eq!(written(&within(&stream(&[(95, 1.0)]), WINDOW, false)), "|100:1");
    }

    #[test]
    fn a_logarithm_has_no_zero() {
        let points = [(110, 1.0), (120, 0.0), (130, -1.0), (140, 2.0)];
        assert_eq!(written(&within(&stream(&points), WINDOW, true)), "|110:1|140:2");
    }

    #[test]
    fn a_column_keeps_its_extremes() {
        let window = Window { start: 0, end: 1_000, width: 10.0 };
        let points: Vec<(i64, f64)> = (0..1_000).map(|at| (at, ((at * 37) % 101) as f64)).collect();
        let stream = Stream { step: 1, points, ..Stream::default() };
        let thinned = thin(&within(&stream, window, false), window);
        assert_eq!(thinned.len(), 20);
        assert_eq!(pieces(&thinned).count(), 1);
        assert_eq!(extent(&thinned), Some((0.0, 100.0)));
    }
}

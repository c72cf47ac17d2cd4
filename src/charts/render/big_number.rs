//! Big numbers: the last value or the mean of each stream, red or yellow by a threshold only.

use super::color::Theme;
use super::frame::{Head, Rect, Sizes};
use super::number;
use super::picture::{Picture, Stream, Threshold, ThresholdLevel};
use super::points::Window;
use super::svg::{Anchor, Svg};
use super::text::{Face, clean};
use super::{axis, time};

/// Numbers in one picture; the rest are counted.
const MAX_NUMBERS: usize = 6;

/// The unit's size, to one of the number's.
const UNIT_SIZE: f64 = 0.42;

/// A number to be shown.
struct Number {
    digits: String,
    unit: String,
    name: String,
    /// When or over what it was taken.
    note: String,
    crossed: Option<(Threshold, String)>,
}

/// Draws the numbers.
pub fn draw(svg: &mut Svg, picture: &Picture, sizes: &Sizes, theme: &Theme, head: &Head, span: (i64, i64)) {
    let top = head.draw(svg, sizes, theme) + 4.0;
    let mut area = Rect {
        x: sizes.pad,
        y: top,
        width: sizes.inner_width(),
        height: (sizes.height - sizes.pad - top).max(20.0),
    };
    let window = Window { start: span.0, end: span.1, width: area.width };
    let mut numbers: Vec<Number> =
        picture.streams.iter().filter_map(|stream| number(picture, stream, window)).collect();
    if numbers.is_empty() {
        axis::no_values(svg, picture, &area, sizes, theme);
        return;
    }
    if numbers.len() > MAX_NUMBERS {
        let more = format!("+ {} more", numbers.len() - MAX_NUMBERS);
        numbers.truncate(MAX_NUMBERS);
        svg.text(sizes.pad, sizes.height - sizes.pad, sizes.small, theme.muted, Anchor::Start, &more);
        area.height = (area.height - sizes.small.size * 1.5).max(20.0);
    }
    let columns = match numbers.len() {
        1 => 1,
        2 | 4 => 2,
        count => count.min(3),
    };
    let rows = numbers.len().div_ceil(columns);
    let cell = Rect { width: area.width / columns as f64, height: area.height / rows as f64, ..area };
    // One size for all, so that they can be compared.
    let size = numbers.iter().map(|number| number.size(&cell)).fold(f64::INFINITY, f64::min);
    for (at, number) in numbers.iter().enumerate() {
        let (x, y) =
            (area.x + cell.width * (at % columns) as f64, area.y + cell.height * (at / columns) as f64);
        number.draw(svg, &Rect { x, y, ..cell }, size, sizes, theme);
    }
}

/// The number of a stream: its last value within the window, or the mean of all.
fn number(picture: &Picture, stream: &Stream, window: Window) -> Option<Number> {
    let step = i64::from(stream.step.max(1));
    // A bucket that reaches into the window counts.
    let is_within = |time: i64| time.saturating_add(step) > window.start && time <= window.end;
    let mut points: Vec<(i64, f64)> =
        stream.points.iter().copied().filter(|(time, value)| is_within(*time) && value.is_finite()).collect();
    points.sort_by_key(|(time, _)| *time);
    let last = *points.last()?;
    let count = points.len() as f64;
    let (value, note) = if picture.use_last_value {
        (last.1, format!("last value, {}", time::clock(last.0)))
    } else {
        (points.iter().map(|(_, value)| value / count).sum(), "mean of the window".to_owned())
    };
    let units = clean(stream.units.as_deref().or(picture.y.units.as_deref()).unwrap_or_default());
    let (digits, unit) = number::big(value, Some(&units));
    Some(Number { digits, unit, name: clean(&stream.name), note, crossed: crossed(picture, value, &units) })
}

/// The threshold that decides the number's colour.
fn crossed(picture: &Picture, value: f64, units: &str) -> Option<(Threshold, String)> {
    let level = |level: ThresholdLevel| {
        picture.thresholds.iter().find(|threshold| threshold.level == level && threshold.is_crossed_by(value))
    };
    let threshold = level(ThresholdLevel::Red).or_else(|| level(ThresholdLevel::Yellow))?;
    let words = format!("{} {}", threshold.operator.as_str(), number::spoken(threshold.value, Some(units)));
    Some((*threshold, words))
}

impl Number {
    fn face(size: f64) -> Face {
        Face { size, weight: size * 0.02 }
    }

    /// The largest size at which the number fits into `cell`.
    fn size(&self, cell: &Rect) -> f64 {
        let unit: String = self.unit.chars().take(24).collect();
        let ems = Self::face(1.0).width(&self.digits) + Self::face(UNIT_SIZE).width(&unit);
        (cell.height * 0.32).min((cell.width - 20.0) / ems.max(0.1)).clamp(8.0, 160.0)
    }

    fn draw(&self, svg: &mut Svg, cell: &Rect, size: f64, sizes: &Sizes, theme: &Theme) {
        let middle = cell.x + cell.width / 2.0;
        let color = self.crossed.as_ref().map_or(theme.text, |(threshold, _)| theme.level(threshold.level));
        let (large, small) = (Self::face(size), Self::face(size * UNIT_SIZE));
        let name_face = Face::plain((size * 0.22).clamp(sizes.label.size, 18.0));
        let line = name_face.size * 1.35;
        let note_height = sizes.label.size * 1.5;
        let pill_height = sizes.label.size * 2.0;
        let has_name = !self.name.is_empty();
        // The block of number, name, note and threshold stands in the middle; room for the
        // threshold is always kept, so that the number does not jump when it is crossed.
        let height = size * 0.72 + 10.0 + if has_name { line } else { 0.0 } + note_height + 6.0 + pill_height;
        let mut y = cell.y + (cell.height - height).max(0.0) / 2.0 + size * 0.72;
        let unit = small
            .clip(self.unit.trim_start(), (cell.width - 20.0 - large.width(&self.digits)).max(small.size));
        // The space between number and unit is a distance, not a letter: it must not depend on how spaces are kept.
        let space = if self.unit.starts_with(' ') { size * 0.1 } else { size * 0.02 };
        let space = if unit.is_empty() { 0.0 } else { space };
        let width = large.width(&self.digits) + space + small.width(&unit);
        let left = middle - width / 2.0;
        svg.text(left, y, large, color, Anchor::Start, &self.digits);
        svg.text(left + width - small.width(&unit), y, small, color, Anchor::Start, &unit);
        y += 10.0;
        let room = cell.width - 16.0;
        if has_name {
            y += line;
            let name = name_face.clip_middle(&self.name, room);
            svg.text(middle, y, name_face, theme.text, Anchor::Middle, &name);
        }
        y += note_height;
        svg.text(middle, y, sizes.label, theme.muted, Anchor::Middle, &sizes.label.clip(&self.note, room));
        if let Some((_, words)) = &self.crossed {
            // The threshold in words: red and yellow are the same to some eyes.
            let words = sizes.label.clip(words, room - 16.0);
            let width = sizes.label.width(&words) + 16.0;
            y += 8.0;
            let pill = Rect { x: middle - width / 2.0, y, width, height: pill_height * 0.85 };
            svg.rect(pill, pill_height * 0.42, color, 1.0);
            let baseline = y + pill_height * 0.43 + sizes.label.size * 0.36;
            svg.text(middle, baseline, sizes.label, theme.ground, Anchor::Middle, &words);
        }
    }
}

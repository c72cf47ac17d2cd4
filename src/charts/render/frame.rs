//! Sizes of everything, and the head of a picture: title, subtitle and window.

use super::color::Theme;
use super::picture::{MAX_SIDE, MIN_SIDE, Picture};
use super::svg::{Anchor, Svg};
use super::text::{self, Face};
use super::time;

/// Between the parts of the line below the title.
const BETWEEN: &str = " · ";

/// A rectangle, in pixels from the picture's upper left corner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rect {
    /// The left edge.
    pub x: f64,
    /// The upper edge.
    pub y: f64,
    /// How wide it is.
    pub width: f64,
    /// How high it is.
    pub height: f64,
}

impl Rect {
    /// The right edge.
    pub fn right(&self) -> f64 {
        self.x + self.width
    }

    /// The lower edge.
    pub fn bottom(&self) -> f64 {
        self.y + self.height
    }
}

/// The sizes that everything is drawn in.
#[derive(Clone, Copy, Debug)]
pub struct Sizes {
    /// The picture's width.
    pub width: f64,
    /// The picture's height.
    pub height: f64,
    /// What is left free at the edges.
    pub pad: f64,
    /// The title.
    pub title: Face,
    /// The line below the title, and the legend.
    pub small: Face,
    /// Labels of ticks and marks.
    pub label: Face,
    /// Whether there is room for more than the chart itself.
    pub has_head: bool,
    /// Rows of the legend.
    pub legend_rows: usize,
}

impl Sizes {
    /// The sizes for a picture.
    pub fn of(picture: &Picture) -> Self {
        let (width, height) =
            (picture.width.clamp(MIN_SIDE, MAX_SIDE), picture.height.clamp(MIN_SIDE, MAX_SIDE));
        let is_small = width < 420 || height < 280;
        let legend_rows = match height {
            0..140 => 0,
            140..220 => 1,
            220..300 => 2,
            _ => 4,
        };
        Self {
            width: f64::from(width),
            height: f64::from(height),
            pad: if is_small { 10.0 } else { 16.0 },
            title: Face::strong(if is_small { 13.0 } else { 17.0 }),
            small: Face::plain(if is_small { 10.5 } else { 12.0 }),
            label: Face::plain(if is_small { 10.0 } else { 11.0 }),
            has_head: height >= 110,
            legend_rows,
        }
    }

    /// The room between the edges.
    pub fn inner_width(&self) -> f64 {
        self.width - 2.0 * self.pad
    }
}

/// What stands at the top of every picture, clipped to its width.
#[derive(Debug)]
pub struct Head {
    title: String,
    subtitle: String,
    window: String,
}

impl Head {
    /// The head of a picture.
    pub fn of(picture: &Picture, sizes: &Sizes, title: String, start: i64, end: i64) -> Self {
        let room = sizes.inner_width();
        let (when, length) = time::words(start, end);
        let whole = format!("{when}{BETWEEN}{length}");
        let window = if sizes.small.width(&whole) <= room { whole } else { sizes.small.clip(&when, room) };
        let left = room - sizes.small.width(&window) - sizes.small.width(BETWEEN);
        let subtitle = text::clean(picture.subtitle.as_deref().unwrap_or_default());
        let subtitle = if left < 60.0 { String::new() } else { sizes.small.clip(&subtitle, left) };
        Self { title: sizes.title.clip(&title, room), subtitle, window }
    }

    /// Draws the head; returns how far down it reaches.
    pub fn draw(&self, svg: &mut Svg, sizes: &Sizes, theme: &Theme) -> f64 {
        let mut y = sizes.pad;
        if !sizes.has_head {
            return y;
        }
        if !self.title.is_empty() {
            let baseline = y + sizes.title.size * 0.84;
            svg.text(sizes.pad, baseline, sizes.title, theme.text, Anchor::Start, &self.title);
            y += sizes.title.size * 1.3;
        }
        let baseline = y + sizes.small.size * 0.9;
        let mut x = sizes.pad;
        // Each part is its own text, so that one written from right to left does not turn the others.
        for part in [self.subtitle.as_str(), if self.subtitle.is_empty() { "" } else { "·" }, &self.window] {
            svg.text(x, baseline, sizes.small, theme.muted, Anchor::Start, part);
            if !part.is_empty() {
                x += sizes.small.width(part) + sizes.small.width(" ");
            }
        }
        y + sizes.small.size * 1.3
    }
}

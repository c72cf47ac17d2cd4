//! The writer of SVG: numbers in tenths of a pixel, escaped text, short paths.
//!
//! What is written here is well formed whatever it is given: text goes through
//! [`escape`], numbers that are none become zero.

use super::color::Color;
use super::frame::Rect;
use super::text::Face;
use std::fmt::Write;

/// Where a text stands beside its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// Begins there.
    Start,
    /// Stands around it.
    Middle,
    /// Ends there.
    End,
}

/// An SVG document under construction.
#[derive(Debug, Default)]
pub struct Svg {
    text: String,
}

impl Svg {
    /// Begins a document with a ground.
    pub fn new(width: u32, height: u32, title: &str, ground: Color) -> Self {
        let mut svg = Self::default();
        svg.put(format_args!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\" font-family=\"Ubuntu, 'Ubuntu Sans', \
             system-ui, sans-serif\"><title>{}</title><rect width=\"{width}\" height=\"{height}\" \
             fill=\"{ground}\"/>\n",
            escape(title)
        ));
        svg
    }

    /// The whole document.
    pub fn finish(mut self) -> String {
        self.text.push_str("</svg>\n");
        self.text
    }

    /// Begins a part with its own origin, outside which nothing is drawn. Ended by [`Svg::end_part`].
    pub fn begin_part(&mut self, area: Rect) {
        self.put(format_args!(
            "<svg x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\">\n",
            number(area.x),
            number(area.y),
            number(area.width),
            number(area.height)
        ));
    }

    /// Ends the part that [`Svg::begin_part`] began.
    pub fn end_part(&mut self) {
        self.text.push_str("</svg>\n");
    }

    /// A filled rectangle.
    pub fn rect(&mut self, rect: Rect, radius: f64, fill: Color, opacity: f64) {
        let (x, y) = (number(rect.x), number(rect.y));
        let (width, height) = (number(rect.width.max(0.0)), number(rect.height.max(0.0)));
        self.put(format_args!("<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\""));
        if radius > 0.0 {
            self.put(format_args!(" rx=\"{}\"", number(radius)));
        }
        self.put(format_args!(" fill=\"{fill}\""));
        self.end_with("fill-opacity", opacity);
    }

    /// A horizontal line, one pixel high, on the grid of pixels.
    pub fn rule(&mut self, x: f64, y: f64, width: f64, color: Color) {
        self.rect(Rect { x, y: y.round(), width, height: 1.0 }, 0.0, color, 1.0);
    }

    /// A vertical line, one pixel wide, on the grid of pixels.
    pub fn upright(&mut self, x: f64, y: f64, height: f64, color: Color) {
        self.rect(Rect { x: x.round(), y, width: 1.0, height }, 0.0, color, 1.0);
    }

    /// A filled circle.
    pub fn dot(&mut self, x: f64, y: f64, radius: f64, fill: Color) {
        let (x, y, radius) = (number(x), number(y), number(radius));
        self.put(format_args!("<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\" fill=\"{fill}\"/>\n"));
    }

    /// A line along `path`.
    pub fn stroke(&mut self, path: &Path, color: Color, width: f64, dashes: &str) {
        self.put(format_args!(
            "<path d=\"{}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"{width}\" stroke-linejoin=\"round\"",
            path.text
        ));
        if dashes.is_empty() {
            self.text.push_str(" stroke-linecap=\"round\"/>\n");
        } else {
            self.put(format_args!(" stroke-dasharray=\"{dashes}\"/>\n"));
        }
    }

    /// The area within `path`.
    pub fn fill(&mut self, path: &Path, color: Color, opacity: f64) {
        self.put(format_args!("<path d=\"{}\" fill=\"{color}\"", path.text));
        self.end_with("fill-opacity", opacity);
    }

    /// A line of text, its baseline at `y`.
    pub fn text(&mut self, x: f64, y: f64, face: Face, color: Color, anchor: Anchor, text: &str) {
        if text.is_empty() {
            return;
        }
        let (x, y, size) = (number(x), number(y), number(face.size));
        self.put(format_args!("<text x=\"{x}\" y=\"{y}\" font-size=\"{size}\" fill=\"{color}\""));
        // The font is a light one; a thin line around the letters gives it the weight of text.
        if face.weight > 0.0 {
            self.put(format_args!(" stroke=\"{color}\" stroke-width=\"{}\"", face.weight));
        }
        match anchor {
            Anchor::Start => {}
            Anchor::Middle => self.text.push_str(" text-anchor=\"middle\""),
            Anchor::End => self.text.push_str(" text-anchor=\"end\""),
        }
        self.put(format_args!(">{}</text>\n", escape(text)));
    }

    fn end_with(&mut self, opacity_name: &str, opacity: f64) {
        if opacity < 1.0 {
            self.put(format_args!(" {opacity_name}=\"{opacity}\""));
        }
        self.text.push_str("/>\n");
    }

    fn put(&mut self, text: std::fmt::Arguments<'_>) {
        self.text.write_fmt(text).expect("a string takes all that is written to it");
    }
}

/// A path, written as short as can be: steps in tenths of a pixel.
#[derive(Debug, Default)]
pub struct Path {
    text: String,
    at: (i64, i64),
    is_in_line: bool,
}

impl Path {
    /// Whether nothing was drawn.
    pub fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Goes to a point without drawing.
    pub fn go(&mut self, x: f64, y: f64) {
        self.at = (tenths(x), tenths(y));
        self.text.push('M');
        self.pair(self.at.0, self.at.1);
        self.is_in_line = false;
    }

    /// Draws a straight line to a point.
    pub fn line(&mut self, x: f64, y: f64) {
        let to = (tenths(x), tenths(y));
        if !self.is_in_line {
            self.text.push('l');
        } else if to.0 >= self.at.0 {
            self.text.push(' ');
        }
        self.pair(to.0 - self.at.0, to.1 - self.at.1);
        self.at = to;
        self.is_in_line = true;
    }

    /// Draws back to where the line began.
    pub fn close(&mut self) {
        self.text.push('z');
        self.is_in_line = false;
    }

    fn pair(&mut self, x: i64, y: i64) {
        push_tenths(&mut self.text, x);
        if y >= 0 {
            self.text.push(' ');
        }
        push_tenths(&mut self.text, y);
    }
}

/// `text` as it may stand between tags and in attributes.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // XML has no way to write these.
            '\0'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {}
            character => escaped.push(character),
        }
    }
    escaped
}

fn tenths(value: f64) -> i64 {
    // A cast of what is no number is zero; the bounds keep sums in range.
    (value * 10.0).round().clamp(-1e9, 1e9) as i64
}

fn push_tenths(text: &mut String, value: i64) {
    if value < 0 {
        text.push('-');
    }
    let (whole, part) = (value.unsigned_abs() / 10, value.unsigned_abs() % 10);
    if whole > 0 || part == 0 {
        write!(text, "{whole}").expect("a string takes all that is written to it");
    }
    if part > 0 {
        write!(text, ".{part}").expect("a string takes all that is written to it");
    }
}

fn number(value: f64) -> String {
    let mut text = String::new();
    push_tenths(&mut text, tenths(value));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_written_short() {
        let mut path = Path::default();
        path.go(1.0, -2.04);
        path.line(1.5, -2.0);
        path.line(1.0, 7.96);
        path.line(11.0, 7.96);
        path.close();
        assert_eq!(path.text, "M1-2l.5 0-.5 10 10 0z");
    }

    #[test]
    fn what_is_no_number_is_written_as_one() {
        assert_eq!(number(f64::NAN), "0");
        assert_eq!(number(f64::INFINITY), "100000000");
        assert_eq!(number(-0.04), "0");
    }

    #[test]
    fn text_is_escaped() {
        assert_eq!(escape("<a b='c' d=\"e\">&\u{1}\u{ffff}"), "&lt;a b=&#39;c&#39; d=&quot;e&quot;&gt;&amp;");
    }
}

//! The picture of a chart: values in, SVG and PNG out.
//!
//! Pure: no clock, no file, no network, no chance, no fonts of the system. The
//! same [`Picture`] always gives the same bytes. It may hold anything (see
//! there); what comes out is well-formed SVG that refers to nothing outside.
//!
//! **Invariant:** nothing here knows where values come from or where pictures
//! go: no store, no HTTP.

mod axis;
mod big_number;
mod color;
mod frame;
mod legend;
mod lines;
mod marks;
mod number;
mod picture;
mod png;
mod points;
mod scale;
mod stacked;
mod svg;
#[cfg(test)]
mod tests;
mod text;
mod time;

pub use picture::{
    Look, MAX_SIDE, MIN_SIDE, Mark, Operator, Picture, PictureKind, Stream, Threshold, ThresholdLevel, YAxis,
};
pub use png::{RenderError, to_png};

use color::Theme;
use frame::{Head, Sizes};
use svg::Svg;

/// Draws a picture as SVG.
///
/// The document stands alone, in CSS pixels; its size grows with the streams
/// and the width, not with the points.
pub fn to_svg(picture: &Picture) -> String {
    let sizes = Sizes::of(picture);
    let theme = Theme::of(picture.look);
    let title = text::clean(&picture.title);
    let (start, end) = time::window(picture.start, picture.end);
    let mut svg = Svg::new(sizes.width as u32, sizes.height as u32, &title, theme.ground);
    let head = Head::of(picture, &sizes, title, start, end);
    match picture.kind {
        PictureKind::Line | PictureKind::Stacked => {
            axis::draw(&mut svg, picture, &sizes, &theme, &head, (start, end))
        }
        PictureKind::BigNumber => big_number::draw(&mut svg, picture, &sizes, &theme, &head, (start, end)),
    }
    svg.finish()
}

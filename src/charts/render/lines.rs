//! Lines: one for each stream, broken at gaps, a lonely point as a dot.

use super::axis::{Drawn, Plot};
use super::frame::Rect;
use super::points;
use super::svg::{Path, Svg};

/// Pixels of the line's width.
const WIDTH: f64 = 1.8;

/// Pixels from a dot's middle to its edge.
const DOT: f64 = 2.4;

/// Draws the streams; the first lies on top, since the legend names it first.
pub fn draw(svg: &mut Svg, drawn: &[Drawn], plot: &Plot) {
    let area = plot.area;
    // The line at the very end of the scale is seen whole.
    svg.begin_part(Rect { y: area.y - 1.0, height: area.height + 2.0, ..area });
    let mut dots = Vec::new();
    for stream in drawn.iter().rev() {
        let thinned = points::thin(&stream.points, plot.window);
        let mut path = Path::default();
        for piece in points::pieces(&thinned) {
            let at = |point: &points::Point| (plot.window.x(point.time), plot.y(point.value) + 1.0);
            match piece {
                [] => {}
                [point] => {
                    let (x, y) = at(point);
                    if (0.0..=area.height + 2.0).contains(&y) {
                        dots.push((area.x + x, area.y - 1.0 + y, stream.color));
                    }
                }
                [first, rest @ ..] => {
                    let (x, y) = at(first);
                    path.go(x, y);
                    for point in rest {
                        let (x, y) = at(point);
                        path.line(x, y);
                    }
                }
            }
        }
        if !path.is_empty() {
            svg.stroke(&path, stream.color, WIDTH, stream.dashes);
        }
    }
    svg.end_part();
    // A dot at the window's end is seen whole, too.
    for (x, y, color) in dots {
        svg.dot(x, y, DOT, color);
    }
}

//! Annotations: thin upright lines with a flag and a title, a band where something lasted.

use super::axis::Plot;
use super::color::Theme;
use super::frame::{Rect, Sizes};
use super::picture::{Mark, Picture};
use super::points::Window;
use super::svg::{Anchor, Path, Svg};
use super::text::clean;

/// Marks nearer to each other than this are drawn as one.
const LEAST_APART: f64 = 3.0;

/// Bands in one picture; more of them would be a wall.
const MAX_BANDS: usize = 50;

/// Pixels from a flag's line to its title.
const FLAG: f64 = 9.0;

/// Whether anything happened within the window.
pub fn has_any(picture: &Picture, window: Window) -> bool {
    picture.annotations.iter().any(|mark| ends(mark, window).is_some())
}

/// The part of a mark within the window.
fn ends(mark: &Mark, window: Window) -> Option<(i64, i64)> {
    let end = mark.end.unwrap_or(mark.time).max(mark.time);
    let is_within = mark.time <= window.end && end >= window.start;
    is_within.then(|| (mark.time.max(window.start), end.min(window.end)))
}

/// Draws how long things lasted, behind the values.
pub fn draw_bands(svg: &mut Svg, picture: &Picture, plot: &Plot, theme: &Theme) {
    let area = plot.area;
    let bands = picture.annotations.iter().filter(|mark| mark.end.is_some());
    for (start, end) in bands.filter_map(|mark| ends(mark, plot.window)).take(MAX_BANDS) {
        let (from, to) = (plot.window.x(start as f64), plot.window.x(end as f64));
        let band = Rect { x: area.x + from, width: (to - from).max(1.0), ..area };
        svg.rect(band, 0.0, theme.mark, 0.13);
    }
}

/// Draws when things began, before the values, with what they are.
pub fn draw_flags(svg: &mut Svg, picture: &Picture, plot: &Plot, sizes: &Sizes, theme: &Theme) {
    let area = plot.area;
    let mut flags: Vec<(f64, &Mark)> = picture
        .annotations
        .iter()
        .filter_map(|mark| Some((area.x + plot.window.x(ends(mark, plot.window)?.0 as f64), mark)))
        .collect();
    flags.sort_by(|one, two| one.0.total_cmp(&two.0));
    flags.dedup_by(|one, two| one.0 - two.0 < LEAST_APART);
    let top = area.y - sizes.label.size * 1.3;
    let title_width = |mark: &Mark| sizes.label.width(&clean(&mark.title));
    // The last flag turns round where there is more room before it than after it.
    let mut turned = None;
    if let [.., (x, mark)] = flags.as_slice() {
        let before = x - flags.len().checked_sub(2).map_or(sizes.pad, |former| flags[former].0);
        let after = sizes.width - 4.0 - x - FLAG;
        if after < title_width(mark).min(60.0) && before > after + 60.0 {
            turned = Some((title_width(mark) + FLAG + 6.0).min(before * 0.5));
        }
    }
    for (at, (x, mark)) in flags.iter().enumerate() {
        // One pixel, on the grid of pixels.
        let x = x.round().min(area.right() - 1.0);
        let pole = Rect { x, y: top, width: 1.0, height: area.bottom() - top };
        svg.rect(pole, 0.0, theme.mark, 0.85);
        let is_last = at + 1 == flags.len();
        let (away, foot) = if is_last && turned.is_some() { (-1.0, x) } else { (1.0, x + 1.0) };
        let mut flag = Path::default();
        flag.go(foot, top);
        flag.line(foot + 6.0 * away, top + 3.5);
        flag.line(foot, top + 7.0);
        flag.close();
        svg.fill(&flag, theme.mark, 1.0);
        let room = match (is_last, turned) {
            (true, Some(room)) => room - FLAG - 6.0,
            (true, None) => sizes.width - 4.0 - x - FLAG,
            (false, _) => {
                let taken = if at + 2 == flags.len() { turned.unwrap_or(0.0) } else { 0.0 };
                flags[at + 1].0 - taken - 5.0 - x - FLAG
            }
        };
        let title = clean(&mark.title);
        let clipped = sizes.label.clip(&title, room);
        // A letter and an ellipsis say less than nothing.
        if clipped == title || clipped.chars().count() > 4 {
            let anchor = if away < 0.0 { Anchor::End } else { Anchor::Start };
            let baseline = top + sizes.label.size * 0.76;
            svg.text(x + FLAG * away, baseline, sizes.label, theme.mark, anchor, &clipped);
        }
    }
}

//! The legend: the streams' names in columns, and how many there is no room for.

use super::axis::Drawn;
use super::color::Color;
use super::color::Theme;
use super::frame::{Rect, Sizes};
use super::picture::{Picture, PictureKind};
use super::svg::{Anchor, Path, Svg};
use super::text::clean;

/// Names that are looked at; the rest are counted.
const MAX_SLOTS: usize = 9;

/// Pixels from the sample's left to the name.
const SAMPLE: f64 = 22.0;

/// Pixels between columns.
const BETWEEN: f64 = 20.0;

/// The legend of a chart with axes.
#[derive(Debug)]
pub struct Legend {
    kind: PictureKind,
    entries: Vec<(String, Option<Sample>)>,
    columns: Vec<f64>,
    row_height: f64,
}

/// The colour and the dashes of a stream.
type Sample = (Color, &'static str);

impl Legend {
    /// The legend of a picture; empty where there is no name or no room.
    pub fn of(picture: &Picture, drawn: &[Drawn], sizes: &Sizes) -> Self {
        let mut legend = Self {
            kind: picture.kind,
            entries: Vec::new(),
            columns: Vec::new(),
            row_height: (sizes.small.size * 1.45).round(),
        };
        let is_nameless = picture.streams.len() == 1 && clean(&picture.streams[0].name).is_empty();
        if sizes.legend_rows == 0 || picture.streams.is_empty() || is_nameless {
            return legend;
        }
        let count = picture.streams.len();
        for (at, (stream, drawn)) in picture.streams.iter().zip(drawn).take(MAX_SLOTS).enumerate() {
            let name = clean(&stream.name);
            let name = if name.is_empty() { format!("stream {}", at + 1) } else { name };
            legend.entries.push((name, Some((drawn.color, drawn.dashes))));
        }
        legend.lay_out(count, sizes);
        legend
    }

    /// Chooses the columns, and cuts what does not fit into them.
    fn lay_out(&mut self, count: usize, sizes: &Sizes) {
        let room = sizes.inner_width();
        let face = sizes.small;
        let widths: Vec<f64> = self.entries.iter().map(|(name, _)| SAMPLE + face.width(name)).collect();
        let natural = |columns: usize| -> Vec<f64> {
            let column = |at: usize| widths.iter().skip(at).step_by(columns).copied().fold(0.0, f64::max);
            (0..columns).map(column).collect()
        };
        let fits =
            |columns: &Vec<f64>| columns.iter().sum::<f64>() + BETWEEN * (columns.len() - 1) as f64 <= room;
        let rows = |columns: usize| self.entries.len().div_ceil(columns);
        let wanted = (1..=self.entries.len()).rev().filter(|columns| rows(*columns) <= sizes.legend_rows);
        let found = wanted.map(natural).find(fits);
        self.columns = found.unwrap_or_else(|| {
            let least = self.entries.len().div_ceil(sizes.legend_rows);
            let most = ((room + BETWEEN) / (110.0 + BETWEEN)).max(1.0) as usize;
            let columns = least.max(if self.entries.len() > 3 { 2 } else { 1 }).min(most);
            vec![(room - BETWEEN * (columns - 1) as f64) / columns as f64; columns]
        });
        let slots = (self.columns.len() * sizes.legend_rows).min(MAX_SLOTS);
        if count > slots {
            self.entries.truncate(slots - 1);
            self.entries.push((format!("+ {} more", count - (slots - 1)), None));
        }
        for (at, (name, _)) in self.entries.iter_mut().enumerate() {
            *name = face.clip_middle(name, self.columns[at % self.columns.len()] - SAMPLE + 0.01);
        }
    }

    /// How much room the legend takes above the lower edge.
    pub fn height(&self) -> f64 {
        if self.entries.is_empty() { 2.0 } else { 8.0 + self.row_height * self.rows() as f64 }
    }

    fn rows(&self) -> usize {
        self.entries.len().div_ceil(self.columns.len().max(1))
    }

    /// Draws the legend at the lower edge.
    pub fn draw(&self, svg: &mut Svg, sizes: &Sizes, theme: &Theme) {
        let top = sizes.height - sizes.pad * 0.75 - self.row_height * self.rows() as f64;
        for (at, (name, sample)) in self.entries.iter().enumerate() {
            let (row, column) = (at / self.columns.len(), at % self.columns.len());
            let x = sizes.pad + self.columns[..column].iter().sum::<f64>() + BETWEEN * column as f64;
            let middle = (top + self.row_height * (row as f64 + 0.5)).round();
            let baseline = middle + sizes.small.size * 0.35;
            let Some((color, dashes)) = sample else {
                svg.text(x, baseline, sizes.small, theme.muted, Anchor::Start, name);
                continue;
            };
            if self.kind == PictureKind::Stacked {
                let sample = Rect { x, y: middle - 5.0, width: 10.0, height: 10.0 };
                svg.rect(sample, 2.0, *color, 1.0);
                svg.text(x + SAMPLE - 6.0, baseline, sizes.small, theme.text, Anchor::Start, name);
            } else {
                let mut path = Path::default();
                path.go(x + 1.0, middle);
                path.line(x + 16.0, middle);
                svg.stroke(&path, *color, 2.4, dashes);
                svg.text(x + SAMPLE, baseline, sizes.small, theme.text, Anchor::Start, name);
            }
        }
    }
}

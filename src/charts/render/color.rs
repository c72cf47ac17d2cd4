//! Colours: the two looks, the palette of the streams, and colours that a caller chose.

use super::picture::{Look, ThresholdLevel};

/// Red, green and blue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Color(pub u8, pub u8, pub u8);

/// The least contrast with the ground at which a stream is still seen.
const LEAST_CONTRAST: f64 = 1.7;

/// Tell-apart colours for normal and colour-blind eyes, on white.
const ON_LIGHT: [Color; 8] = [
    Color(0x00, 0x72, 0xb2),
    Color(0xd5, 0x5e, 0x00),
    Color(0x00, 0x9e, 0x73),
    Color(0x88, 0x22, 0x55),
    Color(0x4a, 0xa3, 0xdf),
    Color(0x5c, 0x2e, 0x00),
    Color(0x33, 0x22, 0x88),
    Color(0x6f, 0x7f, 0x95),
];

/// Tell-apart colours for normal and colour-blind eyes, on the dark ground.
const ON_DARK: [Color; 8] = [
    Color(0x56, 0xa8, 0xe8),
    Color(0xf0, 0xa0, 0x30),
    Color(0x2f, 0xbf, 0x9a),
    Color(0xc0, 0x50, 0xac),
    Color(0xa6, 0xdc, 0xf7),
    Color(0xe0, 0x67, 0x3f),
    Color(0xdd, 0xcc, 0x77),
    Color(0x7f, 0x6d, 0xf2),
];

/// Dashes of the streams past the palette's end, one for each time round.
const DASHES: [&str; 4] = ["", "7 3", "2 2.5", "8 3 2 3"];

/// The colours of everything that is no stream.
#[derive(Clone, Copy, Debug)]
pub struct Theme {
    look: Look,
    /// Behind everything.
    pub ground: Color,
    /// The title and big numbers.
    pub text: Color,
    /// Everything else that is written.
    pub muted: Color,
    /// Lines at the ticks of the values.
    pub grid: Color,
    /// Lines at the ticks of the time, and between the decades of a logarithmic axis.
    pub faint: Color,
    /// The time axis, and the line of zero.
    pub axis: Color,
    /// Marks of annotations.
    pub mark: Color,
}

impl Theme {
    /// The colours of a look.
    pub fn of(look: Look) -> Self {
        match look {
            Look::Light => Self {
                look,
                ground: Color(0xff, 0xff, 0xff),
                text: Color(0x1c, 0x22, 0x2b),
                muted: Color(0x5a, 0x63, 0x70),
                grid: Color(0xe3, 0xe6, 0xea),
                faint: Color(0xf1, 0xf3, 0xf5),
                axis: Color(0xa3, 0xab, 0xb6),
                mark: Color(0x74, 0x5c, 0xa8),
            },
            Look::Dark => Self {
                look,
                ground: Color(0x16, 0x19, 0x1f),
                text: Color(0xee, 0xf1, 0xf5),
                muted: Color(0xa7, 0xaf, 0xbb),
                grid: Color(0x2e, 0x34, 0x3d),
                faint: Color(0x22, 0x27, 0x2e),
                axis: Color(0x60, 0x69, 0x76),
                mark: Color(0xb3, 0x9d, 0xdb),
            },
        }
    }

    /// The colour of a number that crosses a threshold.
    pub fn level(&self, level: ThresholdLevel) -> Color {
        match (self.look, level) {
            (Look::Light, ThresholdLevel::Red) => Color(0xc4, 0x16, 0x2a),
            (Look::Light, ThresholdLevel::Yellow) => Color(0xb2, 0x74, 0x00),
            (Look::Dark, ThresholdLevel::Red) => Color(0xff, 0x6b, 0x63),
            (Look::Dark, ThresholdLevel::Yellow) => Color(0xf5, 0xc5, 0x18),
        }
    }

    /// The colour of the stream at `index`: `wish` where it is a colour, nudged until it can be seen.
    pub fn stream(&self, index: usize, wish: Option<&str>) -> Color {
        let palette = match self.look {
            Look::Light => &ON_LIGHT,
            Look::Dark => &ON_DARK,
        };
        let mut color = wish.and_then(Color::parse).unwrap_or(palette[index % palette.len()]);
        while color.contrast(self.ground) < LEAST_CONTRAST {
            color = color.mix(self.text, 0.15);
        }
        color
    }

    /// The dashes of the stream at `index`, as SVG writes them; empty for a whole line.
    pub fn dashes(&self, index: usize) -> &'static str {
        DASHES[index / ON_LIGHT.len() % DASHES.len()]
    }
}

impl Color {
    /// `#rgb` or `#rrggbb`.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.trim().strip_prefix('#')?;
        if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let value = u32::from_str_radix(digits, 16).ok()?;
        let [_, red, green, blue] = value.to_be_bytes();
        match digits.len() {
            6 => Some(Self(red, green, blue)),
            3 => Some(Self((value >> 8) as u8 * 17, (value >> 4 & 15) as u8 * 17, (value & 15) as u8 * 17)),
            _ => None,
        }
    }

    /// The way from this colour to `other`, `share` of it gone.
    pub fn mix(self, other: Self, share: f64) -> Self {
        // Away from the colour by one at least, so that repeated mixing arrives.
        let mix = |from: u8, to: u8| {
            let mixed = (f64::from(from) + (f64::from(to) - f64::from(from)) * share).round() as u8;
            if mixed == from && from != to { if to > from { from + 1 } else { from - 1 } } else { mixed }
        };
        Self(mix(self.0, other.0), mix(self.1, other.1), mix(self.2, other.2))
    }

    /// The contrast of two colours as WCAG counts it, from 1 to 21.
    pub fn contrast(self, other: Self) -> f64 {
        let (one, two) = (self.luminance(), other.luminance());
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    fn luminance(self) -> f64 {
        let linear = |part: u8| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(self.0) + 0.7152 * linear(self.1) + 0.0722 * linear(self.2)
    }
}

impl std::fmt::Display for Color {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(to, "#{:02x}{:02x}{:02x}", self.0, self.1, self.2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wish_of_a_caller_is_taken_where_it_is_a_colour() {
        let theme = Theme::of(Look::Light);
        assert_eq!(theme.stream(0, Some("#123456")), Color(0x12, 0x34, 0x56));
        assert_eq!(theme.stream(0, Some("#f00")), Color(0xff, 0, 0));
        for wish in ["red", "#12345", "#12345g", "#+12345", "\"/><script>", "", "#", "#é2"] {
            assert_eq!(theme.stream(1, Some(wish)), ON_LIGHT[1], "{wish}");
        }
    }

    #[test]
    fn a_colour_that_cannot_be_seen_is_nudged() {
        for (look, wish) in [(Look::Light, "#ffffff"), (Look::Dark, "#000"), (Look::Dark, "#16191f")] {
            let theme = Theme::of(look);
            assert!(theme.stream(0, Some(wish)).contrast(theme.ground) >= LEAST_CONTRAST, "{wish}");
        }
    }

    #[test]
    fn the_palettes_stand_out_from_their_grounds() {
        for look in [Look::Light, Look::Dark] {
            let theme = Theme::of(look);
            for index in 0..8 {
                let contrast = theme.stream(index, None).contrast(theme.ground);
                assert!(contrast > 2.7, "{look:?} {index}: {contrast}");
            }
            assert!(theme.text.contrast(theme.ground) > 7.0);
            assert!(theme.muted.contrast(theme.ground) > 4.5);
            assert!(theme.level(ThresholdLevel::Red).contrast(theme.ground) > 4.5);
            assert!(theme.level(ThresholdLevel::Yellow).contrast(theme.ground) > 3.0);
        }
    }

    /// How a colour looks to an eye without one kind of cones (Machado, Oliveira and Fernandes, 2009), in CIELAB.
    fn seen(color: Color, matrix: &[[f64; 3]; 3]) -> [f64; 3] {
        let linear = [color.0, color.1, color.2].map(|part| (f64::from(part) / 255.0).powf(2.2));
        let rgb = matrix.map(|row| (0..3).map(|at| row[at] * linear[at]).sum::<f64>().clamp(0.0, 1.0));
        let xyz = [
            (0.4124 * rgb[0] + 0.3576 * rgb[1] + 0.1805 * rgb[2]) / 0.9505,
            0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2],
            (0.0193 * rgb[0] + 0.1192 * rgb[1] + 0.9505 * rgb[2]) / 1.089,
        ]
        .map(|part| if part > 0.008856 { part.cbrt() } else { 7.787 * part + 16.0 / 116.0 });
        [116.0 * xyz[1] - 16.0, 500.0 * (xyz[0] - xyz[1]), 200.0 * (xyz[1] - xyz[2])]
    }

    #[test]
    fn the_palettes_are_told_apart_by_colour_blind_eyes() {
        let eyes = [
            [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
            [
                [0.152286, 1.052583, -0.204868],
                [0.114503, 0.786281, 0.099216],
                [-0.003882, -0.048116, 1.051998],
            ],
            [
                [0.367322, 0.860646, -0.227968],
                [0.280085, 0.672501, 0.047413],
                [-0.011820, 0.042940, 0.968881],
            ],
        ];
        for palette in [ON_LIGHT, ON_DARK] {
            for eye in &eyes {
                for (at, one) in palette.iter().enumerate() {
                    for two in &palette[..at] {
                        let (one_seen, two_seen) = (seen(*one, eye), seen(*two, eye));
                        let apart: f64 = (0..3).map(|at| (one_seen[at] - two_seen[at]).powi(2)).sum();
                        assert!(apart.sqrt() > 14.0, "{one} and {two}: {}", apart.sqrt());
                    }
                }
            }
        }
    }
}

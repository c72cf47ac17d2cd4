//! A picture as a decoder other than the service's sees it: its size and its pixels.
//!
//! It must not know what is drawn.

use std::collections::BTreeMap;
use std::io::Cursor;

/// A picture's pixels, row by row.
pub struct Picture {
    pub width: u32,
    pub height: u32,
    pixels: Vec<[u8; 3]>,
}

impl Picture {
    /// Decodes a PNG; panics where it is none.
    pub fn decode(png: &[u8]) -> Self {
        let mut decoder = png::Decoder::new(Cursor::new(png));
        decoder.set_transformations(png::Transformations::normalize_to_color8());
        let mut reader = decoder.read_info().unwrap();
        let mut bytes = vec![0; reader.output_buffer_size().expect("pictures of the tests are small")];
        let frame = reader.next_frame(&mut bytes).unwrap();
        bytes.truncate(frame.buffer_size());
        let pixels = match frame.color_type {
            png::ColorType::Rgb => {
                bytes.chunks_exact(3).map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect()
            }
            png::ColorType::Rgba => {
                bytes.chunks_exact(4).map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect()
            }
            other => panic!("a picture of {other:?}"),
        };
        Self { width: frame.width, height: frame.height, pixels }
    }

    /// Width and height.
    pub fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// How many pixels have this colour, written `#rrggbb`, to a small difference.
    pub fn count(&self, color: &str) -> usize {
        let wanted = parse(color);
        let is_near =
            |pixel: &&[u8; 3]| pixel.iter().zip(wanted).all(|(one, other)| one.abs_diff(other) <= 4);
        self.pixels.iter().filter(is_near).count()
    }

    /// The middle of the pixels of this colour, from the left and from the top; none where there are none.
    pub fn middle(&self, color: &str) -> Option<(f64, f64)> {
        let wanted = parse(color);
        let (mut left, mut top, mut count) = (0.0, 0.0, 0.0);
        for (index, pixel) in (0_u32..).zip(&self.pixels) {
            if pixel.iter().zip(wanted).all(|(one, other)| one.abs_diff(other) <= 4) {
                left += f64::from(index % self.width);
                top += f64::from(index / self.width);
                count += 1.0;
            }
        }
        (count > 0.0).then(|| (left / count, top / count))
    }

    /// How far below the top the pixels of a colour lie on average, in the left half and in the right one of where
    /// there are any.
    pub fn halves(&self, color: &str) -> Option<(f64, f64)> {
        let wanted = parse(color);
        let found: Vec<(u32, u32)> = (0_u32..)
            .zip(&self.pixels)
            .filter(|(_, pixel)| pixel.iter().zip(wanted).all(|(one, other)| one.abs_diff(other) <= 4))
            .map(|(index, _)| (index % self.width, index / self.width))
            .collect();
        let middle = self.width / 2;
        let mean = |is_right: bool| {
            let tops: Vec<f64> = found
                .iter()
                .filter(|(left, _)| (*left > middle) == is_right)
                .map(|(_, top)| f64::from(*top))
                .collect();
            #[expect(clippy::cast_precision_loss, reason = "pixels of a small picture")]
            let count = tops.len() as f64;
            (count > 0.0).then(|| tops.iter().sum::<f64>() / count)
        };
        Some((mean(false)?, mean(true)?))
    }

    /// How many pixels are not the same as in a picture of the same size.
    pub fn differing(&self, other: &Self) -> usize {
        assert_eq!(self.size(), other.size());
        self.pixels.iter().zip(&other.pixels).filter(|(one, other)| one != other).count()
    }

    /// The commonest colour: the ground.
    pub fn ground(&self) -> [u8; 3] {
        commonest(self.pixels.iter())
    }

    /// The commonest colour of the pixels that are others than in a picture of the same size.
    pub fn commonest_but(&self, other: &Self) -> [u8; 3] {
        assert_ne!(self.differing(other), 0, "the pictures are the same");
        let pairs = self.pixels.iter().zip(&other.pixels);
        commonest(pairs.filter(|(one, other)| one != other).map(|(one, _)| one))
    }

    /// Panics where it shows little or nothing but its ground.
    pub fn expect_not_empty(&self) {
        let ground = self.ground();
        let drawn = self.pixels.iter().filter(|pixel| **pixel != ground).count();
        assert!(drawn * 200 > self.pixels.len(), "only {drawn} of {} pixels are drawn", self.pixels.len());
    }
}

fn commonest<'a>(pixels: impl Iterator<Item = &'a [u8; 3]>) -> [u8; 3] {
    let mut counts = BTreeMap::new();
    for pixel in pixels {
        *counts.entry(*pixel).or_insert(0_usize) += 1;
    }
    *counts.iter().max_by_key(|(_, count)| **count).expect("there are pixels").0
}

fn parse(color: &str) -> [u8; 3] {
    let digits = color.strip_prefix('#').expect("a colour begins with `#`");
    [0, 2, 4].map(|at| u8::from_str_radix(&digits[at..at + 2], 16).expect("a colour has six digits"))
}

//! Text: cleaned of what cannot be shown, measured by the fonts' own widths, clipped to a width.

use icu_normalizer::ComposingNormalizerBorrowed;
use skrifa::instance::{LocationRef, Size};
use skrifa::{FontRef, MetadataProvider};
use std::sync::LazyLock;

/// The fonts of the pictures, in the order in which a character is looked for.
pub const FONTS: [&[u8]; 4] = [
    epaint_default_fonts::UBUNTU_LIGHT,
    epaint_default_fonts::HACK_REGULAR,
    epaint_default_fonts::NOTO_EMOJI_REGULAR,
    epaint_default_fonts::EMOJI_ICON,
];

/// What stands where text was cut.
const ELLIPSIS: char = '…';

/// Characters of a text that are looked at; no picture has room for more.
const MAX_CHARACTERS: usize = 400;

/// Accents upon accents that one letter may carry.
const MAX_ACCENTS: usize = 2;

/// How large and how heavy a text is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Face {
    /// Pixels.
    pub size: f64,
    /// Pixels of line around the letters.
    pub weight: f64,
}

impl Face {
    /// Text of a size, heavy enough to be read.
    pub const fn plain(size: f64) -> Self {
        Self { size, weight: 0.3 }
    }

    /// Text of a size that stands out.
    pub const fn strong(size: f64) -> Self {
        Self { size, weight: 0.7 }
    }

    /// How wide a text is, in pixels.
    pub fn width(self, text: &str) -> f64 {
        text.chars().map(ems).sum::<f64>() * self.size
    }

    /// `text`, its end cut off where it is wider than `width`.
    pub fn clip(self, text: &str, width: f64) -> String {
        self.cut(text, width, 1.0)
    }

    /// `text`, its middle cut out where it is wider than `width`: names in a row often differ at the end.
    pub fn clip_middle(self, text: &str, width: f64) -> String {
        self.cut(text, width, 0.55)
    }

    fn cut(self, text: &str, width: f64, head_share: f64) -> String {
        if self.width(text) <= width {
            return text.to_owned();
        }
        let room = width / self.size - ems(ELLIPSIS);
        if room <= 0.0 {
            return String::new();
        }
        let (head, head_width) = take(text.chars(), room * head_share);
        let (tail, _) = take(text.chars().rev(), room - head_width);
        let tail = if head_share < 1.0 { tail } else { 0 };
        let head_text: String = text.chars().take(head).collect();
        let tail_text: String = text.chars().skip(text.chars().count() - tail).collect();
        // A letter's accents stay with it.
        let tail_text = tail_text.trim_start_matches(|character| is_accent(character) || character == ' ');
        format!("{}{ELLIPSIS}{tail_text}", head_text.trim_end())
    }
}

/// How many characters fit into `room`, and how much of it they take.
fn take(characters: impl Iterator<Item = char>, room: f64) -> (usize, f64) {
    let (mut count, mut taken) = (0, 0.0);
    for character in characters {
        let width = ems(character);
        if taken + width > room {
            break;
        }
        taken += width;
        count += 1;
    }
    (count, taken)
}

/// `text` without what cannot or must not be shown: control characters, turns of
/// the direction of writing, towers of accents; all white space as single spaces.
pub fn clean(text: &str) -> String {
    let mut cleaned = String::new();
    let mut accents = 0;
    let text: String = text.chars().take(MAX_CHARACTERS).collect();
    // A letter and its accent become one character, which the fonts have; they cannot put the two together.
    for character in ComposingNormalizerBorrowed::new_nfc().normalize(&text).chars() {
        if character.is_whitespace() {
            if !cleaned.is_empty() && !cleaned.ends_with(' ') {
                cleaned.push(' ');
            }
            continue;
        }
        accents = if is_accent(character) { accents + 1 } else { 0 };
        if accents <= MAX_ACCENTS && !is_hidden(character) && !is_loose_accent(character) {
            cleaned.push(character);
        }
    }
    cleaned.truncate(cleaned.trim_end().len());
    cleaned
}

/// Characters that are not seen but change what is.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{fe00}'..='\u{fe0f}'
            | '\u{e0000}'..='\u{e0fff}')
        || u32::from(character) & 0xfffe == 0xfffe
        || matches!(character, '\u{fdd0}'..='\u{fdef}')
}

/// Accents of our own scripts; those that stand alone are of no letter that there is.
fn is_loose_accent(character: char) -> bool {
    matches!(character,
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}'
        | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

fn is_accent(character: char) -> bool {
    is_loose_accent(character)
        || matches!(character,
            '\u{591}'..='\u{5bd}' | '\u{610}'..='\u{61a}' | '\u{64b}'..='\u{65f}' | '\u{e31}'
            | '\u{e34}'..='\u{e3a}' | '\u{e47}'..='\u{e4e}')
}

/// The width of a character at the size of one pixel.
fn ems(character: char) -> f64 {
    if is_accent(character) || character == '\u{200d}' {
        return 0.0;
    }
    match LATIN.get(character as usize) {
        Some(width) => *width,
        None => look_up(character),
    }
}

/// The widths of the common characters, looked up once.
static LATIN: LazyLock<Vec<f64>> = LazyLock::new(|| ('\0'..'\u{180}').map(look_up).collect());

static FACES: LazyLock<Vec<FontRef<'static>>> =
    LazyLock::new(|| FONTS.iter().map(|font| FontRef::new(font).expect("the fonts are built in")).collect());

fn look_up(character: char) -> f64 {
    let glyph = FACES.iter().find_map(|face| Some((face, face.charmap().map(character)?)));
    // A character that no font has is drawn as the first font's empty box.
    let (face, glyph) = glyph.unwrap_or((&FACES[0], skrifa::GlyphId::NOTDEF));
    let metrics = face.glyph_metrics(Size::unscaled(), LocationRef::default());
    let units = f64::from(face.metrics(Size::unscaled(), LocationRef::default()).units_per_em);
    f64::from(metrics.advance_width(glyph).unwrap_or_default()) / units
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACE: Face = Face::plain(10.0);

    #[test]
    fn widths_are_those_of_the_letters() {
        assert!(FACE.width("iiii") < FACE.width("MMMM") / 2.0);
        assert!((FACE.width("MM") - 2.0 * FACE.width("M")).abs() < 1e-9);
        assert!(FACE.width("\u{6f22}\u{5b57}") > 5.0);
        assert_eq!(FACE.width("e\u{301}"), FACE.width("e"));
    }

    #[test]
    fn clipped_text_fits_and_says_so() {
        let name = "production.web.requests.by_status.500.host=web-17";
        for width in [0.0, 3.0, 9.0, 30.0, 100.0, 150.0] {
            for clipped in [FACE.clip(name, width), FACE.clip_middle(name, width)] {
                assert!(FACE.width(&clipped) <= width.max(0.0), "{clipped} in {width}");
                assert!(clipped.is_empty() || clipped.contains(ELLIPSIS));
            }
        }
        assert_eq!(FACE.clip(name, 1000.0), name);
        assert!(FACE.clip_middle(name, 120.0).ends_with("web-17"));
    }

    #[test]
    fn what_cannot_be_shown_is_removed() {
        assert_eq!(clean("  a\u{0}b\n\tc\u{202e}d\u{feff}  "), "ab cd");
        assert_eq!(clean("e\u{301}\u{301}\u{301}\u{301}x"), "éx");
        assert_eq!(clean("\u{644}\u{64b}\u{64b}\u{64b}"), "\u{644}\u{64b}\u{64b}");
        assert_eq!(clean("שלום 🚀 漢字"), "שלום 🚀 漢字");
        assert_eq!(clean(&"x".repeat(5_000)).len(), MAX_CHARACTERS);
        assert_eq!(clean("\u{ffff}\u{fffe}\u{1fffe}"), "");
    }
}

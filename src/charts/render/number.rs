//! Numbers as people read them: prefixes for large and small ones, the same number of decimals along an axis.

use super::scale::{Scale, power};

/// Units that take a prefix of their own: `MB`, not `M B`. Longer words and units
/// that already have one (`ms`) do not.
const PREFIXABLE: &[&str] = &[
    "B", "b", "bit", "B/s", "b/s", "bit/s", "bps", "Bps", "Hz", "W", "V", "A", "J", "Wh", "s", "g", "m", "l",
    "L",
];

/// The prefixes by their power of a thousand.
const PREFIXES: &[(i32, &str)] = &[
    (18, "E"),
    (15, "P"),
    (12, "T"),
    (9, "G"),
    (6, "M"),
    (3, "k"),
    (0, ""),
    (-3, "m"),
    (-6, "µ"),
    (-9, "n"),
    (-12, "p"),
];

/// Bare numbers below this are written without a prefix.
const PLAIN: f64 = 9_999.5;

/// How a unit is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit<'a> {
    None,
    /// `20%`
    Percent,
    /// `20 MB`
    Prefixable(&'a str),
    /// `20k requests`
    Word(&'a str),
}

impl<'a> Unit<'a> {
    fn of(units: Option<&'a str>) -> Self {
        match units {
            None | Some("") => Self::None,
            Some("%") => Self::Percent,
            Some(unit) if PREFIXABLE.contains(&unit) => Self::Prefixable(unit),
            Some(unit) => Self::Word(unit),
        }
    }

    /// What follows the digits, the prefix in it; words stand elsewhere.
    fn suffix(self, prefix: &str) -> String {
        match self {
            Self::None | Self::Word(_) => prefix.to_owned(),
            Self::Percent => format!("{prefix}%"),
            Self::Prefixable(unit) => format!(" {prefix}{unit}"),
        }
    }

    /// The prefix for numbers as large as `size`: its power of ten and its sign. Up to
    /// `most_plain`, bare numbers have none.
    fn prefix(self, size: f64, most_plain: f64) -> Option<(i32, &'static str)> {
        if size == 0.0 {
            return Some((0, ""));
        }
        if !(1e-14..1e21).contains(&size) {
            return None;
        }
        let is_plain = match self {
            // A thousand seconds are not a kilosecond to anybody.
            Self::Prefixable("s") => (0.9995..99_999.5).contains(&size),
            Self::Prefixable(_) => (0.9995..999.95).contains(&size),
            Self::None | Self::Percent | Self::Word(_) => (0.009_995..most_plain).contains(&size),
        };
        if is_plain {
            return Some((0, ""));
        }
        let found = PREFIXES.iter().find(|(exponent, _)| size >= power(*exponent) * 0.999_95);
        Some(*found.unwrap_or(&(-12, "p")))
    }
}

/// The labels of a scale's ticks, from below.
pub fn labels(scale: &Scale, units: Option<&str>) -> Vec<String> {
    let unit = Unit::of(units);
    let Some(step) = scale.step else {
        // Next to `10k` stands `1k`.
        let is_far = scale.ticks.iter().any(|tick| *tick >= PLAIN);
        let most_plain = if is_far { 999.5 } else { PLAIN };
        return scale.ticks.iter().map(|tick| with_prefix(*tick, unit, 3, most_plain)).collect();
    };
    let size = scale.ticks.iter().fold(0.0, |size: f64, tick| size.max(tick.abs()));
    // Where the ticks differ in their last digits only, they are counted from the lowest.
    if size / step > 2e5 {
        let lowest = scale.ticks.first().copied().unwrap_or_default();
        let above: Vec<f64> = (0..scale.ticks.len()).map(|at| at as f64 * step).collect();
        let mut labels: Vec<String> =
            even(&above, step, unit).into_iter().map(|label| format!("+{label}")).collect();
        if let Some(label) = labels.first_mut() {
            *label = short(lowest, unit, 4);
        }
        return labels;
    }
    even(&scale.ticks, step, unit)
}

/// What the head of an axis says about its unit, where the labels do not.
pub fn unit_of_axis(units: Option<&str>) -> Option<&str> {
    match Unit::of(units) {
        Unit::Word(unit) => Some(unit),
        Unit::None | Unit::Percent | Unit::Prefixable(_) => None,
    }
}

/// A number and what follows it in smaller letters, e.g. `12.35k` and ` ms`.
pub fn big(value: f64, units: Option<&str>) -> (String, String) {
    let unit = Unit::of(units);
    match unit {
        Unit::None => (short(value, unit, 4), String::new()),
        Unit::Word(word) => (short(value, unit, 4), format!(" {word}")),
        Unit::Percent | Unit::Prefixable(_) => {
            let text = short(value, unit, 4);
            let digits = text.rfind(|character: char| character.is_ascii_digit()).map_or(0, |at| at + 1);
            (text[..digits].to_owned(), text[digits..].to_owned())
        }
    }
}

/// A number in a sentence, e.g. `12.35k ms`.
pub fn spoken(value: f64, units: Option<&str>) -> String {
    let (number, unit) = big(value, units);
    number + &unit
}

/// Labels with one prefix and one number of decimals.
fn even(ticks: &[f64], step: f64, unit: Unit<'_>) -> Vec<String> {
    let size = ticks.iter().fold(0.0, |size: f64, tick| size.max(tick.abs()));
    let Some((exponent, prefix)) = unit.prefix(size, PLAIN) else {
        return ticks.iter().map(|tick| short(*tick, unit, 4)).collect();
    };
    let suffix = unit.suffix(prefix);
    let scaled_step = shift(step, exponent);
    let is_whole = |decimals: &usize| {
        let digits = scaled_step * power(*decimals as i32);
        (digits - digits.round()).abs() < digits * 1e-6
    };
    let decimals = (0..8).find(is_whole).unwrap_or(8);
    let label = |tick: &f64| {
        if *tick == 0.0 {
            return format!("0{}", if prefix.is_empty() { suffix.as_str() } else { "" });
        }
        signed(&format!("{:.decimals$}", shift(*tick, exponent))) + &suffix
    };
    ticks.iter().map(label).collect()
}

/// A number of at most `digits` digits that count, with its own prefix.
fn short(value: f64, unit: Unit<'_>, digits: usize) -> String {
    with_prefix(value, unit, digits, PLAIN)
}

fn with_prefix(value: f64, unit: Unit<'_>, digits: usize, most_plain: f64) -> String {
    let Some((exponent, prefix)) = unit.prefix(value.abs(), most_plain) else {
        let text = format!("{value:.*e}", digits - 1);
        let (number, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        return signed(&format!("{}e{}", trimmed(number), signed(exponent))) + &unit.suffix("");
    };
    let scaled = shift(value, exponent);
    let whole = if scaled.abs() < 1.0 { 1 } else { scaled.abs().log10().floor() as usize + 1 };
    // A small number keeps its digits behind the zeros.
    let zeros =
        if scaled != 0.0 && scaled.abs() < 0.1 { (-scaled.abs().log10()).ceil() as usize - 1 } else { 0 };
    let decimals = digits.saturating_sub(whole) + zeros + usize::from(scaled.abs() < 1.0);
    let text = format!("{scaled:.*}", decimals.min(12));
    signed(trimmed(&text)) + &unit.suffix(prefix)
}

fn shift(value: f64, exponent: i32) -> f64 {
    if exponent >= 0 { value / power(exponent) } else { value * power(-exponent) }
}

fn trimmed(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

/// With the sign that is made for numbers; a zero has none.
fn signed(text: &str) -> String {
    match text.strip_prefix('-') {
        Some(number) if number.chars().all(|character| matches!(character, '0' | '.')) => number.to_owned(),
        Some(number) => format!("\u{2212}{number}"),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::scale::Bounds;
    use super::*;

    fn axis(low: f64, high: f64, units: Option<&str>) -> Vec<String> {
        labels(&Scale::linear(Some((low, high)), Bounds::default(), false, 4), units)
    }

    #[test]
    fn labels_of_an_axis_agree() {
        assert_eq!(
            axis(0.0, 2.0, None),
            ["0.0", "0.5", "1.0", "1.5", "2.0"].map(|label| if label == "0.0" { "0" } else { label })
        );
        assert_eq!(axis(0.0, 2e9, None), ["0", "0.5G", "1.0G", "1.5G", "2.0G"]);
        assert_eq!(axis(0.0, 2e9, Some("B")), ["0", "0.5 GB", "1.0 GB", "1.5 GB", "2.0 GB"]);
        assert_eq!(axis(0.0, 100.0, Some("%")), ["0%", "25%", "50%", "75%", "100%"]);
        assert_eq!(axis(0.0, 8_000.0, Some("ms")), ["0", "2000", "4000", "6000", "8000"]);
        assert_eq!(axis(0.0, 20_000.0, Some("ms")), ["0", "5k", "10k", "15k", "20k"]);
        assert_eq!(axis(0.0, 0.2, Some("s")), ["0", "50 ms", "100 ms", "150 ms", "200 ms"]);
        assert_eq!(axis(-40.0, 0.0, None), ["−40", "−30", "−20", "−10", "0"]);
        assert_eq!(axis(0.0, 4e-6, None), ["0", "1µ", "2µ", "3µ", "4µ"]);
    }

    #[test]
    fn labels_stay_short_at_the_ends_of_the_range() {
        assert_eq!(axis(0.0, 4e126, None), ["0", "1e126", "2e126", "3e126", "4e126"]);
        assert_eq!(axis(1e12, 1e12 + 4.0, None), ["1T", "+1", "+2", "+3", "+4"]);
        for high in [1.0, 1e3, 1e12, 1e18, 1e21, 1e126, 1e-5, 1e-20, 1e-150] {
            for label in axis(0.0, high, None).iter().chain(&axis(-high, high * 0.77, None)) {
                assert!(label.chars().count() <= 9, "{label}");
            }
        }
    }

    #[test]
    fn big_numbers_have_four_digits() {
        let cases = [
            (0.0, None, "0"),
            (42.0, None, "42"),
            (1_234.0, None, "1234"),
            (12_345.0, None, "12.35k"),
            (99.95, Some("%"), "99.95%"),
            (1.5e9, Some("B"), "1.5 GB"),
            (0.0421, Some("s"), "42.1 ms"),
            (0.25, None, "0.25"),
            (0.012_345, None, "0.01235"),
            (12_345.0, Some("requests"), "12.35k requests"),
            (-3.5, Some("°C"), "−3.5 °C"),
            (1e126, None, "1e126"),
            (5e-324, None, "4.941e−324"),
            (999_999.0, None, "1M"),
            (-0.0, None, "0"),
        ];
        for (value, units, text) in cases {
            assert_eq!(spoken(value, units), text, "{value}");
        }
        assert_eq!(big(1.5e9, Some("B")), ("1.5".to_owned(), " GB".to_owned()));
    }
}

//! Scales: from values to heights, with ticks where a person expects them.

/// Values nearer to zero than this are drawn as zero.
const LEAST: f64 = 1e-200;

/// Values farther from zero than this are drawn as this.
const MOST: f64 = 1e300;

/// A scale of values: its ends and its ticks.
#[derive(Clone, Debug, PartialEq)]
pub struct Scale {
    /// The value at the bottom.
    pub low: f64,
    /// The value at the top.
    pub high: f64,
    /// The values with a line and a label, from below.
    pub ticks: Vec<f64>,
    /// The values with a faint line.
    pub minor: Vec<f64>,
    /// The distance of the ticks; none on a logarithmic scale.
    pub step: Option<f64>,
}

/// The ends that a scale must have, where somebody chose them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Bounds {
    /// The lower end.
    pub min: Option<f64>,
    /// The upper end.
    pub max: Option<f64>,
}

impl Scale {
    /// An even scale that holds `extent`, with about `count` ticks. `None` as extent: from 0 to 1.
    pub fn linear(extent: Option<(f64, f64)>, bounds: Bounds, has_zero: bool, count: usize) -> Self {
        let bounds = bounds.checked(|value| value.is_finite());
        let (data_low, data_high) = extent.unwrap_or((bounds.min.unwrap_or(0.0), bounds.max.unwrap_or(1.0)));
        let (mut low, mut high) = (tame(data_low), tame(data_high.max(data_low)));
        let is_flat = high - low <= high.abs().max(low.abs()) * 1e-12;
        if low > 0.0 && (has_zero || is_flat || low <= high * 0.5) {
            low = 0.0;
        }
        if high < 0.0 && (has_zero || is_flat || high >= low * 0.5) {
            high = 0.0;
        }
        if is_flat {
            // The line of a constant runs below the upper end, where it is seen as one.
            match high.partial_cmp(&low) {
                Some(std::cmp::Ordering::Greater) if low == 0.0 => high *= 1.2,
                Some(std::cmp::Ordering::Greater) => low *= 1.2,
                _ => high = low + 1.0,
            }
        }
        low = bounds.min.unwrap_or(low);
        high = bounds.max.unwrap_or(high);
        if low >= high {
            // One end was chosen, and all values lie beyond it.
            let room = low.abs().max(high.abs()).max(1.0) * 0.5;
            if bounds.min.is_some() { high = low + room } else { low = high - room }
        }
        let step = nice_step((high / 2.0 - low / 2.0) * 2.0 / count.max(1) as f64);
        // A hair over a tick is on it.
        let first =
            if bounds.min.is_some() { (low / step - 1e-6).ceil() } else { (low / step + 1e-6).floor() };
        let last =
            if bounds.max.is_some() { (high / step + 1e-6).floor() } else { (high / step - 1e-6).ceil() };
        let many = (last - first).clamp(0.0, 40.0) as u32;
        let ticks: Vec<f64> = (0..=many).map(|at| (first + f64::from(at)) * step).collect();
        if bounds.min.is_none() {
            low = first * step;
        }
        if bounds.max.is_none() {
            high = last * step;
        }
        Self { low, high, ticks, minor: Vec::new(), step: Some(step) }
    }

    /// A logarithmic scale that holds the positive `extent`, with at most about `count` ticks.
    pub fn logarithmic(extent: Option<(f64, f64)>, bounds: Bounds, count: usize) -> Self {
        let bounds = bounds.checked(|value| value.is_finite() && value > 0.0);
        let (data_low, data_high) = extent.unwrap_or((1.0, 10.0));
        let (mut low, mut high) = (data_low.clamp(LEAST, MOST), data_high.clamp(LEAST, MOST));
        if bounds.min.is_none() {
            low = round_log(low.min(bounds.max.map_or(low, |max| max / 10.0)), false);
        }
        if bounds.max.is_none() {
            high = round_log(high.max(low * 1.001), true);
        }
        low = bounds.min.unwrap_or(low).clamp(LEAST, MOST);
        high = bounds.max.unwrap_or(high).clamp(LEAST, MOST);
        if low >= high {
            high = low * 10.0;
        }
        let decades = (high / low).log10();
        let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
        let every = (decades / count.max(1) as f64).ceil().max(1.0) as i32;
        let within = |value: &f64| *value >= low * 0.999_999 && *value <= high * 1.000_001;
        let digits: &[f64] = if decades <= 2.2 && count >= 4 { &[1.0, 2.0, 5.0] } else { &[1.0] };
        let at = |exponent: i32, digit: &f64| digit * power(exponent);
        let mut ticks: Vec<f64> = (first..=last)
            .filter(|exponent| exponent.rem_euclid(every) == 0)
            .flat_map(|exponent| digits.iter().map(move |digit| at(exponent, digit)))
            .filter(within)
            .collect();
        if ticks.len() < 2 {
            ticks = vec![low, high];
        }
        let minor = if decades <= 5.0 {
            (first..=last)
                .flat_map(|exponent| (2..10).map(move |digit| at(exponent, &f64::from(digit))))
                .filter(|value| within(value) && !ticks.contains(value))
                .collect()
        } else {
            Vec::new()
        };
        Self { low, high, ticks, minor, step: None }
    }

    /// How far up a value stands: 0 at the bottom, 1 at the top, and beyond them as it is.
    pub fn share(&self, value: f64) -> f64 {
        let share = if self.step.is_some() {
            (value / 2.0 - self.low / 2.0) / (self.high / 2.0 - self.low / 2.0)
        } else {
            (value.max(f64::MIN_POSITIVE).log10() - self.low.log10()) / (self.high.log10() - self.low.log10())
        };
        if share.is_nan() { 0.0 } else { share.clamp(-50.0, 50.0) }
    }

    /// Whether the scale is logarithmic.
    pub fn is_log(&self) -> bool {
        self.step.is_none()
    }
}

impl Bounds {
    /// The bounds that can be used.
    fn checked(self, is_usable: impl Fn(f64) -> bool) -> Self {
        let take = |bound: Option<f64>| bound.map(tame).filter(|bound| is_usable(*bound));
        match (take(self.min), take(self.max)) {
            (Some(min), Some(max)) if max - min <= min.abs().max(max.abs()) * 1e-12 => Self::default(),
            (min, max) => Self { min, max },
        }
    }
}

/// A value that the arithmetic of scales can bear.
fn tame(value: f64) -> f64 {
    if value.is_nan() {
        f64::NAN
    } else if value.abs() < LEAST {
        0.0
    } else {
        value.clamp(-MOST, MOST)
    }
}

/// The least of 1, 2, 2.5 and 5 times a power of ten that is no less than `least`.
pub fn nice_step(least: f64) -> f64 {
    if !least.is_finite() || least < 1e-290 {
        return 1.0;
    }
    let exponent = least.log10().floor() as i32;
    let mut steps = [1.0, 2.0, 2.5, 5.0, 10.0].map(|digit| digit * power(exponent)).into_iter();
    steps.find(|step| *step >= least * 0.999_999).unwrap_or(20.0 * power(exponent))
}

/// Ten to the power of `exponent`, as exact as a number can be.
pub fn power(exponent: i32) -> f64 {
    format!("1e{exponent}").parse().expect("this is how numbers are written")
}

/// The nearest 1, 2 or 5 times a power of ten below or above `value`.
fn round_log(value: f64, is_up: bool) -> f64 {
    let exponent = value.log10().floor() as i32;
    let candidates = [1.0, 2.0, 5.0, 10.0].map(|digit| digit * power(exponent));
    if is_up {
        candidates.into_iter().find(|candidate| *candidate >= value * 0.999_999).unwrap_or(10.0 * value)
    } else {
        candidates.into_iter().rev().find(|candidate| *candidate <= value * 1.000_001).unwrap_or(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linear(low: f64, high: f64) -> Scale {
        Scale::linear(Some((low, high)), Bounds::default(), false, 5)
    }

    #[test]
    fn steps_are_round() {
        for (least, step) in
            [(0.9, 1.0), (1.0, 1.0), (1.2, 2.0), (2.1, 2.5), (2.6, 5.0), (7.0, 10.0), (0.03, 0.05)]
        {
            assert_eq!(nice_step(least), step);
        }
        assert_eq!(nice_step(1.1e125), 2e125);
        assert_eq!(nice_step(f64::INFINITY), 1.0);
    }

    #[test]
    fn the_scale_holds_the_values_between_ticks() {
        assert_eq!(linear(3.0, 97.0).ticks, [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        assert_eq!(linear(93.0, 97.0).ticks, [93.0, 94.0, 95.0, 96.0, 97.0]);
        assert_eq!(linear(-1.0, 1.0).ticks, [-1.0, -0.5, 0.0, 0.5, 1.0]);
    }

    #[test]
    fn a_constant_has_room_around_it() {
        assert_eq!((linear(42.0, 42.0).low, linear(42.0, 42.0).high), (0.0, 60.0));
        assert_eq!((linear(-42.0, -42.0).low, linear(-42.0, -42.0).high), (-60.0, 0.0));
        assert_eq!((linear(0.0, 0.0).low, linear(0.0, 0.0).high), (0.0, 1.0));
        assert_eq!((linear(5e-324, 5e-324).low, linear(5e-324, 5e-324).high), (0.0, 1.0));
    }

    #[test]
    fn chosen_ends_are_kept() {
        let bounds = Bounds { min: Some(3.0), max: Some(100.0) };
        let scale = Scale::linear(Some((-5.0, 500.0)), bounds, false, 5);
        assert_eq!((scale.low, scale.high), (3.0, 100.0));
        assert_eq!(scale.ticks, [20.0, 40.0, 60.0, 80.0, 100.0]);
        let beyond = Scale::linear(Some((1.0, 2.0)), Bounds { min: Some(10.0), max: None }, false, 5);
        assert!(beyond.low == 10.0 && beyond.high > 10.0);
        let crossed = Bounds { min: Some(9.0), max: Some(1.0) };
        assert_eq!(Scale::linear(Some((0.0, 1.0)), crossed, false, 5), linear(0.0, 1.0));
        let nan = Bounds { min: Some(f64::NAN), max: Some(f64::INFINITY) };
        assert!(Scale::linear(Some((0.0, 1.0)), nan, false, 5).low == 0.0);
    }

    #[test]
    fn a_logarithmic_scale_has_decades() {
        let scale = Scale::logarithmic(Some((3.0, 40_000.0)), Bounds::default(), 8);
        assert_eq!((scale.low, scale.high), (2.0, 50_000.0));
        assert_eq!(scale.ticks, [10.0, 100.0, 1_000.0, 10_000.0]);
        assert_eq!(Scale::logarithmic(Some((20.0, 80.0)), Bounds::default(), 5).ticks, [20.0, 50.0, 100.0]);
        assert!(Scale::logarithmic(Some((5e-324, 1e308)), Bounds::default(), 6).ticks.len() <= 9);
        assert!((scale.share(scale.low)).abs() < 1e-9 && (scale.share(scale.high) - 1.0).abs() < 1e-9);
    }
}

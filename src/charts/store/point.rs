//! One measurement and how measurements are combined into buckets.

/// The largest moment that is stored, in seconds since 1970 and likewise before it: what fits nanoseconds.
pub const MAX_TIME: i64 = 9_000_000_000;

/// One measurement: a plain value (count 1), or what is known of the values of a stretch of time.
///
/// The numbers have to be finite; [`super::MetricsStore::write`] refuses others.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Seconds since 1970; of a bucket its beginning.
    pub time: i64,
    pub count: u64,
    pub sum: f64,
    pub min: f64,
    pub max: f64,
    /// The sum of the squares, known only where every part brought its own; a plain value brings none.
    pub sum_squares: Option<f64>,
    /// The latest value.
    pub last: f64,
}

impl Point {
    /// A single value.
    pub fn plain(time: i64, value: f64) -> Self {
        Self { time, count: 1, sum: value, min: value, max: value, sum_squares: None, last: value }
    }

    /// The mean of the values; the latest value where the count is zero.
    pub fn mean(&self) -> f64 {
        // A u64 past 2^53 loses digits that no mean has anyway.
        if self.count == 0 { self.last } else { self.sum / self.count as f64 }
    }

    /// Whether this is one value and nothing else is known of it, bit for bit.
    pub fn is_plain(&self) -> bool {
        let bits = self.last.to_bits();
        self.count == 1
            && self.sum_squares.is_none()
            && [self.sum, self.min, self.max].iter().all(|number| number.to_bits() == bits)
    }

    /// Whether every number is one that can be stored, and the time too.
    pub fn is_storable(&self) -> bool {
        self.sum.is_finite()
            && self.min.is_finite()
            && self.max.is_finite()
            && self.last.is_finite()
            && self.sum_squares.is_none_or(f64::is_finite)
            && self.count <= i64::MAX as u64
            && self.time.abs() <= MAX_TIME
    }

    /// Adds a later point to this bucket; its time stays. The order counts: sums are added from the left, so that
    /// a bucket continued later equals one that was made at once. A sum past the range of numbers stays at its end.
    pub fn add(&mut self, later: &Point) {
        self.count = self.count.saturating_add(later.count);
        self.sum = clamp(self.sum + later.sum);
        if later.min < self.min {
            self.min = later.min;
        }
        if later.max > self.max {
            self.max = later.max;
        }
        self.sum_squares = match (self.sum_squares, later.sum_squares) {
            (Some(left), Some(right)) => Some(clamp(left + right)),
            _ => None,
        };
        self.last = later.last;
    }

    /// The same with sums freed of the dust that adding decimals leaves (`0.1 + 0.2`), as far as they stay within
    /// a part in 10^12: such sums take a few bytes instead of eight.
    pub(super) fn settled(mut self) -> Self {
        self.sum = settle(self.sum);
        self.sum_squares = self.sum_squares.map(settle);
        self
    }
}

fn clamp(number: f64) -> f64 {
    number.clamp(f64::MIN, f64::MAX)
}

fn settle(number: f64) -> f64 {
    for scale in SCALES {
        let whole = (number * scale).round();
        // Past 10^11 a neighbour among so many is near by chance, not because the number was a decimal.
        if whole.abs() > 1e11 {
            break;
        }
        let near = whole / scale;
        if (near - number).abs() <= number.abs() * 1e-12 {
            return near;
        }
    }
    number
}

const SCALES: [f64; 7] = [1.0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6];

/// How fine stored measurements are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// As they came, at most one in a second.
    Raw,
    /// Buckets of 60 seconds.
    Minute,
    /// Buckets of 900 seconds.
    QuarterHour,
    /// Buckets of 3,600 seconds.
    Hour,
}

impl Level {
    /// All, finest first.
    pub const ALL: [Self; 4] = [Self::Raw, Self::Minute, Self::QuarterHour, Self::Hour];
    /// Those made from others, finest first.
    pub const ROLLED_UP: [Self; 3] = [Self::Minute, Self::QuarterHour, Self::Hour];

    /// The length of a bucket.
    pub const fn seconds(self) -> i64 {
        match self {
            Self::Raw => 1,
            Self::Minute => 60,
            Self::QuarterHour => 900,
            Self::Hour => 3600,
        }
    }

    /// The beginning of the bucket that `time` falls into.
    pub const fn floor(self, time: i64) -> i64 {
        time - time.rem_euclid(self.seconds())
    }

    /// The place in [`Level::ALL`].
    pub(super) const fn index(self) -> usize {
        self as usize
    }

    /// The number in tables.
    pub(super) const fn number(self) -> u8 {
        self as u8
    }

    /// The next coarser one.
    pub(super) fn coarser(self) -> Option<Self> {
        Self::ALL.get(self.index() + 1).copied()
    }

    /// How many rows a block of this level holds at most: raw rows take two bytes, buckets ten.
    pub(super) const fn block_rows(self) -> usize {
        match self {
            Self::Raw => 4096,
            Self::Minute | Self::QuarterHour | Self::Hour => 512,
        }
    }
}

/// Combines rows that come in the order of time into buckets of `step` seconds, keeping no more than one open.
pub(super) struct Folder<F> {
    step: i64,
    open: Option<Point>,
    rows: usize,
    most_rows: usize,
    each: F,
}

impl<F: FnMut(Point)> Folder<F> {
    pub(super) fn new(step: i64, each: F) -> Self {
        Self { step, open: None, rows: 0, most_rows: 0, each }
    }

    pub(super) fn push(&mut self, row: &Point) {
        let time = row.time - row.time.rem_euclid(self.step);
        match &mut self.open {
            Some(open) if open.time == time => {
                open.add(row);
                self.rows += 1;
            }
            open => {
                self.rows = 1;
                if let Some(done) = open.replace(Point { time, ..*row }) {
                    (self.each)(done);
                }
            }
        }
        self.most_rows = self.most_rows.max(self.rows);
    }

    /// Hands out the open bucket; answers how many rows the fullest one was made of.
    pub(super) fn finish(mut self) -> usize {
        if let Some(done) = self.open.take() {
            (self.each)(done);
        }
        self.most_rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimal_sums_lose_their_dust_and_nothing_else() {
        assert_eq!(settle(0.1 + 0.2), 0.3);
        assert_eq!(settle(1e126), 1e126);
        assert_eq!(settle(std::f64::consts::PI), std::f64::consts::PI);
        assert_eq!(settle(f64::from_bits(1)), f64::from_bits(1));
        assert_eq!(settle(-0.0).to_bits(), (-0.0_f64).to_bits());
    }

    #[test]
    fn sums_never_leave_the_range_of_numbers() {
        let mut bucket = Point::plain(0, f64::MAX);
        bucket.add(&Point::plain(1, f64::MAX));
        assert_eq!((bucket.sum, bucket.count, bucket.mean()), (f64::MAX, 2, f64::MAX / 2.0));
    }

    #[test]
    fn buckets_before_1970_begin_at_multiples_too() {
        assert_eq!(Level::Hour.floor(-1), -3600);
        assert_eq!(Level::Minute.floor(119), 60);
    }
}

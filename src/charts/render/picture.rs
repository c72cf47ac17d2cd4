//! What a picture of a chart is made of: plain values, filled by the caller.

/// The smallest width and height of a picture; smaller ones are drawn at this.
pub const MIN_SIDE: u32 = 80;

/// The largest width and height of a picture; larger ones are drawn at this.
pub const MAX_SIDE: u32 = 2_000;

/// A chart over a window of time, ready to be drawn.
///
/// Every value may be hostile: names of any length and script, values that are
/// no numbers, points outside the window, a window that ends before it starts.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// What stands at the top; clipped with an ellipsis where it is too long.
    pub title: String,
    /// What stands below the title, before the window.
    pub subtitle: Option<String>,
    /// How the streams are drawn.
    pub kind: PictureKind,
    /// The first second of the window, in unix seconds.
    pub start: i64,
    /// The end of the window, in unix seconds.
    pub end: i64,
    /// CSS pixels, from [`MIN_SIDE`] to [`MAX_SIDE`].
    pub width: u32,
    /// CSS pixels, from [`MIN_SIDE`] to [`MAX_SIDE`].
    pub height: u32,
    /// Pixels of the PNG for each CSS pixel: 1 or 2. The SVG does not depend on it.
    pub scale: u32,
    /// The colours of everything that is no stream.
    pub look: Look,
    /// The values' axis.
    pub y: YAxis,
    /// The streams in the order of the legend; stacked from the bottom up.
    pub streams: Vec<Stream>,
    /// What happened meanwhile; what lies outside the window is not drawn.
    pub annotations: Vec<Mark>,
    /// When a big number is red or yellow.
    pub thresholds: Vec<Threshold>,
    /// Whether a big number is the last value of the window; else it is the mean.
    pub use_last_value: bool,
}

impl Default for Picture {
    /// An empty line chart of one hour in the usual size.
    fn default() -> Self {
        Self {
            title: String::new(),
            subtitle: None,
            kind: PictureKind::Line,
            start: 0,
            end: 3_600,
            width: 600,
            height: 416,
            scale: 1,
            look: Look::Light,
            y: YAxis::default(),
            streams: Vec::new(),
            annotations: Vec::new(),
            thresholds: Vec::new(),
            use_last_value: true,
        }
    }
}

/// How the streams of a picture are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PictureKind {
    /// A line for each stream.
    Line,
    /// An area for each stream, each upon the one before.
    Stacked,
    /// One number for each stream.
    BigNumber,
}

/// The colours of everything that is no stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Dark text on white.
    Light,
    /// Light text on a dark ground.
    Dark,
}

/// The values' axis. Bounds that are no numbers, or that leave nothing between them, are not used.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct YAxis {
    /// The lower bound; by the values when absent.
    pub min: Option<f64>,
    /// The upper bound; by the values when absent.
    pub max: Option<f64>,
    /// Whether the axis is logarithmic; values of zero and less are gaps on it.
    pub is_log: bool,
    /// What is measured.
    pub label: Option<String>,
    /// The short name of the unit, e.g. `ms`; when absent, the one that all streams share.
    pub units: Option<String>,
}

/// One row of values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stream {
    /// What the legend says.
    pub name: String,
    /// `#rgb` or `#rrggbb`; anything else and none takes the next colour of the palette.
    pub color: Option<String>,
    /// The unit of a big number; the axis' when absent.
    pub units: Option<String>,
    /// Seconds between points; a longer silence than 2.5 of them is a gap.
    pub step: u32,
    /// Starts of buckets in unix seconds, and values.
    pub points: Vec<(i64, f64)>,
    /// Whether the line goes on over gaps.
    pub is_connected: bool,
    /// The least value that is thought possible, where the axis has no bound.
    pub min: Option<f64>,
    /// The greatest value that is thought possible, where the axis has no bound.
    pub max: Option<f64>,
}

/// Something that happened at a time, or from one time to another.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// When it began, in unix seconds.
    pub time: i64,
    /// When it ended.
    pub end: Option<i64>,
    /// What happened; shown as far as there is room.
    pub title: String,
}

/// When a big number takes a colour.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Threshold {
    /// How the number is compared with the value.
    pub operator: Operator,
    /// What the number is compared with.
    pub value: f64,
    /// The colour; red goes before yellow where both are crossed.
    pub level: ThresholdLevel,
}

impl Threshold {
    /// Whether `number` crosses the threshold.
    pub fn is_crossed_by(&self, number: f64) -> bool {
        match self.operator {
            Operator::Greater => number > self.value,
            Operator::Less => number < self.value,
            Operator::Equal => number == self.value,
        }
    }
}

/// How a big number is compared with a threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `>`
    Greater,
    /// `<`
    Less,
    /// `=`
    Equal,
}

impl Operator {
    /// The sign on the wire and in the picture.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Greater => ">",
            Self::Less => "<",
            Self::Equal => "=",
        }
    }
}

/// The colour of a crossed threshold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThresholdLevel {
    /// Something is wrong.
    Red,
    /// Something will be wrong.
    Yellow,
}

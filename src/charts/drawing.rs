//! From a chart's definition and what was measured to a picture: which series, how they become one, what stands for an
//! interval. Reads as much as the picture has columns, never more.

use std::collections::BTreeMap;

use crate::model::TenantName;

use super::definition::{
    ChartKind, GroupFunction, StreamDefinition, SummaryFunction, TagCondition, ThresholdLevel,
    ThresholdOperator,
};
use super::own::{OWN_ANNOTATIONS, OWN_PREFIX};
use super::render::{self, Look, Mark, Operator, Picture, PictureKind, Stream, YAxis};
use super::store::{Level, MetricKind, MetricName, MetricsStore, Point, Query, SeriesData, TagFilter};
use super::transform::Transform;
use super::{ChartDefinition, ChartError};

/// The most lines that a breakout draws.
const MAX_LINES: usize = 50;
/// The most marks of annotations.
const MAX_MARKS: usize = 50;

/// A picture that is asked for.
#[derive(Clone, Debug)]
pub struct PictureRequest {
    /// Whose measurements are drawn.
    pub tenant: TenantName,
    /// The chart as it was when it was asked for.
    pub definition: ChartDefinition,
    /// Only series of sources like this one; `*` stands for any characters.
    pub source: Option<String>,
    /// Only series with these tags.
    pub tags: Vec<TagCondition>,
    /// The window, in seconds since 1970; the end is not in it.
    pub start: i64,
    /// Its end.
    pub end: i64,
    /// The width in CSS pixels.
    pub width: u32,
    /// The height in CSS pixels.
    pub height: u32,
    /// Pixels for a CSS pixel.
    pub scale: u32,
    /// Light or dark.
    pub look: Look,
}

/// Where measurements are.
#[derive(Clone)]
pub struct Stores {
    /// The service's own.
    pub own: MetricsStore,
    /// Those of the live state.
    pub state: MetricsStore,
}

/// The name under which the service keeps its own measurements.
pub fn own_tenant() -> TenantName {
    TenantName::trusted("manager")
}

impl Stores {
    /// Where a metric is kept, and under which tenant.
    pub fn of(&self, tenant: &TenantName, metric: &str) -> (&MetricsStore, TenantName) {
        let is_own =
            metric.get(..OWN_PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(OWN_PREFIX));
        if is_own { (&self.own, own_tenant()) } else { (&self.state, tenant.clone()) }
    }
}

/// Reads what a picture shows. For blocking threads.
///
/// # Errors
/// The stores' own.
pub fn picture(request: &PictureRequest, stores: &Stores) -> Result<Picture, ChartError> {
    let definition = &request.definition;
    let mut streams = Vec::new();
    for stream in &definition.streams {
        streams.extend(lines(request, stream, stores)?);
    }
    let units = definition.streams.iter().find_map(|stream| stream.units_short.clone());
    let thresholds = definition.thresholds.iter().flatten().map(|threshold| render::Threshold {
        operator: match threshold.operator {
            ThresholdOperator::Greater => Operator::Greater,
            ThresholdOperator::Less => Operator::Less,
            ThresholdOperator::Equal => Operator::Equal,
        },
        value: threshold.value,
        level: match threshold.level {
            ThresholdLevel::Red => render::ThresholdLevel::Red,
            ThresholdLevel::Yellow => render::ThresholdLevel::Yellow,
        },
    });
    Ok(Picture {
        title: definition.name.clone(),
        subtitle: narrowed(request),
        kind: match definition.kind {
            ChartKind::Line => PictureKind::Line,
            ChartKind::Stacked => PictureKind::Stacked,
            ChartKind::BigNumber => PictureKind::BigNumber,
        },
        start: request.start,
        end: request.end,
        width: request.width,
        height: request.height,
        scale: request.scale,
        look: request.look,
        y: YAxis {
            min: definition.min,
            max: definition.max,
            is_log: definition.use_log_yaxis.unwrap_or(false),
            label: definition.label.clone(),
            units,
        },
        streams,
        annotations: marks(request, stores)?,
        thresholds: thresholds.collect(),
        use_last_value: definition.use_last_value.unwrap_or(false),
    })
}

/// What the request narrows the chart to, in words.
fn narrowed(request: &PictureRequest) -> Option<String> {
    let source =
        request.source.iter().filter(|source| *source != "*").map(|source| format!("source {source}"));
    let tags = request
        .tags
        .iter()
        .filter(|tag| !tag.values.is_empty())
        .map(|tag| format!("{} {}", tag.name, tag.values.join(", ")));
    let parts: Vec<String> = source.chain(tags).collect();
    (!parts.is_empty()).then(|| parts.join("; "))
}

fn filter(request: &PictureRequest, stream: &StreamDefinition) -> TagFilter {
    let sources = [&stream.source, &request.source].into_iter().flatten();
    let sources =
        sources.filter(|source| *source != "*").map(|glob| ("source".to_owned(), vec![glob.clone()]));
    let tags = stream.tags.iter().chain(&request.tags);
    let tags =
        tags.filter(|tag| !tag.values.is_empty()).map(|tag| (tag.name.to_lowercase(), tag.values.clone()));
    TagFilter(sources.chain(tags).collect())
}

/// The lines of one stream: one, or one for each series of a breakout.
fn lines(
    request: &PictureRequest,
    stream: &StreamDefinition,
    stores: &Stores,
) -> Result<Vec<Stream>, ChartError> {
    let (store, tenant) = stores.of(&request.tenant, &stream.metric);
    // A name that no metric can have has no measurements; nor has one that nobody has written.
    let Ok(name) = MetricName::parse(&stream.metric) else { return Ok(Vec::new()) };
    let metric = store.metric_blocking(tenant.clone(), name.clone())?;
    let is_counter = match (&metric, stream.metric_kind.as_deref()) {
        (Some(metric), _) => metric.kind == MetricKind::Counter,
        (None, kind) => kind == Some("counter"),
    };
    let default = if is_counter { SummaryFunction::Derivative } else { SummaryFunction::Average };
    let summary = stream.downsample_function.or(stream.summary_function).unwrap_or(default);
    let series = store.read_blocking(Query {
        tenant,
        metric: name,
        filter: filter(request, stream),
        start: request.start,
        end: request.end,
        max_buckets: usize::try_from(request.width).unwrap_or(600),
        min_step: stream.period.or(metric.as_ref().and_then(|metric| metric.period)).unwrap_or(1),
    })?;
    let transform = stream.transform_function.as_deref().and_then(|text| Transform::parse(text).ok());
    let has_dynamic_tag = stream.tags.iter().any(|tag| tag.dynamic);
    let finish = |name: String, step: u32, points: Vec<(i64, f64)>| {
        let points = points
            .into_iter()
            .map(|(time, value)| {
                let value = transform.as_ref().map_or(value, |by| by.apply(value, f64::from(step)));
                (time, value)
            })
            .collect();
        Stream {
            name,
            color: stream.color.clone(),
            units: stream.units_short.clone(),
            step,
            points,
            is_connected: stream.gap_detection == Some(false),
            min: stream.min,
            max: stream.max,
        }
    };
    // The interval in which points come: a line over hourly rows has no gap at each minute.
    let step = |one: &SeriesData| one.step.max(usual_interval(&one.buckets)).max(level_seconds(one.level));
    if stream.group_function == GroupFunction::Breakout && !has_dynamic_tag {
        return Ok(series
            .iter()
            .take(MAX_LINES)
            .map(|one| finish(series_name(stream, one), step(one), summarised(one, summary)))
            .collect());
    }
    let interval = series.iter().map(step).max().unwrap_or(1);
    let name = stream.name.clone().unwrap_or_else(|| stream.metric.clone());
    Ok(vec![finish(name, interval, grouped(&series, summary, stream.group_function))])
}

fn level_seconds(level: Level) -> u32 {
    match level {
        Level::Raw => 1,
        Level::Minute => 60,
        Level::QuarterHour => 900,
        Level::Hour => 3600,
    }
}

/// The distance at which most points follow each other: the median; 1 where there are fewer than two.
fn usual_interval(points: &[Point]) -> u32 {
    let mut distances: Vec<i64> = points.windows(2).map(|pair| pair[1].time - pair[0].time).collect();
    distances.sort_unstable();
    let median = distances.get(distances.len() / 2).copied().unwrap_or(1);
    u32::try_from(median).unwrap_or(u32::MAX).max(1)
}

fn series_name(stream: &StreamDefinition, series: &SeriesData) -> String {
    let tags: Vec<&str> = series.key.tags.iter().map(|(_, value)| value).collect();
    match (&stream.name, tags.is_empty()) {
        (Some(name), true) => name.clone(),
        (None, true) => stream.metric.clone(),
        (Some(name), false) => format!("{name} {}", tags.join(" ")),
        (None, false) => tags.join(" "),
    }
}

/// What stands for each interval of a series.
fn summarised(series: &SeriesData, summary: SummaryFunction) -> Vec<(i64, f64)> {
    if summary == SummaryFunction::Derivative {
        return series
            .buckets
            .windows(2)
            // A counter that fell was set back: how much it grew meanwhile nobody knows.
            .filter(|pair| pair[1].last >= pair[0].last)
            .map(|pair| (pair[1].time, pair[1].last - pair[0].last))
            .collect();
    }
    let value = |point: &Point| match summary {
        SummaryFunction::Average | SummaryFunction::Derivative => point.mean(),
        SummaryFunction::Sum => point.sum,
        SummaryFunction::Min => point.min,
        SummaryFunction::Max => point.max,
        #[expect(clippy::cast_precision_loss, reason = "a count of measurements is far below 2^53")]
        SummaryFunction::Count => point.count as f64,
    };
    series.buckets.iter().map(|point| (point.time, value(point))).collect()
}

fn grouped(series: &[SeriesData], summary: SummaryFunction, group: GroupFunction) -> Vec<(i64, f64)> {
    let mut moments: BTreeMap<i64, (f64, f64, f64, f64)> = BTreeMap::new();
    for one in series {
        for (time, value) in summarised(one, summary) {
            let moment = moments.entry(time).or_insert((0.0, 0.0, f64::INFINITY, f64::NEG_INFINITY));
            moment.0 += value;
            moment.1 += 1.0;
            moment.2 = moment.2.min(value);
            moment.3 = moment.3.max(value);
        }
    }
    let value = |(sum, count, min, max): (f64, f64, f64, f64)| match group {
        GroupFunction::Average | GroupFunction::Breakout => sum / count,
        GroupFunction::Sum => sum,
        GroupFunction::Min => min,
        GroupFunction::Max => max,
    };
    moments.into_iter().map(|(time, moment)| (time, value(moment))).collect()
}

/// The annotations of the window: on charts of the service's own metrics its own, else those of the tenant.
fn marks(request: &PictureRequest, stores: &Stores) -> Result<Vec<Mark>, ChartError> {
    let is_own = request.definition.streams.iter().any(|stream| stream.metric.starts_with(OWN_PREFIX));
    let found = if is_own {
        stores.own.annotations_blocking(
            own_tenant(),
            Some(OWN_ANNOTATIONS.to_owned()),
            request.start,
            request.end,
            None,
        )?
    } else {
        stores.state.annotations_blocking(request.tenant.clone(), None, request.start, request.end, None)?
    };
    let marks = found.into_iter().take(MAX_MARKS);
    Ok(marks
        .map(|annotation| Mark {
            time: annotation.start_time,
            end: annotation.end_time,
            title: annotation.title,
        })
        .collect())
}

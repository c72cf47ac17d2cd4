//! What a chart draws: its streams and how they look, as a caller says it and as it is kept.
//!
//! The words are Librato's (Spaces and Charts API v1). Knows no table.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::words::words;

use super::ChartError;
use super::fields::Reader;
use super::transform::Transform;

/// The most streams of a chart.
const MAX_STREAMS: usize = 100;

words! {
    /// How a chart looks.
    ChartKind {
        /// A line for each stream.
        Line = "line",
        /// Areas on top of each other.
        Stacked = "stacked",
        /// One number.
        BigNumber = "bignumber",
    }
}
words! {
    /// How the series of a stream become one.
    GroupFunction {
        /// The mean of what the series have at a moment.
        Average = "average",
        /// Their sum.
        Sum = "sum",
        /// The smallest of them.
        Min = "min",
        /// The largest of them.
        Max = "max",
        /// They don't: each is drawn.
        Breakout = "breakout",
    }
}
words! {
    /// What stands for the measurements of one interval.
    SummaryFunction {
        /// Their mean.
        Average = "average",
        /// Their sum.
        Sum = "sum",
        /// The smallest.
        Min = "min",
        /// The largest.
        Max = "max",
        /// How many there were.
        Count = "count",
        /// How much a counter grew.
        Derivative = "derivative",
    }
}
words! {
    /// When a threshold is reached.
    ThresholdOperator {
        /// Above it.
        Greater = ">",
        /// Below it.
        Less = "<",
        /// At it.
        Equal = "=",
    }
}
words! {
    /// How bad it is to reach a threshold.
    ThresholdLevel {
        /// Bad.
        Red = "red",
        /// Not good.
        Yellow = "yellow",
    }
}

/// A value that colours a big number when it is reached.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Threshold {
    /// When.
    pub operator: ThresholdOperator,
    /// The value.
    pub value: f64,
    /// The colour.
    #[serde(rename = "type")]
    pub level: ThresholdLevel,
}

/// A condition on a tag of the series of a stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagCondition {
    /// The tag's name.
    pub name: String,
    /// Its values, with `*` for any characters; none: any value.
    #[serde(default)]
    pub values: Vec<String>,
    /// Whether the viewer chooses the value: in a picture all values are drawn as one aggregate.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dynamic: bool,
}

/// One stream of a chart: series of one metric, as one line or several.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StreamDefinition {
    /// Its number; its own among the streams of all charts.
    #[serde(default)]
    pub id: i64,
    /// The metric.
    pub metric: String,
    /// `gauge` or `counter`, as the caller says it.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub metric_kind: Option<String>,
    /// The sources whose series are drawn, with `*` for any characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// The tags that the series have to have.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<TagCondition>,
    /// How the series become one.
    pub group_function: GroupFunction,
    /// What stands for an interval; the metric's own where it is `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary_function: Option<SummaryFunction>,
    /// The same where intervals are put together, for clients that say it apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub downsample_function: Option<SummaryFunction>,
    /// An expression over `x`, the value, and `p`, the interval in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transform_function: Option<String>,
    /// The colour, `#rrggbb`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub color: Option<String>,
    /// What the legend says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The unit at the axis.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub units_short: Option<String>,
    /// The unit in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub units_long: Option<String>,
    /// The smallest value that is drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// The largest value that is drawn.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
    /// The interval in which measurements come, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub period: Option<u32>,
    /// Whether gaps are left where there is no measurement; so where it is `None`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gap_detection: Option<bool>,
}

/// What a chart draws.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChartDefinition {
    /// The name; several charts may have the same.
    pub name: String,
    /// How it looks.
    #[serde(rename = "type")]
    pub kind: ChartKind,
    /// Its streams, in their order.
    pub streams: Vec<StreamDefinition>,
    /// Where the y axis begins.
    pub min: Option<f64>,
    /// Where the y axis ends.
    pub max: Option<f64>,
    /// What the y axis says.
    pub label: Option<String>,
    /// Another space to look at.
    pub related_space: Option<i64>,
    /// Whether the y axis is logarithmic.
    pub use_log_yaxis: Option<bool>,
    /// Whether a big number is the last value, or the mean of the window.
    pub use_last_value: Option<bool>,
    /// What colours a big number.
    pub thresholds: Option<Vec<Threshold>>,
}

impl ChartDefinition {
    /// Reads what a caller sends: a whole chart, or changes to `former`. What a change does not name stays; what it names
    /// as null goes back to what a new chart has.
    ///
    /// # Errors
    /// [`ChartError::Parameter`] with the name of what can't be used; a composite stream among it, as this service draws
    /// no composites.
    pub fn read(object: &Map<String, Value>, former: Option<&Self>) -> Result<Self, ChartError> {
        let reader = Reader { object, place: String::new() };
        let is_named = |name: &str| object.contains_key(name);
        let name = match (reader.text("name")?, former) {
            (Some(name), _) if !name.trim().is_empty() => name,
            (None, Some(former)) if !is_named("name") => former.name.clone(),
            (Some(_), _) => return Err(reader.wrong("name", "can't be blank")),
            (None, _) => return Err(reader.wrong("name", "is not present")),
        };
        let kept = |name: &str| former.filter(|_| !is_named(name));
        let kind = match reader.word("type", ChartKind::parse, ChartKind::NAMES)? {
            Some(kind) => kind,
            None => former.map_or(ChartKind::Line, |former| former.kind),
        };
        let streams = match (reader.objects("streams")?, kept("streams")) {
            (Some(streams), _) => streams.iter().map(stream).collect::<Result<Vec<_>, _>>()?,
            (None, Some(former)) => former.streams.clone(),
            (None, None) => Vec::new(),
        };
        if streams.len() > MAX_STREAMS {
            return Err(reader.wrong("streams", &format!("has more than {MAX_STREAMS} items")));
        }
        let thresholds = match (reader.objects("thresholds")?, kept("thresholds")) {
            (Some(thresholds), _) => Some(thresholds.iter().map(threshold).collect::<Result<Vec<_>, _>>()?),
            (None, Some(former)) => former.thresholds.clone(),
            (None, None) => None,
        };
        let definition = Self {
            name,
            kind,
            streams,
            min: kept("min").map_or_else(|| reader.number("min"), |former| Ok(former.min))?,
            max: kept("max").map_or_else(|| reader.number("max"), |former| Ok(former.max))?,
            label: kept("label").map_or_else(|| reader.text("label"), |former| Ok(former.label.clone()))?,
            related_space: kept("related_space")
                .map_or_else(|| reader.whole("related_space"), |former| Ok(former.related_space))?,
            use_log_yaxis: kept("use_log_yaxis")
                .map_or_else(|| reader.flag("use_log_yaxis"), |former| Ok(former.use_log_yaxis))?,
            use_last_value: kept("use_last_value")
                .map_or_else(|| reader.flag("use_last_value"), |former| Ok(former.use_last_value))?,
            thresholds,
        };
        if let (Some(min), Some(max)) = (definition.min, definition.max)
            && min >= max
        {
            return Err(reader.wrong("max", "is not greater than min"));
        }
        Ok(definition)
    }

    /// Gives streams that have no number of their own one that no other stream of the chart has.
    pub(super) fn number_streams(&mut self, chart: i64) {
        let first = chart.saturating_mul(1000);
        let mut next = self.streams.iter().map(|stream| stream.id).max().unwrap_or(0).max(first) + 1;
        let mut seen = std::collections::HashSet::new();
        for stream in &mut self.streams {
            if stream.id <= first || !seen.insert(stream.id) {
                stream.id = next;
                seen.insert(next);
                next += 1;
            }
        }
    }
}

fn stream(reader: &Reader<'_>) -> Result<StreamDefinition, ChartError> {
    if reader.value("composite").is_some() {
        let reason = "can't be drawn: this service has no composite metrics; add a stream for each metric";
        return Err(reader.wrong("composite", reason));
    }
    let metric = reader.text("metric")?.ok_or_else(|| reader.wrong("metric", "is not present"))?;
    super::store::MetricName::parse(&metric).map_err(|error| reader.wrong("metric", &error.to_string()))?;
    let transform = reader.text("transform_function")?.filter(|text| !text.trim().is_empty());
    if let Some(text) = &transform {
        Transform::parse(text).map_err(|reason| reader.wrong("transform_function", &reason))?;
    }
    let color = reader.text("color")?;
    if color.as_deref().is_some_and(|color| !is_color(color)) {
        return Err(reader.wrong("color", "is not a colour like #52D74C"));
    }
    let mut tags = Vec::new();
    for tag in reader.objects("tags")?.unwrap_or_default() {
        tags.push(tag_condition(&tag)?);
    }
    let period = match reader.whole("period")? {
        None => None,
        Some(seconds) => Some(
            u32::try_from(seconds)
                .ok()
                .filter(|seconds| *seconds > 0)
                .ok_or_else(|| reader.wrong("period", "is not a number of seconds"))?,
        ),
    };
    let source = reader.text("source")?.filter(|_| tags.is_empty());
    Ok(StreamDefinition {
        id: reader.whole("id")?.unwrap_or(0).max(0),
        metric,
        metric_kind: reader.text("type")?,
        source,
        tags,
        group_function: reader
            .word("group_function", GroupFunction::parse, GroupFunction::NAMES)?
            .unwrap_or(GroupFunction::Average),
        summary_function: reader.word("summary_function", SummaryFunction::parse, SummaryFunction::NAMES)?,
        downsample_function: reader.word(
            "downsample_function",
            SummaryFunction::parse,
            SummaryFunction::NAMES,
        )?,
        transform_function: transform,
        color,
        name: reader.text("name")?,
        units_short: reader.text("units_short")?,
        units_long: reader.text("units_long")?,
        min: reader.number("min")?,
        max: reader.number("max")?,
        period,
        gap_detection: reader.flag("gap_detection")?,
    })
}

fn tag_condition(reader: &Reader<'_>) -> Result<TagCondition, ChartError> {
    let name = reader.text("name")?.ok_or_else(|| reader.wrong("name", "is not present"))?;
    let mut values = Vec::new();
    for value in reader.list("values")?.unwrap_or_default() {
        match value.as_str() {
            Some(value) => values.push(value.to_owned()),
            None => return Err(reader.wrong("values", "has an item that is not a string")),
        }
    }
    Ok(TagCondition { name, values, dynamic: reader.flag("dynamic")?.unwrap_or(false) })
}

fn threshold(reader: &Reader<'_>) -> Result<Threshold, ChartError> {
    let absent = |name: &str| reader.wrong(name, "is not present");
    Ok(Threshold {
        operator: reader
            .word("operator", ThresholdOperator::parse, ThresholdOperator::NAMES)?
            .ok_or_else(|| absent("operator"))?,
        value: reader.number("value")?.ok_or_else(|| absent("value"))?,
        level: reader
            .word("type", ThresholdLevel::parse, ThresholdLevel::NAMES)?
            .ok_or_else(|| absent("type"))?,
    })
}

/// The conditions on tags that a caller sends beside a chart, as in a snapshot's subject.
///
/// # Errors
/// [`ChartError::Parameter`] with the name of what can't be used.
pub fn read_tags(object: &Map<String, Value>, place: &str) -> Result<Vec<TagCondition>, ChartError> {
    let reader = Reader { object, place: place.to_owned() };
    reader.objects("tags")?.unwrap_or_default().iter().map(tag_condition).collect()
}

fn is_color(text: &str) -> bool {
    text.strip_prefix('#').is_some_and(|digits| {
        matches!(digits.len(), 3 | 6) && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(value: Value, former: Option<&ChartDefinition>) -> Result<ChartDefinition, ChartError> {
        ChartDefinition::read(value.as_object().unwrap(), former)
    }

    #[test]
    fn what_a_change_does_not_name_stays() {
        let chart = read(
            json!({
                "name": "CPU", "type": "stacked", "min": 0, "label": "busy",
                "streams": [{ "metric": "cpu.busy", "source": "web*", "color": "#52D74C", "units_short": "%" }],
                "thresholds": [{ "operator": ">", "value": 90, "type": "red" }],
            }),
            None,
        )
        .unwrap();
        assert_eq!(chart.streams[0].group_function, GroupFunction::Average);
        let changed = read(json!({ "name": "Busy", "min": null }), Some(&chart)).unwrap();
        assert_eq!(changed, ChartDefinition { name: "Busy".to_owned(), min: None, ..chart });
    }

    #[test]
    fn what_can_t_be_used_is_named() {
        for (chart, name) in [
            (json!({}), "name"),
            (json!({ "name": "" }), "name"),
            (json!({ "name": "a", "type": "pie" }), "type"),
            (json!({ "name": "a", "streams": [{}] }), "streams[0].metric"),
            (json!({ "name": "a", "streams": [{ "metric": "a b" }] }), "streams[0].metric"),
            (
                json!({ "name": "a", "streams": [{ "metric": "m" }, { "composite": "s(\"m\")" }] }),
                "streams[1].composite",
            ),
            (json!({ "name": "a", "streams": [{ "metric": "m", "color": "red" }] }), "streams[0].color"),
            (
                json!({ "name": "a", "streams": [{ "metric": "m", "transform_function": "x+" }] }),
                "streams[0].transform_function",
            ),
            (json!({ "name": "a", "min": 2, "max": 1 }), "max"),
            (json!({ "name": "a", "min": "low" }), "min"),
            (json!({ "name": "a", "thresholds": [{ "operator": ">", "value": 1 }] }), "thresholds[0].type"),
        ] {
            match read(chart.clone(), None) {
                Err(ChartError::Parameter { name: found, .. }) => assert_eq!(found, name, "{chart}"),
                other => panic!("{chart}: {other:?}"),
            }
        }
    }

    #[test]
    fn every_stream_has_a_number_of_its_own_that_a_change_keeps() {
        let streams = json!([{ "metric": "a" }, { "metric": "b" }, { "metric": "c" }]);
        let mut chart = read(json!({ "name": "n", "streams": streams }), None).unwrap();
        chart.number_streams(7);
        let ids: Vec<i64> = chart.streams.iter().map(|stream| stream.id).collect();
        assert_eq!(ids, [7001, 7002, 7003]);
        chart.streams.remove(0);
        chart.streams.push(StreamDefinition { id: 0, ..chart.streams[0].clone() });
        chart.number_streams(7);
        let ids: Vec<i64> = chart.streams.iter().map(|stream| stream.id).collect();
        assert_eq!(ids, [7002, 7003, 7004]);
    }
}

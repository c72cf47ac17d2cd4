//! What the service measures of itself, and the space *Manager* that shows it.
//!
//! The measurements are the service's own, kept beside the manager's state: a restore does not touch them. The space is no
//! row of any table, so that it is the same in every installation and after every restore.

use super::definition::{GroupFunction, StreamDefinition, SummaryFunction};
use super::{Chart, ChartDefinition, ChartKind, Space};

/// How the names of the service's own metrics begin; nobody else writes such.
pub const OWN_PREFIX: &str = "manager.";
/// The number of the space *Manager*.
pub const OWN_SPACE: i64 = 1;
/// The chart that shows a backup or a restore.
pub const OWN_CHART_OF_JOBS: i64 = 1;
/// The stream of annotations that marks backups and restores.
pub const OWN_ANNOTATIONS: &str = "manager.jobs";

/// The metrics of the service.
pub mod metric {
    /// Executions of the service and the manager by `status`, as of a moment.
    pub const EXECUTIONS: &str = "manager.executions";
    /// Executions that wait.
    pub const QUEUE_DEPTH: &str = "manager.queue.depth";
    /// How long a create, restore or rollback took, in seconds, by `workflow`.
    pub const JOB_SECONDS: &str = "manager.job.seconds";
    /// The size of an archive that was made, in bytes.
    pub const SNAPSHOT_BYTES: &str = "manager.snapshot.bytes";
    /// How long requests took, in milliseconds, by `face`.
    pub const REQUEST_MILLISECONDS: &str = "manager.requests.ms";
    /// What runtimes emitted, by `via`.
    pub const EMITS: &str = "manager.emits";
    /// The size of databases, in bytes, by `database`.
    pub const DATABASE_BYTES: &str = "manager.database.bytes";
    /// The size of all archives, in bytes.
    pub const ARCHIVES_BYTES: &str = "manager.archives.bytes";
}

/// The space *Manager*.
pub(super) fn space() -> Space {
    let charts = charts().iter().map(|chart| chart.id).collect();
    Space { id: OWN_SPACE, name: "Manager".to_owned(), has_tags: true, charts }
}

/// Its charts. Their numbers never change.
pub(super) fn charts() -> Vec<Chart> {
    let breakout = GroupFunction::Breakout;
    let sum = GroupFunction::Sum;
    [
        chart("Executions", ChartKind::Stacked, None, [stream(metric::EXECUTIONS, breakout, None, "")]),
        chart(
            "Duration of backups and restores",
            ChartKind::Line,
            Some("seconds"),
            [stream(metric::JOB_SECONDS, breakout, Some(SummaryFunction::Max), "s")],
        ),
        chart(
            "Size of archives made",
            ChartKind::Line,
            Some("bytes"),
            [stream(metric::SNAPSHOT_BYTES, GroupFunction::Max, Some(SummaryFunction::Max), "B")],
        ),
        chart(
            "Waiting executions",
            ChartKind::Line,
            None,
            [stream(metric::QUEUE_DEPTH, GroupFunction::Max, Some(SummaryFunction::Max), "")],
        ),
        chart(
            "Duration of requests",
            ChartKind::Line,
            Some("milliseconds"),
            [stream(metric::REQUEST_MILLISECONDS, breakout, None, "ms")],
        ),
        chart(
            "Emits",
            ChartKind::Stacked,
            Some("per second"),
            [StreamDefinition {
                transform_function: Some("x/p".to_owned()),
                ..stream(metric::EMITS, breakout, Some(SummaryFunction::Sum), "/s")
            }],
        ),
        chart(
            "Size of databases",
            ChartKind::Stacked,
            Some("bytes"),
            [stream(metric::DATABASE_BYTES, breakout, None, "B")],
        ),
        chart(
            "Size of all archives",
            ChartKind::BigNumber,
            None,
            [StreamDefinition {
                name: Some("archives".to_owned()),
                ..stream(metric::ARCHIVES_BYTES, sum, None, "B")
            }],
        ),
    ]
    .into_iter()
    .zip(1..)
    .map(|(mut definition, id)| {
        definition.number_streams(id);
        Chart { id, space: OWN_SPACE, definition }
    })
    .collect()
}

fn chart<const N: usize>(
    name: &str,
    kind: ChartKind,
    label: Option<&str>,
    streams: [StreamDefinition; N],
) -> ChartDefinition {
    ChartDefinition {
        name: name.to_owned(),
        kind,
        streams: streams.into(),
        min: Some(0.0),
        max: None,
        label: label.map(str::to_owned),
        related_space: None,
        use_log_yaxis: None,
        use_last_value: Some(true),
        thresholds: None,
    }
}

fn stream(
    metric: &str,
    group_function: GroupFunction,
    summary_function: Option<SummaryFunction>,
    units: &str,
) -> StreamDefinition {
    StreamDefinition {
        id: 0,
        metric: metric.to_owned(),
        metric_kind: Some("gauge".to_owned()),
        source: None,
        tags: Vec::new(),
        group_function,
        summary_function,
        downsample_function: None,
        transform_function: None,
        color: None,
        name: None,
        units_short: Some(units.to_owned()).filter(|units| !units.is_empty()),
        units_long: None,
        min: None,
        max: None,
        period: None,
        gap_detection: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_of_the_service_s_own_charts_stay_below_those_of_others() {
        let charts = charts();
        assert!(charts.iter().all(|chart| chart.id < 1000 && chart.space == OWN_SPACE));
        assert!(
            charts
                .iter()
                .flat_map(|chart| &chart.definition.streams)
                .all(|stream| stream.metric.starts_with(OWN_PREFIX))
        );
        assert_eq!(space().charts, (1..=8).collect::<Vec<i64>>());
    }
}

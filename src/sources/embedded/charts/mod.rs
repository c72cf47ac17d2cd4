//! Spaces and charts, always; measurements, what is said of metrics, and annotations, where they are asked for.
//!
//! `charts/<tenant>/NNNNNNNN.json` holds spaces and charts. `metrics/<tenant>/NNNNNNNN.json` holds what is said of metrics,
//! then annotations, `metrics/<tenant>/NNNNNNNN.txt` the points as InfluxDB's line protocol, each file with the header that
//! `influx -import` wants. An archive with measurements has an envelope of metrics for each tenant, and it may be empty.

mod collect;
mod stage;

use super::rows::{Kind, RowTable};

pub(super) use collect::{collect, collect_metrics};
pub(super) use stage::{BATCH, MAX_LINE_BYTES, Said, keep_numbers, named, stage, stage_metrics};

/// The folder of spaces and charts.
const CHARTS: &str = "charts";
/// The folder of measurements.
pub(super) const METRICS: &str = "metrics";

/// The tables of spaces and charts, in an order in which they can be inserted.
pub(super) const CHART_TABLES: &[RowTable] = &[
    RowTable {
        kind: "spaces",
        from: "spaces t WHERE t.tenant_name = ?",
        order: "t.id",
        columns: &[
            ("id", Kind::Integer),
            ("name", Kind::Text),
            ("has_tags", Kind::Integer),
            ("created_at", Kind::Integer),
            ("created_by", Kind::Text),
            ("updated_at", Kind::Integer),
        ],
    },
    RowTable {
        kind: "charts",
        from: "charts t JOIN spaces s ON s.id = t.space_id WHERE s.tenant_name = ?",
        order: "t.id",
        columns: &[
            ("id", Kind::Integer),
            ("space_id", Kind::Integer),
            ("definition", Kind::Raw),
            ("created_at", Kind::Integer),
            ("created_by", Kind::Text),
            ("updated_at", Kind::Integer),
        ],
    },
];

/// Whether an archive with these entries has measurements.
pub(super) fn has_metrics(names: &[&str]) -> bool {
    names.iter().any(|name| name.starts_with("metrics/"))
}

/// The tenant of a file of line protocol.
pub(super) fn points_tenant(name: &str) -> Option<&str> {
    let (tenant, file) = name.strip_prefix("metrics/")?.split_once('/')?;
    (!file.contains('/') && file.ends_with(".txt")).then_some(tenant)
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    #[test]
    fn every_column_of_spaces_and_charts_is_carried() {
        let mut connection = Connection::open_in_memory().unwrap();
        crate::manager::schema::migrations().run(&mut connection).unwrap();
        for table in CHART_TABLES {
            let mut statement =
                connection.prepare(&format!("SELECT name FROM pragma_table_info('{}')", table.kind)).unwrap();
            let names: Vec<String> =
                statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
            assert!(!names.is_empty(), "there is no table `{}`", table.kind);
            // The folder says the tenant.
            for column in names.iter().filter(|name| *name != "tenant_name") {
                let is_carried = table.columns.iter().any(|(name, _)| name == column);
                assert!(is_carried, "no snapshot carries the column `{column}` of `{}`", table.kind);
            }
        }
    }

    #[test]
    fn files_of_points_are_told_from_envelopes() {
        assert_eq!(points_tenant("metrics/north/00000002.txt"), Some("north"));
        for other in
            ["metrics/north/00000001.json", "metrics/x.txt", "metrics/north/a/1.txt", "charts/north/1.txt"]
        {
            assert_eq!(points_tenant(other), None, "{other}");
        }
        assert!(has_metrics(&["report.json", "metrics/north/00000001.json"]));
        assert!(!has_metrics(&["report.json", "charts/north/00000001.json"]));
    }
}

//! The tables.

use std::time::Duration;

use crate::peers::Tool;

/// What several did in turns.
pub struct Table {
    what: &'static str,
    rows: Vec<Row>,
}

struct Row {
    name: String,
    seconds: Vec<f64>,
    memory: f64,
    bytes: u64,
}

impl Table {
    pub fn new(what: &'static str, tools: &[Tool]) -> Self {
        Self::named(what, tools.iter().map(|tool| tool.name.to_owned()))
    }

    pub fn named(what: &'static str, names: impl IntoIterator<Item = String>) -> Self {
        let row = |name| Row { name, seconds: Vec::new(), memory: 0.0, bytes: 0 };
        Self { what, rows: names.into_iter().map(row).collect() }
    }

    pub fn add(&mut self, place: usize, took: Duration, memory: f64, bytes: u64) {
        let row = &mut self.rows[place];
        row.seconds.push(took.as_secs_f64());
        row.memory = row.memory.max(memory);
        row.bytes = bytes;
    }

    /// Prints it; the ratios are the medians of those of each round, of the first row's speed by the others'.
    pub fn print(&self, content_bytes: u64, with_size: bool) {
        let size = if with_size { " Archive, MB | Beside Python's |" } else { "" };
        let lines = if with_size { "--:|--:|" } else { "" };
        println!(
            "| {} | min s | median s | MB/s | Lifeboat's speed beside it | Peak of memory, MiB |{size}\n|---|--:|--:|--:|--:|--:|{lines}",
            self.what
        );
        let python = self.rows.iter().find(|row| row.name.starts_with("Python")).map(|row| row.bytes);
        for row in &self.rows {
            let ratios: Vec<f64> =
                row.seconds.iter().zip(&self.rows[0].seconds).map(|(other, ours)| other / ours).collect();
            let beside = if std::ptr::eq(row, &self.rows[0]) {
                String::new()
            } else {
                format!("{:.2} ×", median(&ratios))
            };
            let size = match (with_size, python) {
                (true, Some(python)) => {
                    format!(
                        " {:.2} | {:+.2} % |",
                        row.bytes as f64 / 1e6,
                        (row.bytes as f64 / python as f64 - 1.0) * 100.0
                    )
                }
                (true, None) => format!(" {:.2} | |", row.bytes as f64 / 1e6),
                (false, _) => String::new(),
            };
            let memory = if row.memory > 0.0 { format!("{:.0}", row.memory) } else { "–".to_owned() };
            let middle = median(&row.seconds);
            let least = row.seconds.iter().copied().fold(f64::INFINITY, f64::min);
            println!(
                "| {} | {least:.2} | {middle:.2} | {:.0} | {beside} | {memory} |{size}",
                row.name,
                content_bytes as f64 / 1e6 / middle
            );
        }
        println!();
    }
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

//! What was measured, as tables in Markdown. Knows no measurement.

use std::fmt::Write as _;

/// Rates by subject and by who was measured, in the order in which they came first.
#[derive(Default)]
pub struct Report {
    subjects: Vec<Subject>,
}

struct Subject {
    name: String,
    rows: Vec<Row>,
    processor_micros: Vec<f64>,
}

struct Row {
    who: String,
    rates: Vec<f64>,
}

impl Report {
    /// Adds a rate; the first of each subject is ours, with which the others are compared.
    pub fn add(&mut self, subject: &str, who: &str, rate: f64) {
        eprintln!("    {subject}, {who}: {rate:.0}/s");
        let rows = &mut self.subject(subject).rows;
        match rows.iter_mut().find(|row| row.who == who) {
            Some(row) => row.rates.push(rate),
            None => rows.push(Row { who: who.to_owned(), rates: vec![rate] }),
        }
    }

    /// Adds the processor time that our process took for one message, in microseconds.
    pub fn add_processor(&mut self, subject: &str, micros: f64) {
        self.subject(subject).processor_micros.push(micros);
    }

    fn subject(&mut self, name: &str) -> &mut Subject {
        let known = self.subjects.iter().position(|subject| subject.name == name);
        let index = known.unwrap_or_else(|| {
            self.subjects.push(Subject {
                name: name.to_owned(),
                rows: Vec::new(),
                processor_micros: Vec::new(),
            });
            self.subjects.len() - 1
        });
        &mut self.subjects[index]
    }

    /// The tables.
    pub fn markdown(&self) -> String {
        let mut text = String::from(
            "| What | Who | min/s | median/s | max/s | Lifeboat beside it |\n|---|---|--:|--:|--:|--:|\n",
        );
        for subject in &self.subjects {
            let ours = subject.rows.first().map_or(&[][..], |row| &row.rates);
            for (index, row) in subject.rows.iter().enumerate() {
                let (min, median, max) = spread(&row.rates);
                let name = if index == 0 { subject.name.as_str() } else { "" };
                // Of each round for itself: what else the machine did then was the same for both.
                let ratios: Vec<f64> = ours.iter().zip(&row.rates).map(|(ours, rate)| ours / rate).collect();
                let ratio = if index == 0 { String::new() } else { format!("{:.2} ×", spread(&ratios).1) };
                // Writing to a text can't fail.
                let _ =
                    writeln!(text, "| {name} | {} | {min:.0} | {median:.0} | {max:.0} | {ratio} |", row.who);
            }
        }
        text.push_str("\n| What | Lifeboat's processor time for one, µs (median) |\n|---|--:|\n");
        for subject in self.subjects.iter().filter(|subject| !subject.processor_micros.is_empty()) {
            let _ = writeln!(text, "| {} | {:.0} |", subject.name, spread(&subject.processor_micros).1);
        }
        text
    }
}

/// The least, the one in the middle, and the most.
fn spread(values: &[f64]) -> (f64, f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |index: usize| sorted.get(index).copied().unwrap_or(f64::NAN);
    let last = sorted.len().saturating_sub(1);
    (at(0), (at(last / 2) + at(last.div_ceil(2))) / 2.0, at(last))
}

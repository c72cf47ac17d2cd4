//! The chart of the year, drawn from two stores and by matplotlib in turns.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, anyhow, ensure};
use serde_json::{Value, json};

use crate::matplotlib::Python;
use crate::report::{Spread, thousands};
use crate::{machine, painter, year};

/// Width and height in pixels.
pub type Size = (u32, u32);

/// The usual picture, and one of four times its pixels and twice its columns. Small first: peaks of memory only grow.
const SIZES: [Size; 2] = [(600, 416), (1200, 832)];
/// How many pictures are drawn before one counts.
const WARM_UP: usize = 3;

/// A child process that answers a line of JSON with another. Dropping it ends it.
pub struct Drawer {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Drawer {
    /// Starts a program.
    pub fn start(command: &mut Command) -> anyhow::Result<Self> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("failed to start {:?}", command.get_program()))?;
        let commands = child.stdin.take().context("no pipe")?;
        let answers = BufReader::new(child.stdout.take().context("no pipe")?);
        Ok(Self { child, commands, answers })
    }

    fn ask(&mut self, command: &Value) -> anyhow::Result<Value> {
        writeln!(self.commands, "{command}")?;
        let mut answer = String::new();
        ensure!(self.answers.read_line(&mut answer)? > 0, "a child that draws has ended");
        Ok(serde_json::from_str(&answer)?)
    }
}

impl Drop for Drawer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One who draws, and what it took.
struct Contender {
    name: String,
    drawer: Drawer,
    seconds: Vec<f64>,
    reading: Vec<f64>,
    last: Value,
}

impl Contender {
    fn new(name: String, drawer: Drawer) -> Self {
        Self { name, drawer, seconds: Vec::new(), reading: Vec::new(), last: Value::Null }
    }

    fn draw(&mut self, size: Size, counts: bool) -> anyhow::Result<()> {
        let keep = std::env::var_os("LIFEBOAT_BENCH_KEEP").map(|folder| {
            let name = format!("{}-{}.png", self.name.replace([' ', ','], ""), size.0);
            PathBuf::from(folder).join(name)
        });
        self.last = self.drawer.ask(&json!({ "size": size, "keep": keep }))?;
        if counts {
            self.seconds.extend(self.last["seconds"].as_f64());
            self.reading.extend(self.last["reading"].as_f64());
        }
        Ok(())
    }

    fn row(&self, size: Size) -> String {
        let time = Spread::of(&self.seconds);
        let number = |name: &str| self.last[name].as_u64().map_or_else(|| "–".to_owned(), thousands);
        let reading = match self.reading.len() {
            0 => "–".to_owned(),
            _ => format!("{:.1}", Spread::of(&self.reading).median * 1e3),
        };
        format!(
            "| {}×{} | {} | {:.1} | {:.1} | {reading} | {} | {} | {:.0} |",
            size.0,
            size.1,
            self.name,
            time.median * 1e3,
            time.p95 * 1e3,
            number("rows"),
            number("bytes"),
            self.last["peak"].as_f64().unwrap_or(f64::NAN)
        )
    }
}

/// Writes the stores, draws, and prints the tables.
pub fn measure(points: usize, rounds: usize) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut contenders = Vec::new();
    println!(
        "| Points of a year | Written, points/s | Bytes a point | Peak of memory, MiB |\n|--:|--:|--:|--:|"
    );
    for points in [points / 10, points] {
        let path = folder.path().join(format!("{points}.db"));
        let filled = year::fill(&path, points)?;
        println!(
            "| {} | {} | {:.2} | {:.0} |",
            thousands(points as u64),
            thousands((points as f64 / filled.seconds) as u64),
            filled.bytes / points as f64,
            machine::peak_mebibytes("self")
        );
        let name = format!("Lifeboat, {} points", thousands(points as u64));
        contenders.push(Contender::new(name, painter::start(&path)?));
    }
    let python = Python::find();
    let started = python.as_ref().map(Python::start);
    match started.unwrap_or_else(|error| Err(anyhow!("{error:#}"))) {
        Ok(drawer) => contenders.push(Contender::new("matplotlib".to_owned(), drawer)),
        Err(error) => eprintln!("charts: matplotlib is skipped: {error:#}"),
    }
    println!(
        "\n| Picture | Who | median ms | p95 ms | reading ms | Rows read | PNG bytes | Peak of memory, MiB |"
    );
    println!("|---|---|--:|--:|--:|--:|--:|--:|");
    for size in SIZES {
        turns(&mut contenders, size, rounds)?;
        for contender in &mut contenders {
            println!("{}", contender.row(size));
            contender.seconds.clear();
            contender.reading.clear();
        }
    }
    println!("\n{rounds} rounds a size, in turns, after {WARM_UP} that don't count.\n");
    Ok(())
}

fn turns(contenders: &mut [Contender], size: Size, rounds: usize) -> anyhow::Result<()> {
    // The series of the larger store, as rolled up for this width.
    let mut series = contenders[1].drawer.ask(&json!({ "size": size, "series": true }))?;
    series["size"] = json!(size);
    if let Some(matplotlib) = contenders.get_mut(2) {
        let version = matplotlib.drawer.ask(&series)?;
        matplotlib.name = format!("matplotlib {}", version["version"].as_str().unwrap_or_default());
    }
    for round in 0..rounds + WARM_UP {
        for turn in 0..contenders.len() {
            let at = (round + turn) % contenders.len();
            contenders[at].draw(size, round >= WARM_UP)?;
        }
    }
    Ok(())
}

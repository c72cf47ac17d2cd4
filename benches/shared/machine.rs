//! The machine on which is measured, as far as it decides the figures, and how much is measured on it. Every benchmark
//! has it.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use anyhow::Context as _;

/// How often the disk is asked to keep something.
const SYNCS: u32 = 500;

/// Lines for every report: processor, kernel, file system, our versions.
pub fn facts() -> anyhow::Result<Vec<String>> {
    let cores = std::thread::available_parallelism()?;
    let folder = std::env::temp_dir();
    Ok(vec![
        format!("{cores} cores ({}), {}", model(), memory()),
        format!("Linux {}, `{}`", read("/proc/sys/kernel/osrelease"), file_system(&folder)),
        format!("{:.0} times a second 8 KiB are overwritten and made durable (`fdatasync`)", syncs(&folder)?),
        format!("Lifeboat {} with SQLite {}", env!("CARGO_PKG_VERSION"), rusqlite::version()),
    ])
}

/// What else ran: the load average over one, five and fifteen minutes.
pub fn load() -> String {
    read("/proc/loadavg").split_whitespace().take(3).collect::<Vec<_>>().join(" ")
}

/// The most memory that a process has held so far, in MiB, by its number or `self`.
pub fn peak_mebibytes(process: &str) -> f64 {
    let status = read(&format!("/proc/{process}/status"));
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
    peak.and_then(|kibibytes| kibibytes.trim().parse::<f64>().ok())
        .map_or(f64::NAN, |kibibytes| kibibytes / 1024.0)
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

fn model() -> String {
    let processor = read("/proc/cpuinfo");
    let name = processor.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    name.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.to_owned())
}

fn memory() -> String {
    let memory = read("/proc/meminfo");
    let total = memory.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB"));
    total
        .and_then(|kibibytes| kibibytes.parse::<u64>().ok())
        .map_or_else(|| "memory unknown".to_owned(), |kibibytes| format!("{} GiB of memory", kibibytes >> 20))
}

/// The type of the file system that is mounted nearest above the folder.
fn file_system(folder: &Path) -> String {
    let mounts = read("/proc/self/mounts");
    let nearest = mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ').skip(1);
            Some((Path::new(fields.next()?), fields.next()?))
        })
        .filter(|(point, _)| folder.starts_with(point))
        .max_by_key(|(point, _)| point.components().count());
    nearest.map_or_else(|| "unknown file system".to_owned(), |(_, kind)| kind.to_owned())
}

fn syncs(folder: &Path) -> anyhow::Result<f64> {
    let mut file = tempfile::tempfile_in(folder)?;
    let block = [7; 8192];
    file.write_all(&block)?;
    file.sync_all()?;
    let begun = Instant::now();
    for _ in 0..SYNCS {
        overwrite(&mut file, &block)?;
    }
    Ok(f64::from(SYNCS) / begun.elapsed().as_secs_f64())
}

fn overwrite(file: &mut File, block: &[u8]) -> std::io::Result<()> {
    use std::os::unix::fs::FileExt as _;
    file.write_all_at(block, 0)?;
    file.sync_data()
}

/// A number that the environment sets, or the default.
pub fn number(name: &str, default: usize) -> anyhow::Result<usize> {
    match std::env::var(name) {
        Ok(text) => text.parse().with_context(|| format!("`{name}` has to be a number")),
        Err(_) => Ok(default),
    }
}

//! Measures the archive beside its peers: `cargo bench --bench archive -- [MEGABYTES]`.
//!
//! 500 MB of mixed files are made, the same every time, and packed in turns by the archive writer, by `zip -r -6`, by
//! `7z -tzip -mx=1 -mmt=2` and by Python's `shutil.make_archive`; unpacked by the archive reader (every content checked
//! against its hash), by `unzip` and by Python; sent and taken by the release binary and by nginx. The writer is given
//! the very files, so that all do the same: how a manager's rows become files is no part of it.
//!
//! `LIFEBOAT_BENCH_ROUNDS` (5) sets how often, `LIFEBOAT_BENCH_CORPUS` names a folder for the files, which is kept, and
//! `TMPDIR` says where all else goes (some 3 GB). A peer that is not installed is left out, and said to be. So that
//! nobody waits for the disk alone, files are read once before; what is written is not made durable, by nobody.

mod corpus;
#[path = "../shared/machine.rs"]
mod machine;
mod nginx;
mod ours;
mod peers;
mod report;
#[expect(dead_code, reason = "shared with the benchmark of large states, which does more with it")]
#[path = "../large/service.rs"]
mod service;
mod transfer;

use std::path::PathBuf;
use std::time::Instant;

use peers::Tool;
use report::Table;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [command, rest @ ..] = &arguments[..]
        && ours::is_command(command)
    {
        return ours::run(command, rest);
    }
    if !arguments.iter().any(|argument| argument == "--bench") {
        eprintln!("archive: skipped: it runs with `cargo bench --bench archive`");
        return Ok(());
    }
    let megabytes = arguments.iter().find_map(|text| text.parse().ok()).unwrap_or(500);
    let rounds = machine::number("LIFEBOAT_BENCH_ROUNDS", 5)?.max(1);
    let before = machine::load();
    let facts = machine::facts()?;
    let folder = tempfile::tempdir()?;
    let files = match std::env::var_os("LIFEBOAT_BENCH_CORPUS") {
        Some(kept) => PathBuf::from(kept),
        None => folder.path().join("files"),
    };
    if !files.exists() {
        corpus::make(&files, megabytes)?;
    }
    let (count, bytes) = corpus::read(&files)?;
    println!("{count} files, {:.1} MB.\n", bytes as f64 / 1e6);

    let packers = peers::packers()?;
    let mut table = Table::new("Packed", &packers);
    for _ in 0..rounds {
        for (place, packer) in packers.iter().enumerate() {
            let target = folder.path().join(format!("{place}.zip"));
            let _ = std::fs::remove_file(&target);
            let begun = Instant::now();
            let memory = packer.run(&files, &target)?;
            table.add(place, begun.elapsed(), memory, std::fs::metadata(&target)?.len());
        }
    }
    table.print(bytes, true);

    let unpackers: Vec<Tool> = peers::unpackers()?;
    let archive = folder.path().join("0.zip");
    let mut table = Table::new("Unpacked", &unpackers);
    for _ in 0..rounds {
        for (place, unpacker) in unpackers.iter().enumerate() {
            let target = folder.path().join("unpacked");
            let begun = Instant::now();
            let memory = unpacker.run(&archive, &target)?;
            let took = begun.elapsed();
            // The check of what is there is no part of the time.
            let (found, found_bytes) = corpus::read(&target)?;
            anyhow::ensure!(found >= count && found_bytes >= bytes, "{}: {found} files", unpacker.name);
            std::fs::remove_dir_all(&target)?;
            table.add(place, took, memory, found_bytes);
        }
    }
    table.print(bytes, false);
    transfer::measure(folder.path(), &archive, rounds)?;
    for fact in facts.into_iter().chain(peers::versions()) {
        println!("- {fact}");
    }
    println!("- load average {before} before and {} after", machine::load());
    Ok(())
}

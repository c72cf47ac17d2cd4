//! Measures large states through the real service: `cargo bench --bench large -- [lists] [states] [writers]`.
//!
//! `lists` seeds 100,000 snapshots, executions and so on and times lists, pages and single records by HTTP. `states`
//! fills services with large states and reads how much memory the process holds while it creates, sends, takes,
//! verifies, plans and restores them. `writers` creates a snapshot while others write and reads how long the databases' logs
//! grow. Rows are written into the databases of a stopped service, in the form that its own calls
//! write; what is measured is the release binary with its default settings, over HTTP.
//!
//! `LIFEBOAT_BENCH_ROWS` (100000) sets how long the lists are, `LIFEBOAT_BENCH_CALLS` (60) how often each page is asked
//! for, `LIFEBOAT_BENCH_STATES` names the states to measure, with commas, `LIFEBOAT_BENCH_BINARY` another build, and `TMPDIR` says where. The largest state
//! takes some 16 GB there.

mod lists;
#[expect(dead_code, reason = "peaks are read anew for each step here")]
#[path = "../shared/machine.rs"]
mod machine;
mod seed;
mod service;
mod states;
mod writers;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if !arguments.iter().any(|argument| argument == "--bench") {
        eprintln!("large: skipped: it runs with `cargo bench --bench large`");
        return Ok(());
    }
    let asks = |what: &str| {
        let names = ["lists", "states", "writers"];
        let is_named = arguments.iter().any(|argument| names.contains(&argument.as_str()));
        !is_named || arguments.iter().any(|argument| argument == what)
    };
    let before = machine::load();
    let facts = machine::facts()?;
    if asks("lists") {
        lists::measure(
            machine::number("LIFEBOAT_BENCH_ROWS", 100_000)?,
            machine::number("LIFEBOAT_BENCH_CALLS", 60)?,
        )?;
    }
    if asks("states") {
        states::measure()?;
    }
    if asks("writers") {
        writers::measure()?;
    }
    for fact in facts {
        println!("- {fact}");
    }
    println!("- load average {before} before and {} after", machine::load());
    Ok(())
}

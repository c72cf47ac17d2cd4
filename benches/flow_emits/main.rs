//! Measures durable emits and reads of step snapshots beside PostgreSQL: `cargo bench --bench flow_emits`.
//!
//! Lifeboat, RabbitMQ and PostgreSQL run as child processes with folders of their own on one file system, and are ended
//! at the end. The measurements take turns, several times each, so that what else the machine does falls on both.
//!
//! `LIFEBOAT_BENCH_MESSAGES` (20000) and `LIFEBOAT_BENCH_ROUNDS` (3) set how much is measured, `TMPDIR` where, and
//! `LIFEBOAT_BENCH_POSTGRES` the folder of another `initdb` and `postgres` than the newest that Debian has installed.

#[path = "../../tests/integration/harness/broker.rs"]
#[expect(dead_code, reason = "tests restart and share brokers, the benchmark does not")]
mod broker;
mod clients;
mod http;
mod load;
#[path = "../shared/machine.rs"]
#[expect(dead_code, reason = "the memory of processes is not measured here")]
mod machine;
mod measures;
mod peer;
mod postgres;
mod queue;
mod report;
mod service;
#[path = "../../tests/integration/harness/wait.rs"]
mod wait;

use broker::Broker;
use measures::Bench;
use postgres::Postgres;
use service::Service;
use wait::eventually;

/// How many clients emit at once by HTTP, one after the other.
const CLIENTS: [usize; 3] = [1, 8, 32];

fn main() -> anyhow::Result<()> {
    if !std::env::args().any(|argument| argument == "--bench") {
        eprintln!("flow_emits: skipped: it runs with `cargo bench --bench flow_emits`");
        return Ok(());
    }
    let missing = clients::missing();
    if !missing.is_empty() {
        eprintln!("flow_emits: skipped: install the Debian package(s) {}", missing.join(", "));
        return Ok(());
    }
    let messages = machine::number("LIFEBOAT_BENCH_MESSAGES", 20_000)?.max(1000);
    let rounds = machine::number("LIFEBOAT_BENCH_ROUNDS", 3)?.max(1);
    tokio::runtime::Runtime::new()?.block_on(run(messages, rounds))
}

async fn run(messages: usize, rounds: usize) -> anyhow::Result<()> {
    let before = machine::load();
    let mut facts = machine::facts()?;
    let peer = Postgres::version()?;
    facts.push(format!("{peer} with the settings of `initdb`, by a Unix socket, tokio-postgres"));
    facts.push(format!("RabbitMQ {} with its defaults", clients::rabbitmq_version().unwrap_or_default()));
    eprintln!("starting RabbitMQ, PostgreSQL and Lifeboat");
    let broker = Broker::start();
    let postgres = Postgres::start().await?;
    let service = Service::start(&broker.uri()).await?;
    let places = service.create_flows().await?;
    let mut bench = Bench::new(broker.uri(), service, postgres, places, messages);
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        bench.broker().await?;
        for clients in CLIENTS {
            bench.http(clients).await?;
        }
        bench.reads().await?;
    }
    println!("{}", bench.report.markdown());
    println!(
        "{messages} AMQP messages and reads, {} HTTP emits a measurement, {rounds} rounds; a snapshot has {} bytes.\n",
        messages / 4,
        load::snapshot(messages).len()
    );
    for fact in facts {
        println!("- {fact}");
    }
    println!("- load average {before} before and {} after", machine::load());
    Ok(())
}

//! The peer: what a plain consumer, or a plain service, does with the same snapshots in PostgreSQL.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures_util::future::try_join_all;
use futures_util::{FutureExt as _, StreamExt as _};
use lapin::message::Delivery;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::{AMQPValue, FieldTable};
use tokio_postgres::{Client, Statement};

use crate::load::Place;
use crate::postgres::Postgres;
use crate::queue::{Gate, Queue, connect};

/// As Lifeboat's default.
const PREFETCH: u16 = 1000;

const VALUE: &str = "INSERT INTO step_snapshots (flow_id, step_id, value, updated_at)
    VALUES ($1, $2, $3::text::json, now()) ON CONFLICT (flow_id, step_id)
    DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at";

/// The value and its past in one statement, which is one round trip and one transaction.
const VALUE_AND_HISTORY: &str = "WITH
    before AS (SELECT value FROM step_snapshots WHERE flow_id = $1 AND step_id = $2),
    written AS (INSERT INTO step_snapshots (flow_id, step_id, value, updated_at)
        VALUES ($1, $2, $3::text::json, now()) ON CONFLICT (flow_id, step_id)
        DO UPDATE SET value = excluded.value, updated_at = excluded.updated_at)
    INSERT INTO step_history (flow_id, step_id, at, execution_id, value_before, value_after)
    VALUES ($1, $2, now(), $4, (SELECT value FROM before), $3::text::json)";

const READ: &str = "SELECT value::text FROM step_snapshots WHERE flow_id = $1 AND step_id = $2";

/// What is written for one snapshot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// The last value.
    Value,
    /// The last value, and a row with the one before and after.
    ValueAndHistory,
}

/// A connection with prepared statements.
pub struct Writer {
    client: Client,
    write: Statement,
    read: Statement,
    kept: Kept,
}

impl Writer {
    /// Connects and prepares.
    pub async fn new(postgres: &Postgres, kept: Kept) -> anyhow::Result<Self> {
        let client = postgres.connect().await?;
        let sql = match kept {
            Kept::Value => VALUE,
            Kept::ValueAndHistory => VALUE_AND_HISTORY,
        };
        let (write, read) = (client.prepare(sql).await?, client.prepare(READ).await?);
        Ok(Self { client, write, read, kept })
    }

    /// Writes one snapshot, in a transaction of its own where none was begun.
    pub async fn write(&self, place: &Place, value: &str, execution: Option<&str>) -> anyhow::Result<()> {
        let Place { flow, step } = place;
        match self.kept {
            Kept::Value => self.client.execute(&self.write, &[flow, step, &value]).await?,
            Kept::ValueAndHistory => {
                self.client.execute(&self.write, &[flow, step, &value, &execution]).await?
            }
        };
        Ok(())
    }

    /// Reads the value of a step.
    pub async fn read(&self, place: &Place) -> anyhow::Result<String> {
        Ok(self.client.query_one(&self.read, &[&place.flow, &place.step]).await?.get(0))
    }
}

/// Takes `count` messages of a queue that is shut until now, up to `batch` in one transaction, and acknowledges them
/// when they are durable. Answers how long it took.
pub async fn consume(
    postgres: &Postgres,
    uri: &str,
    queue: &Queue,
    gate: Gate,
    count: usize,
    kept: Kept,
    batch: usize,
) -> anyhow::Result<Duration> {
    let writer = Writer::new(postgres, kept).await?;
    let connection = connect(uri).await?;
    let channel = connection.create_channel().await?;
    channel.basic_qos(PREFETCH, BasicQosOptions::default()).await?;
    let options = BasicConsumeOptions::default();
    let mut deliveries =
        channel.basic_consume(queue.name()?, "peer".into(), options, FieldTable::default()).await?;

    let begun = Instant::now();
    gate.open().await?;
    let mut taken = 0;
    while taken < count {
        let mut messages = vec![Message::read(deliveries.next().await.context("no consumer")??)?];
        while messages.len() < batch {
            match deliveries.next().now_or_never() {
                None => break,
                Some(next) => messages.push(Message::read(next.context("no consumer")??)?),
            }
        }
        if batch > 1 {
            writer.client.batch_execute("BEGIN").await?;
        }
        // All are sent in their order before the first answer is awaited.
        try_join_all(messages.iter().map(|message| message.write(&writer))).await?;
        if batch > 1 {
            writer.client.batch_execute("COMMIT").await?;
        }
        taken += messages.len();
        if let Some(last) = messages.last() {
            last.delivery.acker.ack(BasicAckOptions { multiple: batch > 1 }).await?;
        }
    }
    let elapsed = begun.elapsed();
    connection.close(200, "done".into()).await?;
    ensure!(queue.depth().await? == 0, "messages were left in the queue");
    Ok(elapsed)
}

struct Message {
    place: Place,
    execution: Option<String>,
    delivery: Delivery,
}

impl Message {
    fn read(delivery: Delivery) -> anyhow::Result<Self> {
        let headers = delivery.properties.headers().as_ref().context("no headers")?;
        let header = |name: &str| match headers.inner().get(name)? {
            AMQPValue::LongString(text) => Some(String::from_utf8_lossy(text.as_bytes()).into_owned()),
            _ => None,
        };
        let place =
            Place { flow: header("taskId").context("no flow")?, step: header("stepId").context("no step")? };
        let execution = header("execId");
        Ok(Self { place, execution, delivery })
    }

    async fn write(&self, writer: &Writer) -> anyhow::Result<()> {
        let value = std::str::from_utf8(&self.delivery.data)?;
        writer.write(&self.place, value, self.execution.as_deref()).await
    }
}

//! Queues in the broker: filled first, then opened at one moment to whoever waits at it.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions, ExchangeDeclareOptions,
    QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer, ExchangeKind,
};

use crate::load::Place;

/// How many messages are on their way before their confirms are awaited.
const UNCONFIRMED: usize = 1000;

/// A queue of the form that Lifeboat declares, with an exchange of its own.
pub struct Queue {
    connection: Connection,
    exchange: String,
    name: String,
}

/// A consumer that came first and takes nothing: while it is there, the broker gives the messages to no other, because
/// the queue has one single active consumer.
pub struct Gate {
    channel: Channel,
    _consumer: Consumer,
}

impl Queue {
    /// Declares exchange, queue and binding.
    pub async fn declare(uri: &str, exchange: &str, name: &str) -> anyhow::Result<Self> {
        let connection = connect(uri).await?;
        let queue = Self { connection, exchange: exchange.to_owned(), name: name.to_owned() };
        let channel = queue.connection.create_channel().await?;
        let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
        let none = FieldTable::default;
        channel.exchange_declare(short(exchange)?, ExchangeKind::Topic, durable, none()).await?;
        let mut arguments = none();
        arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
        let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        channel.queue_declare(short(name)?, durable, arguments).await?;
        let binding = short("#.snapshot")?;
        channel
            .queue_bind(short(name)?, short(exchange)?, binding, QueueBindOptions::default(), none())
            .await?;
        Ok(queue)
    }

    /// The queue's name.
    pub fn name(&self) -> anyhow::Result<ShortString> {
        short(&self.name)
    }

    /// Holds the queue shut; nobody may consume yet.
    pub async fn shut(&self) -> anyhow::Result<Gate> {
        let channel = self.connection.create_channel().await?;
        channel.basic_qos(1, BasicQosOptions::default()).await?;
        let options = BasicConsumeOptions::default();
        let consumer =
            channel.basic_consume(self.name()?, short("gate")?, options, FieldTable::default()).await?;
        Ok(Gate { channel, _consumer: consumer })
    }

    /// Publishes persistent messages as a sailor does, round the places, and waits for all confirms.
    pub async fn publish(&self, places: &[Place], bodies: &[String]) -> anyhow::Result<()> {
        let channel = self.connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let mut confirms = Vec::with_capacity(UNCONFIRMED);
        for (number, body) in bodies.iter().enumerate() {
            let place = &places[number % places.len()];
            let key = short(&format!("{}.{}.snapshot", place.flow, place.step))?;
            let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
            let published = channel.basic_publish(
                short(&self.exchange)?,
                key,
                options,
                body.as_bytes(),
                properties(place),
            );
            confirms.push(published.await?);
            if confirms.len() == UNCONFIRMED || number + 1 == bodies.len() {
                for confirm in confirms.drain(..) {
                    ensure!(confirm.await? == Confirmation::Ack(None), "the broker did not take a message");
                }
            }
        }
        channel.close(200, "done".into()).await?;
        Ok(())
    }

    /// How many messages wait that were not sent to a consumer.
    pub async fn depth(&self) -> anyhow::Result<u32> {
        let channel = self.connection.create_channel().await?;
        let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let queue = channel.queue_declare(self.name()?, passive, FieldTable::default()).await?;
        let depth = queue.message_count();
        channel.close(200, "done".into()).await?;
        Ok(depth)
    }

    /// Waits until no message waits any more.
    pub async fn drained(&self) -> anyhow::Result<()> {
        while self.depth().await? > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(())
    }
}

impl Gate {
    /// Lets the next consumer have the messages.
    pub async fn open(self) -> anyhow::Result<()> {
        self.channel.close(200, "open".into()).await.context("failed to open the queue")
    }
}

/// A connection of its own.
pub async fn connect(uri: &str) -> anyhow::Result<Connection> {
    Connection::connect(uri, ConnectionProperties::default()).await.context("failed to connect to RabbitMQ")
}

fn short(text: &str) -> anyhow::Result<ShortString> {
    Ok(ShortString::try_new(text)?)
}

/// The properties that `elasticio-sailor-nodejs` sends with a snapshot.
fn properties(place: &Place) -> BasicProperties {
    let mut headers = FieldTable::default();
    let mut header = |name: &str, value: &str| {
        if let Ok(name) = ShortString::try_new(name) {
            headers.insert(name, AMQPValue::LongString(value.into()));
        }
    };
    header("taskId", &place.flow);
    header("stepId", &place.step);
    header("execId", "0b6ff8ac5a3f4f7d9b1c2d3e4f5a6b7c");
    header("userId", "5c8f3d2e1a9b7c6d5e4f3a2b");
    header("workspaceId", "573dd76962436c349f000003");
    header("containerId", "6e1d3c3f0a2b4c5d8e9f7a6b");
    header("compId", "5d3c2b1a0f9e8d7c6b5a4f3e");
    header("function", "triggers/collect");
    header("threadId", "8f14e45fceea167a5a36dedd4bea2543");
    header("messageId", "c9f0f895-fb98-4b91-9f51-bd4dbe4d8a3f");
    header("parentMessageId", "45c48cce-2e2d-4fbd-aa1b-0d9f6a2c7b1e");
    header("start", "1772436573186");
    header("snapshotEvent", "snapshot");
    BasicProperties::default()
        .with_headers(headers)
        .with_content_type("application/json".into())
        .with_delivery_mode(2)
}

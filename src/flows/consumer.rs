//! The broker's consumer: takes what sailors publish, in the order of the queue, and acknowledges it once it is durable.
//!
//! The topology is ours and is declared at every connection: a durable topic exchange, a durable queue with one single
//! active consumer, a binding. The names are those of the Open Integration Hub by default.

use std::time::Duration;

use futures_util::{FutureExt, StreamExt};
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions, ExchangeDeclareOptions,
    QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, Connection, ConnectionProperties, ExchangeKind};
use tokio::sync::watch;
use zeroize::Zeroizing;

use crate::causes::chain;
use crate::manager::ManagerError;
use crate::model::Timestamp;
use crate::records::DeadLetter;

use super::dead_letters::KEPT_BODY_BYTES;
use super::emits::{BATCH, Bearer};
use super::{DeadLetterReason, Emit, EmitKind, FlowError, Flows, JsonText, Via};

/// The pause before the second try to connect; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// The pause before messages are tried again that a restore, or a fault of ours, keeps out.
const RETRY_PAUSE: Duration = Duration::from_millis(100);
const CONSUMER: &str = "lifeboat";

/// Where runtimes publish what components emit.
#[derive(Clone)]
pub struct Amqp {
    /// `amqp://` or `amqps://`, with user and password.
    pub uri: Zeroizing<String>,
    /// The exchange to which sailors publish.
    pub exchange: String,
    /// The queue from which is read.
    pub queue: String,
    /// The routing keys that get into the queue.
    pub binding: String,
    /// How many messages the broker sends ahead of their acknowledgement.
    pub prefetch: u16,
}

impl std::fmt::Debug for Amqp {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Amqp")
            .field("exchange", &self.exchange)
            .field("queue", &self.queue)
            .field("binding", &self.binding)
            .field("prefetch", &self.prefetch)
            .finish_non_exhaustive()
    }
}

/// Whether messages are taken from the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsumerState {
    /// No broker is set.
    Off,
    /// They are.
    Connected,
    /// The broker is not reached; it is tried again and again.
    Disconnected,
}

impl ConsumerState {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Connected => "connected",
            Self::Disconnected => "disconnected",
        }
    }
}

/// Why the connection to the broker ended.
#[derive(Debug, thiserror::Error)]
enum ConsumerError {
    #[error("failed to reach the broker, or to declare exchange, queue and binding there")]
    Setup(#[source] lapin::Error),
    #[error("the connection to the broker was lost")]
    Lost(#[source] lapin::Error),
    #[error("the connection to the broker was lost while messages waited to be written")]
    Closed,
    #[error("the broker ended the consumer: was the queue deleted?")]
    Cancelled,
    #[error("failed to keep messages that can't be used")]
    Keep(#[source] FlowError),
}

/// Consumes until `stop` is true: connects, and connects again whenever that ends.
pub(super) async fn run(flows: Flows, mut stop: watch::Receiver<bool>) {
    let Some(amqp) = flows.settings().amqp.clone() else { return };
    let mut pause = FIRST_PAUSE;
    while !*stop.borrow() {
        let outcome = consume(&flows, &amqp, &mut stop).await;
        let was_connected = flows.inner.consumer.send_replace(ConsumerState::Disconnected);
        let Err(error) = outcome else { return };
        if was_connected == ConsumerState::Connected {
            pause = FIRST_PAUSE;
        }
        // The library's errors name hosts and reasons, never the URI with its password.
        let chain = chain(&error);
        tracing::warn!(error = %chain, "no messages from the broker, next try in {} ms: {chain}", pause.as_millis());
        let jitter = pause.mul_f64(rand::random_range(0.8..1.2));
        let _ = tokio::time::timeout(jitter, stopped(&mut stop)).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Ends when the service stops.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // The only error is that nobody can say it any more.
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn consume(flows: &Flows, amqp: &Amqp, stop: &mut watch::Receiver<bool>) -> Result<(), ConsumerError> {
    let properties = ConnectionProperties::default().with_connection_name("lifeboat".into());
    let connecting = Connection::connect(&amqp.uri, properties);
    let connection = tokio::select! {
        connection = connecting => connection.map_err(ConsumerError::Setup)?,
        () = stopped(stop) => return Ok(()),
    };
    let channel = connection.create_channel().await.map_err(ConsumerError::Setup)?;
    let mut deliveries = declare(&channel, amqp).await.map_err(ConsumerError::Setup)?;
    flows.inner.consumer.send_replace(ConsumerState::Connected);
    tracing::info!(queue = amqp.queue, "taking messages from the queue `{}` of the broker", amqp.queue);
    let most = usize::from(amqp.prefetch / 2).clamp(1, BATCH);
    loop {
        let first = tokio::select! {
            first = deliveries.next() => first.ok_or(ConsumerError::Cancelled)?.map_err(ConsumerError::Lost)?,
            () = stopped(stop) => {
                // What was not acknowledged goes back to the queue, and comes again at the next start.
                let _ = channel.basic_cancel(CONSUMER.into(), BasicCancelOptions::default()).await;
                let _ = connection.close(200, "stopping".into()).await;
                return Ok(());
            }
        };
        let mut batch = vec![first];
        while batch.len() < most {
            match deliveries.next().now_or_never() {
                None => break,
                Some(next) => batch.push(next.ok_or(ConsumerError::Cancelled)?.map_err(ConsumerError::Lost)?),
            }
        }
        let Some(last) = batch.last() else { continue };
        let acker = last.acker.clone();
        if !apply(flows, &connection, batch, stop).await? {
            return Ok(());
        }
        acker.ack(BasicAckOptions { multiple: true }).await.map_err(ConsumerError::Lost)?;
    }
}

async fn declare(channel: &Channel, amqp: &Amqp) -> lapin::Result<lapin::Consumer> {
    let name = |text: &str| ShortString::try_new(text).unwrap_or_default();
    let exchange = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    channel
        .exchange_declare(name(&amqp.exchange), ExchangeKind::Topic, exchange, FieldTable::default())
        .await?;
    let mut arguments = FieldTable::default();
    arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
    let queue = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(name(&amqp.queue), queue, arguments).await?;
    channel
        .queue_bind(
            name(&amqp.queue),
            name(&amqp.exchange),
            name(&amqp.binding),
            QueueBindOptions::default(),
            FieldTable::default(),
        )
        .await?;
    channel.basic_qos(amqp.prefetch, BasicQosOptions::default()).await?;
    channel
        .basic_consume(
            name(&amqp.queue),
            CONSUMER.into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await
}

/// Makes a batch durable, in its order. Answers false where the service stops first: nothing of it is acknowledged then.
async fn apply(
    flows: &Flows,
    connection: &Connection,
    batch: Vec<Delivery>,
    stop: &mut watch::Receiver<bool>,
) -> Result<bool, ConsumerError> {
    let messages: Vec<Message> = batch.into_iter().map(Message::read).collect();
    let mut is_told = false;
    let outcomes = loop {
        let emits = messages.iter().filter_map(Message::emit).collect();
        match flows.apply(emits).await {
            Ok(outcomes) => break outcomes,
            // A restore keeps writers out: the messages wait, unacknowledged, for the state that it brings.
            Err(FlowError::Manager(ManagerError::Maintenance)) => {}
            Err(error) => {
                if !std::mem::replace(&mut is_told, true) {
                    let chain = chain(&error);
                    tracing::error!(error = %chain, "failed to write {} messages, trying again: {chain}", messages.len());
                }
            }
        }
        if !connection.status().connected() {
            return Err(ConsumerError::Closed);
        }
        if tokio::time::timeout(RETRY_PAUSE, stopped(stop)).await.is_ok() {
            return Ok(false);
        }
    };
    let written = outcomes.iter().filter(|outcome| outcome.is_ok()).count() as u64;
    flows.inner.meters.emits(Via::Amqp.as_str(), written);
    let mut outcomes = outcomes.into_iter();
    let letters: Vec<DeadLetter> = messages
        .iter()
        .filter_map(|message| {
            let reason = match &message.value {
                Err(reason) => *reason,
                Ok(_) => match outcomes.next()? {
                    Ok(_) => return None,
                    Err(refusal) => DeadLetterReason::of(&refusal)?,
                },
            };
            Some(message.dead_letter(reason))
        })
        .collect();
    if let Some(first) = letters.first() {
        tracing::warn!(
            count = letters.len(),
            reason = first.reason,
            flow.id = first.flow_id,
            step.id = first.step_id,
            "{} message(s) of the broker can't be used, the first one because of `{}`: they are acknowledged and kept as dead letters",
            letters.len(),
            first.reason
        );
        flows.keep_dead_letters(letters).await.map_err(ConsumerError::Keep)?;
    }
    Ok(true)
}

/// A message of the broker, as far as it was understood.
struct Message {
    flow: Option<String>,
    step: Option<String>,
    kind: EmitKind,
    execution_id: Option<String>,
    value: Result<JsonText, DeadLetterReason>,
    body: Vec<u8>,
    size_bytes: usize,
    routing_key: String,
    is_redelivered: bool,
}

impl Message {
    /// Reads flow, step and kind from the headers and the value from the body. Nothing else of a message counts: the
    /// sailor gives all emits of one call the same `messageId` and `start`.
    fn read(delivery: Delivery) -> Self {
        let headers = delivery.properties.headers().as_ref();
        let header = |name: &str| match headers?.inner().get(name)? {
            AMQPValue::LongString(text) => Some(String::from_utf8_lossy(text.as_bytes()).into_owned()),
            AMQPValue::ShortString(text) => Some(text.to_string()),
            _ => None,
        };
        let (flow, step, execution_id) = (header("taskId"), header("stepId"), header("execId"));
        let kind = match header("snapshotEvent").as_deref() {
            None | Some("snapshot") => Ok(EmitKind::Replace),
            Some("updateSnapshot") => Ok(EmitKind::Merge),
            Some(_) => Err(DeadLetterReason::UnknownEvent),
        };
        let value = match (&flow, &step, kind) {
            (None, _, _) | (_, None, _) => Err(DeadLetterReason::NoHeaders),
            (_, _, Err(reason)) => Err(reason),
            _ => JsonText::parse(&delivery.data).map_err(|_| DeadLetterReason::NotJson),
        };
        let size_bytes = delivery.data.len();
        let mut body = delivery.data;
        body.truncate(KEPT_BODY_BYTES);
        Self {
            flow,
            step,
            kind: kind.unwrap_or(EmitKind::Replace),
            execution_id,
            value,
            body,
            size_bytes,
            routing_key: delivery.routing_key.to_string(),
            is_redelivered: delivery.redelivered,
        }
    }

    fn emit(&self) -> Option<Emit> {
        Some(Emit {
            flow: self.flow.clone()?,
            step: self.step.clone()?,
            kind: self.kind,
            value: Ok(self.value.as_ref().ok()?.clone()),
            execution_id: self.execution_id.clone(),
            bearer: Bearer::Broker { is_redelivered: self.is_redelivered },
        })
    }

    fn dead_letter(&self, reason: DeadLetterReason) -> DeadLetter {
        DeadLetter {
            id: 0,
            received_at: Timestamp::now().to_string(),
            reason: reason.as_str().to_owned(),
            flow_id: self.flow.clone(),
            step_id: self.step.clone(),
            routing_key: self.routing_key.clone(),
            redelivered: self.is_redelivered,
            size_bytes: self.size_bytes as u64,
            body: String::from_utf8_lossy(&self.body).into_owned(),
        }
    }
}

//! The measurements. Each checks at its end that what was emitted last is what is there.

use std::collections::HashMap;
use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use futures_util::future::try_join_all;
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::task::JoinSet;

use crate::http::Http;
use crate::load::{Place, places_of, snapshot};
use crate::peer::{Kept, Writer, consume};
use crate::postgres::Postgres;
use crate::queue::Queue;
use crate::report::Report;
use crate::service::Service;

/// The clients that read at once.
const READERS: usize = 8;
/// How many messages the batched peer puts into a transaction, as Lifeboat does.
const BATCH: usize = 500;

/// Everything that runs, and what was measured.
pub struct Bench {
    pub uri: String,
    pub service: Service,
    pub postgres: Postgres,
    pub places: Vec<Place>,
    pub messages: usize,
    pub report: Report,
    emitted: usize,
}

impl Bench {
    /// A bench that has measured nothing.
    pub fn new(
        uri: String,
        service: Service,
        postgres: Postgres,
        places: Vec<Place>,
        messages: usize,
    ) -> Self {
        Self { uri, service, postgres, places, messages, report: Report::default(), emitted: 0 }
    }

    /// Messages of the broker: a full queue is opened, the clock stops when all are durable and acknowledged.
    pub async fn broker(&mut self) -> anyhow::Result<()> {
        let subject = "AMQP messages";
        let elapsed = self.broker_to_service(subject).await?;
        self.report.add(subject, "Lifeboat (value and history, batches)", self.messages as f64 / elapsed);
        let peers = [
            ("PostgreSQL, value, one transaction each", Kept::Value, 1),
            ("PostgreSQL, value and history, one transaction each", Kept::ValueAndHistory, 1),
            ("PostgreSQL, value, batches", Kept::Value, BATCH),
            ("PostgreSQL, value and history, batches", Kept::ValueAndHistory, BATCH),
        ];
        for (who, kept, batch) in peers {
            let bodies = self.bodies(self.messages);
            self.postgres.clear().await?;
            let queue = Queue::declare(&self.uri, "peer", "peer-snapshots").await?;
            let gate = queue.shut().await?;
            queue.publish(&self.places, &bodies).await?;
            let elapsed = consume(&self.postgres, &self.uri, &queue, gate, bodies.len(), kept, batch).await?;
            self.check_postgres(&last_of(&self.places, &bodies)).await?;
            self.report.add(subject, who, bodies.len() as f64 / elapsed.as_secs_f64());
        }
        Ok(())
    }

    async fn broker_to_service(&mut self, subject: &str) -> anyhow::Result<f64> {
        self.service.stop()?;
        let bodies = self.bodies(self.messages);
        let queue = Queue::declare(&self.uri, "component-events-collector", "flow-snapshots").await?;
        let gate = queue.shut().await?;
        queue.publish(&self.places, &bodies).await?;
        self.service.start_again().await?;
        let mut http = self.service.connect().await?;
        let place = &self.places[(bodies.len() - 1) % self.places.len()];
        let last = bodies.last().context("no messages")?;

        let used = self.service.processor_seconds()?;
        let begun = Instant::now();
        gate.open().await?;
        queue.drained().await?;
        while !is_value(&mut http, place, last).await? {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let elapsed = begun.elapsed().as_secs_f64();
        self.add_processor(subject, used, bodies.len())?;

        self.check_service(&last_of(&self.places, &bodies)).await?;
        self.service.stop()?;
        // What was not acknowledged would be back by now.
        ensure!(queue.depth().await? == 0, "messages were not acknowledged");
        self.service.start_again().await?;
        Ok(elapsed)
    }

    /// Emits by HTTP from so many clients at once.
    pub async fn http(&mut self, clients: usize) -> anyhow::Result<()> {
        let count = self.messages / 4 / clients;
        let plural = if clients == 1 { "" } else { "s" };
        let subject = format!("HTTP emits, {clients} client{plural}");
        let emits = self.emits_of_clients(clients, count);
        let mut connections = Vec::new();
        for _ in 0..clients {
            connections.push(self.service.connect().await?);
        }
        let used = self.service.processor_seconds()?;
        let work = connections.into_iter().zip(emits.clone()).map(|(mut http, emits)| async move {
            for (place, value) in emits {
                http.send(200, "POST", &place.path("/emit"), &value).await?;
            }
            Ok(())
        });
        let elapsed = at_once(work).await?;
        self.add_processor(&subject, used, clients * count)?;
        self.check_service(&last_of_clients(&emits)).await?;
        let rate = (clients * count) as f64 / elapsed;
        self.report.add(&subject, "Lifeboat (value and history)", rate);

        let peers =
            [("PostgreSQL, value", Kept::Value), ("PostgreSQL, value and history", Kept::ValueAndHistory)];
        for (who, kept) in peers {
            let emits = self.emits_of_clients(clients, count);
            self.postgres.clear().await?;
            let work = self.writers(clients, kept).await?.into_iter().zip(emits.clone());
            let work = work.map(|(writer, emits)| async move {
                for (place, value) in emits {
                    writer.write(&place, &value, None).await?;
                }
                Ok(())
            });
            let elapsed = at_once(work).await?;
            self.check_postgres(&last_of_clients(&emits)).await?;
            self.report.add(&subject, who, (clients * count) as f64 / elapsed);
        }
        Ok(())
    }

    /// Reads of single values, by several clients at once.
    pub async fn reads(&mut self) -> anyhow::Result<()> {
        let count = self.messages / READERS;
        let subject = format!("Reads, {READERS} clients");
        let mut connections = Vec::new();
        for _ in 0..READERS {
            connections.push((self.service.connect().await?, self.places.clone()));
        }
        let used = self.service.processor_seconds()?;
        let elapsed = at_once(connections.into_iter().map(|(mut http, places)| async move {
            for place in places.iter().cycle().take(count) {
                http.send(200, "GET", &place.path(""), "").await?;
            }
            Ok(())
        }))
        .await?;
        self.add_processor(&subject, used, READERS * count)?;
        self.report.add(&subject, "Lifeboat", (READERS * count) as f64 / elapsed);

        let writers = self.writers(READERS, Kept::Value).await?;
        for place in &self.places {
            writers[0].write(place, &snapshot(self.emitted), None).await?;
        }
        let places = &self.places;
        let elapsed = at_once(writers.into_iter().zip(std::iter::repeat(places.clone())).map(
            |(writer, places)| async move {
                for place in places.iter().cycle().take(count) {
                    writer.read(place).await?;
                }
                Ok(())
            },
        ))
        .await?;
        self.report.add(&subject, "PostgreSQL, `SELECT`", (READERS * count) as f64 / elapsed);
        Ok(())
    }

    fn bodies(&mut self, count: usize) -> Vec<String> {
        let from = self.emitted;
        self.emitted += count;
        (from..self.emitted).map(snapshot).collect()
    }

    fn emits_of_clients(&mut self, clients: usize, count: usize) -> Vec<Vec<(Place, String)>> {
        (0..clients)
            .map(|client| {
                let places = places_of(&self.places, client, clients);
                places.into_iter().cycle().zip(self.bodies(count)).collect()
            })
            .collect()
    }

    async fn writers(&self, count: usize, kept: Kept) -> anyhow::Result<Vec<Writer>> {
        try_join_all((0..count).map(|_| Writer::new(&self.postgres, kept))).await
    }

    fn add_processor(&mut self, subject: &str, before: f64, count: usize) -> anyhow::Result<()> {
        let used = self.service.processor_seconds()? - before;
        self.report.add_processor(subject, used * 1e6 / count as f64);
        Ok(())
    }

    async fn check_service(&self, last: &Last) -> anyhow::Result<()> {
        let mut http = self.service.connect().await?;
        for (place, values) in last {
            let found = value(&mut http, place).await?;
            ensure!(values.contains(&found), "{place:?} is {found}, not one of {values:?}");
        }
        Ok(())
    }

    async fn check_postgres(&self, last: &Last) -> anyhow::Result<()> {
        let reader = Writer::new(&self.postgres, Kept::Value).await?;
        for (place, values) in last {
            let found = reader.read(place).await?;
            ensure!(values.contains(&found), "{place:?} is {found} in PostgreSQL, not one of {values:?}");
        }
        Ok(())
    }
}

/// The values of which one has to be there in the end: one for each client that emitted to the place.
type Last = HashMap<Place, Vec<String>>;

fn last_of(places: &[Place], bodies: &[String]) -> Last {
    let emits = places.iter().cycle().cloned().zip(bodies.iter().cloned()).collect();
    last_of_clients(&[emits])
}

fn last_of_clients(clients: &[Vec<(Place, String)>]) -> Last {
    let mut last = Last::new();
    for emits in clients {
        let own: HashMap<&Place, &String> = emits.iter().map(|(place, value)| (place, value)).collect();
        for (place, value) in own {
            last.entry(place.clone()).or_default().push(value.clone());
        }
    }
    last
}

/// Runs the work of all clients, begun together, and answers the seconds until the last has ended.
async fn at_once<F>(work: impl Iterator<Item = F>) -> anyhow::Result<f64>
where
    F: Future<Output = anyhow::Result<()>> + Send + 'static,
{
    let begun = Instant::now();
    let mut clients: JoinSet<_> = work.collect();
    while let Some(ended) = clients.join_next().await {
        ended??;
    }
    Ok(begun.elapsed().as_secs_f64())
}

#[derive(Deserialize)]
struct Document {
    data: Resource,
}

#[derive(Deserialize)]
struct Resource {
    attributes: Attributes,
}

#[derive(Deserialize)]
struct Attributes {
    snapshot: Box<RawValue>,
}

async fn value(http: &mut Http, place: &Place) -> anyhow::Result<String> {
    let text = http.send(200, "GET", &place.path(""), "").await?;
    Ok(serde_json::from_str::<Document>(&text)?.data.attributes.snapshot.get().to_owned())
}

async fn is_value(http: &mut Http, place: &Place, expected: &str) -> anyhow::Result<bool> {
    Ok(value(http, place).await.is_ok_and(|found| found == expected))
}

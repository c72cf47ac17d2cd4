//! Chart snapshots and the jobs that draw them.
//!
//! What is drawn is kept with the snapshot when it is asked for: editing or deleting a chart changes no picture.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::executions::{JobError, table};
use crate::files::OpenFile;
use crate::model::{BlobId, Caller, Execution, ExecutionId, ExecutionStatus, TenantName, UserName, Workflow};
use crate::records::{ChartSnapshotRecord, Records, RecordsError};

use super::definition::TagCondition;
use super::drawing::{PictureRequest, Stores, picture};
use super::render::{Look, to_png, to_svg};
use super::spaces::{Found, Slice, chart_by_id, now};
use super::{ChartDefinition, ChartError, ChartKind, Charts};

/// The longest window, in seconds: four weeks.
pub const MAX_DURATION: i64 = 2_419_200;
/// The window where none is asked for, in seconds.
const DEFAULT_DURATION: i64 = 3600;
/// The most pictures that wait to be drawn.
const MAX_WAITING: u64 = 1000;
/// How many of the pictures that jobs draw of themselves a tenant keeps: the newest.
const KEPT_JOB_CHARTS: u32 = 1000;
/// How much the caller's clock may be ahead of ours, in seconds.
const CLOCK_SKEW: i64 = 5;

/// How a picture is to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PictureSize {
    /// The width in CSS pixels, 200 to 2000.
    pub width: u32,
    /// The height in CSS pixels, 120 to 2000.
    pub height: u32,
    /// Pixels for a CSS pixel, 1 or 2.
    pub scale: u32,
    /// Whether it is drawn light on dark.
    pub dark: bool,
}

impl Default for PictureSize {
    fn default() -> Self {
        Self { width: 600, height: 416, scale: 1, dark: false }
    }
}

/// What a caller asks.
#[derive(Clone, Debug, Default)]
pub struct NewChartSnapshot {
    /// The chart.
    pub chart: i64,
    /// How it is to look, where not as the chart says.
    pub kind: Option<ChartKind>,
    /// Only sources like this one.
    pub source: Option<String>,
    /// Only series with these tags.
    pub tags: Vec<TagCondition>,
    /// The length of the window in seconds; an hour where `None`.
    pub duration: Option<i64>,
    /// Its end, in seconds since 1970; now where `None`.
    pub end_time: Option<i64>,
    /// Size and look.
    pub size: PictureSize,
}

/// What is kept of a request: the chart as it was, and how to draw it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct KeptRequest {
    pub definition: ChartDefinition,
    pub source: Option<String>,
    #[serde(default)]
    pub tags: Vec<TagCondition>,
    pub size: PictureSize,
}

/// A chart snapshot.
#[derive(Clone, Debug)]
pub struct ChartSnapshot {
    /// Its number.
    pub id: i64,
    /// The number of the job that draws it.
    pub job: i64,
    /// The chart; it may be gone.
    pub chart: i64,
    /// How it looks.
    pub kind: ChartKind,
    /// The source that was asked for; `*` where none was.
    pub source: String,
    /// The tags that were asked for.
    pub tags: Vec<TagCondition>,
    /// The length of the window in seconds.
    pub duration: i64,
    /// Its end, in seconds since 1970.
    pub end_time: i64,
    /// When it was asked for.
    pub created_at: i64,
    /// When it changed last.
    pub updated_at: i64,
    /// The name of its picture without an ending; none before it is drawn.
    pub image: Option<String>,
}

impl ChartSnapshot {
    fn new(record: &ChartSnapshotRecord) -> Result<Self, ChartError> {
        let kept: KeptRequest =
            serde_json::from_str(&record.request).map_err(|error| ChartError::Io(error.into()))?;
        Ok(Self {
            id: record.id,
            job: record.job,
            chart: record.chart_id,
            kind: kept.definition.kind,
            source: kept.source.unwrap_or_else(|| "*".to_owned()),
            tags: kept.tags,
            duration: record.duration,
            end_time: record.end_time,
            created_at: record.created_at,
            updated_at: record.updated_at,
            image: record.png.as_ref().map(|_| image_name(record)),
        })
    }
}

/// The name of a picture without an ending. Its first part can't be guessed; the other is the snapshot's number.
fn image_name(record: &ChartSnapshotRecord) -> String {
    format!("{}-{}", record.image_key, record.id)
}

/// In which form a picture is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImageForm {
    /// As pixels.
    Png,
    /// As shapes.
    Svg,
}

/// A job as Librato's clients see an execution.
#[derive(Clone, Debug)]
pub struct ChartJob {
    /// Its number.
    pub id: i64,
    /// `queued`, `working`, `complete`, `failed`, `canceled`.
    pub state: &'static str,
    /// How much is done, 0 to 100.
    pub progress: f64,
    /// What it made, for one that drew a chart.
    pub output: Option<Value>,
    /// Why it failed.
    pub error: Option<String>,
}

/// The record of a chart snapshot that is drawn by `execution`.
pub(super) fn record(
    execution: &Execution,
    chart: i64,
    kept: &KeptRequest,
    end_time: i64,
    duration: i64,
) -> Result<ChartSnapshotRecord, ChartError> {
    const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    // About 124 bits: nobody finds a picture by trying names.
    let image_key = (0..24).map(|_| char::from(ALPHABET[rand::random_range(0..ALPHABET.len())])).collect();
    let request = serde_json::to_string(kept).map_err(|error| ChartError::Io(error.into()))?;
    let at = now();
    Ok(ChartSnapshotRecord {
        id: 0,
        tenant_name: execution.tenant_name.clone(),
        execution_id: execution.id,
        job: 0,
        chart_id: chart,
        request,
        end_time,
        duration,
        created_at: at,
        updated_at: at,
        created_by: execution.created_by.clone(),
        image_key,
        png: None,
        svg: None,
    })
}

/// The execution that draws a chart.
pub(super) fn render_execution(tenant: TenantName, user: UserName, chart: i64) -> Execution {
    let mut parameters = Map::new();
    parameters.insert("chart_id".to_owned(), Value::from(chart));
    Execution {
        id: ExecutionId::new(),
        workflow: Workflow::RenderChart,
        tenant_name: tenant,
        created_by: user,
        deployment_id: None,
        blueprint_id: None,
        snapshot_id: None,
        status: ExecutionStatus::Pending,
        error: String::new(),
        parameters,
        created_at: crate::model::Timestamp::now(),
        scheduled_for: None,
        is_dry_run: false,
        group: None,
    }
}

impl Charts {
    /// Records a snapshot of a chart and the job that draws it.
    ///
    /// # Errors
    /// [`ChartError::NotFound`] for the chart; [`ChartError::Parameter`] for a window that lies in the future or is too
    /// long; [`ChartError::TooMany`]. No record is left then.
    pub async fn create_snapshot(
        &self,
        caller: &Caller,
        new: NewChartSnapshot,
    ) -> Result<ChartSnapshot, ChartError> {
        let duration = new.duration.unwrap_or(DEFAULT_DURATION);
        if !(1..=MAX_DURATION).contains(&duration) {
            let reason = format!("is not from 1 to {MAX_DURATION} seconds");
            return Err(ChartError::parameter("duration", reason));
        }
        let present = now();
        let end_time = new.end_time.unwrap_or(present);
        if end_time > present + CLOCK_SKEW || end_time < duration {
            return Err(ChartError::parameter("end_time", "is in the future, or before 1970"));
        }
        let (tenant, chart) = (caller.tenant.clone(), new.chart);
        let chart = self
            .read(move |connection| chart_by_id(connection, &tenant, chart))
            .await?
            .ok_or_else(|| ChartError::NotFound { noun: "chart", id: new.chart.to_string() })?;
        let mut definition = chart.definition;
        if let Some(kind) = new.kind {
            definition.kind = kind;
        }
        let kept = KeptRequest { definition, source: new.source, tags: new.tags, size: new.size };
        let execution = render_execution(caller.tenant.clone(), caller.user.clone(), chart.id);
        let record = record(&execution, chart.id, &kept, end_time, duration)?;
        let (most, tenant) = (self.settings().max_snapshots, caller.tenant.clone());
        let execution_id = execution.id;
        self.inner
            .engine
            .enqueue(execution, false, move |tx, _| {
                let (asked, waiting) = Records::count_chart_snapshots(tx, &tenant)?;
                if waiting >= MAX_WAITING {
                    let message = format!("{waiting} pictures wait to be drawn: ask again in a while");
                    return Err(ChartError::TooMany(message));
                }
                if asked >= most {
                    let message = format!(
                        "the tenant `{tenant}` has {asked} chart snapshots, and the setting `charts.max_snapshots` allows {most}: delete some"
                    );
                    return Err(ChartError::TooMany(message));
                }
                Records::insert_chart_snapshot(tx, &record)?;
                Ok(())
            })
            .await?;
        let found = self
            .inner
            .records
            .read(move |connection| Records::chart_snapshot_of(connection, execution_id))
            .await?;
        found
            .as_ref()
            .map(ChartSnapshot::new)
            .unwrap_or_else(|| Err(ChartError::NotFound { noun: "snapshot", id: execution_id.to_string() }))
    }

    /// One chart snapshot of the caller's tenant.
    ///
    /// # Errors
    /// [`ChartError::NotFound`].
    pub async fn snapshot(&self, caller: &Caller, id: i64) -> Result<ChartSnapshot, ChartError> {
        let tenant = caller.tenant.clone();
        let found = self
            .inner
            .records
            .read(move |connection| Records::chart_snapshot(connection, &tenant, id))
            .await?;
        let record = found.ok_or_else(|| ChartError::NotFound { noun: "snapshot", id: id.to_string() })?;
        ChartSnapshot::new(&record)
    }

    /// A part of the chart snapshots of the caller's tenant, by number.
    ///
    /// # Errors
    /// The records' own.
    pub async fn snapshots(&self, caller: &Caller, slice: Slice) -> Result<Found<ChartSnapshot>, ChartError> {
        let tenant = caller.tenant.clone();
        let (records, total) = self
            .inner
            .records
            .read(move |connection| {
                Records::chart_snapshots(connection, &tenant, slice.offset, slice.length, slice.descending)
            })
            .await?;
        let items = records.iter().map(ChartSnapshot::new).collect::<Result<_, _>>()?;
        Ok(Found { items, found: total, total })
    }

    /// Removes a chart snapshot and its pictures.
    ///
    /// # Errors
    /// [`ChartError::NotFound`].
    pub async fn delete_snapshot(&self, caller: &Caller, id: i64) -> Result<(), ChartError> {
        let tenant = caller.tenant.clone();
        self.inner
            .records
            .write(move |tx| {
                Records::chart_snapshot(tx, &tenant, id)?
                    .ok_or_else(|| ChartError::NotFound { noun: "snapshot", id: id.to_string() })?;
                Records::delete_chart_snapshot(tx, id)?;
                Ok(())
            })
            .await
    }

    /// Opens the picture of this name (without an ending). With `tenant` only if it is that one's, else whoever asks: who
    /// knows the name may see it.
    ///
    /// # Errors
    /// [`ChartError::NotFound`] for a name that is none, or a picture that is not drawn yet.
    pub async fn image(
        &self,
        name: &str,
        form: ImageForm,
        tenant: Option<&TenantName>,
    ) -> Result<OpenFile, ChartError> {
        let not_found = || ChartError::NotFound { noun: "picture", id: name.to_owned() };
        let (key, id) = name.rsplit_once('-').ok_or_else(not_found)?;
        let id: i64 = id.parse().map_err(|_| not_found())?;
        let key = key.to_owned();
        let found = self
            .inner
            .records
            .read(move |connection| Records::chart_snapshot_by_image(connection, id, &key))
            .await?;
        let found = found.filter(|record| tenant.is_none_or(|tenant| record.tenant_name == *tenant));
        let blob: Option<BlobId> = found.and_then(|record| match form {
            ImageForm::Png => record.png,
            ImageForm::Svg => record.svg,
        });
        let (blob, blobs) = (blob.ok_or_else(not_found)?, self.inner.manager.blobs().clone());
        tokio::task::spawn_blocking(move || Ok::<_, ChartError>(OpenFile::new(blobs.read(&blob)?)?))
            .await
            .map_err(|_| ChartError::Io(std::io::Error::other("the read was interrupted")))?
    }

    /// A job of the caller's tenant by its number.
    ///
    /// # Errors
    /// [`ChartError::NotFound`].
    pub async fn job(&self, caller: &Caller, number: i64) -> Result<ChartJob, ChartError> {
        let (tenant, is_admin) = (caller.tenant.clone(), caller.is_admin());
        self.inner
            .records
            .read(move |connection| {
                let (found, done) = table::find_numbered(connection, number)?
                    .filter(|(job, _)| job.tenant_name == tenant || is_admin)
                    .ok_or_else(|| ChartError::NotFound { noun: "job", id: number.to_string() })?;
                let drawn = Records::chart_snapshot_of(connection, found.id)?;
                let output = drawn.and_then(|record| {
                    record
                        .png
                        .is_some()
                        .then(|| json!({ "snapshot": record.id, "image": image_name(&record) }))
                });
                Ok(ChartJob {
                    id: number,
                    state: state(found.status),
                    progress: if found.status == ExecutionStatus::Terminated { 100.0 } else { done },
                    output,
                    error: (found.status == ExecutionStatus::Failed).then_some(found.error),
                })
            })
            .await
    }

    /// Asks a job to stop: one that the caller asked for, or with `of_anybody` any.
    ///
    /// # Errors
    /// [`ChartError::NotFound`]; [`ChartError::Forbidden`] for a job of somebody else or one that draws no chart;
    /// [`ChartError::Execution`] where it has ended.
    pub async fn cancel_job(&self, caller: &Caller, number: i64, of_anybody: bool) -> Result<(), ChartError> {
        let (tenant, is_admin) = (caller.tenant.clone(), caller.is_admin());
        let job = self
            .inner
            .records
            .read(move |connection| {
                let found = table::find_numbered(connection, number)?.map(|(job, _)| job);
                found
                    .filter(|job| job.tenant_name == tenant || is_admin)
                    .ok_or_else(|| ChartError::NotFound { noun: "job", id: number.to_string() })
            })
            .await?;
        if job.workflow != Workflow::RenderChart {
            let message = "only jobs that draw charts are cancelled here: cancel the execution instead";
            return Err(ChartError::Forbidden(message.to_owned()));
        }
        if job.created_by != caller.user && !of_anybody {
            let message = format!(
                "the job `{number}` was asked for by `{}`: you may cancel only your own",
                job.created_by
            );
            return Err(ChartError::Forbidden(message));
        }
        self.inner.engine.cancel(job.id, crate::model::CancelMode::Cancel).await?;
        Ok(())
    }
}

/// The word of Librato's clients for a status.
fn state(status: ExecutionStatus) -> &'static str {
    match status {
        ExecutionStatus::Pending | ExecutionStatus::Queued | ExecutionStatus::Scheduled => "queued",
        ExecutionStatus::Started
        | ExecutionStatus::Cancelling
        | ExecutionStatus::ForceCancelling
        | ExecutionStatus::KillCancelling => "working",
        ExecutionStatus::Terminated => "complete",
        ExecutionStatus::Failed => "failed",
        ExecutionStatus::Cancelled => "canceled",
    }
}

/// Draws the picture that a record asks for. For blocking threads.
///
/// # Errors
/// The stores' own; a picture that can't be drawn.
pub fn draw(record: &ChartSnapshotRecord, stores: &Stores) -> Result<(Vec<u8>, String), ChartError> {
    let kept: KeptRequest =
        serde_json::from_str(&record.request).map_err(|error| ChartError::Io(error.into()))?;
    let size = kept.size;
    let picture = picture(
        &PictureRequest {
            tenant: record.tenant_name.clone(),
            definition: kept.definition,
            source: kept.source,
            tags: kept.tags,
            start: record.end_time - record.duration,
            end: record.end_time,
            width: size.width,
            height: size.height,
            scale: size.scale,
            look: if size.dark { Look::Dark } else { Look::Light },
        },
        stores,
    )?;
    let svg = to_svg(&picture);
    let png = to_png(&svg, size.scale).map_err(|error| ChartError::Io(std::io::Error::other(error)))?;
    Ok((png, svg))
}

/// Records the picture of a backup or a restore: the window from 15 minutes before its start to its end. In the transaction
/// of its end.
///
/// # Errors
/// The records' own.
pub fn record_job_chart(
    tx: &rusqlite::Transaction<'_>,
    of: &Execution,
    started_at: i64,
) -> Result<Option<(i64, ExecutionId)>, RecordsError> {
    const BEFORE: i64 = 15 * 60;
    let Some(chart) =
        super::own::charts().into_iter().find(|chart| chart.id == super::own::OWN_CHART_OF_JOBS)
    else {
        return Ok(None);
    };
    let end = now() + 1;
    let execution = render_execution(of.tenant_name.clone(), of.created_by.clone(), chart.id);
    let kept = KeptRequest {
        definition: chart.definition,
        source: None,
        tags: Vec::new(),
        size: PictureSize::default(),
    };
    let duration = (end - (started_at - BEFORE)).clamp(1, MAX_DURATION);
    let Ok(record) = record(&execution, chart.id, &kept, end, duration) else { return Ok(None) };
    table::insert(tx, &execution)?;
    table::set_parent(tx, execution.id, of.id)?;
    Records::prune_job_charts(tx, &of.tenant_name, KEPT_JOB_CHARTS - 1)?;
    let id = Records::insert_chart_snapshot(tx, &record)?;
    Ok(Some((id, execution.id)))
}

impl From<ChartError> for JobError {
    fn from(error: ChartError) -> Self {
        match error {
            ChartError::Manager(error) => error.into(),
            ChartError::Records(error) => error.into(),
            ChartError::Store(_) | ChartError::Io(_) => Self::internal("failed to draw the chart", &error),
            other => Self::Failed(other.to_string()),
        }
    }
}

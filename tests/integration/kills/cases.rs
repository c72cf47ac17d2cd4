//! Where a server is killed, while it does what, and what has to be there afterwards.

use std::fmt;

/// What a server is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deed {
    Create,
    /// One that pauses the flows.
    CreatePausing,
    /// One whose writing is behind, while the databases' logs are longer than they may be.
    CreateSpooling,
    Upload,
    /// One of what is no archive.
    UploadRefused,
    /// An upload by URL.
    Fetch,
    Delete,
    Restore,
    /// One after another, whose kept state goes.
    RestoreAgain,
    Rollback,
    Capture,
    RestoreFlow,
    Undo,
    Render,
    RunWorkflow,
    AddPlugin,
    /// An update of the plugins of two deployments.
    UpdatePlugins,
    Plan,
    /// A plan of a restore of one kind of entity only, which is tried in a copy.
    PlanSelection,
    Diff,
    Reseal,
    /// A restore of one kind of entity only.
    Select,
    Verify,
}

/// What is there afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing has happened.
    Before,
    /// It has happened wholly.
    After,
}

/// One kill, or one and a second inside the recovery from it.
#[derive(Debug)]
pub struct Case {
    pub deed: Deed,
    pub at: &'static str,
    /// Where the start after it is killed.
    pub then: Option<&'static str>,
    pub outcome: Outcome,
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} killed at {}", self.deed, self.at)?;
        self.then.map_or(Ok(()), |then| write!(formatter, ", and its recovery at {then}"))
    }
}

const fn kill(deed: Deed, at: &'static str, outcome: Outcome) -> Case {
    Case { deed, at, then: None, outcome }
}

const fn twice(deed: Deed, at: &'static str, then: &'static str, outcome: Outcome) -> Case {
    Case { deed, at, then: Some(then), outcome }
}

use Deed::{
    AddPlugin, Capture, Create, CreatePausing, CreateSpooling, Delete, Diff, Fetch, Plan, PlanSelection,
    Render, Reseal, Restore, RestoreAgain, RestoreFlow, Rollback, RunWorkflow, Select, Undo, UpdatePlugins,
    Upload, UploadRefused, Verify,
};
use Outcome::{After, Before};

/// Every failpoint of the service stands here.
pub const CASES: &[Case] = &[
    kill(Create, "execution:claimed", Before),
    kill(Create, "create:collecting", Before),
    kill(CreatePausing, "create:paused", Before),
    twice(CreatePausing, "create:paused", "recover:resumed", Before),
    kill(Create, "cut:measurements", Before),
    kill(Create, "create:cut", Before),
    kill(Create, "create:writing", Before),
    kill(Create, "collect:table", Before),
    kill(Create, "collect:writing", Before),
    kill(CreateSpooling, "collect:spooling", Before),
    kill(CreateSpooling, "collect:spooled", Before),
    kill(CreateSpooling, "collect:let_go", Before),
    twice(CreateSpooling, "collect:let_go", "start:emptied", Before),
    kill(Create, "create:written", Before),
    kill(Create, "create:publishing", Before),
    kill(Create, "store:synced", Before),
    kill(Create, "store:renamed", Before),
    kill(Create, "create:published", Before),
    twice(Create, "create:published", "start:closed", Before),
    twice(Create, "create:published", "recover:removed", Before),
    kill(Create, "create:recorded", After),
    twice(Create, "create:recorded", "recover:written", After),
    twice(Create, "create:writing", "start:emptied", Before),
    kill(Upload, "upload:recorded", Before),
    kill(Upload, "upload:writing", Before),
    kill(Upload, "upload:judged", Before),
    kill(Upload, "store:synced", Before),
    kill(Upload, "store:renamed", Before),
    kill(Upload, "upload:kept", Before),
    twice(Upload, "upload:kept", "recover:uploads", Before),
    twice(Upload, "upload:kept", "recover:removed", Before),
    kill(Upload, "upload:ended", After),
    kill(UploadRefused, "upload:refused", Before),
    kill(Fetch, "fetch:recorded", Before),
    kill(Fetch, "upload:writing", Before),
    kill(Fetch, "upload:kept", Before),
    kill(Fetch, "upload:ended", After),
    kill(Delete, "delete:recorded", After),
    twice(Delete, "delete:recorded", "recover:removed", After),
    kill(Delete, "delete:removed", After),
    kill(Restore, "restore:judged", Before),
    kill(Restore, "restore:planning", Before),
    kill(Restore, "restore:journalled", Before),
    kill(Restore, "restore:filling", Before),
    kill(Restore, "restore:staging", Before),
    kill(Restore, "restore:staged", Before),
    kill(Restore, "restore:swapping", After),
    kill(Restore, "swap:linked", After),
    kill(Restore, "swap:renamed", After),
    kill(Restore, "restore:swapped", After),
    kill(Restore, "restore:finishing", After),
    kill(Restore, "restore:tidied", After),
    kill(Restore, "restore:finished", After),
    kill(Restore, "restore:done", After),
    kill(Restore, "restore:recreated", After),
    twice(Restore, "restore:filling", "recover:journal", Before),
    twice(Restore, "restore:staged", "recover:journalled", Before),
    twice(Restore, "restore:staged", "generation:removing", Before),
    twice(Restore, "restore:staged", "recover:generations", Before),
    twice(Restore, "restore:swapping", "recover:journal", After),
    twice(Restore, "restore:swapping", "swap:linked", After),
    twice(Restore, "restore:swapping", "swap:renamed", After),
    twice(Restore, "swap:linked", "recover:swapped", After),
    twice(Restore, "swap:renamed", "recover:tidied", After),
    twice(Restore, "restore:swapped", "recover:journalled", After),
    twice(Restore, "restore:finishing", "recover:ended", After),
    twice(Restore, "restore:tidied", "recover:written", After),
    kill(RestoreAgain, "generation:removing", After),
    kill(RestoreAgain, "restore:swapping", After),
    twice(RestoreAgain, "restore:swapping", "generation:removing", After),
    twice(RestoreAgain, "restore:finishing", "recover:garbage", After),
    kill(Rollback, "rollback:swapping", After),
    kill(Rollback, "swap:linked", After),
    kill(Rollback, "restore:swapped", After),
    kill(Rollback, "restore:finished", After),
    twice(Rollback, "rollback:swapping", "swap:renamed", After),
    twice(Rollback, "rollback:swapping", "recover:journalled", After),
    kill(Capture, "capture:taking", Before),
    kill(Capture, "capture:taken", After),
    twice(Capture, "capture:taken", "recover:written", After),
    kill(RestoreFlow, "restore_flow:writing", Before),
    kill(RestoreFlow, "restore_flow:written", After),
    twice(RestoreFlow, "restore_flow:written", "recover:written", After),
    kill(Undo, "undo:writing", Before),
    kill(Undo, "undo:written", After),
    kill(Render, "render:drawing", After),
    kill(Render, "blob:synced", After),
    kill(Render, "render:keeping", After),
    kill(Render, "render:kept", After),
    twice(Render, "render:keeping", "start:closed", After),
    kill(Reseal, "reseal:writing", Before),
    kill(Reseal, "reseal:verified", Before),
    kill(Reseal, "reseal:announced", Before),
    kill(Reseal, "reseal:kept", Before),
    twice(Reseal, "reseal:kept", "start:closed", Before),
    kill(Reseal, "reseal:replaced", After),
    twice(Reseal, "reseal:replaced", "recover:written", After),
    kill(Select, "restore:selected", Before),
    twice(Select, "restore:selected", "recover:generations", Before),
    kill(Verify, "verify:reading", Before),
    kill(Verify, "verify:hashed", Before),
    kill(Verify, "verify:judging", Before),
    kill(Plan, "plan:comparing", Before),
    kill(Plan, "plan:read", Before),
    kill(PlanSelection, "plan:selected", Before),
    twice(PlanSelection, "plan:selected", "generation:removing", Before),
    kill(Diff, "diff:comparing", Before),
    kill(Diff, "diff:read", Before),
    kill(RunWorkflow, "workflow:running", Before),
    twice(RunWorkflow, "workflow:running", "start:closed", Before),
    kill(UpdatePlugins, "update_plugin:updated", Before),
    twice(UpdatePlugins, "update_plugin:updated", "start:closed", Before),
    kill(UpdatePlugins, "update_plugin:finalizing", Before),
    kill(UpdatePlugins, "update_plugin:finalized", After),
    kill(AddPlugin, "blob:synced", Before),
    kill(AddPlugin, "blob:renamed", Before),
    twice(AddPlugin, "blob:renamed", "garbage:moved", Before),
];

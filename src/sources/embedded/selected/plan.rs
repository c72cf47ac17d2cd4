//! What a selective restore would do: it is done, in a copy of the live state that goes, and compared with what was there.

use crate::executions::Job;
use crate::failpoints;
use crate::manager::Generation;
use crate::model::Timestamp;

use super::super::super::{CollectOptions, EntrySource, SourceError};
use super::super::{Embedded, Index, IndexSink, Reading, Side, state};
use super::rules::{BrokenRule, Purpose};
use super::{Scratch, Selected, Wish, Work, measured};

/// What a selective restore would do.
#[derive(Debug)]
pub struct PlannedSelection {
    /// What it would say of itself; none where it can't be done.
    pub selected: Option<Selected>,
    /// The rules by which it would be refused.
    pub broken: Vec<BrokenRule>,
}

impl Embedded {
    /// Does what [`Embedded::stage_selected`] does, in a copy that goes, and takes the state of before and of after into
    /// `index`. Writers go on meanwhile: the copy is of one moment.
    ///
    /// # Errors
    /// As [`Embedded::stage`]. That the restore would be refused is none.
    pub fn plan_selected(
        &self,
        job: &Job,
        entries: &dyn EntrySource,
        wish: &Wish,
        index: &mut Index,
    ) -> Result<PlannedSelection, SourceError> {
        let began = Timestamp::now().to_string();
        let (scratch, archived) = self.fill_scratch(job, entries)?;
        let is_measured = measured::may_be_meant(entries, &wish.selection);
        let copy = self.copy_of_live(is_measured)?;
        let (number, purpose) = (copy.generation().number, Purpose::plan());
        let archive = scratch.generation();
        let work = Work { embedded: self, job, entries, wish, purpose: &purpose, began, archive, number };
        self.take_in(job, copy.generation(), index, Side::First, is_measured)?;
        let changed = work.change(archived).and_then(|mut changed| {
            if is_measured {
                work.change_metrics(copy.generation(), &mut changed.selected)?;
            }
            Ok(changed.selected)
        });
        failpoints::hit("plan:selected", job)?;
        let selected = match changed {
            Ok(selected) => Some(selected),
            Err(_) if job.is_cancelled() => return Err(SourceError::Cancelled),
            // What stands in its way beside those rules.
            Err(SourceError::Refused(message)) => {
                purpose.refuse("does_not_fit", message)?;
                None
            }
            Err(error) => return Err(error),
        };
        if selected.is_some() {
            self.take_in(job, copy.generation(), index, Side::Second, is_measured)?;
        }
        Ok(PlannedSelection { selected, broken: purpose.broken() })
    }

    fn copy_of_live(&self, with_metrics: bool) -> Result<Scratch<'_>, SourceError> {
        let generations = self.manager.generations();
        let number = generations.create_copy(&self.manager.current(), with_metrics).map_err(state)?;
        match generations.load(number) {
            Ok(generation) => Ok(Scratch { embedded: self, generation: Some(generation) }),
            Err(error) => {
                self.remove(number);
                Err(state(error))
            }
        }
    }

    /// Takes all that a generation holds into one side of a comparison.
    fn take_in(
        &self,
        job: &Job,
        generation: &Generation,
        index: &mut Index,
        side: Side,
        is_measured: bool,
    ) -> Result<(), SourceError> {
        let everything = CollectOptions {
            include_credentials: true,
            include_logs: true,
            include_events: true,
            include_flow_history: true,
            metrics_from: is_measured.then_some(i64::MIN),
        };
        let skipped = if is_measured { Vec::new() } else { measured::KINDS.to_vec() };
        let reading = Reading { without_accounts: true, passing: true, skipped, ..Reading::default() };
        let mut sink = IndexSink::new(index, side, reading);
        self.cut_of(generation)?.collect(job, everything, &mut sink)?;
        sink.finish()
    }
}

//! A part of a list that another database has: it is asked by messages, as its connection stays on its own thread.

use std::sync::mpsc::{Receiver, Sender, channel};

use serde_json::{Map, Value};

use super::super::DatabaseError;
use super::super::listing::ListError;
use super::{Answer, Branches, First, Key, Part, Span};

/// What is asked of the other thread, and where its answer goes.
pub(super) enum Question {
    First(usize, u64, Sender<Result<First, ListError>>),
    Keys(usize, Span, Sender<Result<Vec<Key>, ListError>>),
    Rows(Vec<i64>, Sender<Result<Vec<Map<String, Value>>, ListError>>),
}

/// Answers questions about a part in one transaction, until nobody asks any more.
pub(super) fn answer(part: &Part<'_>, questions: Receiver<Question>) -> Result<(), ListError> {
    for question in questions {
        // Whoever asked may have given up.
        match question {
            Question::First(branch, wanted, to) => drop(to.send(part.read_first(branch, wanted))),
            Question::Keys(branch, span, to) => drop(to.send(part.read_keys(branch, span))),
            Question::Rows(rows, to) => drop(to.send(part.read_rows(rows))),
        }
    }
    Ok(())
}

/// A part whose connection another thread has: it begins to work when it is asked.
pub(super) struct Far {
    questions: Sender<Question>,
    branches: usize,
}

impl Far {
    /// Asks by `questions`; the other thread has so many branches.
    pub(super) fn new(questions: Sender<Question>, branches: usize) -> Self {
        Self { questions, branches }
    }

    fn ask<T: 'static>(
        &self,
        question: impl FnOnce(Sender<Result<T, ListError>>) -> Question,
    ) -> Answer<'_, T> {
        let (to, answer) = channel();
        // Where nobody takes it, nobody holds the other end of `answer` either.
        let _ = self.questions.send(question(to));
        Box::new(move || answer.recv().map_err(|_| ListError::from(DatabaseError::Closed))?)
    }
}

impl Branches for Far {
    fn len(&self) -> usize {
        self.branches
    }
    fn keys(&self, branch: usize, span: Span) -> Answer<'_, Vec<Key>> {
        self.ask(|to| Question::Keys(branch, span, to))
    }
    fn first(&self, branch: usize, wanted: u64) -> Answer<'_, First> {
        self.ask(|to| Question::First(branch, wanted, to))
    }
    fn rows(&self, rows: Vec<i64>) -> Answer<'_, Vec<Map<String, Value>>> {
        self.ask(|to| Question::Rows(rows, to))
    }
}

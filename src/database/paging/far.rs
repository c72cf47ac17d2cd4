//! A part of a list that another database has: it is asked by messages, as its connection stays on its own thread.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};

use serde_json::{Map, Value};

use super::super::DatabaseError;
use super::super::listing::ListError;
use super::{Branches, Key, Part, Span};

/// The keys of the first rows of a branch, and how many there are.
type First = (Vec<Key>, u64);

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
            Question::First(branch, wanted, to) => drop(to.send(part.first(branch, wanted))),
            Question::Keys(branch, span, to) => drop(to.send(part.keys(branch, span))),
            Question::Rows(rows, to) => drop(to.send(part.rows(rows))),
        }
    }
    Ok(())
}

/// A part whose connection another thread has.
pub(super) struct Far {
    questions: Sender<Question>,
    branches: usize,
    /// What was asked for before it is needed: the other thread works meanwhile.
    first: RefCell<VecDeque<Receiver<Result<First, ListError>>>>,
}

impl Far {
    /// Asks by `questions`; the other thread has so many branches.
    pub(super) fn new(questions: Sender<Question>, branches: usize) -> Self {
        Self { questions, branches, first: RefCell::default() }
    }

    fn ask<T>(
        &self,
        question: impl FnOnce(Sender<Result<T, ListError>>) -> Question,
    ) -> Result<T, ListError> {
        let (to, answer) = channel();
        let closed = |()| ListError::from(DatabaseError::Closed);
        self.questions.send(question(to)).map_err(|_| closed(()))?;
        answer.recv().map_err(|_| closed(()))?
    }
}

impl Branches for Far {
    fn len(&self) -> usize {
        self.branches
    }
    fn start(&self, wanted: u64) -> Result<(), ListError> {
        for branch in 0..self.branches {
            let (to, answer) = channel();
            let asked = self.questions.send(Question::First(branch, wanted, to));
            asked.map_err(|_| ListError::from(DatabaseError::Closed))?;
            self.first.borrow_mut().push_back(answer);
        }
        Ok(())
    }
    fn first(&self, _branch: usize, _wanted: u64) -> Result<(Vec<Key>, u64), ListError> {
        let asked = self.first.borrow_mut().pop_front();
        let answer = asked.and_then(|asked| asked.recv().ok());
        answer.unwrap_or_else(|| Err(DatabaseError::Closed.into()))
    }
    fn keys(&self, branch: usize, span: Span) -> Result<Vec<Key>, ListError> {
        self.ask(|to| Question::Keys(branch, span, to))
    }
    fn rows(&self, rows: Vec<i64>) -> Result<Vec<Map<String, Value>>, ListError> {
        self.ask(|to| Question::Rows(rows, to))
    }
}

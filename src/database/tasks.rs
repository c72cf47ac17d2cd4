//! Work that waits for a thread. A task wakes one thread, and none where a thread is about to look anyway.
//!
//! A channel behind a mutex would wake two for each task: the one that gets it, and the one that waits next.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

pub(super) type Task = Box<dyn FnOnce(&mut Connection) + Send>;

/// A queue of tasks that several threads take from.
#[derive(Default)]
pub(super) struct Tasks {
    state: Mutex<State>,
    is_ready: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Task>,
    is_closed: bool,
}

impl Tasks {
    /// Adds a task at the end. After [`Tasks::close`] it is dropped, and its answer with it.
    pub fn add(&self, task: Task) {
        let mut state = self.lock();
        if !state.is_closed {
            state.waiting.push_back(task);
            drop(state);
            self.is_ready.notify_one();
        }
    }

    /// The first task, once there is one; none when the queue is closed and empty.
    pub fn take(&self) -> Option<Task> {
        let mut state = self.lock();
        loop {
            if let Some(task) = state.waiting.pop_front() {
                return Some(task);
            }
            if state.is_closed {
                return None;
            }
            state = self.is_ready.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Lets the threads end when they have done what waits.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.is_ready.notify_all();
    }

    /// No task runs under the lock, so that a panic leaves nothing half made.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

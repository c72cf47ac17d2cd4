//! Threads that compress, for as long as one archive is written.
//!
//! Answers are taken in the order in which the tasks were given, whatever the
//! order in which they get done, so the number of threads never shows in the
//! archive.

use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use super::deflate::{Compressed, Machine, Task};

struct Job {
    task: Task,
    answer: SyncSender<Compressed>,
}

/// A task that was given away.
pub(super) struct Promise(Receiver<Compressed>);

impl Promise {
    /// Waits for the answer; `None` when its thread died.
    pub(super) fn wait(self) -> Option<Compressed> {
        self.0.recv().ok()
    }
}

/// A set of compressing threads. With none, tasks run where they are given.
pub(super) struct Pool {
    jobs: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
    own: Machine,
}

impl Pool {
    /// Starts up to `threads` threads; as many as the system grants.
    pub(super) fn new(threads: usize) -> Self {
        let (jobs, queue) = mpsc::channel::<Job>();
        let queue = Arc::new(Mutex::new(queue));
        let threads: Vec<_> = (0..threads)
            .map_while(|_| {
                let queue = Arc::clone(&queue);
                thread::Builder::new().name("compress".into()).spawn(move || work(&queue)).ok()
            })
            .collect();
        Self { jobs: (!threads.is_empty()).then_some(jobs), threads, own: Machine::default() }
    }

    /// How many tasks can be under way at once.
    pub(super) fn width(&self) -> usize {
        self.threads.len().max(1)
    }

    /// Gives a task away. The caller bounds how many wait.
    pub(super) fn start(&mut self, task: Task) -> Promise {
        let (answer, promise) = mpsc::sync_channel(1);
        let job = Job { task, answer };
        match &self.jobs {
            // A lost queue drops the job, which the waiter of the promise then sees.
            Some(jobs) => drop(jobs.send(job)),
            None => {
                let compressed = self.own.run(job.task);
                // The promise is in our hands, so somebody listens.
                drop(job.answer.send(compressed));
            }
        }
        Promise(promise)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // A panic in a thread was seen by whoever waited for its answer.
            drop(thread.join());
        }
    }
}

fn work(queue: &Mutex<Receiver<Job>>) {
    let mut machine = Machine::default();
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match job {
            // Nobody may listen any more: the archive was given up.
            Ok(job) => drop(job.answer.send(machine.run(job.task))),
            Err(_) => return,
        }
    }
}

//! One SQLite file: one writer and several readers, each on a thread of its own.
//!
//! Knows no table. Whoever owns a file brings its migrations and its SQL.

mod connection;
mod functions;
mod listing;
mod paging;
mod reserve;
mod summary;
mod tasks;
mod values;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction};
use tokio::sync::oneshot;

pub use listing::{
    Collection, Column, ColumnKind, Filter, ListError, ListQuery, Page, Scope, Sort, condition, row_object,
    text,
};
#[cfg(test)]
pub use paging::assert_indexed;
pub use paging::{list, list_both};
pub use summary::{Group, Groups, summarize};
pub use values::list_values;

use crate::causes::{chain, is_disk_failure, is_storage_full};
use connection::{BUSY, begin_read, checkpoint, configure, open_reader, restrict_mode, transact};
use reserve::Reserve;
use tasks::{Task, Tasks};

/// How many threads read beside the writer.
const READERS: usize = 4;
/// How long what has to be written waits on a full disk until it is tried again.
const INSISTENCE: Duration = Duration::from_secs(1);
/// How long the writer waits for readers of an earlier moment when the log is to be emptied.
const EMPTYING: Duration = Duration::from_millis(500);

/// Why the database could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    #[error("the database refused")]
    Sqlite(#[from] rusqlite::Error),
    #[error("failed to bring the tables of `{path}` up to date")]
    Migrate { path: PathBuf, source: Box<refinery::Error> },
    #[error("failed to start a database thread")]
    Thread(#[source] std::io::Error),
    #[error("the database is closed, or its last task panicked")]
    Closed,
}

/// A handle to one database file. Clones share the threads, which end when the last clone is dropped.
#[derive(Clone)]
pub struct Database {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    writer: Arc<Tasks>,
    readers: Arc<Tasks>,
    reserve: Option<Reserve>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Inner {
    fn spawn(&self, role: &str, connection: Connection, tasks: &Arc<Tasks>) -> Result<(), DatabaseError> {
        let thread = spawn(role, &self.path, connection, Arc::clone(tasks))?;
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        Ok(())
    }

    fn close(&self) {
        self.writer.close();
        self.readers.close();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

impl Database {
    /// Opens or makes the file and runs the migrations that it lacks. Files are made with mode 0600.
    ///
    /// # Errors
    /// When the file is no database, is newer than this program, or can't be written.
    pub fn open(path: &Path, migrations: &refinery::Runner) -> Result<Self, DatabaseError> {
        Self::open_with(path, migrations, None)
    }

    /// [`Database::open`], with a file that keeps space for [`Database::write_on_reserve`].
    ///
    /// # Errors
    /// As that has; that space can't be had now is none.
    pub fn open_with_reserve(
        path: &Path,
        migrations: &refinery::Runner,
        reserve: &Path,
    ) -> Result<Self, DatabaseError> {
        let database = Self::open_with(path, migrations, Some(Reserve::new(reserve.to_owned())))?;
        database.keep_reserve();
        Ok(database)
    }

    fn open_with(
        path: &Path,
        migrations: &refinery::Runner,
        reserve: Option<Reserve>,
    ) -> Result<Self, DatabaseError> {
        let mut connection = Connection::open(path)?;
        restrict_mode(path);
        configure(&connection)?;
        migrations
            .run(&mut connection)
            .map_err(|source| DatabaseError::Migrate { path: path.to_owned(), source: Box::new(source) })?;
        // Dropped on an error, it ends the threads that run already.
        let inner = Inner {
            path: path.to_owned(),
            writer: Arc::default(),
            readers: Arc::default(),
            reserve,
            threads: Mutex::default(),
        };
        inner.spawn("writer", connection, &inner.writer)?;
        for _ in 0..READERS {
            inner.spawn("reader", open_reader(path)?, &inner.readers)?;
        }
        Ok(Self { inner: Arc::new(inner) })
    }

    /// Does what waits, and closes the file for all clones: what its log holds is written back, and the log is gone
    /// where nobody else has the file open. Dropping the last clone does the same some time later. Never to be called
    /// on a thread of the runtime.
    pub fn close_blocking(self) {
        self.inner.close();
        let threads = std::mem::take(&mut *self.inner.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            // Tasks that panic are caught, so it ends well.
            let _ = thread.join();
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// The length of the file, in bytes; what waits in its log is not counted.
    pub fn size_bytes(&self) -> u64 {
        self.path().metadata().map_or(0, |metadata| metadata.len())
    }

    /// The log beside the file, in which commits wait until they are written back.
    pub fn log_path(&self) -> PathBuf {
        let mut name = self.inner.path.clone().into_os_string();
        name.push("-wal");
        name.into()
    }

    /// Writes the log back into the file and shortens it to nothing. Answers false where somebody still reads an
    /// earlier moment, and then only what that one does not need is written back. Never to be called on a thread of the
    /// runtime.
    ///
    /// # Errors
    /// The database's own.
    pub fn empty_log_blocking(&self) -> Result<bool, DatabaseError> {
        // Most of it is written back while writers go on, so that they wait for the rest alone.
        let connection = Connection::open_with_flags(
            &self.inner.path,
            OpenFlags::default() & !OpenFlags::SQLITE_OPEN_CREATE,
        )?;
        configure(&connection)?;
        checkpoint(&connection, "PASSIVE")?;
        drop(connection);
        let (answer, receiver) = oneshot::channel();
        let task: Task = Box::new(move |connection| {
            let emptied = connection.busy_timeout(EMPTYING).and_then(|()| checkpoint(connection, "TRUNCATE"));
            let _ = answer.send(connection.busy_timeout(BUSY).and(emptied));
        });
        self.inner.writer.add(task);
        Ok(receiver.blocking_recv().map_err(|_| DatabaseError::Closed)??)
    }

    /// Runs `work` in one immediate transaction on the writer thread; commits when it answers `Ok`, and takes
    /// everything back when it answers `Err` or panics. Calls are run in the order in which they arrive.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
    {
        self.submit_write(work).await.unwrap_or_else(|_| Err(DatabaseError::Closed.into()))
    }

    /// [`Database::write`] for blocking threads. Never to be called on a thread of the runtime.
    pub fn write_blocking<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
    {
        self.submit_write(work).blocking_recv().unwrap_or_else(|_| Err(DatabaseError::Closed.into()))
    }

    /// [`Database::write`] for what has to be written also on a full disk: the space that was kept for it is given up.
    /// `work` may run twice.
    pub async fn write_on_reserve<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: Fn(&Transaction<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: std::error::Error + From<DatabaseError> + Send + 'static,
    {
        self.submit_on_reserve(work).await.unwrap_or_else(|_| Err(DatabaseError::Closed.into()))
    }

    fn submit_on_reserve<T, E, F>(&self, work: F) -> oneshot::Receiver<Result<T, E>>
    where
        F: Fn(&Transaction<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: std::error::Error + From<DatabaseError> + Send + 'static,
    {
        let (answer, receiver) = oneshot::channel();
        let inner = Arc::downgrade(&self.inner);
        let task: Task = Box::new(move |connection| {
            let mut written = transact(connection, &work);
            if written.as_ref().is_err_and(|error| is_storage_full(error))
                && let Some(inner) = inner.upgrade()
                && let Some(reserve) = inner.reserve.as_ref().filter(|reserve| reserve.give())
            {
                written = transact(connection, &work);
                reserve.take_back();
            }
            let _ = answer.send(written);
        });
        self.inner.writer.add(task);
        receiver
    }

    /// Keeps again what was given up of the space for writes on a full disk, as far as there is some. Never waits.
    pub fn keep_reserve(&self) {
        let inner = Arc::downgrade(&self.inner);
        self.inner.writer.add(Box::new(move |_| {
            if let Some(inner) = inner.upgrade()
                && let Some(reserve) = &inner.reserve
            {
                reserve.take_share();
            }
        }));
    }

    /// [`Database::write_blocking`] for what has to be written sooner or later: on a full disk the space that was kept is
    /// given up; after that, and where the disk fails, it is tried again once a second, as long as `goes_on` says so. Each
    /// try writes all of it anew: a sync that failed is never believed by trying it again.
    pub fn insist_blocking<T, E, F>(&self, goes_on: &dyn Fn() -> bool, work: F) -> Result<T, E>
    where
        F: Fn(&Transaction<'_>) -> Result<T, E> + Send + Sync + 'static,
        T: Send + 'static,
        E: std::error::Error + From<DatabaseError> + Send + 'static,
    {
        let work = Arc::new(work);
        let mut is_told = false;
        loop {
            let once = Arc::clone(&work);
            let written = self.submit_on_reserve(move |tx| once(tx)).blocking_recv();
            match written.unwrap_or_else(|_| Err(DatabaseError::Closed.into())) {
                Err(error) if (is_storage_full(&error) || is_disk_failure(&error)) && goes_on() => {
                    if !is_told {
                        let reason = chain(&error);
                        tracing::error!(error = %reason, "waiting until the disk takes what has to be written: {reason}");
                        is_told = true;
                    }
                    std::thread::sleep(INSISTENCE);
                }
                other => return other,
            }
        }
    }

    /// Hands `work` to the writer without waiting for it; what it answers comes through the receiver, which may be
    /// dropped.
    pub fn submit_write<T, E, F>(&self, work: F) -> oneshot::Receiver<Result<T, E>>
    where
        F: FnOnce(&Transaction<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
    {
        let (answer, receiver) = oneshot::channel();
        let task: Task = Box::new(move |connection| {
            let _ = answer.send(transact(connection, work));
        });
        self.inner.writer.add(task);
        receiver
    }

    /// [`Database::submit_write`] for what nobody waits for: where it was not written, `failed` is told why, on the
    /// writer's thread.
    pub fn submit_unattended<F>(&self, work: F, failed: impl FnOnce(DatabaseError) + Send + 'static)
    where
        F: FnOnce(&Transaction<'_>) -> Result<(), DatabaseError> + Send + 'static,
    {
        self.inner.writer.add(Box::new(move |connection| {
            if let Err(error) = transact(connection, work) {
                failed(error);
            }
        }));
    }

    /// Runs `work` on a reader thread, in a read transaction: it sees one moment.
    pub async fn read<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
    {
        self.submit_read(work).await.unwrap_or_else(|_| Err(DatabaseError::Closed.into()))
    }

    /// [`Database::read`] for blocking threads. Never to be called on a thread of the runtime.
    pub fn read_blocking<T, E, F>(&self, work: F) -> Result<T, E>
    where
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
    {
        self.submit_read(work).blocking_recv().unwrap_or_else(|_| Err(DatabaseError::Closed.into()))
    }

    fn submit_read<T, E, F>(&self, work: F) -> oneshot::Receiver<Result<T, E>>
    where
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
    {
        let (answer, receiver) = oneshot::channel();
        let task: Task = Box::new(move |connection| {
            let result = connection
                .unchecked_transaction()
                .map_err(|error| E::from(error.into()))
                .and_then(|transaction| work(&transaction));
            let _ = answer.send(result);
        });
        self.inner.readers.add(task);
        receiver
    }

    /// Opens a connection of its own whose read transaction begins between two commits of the writer: the cut of a
    /// snapshot. `pin` runs on the writer thread in the same pause, so that what it takes belongs to that moment.
    pub fn cut_blocking<T, E, F>(&self, pin: F) -> Result<(Connection, T), E>
    where
        F: FnOnce(&Connection) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<DatabaseError> + Send + 'static,
    {
        let (answer, receiver) = oneshot::channel();
        let path = self.inner.path.clone();
        let task: Task = Box::new(move |_| {
            let cut = begin_read(&path)
                .map_err(|error| E::from(error.into()))
                .and_then(|connection| pin(&connection).map(|pinned| (connection, pinned)));
            let _ = answer.send(cut);
        });
        self.inner.writer.add(task);
        receiver.blocking_recv().unwrap_or_else(|_| Err(DatabaseError::Closed.into()))
    }

    /// Writes a copy of the file as of this moment, without what was dropped from it. Never to be called on a thread of
    /// the runtime.
    ///
    /// # Errors
    /// Where there is such a file; the database's own.
    pub fn copy_blocking(&self, path: &Path) -> Result<(), DatabaseError> {
        let (connection, ()) = self.cut_blocking(|_| Ok::<_, DatabaseError>(()))?;
        connection.execute_batch("COMMIT; PRAGMA query_only = OFF")?;
        // The path is text for SQLite; a folder that is no UTF-8 can't be named to it.
        connection.execute("VACUUM INTO ?", [path.to_string_lossy()])?;
        restrict_mode(path);
        Ok(())
    }
}

fn spawn(
    role: &str,
    path: &Path,
    mut connection: Connection,
    tasks: Arc<Tasks>,
) -> Result<JoinHandle<()>, DatabaseError> {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    std::thread::Builder::new()
        .name(format!("{stem}-{role}"))
        .spawn(move || {
            while let Some(task) = tasks.take() {
                // A panic takes its own transaction back (the guard rolls back as it unwinds) and drops its
                // answer; the next task finds a sound connection.
                let run = std::panic::AssertUnwindSafe(|| task(&mut connection));
                if std::panic::catch_unwind(run).is_err() {
                    tracing::error!("a database task panicked; its transaction was taken back");
                }
            }
        })
        .map_err(DatabaseError::Thread)
}

#[cfg(test)]
#[path = "tests/versions.rs"]
pub(crate) mod versions;

#[cfg(test)]
#[path = "tests/database.rs"]
mod tests;

//! The one thread that writes: it takes what has queued up, runs each job behind a savepoint inside one transaction,
//! commits once, and then answers.
//!
//! Only a batch with a durable job waits for the disk. One with nothing but leases and settlements does not: losing a
//! settlement to a power cut repeats a send under the same id, which the other side must expect anyway.

use std::any::Any;
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::cache::Cache;
use super::schema::Lock;
use crate::store::StoreError;

/// Jobs that may wait. Callers wait for room: a slow disk slows them down instead of filling the memory.
const QUEUE: usize = 256;
/// Jobs in one transaction, so that the first one's answer is not put off for ever.
const BATCH: usize = 64;

/// A handle on the thread. Dropping it lets the queue run empty and waits for the file to be closed.
#[derive(Debug)]
pub(super) struct Writer {
    jobs: Option<mpsc::Sender<Box<dyn Job>>>,
    thread: Option<JoinHandle<()>>,
}

/// What a job works on.
#[derive(Debug)]
pub(super) struct Desk {
    /// Inside a transaction while a job runs.
    pub(super) conn: Connection,
    /// Events and ids that need not be looked up.
    pub(super) cache: Cache,
    /// The highest event that the sweep has looked at, so that it resumes there.
    pub(super) swept: i64,
    /// The latest time seen, in ms, to notice a clock that was set back.
    pub(super) latest: i64,
    /// Whether commits wait for the disk now.
    durable: bool,
    // Last: the lock outlives the connection.
    _lock: Lock,
}

/// One call of the store, on its way through the thread.
trait Job: Send {
    fn is_durable(&self) -> bool;

    /// Whether its effect is to be kept.
    fn run(&mut self, desk: &mut Desk) -> bool;

    /// Tells the caller, after the commit or instead of it.
    fn answer(self: Box<Self>, lost: Option<StoreError>);
}

struct Task<F, T> {
    is_durable: bool,
    work: Option<F>,
    result: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Job for Task<F, T>
where
    F: FnOnce(&mut Desk) -> Result<T, StoreError> + Send,
    T: Send,
{
    fn is_durable(&self) -> bool {
        self.is_durable
    }

    fn run(&mut self, desk: &mut Desk) -> bool {
        let Some(work) = self.work.take() else { return false };
        let result = work(desk);
        let keep = result.is_ok();
        self.result = Some(result);
        keep
    }

    fn answer(self: Box<Self>, lost: Option<StoreError>) {
        let result = match (lost, self.result) {
            // What failed by itself says why itself.
            (_, Some(Err(error))) => Err(error),
            (Some(lost), _) => Err(lost),
            (None, Some(Ok(done))) => Ok(done),
            (None, None) => Err(ended()),
        };
        // The caller may have gone: then nobody wants the answer.
        drop(self.reply.send(result));
    }
}

fn ended() -> StoreError {
    StoreError::Unavailable("the thread that writes has ended".to_owned(), None)
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(conn: Connection, lock: Lock) -> Result<Self, StoreError> {
        let (jobs, queue) = mpsc::channel(QUEUE);
        // SQLite's own default for `synchronous` is FULL.
        let desk = Desk { conn, cache: Cache::default(), swept: 0, latest: i64::MIN, durable: true, _lock: lock };
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || serve(desk, queue))
            .map_err(|error| StoreError::Unavailable("no thread to write with".to_owned(), Some(Box::new(error))))?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Runs `work` on the thread. When it fails, what it wrote is taken back.
    ///
    /// Cancel-safety: once queued, the work is done even if nobody waits for it.
    pub(super) async fn run<T, F>(&self, is_durable: bool, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Desk) -> Result<T, StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job: Box<dyn Job> = Box::new(Task { is_durable, work: Some(work), result: None, reply });
        let jobs = self.jobs.as_ref().ok_or_else(ended)?;
        jobs.send(job).await.map_err(|_| ended())?;
        answer.await.map_err(|_| ended())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        let joined: Option<Result<(), Box<dyn Any + Send>>> = self.thread.take().map(JoinHandle::join);
        // A thread that panicked has told so on stderr already.
        drop(joined);
    }
}

fn serve(mut desk: Desk, mut queue: mpsc::Receiver<Box<dyn Job>>) {
    while let Some(first) = queue.blocking_recv() {
        let mut batch = vec![first];
        while batch.len() < BATCH
            && let Ok(next) = queue.try_recv()
        {
            batch.push(next);
        }
        let lost = desk.run(&mut batch).err();
        for job in batch {
            job.answer(lost.as_ref().map(again));
        }
    }
}

/// The same error for each job of a batch; its source stands in the text.
fn again(error: &StoreError) -> StoreError {
    match error {
        StoreError::Unavailable(why, Some(source)) => StoreError::Unavailable(format!("{why}: {source}"), None),
        StoreError::Unavailable(why, None) => StoreError::Unavailable(why.clone(), None),
        StoreError::Unusable(why) => StoreError::Unusable(why.clone()),
    }
}

impl Desk {
    /// All jobs in one transaction. An error: nothing of the batch was kept.
    fn run(&mut self, batch: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
        let result = self.transact(batch);
        if result.is_err() {
            self.forget();
            if !self.conn.is_autocommit() {
                // If this fails too, the next BEGIN does, and says why.
                drop(self.conn.execute_batch("ROLLBACK"));
            }
        }
        result
    }

    fn transact(&mut self, batch: &mut [Box<dyn Job>]) -> Result<(), StoreError> {
        let durable = batch.iter().any(|job| job.is_durable());
        if durable != self.durable {
            self.conn.execute_batch(if durable {
                "PRAGMA synchronous = FULL"
            } else {
                "PRAGMA synchronous = NORMAL"
            })?;
            self.durable = durable;
        }
        self.step("BEGIN IMMEDIATE")?;
        for job in batch {
            self.step("SAVEPOINT job")?;
            if !job.run(self) {
                self.forget();
                if self.conn.is_autocommit() {
                    // A full disk may end the whole transaction, and the jobs before this one with it.
                    let why = "the transaction was taken back";
                    return Err(StoreError::Unavailable(why.to_owned(), None));
                }
                self.step("ROLLBACK TO job")?;
            }
            self.step("RELEASE job")?;
        }
        self.step("COMMIT")
    }

    fn step(&self, sql: &str) -> Result<(), StoreError> {
        self.conn.prepare_cached(sql)?.execute(())?;
        Ok(())
    }

    /// After anything was taken back, what was noted on the way may be wrong.
    fn forget(&mut self) {
        self.cache = Cache::default();
    }
}

//! The embedded store: one SQLite file, one daemon.
//!
//! One thread writes ([`writer`](self)), a few connections read beside it, and the command line may read the same file
//! from another process ([`EmbeddedArchive`]). A lock file keeps a second daemon out. Time is the machine's clock; when it
//! is set back, whatever waits is moved back with it.

mod archive;
mod cache;
mod commit;
mod copy;
#[cfg(test)]
mod damage;
mod exchange;
mod payouts;
mod query;
mod readers;
mod schema;
mod upkeep;
mod watches;
mod writer;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

pub use self::archive::EmbeddedArchive;
use self::commit::Prepared;
use self::readers::Readers;
use self::writer::Writer;
use super::{Commit, Committed, Exchange, Settlement, Store, StoreError, Swept, VersionedState, Want};
use crate::clock::{Clock, SystemClock};
use crate::domain::account::{AccountName, Partition};
use crate::domain::ledger::Ledger;

/// Folders that a restart of the machine empties.
const FLEETING: [&str; 4] = ["/dev/shm", "/run", "/tmp", "/var/run"];

/// The daemon's view of the file. Dropping it finishes what is queued and closes the file.
#[derive(Debug)]
pub struct EmbeddedStore {
    instance: Arc<str>,
    clock: Arc<dyn Clock>,
    // Readers before the writer: the last one to close the file should be able to tidy it up.
    readers: Readers,
    /// Apart from the pipeline's, so that an operator's long list keeps no poll waiting.
    operator: Readers,
    writer: Writer,
}

impl EmbeddedStore {
    /// Opens the file, and creates it, readable for its owner only, if it is not there.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] when another daemon has it, its folder is missing, it is damaged, newer or not ours; it is
    /// never overwritten. [`StoreError::Unavailable`] when the disk refuses.
    pub fn open(path: &Path, instance: &str) -> Result<Self, StoreError> {
        Self::open_with(path, instance, Arc::new(SystemClock))
    }

    /// The same over another clock.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_with(path: &Path, instance: &str, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let lock = schema::lock(path)?;
        let conn = schema::open_writer(path)?;
        let writer = Writer::start(conn, lock)?;
        let readers = |connections| Readers::new(path.to_owned(), connections);
        Ok(Self { instance: instance.into(), clock, readers: readers(2), operator: readers(1), writer })
    }

    /// The operator's view of a file that a daemon may be using.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] when there is no such file, or it is damaged, newer or not ours.
    pub fn open_reader(path: &Path) -> Result<EmbeddedArchive, StoreError> {
        EmbeddedArchive::open(path, Arc::new(SystemClock))
    }
}

#[async_trait]
impl Store for EmbeddedStore {
    /// A look at a file costs next to nothing, and the operator's command writes it from another process.
    fn patience(&self) -> Duration {
        Duration::from_secs(2)
    }

    async fn ledgers(&self, account: &AccountName, partitions: &[Partition]) -> Result<Vec<Ledger>, StoreError> {
        let (account, partitions) = (account.clone(), partitions.to_vec());
        self.readers.run(move |conn| readers::ledgers(conn, &account, &partitions)).await
    }

    async fn account(&self, account: &AccountName) -> Result<VersionedState, StoreError> {
        let account = account.clone();
        self.readers.run(move |conn| readers::account(conn, &account)).await
    }

    async fn commit(&self, commit: &Commit) -> Result<Committed, StoreError> {
        let prepared = Prepared::new(commit, self.clock.now());
        self.writer.run(true, move |desk| prepared.run(desk)).await
    }

    async fn exchange(&self, settlements: &[Settlement], wants: &[Want]) -> Result<Exchange, StoreError> {
        if settlements.is_empty() && wants.is_empty() {
            return Ok(Exchange::default());
        }
        let (settlements, wants, now) = (settlements.to_vec(), wants.to_vec(), self.clock.now());
        self.writer.run(false, move |desk| exchange::exchange(desk, &settlements, &wants, now)).await
    }

    async fn reclaim(&self) -> Result<u64, StoreError> {
        let now = self.clock.now().as_millisecond();
        self.writer.run(false, move |desk| upkeep::reclaim(desk, now)).await
    }

    async fn acquire(&self, account: &AccountName, _: Duration) -> Result<Option<u64>, StoreError> {
        let (account, instance) = (account.clone(), self.instance.clone());
        self.writer.run(false, move |desk| upkeep::acquire(desk, &account, &instance)).await
    }

    async fn release(&self, account: &AccountName) -> Result<(), StoreError> {
        let (account, instance) = (account.clone(), self.instance.clone());
        self.writer.run(false, move |desk| upkeep::release(desk, &account, &instance)).await
    }

    async fn sweep(&self, retention: Duration) -> Result<Swept, StoreError> {
        let now = self.clock.now().as_millisecond();
        let before = now.saturating_sub(millis(retention));
        self.writer.run(false, move |desk| upkeep::sweep(desk, before, now)).await
    }

    async fn warnings(&self) -> Result<Vec<String>, StoreError> {
        let path = self.readers.path();
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let is_fleeting = FLEETING.iter().any(|folder| path.starts_with(folder));
        let warning = || {
            format!(
                "the store `{}` is in a folder that a restart of the machine may empty; set `store.url` to a lasting place",
                path.display()
            )
        };
        Ok(is_fleeting.then(warning).into_iter().collect())
    }
}

/// A wait in whole milliseconds, never shorter than asked for.
fn millis(wait: Duration) -> i64 {
    i64::try_from(wait.as_nanos().div_ceil(1_000_000)).unwrap_or(i64::MAX)
}

/// A version as SQLite keeps it; no version ever comes near the end.
fn signed(version: u64) -> i64 {
    i64::try_from(version).unwrap_or(i64::MAX)
}

/// A limit as SQLite takes it.
fn limit(items: usize) -> i64 {
    i64::try_from(items).unwrap_or(i64::MAX)
}

/// An instant as it is kept.
fn instant(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(millis).unwrap_or(if millis < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

#[cfg(test)]
mod tests;

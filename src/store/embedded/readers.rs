//! Connections that only read, beside the one that writes; and the reading of ledgers and states.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension as _, params};
use tokio::sync::Semaphore;

use super::schema::{open_beside, open_within};
use crate::domain::account::{AccountName, Partition};
use crate::domain::ledger::{Ledger, Memories, Slot};
use crate::store::codec::{CodecError, decode_memories, decode_state};
use crate::store::{StoreError, VersionedState};

/// A small pool; its connections are opened when they are first needed.
#[derive(Clone)]
pub(super) struct Readers {
    path: Arc<PathBuf>,
    /// Whether the file may hold a copy that is not whole yet.
    is_target: bool,
    idle: Arc<Mutex<Vec<Connection>>>,
    gate: Arc<Semaphore>,
}

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readers").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Readers {
    /// Readers of the file at `path`: so many at the most, because each has a cache of its own.
    pub(super) fn new(path: PathBuf, connections: usize) -> Self {
        Self {
            path: Arc::new(path),
            is_target: false,
            idle: Arc::default(),
            gate: Arc::new(Semaphore::new(connections)),
        }
    }

    /// The same of a file that is being filled by a copy.
    pub(super) fn of_target(path: PathBuf, connections: usize) -> Self {
        Self { is_target: true, ..Self::new(path, connections) }
    }

    /// Where the file is.
    pub(super) fn path(&self) -> &std::path::Path {
        &self.path
    }

    /// Runs `read` inside one read transaction, so that all it sees is of one moment.
    pub(super) async fn run<T, F>(&self, read: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let permit = self.gate.clone().acquire_owned().await.map_err(|_| interrupted())?;
        let readers = self.clone();
        let work = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            let idle = readers.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let conn = match idle {
                Some(conn) => conn,
                None if readers.is_target => open_within(&readers.path)?,
                None => open_beside(&readers.path, false)?,
            };
            let transaction = conn.unchecked_transaction()?;
            let result = read(&transaction)?;
            transaction.finish()?;
            // Only a healthy connection goes back.
            readers.idle.lock().unwrap_or_else(PoisonError::into_inner).push(conn);
            Ok(result)
        });
        work.await.map_err(|_| interrupted())?
    }
}

fn interrupted() -> StoreError {
    StoreError::Unavailable("a reading was interrupted".to_owned(), None)
}

/// A stored form that this release cannot read.
pub(super) fn unreadable(error: CodecError) -> StoreError {
    StoreError::Unusable(error.to_string())
}

/// The ledgers of these partitions, in their order.
pub(super) fn ledgers(
    conn: &Connection,
    account: &AccountName,
    partitions: &[Partition],
) -> Result<Vec<Ledger>, StoreError> {
    let mut head = conn.prepare_cached(
        "SELECT id, version FROM ledger WHERE account = (SELECT id FROM account WHERE name = ?1) AND key = ?2",
    )?;
    let mut ledgers = Vec::with_capacity(partitions.len());
    for partition in partitions {
        let known = head
            .query_row(params![account.as_str(), partition.key()], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((id, version)) = known else {
            ledgers.push(Ledger::default());
            continue;
        };
        let (id, version): (i64, i64) = (id, version);
        ledgers.push(Ledger::restore(u64::try_from(version).unwrap_or_default(), rows(conn, id)?));
    }
    Ok(ledgers)
}

/// The rows of a ledger.
pub(super) fn rows(conn: &Connection, ledger: i64) -> Result<Vec<(Slot, Memories)>, StoreError> {
    let mut body = conn.prepare_cached("SELECT slot, memories FROM memory WHERE ledger = ?1")?;
    let mut rows = body.query([ledger])?;
    let mut slots = Vec::new();
    while let Some(row) = rows.next()? {
        let memories = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        slots.push((Slot::from_bytes(row.get(0)?), decode_memories(memories).map_err(unreadable)?));
    }
    Ok(slots)
}

/// The state of an account.
pub(super) fn account(conn: &Connection, account: &AccountName) -> Result<VersionedState, StoreError> {
    let mut find = conn.prepare_cached("SELECT version, state FROM account WHERE name = ?1")?;
    let known: Option<(i64, Option<Vec<u8>>)> =
        find.query_row([account.as_str()], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    match known {
        Some((version, Some(state))) => Ok(VersionedState {
            version: u64::try_from(version).unwrap_or_default(),
            state: decode_state(&state).map_err(unreadable)?,
        }),
        Some((_, None)) | None => Ok(VersionedState::default()),
    }
}

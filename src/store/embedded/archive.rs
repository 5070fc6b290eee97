//! The operator's view of the file, inside the daemon and beside it.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, TransactionBehavior};

use super::readers::{self, Readers};
use super::{EmbeddedStore, query, schema};
use crate::clock::Clock;
use crate::domain::account::{AccountName, Partition};
use crate::domain::event::{Event, EventId};
use crate::domain::ledger::Ledger;
use crate::store::{
    Archive, Counts, DeliveryFilter, DeliveryView, EventFilter, Recall, RejectView, StoreError, VersionedState,
};

/// The command line's view of a file that a daemon may be using. Reading disturbs nobody; a requeue or release takes
/// turns with the daemon, which finds what became due when it next looks, 30 seconds later at the most.
#[derive(Debug)]
pub struct EmbeddedArchive {
    pub(super) readers: Readers,
    clock: Arc<dyn Clock>,
}

impl EmbeddedArchive {
    pub(super) fn open(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        // Opened once for the sake of its errors.
        drop(schema::open_beside(path, false)?);
        Ok(Self { readers: Readers::new(path.to_owned(), 1), clock })
    }

    /// One write transaction on a connection of its own.
    pub(super) async fn write<T, F>(&self, work: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    {
        let path = self.readers.path().to_owned();
        let done = tokio::task::spawn_blocking(move || {
            let mut conn = schema::open_beside(&path, true)?;
            let transaction = conn.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = work(&transaction)?;
            transaction.commit()?;
            Ok(done)
        });
        done.await.map_err(|_| StoreError::Unavailable("a writing was interrupted".to_owned(), None))?
    }
}

#[async_trait]
impl Recall for EmbeddedArchive {
    async fn ledgers_of(&self, account: &AccountName, partitions: &[Partition]) -> Result<Vec<Ledger>, StoreError> {
        let (account, partitions) = (account.clone(), partitions.to_vec());
        self.readers.run(move |conn| readers::ledgers(conn, &account, &partitions)).await
    }

    async fn state_of(&self, account: &AccountName) -> Result<VersionedState, StoreError> {
        let account = account.clone();
        self.readers.run(move |conn| readers::account(conn, &account)).await
    }
}

#[async_trait]
impl Archive for EmbeddedArchive {
    async fn events(&self, filter: &EventFilter) -> Result<Vec<Arc<Event>>, StoreError> {
        events(&self.readers, filter).await
    }

    async fn event(&self, id: &EventId) -> Result<Option<(Arc<Event>, Vec<DeliveryView>)>, StoreError> {
        event(&self.readers, *id).await
    }

    async fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<DeliveryView>, StoreError> {
        deliveries(&self.readers, filter).await
    }

    async fn requeue(&self, filter: &DeliveryFilter, dry_run: bool) -> Result<u64, StoreError> {
        let (filter, now) = (filter.clone(), self.clock.now().as_millisecond());
        if dry_run {
            return self.readers.run(move |conn| query::requeue(conn, &filter, true, now)).await;
        }
        self.write(move |conn| query::requeue(conn, &filter, false, now)).await
    }

    async fn release_held(&self, account: Option<&AccountName>, dry_run: bool) -> Result<u64, StoreError> {
        let (account, now) = (account.cloned(), self.clock.now().as_millisecond());
        if dry_run {
            return self.readers.run(move |conn| query::release_held(conn, account.as_ref(), true, now)).await;
        }
        self.write(move |conn| query::release_held(conn, account.as_ref(), false, now)).await
    }

    async fn rejects(&self, account: Option<&AccountName>, limit: usize) -> Result<Vec<RejectView>, StoreError> {
        rejects(&self.readers, account, limit).await
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        self.readers.run(query::counts).await
    }
}

#[async_trait]
impl Archive for EmbeddedStore {
    async fn events(&self, filter: &EventFilter) -> Result<Vec<Arc<Event>>, StoreError> {
        events(&self.operator, filter).await
    }

    async fn event(&self, id: &EventId) -> Result<Option<(Arc<Event>, Vec<DeliveryView>)>, StoreError> {
        event(&self.operator, *id).await
    }

    async fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<DeliveryView>, StoreError> {
        deliveries(&self.operator, filter).await
    }

    async fn requeue(&self, filter: &DeliveryFilter, dry_run: bool) -> Result<u64, StoreError> {
        let (filter, now) = (filter.clone(), self.clock.now().as_millisecond());
        if dry_run {
            return self.operator.run(move |conn| query::requeue(conn, &filter, true, now)).await;
        }
        self.writer.run(true, move |desk| query::requeue(&desk.conn, &filter, false, now)).await
    }

    async fn release_held(&self, account: Option<&AccountName>, dry_run: bool) -> Result<u64, StoreError> {
        let (account, now) = (account.cloned(), self.clock.now().as_millisecond());
        if dry_run {
            return self.operator.run(move |conn| query::release_held(conn, account.as_ref(), true, now)).await;
        }
        self.writer.run(true, move |desk| query::release_held(&desk.conn, account.as_ref(), false, now)).await
    }

    async fn rejects(&self, account: Option<&AccountName>, limit: usize) -> Result<Vec<RejectView>, StoreError> {
        rejects(&self.operator, account, limit).await
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        self.operator.run(query::counts).await
    }
}

async fn events(readers: &Readers, filter: &EventFilter) -> Result<Vec<Arc<Event>>, StoreError> {
    let filter = filter.clone();
    readers.run(move |conn| query::events(conn, &filter)).await
}

async fn event(readers: &Readers, id: EventId) -> Result<Option<query::Shown>, StoreError> {
    readers.run(move |conn| query::event(conn, id)).await
}

async fn deliveries(readers: &Readers, filter: &DeliveryFilter) -> Result<Vec<DeliveryView>, StoreError> {
    let filter = filter.clone();
    readers.run(move |conn| query::deliveries(conn, &filter)).await
}

async fn rejects(
    readers: &Readers,
    account: Option<&AccountName>,
    limit: usize,
) -> Result<Vec<RejectView>, StoreError> {
    let account = account.cloned();
    readers.run(move |conn| query::rejects(conn, account.as_ref(), limit)).await
}

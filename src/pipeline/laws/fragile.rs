//! A store that dies.

use super::*;
use crate::domain::account::Partition;
use crate::domain::ledger::Ledger;
use crate::store::{Commit, Committed, Exchange, Settlement, StoreError, Swept, VersionedState, Want};

/// A store whose commits fail after the first ones.
#[derive(Debug)]
pub(super) struct Fragile {
    inner: Arc<MemoryStore>,
    commits_left: Mutex<u32>,
}

impl Fragile {
    /// So many commits are written.
    pub(super) fn new(store: &Arc<MemoryStore>, commits: u32) -> Self {
        Self { inner: Arc::clone(store), commits_left: Mutex::new(commits) }
    }

    /// From now on all are.
    pub(super) fn mend(&self) {
        *self.commits_left.lock().unwrap() = u32::MAX;
    }
}

#[async_trait]
impl Store for Fragile {
    async fn ledgers(&self, account: &AccountName, partitions: &[Partition]) -> Result<Vec<Ledger>, StoreError> {
        self.inner.ledgers(account, partitions).await
    }

    async fn account(&self, account: &AccountName) -> Result<VersionedState, StoreError> {
        self.inner.account(account).await
    }

    async fn commit(&self, commit: &Commit) -> Result<Committed, StoreError> {
        let may = {
            let mut left = self.commits_left.lock().unwrap();
            let may = *left > 0;
            *left = left.saturating_sub(1);
            may
        };
        if may { self.inner.commit(commit).await } else { Err(StoreError::Unavailable("it died".into(), None)) }
    }

    async fn exchange(&self, settlements: &[Settlement], wants: &[Want]) -> Result<Exchange, StoreError> {
        self.inner.exchange(settlements, wants).await
    }

    async fn reclaim(&self) -> Result<u64, StoreError> {
        self.inner.reclaim().await
    }

    async fn acquire(&self, account: &AccountName, time: Duration) -> Result<Option<u64>, StoreError> {
        self.inner.acquire(account, time).await
    }

    async fn release(&self, account: &AccountName) -> Result<(), StoreError> {
        self.inner.release(account).await
    }

    async fn sweep(&self, retention: Duration) -> Result<Swept, StoreError> {
        self.inner.sweep(retention).await
    }

    async fn warnings(&self) -> Result<Vec<String>, StoreError> {
        self.inner.warnings().await
    }
}

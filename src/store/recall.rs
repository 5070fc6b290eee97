//! What is remembered, for whoever looks at it beside a running daemon and changes nothing.

use async_trait::async_trait;

use super::{Store, StoreError, VersionedState};
use crate::domain::account::{AccountName, Partition};
use crate::domain::ledger::Ledger;

/// The reading half of [`Store`].
#[async_trait]
pub trait Recall: Send + Sync + std::fmt::Debug {
    /// As [`Store::ledgers`].
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn ledgers_of(&self, account: &AccountName, partitions: &[Partition]) -> Result<Vec<Ledger>, StoreError>;

    /// As [`Store::account`].
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn state_of(&self, account: &AccountName) -> Result<VersionedState, StoreError>;
}

#[async_trait]
impl<S: Store + ?Sized> Recall for S {
    async fn ledgers_of(&self, account: &AccountName, partitions: &[Partition]) -> Result<Vec<Ledger>, StoreError> {
        self.ledgers(account, partitions).await
    }

    async fn state_of(&self, account: &AccountName) -> Result<VersionedState, StoreError> {
        self.account(account).await
    }
}

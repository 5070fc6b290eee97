//! What an account was asked to follow, as the stores keep it.

use async_trait::async_trait;

use super::StoreError;
use crate::domain::account::AccountName;
use crate::domain::watch::{Watch, WatchId};

/// The watches of an account with their version, which grows with every change; version 0 was never written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watchlist {
    /// Grows with every change.
    pub version: u64,
    /// In the order of their ids.
    pub watches: Vec<Watch>,
}

/// The watches, as the watcher, the operator's commands and the API see them.
///
/// Cancel-safety: a dropped call may or may not have taken effect; each may be repeated.
#[async_trait]
pub trait Watches: Send + Sync + std::fmt::Debug {
    /// All of an account.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn watches(&self, account: &AccountName) -> Result<Watchlist, StoreError>;

    /// The version alone, which tells whether anything changed. Whoever holds the right to poll the account may be told
    /// the version of some seconds ago.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn watches_version(&self, account: &AccountName) -> Result<u64, StoreError>;

    /// Writes watches; one with the same id is replaced.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn put_watches(&self, account: &AccountName, watches: &[Watch]) -> Result<(), StoreError>;

    /// Removes watches and returns how many were there.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn remove_watches(&self, account: &AccountName, ids: &[WatchId]) -> Result<u64, StoreError>;
}

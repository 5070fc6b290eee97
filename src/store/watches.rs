//! What an account was asked to follow, as the stores keep it.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use jiff::Timestamp;

use super::StoreError;
use crate::domain::account::AccountName;
use crate::domain::watch::{Origin, Terms, Watch, WatchId};

/// The most open watches of an account, without those of hints, which have a bound of their own. At the default rate a
/// round of so many takes half a working day, so that more would be asked too rarely to be of use; and an account's watches are read
/// as a whole whenever one changes.
pub const MOST_OPEN: usize = 10_000;

/// The most watches of an account that are kept, ended ones too: these wait for the end of the look-back.
pub const MOST_KEPT: usize = 50_000;

/// Why nothing more is followed.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// There is no room; nothing was written.
    #[error(
        "account `{account}` follows {there} things and keeps {kept}, and {MOST_OPEN} open ones of {MOST_KEPT} that are kept are the \
         most; wait until some end, or remove some (`pregonero watch list --account {account} --all` shows them)"
    )]
    Full {
        /// Whose.
        account: AccountName,
        /// How many are open.
        there: usize,
        /// How many are kept, ended ones too.
        kept: usize,
    },
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Has things followed from now on, on these terms. Returns how many of them were known.
///
/// Two that ask at the same moment may exceed the bound together, by what one request may name.
///
/// # Errors
/// See [`FollowError`].
pub async fn follow(
    store: &dyn Watches,
    account: &AccountName,
    ids: &BTreeSet<WatchId>,
    terms: &Terms,
    now: Timestamp,
) -> Result<usize, FollowError> {
    let list = store.watches(account).await?.watches;
    let known: BTreeMap<&WatchId, &Watch> = list.iter().map(|watch| (&watch.id, watch)).collect();
    let is_open = |watch: &Watch| watch.ended.is_none() && watch.origin != Origin::Hinted;
    let there = list.iter().filter(|watch| is_open(watch)).count();
    let again = ids.iter().filter(|id| known.contains_key(id)).count();
    let open = ids.iter().filter(|id| known.get(id).is_some_and(|watch| is_open(watch))).count();
    // What is open already may always be named again: that takes no room.
    let (opened, added) = (ids.len().saturating_sub(open), ids.len().saturating_sub(again));
    if opened > 0 && there.saturating_add(opened) > MOST_OPEN
        || added > 0 && list.len().saturating_add(added) > MOST_KEPT
    {
        return Err(FollowError::Full { account: account.clone(), there, kept: list.len() });
    }
    let watches: Vec<Watch> = ids.iter().map(|id| terms.watch(id, known.get(id).copied(), now)).collect();
    store.put_watches(account, &watches).await?;
    Ok(again)
}

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

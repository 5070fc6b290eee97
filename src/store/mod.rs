//! What outlives the process: ledgers, events, deliveries.
//!
//! [`Store`] is the pipeline's view, [`Archive`] the operator's. Three back-ends pass one suite of laws
//! (`conformance`): `memory` for simulations, `embedded` (SQLite) for one machine, `redis` for many. The store's
//! own clock rules every lease and due time, so that replicas with wrong clocks agree.

pub mod codec;
#[cfg(test)]
pub mod conformance;
pub mod copy;
pub mod embedded;
#[cfg(test)]
mod first_form;
pub mod memory;
mod pages;
mod payouts;
mod recall;
pub mod redis;
mod watches;

pub use self::payouts::Payouts;
pub use self::watches::{FollowError, MOST_KEPT, MOST_OPEN, Watches, Watchlist, follow};

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub use self::pages::each_event;
pub use self::recall::Recall;
use async_trait::async_trait;
use jiff::Timestamp;

use crate::domain::account::{AccountName, Partition, SourceKind};
use crate::domain::day::Day;
use crate::domain::delivery::{Attempt, DeliveryId, State, Verdict};
use crate::domain::event::{Event, EventId};
use crate::domain::ledger::{Change, Ledger};
use crate::domain::route::DestinationName;
use crate::domain::row::Reject;

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached, is busy, loading, read-only or full: try again later. Nothing is known about the effect.
    #[error("the store is not available: {0}")]
    Unavailable(String, #[source] Option<Box<dyn std::error::Error + Send + Sync>>),
    /// What it holds cannot be understood, or was written by a newer release.
    #[error("the store cannot be used: {0}")]
    Unusable(String),
}

/// What an account remembers beside its ledgers.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct AccountState {
    /// When this account was read for the first time; `None` before.
    pub contacted_at: Option<Timestamp>,
    /// Partitions of earlier days are a silent baseline at their first reading.
    pub silent_before: Option<Day>,
    /// The lowest day that the look-back has ever reached; a day below is a baseline too.
    pub floor: Option<Day>,
    /// The last day whose hot reading was committed: after a long outage reading goes on from here.
    pub read_through: Option<Day>,
    /// The last day that was reconciled and closed.
    pub closed_through: Option<Day>,
    /// Sources that fail or are not read, and since when.
    pub troubles: BTreeMap<SourceKind, Trouble>,
}

/// A source that fails or is not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// Since when.
    pub since: Timestamp,
    /// Whether it was announced.
    pub announced: bool,
    /// It does not fail as far as we know; it was not read for longer than usual.
    pub stale: bool,
}

/// The account's state with its version; version 0 was never written.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct VersionedState {
    /// Grows with every write.
    pub version: u64,
    /// The state.
    pub state: AccountState,
}

/// Changes to one partition, computed from one version of its ledger.
#[derive(Clone, Debug)]
pub struct LedgerWrite {
    /// Which.
    pub partition: Partition,
    /// The version that the changes were computed from; another one is a conflict.
    pub expected: u64,
    /// New contents of slots. May be empty: an empty reading is remembered too.
    pub changes: Vec<Change>,
}

/// An event with the deliveries that it begets.
#[derive(Clone, Debug)]
pub struct Announcement {
    /// What.
    pub event: Arc<Event>,
    /// To whom. May be empty: the event is kept all the same.
    pub destinations: Vec<DestinationName>,
    /// Held back by the flood guard.
    pub held: bool,
}

/// All that one reading changes on one account: atomically, or not at all.
#[derive(Clone, Debug)]
pub struct Commit {
    /// Whose. All partitions belong to it, so that all keys are in one shard.
    pub account: AccountName,
    /// Guarded changes of ledgers. Each one's version grows by one.
    pub ledgers: Vec<LedgerWrite>,
    /// Guarded change of the account's state: the version that it was computed from, and the new state.
    pub state: Option<(u64, AccountState)>,
    /// In the order of the facts. One whose id exists already is passed over, its deliveries too: its fact was told by another signal.
    pub announcements: Vec<Announcement>,
    /// Records that could not be read; one that is kept already (same fingerprint) is passed over.
    pub rejects: Vec<Reject>,
    /// How long the ledgers are remembered after this write.
    pub remember: Duration,
}

/// What became of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Committed {
    /// All of it is durable.
    Done {
        /// The announcements that were new, by id, in order.
        created: Vec<EventId>,
        /// Fingerprints of the rejects that were new.
        rejected: Vec<u64>,
    },
    /// A guard failed: somebody else was faster. Nothing was changed; load again and compute anew.
    Conflict,
}

/// What one destination can take now.
#[derive(Clone, Debug)]
pub struct Want {
    /// Which.
    pub destination: DestinationName,
    /// At the most how many.
    pub room: usize,
    /// For how long each is leased.
    pub lease: Duration,
}

/// The right to make one attempt.
#[derive(Clone, Debug)]
pub struct Lease {
    /// Which delivery.
    pub id: DeliveryId,
    /// What to announce.
    pub event: Arc<Event>,
    /// Grows with every lease of this delivery; a settlement with an older one writes nothing.
    pub fence: u64,
    /// Attempts spent before this one.
    pub attempts: u32,
}

/// The end of one attempt.
#[derive(Clone, Debug)]
pub struct Settlement {
    /// Which delivery.
    pub id: DeliveryId,
    /// From the lease.
    pub fence: u64,
    /// What is decided.
    pub verdict: Verdict,
    /// What happened; `None` when the lease is given back without an attempt.
    pub attempt: Option<Attempt>,
}

/// What an exchange brought.
#[derive(Clone, Debug, Default)]
pub struct Exchange {
    /// One per settlement, in order: whether the lease still held, so that it was written.
    pub settled: Vec<bool>,
    /// New leases; of one destination in the order of due time, then of the facts.
    pub leases: Vec<Lease>,
    /// How long until the earliest delivery that was asked for and not leased falls due; `None` when there is none.
    /// Zero when more is due already than there was room for. Without new leases, what another instance holds counts,
    /// too: it falls due when that lease is over, and nobody else may be left to notice.
    pub next_due: Option<Duration>,
}

/// What a sweep removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Events with all their deliveries.
    pub events: u64,
    /// Ledgers.
    pub ledgers: u64,
    /// Rejects.
    pub rejects: u64,
}

/// The pipeline's view. Every call is one round trip, or as many as there are shards, whatever the number of items.
///
/// Cancel-safety: a dropped call may or may not have taken effect, as when the connection breaks. Every call may be
/// repeated: commits are guarded by versions, settlements by fences.
#[async_trait]
pub trait Store: Send + Sync + std::fmt::Debug {
    /// The ledgers of partitions of one account, in their order; one that was never written has version 0.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn ledgers(&self, account: &AccountName, partitions: &[Partition]) -> Result<Vec<Ledger>, StoreError>;

    /// The account's state.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn account(&self, account: &AccountName) -> Result<VersionedState, StoreError>;

    /// Writes all or nothing. New deliveries are due at once, by the store's time.
    ///
    /// # Errors
    /// See [`StoreError`]; on [`StoreError::Unavailable`] the effect is unknown: load again and compute anew.
    async fn commit(&self, commit: &Commit) -> Result<Committed, StoreError>;

    /// Writes settlements, then leases what is due, in one go. Either part may be empty.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn exchange(&self, settlements: &[Settlement], wants: &[Want]) -> Result<Exchange, StoreError>;

    /// Makes due what a dead predecessor of this instance holds: its name says that it is us. Returns how many.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn reclaim(&self) -> Result<u64, StoreError>;

    /// Takes or renews the right to poll an account, for `time` from now by the store's time. `Some` carries a fence that
    /// grows whenever the holder changes; `None`: another instance holds it.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn acquire(&self, account: &AccountName, time: Duration) -> Result<Option<u64>, StoreError>;

    /// Gives the right back, if it is still ours.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn release(&self, account: &AccountName) -> Result<(), StoreError>;

    /// Removes events whose deliveries are all settled (delivered or dead) for longer than `retention`, ledgers whose
    /// time is over, and rejects older than `retention`. Bounded work a call; call again while it removes anything.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn sweep(&self, retention: Duration) -> Result<Swept, StoreError>;

    /// How long an idle dispatcher may go without a look at the store: somebody else may have requeued or released.
    fn patience(&self) -> Duration {
        Duration::from_secs(30)
    }

    /// Changes whenever the way to the store was opened anew. What was read or written before may have been forgotten
    /// since, by a server that lost its last second or by a failover: copies in the process are in doubt.
    fn incarnation(&self) -> u64 {
        0
    }

    /// What can make this store forget, said once at start: one sentence each, with what to do about it.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn warnings(&self) -> Result<Vec<String>, StoreError>;
}

/// Which events to list. Newest first.
#[derive(Clone, Debug, Default)]
pub struct EventFilter {
    /// Of this account.
    pub account: Option<AccountName>,
    /// Of types that any of these patterns takes; empty: all.
    pub patterns: Vec<crate::domain::route::Pattern>,
    /// Detected at or after.
    pub since: Option<Timestamp>,
    /// Detected before.
    pub until: Option<Timestamp>,
    /// At the most how many.
    pub limit: usize,
}

/// Which deliveries to list or requeue. Newest first.
#[derive(Clone, Debug, Default)]
pub struct DeliveryFilter {
    /// Of this event.
    pub event: Option<EventId>,
    /// To this destination.
    pub destination: Option<DestinationName>,
    /// In states of these names ([`State::as_str`]); empty: all.
    pub states: Vec<&'static str>,
    /// Of events detected at or after.
    pub since: Option<Timestamp>,
    /// Of events detected before.
    pub until: Option<Timestamp>,
    /// At the most how many.
    pub limit: usize,
}

/// A delivery as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryView {
    /// Which.
    pub id: DeliveryId,
    /// Where it stands.
    pub state: State,
    /// Attempts spent.
    pub attempts: u32,
    /// The last attempt.
    pub last: Option<Attempt>,
    /// When the event was detected.
    pub detected_at: Timestamp,
}

/// A reject as an operator sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RejectView {
    /// Whose.
    pub account: AccountName,
    /// When it was first seen.
    pub first_seen: Timestamp,
    /// What.
    pub reject: Reject,
}

/// How many of what, for `doctor`, readiness and the demo.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events kept.
    pub events: u64,
    /// Deliveries waiting or in flight.
    pub pending: u64,
    /// Deliveries held by the flood guard.
    pub held: u64,
    /// Deliveries given up.
    pub dead: u64,
    /// Records that could not be read.
    pub rejects: u64,
}

/// The operator's view. May be slower; never blocks the pipeline.
#[async_trait]
pub trait Archive: Send + Sync + std::fmt::Debug {
    /// Events, newest first.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn events(&self, filter: &EventFilter) -> Result<Vec<Arc<Event>>, StoreError>;

    /// One event with its deliveries.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn event(&self, id: &EventId) -> Result<Option<(Arc<Event>, Vec<DeliveryView>)>, StoreError>;

    /// Deliveries, newest event first.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<DeliveryView>, StoreError>;

    /// Gives dead or delivered deliveries a second chance: pending, due at once, attempts from zero. Pending ones become
    /// due at once and keep their attempts; in-flight and held ones are left alone. With `dry_run` only counts. The limit of the filter applies.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn requeue(&self, filter: &DeliveryFilter, dry_run: bool) -> Result<u64, StoreError>;

    /// Lets held deliveries go, of one account or of all. With `dry_run` only counts.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn release_held(&self, account: Option<&AccountName>, dry_run: bool) -> Result<u64, StoreError>;

    /// Records that could not be read, newest first.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn rejects(&self, account: Option<&AccountName>, limit: usize) -> Result<Vec<RejectView>, StoreError>;

    /// How many of what.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn counts(&self) -> Result<Counts, StoreError>;
}

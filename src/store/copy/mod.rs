//! Moving a store's contents to another back-end: [`Dump`] reads all that is kept, [`Load`] writes it, [`copy`] drives both.
//!
//! The contents go over in pages, in records that belong to no back-end. A target is marked while it is half full: no daemon
//! opens it then, and a copy of the same source goes on where it was cut off. Every write may be repeated. In the end both sides
//! are read again and compared, kind by kind, by number and hash.

mod tally;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

pub use self::tally::Sum;
use self::tally::Tally;
use super::{StoreError, VersionedState, Watchlist};
use crate::domain::account::AccountName;
use crate::domain::delivery::{Attempt, State};
use crate::domain::event::Event;
use crate::domain::ledger::{Memories, Slot};
use crate::domain::payout::Payout;
use crate::domain::route::DestinationName;
use crate::domain::row::Reject;

/// A ledger whose time is over before the copy ends would be missed by the comparison: it is given this much more.
const GRACE: Duration = Duration::from_secs(6 * 3600);

/// A kind of records. They are copied in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// States of accounts.
    Accounts,
    /// Ledgers.
    Ledgers,
    /// Events with their deliveries.
    Events,
    /// Rejects.
    Rejects,
    /// What accounts were asked to follow.
    Watches,
    /// Money that was asked to be sent.
    Payouts,
}

impl Kind {
    /// In the order of the copy.
    pub const ALL: [Self; 6] =
        [Self::Accounts, Self::Ledgers, Self::Events, Self::Rejects, Self::Watches, Self::Payouts];

    /// The name in marks and summaries.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accounts => "accounts",
            Self::Ledgers => "ledgers",
            Self::Events => "events",
            Self::Rejects => "rejects",
            Self::Watches => "watched accounts",
            Self::Payouts => "cash-outs",
        }
    }

    /// The kind of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// A ledger as it goes over.
#[derive(Clone, Debug)]
pub struct LedgerRecord {
    /// Whose.
    pub account: AccountName,
    /// Which, as [`crate::domain::account::Partition::key`] names it.
    pub key: String,
    /// Its version.
    pub version: u64,
    /// Until when it is remembered.
    pub expires: Timestamp,
    /// All of it, in no order.
    pub rows: Vec<(Slot, Memories)>,
}

/// A delivery as it goes over.
#[derive(Clone, Debug)]
pub struct DeliveryRecord {
    /// To whom.
    pub destination: DestinationName,
    /// Where it stands, to the millisecond.
    pub state: State,
    /// Attempts spent.
    pub attempts: u32,
    /// Of the last lease.
    pub fence: u32,
    /// The last attempt.
    pub last: Option<Attempt>,
}

/// An event as it goes over.
#[derive(Clone, Debug)]
pub struct EventRecord {
    /// The account whose reading found it: it says where the event is kept.
    pub owner: AccountName,
    /// What.
    pub event: Arc<Event>,
    /// To whom.
    pub deliveries: Vec<DeliveryRecord>,
}

/// A reject as it goes over.
#[derive(Clone, Debug)]
pub struct RejectRecord {
    /// Whose.
    pub account: AccountName,
    /// When it was first seen, to the millisecond.
    pub first_seen: Timestamp,
    /// What.
    pub reject: Reject,
}

/// One thing that a store keeps.
#[derive(Clone, Debug)]
pub enum Record {
    /// Name and state of an account.
    Account(AccountName, VersionedState),
    /// A ledger.
    Ledger(LedgerRecord),
    /// An event with its deliveries.
    Event(EventRecord),
    /// A reject.
    Reject(RejectRecord),
    /// All watches of an account.
    Watches(AccountName, Watchlist),
    /// A cash-out of an account: what keeps its reference from being sent a second time with other data.
    Payout(AccountName, Payout),
}

/// Some records.
#[derive(Debug, Default)]
pub struct Page {
    /// They, the older ones first. May be empty although more follow.
    pub records: Vec<Record>,
    /// Where the next page begins; `None`: there is none.
    pub next: Option<String>,
}

/// A store that can be read as a whole while no daemon uses it.
#[async_trait]
pub trait Dump: Send + Sync {
    /// The records of a kind from `from` on, which an earlier page has told; the empty text is the beginning.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn page(&self, kind: Kind, from: &str) -> Result<Page, StoreError>;

    /// The instances that poll accounts with this store now.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn users(&self) -> Result<Vec<String>, StoreError>;
}

/// How far a copy has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The name of the source.
    pub source: String,
    /// The kind that is being copied.
    pub kind: Kind,
    /// Where the next page begins.
    pub from: String,
}

impl Mark {
    /// As a store keeps it.
    pub fn to_text(&self) -> String {
        format!("{}\n{}\n{}", self.kind.as_str(), self.from, self.source)
    }

    /// What [`Self::to_text`] made.
    pub fn from_text(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '\n');
        let kind = Kind::from_name(parts.next()?)?;
        let (from, source) = (parts.next()?.to_owned(), parts.next()?.to_owned());
        Some(Self { source, kind, from })
    }
}

/// A store that can be filled.
#[async_trait]
pub trait Load: Send + Sync {
    /// The mark of a copy that was cut off.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn mark(&self) -> Result<Option<Mark>, StoreError>;

    /// Sets the mark, or takes it away when the copy is whole. While it stands, no daemon opens the store.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn set_mark(&self, mark: Option<&Mark>) -> Result<(), StoreError>;

    /// Writes records. One that was written before is written again or left: the outcome is the same.
    ///
    /// # Errors
    /// See [`StoreError`].
    async fn load(&self, records: Vec<Record>) -> Result<(), StoreError>;
}

/// Why there was no copy.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// One of the stores, which the text names, did not do it.
    #[error("{0}")]
    Store(&'static str, #[source] StoreError),
    /// A daemon is at work.
    #[error("{0} is in use by {1}: stop it first (a daemon that was killed is forgotten 30 s later)")]
    InUse(&'static str, String),
    /// The target holds something else.
    #[error("the target is not empty: choose another one, or empty it first")]
    NotEmpty,
    /// The target holds a part of another source.
    #[error("the target holds an unfinished copy of another source ({0}): finish that one, or empty the target")]
    OtherSource(String),
    /// What was read back differs.
    #[error(
        "source and target differ in their {0} after the copy; was a daemon at work? Empty the target and copy again"
    )]
    Differs(&'static str),
}

/// What has happened so far, for whoever watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Records of this kind were written.
    Copied(Kind, u64),
    /// Records of this kind were read again, on either side.
    Compared(Kind, u64),
}

/// What was copied, and that it is the same on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Whether an earlier copy was gone on with.
    pub resumed: bool,
    /// By name of the kind: accounts, ledgers, rows, events, deliveries, rejects, watches, cash-outs.
    pub sums: Vec<(&'static str, Sum)>,
}

/// Copies everything from one store to an empty one and compares both. `source` names the source, so that a copy that was cut
/// off is not gone on with from another one; `watch` hears of each page.
///
/// Cancel-safety: may be dropped at any time and called again.
///
/// # Errors
/// See [`CopyError`].
pub async fn copy<S, T>(
    source: &S,
    target: &T,
    name: &str,
    now: Timestamp,
    watch: &mut (dyn FnMut(Step) + Send),
) -> Result<Summary, CopyError>
where
    S: Dump + ?Sized,
    T: Dump + Load + ?Sized,
{
    unused(source, "the source").await?;
    unused(target, "the target").await?;
    let mark = target.mark().await.map_err(in_target)?;
    let resumed = mark.is_some();
    let mark = match mark {
        Some(mark) if mark.source == name => mark,
        Some(mark) => return Err(CopyError::OtherSource(mark.source)),
        None => {
            empty(target).await?;
            Mark { source: name.to_owned(), kind: Kind::Accounts, from: String::new() }
        }
    };
    target.set_mark(Some(&mark)).await.map_err(in_target)?;
    for kind in Kind::ALL.into_iter().filter(|kind| *kind >= mark.kind) {
        // Redis lists its keys in an order of the process: what has keys of its own is begun with again.
        let goes_on = kind == mark.kind && !matches!(kind, Kind::Ledgers | Kind::Watches | Kind::Payouts);
        let from = if goes_on { mark.from.clone() } else { String::new() };
        pour(source, target, Mark { kind, from, source: name.to_owned() }, now, watch).await?;
    }
    let sums = compared(source, target, watch).await?;
    unused(source, "the source").await?;
    target.set_mark(None).await.map_err(in_target)?;
    Ok(Summary { resumed, sums })
}

fn in_source(error: StoreError) -> CopyError {
    CopyError::Store("the source", error)
}

fn in_target(error: StoreError) -> CopyError {
    CopyError::Store("the target", error)
}

async fn unused<S: Dump + ?Sized>(store: &S, which: &'static str) -> Result<(), CopyError> {
    let users = store.users().await.map_err(|error| CopyError::Store(which, error))?;
    if users.is_empty() { Ok(()) } else { Err(CopyError::InUse(which, users.join(", "))) }
}

async fn empty<T: Dump + ?Sized>(target: &T) -> Result<(), CopyError> {
    for kind in Kind::ALL {
        let mut next = Some(String::new());
        while let Some(from) = next {
            let page = target.page(kind, &from).await.map_err(in_target)?;
            if !page.records.is_empty() {
                return Err(CopyError::NotEmpty);
            }
            next = page.next;
        }
    }
    Ok(())
}

/// Copies one kind, page by page.
async fn pour<S, T>(
    source: &S,
    target: &T,
    mut mark: Mark,
    now: Timestamp,
    watch: &mut (dyn FnMut(Step) + Send),
) -> Result<(), CopyError>
where
    S: Dump + ?Sized,
    T: Dump + Load + ?Sized,
{
    let least = now + GRACE;
    let mut copied = 0;
    loop {
        let Page { mut records, next } = source.page(mark.kind, &mark.from).await.map_err(in_source)?;
        for record in &mut records {
            if let Record::Ledger(ledger) = record {
                ledger.expires = ledger.expires.max(least);
            }
        }
        copied += u64::try_from(records.len()).unwrap_or_default();
        target.load(records).await.map_err(in_target)?;
        watch(Step::Copied(mark.kind, copied));
        let Some(next) = next else { return Ok(()) };
        mark.from = next;
        target.set_mark(Some(&mark)).await.map_err(in_target)?;
    }
}

async fn compared<S, T>(
    source: &S,
    target: &T,
    watch: &mut (dyn FnMut(Step) + Send),
) -> Result<Vec<(&'static str, Sum)>, CopyError>
where
    S: Dump + ?Sized,
    T: Dump + ?Sized,
{
    let mut sums = Vec::new();
    for kind in Kind::ALL {
        let left = tally(source, kind, watch).await.map_err(in_source)?;
        let right = tally(target, kind, watch).await.map_err(in_target)?;
        for ((name, left), (_, right)) in left.sums(kind).into_iter().zip(right.sums(kind)) {
            if left != right {
                return Err(CopyError::Differs(name));
            }
            sums.push((name, left));
        }
    }
    Ok(sums)
}

async fn tally<S: Dump + ?Sized>(
    store: &S,
    kind: Kind,
    watch: &mut (dyn FnMut(Step) + Send),
) -> Result<Tally, StoreError> {
    let mut tally = Tally::default();
    let mut next = Some(String::new());
    while let Some(from) = next {
        let page = store.page(kind, &from).await?;
        page.records.iter().for_each(|record| tally.add(record));
        watch(Step::Compared(kind, tally.records()));
        next = page.next;
    }
    Ok(tally)
}

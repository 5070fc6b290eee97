//! What was announced of a day, looked up in the archive.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::announce::Herald;
use super::digest::Draft;
use super::merge::told_by_book;
use super::reconcile::{self, Doubts, Heard};
use crate::domain::account::{Partition, SourceKind};
use crate::domain::day::Day;
use crate::domain::event::{EventId, EventType};
use crate::domain::ledger::Ledger;
use crate::store::{AccountState, Archive, Recall, StoreError, each_event};

/// Events are read in pages of so many.
const PAGE: usize = 1_000;

/// Asks the archive about one account.
#[derive(Clone, Debug)]
pub(super) struct Auditor {
    pub(super) archive: Arc<dyn Archive>,
    pub(super) herald: Herald,
}

/// What is in doubt, and what was announced.
#[derive(Debug)]
pub(super) struct Audit {
    pub(super) doubts: Doubts,
    pub(super) heard: Heard,
}

impl Audit {
    /// Copies of these ledgers without what is in doubt.
    pub(super) fn doubted(&self, ledgers: &HashMap<Partition, Ledger>) -> HashMap<Partition, Ledger> {
        let doubted = |(partition, ledger): (&Partition, &Ledger)| {
            (partition.clone(), reconcile::doubted(ledger, &self.doubts.missing))
        };
        ledgers.iter().map(doubted).collect()
    }
}

impl Auditor {
    /// What was announced around a day, and which facts of these ledgers are remembered as told and were not.
    pub(super) async fn audit(
        &self,
        day: Day,
        wanted: &[Partition],
        ledgers: &HashMap<Partition, Ledger>,
        state: &AccountState,
    ) -> Result<Audit, StoreError> {
        let heard = self.heard(day).await?;
        let read = wanted.iter().filter_map(|partition| Some((partition, ledgers.get(partition)?)));
        let strict = read.filter(|(partition, ledger)| reconcile::is_strict(state, partition, ledger));
        let ids = strict.flat_map(|(_, ledger)| reconcile::told(ledger)).collect();
        let missing = self.missing(ids, &heard).await?;
        Ok(Audit { doubts: Doubts { day, missing }, heard })
    }

    /// The same for books of refunds.
    pub(super) async fn books(&self, audit: &mut Audit, books: &HashMap<Partition, Ledger>) -> Result<(), StoreError> {
        let told = |(partition, ledger)| told_by_book(&self.herald.account, partition, ledger);
        let missing = self.missing(books.iter().flat_map(told).collect(), &audit.heard).await?;
        audit.doubts.missing.extend(missing);
        Ok(())
    }

    /// Those of these events that are nowhere. What was detected long before its day is asked for one by one; it is rare.
    async fn missing(&self, ids: Vec<EventId>, heard: &Heard) -> Result<HashSet<EventId>, StoreError> {
        let mut missing = HashSet::new();
        for id in ids.into_iter().filter(|id| !heard.has(id)) {
            if self.archive.event(&id).await?.is_none() {
                missing.insert(id);
            }
        }
        Ok(missing)
    }

    /// What was announced around a day.
    pub(super) async fn heard(&self, day: Day) -> Result<Heard, StoreError> {
        let mut heard = Heard::default();
        let zone = &self.herald.zone;
        let since = reconcile::heard_since(day, zone);
        each_event(self.archive.as_ref(), &self.herald.account, since, PAGE, |event| heard.take(event, zone)).await?;
        Ok(heard)
    }

    /// Whether the day was closed.
    pub(super) async fn is_closed(&self, day: Day) -> Result<bool, StoreError> {
        let id = reconcile::id(&self.herald, EventType::DayClosed, day);
        Ok(self.archive.event(&id).await?.is_some())
    }
}

/// Payments of sales that stand in older ledgers. Rare: only a refund row whose sale is not in the same reading asks.
pub(super) async fn look_up(
    recall: &(impl Recall + ?Sized),
    draft: &Draft<'_>,
    listing: SourceKind,
) -> Result<HashMap<u64, u64>, StoreError> {
    let sales = draft.sales_to_look_up();
    if sales.is_empty() {
        return Ok(HashMap::new());
    }
    let (account, days) = draft.look_back(listing);
    let ledgers = recall.ledgers_of(account, &days).await?;
    let payment = |sale: u64| ledgers.iter().find_map(|ledger| ledger.payment_of_sale(sale));
    Ok(sales.iter().filter_map(|sale| Some((*sale, payment(*sale)?))).collect())
}

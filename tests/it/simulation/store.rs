//! The store in memory behind a line that breaks: unavailable before the effect or after it, conflicts, outages.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use fastrand::Rng;
use pregonero::domain::account::{AccountName, Partition};
use pregonero::domain::delivery::DeliveryId;
use pregonero::domain::event::{Body, Event, EventId};
use pregonero::domain::ledger::Ledger;
use pregonero::domain::route::DestinationName;
use pregonero::store::memory::MemoryStore;
use pregonero::store::{
    Archive, Commit, Committed, Counts, DeliveryFilter, DeliveryView, EventFilter, Exchange, RejectView, Settlement,
    Store, StoreError, Swept, VersionedState, Want,
};
use tokio::time::Instant;

use super::trace::Trace;
use super::weather::{Part, Weather, between};

/// What the store was made to hold, noted where it becomes durable: whatever is swept later, this remembers.
#[derive(Clone, Debug, Default)]
pub(super) struct Record(Arc<Mutex<Noted>>);

#[derive(Debug, Default)]
pub(super) struct Noted {
    /// Every event that was created, and to whom.
    pub(super) events: BTreeMap<EventId, (Arc<Event>, Vec<DestinationName>)>,
    /// Events that were created a second time.
    pub(super) doubled: Vec<EventId>,
    /// When the right to poll an account changed hands.
    pub(super) turns: BTreeMap<AccountName, Vec<Instant>>,
    holders: BTreeMap<AccountName, u64>,
    /// The fence of the last lease of each delivery.
    fences: BTreeMap<DeliveryId, u64>,
    /// Settlements that were written under a fence that was no longer the last.
    pub(super) stale: Vec<DeliveryId>,
}

impl Record {
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Noted) -> T) -> T {
        work(&mut self.0.lock().unwrap())
    }

    fn created(&self, commit: &Commit, created: &[EventId]) {
        self.with(|noted| {
            for announcement in commit.announcements.iter().filter(|one| created.contains(&one.event.id)) {
                let entry = (Arc::clone(&announcement.event), announcement.destinations.clone());
                if noted.events.insert(announcement.event.id, entry).is_some() {
                    noted.doubled.push(announcement.event.id);
                }
            }
        });
    }

    fn held(&self, account: &AccountName, fence: u64) {
        self.with(|noted| {
            if noted.holders.insert(account.clone(), fence) != Some(fence) {
                noted.turns.entry(account.clone()).or_default().push(Instant::now());
            }
        });
    }
}

/// One process's line to the store.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) inner: MemoryStore,
    pub(super) record: Record,
    pub(super) weather: Weather,
    pub(super) trace: Trace,
    pub(super) process: u64,
    /// Faults and conflicts, per mille.
    pub(super) rates: (u32, u32),
    pub(super) chance: Mutex<Rng>,
}

impl Line {
    /// The way there. An error before the effect.
    async fn there(&self, call: &str) -> Result<(), StoreError> {
        tokio::time::sleep(between(&self.chance, 0, 4)).await;
        if self.weather.is_out(Part::Store) {
            tokio::time::sleep(between(&self.chance, 0, 400)).await;
            return Err(unavailable("an outage"));
        }
        if self.weather.strikes(&self.chance, self.rates.0) {
            self.trace.say(format_args!("p{} {call} fails before its effect", self.process));
            return Err(unavailable("it was not sent"));
        }
        Ok(())
    }

    /// The way back. An error after the effect.
    async fn back(&self, call: &str) -> Result<(), StoreError> {
        tokio::time::sleep(between(&self.chance, 0, 4)).await;
        if self.weather.strikes(&self.chance, self.rates.0) {
            self.trace.say(format_args!("p{} {call} fails after its effect", self.process));
            return Err(unavailable("the acknowledgement was lost"));
        }
        Ok(())
    }
}

fn unavailable(why: &str) -> StoreError {
    StoreError::Unavailable(why.to_owned(), None)
}

#[async_trait]
impl Store for Line {
    async fn ledgers(&self, account: &AccountName, partitions: &[Partition]) -> Result<Vec<Ledger>, StoreError> {
        self.there("ledgers").await?;
        let ledgers = self.inner.ledgers(account, partitions).await?;
        self.back("ledgers").await?;
        Ok(ledgers)
    }

    async fn account(&self, account: &AccountName) -> Result<VersionedState, StoreError> {
        self.there("account").await?;
        let state = self.inner.account(account).await?;
        self.back("account").await?;
        Ok(state)
    }

    async fn commit(&self, commit: &Commit) -> Result<Committed, StoreError> {
        self.there("commit").await?;
        if self.weather.strikes(&self.chance, self.rates.1) {
            self.trace.say(format_args!("p{} commit meets a conflict that was none", self.process));
            return Ok(Committed::Conflict);
        }
        let committed = self.inner.commit(commit).await?;
        if let Committed::Done { created, .. } = &committed {
            self.record.created(commit, created);
            for announcement in commit.announcements.iter().filter(|one| created.contains(&one.event.id)) {
                let event = &announcement.event;
                let cents = match &event.body {
                    Body::Payment(payment) => payment.amount.cents(),
                    Body::Notice(_) => 0,
                };
                self.trace.say(format_args!("p{} creates {} {} {cents}", self.process, event.id, event.kind));
            }
        }
        self.trace.say(format_args!("p{} commits {} ledgers", self.process, commit.ledgers.len()));
        self.back("commit").await?;
        Ok(committed)
    }

    async fn exchange(&self, settlements: &[Settlement], wants: &[Want]) -> Result<Exchange, StoreError> {
        self.there("exchange").await?;
        let exchange = self.inner.exchange(settlements, wants).await?;
        self.record.with(|noted| {
            let written = settlements.iter().zip(&exchange.settled).filter(|(_, written)| **written);
            for (Settlement { id, fence, .. }, _) in written {
                if noted.fences.get(id) != Some(fence) {
                    noted.stale.push(id.clone());
                }
            }
            noted.fences.extend(exchange.leases.iter().map(|lease| (lease.id.clone(), lease.fence)));
        });
        for (settlement, written) in settlements.iter().zip(&exchange.settled) {
            let Settlement { id, fence, verdict, .. } = settlement;
            self.trace.say(format_args!(
                "p{} settles {} {} fence {fence}: {verdict:?} written {written}",
                self.process, id.event, id.destination
            ));
        }
        for lease in &exchange.leases {
            self.trace.say(format_args!(
                "p{} leases {} {} fence {}",
                self.process, lease.id.event, lease.id.destination, lease.fence
            ));
        }
        self.back("exchange").await?;
        Ok(exchange)
    }

    async fn reclaim(&self) -> Result<u64, StoreError> {
        self.there("reclaim").await?;
        let count = self.inner.reclaim().await?;
        self.back("reclaim").await?;
        Ok(count)
    }

    async fn acquire(&self, account: &AccountName, time: Duration) -> Result<Option<u64>, StoreError> {
        self.there("acquire").await?;
        let fence = self.inner.acquire(account, time).await?;
        self.trace.say(format_args!("p{} asks for {account}: {fence:?}", self.process));
        if let Some(fence) = fence {
            self.record.held(account, fence);
        }
        self.back("acquire").await?;
        Ok(fence)
    }

    async fn release(&self, account: &AccountName) -> Result<(), StoreError> {
        self.there("release").await?;
        self.inner.release(account).await?;
        self.back("release").await
    }

    async fn sweep(&self, retention: Duration) -> Result<Swept, StoreError> {
        self.there("sweep").await?;
        let swept = self.inner.sweep(retention).await?;
        self.trace.say(format_args!("p{} sweeps {swept:?}", self.process));
        self.back("sweep").await?;
        Ok(swept)
    }

    async fn warnings(&self) -> Result<Vec<String>, StoreError> {
        self.inner.warnings().await
    }
}

/// Only what a watcher asks when it closes a day goes over the line; the rest is an operator's.
#[async_trait]
impl Archive for Line {
    async fn events(&self, filter: &EventFilter) -> Result<Vec<Arc<Event>>, StoreError> {
        self.there("events").await?;
        let events = self.inner.events(filter).await?;
        self.back("events").await?;
        Ok(events)
    }

    async fn event(&self, id: &EventId) -> Result<Option<(Arc<Event>, Vec<DeliveryView>)>, StoreError> {
        self.there("event").await?;
        let event = self.inner.event(id).await?;
        self.back("event").await?;
        Ok(event)
    }

    async fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<DeliveryView>, StoreError> {
        self.inner.deliveries(filter).await
    }

    async fn requeue(&self, filter: &DeliveryFilter, dry_run: bool) -> Result<u64, StoreError> {
        self.inner.requeue(filter, dry_run).await
    }

    async fn release_held(&self, account: Option<&AccountName>, dry_run: bool) -> Result<u64, StoreError> {
        self.inner.release_held(account, dry_run).await
    }

    async fn rejects(&self, account: Option<&AccountName>, limit: usize) -> Result<Vec<RejectView>, StoreError> {
        self.inner.rejects(account, limit).await
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        self.inner.counts().await
    }
}

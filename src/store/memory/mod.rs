//! A store that forgets with the process: maps behind one lock, over an injected clock. For simulations and tests.

mod archive;
mod copy;
mod payouts;
mod watches;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};

use super::{
    Announcement, Commit, Committed, Exchange, Lease, LedgerWrite, Settlement, Store, StoreError, Swept,
    VersionedState, Want,
};
use crate::clock::Clock;
use crate::domain::account::{AccountName, Partition};
use crate::domain::delivery::{Attempt, DeliveryId, State, Verdict};
use crate::domain::event::{Event, EventId};
use crate::domain::ledger::Ledger;
use crate::domain::payout::Payout;
use crate::domain::route::DestinationName;
use crate::domain::row::Reject;
use crate::domain::watch::{Watch, WatchId};

/// The store of one instance; its replicas share the data.
#[derive(Clone, Debug)]
pub struct MemoryStore {
    instance: Arc<str>,
    clock: Arc<dyn Clock>,
    data: Arc<Mutex<Data>>,
}

/// Events are numbered in the order in which they were told; deliveries stand under that number.
#[derive(Debug, Default)]
struct Data {
    accounts: HashMap<AccountName, AccountRow>,
    ledgers: BTreeMap<Partition, LedgerRow>,
    events: BTreeMap<u64, Arc<Event>>,
    numbers: HashMap<EventId, u64>,
    next_number: u64,
    deliveries: BTreeMap<(u64, DestinationName), DeliveryRow>,
    /// Waiting and in-flight deliveries; the latter fall due again when their lease ends.
    due: BTreeSet<(DestinationName, Timestamp, u64)>,
    rejects: Vec<RejectRow>,
    /// The version of an account's watches, and the watches.
    watches: HashMap<AccountName, (u64, BTreeMap<WatchId, Watch>)>,
    /// Account and reference → money that was asked to be sent.
    payouts: BTreeMap<(AccountName, String), Payout>,
    /// Of a copy that is not whole yet.
    mark: Option<super::copy::Mark>,
}

#[derive(Debug, Default)]
struct AccountRow {
    state: VersionedState,
    holder: Option<(Arc<str>, Timestamp)>,
    fence: u64,
}

#[derive(Debug)]
struct LedgerRow {
    ledger: Ledger,
    expires: Timestamp,
}

#[derive(Debug)]
struct DeliveryRow {
    state: State,
    holder: Arc<str>,
    fence: u64,
    attempts: u32,
    last: Option<Attempt>,
}

#[derive(Debug)]
struct RejectRow {
    account: AccountName,
    first_seen: Timestamp,
    reject: Reject,
}

impl MemoryStore {
    /// An empty store.
    pub fn new(instance: &str, clock: Arc<dyn Clock>) -> Self {
        Self { instance: instance.into(), clock, data: Arc::default() }
    }

    /// The same data as another instance sees it.
    #[must_use]
    pub fn replica(&self, instance: &str) -> Self {
        Self { instance: instance.into(), ..self.clone() }
    }

    /// Empties it under whoever uses it, as `FLUSHALL` does.
    #[cfg(test)]
    pub(crate) fn empty(&self) {
        *self.data() = Data::default();
    }

    fn data(&self) -> MutexGuard<'_, Data> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `at` and a wait; at the end of time for a wait that is too long.
fn later(at: Timestamp, wait: Duration) -> Timestamp {
    SignedDuration::try_from(wait).ok().and_then(|wait| at.checked_add(wait).ok()).unwrap_or(Timestamp::MAX)
}

/// When a delivery in this state is to be looked at again.
const fn due_of(state: &State) -> Option<Timestamp> {
    match state {
        State::Pending { due } => Some(*due),
        State::InFlight { until } => Some(*until),
        State::Held | State::Delivered { .. } | State::Dead { .. } => None,
    }
}

impl Data {
    /// Moves a delivery to another state and the index with it.
    fn turn(&mut self, number: u64, destination: &DestinationName, state: State) {
        let Some(row) = self.deliveries.get_mut(&(number, destination.clone())) else { return };
        if let Some(due) = due_of(&row.state) {
            self.due.remove(&(destination.clone(), due, number));
        }
        if let Some(due) = due_of(&state) {
            self.due.insert((destination.clone(), due, number));
        }
        row.state = state;
    }

    fn allows(&self, commit: &Commit) -> bool {
        let version = |write: &LedgerWrite| self.ledgers.get(&write.partition).map_or(0, |row| row.ledger.version());
        let state = self.accounts.get(&commit.account).map_or(0, |row| row.state.version);
        commit.ledgers.iter().all(|write| version(write) == write.expected)
            && commit.state.as_ref().is_none_or(|(expected, _)| *expected == state)
    }

    fn announce(&mut self, announcement: &Announcement, now: Timestamp) -> Option<EventId> {
        let id = announcement.event.id;
        if self.numbers.contains_key(&id) {
            return None;
        }
        let number = self.next_number;
        self.next_number += 1;
        self.numbers.insert(id, number);
        self.events.insert(number, announcement.event.clone());
        for destination in &announcement.destinations {
            let state = if announcement.held { State::Held } else { State::Pending { due: now } };
            let row = DeliveryRow { state: State::Held, holder: "".into(), fence: 0, attempts: 0, last: None };
            self.deliveries.insert((number, destination.clone()), row);
            self.turn(number, destination, state);
        }
        Some(id)
    }

    fn reject(&mut self, account: &AccountName, reject: &Reject, now: Timestamp) -> Option<u64> {
        let print = reject.fingerprint;
        if self.rejects.iter().any(|row| row.account == *account && row.reject.fingerprint == print) {
            return None;
        }
        self.rejects.push(RejectRow { account: account.clone(), first_seen: now, reject: reject.clone() });
        Some(print)
    }

    fn settle(&mut self, settlement: &Settlement, now: Timestamp) -> bool {
        let Some(number) = self.numbers.get(&settlement.id.event).copied() else { return false };
        let destination = &settlement.id.destination;
        let Some(row) = self.deliveries.get_mut(&(number, destination.clone())) else { return false };
        if row.fence != settlement.fence || !matches!(row.state, State::InFlight { .. }) {
            return false;
        }
        let (state, spent) = match &settlement.verdict {
            Verdict::Delivered => (State::Delivered { at: now }, true),
            Verdict::Dead { reason } => (State::Dead { at: now, reason: *reason }, true),
            Verdict::Retry { after, spent } => (State::Pending { due: later(now, *after) }, *spent),
        };
        row.attempts = row.attempts.saturating_add(u32::from(spent));
        if settlement.attempt.is_some() {
            row.last.clone_from(&settlement.attempt);
        }
        self.turn(number, destination, state);
        true
    }

    fn lease(&mut self, want: &Want, holder: &Arc<str>, now: Timestamp) -> Vec<Lease> {
        let name = &want.destination;
        let due: Vec<u64> = self
            .due
            .range((name.clone(), Timestamp::MIN, 0)..=(name.clone(), now, u64::MAX))
            .map(|(_, _, number)| *number)
            .take(want.room)
            .collect();
        let mut leases = Vec::with_capacity(due.len());
        for number in due {
            self.turn(number, name, State::InFlight { until: later(now, want.lease) });
            let row = self.deliveries.get_mut(&(number, name.clone()));
            let (Some(row), Some(event)) = (row, self.events.get(&number)) else { continue };
            row.fence += 1;
            row.holder = holder.clone();
            leases.push(Lease {
                id: DeliveryId { event: event.id, destination: name.clone() },
                event: event.clone(),
                fence: row.fence,
                attempts: row.attempts,
            });
        }
        leases
    }

    fn next_due(&self, name: &DestinationName, us: &Arc<str>, idle: bool, now: Timestamp) -> Option<Duration> {
        let waits = |number: u64| {
            let row = self.deliveries.get(&(number, name.clone()));
            row.is_some_and(|row| match row.state {
                State::Pending { .. } => true,
                State::InFlight { .. } => idle && row.holder != *us,
                State::Held | State::Delivered { .. } | State::Dead { .. } => false,
            })
        };
        self.due
            .range((name.clone(), Timestamp::MIN, 0)..=(name.clone(), Timestamp::MAX, u64::MAX))
            .find(|(_, _, number)| waits(*number))
            .map(|(_, due, _)| Duration::try_from(due.duration_since(now)).unwrap_or_default())
    }

    fn sweep_events(&mut self, before: Timestamp) -> u64 {
        let settled = |row: &DeliveryRow| match row.state {
            State::Delivered { at } | State::Dead { at, .. } => at < before,
            State::Pending { .. } | State::InFlight { .. } | State::Held => false,
        };
        let mut gone = Vec::new();
        for (number, event) in &self.events {
            let rows = self.deliveries.range((*number, DestinationName::new(""))..);
            if event.detected_at < before && rows.take_while(|((of, _), _)| of == number).all(|(_, row)| settled(row)) {
                gone.push((*number, event.id));
            }
        }
        for (number, id) in &gone {
            self.events.remove(number);
            self.numbers.remove(id);
        }
        self.deliveries.retain(|(number, _), _| self.events.contains_key(number));
        u64::try_from(gone.len()).unwrap_or(u64::MAX)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn ledgers(&self, _: &AccountName, partitions: &[Partition]) -> Result<Vec<Ledger>, StoreError> {
        let data = self.data();
        let of = |partition| data.ledgers.get(partition).map_or_else(Ledger::default, |row| row.ledger.clone());
        Ok(partitions.iter().map(of).collect())
    }

    async fn account(&self, account: &AccountName) -> Result<VersionedState, StoreError> {
        Ok(self.data().accounts.get(account).map_or_else(VersionedState::default, |row| row.state.clone()))
    }

    async fn commit(&self, commit: &Commit) -> Result<Committed, StoreError> {
        let now = self.clock.now();
        let mut data = self.data();
        if !data.allows(commit) {
            return Ok(Committed::Conflict);
        }
        for write in &commit.ledgers {
            let unread = || LedgerRow { ledger: Ledger::default(), expires: now };
            let row = data.ledgers.entry(write.partition.clone()).or_insert_with(unread);
            row.ledger.apply(write.expected + 1, &write.changes);
            row.expires = later(now, commit.remember);
        }
        if let Some((expected, state)) = &commit.state {
            let row = data.accounts.entry(commit.account.clone()).or_default();
            row.state = VersionedState { version: expected + 1, state: state.clone() };
        }
        let created = commit.announcements.iter().filter_map(|one| data.announce(one, now)).collect();
        let rejected = commit.rejects.iter().filter_map(|one| data.reject(&commit.account, one, now)).collect();
        Ok(Committed::Done { created, rejected })
    }

    async fn exchange(&self, settlements: &[Settlement], wants: &[Want]) -> Result<Exchange, StoreError> {
        let now = self.clock.now();
        let mut data = self.data();
        let settled = settlements.iter().map(|settlement| data.settle(settlement, now)).collect();
        let leases: Vec<Lease> = wants.iter().flat_map(|want| data.lease(want, &self.instance, now)).collect();
        let due = |want: &Want| data.next_due(&want.destination, &self.instance, leases.is_empty(), now);
        let next_due = wants.iter().filter_map(due).min();
        Ok(Exchange { settled, leases, next_due })
    }

    async fn reclaim(&self) -> Result<u64, StoreError> {
        let now = self.clock.now();
        let mut data = self.data();
        let ours: Vec<_> = data
            .deliveries
            .iter()
            .filter(|(_, row)| matches!(row.state, State::InFlight { .. }) && row.holder == self.instance)
            .map(|(key, _)| key.clone())
            .collect();
        for (number, destination) in &ours {
            data.turn(*number, destination, State::Pending { due: now });
        }
        Ok(u64::try_from(ours.len()).unwrap_or(u64::MAX))
    }

    async fn acquire(&self, account: &AccountName, time: Duration) -> Result<Option<u64>, StoreError> {
        let now = self.clock.now();
        let mut data = self.data();
        let row = data.accounts.entry(account.clone()).or_default();
        let ours = row.holder.as_ref().is_some_and(|(holder, _)| *holder == self.instance);
        let free = row.holder.as_ref().is_none_or(|(_, until)| *until <= now);
        if !ours && !free {
            return Ok(None);
        }
        if !ours {
            row.fence += 1;
        }
        row.holder = Some((self.instance.clone(), later(now, time)));
        Ok(Some(row.fence))
    }

    async fn release(&self, account: &AccountName) -> Result<(), StoreError> {
        if let Some(row) = self.data().accounts.get_mut(account) {
            row.holder.take_if(|(holder, _)| *holder == self.instance);
        }
        Ok(())
    }

    async fn sweep(&self, retention: Duration) -> Result<Swept, StoreError> {
        let now = self.clock.now();
        let past = SignedDuration::try_from(retention).unwrap_or(SignedDuration::MAX);
        let before = now.checked_sub(past).unwrap_or(Timestamp::MIN);
        let mut data = self.data();
        let (ledgers, rejects) = (data.ledgers.len(), data.rejects.len());
        data.ledgers.retain(|_, row| row.expires > now);
        data.rejects.retain(|row| row.first_seen >= before);
        let gone = |before: usize, after: usize| u64::try_from(before - after).unwrap_or(u64::MAX);
        Ok(Swept {
            events: data.sweep_events(before),
            ledgers: gone(ledgers, data.ledgers.len()),
            rejects: gone(rejects, data.rejects.len()),
        })
    }

    async fn warnings(&self) -> Result<Vec<String>, StoreError> {
        Ok(vec!["the store is in memory and forgets everything when the process ends".to_owned()])
    }
}

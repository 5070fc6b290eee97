//! The operator's view of the store in memory.

use std::sync::Arc;

use async_trait::async_trait;

use super::{Data, DeliveryRow, MemoryStore};
use crate::domain::account::AccountName;
use crate::domain::delivery::{DeliveryId, State};
use crate::domain::event::{Event, EventId};
use crate::domain::route::DestinationName;
use crate::store::{Archive, Counts, DeliveryFilter, DeliveryView, EventFilter, RejectView, StoreError};

fn takes_event(filter: &EventFilter, event: &Event) -> bool {
    filter.account.as_ref().is_none_or(|account| event.account.as_ref() == Some(account))
        && (filter.patterns.is_empty() || filter.patterns.iter().any(|pattern| pattern.matches(event.kind)))
        && filter.since.is_none_or(|since| event.detected_at >= since)
        && filter.until.is_none_or(|until| event.detected_at < until)
}

fn takes_delivery(filter: &DeliveryFilter, event: &Event, destination: &DestinationName, state: &State) -> bool {
    filter.event.is_none_or(|id| event.id == id)
        && filter.destination.as_ref().is_none_or(|name| name == destination)
        && (filter.states.is_empty() || filter.states.contains(&state.as_str()))
        && filter.since.is_none_or(|since| event.detected_at >= since)
        && filter.until.is_none_or(|until| event.detected_at < until)
}

impl Data {
    /// Deliveries that the filter takes, newest event first, without its limit.
    fn list<'a>(
        &'a self,
        filter: &'a DeliveryFilter,
    ) -> impl Iterator<Item = (u64, &'a DestinationName, &'a DeliveryRow, &'a Arc<Event>)> {
        let all = self.deliveries.iter().rev().filter_map(|((number, destination), row)| {
            self.events.get(number).map(|event| (*number, destination, row, event))
        });
        all.filter(|(_, destination, row, event)| takes_delivery(filter, event, destination, &row.state))
    }
}

fn view(destination: &DestinationName, row: &DeliveryRow, event: &Event) -> DeliveryView {
    DeliveryView {
        id: DeliveryId { event: event.id, destination: destination.clone() },
        state: row.state.clone(),
        attempts: row.attempts,
        last: row.last.clone(),
        detected_at: event.detected_at,
    }
}

#[async_trait]
impl Archive for MemoryStore {
    async fn events(&self, filter: &EventFilter) -> Result<Vec<Arc<Event>>, StoreError> {
        let data = self.data();
        let taken = data.events.values().rev().filter(|event| takes_event(filter, event));
        Ok(taken.take(filter.limit).cloned().collect())
    }

    async fn event(&self, id: &EventId) -> Result<Option<(Arc<Event>, Vec<DeliveryView>)>, StoreError> {
        let data = self.data();
        let Some(event) = data.numbers.get(id).and_then(|number| data.events.get(number)) else { return Ok(None) };
        let of = DeliveryFilter { event: Some(*id), ..DeliveryFilter::default() };
        let mut views: Vec<_> =
            data.list(&of).map(|(_, destination, row, event)| view(destination, row, event)).collect();
        views.reverse();
        Ok(Some((event.clone(), views)))
    }

    async fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<DeliveryView>, StoreError> {
        let data = self.data();
        let taken = data.list(filter).take(filter.limit);
        Ok(taken.map(|(_, destination, row, event)| view(destination, row, event)).collect())
    }

    async fn requeue(&self, filter: &DeliveryFilter, dry_run: bool) -> Result<u64, StoreError> {
        let now = self.clock.now();
        let mut data = self.data();
        let may = |state: &State| match state {
            State::Pending { .. } | State::Delivered { .. } | State::Dead { .. } => true,
            State::Held | State::InFlight { .. } => false,
        };
        let chosen: Vec<_> = data
            .list(filter)
            .filter(|(_, _, row, _)| may(&row.state))
            .take(filter.limit)
            .map(|(number, destination, row, _)| {
                (number, destination.clone(), matches!(row.state, State::Pending { .. }))
            })
            .collect();
        for (number, destination, waited) in chosen.iter().filter(|_| !dry_run) {
            data.turn(*number, destination, State::Pending { due: now });
            if let Some(row) = data.deliveries.get_mut(&(*number, destination.clone())).filter(|_| !waited) {
                row.attempts = 0;
            }
        }
        Ok(u64::try_from(chosen.len()).unwrap_or(u64::MAX))
    }

    async fn release_held(&self, account: Option<&AccountName>, dry_run: bool) -> Result<u64, StoreError> {
        let now = self.clock.now();
        let mut data = self.data();
        let held = DeliveryFilter { states: vec![State::Held.as_str()], ..DeliveryFilter::default() };
        let chosen: Vec<_> = data
            .list(&held)
            .filter(|(_, _, _, event)| account.is_none() || event.account.as_ref() == account)
            .map(|(number, destination, _, _)| (number, destination.clone()))
            .collect();
        for (number, destination) in chosen.iter().filter(|_| !dry_run) {
            data.turn(*number, destination, State::Pending { due: now });
        }
        Ok(u64::try_from(chosen.len()).unwrap_or(u64::MAX))
    }

    async fn rejects(&self, account: Option<&AccountName>, limit: usize) -> Result<Vec<RejectView>, StoreError> {
        let data = self.data();
        let taken = data.rejects.iter().rev().filter(|row| account.is_none_or(|account| row.account == *account));
        let view = |row: &super::RejectRow| RejectView {
            account: row.account.clone(),
            first_seen: row.first_seen,
            reject: row.reject.clone(),
        };
        Ok(taken.take(limit).map(view).collect())
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        let data = self.data();
        let mut counts = Counts {
            events: u64::try_from(data.events.len()).unwrap_or(u64::MAX),
            rejects: u64::try_from(data.rejects.len()).unwrap_or(u64::MAX),
            ..Counts::default()
        };
        for row in data.deliveries.values() {
            match row.state {
                State::Pending { .. } | State::InFlight { .. } => counts.pending += 1,
                State::Held => counts.held += 1,
                State::Dead { .. } => counts.dead += 1,
                State::Delivered { .. } => {}
            }
        }
        Ok(counts)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use std::time::Duration;

    use super::*;
    use crate::store::conformance::{Harness, ManualClock, laws};

    struct InMemory {
        store: Arc<MemoryStore>,
        clock: Arc<ManualClock>,
    }

    impl Harness for InMemory {
        type Store = MemoryStore;

        async fn fresh() -> Self {
            let clock = Arc::new(ManualClock::default());
            Self { store: Arc::new(MemoryStore::new("one", clock.clone())), clock }
        }

        fn store(&self) -> Arc<MemoryStore> {
            self.store.clone()
        }

        async fn replica(&self, instance: &str) -> Option<Arc<MemoryStore>> {
            Some(Arc::new(self.store.replica(instance)))
        }

        async fn reopen(self) -> Option<Self> {
            None
        }

        fn born(&self) -> Timestamp {
            ManualClock::BORN
        }

        fn now(&self) -> Timestamp {
            crate::clock::Clock::now(&*self.clock)
        }

        async fn pass(&self, time: Duration) {
            self.clock.pass(time);
        }
    }

    laws!(InMemory);
}

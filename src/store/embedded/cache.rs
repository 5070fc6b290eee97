//! What the writer need not look up: a fresh event is leased and settled without being read or decoded again.

use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::event::{Event, EventId};
use crate::domain::route::DestinationName;

/// Events of one generation. Two generations of about 1 KB each make at most 4 MiB.
const GENERATION: usize = 2048;

/// Bounded: when the young generation is full, it becomes the old one, and the old one goes.
#[derive(Debug, Default)]
pub(super) struct Cache {
    young: Generation,
    old: Generation,
    destinations: HashMap<DestinationName, i64>,
}

#[derive(Debug, Default)]
struct Generation {
    events: HashMap<i64, Arc<Event>>,
    numbers: HashMap<EventId, i64>,
}

impl Cache {
    /// Notes an event under its number.
    pub(super) fn note(&mut self, seq: i64, event: &Arc<Event>) {
        if self.young.events.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.events.insert(seq, event.clone());
        self.young.numbers.insert(event.id, seq);
    }

    /// The event of that number.
    pub(super) fn event(&self, seq: i64) -> Option<&Arc<Event>> {
        self.young.events.get(&seq).or_else(|| self.old.events.get(&seq))
    }

    /// The number of that event.
    pub(super) fn number(&self, id: &EventId) -> Option<i64> {
        self.young.numbers.get(id).or_else(|| self.old.numbers.get(id)).copied()
    }

    /// Forgets all events, because some were removed.
    pub(super) fn forget_events(&mut self) {
        self.young = Generation::default();
        self.old = Generation::default();
    }

    /// The number of a destination.
    pub(super) fn destination(&self, name: &DestinationName) -> Option<i64> {
        self.destinations.get(name).copied()
    }

    /// Notes the number of a destination. There are as many as the configuration names.
    pub(super) fn note_destination(&mut self, name: &DestinationName, id: i64) {
        self.destinations.insert(name.clone(), id);
    }
}

//! Who of an event's recipients was settled already, so that a second attempt does not write to them again.
//!
//! In memory and bounded: after a restart the whole mailing is sent again, under the same Message-IDs. Losing an entry
//! costs a repeated mail, never a lost one.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use crate::channels::Report;
use crate::domain::event::EventId;

/// Events that are remembered at once; far more than are ever retried at the same time.
const MOST: usize = 512;

/// What became of one recipient.
#[derive(Clone, Debug)]
pub(super) enum Settled {
    /// The relay took the mail.
    Accepted,
    /// It never will; the report says why.
    Refused(Report),
}

#[derive(Debug)]
struct Entry {
    event: EventId,
    settled: Vec<(usize, Settled)>,
}

/// The memory of one destination. Recipients are told apart by their place in `to`.
#[derive(Debug, Default)]
pub(super) struct Memo {
    entries: Mutex<VecDeque<Entry>>,
}

impl Memo {
    /// What became of this recipient of that event.
    pub(super) fn get(&self, event: EventId, recipient: usize) -> Option<Settled> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = entries.iter().find(|entry| entry.event == event)?;
        entry.settled.iter().find(|(place, _)| *place == recipient).map(|(_, settled)| settled.clone())
    }

    /// Remembers it.
    pub(super) fn put(&self, event: EventId, recipient: usize, settled: Settled) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.iter_mut().find(|entry| entry.event == event) {
            entry.settled.push((recipient, settled));
            return;
        }
        if entries.len() >= MOST {
            entries.pop_front();
        }
        entries.push_back(Entry { event, settled: vec![(recipient, settled)] });
    }

    /// Forgets an event that everybody got: who replays it wants it sent again.
    pub(super) fn forget(&self, event: EventId) {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).retain(|entry| entry.event != event);
    }

    /// Forgets refusals that were reported: who requeues the event wants them tried again.
    pub(super) fn forget_refusals(&self, event: EventId) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        for entry in entries.iter_mut().filter(|entry| entry.event == event) {
            entry.settled.retain(|(_, settled)| matches!(settled, Settled::Accepted));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::delivery::FailureClass;

    #[test]
    fn it_is_bounded_and_forgets_what_it_is_told_to() {
        let memo = Memo::default();
        let id = |n: u128| EventId::from_bytes(n.to_be_bytes());
        for n in 0..2_000 {
            memo.put(id(n), 0, Settled::Accepted);
        }
        assert_eq!(memo.entries.lock().unwrap().len(), MOST);
        assert!(memo.get(id(1_999), 0).is_some() && memo.get(id(0), 0).is_none());
        memo.put(id(1_999), 1, Settled::Refused(Report::never(FailureClass::Recipient, "no")));
        memo.forget_refusals(id(1_999));
        assert!(memo.get(id(1_999), 0).is_some() && memo.get(id(1_999), 1).is_none());
        memo.forget(id(1_999));
        assert!(memo.get(id(1_999), 0).is_none());
    }
}

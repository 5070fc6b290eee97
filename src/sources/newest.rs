//! How far a list in pages must be read: where news always stand first, it may be left where what is known begins.
//!
//! No upstream promises such an order, so it is not believed but seen. [`Order`] counts the whole readings whose news
//! all stood before everything that was listed before, and one that says otherwise sets it back. Even where it holds, a
//! list is read to its end from time to time ([`Newest::since_whole`]): what changed far down is seen then, later but
//! seen. Fit for rows with ids only: counting twins needs a whole reading.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::clock::Stopwatch;
use crate::domain::day::Day;
use crate::domain::ledger::Slot;

/// So many whole readings with news must agree before an order is believed. Three is a choice.
const PROOFS: u32 = 3;

/// What contradicted its order once must agree twice as often the next time, up to this.
const MOST_PROOFS: u32 = 1 << 12;

/// One listed row: a hash of its text, and where it is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) text: u128,
    pub(super) slot: Slot,
    pub(super) day: Day,
}

/// A list as it was read, in its order.
#[derive(Clone, Debug)]
pub(super) struct Newest {
    /// Each text once, where it stands first.
    entries: Vec<Entry>,
    places: HashMap<u128, usize>,
    whole: Stopwatch,
}

/// What the first pages say of the rest, wherever the order holds.
#[derive(Debug)]
pub(super) struct Front {
    /// The slots of the rest, which is as it was.
    pub(super) rest: Vec<(Day, Slot)>,
    /// The whole list as it is now.
    pub(super) now: Newest,
}

impl Newest {
    /// A list, and since when it is known to its end.
    pub(super) fn of(entries: impl IntoIterator<Item = Entry>, whole: Stopwatch) -> Self {
        let mut newest = Self { entries: Vec::new(), places: HashMap::new(), whole };
        for entry in entries {
            newest.places.entry(entry.text).or_insert_with(|| {
                newest.entries.push(entry);
                newest.entries.len() - 1
            });
        }
        newest
    }

    /// How many texts it has.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How long ago the reading began that went to its end.
    pub(super) fn since_whole(&self) -> Duration {
        self.whole.elapsed()
    }

    /// Whether a row of this text is listed.
    pub(super) fn has(&self, text: u128) -> bool {
        self.places.contains_key(&text)
    }

    /// Whether the list begins with these texts, each once, and goes on.
    pub(super) fn begins_with(&self, texts: &[u128]) -> bool {
        texts.len() < self.entries.len() && self.entries.iter().zip(texts).all(|(entry, text)| entry.text == *text)
    }

    /// What the first pages say of the rest. `None` when they say nothing: what is known does not
    /// begin on them, or stands in another order, or among news.
    pub(super) fn look(&self, front: &Self) -> Option<Front> {
        let front = &front.entries;
        let first = front.iter().position(|entry| self.has(entry.text))?;
        let (mut next, mut gone, mut inside) = (0, HashSet::new(), HashSet::new());
        for entry in front.iter().skip(first) {
            match self.places.get(&entry.text).copied() {
                Some(at) if at < next => return None,
                Some(at) => {
                    gone.extend(self.entries.iter().take(at).skip(next).map(|entry| entry.slot));
                    next = at + 1;
                }
                None => {
                    inside.insert(entry.slot);
                }
            }
        }
        let rest = self.entries.iter().skip(next);
        let listed: HashSet<Slot> = front.iter().map(|entry| entry.slot).collect();
        let moved = rest.clone().any(|entry| listed.contains(&entry.slot));
        // Of what vanished nobody knows whether it slipped to the next page; rows that changed are in their places.
        let is_clear = !moved && gone.is_subset(&listed) && inside.is_subset(&gone);
        // There are more rows, but none is known.
        let goes_on = next < self.entries.len();
        // After a last row that is new there may be more of them.
        let ends_in_known = front.last().is_some_and(|last| self.has(last.text));
        (is_clear && ends_in_known && goes_on).then(|| Front {
            rest: rest.clone().map(|entry| (entry.day, entry.slot)).collect(),
            now: Self::of(front.iter().chain(rest).copied(), self.whole),
        })
    }

    /// Whether all that is new in a whole list stands before all that was known; `None` when nothing is new, or nothing
    /// was known.
    fn is_kept_by(&self, now: &Self) -> Option<bool> {
        let known: HashSet<Slot> = self.entries.iter().map(|entry| entry.slot).collect();
        let is_new = |entry: &Entry| !self.has(entry.text) && !known.contains(&entry.slot);
        let first = now.entries.iter().position(|entry| self.has(entry.text))?;
        let (front, rest) = now.entries.split_at_checked(first)?;
        let mut next = 0;
        for entry in rest {
            match self.places.get(&entry.text) {
                Some(at) if *at < next => return Some(false),
                Some(at) => next = at + 1,
                None if is_new(entry) => return Some(false),
                None => {}
            }
        }
        front.iter().any(is_new).then_some(true)
    }
}

/// Whether an account's list is seen to be newest first. Lives as long as the process: an order that was seen yesterday is
/// seen again soon.
#[derive(Debug)]
pub(super) struct Order(Mutex<Proofs>);

#[derive(Debug)]
struct Proofs {
    seen: u32,
    /// Zero: it is believed, whatever is seen.
    needed: u32,
    /// The last whole reading. It is learnt from even where somebody else wrote to the ledgers since, so that nothing may be
    /// left out beside it: the reading of the week often comes before the hot one to what was slipped in.
    last: Option<(Span, Arc<Newest>)>,
}

/// The first day and the last.
type Span = (Day, Day);

impl Default for Order {
    fn default() -> Self {
        Self(Mutex::new(Proofs { seen: 0, needed: PROOFS, last: None }))
    }
}

impl Order {
    /// One that is believed unseen, and in spite of what is seen.
    pub(super) fn believed() -> Self {
        Self(Mutex::new(Proofs { seen: 0, needed: 0, last: None }))
    }

    /// Whether it was seen often enough.
    pub(super) fn holds(&self) -> bool {
        let proofs = self.proofs();
        proofs.seen >= proofs.needed
    }

    /// Takes in a whole reading of these days.
    pub(super) fn learn(&self, days: Span, now: &Arc<Newest>) {
        let mut proofs = self.proofs();
        let before = proofs.last.replace((days, Arc::clone(now)));
        // Days that are added below bring old rows.
        let before = before.filter(|(before, _)| before.0 <= days.0);
        match before.and_then(|(_, before)| before.is_kept_by(now)) {
            Some(true) => proofs.seen = proofs.seen.saturating_add(1),
            Some(false) => {
                proofs.seen = 0;
                proofs.needed = (proofs.needed * 2).min(MOST_PROOFS);
            }
            None => {}
        }
    }

    fn proofs(&self) -> std::sync::MutexGuard<'_, Proofs> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

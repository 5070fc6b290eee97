//! The agenda in step with the watches that are kept in a store.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use super::hinted::Hinted;
use super::{Agenda, Entry, Item, Watch};
use crate::domain::account::SourceKind;

/// A watch as whoever keeps it knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Which call tells its state.
    pub source: SourceKind,
    /// Its id.
    pub id: String,
    /// For how long it has been followed, by whatever process.
    pub age: Duration,
    /// Nothing but a refund is to be expected of it.
    pub ended: bool,
    /// It came by a hint and must not cost more than hints may.
    pub hinted: bool,
}

impl Agenda {
    /// Follows what is kept and nothing else, beside what the agenda was made with. What is followed already keeps its
    /// place; one that was ended and is open again is due at once.
    pub fn keep(&mut self, kept: &[Kept], now: Duration) {
        let wanted: HashSet<(SourceKind, &str)> = kept.iter().map(|watch| (watch.source, watch.id.as_str())).collect();
        self.watches.retain(|_, watch| watch.pinned || wanted.contains(&(watch.source, watch.id.as_str())));
        let left: BTreeSet<u64> = self.watches.keys().copied().collect();
        self.entries.retain(|entry| match entry.item {
            Item::Watch(number) => left.contains(&number),
            Item::Hot | Item::Warm | Item::Cold | Item::Follow => true,
        });
        let followed: HashMap<(SourceKind, String), u64> =
            self.watches.iter().map(|(number, watch)| ((watch.source, watch.id.clone()), *number)).collect();
        let places: HashMap<u64, usize> = self
            .entries
            .iter()
            .enumerate()
            .filter_map(|(place, entry)| match entry.item {
                Item::Watch(number) => Some((number, place)),
                Item::Hot | Item::Warm | Item::Cold | Item::Follow => None,
            })
            .collect();
        for one in kept {
            match followed.get(&(one.source, one.id.clone())) {
                Some(number) => self.update(*number, places.get(number).copied(), one, now),
                None => self.begin(one, now),
            }
        }
    }

    /// When that one of the open watches of this source was asked that waits longest, whatever came of it: `None` when one
    /// was never asked, [`Duration::MAX`] when there is none.
    pub fn looked_through(&self, source: SourceKind) -> Option<Duration> {
        let open = self.entries.iter().filter(|entry| match entry.item {
            Item::Watch(number) => {
                self.watches.get(&number).is_some_and(|watch| watch.source == source && !watch.ended)
            }
            Item::Hot | Item::Warm | Item::Cold | Item::Follow => false,
        });
        open.map(|entry| entry.asked).try_fold(Duration::MAX, |least, asked| Some(least.min(asked?)))
    }

    /// The hinted ids that were let go since this was asked last; whoever keeps them may let them go, too.
    pub fn let_go(&mut self) -> Vec<(SourceKind, String)> {
        std::mem::take(&mut self.let_go)
    }

    fn begin(&mut self, kept: &Kept, now: Duration) {
        let number = self.next_watch;
        self.next_watch += 1;
        let hinted = kept.hinted.then(Hinted::default);
        let watch = Watch::new(kept.source, kept.id.clone(), now);
        self.watches.insert(number, Watch { older: kept.age, ended: kept.ended, hinted, ..watch });
        let every = self.cadence(Item::Watch(number), now, false);
        self.entries.push(Entry { due: now, hinted: kept.hinted, ..Entry::new(Item::Watch(number), every) });
    }

    fn update(&mut self, number: u64, place: Option<usize>, kept: &Kept, now: Duration) {
        let (Some(watch), Some(entry)) =
            (self.watches.get_mut(&number), place.and_then(|place| self.entries.get_mut(place)))
        else {
            return;
        };
        if watch.pinned {
            return;
        }
        if watch.ended && !kept.ended {
            entry.due = entry.due.min(now);
        }
        (watch.since, watch.older, watch.ended, entry.hinted) = (now, kept.age, kept.ended, kept.hinted);
        watch.hinted = if kept.hinted { Some(watch.hinted.take().unwrap_or_default()) } else { None };
    }
}

//! "Look now", with the ids to look at: from whoever heard it to the watcher of the account.
//!
//! A hint is believed by nobody. It makes the watcher look, at what its agenda allows; what is announced comes from the
//! upstream's own answer. Whatever follows ids at run time comes through this door: the listener's `/hints`, or watches
//! that are kept in a store.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::domain::account::SourceKind;
use crate::sources::MOST_HINTED;

/// A source and an id there.
pub type Watched = (SourceKind, String);

/// What is waiting to be looked at.
#[derive(Debug, Default)]
struct Waiting {
    hurry: bool,
    ids: BTreeSet<Watched>,
}

/// The hints of one account. Every copy is the same desk.
#[derive(Clone, Debug, Default)]
pub struct Hints(Arc<(Mutex<Waiting>, Notify)>);

impl Hints {
    /// Leaves a hint and returns at once. However many are left before the watcher looks, they are one "look now" and at
    /// most as many ids as an agenda follows; what is too much is dropped. Returns how many ids were.
    pub fn give(&self, ids: impl IntoIterator<Item = Watched>) -> usize {
        let (waiting, notify) = &*self.0;
        let mut dropped = 0;
        {
            let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
            waiting.hurry = true;
            for id in ids {
                if waiting.ids.len() < MOST_HINTED || waiting.ids.contains(&id) {
                    waiting.ids.insert(id);
                } else {
                    dropped += 1;
                }
            }
        }
        notify.notify_one();
        dropped
    }

    /// Waits for a hint. Cancel-safe: one that is left while nobody waits is kept.
    pub async fn given(&self) {
        self.0.1.notified().await;
    }

    /// Takes what was left; `None` when nothing was.
    pub(super) fn take(&self) -> Option<BTreeSet<Watched>> {
        let waiting = std::mem::take(&mut *self.0.0.lock().unwrap_or_else(PoisonError::into_inner));
        waiting.hurry.then_some(waiting.ids)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn many_hints_are_one_look_and_bounded() {
        let hints = Hints::default();
        assert_eq!(hints.take(), None);
        for n in 0..MOST_HINTED {
            assert_eq!(hints.give([(SourceKind::Cashin, n.to_string()), (SourceKind::Cashin, String::from("0"))]), 0);
        }
        assert_eq!(hints.clone().give([(SourceKind::Links, String::from("u"))]), 1, "there is no room for more");
        hints.given().await;
        assert_eq!(hints.take().map(|ids| ids.len()), Some(MOST_HINTED));
        assert_eq!(hints.take(), None);
        hints.give([]);
        assert_eq!(hints.take(), Some(BTreeSet::new()), "a hint without an id is a look, too");
    }
}

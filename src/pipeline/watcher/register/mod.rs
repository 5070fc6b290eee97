//! The account's watches in step with the store: whoever adds or removes one there, by whatever process, is heard here,
//! and what becomes of one is written there. Held by the holder of the account's lease alone.

mod keeping;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use tracing::info;

use crate::clock::Stopwatch;
use crate::domain::account::AccountName;
use crate::domain::watch::{Origin, Watch, WatchId, WatchKind};
use crate::store::{StoreError, Watches};

/// So many payments of links that nobody follows are remembered at the most.
const MOST_HEARD: usize = 1_000;

/// What is known here of the watches in the store.
#[derive(Debug)]
pub(super) struct Register {
    store: Arc<dyn Watches>,
    /// Those of the configuration.
    configured: BTreeSet<WatchId>,
    /// The store has heard of them.
    is_configured: bool,
    /// Of the list in the store.
    version: Option<u64>,
    pub(super) list: BTreeMap<WatchId, Watch>,
    /// What changed here and is not in the store yet.
    unwritten: BTreeSet<WatchId>,
    /// As it was when it was let go.
    unremoved: BTreeMap<WatchId, Watch>,
    /// Issued links and QRs that were paid and stood in no list: they may have been made since we looked.
    heard: BTreeMap<WatchId, Timestamp>,
    looked: Option<Stopwatch>,
    /// Until when a payer is expected, and until when something young is followed.
    expects: Option<Timestamp>,
    young: Option<Timestamp>,
}

impl Register {
    /// Nothing is known yet of what `store` keeps; `configured` is put there.
    fn new(store: Arc<dyn Watches>, configured: impl IntoIterator<Item = WatchId>) -> Self {
        Self {
            store,
            configured: configured.into_iter().collect(),
            is_configured: false,
            version: None,
            list: BTreeMap::new(),
            unwritten: BTreeSet::new(),
            unremoved: BTreeMap::new(),
            heard: BTreeMap::new(),
            looked: None,
            expects: None,
            young: None,
        }
    }

    /// The way to the store was opened anew: it may have forgotten.
    pub(super) const fn doubt(&mut self) {
        (self.looked, self.is_configured) = (None, false);
    }

    /// Another replica may have held the account: what is here is of no use.
    pub(super) fn forget(&mut self) {
        self.doubt();
        self.version = None;
        self.unwritten.clear();
        self.unremoved.clear();
    }

    /// Takes over the store's list; false when nothing changed.
    async fn refresh(&mut self, account: &AccountName, now: Timestamp) -> Result<bool, StoreError> {
        let version = self.store.watches_version(account).await?;
        if self.version == Some(version) && self.is_configured {
            return Ok(false);
        }
        let mut list = self.store.watches(account).await?;
        if self.version.is_some_and(|known| list.version < known) {
            info!(account.name = %account, watches = self.list.len(), "the store was emptied; the watches are put back");
            let all: Vec<Watch> = self.list.values().cloned().collect();
            self.store.put_watches(account, &all).await?;
            list = self.store.watches(account).await?;
        }
        self.version = Some(list.version);
        self.list = list.watches.into_iter().map(|watch| (watch.id.clone(), watch)).collect();
        if !self.is_configured {
            let missing = self.configured.iter().filter(|id| !self.list.contains_key(*id));
            let missing: Vec<Watch> = missing.map(|id| Watch::new(id.clone(), Origin::Configured, now)).collect();
            let is_gone = |watch: &&Watch| watch.origin == Origin::Configured && !self.configured.contains(&watch.id);
            let gone: Vec<WatchId> = self.list.values().filter(is_gone).map(|watch| watch.id.clone()).collect();
            if !missing.is_empty() {
                self.store.put_watches(account, &missing).await?;
            }
            if !gone.is_empty() {
                self.store.remove_watches(account, &gone).await?;
            }
            self.list.extend(missing.into_iter().map(|watch| (watch.id.clone(), watch)));
            self.list.retain(|id, _| !gone.contains(id));
            self.is_configured = true;
        }
        self.settle_heard();
        Ok(true)
    }

    /// Writes what changed here. What fails is written at the next look.
    async fn write(&mut self, account: &AccountName) -> Result<(), StoreError> {
        if !self.unwritten.is_empty() {
            let changed: Vec<Watch> = self.unwritten.iter().filter_map(|id| self.list.get(id)).cloned().collect();
            self.store.put_watches(account, &changed).await?;
            self.unwritten.clear();
        }
        if !self.unremoved.is_empty() {
            // Rare, so that a look is worth it: somebody may have named it again since ours.
            let there = self.store.watches(account).await?.watches;
            let is_known = |there: &&Watch| self.unremoved.get(&there.id).is_some_and(|known| is_same(known, there));
            let gone: Vec<WatchId> = there.iter().filter(is_known).map(|watch| watch.id.clone()).collect();
            if !gone.is_empty() {
                self.store.remove_watches(account, &gone).await?;
            }
            self.unremoved.clear();
        }
        Ok(())
    }

    fn end(&mut self, id: &WatchId, now: Timestamp) {
        let Some(watch) = self.list.get_mut(id).filter(|watch| watch.ended.is_none()) else { return };
        watch.ended = Some(now);
        if watch.origin == Origin::Hinted {
            // It is no stranger's word any more: a refund is looked for as long as of any other.
            watch.until = None;
        }
        self.unwritten.insert(id.clone());
    }

    pub(super) fn put(&mut self, watch: Watch) {
        self.unremoved.remove(&watch.id);
        self.unwritten.insert(watch.id.clone());
        self.list.insert(watch.id.clone(), watch);
    }

    pub(super) fn remove(&mut self, id: &WatchId) {
        if let Some(watch) = self.list.remove(id) {
            self.unwritten.remove(id);
            self.unremoved.insert(id.clone(), watch);
        }
    }

    /// A payment of an issued link or QR; one that can be paid many times goes on.
    fn paid(&mut self, kind: WatchKind, id: Option<&String>, now: Timestamp) {
        let Some(id) = id.map(|id| WatchId { kind, id: id.clone() }) else { return };
        match self.list.get(&id) {
            Some(watch) if watch.reusable => {}
            Some(_) => self.end(&id, now),
            None => {
                self.heard.insert(id, now);
                if self.heard.len() > MOST_HEARD {
                    let eldest = self.heard.iter().min_by_key(|(_, at)| **at).map(|(id, _)| id.clone());
                    eldest.and_then(|id| self.heard.remove(&id));
                }
            }
        }
    }

    /// Ends what was paid before it was seen here. What somebody has added since the payment is to be paid once more.
    fn settle_heard(&mut self) {
        let is_meant = |(id, at): (&WatchId, &Timestamp)| {
            let watch = self.list.get(id).filter(|watch| !watch.reusable)?;
            (watch.origin == Origin::Created || watch.since <= *at).then(|| (id.clone(), *at))
        };
        let paid: Vec<(WatchId, Timestamp)> = self.heard.iter().filter_map(is_meant).collect();
        self.heard.retain(|id, _| !self.list.contains_key(id));
        for (id, at) in paid {
            self.end(&id, at);
        }
    }
}

/// Whether nobody has named it again. An end that is not in the store yet is no difference, nor is the bound that a hint
/// loses by it.
fn is_same(known: &Watch, there: &Watch) -> bool {
    let plain = |watch: &Watch| Watch {
        ended: None,
        until: watch.until.filter(|_| watch.origin != Origin::Hinted),
        ..watch.clone()
    };
    plain(known) == plain(there)
}

#[cfg(test)]
mod tests;

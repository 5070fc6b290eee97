//! One task: read, compare, commit.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, info, warn};

use super::{RENEW, STANDBY, Watcher};
use crate::domain::account::Partition;
use crate::domain::day::Day;
use crate::domain::ledger::Ledger;
use crate::pipeline::digest::{Draft, Tally, look_back, partitions};
use crate::sources::{Reading, Snapshot, SourceError, Task};
use crate::store::{Commit, Committed, StoreError, VersionedState};

/// How often a commit is computed anew when another replica was faster.
const CONFLICTS: u32 = 8;

/// Why a task was not done.
#[derive(Debug, thiserror::Error)]
pub(super) enum WatchError {
    /// Nothing was read.
    #[error(transparent)]
    Source(SourceError),
    /// Nothing could be written; what was read will be read again.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The right to poll was lost in the middle, or cannot be renewed; look again after that long.
    #[error("the right to poll was lost while the task was read")]
    Lost(Duration),
}

impl Watcher {
    /// Reads a task and commits its news. Returns whether the watched thing is at its end.
    pub(super) async fn poll(&mut self, task: &Task) -> Result<bool, WatchError> {
        match self.read(task).await? {
            Reading::Unchanged => Ok(self.ended.contains(task)),
            Reading::Snapshot(snapshot) => {
                self.digest(task, &snapshot).await?;
                let ended = matches!(task, Task::Watched { .. }) && snapshot.rows.iter().any(|row| row.view.is_final());
                if ended {
                    self.ended.insert(task.clone());
                }
                Ok(ended)
            }
        }
    }

    /// Reads, and keeps the right to poll meanwhile: many pages at a low rate take longer than a lease, and whoever took
    /// over would ask beside us.
    async fn read(&mut self, task: &Task) -> Result<Reading, WatchError> {
        let (source, known) = (Arc::clone(&self.source), self.memory.known(task));
        let mut reading = source.read(task, known);
        loop {
            tokio::select! {
                biased;
                read = &mut reading => return read.map_err(WatchError::Source),
                () = tokio::time::sleep(RENEW) => match self.holds_lease().await {
                    Ok(true) => {}
                    Ok(false) => return Err(WatchError::Lost(STANDBY)),
                    Err(wait) => return Err(WatchError::Lost(wait)),
                },
            }
        }
    }

    async fn digest(&mut self, task: &Task, snapshot: &Snapshot) -> Result<(), StoreError> {
        for _ in 0..CONFLICTS {
            if self.compare_and_commit(task, snapshot).await? {
                return Ok(());
            }
            debug!(account.name = %self.herald.account, "another replica was faster; comparing again");
            self.memory.doubt();
        }
        Err(StoreError::Unavailable("every commit met a conflict".to_owned(), None))
    }

    /// False when a commit met a conflict: what was written before it stays, and comparing again finds the rest.
    async fn compare_and_commit(&mut self, task: &Task, snapshot: &Snapshot) -> Result<bool, StoreError> {
        let now = self.clock.now();
        let before = self.state().await?;
        let wanted: Vec<Partition> = partitions(&self.herald, task, snapshot).into_keys().collect();
        self.load(&wanted).await?;
        // The plan borrows from what does not change while it is carried out.
        let (herald, policy) = (self.herald.clone(), self.policy);
        let draft = Draft::new(&herald, &policy, task, snapshot, &before, &self.memory.ledgers, now);
        let sales = draft.sales_to_look_up();
        let found = if sales.is_empty() {
            HashMap::new()
        } else {
            self.look_up(&sales, snapshot, before.state.read_through).await?
        };
        let claims = draft.claims(&found);
        let mut books: Vec<Partition> = claims.iter().flat_map(|claim| claim.books(&herald.account)).collect();
        books.sort_unstable();
        books.dedup();
        let ledgers = if books.is_empty() { Vec::new() } else { self.store.ledgers(&herald.account, &books).await? };
        let (mut plan, tally) = draft.finish(&claims, &books.into_iter().zip(ledgers).collect());
        while let Some(mut commit) = plan.next() {
            commit.rejects.retain(|reject| !self.memory.has_reject(reject.fingerprint));
            if !is_empty(&commit) && !self.write(&commit).await? {
                return Ok(false);
            }
        }
        self.memory.digested(task, snapshot.fingerprint, tally.unconfirmed > 0);
        self.memory.trim(herald.today(self.clock.now()).plus(-1));
        self.report(task, tally);
        Ok(true)
    }

    async fn write(&mut self, commit: &Commit) -> Result<bool, StoreError> {
        match self.store.commit(commit).await {
            Ok(Committed::Done { created, rejected }) => {
                self.memory.committed(commit);
                if !created.is_empty() {
                    self.nudge.give();
                }
                commit.announcements.iter().for_each(|announcement| self.witness.announced(announcement));
                if !rejected.is_empty() {
                    let reason = commit.rejects.first().map(|reject| reject.reason.as_str());
                    warn!(account.name = %self.herald.account, rows = rejected.len(), reason, "rows could not be read; see `pregonero events list --rejects`");
                }
                Ok(true)
            }
            Ok(Committed::Conflict) => Ok(false),
            Err(error) => {
                // Whether it was written is unknown; the next reading starts from what the store says.
                self.memory.doubt();
                Err(error)
            }
        }
    }

    /// The account's state, from the copy or from the store.
    pub(super) async fn state(&mut self) -> Result<VersionedState, StoreError> {
        if let Some(state) = &self.memory.state {
            return Ok(state.clone());
        }
        let state = self.store.account(&self.herald.account).await?;
        self.memory.state = Some(state.clone());
        Ok(state)
    }

    async fn load(&mut self, wanted: &[Partition]) -> Result<(), StoreError> {
        let missing: Vec<Partition> =
            wanted.iter().filter(|partition| !self.memory.ledgers.contains_key(partition)).cloned().collect();
        if !missing.is_empty() {
            let ledgers = self.store.ledgers(&self.herald.account, &missing).await?;
            self.memory.ledgers.extend(missing.into_iter().zip(ledgers));
        }
        Ok(())
    }

    /// Payments of sales that stand in older ledgers. Rare: only a refund row whose sale is not in the same reading asks.
    async fn look_up(
        &self,
        sales: &[u64],
        snapshot: &Snapshot,
        read_through: Option<Day>,
    ) -> Result<HashMap<u64, u64>, StoreError> {
        let (listing, now) = (self.source.listing(), self.clock.now());
        let days = look_back(&self.herald, &self.policy, listing, snapshot, read_through, now);
        let ledgers: Vec<Ledger> = self.store.ledgers(&self.herald.account, &days).await?;
        let payment = |sale: u64| ledgers.iter().find_map(|ledger| ledger.payment_of_sale(sale));
        Ok(sales.iter().filter_map(|sale| Some((*sale, payment(*sale)?))).collect())
    }

    fn report(&self, task: &Task, tally: Tally) {
        let account = &self.herald.account;
        if tally.baseline > 0 {
            info!(account.name = %account, facts = tally.baseline, "first contact: what was there before is remembered and not announced");
        }
        if tally.held > 0 {
            warn!(account.name = %account, facts = tally.held, "held by the flood guard; run `pregonero release`");
        }
        if tally.vanished > 0 {
            warn!(account.name = %account, rows = tally.vanished, "rows that were there before are missing upstream; they are remembered");
        }
        debug!(account.name = %account, ?task, rows = tally.rows, amended = tally.amended, returned = tally.returned, unconfirmed = tally.unconfirmed, "committed");
    }
}

fn is_empty(commit: &Commit) -> bool {
    commit.ledgers.is_empty() && commit.state.is_none() && commit.announcements.is_empty() && commit.rejects.is_empty()
}

//! One task: read, compare, commit.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, info, warn};

use super::{STANDBY, Watcher};
use crate::domain::account::Partition;
use crate::domain::day::Day;
use crate::domain::ledger::Ledger;
use crate::domain::policy::Start;
use crate::pipeline::audit::look_up;
use crate::pipeline::digest::{Draft, Tally, partitions};
use crate::pipeline::reconcile::Heard;
use crate::sources::{Known, Reading, Snapshot, SourceError, Task};
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
    /// The right to poll was lost in the middle, or cannot be renewed, or what was known when it was read holds no more;
    /// look again after that long.
    #[error("the right to poll, or what was known, was lost while the task was read")]
    Lost(Duration),
}

impl Watcher {
    /// Reads a task and commits its news. Returns whether the watched thing is at its end.
    pub(super) async fn poll(&mut self, task: &Task) -> Result<bool, WatchError> {
        let known = self.known(task).await?;
        let ended = match self.read(task, known).await? {
            Reading::Unchanged => {
                let ended = self.ended.contains(task);
                self.settle_watches(task, &[], ended);
                ended
            }
            Reading::Snapshot(snapshot) => {
                if !self.digest(task, &snapshot).await? {
                    // What was left out as known is so no more; it is read again, in full.
                    return Err(WatchError::Lost(Duration::ZERO));
                }
                self.learn_rhythm(task, &snapshot);
                let ended = matches!(task, Task::Watched { .. }) && snapshot.rows.iter().any(|row| row.view.is_final());
                if ended {
                    self.ended.insert(task.clone());
                }
                self.settle_watches(task, &snapshot.rows, ended);
                ended
            }
        };
        self.write_watches().await?;
        Ok(ended)
    }

    /// The last answer to a task. Before a day is closed nothing is left out beside it: what the closing finds first counts
    /// as listed and not announced.
    async fn known(&mut self, task: &Task) -> Result<Option<Known>, StoreError> {
        let known = self.memory.known(task);
        let is_closing = matches!(task, Task::Days { .. }) && known.is_some() && self.day_due().await?.is_some();
        Ok(known.map(|known| Known { listed: known.listed.filter(|_| !is_closing), ..known }))
    }

    /// Reads.
    pub(super) async fn read(&mut self, task: &Task, known: Option<Known>) -> Result<Reading, WatchError> {
        let source = Arc::clone(&self.source);
        match &known {
            Some(known) => self.keeping(source.read_again(task, known)).await,
            None => self.keeping(source.read(task, None)).await,
        }
    }

    /// Asks, and keeps the right to poll meanwhile: many pages at a low rate take longer than a lease, and whoever took
    /// over would ask beside us. Each request has a time-out of its own, so that this loop is not dead while one is
    /// under way; it says so as often as it renews.
    pub(super) async fn keeping<T>(
        &mut self,
        asking: impl Future<Output = Result<T, SourceError>>,
    ) -> Result<T, WatchError> {
        let mut asking = std::pin::pin!(asking);
        loop {
            (self.heart.0)(Duration::ZERO);
            // Counted from the last renewal and not from here: a day that is closed is several readings, each short.
            let renewal = self.until_renewal();
            tokio::select! {
                biased;
                done = &mut asking => return done.map_err(WatchError::Source),
                () = tokio::time::sleep(renewal) => match self.holds_lease().await {
                    Ok(true) => self.look_for_staleness().await,
                    Ok(false) => return Err(WatchError::Lost(STANDBY)),
                    Err(wait) => return Err(WatchError::Lost(wait)),
                },
            }
        }
    }

    /// False when it was read beside what is known, and that changed meanwhile: read it again.
    async fn digest(&mut self, task: &Task, snapshot: &Snapshot) -> Result<bool, StoreError> {
        if snapshot.same.is_empty() {
            return self.until_written(task, snapshot, None).await.map(|_| true);
        }
        let is_written = self.compare_and_commit(task, snapshot, None).await?.is_some();
        if !is_written {
            self.memory.doubt();
        }
        Ok(is_written)
    }

    /// The same for a day that is reconciled: what counts as told without an event is in doubt. Returns what was heard.
    pub(super) async fn reconcile(
        &mut self,
        day: Day,
        task: &Task,
        snapshot: &Snapshot,
    ) -> Result<(Tally, Heard), StoreError> {
        let (tally, heard) = self.until_written(task, snapshot, Some(day)).await?;
        Ok((tally, heard.unwrap_or_default()))
    }

    async fn until_written(
        &mut self,
        task: &Task,
        snapshot: &Snapshot,
        day: Option<Day>,
    ) -> Result<(Tally, Option<Heard>), StoreError> {
        for _ in 0..CONFLICTS {
            if let Some(done) = self.compare_and_commit(task, snapshot, day).await? {
                return Ok(done);
            }
            debug!(account.name = %self.herald.account, "another replica was faster; comparing again");
            self.memory.doubt();
        }
        Err(StoreError::Unavailable("every commit met a conflict".to_owned(), None))
    }

    /// `None` when a commit met a conflict: what was written before it stays, and comparing again finds the rest.
    async fn compare_and_commit(
        &mut self,
        task: &Task,
        snapshot: &Snapshot,
        reconciled: Option<Day>,
    ) -> Result<Option<(Tally, Option<Heard>)>, StoreError> {
        let now = self.clock.now();
        let before = self.state().await?;
        if before.version == 0 && !self.put_back().await? {
            return Ok(None);
        }
        let wanted: Vec<Partition> = partitions(&self.herald, task, snapshot).into_keys().collect();
        self.load(&wanted).await?;
        if !self.memory.bears(task, snapshot) {
            return Ok(None);
        }
        // The plan borrows from what does not change while it is carried out.
        let (herald, policy) = (self.herald.clone(), self.policy);
        let auditor = reconciled.and_then(|_| self.auditor());
        let mut audit = match (reconciled, &auditor) {
            (Some(day), Some(auditor)) => Some(auditor.audit(day, &wanted, &self.memory.ledgers, &before.state).await?),
            (Some(_), None) | (None, _) => None,
        };
        let doubted = audit.as_ref().map(|audit| audit.doubted(&self.memory.ledgers));
        let ledgers = doubted.as_ref().unwrap_or(&self.memory.ledgers);
        let mut draft = Draft::new(&herald, &policy, task, snapshot, &before, ledgers, now);
        self.load(&draft.needed_to_pair()).await?;
        draft.pair(&self.memory.ledgers);
        let found = look_up(&*self.store, &draft, self.source.listing()).await?;
        let claims = draft.claims(&found);
        let mut books: Vec<Partition> = claims.iter().flat_map(|claim| claim.books(&herald.account)).collect();
        books.sort_unstable();
        books.dedup();
        let ledgers = if books.is_empty() { Vec::new() } else { self.store.ledgers(&herald.account, &books).await? };
        let books: HashMap<Partition, Ledger> = books.into_iter().zip(ledgers).collect();
        if let (Some(audit), Some(auditor)) = (&mut audit, &auditor) {
            auditor.books(audit, &books).await?;
        }
        let (mut plan, tally) = draft.finish(&claims, &books, audit.as_ref().map(|audit| &audit.doubts));
        while let Some(mut commit) = plan.next() {
            commit.rejects.retain(|reject| !self.memory.has_reject(reject.fingerprint));
            if !is_empty(&commit) && !self.write(&commit).await? {
                return Ok(None);
            }
            if let Some(audit) = &mut audit {
                commit.announcements.iter().for_each(|told| audit.heard.take(&told.event, &herald.zone));
            }
        }
        if audit.is_none() {
            self.memory.digested(task, snapshot, wanted, tally.unconfirmed > 0);
        }
        // What was reconciled is looked at once more when the day is closed.
        if audit.is_none() {
            self.memory.trim(herald.today(self.clock.now()).plus(-1));
        }
        self.report(task, tally);
        Ok(Some((tally, audit.map(|audit| audit.heard))))
    }

    /// Puts back what this process has seen into a store that was emptied under it (`FLUSHALL`, a restart of a Redis that
    /// keeps nothing). With `start = "now"` this reading would be a silent first contact, and what happened since the
    /// last one would be history that nobody was told. With another `start` the first contact tells everything anyway.
    ///
    /// False when another replica has begun anew meanwhile.
    async fn put_back(&mut self) -> Result<bool, StoreError> {
        let ledgers = self.memory.forgotten();
        if self.policy.start != Start::Now || ledgers.is_empty() {
            return Ok(true);
        }
        let commit = Commit {
            account: self.herald.account.clone(),
            ledgers,
            state: None,
            announcements: Vec::new(),
            rejects: Vec::new(),
            remember: self.policy.remember,
        };
        let committed = self.store.commit(&commit).await?;
        self.memory.resolved();
        if committed == Committed::Conflict {
            return Ok(false);
        }
        warn!(account.name = %self.herald.account, "the store was emptied; what was read before is put back, so that it is no news, and what waited to be delivered is gone");
        Ok(true)
    }

    pub(super) async fn write(&mut self, commit: &Commit) -> Result<bool, StoreError> {
        match self.store.commit(commit).await {
            Ok(Committed::Done { created, rejected }) => {
                self.store_answers();
                self.memory.committed(commit);
                if !created.is_empty() {
                    self.pace.stir();
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

    pub(super) async fn load(&mut self, wanted: &[Partition]) -> Result<(), StoreError> {
        let missing: Vec<Partition> =
            wanted.iter().filter(|partition| !self.memory.ledgers.contains_key(partition)).cloned().collect();
        if !missing.is_empty() {
            let ledgers = self.store.ledgers(&self.herald.account, &missing).await?;
            self.memory.ledgers.extend(missing.into_iter().zip(ledgers));
        }
        Ok(())
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

//! What a watcher keeps in the process: copies of hot ledgers, the account's state, fingerprints of answers.
//!
//! All of it may be dropped at any time. A commit is guarded by versions, so a stale copy costs a conflict and a
//! second reading of the store, never a wrong event.

use std::collections::{HashMap, HashSet};

use crate::domain::account::{Partition, Scope};
use crate::domain::day::Day;
use crate::domain::ledger::{Change, Ledger};
use crate::sources::{Fingerprint, Task};
use crate::store::{Commit, LedgerWrite, VersionedState};

/// Rejects that are known to be stored, so that they are not written again at each reading.
const REJECTS: usize = 10_000;

/// Copies of what the store holds.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) state: Option<VersionedState>,
    pub(super) ledgers: HashMap<Partition, Ledger>,
    fingerprints: HashMap<Task, Fingerprint>,
    rejects: HashSet<u64>,
    /// Copies in doubt, until the store has said what it knows.
    former: HashMap<Partition, Ledger>,
}

impl Memory {
    /// Forgets everything that the store may know better.
    pub(super) fn doubt(&mut self) {
        self.state = None;
        self.former.extend(self.ledgers.drain().filter(|(_, ledger)| !ledger.is_unread()));
        self.fingerprints.clear();
        self.rejects.clear();
    }

    /// What this process knew of a store that knows nothing any more, as it would be written for the first time.
    pub(super) fn forgotten(&self) -> Vec<LedgerWrite> {
        let contents = |ledger: &Ledger| -> Vec<Change> {
            ledger.iter().map(|(slot, memories)| Change { slot: *slot, memories: memories.clone() }).collect()
        };
        let write = |(partition, ledger): (&Partition, &Ledger)| LedgerWrite {
            partition: partition.clone(),
            expected: 0,
            changes: contents(ledger),
        };
        self.former.iter().map(write).collect()
    }

    /// The store has said what it knows: copies that were in doubt are of no further use.
    pub(super) fn resolved(&mut self) {
        self.former.clear();
    }

    /// The fingerprint of the last answer to a task whose news are all committed.
    pub(super) fn known(&self, task: &Task) -> Option<Fingerprint> {
        self.fingerprints.get(task).copied()
    }

    /// An answer whose news are committed. One that awaits a second opinion is not: the same answer again is that opinion.
    pub(super) fn digested(&mut self, task: &Task, fingerprint: Fingerprint, awaits_opinion: bool) {
        self.resolved();
        if awaits_opinion {
            self.fingerprints.remove(task);
        } else {
            self.fingerprints.insert(task.clone(), fingerprint);
        }
    }

    /// Takes over what a commit wrote.
    pub(super) fn committed(&mut self, commit: &Commit) {
        for write in &commit.ledgers {
            if let Some(ledger) = self.ledgers.get_mut(&write.partition) {
                ledger.apply(write.expected + 1, &write.changes);
            }
        }
        if let Some((version, state)) = &commit.state {
            self.state = Some(VersionedState { version: version + 1, state: state.clone() });
        }
        if self.rejects.len() > REJECTS {
            self.rejects.clear();
        }
        self.rejects.extend(commit.rejects.iter().map(|reject| reject.fingerprint));
    }

    /// Whether a reject was written before.
    pub(super) fn has_reject(&self, fingerprint: u64) -> bool {
        self.rejects.contains(&fingerprint)
    }

    /// Keeps what the next hot reading needs, from `hot` on, and the watched ids, which are small.
    pub(super) fn trim(&mut self, hot: Day) {
        self.ledgers.retain(|partition, _| match &partition.scope {
            Scope::Day(day) | Scope::Pairs(day) => *day >= hot,
            Scope::Watched(_) => true,
            Scope::Refunds(_) => false,
        });
        self.fingerprints.retain(|task, _| match task {
            Task::Days { to, .. } => *to >= hot,
            Task::Watched { .. } => true,
        });
    }
}

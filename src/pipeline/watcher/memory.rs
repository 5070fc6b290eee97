//! What a watcher keeps in the process: copies of hot ledgers, the account's state, fingerprints of answers.
//!
//! All of it may be dropped at any time. A commit is guarded by versions, so a stale copy costs a conflict and a
//! second reading of the store, never a wrong event.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::domain::account::{Partition, Scope, SourceKind};
use crate::domain::day::Day;
use crate::domain::ledger::{Change, IDENTITY_VERSION, Ledger};
use crate::sources::{Fingerprint, Known, Listed, Snapshot, Task};
use crate::store::{Commit, LedgerWrite, VersionedState};

/// Rejects that are known to be stored, so that they are not written again at each reading.
const REJECTS: usize = 10_000;

/// Versions of ledgers.
type Versions = Vec<(Partition, u64)>;

/// An answer whose news are all committed.
#[derive(Debug)]
struct Digested {
    fingerprint: Fingerprint,
    /// Its rows, and the versions of the ledgers that remember them.
    listed: Option<(Arc<Listed>, Versions)>,
}

/// Copies of what the store holds.
#[derive(Debug, Default)]
pub(super) struct Memory {
    pub(super) state: Option<VersionedState>,
    pub(super) ledgers: HashMap<Partition, Ledger>,
    digested: HashMap<Task, Digested>,
    rejects: HashSet<u64>,
    /// Copies in doubt, until the store has said what it knows.
    former: HashMap<Partition, Ledger>,
}

impl Memory {
    /// Forgets everything that the store may know better.
    pub(super) fn doubt(&mut self) {
        self.state = None;
        self.former.extend(self.ledgers.drain().filter(|(_, ledger)| !ledger.is_unread()));
        self.digested.clear();
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

    /// The last answer to a task whose news are all committed.
    pub(super) fn known(&self, task: &Task) -> Option<Known> {
        let Digested { fingerprint, listed } = self.digested.get(task)?;
        // A reading of another span, or somebody else, may have changed what is remembered since.
        let listed = listed.as_ref().filter(|(_, versions)| self.stand_at(versions));
        Some(Known { fingerprint: *fingerprint, listed: listed.map(|(listed, _)| Arc::clone(listed)) })
    }

    /// Whether a reading can be compared: what it left out is remembered as it was when it was read.
    pub(super) fn bears(&self, task: &Task, snapshot: &Snapshot) -> bool {
        snapshot.same.is_empty() || self.known(task).is_some_and(|known| known.listed.is_some())
    }

    fn stand_at(&self, versions: &[(Partition, u64)]) -> bool {
        versions.iter().all(|(partition, version)| {
            self.ledgers
                .get(partition)
                .is_some_and(|ledger| ledger.version() == *version && ledger.identity() == IDENTITY_VERSION)
        })
    }

    /// An answer whose news are committed to these partitions. One that awaits a second opinion is not: the same answer
    /// again is that opinion.
    pub(super) fn digested(&mut self, task: &Task, snapshot: &Snapshot, partitions: Vec<Partition>, awaits: bool) {
        self.resolved();
        if awaits {
            self.digested.remove(task);
            return;
        }
        let with_version = |partition: Partition| {
            let version = self.ledgers.get(&partition)?.version();
            Some((partition, version))
        };
        let listed = snapshot.listed.as_ref().and_then(|listed| {
            let versions: Option<Vec<_>> = partitions.into_iter().map(with_version).collect();
            Some((Arc::clone(listed), versions?))
        });
        self.digested.insert(task.clone(), Digested { fingerprint: snapshot.fingerprint, listed });
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

    /// Forgets the watched ids that nobody follows any more.
    pub(super) fn keep_watched(&mut self, is_followed: impl Fn(SourceKind, &str) -> bool) {
        self.ledgers.retain(|partition, _| match &partition.scope {
            Scope::Watched(id) => is_followed(partition.source, id),
            Scope::Day(_) | Scope::Pairs(_) | Scope::Refunds(_) => true,
        });
        self.digested.retain(|task, _| match task {
            Task::Watched { source, id } => is_followed(*source, id),
            Task::Days { .. } => true,
        });
    }

    /// Keeps what the next hot reading needs, from `hot` on, and the watched ids, which are small.
    pub(super) fn trim(&mut self, hot: Day) {
        self.ledgers.retain(|partition, _| match &partition.scope {
            Scope::Day(day) | Scope::Pairs(day) => *day >= hot,
            Scope::Watched(_) => true,
            Scope::Refunds(_) => false,
        });
        self.digested.retain(|task, _| match task {
            Task::Days { to, .. } => *to >= hot,
            Task::Watched { .. } => true,
        });
    }
}

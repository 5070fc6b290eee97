//! When a source fails and when it recovers: said once each, in the log and as events.

use jiff::{SignedDuration, Timestamp};
use std::collections::HashSet;
use tracing::{debug, info, warn};

use super::Watcher;
use crate::domain::account::{AccountName, SourceKind};
use crate::domain::event::{EventType, Notice};
use crate::sources::{SourceError, Task};
use crate::store::{AccountState, Commit, Committed, StoreError, Trouble};

/// So many failures in a row, over at least that time, are announced; refused credentials at once.
const FAILURES: u32 = 3;
const PATIENCE: SignedDuration = SignedDuration::from_secs(60);

/// A row of failures of the listing.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Failures {
    count: u32,
    since: Option<Timestamp>,
    told: bool,
}

impl Unreadable {
    /// Forgets the others.
    pub(super) fn retain(&mut self, is_kept: impl Fn(&Task) -> bool) {
        self.0.retain(is_kept);
    }
}

impl Failures {
    /// How many in a row.
    pub(super) const fn count(&self) -> u32 {
        self.count
    }

    /// Whether they were announced.
    pub(super) const fn is_told(&self) -> bool {
        self.told
    }
}

/// Watched ids that cannot be read, each said once. As many at most as are watched.
#[derive(Debug, Default)]
pub(super) struct Unreadable(HashSet<Task>);

impl Watcher {
    /// The listing could not be read.
    pub(super) async fn failed(&mut self, error: &SourceError) {
        let now = self.clock.now();
        let failures = &mut self.failures;
        failures.count = failures.count.saturating_add(1);
        let since = *failures.since.get_or_insert(now);
        log(&self.herald.account, error, failures.count);
        let lasting = failures.count >= FAILURES && now.duration_since(since) >= PATIENCE;
        if failures.told || !(lasting || matches!(error, SourceError::Unauthorized { .. })) {
            return;
        }
        let notice = Notice { cause: Some(error.cause()), reason: error.to_string(), ..Notice::default() };
        match self
            .tell(EventType::SourceFailing, since, notice, Some(Trouble { since, announced: true, stale: false }))
            .await
        {
            Ok(()) => self.failures.told = true,
            Err(error) => self.store_failed(&error),
        }
    }

    /// The listing was read.
    pub(super) async fn recovered(&mut self) -> Result<(), StoreError> {
        let failures = std::mem::take(&mut self.failures);
        if failures.count > 0 {
            info!(account.name = %self.herald.account, failures = failures.count, "the source can be read again");
        }
        let listing = self.source.listing();
        let Some(trouble) = self.state().await?.state.troubles.get(&listing).cloned() else { return Ok(()) };
        self.pace.recovered();
        let notice = Notice { reason: String::from("the source can be read again"), ..Notice::default() };
        self.tell(EventType::SourceRecovered, trouble.since, notice, None).await
    }

    /// A watched id could not be read: a paid link may stand behind it, so that the operator must know.
    pub(super) fn watched_failed(&mut self, task: Task, error: &SourceError) {
        let (account, class) = (&self.herald.account, error.class());
        let error: &(dyn std::error::Error + 'static) = error;
        if self.unreadable.0.contains(&task) {
            debug!(account.name = %account, ?task, class, error, "a watched id cannot be read");
        } else {
            warn!(account.name = %account, ?task, class, error, "a watched id cannot be read; further failures are logged as debug");
            self.unreadable.0.insert(task);
        }
    }

    /// A watched id was read, or is not there yet.
    pub(super) fn watched_answered(&mut self, task: &Task) {
        if self.unreadable.0.remove(task) {
            info!(account.name = %self.herald.account, ?task, "the watched id can be read again");
        }
    }

    /// Writes the trouble, or its end, and its event in one commit. Another replica that was faster has said it already.
    pub(super) async fn tell(
        &mut self,
        kind: EventType,
        since: Timestamp,
        notice: Notice,
        trouble: Option<Trouble>,
    ) -> Result<(), StoreError> {
        let listing = self.source.listing();
        let before = self.state().await?;
        let mut state = before.state.clone();
        if !change(&mut state, listing, trouble) {
            return Ok(());
        }
        let notice = Notice { since: Some(since), ..notice };
        let event = self.herald.notice(kind, Some(listing), &[&since.to_string()], notice, self.clock.now());
        let commit = Commit {
            account: self.herald.account.clone(),
            ledgers: Vec::new(),
            state: Some((before.version, state)),
            announcements: vec![self.herald.route(event, false)],
            rejects: Vec::new(),
            remember: self.policy.remember,
        };
        match self.store.commit(&commit).await {
            Ok(Committed::Done { .. }) => {
                self.memory.committed(&commit);
                commit.announcements.iter().for_each(|announcement| self.witness.announced(announcement));
                self.nudge.give();
                Ok(())
            }
            Ok(Committed::Conflict) => {
                self.memory.doubt();
                Ok(())
            }
            Err(error) => {
                self.memory.doubt();
                Err(error)
            }
        }
    }

    /// Says once that the store is down.
    pub(super) fn store_failed(&mut self, error: &StoreError) {
        let error: &(dyn std::error::Error + 'static) = error;
        if std::mem::replace(&mut self.outage.down, true) {
            debug!(account.name = %self.herald.account, error, "the store does not answer");
        } else {
            self.witness.store_answers(false);
            warn!(account.name = %self.herald.account, error, "the store does not answer; nothing is committed until it does, and nothing is lost");
        }
    }
}

/// The first failure of a row is a warning, the others are for who looks closely.
fn log(account: &AccountName, error: &SourceError, failures: u32) {
    let class = error.class();
    let error: &(dyn std::error::Error + 'static) = error;
    if failures == 1 {
        warn!(account.name = %account, class, error, "the source cannot be read; further failures are logged as debug");
    } else {
        debug!(account.name = %account, class, error, failures, "the source cannot be read");
    }
}

/// Enters or removes a trouble; false when there is nothing to change.
fn change(state: &mut AccountState, source: SourceKind, trouble: Option<Trouble>) -> bool {
    match trouble {
        Some(trouble) => match state.troubles.get(&source) {
            // What was merely not read turns out to fail.
            Some(known) if known.stale && !trouble.stale => state.troubles.insert(source, trouble).is_some(),
            // It went on over a restart, or a replica said so: not said again.
            Some(_) => false,
            None => state.troubles.insert(source, trouble).is_none(),
        },
        None => state.troubles.remove(&source).is_some(),
    }
}

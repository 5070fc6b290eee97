//! The nightly reconciliation of one account, inside its watcher's turn: so the lease, the gate and the copies of the
//! ledgers are shared, and nothing is asked of an upstream that does not answer.

use std::sync::Arc;
use std::time::Duration;

use tracing::{debug, info, warn};

use super::Watcher;
use super::reading::WatchError;
use crate::domain::account::{Partition, Scope};
use crate::domain::closing::{Closing, Nightly};
use crate::domain::day::Day;
use crate::domain::event::{Body, EventType};
use crate::domain::ledger::Ledger;
use crate::domain::retry::backoff;
use crate::pipeline::audit::Auditor;
use crate::pipeline::reconcile::{self, Heard};
use crate::sources::{Reading, SourceError};
use crate::store::{Archive, Commit, StoreError};

/// A reading by pages may need a second opinion, and a third where the second disagreed.
const READINGS: usize = 3;

/// Back-off after a day could not be closed.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(900));

/// What the reconciliation needs beside the watcher.
#[derive(Debug)]
pub(super) struct Closer {
    archive: Arc<dyn Archive>,
    nightly: Nightly,
    failures: u32,
    not_before: Duration,
}

impl Watcher {
    /// Closes every day, once it is over and the time of `nightly` has come. Only what the archive holds counts as announced.
    #[must_use]
    pub fn closing_days(mut self, archive: Arc<dyn Archive>, nightly: Nightly) -> Self {
        self.closer = Some(Closer { archive, nightly, failures: 0, not_before: Duration::ZERO });
        self
    }

    /// Closes the next day that is due, if any. Called after a listing was read, so that nothing is asked while the
    /// upstream does not answer; what fails is tried again after a later reading.
    pub(super) async fn close_due(&mut self) -> Result<(), WatchError> {
        let Some(day) = self.day_due().await? else { return Ok(()) };
        self.say_what_stays_open(day).await?;
        let result = self.close(day).await;
        let chance = self.clock.chance();
        if let Some(closer) = &mut self.closer {
            closer.failures = if matches!(result, Ok(true)) { 0 } else { closer.failures.saturating_add(1) };
            let (base, cap) = BACKOFF;
            let pause = if closer.failures == 0 { Duration::ZERO } else { backoff(closer.failures, base, cap, chance) };
            closer.not_before = self.started.elapsed().saturating_add(pause);
        }
        match result {
            Err(WatchError::Source(error)) => {
                let first = self.closer.as_ref().is_some_and(|closer| closer.failures == 1);
                let source: &(dyn std::error::Error + 'static) = &error;
                if first {
                    warn!(account.name = %self.herald.account, day = %day, error = source, "the day could not be read to be closed; it is tried again");
                } else {
                    debug!(account.name = %self.herald.account, day = %day, error = source, "the day could not be read to be closed");
                }
                Err(WatchError::Source(error))
            }
            other => other.map(|_| ()),
        }
    }

    /// The day that is to be closed now, if any.
    pub(super) async fn day_due(&mut self) -> Result<Option<Day>, StoreError> {
        let now = self.started.elapsed();
        let Some(Closer { nightly, .. }) = self.closer.as_ref().filter(|closer| now >= closer.not_before) else {
            return Ok(None);
        };
        let nightly = *nightly;
        let state = self.state().await?.state;
        let zone = &self.herald.zone;
        let Some(first) = reconcile::first_day(&state, zone) else { return Ok(None) };
        // Nothing is known of days that the look-back does not reach.
        let nightly = Nightly { days: nightly.days.min(self.policy.lookback_days).max(1), ..nightly };
        Ok(nightly.due(self.clock.now(), zone, first, state.closed_through))
    }

    async fn say_what_stays_open(&mut self, day: Day) -> Result<(), StoreError> {
        if let Some(last) = self.state().await?.state.closed_through.filter(|last| day > last.next()) {
            warn!(account.name = %self.herald.account, from = %last.next(), to = %day.plus(-1), "these days are too long ago to be closed; they stay open");
        }
        Ok(())
    }

    /// Reads a day anew and holds it against what was announced. False when it must wait, because nothing was read of it yet.
    async fn close(&mut self, day: Day) -> Result<bool, WatchError> {
        let partition =
            Partition { account: self.herald.account.clone(), source: self.source.listing(), scope: Scope::Day(day) };
        self.load(std::slice::from_ref(&partition)).await?;
        if self.memory.ledgers.get(&partition).is_none_or(Ledger::is_unread) {
            debug!(account.name = %self.herald.account, day = %day, "the day was not read yet; it is closed later");
            return Ok(false);
        }
        let task = reconcile::task(day);
        let mut differences = 0;
        let mut audit = None;
        let mut read_at = self.clock.now();
        for _ in 0..READINGS {
            // Never by the fingerprint: what is compared is what is listed now, in full.
            let Reading::Snapshot(snapshot) = self.read(&task, None).await? else {
                return Err(WatchError::Source(SourceError::Contract("an answer without rows".to_owned())));
            };
            read_at = snapshot.read_at;
            let (tally, heard) = self.reconcile(day, &task, &snapshot).await?;
            differences += tally.differences;
            audit = Some(heard);
            if tally.unconfirmed == 0 {
                break;
            }
        }
        let Some(heard) = audit else { return Ok(false) };
        self.finish(day, &heard, differences, read_at).await?;
        Ok(true)
    }

    /// Writes `day.closed` and that the day is closed, in one commit.
    async fn finish(
        &mut self,
        day: Day,
        heard: &Heard,
        found: usize,
        read_at: jiff::Timestamp,
    ) -> Result<(), WatchError> {
        let before = self.state().await?;
        if before.state.closed_through.is_some_and(|closed| closed >= day) {
            return Ok(());
        }
        let (vanished, baseline) = reconcile::odd(self.memory.ledgers.iter(), heard, day, read_at);
        // A run that died here may have told of differences already.
        let told = self.told_before(day).await?;
        let differences = reconcile::count(found).max(told);
        let closing = Closing { differences, vanished, baseline, ..heard.closing(day) };
        let mut state = before.state;
        state.closed_through = Some(day);
        let now = self.clock.now();
        let mut announcements: Vec<_> = reconcile::difference(&self.herald, day, closing, now).into_iter().collect();
        announcements.push(reconcile::closed(&self.herald, day, closing, now));
        let commit = Commit {
            account: self.herald.account.clone(),
            ledgers: Vec::new(),
            state: Some((before.version, state)),
            announcements,
            rejects: Vec::new(),
            remember: self.policy.remember,
        };
        if !self.write(&commit).await? {
            // Somebody else changed the account: it is looked at again after the next reading.
            self.memory.doubt();
            return Ok(());
        }
        let account = &self.herald.account;
        if differences > 0 || vanished > 0 {
            warn!(account.name = %account, day = %day, differences, vanished, "the day did not agree with what was announced; what was missing is announced now");
        }
        let credits = closing.of_day.credits.count;
        info!(account.name = %account, day = %day, credits, differences, "the day is closed");
        Ok(())
    }

    async fn told_before(&self, day: Day) -> Result<u64, StoreError> {
        let Some(closer) = &self.closer else { return Ok(0) };
        let id = reconcile::id(&self.herald, EventType::ReconcileDifference, day);
        let told = closer.archive.event(&id).await?;
        Ok(told.map_or(0, |(event, _)| match &event.body {
            Body::Notice(notice) => notice.closing.as_deref().map_or(0, |closing| closing.differences),
            Body::Payment(_) => 0,
        }))
    }

    /// Who knows what was announced; `None` where days are not closed.
    pub(super) fn auditor(&self) -> Option<Auditor> {
        let closer = self.closer.as_ref()?;
        Some(Auditor { archive: Arc::clone(&closer.archive), herald: self.herald.clone() })
    }
}

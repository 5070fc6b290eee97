//! How an account is doing: at which tempo it is asked, whether what is known of it is out of date, and what people see
//! of that.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tracing::{debug, warn};

use super::Watcher;
use crate::clock::Stopwatch;
use crate::domain::event::{EventType, Notice};
use crate::domain::rhythm::Rhythm;
use crate::sources::{Snapshot, Task, Tempo, Upcoming, Usage};
use crate::store::Trouble;

/// News keep an account awake for so long: where one paid, the next one may.
const STIRRED: Duration = Duration::from_secs(1800);

/// A listing that covers fewer days tells nothing of an account's hours.
const RHYTHM_DAYS: i64 = 7;

/// So many times its usual gap may pass without a reading before an account is stale, and never less than this.
const USUAL_GAPS: u32 = 4;
const LEAST_STALE: Duration = Duration::from_secs(300);

/// A pause of the process itself (a suspended machine, `SIGSTOP`) is nobody's failure: between two looks no more counts.
const LONGEST_LOOK: Duration = Duration::from_secs(30);

/// What is known of an account's pace. Kept in the process alone; a restart begins anew.
#[derive(Debug, Default)]
pub(super) struct Pace {
    rhythm: Rhythm,
    stirred: Option<Stopwatch>,
    /// How long no reading of today was completed while this process was there to read.
    unread: Duration,
    looked: Option<Stopwatch>,
    /// What `unread` usually comes to, as a slow average.
    usual: Duration,
    read_at: Option<Timestamp>,
    stale: bool,
}

impl Pace {
    /// Nobody was to be asked meanwhile, or nothing could be written: what passed was not the upstream's doing.
    pub(super) fn begin_anew(&mut self) {
        (self.unread, self.looked, self.stale) = (Duration::ZERO, None, false);
    }

    /// The trouble was said to be over.
    pub(super) const fn recovered(&mut self) {
        self.stale = false;
    }

    /// Something was announced.
    pub(super) fn stir(&mut self) {
        self.stirred = Some(Stopwatch::start());
    }

    fn look(&mut self) {
        let passed = self.looked.replace(Stopwatch::start()).map_or(Duration::ZERO, Stopwatch::elapsed);
        self.unread = self.unread.saturating_add(passed.min(LONGEST_LOOK));
    }

    fn limit(&self, every: Duration) -> Duration {
        self.usual.max(every).saturating_mul(USUAL_GAPS).max(LEAST_STALE)
    }

    fn read(&mut self, every: Duration, at: Timestamp) {
        self.look();
        // One outage must not pass for usual.
        let gap = self.unread.min(self.limit(every));
        self.usual = if self.usual.is_zero() { gap } else { self.usual.saturating_mul(7).saturating_add(gap) / 8 };
        (self.unread, self.read_at, self.stale) = (Duration::ZERO, Some(at), false);
    }

    fn is_overdue(&mut self, every: Duration) -> bool {
        self.look();
        self.unread > self.limit(every)
    }
}

/// What a watcher is doing, for people who look.
#[derive(Clone, Debug)]
pub struct Standing {
    /// It has the right to poll the account; else another replica has, or the store does not answer.
    pub polling: bool,
    /// When a reading that covers today was completed last.
    pub read_at: Option<Timestamp>,
    /// How long none has been, as far as this process could have.
    pub unread: Duration,
    /// How often the listing is asked now.
    pub tempo: Tempo,
    /// The same as a duration.
    pub every: Duration,
    /// What is asked next.
    pub upcoming: Option<Upcoming>,
    /// Failures of the listing in a row.
    pub failures: u32,
    /// `source.stale` was announced, and no reading was completed since.
    pub stale: bool,
    /// How many watched ids are asked.
    pub watches: usize,
    /// Of the account's gate.
    pub usage: Option<Usage>,
}

/// Where a watcher leaves its [`Standing`]. Every copy is the same board.
#[derive(Clone, Debug, Default)]
pub struct Board(Arc<Mutex<Option<Standing>>>);

impl Board {
    /// What was left last; `None` before the first step.
    pub fn standing(&self) -> Option<Standing> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn leave(&self, standing: Standing) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(standing);
    }
}

impl Watcher {
    /// The same, leaving what it does at `board`.
    #[must_use]
    pub fn seen_at(mut self, board: Board) -> Self {
        self.board = Some(board);
        self
    }

    /// Leaves what people see. Called once a step.
    pub(super) fn show(&mut self, polling: bool) {
        let Some(board) = &self.board else { return };
        board.leave(Standing {
            polling,
            read_at: self.pace.read_at,
            unread: self.pace.unread,
            tempo: self.agenda.tempo(),
            every: self.agenda.hot_cadence(),
            upcoming: self.agenda.upcoming(self.started.elapsed()),
            failures: self.failures.count(),
            stale: self.pace.stale,
            watches: self.agenda.watched(),
            usage: self.source.usage(),
        });
    }

    /// Sets the tempo of the agenda by what is known now.
    pub(super) fn keep_time(&mut self, elapsed: Duration) {
        let now = self.clock.now();
        let (expects, young) = self.expectations(now);
        let stirred = self.pace.stirred.as_ref().is_some_and(|since| since.elapsed() < STIRRED);
        let tempo = if expects {
            Tempo::Expecting
        } else if young || stirred || !self.pace.rhythm.is_quiet(now, &self.herald.zone) {
            Tempo::Awake
        } else {
            Tempo::Quiet
        };
        if tempo != self.agenda.tempo() {
            debug!(account.name = %self.herald.account, tempo = tempo.as_str(), "the account's tempo changes");
            self.agenda.set_tempo(tempo, elapsed);
        }
    }

    /// Learns at which hours money comes in, from a listing that is long enough.
    pub(super) fn learn_rhythm(&mut self, task: &Task, snapshot: &Snapshot) {
        if let Task::Days { from, to } = task
            && from.plus(RHYTHM_DAYS) <= *to
            && *to >= self.herald.today(self.clock.now())
        {
            self.pace.rhythm = Rhythm::of(snapshot.rows.iter().map(|row| &row.occurred), &self.herald.zone);
        }
    }

    /// A reading was completed and committed.
    pub(super) fn was_read(&mut self, task: &Task) {
        let now = self.clock.now();
        if let Task::Days { to, .. } = task
            && *to >= self.herald.today(now)
        {
            self.pace.read(self.agenda.hot_cadence(), now);
        }
    }

    /// Announces once that no reading was completed for longer than is usual, and why that may be. A source that fails and
    /// was said to is no news.
    pub(super) async fn look_for_staleness(&mut self) {
        let every = self.agenda.hot_cadence();
        if !self.pace.is_overdue(every) || self.pace.stale || self.failures.is_told() || self.outage.down {
            return;
        }
        let unread = self.pace.unread;
        let now = self.clock.now();
        let since = now.checked_sub(SignedDuration::try_from(unread).unwrap_or_default()).unwrap_or(now);
        let reason = self.staleness(unread, every);
        warn!(account.name = %self.herald.account, reason, "the account was not read for longer than usual");
        let notice = Notice { reason, ..Notice::default() };
        let trouble = Trouble { since, announced: true, stale: true };
        match self.tell(EventType::SourceStale, since, notice, Some(trouble)).await {
            Ok(()) => self.pace.stale = true,
            Err(error) => self.store_failed(&error),
        }
    }

    fn staleness(&self, unread: Duration, every: Duration) -> String {
        let usual = self.pace.usual.max(every);
        let why = match self.source.usage() {
            _ if self.failures.count() > 0 => "the last readings failed",
            Some(usage) if !usage.closed_for.is_zero() => "the upstream asked for a pause",
            Some(usage) if usage.share < 1.0 => "the upstream asked us to slow down",
            Some(usage) if usage.used >= usage.ceiling => "the configured rate is used up; see `rate`",
            Some(_) | None => "a reading takes long",
        };
        format!("no reading was completed for {} s, where {} s are usual: {why}", unread.as_secs(), usual.as_secs())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_secs(15);

    async fn pass(pace: &mut Pace, seconds: u64) -> bool {
        let mut overdue = pace.is_overdue(EVERY);
        for _ in 0..seconds / 5 {
            tokio::time::sleep(Duration::from_secs(5)).await;
            overdue = pace.is_overdue(EVERY);
        }
        overdue
    }

    #[tokio::test(start_paused = true)]
    async fn an_account_is_overdue_after_several_of_its_usual_gaps() {
        let mut pace = Pace::default();
        assert!(!pass(&mut pace, 300).await);
        assert!(pass(&mut pace, 5).await, "five minutes at the least");
        pace.read(EVERY, Timestamp::UNIX_EPOCH);
        assert!(!pass(&mut pace, 300).await);
        // A slow account: a reading each ten minutes is what it does.
        for _ in 0..60 {
            pass(&mut pace, 600).await;
            pace.read(EVERY, Timestamp::UNIX_EPOCH);
        }
        assert!(!pass(&mut pace, 1800).await);
        assert!(pass(&mut pace, 1200).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_that_slept_blames_nobody() {
        let mut pace = Pace::default();
        pace.read(EVERY, Timestamp::UNIX_EPOCH);
        tokio::time::sleep(Duration::from_secs(86_400)).await;
        assert!(!pace.is_overdue(EVERY));
        assert!(!pass(&mut pace, 200).await);
    }
}

//! Turns the readings of one account into commits: poll → diff → route → commit.
//!
//! One watcher an account. It holds the account's lease while it polls, asks what its agenda says is most overdue, and
//! keeps copies of hot ledgers that it may drop at any time.

mod closing;
mod follow;
mod memory;
mod pace;
mod reading;
mod register;
mod trouble;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use self::closing::Closer;
use self::memory::Memory;
use self::pace::Pace;
pub use self::pace::{Board, Standing};
use self::reading::WatchError;
use self::register::Register;
use self::trouble::{Failures, Unreadable};
use super::Nudge;
use super::announce::Herald;
use super::hints::Hints;
use crate::clock::{Clock, Stopwatch};
use crate::domain::policy::Policy;
use crate::domain::retry::backoff;
use crate::sources::{Agenda, Feedback, Source, SourceError, Task, Work};
use crate::store::{Announcement, Store};

/// For how long the right to poll is taken. After a crash another replica takes over within that time and one
/// [`STANDBY`], which is less than 30 s.
const LEASE: Duration = Duration::from_secs(22);

/// The right is renewed when it is older than that.
const RENEW: Duration = Duration::from_secs(12);

/// How often an account that another replica holds is asked for.
const STANDBY: Duration = Duration::from_secs(2);

/// Told of every announcement that was committed.
pub trait Listener: Send + Sync + std::fmt::Debug {
    /// An event was committed, or its fact had been told by another signal.
    fn announced(&self, announcement: &Announcement);

    /// The store stopped answering this account, or answers again.
    fn store_answers(&self, _answers: bool) {}
}

impl Listener for super::dispatcher::Nobody {
    fn announced(&self, _: &Announcement) {}
}

/// What is known of the store's ill health.
#[derive(Debug, Default)]
struct Outage {
    /// It was said to be down.
    down: bool,
    /// What was read could not be written. That the lease can be renewed then proves nothing: a file that is read-only
    /// renews it, too.
    unwritten: bool,
    /// Failures in a row.
    failures: u32,
}

/// The loop that watches one account.
#[derive(Debug)]
pub struct Watcher {
    store: Arc<dyn Store>,
    source: Arc<dyn Source>,
    clock: Arc<dyn Clock>,
    herald: Herald,
    policy: Policy,
    agenda: Agenda,
    hints: Hints,
    /// Nothing is due: only then a hint ends the pause. One that waits for the store or for a lease goes on.
    rests: bool,
    nudge: Nudge,
    witness: Arc<dyn Listener>,
    memory: Memory,
    failures: Failures,
    pace: Pace,
    board: Option<Board>,
    unreadable: Unreadable,
    /// Watched things of which only a refund is to be expected.
    ended: HashSet<Task>,
    held_since: Option<Stopwatch>,
    /// `None`: watches are kept nowhere.
    register: Option<Register>,
    /// `None`: days are not closed.
    closer: Option<Closer>,
    started: Stopwatch,
    prepared: bool,
    outage: Outage,
    /// Of the store that the memory was copied from.
    incarnation: u64,
    heart: Heart,
}

/// Where a watcher says that it turns, and for how long it will wait on purpose.
struct Heart(Box<dyn Fn(Duration) + Send + Sync>);

impl std::fmt::Debug for Heart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Heart")
    }
}

impl Watcher {
    /// A watcher of one account.
    #[expect(clippy::too_many_arguments, reason = "called once, in the composition root; each is a collaborator")]
    pub fn new(
        store: Arc<dyn Store>,
        source: Arc<dyn Source>,
        clock: Arc<dyn Clock>,
        herald: Herald,
        policy: Policy,
        agenda: Agenda,
        nudge: Nudge,
        witness: Arc<dyn Listener>,
    ) -> Self {
        let incarnation = store.incarnation();
        Self {
            store,
            source,
            clock,
            herald,
            policy,
            agenda,
            hints: Hints::default(),
            rests: false,
            nudge,
            witness,
            memory: Memory::default(),
            failures: Failures::default(),
            pace: Pace::default(),
            board: None,
            unreadable: Unreadable::default(),
            ended: HashSet::new(),
            held_since: None,
            register: None,
            closer: None,
            started: Stopwatch::start(),
            prepared: false,
            outage: Outage::default(),
            incarnation,
            heart: Heart(Box::new(|_| {})),
        }
    }

    /// The same, with hints left at `hints` heard.
    #[must_use]
    pub fn hearing(self, hints: Hints) -> Self {
        Self { hints, ..self }
    }

    /// Watches until `stop`; `beat` is told before each step how long the loop will wait at most, and that it goes on
    /// while a reading takes long.
    ///
    /// Cancel-safe: a reading that is dropped is read again, a commit that is dropped was written or was not, and the
    /// next one finds out by the versions.
    pub async fn run(mut self, stop: CancellationToken, beat: impl Fn(Duration) + Send + Sync + 'static) {
        self.heart = Heart(Box::new(beat));
        let (mut wait, hints) = (Duration::ZERO, self.hints.clone());
        loop {
            (self.heart.0)(wait);
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = tokio::time::sleep(wait) => {}
                () = hints.given(), if self.rests => {}
            }
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                next = self.step() => wait = next,
            }
        }
        if self.held_since.is_some() {
            // Others may take over at once. If the store does not answer, the lease ends by itself.
            let release = self.store.release(&self.herald.account);
            drop(tokio::time::timeout(Duration::from_secs(2), release).await);
        }
    }

    /// Does the most overdue work, if any is due, and returns how long none will be.
    pub async fn step(&mut self) -> Duration {
        let wait = self.turn().await;
        self.show(self.held_since.is_some() && !self.outage.down);
        wait
    }

    async fn turn(&mut self) -> Duration {
        self.rests = false;
        match self.holds_lease().await {
            Ok(true) => {}
            Ok(false) => {
                self.pass_hints_on().await;
                return STANDBY;
            }
            Err(wait) => return wait,
        }
        let incarnation = self.store.incarnation();
        if std::mem::replace(&mut self.incarnation, incarnation) != incarnation {
            self.memory.doubt();
            self.register.iter_mut().for_each(Register::doubt);
        }
        if let Err(error) = self.look_at_watches().await {
            return self.store_backoff(&error);
        }
        let (today, now) = (self.herald.today(self.clock.now()), self.started.elapsed());
        self.take_hints(now);
        if let Err(error) = self.write_watches().await {
            return self.store_backoff(&error);
        }
        let read_through = match self.state().await {
            Ok(state) => state.state.read_through,
            Err(error) => return self.store_backoff(&error),
        };
        self.look_for_staleness().await;
        self.keep_time(now);
        let next = self.agenda.next(now, today, read_through);
        let Some(work) = next.work else {
            self.rests = true;
            return next.wait.min(self.until_renewal()).min(self.until_look());
        };
        if !self.prepared && work.is_listing() && !self.prepare(&work).await {
            return Duration::ZERO;
        }
        self.work(&work).await
    }

    /// How long the lease needs no renewal. Nobody waits longer: an idle holder that let it lapse would poll in turns with
    /// its peers, each at a rate and with a burst of its own.
    pub(super) fn until_renewal(&self) -> Duration {
        self.held_since.map_or(Duration::ZERO, |since| RENEW.saturating_sub(since.elapsed()))
    }

    fn take_hints(&mut self, now: Duration) {
        let Some(ids) = self.hints.take() else { return };
        self.agenda.hurry(now);
        let mut followed = ids.clone();
        followed.retain(|(source, id)| self.agenda.watch(*source, id, now));
        self.keep_hinted(&followed);
        debug!(account.name = %self.herald.account, hint.ids = ids.len(), hint.followed = followed.len(), "a hint: looking soon");
    }

    async fn work(&mut self, work: &Work) -> Duration {
        let result = self.poll(&work.task()).await;
        let (now, chance) = (self.started.elapsed(), self.clock.chance());
        match result {
            Ok(ended) => {
                if let Err(error) = self.found(work, ended).await {
                    return self.store_backoff(&error);
                }
                self.agenda.feed(work, now, if ended { &Feedback::Ended } else { &Feedback::Done }, chance);
                self.was_read(&work.task());
                if !work.is_listing() {
                    self.watched_answered(&work.task());
                } else if let Err(error) = self.recovered().await {
                    return self.store_backoff(&error);
                }
                self.store_answers();
                if work.is_listing() { self.close_days(work).await } else { Duration::ZERO }
            }
            Err(WatchError::Source(error)) => {
                // Nothing that was read waits to be written.
                self.outage.unwritten = false;
                self.agenda.feed(work, now, &Feedback::Failed(&error), chance);
                self.source_failed(work, &error).await;
                Duration::ZERO
            }
            // The work stays due; what was read is read again when the store answers.
            Err(WatchError::Store(error)) => {
                self.outage.unwritten = true;
                self.store_backoff(&error)
            }
            Err(WatchError::Lost(wait)) => wait,
        }
    }

    /// Closes a day that is due. A failure of it slows this account down as any other.
    async fn close_days(&mut self, work: &Work) -> Duration {
        match self.close_due().await {
            Ok(()) => Duration::ZERO,
            Err(WatchError::Source(error)) => {
                let (now, chance) = (self.started.elapsed(), self.clock.chance());
                self.agenda.feed(work, now, &Feedback::Failed(&error), chance);
                Duration::ZERO
            }
            Err(WatchError::Store(error)) => self.store_backoff(&error),
            Err(WatchError::Lost(wait)) => wait,
        }
    }

    /// Logs in and learns the vocabulary. A failure other than refused credentials does not keep from reading.
    async fn prepare(&mut self, work: &Work) -> bool {
        let source = Arc::clone(&self.source);
        match self.keeping(source.prepare()).await {
            Ok(()) => self.prepared = true,
            // The right to poll was lost meanwhile: the next step finds out for how long.
            Err(WatchError::Lost(_) | WatchError::Store(_)) => return false,
            Err(WatchError::Source(error @ SourceError::Unauthorized { .. })) => {
                let (now, chance) = (self.started.elapsed(), self.clock.chance());
                self.agenda.feed(work, now, &Feedback::Failed(&error), chance);
                self.source_failed(work, &error).await;
                return false;
            }
            Err(WatchError::Source(error)) => {
                let error: &(dyn std::error::Error + 'static) = &error;
                debug!(account.name = %self.herald.account, error, "the list of operations could not be fetched; trying again with the next reading");
            }
        }
        true
    }

    async fn source_failed(&mut self, work: &Work, error: &SourceError) {
        if work.is_probe() {
            return self.not_found(work, error);
        }
        let whole_account = matches!(error, SourceError::Unauthorized { .. });
        if work.is_listing() || whole_account {
            self.failed(error).await;
        } else if matches!(error, SourceError::NotFound) {
            self.watched_answered(&work.task());
        } else {
            self.watched_failed(work.task(), error);
        }
    }

    async fn holds_lease(&mut self) -> Result<bool, Duration> {
        if self.held_since.is_some_and(|since| since.elapsed() < RENEW) {
            return Ok(true);
        }
        let asked = Stopwatch::start();
        match self.store.acquire(&self.herald.account, LEASE).await {
            Ok(Some(_fence)) => {
                if self.held_since.replace(asked).is_none() {
                    debug!(account.name = %self.herald.account, "polling this account");
                    // Somebody else may have polled in between.
                    self.memory.doubt();
                    self.pace.begin_anew();
                    self.register.iter_mut().for_each(Register::forget);
                }
                if !self.outage.unwritten {
                    self.store_answers();
                }
                Ok(true)
            }
            Ok(None) => {
                if self.held_since.take().is_some() {
                    info!(account.name = %self.herald.account, "another replica polls this account now");
                }
                Ok(false)
            }
            Err(error) => Err(self.store_backoff(&error)),
        }
    }

    fn store_answers(&mut self) {
        (self.outage.failures, self.outage.unwritten) = (0, false);
        if std::mem::take(&mut self.outage.down) {
            self.witness.store_answers(true);
            self.pace.begin_anew();
            info!(account.name = %self.herald.account, "the store answers again");
        }
    }

    fn store_backoff(&mut self, error: &crate::store::StoreError) -> Duration {
        self.store_failed(error);
        self.outage.failures = self.outage.failures.saturating_add(1);
        backoff(self.outage.failures, Duration::from_millis(500), Duration::from_secs(30), self.clock.chance())
    }
}

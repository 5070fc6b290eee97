//! Empties the outbox: lease → send → judge → settle.
//!
//! One loop talks to the store, in batches: what ended since the last round is settled and what is due is leased, in
//! one exchange. Attempts run beside it, as many as each destination's cap allows, so that a dead, slow or limited
//! destination costs the others nothing. Retrying is a due time in the store, never a sleeping task.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, info, warn};

use super::Nudge;
use super::outbox::{Outbox, Turn};
use crate::channels::{Channel, Dispatch, Report};
use crate::clock::{Clock, Stopwatch};
use crate::domain::delivery::{Attempt, FailureClass, Outcome, Verdict, judge};
use crate::domain::retry::{Schedule, backoff};
use crate::store::{Exchange, Lease, Settlement, Store, StoreError, Want};

/// The longest pause while the store is down.
const IDLE: Duration = Duration::from_secs(30);

/// The shortest pause between two looks that found nothing, so that a wrong `next_due` cannot make the loop spin.
const FLOOR: Duration = Duration::from_millis(5);

/// The longest pause between two tries to write down what ended, while the daemon stops: there is little time left.
const HASTE: Duration = Duration::from_secs(1);

/// The most settlements in one exchange.
const BATCH: usize = 512;

/// So many ended attempts are worth a second exchange beside the one on its way.
const SECOND: usize = 16;

/// The most turns of one step, so that a busy loop still looks up.
const ROUNDS: usize = 1_024;

/// Told of every attempt that was judged: the terminal of `demo`, metrics.
pub trait Witness: Send + Sync + std::fmt::Debug {
    /// One attempt of a delivery.
    fn attempted(&self, lease: &Lease, channel: &dyn Channel, attempt: &Attempt, verdict: &Verdict);

    /// The store stopped answering, or answers again.
    fn store_answers(&self, _answers: bool) {}
}

/// A witness who says nothing.
#[derive(Debug)]
pub struct Nobody;

impl Witness for Nobody {
    fn attempted(&self, _: &Lease, _: &dyn Channel, _: &Attempt, _: &Verdict) {}
}

/// The loop that delivers.
#[derive(Debug)]
pub struct Dispatcher {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    nudge: Nudge,
    witness: Arc<dyn Witness>,
    outbox: Outbox,
    ended: (mpsc::UnboundedSender<Ended>, mpsc::UnboundedReceiver<Ended>),
    attempts: TaskTracker,
    settlements: Vec<Settlement>,
    store_failures: u32,
    /// A question for leases was not answered: the store may hold leases in our name that we know nothing of.
    adrift: bool,
}

#[derive(Debug)]
struct Ended {
    lease: Lease,
    channel: Arc<dyn Channel>,
    report: Report,
    attempt: Attempt,
}

impl Dispatcher {
    /// A dispatcher for these destinations; `cap` bounds the attempts at once over all of them.
    pub fn new(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        channels: Vec<(Arc<dyn Channel>, Schedule)>,
        cap: usize,
        nudge: Nudge,
        witness: Arc<dyn Witness>,
    ) -> Self {
        Self {
            store,
            clock,
            nudge,
            witness,
            outbox: Outbox::new(channels, cap),
            // Unbounded, but never longer than the attempts in flight, which are.
            ended: mpsc::unbounded_channel(),
            attempts: TaskTracker::new(),
            settlements: Vec::new(),
            store_failures: 0,
            adrift: false,
        }
    }

    /// Delivers until `stop`; `beat` is told before each step how long the loop will wait at most.
    ///
    /// At `stop` it waits for the attempts under way, settles them and gives back what was not begun.
    ///
    /// Cancel-safe: dropped at any point, leases end by themselves and everything is attempted again under its id.
    pub async fn run(mut self, stop: CancellationToken, beat: impl Fn(Duration) + Send) {
        let mut wait = Duration::ZERO;
        loop {
            beat(wait);
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                ended = self.ended.1.recv() => if let Some(ended) = ended { self.judge(ended) },
                () = self.nudge.given() => {}
                () = tokio::time::sleep(wait) => {}
            }
            wait = self.step().await;
        }
        self.drain().await;
    }

    /// One exchange with the store, and as many attempts begun as there are hands. Returns how long nothing will be due.
    pub async fn step(&mut self) -> Duration {
        while let Ok(ended) = self.ended.1.try_recv() {
            self.judge(ended);
        }
        self.begin();
        if self.adrift && self.settlements.is_empty() && self.outbox.is_idle() {
            // All that the store thinks we hold is unknown to us. While we are busy we cannot tell, and such a lease ends
            // by itself, later.
            if let Err(error) = self.store.reclaim().await {
                return self.store_failed(&error);
            }
            self.adrift = false;
        }
        let now = Instant::now();
        let (wants, wake) = self.outbox.wants(now);
        if self.settlements.is_empty() && wants.is_empty() {
            let idle = self.store.patience();
            return wake.map_or(idle, |wake| wake.saturating_duration_since(now)).clamp(FLOOR, idle);
        }
        self.exchange(wants, wake, now).await
    }

    /// Exchanges until nothing is left to settle; while one exchange is on its way, the attempts that end meanwhile begin
    /// others, and once some have ended a second exchange settles them.
    async fn exchange(&mut self, wants: Vec<Want>, wake: Option<Instant>, now: Instant) -> Duration {
        let mut due = self.store.patience();
        let mut asking = !wants.is_empty();
        let mut under_way = FuturesUnordered::new();
        under_way.push(trip(Arc::clone(&self.store), self.take_batch(), wants));
        for _ in 0..ROUNDS {
            tokio::select! {
                // In a fixed order, so that a seed of the simulation replays.
                biased;
                Some(Trip { batch, asked, result }) = under_way.next() => match result {
                    Ok(exchange) => {
                        due = due.min(self.exchanged(&batch, exchange));
                        asking &= !asked;
                    }
                    Err(error) => {
                        self.adrift |= asked;
                        self.settlements.splice(0..0, batch);
                        due = self.store_failed(&error);
                        break;
                    }
                },
                Some(ended) = self.ended.1.recv(), if !under_way.is_empty() => {
                    self.judge(ended);
                    self.begin();
                    if under_way.len() == 1 && self.settlements.len() >= SECOND {
                        // Two may settle at once, but only one asks: room is counted when its leases are in.
                        let wants = if asking { Vec::new() } else { self.outbox.wants(Instant::now()).0 };
                        asking |= !wants.is_empty();
                        under_way.push(trip(Arc::clone(&self.store), self.take_batch(), wants));
                    }
                }
                else => break,
            }
        }
        // What is still on its way is waited for: its settlements must not be written twice.
        while let Some(Trip { batch, asked, result }) = under_way.next().await {
            match result {
                Ok(exchange) => due = due.min(self.exchanged(&batch, exchange)),
                Err(error) => {
                    self.adrift |= asked;
                    self.settlements.splice(0..0, batch);
                    due = self.store_failed(&error);
                }
            }
        }
        if !self.settlements.is_empty() && self.store_failures == 0 {
            return Duration::ZERO;
        }
        wake.map_or(due, |wake| due.min(wake.saturating_duration_since(now))).clamp(FLOOR, IDLE)
    }

    /// Takes in an answer of the store; how long until something else is due.
    fn exchanged(&mut self, batch: &[Settlement], exchange: Exchange) -> Duration {
        self.recovered();
        note_lost(batch, &exchange.settled);
        self.settled(batch);
        let leased = exchange.leases.len();
        self.outbox.queue(exchange.leases, Instant::now());
        self.begin();
        match exchange.next_due {
            // More is due than there was room for: an ending attempt will ask again.
            Some(due) if due.is_zero() && leased > 0 => self.store.patience(),
            Some(due) => due,
            None => self.store.patience(),
        }
    }

    fn take_batch(&mut self) -> Vec<Settlement> {
        let count = self.settlements.len().min(BATCH);
        self.settlements.drain(..count).collect()
    }

    fn begin(&mut self) {
        while let Some(turn) = self.outbox.turn(Instant::now()) {
            match turn {
                Turn::GiveBack(lease) => self.give_back(lease),
                Turn::Send(channel, lease) => {
                    let (ended, clock) = (self.ended.0.clone(), Arc::clone(&self.clock));
                    self.attempts.spawn(async move {
                        let attempted = attempt(channel, lease, clock.as_ref()).await;
                        // The dispatcher is gone only when the process is; the lease ends by itself.
                        drop(ended.send(attempted));
                    });
                }
            }
        }
    }

    fn judge(&mut self, ended: Ended) {
        let Ended { lease, channel, report, attempt } = ended;
        let made = lease.attempts.saturating_add(1);
        let Some(desk) = self.outbox.desk(&lease.id.destination) else { return };
        let verdict = judge(&report.outcome, made, &desk.schedule, self.clock.chance());
        if let Outcome::Park { class, rest } = report.outcome {
            desk.rest(Instant::now() + rest);
            if class == FailureClass::Recipient {
                warn!(destination.name = %lease.id.destination, rest.s = rest.as_secs(), "the destination says that it is gone; it rests, and what is for it waits");
            }
        }
        match attempt.failure {
            None => {
                let row = desk.succeeded();
                if row > 0 {
                    info!(destination.name = %lease.id.destination, failures = row, "the destination answers again");
                }
            }
            Some(class) if desk.failed() => {
                warn!(event.id = %lease.id.event, destination.name = %lease.id.destination, attempt.class = class.as_str(), attempt.status = attempt.status, attempt.number = made, "a delivery failed; further failures of this destination are logged as debug");
            }
            Some(class) => {
                debug!(event.id = %lease.id.event, destination.name = %lease.id.destination, attempt.class = class.as_str(), attempt.status = attempt.status, attempt.number = made, "a delivery failed");
            }
        }
        if let Verdict::Dead { reason } = &verdict {
            warn!(event.id = %lease.id.event, destination.name = %lease.id.destination, reason = reason.as_str(), "a delivery is dead; `pregonero deliveries requeue` gives it a second chance");
        }
        self.witness.attempted(&lease, channel.as_ref(), &attempt, &verdict);
        let Lease { id, fence, .. } = lease;
        self.settlements.push(Settlement { id, fence, verdict, attempt: Some(attempt) });
    }

    /// Only what is written frees a hand: a crash can repeat no more than the cap, because nothing else was sent and is
    /// not yet remembered as sent.
    fn settled(&mut self, batch: &[Settlement]) {
        for settlement in batch.iter().filter(|settlement| settlement.attempt.is_some()) {
            self.outbox.ended(&settlement.id.destination);
        }
    }

    fn give_back(&mut self, lease: Lease) {
        let Lease { id, fence, .. } = lease;
        let verdict = Verdict::Retry { after: Duration::ZERO, spent: false };
        self.settlements.push(Settlement { id, fence, verdict, attempt: None });
    }

    fn recovered(&mut self) {
        if std::mem::take(&mut self.store_failures) > 0 {
            self.witness.store_answers(true);
            info!("the store answers again; deliveries go on");
        }
    }

    fn store_failed(&mut self, error: &StoreError) -> Duration {
        self.store_failures = self.store_failures.saturating_add(1);
        if self.store_failures == 1 {
            self.witness.store_answers(false);
            let error: &(dyn std::error::Error + 'static) = error;
            warn!(error, "the store does not answer; deliveries pause, nothing is lost");
        }
        backoff(self.store_failures, Duration::from_millis(250), IDLE, self.clock.chance())
    }

    /// What is under way ends, what ended is written, what was not begun is given back.
    ///
    /// While the store does not answer, it is asked again as long as something was sent that would be repeated. Only to
    /// give back what was not begun nobody waits: its lease ends by itself.
    async fn drain(mut self) {
        for lease in self.outbox.clear() {
            self.give_back(lease);
        }
        self.attempts.close();
        loop {
            while let Ok(ended) = self.ended.1.try_recv() {
                self.judge(ended);
            }
            if !self.settlements.is_empty() {
                let batch = std::mem::take(&mut self.settlements);
                let result = self.store.exchange(&batch, &[]).await;
                match result {
                    Ok(_) => self.settled(&batch),
                    Err(error) => {
                        let wait = self.store_failed(&error).min(HASTE);
                        self.settlements.splice(0..0, batch);
                        if self.outbox.in_flight() == 0 {
                            return;
                        }
                        tokio::time::sleep(wait).await;
                    }
                }
                continue;
            }
            if self.outbox.in_flight() == 0 {
                return;
            }
            if let Some(ended) = self.ended.1.recv().await {
                self.judge(ended);
            }
        }
    }
}

/// One round trip, with what it carried, so that it can be carried again.
struct Trip {
    batch: Vec<Settlement>,
    asked: bool,
    result: Result<Exchange, StoreError>,
}

async fn trip(store: Arc<dyn Store>, batch: Vec<Settlement>, wants: Vec<Want>) -> Trip {
    let result = store.exchange(&batch, &wants).await;
    Trip { batch, asked: !wants.is_empty(), result }
}

fn note_lost(batch: &[Settlement], written: &[bool]) {
    for (settlement, _) in batch.iter().zip(written).filter(|(_, written)| !**written) {
        debug!(event.id = %settlement.id.event, destination.name = %settlement.id.destination, "the lease was lost; the settlement was not written");
    }
}

/// One attempt, whatever the channel does: a panic is a failed attempt, a hang ends with the time-out.
async fn attempt(channel: Arc<dyn Channel>, lease: Lease, clock: &dyn Clock) -> Ended {
    let at = clock.now();
    let watch = Stopwatch::start();
    let dispatch = Dispatch { event: Arc::clone(&lease.event), attempt: lease.attempts.saturating_add(1) };
    // The channel bounds itself; this bound is for a channel that does not, and ends well within the lease.
    let bound = channel.timeout() + Duration::from_secs(5);
    let sending = AssertUnwindSafe(channel.send(&dispatch)).catch_unwind();
    let report = match tokio::time::timeout(bound, sending).await {
        Ok(Ok(report)) => report,
        Ok(Err(_panic)) => failed(FailureClass::Internal, "the attempt ended in a fault of pregonero"),
        Err(_elapsed) => failed(FailureClass::Timeout, "no end within the time-out"),
    };
    let failure = match &report.outcome {
        Outcome::Accepted => None,
        Outcome::Later { class, .. } | Outcome::Park { class, .. } | Outcome::Never { class } => Some(*class),
    };
    let attempt = Attempt { at, took: watch.elapsed(), failure, status: report.status, detail: report.detail.clone() };
    Ended { lease, channel, report, attempt }
}

fn failed(class: FailureClass, detail: &str) -> Report {
    Report { outcome: Outcome::Later { class, retry_after: None }, status: None, detail: detail.to_owned() }
}

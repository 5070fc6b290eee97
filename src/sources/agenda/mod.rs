//! What to ask next: the most overdue work of one account.
//!
//! Pure: time comes in as a duration since the start and as a calendar day, chance as a number, outcomes by
//! [`Agenda::feed`]. Work that does not fit the quota is delayed, never dropped, because the gate makes the asker wait
//! and everything that is due meanwhile stays due.

mod follow;
mod gap;
mod hinted;
mod kept;
mod tempo;
mod upcoming;

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::time::Duration;

use self::follow::Follow;
use self::gap::Gap;
use self::hinted::Hinted;
pub use self::hinted::MOST as MOST_HINTED;
pub use self::kept::Kept;
pub use self::tempo::Tempo;
pub use self::upcoming::Upcoming;
use super::{SourceError, Task};
use crate::config::Poll;
use crate::domain::account::SourceKind;
use crate::domain::day::Day;
use crate::domain::retry::backoff;

/// How many days the warm reading goes back.
pub const WARM_DAYS: i64 = 7;

/// How many days one cold reading covers, so that a long look-back does not hold up the hot one.
const CHUNK_DAYS: i64 = 7;

/// A watched id is young for so long and asked at the cadence `poll.watch`; then it is asked at [`AGED`] for a day, then at [`OLD`].
const YOUNG: Duration = Duration::from_secs(3600);
const AGED: (Duration, Duration) = (Duration::from_secs(86_400), Duration::from_secs(60));
const OLD: Duration = Duration::from_secs(600);

/// An ended watch is asked so often, because a refund may still come.
const REFUND_CHECK: Duration = Duration::from_secs(3_600);

/// Back-off after failures.
const BACKOFF: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(60));

/// Back-off after refused credentials: the account must not be locked.
const UNAUTHORIZED: (Duration, Duration) = (Duration::from_secs(300), Duration::from_secs(3600));

/// No cadence counts as longer than this when urgencies are compared, so that a nightly sweep does not wait for days.
const PATIENCE: Duration = Duration::from_secs(900);

/// So many watched ids are asked before the first listing; more would keep the account waiting for its first contact.
const WATCHES_FIRST: usize = 20;

/// One hot reading brings the news of the whole account; many young watches must not crowd it out.
const HOT_WEIGHT: f64 = 4.0;

/// So many watched ids are asked in a row at most while a listing is due: thousands of them must leave it its share.
const WATCHES_IN_A_ROW: u32 = 3;

/// The pause after a 429 or 503 that names none.
const SLOW_DOWN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(300));

/// One piece of work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    item: Item,
    task: Task,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Item {
    Hot,
    Warm,
    Cold,
    /// By its number in [`Agenda::watches`].
    Watch(u64),
    /// The next probe for a cash-in that nobody named.
    Follow,
}

impl Work {
    /// What to read.
    pub fn task(&self) -> Task {
        self.task.clone()
    }

    /// Whether it reads the account's listing, and not a watched id.
    pub const fn is_listing(&self) -> bool {
        !matches!(self.item, Item::Watch(_) | Item::Follow)
    }

    /// Whether it asks for an id that nobody named and that may not exist.
    pub const fn is_probe(&self) -> bool {
        matches!(self.item, Item::Follow)
    }
}

/// The answer to "what next?"
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Next {
    /// The most overdue work, if any is due.
    pub work: Option<Work>,
    /// How long nothing is due, when there is no work.
    pub wait: Duration,
}

/// How a piece of work went.
#[derive(Clone, Copy, Debug)]
pub enum Feedback<'a> {
    /// It was read and committed.
    Done,
    /// So was a watched id, and nothing but a refund is to be expected of it.
    Ended,
    /// It was not read.
    Failed(&'a SourceError),
}

#[derive(Clone, Debug)]
struct Entry {
    item: Item,
    /// The cadence that urgency is measured in.
    every: Duration,
    due: Duration,
    /// When it was asked last.
    asked: Option<Duration>,
    failures: u32,
    /// Somebody said "look at this"; nobody was asked whether that is true.
    hinted: bool,
}

impl Entry {
    const fn new(item: Item, every: Duration) -> Self {
        Self { item, every, due: Duration::ZERO, asked: None, failures: 0, hinted: false }
    }

    const fn is_watch(&self) -> bool {
        matches!(self.item, Item::Watch(_))
    }

    const fn is_listing(&self) -> bool {
        !matches!(self.item, Item::Watch(_) | Item::Follow)
    }

    const fn is_untried_watch(&self) -> bool {
        self.asked.is_none() && !self.hinted && self.is_watch()
    }
}

#[derive(Clone, Debug)]
struct Watch {
    source: SourceKind,
    id: String,
    since: Duration,
    /// How old it was then: it may have been followed by an earlier process.
    older: Duration,
    ended: bool,
    /// It is no kept watch and stays, whatever is kept.
    pinned: bool,
    /// Of a watch that came by a hint.
    hinted: Option<Hinted>,
}

impl Watch {
    const fn new(source: SourceKind, id: String, now: Duration) -> Self {
        Self { source, id, since: now, older: Duration::ZERO, ended: false, pinned: false, hinted: None }
    }

    const fn age(&self, now: Duration) -> Duration {
        now.saturating_sub(self.since).saturating_add(self.older)
    }
}

/// How far a cold sweep has come, going back in time.
#[derive(Clone, Copy, Debug)]
struct Sweep {
    /// The last day of the next chunk.
    to: Day,
    /// The day that it goes back to.
    oldest: Day,
}

/// The work of one account.
#[derive(Clone, Debug)]
pub struct Agenda {
    poll: Poll,
    tempo: Tempo,
    /// Who expects something asks the listing no more often, so that other work has its share of the rate.
    least_hot: Duration,
    lookback_days: u32,
    entries: Vec<Entry>,
    watches: BTreeMap<u64, Watch>,
    /// Of the next watch; none is used again.
    next_watch: u64,
    /// No hinted watch is asked before.
    hinted_from: Duration,
    gap: Gap,
    /// A cold sweep under way.
    sweep: Option<Sweep>,
    /// Nothing is asked before: the upstream wants a pause, or the credentials are wrong.
    paused_until: Duration,
    refusals: u32,
    /// Watched ids that were asked since the last listing.
    in_a_row: u32,
    /// Hinted ids that are followed no more, until somebody asks.
    let_go: Vec<(SourceKind, String)>,
    follow: Option<Follow>,
    /// The listing was read once.
    contacted: bool,
}

impl Agenda {
    /// The work of an account: its listing in three cadences, and watched ids. Everything is due at once.
    pub fn new(poll: Poll, lookback_days: u32, watches: Vec<(SourceKind, String)>) -> Self {
        let watch = |(source, id)| Watch { pinned: true, ..Watch::new(source, id, Duration::ZERO) };
        let watches: BTreeMap<u64, Watch> = (0..).zip(watches.into_iter().map(watch)).collect();
        let mut entries: Vec<Entry> =
            watches.keys().map(|number| Entry::new(Item::Watch(*number), poll.watch)).collect();
        let listings = [(Item::Hot, poll.hot), (Item::Warm, poll.warm), (Item::Cold, poll.cold)];
        entries.extend(listings.map(|(item, every)| Entry::new(item, every)));
        let next_watch = watches.last_key_value().map_or(0, |(number, _)| number + 1);
        let (hinted_from, paused_until) = (Duration::ZERO, Duration::ZERO);
        Self {
            poll,
            tempo: Tempo::default(),
            least_hot: Duration::ZERO,
            lookback_days,
            entries,
            watches,
            next_watch,
            hinted_from,
            gap: Gap::default(),
            sweep: None,
            paused_until,
            refusals: 0,
            in_a_row: 0,
            let_go: Vec::new(),
            follow: None,
            contacted: false,
        }
    }

    /// The most overdue work at `now` (time since the start). `read_through` is the last day whose hot reading was
    /// committed: after an outage the hot reading goes back to it.
    pub fn next(&mut self, now: Duration, today: Day, read_through: Option<Day>) -> Next {
        if now < self.paused_until {
            return Next { work: None, wait: self.paused_until.saturating_sub(now) };
        }
        // At first contact what is paid already is seen before the account counts as contacted.
        let first_contact = read_through.is_none();
        self.contacted = !first_contact;
        let watches = self.entries.iter().filter(|entry| first_contact && entry.is_watch()).take(WATCHES_FIRST);
        let untried = watches.into_iter().find(|entry| entry.is_untried_watch());
        let due = || self.entries.iter().filter(|entry| self.due(entry, now) <= now);
        let listing = || due().filter(|entry| entry.is_listing()).min_by(|a, b| compare(a, b, now));
        let turn = if self.in_a_row >= WATCHES_IN_A_ROW { listing() } else { None };
        let urgent = untried.or(turn).or_else(|| due().min_by(|a, b| compare(a, b, now)));
        let Some(entry) = urgent else {
            let due = self.entries.iter().map(|entry| self.due(entry, now)).min().unwrap_or(Duration::MAX);
            return Next { work: None, wait: due.saturating_sub(now) };
        };
        let item = entry.item;
        let task = match item {
            Item::Hot => self.gap.task(today, read_through),
            Item::Warm => Task::Days { from: today.plus(-WARM_DAYS), to: today.next() },
            Item::Cold => self.chunk(today),
            // Neither can be missing: entries are made from watches, and a probe is due only where there is one. Asking for
            // today is harmless.
            Item::Watch(number) => self.watches.get(&number).map_or(Task::Days { from: today, to: today }, |watch| {
                Task::Watched { source: watch.source, id: watch.id.clone() }
            }),
            Item::Follow => self.probe(now).unwrap_or(Task::Days { from: today, to: today }),
        };
        Next { work: Some(Work { item, task }), wait: Duration::ZERO }
    }

    /// Takes in how a piece of work went; `chance` is uniform in [0, 1).
    pub fn feed(&mut self, work: &Work, now: Duration, feedback: &Feedback<'_>, chance: f64) {
        if let Item::Watch(number) = work.item {
            self.hinted_was_asked(number, now, feedback);
        }
        let feedback = &if work.is_probe() { self.probed(&work.task, now, feedback) } else { *feedback };
        let every = self.cadence(work.item, now, matches!(feedback, Feedback::Ended));
        let more = self.advance(work, feedback);
        self.in_a_row = if work.is_listing() { 0 } else { self.in_a_row.saturating_add(1) };
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.item == work.item) else { return };
        entry.asked = Some(now);
        match feedback {
            Feedback::Failed(SourceError::NotFound) | Feedback::Done | Feedback::Ended => {
                entry.failures = 0;
                entry.every = every;
                entry.due = if more { now } else { now.saturating_add(every) };
                self.refusals = 0;
            }
            Feedback::Failed(error) => {
                entry.failures = entry.failures.saturating_add(1);
                entry.due = now.saturating_add(backoff(entry.failures, BACKOFF.0, BACKOFF.1, chance));
                let pause = match error {
                    // An id that is not ours to see, perhaps; if the credentials are wrong, the listing says so.
                    SourceError::Unauthorized { .. } if work.is_probe() => None,
                    SourceError::Unauthorized { .. } => Some(UNAUTHORIZED),
                    SourceError::SlowDown { .. } => Some(SLOW_DOWN),
                    SourceError::Upstream { .. }
                    | SourceError::Transport(_)
                    | SourceError::Refused { .. }
                    | SourceError::NotFound
                    | SourceError::Contract(_) => None,
                };
                if let Some((base, cap)) = pause {
                    self.refusals = self.refusals.saturating_add(1);
                    let pause = error.retry_after().unwrap_or_else(|| backoff(self.refusals, base, cap, chance));
                    // One broken header must not stop an account for a week.
                    self.paused_until = now.saturating_add(pause.min(UNAUTHORIZED.1));
                }
            }
        }
    }

    /// The next chunk of the cold sweep, from the newest days back. What the warm reading covers is left out.
    fn chunk(&mut self, today: Day) -> Task {
        let oldest = today.plus(-i64::from(self.lookback_days));
        let newest = today.plus(-WARM_DAYS - 1).max(oldest);
        let Sweep { to, oldest } = *self.sweep.get_or_insert(Sweep { to: newest, oldest });
        Task::Days { from: to.plus(1 - CHUNK_DAYS).max(oldest).min(to), to }
    }

    /// Moves the cold sweep, or the closing of a gap, on; true while it is not at its end.
    fn advance(&mut self, work: &Work, feedback: &Feedback<'_>) -> bool {
        if work.item == Item::Hot {
            return self.gap.was_read(&work.task, !matches!(feedback, Feedback::Failed(_)));
        }
        let (Item::Cold, Task::Days { from, .. }, Feedback::Done) = (&work.item, &work.task, feedback) else {
            return false;
        };
        self.sweep = self.sweep.filter(|sweep| *from > sweep.oldest).map(|sweep| Sweep { to: from.plus(-1), ..sweep });
        self.sweep.is_some()
    }

    fn cadence(&mut self, item: Item, now: Duration, ended: bool) -> Duration {
        match item {
            Item::Hot => self.hot_cadence(),
            Item::Warm => self.poll.warm,
            Item::Cold => self.poll.cold,
            Item::Follow => self.probe_cadence(now),
            Item::Watch(number) => {
                let Some(watch) = self.watches.get_mut(&number) else { return OLD };
                watch.ended |= ended;
                let age = watch.age(now);
                if watch.source == SourceKind::Deposits {
                    self.poll.warm
                } else if watch.ended {
                    REFUND_CHECK
                } else if let Some(pause) = watch.hinted.as_ref().and_then(Hinted::pause) {
                    pause.max(self.poll.watch)
                } else if age < YOUNG {
                    self.poll.watch
                } else if age < AGED.0 {
                    AGED.1.max(self.poll.watch)
                } else {
                    OLD.max(self.poll.watch)
                }
            }
        }
    }
}

/// Orders by urgency: how many of its own cadences a work is overdue. Of equals the earlier entry goes first.
fn compare(a: &Entry, b: &Entry, now: Duration) -> Ordering {
    let weight = |entry: &Entry| if entry.item == Item::Hot { HOT_WEIGHT } else { 1.0 };
    let urgency = |entry: &Entry| {
        weight(entry) * now.saturating_sub(entry.due).as_secs_f64() / entry.every.min(PATIENCE).as_secs_f64().max(0.001)
    };
    urgency(b).total_cmp(&urgency(a))
}

#[cfg(test)]
mod tests;

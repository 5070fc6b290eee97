//! What to ask next: the most overdue work of one account.
//!
//! Pure: time comes in as a duration since the start and as a calendar day, chance as a number, outcomes by
//! [`Agenda::feed`]. Work that does not fit the quota is delayed, never dropped, because the gate makes the asker wait
//! and everything that is due meanwhile stays due.

use std::cmp::Ordering;
use std::time::Duration;

use super::{SourceError, Task};
use crate::config::Poll;
use crate::domain::account::SourceKind;
use crate::domain::day::Day;
use crate::domain::retry::backoff;

/// How many days the warm reading goes back.
const WARM_DAYS: i64 = 7;

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

/// The pause after a 429 or 503 that names none.
const SLOW_DOWN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(300));

/// One piece of work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    item: Item,
    task: Task,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Item {
    Hot,
    Warm,
    Cold,
    Watch(usize),
}

impl Work {
    /// What to read.
    pub fn task(&self) -> Task {
        self.task.clone()
    }

    /// Whether it reads the account's listing, and not a watched id.
    pub const fn is_listing(&self) -> bool {
        !matches!(self.item, Item::Watch(_))
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
    tried: bool,
    failures: u32,
}

impl Entry {
    const fn is_untried_watch(&self) -> bool {
        !self.tried && matches!(self.item, Item::Watch(_))
    }
}

#[derive(Clone, Debug)]
struct Watch {
    source: SourceKind,
    id: String,
    since: Duration,
    ended: bool,
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
    lookback_days: u32,
    entries: Vec<Entry>,
    watches: Vec<Watch>,
    /// A cold sweep under way.
    sweep: Option<Sweep>,
    /// Nothing is asked before: the upstream wants a pause, or the credentials are wrong.
    paused_until: Duration,
    refusals: u32,
}

impl Agenda {
    /// The work of an account: its listing in three cadences, and watched ids. Everything is due at once.
    pub fn new(poll: Poll, lookback_days: u32, watches: Vec<(SourceKind, String)>) -> Self {
        let entry = |item, every| Entry { item, every, due: Duration::ZERO, tried: false, failures: 0 };
        let mut entries: Vec<Entry> = (0..watches.len()).map(|index| entry(Item::Watch(index), poll.watch)).collect();
        entries.extend([entry(Item::Hot, poll.hot), entry(Item::Warm, poll.warm), entry(Item::Cold, poll.cold)]);
        let watches = watches.into_iter();
        let watches = watches.map(|(source, id)| Watch { source, id, since: Duration::ZERO, ended: false }).collect();
        Self { poll, lookback_days, entries, watches, sweep: None, paused_until: Duration::ZERO, refusals: 0 }
    }

    /// The most overdue work at `now` (time since the start). `read_through` is the last day whose hot reading was
    /// committed: after an outage the hot reading goes back to it.
    pub fn next(&mut self, now: Duration, today: Day, read_through: Option<Day>) -> Next {
        if now < self.paused_until {
            return Next { work: None, wait: self.paused_until.saturating_sub(now) };
        }
        // At first contact what is paid already is seen before the account counts as contacted.
        let first_contact = read_through.is_none();
        let untried = self.entries.iter().take(WATCHES_FIRST).find(|entry| first_contact && entry.is_untried_watch());
        let due = self.entries.iter().filter(|entry| entry.due <= now);
        let urgent = untried.or_else(|| due.min_by(|a, b| compare(a, b, now)));
        let Some(entry) = urgent else {
            let due = self.entries.iter().map(|entry| entry.due).min().unwrap_or(Duration::MAX);
            return Next { work: None, wait: due.saturating_sub(now) };
        };
        let item = entry.item.clone();
        let task = match item {
            Item::Hot => {
                let from = read_through.map_or(today.plus(-1), |last| last.min(today.plus(-1)));
                Task::Days { from, to: today.next() }
            }
            Item::Warm => Task::Days { from: today.plus(-WARM_DAYS), to: today.next() },
            Item::Cold => self.chunk(today),
            Item::Watch(index) => self.watches.get(index).map_or(
                // Cannot be: entries are made from watches. Asking for today is harmless.
                Task::Days { from: today, to: today },
                |watch| Task::Watched { source: watch.source, id: watch.id.clone() },
            ),
        };
        Next { work: Some(Work { item, task }), wait: Duration::ZERO }
    }

    /// Takes in how a piece of work went; `chance` is uniform in [0, 1).
    pub fn feed(&mut self, work: &Work, now: Duration, feedback: &Feedback<'_>, chance: f64) {
        let every = self.cadence(&work.item, now, matches!(feedback, Feedback::Ended));
        let more = self.advance(work, feedback);
        let Some(entry) = self.entries.iter_mut().find(|entry| entry.item == work.item) else { return };
        entry.tried = true;
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

    /// Moves the cold sweep on; true while it is not at its end.
    fn advance(&mut self, work: &Work, feedback: &Feedback<'_>) -> bool {
        let (Item::Cold, Task::Days { from, .. }, Feedback::Done) = (&work.item, &work.task, feedback) else {
            return false;
        };
        self.sweep = self.sweep.filter(|sweep| *from > sweep.oldest).map(|sweep| Sweep { to: from.plus(-1), ..sweep });
        self.sweep.is_some()
    }

    fn cadence(&mut self, item: &Item, now: Duration, ended: bool) -> Duration {
        match item {
            Item::Hot => self.poll.hot,
            Item::Warm => self.poll.warm,
            Item::Cold => self.poll.cold,
            Item::Watch(index) => {
                let Some(watch) = self.watches.get_mut(*index) else { return OLD };
                watch.ended |= ended;
                let age = now.saturating_sub(watch.since);
                if watch.source == SourceKind::Deposits {
                    self.poll.warm
                } else if watch.ended {
                    REFUND_CHECK
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
mod tests {
    use super::*;
    use proptest::prelude::*;

    const POLL: Poll = Poll {
        hot: Duration::from_secs(15),
        warm: Duration::from_secs(900),
        cold: Duration::from_secs(86_400),
        watch: Duration::from_secs(5),
    };

    fn today() -> Day {
        Day::parse("2026-11-21").unwrap()
    }

    fn days(from: &str, to: &str) -> Task {
        Task::Days { from: Day::parse(from).unwrap(), to: Day::parse(to).unwrap() }
    }

    /// Does what is due until nothing is, and returns the tasks in order.
    fn work_off(agenda: &mut Agenda, now: Duration) -> Vec<Task> {
        let mut done = Vec::new();
        // As the watcher does: the first hot reading contacts the account.
        let mut contacted = None;
        while let Some(work) = agenda.next(now, today(), contacted).work {
            agenda.feed(&work, now, &Feedback::Done, 0.5);
            contacted = contacted.or(work.is_listing().then(today));
            done.push(work.task());
            assert!(done.len() < 100, "it never ends");
        }
        done
    }

    #[test]
    fn first_contact_asks_watches_then_everything_once() {
        let mut agenda = Agenda::new(POLL, 21, vec![(SourceKind::Cashin, "7".into())]);
        let expected = [
            Task::Watched { source: SourceKind::Cashin, id: "7".into() },
            days("2026-11-20", "2026-11-22"),
            days("2026-11-14", "2026-11-22"),
            days("2026-11-07", "2026-11-13"),
            days("2026-10-31", "2026-11-06"),
        ];
        let moment = Duration::from_millis(3);
        assert_eq!(work_off(&mut agenda, moment), expected);
        let next = agenda.next(moment, today(), None);
        assert_eq!((next.work, next.wait), (None, POLL.watch));
    }

    #[test]
    fn every_cold_sweep_covers_every_day_of_the_look_back() {
        for lookback in [1, 7, 8, 9, 14, 15, 45, 90] {
            let mut agenda = Agenda::new(POLL, lookback, Vec::new());
            for day in [0, 86_400, 2 * 86_400] {
                let mut covered: Vec<Day> = Vec::new();
                for task in work_off(&mut agenda, Duration::from_secs(day)) {
                    if let Task::Days { from, to } = task {
                        assert!(from <= to);
                        covered.extend(from.through(to));
                    }
                }
                let wanted = today().plus(-i64::from(lookback)).through(today().next());
                assert!(wanted.into_iter().all(|day| covered.contains(&day)), "look-back of {lookback} days");
            }
        }
    }

    #[test]
    fn after_an_outage_the_hot_reading_goes_back_to_where_it_ended() {
        let mut agenda = Agenda::new(POLL, 7, Vec::new());
        let next = agenda.next(Duration::ZERO, today(), Day::parse("2026-11-02"));
        assert_eq!(next.work.map(|work| work.task()), Some(days("2026-11-02", "2026-11-22")));
    }

    #[test]
    fn a_failure_backs_off_and_refused_credentials_rest_the_account() {
        let mut agenda = Agenda::new(POLL, 7, Vec::new());
        let now = Duration::from_secs(100);
        let work = agenda.next(now, today(), None).work.unwrap();
        agenda.feed(&work, now, &Feedback::Failed(&SourceError::Contract("x".into())), 1.0);
        assert_eq!(agenda.next(now, today(), None).work.unwrap().item, Item::Warm, "other work goes on");
        agenda.feed(&work, now, &Feedback::Failed(&SourceError::Unauthorized { message: String::new() }), 1.0);
        assert_eq!(agenda.next(now, today(), None), Next { work: None, wait: UNAUTHORIZED.0 });
        let later = now + UNAUTHORIZED.0;
        let slow = SourceError::SlowDown { status: 429, retry_after: Some(Duration::from_secs(9)) };
        agenda.feed(&work, later, &Feedback::Failed(&slow), 1.0);
        assert_eq!(agenda.next(later, today(), None).wait, Duration::from_secs(9), "it obeys the upstream");
        let absurd = SourceError::SlowDown { status: 429, retry_after: Some(Duration::MAX) };
        agenda.feed(&work, later, &Feedback::Failed(&absurd), 1.0);
        assert_eq!(agenda.next(later, today(), None).wait, UNAUTHORIZED.1, "within reason");
    }

    #[test]
    fn a_watch_grows_old_and_ends_in_a_rare_refund_check() {
        let mut agenda = Agenda::new(POLL, 7, vec![(SourceKind::Links, "u".into())]);
        let work = agenda.next(Duration::ZERO, today(), None).work.unwrap();
        let mut wait_after = |secs: u64, feedback| {
            let now = Duration::from_secs(secs);
            agenda.feed(&work, now, &feedback, 0.5);
            agenda.entries.iter().find(|entry| entry.item == work.item).unwrap().due.saturating_sub(now)
        };
        assert_eq!(wait_after(10, Feedback::Failed(&SourceError::NotFound)), POLL.watch, "not found is not yet");
        assert_eq!(wait_after(4_000, Feedback::Done), Duration::from_secs(60));
        assert_eq!(wait_after(100_000, Feedback::Done), OLD);
        assert_eq!(wait_after(100_010, Feedback::Ended), REFUND_CHECK);
        assert_eq!(wait_after(200_000, Feedback::Done), REFUND_CHECK, "an end is an end");
    }

    proptest! {
        #[test]
        fn nothing_starves_even_when_the_quota_is_too_small(watches in 0_usize..40, pace in 1_u64..8) {
            let ids = (0..watches).map(|n| (SourceKind::Links, n.to_string())).collect();
            let mut agenda = Agenda::new(POLL, 20, ids);
            let mut done = std::collections::BTreeMap::<String, u32>::new();
            let mut now = Duration::ZERO;
            // A request every `pace` seconds, for two hours.
            while now < Duration::from_secs(7_200) {
                if let Some(work) = agenda.next(now, today(), None).work {
                    agenda.feed(&work, now, &Feedback::Done, 0.5);
                    *done.entry(format!("{:?}", work.item)).or_default() += 1;
                }
                now += Duration::from_secs(pace);
            }
            prop_assert_eq!(done.len(), watches + 3);
            prop_assert!(done["Hot"] >= 60 && done["Warm"] >= 1 && done["Cold"] >= 1, "{done:?}");
        }
    }
}

//! Cash-ins that nobody names: the ids after the highest known one are probed.
//!
//! An id that the upstream does not know is "not yet", and so is one that it does not show to this account: whether ids are
//! counted for each merchant or for all of them together is documented nowhere. One id is asked each `poll.watch` at the most, each
//! 15 s when nothing was found for an hour. Of four probes
//!
//! - one asks the very next id, which is the next cash-in where the account counts by itself;
//! - one or two go through the window of `ahead` ids;
//! - one asks again what was passed over below the highest, for an hour; or, when nothing was found for ten minutes, goes
//!   beyond the window: twice as far in each sweep, so that no run of other merchants' ids is an end.
//!
//! What is known comes from outside ([`Agenda::know_cashins`]), so that a restart or another replica goes on there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{Agenda, Entry, Feedback, Item, YOUNG};
use crate::domain::account::SourceKind;
use crate::sources::{SourceError, Task};

/// When nothing was found for an hour, probes come no more often.
const IDLE: Duration = Duration::from_secs(15);

/// What was passed over is asked again for so long.
const GAP: Duration = Duration::from_secs(3_600);

/// When nothing was found for so long, ids beyond the window are asked, too.
const SLIDE: Duration = Duration::from_secs(600);

/// The end of a link waits no longer for a pass through the window.
const PASS: Duration = Duration::from_secs(900);

/// A probe that is refused tells no more than one that finds nothing.
static UNKNOWN: SourceError = SourceError::NotFound;

/// How far the probing has come.
#[derive(Clone, Debug)]
pub(super) struct Follow {
    from: u64,
    ahead: u64,
    /// The highest id that is known to exist, or the one before `from`.
    top: u64,
    /// Cash-ins that are asked by themselves.
    watched: BTreeSet<u64>,
    /// What was passed over below `top`, and until when it is asked again.
    gaps: BTreeMap<u64, Duration>,
    /// Since when nothing was found.
    found: Duration,
    turn: u8,
    /// The next of the window.
    window: u64,
    /// The last of the gaps that was asked.
    gap: u64,
    /// The next beyond the window, and how far this sweep goes.
    scout: u64,
    reach: u64,
    /// When this pass through the window began, and when the last complete one did.
    pass: Duration,
    passed: Option<Duration>,
}

impl Follow {
    fn new(from: u64, ahead: u64) -> Self {
        let top = from.saturating_sub(1);
        let (watched, gaps, zero) = (BTreeSet::new(), BTreeMap::new(), Duration::ZERO);
        let mut follow = Self {
            from,
            ahead,
            top,
            watched,
            gaps,
            found: zero,
            turn: 0,
            window: 0,
            gap: 0,
            scout: 0,
            reach: 0,
            pass: zero,
            passed: None,
        };
        follow.begin(top, zero);
        follow
    }

    /// Begins anew above `top`.
    fn begin(&mut self, top: u64, now: Duration) {
        self.top = top;
        self.window = top.saturating_add(1);
        self.scout = self.edge().saturating_add(1);
        self.reach = self.ahead;
        self.pass = now;
    }

    /// The last id of the window.
    const fn edge(&self) -> u64 {
        self.top.saturating_add(self.ahead)
    }

    /// A higher one is known to exist.
    fn rise(&mut self, top: u64, now: Duration) {
        let lowest = top.saturating_sub(self.ahead).max(self.top.saturating_add(1)).max(self.from);
        let passed_over = (lowest..top).filter(|id| !self.watched.contains(id));
        self.gaps.extend(passed_over.map(|id| (id, now.saturating_add(GAP))));
        let most = usize::try_from(self.ahead).unwrap_or(usize::MAX);
        while self.gaps.len() > most {
            self.gaps.pop_first();
        }
        self.found = now;
        self.begin(top, now);
    }

    /// What to probe next; the same until it is fed. `None`: all of the window is watched already.
    fn candidate(&self, now: Duration) -> Option<u64> {
        let next = Some(self.top.saturating_add(1)).filter(|id| !self.watched.contains(id));
        let window =
            || self.free(self.window, self.edge()).or_else(|| self.free(self.top.saturating_add(1), self.edge()));
        let turn = match self.turn {
            0 => next,
            3 => self.passed_over(now).or_else(|| self.beyond(now)),
            _ => None,
        };
        turn.or_else(window)
    }

    /// The first id of a range that is not watched.
    fn free(&self, from: u64, to: u64) -> Option<u64> {
        (from..=to).find(|id| !self.watched.contains(id))
    }

    fn passed_over(&self, now: Duration) -> Option<u64> {
        let open = |(id, until): (&u64, &Duration)| (*until > now).then_some(*id);
        let after = self.gap.saturating_add(1)..;
        self.gaps.range(after).find_map(open).or_else(|| self.gaps.iter().find_map(open))
    }

    fn beyond(&self, now: Duration) -> Option<u64> {
        let wait = now.saturating_sub(self.found) < SLIDE;
        if wait { None } else { self.free(self.scout, self.edge().saturating_add(self.reach)) }
    }

    /// Takes in that `id` was asked.
    fn asked(&mut self, id: u64, found: bool, now: Duration) {
        let turn = self.turn;
        self.turn = (turn + 1) % 4;
        self.gaps.retain(|_, until| *until > now);
        if found {
            self.watched.insert(id);
            self.gaps.remove(&id);
            self.found = now;
            if id > self.top {
                self.rise(id, now);
            }
        } else if id <= self.top {
            self.gap = id;
        } else if id > self.edge() {
            self.scout = id.saturating_add(1);
            if self.free(self.scout, self.edge().saturating_add(self.reach)).is_none() {
                self.scout = self.edge().saturating_add(1);
                self.reach = self.reach.saturating_mul(2);
            }
        } else if turn != 0 {
            self.window = id.saturating_add(1);
            if self.free(self.window, self.edge()).is_none() {
                self.window = self.top.saturating_add(1);
                self.passed = Some(self.pass);
                self.pass = now;
            }
        }
    }

    /// Takes over what is kept: the cash-ins that are watched, each with whether it exists.
    fn know(&mut self, ids: &[(u64, bool)], now: Duration) {
        self.watched = ids.iter().map(|(id, _)| *id).collect();
        self.gaps.retain(|id, _| !self.watched.contains(id));
        let floor = self.from.saturating_sub(1);
        let top = ids.iter().filter(|(_, exists)| *exists).map(|(id, _)| *id).max().unwrap_or(floor).max(floor);
        if top > self.top {
            self.rise(top, now);
        } else if top < self.top {
            self.gaps.clear();
            self.begin(top, now);
        }
    }

    fn every(&self, watch: Duration, now: Duration) -> Duration {
        if now.saturating_sub(self.found) < YOUNG { watch } else { watch.max(IDLE) }
    }
}

impl Agenda {
    /// The same, which probes for cash-ins from the id `from` on, `ahead` of them beyond the highest known one.
    #[must_use]
    pub fn following(mut self, from: u64, ahead: u64) -> Self {
        self.follow = Some(Follow::new(from, ahead.max(1)));
        self.entries.push(Entry::new(Item::Follow, self.poll.watch));
        self
    }

    /// Takes over which cash-ins are watched, and which of them are known to exist.
    pub fn know_cashins(&mut self, ids: &[(u64, bool)], now: Duration) {
        if let Some(follow) = &mut self.follow {
            follow.know(ids, now);
        }
    }

    /// Whether the probing knows by this cash-in how far it has come: it must be remembered.
    pub fn is_landmark(&self, id: u64) -> bool {
        self.follow.as_ref().is_some_and(|follow| id <= follow.top && id.saturating_add(follow.ahead) >= follow.top)
    }

    /// What was paid before that moment was found, as far as probing finds anything: when the last complete pass through the
    /// window began, or a quarter of an hour ago. [`Duration::MAX`] when nothing is probed for.
    pub fn probed_through(&self, now: Duration) -> Duration {
        let through = |follow: &Follow| follow.passed.unwrap_or_default().max(now.saturating_sub(PASS));
        self.follow.as_ref().map_or(Duration::MAX, through)
    }

    /// What to probe, once the account was contacted: what exists before that is no news to it.
    pub(super) fn probe(&self, now: Duration) -> Option<Task> {
        let id = self.follow.as_ref().filter(|_| self.contacted)?.candidate(now)?;
        Some(Task::Watched { source: SourceKind::Cashin, id: id.to_string() })
    }

    /// Takes in the answer of a probe, and returns what it means for the account. Whatever came of it, the next probe asks
    /// another id.
    pub(super) fn probed<'a>(&mut self, task: &Task, now: Duration, feedback: &Feedback<'a>) -> Feedback<'a> {
        let found = matches!(feedback, Feedback::Done | Feedback::Ended);
        if let (Some(follow), Task::Watched { id, .. }) = (&mut self.follow, task)
            && let Ok(id) = id.parse()
        {
            follow.asked(id, found, now);
        }
        if found {
            self.was_asked(task, now, matches!(feedback, Feedback::Ended));
        }
        match feedback {
            // It may be another merchant's: nothing is wrong.
            Feedback::Failed(SourceError::Refused { .. } | SourceError::Contract(_)) => Feedback::Failed(&UNKNOWN),
            Feedback::Done | Feedback::Ended | Feedback::Failed(_) => *feedback,
        }
    }

    /// What was found is a watch by now, and was asked in this moment.
    fn was_asked(&mut self, task: &Task, now: Duration, ended: bool) {
        let Task::Watched { source, id } = task else { return };
        let watch = self.watches.iter().find(|(_, watch)| watch.source == *source && watch.id == *id);
        let Some(item) = watch.map(|(number, _)| Item::Watch(*number)) else { return };
        let every = self.cadence(item, now, ended);
        if let Some(entry) = self.entries.iter_mut().find(|entry| entry.item == item) {
            (entry.asked, entry.every, entry.due) = (Some(now), every, now.saturating_add(every));
        }
    }

    pub(super) fn probe_cadence(&self, now: Duration) -> Duration {
        self.follow.as_ref().map_or(self.poll.watch, |follow| follow.every(self.poll.watch, now))
    }
}

#[cfg(test)]
mod tests;

//! What a hint brings forward. Whoever sends it may be anybody, so that it can cost only so much:
//!
//! - the hot reading is asked no more often than each 5 s, however many hints come;
//! - all hinted watches together are asked no more often than each `poll.watch`, as one watched id would be;
//! - [`MOST`] of them are followed at once; one that the upstream never knew goes after [`UNKNOWN`], an open one after
//!   [`OPEN`], an ended one when its refunds would no longer be looked for.
//!
//! Whoever keeps watches keeps the hinted ones too ([`Agenda::keep`]), so that a restart does not lose them.

use std::time::Duration;

use super::{Agenda, Entry, Feedback, Item, OLD, Watch};
use crate::domain::account::SourceKind;
use crate::sources::SourceError;

/// So many hinted watches are followed at once.
pub const MOST: usize = 1_000;

/// The hot reading is brought forward no more often.
const HURRY: Duration = Duration::from_secs(5);

/// An id that the upstream has never known is given up: a real one is known within seconds.
const UNKNOWN: Duration = Duration::from_secs(600);

/// Nobody pays a link that was hinted at and stayed open for so long.
const OPEN: Duration = Duration::from_secs(7 * 86_400);

/// An unknown id is asked ever more rarely, up to that.
const RARELY: Duration = Duration::from_secs(60);

const DAY: u64 = 86_400;

/// What is kept of a hinted watch beside what every watch has.
#[derive(Clone, Debug, Default)]
pub(super) struct Hinted {
    /// The upstream knows it.
    found: bool,
    /// How often in a row it did not.
    misses: u32,
}

impl Hinted {
    /// The pause before an id is asked again that the upstream has not known so far.
    pub(super) fn pause(&self) -> Option<Duration> {
        let doubled = 1_u32.checked_shl(self.misses.min(16)).unwrap_or(u32::MAX);
        (!self.found && self.misses > 0).then(|| RARELY.min(Duration::from_secs(1).saturating_mul(doubled)))
    }
}

impl Agenda {
    /// "Look now": brings the hot reading forward, unless it failed last or was asked within 5 s; then it is due at
    /// the end of that.
    pub fn hurry(&mut self, now: Duration) {
        let pause = HURRY.min(self.poll.hot);
        let hot = self.entries.iter_mut().find(|entry| entry.item == Item::Hot && entry.failures == 0);
        if let Some(hot) = hot {
            hot.due = hot.due.min(hot.asked.map_or(now, |asked| now.max(asked.saturating_add(pause))));
        }
    }

    /// Follows an id that a hint named, or asks again soon after one that is followed already: an ended link may have been
    /// refunded. Returns whether it is followed; false when there is no room, because [`MOST`] are open.
    pub fn watch(&mut self, source: SourceKind, id: &str, now: Duration) -> bool {
        let known = self.watches.iter().find(|(_, watch)| watch.source == source && watch.id == id);
        if let Some(number) = known.map(|(number, _)| *number) {
            let pause = self.poll.watch;
            let entry = self.entries.iter_mut().find(|entry| entry.item == Item::Watch(number));
            if let Some(entry) = entry.filter(|entry| entry.failures == 0) {
                entry.due = entry.due.min(entry.asked.map_or(now, |asked| now.max(asked.saturating_add(pause))));
            }
            return true;
        }
        if !self.has_room() {
            return false;
        }
        let number = self.next_watch;
        self.next_watch += 1;
        let hinted = Some(Hinted::default());
        self.watches.insert(number, Watch { hinted, ..Watch::new(source, id.to_owned(), now) });
        self.entries.push(Entry { due: now, hinted: true, ..Entry::new(Item::Watch(number), self.poll.watch) });
        true
    }

    /// How many hinted watches are followed.
    pub fn hinted(&self) -> usize {
        self.watches.values().filter(|watch| watch.hinted.is_some()).count()
    }

    /// Makes room where there is none: the eldest ended one goes, else the eldest that the upstream does not know.
    fn has_room(&mut self) -> bool {
        if self.hinted() < MOST {
            return true;
        }
        let of = |wanted: fn(&Watch, &Hinted) -> bool| {
            let fits = |watch: &Watch| watch.hinted.as_ref().is_some_and(|hinted| wanted(watch, hinted));
            self.watches.iter().find(|(_, watch)| fits(watch)).map(|(number, _)| *number)
        };
        let eldest = of(|watch, _| watch.ended).or_else(|| of(|_, hinted| !hinted.found && hinted.misses > 0));
        eldest.is_some_and(|number| {
            self.forget(number);
            true
        })
    }

    fn forget(&mut self, number: u64) {
        let gone = self.watches.remove(&number).filter(|_| self.let_go.len() < MOST);
        self.let_go.extend(gone.map(|watch| (watch.source, watch.id)));
        self.entries.retain(|entry| entry.item != Item::Watch(number));
    }

    /// When an entry may be asked.
    pub(super) fn due(&self, entry: &Entry, now: Duration) -> Duration {
        if entry.item == Item::Follow && self.probe(now).is_none() {
            return Duration::MAX;
        }
        if entry.hinted { entry.due.max(self.hinted_from) } else { entry.due }
    }

    /// Takes in the answer of a hinted watch; lets it go at its end. `every` of an unknown one grows by what is noted here.
    pub(super) fn hinted_was_asked(&mut self, number: u64, now: Duration, feedback: &Feedback<'_>) {
        let lookback = Duration::from_secs(u64::from(self.lookback_days) * DAY);
        let Some(watch) = self.watches.get_mut(&number) else { return };
        let age = watch.age(now);
        let Some(hinted) = watch.hinted.as_mut() else { return };
        self.hinted_from = now.saturating_add(self.poll.watch);
        match feedback {
            Feedback::Done | Feedback::Ended => hinted.found = true,
            Feedback::Failed(SourceError::NotFound) => hinted.misses = hinted.misses.saturating_add(1),
            // Nothing was learnt, and what goes on with the account must go on.
            Feedback::Failed(_) => return,
        }
        let limit = match (watch.ended, hinted.found) {
            (true, _) => lookback.max(OLD),
            (false, true) => OPEN,
            (false, false) => UNKNOWN,
        };
        if age >= limit {
            self.forget(number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Poll;
    use crate::domain::day::Day;
    use crate::sources::Task;
    use proptest::prelude::*;

    const POLL: Poll = Poll {
        hot: Duration::from_secs(60),
        quiet: Duration::from_secs(60),
        warm: Duration::from_secs(900),
        cold: Duration::from_secs(86_400),
        watch: Duration::from_secs(5),
    };

    fn today() -> Day {
        Day::parse("2026-11-21").unwrap()
    }

    /// An agenda whose first contact is over at second 0.
    fn contacted() -> Agenda {
        let mut agenda = Agenda::new(POLL, 7, Vec::new());
        while let Some(work) = agenda.next(Duration::ZERO, today(), None).work {
            agenda.feed(&work, Duration::ZERO, &Feedback::Done, 0.5);
        }
        agenda
    }

    /// Works from second to second and returns what was asked when.
    fn asked(agenda: &mut Agenda, seconds: std::ops::Range<u64>, answer: &Feedback<'_>) -> Vec<(u64, Task)> {
        let mut asked = Vec::new();
        for second in seconds {
            let now = Duration::from_secs(second);
            while let Some(work) = agenda.next(now, today(), Some(today())).work {
                agenda.feed(&work, now, if work.is_listing() { &Feedback::Done } else { answer }, 0.5);
                asked.push((second, work.task()));
            }
        }
        asked
    }

    #[test]
    fn a_hint_brings_the_hot_reading_forward_but_not_more_often_than_allowed() {
        let mut agenda = contacted();
        assert_eq!(asked(&mut agenda, 1..20, &Feedback::Done), []);
        let mut times = Vec::new();
        for second in 20..50 {
            agenda.hurry(Duration::from_secs(second));
            times.extend(asked(&mut agenda, second..second + 1, &Feedback::Done).into_iter().map(|(at, _)| at));
        }
        assert_eq!(times, [20, 25, 30, 35, 40, 45]);
        assert_eq!(asked(&mut agenda, 50..106, &Feedback::Done).len(), 1, "one is due still, then the cadence rules");
    }

    #[test]
    fn a_hint_does_not_shorten_a_pause_that_the_upstream_asked_for_nor_a_back_off() {
        let mut agenda = contacted();
        let now = Duration::from_secs(60);
        let work = agenda.next(now, today(), Some(today())).work.unwrap();
        let pause = Some(Duration::from_secs(30));
        agenda.feed(&work, now, &Feedback::Failed(&SourceError::SlowDown { status: 429, retry_after: pause }), 1.0);
        agenda.hurry(now);
        assert!(agenda.watch(SourceKind::Cashin, "7", now));
        let next = agenda.next(now, today(), Some(today()));
        assert_eq!((next.work, next.wait), (None, Duration::from_secs(30)));
    }

    #[test]
    fn a_hinted_id_is_asked_at_once_and_given_up_when_nobody_knows_it() {
        let mut agenda = contacted();
        assert!(agenda.watch(SourceKind::Links, "u", Duration::from_secs(9)));
        let times = asked(&mut agenda, 9..2_000, &Feedback::Failed(&SourceError::NotFound));
        let times: Vec<u64> =
            times.into_iter().filter(|(_, task)| matches!(task, Task::Watched { .. })).map(|(at, _)| at).collect();
        assert_eq!(times.first(), Some(&9));
        assert!((10..20).contains(&times.len()), "ever more rarely: {times:?}");
        assert!(times.last() < Some(&700), "and then no more: {times:?}");
        assert_eq!(agenda.hinted(), 0);
    }

    #[test]
    fn a_watched_id_that_is_hinted_at_is_asked_again_soon_even_when_it_ended() {
        let mut agenda = contacted();
        assert!(agenda.watch(SourceKind::Links, "u", Duration::from_secs(9)));
        assert_eq!(asked(&mut agenda, 9..50, &Feedback::Ended).len(), 1, "an end is checked hourly");
        assert!(agenda.watch(SourceKind::Links, "u", Duration::from_secs(50)));
        assert_eq!(asked(&mut agenda, 50..51, &Feedback::Ended).len(), 1);
        assert!(agenda.watch(SourceKind::Links, "u", Duration::from_secs(51)));
        assert_eq!(asked(&mut agenda, 51..55, &Feedback::Ended).len(), 0, "but not without a pause");
        assert_eq!(asked(&mut agenda, 55..56, &Feedback::Ended).len(), 1);
        assert_eq!(agenda.hinted(), 1);
    }

    #[test]
    fn only_so_many_are_followed_and_what_ended_goes_first() {
        let mut agenda = contacted();
        let now = Duration::from_secs(1);
        assert!((0..MOST).all(|n| agenda.watch(SourceKind::Cashin, &n.to_string(), now)));
        assert!(!agenda.watch(SourceKind::Cashin, "more", now), "nobody is pushed out who may be paid");
        assert_eq!(asked(&mut agenda, 1..2, &Feedback::Ended).len(), 1);
        assert!(agenda.watch(SourceKind::Cashin, "more", now));
        assert_eq!(agenda.hinted(), MOST);
        assert!(!agenda.watch(SourceKind::Cashin, "too many", now));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(16))]

        #[test]
        fn however_many_hints_come_they_cost_two_readings_in_five_seconds(
            hints in proptest::collection::vec((0_u64..300, 0_u16..200), 0..400), known in any::<bool>(),
        ) {
            let mut agenda = contacted();
            let answer = if known { Feedback::Done } else { Feedback::Failed(&SourceError::NotFound) };
            let mut times = Vec::new();
            for second in 0..300 {
                let now = Duration::from_secs(second);
                for (_, id) in hints.iter().filter(|(at, _)| *at == second) {
                    agenda.hurry(now);
                    agenda.watch(SourceKind::Cashin, &id.to_string(), now);
                }
                times.extend(asked(&mut agenda, second..second + 1, &answer));
            }
            for from in 0..300 {
                let within = |at: &u64| (from..from + 5).contains(at);
                prop_assert!(times.iter().filter(|(at, _)| within(at)).count() <= 2);
            }
        }
    }
}

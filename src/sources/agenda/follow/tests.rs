//! The laws of probing.

use super::*;
use crate::config::Poll;
use crate::domain::day::Day;
use proptest::prelude::*;

const POLL: Poll = Poll {
    hot: Duration::from_secs(15),
    quiet: Duration::from_secs(15),
    warm: Duration::from_secs(900),
    cold: Duration::from_secs(86_400),
    watch: Duration::from_secs(5),
};

/// What the upstream says of an id that is not there, or not ours.
#[derive(Clone, Copy, Debug)]
enum No {
    NotFound,
    Refused,
    Unauthorized,
}

/// An upstream whose own ids appear at some second, and an agenda that probes it.
struct World {
    agenda: Agenda,
    /// Since which second an id of ours exists.
    born: BTreeMap<u64, u64>,
    no: No,
    /// What is kept.
    known: BTreeSet<u64>,
    /// When which id was asked.
    asked: Vec<(u64, u64)>,
    listings: u64,
}

impl World {
    fn new(from: u64, ahead: u64, born: &[(u64, u64)]) -> Self {
        let agenda = Agenda::new(POLL, 7, Vec::new()).following(from, ahead);
        let (born, known) = (born.iter().copied().collect(), BTreeSet::new());
        Self { agenda, born, no: No::NotFound, known, asked: Vec::new(), listings: 0 }
    }

    fn keep(&mut self, now: Duration) {
        let known: Vec<(u64, bool)> = self.known.iter().map(|id| (*id, true)).collect();
        self.agenda.know_cashins(&known, now);
    }

    fn run(&mut self, seconds: std::ops::Range<u64>) {
        let day = Day::parse("2026-11-21").unwrap();
        for second in seconds {
            let now = Duration::from_secs(second);
            while let Some(work) = self.agenda.next(now, day, Some(day)).work {
                let Task::Watched { id, .. } = work.task() else {
                    self.listings += 1;
                    self.agenda.feed(&work, now, &Feedback::Done, 0.5);
                    continue;
                };
                assert!(work.is_probe());
                let id = id.parse().unwrap();
                self.asked.push((second, id));
                if self.born.get(&id).is_some_and(|born| *born <= second) {
                    assert!(self.known.insert(id), "{id} was found before");
                    self.keep(now);
                    self.agenda.feed(&work, now, &Feedback::Ended, 0.5);
                } else {
                    let error = match self.no {
                        No::NotFound => SourceError::NotFound,
                        No::Refused => SourceError::Refused { status: 403, message: String::new() },
                        No::Unauthorized => SourceError::Unauthorized { message: String::new() },
                    };
                    self.agenda.feed(&work, now, &Feedback::Failed(&error), 0.5);
                }
            }
        }
    }

    /// As if the process began anew, or another replica took over: what is known is what is kept.
    fn restart(&mut self, from: u64, ahead: u64) {
        self.agenda = Agenda::new(POLL, 7, Vec::new()).following(from, ahead);
    }
}

#[test]
fn the_next_cashin_is_found_soon_though_nobody_names_it() {
    let mut world = World::new(100, 20, &[(100, 0), (101, 90), (102, 91), (103, 4_000)]);
    world.run(0..160);
    assert_eq!(world.known, BTreeSet::from([100, 101, 102]));
    world.run(160..4_100);
    assert!(world.known.contains(&103), "after an hour without news it takes a minute or so: {:?}", world.asked.last());
}

#[test]
fn nothing_is_probed_before_the_account_was_contacted_nor_without_being_asked_to() {
    let day = Day::parse("2026-11-21").unwrap();
    let mut agenda = Agenda::new(POLL, 7, Vec::new()).following(100, 20);
    let work = agenda.next(Duration::ZERO, day, None).work.unwrap();
    assert!(work.is_listing(), "what exists before the first contact is no news to it");
    let mut agenda = Agenda::new(POLL, 7, Vec::new());
    agenda.know_cashins(&[(7, true)], Duration::ZERO);
    assert_eq!((agenda.probe(Duration::ZERO), agenda.is_landmark(7)), (None, false));
}

#[test]
fn what_was_passed_over_is_asked_again_for_an_hour_and_then_given_up() {
    let mut world = World::new(100, 20, &[(105, 0), (103, 1_000), (102, 9_000)]);
    world.run(0..9_500);
    assert_eq!(world.known, BTreeSet::from([103, 105]), "102 came two hours late");
    let last = world.asked.iter().filter(|(_, id)| (100..105).contains(id)).map(|(at, _)| *at).max().unwrap();
    assert!((3_000..4_800).contains(&last), "{last}");
}

#[test]
fn a_run_of_other_merchants_ids_longer_than_the_window_is_no_end() {
    for no in [No::NotFound, No::Refused, No::Unauthorized] {
        let mut world = World::new(100, 10, &[(100, 0), (600, 1_000)]);
        world.no = no;
        let mut second = 0;
        while !world.known.contains(&600) {
            assert!(second < 400_000, "{no:?}: stuck after {} probes", world.asked.len());
            world.run(second..second + 1_000);
            second += 1_000;
        }
        assert!(world.listings > second / 20, "{no:?}: the listing goes on: {}", world.listings);
        let next = world.asked.iter().filter(|(_, id)| *id == 101).count();
        assert!(next * 5 > world.asked.len(), "{no:?}: the very next id is not forgotten for it: {next}");
    }
}

#[test]
fn a_restart_or_a_take_over_goes_on_where_it_was() {
    let born: Vec<(u64, u64)> = (100..160).filter(|id| id % 3 != 0).map(|id| (id, id - 100)).collect();
    let mut world = World::new(100, 20, &born);
    let mut second = 0;
    for part in 0..8 {
        world.restart(100, 20);
        world.keep(Duration::from_secs(second));
        let before = world.asked.len();
        let lowest = world.known.last().copied().unwrap_or(99) - 20;
        world.run(second..second + 60 + part);
        second += 60 + part;
        // What is known is never asked again: `run` asserts it.
        let highest = world.known.last().copied().unwrap_or(99);
        assert!(world.asked[before..].iter().all(|(_, id)| (lowest..=highest + 20).contains(id)));
    }
    world.run(second..second + 300);
    assert_eq!(world.known, born.iter().map(|(id, _)| *id).collect::<BTreeSet<_>>());
}

#[test]
fn a_landmark_is_what_the_probing_must_not_forget() {
    let mut world = World::new(100, 10, &[]);
    world.known = (100..150).collect();
    world.keep(Duration::ZERO);
    let landmarks: Vec<u64> = (90..200).filter(|id| world.agenda.is_landmark(*id)).collect();
    assert_eq!(landmarks, (139..=149).collect::<Vec<_>>());
}

#[test]
fn a_link_is_called_expired_only_after_the_window_was_gone_through_or_a_quarter_of_an_hour() {
    let mut world = World::new(100, 20, &[]);
    world.run(0..100);
    let at = Duration::from_secs;
    assert_eq!(world.agenda.probed_through(at(100)), Duration::ZERO, "no pass is complete yet");
    world.run(100..400);
    assert!(world.agenda.probed_through(at(400)) >= at(100), "{:?}", world.agenda.probed_through(at(400)));
    let mut busy = World::new(100, 20, &(100..1_000).map(|id| (id, 0)).collect::<Vec<_>>());
    busy.run(0..2_000);
    assert_eq!(
        busy.agenda.probed_through(at(2_000)),
        at(1_100),
        "one find after the other must not hold it up for ever"
    );
    assert_eq!(Agenda::new(POLL, 7, Vec::new()).probed_through(at(9)), Duration::MAX);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn probes_cost_one_request_in_five_seconds_whatever_is_found(
        ahead in 1_u64..40, born in proptest::collection::btree_map(100_u64..400, 0_u64..3_000, 0..60), watched in 90_u64..130,
    ) {
        let born: Vec<(u64, u64)> = born.into_iter().filter(|(id, _)| *id != watched).collect();
        let mut world = World::new(100, ahead, &born);
        world.agenda.know_cashins(&[(watched, false)], Duration::ZERO);
        world.run(0..4_000);
        for pair in world.asked.windows(2) {
            prop_assert!(pair[1].0 - pair[0].0 >= 5, "{:?}", pair);
        }
        prop_assert!(world.listings >= 4_000 / 15, "{}", world.listings);
        let follow = world.agenda.follow.as_ref().unwrap();
        prop_assert!(follow.gaps.len() <= usize::try_from(ahead).unwrap());
    }
}

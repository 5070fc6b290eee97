//! The laws of the agenda.

use super::*;
use proptest::prelude::*;

const POLL: Poll = Poll {
    hot: Duration::from_secs(15),
    quiet: Duration::from_secs(60),
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
fn a_day_that_a_wrong_clock_wrote_says_nothing_and_the_hot_reading_goes_back_a_week() {
    let mut agenda = Agenda::new(POLL, 7, Vec::new());
    let next = agenda.next(Duration::ZERO, today(), Day::parse("2027-01-10"));
    assert_eq!(next.work.map(|work| work.task()), Some(days("2026-11-14", "2026-11-22")));
    let next = agenda.next(Duration::ZERO, today(), Day::parse("2026-11-22"));
    assert_eq!(
        next.work.map(|work| work.task()),
        Some(days("2026-11-20", "2026-11-22")),
        "around midnight clocks differ"
    );
}

#[test]
fn a_reading_over_a_gap_that_is_too_large_keeps_nobody_from_todays_news() {
    let (all, piece, short) =
        (days("2026-11-10", "2026-11-22"), days("2026-11-10", "2026-11-18"), days("2026-11-20", "2026-11-22"));
    let too_large = SourceError::Contract(String::from("the answer is larger than allowed"));
    // All at once is too much; or pieces are, too.
    for most in [&piece, &short] {
        let mut agenda = Agenda::new(POLL, 7, Vec::new());
        let mut asked = Vec::new();
        for second in 0..120 {
            let now = Duration::from_secs(second);
            while let Some(work) = agenda.next(now, today(), Day::parse("2026-11-10")).work {
                let task = work.task();
                let fits = task == short || task == *most || !work.is_listing();
                let feedback = if fits { Feedback::Done } else { Feedback::Failed(&too_large) };
                agenda.feed(&work, now, &feedback, 1.0);
                asked.extend([&all, &piece, &short].into_iter().position(|known| *known == task));
            }
        }
        assert_eq!(asked.first(), Some(&0));
        assert!(asked.len() > 10, "{asked:?}");
        let turns = asked.iter().enumerate().skip(1);
        assert!(turns.clone().all(|(turn, kind)| *kind == 2 - usize::from(turn % 2 == 0)), "in turns: {asked:?}");
    }
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

fn kept(id: &str, age: u64, ended: bool) -> Kept {
    Kept { source: SourceKind::Cashin, id: id.to_owned(), age: Duration::from_secs(age), ended, hinted: false }
}

fn cashin(id: &str) -> Task {
    Task::Watched { source: SourceKind::Cashin, id: id.to_owned() }
}

#[test]
fn what_is_kept_is_followed_by_its_own_age_and_what_is_no_longer_kept_is_not() {
    let mut agenda = Agenda::new(POLL, 7, vec![(SourceKind::Deposits, "paid".into())]);
    let now = Duration::from_secs(50);
    drop(work_off(&mut agenda, now));
    agenda.keep(&[kept("1", 0, false), kept("2", 4_000, false), kept("3", 90_000, false), kept("4", 0, true)], now);
    assert_eq!(work_off(&mut agenda, now), ["1", "2", "3", "4"].map(cashin), "asked at once, after a restart too");
    let due = |agenda: &Agenda| -> Vec<Duration> {
        let entries = agenda.entries.iter().filter(|entry| entry.is_watch()).skip(1);
        entries.map(|entry| entry.due.saturating_sub(now)).collect()
    };
    assert_eq!(due(&agenda), [POLL.watch, AGED.1, OLD, REFUND_CHECK]);
    agenda.keep(&[kept("2", 4_000, true), kept("4", 0, false)], now);
    assert!(agenda.watches.values().all(|watch| watch.id != "1" && watch.id != "3"));
    assert_eq!(work_off(&mut agenda, now), [cashin("4")], "it was opened again");
    agenda.keep(&[], now);
    assert_eq!(agenda.watches.len(), 1, "what is not kept anywhere stays");
}

#[test]
fn it_is_known_whether_all_that_is_open_was_looked_at() {
    let mut agenda = Agenda::new(POLL, 7, Vec::new());
    agenda.keep(&[kept("1", 0, false), kept("2", 0, true)], Duration::ZERO);
    let now = Duration::from_secs(9);
    let work = agenda.next(now, today(), None).work.unwrap();
    assert_eq!(agenda.looked_through(SourceKind::Cashin), None);
    assert_eq!(agenda.looked_through(SourceKind::Links), Some(Duration::MAX));
    agenda.feed(&work, now, &Feedback::Failed(&SourceError::NotFound), 0.5);
    assert_eq!(agenda.looked_through(SourceKind::Cashin), Some(now), "an ended one does not count");
}

#[test]
fn thousands_of_young_watches_leave_the_listing_its_share() {
    let mut agenda = Agenda::new(POLL, 7, Vec::new());
    let many: Vec<Kept> = (0..10_000).map(|n| kept(&n.to_string(), 0, false)).collect();
    agenda.keep(&many, Duration::ZERO);
    let (mut hot, mut warm) = (Vec::new(), 0);
    // A request every two seconds, for half an hour.
    for second in (0..1_800).step_by(2) {
        let now = Duration::from_secs(second);
        let work = agenda.next(now, today(), Some(today())).work.unwrap();
        agenda.feed(&work, now, &Feedback::Done, 0.5);
        match work.item {
            Item::Hot => hot.push(second),
            Item::Warm => warm += 1,
            Item::Cold | Item::Watch(_) | Item::Follow => {}
        }
    }
    assert!(hot.windows(2).all(|pair| pair[1] - pair[0] <= 30), "{hot:?}");
    assert!(warm >= 1 && hot.len() < 200, "{} hot readings", hot.len());
}

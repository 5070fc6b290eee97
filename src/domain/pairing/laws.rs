//! Laws of pairing.

use proptest::prelude::*;

use super::*;
use crate::domain::ledger::Ledger;

fn day(n: i64) -> Day {
    Day::parse("2026-11-20").unwrap().plus(n)
}

/// `minute` counts from the start of the day before the 21st, in UTC.
fn half(pesos: i64, minute: Option<i64>, cuit: u64, account: u64, payment: u64) -> Half {
    let start: Timestamp = "2026-11-20T00:00:00Z".parse().unwrap();
    let at = minute.map(|minute| Timestamp::from_second(start.as_second() + minute * 60).unwrap());
    let trace = Trace::of(Money::from_cents(pesos * 100), at).unwrap();
    Half { trace, day: day(minute.unwrap_or(0).div_euclid(1440)), party: Party { cuit, account }, payment }
}

fn pairs(listed: &[Half], watched: &[Half]) -> Vec<(usize, usize)> {
    match_up(listed, watched)
}

#[test]
fn one_payer_one_amount_one_time_is_one_payment() {
    assert_eq!(pairs(&[half(10, Some(600), 1, 2, 7)], &[half(10, Some(601), 1, 2, 8)]), [(0, 0)]);
    assert_eq!(
        pairs(&[half(10, Some(600), 1, 2, 7)], &[half(10, Some(601), 1, 0, 8)]),
        [(0, 0)],
        "one number is enough"
    );
    assert_eq!(pairs(&[half(10, Some(600), 1, 0, 7)], &[half(10, Some(601), 1, 2, 8)]), [(0, 0)]);
}

#[test]
fn what_differs_is_two_payments() {
    let cashin = half(10, Some(601), 1, 2, 8);
    for other in [
        half(11, Some(600), 1, 2, 7),
        half(10, Some(600), 3, 2, 7),
        half(10, Some(600), 1, 3, 7),
        half(10, Some(600), 0, 3, 7),
    ] {
        assert_eq!(pairs(&[other], &[cashin]), [], "{other:?}");
    }
}

#[test]
fn a_payer_whom_nobody_printed_is_nobody() {
    for (a, b) in [((0, 0), (0, 0)), ((0, 0), (1, 2)), ((1, 0), (0, 2)), ((1, 2), (0, 0))] {
        let listed = half(10, Some(600), a.0, a.1, 7);
        assert_eq!(pairs(&[listed], &[half(10, Some(601), b.0, b.1, 8)]), [], "{a:?} {b:?}");
    }
}

#[test]
fn two_equal_transfers_and_one_cashin_are_one_pair_and_the_nearest() {
    let listed = [half(10, Some(300), 1, 2, 7), half(10, Some(600), 1, 2, 8)];
    assert_eq!(pairs(&listed, &[half(10, Some(601), 1, 2, 9)]), [(1, 0)]);
    let cashins = [half(10, Some(300), 1, 2, 9), half(10, Some(601), 1, 2, 10)];
    assert_eq!(pairs(&listed, &cashins), [(0, 0), (1, 1)]);
}

#[test]
fn the_one_that_fits_exactly_is_not_robbed_by_one_that_fits_too() {
    let listed = [half(10, Some(600), 1, 0, 7), half(10, Some(500), 1, 2, 8)];
    assert_eq!(pairs(&listed, &[half(10, Some(601), 1, 2, 9)]), [(1, 0)]);
}

#[test]
fn where_it_would_matter_which_it_is_nothing_is_guessed() {
    let listed = [half(10, Some(600), 1, 2, 7), half(10, Some(600), 1, 3, 8)];
    assert_eq!(pairs(&listed, &[half(10, Some(601), 1, 0, 9)]), []);
    let cashins = [half(10, Some(601), 1, 2, 7), half(10, Some(601), 1, 3, 8)];
    assert_eq!(pairs(&[half(10, Some(600), 1, 0, 9)], &cashins), []);
}

#[test]
fn a_payment_is_seen_after_it_happened_and_within_a_day() {
    let cashin = half(10, Some(1440 + 600), 1, 2, 8);
    for (minute, expected) in [
        (600 - 1, 0),
        (600, 1),
        (1440 + 600, 1),
        (1440 + 600 + 15, 1),
        (1440 + 600 + 16, 0),
        (1440 - 700, 1),
        (0, 0),
        (2 * 1440 + 600, 0),
    ] {
        assert_eq!(pairs(&[half(10, Some(minute), 1, 2, 7)], &[cashin]).len(), expected, "{minute}");
    }
}

#[test]
fn where_only_the_day_is_printed_it_is_that_day_or_the_next() {
    for (days, expected) in [(-1, 0), (0, 1), (1, 1), (2, 0)] {
        let listed = half(10, None, 1, 2, 7);
        let cashin = half(10, Some(days * 1440 + 60), 1, 2, 8);
        assert_eq!(pairs(&[listed], &[cashin]).len(), expected, "{days}");
    }
}

#[test]
fn a_trace_keeps_cents_and_moments_and_nothing_is_traced_to_nothing() {
    let at: Timestamp = "2026-11-21T17:03:22Z".parse().unwrap();
    let trace = |cents, at| Trace::of(Money::from_cents(cents), at);
    assert_eq!(trace(0, Some(at)), None);
    assert_eq!(trace(1 << 45, Some(at)), None, "too much for a trace is no other amount");
    assert_eq!(trace(-150, Some(at)), trace(150, Some(at)));
    let most = trace((1 << 45) - 1, None).unwrap();
    assert_eq!((most.cents(), Trace::restore(most.bits())), ((1 << 45) - 1, Some(most)));
    assert_eq!(Trace::restore(0), None);
    // Pinned: ledgers hold this.
    assert_eq!(trace(150_000, Some(at)).unwrap().bits(), 78_643_321_914);
}

#[test]
fn a_book_survives_its_ledger() {
    let mut book = Book::open(day(1), &Ledger::default());
    let (first, second) = (half(10, Some(1500), 1, 2, 70), half(10, Some(1501), 1, 2, 80));
    book.enter(7, &first, false);
    book.enter(8, &second, true);
    let mut ledger = Ledger::default();
    ledger.apply(1, &book.changes());
    let mut again = Book::open(day(1), &ledger);
    assert_eq!(again.waiting().collect::<Vec<_>>(), [(7, first)]);
    assert_eq!((again.payment(7), again.payment(8), again.payment(9)), (Some(70), Some(80), None));
    assert!(again.changes().is_empty());
    again.close(7);
    assert_eq!((again.changes().len(), again.waiting().count()), (1, 0));
}

fn any_half() -> impl Strategy<Value = Half> {
    (1..3_i64, proptest::option::weighted(0.9, 0..4000_i64), 0..3_u64, 0..3_u64, 1..1000_u64)
        .prop_map(|(pesos, minute, cuit, account, payment)| half(pesos, minute, cuit, account, payment))
}

proptest! {
    #[test]
    fn no_half_is_used_twice_and_no_pair_is_of_two_payments(
        listed in proptest::collection::vec(any_half(), 0..12),
        watched in proptest::collection::vec(any_half(), 0..12),
    ) {
        let pairs = match_up(&listed, &watched);
        let (mut left, mut right) = (HashSet::new(), HashSet::new());
        for (l, w) in pairs {
            prop_assert!(left.insert(l) && right.insert(w));
            let (a, b) = (listed[l], watched[w]);
            prop_assert_eq!(a.trace.cents(), b.trace.cents());
            prop_assert!(a.party.is_compatible(b.party));
            prop_assert!((a.party.cuit != 0 && a.party.cuit == b.party.cuit)
                || (a.party.account != 0 && a.party.account == b.party.account));
            if let Some(passed) = b.trace.since(a.trace) {
                prop_assert!((-SKEW..=WITHIN).contains(&passed));
            }
        }
    }

    #[test]
    fn the_order_of_the_lists_does_not_matter(
        listed in proptest::collection::vec(any_half(), 0..8),
        watched in proptest::collection::vec(any_half(), 0..8),
    ) {
        // Halves are told apart by what they are told under.
        let numbered = |halves: &[Half], from: u64| -> Vec<Half> {
            (from..).zip(halves).map(|(payment, half)| Half { payment, ..*half }).collect()
        };
        let (listed, watched) = (numbered(&listed, 1), numbered(&watched, 100));
        let named = |listed: &[Half], watched: &[Half]| {
            let mut pairs: Vec<(u64, u64)> =
                match_up(listed, watched).into_iter().map(|(l, w)| (listed[l].payment, watched[w].payment)).collect();
            pairs.sort_unstable();
            pairs
        };
        let straight = named(&listed, &watched);
        let back = |halves: &[Half]| halves.iter().rev().copied().collect::<Vec<_>>();
        prop_assert_eq!(&straight, &named(&back(&listed), &watched));
        prop_assert_eq!(&straight, &named(&listed, &back(&watched)));
    }

    #[test]
    fn twins_with_as_many_cashins_are_all_paired(count in 1..20_usize) {
        let listed: Vec<Half> = (0..count).map(|_| half(5, Some(600), 1, 2, 7)).collect();
        let watched: Vec<Half> = (0..count).map(|_| half(5, Some(601), 1, 2, 8)).collect();
        prop_assert_eq!(match_up(&listed, &watched).len(), count);
    }
}

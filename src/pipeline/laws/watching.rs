//! Laws of the watcher.

use super::fragile::Fragile;
use super::*;

#[tokio::test(start_paused = true)]
async fn first_contact_is_silent_and_what_comes_after_is_cried_once() {
    let town = Town::new();
    town.upstream.list(&[sale(1, 10, "2026-11-21T08:00:00"), sale(2, 20, "2026-11-05T08:00:00")]);
    let mut watcher = town.watcher();
    town.watch(&mut watcher, MINUTE).await;
    assert_eq!(town.cried().await, Vec::<String>::new());
    town.upstream.list(&[sale(3, 30, "2026-11-21T09:01:00"), sale(1, 10, "2026-11-21T08:00:00")]);
    town.watch(&mut watcher, MINUTE).await;
    assert_eq!(town.cried().await, ["credit.received 30.00"]);
    // A restart is not first contact and tells nothing twice.
    town.upstream.list(&[sale(4, 40, "2026-11-21T09:02:00"), sale(3, 30, "2026-11-21T09:01:00")]);
    let mut again = town.watcher();
    town.watch(&mut again, MINUTE).await;
    assert_eq!(town.cried().await, ["credit.received 30.00", "credit.received 40.00"]);
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_many_days_loses_nothing() {
    let mut town = Town::new();
    town.policy.flood.limit = 0;
    let mut watcher = town.watcher();
    town.watch(&mut watcher, MINUTE).await;
    drop(watcher);
    // Longer than the look-back of 30 days.
    tokio::time::advance(Duration::from_secs(50 * 86_400)).await;
    town.upstream.list(&[
        sale(1, 10, "2026-11-23T08:00:00"),
        sale(2, 20, "2026-12-20T08:00:00"),
        sale(3, 30, "2027-01-10T08:30:00"),
    ]);
    let mut watcher = town.watcher();
    town.watch(&mut watcher, 2 * MINUTE).await;
    assert_eq!(town.cried().await, ["credit.received 10.00", "credit.received 20.00", "credit.received 30.00"]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_emptied_under_the_watcher_makes_no_history_of_news() {
    let town = Town::new();
    let mut rows = vec![sale(1, 10, "2026-11-21T08:00:00")];
    town.upstream.list(&rows);
    let mut watcher = town.watcher();
    town.watch(&mut watcher, MINUTE).await;
    rows.push(sale(2, 20, "2026-11-21T09:01:00"));
    town.upstream.list(&rows);
    town.watch(&mut watcher, MINUTE).await;
    assert_eq!(town.cried().await, ["credit.received 20.00"]);
    town.store.empty();
    rows.push(sale(3, 30, "2026-11-21T09:02:00"));
    town.upstream.list(&rows);
    town.watch(&mut watcher, MINUTE).await;
    assert_eq!(town.cried().await, ["credit.received 30.00"], "neither swallowed nor told with the old ones");
    rows.push(sale(4, 40, "2026-11-21T09:03:00"));
    town.upstream.list(&rows);
    town.watch(&mut town.watcher(), MINUTE).await;
    assert_eq!(town.cried().await, ["credit.received 30.00", "credit.received 40.00"], "a restart knows it all");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_emptied_begins_anew_where_start_says_so() {
    let mut town = Town::new();
    town.policy.start = Start::Today;
    let mut watcher = town.watcher();
    town.upstream.list(&[sale(1, 10, "2026-11-21T08:00:00")]);
    town.watch(&mut watcher, MINUTE).await;
    let ids = |events: Vec<Arc<crate::domain::event::Event>>| events.iter().map(|event| event.id).collect::<Vec<_>>();
    let all = EventFilter { limit: 10, ..EventFilter::default() };
    let first = ids(town.store.events(&all).await.unwrap());
    town.store.empty();
    town.upstream.list(&[sale(1, 10, "2026-11-21T08:00:00"), sale(2, 20, "2026-11-21T09:01:00")]);
    town.watch(&mut watcher, MINUTE).await;
    assert_eq!(town.cried().await, ["credit.received 10.00", "credit.received 20.00"]);
    let again = ids(town.store.events(&all).await.unwrap());
    assert!(first.iter().all(|id| again.contains(id)), "under the same ids");
}

#[tokio::test(start_paused = true)]
async fn a_larger_look_back_is_a_baseline_for_what_it_adds() {
    let mut town = Town::new();
    let old = sale(1, 10, "2026-10-01T08:00:00");
    town.upstream.list(std::slice::from_ref(&old));
    town.watch(&mut town.watcher(), MINUTE).await;
    town.policy.lookback_days = 60;
    town.watch(&mut town.watcher(), MINUTE).await;
    assert_eq!(town.cried().await, Vec::<String>::new());
    // From then on those days are watched like all others.
    town.upstream.list(&[flagged(old)]);
    town.watch(&mut town.watcher(), MINUTE).await;
    assert_eq!(town.cried().await, ["payment.refunded 10.00"]);
}

#[tokio::test(start_paused = true)]
async fn rows_of_other_days_in_an_answer_do_not_end_the_baseline_of_those_days() {
    let mut town = Town::new();
    town.policy.flood.limit = 0;
    let (early, late) = (sale(1, 10, "2026-11-10T01:00:00"), sale(2, 20, "2026-11-10T23:00:00"));
    *town.upstream.leaks.lock().unwrap() = true;
    town.upstream.list(std::slice::from_ref(&late));
    let mut watcher = town.watcher();
    // The hot reading, and not yet the ones that reach so far back.
    watcher.step().await;
    *town.upstream.leaks.lock().unwrap() = false;
    town.upstream.list(&[early, late]);
    town.watch(&mut watcher, MINUTE).await;
    assert_eq!(town.cried().await, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_runs_behind_does_not_hide_a_sale_whose_refund_was_told() {
    let mut town = Town::new();
    town.watch(&mut town.watcher(), MINUTE).await;
    let sold_tomorrow = flagged(sale(1, 10, "2026-11-22T09:00:00"));
    town.upstream.list(std::slice::from_ref(&sold_tomorrow));
    town.watch(&mut town.watcher(), MINUTE).await;
    town.clock = Arc::new(TokioClock::starting_at("2026-11-19T12:00:00Z".parse().unwrap(), 7));
    town.upstream.list(&[sold_tomorrow, refund_row(9, 1, 10, "2026-11-20T09:01:00")]);
    town.watch(&mut town.watcher(), MINUTE).await;
    assert_eq!(town.cried().await, ["credit.received 10.00", "payment.refunded 10.00"]);
}

#[tokio::test(start_paused = true)]
async fn the_right_to_poll_is_kept_while_a_reading_takes_longer_than_a_lease() {
    let town = Town::new();
    *town.upstream.takes.lock().unwrap() = 3 * MINUTE;
    let mut watcher = town.watcher();
    let reading = tokio::spawn(async move { watcher.step().await });
    let peer = town.store.replica("two");
    for _ in 0..5 {
        tokio::time::sleep(MINUTE / 2).await;
        assert_eq!(peer.acquire(&town.upstream.account, MINUTE).await.unwrap(), None);
    }
    reading.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_watcher_whose_upstream_takes_long_is_not_taken_for_a_dead_one() {
    let town = Town::new();
    (*town.upstream.takes.lock().unwrap(), *town.upstream.prepares.lock().unwrap()) = (10 * MINUTE, 5 * MINUTE);
    let promised = Arc::new(Mutex::new(tokio::time::Instant::now()));
    let (stop, heart) = (CancellationToken::new(), Arc::clone(&promised));
    let beat = move |wait| *heart.lock().unwrap() = tokio::time::Instant::now() + wait;
    let watching = tokio::spawn(town.watcher().run(stop.clone(), beat));
    for second in 0..40 * 60 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let late = promised.lock().unwrap().elapsed();
        assert!(
            late < Duration::from_secs(30),
            "silent for {late:?} after {second} s: a watchdog would end the process"
        );
    }
    stop.cancel();
    watching.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_right_to_poll_is_kept_while_nothing_is_due_for_longer_than_a_lease() {
    let mut town = Town::new();
    town.hot = 4 * MINUTE;
    let mut watcher = town.watcher();
    town.watch(&mut watcher, MINUTE).await;
    let stop = CancellationToken::new();
    let idle = tokio::spawn(watcher.run(stop.clone(), |_| {}));
    let peer = town.store.replica("two");
    for second in 0..600 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(peer.acquire(&town.upstream.account, MINUTE).await.unwrap(), None, "after {second} s");
    }
    stop.cancel();
    idle.await.unwrap();
    assert!(peer.acquire(&town.upstream.account, MINUTE).await.unwrap().is_some(), "it is given back in the end");
}

#[tokio::test(start_paused = true)]
async fn every_fact_has_its_event() {
    use StatusKind::{Approved, Pending, Rejected, Reversed};
    let listed: [(&[View], &[&str]); 7] = [
        (&[View::Credit(Pending), View::Credit(Approved)], &["credit.pending", "credit.received"]),
        (&[View::Credit(Pending), View::Credit(Rejected)], &["credit.pending", "credit.rejected"]),
        (&[View::Credit(Approved), View::Credit(Reversed)], &["credit.received", "payment.refunded"]),
        (&[View::Debit(Approved)], &["debit.sent"]),
        (&[View::RefundRow(Approved)], &["payment.refunded"]),
        (&[View::Sale { refunded: false, voided: true }], &["credit.received", "payment.voided"]),
        (&[View::VoidOfSale], &["payment.voided"]),
    ];
    let followed: [(&[View], &[&str]); 6] = [
        (&[View::LinkCashin], &["link.paid"]),
        (&[View::QrCashin], &["qr.paid"]),
        (&[View::PlainCashin], &[]),
        (&[View::OrderOpen, View::OrderExpired], &["link.expired"]),
        (&[View::OrderOpen, View::OrderFailed], &["link.failed"]),
        (
            &[View::OrderPayment { paid: false, refunded: false }, View::OrderPayment { paid: true, refunded: false }],
            &["link.paid"],
        ),
    ];
    let listed = listed.into_iter().map(|case| (SourceKind::Movements, case));
    for (source, (views, expected)) in listed.chain(followed.into_iter().map(|case| (SourceKind::Links, case))) {
        let mut town = Town::new();
        town.watches = vec![(SourceKind::Links, "u".into())];
        let mut watcher = town.watcher();
        town.watch(&mut watcher, MINUTE).await;
        for view in views {
            town.upstream.list(&[Row { source, view: *view, ..sale(1, 10, "2026-11-21T09:01:00") }]);
            town.watch(&mut watcher, MINUTE).await;
        }
        let types: Vec<String> =
            town.cried().await.iter().filter_map(|line| line.split(' ').next().map(str::to_owned)).collect();
        assert_eq!(types, expected, "{views:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn start_decides_what_first_contact_announces() {
    let rows =
        [sale(1, 10, "2026-11-19T08:00:00"), sale(2, 20, "2026-11-20T08:00:00"), sale(3, 30, "2026-11-21T08:00:00")];
    for (start, expected) in [
        (Start::Now, 0),
        (Start::Today, 1),
        (Start::Day("2026-11-20".parse().map(crate::domain::day::Day::new).unwrap()), 2),
    ] {
        let mut town = Town::new();
        town.policy.start = start;
        town.upstream.list(&rows);
        town.watch(&mut town.watcher(), MINUTE).await;
        assert_eq!(town.cried().await.len(), expected, "{start:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_refund_is_cried_once_however_many_signals_show_it() {
    let sold = sale(1, 10, "2026-11-20T08:00:00");
    let row = refund_row(9, 1, 10, "2026-11-21T09:01:00");
    let order = order_payment(1, true);
    let signals = [vec![flagged(sold.clone())], vec![sold.clone(), row.clone()], vec![sold.clone(), order.clone()]];
    for first in 0..signals.len() {
        for second in 0..signals.len() {
            let mut town = Town::new();
            town.watches = vec![(SourceKind::Links, "u".into())];
            town.upstream.list(&[sold.clone(), order_payment(1, false)]);
            let mut watcher = town.watcher();
            town.watch(&mut watcher, MINUTE).await;
            town.upstream.list(&signals[first]);
            town.watch(&mut watcher, 20 * MINUTE).await;
            let both: Vec<Row> = signals[first].iter().chain(&signals[second]).cloned().collect();
            town.upstream.list(&both);
            // An ended link is asked once a day.
            town.watch(&mut watcher, Duration::from_secs(2 * 86_400)).await;
            assert_eq!(town.cried().await, ["payment.refunded 10.00"], "signal {first}, then {second}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn two_partial_refunds_are_two() {
    let town = Town::new();
    let sold = sale(1, 10, "2026-11-20T08:00:00");
    town.upstream.list(std::slice::from_ref(&sold));
    let mut watcher = town.watcher();
    town.watch(&mut watcher, MINUTE).await;
    town.upstream.list(&[
        flagged(sold),
        refund_row(8, 1, 4, "2026-11-21T09:01:00"),
        refund_row(9, 1, 3, "2026-11-21T09:01:30"),
    ]);
    town.watch(&mut watcher, 2 * MINUTE).await;
    assert_eq!(town.cried().await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_old_facts_is_held_until_it_is_released() {
    let town = Town::new();
    let mut watcher = town.watcher();
    town.watch(&mut watcher, MINUTE).await;
    let mut rows: Vec<Row> = (0..6).map(|n| sale(n, 10, "2026-11-21T06:00:00")).collect();
    rows.push(sale(7, 70, "2026-11-21T09:01:00"));
    town.upstream.list(&rows);
    town.watch(&mut watcher, MINUTE).await;
    let counts = town.store.counts().await.unwrap();
    assert_eq!((counts.events, counts.held, counts.pending), (8, 6, 2), "the recent one and the notice pass");
    assert_eq!(town.store.release_held(None, false).await.unwrap(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_failing_source_is_said_once_and_its_recovery_too_even_over_a_restart() {
    let town = Town::new();
    let mut watcher = town.watcher();
    town.watch(&mut watcher, MINUTE).await;
    *town.upstream.failing.lock().unwrap() = true;
    town.watch(&mut watcher, 30 * MINUTE).await;
    let mut watcher = town.watcher();
    town.watch(&mut watcher, 30 * MINUTE).await;
    assert_eq!(town.cried().await, ["source.failing"]);
    *town.upstream.failing.lock().unwrap() = false;
    town.watch(&mut watcher, 10 * MINUTE).await;
    assert_eq!(town.cried().await, ["source.failing", "source.recovered"]);
}

#[tokio::test(start_paused = true)]
async fn two_replicas_cry_each_fact_once() {
    let town = Town::new();
    let other: Arc<dyn Store> = Arc::new(town.store.replica("two"));
    let (mut one, mut two) = (town.watcher(), town.watcher_on(other));
    for n in 0..20_u64 {
        let rows: Vec<Row> = (0..=n).map(|id| sale(id, 10, "2026-11-21T09:00:30")).collect();
        town.upstream.list(&rows);
        tokio::join!(town.watch(&mut one, MINUTE), town.watch(&mut two, MINUTE));
    }
    assert_eq!(town.cried().await.len(), 19, "all but the one that was there at first contact");
}

#[tokio::test(start_paused = true)]
async fn thousands_of_facts_are_told_once_each_whatever_commit_they_are_in() {
    let mut town = Town::new();
    town.policy.flood.limit = 0;
    let mut watcher = town.watcher();
    town.watch(&mut watcher, MINUTE).await;
    // Every third was refunded too, some told by a row, so that chunks, books and the last commit all have work.
    let mut rows: Vec<Row> = (0..2_500)
        .map(|n| {
            let row = sale(n, 10, &format!("2026-11-21T08:{:02}:{:02}", n / 60 % 60, n % 60));
            if n % 3 == 0 { flagged(row) } else { row }
        })
        .collect();
    rows.extend((0..100).map(|n| refund_row(10_000 + n, n, 10, "2026-11-21T08:59:59")));
    town.upstream.list(&rows);
    town.watch(&mut watcher, MINUTE).await;
    let told = |cried: &[String], kind: &str| cried.iter().filter(|line| line.starts_with(kind)).count();
    let first = town.cried().await;
    // 834 flags, of which 34 have a row as well; 66 rows have no flag.
    assert_eq!((told(&first, "credit.received"), told(&first, "payment.refunded")), (2_500, 834 + 66));
    let mut again = town.watcher();
    town.watch(&mut again, MINUTE).await;
    assert_eq!(town.cried().await.len(), first.len());
}

#[tokio::test(start_paused = true)]
async fn a_crash_between_two_commits_of_one_reading_loses_nothing_and_doubles_nothing() {
    let mut town = Town::new();
    town.policy.flood.limit = 0;
    let mut watcher = town.watcher();
    town.watch(&mut watcher, MINUTE).await;
    let rows: Vec<Row> = (0..2_500).map(|n| sale(n, 10, "2026-11-21T08:00:00")).collect();
    town.upstream.list(&rows);
    // The other replica dies after its first commit: every later one is refused here.
    let fragile = Arc::new(Fragile::new(&town.store, 1));
    let mut dying = town.watcher_on(fragile);
    town.watch(&mut dying, MINUTE).await;
    assert_eq!(town.cried().await.len(), 500);
    town.watch(&mut watcher, MINUTE).await;
    assert_eq!(town.cried().await.len(), 2_500);
}

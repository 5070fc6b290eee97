//! Laws of the nightly reconciliation.

use super::fragile::Fragile;
use super::*;
use crate::domain::closing::Closing;
use crate::domain::event::{Event, EventId, EventType};

const HOUR: Duration = Duration::from_secs(3_600);

/// Days are closed at 03:30. What bears the day of first contact is announced, so that nothing of it may be missing.
fn town() -> Town {
    let mut town = Town::new();
    town.policy.start = Start::Today;
    town.policy.flood.limit = 0;
    town.hot = 4 * MINUTE;
    town.nightly = Some(Nightly { at: "03:30".parse().unwrap(), days: 7 });
    town
}

impl Town {
    async fn events(&self, kind: EventType) -> Vec<Arc<Event>> {
        let filter = EventFilter {
            patterns: vec![Pattern::parse(kind.as_str()).unwrap()],
            limit: 1_000,
            ..EventFilter::default()
        };
        let mut events = self.store.events(&filter).await.unwrap();
        events.reverse();
        events
    }

    /// The days that were closed, in order.
    async fn closed(&self) -> Vec<(String, Closing)> {
        let day = |event: &Arc<Event>| match &event.body {
            Body::Notice(notice) => (notice.day.unwrap().to_string(), **notice.closing.as_ref().unwrap()),
            Body::Payment(_) => unreachable!(),
        };
        self.events(EventType::DayClosed).await.iter().map(day).collect()
    }

    async fn ids(&self) -> Vec<EventId> {
        let mut ids: Vec<_> = Vec::new();
        for kind in [EventType::CreditReceived, EventType::PaymentRefunded] {
            ids.extend(self.events(kind).await.iter().map(|event| event.id));
        }
        ids.sort_unstable();
        ids
    }
}

fn counts(closing: &Closing) -> (u64, u64, u64) {
    (closing.of_day.credits.count, closing.of_day.refunds.count, closing.differences)
}

#[tokio::test(start_paused = true)]
async fn a_day_is_closed_once_with_its_sums_whoever_looks() {
    let town = town();
    let other: Arc<dyn Store> = Arc::new(town.store.replica("two"));
    town.upstream.list(&[
        sale(1, 10, "2026-11-21T08:00:00"),
        flagged(sale(2, 20, "2026-11-21T08:10:00")),
        sale(3, 30, "2026-11-21T08:20:00"),
        refund_row(9, 3, 5, "2026-11-21T08:30:00"),
    ]);
    let (mut one, mut two) = (town.watcher(), town.watcher_on(other));
    tokio::join!(town.watch(&mut one, 18 * HOUR), town.watch(&mut two, 18 * HOUR));
    assert_eq!(town.closed().await, [], "it is 03:00");
    tokio::join!(town.watch(&mut one, HOUR), town.watch(&mut two, HOUR));
    town.watch(&mut town.watcher(), HOUR).await;
    let closed = town.closed().await;
    assert_eq!(closed.len(), 1);
    let (day, closing) = &closed[0];
    assert_eq!((day.as_str(), counts(closing)), ("2026-11-21", (3, 2, 0)));
    assert_eq!(closing.of_day.credits.total, Money::from_cents(6_000));
    assert_eq!(closing.of_day.refunds.total, Money::from_cents(2_500));
    assert_eq!((closing.vanished, closing.baseline, closing.earlier.is_empty()), (0, 0, true));
    assert_eq!(town.events(EventType::ReconcileDifference).await.len(), 0);
    assert_eq!(town.ids().await.len(), 5, "the check announces nothing twice");
}

#[tokio::test(start_paused = true)]
async fn a_planted_gap_is_found_at_night_and_announced_late() {
    let town = town();
    let seen = sale(1, 10, "2026-11-21T08:30:00");
    town.upstream.list(std::slice::from_ref(&seen));
    let mut watcher = town.watcher();
    town.watch(&mut watcher, HOUR).await;
    // From here on every poll gets an answer of an hour ago.
    *town.upstream.stale.lock().unwrap() = Some(vec![seen.clone()]);
    town.upstream.list(&[
        seen.clone(),
        sale(2, 20, "2026-11-21T12:00:00"),
        refund_row(9, 1, 4, "2026-11-21T13:00:00"),
        sale(3, 30, "2026-11-22T01:00:00"),
    ]);
    town.watch(&mut watcher, 17 * HOUR).await;
    assert_eq!(town.cried().await, ["credit.received 10.00"], "the polls cannot see it");
    town.watch(&mut watcher, HOUR).await;
    let cried = town.cried().await;
    let late = ["credit.received 20.00", "payment.refunded 4.00", "credit.received 30.00"];
    assert_eq!(cried[1..4], late, "the next day's is no difference, but it is news");
    assert_eq!(cried[4..], ["reconcile.difference", "day.closed"]);
    let (_, closing) = town.closed().await.remove(0);
    assert_eq!(counts(&closing), (2, 1, 2));
    let late: Vec<bool> = town.events(EventType::CreditReceived).await.iter().map(|event| event.late).collect();
    assert_eq!(late, [false, true, true]);
    // The cache comes alive: nothing is told twice.
    *town.upstream.stale.lock().unwrap() = None;
    town.watch(&mut watcher, HOUR).await;
    assert_eq!(town.cried().await.len(), 6);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_the_store_lost_is_announced_again_under_its_id() {
    let mut town = town();
    // Events without deliveries are swept as soon as somebody sweeps: a store that forgets.
    town.patterns = Vec::new();
    let sold = sale(3, 30, "2026-11-21T08:20:00");
    town.upstream.list(&[
        sale(1, 10, "2026-11-21T08:00:00"),
        flagged(sale(2, 20, "2026-11-21T08:10:00")),
        sold.clone(),
        refund_row(8, 3, 5, "2026-11-21T08:30:00"),
        refund_row(9, 3, 6, "2026-11-21T08:40:00"),
    ]);
    let mut watcher = town.watcher();
    town.watch(&mut watcher, HOUR).await;
    let before = town.ids().await;
    assert_eq!(before.len(), 6);
    while town.store.sweep(Duration::ZERO).await.unwrap().events > 0 {}
    assert_eq!(town.ids().await, []);
    town.watch(&mut watcher, 18 * HOUR).await;
    assert_eq!(town.ids().await, before, "each under the id that it had");
    let (_, closing) = town.closed().await.remove(0);
    assert_eq!(counts(&closing), (3, 3, 6));
}

#[tokio::test(start_paused = true)]
async fn what_first_contact_passed_over_stays_silent_at_night() {
    let mut town = town();
    town.policy.start = Start::Now;
    town.upstream.list(&[flagged(sale(1, 10, "2026-11-21T08:00:00")), sale(2, 20, "2026-11-22T08:00:00")]);
    let mut watcher = town.watcher();
    town.watch(&mut watcher, HOUR).await;
    let mut rows = town.upstream.rows.lock().unwrap().clone();
    rows.push(sale(3, 30, "2026-11-21T09:30:00"));
    town.upstream.list(&rows);
    town.watch(&mut watcher, 42 * HOUR).await;
    assert_eq!(town.cried().await, ["credit.received 30.00", "day.closed", "day.closed"]);
    let closed = town.closed().await;
    assert_eq!((counts(&closed[0].1), closed[0].1.baseline), ((1, 0, 0), 1));
    assert_eq!((counts(&closed[1].1), closed[1].1.baseline), ((0, 0, 0), 1));
}

#[tokio::test(start_paused = true)]
async fn days_that_were_missed_are_closed_in_order_and_not_beyond_what_is_wanted() {
    let town = town();
    let mut watcher = town.watcher();
    town.watch(&mut watcher, 19 * HOUR).await;
    drop(watcher);
    tokio::time::advance(Duration::from_secs(10 * 86_400)).await;
    town.upstream.list(&[sale(1, 10, "2026-11-23T08:00:00"), sale(2, 20, "2026-11-29T08:00:00")]);
    town.watch(&mut town.watcher(), HOUR).await;
    let days: Vec<String> = town.closed().await.into_iter().map(|(day, _)| day).collect();
    let missed = (25..=30).map(|day| format!("2026-11-{day}")).chain([String::from("2026-12-01")]);
    assert_eq!(days, std::iter::once(String::from("2026-11-21")).chain(missed).collect::<Vec<_>>());
    let sums: Vec<_> = town.closed().await.iter().map(|(_, closing)| counts(closing)).collect();
    assert_eq!(sums[5], (1, 0, 0), "what was told late after the outage is no difference");
    assert_eq!(town.events(EventType::CreditReceived).await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_listed_no_more_is_counted_after_a_while() {
    let town = town();
    let (one, two) = (sale(1, 10, "2026-11-21T08:00:00"), sale(2, 20, "2026-11-21T08:10:00"));
    town.upstream.list(&[one.clone(), two]);
    let mut watcher = town.watcher();
    town.watch(&mut watcher, HOUR).await;
    town.upstream.list(&[one]);
    town.watch(&mut watcher, 19 * HOUR).await;
    let (_, closing) = town.closed().await.remove(0);
    assert_eq!(
        (counts(&closing), closing.vanished),
        ((2, 0, 0), 1),
        "it was announced, and it is said that it is gone"
    );
    assert_eq!(town.events(EventType::ReconcileDifference).await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_crash_while_a_day_is_closed_loses_no_difference_and_doubles_none() {
    for commits in 0..4 {
        let town = town();
        let mut watcher = town.watcher();
        town.watch(&mut watcher, 18 * HOUR).await;
        *town.upstream.stale.lock().unwrap() = Some(Vec::new());
        let rows: Vec<Row> = (0..1_200).map(|n| sale(n, 10, "2026-11-21T12:00:00")).collect();
        town.upstream.list(&rows);
        let mut dying = town.watcher_on(Arc::new(Fragile::new(&town.store, commits)));
        town.watch(&mut dying, 40 * MINUTE).await;
        town.watch(&mut town.watcher(), 2 * MINUTE).await;
        let closed = town.closed().await;
        assert_eq!(closed.len(), 1, "{commits} commits");
        assert_eq!(counts(&closed[0].1), (1_200, 0, 1_200), "{commits} commits");
        assert_eq!(town.events(EventType::ReconcileDifference).await.len(), 1, "{commits} commits");
    }
}

#[tokio::test(start_paused = true)]
async fn a_day_is_closed_when_the_upstream_answers_again() {
    let town = town();
    town.upstream.list(&[sale(1, 10, "2026-11-21T08:00:00")]);
    let mut watcher = town.watcher();
    town.watch(&mut watcher, 17 * HOUR).await;
    *town.upstream.failing.lock().unwrap() = true;
    town.watch(&mut watcher, 6 * HOUR).await;
    assert_eq!(town.closed().await, []);
    *town.upstream.failing.lock().unwrap() = false;
    town.watch(&mut watcher, HOUR).await;
    assert_eq!(counts(&town.closed().await[0].1), (1, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_refund_row_that_came_before_its_sale_is_told_under_one_id_for_ever() {
    let mut town = town();
    town.watches = vec![(SourceKind::Links, "u".into())];
    let mut watcher = town.watcher();
    let early = refund_row(9, 1, 4, "2026-11-21T09:01:00");
    town.upstream.list(std::slice::from_ref(&early));
    town.watch(&mut watcher, 20 * MINUTE).await;
    assert_eq!(town.events(EventType::PaymentRefunded).await.len(), 1, "nothing is known of its sale");
    // The sale is listed late and says the same; so does the order behind it, and the nightly check asks everybody again.
    let sold = flagged(sale(1, 10, "2026-11-17T08:00:00"));
    town.upstream.list(&[early.clone(), sold.clone()]);
    town.watch(&mut watcher, 20 * MINUTE).await;
    town.upstream.list(&[early.clone(), sold.clone(), order_payment(1, true)]);
    town.watch(&mut watcher, 20 * HOUR).await;
    assert_eq!(town.closed().await.len(), 1);
    assert_eq!(town.events(EventType::PaymentRefunded).await.len(), 1);
    assert_eq!(town.events(EventType::ReconcileDifference).await.len(), 0);
    // A second part is a second refund.
    let second = refund_row(10, 1, 3, "2026-11-22T05:00:00");
    town.upstream.list(&[early, sold, second, order_payment(1, true)]);
    town.watch(&mut watcher, 2 * 24 * HOUR).await;
    assert_eq!(town.closed().await.len(), 3);
    assert_eq!(town.events(EventType::PaymentRefunded).await.len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_refund_of_a_sale_that_prints_its_payment_id_late_is_told_under_one_id() {
    let refunded = refund_row(9, 1, 4, "2026-11-21T09:20:00");
    for (row_first, seen_together) in [(true, true), (true, false), (false, true)] {
        let town = town();
        let mut watcher = town.watcher();
        let named = sale(1, 10, "2026-11-21T08:00:00");
        let mut unnamed = named.clone();
        unnamed.references.payment_id = None;
        let flag = flagged(named.clone());
        let steps = match (row_first, seen_together) {
            (true, true) => [vec![unnamed], vec![named, refunded.clone()], vec![flag, refunded.clone()]],
            (true, false) => [vec![unnamed], vec![named.clone()], vec![flag, refunded.clone()]],
            (false, _) => [vec![unnamed], vec![flag.clone()], vec![flag, refunded.clone()]],
        };
        for rows in steps {
            town.upstream.list(&rows);
            town.watch(&mut watcher, 20 * MINUTE).await;
        }
        town.watch(&mut watcher, 20 * HOUR).await;
        assert_eq!(town.events(EventType::CreditReceived).await.len(), 1);
        assert_eq!(town.events(EventType::PaymentRefunded).await.len(), 1, "{row_first} {seen_together}");
    }
}

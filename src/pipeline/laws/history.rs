//! Laws of what was there before: the flood guard, and everything that changes between two runs.

use super::*;
use crate::domain::event::EventId;

impl Town {
    async fn ids_of(&self, patterns: &[&str]) -> Vec<EventId> {
        let patterns = patterns.iter().map(|text| Pattern::parse(text).unwrap()).collect();
        let filter = EventFilter { patterns, limit: 10_000, ..EventFilter::default() };
        let mut ids: Vec<EventId> = self.store.events(&filter).await.unwrap().iter().map(|event| event.id).collect();
        ids.sort_unstable();
        ids
    }

    async fn held(&self) -> (u64, u64) {
        let counts = self.store.counts().await.unwrap();
        (counts.held, counts.pending)
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_flood_holds_stays_held_over_a_restart_and_is_told_once_when_it_is_released() {
    let town = Town::new();
    let mut watcher = town.watcher();
    town.watch(&mut watcher, MINUTE).await;
    // None of these days is a flood by itself.
    let rows: Vec<Row> = (0..6).map(|n| sale(n, 10, &format!("2026-11-{}T06:00:00", 20 + n % 2))).collect();
    town.upstream.list(&rows);
    town.watch(&mut watcher, 20 * MINUTE).await;
    assert_eq!(town.held().await, (6, 1), "they are one flood, and its notice passes");
    let ids = town.ids_of(&["credit.*"]).await;
    // Read again, by this run and by the next: they are known, and are neither held nor told again.
    town.watch(&mut town.watcher(), 20 * MINUTE).await;
    assert_eq!(town.held().await, (6, 1));
    assert_eq!(town.ids_of(&["system.*"]).await.len(), 1);
    assert_eq!(town.store.release_held(None, false).await.unwrap(), 6);
    assert_eq!(town.held().await, (0, 7));
    town.watch(&mut town.watcher(), 20 * MINUTE).await;
    assert_eq!((town.held().await, town.ids_of(&["credit.*"]).await), ((0, 7), ids));
}

#[tokio::test(start_paused = true)]
async fn after_a_pause_longer_than_the_look_back_the_days_between_are_news_even_if_short_readings_come_first() {
    let mut town = Town::new();
    town.policy.lookback_days = 10;
    town.policy.flood.limit = 0;
    town.watch(&mut town.watcher(), MINUTE).await;
    tokio::time::advance(Duration::from_secs(25 * 86_400)).await;
    town.upstream.list(&[sale(1, 10, "2026-11-25T09:00:00"), sale(2, 20, "2026-12-15T09:00:00")]);
    // The first, long reading fails; every other one is short, and comes through.
    *town.upstream.most_days.lock().unwrap() = Some(3);
    let mut watcher = town.watcher();
    town.watch(&mut watcher, 5 * MINUTE).await;
    assert_eq!(town.cried().await, ["credit.received 20.00"]);
    *town.upstream.most_days.lock().unwrap() = None;
    town.watch(&mut watcher, 20 * MINUTE).await;
    assert_eq!(town.cried().await, ["credit.received 20.00", "credit.received 10.00"]);
}

#[tokio::test(start_paused = true)]
async fn a_gap_that_is_too_long_to_be_read_at_once_is_closed_in_pieces() {
    let mut town = Town::new();
    town.policy.lookback_days = 10;
    town.policy.flood.limit = 0;
    town.watch(&mut town.watcher(), MINUTE).await;
    tokio::time::advance(Duration::from_secs(40 * 86_400)).await;
    let days = ["2026-11-22", "2026-11-30", "2026-12-09", "2026-12-19", "2026-12-30"];
    let rows: Vec<Row> =
        (1..).zip(1..).zip(days).map(|((id, pesos), day)| sale(id, pesos, &format!("{day}T09:00:00"))).collect();
    town.upstream.list(&rows);
    *town.upstream.most_days.lock().unwrap() = Some(9);
    let mut watcher = town.watcher();
    town.watch(&mut watcher, 10 * MINUTE).await;
    let mut cried = town.cried().await;
    cried.sort();
    assert_eq!(cried, (1..=5).map(|n| format!("credit.received {n}.00")).collect::<Vec<_>>());
    // A larger look-back finds nothing that is new: all of it was read.
    town.policy.lookback_days = 60;
    town.watch(&mut town.watcher(), 20 * MINUTE).await;
    assert_eq!(town.cried().await.len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_thousands_is_held_as_one() {
    let town = Town::new();
    let mut watcher = town.watcher();
    town.watch(&mut watcher, MINUTE).await;
    let rows: Vec<Row> = (0..2_000).map(|n| sale(n, 10, "2026-11-20T06:00:00")).collect();
    town.upstream.list(&rows);
    town.watch(&mut watcher, 2 * MINUTE).await;
    assert_eq!(town.held().await, (2_000, 1));
}

#[tokio::test(start_paused = true)]
async fn a_renamed_account_is_a_new_one_and_its_history_is_silent() {
    let mut town = Town::new();
    town.watch(&mut town.watcher(), MINUTE).await;
    let rows: Vec<Row> = (0..10).map(|n| sale(n, 10, "2026-11-21T09:00:30")).collect();
    town.upstream.list(&rows);
    town.watch(&mut town.watcher(), MINUTE).await;
    assert_eq!(town.ids_of(&["*"]).await.len(), 10);
    town.name = "belgrano";
    town.watch(&mut town.watcher(), 20 * MINUTE).await;
    assert_eq!(town.ids_of(&["*", "system.*"]).await.len(), 10, "neither announced nor held under the new name");
    town.upstream.list(&[rows, vec![sale(11, 20, "2026-11-21T09:30:00")]].concat());
    town.watch(&mut town.watcher(), MINUTE).await;
    assert_eq!(town.ids_of(&["*", "system.*"]).await.len(), 11);
}

#[tokio::test(start_paused = true)]
async fn changed_maps_tell_nothing_twice_and_lose_nothing() {
    use StatusKind::{Approved, Cancelled, Pending, Rejected, Reversed, Unknown};
    let credit = View::Credit;
    let told: [(View, View, &[&str]); 10] = [
        (credit(Unknown), credit(Approved), &["credit.received"]),
        (credit(Unknown), credit(Pending), &["credit.received"]),
        (credit(Unknown), credit(Rejected), &["credit.received", "credit.rejected"]),
        (credit(Unknown), credit(Reversed), &["credit.received", "payment.refunded"]),
        (credit(Rejected), credit(Approved), &["credit.received"]),
        (credit(Cancelled), credit(Pending), &["credit.pending"]),
        (credit(Pending), credit(Unknown), &["credit.pending", "credit.received"]),
        (View::Debit(Unknown), credit(Approved), &["debit.sent", "credit.received"]),
        (View::Debit(Approved), View::RefundRow(Approved), &["debit.sent", "payment.refunded"]),
        (credit(Approved), View::Debit(Approved), &["credit.received", "debit.sent"]),
    ];
    for (before, after, expected) in told {
        let town = Town::new();
        town.watch(&mut town.watcher(), MINUTE).await;
        let seen_as = |view| Row { view, ..sale(1, 10, "2026-11-21T09:00:30") };
        for view in [before, after, after] {
            // Another run, another map.
            town.upstream.list(&[seen_as(view)]);
            town.watch(&mut town.watcher(), MINUTE).await;
        }
        let cried = town.cried().await;
        let kinds: Vec<&str> = cried.iter().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(kinds, expected, "{before:?}, then {after:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_identity_version_tells_nothing_twice_and_loses_nothing() {
    let mut town = Town::new();
    town.nightly = Some(Nightly { at: "03:30".parse().unwrap(), days: 7 });
    town.policy.start = Start::Today;
    town.policy.flood.limit = 0;
    let mut rows = vec![
        flagged(sale(1, 10, "2026-11-21T08:00:00")),
        sale(2, 20, "2026-11-21T08:10:00"),
        refund_row(9, 2, 5, "2026-11-21T08:20:00"),
    ];
    // Without ids: twins of one payer, and one that is still pending.
    let transfer = |cuit: &str, pesos, time, status| {
        let mut row = sale(0, pesos, time);
        row.identity = Identity::Counted(format!("{pesos}|{time}"));
        row.view = View::Credit(status);
        row.status.kind = status;
        row.status.raw = format!("{status:?}");
        row.payer.cuit = Some(cuit.to_owned());
        row.references = References::default();
        row
    };
    let pending = transfer("20", 7, "2026-11-21T08:40:00", StatusKind::Pending);
    let twin = transfer("27", 3, "2026-11-21T08:30:00", StatusKind::Approved);
    rows.extend([twin.clone(), twin.clone(), pending.clone()]);
    town.upstream.list(&rows);
    town.watch(&mut town.watcher(), 20 * MINUTE).await;
    let before = town.ids_of(&["*"]).await;
    assert_eq!(before.len(), 4 + 2 + 1);
    // While the new release is installed one more comes in, one is approved, and one is refunded.
    rows.pop();
    rows[1] = flagged(rows[1].clone());
    rows.extend([transfer("20", 7, "2026-11-21T08:40:00", StatusKind::Approved)]);
    rows.push(transfer("27", 3, "2026-11-21T09:15:00", StatusKind::Approved));
    town.upstream.list(&rows);
    town.policy.identity = 2;
    let mut watcher = town.watcher();
    town.watch(&mut watcher, 20 * MINUTE).await;
    let cried = town.cried().await;
    assert_eq!(
        cried[before.len()..],
        ["credit.received 7.00", "credit.received 3.00"],
        "the refund was told by its row"
    );
    let after = town.ids_of(&["*"]).await;
    // Under the new version it goes on as ever, at night too, and over a restart.
    town.watch(&mut watcher, Duration::from_secs(20 * 3_600)).await;
    town.watch(&mut town.watcher(), 20 * MINUTE).await;
    assert_eq!(town.ids_of(&["credit.*", "payment.*", "system.*"]).await, after);
    assert_eq!(town.cried().await.last().map(String::as_str), Some("day.closed"));
    rows.push(sale(10, 60, "2026-11-22T05:00:00"));
    town.upstream.list(&rows);
    town.watch(&mut town.watcher(), 20 * MINUTE).await;
    assert_eq!(town.ids_of(&["credit.*", "payment.*", "system.*"]).await.len(), after.len() + 1);
}

//! Laws of the watches that a store keeps.

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::domain::watch::{Origin, Watch, WatchId, WatchKind};
use crate::pipeline::hints::Hints;
use crate::store::Watches as _;

const LINK: WatchKind = WatchKind::IssuedLink;
const CASHIN: WatchKind = WatchKind::Cashin;

fn id(kind: WatchKind, id: &str) -> WatchId {
    WatchId { kind, id: id.to_owned() }
}

impl Town {
    fn following(&self, configured: &[WatchId]) -> Watcher {
        self.watcher().following(Arc::<MemoryStore>::clone(&self.store), configured.to_vec())
    }

    /// Days with a restart, of which a watcher sees a minute each: it looks at the store each 5 s, and every second of a
    /// month would be half a million looks.
    async fn pass_days(&self, days: u32) {
        let mut watcher = self.following(&[]);
        for _ in 0..days {
            tokio::time::advance(Duration::from_secs(86_400 - 60)).await;
            self.watch(&mut watcher, MINUTE).await;
        }
    }

    fn in_seconds(&self, seconds: i64) -> Timestamp {
        self.clock.now() + SignedDuration::from_secs(seconds)
    }

    async fn add(&self, kind: WatchKind, name: &str, shape: impl FnOnce(&mut Watch)) {
        let mut watch = Watch::new(id(kind, name), Origin::Operator, self.clock.now());
        shape(&mut watch);
        self.store.put_watches(&AccountName::new(self.name), &[watch]).await.unwrap();
    }

    /// What is kept: kind, id, and where it stands.
    async fn kept(&self) -> Vec<String> {
        let list = self.store.watches(&AccountName::new(self.name)).await.unwrap();
        list.watches.iter().map(|watch| format!("{} {}", watch.id, watch.state(self.clock.now()))).collect()
    }
}

/// A cash-in of a link.
fn cashin(number: u64, link: &str, pesos: i64) -> Row {
    let mut row = sale(number, pesos, "2026-11-21T09:01:00");
    (row.source, row.view) = (SourceKind::Cashin, View::LinkCashin);
    row.references = References { link_id: Some(link.to_owned()), ..References::default() };
    row
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_added_beside_the_watcher_is_followed_within_one_look_and_its_end_is_kept() {
    let town = Town::new();
    let mut watcher = town.following(&[]);
    town.upstream.list(&[cashin(1, "77", 10)]);
    town.watch(&mut watcher, 10 * MINUTE).await;
    assert_eq!(town.cried().await, Vec::<String>::new(), "nobody asked for it");
    town.add(CASHIN, "1", |_| {}).await;
    town.watch(&mut watcher, Duration::from_secs(15)).await;
    assert_eq!(town.cried().await, ["link.paid 10.00"]);
    assert_eq!(town.kept().await, ["cashin/1 ended"]);
    town.watch(&mut town.following(&[]), MINUTE).await;
    assert_eq!(town.cried().await.len(), 1, "a restart tells nothing twice");
    town.pass_days(29).await;
    assert_eq!(town.kept().await, ["cashin/1 ended"], "it may be refunded yet");
    town.pass_days(2).await;
    assert_eq!(town.kept().await, Vec::<String>::new(), "what is beyond the look-back is let go");
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_removed_or_over_is_asked_no_more() {
    let town = Town::new();
    let mut watcher = town.following(&[]);
    town.watch(&mut watcher, MINUTE).await;
    town.add(CASHIN, "1", |_| {}).await;
    town.watch(&mut watcher, MINUTE).await;
    town.store.remove_watches(&AccountName::new(town.name), &[id(CASHIN, "1")]).await.unwrap();
    let until = town.in_seconds(60);
    town.add(WatchKind::Order, "u", |watch| watch.until = Some(until)).await;
    town.watch(&mut watcher, 2 * MINUTE).await;
    assert_eq!(town.kept().await, Vec::<String>::new());
    town.upstream.list(&[cashin(1, "77", 10), order_payment(2, false)]);
    town.watch(&mut watcher, 30 * MINUTE).await;
    assert_eq!(town.cried().await, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn a_link_that_nobody_paid_expires_once_over_restarts_and_replicas() {
    let town = Town::new();
    let expires = town.in_seconds(90);
    town.add(LINK, "77", |watch| (watch.expires, watch.amount) = (Some(expires), Some(Money::from_cents(5_000)))).await;
    let mut watcher = town.following(&[]);
    town.watch(&mut watcher, MINUTE).await;
    assert_eq!(town.cried().await, Vec::<String>::new(), "it can be paid yet");
    let mut again = town.following(&[]);
    town.watch(&mut again, 2 * MINUTE).await;
    assert_eq!(town.cried().await, ["link.expired 50.00"]);
    assert_eq!(town.kept().await, ["link/77 ended"]);
    // As if whoever told it had died before the end was written.
    town.add(LINK, "77", |watch| (watch.expires, watch.amount) = (Some(expires), None)).await;
    let other: Arc<dyn Store> = Arc::new(town.store.replica("two"));
    let mut other = town.watcher_on(other).following(Arc::<MemoryStore>::clone(&town.store), []);
    tokio::join!(town.watch(&mut again, 5 * MINUTE), town.watch(&mut other, 5 * MINUTE));
    assert_eq!(town.cried().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_link_that_was_paid_does_not_expire_even_if_the_daemon_slept_through_both() {
    let town = Town::new();
    town.watch(&mut town.following(&[]), MINUTE).await;
    let expires = town.in_seconds(60);
    town.add(LINK, "77", |watch| watch.expires = Some(expires)).await;
    town.add(CASHIN, "1", |_| {}).await;
    tokio::time::advance(10 * MINUTE).await;
    town.upstream.list(&[cashin(1, "77", 10)]);
    *town.upstream.takes.lock().unwrap() = Duration::from_secs(20);
    town.watch(&mut town.following(&[]), 10 * MINUTE).await;
    assert_eq!(town.cried().await, ["link.paid 10.00"]);
    assert_eq!(town.kept().await, ["cashin/1 ended", "link/77 ended"]);
}

#[tokio::test(start_paused = true)]
async fn each_payment_of_a_link_for_many_is_told_once_and_it_stays_open() {
    let town = Town::new();
    let mut watcher = town.following(&[]);
    town.watch(&mut watcher, MINUTE).await;
    town.add(LINK, "77", |watch| watch.reusable = true).await;
    for number in 1..=3 {
        town.upstream.list(&[cashin(number, "77", 10)]);
        town.add(CASHIN, &number.to_string(), |_| {}).await;
        town.watch(&mut watcher, MINUTE).await;
    }
    // The pretend upstream answers every question with the cash-in that it has now.
    assert!(town.cried().await.iter().all(|line| line == "link.paid 10.00"));
    assert!(town.cried().await.len() >= 3);
    assert_eq!(town.kept().await.last().unwrap(), "link/77 open");
}

#[tokio::test(start_paused = true)]
async fn what_the_configuration_names_is_kept_and_ends_with_it() {
    let town = Town::new();
    town.add(CASHIN, "9", |_| {}).await;
    let mut watcher = town.following(&[id(CASHIN, "1"), id(CASHIN, "2")]);
    town.watch(&mut watcher, MINUTE).await;
    assert_eq!(town.kept().await, ["cashin/1 open", "cashin/2 open", "cashin/9 open"]);
    town.watch(&mut town.following(&[id(CASHIN, "2")]), MINUTE).await;
    assert_eq!(town.kept().await, ["cashin/2 open", "cashin/9 open"], "what an operator added stays");
}

#[tokio::test(start_paused = true)]
async fn a_hint_that_a_replica_hears_which_does_not_poll_is_followed_by_the_one_that_does() {
    let town = Town::new();
    let mut holder = town.following(&[]);
    town.watch(&mut holder, MINUTE).await;
    let hints = Hints::default();
    let other: Arc<dyn Store> = Arc::new(town.store.replica("two"));
    let other = town.watcher_on(other).following(Arc::<MemoryStore>::clone(&town.store), []);
    let mut other = other.hearing(hints.clone());
    town.upstream.list(&[cashin(1, "77", 10)]);
    hints.give([(SourceKind::Cashin, String::from("1"))]);
    tokio::join!(town.watch(&mut holder, MINUTE), town.watch(&mut other, MINUTE));
    assert_eq!(town.cried().await, ["link.paid 10.00"]);
    assert_eq!(town.kept().await, ["cashin/1 ended"]);
}

#[tokio::test(start_paused = true)]
async fn watches_are_put_back_into_a_store_that_was_emptied() {
    let town = Town::new();
    let mut watcher = town.following(&[id(CASHIN, "1")]);
    town.add(LINK, "77", |_| {}).await;
    town.watch(&mut watcher, MINUTE).await;
    town.store.empty();
    town.watch(&mut watcher, MINUTE).await;
    assert_eq!(town.kept().await, ["cashin/1 open", "link/77 open"]);
}

//! Laws of the tempo at which an account is asked, and of accounts that are not read.

use jiff::SignedDuration;

use super::fragile::Fragile;
use super::*;
use crate::domain::watch::{Origin, Watch, WatchId, WatchKind};
use crate::pipeline::watcher::Board;
use crate::sources::Tempo;
use crate::store::Watches as _;

impl Town {
    /// It is nine in the morning, and for a week money came in the evening only.
    fn of_evenings() -> Self {
        let mut town = Self::new();
        town.quiet = MINUTE;
        let evening = |n: u64| sale(n, 10, &format!("2026-11-{:02}T20:15:00", 13 + n / 2));
        town.upstream.list(&(2..16).map(evening).collect::<Vec<_>>());
        town
    }

    fn keeping_time(&self) -> (Watcher, Board) {
        let board = Board::default();
        (self.watcher().following(Arc::<MemoryStore>::clone(&self.store), []).seen_at(board.clone()), board)
    }

    /// How often the days around today are asked within `time`.
    async fn asked_within(&self, watcher: &mut Watcher, time: Duration) -> usize {
        self.upstream.asked.lock().unwrap().clear();
        self.watch(watcher, time).await;
        let asked = self.upstream.asked.lock().unwrap();
        asked.iter().filter(|task| matches!(task, Task::Days { from, to } if from.plus(2) == *to)).count()
    }
}

#[tokio::test(start_paused = true)]
async fn a_quiet_hour_is_asked_less_until_something_comes_in() {
    let town = Town::of_evenings();
    let (mut watcher, board) = town.keeping_time();
    town.watch(&mut watcher, 2 * MINUTE).await;
    assert_eq!(board.standing().map(|standing| standing.tempo), Some(Tempo::Quiet));
    assert_eq!(town.asked_within(&mut watcher, 10 * MINUTE).await, 10, "once a minute");
    let mut rows = town.upstream.rows.lock().unwrap().clone();
    rows.push(sale(99, 10, "2026-11-21T09:12:00"));
    town.upstream.list(&rows);
    town.watch(&mut watcher, 2 * MINUTE).await;
    assert_eq!(town.cried().await, ["credit.received 10.00"]);
    assert_eq!(board.standing().map(|standing| standing.tempo), Some(Tempo::Awake));
    assert_eq!(town.asked_within(&mut watcher, 10 * MINUTE).await, 40, "four times a minute");
    let awake = town.asked_within(&mut watcher, 96 * MINUTE).await;
    assert_eq!(awake, 4 * 96, "until eleven: something came in around ten o'clock");
    assert_eq!(town.asked_within(&mut watcher, 60 * MINUTE).await, 60);
}

#[tokio::test(start_paused = true)]
async fn a_link_that_was_just_made_is_awaited_whatever_the_hour() {
    let town = Town::of_evenings();
    let (mut watcher, board) = town.keeping_time();
    town.watch(&mut watcher, 2 * MINUTE).await;
    let id = WatchId { kind: WatchKind::IssuedQr, id: String::from("77") };
    let made = Watch::new(id, Origin::Created, town.clock.now());
    town.store.put_watches(&AccountName::new(town.name), &[made]).await.unwrap();
    town.watch(&mut watcher, Duration::from_secs(15)).await;
    assert_eq!(board.standing().map(|standing| standing.tempo), Some(Tempo::Expecting));
    assert_eq!(town.asked_within(&mut watcher, 10 * MINUTE).await, 120, "at the cadence of watches");
    town.watch(&mut watcher, 5 * MINUTE).await;
    assert_eq!(town.asked_within(&mut watcher, 10 * MINUTE).await, 40, "who has not paid by now takes time");
    town.watch(&mut watcher, 60 * MINUTE).await;
    assert_eq!(town.asked_within(&mut watcher, 10 * MINUTE).await, 10);
}

#[tokio::test(start_paused = true)]
async fn an_account_that_is_not_read_for_long_is_called_stale_once_and_not_failing() {
    let town = Town::new();
    let (mut watcher, board) = town.keeping_time();
    town.watch(&mut watcher, 10 * MINUTE).await;
    *town.upstream.takes.lock().unwrap() = 90 * MINUTE;
    let reading = town.watch(&mut watcher, 90 * MINUTE);
    assert!(tokio::time::timeout(10 * MINUTE, reading).await.is_err());
    assert_eq!(town.cried().await, ["source.stale"], "in the middle of the reading");
    *town.upstream.takes.lock().unwrap() = Duration::from_millis(20);
    town.watch(&mut watcher, 10 * MINUTE).await;
    assert_eq!(town.cried().await, ["source.stale", "source.recovered"]);
    let standing = board.standing().unwrap();
    assert!(standing.polling && !standing.stale && standing.unread < MINUTE, "{standing:?}");
    assert_eq!(
        standing.read_at.map(|at| town.clock.now().duration_since(at) < SignedDuration::from_mins(1)),
        Some(true)
    );
}

#[tokio::test(start_paused = true)]
async fn a_long_pause_that_the_upstream_asks_for_makes_the_account_stale_over_a_restart_and_then_failing() {
    let town = Town::new();
    let (mut watcher, _) = town.keeping_time();
    town.watch(&mut watcher, 10 * MINUTE).await;
    *town.upstream.pause.lock().unwrap() = Some(60 * MINUTE);
    town.watch(&mut watcher, 30 * MINUTE).await;
    assert_eq!(town.cried().await, ["source.stale"]);
    let (mut watcher, _) = town.keeping_time();
    town.watch(&mut watcher, 30 * MINUTE).await;
    assert_eq!(town.cried().await, ["source.stale"], "a restart says nothing twice");
    *town.upstream.pause.lock().unwrap() = None;
    *town.upstream.failing.lock().unwrap() = true;
    town.watch(&mut watcher, 90 * MINUTE).await;
    assert_eq!(town.cried().await, ["source.stale", "source.failing"], "what was merely late turns out to be broken");
    *town.upstream.failing.lock().unwrap() = false;
    town.watch(&mut watcher, 10 * MINUTE).await;
    assert_eq!(town.cried().await, ["source.stale", "source.failing", "source.recovered"]);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_is_down_makes_no_account_stale() {
    let town = Town::new();
    town.watch(&mut town.watcher(), 10 * MINUTE).await;
    let fragile = Arc::new(Fragile::new(&town.store, 0));
    let mut watcher = town.watcher_on(Arc::<Fragile>::clone(&fragile));
    town.upstream.list(&[sale(1, 10, "2026-11-21T09:12:00")]);
    town.watch(&mut watcher, 60 * MINUTE).await;
    assert_eq!(town.cried().await, Vec::<String>::new());
    // The upstream fails in the very moment in which the store answers again: its time begins there.
    *town.upstream.failing.lock().unwrap() = true;
    town.watch(&mut watcher, MINUTE / 2).await;
    fragile.mend();
    town.watch(&mut watcher, MINUTE / 2).await;
    assert_eq!(town.cried().await, Vec::<String>::new());
    *town.upstream.failing.lock().unwrap() = false;
    town.watch(&mut watcher, 10 * MINUTE).await;
    assert_eq!(town.cried().await, ["credit.received 10.00"]);
}

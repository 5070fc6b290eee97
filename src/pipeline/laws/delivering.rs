//! Laws of the dispatcher.

use super::*;
use crate::domain::account::Partition;
use crate::domain::ledger::Ledger;
use crate::store::{Commit, Committed, Exchange, Settlement, StoreError, Swept, VersionedState, Want};

async fn deliver(town: &Town, ear: &Arc<Ear>, time: Duration) {
    let channel: Arc<dyn Channel> = Arc::<Ear>::clone(ear);
    let desks = vec![(channel, Schedule::default())];
    let store: Arc<dyn Store> = Arc::<MemoryStore>::clone(&town.store);
    let dispatcher = Dispatcher::new(store, Arc::clone(&town.clock), desks, 16, town.nudge.clone(), Arc::new(Nobody));
    let stop = CancellationToken::new();
    let running = tokio::spawn(dispatcher.run(stop.clone(), |_| {}));
    tokio::time::sleep(time).await;
    stop.cancel();
    running.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_committed_is_delivered_in_the_order_of_the_facts() {
    let town = Town::new();
    let mut watcher = town.watcher();
    town.watch(&mut watcher, MINUTE).await;
    let rows: Vec<Row> =
        (1..=4).rev().map(|n| sale(n, i64::try_from(n).unwrap(), &format!("2026-11-21T09:0{n}:00"))).collect();
    town.upstream.list(&rows);
    town.watch(&mut watcher, MINUTE).await;
    let ear = Ear::new("ear");
    deliver(&town, &ear, MINUTE).await;
    let expected: Vec<String> = (1..=4).map(|n| format!("credit.received {n}.00")).collect();
    assert_eq!(ear.heard(), expected);
    assert_eq!(town.store.counts().await.unwrap().pending, 0);
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_tried_again_and_a_park_spends_no_attempt() {
    let town = Town::new();
    let mut watcher = town.watcher();
    town.watch(&mut watcher, MINUTE).await;
    town.upstream.list(&[sale(1, 10, "2026-11-21T09:01:00")]);
    town.watch(&mut watcher, MINUTE).await;
    let ear = Ear::new("ear");
    let later = Outcome::Later { class: FailureClass::Http, retry_after: None };
    let park = Outcome::Park { class: FailureClass::RateLimited, rest: 5 * MINUTE };
    *ear.answers.lock().unwrap() = vec![park.clone(), later, park];
    deliver(&town, &ear, 15 * MINUTE).await;
    assert_eq!(ear.heard(), ["credit.received 10.00"]);
    let view = town
        .store
        .deliveries(&crate::store::DeliveryFilter { limit: 9, ..Default::default() })
        .await
        .unwrap()
        .remove(0);
    assert_eq!((view.attempts, view.state.as_str()), (2, "delivered"));
}

#[tokio::test(start_paused = true)]
async fn a_delivery_that_always_fails_is_dead_after_its_schedule_and_can_be_requeued() {
    let town = Town::new();
    let mut watcher = town.watcher();
    town.watch(&mut watcher, MINUTE).await;
    town.upstream.list(&[sale(1, 10, "2026-11-21T09:01:00")]);
    town.watch(&mut watcher, MINUTE).await;
    let ear = Ear::new("ear");
    let later = Outcome::Later { class: FailureClass::Http, retry_after: None };
    *ear.answers.lock().unwrap() = vec![later; 11];
    deliver(&town, &ear, Duration::from_secs(100 * 3600)).await;
    assert_eq!((ear.heard().len(), town.store.counts().await.unwrap().dead), (0, 1));
    let dead = crate::store::DeliveryFilter { states: vec!["dead"], limit: 9, ..Default::default() };
    assert_eq!(town.store.requeue(&dead, false).await.unwrap(), 1);
    deliver(&town, &ear, MINUTE).await;
    assert_eq!(ear.heard(), ["credit.received 10.00"]);
}

/// How a store's exchanges end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    Good,
    /// Nothing arrives.
    Cut,
    /// All takes effect, and no answer comes back.
    Deaf,
}

/// A store at the end of a line.
#[derive(Debug)]
struct Away {
    inner: Arc<MemoryStore>,
    line: Mutex<Line>,
}

impl Away {
    fn of(town: &Town) -> Arc<Self> {
        Arc::new(Self { inner: Arc::clone(&town.store), line: Mutex::new(Line::Good) })
    }

    fn turns(&self, line: Line) {
        *self.line.lock().unwrap() = line;
    }
}

#[async_trait]
impl Store for Away {
    async fn ledgers(&self, account: &AccountName, partitions: &[Partition]) -> Result<Vec<Ledger>, StoreError> {
        self.inner.ledgers(account, partitions).await
    }

    async fn account(&self, account: &AccountName) -> Result<VersionedState, StoreError> {
        self.inner.account(account).await
    }

    async fn commit(&self, commit: &Commit) -> Result<Committed, StoreError> {
        self.inner.commit(commit).await
    }

    async fn exchange(&self, settlements: &[Settlement], wants: &[Want]) -> Result<Exchange, StoreError> {
        let line = *self.line.lock().unwrap();
        if line == Line::Cut {
            return Err(StoreError::Unavailable("away".to_owned(), None));
        }
        let exchange = self.inner.exchange(settlements, wants).await;
        if line == Line::Good { exchange } else { Err(StoreError::Unavailable("no answer".to_owned(), None)) }
    }

    async fn reclaim(&self) -> Result<u64, StoreError> {
        self.inner.reclaim().await
    }

    async fn acquire(&self, account: &AccountName, time: Duration) -> Result<Option<u64>, StoreError> {
        self.inner.acquire(account, time).await
    }

    async fn release(&self, account: &AccountName) -> Result<(), StoreError> {
        self.inner.release(account).await
    }

    async fn sweep(&self, retention: Duration) -> Result<Swept, StoreError> {
        self.inner.sweep(retention).await
    }

    async fn warnings(&self) -> Result<Vec<String>, StoreError> {
        self.inner.warnings().await
    }
}

/// A dispatcher on such a store, with more to do than its four hands can send at once: each attempt takes 5 ms. Returns
/// when the first attempts are under way, if the line is good.
async fn busy(town: &Town, ear: &Arc<Ear>, line: Line) -> (Arc<Away>, CancellationToken, tokio::task::JoinHandle<()>) {
    let mut watcher = town.watcher();
    town.watch(&mut watcher, MINUTE).await;
    let rows: Vec<Row> = (1..=12).map(|n| sale(n, 10, "2026-11-21T12:00:00")).collect();
    town.upstream.list(&rows);
    town.watch(&mut watcher, MINUTE).await;
    let (store, channel): (_, Arc<dyn Channel>) = (Away::of(town), Arc::<Ear>::clone(ear));
    store.turns(line);
    let desks = vec![(channel, Schedule::default())];
    let dispatcher = Dispatcher::new(
        Arc::<Away>::clone(&store),
        Arc::clone(&town.clock),
        desks,
        16,
        town.nudge.clone(),
        Arc::new(Nobody),
    );
    let stop = CancellationToken::new();
    let running = tokio::spawn(dispatcher.run(stop.clone(), |_| {}));
    tokio::time::sleep(Duration::from_millis(2)).await;
    (store, stop, running)
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_the_store_while_something_was_sent_that_is_not_written_down() {
    let town = Town::new();
    let ear = Ear::new("ear");
    let (store, stop, running) = busy(&town, &ear, Line::Good).await;
    store.turns(Line::Cut);
    stop.cancel();
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(!running.is_finished() && ear.heard().len() == 4, "four were sent, and nothing more is begun");
    store.turns(Line::Good);
    tokio::time::timeout(Duration::from_secs(2), running).await.expect("it is soon noticed").unwrap();
    let counts = town.store.counts().await.unwrap();
    assert_eq!((counts.pending, counts.events), (8, 12), "what was sent is written down, the rest given back");
}

#[tokio::test(start_paused = true)]
async fn leases_whose_answer_was_lost_are_taken_back_before_they_end() {
    let town = Town::new();
    let ear = Ear::new("ear");
    let (store, stop, running) = busy(&town, &ear, Line::Deaf).await;
    assert!(ear.heard().is_empty());
    store.turns(Line::Good);
    // They are leased for 35 s.
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(ear.heard().len(), 12);
    stop.cancel();
    running.await.unwrap();
    assert_eq!(town.store.counts().await.unwrap().pending, 0);
}

//! The laws of the pipeline: scripted sources and channels, the real watcher and dispatcher, a store in memory.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::tz::TimeZone;
use tokio_util::sync::CancellationToken;

use super::Nudge;
use super::announce::Herald;
use super::digest::Policy;
use super::dispatcher::{Dispatcher, Nobody};
use super::watcher::Watcher;
use crate::channels::{Channel, Dispatch, Report};
use crate::clock::{Clock, TokioClock};
use crate::config::{Flood, Poll, Start};
use crate::domain::account::{AccountName, SourceKind, Upstream};
use crate::domain::day::Moment;
use crate::domain::delivery::{FailureClass, Outcome};
use crate::domain::event::Body;
use crate::domain::fact::View;
use crate::domain::money::Money;
use crate::domain::retry::Schedule;
use crate::domain::route::{ChannelKind, DestinationName, Pattern, Route};
use crate::domain::row::{Identity, Label, OperationKind, Payer, References, Row, StatusKind};
use crate::sources::agenda::Agenda;
use crate::sources::{Fingerprint, Reading, Snapshot, Source, SourceError, Task};
use crate::store::memory::MemoryStore;
use crate::store::{Archive as _, EventFilter, Store};

fn zone() -> TimeZone {
    TimeZone::get("America/Argentina/Buenos_Aires").unwrap()
}

/// An upstream that lists these rows.
#[derive(Debug)]
struct Fake {
    account: AccountName,
    rows: Mutex<Vec<Row>>,
    failing: Mutex<bool>,
    clock: Arc<dyn Clock>,
}

impl Fake {
    fn list(&self, rows: &[Row]) {
        *self.rows.lock().unwrap() = rows.to_vec();
    }
}

#[async_trait]
impl Source for Fake {
    fn account(&self) -> &AccountName {
        &self.account
    }

    fn upstream(&self) -> Upstream {
        Upstream::Sipago
    }

    fn listing(&self) -> SourceKind {
        SourceKind::Movements
    }

    async fn prepare(&self) -> Result<(), SourceError> {
        Ok(())
    }

    async fn read(&self, task: &Task, _: Option<Fingerprint>) -> Result<Reading, SourceError> {
        tokio::time::sleep(Duration::from_millis(20)).await;
        if *self.failing.lock().unwrap() {
            return Err(SourceError::Contract("it is broken".into()));
        }
        let (source, all) = (task_source(task), self.rows.lock().unwrap().clone());
        let rows: Vec<Row> = all
            .into_iter()
            .filter(|row| match task {
                Task::Days { from, to } => row.source == source && (*from..=*to).contains(&row.occurred.day()),
                Task::Watched { .. } => row.source == source,
            })
            .collect();
        let snapshot =
            Snapshot { source, read_at: self.clock.now(), paged: false, rows, rejects: Vec::new(), fingerprint: 0 };
        Ok(Reading::Snapshot(snapshot))
    }
}

fn task_source(task: &Task) -> SourceKind {
    match task {
        Task::Days { .. } => SourceKind::Movements,
        Task::Watched { source, .. } => *source,
    }
}

/// A destination that answers as scripted and remembers what it took.
#[derive(Debug)]
struct Ear {
    name: DestinationName,
    heard: Mutex<Vec<String>>,
    answers: Mutex<Vec<Outcome>>,
}

impl Ear {
    fn new(name: &str) -> Arc<Self> {
        Arc::new(Self { name: DestinationName::new(name), heard: Mutex::default(), answers: Mutex::default() })
    }

    fn heard(&self) -> Vec<String> {
        self.heard.lock().unwrap().clone()
    }
}

#[async_trait]
impl Channel for Ear {
    fn name(&self) -> &DestinationName {
        &self.name
    }

    fn kind(&self) -> ChannelKind {
        ChannelKind::Webhook
    }

    fn timeout(&self) -> Duration {
        Duration::from_secs(10)
    }

    fn in_flight(&self) -> usize {
        4
    }

    async fn send(&self, dispatch: &Dispatch) -> Report {
        tokio::time::sleep(Duration::from_millis(5)).await;
        let outcome = self.answers.lock().unwrap().pop().unwrap_or(Outcome::Accepted);
        if outcome == Outcome::Accepted {
            let amount = match &dispatch.event.body {
                Body::Payment(payment) => payment.amount.to_string(),
                Body::Notice(_) => String::new(),
            };
            self.heard.lock().unwrap().push(format!("{} {amount}", dispatch.event.kind).trim().to_owned());
        }
        Report { outcome, status: None, detail: String::new() }
    }
}

/// A town with one account and any number of watchers over one store.
struct Town {
    clock: Arc<dyn Clock>,
    store: Arc<MemoryStore>,
    upstream: Arc<Fake>,
    nudge: Nudge,
    policy: Policy,
    watches: Vec<(SourceKind, String)>,
    patterns: Vec<&'static str>,
}

const MORNING: &str = "2026-11-21T12:00:00Z";

impl Town {
    fn new() -> Self {
        let clock: Arc<dyn Clock> = Arc::new(TokioClock::starting_at(MORNING.parse().unwrap(), 7));
        let upstream = Fake {
            account: AccountName::new("palermo"),
            rows: Mutex::default(),
            failing: Mutex::new(false),
            clock: Arc::clone(&clock),
        };
        Self {
            store: Arc::new(MemoryStore::new("one", Arc::clone(&clock))),
            upstream: Arc::new(upstream),
            nudge: Nudge::default(),
            policy: Policy {
                start: Start::Now,
                lookback_days: 30,
                flood: Flood { limit: 5, older_than: Duration::from_secs(3600) },
                remember: Duration::from_secs(45 * 86_400),
            },
            watches: Vec::new(),
            patterns: vec!["*", "system.*"],
            clock,
        }
    }

    fn watcher_on(&self, store: Arc<dyn Store>) -> Watcher {
        let route = Route {
            destination: DestinationName::new("ear"),
            channel: ChannelKind::Webhook,
            patterns: self.patterns.iter().map(|text| Pattern::parse(text).unwrap()).collect(),
            accounts: Vec::new(),
        };
        let herald = Herald {
            account: AccountName::new("palermo"),
            upstream: Upstream::Sipago,
            zone: zone(),
            late_after: Duration::from_secs(3600),
            sandbox: false,
            routes: vec![route].into(),
        };
        let secs = Duration::from_secs;
        let poll = Poll { hot: secs(15), warm: secs(900), cold: secs(86_400), watch: secs(5) };
        let agenda = Agenda::new(poll, self.policy.lookback_days, self.watches.clone());
        let source = Arc::clone(&self.upstream) as Arc<dyn Source>;
        let clock = Arc::clone(&self.clock);
        Watcher::new(store, source, clock, herald, self.policy, agenda, self.nudge.clone(), Arc::new(Nobody))
    }

    fn watcher(&self) -> Watcher {
        self.watcher_on(Arc::clone(&self.store) as Arc<dyn Store>)
    }

    /// Steps a watcher through `time`.
    async fn watch(&self, watcher: &mut Watcher, time: Duration) {
        let end = tokio::time::Instant::now() + time;
        while tokio::time::Instant::now() < end {
            let wait = watcher.step().await;
            tokio::time::sleep(wait.min(end.saturating_duration_since(tokio::time::Instant::now()))).await;
        }
    }

    /// Everything announced, oldest first, as `type amount`.
    async fn cried(&self) -> Vec<String> {
        let filter = EventFilter { limit: 10_000, ..EventFilter::default() };
        let mut events = self.store.events(&filter).await.unwrap();
        events.reverse();
        let word = |event: &Arc<crate::domain::event::Event>| match &event.body {
            Body::Payment(payment) => format!("{} {}", event.kind, payment.amount),
            Body::Notice(_) => event.kind.to_string(),
        };
        events.iter().map(word).collect()
    }
}

fn sale(id: u64, pesos: i64, time: &str) -> Row {
    Row {
        source: SourceKind::Movements,
        identity: Identity::Keyed(id.to_string()),
        view: View::Sale { refunded: false, voided: false },
        occurred: Moment::read(time, &[], &zone()).unwrap(),
        amount: Money::from_cents(pesos * 100),
        status: Label { kind: StatusKind::Approved, raw: String::new() },
        operation: Label { kind: OperationKind::Credit, raw: "Venta".into() },
        payer: Payer::default(),
        references: References {
            payment_id: Some(format!("p{id}")),
            sale_id: Some(format!("s{id}")),
            ..References::default()
        },
    }
}

fn flagged(mut row: Row) -> Row {
    row.view = View::Sale { refunded: true, voided: false };
    row
}

fn refund_row(id: u64, of: u64, pesos: i64, time: &str) -> Row {
    let mut row = sale(id, pesos, time);
    row.view = View::RefundOfSale;
    // As upstreams may do: a payment of its own, and only the sale in common.
    row.references.sale_id = Some(format!("s{of}"));
    row
}

fn order_payment(of: u64, refunded: bool) -> Row {
    let mut row = sale(of, 10, "2026-11-21T08:00:00");
    row.source = SourceKind::Links;
    row.identity = Identity::Keyed(format!("payment:p{of}"));
    row.view = View::OrderPayment { paid: true, refunded };
    row.references.sale_id = None;
    row
}

const MINUTE: Duration = Duration::from_secs(60);

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

async fn deliver(town: &Town, ear: &Arc<Ear>, time: Duration) {
    let channel = Arc::clone(ear) as Arc<dyn Channel>;
    let desks = vec![(channel, Schedule::default())];
    let store = Arc::clone(&town.store) as Arc<dyn Store>;
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

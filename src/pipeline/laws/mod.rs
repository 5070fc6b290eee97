//! The laws of the pipeline: scripted sources and channels, the real watcher and dispatcher, a store in memory.

mod closing;
mod delivering;
mod deposits;
mod follow;
mod fragile;
mod history;
mod market;
mod newest;
mod pace;
mod pairing;
mod watches;
mod watching;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use jiff::tz::TimeZone;
use tokio_util::sync::CancellationToken;

use super::Nudge;
use super::announce::Herald;
use super::dispatcher::{Dispatcher, Nobody};
use super::watcher::Watcher;
use crate::channels::{Channel, Dispatch, Report};
use crate::clock::{Clock, TokioClock};
use crate::config::{Flood, Poll, Start};
use crate::domain::account::{AccountName, SourceKind, Upstream};
use crate::domain::closing::Nightly;
use crate::domain::day::{Day, Moment};
use crate::domain::delivery::{FailureClass, Outcome};
use crate::domain::event::Body;
use crate::domain::fact::View;
use crate::domain::ledger::IDENTITY_VERSION;
use crate::domain::money::Money;
use crate::domain::policy::Policy;
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
    /// What its listing is called.
    listing: Mutex<SourceKind>,
    /// Filters in a zone of its own: it lists everything, whatever days are asked for.
    leaks: Mutex<bool>,
    /// What it answers to every question but the nightly one: a cache in front of it is out of date.
    stale: Mutex<Option<Vec<Row>>>,
    /// It answers for so many days at once at most.
    most_days: Mutex<Option<i64>>,
    /// How long a reading takes.
    takes: Mutex<Duration>,
    /// How long the login takes.
    prepares: Mutex<Duration>,
    /// It asks for that long a pause instead of answering.
    pause: Mutex<Option<Duration>>,
    /// What it was asked.
    asked: Mutex<Vec<Task>>,
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
        *self.listing.lock().unwrap()
    }

    async fn prepare(&self) -> Result<(), SourceError> {
        let prepares = *self.prepares.lock().unwrap();
        tokio::time::sleep(prepares).await;
        Ok(())
    }

    async fn read(&self, task: &Task, _: Option<Fingerprint>) -> Result<Reading, SourceError> {
        self.asked.lock().unwrap().push(task.clone());
        let takes = *self.takes.lock().unwrap();
        tokio::time::sleep(takes).await;
        if let Some(pause) = *self.pause.lock().unwrap() {
            return Err(SourceError::SlowDown { status: 429, retry_after: Some(pause) });
        }
        let most_days = *self.most_days.lock().unwrap();
        let too_long = matches!(task, Task::Days { from, to } if most_days.is_some_and(|most| from.plus(most) <= *to));
        if too_long || *self.failing.lock().unwrap() {
            return Err(SourceError::Contract("it is broken".into()));
        }
        let leaks = *self.leaks.lock().unwrap();
        let (source, mut all) = (task_source(task, self.listing()), self.rows.lock().unwrap().clone());
        let today = Day::of(self.clock.now(), &zone());
        if let (Task::Days { to, .. }, Some(stale)) = (task, self.stale.lock().unwrap().clone())
            && *to > today
        {
            all = stale;
        }
        let rows: Vec<Row> = all
            .into_iter()
            .filter(|row| match task {
                Task::Days { from, to } => {
                    row.source == source && (leaks || (*from..=*to).contains(&row.occurred.day()))
                }
                Task::Watched { .. } => row.source == source,
            })
            .collect();
        Ok(Reading::Snapshot(Snapshot::whole(source, self.clock.now(), rows, Vec::new(), 0)))
    }
}

fn task_source(task: &Task, listing: SourceKind) -> SourceKind {
    match task {
        Task::Days { .. } => listing,
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
pub(super) struct Town {
    clock: Arc<dyn Clock>,
    store: Arc<MemoryStore>,
    upstream: Arc<Fake>,
    nudge: Nudge,
    policy: Policy,
    name: &'static str,
    nightly: Option<Nightly>,
    hot: Duration,
    quiet: Duration,
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
            listing: Mutex::new(SourceKind::Movements),
            leaks: Mutex::new(false),
            stale: Mutex::new(None),
            most_days: Mutex::default(),
            takes: Mutex::new(Duration::from_millis(20)),
            prepares: Mutex::default(),
            pause: Mutex::default(),
            asked: Mutex::default(),
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
                identity: IDENTITY_VERSION,
            },
            name: "palermo",
            nightly: None,
            hot: Duration::from_secs(15),
            quiet: Duration::ZERO,
            watches: Vec::new(),
            patterns: vec!["*", "system.*"],
            clock,
        }
    }

    fn herald(&self) -> Herald {
        let route = Route {
            destination: DestinationName::new("ear"),
            channel: ChannelKind::Webhook,
            patterns: self.patterns.iter().map(|text| Pattern::parse(text).unwrap()).collect(),
            accounts: Vec::new(),
        };
        Herald {
            account: AccountName::new(self.name),
            upstream: Upstream::Sipago,
            zone: zone(),
            late_after: Duration::from_secs(3600),
            sandbox: false,
            routes: vec![route].into(),
        }
    }

    fn watcher_on(&self, store: Arc<dyn Store>) -> Watcher {
        self.watcher_of(store, Arc::<Fake>::clone(&self.upstream))
    }

    fn watcher_of(&self, store: Arc<dyn Store>, source: Arc<dyn Source>) -> Watcher {
        let herald = self.herald();
        let secs = Duration::from_secs;
        let poll = Poll {
            hot: self.hot,
            quiet: self.quiet.max(self.hot),
            warm: secs(900),
            cold: secs(86_400),
            watch: secs(5),
        };
        let agenda = Agenda::new(poll, self.policy.lookback_days, self.watches.clone());
        let clock = Arc::clone(&self.clock);
        let nudge = self.nudge.clone();
        let watcher = Watcher::new(store, source, clock, herald, self.policy, agenda, nudge, Arc::new(Nobody));
        match self.nightly {
            Some(nightly) => watcher.closing_days(Arc::<MemoryStore>::clone(&self.store), nightly),
            None => watcher,
        }
    }

    fn watcher(&self) -> Watcher {
        self.watcher_on(Arc::<MemoryStore>::clone(&self.store))
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

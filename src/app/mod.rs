//! The composition root: the only place that names every concrete type.

mod beside;
mod reports;
mod standings;
mod stores;
mod upstreams;

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use tokio::net::TcpListener;
use tracing::{debug, info, warn};

use crate::api::hints::Desk;
pub use crate::api::watch_json;
use crate::api::{ApiState, Health, WatchDesk};
pub use crate::channels::Channel;
use crate::channels::build;
use crate::clock::Clock;
pub use crate::clock::SystemClock;
use crate::config::{AccountConfig, Backend, Config, Detail, FollowConfig, StoreConfig};
use crate::domain::account::{SourceKind, Upstream};
use crate::domain::delivery::{Attempt, Verdict};
use crate::domain::event::Event;
use crate::domain::ledger::IDENTITY_VERSION;
use crate::domain::policy::Policy;
use crate::domain::retry::Schedule;
use crate::domain::route::Route;
use crate::domain::watch::{WatchId, WatchKind};
use crate::http::{ReqwestTransport, Transport};
pub use crate::lifecycle::Lifecycle;
use crate::pipeline::Nudge;
use crate::pipeline::announce::Herald;
use crate::pipeline::dispatcher::Dispatcher;
pub use crate::pipeline::dispatcher::Witness;
use crate::pipeline::hints::Hints;
use crate::pipeline::janitor::Janitor;
pub use crate::pipeline::report::{Report, ReportError, Reporter};
pub use crate::pipeline::watcher::Listener;
use crate::pipeline::watcher::{Board, Watcher};
use crate::sources::Source;
use crate::sources::agenda::Agenda;
use crate::sources::sipago::{PAID_DEPOSITS, SipagoSource};
use crate::sources::telepagos::TelepagosSource;
use crate::store::embedded::EmbeddedStore;
use crate::store::redis::RedisStore;
use crate::store::{Archive, Store, StoreError, Watches};

use self::standings::{permits, places};

pub use self::reports::report;
pub use self::stores::{check_store, copy_store, open_payouts, open_watches, watch};
pub use self::upstreams::{probe, sipago, telepagos};

// What the commands need of the other folders, so that they know only this one.
pub use crate::channels::Dispatch;
pub use crate::channels::text::view::pesos;
pub use crate::clock::Stopwatch;
pub use crate::http::install_crypto;
pub use crate::pipeline::dispatcher::Nobody;
pub use crate::sources::probe::{Call as ProbeCall, Probe, Verdict as ProbeVerdict};
pub use crate::sources::sipago::client::{
    Deposit, DepositState, Movement, Order, OrderLinkRequest, Qr as SipagoQr, SipagoClient,
};
pub use crate::sources::telepagos::client as telepagos_calls;
pub use crate::sources::{Amount, CallError, Personal, SourceError};
pub use crate::store::copy::{Kind as CopyKind, Step as CopyStep, Sum as CopySum, Summary as CopySummary};
pub use crate::store::{Announcement, Counts, DeliveryFilter, DeliveryView, EventFilter, Lease, RejectView};
pub use crate::store::{FollowError, Payouts};
pub use crate::telemetry::init as log_to_stderr;

/// Attempts at once over all destinations; each has its own cap below.
const ATTEMPTS_AT_ONCE: usize = 256;

/// Ledgers are remembered for the look-back and this long more, so that identity outlives all that can be listed.
const MARGIN: Duration = Duration::from_secs(15 * 86_400);

/// The wall clock, for commands that need a time once.
pub fn now() -> Timestamp {
    SystemClock.now()
}

/// An opened store in both views.
#[derive(Clone, Debug)]
pub struct Opened {
    /// The pipeline's.
    pub store: Arc<dyn Store>,
    /// The operator's.
    pub archive: Arc<dyn Archive>,
    /// What the accounts were asked to follow.
    pub watches: Arc<dyn Watches>,
}

/// Who watches the daemon at work.
#[derive(Clone, Debug)]
pub struct Witnesses {
    /// Of commits.
    pub listener: Arc<dyn Listener>,
    /// Of attempts.
    pub witness: Arc<dyn Witness>,
}

/// Opens the store to write.
///
/// # Errors
/// See [`StoreError`].
pub async fn open_store(config: &StoreConfig) -> Result<Opened, StoreError> {
    match &config.backend {
        Backend::Embedded(path) => {
            let store = Arc::new(EmbeddedStore::open(path, &config.instance)?);
            let (watches, archive) = (Arc::<EmbeddedStore>::clone(&store), Arc::<EmbeddedStore>::clone(&store));
            Ok(Opened { store, archive, watches })
        }
        Backend::Redis(url) => {
            let store = Arc::new(RedisStore::connect(config, url).await?);
            let (watches, archive) = (Arc::<RedisStore>::clone(&store), Arc::<RedisStore>::clone(&store));
            Ok(Opened { store, archive, watches })
        }
    }
}

/// Opens the store for an operator's command; the embedded one may be in use by the daemon.
///
/// # Errors
/// See [`StoreError`].
pub async fn open_archive(config: &StoreConfig) -> Result<Arc<dyn Archive>, StoreError> {
    match &config.backend {
        Backend::Embedded(path) => Ok(Arc::new(EmbeddedStore::open_reader(path)?)),
        Backend::Redis(url) => Ok(Arc::new(RedisStore::connect(config, url).await?)),
    }
}

/// Every destination of the configuration.
///
/// # Errors
/// When a destination cannot be built, such as an unreadable authority file.
pub fn channels(config: &Config) -> anyhow::Result<Vec<Arc<dyn Channel>>> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    build::build_all(config, &clock).context("a destination cannot be built")
}

/// An event as webhooks see it in full.
pub fn event_json(event: &Event) -> serde_json::Value {
    let body = crate::channels::webhook::payload::body(event, Detail::Full);
    body.and_then(|body| serde_json::from_slice(&body)).unwrap_or_default()
}

/// Starts the daemon's loops on a lifecycle: everything is open, bound and read when this returns.
///
/// # Errors
/// When the store, the listener or a destination cannot be opened.
pub async fn start(config: &Arc<Config>, lifecycle: &Lifecycle, witnesses: Witnesses) -> anyhow::Result<Opened> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let opened = open_store(&config.store).await.context("the store cannot be opened")?;
    for warning in opened.store.warnings().await? {
        warn!("{warning}");
    }
    let reclaimed = opened.store.reclaim().await?;
    if reclaimed > 0 {
        info!(deliveries = reclaimed, "taken over from the run before, which did not end in order");
    }
    let channels = build::build_all(config, &clock).context("a destination cannot be built")?;
    let health = Arc::new(Health::default());
    let nudge = Nudge::default();
    let transport: Arc<dyn Transport> = Arc::new(ReqwestTransport::new().context("the HTTP client cannot be built")?);
    let sources = sources(config, |_| Arc::clone(&transport), &clock);
    let watches = WatchDesk::new(Arc::clone(config), Arc::clone(&opened.watches), Arc::clone(&clock));
    let (hearts, places, eye) = (lifecycle.heartbeats(), places(&sources), Arc::clone(&clock));
    let state = ApiState::new(Arc::clone(&health), move || hearts.dead())
        .with_hints(desks(&sources))
        .with_watches(watches)
        .with_sources(move || places.iter().map(|place| place.view(&*eye)).collect())
        .with_permits(permits(&sources));
    listen(config, lifecycle, &health, state).await?;
    info!(accounts = sources.len(), destinations = channels.len(), store.instance = %config.store.instance, "ready");
    let readiness = Arc::new(Readiness { health: Arc::clone(&health), next: witnesses });
    let listener: Arc<dyn Listener> = Arc::<Readiness>::clone(&readiness);
    dispatch(config, lifecycle, &opened, &clock, channels, &nudge, readiness);
    spawn_watchers(config, lifecycle, &opened, &clock, sources, &nudge, &listener);
    let janitor = Janitor::new(Arc::clone(&opened.store), config.retention);
    let (stop, heart) = (lifecycle.stop_token(), lifecycle.heartbeats().register("janitor"));
    lifecycle.spawn("janitor", janitor.run(stop, move |wait| heart.rest(wait)));
    health.serving();
    Ok(opened)
}

/// Tells `/ready` whether the store answers, and passes on the rest.
#[derive(Debug)]
struct Readiness {
    health: Arc<Health>,
    next: Witnesses,
}

impl Listener for Readiness {
    fn announced(&self, announcement: &Announcement) {
        self.next.listener.announced(announcement);
    }

    fn store_answers(&self, answers: bool) {
        self.health.store_answers(answers);
    }
}

impl Witness for Readiness {
    fn attempted(&self, lease: &Lease, channel: &dyn Channel, attempt: &Attempt, verdict: &Verdict) {
        self.next.witness.attempted(lease, channel, attempt, verdict);
    }

    fn store_answers(&self, answers: bool) {
        self.health.store_answers(answers);
    }
}

async fn listen(config: &Config, lifecycle: &Lifecycle, health: &Arc<Health>, state: ApiState) -> anyhow::Result<()> {
    let Some(address) = config.http.listen else { return Ok(()) };
    let listener =
        TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address} (`http.listen`)"))?;
    let (stop, health) = (lifecycle.stop_token(), Arc::clone(health));
    lifecycle.spawn("http", async move {
        let draining = async move {
            stop.cancelled().await;
            health.draining();
        };
        crate::api::serve(listener, state, draining).await;
    });
    Ok(())
}

fn dispatch(
    config: &Config,
    lifecycle: &Lifecycle,
    opened: &Opened,
    clock: &Arc<dyn Clock>,
    channels: Vec<Arc<dyn Channel>>,
    nudge: &Nudge,
    witness: Arc<dyn Witness>,
) {
    let schedules = schedules(config);
    let with_schedule = |channel: Arc<dyn Channel>| {
        let schedule =
            schedules.iter().find(|(name, _)| *name == channel.name().as_str()).map(|(_, schedule)| schedule.clone());
        (channel, schedule.unwrap_or_default())
    };
    let desks = channels.into_iter().map(with_schedule).collect();
    let dispatcher =
        Dispatcher::new(Arc::clone(&opened.store), Arc::clone(clock), desks, ATTEMPTS_AT_ONCE, nudge.clone(), witness);
    let (stop, heart) = (lifecycle.stop_token(), lifecycle.heartbeats().register("dispatcher"));
    lifecycle.spawn("dispatcher", dispatcher.run(stop, move |wait| heart.rest(wait)));
}

fn schedules(config: &Config) -> Vec<(&str, Schedule)> {
    let webhooks = config.webhook.iter().map(|webhook| &webhook.common);
    let mails = config.email.iter().map(|email| &email.common);
    let chats = config.telegram.iter().map(|telegram| &telegram.common);
    webhooks.chain(mails).chain(chats).map(|common| (common.name.as_str(), common.retry.clone())).collect()
}

struct Account<'a> {
    config: &'a AccountConfig,
    source: Arc<dyn Source>,
    /// What is followed whatever is kept in the store.
    always: Vec<(SourceKind, String)>,
    /// The watches of the configuration.
    watches: Vec<WatchId>,
    follow: Option<FollowConfig>,
    hints: Hints,
    board: Board,
}

/// A desk for each account whose configuration takes hints.
fn desks(accounts: &[Account<'_>]) -> Vec<Desk> {
    let desk = |account: &Account<'_>| {
        let (hints, name) = (account.hints.clone(), account.config.name.clone());
        let give = move |ids: Vec<(SourceKind, String)>| {
            let dropped = hints.give(ids);
            if dropped > 0 {
                debug!(account.name = %name, hint.ids = dropped, "more ids are hinted at than can be followed; the listing brings their payments");
            }
        };
        Some(Desk::new(account.config.name.clone(), account.config.hints.clone()?, give))
    };
    accounts.iter().filter_map(desk).collect()
}

fn sources<'a>(
    config: &'a Config,
    way: impl Fn(&AccountConfig) -> Arc<dyn Transport>,
    clock: &Arc<dyn Clock>,
) -> Vec<Account<'a>> {
    let telepagos = config.telepagos.iter().map(|account| {
        let source = TelepagosSource::new(account.clone(), way(&account.common), Arc::clone(clock));
        let watch = |id: &u64| WatchId { kind: WatchKind::Cashin, id: id.to_string() };
        let watches = account.watch_cashin.iter().map(watch).collect();
        let (always, hints, board) = (Vec::new(), Hints::default(), Board::default());
        Account {
            config: &account.common,
            source: Arc::new(source),
            always,
            watches,
            follow: account.follow,
            hints,
            board,
        }
    });
    let sipago = config.sipago.iter().map(|account| {
        let source = SipagoSource::new(account.clone(), way(&account.common), Arc::clone(clock));
        let watch = |uuid: &String| WatchId { kind: WatchKind::Order, id: uuid.clone() };
        let watches = account.watch_links.iter().map(watch).collect();
        let always = account.deposits.then(|| (SourceKind::Deposits, PAID_DEPOSITS.to_owned())).into_iter().collect();
        Account {
            config: &account.common,
            source: Arc::new(source),
            always,
            watches,
            follow: None,
            hints: Hints::default(),
            board: Board::default(),
        }
    });
    telepagos.chain(sipago).collect()
}

fn herald(config: &Config, account: &AccountConfig, upstream: Upstream, routes: &Arc<[Route]>) -> Herald {
    Herald {
        account: account.name.clone(),
        upstream,
        zone: account.zone.clone(),
        late_after: config.late_after,
        sandbox: account.sandbox,
        routes: Arc::clone(routes),
    }
}

fn policy(config: &Config, account: &AccountConfig) -> Policy {
    let lookback = Duration::from_secs(u64::from(account.lookback_days) * 86_400);
    Policy {
        start: account.start,
        lookback_days: account.lookback_days,
        flood: config.flood,
        remember: lookback + MARGIN,
        identity: IDENTITY_VERSION,
    }
}

fn spawn_watchers(
    config: &Config,
    lifecycle: &Lifecycle,
    opened: &Opened,
    clock: &Arc<dyn Clock>,
    accounts: Vec<Account<'_>>,
    nudge: &Nudge,
    listener: &Arc<dyn Listener>,
) {
    let routes: Arc<[Route]> = config.routes().into();
    for Account { config: account, source, always, watches, follow, hints, board } in accounts {
        let herald = herald(config, account, source.upstream(), &routes);
        let policy = policy(config, account);
        let agenda = Agenda::new(account.poll, account.lookback_days, always).within(account.rate);
        let agenda = match follow {
            Some(FollowConfig { from, ahead }) => agenda.following(from, ahead),
            None => agenda,
        };
        let watcher = Watcher::new(
            Arc::clone(&opened.store),
            source,
            Arc::clone(clock),
            herald,
            policy,
            agenda,
            nudge.clone(),
            Arc::clone(listener),
        )
        .hearing(hints)
        .seen_at(board)
        .following(Arc::clone(&opened.watches), watches);
        let watcher = match config.reconcile {
            Some(nightly) => watcher.closing_days(Arc::clone(&opened.archive), nightly),
            None => watcher,
        };
        let name = format!("watcher {}", account.name);
        let (stop, heart) = (lifecycle.stop_token(), lifecycle.heartbeats().register(name.clone()));
        lifecycle.spawn(name, watcher.run(stop, move |wait| heart.rest(wait)));
    }
}

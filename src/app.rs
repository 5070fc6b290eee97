//! The composition root: the only file that names every concrete type.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::net::TcpListener;
use tracing::{debug, info, warn};

use crate::api::hints::Desk;
use crate::api::{ApiState, Health};
pub use crate::channels::Channel;
use crate::channels::build;
use crate::clock::Clock;
pub use crate::clock::SystemClock;
use crate::config::{AccountConfig, Backend, Config, Detail, StoreConfig, TelepagosAccount};
use crate::domain::account::{AccountName, SourceKind, Upstream};
use crate::domain::day::Day;
use crate::domain::delivery::{Attempt, Verdict};
use crate::domain::event::Event;
use crate::domain::ledger::IDENTITY_VERSION;
use crate::domain::policy::Policy;
use crate::domain::retry::Schedule;
use crate::domain::route::Route;
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
use crate::pipeline::watcher::Watcher;
use crate::sources::Source;
use crate::sources::agenda::Agenda;
use crate::sources::sipago::{PAID_DEPOSITS, SipagoSource};
use crate::sources::telepagos::TelepagosSource;
use crate::sources::telepagos::client::TelepagosClient;
use crate::store::embedded::{EmbeddedArchive, EmbeddedStore};
use crate::store::redis::RedisStore;
use crate::store::{Archive, Recall, Store, StoreError, copy};

// What the commands need of the other folders, so that they know only this one.
pub use crate::channels::Dispatch;
pub use crate::channels::text::view::pesos;
pub use crate::clock::Stopwatch;
pub use crate::http::install_crypto;
pub use crate::pipeline::dispatcher::Nobody;
pub use crate::sources::telepagos::client as telepagos_calls;
pub use crate::sources::{Amount, CallError, Personal, SourceError};
pub use crate::store::Payouts;
pub use crate::store::copy::{Kind as CopyKind, Step as CopyStep, Sum as CopySum, Summary as CopySummary};
pub use crate::store::{Announcement, Counts, DeliveryFilter, DeliveryView, EventFilter, Lease, RejectView};
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
            Ok(Opened { store: Arc::<EmbeddedStore>::clone(&store), archive: store })
        }
        Backend::Redis(url) => {
            let store = Arc::new(RedisStore::connect(config, url).await?);
            Ok(Opened { store: Arc::<RedisStore>::clone(&store), archive: store })
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

/// Opens the store for cash-outs; the embedded one may be in use by the daemon. With `create` a file that is not there
/// is made, and named.
///
/// # Errors
/// See [`StoreError`].
pub async fn open_payouts(
    config: &StoreConfig,
    create: bool,
) -> Result<(Arc<dyn Payouts>, Option<PathBuf>), StoreError> {
    match &config.backend {
        Backend::Embedded(path) => {
            let new = (create && !path.exists()).then(|| EmbeddedStore::open(path, &config.instance)).transpose()?;
            let made = new.map(|_| std::path::absolute(path).unwrap_or_else(|_| path.clone()));
            Ok((Arc::new(EmbeddedStore::open_reader(path)?), made))
        }
        Backend::Redis(url) => Ok((Arc::new(RedisStore::connect(config, url).await?), None)),
    }
}

/// The client of an account, for one command. Its gate is its own: it keeps to the account's rate and knows nothing of
/// what a daemon asks at the same time.
///
/// # Errors
/// When the HTTP client cannot be built.
pub fn telepagos(account: &TelepagosAccount) -> anyhow::Result<TelepagosClient> {
    let transport: Arc<dyn Transport> = Arc::new(ReqwestTransport::new().context("the HTTP client cannot be built")?);
    Ok(TelepagosClient::new(account.clone(), transport, Arc::new(SystemClock)))
}

/// The report of a day, account by account; `day` gives the day in an account's zone. With `ask` each upstream is read
/// once, within the account's rate; one that does not answer spoils only its own report.
///
/// # Errors
/// When the store cannot be read.
pub async fn report(
    config: &Config,
    only: Option<&AccountName>,
    day: impl Fn(&TimeZone) -> Day,
    ask: bool,
) -> anyhow::Result<Vec<(AccountName, Day, Result<Report, ReportError>)>> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (recall, archive) = open_to_read(&config.store).await?;
    let transport: Arc<dyn Transport> = Arc::new(ReqwestTransport::new().context("the HTTP client cannot be built")?);
    let routes: Arc<[Route]> = Vec::new().into();
    let mut reports = Vec::new();
    for Account { config: account, source, .. } in sources(config, &transport, &clock) {
        if only.is_some_and(|only| *only != account.name) {
            continue;
        }
        let reporter = Reporter {
            recall: Arc::clone(&recall),
            archive: Arc::clone(&archive),
            herald: herald(config, account, source.upstream(), &routes),
            policy: policy(config, account),
        };
        let day = day(&account.zone);
        let report = if ask {
            reporter.checked(day, source.as_ref(), clock.now()).await
        } else {
            reporter.announced(day).await.map_err(ReportError::Store)
        };
        reports.push((account.name.clone(), day, report));
    }
    Ok(reports)
}

/// Opens the store to look at it; the embedded one may be in use by the daemon.
async fn open_to_read(config: &StoreConfig) -> Result<(Arc<dyn Recall>, Arc<dyn Archive>), StoreError> {
    match &config.backend {
        Backend::Embedded(path) => {
            let archive = Arc::new(EmbeddedStore::open_reader(path)?);
            Ok((Arc::<EmbeddedArchive>::clone(&archive), archive))
        }
        Backend::Redis(url) => {
            let store = Arc::new(RedisStore::connect(config, url).await?);
            Ok((Arc::<RedisStore>::clone(&store), store))
        }
    }
}

/// One side of a copy.
#[derive(Debug)]
enum Side {
    Embedded(Box<EmbeddedStore>),
    Redis(Box<RedisStore>),
}

/// Copies everything from one store to another, which is empty or holds a part of the same copy.
///
/// Cancel-safety: may be dropped at any time and called again.
///
/// # Errors
/// In words for the operator; see [`copy::CopyError`].
pub async fn copy_store(
    from: &StoreConfig,
    to: &StoreConfig,
    watch: &mut (dyn FnMut(copy::Step) + Send),
) -> Result<copy::Summary, copy::CopyError> {
    let in_source = |error| copy::CopyError::Store("the source", error);
    let in_target = |error| copy::CopyError::Store("the target", error);
    let (source, name) = match &from.backend {
        Backend::Embedded(path) => {
            let store = EmbeddedStore::open_source(path).map_err(in_source)?;
            let whole = path.canonicalize().unwrap_or_else(|_| path.clone());
            (Side::Embedded(Box::new(store)), format!("file {}", whole.display()))
        }
        Backend::Redis(url) => {
            let store = RedisStore::connect_source(from, url).await.map_err(in_source)?;
            let name = format!("redis at {}", store.place());
            (Side::Redis(Box::new(store)), name)
        }
    };
    let target = match &to.backend {
        Backend::Embedded(path) => Side::Embedded(Box::new(EmbeddedStore::open_target(path).map_err(in_target)?)),
        Backend::Redis(url) => Side::Redis(Box::new(RedisStore::connect_target(to, url).await.map_err(in_target)?)),
    };
    match (&source, &target) {
        (Side::Embedded(source), Side::Embedded(target)) => copy::copy(&**source, &**target, &name, now(), watch).await,
        (Side::Embedded(source), Side::Redis(target)) => copy::copy(&**source, &**target, &name, now(), watch).await,
        (Side::Redis(source), Side::Embedded(target)) => copy::copy(&**source, &**target, &name, now(), watch).await,
        (Side::Redis(source), Side::Redis(target)) => copy::copy(&**source, &**target, &name, now(), watch).await,
    }
}

/// Why a store could never be opened, as far as that shows without opening it; for `check`.
///
/// # Errors
/// In words for the operator, with what to do.
pub fn check_store(config: &StoreConfig) -> Result<(), String> {
    match &config.backend {
        Backend::Redis(url) => RedisStore::check(config, url).map_err(|error| error.to_string()),
        Backend::Embedded(path) => match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            Some(folder) if !folder.is_dir() => {
                Err(format!("store.url: there is no folder {}; create it, or name another", folder.display()))
            }
            Some(_) | None => Ok(()),
        },
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
pub async fn start(config: &Config, lifecycle: &Lifecycle, witnesses: Witnesses) -> anyhow::Result<Opened> {
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
    let sources = sources(config, &transport, &clock);
    listen(config, lifecycle, &health, desks(&sources)).await?;
    info!(accounts = sources.len(), destinations = channels.len(), store.instance = %config.store.instance, "ready");
    let readiness = Arc::new(Readiness { health: Arc::clone(&health), next: witnesses });
    let listener: Arc<dyn Listener> = Arc::<Readiness>::clone(&readiness);
    dispatch(config, lifecycle, &opened, &clock, channels, &nudge, readiness);
    watch(config, lifecycle, &opened, &clock, sources, &nudge, &listener);
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

async fn listen(config: &Config, lifecycle: &Lifecycle, health: &Arc<Health>, desks: Vec<Desk>) -> anyhow::Result<()> {
    let Some(address) = config.http.listen else { return Ok(()) };
    let listener =
        TcpListener::bind(address).await.with_context(|| format!("cannot listen on {address} (`http.listen`)"))?;
    let hearts = lifecycle.heartbeats();
    let state = ApiState::new(Arc::clone(health), move || hearts.dead()).with_hints(desks);
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
    watches: Vec<(SourceKind, String)>,
    hints: Hints,
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

fn sources<'a>(config: &'a Config, transport: &Arc<dyn Transport>, clock: &Arc<dyn Clock>) -> Vec<Account<'a>> {
    let telepagos = config.telepagos.iter().map(|account| {
        let source = TelepagosSource::new(account.clone(), Arc::clone(transport), Arc::clone(clock));
        let watches = account.watch_cashin.iter().map(|id| (SourceKind::Cashin, id.to_string())).collect();
        Account { config: &account.common, source: Arc::new(source), watches, hints: Hints::default() }
    });
    let sipago = config.sipago.iter().map(|account| {
        let source = SipagoSource::new(account.clone(), Arc::clone(transport), Arc::clone(clock));
        let links = account.watch_links.iter().map(|uuid| (SourceKind::Links, uuid.clone()));
        let deposits = account.deposits.then(|| (SourceKind::Deposits, PAID_DEPOSITS.to_owned()));
        let watches = links.chain(deposits).collect();
        Account { config: &account.common, source: Arc::new(source), watches, hints: Hints::default() }
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

fn watch(
    config: &Config,
    lifecycle: &Lifecycle,
    opened: &Opened,
    clock: &Arc<dyn Clock>,
    accounts: Vec<Account<'_>>,
    nudge: &Nudge,
    listener: &Arc<dyn Listener>,
) {
    let routes: Arc<[Route]> = config.routes().into();
    for Account { config: account, source, watches, hints } in accounts {
        let herald = herald(config, account, source.upstream(), &routes);
        let policy = policy(config, account);
        let agenda = Agenda::new(account.poll, account.lookback_days, watches);
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
        .hearing(hints);
        let watcher = match config.reconcile {
            Some(nightly) => watcher.closing_days(Arc::clone(&opened.archive), nightly),
            None => watcher,
        };
        let name = format!("watcher {}", account.name);
        let (stop, heart) = (lifecycle.stop_token(), lifecycle.heartbeats().register(name.clone()));
        lifecycle.spawn(name, watcher.run(stop, move |wait| heart.rest(wait)));
    }
}

//! A replica: one process after the other on one seat, made as `app` makes them, over broken ways.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use pregonero::channels::Channel;
use pregonero::clock::Clock;
use pregonero::config::AccountConfig;
use pregonero::domain::account::{SourceKind, Upstream};
use pregonero::domain::policy::Policy;
use pregonero::domain::retry::Schedule;
use pregonero::http::Transport;
use pregonero::pipeline::Nudge;
use pregonero::pipeline::announce::Herald;
use pregonero::pipeline::dispatcher::{Dispatcher, Nobody};
use pregonero::pipeline::janitor::Janitor;
use pregonero::pipeline::watcher::Watcher;
use pregonero::sources::sipago::SipagoSource;
use pregonero::sources::telepagos::TelepagosSource;
use pregonero::sources::{Agenda, Source};
use pregonero::store::Store;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::channel;
use super::nights::Gapped;
use super::process::{Body, End, Life};
use super::run::House;
use super::store::Line;
use super::weather::chance;

/// As in `app`: look-back and this much more.
const MARGIN: Duration = Duration::from_secs(15 * 86_400);

/// A drain that takes longer ends with SIGKILL.
const DRAIN: Duration = Duration::from_secs(25);

/// Runs one process after the other, for ever.
pub(super) async fn run(house: Arc<House>, seat: usize) {
    let mut rng = chance(house.plan.seed, &format!("seat {seat}"));
    for round in 0_u64.. {
        let process = round * 10 + u64::try_from(seat).unwrap();
        let mean = house.plan.rates.polls_of_a_life;
        let polls = if mean > 0 && house.weather.is_storm() { rng.u64(1..2 * mean) } else { u64::MAX };
        // Most orchestrators keep the name, some give a new one.
        let instance = if rng.u32(0..4) == 0 { format!("seat-{seat}-{round}") } else { format!("seat-{seat}") };
        // Some processes are ended in order, long before the longest storm is over.
        let ends_after = (house.weather.is_storm() && rng.u32(0..3) == 0).then(|| Duration::from_secs(rng.u64(5..600)));
        let life = Life::of_polls(polls);
        *house.seats[seat].life.lock().unwrap() = Arc::clone(&life);
        house.starts.lock().unwrap().push(Instant::now());
        house.trace.say(format_args!("p{process} starts as {instance}, {polls} polls"));
        let end = Process { house: Arc::clone(&house), seat, number: process, instance, life: Arc::clone(&life) }
            .live(ends_after)
            .await;
        life.die();
        house.trace.say(format_args!("p{process} ends: {end:?}"));
        tokio::time::sleep(Duration::from_millis(rng.u64(10..8_000))).await;
        let night = house.night.lock().unwrap().filter(|until| *until > Instant::now());
        if let Some(until) = night {
            tokio::time::sleep_until(until).await;
        }
    }
}

struct Process {
    house: Arc<House>,
    seat: usize,
    number: u64,
    instance: String,
    life: Arc<Life>,
}

impl Process {
    async fn live(self, ends_after: Option<Duration>) -> End {
        let store: Arc<dyn Store> = Arc::new(self.line());
        let claimed = Arc::new(Mutex::new(false));
        let (noted, claiming) = (Arc::clone(&claimed), Arc::clone(&store));
        let boot = async move { *noted.lock().unwrap() = claiming.reclaim().await.is_ok() }.boxed();
        if self.until_dead(Body::new(&self.life, vec![boot])).await == End::Crashed || !*claimed.lock().unwrap() {
            return End::Crashed;
        }
        let stop = CancellationToken::new();
        let body = self.until_dead(Body::new(&self.life, self.loops(&store, &stop)));
        tokio::pin!(body);
        if let Some(time) = ends_after {
            if let Ok(end) = tokio::time::timeout(time, &mut body).await {
                return end;
            }
            self.house.trace.say(format_args!("p{} is told to stop", self.number));
            stop.cancel();
            return tokio::time::timeout(DRAIN, body).await.unwrap_or(End::Crashed);
        }
        body.await
    }

    async fn until_dead(&self, body: Body) -> End {
        tokio::select! {
            biased;
            () = self.life.dead() => End::Crashed,
            end = body => end,
        }
    }

    fn line(&self) -> Line {
        let House { plan, store, record, weather, trace, .. } = &*self.house;
        Line {
            inner: store.replica(&self.instance),
            record: record.clone(),
            weather: weather.clone(),
            trace: trace.clone(),
            process: self.number,
            rates: (plan.rates.store, plan.rates.conflict),
            chance: Mutex::new(chance(plan.seed, &format!("line {}", self.number))),
        }
    }

    fn loops(&self, store: &Arc<dyn Store>, stop: &CancellationToken) -> Vec<BoxFuture<'static, ()>> {
        let house = &self.house;
        let nudge = Nudge::default();
        let clock: Arc<dyn Clock> = Arc::<super::clock::Crooked>::clone(&house.seats[self.seat].clock);
        let mut loops = vec![self.dispatcher(store, &clock, &nudge).run(stop.clone(), |_| {}).boxed()];
        for account in &house.config.telepagos {
            let transport: Arc<dyn Transport> = Arc::new(house.way(Upstream::Telepagos, self.number));
            // Every list is long enough, so that rows are recognised by their texts.
            let source = TelepagosSource::new(account.clone(), transport, Arc::clone(&clock)).recognising_from(0);
            let ids = account.watch_cashin.iter().map(|id| (SourceKind::Cashin, id.to_string())).collect();
            let watcher = self.watcher(&account.common, Arc::new(source), ids, (store, &clock, &nudge));
            loops.push(watcher.run(stop.clone(), |_| {}).boxed());
        }
        for account in &house.config.sipago {
            let transport: Arc<dyn Transport> = Arc::new(house.way(Upstream::Sipago, self.number));
            let source = SipagoSource::new(account.clone(), transport, Arc::clone(&clock)).believing();
            let ids = account.watch_links.iter().map(|id| (SourceKind::Links, id.clone())).collect();
            let watcher = self.watcher(&account.common, Arc::new(source), ids, (store, &clock, &nudge));
            loops.push(watcher.run(stop.clone(), |_| {}).boxed());
        }
        loops.push(Janitor::new(Arc::clone(store), house.plan.retention).run(stop.clone(), |_| {}).boxed());
        loops
    }

    fn dispatcher(&self, store: &Arc<dyn Store>, clock: &Arc<dyn Clock>, nudge: &Nudge) -> Dispatcher {
        let House { plan, weather, trace, channels, .. } = &*self.house;
        let desk = |inner: &pregonero::sandbox::direct::DirectChannel| {
            let channel: Arc<dyn Channel> = Arc::new(channel::Way {
                inner: inner.clone(),
                life: Arc::clone(&self.life),
                weather: weather.clone(),
                trace: trace.clone(),
                process: self.number,
                rate: plan.rates.channel,
                refusals: plan.refusals,
                chance: Mutex::new(chance(plan.seed, &format!("channel {} {}", inner.name(), self.number))),
            });
            (channel, schedule())
        };
        let desks = channels.iter().map(desk).collect();
        Dispatcher::new(Arc::clone(store), Arc::clone(clock), desks, 64, nudge.clone(), Arc::new(Nobody))
    }

    fn watcher(
        &self,
        account: &AccountConfig,
        source: Arc<dyn Source>,
        watches: Vec<(SourceKind, String)>,
        (store, clock, nudge): (&Arc<dyn Store>, &Arc<dyn Clock>, &Nudge),
    ) -> Watcher {
        let House { plan, config, .. } = &*self.house;
        let herald = Herald {
            account: account.name.clone(),
            upstream: source.upstream(),
            zone: account.zone.clone(),
            late_after: config.late_after,
            sandbox: account.sandbox,
            routes: config.routes().into(),
        };
        let mut flood = config.flood;
        flood.limit = plan.flood;
        let policy = Policy {
            identity: pregonero::domain::ledger::IDENTITY_VERSION,
            start: account.start,
            lookback_days: account.lookback_days,
            flood,
            remember: Duration::from_secs(u64::from(account.lookback_days) * 86_400) + MARGIN,
        };
        let source: Arc<dyn Source> = Arc::new(Gapped { inner: source, gap: self.house.gap.clone() });
        let agenda = Agenda::new(account.poll, account.lookback_days, watches);
        let made = Watcher::new(
            Arc::clone(store),
            source,
            Arc::clone(clock),
            herald,
            policy,
            agenda,
            nudge.clone(),
            Arc::new(Nobody),
        );
        match plan.nightly {
            Some(nightly) => made.closing_days(Arc::new(self.line()), nightly),
            None => made,
        }
    }
}

/// Long enough for the longest storm, short enough for a calm of hours.
fn schedule() -> Schedule {
    let mut waits = vec![2, 5, 15, 30, 60, 120];
    waits.resize(60, 240);
    Schedule::new(waits.into_iter().map(Duration::from_secs).collect())
}

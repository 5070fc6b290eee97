//! One seed from its first minute to its last: history, first contact, storm, calm, judgement.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use jiff::SignedDuration;
use jiff::civil::Date;
use pregonero::clock::{Clock, TokioClock};
use pregonero::config::Config;
use pregonero::domain::account::{AccountName, Partition, Scope, SourceKind, Upstream};
use pregonero::domain::day::Day;
use pregonero::domain::route::ChannelKind;
use pregonero::sandbox::direct::DirectChannel;
use pregonero::sandbox::world::World;
use pregonero::sandbox::{Script, direct::DirectTransport};
use pregonero::store::memory::MemoryStore;
use pregonero::store::{Archive as _, DeliveryFilter, Store as _};
use tokio::time::Instant;

use super::city::City;
use super::clock::Crooked;
use super::nights::{Gap, wrong_nights};
use super::oracle::{wrong_deliveries, wrong_events, wrong_facts, wrong_quota};
use super::plan::Plan;
use super::process::Life;
use super::replica;
use super::store::Record;
use super::trace::Trace;
use super::upstream::{Counter, Way};
use super::weather::{Part, Weather, chance};

/// How long first contact and, after the storm, everything else may take.
const PATIENCE: Duration = Duration::from_secs(3 * 3600);

/// How long is watched after all is told, whether something is told twice.
const LINGER: Duration = Duration::from_secs(16 * 60);

/// How often is looked.
const LOOK: Duration = Duration::from_secs(20);

/// All that outlives a process.
pub(super) struct House {
    pub(super) plan: Plan,
    pub(super) config: Config,
    pub(super) weather: Weather,
    pub(super) trace: Trace,
    pub(super) world: World,
    pub(super) gap: Gap,
    /// The later of the local days on which the accounts were contacted.
    pub(super) contacted: Mutex<Option<Date>>,
    pub(super) store: MemoryStore,
    pub(super) record: Record,
    /// Of TelePagos, of Sipago.
    pub(super) counters: [Counter; 2],
    pub(super) channels: Vec<DirectChannel>,
    pub(super) seats: Vec<Seat>,
    /// When a process began.
    pub(super) starts: Mutex<Vec<Instant>>,
    /// Nobody runs before.
    pub(super) night: Mutex<Option<Instant>>,
}

/// Where one replica runs, one process after the other.
pub(super) struct Seat {
    pub(super) clock: Arc<Crooked>,
    pub(super) life: Mutex<Arc<Life>>,
}

impl House {
    fn new(plan: Plan, trace: Trace) -> (Self, City) {
        let truth = Arc::new(TokioClock::starting_at(plan.origin.parse().unwrap(), plan.seed));
        let clock: Arc<dyn Clock> = Arc::<TokioClock>::clone(&truth);
        let world = World::new(Arc::clone(&clock), plan.seed);
        world.configure(|settings| {
            (settings.telepagos_page, settings.sipago_page) = plan.pages;
            settings.token_life = Duration::from_secs(600);
        });
        let city = City::found(world.clone(), trace.clone(), chance(plan.seed, "city"), plan.lookback);
        let config = plan.config(&city.links, &City::cashin_ids());
        let channels =
            config.webhook.iter().map(|hook| DirectChannel::new(hook.common.name.as_str(), ChannelKind::Webhook));
        let seat = |number: usize| Seat {
            clock: Arc::new(Crooked::new(Arc::clone(&truth), chance(plan.seed, &format!("clock {number}")))),
            life: Mutex::new(Life::of_polls(u64::MAX)),
        };
        let house = Self {
            channels: channels.collect(),
            config,
            weather: Weather::calm(),
            trace,
            gap: Gap::new(world.clone()),
            contacted: Mutex::default(),
            world,
            store: MemoryStore::new("base", clock),
            record: Record::default(),
            counters: [Counter::default(), Counter::default()],
            seats: (0..plan.replicas).map(seat).collect(),
            starts: Mutex::default(),
            night: Mutex::default(),
            plan,
        };
        (house, city)
    }

    /// A process's way to an upstream.
    pub(super) fn way(&self, upstream: Upstream, process: u64) -> Way {
        let script = Script::default();
        let counter = &self.counters[usize::from(upstream == Upstream::Sipago)];
        Way {
            inner: DirectTransport::new(self.world.clone(), script.clone(), upstream),
            script,
            upstream,
            counter: counter.clone(),
            weather: self.weather.clone(),
            trace: self.trace.clone(),
            process,
            rates: (self.plan.rates.upstream, self.plan.rates.stale),
            chance: Mutex::new(chance(self.plan.seed, &format!("way {} {process}", upstream.as_str()))),
        }
    }

    /// Whether every day of the look-back was read on both accounts.
    async fn is_contacted(&self, city: &City) -> bool {
        let today = Day::parse(&self.world.wall_clock().date().to_string()).unwrap();
        for (name, source) in [("centro", SourceKind::Transactions), ("palermo", SourceKind::Movements)] {
            let account = AccountName::new(name);
            let days = today.plus(-i64::from(self.plan.lookback)).through(today.next());
            let mut wanted: Vec<Scope> = days.map(Scope::Day).collect();
            let mut all: Vec<Partition> =
                wanted.drain(..).map(|scope| Partition { account: account.clone(), source, scope }).collect();
            if source == SourceKind::Movements {
                let link = |id: &String| Partition {
                    account: account.clone(),
                    source: SourceKind::Links,
                    scope: Scope::Watched(id.clone()),
                };
                all.extend(city.links.iter().map(link));
            }
            let ledgers = self.store.ledgers(&account, &all).await.unwrap();
            if ledgers.iter().any(pregonero::domain::ledger::Ledger::is_unread) {
                return false;
            }
        }
        true
    }

    /// What an operator does now and then: lets go what the flood guard holds, and gives dead deliveries another chance.
    async fn operate(&self) {
        self.store.release_held(None, false).await.unwrap();
        let dead = DeliveryFilter { states: vec!["dead"], limit: 1_000, ..DeliveryFilter::default() };
        self.store.requeue(&dead, false).await.unwrap();
    }
}

/// What a run was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Summary {
    /// Lines of its trace, and their hash.
    pub(super) trace: (u64, u64),
    pub(super) events: usize,
    pub(super) processes: usize,
}

/// Lives one seed through.
pub(super) async fn live(seed: u64, loud: bool) -> Result<Summary, String> {
    let trace = Trace::new(loud);
    let (house, mut city) = House::new(Plan::of(seed), trace.clone());
    let house = Arc::new(house);
    for number in 0..house.plan.replicas {
        tokio::spawn(replica::run(Arc::clone(&house), number));
    }
    let told = judge(&house, &mut city).await;
    let mut wrong = told.err().unwrap_or_default();
    // Whoever stops at once for the worst has not waited for the rest.
    wrong.sort_by_key(|line| !is_for_ever(line));
    if wrong.is_empty() {
        let events = house.record.with(|noted| noted.events.len());
        return Ok(Summary { trace: trace.sum(), events, processes: house.starts.lock().unwrap().len() });
    }
    let shown: String = wrong.iter().take(12).fold(String::new(), |text, line| text + "\n  " + line);
    let history = if loud { String::new() } else { format!("\n  the last lines:{}", trace.tail()) };
    Err(format!("seed {seed} broke its promise:{shown}\n  {:?}{history}", house.plan))
}

async fn judge(house: &Arc<House>, city: &mut City) -> Result<(), Vec<String>> {
    let contact = first_contact(house, city).await?;
    storm(house, city).await;
    house.trace.say(format_args!("calm"));
    house.weather.set_storm(false);
    city.show_all();
    for seat in &house.seats {
        seat.clock.jump(SignedDuration::ZERO);
        seat.life.lock().unwrap().spare();
    }
    let start = Instant::now();
    let wrong = loop {
        tokio::time::sleep(LOOK).await;
        house.operate().await;
        let wrong = all_wrong(house, city, contact).await;
        if wrong.is_empty() || start.elapsed() > PATIENCE {
            break wrong;
        }
        // What should never have been does not go away.
        if wrong.iter().any(|line| is_for_ever(line)) {
            break wrong;
        }
    };
    if !wrong.is_empty() {
        return Err(wrong);
    }
    tokio::time::sleep(LINGER).await;
    let mut wrong = all_wrong(house, city, contact).await;
    // A day that is closed in this very moment is under way.
    for _ in 0..5 {
        let is_under_way = |line: &String| line.starts_with("UNDELIVERED") || line.starts_with("PENDING");
        if wrong.is_empty() || !wrong.iter().all(is_under_way) {
            break;
        }
        tokio::time::sleep(LOOK).await;
        wrong = all_wrong(house, city, contact).await;
    }
    wrong.extend(wrong_quota(house));
    if wrong.is_empty() { Ok(()) } else { Err(wrong) }
}

/// What should never have been, and no waiting mends.
fn is_for_ever(line: &str) -> bool {
    ["INVENTED", "DOUBLED", "ROUTED", "DATED", "STRAY", "STALE", "CLOSED"].iter().any(|bad| line.starts_with(bad))
}

async fn all_wrong(house: &House, city: &City, contact: (usize, Date)) -> Vec<String> {
    let mut wrong = wrong_facts(city, house, contact);
    wrong.extend(wrong_events(city, house));
    wrong.extend(wrong_deliveries(house));
    wrong.extend(wrong_nights(house));
    let counts = house.store.counts().await.unwrap();
    if counts.pending + counts.held + counts.dead > 0 {
        wrong.push(format!("PENDING {counts:?}"));
    }
    wrong
}

/// The first reading of everything, while nothing happens. Returns how much had happened before and on what day it was.
async fn first_contact(house: &House, city: &City) -> Result<(usize, Date), Vec<String>> {
    house.weather.set_storm(house.plan.rough_start);
    let start = Instant::now();
    while !house.is_contacted(city).await {
        if start.elapsed() > PATIENCE {
            return Err(vec![String::from("CONTACT there was no first contact")]);
        }
        if house.plan.rough_start && start.elapsed() > PATIENCE / 6 {
            house.weather.set_storm(false);
        }
        tokio::time::sleep(LOOK).await;
    }
    let (day, other) = (contact_day(house, "centro").await, contact_day(house, "palermo").await);
    *house.contacted.lock().unwrap() = Some(day.max(other));
    house.trace.say(format_args!("contacted on {day}"));
    Ok((house.world.truth().len(), day))
}

async fn contact_day(house: &House, account: &str) -> Date {
    let state = house.store.account(&AccountName::new(account)).await.unwrap().state;
    // Reckoned here, not by the product: Buenos Aires is three hours behind all year.
    jiff::tz::Offset::constant(-3).to_datetime(state.contacted_at.unwrap()).date()
}

/// The storm, and what happens in the city meanwhile.
async fn storm(house: &House, city: &mut City) {
    let plan = &house.plan;
    let mut rng = chance(plan.seed, "storm");
    house.weather.set_storm(true);
    house.weather.turn_wild();
    let end = Instant::now() + plan.storm;
    let pace = u64::try_from(plan.pace.as_millis()).unwrap();
    while Instant::now() < end && !(plan.gap && is_nearly_one(house)) {
        tokio::time::sleep(Duration::from_millis(rng.u64(1..2 * pace))).await;
        match rng.u32(0..100) {
            0..4 if plan.gap => city.happen_unseen(&house.gap),
            0..70 => city.happen(),
            70..76 => house.operate().await,
            _ => mishap(house, &mut rng),
        }
    }
    let Some(night) = plan.night else { return };
    house.trace.say(format_args!("night: nobody runs for {night:?}"));
    *house.night.lock().unwrap() = Some(Instant::now() + night);
    house.seats.iter().for_each(|seat| seat.life.lock().unwrap().die());
    let hours = rng.u32(5..20);
    for _ in 0..hours {
        tokio::time::sleep(night / hours).await;
        city.happen();
    }
}

/// The day with the gap is closed at one, and there must be calm by then.
fn is_nearly_one(house: &House) -> bool {
    let now = house.world.wall_clock();
    now.hour() < 12 && (now.hour() > 0 || now.minute() >= 45)
}

fn mishap(house: &House, rng: &mut Rng) {
    let plan = &house.plan;
    let seat = rng.usize(0..plan.replicas);
    let seconds = Duration::from_secs(rng.u64(1..90));
    let kind = rng.u32(0..9);
    house.trace.say(format_args!("mishap {kind} at seat {seat} for {seconds:?}"));
    match kind {
        0 if plan.outages => house.weather.take_out(Part::Telepagos, seconds * 3),
        1 if plan.outages => house.weather.take_out(Part::Sipago, seconds * 3),
        2 if plan.outages => house.weather.take_out(Part::Store, seconds * 3),
        3 if plan.outages => house.weather.take_out(Part::Destinations, seconds * 5),
        4 | 5 if plan.pauses => house.seats[seat].life.lock().unwrap().sleep(seconds),
        6 | 7 => {
            let most = i64::try_from(plan.skew.as_millis()).unwrap();
            house.seats[seat].clock.jump(SignedDuration::from_millis(rng.i64(-most..=most)));
        }
        8 => house.world.expire_tokens(),
        _ => {}
    }
}

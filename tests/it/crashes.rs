//! Crashes, restarts and signals: nothing is lost, nothing is invented, everything keeps its id.

use std::collections::BTreeMap;
use std::time::Duration;

use pregonero::clock::Stopwatch;
use pregonero::domain::money::Money;
use pregonero::sandbox::caught::Shelves;
use pregonero::sandbox::world::{RefundShown, Status, Via};
use pregonero::sandbox::{Face, Fault, Rule};

use crate::support::{Heard, House, Load, Memory, Plan, announced, happened, until, webhooks_by_id};

const SOON: Duration = Duration::from_secs(20);

/// Pesos.
fn pesos(amount: i64) -> Money {
    Money::from_cents(amount * 100)
}

/// Everything that the promise names happens, once.
async fn a_day_of_facts(house: &House, link: &str) {
    let world = house.sandbox.world();
    let credit = world.telepagos_credit(pesos(101));
    world.telepagos_twin(credit).unwrap();
    world.telepagos_twin(credit).unwrap();
    let refunded = world.telepagos_credit(pesos(102));
    world.telepagos_refund(refunded).unwrap();
    let reversed = world.telepagos_credit(pesos(103));
    let pending = world.telepagos_pending(pesos(104));
    let refused = world.telepagos_pending(pesos(105));
    world.telepagos_debit(pesos(106));
    world.telepagos_cashin(Via::Link, pesos(107));
    world.telepagos_cashin(Via::Qr, pesos(108));
    let late = world.wall_clock().saturating_sub(jiff::SignedDuration::from_hours(2));
    world.telepagos_credit_with(pesos(109), |row| row.at = late);
    let flagged = world.sipago_sale(pesos(201));
    let by_row = world.sipago_sale(pesos(202));
    let both = world.sipago_sale(pesos(203));
    let voided = world.sipago_sale(pesos(204));
    world.order_pay(link).unwrap();
    world.sipago_sale_with(pesos(205), |sale| sale.at = late);
    // What was pending must be seen so before it is decided.
    house.all_told("erp", SOON).await;
    assert!(world.telepagos_set_status(reversed, Status::REVERSED));
    assert!(world.telepagos_set_status(pending, Status::APPROVED));
    assert!(world.telepagos_set_status(refused, Status::REJECTED));
    assert!(world.sipago_refund(flagged, RefundShown::Flag));
    assert!(world.sipago_refund(by_row, RefundShown::Row));
    assert!(world.sipago_refund(both, RefundShown::Both));
    assert!(world.sipago_void(voided));
    assert!(world.order_refund(link).is_some());
}

fn attempts(house: &House) -> usize {
    webhooks_by_id(house.sandbox.caught(), "erp").values().map(|heard| heard.attempts).sum()
}

async fn every_fact_once(memory: Memory) {
    let house = House::build(memory, 1).await;
    let world = house.sandbox.world();
    let link = world.order_create(pesos(301));
    let plan = Plan {
        telepagos: format!("watch = {{ cashin = {:?} }}", house.sandbox.watched_cashins()),
        sipago: format!("watch = {{ links = [\"{link}\"] }}"),
        people: Some(String::new()),
        ..Plan::default()
    };
    let mut daemon = house.contacted(&plan).await;
    a_day_of_facts(&house, &link).await;
    house.all_told("erp", SOON).await;
    let heard = webhooks_by_id(house.sandbox.caught(), "erp");
    assert!(heard.values().all(|heard| heard.attempts == 1), "nothing failed, so nothing is said twice");
    let facts: usize = announced(&heard).values().sum();
    until("mail and chat have it too", Duration::from_secs(60), || {
        house.sandbox.caught().look(|shelves| shelves.mails.len() >= facts && shelves.chats.len() >= facts)
    })
    .await;

    daemon.stop().await;
    let mut daemon = house.daemon(&plan).await;
    house.read_again().await;
    assert_eq!(attempts(&house), facts, "a restart in order is silent");

    daemon.kill().await;
    let mut daemon = house.daemon(&plan).await;
    house.read_again().await;
    house.nothing_invented("erp");
    assert_eq!(webhooks_by_id(house.sandbox.caught(), "erp").len(), facts, "a crash gives no fact a second id");
    eprintln!("{memory:?}: {facts} facts, {} attempts", attempts(&house));
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fact_is_told_once_under_one_id_in_a_file() {
    every_fact_once(Memory::File).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fact_is_told_once_under_one_id_in_redis() {
    every_fact_once(Memory::Redis).await;
}
/// Many quick retries, so that a failing receiver spends none of the test's time.
fn patient(timeout: &str) -> Vec<(String, String)> {
    let waits = ["\"300ms\""; 40].join(", ");
    vec![(String::from("erp"), format!("timeout = \"{timeout}\"\nretry = [{waits}]"))]
}

fn ids(house: &House) -> BTreeMap<String, Heard> {
    webhooks_by_id(house.sandbox.caught(), "erp")
}

/// What goes wrong at the receiver for a few requests.
fn misfortune(load: &mut Load) -> Option<Rule> {
    let times = load.rng.u32(1..6);
    let fault = match load.rng.u32(0..6) {
        0 => Fault::status(500),
        1 => Fault::Hang { after_effect: false },
        2 => Fault::Reset { after_effect: true },
        3 => Fault::Slow(Duration::from_millis(200)),
        _ => return None,
    };
    Some(Rule::times(Face::Webhook, "hooks/erp", times, fault))
}

/// How often each store's daemon is killed: `PREGONERO_KILLS`, else fifteen times.
fn kills() -> usize {
    std::env::var("PREGONERO_KILLS").map_or(15, |text| text.parse().expect("PREGONERO_KILLS is a number"))
}

/// Kills the daemon again and again at moments that a seed chooses: while it starts, polls, commits, sends or idles.
async fn killed_again_and_again(memory: Memory, seed: u64) {
    let rounds = kills();
    let house = House::build(memory, seed).await;
    let mut load = Load::new(house.sandbox.world(), seed);
    // The time-out is longer than a round, so that a hang is cut by a kill and never judged.
    let plan = Plan { sipago: load.watch(), hooks: patient("10s"), ..Plan::default() };
    let mut daemon = house.contacted(&plan).await;
    let (mut silent_rounds, mut in_a_burst) = (0, 0);
    for round in 0..rounds {
        let before: usize = ids(&house).values().map(|heard| heard.attempts).sum();
        house.sandbox.script().clear();
        if let Some(rule) = misfortune(&mut load) {
            house.sandbox.script().add(rule);
        }
        for _ in 0..load.rng.usize(1..4) {
            let some = load.rng.usize(1..6);
            load.strike(some);
            tokio::time::sleep(Duration::from_millis(load.rng.u64(0..400))).await;
        }
        if round % 3 == 0 {
            // In the middle of a burst: a few milliseconds after the first of its webhooks.
            let heard = |shelves: &Shelves| shelves.webhooks.total() > u64::try_from(before).unwrap();
            in_a_burst += usize::from(house.sandbox.caught().wait_until(heard, Duration::from_secs(3)).await.is_ok());
            tokio::time::sleep(Duration::from_millis(load.rng.u64(0..15))).await;
        }
        daemon.kill().await;
        house.nothing_invented("erp");
        let after: usize = ids(&house).values().map(|heard| heard.attempts).sum();
        silent_rounds += usize::from(after == before);
        load.strike(2);
        daemon = house.launch(&plan);
    }
    daemon.kill().await;
    house.sandbox.script().clear();
    load.strike(5);
    let watch = Stopwatch::start();
    let _daemon = house.daemon(&plan).await;
    house.all_told("erp", SOON).await;
    let took = watch.elapsed();
    let counts = house.nothing_pending(SOON).await;
    let heard = ids(&house);
    assert!(heard.values().all(|heard| heard.same_bytes), "a repeat is the same to the byte");
    assert_eq!(counts.events, u64::try_from(heard.len()).unwrap(), "the store holds what was told, and no more");
    let attempts: usize = heard.values().map(|heard| heard.attempts).sum();
    let accepted: usize = heard.values().map(|heard| heard.accepted).sum();
    let (told, truth) = (announced(&heard), happened(house.sandbox.world()));
    let lost: usize = truth.iter().map(|(fact, count)| count - told.get(fact).copied().unwrap_or(0).min(*count)).sum();
    let invented: usize =
        told.iter().map(|(fact, count)| count - truth.get(fact).copied().unwrap_or(0).min(*count)).sum();
    eprintln!(
        "{memory:?}: {} kills ({silent_rounds} before anything was sent, {in_a_burst} just after), {} facts, {lost} lost, {invented} invented, \
         {} repeats under the same id, {attempts} attempts; everything told {took:?} after the last start",
        rounds + 1,
        truth.values().sum::<usize>(),
        accepted - heard.len(),
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_at_any_moment_lose_nothing_and_invent_nothing_in_a_file() {
    killed_again_and_again(Memory::File, 11).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_at_any_moment_lose_nothing_and_invent_nothing_in_redis() {
    killed_again_and_again(Memory::Redis, 12).await;
}

async fn stopped_in_order(memory: Memory) {
    let house = House::build(memory, 3).await;
    let mut load = Load::new(house.sandbox.world(), 3);
    let plan = Plan { sipago: load.watch(), hooks: patient("10s"), ..Plan::default() };
    let mut daemon = house.contacted(&plan).await;
    house.sandbox.script().add(Rule::always(Face::Webhook, "hooks/erp", Fault::Slow(Duration::from_millis(150))));
    for _ in 0..3 {
        load.strike(25);
        let before = house.sandbox.caught().look(|shelves| shelves.webhooks.total());
        house
            .sandbox
            .caught()
            .wait_until(|shelves| shelves.webhooks.total() > before, SOON)
            .await
            .expect("the burst is being delivered");
        // Some are under way, some wait, some are not polled yet.
        daemon.stop().await;
        load.strike(3);
        daemon = house.daemon(&plan).await;
    }
    house.all_told("erp", SOON).await;
    house.nothing_pending(SOON).await;
    let repeated = ids(&house).values().filter(|heard| heard.attempts > 1).count();
    assert_eq!(repeated, 0, "who stops in order writes down what was accepted");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_under_load_is_clean_and_repeats_nothing_in_a_file() {
    stopped_in_order(Memory::File).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_under_load_is_clean_and_repeats_nothing_in_redis() {
    stopped_in_order(Memory::Redis).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_signal_cuts_the_drain_and_loses_nothing() {
    let house = House::build(Memory::File, 4).await;
    let mut load = Load::new(house.sandbox.world(), 4);
    let plan = Plan { sipago: load.watch(), hooks: patient("20s"), ..Plan::default() };
    let mut daemon = house.contacted(&plan).await;
    house.sandbox.script().add(Rule::always(Face::Webhook, "hooks/erp", Fault::Hang { after_effect: false }));
    load.strike(20);
    let caught = house.sandbox.caught();
    caught.wait_until(|shelves| shelves.webhooks.total() >= 8, SOON).await.expect("attempts hang");
    daemon.signal("TERM").await;
    until("the drain begins", SOON, || daemon.log().contains("stopping")).await;
    assert!(daemon.runs(), "it waits for the attempts under way");
    daemon.signal("TERM").await;
    let status = daemon.ended(Duration::from_secs(5)).await;
    assert_eq!(status.code(), Some(1), "{}", daemon.log());
    house.sandbox.script().clear();
    let _daemon = house.daemon(&plan).await;
    let took = house.all_told("erp", SOON).await;
    house.nothing_pending(SOON).await;
    eprintln!("after a cut drain everything was told in {took:?}");
}

//! Several daemons, one Redis: each fact has one id, whoever finds it; one may die, leave, come back or oversleep.

use std::time::Duration;

use pregonero::clock::Stopwatch;
use pregonero::domain::money::Money;
use pregonero::sandbox::{Face, Fault, Rule};

use crate::support::{AccountLease, House, Load, Memory, Plan, until, webhooks_by_id};

const SOON: Duration = Duration::from_secs(20);

/// The right to poll an account is leased for 22 s, in milliseconds.
const LEASE: i64 = 22_000;

/// That, 2 s until another replica asks again, and patience with a busy machine.
const TAKEN_OVER: Duration = Duration::from_secs(60);

const ACCOUNTS: [&str; 2] = ["centro", "palermo"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_tell_each_fact_under_one_id_and_one_takes_over_from_the_other() {
    let house = House::build(Memory::Redis, 31).await;
    let mut load = Load::new(house.sandbox.world(), 31);
    // What a dead replica had leased is free after twice the time-out and 15 s.
    let hooks = vec![(String::from("erp"), String::from("timeout = \"5s\""))];
    let one = Plan { sipago: load.watch(), hooks, ..Plan::default() };
    let two = Plan { instance: String::from("two"), ..one.clone() };
    let mut first = house.contacted(&one).await;
    let mut second = house.daemon(&two).await;
    for _ in 0..10 {
        load.strike(5);
        house.all_told("erp", SOON).await;
    }
    let heard = webhooks_by_id(house.sandbox.caught(), "erp");
    assert!(heard.values().all(|heard| heard.accepted == 1), "nothing failed, so nothing is said twice");

    // The one that polls dies in the middle of a burst.
    load.strike(20);
    let total = house.sandbox.caught().look(|shelves| shelves.webhooks.total());
    let burst = house.sandbox.caught().wait_until(|shelves| shelves.webhooks.total() > total, SOON).await;
    burst.expect("the burst is being delivered");
    first.kill().await;
    load.strike(20);
    let took = house.all_told("erp", TAKEN_OVER).await;
    house.nothing_pending(TAKEN_OVER).await;

    // It comes back, and the other leaves in order: that takes no lease's time.
    let _first = house.daemon(&one).await;
    load.strike(10);
    second.stop().await;
    load.strike(10);
    let left = house.all_told("erp", SOON).await;
    let heard = webhooks_by_id(house.sandbox.caught(), "erp");
    let twice = heard.values().filter(|heard| heard.accepted > 1).count();
    assert!(heard.values().all(|heard| heard.same_bytes), "both say the same to the byte");
    until("both have said so", SOON, || second.log().contains("stopping")).await;
    eprintln!(
        "{} facts, {twice} accepted twice; told {took:?} after a crash of the replica, {left:?} after it left in order",
        heard.len()
    );
}

fn replica(load: &Load, instance: &str) -> Plan {
    let hooks = vec![(String::from("erp"), String::from("timeout = \"5s\""))];
    Plan { instance: instance.to_owned(), sipago: load.watch(), hooks, ..Plan::default() }
}

/// Waits until a replica polls both accounts; returns the leases that it then has.
async fn polled_by(house: &House, instance: &str) -> Vec<AccountLease> {
    let watch = Stopwatch::start();
    let mut leases = Vec::new();
    for account in ACCOUNTS {
        loop {
            let lease = house.redis.as_ref().unwrap().account_lease(account).await;
            if lease.holder == instance {
                leases.push(lease);
                break;
            }
            assert!(watch.elapsed() < TAKEN_OVER, "{account} is not polled by {instance}: {lease:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    leases
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_account_is_taken_over_when_the_dead_ones_lease_is_over_and_at_once_from_one_that_leaves() {
    let house = House::build(Memory::Redis, 32).await;
    let mut load = Load::new(house.sandbox.world(), 32);
    let (one, two) = (replica(&load, "one"), replica(&load, "two"));
    let mut first = house.contacted(&one).await;
    let mut second = house.daemon(&two).await;
    load.strike(10);
    house.all_told("erp", SOON).await;
    let before = polled_by(&house, "one").await;
    // Never leased for longer than 20 s, so that with 5 s until the next question it is less than 30.
    assert!(before.iter().all(|lease| lease.till - lease.now <= LEASE), "{before:?}");
    first.kill().await;
    let killed = house.redis.as_ref().unwrap().account_lease("centro").await;
    load.strike(10);
    let taken = polled_by(&house, "two").await;
    house.all_told("erp", TAKEN_OVER).await;
    let after_a_crash: Vec<i64> = taken.iter().map(|lease| lease.now - killed.now).collect();

    let mut first = house.daemon(&one).await;
    second.stop().await;
    let left = house.redis.as_ref().unwrap().account_lease("centro").await;
    assert!(left.holder != "two", "who leaves gives its leases back: {left:?}");
    load.strike(10);
    let taken = polled_by(&house, "one").await;
    house.all_told("erp", SOON).await;
    house.nothing_pending(SOON).await;
    let after_a_stop: Vec<i64> = taken.iter().map(|lease| lease.now - left.now).collect();
    eprintln!("taken over {after_a_crash:?} ms after kill -9, {after_a_stop:?} ms after SIGTERM, by Redis' time");
    first.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_replicas_that_are_restarted_one_after_the_other_under_load_miss_nothing_and_double_nothing() {
    let house = House::build(Memory::Redis, 33).await;
    let mut load = Load::new(house.sandbox.world(), 33);
    let plans = ["one", "two", "three"].map(|instance| replica(&load, instance));
    let mut daemons = vec![house.contacted(&plans[0]).await];
    for plan in &plans[1..] {
        daemons.push(house.daemon(plan).await);
    }
    house.sandbox.script().add(Rule::always(Face::Webhook, "hooks/erp", Fault::Slow(Duration::from_millis(30))));
    for _ in 0..2 {
        for (daemon, plan) in daemons.iter_mut().zip(&plans) {
            load.strike(10);
            let mut go_on = true;
            let restart = async {
                daemon.stop().await;
                *daemon = house.daemon(plan).await;
            };
            tokio::pin!(restart);
            while go_on {
                tokio::select! {
                    () = &mut restart => go_on = false,
                    () = tokio::time::sleep(Duration::from_millis(100)) => load.strike(2),
                }
            }
        }
    }
    load.strike(10);
    house.all_told("erp", SOON).await;
    house.nothing_pending(SOON).await;
    let heard = webhooks_by_id(house.sandbox.caught(), "erp");
    assert!(heard.values().all(|heard| heard.attempts == 1), "who leaves in order leaves nothing to be repeated");
    eprintln!("two rolling restarts of three replicas: {} facts, each sent once", heard.len());
    for daemon in &mut daemons {
        daemon.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_slept_beyond_its_leases_writes_nothing_stale() {
    let house = House::build(Memory::Redis, 34).await;
    let world = house.sandbox.world();
    let mut load = Load::new(world, 34);
    let one = Plan { log: String::from("info,pregonero=debug"), ..replica(&load, "one") };
    let mut sleeper = house.contacted(&one).await;
    let mut second = house.daemon(&replica(&load, "two")).await;
    load.strike(10);
    house.all_told("erp", SOON).await;
    house.nothing_pending(SOON).await;
    polled_by(&house, "one").await;

    // It is put to sleep in the middle of a reading that has news, and of attempts.
    let script = house.sandbox.script();
    script.add(Rule::always(Face::Webhook, "hooks/erp", Fault::Slow(Duration::from_secs(3))));
    let path = "v2/account/transactions";
    let slow = script.add(Rule::always(Face::Telepagos, path, Fault::Slow(Duration::from_secs(5))));
    world.telepagos_credit(Money::from_cents(9_000_100));
    let struck = script.struck(slow);
    until("a reading is under way", SOON, || script.struck(slow) > struck).await;
    world.telepagos_credit(Money::from_cents(9_000_200));
    let before = house.sandbox.caught().look(|shelves| shelves.webhooks.total());
    for amount in 0..4 {
        world.sipago_sale(Money::from_cents(9_100_000 + amount * 100));
    }
    until("attempts are under way", SOON, || house.sandbox.caught().look(|shelves| shelves.webhooks.total()) > before)
        .await;
    sleeper.signal("STOP").await;
    script.clear();
    load.strike(5);
    house.all_told("erp", TAKEN_OVER).await;
    house.nothing_pending(TAKEN_OVER).await;
    polled_by(&house, "two").await;
    let (counts, settled) = (house.counts().await, house.deliveries().await);

    sleeper.signal("CONT").await;
    let log = || sleeper.log();
    until("its settlements are refused", SOON, || log().contains("the lease was lost")).await;
    // Its reading is dropped, or its commit refused: whichever it notices first.
    let leaves = || {
        ACCOUNTS
            .iter()
            .all(|name| log().lines().any(|line| line.contains(name) && line.contains("another replica polls")))
    };
    until("it stands back from both accounts", SOON, leaves).await;
    assert_eq!(house.counts().await, counts, "no event and no delivery came of it");
    assert_eq!(house.deliveries().await, settled, "every settlement is the one of who held the lease");
    house.nothing_invented("erp");

    // It works on as one of two.
    load.strike(10);
    house.all_told("erp", SOON).await;
    house.nothing_pending(SOON).await;
    let heard = webhooks_by_id(house.sandbox.caught(), "erp");
    assert!(heard.values().all(|heard| heard.same_bytes));
    let repeated = heard.values().filter(|heard| heard.accepted > 1).count();
    eprintln!("a replica slept beyond its leases: {} facts, {repeated} repeated under the same id", heard.len());
    second.stop().await;
    sleeper.stop().await;
}

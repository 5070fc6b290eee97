//! Stops while the store is away: in time, with an exit code that says whether anything is left to be repeated.

use std::time::Duration;

use pregonero::sandbox::{Face, Fault, Rule};

use crate::support::{Daemon, House, Load, Memory, Plan, until, webhooks_by_id};

const SOON: Duration = Duration::from_secs(20);

/// Twice the 25 s that a stop may take: the test's machine is busy, and what is asserted is that it ends by itself.
const A_STOP: Duration = Duration::from_secs(50);

fn attempts(house: &House) -> usize {
    webhooks_by_id(house.sandbox.caught(), "erp").values().map(|heard| heard.attempts).sum()
}

/// A daemon with attempts under way whose Redis is gone, told to stop.
async fn stopping_without_redis(seed: u64) -> (House, Load, Plan, Daemon) {
    let mut house = House::build(Memory::Redis, seed).await;
    let mut load = Load::new(house.sandbox.world(), seed);
    let hooks = vec![(String::from("erp"), String::from("timeout = \"10s\""))];
    let plan = Plan { sipago: load.watch(), hooks, ..Plan::default() };
    let daemon = house.contacted(&plan).await;
    house.redis.as_ref().unwrap().keep_all().await;
    house.sandbox.script().add(Rule::always(Face::Webhook, "hooks/erp", Fault::Slow(Duration::from_secs(1))));
    load.strike(30);
    // With eight hands: these are begun, and the rest is leased or waits.
    let caught = house.sandbox.caught();
    caught.wait_until(|shelves| shelves.webhooks.total() >= 8, SOON).await.expect("attempts are under way");
    house.redis.as_mut().unwrap().kill().await;
    daemon.signal("TERM").await;
    until("the drain begins", SOON, || daemon.log().contains("stopping")).await;
    (house, load, plan, daemon)
}

/// Everything is told after the next start, and each fact has one id.
async fn told_after_the_next_start(house: &House, plan: &Plan, how: &str) {
    house.sandbox.script().clear();
    let mut daemon = house.daemon(plan).await;
    house.all_told("erp", SOON).await;
    house.nothing_pending(SOON).await;
    let heard = webhooks_by_id(house.sandbox.caught(), "erp");
    let repeated = heard.values().filter(|heard| heard.accepted > 1).count();
    assert!(heard.values().all(|heard| heard.same_bytes));
    eprintln!("{how}: {} facts, {repeated} of them repeated under the same id", heard.len());
    daemon.stop().await;
}

async fn redis_stays_away() {
    let (mut house, mut load, plan, mut daemon) = stopping_without_redis(51).await;
    let status = daemon.ended(A_STOP).await;
    assert_eq!(status.code(), Some(1), "something was sent and is not written down:\n{}", daemon.log());
    assert!(daemon.log().contains("the drain was cut"), "{}", daemon.log());
    load.strike(5);
    assert!(house.redis.as_mut().unwrap().run().await);
    told_after_the_next_start(&house, &plan, "stopped while Redis was away").await;
}

async fn redis_comes_back_in_time() {
    let (mut house, mut load, plan, mut daemon) = stopping_without_redis(52).await;
    until("the outage is noticed", SOON, || daemon.log().contains("does not answer")).await;
    let begun = attempts(&house);
    assert!(house.redis.as_mut().unwrap().run().await);
    let status = daemon.ended(A_STOP).await;
    assert_eq!(status.code(), Some(0), "all that was sent is written down:\n{}", daemon.log());
    assert_eq!(attempts(&house), begun, "a drain begins nothing");
    load.strike(5);
    told_after_the_next_start(&house, &plan, "Redis came back during the stop").await;
    let heard = webhooks_by_id(house.sandbox.caught(), "erp");
    assert!(heard.values().all(|heard| heard.accepted == 1), "nothing was repeated");
}

async fn a_second_signal() {
    let (mut house, _load, plan, mut daemon) = stopping_without_redis(53).await;
    until("the outage is noticed", SOON, || daemon.log().contains("does not answer")).await;
    daemon.signal("TERM").await;
    let status = daemon.ended(Duration::from_secs(5)).await;
    assert_eq!(status.code(), Some(1), "{}", daemon.log());
    assert!(house.redis.as_mut().unwrap().run().await);
    told_after_the_next_start(&house, &plan, "a stop without Redis, cut by a second signal").await;
}

async fn nothing_in_hand() {
    let mut house = House::build(Memory::Redis, 54).await;
    let mut load = Load::new(house.sandbox.world(), 54);
    let plan = Plan { sipago: load.watch(), ..Plan::default() };
    let mut daemon = house.contacted(&plan).await;
    house.redis.as_ref().unwrap().keep_all().await;
    load.strike(10);
    house.all_told("erp", SOON).await;
    house.nothing_pending(SOON).await;
    house.redis.as_mut().unwrap().kill().await;
    load.strike(10);
    until("the outage is noticed", SOON, || daemon.log().contains("does not answer")).await;
    daemon.signal("TERM").await;
    let status = daemon.ended(A_STOP).await;
    assert_eq!(status.code(), Some(0), "nothing was in hand:\n{}", daemon.log());
    assert!(house.redis.as_mut().unwrap().run().await);
    told_after_the_next_start(&house, &plan, "stopped without Redis and with nothing in hand").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_while_redis_is_away_ends_in_time_and_says_whether_anything_will_be_repeated() {
    tokio::join!(redis_stays_away(), redis_comes_back_in_time(), a_second_signal(), nothing_in_hand());
}

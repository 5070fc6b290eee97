//! Two daemons, one Redis: each fact has one id, whoever finds it, and one may die.

use std::time::Duration;

use crate::support::{House, Load, Memory, Plan, until, webhooks_by_id};

const SOON: Duration = Duration::from_secs(20);

/// The right to poll an account is leased for 22 s and asked for every 4 s.
const TAKEN_OVER: Duration = Duration::from_secs(40);

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

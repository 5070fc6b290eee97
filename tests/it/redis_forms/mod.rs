//! Redis in all its forms under the whole daemon: failovers, slots that move, masters that die; and what it costs.

mod cost;
mod moving;
mod servers;

use std::collections::BTreeMap;
use std::time::Duration;

use self::servers::{Sliced, Watched};
use crate::support::{Daemon, Heard, House, Load, Plan, until, webhooks_by_id};

const SOON: Duration = Duration::from_secs(30);

/// A failover takes some seconds, and the longest wait of a loop between two looks at a store that does not answer is 30 s.
const AFTER_A_FAILOVER: Duration = Duration::from_secs(60);

/// The shards of the house's accounts, `centro` and `palermo`.
const CENTRO: u16 = 5;
const PALERMO: u16 = 11;

async fn a_burst_is_being_delivered(house: &House, load: &mut Load) {
    let attempts = || house.sandbox.caught().look(|shelves| shelves.webhooks.total());
    let before = attempts();
    load.strike(30);
    // It may be met in a pause after a failure.
    until("the burst is being delivered", AFTER_A_FAILOVER, || attempts() > before).await;
}

/// Prints what was heard; whatever was said twice was said under its id.
fn sum_up(house: &House, what: &str, took: Duration) {
    let heard = webhooks_by_id(house.sandbox.caught(), "erp");
    assert!(heard.values().all(|heard| heard.same_bytes), "a repeat is the same to the byte");
    say(&heard, what, took);
}

/// The same once a master has died: a replica is told a moment later, so that the last commit may be forgotten. It is made anew
/// under the same ids, with a later `detected_at`.
fn sum_up_of_the_forgetful(house: &House, what: &str, took: Duration) {
    say(&webhooks_by_id(house.sandbox.caught(), "erp"), what, took);
}

fn say(heard: &BTreeMap<String, Heard>, what: &str, took: Duration) {
    let twice = heard.values().filter(|heard| heard.accepted > 1).count();
    eprintln!("{what}: {} facts, none lost, {twice} accepted twice under their ids; told {took:?} after", heard.len());
}

async fn settled(house: &House, daemon: &mut Daemon) {
    house.nothing_pending(AFTER_A_FAILOVER).await;
    assert!(daemon.runs());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_by_sentinel_under_load_loses_nothing() {
    let mut redis = Watched::start().await;
    let house = House::upon(redis.url(), 41).await;
    let mut load = Load::new(house.sandbox.world(), 41);
    // What was in flight and is forgotten is free after twice the time-out and 15 s.
    let hooks = vec![(String::from("erp"), String::from("timeout = \"5s\""))];
    let plan = Plan { sipago: load.watch(), hooks, ..Plan::default() };
    let mut daemon = house.contacted(&plan).await;
    load.strike(20);
    house.all_told("erp", SOON).await;

    a_burst_is_being_delivered(&house, &mut load).await;
    let first = redis.master().await;
    redis.servers[first].kill().await;
    load.strike(20);
    let took = house.all_told("erp", AFTER_A_FAILOVER).await;
    assert_ne!(redis.master().await, first);
    settled(&house, &mut daemon).await;
    sum_up_of_the_forgetful(&house, "a master of sentinels was killed", took);

    // The dead one comes back just as its heir stalls, before anybody made it a replica: the sentinels take it as it died, and all
    // that was written since is gone.
    a_burst_is_being_delivered(&house, &mut load).await;
    assert!(redis.servers[first].run().await);
    redis.servers[1 - first].signal("STOP").await;
    redis.becomes_master(first).await;
    redis.servers[1 - first].signal("CONT").await;
    load.strike(20);
    let took = house.all_told("erp", AFTER_A_FAILOVER).await;
    settled(&house, &mut daemon).await;
    sum_up_of_the_forgetful(&house, "the store went back to what it was", took);

    // The replica takes over in order: the master lives on and says that it is read-only.
    let replica = redis.paired().await;
    a_burst_is_being_delivered(&house, &mut load).await;
    let mut asked = 0;
    while redis.master().await != replica {
        load.strike(10);
        // Failovers are at least two time-outs apart.
        redis.sentinels[0].tell(&["SENTINEL", "FAILOVER", "caja"]).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        asked += 1;
        assert!(asked < 20, "the sentinels do not fail over");
    }
    load.strike(10);
    let took = house.all_told("erp", AFTER_A_FAILOVER).await;
    settled(&house, &mut daemon).await;
    sum_up_of_the_forgetful(&house, "the sentinels were told to fail over", took);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_whose_slots_move_and_whose_master_dies_under_load_loses_nothing() {
    let mut redis = Sliced::start().await;
    let house = House::upon(redis.url(), 42).await;
    let mut load = Load::new(house.sandbox.world(), 42);
    let hooks = vec![(String::from("erp"), String::from("timeout = \"5s\""))];
    let plan = Plan { sipago: load.watch(), hooks, ..Plan::default() };
    let mut daemon = house.contacted(&plan).await;
    load.strike(20);
    house.all_told("erp", SOON).await;

    // Both accounts' slots wander to the first, which has a replica, while things happen.
    let mut longest = Duration::ZERO;
    for (shard, to) in [(CENTRO, 1), (PALERMO, 2), (CENTRO, 0), (PALERMO, 0)] {
        if redis.owner(shard).await.0 != to {
            a_burst_is_being_delivered(&house, &mut load).await;
            redis.migrate(shard, to, Duration::from_millis(100)).await;
        }
        load.strike(10);
        longest = longest.max(house.all_told("erp", AFTER_A_FAILOVER).await);
    }
    settled(&house, &mut daemon).await;
    sum_up(&house, "slots moved", longest);

    a_burst_is_being_delivered(&house, &mut load).await;
    redis.nodes[0].kill().await;
    load.strike(20);
    let took = house.all_told("erp", AFTER_A_FAILOVER).await;
    assert_eq!(redis.owner(CENTRO).await.0, 3, "the replica took over");
    settled(&house, &mut daemon).await;
    sum_up_of_the_forgetful(&house, "a master of a cluster was killed", took);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_share_a_cluster_and_one_takes_over_from_the_other() {
    let redis = Sliced::start().await;
    let house = House::upon(redis.url(), 43).await;
    let mut load = Load::new(house.sandbox.world(), 43);
    let hooks = vec![(String::from("erp"), String::from("timeout = \"5s\""))];
    let one = Plan { sipago: load.watch(), hooks, ..Plan::default() };
    let two = Plan { instance: String::from("two"), ..one.clone() };
    let mut first = house.contacted(&one).await;
    let mut second = house.daemon(&two).await;
    load.strike(20);
    house.all_told("erp", SOON).await;
    a_burst_is_being_delivered(&house, &mut load).await;
    first.kill().await;
    load.strike(10);
    let took = house.all_told("erp", AFTER_A_FAILOVER).await;
    settled(&house, &mut second).await;
    sum_up(&house, "a replica of the daemon was killed beside a cluster", took);
    second.stop().await;
}

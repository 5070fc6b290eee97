//! The operator's commands beside a running daemon.

use std::time::Duration;

use pregonero::clock::Stopwatch;
use pregonero::domain::money::Money;
use pregonero::sandbox::{Face, Fault, Rule};

use super::{Place, Said};
use crate::support::{House, Memory, Plan, until, webhooks_by_id};

const SOON: Duration = Duration::from_secs(30);

/// A command on the daemon's own configuration, while the daemon and the sandbox go on.
async fn run(house: &House, arguments: &str) -> Said {
    let config = house.path("one.toml");
    let whole = format!("{arguments} --config {}", config.display());
    let output = tokio::task::spawn_blocking(move || Place::bare().command(&whole).output().unwrap()).await.unwrap();
    Said::of(arguments, &output)
}

/// Repeats a command until its objects are so many: what the daemon does next may take it a moment.
async fn run_until(house: &House, arguments: &str, count: usize) -> Vec<serde_json::Value> {
    let watch = Stopwatch::start();
    loop {
        let objects = run(house, arguments).await.objects();
        if objects.len() == count {
            return objects;
        }
        assert!(watch.elapsed() < SOON, "`{arguments}` gives {} and not {count}", objects.len());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_and_a_second_chance_work_while_the_daemon_runs() {
    let house = House::build(Memory::File, 3).await;
    let mut daemon = house.contacted(&Plan::default()).await;
    house.sandbox.world().telepagos_credit(Money::from_cents(150_000));
    house.all_told("erp", SOON).await;
    let id = webhooks_by_id(house.sandbox.caught(), "erp").into_keys().next().unwrap();
    let events = run(&house, "events list --json").await.objects();
    assert_eq!((events.len(), &events[0]["data"]["id"]), (1, &id.as_str().into()));
    assert!(run(&house, "events list").await.done().contains("1500.00"));
    run_until(&house, "deliveries list --json --state delivered", 1).await;
    assert!(run(&house, &format!("events show {id}")).await.done().contains("delivered"));
    assert_eq!(run(&house, "release --dry-run").await.done(), "0 deliveries would be released\n");

    let again = run(&house, "deliveries requeue --state delivered").await;
    assert_eq!(again.done(), "1 delivery will be attempted again\n");
    // News wakes the dispatcher; without any it looks every half minute.
    house.sandbox.world().telepagos_credit(Money::from_cents(99));
    let twice = || webhooks_by_id(house.sandbox.caught(), "erp").get(&id).is_some_and(|heard| heard.attempts == 2);
    until("it is sent again", SOON, twice).await;
    assert!(webhooks_by_id(house.sandbox.caught(), "erp")[&id].same_bytes);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_flood_guard_holds_is_counted_and_released_while_the_daemon_runs() {
    let house = House::build(Memory::File, 4).await;
    let top = String::from("[flood]\nlimit = 2\nolder_than = \"0s\"");
    let hooks = vec![(String::from("erp"), String::new()), (String::from("pager"), String::new())];
    let mut daemon = house.contacted(&Plan { top, hooks, ..Plan::default() }).await;
    let (world, script) = (house.sandbox.world(), house.sandbox.script());
    // So that one reading brings all three.
    let closed = script.add(Rule::always(Face::Telepagos, "v2/account/transactions", Fault::status(503)));
    until("it is closed", SOON, || script.struck(closed) > 0).await;
    for cents in [100, 200, 300] {
        world.telepagos_credit(Money::from_cents(cents));
    }
    script.remove(closed);
    run_until(&house, "events list --json --type flood.held", 1).await;
    assert_eq!(run(&house, "release --dry-run").await.done(), "6 deliveries would be released\n", "3 facts, 2 hooks");
    assert!(webhooks_by_id(house.sandbox.caught(), "erp").is_empty());
    assert_eq!(run(&house, "release").await.done(), "6 deliveries released\n");
    world.telepagos_credit(Money::from_cents(400));
    house.all_told("erp", SOON).await;
    house.all_told("pager", SOON).await;
    daemon.stop().await;
}

#[tokio::test]
async fn a_log_for_machines_is_json_to_the_last_line() {
    let house = House::build(Memory::File, 5).await;
    let plan = Plan::default();
    std::fs::create_dir(house.path("conf.d")).unwrap();
    std::fs::write(house.path("conf.d/log.toml"), "[log]\nformat = \"json\"\n").unwrap();
    let mut daemon = house.contacted(&plan).await;
    daemon.stop().await;
    let log = daemon.log();
    for line in log.lines() {
        assert!(serde_json::from_str::<serde_json::Value>(line).is_ok_and(|line| line.is_object()), "{line}");
    }
    // The file of this test holds passwords and can be read by everybody: the daemon says so once, in its log.
    let warned = log.lines().filter(|line| line.contains("secrets in plain text")).count();
    assert_eq!(warned, 1, "{log}");
}

//! Watches: what an operator adds beside the running daemon is followed, told, and over when its time is.

use std::time::Duration;

use pregonero::domain::money::Money;

use crate::support::{House, Memory, Plan, until, webhooks_by_id};

const PATIENCE: Duration = Duration::from_secs(90);

/// How often `erp` accepted an event of this type, each id once.
fn told(house: &House, kind: &str) -> usize {
    let heard = webhooks_by_id(house.sandbox.caught(), "erp");
    heard.values().filter(|heard| heard.accepted > 0 && heard.told.kind == kind).count()
}

async fn watched_beside_the_daemon(memory: Memory, seed: u64) {
    let house = House::build(memory, seed).await;
    let plan = Plan::default();
    let mut daemon = house.contacted(&plan).await;
    let world = house.sandbox.world();
    let once = world.telepagos_link(Money::from_cents(11_100), |_| {});
    let many = world.telepagos_link(Money::from_cents(22_200), |link| link.multiple_use = true);
    let order = world.order_create(Money::from_cents(33_300));
    world.order_pay(&order).unwrap();
    let mut cashins = vec![world.telepagos_link_pay(once).unwrap()];
    cashins.extend((0..3).map(|_| world.telepagos_link_pay(many).unwrap()));

    let (first, last) = (cashins.iter().min().unwrap(), cashins.iter().max().unwrap());
    let said = house.ask(&plan, &["watch", "add", &format!("{first}..{last}")]).await;
    assert_eq!(said, "following 4 ids of centro\n");
    let url = format!("https://checkout.example/orders/{order}?from=mail");
    assert_eq!(house.ask(&plan, &["watch", "add", &url]).await, "following 1 id of palermo\n");
    house.ask(&plan, &["watch", "add", &many.to_string(), "--kind", "link", "--reusable"]).await;
    house.all_told("erp", PATIENCE).await;
    assert_eq!(told(&house, "link.paid"), 5, "one of each, and three of the link for many");

    // One is paid by a cash-in that is followed, the other by nobody.
    let (paid, left) = (world.telepagos_link(Money::from_cents(44_400), |_| {}), 987_654_321);
    let links = [paid.to_string(), left.to_string()];
    house.ask(&plan, &["watch", "add", &links[0], &links[1], "--kind", "link", "--expires", "15s"]).await;
    let cashin = world.telepagos_link_pay(paid).unwrap();
    house.ask(&plan, &["watch", "add", &cashin.to_string()]).await;
    until("the link has expired", PATIENCE, || told(&house, "link.expired") == 1).await;
    daemon.kill().await;
    let mut daemon = house.contacted(&plan).await;
    let open = house.ask(&plan, &["watch", "list", "--json"]).await;
    let open: Vec<serde_json::Value> = open.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids: Vec<_> = open.iter().map(|watch| watch["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids, [many.to_string()], "all others are at their end: {open:?}");
    assert_eq!((told(&house, "link.expired"), told(&house, "link.paid")), (1, 6), "each once, over a restart too");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_watched_beside_the_daemon_is_told_and_expires_once_on_a_file() {
    watched_beside_the_daemon(Memory::File, 81).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_watched_beside_the_daemon_is_told_and_expires_once_on_redis() {
    watched_beside_the_daemon(Memory::Redis, 82).await;
}

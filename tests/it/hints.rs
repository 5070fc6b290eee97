//! Hints: an upstream's own push makes the daemon look at once, and no flood of them makes it ask too much.

use std::time::Duration;

use pregonero::clock::Stopwatch;
use pregonero::domain::money::Money;
use pregonero::sandbox::Face;
use pregonero::sandbox::world::Via;

use crate::support::{Daemon, House, Memory, Plan, until};

const PATIENCE: Duration = Duration::from_secs(60);
const SECRET: &str = "s3cret-of-the-hints";
const WRONG: &str = "s3cret-of-the-hintz";

/// Both accounts take hints; by themselves they look once an hour.
fn plan() -> Plan {
    let hints = format!(r#"hints = {{ secret = "{SECRET}", cashin = ["/cashin/id"] }}"#);
    Plan {
        poll: String::from(r#"{ hot = "1h", warm = "1h", watch = "5s" }"#),
        telepagos: format!("lookback = \"7d\"\n{hints}"),
        sipago: format!("lookback = \"7d\"\nhints = {{ secret = \"{SECRET}\" }}"),
        ..Plan::default()
    }
}

/// A daemon after its first contact, with nothing due for an hour.
async fn resting(house: &House) -> Daemon {
    std::fs::create_dir_all(house.path("conf.d")).unwrap();
    std::fs::write(house.path("conf.d/log.toml"), "[log]\nfilter = \"trace\"\n").unwrap();
    let daemon = house.daemon(&plan()).await;
    // Hot, warm and one piece of cold; the last is asked only when the first is committed.
    let all = || house.listings(Face::Telepagos) == 3 && house.listings(Face::Sipago) == 3;
    until("first contact is over", PATIENCE, all).await;
    daemon
}

/// How often an upstream was asked, whatever for.
fn asked(house: &House, face: Face, what: &str) -> usize {
    house
        .sandbox
        .caught()
        .look(|shelves| shelves.asked.iter().filter(|asked| asked.face == face && asked.line.contains(what)).count())
}

fn order_hint(uuids: &[String]) -> String {
    serde_json::json!({ "data": { "order": { "uuid": uuids } } }).to_string()
}

async fn hint(daemon: &Daemon, account: &str, secret: &str, body: &str) -> String {
    let answer = daemon.post(&format!("/hints/{account}/{secret}"), body).await.expect("it answers");
    answer.lines().next().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hint_makes_a_payment_announced_long_before_the_cadence_and_a_wrong_secret_changes_nothing() {
    let house = House::build(Memory::File, 71).await;
    let mut daemon = resting(&house).await;
    let world = house.sandbox.world();
    let (order, other) = (world.order_create(Money::from_cents(77_700)), world.order_create(Money::from_cents(88_800)));
    world.order_pay(&order).unwrap();
    world.telepagos_credit(Money::from_cents(12_300));
    let cashin = world.telepagos_cashin(Via::Link, Money::from_cents(45_600));

    for (account, secret) in [("palermo", WRONG), ("nowhere", SECRET), ("palermo", ""), ("palermo", "x/y")] {
        let answer = hint(&daemon, account, secret, &order_hint(std::slice::from_ref(&other))).await;
        assert_eq!(answer, "HTTP/1.1 404 Not Found", "{account} {secret}");
    }
    let body = serde_json::json!({ "cashin": { "id": cashin.to_string() }, "amount": 1 }).to_string();
    assert_eq!(hint(&daemon, "centro", SECRET, &body).await, "HTTP/1.1 202 Accepted");
    until("the credit and the cash-in are looked at", PATIENCE, || {
        house.listings(Face::Telepagos) == 4 && asked(&house, Face::Telepagos, &format!("payment/cashin/{cashin}")) > 0
    })
    .await;
    assert_eq!(house.listings(Face::Sipago), 3, "nobody who knows the secret spoke of this account");

    let body = order_hint(std::slice::from_ref(&order));
    assert_eq!(hint(&daemon, "palermo", SECRET, &body).await, "HTTP/1.1 202 Accepted");
    let took = house.all_told("erp", PATIENCE).await;
    assert_eq!(asked(&house, Face::Sipago, &other), 0, "what a wrong secret named is followed by nobody");
    // Said again, it is no news: the hint is not the payment.
    assert_eq!(hint(&daemon, "palermo", SECRET, &body).await, "HTTP/1.1 202 Accepted");
    until("it is looked at again", PATIENCE, || asked(&house, Face::Sipago, &order) >= 2).await;
    house.nothing_invented("erp");
    daemon.stop().await;
    let log = daemon.log();
    assert!(!log.contains(SECRET) && !log.contains(WRONG), "a secret stands in the log");
    assert!(log.contains(" DEBUG "), "else the log could not show it");
    eprintln!("told {took:?} after the hint, where the cadence is an hour");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_hints_costs_no_more_than_its_share_of_the_quota() {
    let house = House::build(Memory::File, 72).await;
    let mut daemon = resting(&house).await;
    let before = asked(&house, Face::Sipago, "");
    house.sandbox.world().sipago_sale(Money::from_cents(99_900));
    let (watch, mut accepted, mut sent_away, mut number) = (Stopwatch::start(), 0_u64, 0_u64, 0_u128);
    // Until the hot reading was brought forward three times: that takes ten seconds, whatever comes.
    while house.listings(Face::Sipago) < 6 {
        assert!(watch.elapsed() < PATIENCE, "the hints do nothing");
        let made_up: Vec<String> = (0..16).map(|n| uuid(number + n)).collect();
        number += 16;
        match hint(&daemon, "palermo", SECRET, &order_hint(&made_up)).await.as_str() {
            "HTTP/1.1 202 Accepted" => accepted += 1,
            "HTTP/1.1 429 Too Many Requests" => sent_away += 1,
            other => panic!("{other}"),
        }
    }
    let fives = usize::try_from(watch.elapsed().as_secs() / 5).unwrap() + 1;
    let cost = asked(&house, Face::Sipago, "") - before;
    assert!(cost <= 2 * fives + 1, "{cost} requests in {:?}", watch.elapsed());
    assert!(accepted <= watch.elapsed().as_secs() + 11, "{accepted} taken in {:?}", watch.elapsed());
    assert!(sent_away > accepted, "{accepted} taken, {sent_away} sent away");
    house.all_told("erp", PATIENCE).await;
    daemon.stop().await;
    eprintln!("{accepted} hints taken and {sent_away} sent away in {:?}: {cost} requests", watch.elapsed());
}

/// A uuid that no order has.
fn uuid(number: u128) -> String {
    let hex = format!("{:032x}", (7 << 120) + number);
    [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| hex[part].to_owned()).join("-")
}

//! Crashes, restarts and signals: nothing is lost, nothing is invented, everything keeps its id.

use std::time::Duration;

use pregonero::domain::money::Money;
use pregonero::sandbox::world::{RefundShown, Status, Via};

use crate::support::{Daemon, House, Memory, Plan, announced, until, webhooks_by_id};

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
    let mut daemon: Daemon = house.contacted(&plan).await;
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

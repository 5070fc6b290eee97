//! Outages: of the store, of receivers, of an upstream's pages. Nothing is lost, nothing is invented, nobody else waits.

use std::time::Duration;

use pregonero::domain::money::Money;
use pregonero::sandbox::{Face, Fault, Rule};

use crate::support::{Daemon, House, Load, Memory, Plan, Server, until, webhooks_by_id};

const SOON: Duration = Duration::from_secs(20);

/// The longest wait of a loop between two looks at a store that does not answer is 30 s.
const AFTER_AN_OUTAGE: Duration = Duration::from_secs(45);

fn hook(name: &str, lines: &str) -> (String, String) {
    (name.to_owned(), lines.to_owned())
}

fn attempts(house: &House, name: &str) -> usize {
    webhooks_by_id(house.sandbox.caught(), name).values().map(|heard| heard.attempts).sum()
}

fn lines(daemon: &Daemon) -> usize {
    daemon.log().lines().count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_dies_and_comes_back_costs_nothing_and_floods_no_log() {
    let mut house = House::build(Memory::Redis, 21).await;
    let mut load = Load::new(house.sandbox.world(), 21);
    let plan = Plan { sipago: load.watch(), ..Plan::default() };
    let mut daemon = house.contacted(&plan).await;
    let mut longest = Duration::ZERO;
    for down in [300, 1_000, 6_000] {
        let lines_before = lines(&daemon);
        load.strike(20);
        let before = attempts(&house, "erp");
        until("the burst is being delivered", SOON, || attempts(&house, "erp") > before).await;
        house.redis.as_mut().unwrap().kill().await;
        load.strike(10);
        until("the outage is noticed", SOON, || daemon.log().matches("does not answer").count() > 0).await;
        tokio::time::sleep(Duration::from_millis(down)).await;
        load.strike(10);
        assert!(house.redis.as_mut().unwrap().run().await);
        longest = longest.max(house.all_told("erp", AFTER_AN_OUTAGE).await);
        assert!(daemon.runs());
        // One line for each loop that loses the store, one when it has it back, one for each failed delivery at most.
        let written = lines(&daemon) - lines_before;
        assert!(written <= 12, "{written} lines for one outage:\n{}", daemon.log());
    }
    let heard = webhooks_by_id(house.sandbox.caught(), "erp");
    let twice = heard.values().filter(|heard| heard.accepted > 1).count();
    house.nothing_pending(AFTER_AN_OUTAGE).await;
    eprintln!(
        "three outages of Redis: {} facts, {twice} of them accepted twice; told {longest:?} after it came back",
        heard.len()
    );
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_redis_forgets_is_found_again_under_the_same_ids() {
    let mut house = House::build(Memory::Redis, 28).await;
    let mut load = Load::new(house.sandbox.world(), 28);
    let plan = Plan { sipago: load.watch(), hooks: vec![hook("erp", "retry = [\"20s\"]")], ..Plan::default() };
    let _daemon = house.contacted(&plan).await;
    load.strike(10);
    house.all_told("erp", SOON).await;
    house.nothing_pending(SOON).await;
    let copy = house.redis.as_ref().unwrap().keep().await;
    // What comes now is committed, tried in vain, and forgotten.
    house.sandbox.script().add(Rule::always(Face::Webhook, "hooks/erp", Fault::status(500)));
    let facts = webhooks_by_id(house.sandbox.caught(), "erp").len();
    load.strike(10);
    house.read_again().await;
    let tried = webhooks_by_id(house.sandbox.caught(), "erp");
    assert!(tried.len() > facts, "it was committed");
    house.redis.as_mut().unwrap().roll_back(copy).await;
    house.sandbox.script().clear();
    let took = house.all_told("erp", AFTER_AN_OUTAGE).await;
    let heard = webhooks_by_id(house.sandbox.caught(), "erp");
    assert_eq!(heard.len(), tried.len(), "under the same ids");
    house.nothing_pending(SOON).await;
    eprintln!("{} facts that Redis had forgotten were told {took:?} after it came back", tried.len() - facts);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_down_at_the_start_ends_it_at_once_and_says_where_it_should_be() {
    let mut house = House::build(Memory::File, 22).await;
    house.redis = Some(Server::asleep());
    let mut daemon = house.launch(&Plan::default());
    let status = daemon.ended(SOON).await;
    assert_eq!(status.code(), Some(1));
    let log = daemon.log();
    let place = house.redis.as_ref().unwrap().url().replace("redis://", "").replace("/0", "");
    assert!(log.contains(&place) && log.contains("is it running"), "{log}");
    assert!(log.lines().count() <= 5, "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hanging_receiver_keeps_nobody_waiting() {
    let house = House::build(Memory::File, 23).await;
    let mut load = Load::new(house.sandbox.world(), 23);
    let hooks = vec![hook("stuck", "timeout = \"30s\""), hook("erp", "")];
    let plan = Plan { sipago: load.watch(), hooks, people: Some(String::new()), ..Plan::default() };
    let _daemon = house.contacted(&plan).await;
    house.sandbox.script().add(Rule::always(Face::Webhook, "hooks/stuck", Fault::Hang { after_effect: false }));
    load.strike(3);
    until("an attempt hangs", SOON, || attempts(&house, "stuck") > 0).await;
    let mut longest = Duration::ZERO;
    for _ in 0..10 {
        load.strike(6);
        longest = longest.max(house.all_told("erp", Duration::from_secs(10)).await);
    }
    let facts = webhooks_by_id(house.sandbox.caught(), "erp").len();
    until("the mails are there too", SOON, || house.sandbox.caught().look(|shelves| shelves.mails.len() >= facts))
        .await;
    assert!(attempts(&house, "stuck") <= 8, "no more than its own hands are stuck");
    eprintln!("beside a hanging receiver {facts} facts were told, each burst within {longest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_fails_for_a_while_gets_everything_afterwards() {
    let house = House::build(Memory::File, 24).await;
    let mut load = Load::new(house.sandbox.world(), 24);
    let waits = ["\"300ms\""; 40].join(", ");
    let hooks = vec![hook("shaky", &format!("retry = [{waits}]")), hook("erp", "")];
    let plan = Plan { sipago: load.watch(), hooks, ..Plan::default() };
    let daemon = house.contacted(&plan).await;
    house.sandbox.script().add(Rule::always(Face::Webhook, "hooks/shaky", Fault::status(500)));
    let before = lines(&daemon);
    load.strike(20);
    house.all_told("erp", SOON).await;
    let facts = webhooks_by_id(house.sandbox.caught(), "erp").len();
    until("everything was tried three times", SOON, || attempts(&house, "shaky") >= 3 * facts).await;
    assert!(webhooks_by_id(house.sandbox.caught(), "shaky").values().all(|heard| heard.accepted == 0));
    house.sandbox.script().clear();
    let took = house.all_told("shaky", SOON).await;
    house.nothing_pending(SOON).await;
    let heard = webhooks_by_id(house.sandbox.caught(), "shaky");
    assert!(heard.values().all(|heard| heard.accepted == 1 && heard.same_bytes));
    let written = lines(&daemon) - before;
    assert!(written <= 6, "{written} lines for one failing receiver:\n{}", daemon.log());
    let tries: usize = heard.values().map(|heard| heard.attempts).sum();
    eprintln!("{facts} facts, {tries} tries at a failing receiver, all told {took:?} after it was mended");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receiver_that_says_gone_is_left_alone_and_loses_nothing() {
    for memory in [Memory::File, Memory::Redis] {
        let house = House::build(memory, 25).await;
        let mut load = Load::new(house.sandbox.world(), 25);
        let hooks = vec![hook("gone", "in_flight = 1"), hook("erp", "")];
        let plan = Plan { sipago: load.watch(), hooks, ..Plan::default() };
        let mut daemon = house.contacted(&plan).await;
        house.sandbox.script().add(Rule::always(Face::Webhook, "hooks/gone", Fault::status(410)));
        load.strike(10);
        house.all_told("erp", SOON).await;
        let facts = webhooks_by_id(house.sandbox.caught(), "erp").len();
        until("it was asked", SOON, || attempts(&house, "gone") > 0).await;
        load.strike(5);
        house.all_told("erp", SOON).await;
        assert_eq!(attempts(&house, "gone"), 1, "it is not asked again");
        let counts = house.counts().await;
        assert!(counts.dead == 0 && counts.pending >= u64::try_from(facts).unwrap(), "{counts:?}");
        daemon.stop().await;
        house.sandbox.script().clear();
        house.ask(&plan, &["deliveries", "requeue", "--state", "pending", "--destination", "gone"]).await;
        let _daemon = house.daemon(&plan).await;
        house.all_told("gone", SOON).await;
        house.nothing_pending(SOON).await;
    }
}

/// Rows on three pages at both upstreams, then trouble with the pages until each was struck as often as is said.
async fn paged(fault: Fault, seed: u64, [telepagos, sipago]: [u32; 2]) -> (House, Daemon) {
    let house = House::build(Memory::File, seed).await;
    let world = house.sandbox.world();
    world.configure(|settings| (settings.telepagos_page, settings.sipago_page) = (4, 4));
    let mut daemon = house.contacted(&Plan { telepagos: String::from("paginate = true"), ..Plan::default() }).await;
    // Twelve rows on pages of four: where a page repeats, there are still as many rows as promised. Two are twins.
    for amount in 0..10 {
        world.telepagos_credit(Money::from_cents(50_000 + amount * 100));
        world.sipago_sale(Money::from_cents(60_000 + amount * 100));
    }
    let credit = world.telepagos_credit(Money::from_cents(70_000));
    world.telepagos_twin(credit).unwrap();
    house.all_told("erp", SOON).await;
    let script = house.sandbox.script();
    let telepagos_path = "v2/account/transactions";
    let first = script.add(Rule::times(Face::Telepagos, telepagos_path, telepagos, fault.clone()));
    let second = script.add(Rule::times(Face::Sipago, "transactions/page", sipago, fault));
    until("both upstreams misbehave", Duration::from_secs(30), || {
        script.struck(first) == telepagos && script.struck(second) == sipago
    })
    .await;
    assert!(daemon.runs());
    house.nothing_invented("erp");
    (house, daemon)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_that_shift_from_page_to_page_are_no_second_payments() {
    let (house, _daemon) = paged(Fault::PageShift, 26, [6, 9]).await;
    // After failures in a row the next reading may wait a little.
    house.all_told("erp", Duration::from_secs(40)).await;
    house.read_again().await;
    house.nothing_invented("erp");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_repeats_for_ever_invents_nothing() {
    let (house, _daemon) = paged(Fault::RepeatedPage, 27, [12, 6]).await;
    let world = house.sandbox.world();
    world.telepagos_credit(Money::from_cents(80_000));
    world.sipago_sale(Money::from_cents(90_000));
    // After failures in a row the next reading may wait a little.
    house.all_told("erp", Duration::from_secs(40)).await;
    house.read_again().await;
    house.nothing_invented("erp");
}

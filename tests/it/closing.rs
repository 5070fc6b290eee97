//! A day is closed by the real daemon: a gap that no poll could see is found at night and announced.

use std::time::Duration;

use jiff::ToSpan as _;
use pregonero::clock::Stopwatch;
use pregonero::domain::money::Money;
use pregonero::sandbox::{Face, Fault, Rule};
use serde_json::Value;

use crate::support::{House, Memory, Plan};

const PATIENCE: Duration = Duration::from_secs(60);

/// `events list` of one type, as soon as there are so many.
async fn events(house: &House, plan: &Plan, kind: &str, count: usize) -> Vec<Value> {
    let watch = Stopwatch::start();
    loop {
        let text = house.ask(plan, &["events", "list", "--json", "--type", kind]).await;
        let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        if events.len() == count {
            return events;
        }
        assert!(watch.elapsed() < PATIENCE, "{} of {kind} and not {count}: {events:?}", events.len());
    }
}

async fn report(house: &House, plan: &Plan, arguments: &[&str]) -> Value {
    let fixed = ["report", "day", "--json", "--account", "centro"];
    let text = house.ask(plan, &[&fixed[..], arguments].concat()).await;
    serde_json::from_str(text.trim()).unwrap()
}

async fn a_gap_is_found(memory: Memory, seed: u64) {
    let house = House::build(memory, seed).await;
    let (world, script) = (house.sandbox.world(), house.sandbox.script());
    let now = world.wall_clock();
    let (yesterday, tomorrow) = (now.date() - 1.day(), now.date() + 1.day());
    let credit = |cents: i64, hour: i8| {
        let row = world.telepagos_credit(Money::from_cents(cents));
        assert!(world.telepagos_back_date(row, yesterday.at(hour, 0, 0, 0)));
    };
    credit(150_000, 10);
    // Every day is watched from yesterday on and closed as soon as it is over.
    let plan = Plan {
        top: String::from("[reconcile]\nat = \"00:00\"\n"),
        telepagos: format!("start = \"{yesterday}\""),
        ..Plan::default()
    };
    // A cache of the upstream answers every question that the polls ask with what it knew: nothing. At night another
    // question is asked, the day and its neighbours, and it is not in the cache.
    let stale = Fault::Body(String::from(r#"{"status":"ok","transactions":[]}"#));
    let path = "v2/account/transactions";
    let rule = script.add(Rule::always(Face::Telepagos, path, stale).mentions(&format!("date_to={tomorrow}")));
    credit(2_599, 11);
    let mut daemon = house.daemon(&plan).await;
    let closed = events(&house, &plan, "day.closed", 1).await;
    let data = &closed[0]["data"];
    assert_eq!((&data["account"], &data["day"]), (&"centro".into(), &yesterday.to_string().into()));
    assert_eq!((&data["differences"], &data["credits"]["count"]), (&2.into(), &2.into()), "{data}");
    assert_eq!(data["credits"]["total"]["value"], "1525.99");
    let found = events(&house, &plan, "reconcile.difference", 1).await;
    assert_eq!((&found[0]["data"]["differences"], &found[0]["data"]["account"]), (&2.into(), &"centro".into()));
    assert!(script.struck(rule) > 0, "the polls were answered by the cache");
    let credits = events(&house, &plan, "credit.received", 2).await;
    assert!(credits.iter().all(|credit| credit["data"]["late"] == true), "{credits:?}");
    house.all_told("erp", PATIENCE).await;

    // Beside the daemon: the same figures, and nothing is missing any more.
    let day = report(&house, &plan, &["yesterday"]).await;
    assert_eq!((&day["state"], &day["checked"], &day["differences"]), (&"closed".into(), &true.into(), &0.into()));
    assert_eq!(day["credits"], data["credits"]);
    let offline = report(&house, &plan, &[&yesterday.to_string(), "--offline"]).await;
    assert_eq!((&offline["checked"], &offline["differences"]), (&false.into(), &Value::Null));

    // Nothing of it is said again, whatever ends and comes back.
    daemon.kill().await;
    script.remove(rule);
    let mut daemon = house.contacted(&plan).await;
    house.read_again().await;
    for (kind, count) in [("day.closed", 1), ("reconcile.difference", 1), ("credit.received", 2)] {
        assert_eq!(events(&house, &plan, kind, count).await.len(), count);
    }
    house.nothing_invented("erp");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planted_gap_is_found_announced_and_reported_with_the_store_in_a_file() {
    a_gap_is_found(Memory::File, 600).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planted_gap_is_found_announced_and_reported_with_the_store_in_redis() {
    a_gap_is_found(Memory::Redis, 601).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_says_what_is_missing_while_nobody_watches() {
    let house = House::build(Memory::File, 602).await;
    let world = house.sandbox.world();
    let yesterday = world.wall_clock().date() - 1.day();
    let plan = Plan {
        telepagos: format!("start = \"{yesterday}\""),
        top: String::from("[reconcile]\nat = \"\"\n"),
        ..Plan::default()
    };
    let mut daemon = house.contacted(&plan).await;
    daemon.stop().await;
    let row = world.telepagos_credit(Money::from_cents(777));
    assert!(world.telepagos_back_date(row, yesterday.at(12, 0, 0, 0)));
    world.telepagos_credit(Money::from_cents(888));
    let output = |arguments: &'static [&'static str]| {
        let config = house.path("one.toml");
        async move {
            let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_pregonero"));
            command.args(arguments).arg("--config").arg(config).output().await.unwrap()
        }
    };
    let over = output(&["report", "day", "yesterday", "--account", "centro"]).await;
    assert_eq!(over.status.code(), Some(1), "{}", String::from_utf8_lossy(&over.stderr));
    let text = String::from_utf8(over.stdout).unwrap();
    assert!(text.contains("not closed") && text.lines().last().is_some_and(|line| line.ends_with(" 1")), "{text}");
    let so_far = report(&house, &plan, &[]).await;
    assert_eq!((&so_far["state"], &so_far["differences"]), (&"so_far".into(), &1.into()), "today is no failure");
    let wrong = output(&["report", "day", "ayer"]).await;
    assert_eq!(wrong.status.code(), Some(2));
}

//! What a command creates is followed, cash-ins that nobody names are found, and other programs see and change the watches.

use std::time::Duration;

use pregonero::clock::Stopwatch;
use pregonero::domain::money::Money;
use pregonero::sandbox::world::Cashin;
use serde_json::Value;

use crate::support::{Daemon, House, Memory, Plan, until, webhooks_by_id};

const PATIENCE: Duration = Duration::from_secs(90);

/// The account's cash-ins are probed for.
fn plan() -> Plan {
    let telepagos = format!("follow = {{ from = {}, ahead = 3 }}", Cashin::FIRST);
    Plan { telepagos, ..Plan::default() }
}

/// Type and amount of everything that `erp` accepted, sorted.
fn told(house: &House) -> Vec<String> {
    let heard = webhooks_by_id(house.sandbox.caught(), "erp");
    let of_links = heard.values().filter(|heard| heard.accepted > 0 && !heard.told.kind.starts_with("credit."));
    let mut told: Vec<String> = of_links.map(|heard| format!("{} {}", heard.told.kind, heard.told.amount)).collect();
    told.sort();
    told
}

async fn made(house: &House, plan: &Plan, arguments: &str, id: &str) -> String {
    let said = house.ask(plan, &arguments.split_whitespace().collect::<Vec<_>>()).await;
    let answer: Value = serde_json::from_str(&said).unwrap();
    answer[id].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

/// `kind/id state origin` of everything that is followed.
async fn followed(daemon: &Daemon) -> Vec<String> {
    let answer = daemon.get("/api/v1/watches?all=true").await.expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let body: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    let word = |watch: &Value| {
        let text = |key: &str| watch[key].as_str().unwrap().to_owned();
        format!("{}/{} {} {}", text("kind"), text("id"), text("state"), text("origin"))
    };
    body["watches"].as_array().unwrap().iter().map(word).collect()
}

/// Waits until all of these are among what is followed.
async fn until_followed(daemon: &Daemon, wanted: &[String]) {
    let watch = Stopwatch::start();
    loop {
        let there = followed(daemon).await;
        if wanted.iter().all(|watch| there.contains(watch)) {
            return;
        }
        assert!(watch.elapsed() < PATIENCE, "{wanted:?}: {there:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn created_paid_and_expired(memory: Memory, seed: u64) {
    let (house, plan) = (House::build(memory, seed).await, plan());
    let mut daemon = house.contacted(&plan).await;
    let world = house.sandbox.world();
    let link = "telepagos link create --concept VAR --json";
    let paid = made(&house, &plan, &format!("{link} --amount 111,10 --expires 2h"), "link_id").await;
    let left = made(&house, &plan, &format!("{link} --amount 222,20 --expires 8s"), "link_id").await;
    let unseen = made(&house, &plan, &format!("{link} --amount 333,30 --expires 2h --no-watch"), "link_id").await;
    let qr = made(&house, &plan, "telepagos qr create --amount 444,40 --concept VAR --json", "qr_order_id").await;
    let order = ["sipago", "link", "create", "--amount", "555,50", "--description", "cafe", "--json"];
    let order: Value = serde_json::from_str(&house.ask(&plan, &order).await).unwrap();
    let order = order["order_uuid"].as_str().unwrap().to_owned();

    let open = followed(&daemon).await;
    for (kind, id) in [("link", &paid), ("link", &left), ("qr", &qr), ("order", &order)] {
        assert!(open.contains(&format!("{kind}/{id} open created")), "{kind}/{id}: {open:?}");
    }
    assert!(!open.iter().any(|watch| watch.contains(&unseen)), "{open:?}");

    let cashin = world.telepagos_link_pay(paid.parse().unwrap()).unwrap();
    world.telepagos_qr_pay(qr.parse().unwrap()).unwrap();
    world.order_pay(&order).unwrap();
    until("the link that nobody paid has expired", PATIENCE, || told(&house).len() == 4).await;
    let all = ["link.expired 222.20", "link.paid 111.10", "link.paid 555.50", "qr.paid 444.40"];
    assert_eq!(told(&house), all);
    // On Redis a change beside the daemon is noticed within 25 s.
    let ended = [format!("link/{paid} ended created"), format!("cashin/{cashin} ended followed")];
    until_followed(&daemon, &ended).await;

    // Killed, and begun again: what is found is where it was.
    daemon.kill().await;
    let mut daemon = house.contacted(&plan).await;
    world.telepagos_link_pay(unseen.parse().unwrap()).unwrap();
    until("its cash-in is found by probing", PATIENCE, || told(&house).len() == 5).await;
    assert!(told(&house).contains(&String::from("link.paid 333.30")));
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_command_creates_is_told_when_it_is_paid_or_expires_on_a_file() {
    created_paid_and_expired(Memory::File, 91).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_command_creates_is_told_when_it_is_paid_or_expires_on_redis() {
    created_paid_and_expired(Memory::Redis, 92).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_program_has_a_cashin_followed_over_http_and_sees_what_watch_list_sees() {
    let (house, plan) = (House::build(Memory::File, 93).await, Plan::default());
    let mut daemon = house.contacted(&plan).await;
    let world = house.sandbox.world();
    let link = world.telepagos_link(Money::from_cents(66_600), |_| {});
    let cashin = world.telepagos_link_pay(link).unwrap();
    let body = format!(r#"{{"account": "centro", "ids": [{cashin}], "until": "2h"}}"#);
    let said = daemon.post("/api/v1/watches", &body).await.expect("it answers");
    assert!(
        said.starts_with("HTTP/1.1 200") && said.ends_with(r#"{"account":"centro","following":1,"known":0}"#),
        "{said}"
    );
    until("it is told", PATIENCE, || told(&house) == ["link.paid 666.00"]).await;

    let listed = house.ask(&plan, &["watch", "list", "--all", "--json"]).await;
    let listed: Vec<Value> = listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let answer = daemon.get("/api/v1/watches?all=true").await.unwrap();
    let answer: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(answer["watches"], Value::Array(listed), "the same objects");

    let wrong = daemon.post("/api/v1/watches", r#"{"ids": ["seven"]}"#).await.unwrap();
    assert!(wrong.starts_with("HTTP/1.1 400") && wrong.contains("an order's uuid or its link"), "{wrong}");
    let page = "GET /api/v1/watches HTTP/1.1\r\nHost: rebound.example\r\nConnection: close\r\n\r\n";
    let page = daemon.asked(page).await.unwrap();
    assert!(page.starts_with("HTTP/1.1 403") && !page.contains(&cashin.to_string()), "{page}");
    let gone = format!(
        "DELETE /api/v1/watches/centro/cashin/{cashin} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
    );
    assert!(daemon.asked(&gone).await.unwrap().starts_with("HTTP/1.1 200"));
    assert_eq!(house.ask(&plan, &["watch", "list", "--all", "--json"]).await, "");
    daemon.stop().await;
}

//! How the accounts are doing, as the real daemon says it at `/api/v1/sources`.

use std::time::Duration;

use pregonero::clock::Stopwatch;
use pregonero::sandbox::{Face, Fault, Rule};
use serde_json::Value;

use crate::support::{Daemon, House, Memory, Plan};

const PATIENCE: Duration = Duration::from_secs(60);

async fn sources(daemon: &Daemon) -> Vec<Value> {
    let answer = daemon.get("/api/v1/sources").await.expect("it answers");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let body: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    body["sources"].as_array().unwrap().clone()
}

/// Waits until `is` holds of an account, and returns it.
async fn until_source(daemon: &Daemon, account: &str, is: impl Fn(&Value) -> bool) -> Value {
    let watch = Stopwatch::start();
    loop {
        let all = sources(daemon).await;
        if let Some(found) = all.iter().find(|source| source["account"] == account && is(source)) {
            return found.clone();
        }
        assert!(watch.elapsed() < PATIENCE, "{account}: {all:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everybody_sees_how_far_behind_each_account_is_and_what_of_its_quota_is_used() {
    let house = House::build(Memory::File, 71).await;
    let plan = Plan::default();
    let mut daemon = house.contacted(&plan).await;
    let ok = until_source(&daemon, "centro", |source| source["state"] == "ok").await;
    assert_eq!((&ok["upstream"], &ok["source"]), (&Value::from("telepagos"), &Value::from("transactions")));
    assert!(ok["lag_s"].as_u64().unwrap() < 60 && ok["read_at"].as_str().unwrap().ends_with('Z'), "{ok}");
    assert!(ok["quota"]["used"].as_u64().unwrap() > 0 && ok["quota"]["share"] == 1.0, "{ok}");
    assert!(ok["quota"]["used"].as_u64() <= ok["quota"]["of"].as_u64(), "{ok}");
    let next = ["hot", "warm", "cold"].map(Value::from);
    assert!(next.contains(&ok["next"]["task"]) && ok["next"]["id"].is_null(), "{ok}");

    // One of them cannot be read, and the other can.
    let script = house.sandbox.script();
    let fault = Fault::Status { status: 500, body: String::from("{}"), retry_after: None };
    let rule = script.add(Rule::always(Face::Telepagos, "v2/account/transactions", fault));
    let failing = until_source(&daemon, "centro", |source| source["failures"].as_u64() > Some(1)).await;
    assert_eq!(failing["state"], "failing");
    assert_eq!(until_source(&daemon, "palermo", |source| source["state"] == "ok").await["failures"], 0);
    assert!(script.remove(rule));
    until_source(&daemon, "centro", |source| source["state"] == "ok").await;

    // Somebody is about to pay.
    assert_eq!(until_source(&daemon, "centro", |source| source["tempo"] == "awake").await["watches"], 0);
    let made = house.ask(&plan, &["telepagos", "qr", "create", "--amount", "10", "--concept", "VAR", "--json"]).await;
    assert!(made.contains("qr"), "{made}");
    until_source(&daemon, "centro", |source| source["tempo"] == "expecting").await;
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_beside_the_daemon_passes_the_daemons_gate() {
    let house = House::build(Memory::File, 72).await;
    // Nothing is asked again for a long time.
    let plan = Plan { poll: String::from(r#"{ hot = "30m", warm = "1h", cold = "1d" }"#), ..Plan::default() };
    let mut daemon = house.daemon(&plan).await;
    let quiet = |source: &Value| source["next"]["due_in_s"].as_u64() > Some(60) && source["state"] == "ok";
    let before = until_source(&daemon, "centro", quiet).await["quota"]["used"].as_u64().unwrap();
    // A login and a question each.
    for _ in 0..6 {
        house.ask(&plan, &["telepagos", "concepts", "--json"]).await;
    }
    let noted = |source: &Value| source["quota"]["used"].as_u64() >= Some(before + 12);
    until_source(&daemon, "centro", noted).await;
    daemon.stop().await;
    house.ask(&plan, &["telepagos", "concepts", "--json"]).await;
}

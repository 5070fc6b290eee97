//! Upstreams that answer badly: nothing that they say wrong moves a ledger, ends the daemon, floods its log or is
//! hidden; and what they say right afterwards is announced once.

mod answers;
mod bytes;
mod pages;
mod refusals;
mod rows;
mod trial;
mod watched;

use pregonero::domain::money::Money;
use serde_json::Value;

use crate::support::{Daemon, House};

/// What no log may hold, whatever its level: credentials, and what only the payer and the merchant may know.
fn assert_keeps_secrets(house: &House, log: &str) {
    use pregonero::sandbox::{API_KEY, BOT_TOKEN, PASSWORD, WEBHOOK_SECRET};
    let mut secrets: Vec<String> = [PASSWORD, API_KEY, BOT_TOKEN].map(str::to_owned).into();
    secrets.push(WEBHOOK_SECRET.trim_start_matches("whsec_").to_owned());
    // Every token that the sandbox gives out begins so; none is ever printed.
    secrets.push(String::from("Bearer sandbox-"));
    let world = house.sandbox.world();
    let tomorrow = world.wall_clock().date().saturating_add(jiff::Span::new().days(2));
    let long_ago = tomorrow.saturating_sub(jiff::Span::new().days(60));
    for row in world.telepagos_listing(long_ago, tomorrow) {
        secrets.extend([row.holder, row.cuit, row.cvu_cbu]);
    }
    for sale in world.sipago_listing(long_ago, tomorrow) {
        secrets.extend([sale.buyer.cuit, sale.buyer.cvu, sale.buyer.last]);
    }
    for secret in secrets.iter().filter(|secret| secret.chars().count() > 3) {
        let line = log.lines().find(|line| line.contains(secret.as_str()));
        assert!(line.is_none(), "`{secret}` stands in the log: {line:?}");
    }
}

/// What the operator sees of the log where the filter is `info`.
fn loud(log: &str) -> Vec<&str> {
    let wanted = |line: &&str| [" INFO ", " WARN ", "ERROR "].iter().any(|level| line.contains(level));
    log.lines().filter(wanted).filter(|line| line.contains("pregonero")).collect()
}

/// The loud lines of one account that hold these words.
fn said<'a>(log: &'a str, account: &str, words: &str) -> Vec<&'a str> {
    let account = format!("account.name={account}");
    loud(log).into_iter().filter(|line| line.contains(&account) && line.contains(words)).collect()
}

/// `events list --json …` beside the daemon.
async fn listed(house: &House, arguments: &str) -> Vec<Value> {
    let config = house.path("one.toml");
    let output = tokio::process::Command::new(env!("CARGO_BIN_EXE_pregonero"))
        .args(["events", "list", "--json", "--config", config.to_str().unwrap()])
        .args(arguments.split_whitespace())
        .output()
        .await
        .unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// One more fact at each upstream.
fn something_happens(house: &House, cents: i64) {
    house.sandbox.world().telepagos_credit(Money::from_cents(cents));
    house.sandbox.world().sipago_sale(Money::from_cents(cents));
}

/// The log to the finest detail, so that what is never to be printed has every chance to be.
fn with_every_detail(house: &House) {
    std::fs::create_dir_all(house.path("conf.d")).unwrap();
    std::fs::write(house.path("conf.d/log.toml"), "[log]\nfilter = \"trace\"\n").unwrap();
}

/// A clean end, and a log without a panic and without a secret.
async fn end(house: &House, daemon: &mut Daemon) -> String {
    assert!(daemon.runs(), "{}", daemon.log());
    daemon.stop().await;
    let log = daemon.log();
    assert!(!log.contains("panicked"), "{log}");
    assert_keeps_secrets(house, &log);
    log
}

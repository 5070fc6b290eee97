//! Signatures checked by the library that receivers use: the official crate of Standard Webhooks.

use axum::http::HeaderMap;
use axum::http::header::{HeaderName, HeaderValue};
use pregonero::domain::money::Money;
use pregonero::sandbox::caught::Webhook;
use pregonero::sandbox::{Face, Fault, Rule, WEBHOOK_SECRET};
use standardwebhooks::Webhook as Verifier;

use super::{SOON, house};
use crate::support::{Plan, until};

/// The secret before the last change, still given to receivers.
const OLD_SECRET: &str = "whsec_YW4tb2xkLXNlY3JldC1ub3QtYS1yZWFsLW9uZS1hdC1hbGw=";
/// Somebody else's.
const OTHER_SECRET: &str = "whsec_c29tZWJvZHktZWxzZXMtc2VjcmV0LW5vdC1yZWFsISE=";

fn headers(hook: &Webhook) -> HeaderMap {
    let pair = |(name, value): &(String, String)| {
        (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap())
    };
    hook.headers.iter().map(pair).collect()
}

fn verifies(secret: &str, hook: &Webhook, body: &[u8]) -> bool {
    Verifier::new(secret).unwrap().verify(body, &headers(hook)).is_ok()
}

#[tokio::test]
async fn every_attempt_bears_a_signature_that_receivers_accept() {
    let house = house(11, "").await;
    let rotating = format!(
        "[[webhook]]\nname = \"rotating\"\nurl = \"{}\"\nsecret = [\"{WEBHOOK_SECRET}\", \"{OLD_SECRET}\"]\n\
         allow_private = [\"127.0.0.0/8\"]\nevents = [\"*\"]\nretry = [\"3s\", \"3s\", \"3s\"]\n",
        house.sandbox.webhook_url("rotating")
    );
    super::more(&house, &rotating);
    let mut daemon = house.contacted(&Plan::default()).await;
    let (world, caught) = (house.sandbox.world(), house.sandbox.caught());
    house.sandbox.script().add(Rule::times(Face::Webhook, "hooks/rotating", 2, Fault::status(500)));
    let row = world.telepagos_credit(Money::from_cents(150_050));
    world.sipago_sale(Money::from_cents(999));
    world.telepagos_refund(row);
    house.all_told("erp", SOON).await;
    house.all_told("rotating", SOON).await;
    daemon.stop().await;

    let hooks = caught.webhooks();
    assert!(hooks.len() >= 3 + 3 + 2, "three facts, two hooks, two refusals: {}", hooks.len());
    for hook in &hooks {
        let is_rotating = hook.name == "rotating";
        assert!(verifies(WEBHOOK_SECRET, hook, &hook.body), "{}", hook.name);
        assert_eq!(verifies(OLD_SECRET, hook, &hook.body), is_rotating, "the old secret signs only where it is named");
        assert!(!verifies(OTHER_SECRET, hook, &hook.body));
        let mut forged = hook.body.to_vec();
        forged.push(b' ');
        assert!(!verifies(WEBHOOK_SECRET, hook, &forged), "a changed body must not pass");
        assert_eq!(hook.header("content-type"), Some("application/json"));
    }
    let refused: Vec<&Webhook> = hooks.iter().filter(|hook| !hook.accepted()).collect();
    assert_eq!(refused.len(), 2);
    for first in refused {
        let id = first.header("webhook-id");
        let again =
            hooks.iter().find(|hook| hook.name == first.name && hook.accepted() && hook.header("webhook-id") == id);
        let again = again.expect("what was refused came again");
        assert_eq!(first.body, again.body, "the body is the same on every try");
        assert_ne!(first.header("webhook-timestamp"), again.header("webhook-timestamp"), "the timestamp is fresh");
    }
}

#[tokio::test]
async fn a_signature_is_as_old_as_the_attempt_and_not_as_the_fact() {
    let house = house(12, "").await;
    let mut daemon = house.contacted(&Plan::default()).await;
    let world = house.sandbox.world();
    let row = world.telepagos_credit(Money::from_cents(100));
    // Printed with the date of yesterday: receivers refuse timestamps that are five minutes old.
    world.telepagos_back_date(row, world.wall_clock().saturating_sub(jiff::Span::new().hours(24)));
    until("it arrives", SOON, || !house.sandbox.caught().webhooks().is_empty()).await;
    daemon.stop().await;
    let hook = house.sandbox.caught().webhooks().remove(0);
    assert!(verifies(WEBHOOK_SECRET, &hook, &hook.body));
}

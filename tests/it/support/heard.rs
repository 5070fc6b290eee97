//! What happened in the world, and what a webhook was told of it, in one form that can be compared.

use std::collections::BTreeMap;

use bytes::Bytes;
use pregonero::domain::event::EventType;
use pregonero::domain::money::Money;
use pregonero::sandbox::{Caught, World};
use serde_json::Value;

/// A fact as both sides know it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Told {
    /// `telepagos`, `sipago`.
    pub(crate) upstream: String,
    /// `credit.received`, …
    pub(crate) kind: String,
    /// `1500.00`.
    pub(crate) amount: String,
}

impl Told {
    /// A fact by its parts.
    pub(crate) fn new(upstream: &str, kind: &str, amount: Money) -> Self {
        Self { upstream: upstream.to_owned(), kind: kind.to_owned(), amount: amount.to_string() }
    }
}

/// All that was heard under one id.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    /// Attempts that arrived.
    pub(crate) attempts: usize,
    /// Those that were answered with 2xx.
    pub(crate) accepted: usize,
    /// What it tells.
    pub(crate) told: Told,
    /// Every attempt had the same bytes.
    pub(crate) same_bytes: bool,
    body: Bytes,
}

/// What the webhook `name` caught, by `webhook-id`.
pub(crate) fn webhooks_by_id(caught: &Caught, name: &str) -> BTreeMap<String, Heard> {
    let mut by_id: BTreeMap<String, Heard> = BTreeMap::new();
    for hook in caught.webhooks().into_iter().filter(|hook| hook.name == name) {
        let id = hook.header("webhook-id").expect("every webhook has an id").to_owned();
        let accepted = usize::from(hook.accepted());
        let heard = by_id.entry(id).or_insert_with_key(|id| Heard {
            attempts: 0,
            accepted: 0,
            told: told(id, &hook.body),
            same_bytes: true,
            body: hook.body.clone(),
        });
        heard.attempts += 1;
        heard.accepted += accepted;
        heard.same_bytes &= heard.body == hook.body;
    }
    by_id
}

fn told(id: &str, body: &[u8]) -> Told {
    let body: Value = serde_json::from_slice(body).expect("a body is JSON");
    let data = &body["data"];
    assert_eq!(data["id"], *id, "the id of the body is that of the header");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    Told { upstream: text(&data["upstream"]), kind: text(&body["type"]), amount: text(&data["amount"]["value"]) }
}

/// How many ids of each fact were accepted. One fact under two ids counts twice.
pub(crate) fn announced(by_id: &BTreeMap<String, Heard>) -> BTreeMap<Told, usize> {
    let mut counts = BTreeMap::new();
    // A closed day is a sum of facts and none itself.
    for heard in by_id.values().filter(|heard| heard.accepted > 0 && heard.told.kind != "day.closed") {
        *counts.entry(heard.told.clone()).or_default() += 1;
    }
    counts
}

/// How often each fact truly happened.
pub(crate) fn happened(world: &World) -> BTreeMap<Told, usize> {
    let mut counts = BTreeMap::new();
    for happening in world.truth() {
        let kind = EventType::of_fact(happening.kind).as_str();
        *counts.entry(Told::new(happening.upstream.as_str(), kind, happening.amount)).or_default() += 1;
    }
    counts
}

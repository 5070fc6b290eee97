//! Every call, over a transport that answers by a script, and over the sandbox.

mod endings;
mod reads;
mod rounds;

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::*;
use crate::domain::day::Day;
use crate::domain::money::Money;
use crate::sources::scripted::{Answer, Scripted, ok};
use crate::sources::sipago::tests::{UUID, config};

/// A client and what it will be answered.
fn client(answers: impl IntoIterator<Item = Answer>) -> (SipagoClient, Arc<Scripted>) {
    let transport = Scripted::queue(answers);
    let shared: Arc<dyn Transport> = transport.clone();
    (SipagoClient::new(config(), shared), transport)
}

fn answered(body: &str) -> SipagoClient {
    client([ok(body.to_owned())]).0
}

fn json_of<T: Serialize>(value: &T) -> Value {
    serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
}

/// Amounts without what was printed.
fn bare<T: Serialize>(read: &T) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) if fields.contains_key("raw") => *value = fields.remove("value").unwrap_or_default(),
            Value::Object(fields) => fields.values_mut().for_each(strip),
            Value::Array(items) => items.iter_mut().for_each(strip),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut value = json_of(read);
    strip(&mut value);
    value
}

fn pesos(cents: i64) -> Money {
    Money::from_cents(cents)
}

fn day() -> Day {
    Day::parse("2026-11-21").unwrap()
}

fn soda() -> OrderLinkRequest {
    OrderLinkRequest { amount: pesos(10_050), description: "coca-cola".to_owned() }
}

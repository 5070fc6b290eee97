//! Every call, over a transport that answers by a script, and over the sandbox.

mod endings;
mod reads;
mod rounds;
mod writes;

use std::sync::Arc;

use serde::Serialize;
use serde_json::Value;

use super::*;
use crate::domain::day::Day;
use crate::domain::money::Money;
use crate::sources::scripted::{Answer, Scripted, clock, file, ok};
use crate::sources::telepagos::tests::{config, source};

const CVU: &str = "0000630500000060195375";
const CUIT: &str = "20055361682";

/// A client whose login works, and what it will be answered then.
fn client(answers: impl IntoIterator<Item = Answer>) -> (TelepagosClient, Arc<Scripted>) {
    let transport = Scripted::queue(std::iter::once(file("telepagos/login.json")).chain(answers));
    let shared: Arc<dyn Transport> = transport.clone();
    (TelepagosClient::new(config(), shared, clock()), transport)
}

fn answered(body: &str) -> TelepagosClient {
    client([ok(body.to_owned())]).0
}

fn json_of<T: Serialize>(value: &T) -> Value {
    serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
}

fn pesos(cents: i64) -> Money {
    Money::from_cents(cents)
}

fn cashout() -> CashoutRequest {
    CashoutRequest {
        to: CashoutTo::Cvu(format!(" {CVU} ")),
        cuit: "20-05536168-2".to_owned(),
        amount: pesos(150_050),
        reference_id: "sueldo-2026-11".to_owned(),
        concept: "VAR".to_owned(),
        description: "Sueldo de \"noviembre\"".to_owned(),
    }
}

fn link() -> LinkRequest {
    LinkRequest {
        expires_at: "2026-11-22T02:30:05Z".parse().unwrap(),
        amount: pesos(150_000),
        multiple_use: true,
        concept: "VAR".to_owned(),
        distribution: Vec::new(),
    }
}

fn qr() -> QrRequest {
    QrRequest { amount: pesos(1), concept: "VAR".to_owned(), description: String::new() }
}

fn transfer() -> TransferRequest {
    TransferRequest {
        cvu: CVU.to_owned(),
        cuit: CUIT.to_owned(),
        amount: pesos(9_007_199_254_740_993),
        concept: "ALQ".to_owned(),
        description: "Local".to_owned(),
    }
}

fn order(sale_point_id: &str) -> StaticOrderRequest {
    StaticOrderRequest {
        sale_point_id: sale_point_id.to_owned(),
        amount: pesos(50),
        concept: "VAR".to_owned(),
        description: String::new(),
    }
}

fn yesterday_and_today() -> TransactionFilter {
    TransactionFilter {
        from: Day::parse("2026-11-20").unwrap(),
        to: Day::parse("2026-11-21").unwrap(),
        operation: None,
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_and_its_commands_share_one_login() {
    use crate::sources::Source as _;
    let transport = crate::sources::telepagos::tests::after_login([
        file("telepagos/filters.json"),
        ok(r#"{"status":"ok","amount":7}"#),
    ]);
    let source = source(config(), &transport);
    source.prepare().await.unwrap();
    assert_eq!(json_of(&source.client().balance().await.unwrap())["amount"]["value"], "7.00");
    assert_eq!(transport.paths().iter().filter(|path| path.ends_with("auth/token")).count(), 1);
}

//! The control endpoint does what its page says.

use std::sync::Arc;

use super::*;
use crate::clock::TokioClock;
use crate::sandbox::script::{Face, Fault};

struct Bench {
    world: World,
    script: Script,
    caught: Caught,
}

impl Bench {
    fn new() -> Self {
        let clock = TokioClock::starting_at("2026-11-21T17:00:00Z".parse().unwrap(), 1);
        Self { world: World::new(Arc::new(clock), 1), script: Script::default(), caught: Caught::default() }
    }

    fn say(&self, body: &Value) -> (u16, Value) {
        let answer = control(&self.world, &self.script, &self.caught, body.to_string().as_bytes());
        (answer.status, serde_json::from_slice(&answer.body).unwrap())
    }

    fn done(&self, body: &Value) -> Value {
        let (status, answer) = self.say(body);
        assert_eq!((status, &answer["ok"]), (200, &Value::Bool(true)), "{body} → {answer}");
        answer
    }
}

#[tokio::test(start_paused = true)]
async fn every_operation_works() {
    let bench = Bench::new();
    let row = bench.done(&json!({ "op": "credit", "amount": "1500.00", "holder": "Ana", "at": "2026-11-20T23:00:00" }));
    let row = row["row"].as_u64().unwrap();
    let made = bench.world.telepagos_transaction(RowId(row)).unwrap();
    assert_eq!((made.amount.cents(), made.holder.as_str(), made.at.day()), (150_000, "Ana", 20));
    for op in [
        json!({ "op": "pending", "amount": "1.00" }),
        json!({ "op": "debit", "amount": "1.00" }),
        json!({ "op": "twin", "row": row }),
        json!({ "op": "status", "row": row, "status": "Reversada" }),
        json!({ "op": "amend", "row": row, "holder": "Ana M." }),
        json!({ "op": "hide", "row": row }),
        json!({ "op": "show", "row": row }),
        json!({ "op": "back_date", "row": row, "at": "2026-11-19T08:00:00" }),
        json!({ "op": "refund", "row": row }),
        json!({ "op": "expire_tokens" }),
        json!({ "op": "live", "seconds": 3 }),
        json!({ "op": "settings", "sipago_page": 7, "pace_ms": 100 }),
        json!({ "op": "links" }),
        json!({ "op": "forget" }),
        json!({ "op": "credit", "amount": "2.00", "merchant": "otro" }),
    ] {
        bench.done(&op);
    }
    assert_eq!(bench.world.settings().sipago_page, 7);
    let id = bench.done(&json!({ "op": "cashin", "amount": "10.00", "via": "link" }))["id"].as_u64().unwrap();
    assert!(bench.world.telepagos_cashin_of(id).unwrap().link_id.is_some());
    let sale = bench.done(&json!({ "op": "sale", "amount": "5.00" }))["movement"].clone();
    bench.done(&json!({ "op": "sale_refund", "movement": sale, "shown": "both" }));
    bench.done(&json!({ "op": "sale_void", "movement": sale }));
    bench.done(&json!({ "op": "sale_hide", "movement": sale }));
    bench.done(&json!({ "op": "sale_show", "movement": sale }));
    let order = json!({ "op": "order", "amount": "9.00", "payment_limits": 2, "minutes": 5 });
    let uuid = bench.done(&order)["uuid"].clone();
    for op in ["order_deny", "order_pay", "order_refund"] {
        bench.done(&json!({ "op": op, "uuid": uuid }));
    }
    for op in ["order_expire", "order_fail"] {
        let uuid = bench.done(&order)["uuid"].clone();
        bench.done(&json!({ "op": op, "uuid": uuid }));
    }
    let truth = bench.done(&json!({ "op": "truth" }))["truth"].as_array().unwrap().clone();
    assert!(truth.iter().any(|fact| fact["kind"] == "link_paid" && fact["amount"] == "9.00"), "{truth:?}");
    assert!(truth.iter().any(|fact| fact["merchant"] == "otro"));
    assert!(bench.done(&json!({ "op": "caught" }))["caught"]["webhooks"].is_array());
}

#[tokio::test(start_paused = true)]
async fn faults_are_said_in_json() {
    let bench = Bench::new();
    let rule =
        |fault: Value| json!({ "op": "fault", "face": "telepagos", "path": "/v2/account", "times": 1, "fault": fault });
    for (said, expected) in [
        (json!("html"), Fault::Html),
        (json!("reset_after_effect"), Fault::Reset { after_effect: true }),
        (json!({ "status": 503, "retry_after_s": 5 }), Fault::slow_down(503, std::time::Duration::from_secs(5))),
        (json!({ "status": 500 }), Fault::status(500)),
        (json!({ "slow_ms": 20 }), Fault::Slow(std::time::Duration::from_millis(20))),
        (json!({ "body": "[]" }), Fault::Body(String::from("[]"))),
        (json!({ "row_amount": "1e400" }), Fault::RowAmount(String::from("1e400"))),
        (json!({ "oversized": 9 }), Fault::Oversized(9)),
        (json!({ "chat_flood": 7 }), Fault::chat_flood(7)),
        (json!({ "chat_migrated": -100 }), Fault::chat_migrated(-100)),
        (json!({ "error_in_ok": "x" }), Fault::ErrorInOk(String::from("x"))),
    ] {
        bench.done(&rule(said));
        assert_eq!(bench.script.strike(Face::Telepagos, "v2/account/balance", &[]), Some(expected));
    }
    let id = bench.done(&rule(json!("hang")))["rule"].clone();
    bench.done(&json!({ "op": "unfault", "rule": id }));
    bench.done(&json!({ "op": "clear" }));
    assert_eq!(bench.script.strike(Face::Telepagos, "v2/account/balance", &[]), None);
}

#[tokio::test(start_paused = true)]
async fn nonsense_is_refused_with_a_reason() {
    let bench = Bench::new();
    for bad in [
        json!({}),
        json!([]),
        json!({ "op": "fly" }),
        json!({ "op": "credit" }),
        json!({ "op": "credit", "amount": 1500 }),
        json!({ "op": "credit", "amount": "mil" }),
        json!({ "op": "credit", "amount": "1.00", "titular": "x" }),
        json!({ "op": "hide", "row": 1, "extra": 1 }),
        json!({ "op": "twin", "row": 99 }),
        json!({ "op": "order_pay", "uuid": "x" }),
        json!({ "op": "back_date", "row": 1, "at": "ayer" }),
        json!({ "op": "fault", "face": "telepagos", "fault": "explode" }),
        json!({ "op": "fault", "face": "telepagos", "fault": { "status": 99 } }),
        json!({ "op": "fault", "face": "nobody", "fault": "html" }),
        json!({ "op": "truth", "merchant": 7 }),
    ] {
        let (status, answer) = bench.say(&bad);
        assert_eq!((status, &answer["ok"]), (400, &Value::Bool(false)), "{bad}");
        assert!(answer["message"].as_str().is_some_and(|message| !message.is_empty()), "{bad}");
    }
    assert!(bench.world.truth().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_a_merchant_asks_to_be_paid_by_can_be_paid() {
    let bench = Bench::new();
    let made = |body: &Value, name: &str| bench.done(body)[name].clone();
    let link = made(&json!({ "op": "link", "amount": "10.00", "multiple_use": true }), "link");
    for _ in 0..2 {
        assert!(made(&json!({ "op": "link_pay", "link": link }), "id").is_u64());
    }
    let spent = made(&json!({ "op": "link", "amount": "1.00", "expires": "2026-11-21T13:59:59" }), "link");
    assert_eq!(bench.say(&json!({ "op": "link_pay", "link": spent })).0, 400);
    let point = made(&json!({ "op": "sale_point", "name": "Caja 2" }), "sale_point");
    let order = made(&json!({ "op": "qr_order", "amount": "5.00", "sale_point": point }), "order");
    assert!(made(&json!({ "op": "qr_pay", "order": order }), "id").is_u64());
    bench.done(&json!({ "op": "sale_point_delete", "sale_point": point }));
    let deposit = made(&json!({ "op": "deposit", "amount": "100.00" }), "deposit");
    bench.done(&json!({ "op": "deposit_pay", "deposit": deposit }));
    let qr = made(&json!({ "op": "qr" }), "qr");
    assert!(made(&json!({ "op": "code_pay", "qr": qr, "amount": "3.00" }), "movement").is_u64());
    assert_eq!(bench.say(&json!({ "op": "code_pay", "qr": qr, "amount": "3.00", "x": 1 })).0, 400);
}

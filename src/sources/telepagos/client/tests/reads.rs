//! Answers as the document prints them, and as it does not: both must read the same.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::sources::scripted::odd_json;

/// Amounts without what was printed, which differs by the dress.
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

#[tokio::test(start_paused = true)]
async fn the_balance() {
    for body in [r#"{"status": "ok", "amount": 150000}"#, r#"[{"status":"ok","amount":["150000"],"x":null}]"#] {
        assert_eq!(bare(&answered(body).balance().await.unwrap())["amount"], "150000.00", "{body}");
    }
    let odd = answered(r#"{"status":"ok","amount":"mucho","moneda":"ARS"}"#).balance().await.unwrap();
    assert_eq!(json_of(&odd), json!({ "amount": { "value": null, "raw": "mucho" }, "extra": { "moneda": "ARS" } }));
}

#[tokio::test(start_paused = true)]
async fn concepts_are_words_or_records() {
    let words = answered(r#"{"status":"ok","concepts":["VAR","ALQ"]}"#).concepts().await.unwrap();
    assert_eq!(json_of(&words), json!([{ "id": "VAR", "name": null }, { "id": "ALQ", "name": null }]));
    let body = r#"{"status":"ok","concepts":[{"id":"VAR","name":"Varios","orden":1},null,[{"code":7,"description":"Siete"}]]}"#;
    let records = answered(body).concepts().await.unwrap();
    assert_eq!(
        json_of(&records),
        json!([{ "id": "VAR", "name": "Varios", "extra": { "orden": 1 } }, { "id": "7", "name": "Siete" }])
    );
}

#[tokio::test(start_paused = true)]
async fn operations_to_filter_by() {
    for body in [
        r#"{"status": "ok", "operations": [{"id": "7", "name": "Transferencia", "type": "credito"}]}"#,
        r#"{"status": "ok", "operations": {"id": 7, "name": ["Transferencia"], "type": "credito"}}"#,
    ] {
        let read = json_of(&answered(body).filters().await.unwrap());
        assert_eq!(read, json!([{ "id": "7", "name": "Transferencia", "type": "credito" }]), "{body}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cash_in() {
    let documented = r#"{"status": "ok", "buyer": [{"cuit": "20055361682", "cvu": "0000630500000060195375"}],
        "amount": 1500.50, "concept": "VAR", "description": "Mesa 4", "transaction_id": 90071992547409931,
        "qr_order_id": null, "link_id": 70}"#;
    let twisted = r#"[{"status": "ok", "buyer": {"cuit": 20055361682, "cvu": ["0000630500000060195375"]},
        "amount": "1.500,50", "concept": ["VAR"], "description": " Mesa 4 ", "transaction_id": "90071992547409931",
        "qr_order_id": 0, "link_id": "70"}]"#;
    for body in [documented, twisted] {
        let cashin = answered(body).cashin("31").await.unwrap();
        assert_eq!(
            bare(&cashin),
            json!({
                "id": "31", "status": "ok", "buyer": { "cuit": CUIT, "cvu": CVU }, "amount": "1500.50",
                "concept": "VAR", "description": "Mesa 4", "transaction_id": "90071992547409931",
                "qr_order_id": null, "link_id": "70",
            })
        );
        let printed = format!("{cashin:?}");
        assert!(!printed.contains(CUIT) && !printed.contains(CVU), "{printed}");
    }
    let new = answered(r#"{"status":"EN_DISPUTA","buyer":null,"cuotas":3}"#).cashin("31").await.unwrap();
    let new = bare(&new);
    assert_eq!((&new["status"], &new["extra"]), (&json!("EN_DISPUTA"), &json!({ "cuotas": 3 })));
}

#[tokio::test(start_paused = true)]
async fn transactions_whole_and_by_pages() {
    let row = r#"{"income": 1, "date": "2026-11-21 14:03:16", "amount": "1500.50", "operation": "Cobro", "holder": "ANA",
        "cuit": "20055361682", "cvu_cbu": "0000630500000060195375", "status": "Nueva", "sale_point_name": null, "z": 1}"#;
    let (client, transport) = client([ok(format!(r#"{{"status":"ok","transactions":[{row},7]}}"#))]);
    let filter = TransactionFilter { operation: Some("qr".to_owned()), ..yesterday_and_today() };
    let rows = client.transactions(&filter).await.unwrap();
    assert_eq!(
        bare(&rows),
        json!([{
            "income": "1", "date": "2026-11-21 14:03:16", "amount": "1500.50", "operation": "Cobro", "holder": "ANA",
            "cuit": CUIT, "cvu_cbu": CVU, "status": "Nueva", "sale_point_name": null, "extra": { "z": 1 },
        }])
    );
    let asked = transport.asked().pop().unwrap();
    let wanted = [("date_from", "2026-11-20"), ("date_to", "2026-11-21"), ("operation", "qr")];
    assert!(wanted.iter().all(|(name, value)| asked.query[*name] == *value), "{:?}", asked.query);

    let mut paged = config();
    paged.paginate = true;
    let answers = [file("telepagos/login.json"), file("telepagos/page_1.json"), file("telepagos/page_2.json")];
    let transport: Arc<dyn Transport> = Scripted::queue(answers);
    let client = TelepagosClient::new(paged, transport, clock());
    assert_eq!(client.transactions(&yesterday_and_today()).await.unwrap().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_voucher_is_decoded_in_every_dress() {
    for printed in ["JVBERi0xLjQK", r"JVBERi0x\nLjQK", "data:application/pdf;base64,JVBERi0xLjQK"] {
        let (client, transport) = client([ok(format!(r#"{{"status":"ok","voucher":"{printed}"}}"#))]);
        let voucher = client.voucher("500001").await.unwrap();
        assert_eq!(voucher.decode().unwrap(), b"%PDF-1.4\n");
        assert_eq!(transport.paths()[1], "/base/v2/payment/cashout/500001");
        assert!(!format!("{voucher:?}").contains("JVBER"));
    }
    let odd = answered(r#"{"status":"ok","voucher":"no es base64"}"#).voucher("1").await.unwrap();
    assert_eq!((odd.decode(), odd.as_printed()), (None, "no es base64"));
    let missing = answered(r#"{"status":"ok","voucher":null}"#).voucher("1").await.unwrap_err();
    assert!(matches!(missing.reaction(), Some(SourceError::Contract(_))));
}

#[tokio::test(start_paused = true)]
async fn statistics_are_found_however_deep() {
    let documented = r#"{"status":"ok","data":[[{"count_open_cvu":0}],[{"total_cashout":null,"total_cashin":null}],
        [{"count_payments_services":0}],[{"count_sent_sms":0}]]}"#;
    let stats = answered(documented).stats("2026-11").await.unwrap();
    assert_eq!(
        bare(&stats),
        json!({ "count_open_cvu": 0, "total_cashout": null, "total_cashin": null, "count_payments_services": 0, "count_sent_sms": 0 })
    );
    let twisted =
        r#"{"status":"ok","data":{"count_open_cvu":"3","total_cashin":"10,50","total_cashout":2.5,"otro":1}}"#;
    let (client, transport) = client([ok(twisted)]);
    let stats = bare(&client.stats("mes").await.unwrap());
    assert_eq!((&stats["count_open_cvu"], &stats["total_cashin"]), (&json!(3), &json!("10.50")));
    assert_eq!((&stats["total_cashout"], &stats["extra"]), (&json!("2.50"), &json!([{ "otro": 1 }])));
    assert_eq!(transport.paths()[1], "/base/v2/whitelabel/statics/mes");
}

#[tokio::test(start_paused = true)]
async fn sale_points_and_their_codes() {
    for body in [
        r#"{"status": "ok", "sale_points": [{"id": 3, "name": "Caja", "status": "ACTIVE"}]}"#,
        r#"{"status": "ok", "sale_points": [[{"id": "3", "name": "Caja", "status": ["ACTIVE"]}]]}"#,
    ] {
        let read = json_of(&answered(body).sale_points().await.unwrap());
        assert_eq!(read, json!([{ "id": "3", "name": "Caja", "status": "ACTIVE" }]), "{body}");
    }
    let (client, transport) = client([ok(r#"{"status": "ok", "qr_code": "0002"}"#)]);
    assert_eq!(client.static_qr("3", StaticAmount::Closed).await.unwrap().qr_code, "0002");
    let asked = transport.asked().pop().unwrap();
    assert_eq!(asked.path, "/base/v2/payment/cashin/qr/sale-point/static");
    assert_eq!((asked.query["type_amount"].as_str(), asked.query["sale_point_id"].as_str()), ("closed", "3"));
}

#[tokio::test(start_paused = true)]
async fn an_id_cannot_lead_to_another_path() {
    let (client, transport) = client([]);
    for id in ["", "../x", "a/b", "1?x=1", "..", "1 2"] {
        assert!(matches!(client.cashin(id).await, Err(CallError::Invalid(_))), "{id}");
        assert!(matches!(client.voucher(id).await, Err(CallError::Invalid(_))), "{id}");
        assert!(matches!(client.stats(id).await, Err(CallError::Invalid(_))), "{id}");
        assert!(matches!(client.static_qr(id, StaticAmount::Open).await, Err(CallError::Invalid(_))), "{id}");
    }
    assert!(transport.asked().is_empty());
}

const NAMES: &[&str] = &[
    "status",
    "amount",
    "concepts",
    "operations",
    "buyer",
    "cuit",
    "cvu",
    "id",
    "name",
    "data",
    "transactions",
    "voucher",
    "sale_points",
    "qr_code",
    "income",
    "date",
    "count_open_cvu",
    "total_cashin",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_answer_makes_a_reading_panic_or_doubtful(body in odd_json(NAMES)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let body = body.to_string();
        let login = String::from(r#"{"status":"ok","token":"t","expires_at":3600}"#);
        let transport: Arc<dyn Transport> =
            Scripted::rule(move |asked| ok(if asked.path.ends_with("token") { login.clone() } else { body.clone() }));
        let client = TelepagosClient::new(config(), transport, clock_of_tests());
        runtime.block_on(async {
            let endings = [
                client.balance().await.err(),
                client.concepts().await.err(),
                client.filters().await.err(),
                client.cashin("1").await.err(),
                client.transactions(&yesterday_and_today()).await.err(),
                client.voucher("1").await.err(),
                client.stats("2026").await.err(),
                client.sale_points().await.err(),
                client.static_qr("1", StaticAmount::Open).await.err(),
            ];
            assert!(endings.iter().flatten().all(|error| !error.is_unknown()));
        });
    }
}

/// The paused clock needs a runtime; here a still one is enough.
fn clock_of_tests() -> Arc<dyn Clock> {
    Arc::new(crate::clock::SystemClock)
}

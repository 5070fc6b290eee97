//! Answers and requests as the documents print them, and answers as they do not.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::http::Method;
use crate::sources::scripted::{assert_silent_about, data, odd_json};

/// The last request as method, path and body.
fn sent(transport: &Scripted) -> (Method, String, String) {
    let asked = transport.asked().pop().unwrap();
    assert!(asked.headers.contains_key("apikey") && asked.headers.contains_key("x-trace-id"));
    (asked.method, asked.path.strip_prefix("/base/").unwrap().to_owned(), asked.body)
}

#[tokio::test(start_paused = true)]
async fn movements_keep_what_is_needed_and_no_card() {
    let (client, transport) = client([ok(data("sipago/movements_documented.json"))]);
    let movements = client.movements(day(), day()).await.unwrap();
    let expected =
        (Method::POST, "transactions/page/0".into(), r#"{"startDate":"2026-11-21","endDate":"2026-11-21"}"#.into());
    assert_eq!(sent(&transport), expected);
    let first = bare(&movements[0]);
    assert_eq!((&first["_id"], &first["amount"]), (&json!("90071992547409931"), &json!("1500.50")));
    assert_eq!((&first["payment"]["last4"], &first["payment"]["payment_id"]), (&json!("4242"), &json!("700100")));
    assert_eq!((&first["commission"]["amount"], &first["canceled"]), (&json!("27.01"), &json!(false)));
    assert!(first.get("extra").is_none(), "{first}");
    let printed = serde_json::to_string(&movements).unwrap();
    assert_silent_about(&printed, &["4507990000004242", "45079", "f00dcafe", "CAJERO"]);
    assert_silent_about(&format!("{movements:?}"), &["FICTICIA", "Ana"]);
}

#[tokio::test(start_paused = true)]
async fn movements_come_in_every_dress() {
    let row = r#"{"_id":"7","amount":"1.500,50","dateTime":null,"payment":[{"paymentId":"9","hasRefund":"1","last4Numbers":4242}],
        "operation":["Venta"],"saleId":0,"cardName":4507990000004242,"canceled":"no","cuotas":3,"items":{"productName":"x"}}"#;
    let (client, _) = client([
        ok(format!(r#"{{"page":"0","existMore":"true","listTrx":[{row},null]}}"#)),
        ok(r#"{"page":1,"existMore":0,"listTrx":[{"_id":8}]}"#),
    ]);
    let movements = bare(&client.movements(day(), day()).await.unwrap());
    let first = &movements[0];
    assert_eq!((movements.as_array().unwrap().len(), &first["amount"]), (2, &json!("1500.50")));
    assert_eq!((&first["payment"]["has_refund"], &first["payment"]["last4"]), (&json!(true), &json!("4242")));
    assert_eq!(
        (&first["operation"], &first["sale_id"], &first["card_name"]),
        (&json!("Venta"), &json!(null), &json!(null))
    );
    assert_eq!((&first["canceled"], &first["extra"]), (&json!(false), &json!({ "cuotas": 3 })));
    assert_eq!(first["items"][0]["product_name"], "x");
}

#[tokio::test(start_paused = true)]
async fn a_code_may_belong_to_none_one_or_many() {
    for (body, count) in [("[]", 0), (r#"[{"_id":1},{"_id":2}]"#, 2), (r#" {"_id":1}"#, 1)] {
        let (client, transport) = client([ok(body)]);
        assert_eq!(client.by_code("006417").await.unwrap().len(), count);
        assert_eq!(sent(&transport), (Method::GET, "transactions/code/006417".into(), String::new()));
    }
    for code in ["", "../page/0", "a b"] {
        assert!(matches!(client([]).0.by_code(code).await, Err(CallError::Invalid(_))), "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_order_is_read_by_uuid_or_by_its_link() {
    for name in ["order_documented.json", "order_bare.json"] {
        let link = format!("https://checkout.example/orders/{}", UUID.to_uppercase());
        let (client, transport) = client([ok(data(&format!("sipago/{name}")))]);
        let order = client.link(&link).await.unwrap();
        assert_eq!(sent(&transport).1, format!("checkout/getLink/{UUID}"));
        assert!(order.amount.value.is_some() && order.uuid.is_some() && order.status.is_some(), "{name}");
    }
    let order =
        answered(&String::from_utf8(data("sipago/order_denied_then_paid.json")).unwrap()).link(UUID).await.unwrap();
    let ids: Vec<_> = order.payments.iter().map(|payment| payment.id.clone()).collect();
    let mut unique = ids.clone();
    unique.dedup();
    assert_eq!((ids.len(), ids.len()), (2, unique.len()), "one that is printed twice is one");
    let missing = answered("[]").link(UUID).await.unwrap_err();
    assert!(matches!(missing.reaction(), Some(SourceError::NotFound)));
    assert!(matches!(answered("{}").link("no uuid").await, Err(CallError::Invalid(_))));
    let broken = answered(r#"{"data":{}}"#).link(UUID).await.unwrap_err();
    assert!(matches!(broken.reaction(), Some(SourceError::Contract(_))));
}

#[tokio::test(start_paused = true)]
async fn links_and_codes_are_made_as_documented() {
    let (client, transport) = client([
        ok(format!(
            r#"{{"success":"OK","successUrl":"https://c.example/orders/{UUID}","whatsappUrl":"w","facebookUrl":"f","n":1}}"#
        )),
        ok(
            r#"{"success":"ok","data":{"id":8,"imgUrl":"i","qrString":"0002","subscriptionUrl":"s","hash":"h"},"whatsappUrl":"w"}"#,
        ),
        ok(r#"[{"success":"Ok","data":[{"id":"8","qrString":"0002","z":null}]}]"#),
    ]);
    let link = client.link_create(&soda()).await.unwrap();
    assert_eq!((link.order_uuid.as_deref(), link.extra.get("n")), (Some(UUID), Some("1")));
    let expected =
        (Method::POST, "api/paymentButtonsToken".into(), r#"{"amount":100.50,"description":"coca-cola"}"#.into());
    assert_eq!(sent(&transport), expected);
    let code = client.qr_create(pesos(500)).await.unwrap();
    assert_eq!((code.id.as_deref(), code.qr_string.as_deref()), (Some("8"), Some("0002")));
    assert_eq!(sent(&transport), (Method::POST, "api/paymentQr".into(), r#"{"totalAmount":5.00}"#.into()));
    let open = client.qr().await.unwrap();
    assert_eq!((open.id.as_deref(), open.extra.get("z")), (Some("8"), Some("null")));
    assert_eq!(sent(&transport), (Method::GET, "api/paymentQr".into(), String::new()));
}

#[tokio::test(start_paused = true)]
async fn an_account_that_counts_cents_writes_cents() {
    let mut cents = config();
    cents.common.dialect.unit = crate::domain::money::Unit::Cents;
    let transport = Scripted::queue([ok(r#"{"success":"OK","successUrl":"https://c.example/x"}"#)]);
    let shared: Arc<dyn Transport> = transport.clone();
    let link = SipagoClient::new(cents, shared).link_create(&soda()).await.unwrap();
    assert_eq!((sent(&transport).2.as_str(), link.order_uuid), (r#"{"amount":10050,"description":"coca-cola"}"#, None));
}

#[tokio::test(start_paused = true)]
async fn deposits_of_both_lists() {
    let documented = r#"{"page":0,"existMore":false,"listTrx":[{"_id":"65f0a","amount":10000,"dateTime":"2026-11-20T10:00:00",
        "currency":"032","commission":{"name":"Comisión","value":2.9},"commissionAmount":290,
        "commissionAndFinancialCostAmount":{"name":"a","value":290},"commissionAndFinancialCostTaxAmount":{"name":"b","value":60.9},
        "commissionTaxAmount":60.9,"costPerInstallment":0,"financialCostTaxAmount":0,"withholdingTax":1,
        "withholdingTaxAmount":100,"total":9549.1,"state":"PAID","toDeposit":"x"}]}"#;
    for (state, word) in [(DepositState::Paid, "paid"), (DepositState::Pending, "pending")] {
        let (client, transport) = client([ok(documented)]);
        let read = bare(&client.deposits(state).await.unwrap());
        assert_eq!(sent(&transport), (Method::POST, format!("deposits/{word}/page/0"), "{}".into()));
        let first = &read[0];
        assert_eq!(
            (&first["_id"], &first["total"], &first["state"]),
            (&json!("65f0a"), &json!("9549.10"), &json!("PAID"))
        );
        assert_eq!((&first["commission"]["value"], &first["withholding_tax"]), (&json!("2.9"), &json!("1")));
        assert!(first.get("extra").is_none(), "{first}");
    }
    let twisted =
        r#"{"page":"0","existMore":"false","listTrx":[{"_id":7,"total":"9.549,10","commission":null,"nuevo":[1]},3]}"#;
    let read = bare(&answered(twisted).deposits(DepositState::Paid).await.unwrap());
    assert_eq!(
        (&read[0]["_id"], &read[0]["total"], &read[0]["extra"]),
        (&json!("7"), &json!("9549.10"), &json!({ "nuevo": [1] }))
    );
    assert_eq!(read.as_array().unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn pages_that_contradict_each_other_are_no_list() {
    let page = |number: u32, more: bool, rows: &str| {
        ok(format!(r#"{{"page":{number},"existMore":{more},"listTrx":[{rows}]}}"#))
    };
    let endless: Vec<Answer> = (0..9).map(|number| page(number, true, &format!(r#"{{"_id":{number}}}"#))).collect();
    for answers in [
        vec![page(1, false, "")],
        vec![ok(r#"{"page":0,"listTrx":[]}"#)],
        vec![ok(r#"{"page":0,"existMore":false}"#)],
        vec![page(0, true, r#"{"_id":1}"#), page(1, true, r#"{"_id":1}"#)],
        endless,
    ] {
        let error = client(answers).0.deposits(DepositState::Paid).await.unwrap_err();
        assert!(matches!(error.reaction(), Some(SourceError::Contract(_))), "{error:?}");
    }
}

const NAMES: &[&str] = &[
    "page",
    "existMore",
    "listTrx",
    "_id",
    "amount",
    "payment",
    "payments",
    "data",
    "attributes",
    "success",
    "successUrl",
    "price",
    "items",
    "buyer",
    "commission",
    "total",
    "status",
    "links",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_answer_makes_a_call_panic_and_no_reading_ends_unknown(body in odd_json(NAMES)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let body = body.to_string();
        let transport: Arc<dyn Transport> = Scripted::rule(move |_| ok(body.clone()));
        let client = SipagoClient::new(config(), transport);
        runtime.block_on(async {
            drop((client.link_create(&soda()).await, client.qr_create(pesos(1)).await));
            let endings = [
                client.movements(day(), day()).await.err(),
                client.by_code("1").await.err(),
                client.link(UUID).await.err(),
                client.qr().await.err(),
                client.deposits(DepositState::Pending).await.err(),
            ];
            assert!(endings.iter().flatten().all(|error| !error.is_unknown()));
        });
    }
}

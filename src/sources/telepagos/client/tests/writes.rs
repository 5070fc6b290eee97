//! Requests, pinned against the document, and what is refused before it is sent.

use super::*;
use crate::http::Method;

/// The last request as method, path and body.
fn sent(transport: &Scripted) -> (Method, String, String) {
    let asked = transport.asked().pop().unwrap();
    assert_eq!(asked.content_type, Some("application/json"));
    assert!(asked.headers["authorization"].starts_with("Bearer "));
    (asked.method, asked.path.strip_prefix("/base/").unwrap().to_owned(), asked.body)
}

#[tokio::test(start_paused = true)]
async fn a_cash_out_goes_to_a_cvu_or_an_alias_never_both() {
    for body in [r#"{"status":"ok","id":500001}"#, r#"[{"status":"ok","id":["500001"]}]"#] {
        let (client, transport) = client([ok(body)]);
        assert_eq!(client.cashout(&cashout()).await.unwrap().id, "500001");
        let expected = r#"{"cvu":"0000630500000060195375","cuit":"20055361682","amount":1500.50,"reference_id":"sueldo-2026-11","concept":"VAR","description":"Sueldo de \"noviembre\""}"#;
        assert_eq!(sent(&transport), (Method::POST, "v2/payment/cashout".into(), expected.into()));
    }
    let (client, transport) = client([ok(r#"{"status":"ok","id":1}"#)]);
    client.cashout(&CashoutRequest { to: CashoutTo::Alias("tienda.centro".into()), ..cashout() }).await.unwrap();
    let (_, _, body) = sent(&transport);
    assert!(body.starts_with(r#"{"alias":"tienda.centro","cuit":"#) && !body.contains("cvu"), "{body}");
}

#[tokio::test(start_paused = true)]
async fn links_codes_and_transfers_are_written_as_documented() {
    let (client, transport) = client([
        ok(r#"{"status":"ok","link":"https://p.example/70","link_id":70}"#),
        ok(r#"{"status":"ok","link":"https://p.example/71","link_id":"71"}"#),
        ok(r#"{"status":"ok","qr_code":"0002","qr_order_id":40}"#),
        ok(r#"{"status":"ok","payment_link":"https://p.example/t"}"#),
        ok(r#"{"status":"ok","qr_order_id":"41","x":1}"#),
    ]);
    let made = client.link_create(&link()).await.unwrap();
    assert_eq!((made.link.as_str(), made.link_id.as_deref()), ("https://p.example/70", Some("70")));
    let expected = r#"{"expiration_date":"2026-11-21 23:30:05","amount":1500.00,"multiple_use":true,"concept":"VAR"}"#;
    assert_eq!(sent(&transport), (Method::POST, "v2/payment/cashin/link/generate".into(), expected.into()));

    let distribution =
        vec![Share { cvu: CVU.to_owned(), amount: pesos(10) }, Share { cvu: CVU.to_owned(), amount: pesos(20) }];
    client.link_create(&LinkRequest { distribution, multiple_use: false, ..link() }).await.unwrap();
    let expected = r#"{"expiration_date":"2026-11-21 23:30:05","amount":1500.00,"multiple_use":false,"concept":"VAR","distribution":[{"cvu":"0000630500000060195375","amount":0.10},{"cvu":"0000630500000060195375","amount":0.20}]}"#;
    assert_eq!(sent(&transport).2, expected);

    assert_eq!(json_of(&client.qr_create(&qr()).await.unwrap())["qr_order_id"], "40");
    let expected = r#"{"amount":0.01,"concept":"VAR","description":""}"#;
    assert_eq!(sent(&transport), (Method::POST, "v2/payment/cashin/qr/generate".into(), expected.into()));

    assert_eq!(client.transfer_create(&transfer()).await.unwrap().payment_link, "https://p.example/t");
    let expected = r#"{"cvu":"0000630500000060195375","cuit":"20055361682","amount":90071992547409.93,"concept":"ALQ","description":"Local"}"#;
    assert_eq!(sent(&transport), (Method::POST, "v2/payment/cashin/transfer/generate".into(), expected.into()));

    let made = client.static_order(&order(" 3 ")).await.unwrap();
    assert_eq!((made.qr_order_id.as_str(), made.extra.get("x")), ("41", Some("1")));
    let expected = r#"{"amount":0.50,"concept":"VAR","description":"","sale_point_id":3}"#;
    assert_eq!(sent(&transport), (Method::POST, "v2/payment/cashin/qr/static/order".into(), expected.into()));
}

#[tokio::test(start_paused = true)]
async fn sale_points_come_and_go() {
    let (client, transport) = client([ok(r#"{"status":"ok","sale_point_id":3}"#), ok(r#"{"status":"ok"}"#)]);
    assert_eq!(client.sale_point_create(" Caja ñ ").await.unwrap(), "3");
    let path = "v2/payment/cashin/qr/sale-point";
    assert_eq!(sent(&transport), (Method::POST, path.into(), r#"{"name":"Caja ñ"}"#.into()));
    client.sale_point_delete("3").await.unwrap();
    assert_eq!(sent(&transport), (Method::DELETE, path.into(), r#"{"sale_point_id":3}"#.into()));
}

#[tokio::test(start_paused = true)]
async fn what_breaks_a_rule_is_not_sent() {
    let (client, transport) = client([]);
    let cashouts = [
        ("cvu", CashoutRequest { to: CashoutTo::Cvu("123".into()), ..cashout() }),
        ("alias", CashoutRequest { to: CashoutTo::Alias(CVU.into()), ..cashout() }),
        ("cuit", CashoutRequest { cuit: "20".into(), ..cashout() }),
        ("amount", CashoutRequest { amount: pesos(0), ..cashout() }),
        ("amount", CashoutRequest { amount: pesos(-1), ..cashout() }),
        ("reference_id", CashoutRequest { reference_id: " ".into(), ..cashout() }),
        ("concept", CashoutRequest { concept: String::new(), ..cashout() }),
        ("description", CashoutRequest { description: "x".repeat(256), ..cashout() }),
    ];
    for (field, request) in cashouts {
        let Err(CallError::Invalid(invalid)) = client.cashout(&request).await else { panic!("{field}") };
        assert_eq!(invalid.field, field);
        assert_eq!(request.check().unwrap_err(), invalid);
    }
    let share = |cents| vec![Share { cvu: CVU.to_owned(), amount: pesos(cents) }];
    let links = [
        ("expiration_date", LinkRequest { expires_at: "2026-11-21T15:00:00Z".parse().unwrap(), ..link() }),
        ("distribution", LinkRequest { distribution: share(150_001), ..link() }),
        ("amount", LinkRequest { distribution: share(0), ..link() }),
        ("distribution.cvu", LinkRequest { distribution: vec![Share { cvu: "1".into(), amount: pesos(1) }], ..link() }),
    ];
    for (field, request) in links {
        let Err(CallError::Invalid(invalid)) = client.link_create(&request).await else { panic!("{field}") };
        assert_eq!(invalid.field, field);
    }
    assert!(matches!(client.static_order(&order("x")).await, Err(CallError::Invalid(_))));
    assert!(matches!(client.sale_point_create("").await, Err(CallError::Invalid(_))));
    assert!(matches!(client.sale_point_delete("-1").await, Err(CallError::Invalid(_))));
    assert!(matches!(client.qr_create(&QrRequest { amount: pesos(0), ..qr() }).await, Err(CallError::Invalid(_))));
    let transfers =
        [TransferRequest { cvu: "1".into(), ..transfer() }, TransferRequest { cuit: "1".into(), ..transfer() }];
    for request in transfers {
        assert!(matches!(client.transfer_create(&request).await, Err(CallError::Invalid(_))));
    }
    assert!(transport.asked().is_empty(), "not even a login");
    let printed = format!("{:?} {:?} {:?} {:?}", cashout(), cashout().to, transfer(), share(1));
    assert!(!printed.contains(CVU) && !printed.contains(CUIT), "{printed}");
}

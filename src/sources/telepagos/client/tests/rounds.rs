//! Whole rounds: the client against the sandbox, which was written from the document a second time.

use super::*;
use crate::clock::TokioClock;
use crate::config::Secret;
use crate::domain::account::Upstream;
use crate::sandbox::direct::DirectTransport;
use crate::sandbox::world::Via;
use crate::sandbox::{Face, Fault, PASSWORD, Rule, Script, USERNAME, World};

struct Round {
    world: World,
    script: Script,
    client: TelepagosClient,
}

fn round() -> Round {
    let clock = || TokioClock::starting_at("2026-11-21T17:00:00Z".parse().unwrap(), 1);
    let (world, script) = (World::new(Arc::new(clock()), 1), Script::default());
    let transport = Arc::new(DirectTransport::new(world.clone(), script.clone(), Upstream::Telepagos));
    let mut config = config();
    config.username = USERNAME.to_owned();
    config.password = Secret::new(PASSWORD.to_owned());
    let client = TelepagosClient::new(config, transport, Arc::new(clock()));
    Round { world, script, client }
}

/// What is in the account, as the upstream tells it in whole pesos.
async fn balance(client: &TelepagosClient) -> i64 {
    client.balance().await.unwrap().amount.value.unwrap().cents() / 100
}

#[tokio::test(start_paused = true)]
async fn the_account_tells_of_its_money() {
    let Round { world, client, .. } = round();
    world.telepagos_credit(pesos(150_000));
    let id = world.telepagos_cashin(Via::Qr, pesos(50_050));
    assert_eq!(balance(&client).await, 2_000);
    assert_eq!(client.concepts().await.unwrap().first().unwrap().id.as_deref(), Some("VAR"));
    let operations = client.filters().await.unwrap();
    let qr = operations.iter().find(|operation| operation.id.as_deref() == Some("qr")).unwrap();
    assert_eq!(client.transactions(&yesterday_and_today()).await.unwrap().len(), 2);
    let filter = TransactionFilter { operation: qr.id.clone(), ..yesterday_and_today() };
    let rows = client.transactions(&filter).await.unwrap();
    assert_eq!((rows.len(), rows[0].amount.value, &rows[0].operation), (1, Some(pesos(50_050)), &qr.name));
    let cashin = client.cashin(&id.to_string()).await.unwrap();
    assert_eq!((cashin.amount.value, cashin.link_id, cashin.qr_order_id.is_some()), (Some(pesos(50_050)), None, true));
    assert_eq!(cashin.buyer.cvu, rows[0].cvu_cbu, "one payment, told twice");
    let stats = client.stats("2026-11").await.unwrap();
    assert_eq!((stats.count_open_cvu, stats.total_cashin.value), (Some(1), Some(pesos(200_050))));
    assert_eq!(client.stats("1999").await.unwrap().total_cashin.raw, None);
}

#[tokio::test(start_paused = true)]
async fn a_link_is_made_paid_many_times_and_ends() {
    let Round { world, client, .. } = round();
    let request = LinkRequest {
        expires_at: "2026-11-21T18:00:00Z".parse().unwrap(),
        distribution: vec![Share { cvu: CVU.to_owned(), amount: pesos(50_000) }],
        ..link()
    };
    let made = client.link_create(&request).await.unwrap();
    let id: u64 = made.link_id.as_deref().unwrap().parse().unwrap();
    assert!(made.link.ends_with(&id.to_string()));
    let known = world.telepagos_link_of(id).unwrap();
    assert_eq!(
        (known.amount, known.multiple_use, known.expires.to_string().as_str()),
        (pesos(150_000), true, "2026-11-21T15:00:00")
    );
    for _ in 0..2 {
        let cashin = client.cashin(&world.telepagos_link_pay(id).unwrap().to_string()).await.unwrap();
        assert_eq!((cashin.link_id.as_deref(), cashin.concept.as_deref()), (made.link_id.as_deref(), Some("VAR")));
    }
    assert_eq!(balance(&client).await, 2 * (1_500 - 500));
    tokio::time::advance(Duration::from_secs(3_600)).await;
    assert_eq!(world.telepagos_link_pay(id), None, "its time is over");
    let single = LinkRequest { multiple_use: false, expires_at: "2026-11-22T18:00:00Z".parse().unwrap(), ..link() };
    let id = client.link_create(&single).await.unwrap().link_id.unwrap().parse().unwrap();
    assert!(world.telepagos_link_pay(id).is_some() && world.telepagos_link_pay(id).is_none());
}

#[tokio::test(start_paused = true)]
async fn codes_and_sale_points_are_made_paid_and_removed() {
    let Round { world, client, .. } = round();
    let code = client.qr_create(&qr()).await.unwrap();
    let cashin = world.telepagos_qr_pay(code.qr_order_id.as_deref().unwrap().parse().unwrap()).unwrap();
    assert_eq!(client.cashin(&cashin.to_string()).await.unwrap().qr_order_id, code.qr_order_id);
    assert!(client.transfer_create(&transfer()).await.unwrap().payment_link.starts_with("https://"));

    let point = client.sale_point_create("Caja 9").await.unwrap();
    let points = client.sale_points().await.unwrap();
    assert_eq!((points.len(), points[0].id.as_deref(), points[0].name.as_deref()), (1, Some(&*point), Some("Caja 9")));
    let open = client.static_qr(&point, StaticAmount::Open).await.unwrap().qr_code;
    let closed = client.static_qr(&point, StaticAmount::Closed).await.unwrap().qr_code;
    assert_ne!(open, closed);
    let waiting = client.static_order(&order(&point)).await.unwrap().qr_order_id;
    let cashin = world.telepagos_qr_pay(waiting.parse().unwrap()).unwrap();
    assert_eq!(client.cashin(&cashin.to_string()).await.unwrap().qr_order_id.as_deref(), Some(&*waiting));
    let rows = client.transactions(&yesterday_and_today()).await.unwrap();
    assert_eq!(rows[0].sale_point_name.as_deref(), Some("Caja 9"));

    client.sale_point_delete(&point).await.unwrap();
    assert!(client.sale_points().await.unwrap().is_empty());
    let gone = client.sale_point_delete(&point).await.unwrap_err();
    assert_eq!(gone.said().map(|said| (said.status, said.words.as_str())), Some((404, "Punto de venta inexistente")));
    assert!(!gone.is_unknown());
    let code = client.static_qr(&point, StaticAmount::Open).await.unwrap_err();
    assert!(matches!(code.reaction(), Some(SourceError::NotFound)));
    assert!(!client.static_order(&order(&point)).await.unwrap_err().is_unknown());
}

#[tokio::test(start_paused = true)]
async fn a_cash_out_is_sent_once_for_each_reference() {
    let Round { world, script, client } = round();
    let poor = client.cashout(&cashout()).await.unwrap_err();
    assert_eq!(poor.said().map(|said| (said.status, said.words.as_str())), Some((400, "Saldo insuficiente")));
    world.telepagos_credit(pesos(1_000_000));
    // The answer is lost, the money is not: asked again with the same data, the upstream tells what became of it.
    script.add(Rule::once(Face::Telepagos, "v2/payment/cashout", Fault::Hang { after_effect: true }));
    assert!(client.cashout(&cashout()).await.unwrap_err().is_unknown());
    assert_eq!(world.telepagos_cashouts().len(), 1);
    let done = client.cashout(&cashout()).await.unwrap();
    assert_eq!(client.cashout(&cashout()).await.unwrap().id, done.id);
    assert_eq!(world.telepagos_cashouts().len(), 1, "one reference, one transfer");
    assert_eq!(balance(&client).await, 10_000 - 1_501, "whole pesos, rounded down");
    let other = client.cashout(&CashoutRequest { amount: pesos(1), ..cashout() }).await.unwrap_err();
    assert_eq!(other.said().unwrap().status, 409);
    let next =
        CashoutRequest { reference_id: "otra".into(), to: CashoutTo::Alias("tienda.centro".into()), ..cashout() };
    assert_ne!(client.cashout(&next).await.unwrap().id, done.id);

    let voucher = client.voucher(&done.id).await.unwrap().decode().unwrap();
    assert!(voucher.starts_with(b"%PDF-") && String::from_utf8(voucher).unwrap().contains("1500.50"));
    let none = client.voucher("1").await.unwrap_err();
    assert!(matches!(none.reaction(), Some(SourceError::NotFound)));
}

#[tokio::test(start_paused = true)]
async fn a_write_survives_an_expired_token_and_is_done_once() {
    let Round { world, client, .. } = round();
    client.balance().await.unwrap();
    world.expire_tokens();
    client.sale_point_create("Caja").await.unwrap();
    assert_eq!(world.telepagos_sale_points().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_creation_whose_connection_breaks_is_unknown_before_and_after_its_effect() {
    let Round { world, script, client } = round();
    for after_effect in [false, true] {
        script.add(Rule::once(Face::Telepagos, "v2/payment/cashin/qr/sale-point", Fault::Reset { after_effect }));
        assert!(client.sale_point_create("Caja").await.unwrap_err().is_unknown());
        assert_eq!(world.telepagos_sale_points().len(), usize::from(after_effect));
    }
}

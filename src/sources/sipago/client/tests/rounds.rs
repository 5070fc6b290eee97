//! Whole rounds: the client against the sandbox, which was written from the documents a second time.

use super::*;
use crate::clock::TokioClock;
use crate::config::Secret;
use crate::domain::account::Upstream;
use crate::sandbox::direct::DirectTransport;
use crate::sandbox::{API_KEY, Face, Fault, Rule, Script, World};

struct Round {
    world: World,
    script: Script,
    client: SipagoClient,
}

fn round() -> Round {
    let clock = Arc::new(TokioClock::starting_at("2026-11-21T17:00:00Z".parse().unwrap(), 1));
    let (world, script) = (World::new(clock, 1), Script::default());
    let transport = Arc::new(DirectTransport::new(world.clone(), script.clone(), Upstream::Sipago));
    let mut config = config();
    config.api_key = Secret::new(API_KEY.to_owned());
    // The sandbox tells what it is asked for by the path behind `services/`.
    config.common.base_url = "https://api.example/services/".parse().unwrap();
    Round { world, script, client: SipagoClient::new(config, transport) }
}

#[tokio::test(start_paused = true)]
async fn movements_are_listed_and_found_by_code() {
    let Round { world, client, .. } = round();
    world.configure(|settings| settings.sipago_page = 2);
    let ids: Vec<u64> = (1..=5).map(|n| world.sipago_sale(pesos(n * 100))).collect();
    let movements = client.movements(day(), day()).await.unwrap();
    assert_eq!(movements.len(), 5);
    let newest = &movements[0];
    assert_eq!((newest.id.as_deref(), newest.amount.value), (Some(&*ids[4].to_string()), Some(pesos(500))));
    assert!(newest.extra.is_empty(), "{:?}", newest.extra);
    let code = newest.authorization_code.clone().unwrap();
    let found = client.by_code(&code).await.unwrap();
    assert!(found.iter().any(|movement| movement.id == newest.id));
    assert!(client.by_code("no-such").await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_link_is_made_looked_at_and_paid() {
    let Round { world, client, .. } = round();
    let link = client.link_create(&soda()).await.unwrap();
    let order = client.link(&link.link).await.unwrap();
    assert_eq!(order.uuid, link.order_uuid);
    assert_eq!((order.status.as_deref(), order.amount.value), (Some("PENDING"), Some(pesos(10_050))));
    assert_eq!(order.items[0].name.as_deref(), Some("coca-cola"));
    assert!(order.payments.is_empty() && order.extra.is_empty(), "{:?}", order.extra);
    let uuid = link.order_uuid.unwrap();
    let payment = world.order_pay(&uuid).unwrap().to_string();
    let order = client.link(&uuid).await.unwrap();
    assert_eq!((order.status.as_deref(), order.payments.len()), (Some("SUCCESS"), 1));
    assert_eq!(order.payments[0].id.as_deref(), Some(&*payment));
    let movements = client.movements(day(), day()).await.unwrap();
    assert_eq!(movements[0].payment.payment_id.as_deref(), Some(&*payment), "order and movement share the id");
    let none = client.link("99868576-6b2d-4e1b-8aae-784317301e46").await.unwrap_err();
    assert!(matches!(none.reaction(), Some(SourceError::NotFound)));
}

#[tokio::test(start_paused = true)]
async fn codes_are_made_and_paid() {
    let Round { world, client, .. } = round();
    let (open, closed) = (client.qr().await.unwrap(), client.qr_create(pesos(7_700)).await.unwrap());
    assert_eq!(client.qr().await.unwrap().id, open.id);
    assert_ne!(open.qr_string, closed.qr_string);
    let number = |id: &Option<String>| id.as_deref().unwrap().parse::<u64>().unwrap();
    assert!(world.sipago_qr_pay(number(&open.id), Some(pesos(100))).is_some());
    assert!(world.sipago_qr_pay(number(&closed.id), None).is_some());
    assert_eq!(world.sipago_qr_pay(number(&closed.id), None), None);
    let amounts: Vec<_> =
        client.movements(day(), day()).await.unwrap().into_iter().map(|movement| movement.amount.value).collect();
    assert_eq!(amounts, [Some(pesos(7_700)), Some(pesos(100))]);
}

#[tokio::test(start_paused = true)]
async fn deposits_move_from_pending_to_paid() {
    let Round { world, client, .. } = round();
    world.configure(|settings| settings.sipago_page = 1);
    let ids: Vec<String> = (0..3).map(|_| world.sipago_deposit(pesos(1_000_000))).collect();
    assert_eq!(client.deposits(DepositState::Pending).await.unwrap().len(), 3);
    assert!(client.deposits(DepositState::Paid).await.unwrap().is_empty());
    world.sipago_deposit_pay(&ids[1]);
    let paid = client.deposits(DepositState::Paid).await.unwrap();
    assert_eq!((paid.len(), paid[0].id.as_deref(), paid[0].total.value), (1, Some(&*ids[1]), Some(pesos(954_910))));
    assert!(paid[0].extra.is_empty(), "{:?}", paid[0].extra);
    assert_eq!(client.deposits(DepositState::Pending).await.unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_link_whose_answer_is_lost_may_exist() {
    let Round { world, script, client } = round();
    for (after_effect, orders) in [(false, 0), (true, 1)] {
        script.add(Rule::once(Face::Sipago, "api/paymentButtonsToken", Fault::Hang { after_effect }));
        assert!(client.link_create(&soda()).await.unwrap_err().is_unknown());
        assert_eq!(world.orders().len(), orders);
    }
}

//! Laws of money that was asked to be sent.

use super::*;
use crate::domain::money::Money;
use crate::domain::payout::{Begun, Payee, PayoutRequest, PayoutState};
use crate::store::Payouts;

fn request(cents: i64) -> PayoutRequest {
    PayoutRequest {
        payee: Payee::Account("0000003100000000000017".to_owned()),
        cuit: "20055361682".to_owned(),
        amount: Money::from_cents(cents),
        concept: "VAR".to_owned(),
        description: "alquiler ñ".to_owned(),
    }
}

const FIRST: Begun = Begun::Send { attempt: 1, doubtful: false };

fn done() -> PayoutState {
    PayoutState::Done { id: "500001".to_owned() }
}

pub(crate) async fn a_request_is_remembered_before_it_is_sent_and_survives_a_restart<H: Harness>(harness: H) {
    let (store, centro, born) = (harness.store(), account("centro"), harness.born());
    assert_eq!(store.payout(&centro, "a").await.unwrap(), None);
    assert_eq!(store.begin_payout(&centro, "a", &request(100), born).await.unwrap(), FIRST);
    assert_eq!(store.begin_payout(&centro, "b", &request(200), born + Duration::from_secs(1)).await.unwrap(), FIRST);
    let list = store.payouts(&centro).await.unwrap();
    let names: Vec<_> = list.iter().map(|payout| payout.reference.as_str()).collect();
    assert_eq!(names, ["b", "a"], "the newest first");
    let kept = store.payout(&centro, "a").await.unwrap().unwrap();
    assert_eq!((&kept.request, &kept.state, kept.since), (&request(100), &PayoutState::Asked, born));
    assert!(store.payouts(&account("palermo")).await.unwrap().is_empty(), "of another account");
    drop(store);
    let Some(harness) = harness.reopen().await else { return };
    assert_eq!(harness.store().payouts(&centro).await.unwrap(), list);
}

pub(crate) async fn other_data_under_a_reference_are_refused_and_change_nothing<H: Harness>(harness: H) {
    let (store, centro, born) = (harness.store(), account("centro"), harness.born());
    store.begin_payout(&centro, "a", &request(100), born).await.unwrap();
    let before = store.payout(&centro, "a").await.unwrap();
    let alias = PayoutRequest { payee: Payee::Alias("0000003100000000000017".to_owned()), ..request(100) };
    for other in [request(101), PayoutRequest { description: String::new(), ..request(100) }, alias] {
        assert_eq!(store.begin_payout(&centro, "a", &other, born).await.unwrap(), Begun::Different);
    }
    assert_eq!(store.payout(&centro, "a").await.unwrap(), before);
    assert_eq!(store.begin_payout(&account("once"), "a", &request(101), born).await.unwrap(), FIRST);
}

pub(crate) async fn a_cash_out_that_was_carried_out_is_not_sent_again<H: Harness>(harness: H) {
    let (store, centro, born) = (harness.store(), account("centro"), harness.born());
    store.begin_payout(&centro, "a", &request(100), born).await.unwrap();
    store.settle_payout(&centro, "a", 1, &done()).await.unwrap();
    store.settle_payout(&centro, "a", 1, &PayoutState::Refused).await.unwrap();
    let begun = store.begin_payout(&centro, "a", &request(100), harness.now()).await.unwrap();
    assert_eq!(begun, Begun::Done { id: "500001".to_owned() });
    let kept = store.payout(&centro, "a").await.unwrap().unwrap();
    assert_eq!((kept.state, kept.attempts), (done(), 1));
    store.settle_payout(&centro, "never begun", 1, &done()).await.unwrap();
    assert_eq!(store.payout(&centro, "never begun").await.unwrap(), None);
}

pub(crate) async fn a_refusal_counts_only_while_nobody_else_tries<H: Harness>(harness: H) {
    let (store, centro, born) = (harness.store(), account("centro"), harness.born());
    let begin = async || store.begin_payout(&centro, "a", &request(100), born).await.unwrap();
    let refuse = async |attempt| store.settle_payout(&centro, "a", attempt, &PayoutState::Refused).await.unwrap();
    let state = async || store.payout(&centro, "a").await.unwrap().unwrap().state;
    assert_eq!(begin().await, FIRST);
    refuse(1).await;
    assert_eq!(state().await, PayoutState::Refused);
    assert_eq!(begin().await, Begun::Send { attempt: 2, doubtful: false }, "nothing was ever sent");
    assert_eq!(begin().await, Begun::Send { attempt: 3, doubtful: true }, "the second one may be under way");
    refuse(2).await;
    assert_eq!(state().await, PayoutState::Asked);
    store.settle_payout(&centro, "a", 2, &done()).await.unwrap();
    assert_eq!(state().await, done(), "whoever hears of it, it was carried out");
}

pub(crate) async fn of_many_at_once_under_one_reference_the_first_request_stays<H: Harness>(harness: H) {
    let (centro, born) = (account("centro"), harness.born());
    let tasks: Vec<_> = (1..=8)
        .map(|cents| {
            let (store, centro) = (harness.store(), centro.clone());
            tokio::spawn(async move { store.begin_payout(&centro, "a", &request(cents), born).await.unwrap() })
        })
        .collect();
    let mut begun = Vec::new();
    for task in tasks {
        begun.push(task.await.unwrap());
    }
    assert_eq!(begun.iter().filter(|begun| **begun == FIRST).count(), 1, "{begun:?}");
    assert_eq!(begun.iter().filter(|begun| **begun == Begun::Different).count(), 7, "{begun:?}");
    assert_eq!(harness.store().payout(&centro, "a").await.unwrap().unwrap().attempts, 1);
}

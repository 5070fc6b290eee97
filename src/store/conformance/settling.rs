//! Laws of settling.

use super::*;
use crate::domain::delivery::DeathReason;

pub(crate) async fn every_verdict_is_kept_with_its_attempt<H: Harness>(harness: H) {
    let store = harness.store();
    let events = put(&harness, 4, &["erp"]).await;
    let leases = lease(&*store, "erp", 4).await;
    let good = attempt(&harness, None);
    let bad = attempt(&harness, Some(FailureClass::Timeout));
    let after = Duration::from_secs(3600);
    let verdicts = [
        (Verdict::Delivered, &good),
        (Verdict::Dead { reason: DeathReason::Refused }, &bad),
        (Verdict::Dead { reason: DeathReason::Exhausted }, &bad),
        (Verdict::Retry { after, spent: true }, &bad),
    ];
    let settlements: Vec<_> = leases
        .iter()
        .zip(&verdicts)
        .map(|(lease, (verdict, attempt))| Settlement {
            id: lease.id.clone(),
            fence: lease.fence,
            verdict: verdict.clone(),
            attempt: Some((*attempt).clone()),
        })
        .collect();
    let before = harness.now() - 60.seconds();
    assert_eq!(exchange(&*store, &settlements, &[]).await.settled, [true; 4]);
    for (id, (verdict, attempt)) in events.into_iter().zip(verdicts) {
        let view = view(&*store, id, "erp").await;
        assert_eq!((view.attempts, view.last.as_ref()), (1, Some(attempt)), "{verdict:?}");
        let at = match (verdict, view.state) {
            (Verdict::Delivered, State::Delivered { at }) => at,
            (Verdict::Dead { reason: expected }, State::Dead { at, reason }) => {
                assert_eq!(reason, expected);
                at
            }
            (Verdict::Retry { .. }, State::Pending { due }) => due - 3600.seconds(),
            (verdict, state) => panic!("{verdict:?} made {state:?}"),
        };
        assert!(at > before && at < before + 120.seconds(), "{at}");
    }
    assert!(lease(&*store, "erp", 4).await.is_empty());
}

pub(crate) async fn a_settlement_holds_once<H: Harness>(harness: H) {
    let store = harness.store();
    put(&harness, 1, &["erp"]).await;
    let leases = lease(&*store, "erp", 1).await;
    let good = Some(attempt(&harness, None));
    let stranger = Lease {
        id: crate::domain::delivery::DeliveryId { event: EventId::from_bytes([1; 16]), destination: to("erp") },
        ..leases[0].clone()
    };
    assert!(!settle(&*store, &stranger, Verdict::Delivered, good.clone()).await, "no such event");
    let mut elsewhere = leases[0].clone();
    elsewhere.id.destination = to("nobody");
    assert!(!settle(&*store, &elsewhere, Verdict::Delivered, good.clone()).await, "no such delivery");
    assert!(settle(&*store, &leases[0], Verdict::Delivered, good.clone()).await);
    assert!(!settle(&*store, &leases[0], Verdict::Dead { reason: DeathReason::Refused }, good).await);
    let view = view(&*store, leases[0].id.event, "erp").await;
    assert!(matches!(view.state, State::Delivered { .. }));
    assert_eq!(view.attempts, 1);
}

pub(crate) async fn a_lost_lease_cannot_settle<H: Harness>(harness: H) {
    let store = harness.store();
    put(&harness, 1, &["erp"]).await;
    let lost = exchange(&*store, &[], &[want("erp", 1, SHORT)]).await.leases;
    let held = eventually(&harness, "the lease ends", async || lease(&*store, "erp", 1).await.pop()).await;
    let bad = Some(attempt(&harness, Some(FailureClass::Http)));
    assert!(!settle(&*store, &lost[0], Verdict::Dead { reason: DeathReason::Exhausted }, bad).await);
    let before = view(&*store, held.id.event, "erp").await;
    assert!(matches!(before.state, State::InFlight { .. }));
    assert_eq!((before.attempts, before.last), (0, None));
    assert!(settle(&*store, &held, Verdict::Delivered, Some(attempt(&harness, None))).await);
}

pub(crate) async fn a_retry_falls_due_after_its_wait<H: Harness>(harness: H) {
    let store = harness.store();
    put(&harness, 2, &["erp"]).await;
    let leases = lease(&*store, "erp", 2).await;
    let bad = Some(attempt(&harness, Some(FailureClass::Connect)));
    assert!(settle(&*store, &leases[0], Verdict::Retry { after: LONG, spent: true }, bad.clone()).await);
    assert!(settle(&*store, &leases[1], Verdict::Retry { after: SHORT, spent: true }, bad).await);
    let again = eventually(&harness, "the retry is due", async || lease(&*store, "erp", 8).await.pop()).await;
    assert_eq!((&again.id, again.attempts), (&leases[1].id, 1));
    assert!(again.fence > leases[1].fence);
    assert!(lease(&*store, "erp", 8).await.is_empty(), "the other one waits on");
    assert!(is_pending(&view(&*store, leases[0].id.event, "erp").await.state));
}

pub(crate) async fn a_lease_given_back_keeps_the_count_and_the_last_attempt<H: Harness>(harness: H) {
    let store = harness.store();
    put(&harness, 1, &["erp"]).await;
    let now = Duration::ZERO;
    let bad = attempt(&harness, Some(FailureClass::RateLimited));
    let first = lease(&*store, "erp", 1).await.remove(0);
    assert!(settle(&*store, &first, Verdict::Retry { after: now, spent: true }, Some(bad.clone())).await);
    let second = lease(&*store, "erp", 1).await.remove(0);
    assert!(settle(&*store, &second, Verdict::Retry { after: now, spent: false }, None).await);
    let third = lease(&*store, "erp", 1).await.remove(0);
    assert_eq!(third.attempts, 1);
    assert!(settle(&*store, &third, Verdict::Retry { after: now, spent: false }, Some(bad.clone())).await);
    let kept = view(&*store, third.id.event, "erp").await;
    assert_eq!((kept.attempts, kept.last), (1, Some(bad)));
}

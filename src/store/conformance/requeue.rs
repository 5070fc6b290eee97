//! Laws of the second chance.

use super::*;
use crate::domain::delivery::DeathReason;

/// Five events to `erp`: delivered, dead, waiting for an hour after one attempt, in flight, held. In this order.
async fn one_of_each<H: Harness>(harness: &H) -> Vec<EventId> {
    let store = harness.store();
    let mut events = put(harness, 4, &["erp"]).await;
    let held = Announcement { held: true, ..announce(&event(harness, 5), &["erp"]) };
    events.extend(created(store.commit(&tell(vec![held])).await));
    let leases = lease(&*store, "erp", 4).await;
    let bad = Some(attempt(harness, Some(FailureClass::Http)));
    assert!(settle(&*store, &leases[0], Verdict::Delivered, Some(attempt(harness, None))).await);
    assert!(settle(&*store, &leases[1], Verdict::Dead { reason: DeathReason::Exhausted }, bad.clone()).await);
    assert!(settle(&*store, &leases[2], Verdict::Retry { after: LONG, spent: true }, bad).await);
    events
}

fn in_states(states: &[&'static str]) -> DeliveryFilter {
    DeliveryFilter { states: states.to_vec(), ..every_delivery() }
}

pub(crate) async fn dead_and_delivered_get_a_second_chance_from_zero<H: Harness>(harness: H) {
    let store = harness.store();
    let events = one_of_each(&harness).await;
    assert_eq!(store.requeue(&in_states(&["dead", "delivered"]), false).await.unwrap(), 2);
    for id in &events[..2] {
        let view = view(&*store, *id, "erp").await;
        assert!(is_pending(&view.state));
        assert_eq!(view.attempts, 0);
    }
    let leases = lease(&*store, "erp", 8).await;
    assert_eq!(ids(&leases), events[..2]);
    assert!(leases.iter().all(|lease| lease.attempts == 0));
    assert!(settle(&*store, &leases[0], Verdict::Delivered, Some(attempt(&harness, None))).await);
    assert_eq!(view(&*store, events[0], "erp").await.attempts, 1);
}

pub(crate) async fn waiting_ones_become_due_and_keep_their_attempts<H: Harness>(harness: H) {
    let store = harness.store();
    let events = one_of_each(&harness).await;
    assert_eq!(store.requeue(&in_states(&["pending"]), false).await.unwrap(), 1);
    let leases = lease(&*store, "erp", 8).await;
    assert_eq!((ids(&leases), leases[0].attempts), (vec![events[2]], 1));
}

pub(crate) async fn held_and_in_flight_are_left_alone<H: Harness>(harness: H) {
    let store = harness.store();
    let events = one_of_each(&harness).await;
    assert_eq!(store.requeue(&in_states(&["held", "in_flight"]), false).await.unwrap(), 0);
    assert_eq!(store.requeue(&every_delivery(), true).await.unwrap(), 3);
    assert_eq!(store.requeue(&every_delivery(), false).await.unwrap(), 3);
    assert!(matches!(view(&*store, events[3], "erp").await.state, State::InFlight { .. }));
    assert_eq!(view(&*store, events[4], "erp").await.state, State::Held);
}

pub(crate) async fn a_dry_run_counts_and_changes_nothing<H: Harness>(harness: H) {
    let store = harness.store();
    one_of_each(&harness).await;
    let before = store.deliveries(&every_delivery()).await.unwrap();
    assert_eq!(store.requeue(&in_states(&["dead"]), true).await.unwrap(), 1);
    assert_eq!(store.requeue(&every_delivery(), true).await.unwrap(), 3);
    assert_eq!(store.deliveries(&every_delivery()).await.unwrap(), before);
    assert!(lease(&*store, "erp", 8).await.is_empty());
}

pub(crate) async fn a_requeue_keeps_to_its_filter_and_limit<H: Harness>(harness: H) {
    let store = harness.store();
    let events = put(&harness, 6, &["erp", "crm"]).await;
    for destination in ["erp", "crm"] {
        for lease in lease(&*store, destination, 6).await {
            let bad = Some(attempt(&harness, Some(FailureClass::Recipient)));
            assert!(settle(&*store, &lease, Verdict::Dead { reason: DeathReason::Refused }, bad).await);
        }
    }
    let erp = DeliveryFilter { destination: Some(to("erp")), limit: 2, ..in_states(&["dead"]) };
    assert_eq!(store.requeue(&erp, true).await.unwrap(), 2);
    assert_eq!(store.requeue(&erp, false).await.unwrap(), 2);
    assert_eq!(ids(&lease(&*store, "erp", 8).await), events[4..], "the newest, in the order of the facts");
    let one = DeliveryFilter { event: Some(events[1]), ..every_delivery() };
    assert_eq!(store.requeue(&one, false).await.unwrap(), 2);
    assert_eq!(ids(&lease(&*store, "crm", 8).await), [events[1]]);
    let detected = event(&harness, 3).detected_at;
    let around = DeliveryFilter {
        destination: Some(to("crm")),
        since: Some(detected - 500.milliseconds()),
        until: Some(detected + 500.milliseconds()),
        ..in_states(&["dead"])
    };
    assert_eq!(store.requeue(&around, true).await.unwrap(), 1);
    assert_eq!(store.requeue(&DeliveryFilter { limit: 0, ..every_delivery() }, false).await.unwrap(), 0);
}

//! Laws of leasing.

use super::*;

pub(crate) async fn deliveries_leave_in_the_order_of_the_facts<H: Harness>(harness: H) {
    let store = harness.store();
    let first: Vec<_> = (0..20_u32).map(|n| event(&harness, n * 7919 % 101)).collect();
    created(store.commit(&tell(first.iter().map(|event| announce(event, &["erp"])).collect())).await);
    let second: Vec<_> = (200..210).map(|n| event(&harness, n)).collect();
    created(store.commit(&tell(second.iter().map(|event| announce(event, &["erp"])).collect())).await);
    let mut seen = Vec::new();
    for _ in 0..6 {
        let leases = lease(&*store, "erp", 5).await;
        assert_eq!(leases.len(), 5);
        seen.extend(leases);
    }
    let expected: Vec<_> = first.iter().chain(&second).map(|event| event.id).collect();
    assert_eq!(ids(&seen), expected);
    for (lease, event) in seen.iter().zip(first.iter().chain(&second)) {
        assert_eq!((&lease.event, lease.attempts), (event, 0));
    }
}

pub(crate) async fn room_is_respected_for_each_destination<H: Harness>(harness: H) {
    let store = harness.store();
    for name in ["centro", "palermo", "once", "flores"] {
        let announcements = (1..=10).map(|n| announce(&event_of(&harness, name, n), &["erp", "crm", "caja"])).collect();
        created(store.commit(&Commit { announcements, ..nothing(name) }).await);
    }
    let wants = [want("erp", 3, LONG), want("crm", 1, LONG), want("caja", 0, LONG)];
    let answer = exchange(&*store, &[], &wants).await;
    let of = |name: &str| answer.leases.iter().filter(|lease| lease.id.destination == to(name)).count();
    assert_eq!((of("erp"), of("crm"), of("caja")), (3, 1, 0));
    assert_eq!(answer.next_due, Some(Duration::ZERO), "more is due than there was room for");
    let rest = exchange(&*store, &[], &[want("erp", 100, LONG)]).await;
    assert_eq!(rest.leases.len(), 37);
}

pub(crate) async fn what_nobody_wants_is_not_leased<H: Harness>(harness: H) {
    let store = harness.store();
    put(&harness, 2, &["erp"]).await;
    let nothing = exchange(&*store, &[], &[]).await;
    assert_eq!((nothing.leases.len(), nothing.settled.len(), nothing.next_due), (0, 0, None));
    let unknown = exchange(&*store, &[], &[want("nobody", 8, LONG)]).await;
    assert_eq!((unknown.leases.len(), unknown.next_due), (0, None));
    assert_eq!(lease(&*store, "erp", 8).await.len(), 2);
}

pub(crate) async fn a_delivery_is_leased_again_only_after_its_lease_and_with_a_higher_fence<H: Harness>(harness: H) {
    let store = harness.store();
    let events = put(&harness, 2, &["erp"]).await;
    let long = lease(&*store, "erp", 1).await;
    let short = exchange(&*store, &[], &[want("erp", 1, SHORT)]).await.leases;
    assert_eq!((ids(&long), ids(&short)), (vec![events[0]], vec![events[1]]));
    let again = eventually(&harness, "the short lease ends", async || lease(&*store, "erp", 8).await.pop()).await;
    assert_eq!(again.id, short[0].id);
    assert!(again.fence > short[0].fence);
    assert_eq!(again.attempts, 0, "a lost lease is no attempt");
    assert!(lease(&*store, "erp", 8).await.is_empty(), "both are leased for long");
}

pub(crate) async fn a_held_announcement_waits_for_its_release<H: Harness>(harness: H) {
    let store = harness.store();
    for name in ["centro", "palermo"] {
        let held = |n| Announcement { held: true, ..announce(&event_of(&harness, name, n), &["erp", "crm"]) };
        created(store.commit(&Commit { announcements: vec![held(1), held(2)], ..nothing(name) }).await);
    }
    let empty = exchange(&*store, &[], &[want("erp", 8, LONG)]).await;
    assert_eq!((empty.leases.len(), empty.next_due), (0, None));
    assert_eq!(view(&*store, event(&harness, 1).id, "erp").await.state, State::Held);
    let palermo = account("palermo");
    assert_eq!(store.release_held(Some(&palermo), true).await.unwrap(), 4);
    assert_eq!(store.release_held(None, true).await.unwrap(), 8);
    assert_eq!(store.counts().await.unwrap().held, 8, "a dry run releases nothing");
    assert_eq!(store.release_held(Some(&palermo), false).await.unwrap(), 4);
    assert_eq!(store.release_held(Some(&palermo), false).await.unwrap(), 0);
    let expected = [1, 2].map(|n| event_of(&harness, "palermo", n).id);
    assert_eq!(ids(&lease(&*store, "erp", 8).await), expected, "released ones leave in the order of the facts");
    assert_eq!(store.release_held(None, false).await.unwrap(), 4);
    assert_eq!(lease(&*store, "crm", 8).await.len(), 4);
    assert_eq!(store.counts().await.unwrap().held, 0);
}

pub(crate) async fn the_next_due_time_is_told<H: Harness>(harness: H) {
    let store = harness.store();
    put(&harness, 3, &["erp"]).await;
    let some = exchange(&*store, &[], &[want("erp", 2, LONG)]).await;
    assert_eq!(some.next_due, Some(Duration::ZERO), "one more is due");
    let rest = exchange(&*store, &[], &[want("erp", 2, LONG)]).await;
    assert_eq!((rest.leases.len(), rest.next_due), (1, None), "nothing waits");
    let hour = Duration::from_secs(3600);
    let later = |lease: &Lease, after| Settlement {
        id: lease.id.clone(),
        fence: lease.fence,
        verdict: Verdict::Retry { after, spent: true },
        attempt: Some(attempt(&harness, Some(FailureClass::Http))),
    };
    let both = [later(&some.leases[0], hour * 2), later(&some.leases[1], hour)];
    let answer = exchange(&*store, &both, &[want("erp", 2, LONG), want("crm", 2, LONG)]).await;
    assert_eq!((answer.settled, answer.leases.len()), (vec![true, true], 0));
    let due = answer.next_due.expect("two wait");
    assert!(due <= hour && due > hour / 2, "{due:?}");
    assert_eq!(exchange(&*store, &[], &[want("crm", 2, LONG)]).await.next_due, None, "only what was asked for counts");
}

pub(crate) async fn the_end_of_another_instances_lease_is_waited_for<H: Harness>(harness: H) {
    let store = harness.store();
    let Some(other) = harness.replica("other").await else { return };
    put(&harness, 2, &["erp"]).await;
    assert_eq!(lease(&*other, "erp", 1).await.len(), 1);
    let ours = exchange(&*store, &[], &[want("erp", 8, LONG)]).await;
    assert_eq!((ours.leases.len(), ours.next_due), (1, None), "who has work to do will ask again");
    let idle = exchange(&*store, &[], &[want("erp", 8, LONG)]).await;
    let due = idle.next_due.expect("the other may be dead");
    assert!(idle.leases.is_empty() && due <= LONG && due > LONG / 2, "{due:?}");
    let elsewhere = exchange(&*store, &[], &[want("crm", 8, LONG)]).await;
    assert_eq!(elsewhere.next_due, None, "only what was asked for counts");
}

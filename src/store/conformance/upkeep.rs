//! Laws of what happens beside the work: sweeping, restarting.

use super::*;
use crate::domain::delivery::DeathReason;

pub(crate) async fn a_sweep_removes_settled_events_only<H: Harness>(harness: H) {
    let store = harness.store();
    let events = put(&harness, 5, &["erp", "crm"]).await;
    // Long due, but nobody serves the destination; and held.
    let waits = event(&harness, 6);
    let held = Announcement { held: true, ..announce(&event(&harness, 7), &["erp"]) };
    created(store.commit(&tell(vec![announce(&waits, &["nobody"]), held.clone()])).await);
    let bad = Some(attempt(&harness, Some(FailureClass::Http)));
    let erp = lease(&*store, "erp", 5).await;
    for (n, lease) in (0..).zip(&erp) {
        let verdict = match n {
            3 => Verdict::Retry { after: LONG, spent: true },
            4 => continue,
            _ => Verdict::Delivered,
        };
        assert!(settle(&*store, lease, verdict, bad.clone()).await);
    }
    // The first is delivered twice, the second delivered and dead, the third waits for `crm`, the fourth waits for a
    // retry to `erp`, the fifth is in flight.
    for (n, lease) in (0..).zip(lease(&*store, "crm", 5).await) {
        match n {
            0 | 3 | 4 => assert!(settle(&*store, &lease, Verdict::Delivered, bad.clone()).await),
            1 => assert!(settle(&*store, &lease, Verdict::Dead { reason: DeathReason::Refused }, bad.clone()).await),
            _ => assert!(settle(&*store, &lease, Verdict::Retry { after: LONG, spent: false }, None).await),
        }
    }
    let swept = store.sweep(REMEMBER * 24).await.unwrap();
    assert_eq!(swept.events, 0, "all were settled just now");
    let mut removed = 0;
    eventually(&harness, "two events are old enough", async || {
        removed += store.sweep(SHORT).await.unwrap().events;
        (removed >= 2).then_some(())
    })
    .await;
    harness.pass(SHORT).await;
    assert_eq!(store.sweep(SHORT).await.unwrap().events, 0);
    assert_eq!(removed, 2);
    let mut left = vec![held.event.id, waits.id];
    left.extend(events[2..].iter().rev());
    assert_eq!(event_ids(&*store, &every_event()).await, left);
    assert_eq!(store.deliveries(&every_delivery()).await.unwrap().len(), 8);
    assert_eq!(store.counts().await.unwrap().dead, 0);
    assert_eq!(store.event(&events[0]).await.unwrap(), None);
    assert!(settle(&*store, &erp[4], Verdict::Delivered, Some(attempt(&harness, None))).await);
}

pub(crate) async fn a_sweep_forgets_ledgers_whose_time_is_over<H: Harness>(harness: H) {
    let store = harness.store();
    let (brief, kept, renewed) = (day("centro", 1), day("centro", 2), day("centro", 3));
    let changes = [change(1, &[memory(1)])];
    created(store.commit(&Commit { remember: SHORT, ..write(&renewed, 0, &changes) }).await);
    created(store.commit(&Commit { remember: SHORT, ..write(&brief, 0, &changes) }).await);
    created(store.commit(&write(&kept, 0, &changes)).await);
    // Nobody swept yet, but a back-end may forget by itself: then the renewal is a first reading.
    let version = ledger(&*store, &renewed).await.version();
    let renewal = Commit { remember: REMEMBER, ..write(&renewed, version, &changes) };
    let renewal = store.commit(&renewal).await.unwrap();
    if renewal == Committed::Conflict {
        created(store.commit(&write(&renewed, 0, &changes)).await);
    }
    eventually(&harness, "the ledger is forgotten", async || {
        store.sweep(REMEMBER).await.unwrap();
        ledger(&*store, &brief).await.is_unread().then_some(())
    })
    .await;
    assert!(ledger(&*store, &brief).await.is_empty());
    for partition in [&kept, &renewed] {
        let ledger = ledger(&*store, partition).await;
        assert!(!ledger.is_unread());
        assert_eq!(contents(&ledger), [(slot(1), vec![memory(1)])]);
    }
    created(store.commit(&write(&brief, 0, &changes)).await);
    assert_eq!(contents(&ledger(&*store, &brief).await), [(slot(1), vec![memory(1)])]);
}

pub(crate) async fn a_sweep_removes_old_rejects<H: Harness>(harness: H) {
    let store = harness.store();
    created(store.commit(&Commit { rejects: vec![reject(1), reject(2)], ..nothing("centro") }).await);
    store.sweep(REMEMBER).await.unwrap();
    assert_eq!(store.rejects(None, 10).await.unwrap().len(), 2);
    eventually(&harness, "the rejects are old enough", async || {
        store.sweep(SHORT).await.unwrap();
        store.rejects(None, 10).await.unwrap().is_empty().then_some(())
    })
    .await;
    assert_eq!(store.counts().await.unwrap().rejects, 0);
    match store.commit(&Commit { rejects: vec![reject(1)], ..nothing("centro") }).await.unwrap() {
        Committed::Done { rejected, .. } => assert_eq!(rejected, [1], "what was forgotten is new again"),
        Committed::Conflict => panic!("a conflict where there is none"),
    }
}

pub(crate) async fn a_restart_reclaims_its_own_leases_and_no_others<H: Harness>(harness: H) {
    let store = harness.store();
    let events = put(&harness, 5, &["erp"]).await;
    let mine = lease(&*store, "erp", 2).await;
    let other = harness.replica("two").await;
    let theirs = match &other {
        Some(other) => lease(&**other, "erp", 2).await,
        None => Vec::new(),
    };
    assert_eq!(store.reclaim().await.unwrap(), 2);
    assert_eq!(store.reclaim().await.unwrap(), 0);
    assert!(!settle(&*store, &mine[0], Verdict::Delivered, None).await, "its lease was taken away");
    let again = lease(&*store, "erp", 10).await;
    let expected: Vec<_> = events.iter().copied().filter(|id| !ids(&theirs).contains(id)).collect();
    let mut leased = ids(&again);
    leased.sort_by_key(|id| events.iter().position(|event| event == id));
    assert_eq!(leased, expected);
    for lease in &mine {
        let newer = again.iter().find(|newer| newer.id == lease.id).expect("it is leased again");
        assert!(newer.fence > lease.fence);
        assert_eq!(newer.attempts, 0);
    }
    if let (Some(other), Some(first)) = (other, theirs.first()) {
        assert!(settle(&*other, first, Verdict::Delivered, None).await, "theirs hold");
    }
}

pub(crate) async fn everything_survives_a_restart<H: Harness>(harness: H) {
    let store = harness.store();
    let partition = day("centro", 1);
    let events: Vec<_> = (1..=4).map(|n| event(&harness, n)).collect();
    let mut announcements: Vec<_> = events.iter().map(|event| announce(event, &["erp"])).collect();
    announcements.push(Announcement { held: true, ..announce(&event(&harness, 9), &["erp"]) });
    let commit = Commit {
        announcements,
        rejects: vec![reject(5)],
        state: Some((0, some_state())),
        ..write(&partition, 0, &[change(1, &[memory(1), memory(2)]), change(2, &[memory(3)])])
    };
    created(store.commit(&commit).await);
    let leases = lease(&*store, "erp", 3).await;
    let bad = attempt(&harness, Some(FailureClass::Tls));
    assert!(settle(&*store, &leases[0], Verdict::Delivered, Some(attempt(&harness, None))).await);
    assert!(settle(&*store, &leases[1], Verdict::Dead { reason: DeathReason::Refused }, Some(bad)).await);
    let before = store.deliveries(&every_delivery()).await.unwrap();
    let (counts, listed) = (store.counts().await.unwrap(), store.events(&every_event()).await.unwrap());
    let remembered = contents(&ledger(&*store, &partition).await);
    drop(store);

    let Some(harness) = harness.reopen().await else { return };
    let store = harness.store();
    assert_eq!(store.deliveries(&every_delivery()).await.unwrap(), before);
    assert_eq!((store.counts().await.unwrap(), store.events(&every_event()).await.unwrap()), (counts, listed));
    let ledger = ledger(&*store, &partition).await;
    assert_eq!((ledger.version(), contents(&ledger)), (1, remembered));
    let state = store.account(&account("centro")).await.unwrap();
    assert_eq!((state.version, state.state), (1, some_state()));
    assert_eq!(store.rejects(None, 10).await.unwrap()[0].reject, reject(5));
    assert!(settle(&*store, &leases[2], Verdict::Retry { after: LONG, spent: true }, None).await, "a lease survives");
    assert_eq!(ids(&lease(&*store, "erp", 10).await), [events[3].id]);
    assert!(created(store.commit(&tell(vec![announce(&events[0], &["erp"])])).await).is_empty());
}

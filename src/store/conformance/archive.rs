//! Laws of the operator's view.

use super::*;
use crate::domain::delivery::DeathReason;
use crate::domain::route::Pattern;

pub(crate) async fn events_are_listed_newest_first_by_filter_and_limit<H: Harness>(harness: H) {
    let store = harness.store();
    let centro: Vec<_> = (1..=6).map(|n| event(&harness, n)).collect();
    created(store.commit(&tell(centro.iter().map(|event| announce(event, &["erp"])).collect())).await);
    let palermo: Vec<_> = (7..=9).map(|n| event_of(&harness, "palermo", n)).collect();
    let announcements = palermo.iter().map(|event| announce(event, &[])).collect();
    created(store.commit(&Commit { announcements, ..nothing("palermo") }).await);

    let all: Vec<_> = centro.iter().chain(&palermo).rev().map(|event| event.id).collect();
    assert_eq!(event_ids(&*store, &every_event()).await, all);
    assert_eq!(event_ids(&*store, &EventFilter { limit: 4, ..every_event() }).await, all[..4]);
    assert!(event_ids(&*store, &EventFilter { limit: 0, ..every_event() }).await.is_empty());
    let of = EventFilter { account: Some(account("palermo")), ..every_event() };
    assert_eq!(event_ids(&*store, &of).await, all[..3]);
    let stranger = EventFilter { account: Some(account("nadie")), ..every_event() };
    assert!(event_ids(&*store, &stranger).await.is_empty());
    let credits = EventFilter { patterns: vec![Pattern::parse("credit.*").unwrap()], limit: 2, ..every_event() };
    assert_eq!(event_ids(&*store, &credits).await, [palermo[1].id, centro[5].id]);
    let both = ["credit.received", "payment.*"].map(|text| Pattern::parse(text).unwrap()).to_vec();
    assert_eq!(event_ids(&*store, &EventFilter { patterns: both, ..every_event() }).await, all);
    let middle =
        EventFilter { since: Some(centro[2].detected_at), until: Some(centro[4].detected_at), ..every_event() };
    assert_eq!(event_ids(&*store, &middle).await, [centro[3].id, centro[2].id], "from the first, up to the last");
    assert_eq!(store.events(&every_event()).await.unwrap()[8], centro[0], "with all that they say");
}

pub(crate) async fn an_event_is_shown_with_its_deliveries<H: Harness>(harness: H) {
    let store = harness.store();
    assert_eq!(store.event(&EventId::from_bytes([9; 16])).await.unwrap(), None);
    put(&harness, 2, &["erp", "caja"]).await;
    let held = lease(&*store, "caja", 1).await.remove(0);
    let (event, mut views) = store.event(&held.id.event).await.unwrap().expect("it is kept");
    assert_eq!(event, held.event);
    views.sort_by(|a, b| a.id.destination.cmp(&b.id.destination));
    assert_eq!(views.len(), 2);
    assert_eq!(views[0].id, held.id);
    assert!(matches!(views[0].state, State::InFlight { until } if until > harness.now()));
    assert!(is_pending(&views[1].state));
    assert_eq!((views[1].attempts, &views[1].last), (0, &None));
    // Stores may keep the time of detection to the millisecond beside the event.
    assert_eq!(views[1].detected_at.as_millisecond(), event.detected_at.as_millisecond());
}

pub(crate) async fn deliveries_are_listed_by_filter_newest_first<H: Harness>(harness: H) {
    let store = harness.store();
    let events = put(&harness, 5, &["erp", "crm"]).await;
    let first = lease(&*store, "erp", 1).await.remove(0);
    let bad = Some(attempt(&harness, Some(FailureClass::Recipient)));
    assert!(settle(&*store, &first, Verdict::Dead { reason: DeathReason::Refused }, bad).await);
    let list = async |filter: DeliveryFilter| {
        let views = store.deliveries(&filter).await.unwrap();
        views.into_iter().map(|view| view.id.event).collect::<Vec<_>>()
    };
    let newest_first: Vec<_> = events.iter().rev().copied().collect();
    let erp = DeliveryFilter { destination: Some(to("erp")), ..every_delivery() };
    assert_eq!(list(erp.clone()).await, newest_first);
    assert_eq!(list(DeliveryFilter { limit: 2, ..erp.clone() }).await, newest_first[..2]);
    assert_eq!(list(DeliveryFilter { states: vec!["dead"], ..erp.clone() }).await, events[..1]);
    assert_eq!(list(DeliveryFilter { states: vec!["pending", "in_flight"], ..erp.clone() }).await, newest_first[..4]);
    assert_eq!(list(DeliveryFilter { event: Some(events[2]), ..erp.clone() }).await, [events[2]]);
    assert!(list(DeliveryFilter { event: Some(EventId::from_bytes([9; 16])), ..every_delivery() }).await.is_empty());
    assert!(list(DeliveryFilter { destination: Some(to("nobody")), ..every_delivery() }).await.is_empty());
    let middle = event(&harness, 3).detected_at;
    let recent = DeliveryFilter { since: Some(middle - 500.milliseconds()), ..erp.clone() };
    assert_eq!(list(recent).await, newest_first[..3]);
    assert_eq!(list(DeliveryFilter { until: Some(middle - 500.milliseconds()), ..erp }).await, newest_first[3..]);
    assert_eq!(list(every_delivery()).await.len(), 10);
}

pub(crate) async fn rejects_are_listed_newest_first_by_account<H: Harness>(harness: H) {
    let store = harness.store();
    for (name, print) in [("centro", 1), ("palermo", 2), ("centro", 3)] {
        created(store.commit(&Commit { rejects: vec![reject(print)], ..nothing(name) }).await);
        harness.pass(SHORT).await;
    }
    let prints = async |account: Option<&AccountName>, limit| {
        let views = store.rejects(account, limit).await.unwrap();
        views.iter().map(|view| view.reject.fingerprint).collect::<Vec<_>>()
    };
    assert_eq!(prints(None, 10).await, [3, 2, 1]);
    assert_eq!(prints(None, 2).await, [3, 2]);
    assert_eq!(prints(Some(&account("centro")), 10).await, [3, 1]);
    let seen = store.rejects(None, 1).await.unwrap().remove(0);
    assert_eq!((seen.account, seen.reject), (account("centro"), reject(3)));
    assert!(seen.first_seen > harness.now() - 60.seconds() && seen.first_seen < harness.now() + 60.seconds());
}

pub(crate) async fn counts_are_right<H: Harness>(harness: H) {
    let store = harness.store();
    assert_eq!(store.counts().await.unwrap(), crate::store::Counts::default());
    put(&harness, 5, &["erp", "crm"]).await;
    let held = Announcement { held: true, ..announce(&event(&harness, 6), &["erp", "crm", "caja"]) };
    created(store.commit(&Commit { rejects: vec![reject(1), reject(2)], ..tell(vec![held]) }).await);
    let leases = lease(&*store, "erp", 3).await;
    assert!(settle(&*store, &leases[0], Verdict::Delivered, Some(attempt(&harness, None))).await);
    assert!(settle(&*store, &leases[1], Verdict::Dead { reason: DeathReason::Refused }, None).await);
    let counts = store.counts().await.unwrap();
    assert_eq!(counts, crate::store::Counts { events: 6, pending: 8, held: 3, dead: 1, rejects: 2 });
    assert_eq!(store.requeue(&every_delivery(), false).await.unwrap(), 9);
    let counts = store.counts().await.unwrap();
    assert_eq!(counts, crate::store::Counts { events: 6, pending: 10, held: 3, dead: 0, rejects: 2 });
}

pub(crate) async fn odd_names_are_safe<H: Harness>(harness: H) {
    let store = harness.store();
    let names =
        ["Caja ñandú 💸", "a:b", "a:b:c", "{x}", "}{", "O'Brien \"x\"; DROP", "%s*?[a]", "línea\nnueva", "\u{0}", " "];
    for (n, name) in (0_u32..).zip(names) {
        let partition =
            Partition { account: account(name), source: SourceKind::Links, scope: Scope::Watched(name.to_owned()) };
        let commit = Commit {
            announcements: vec![announce(&event_of(&harness, name, n), &[name])],
            rejects: vec![Reject { reason: name.to_owned(), shape: name.to_owned(), ..reject(1) }],
            state: Some((0, some_state())),
            ..write(&partition, 0, &[change(n, &[memory(1)])])
        };
        created(store.commit(&commit).await);
        assert!(store.acquire(&account(name), LONG).await.unwrap().is_some());
    }
    for (n, name) in (0_u32..).zip(names) {
        let mine = account(name);
        let partition =
            Partition { account: mine.clone(), source: SourceKind::Links, scope: Scope::Watched(name.to_owned()) };
        let ledger = ledger(&*store, &partition).await;
        assert_eq!((ledger.len(), ledger.get(&slot(n)).len()), (1, 1), "{name:?}");
        assert_eq!(store.account(&mine).await.unwrap().state, some_state());
        let of = EventFilter { account: Some(mine.clone()), ..every_event() };
        assert_eq!(event_ids(&*store, &of).await, [event_of(&harness, name, n).id]);
        assert_eq!(store.rejects(Some(&mine), 10).await.unwrap()[0].reject.reason, name);
        let lease = lease(&*store, name, 10).await;
        assert_eq!((lease.len(), lease[0].event.account.as_ref()), (1, Some(&mine)), "{name:?}");
        assert!(settle(&*store, &lease[0], Verdict::Delivered, Some(attempt(&harness, None))).await);
        let filter = DeliveryFilter { destination: Some(to(name)), ..every_delivery() };
        assert_eq!(store.deliveries(&filter).await.unwrap().len(), 1);
        store.release(&mine).await.unwrap();
    }
}

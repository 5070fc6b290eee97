//! Laws of the commit.

use super::*;

pub(crate) async fn a_commit_is_all_or_nothing_under_each_ledgers_version<H: Harness>(harness: H) {
    let store = harness.store();
    let (first, second) = (day("centro", 1), day("centro", 2));
    let both = |a: u64, b: u64, n: u32| Commit {
        ledgers: vec![
            LedgerWrite { partition: first.clone(), expected: a, changes: vec![change(n, &[memory(n)])] },
            LedgerWrite { partition: second.clone(), expected: b, changes: vec![change(n, &[memory(n)])] },
        ],
        announcements: vec![announce(&event(&harness, n), &["erp"])],
        rejects: vec![reject(u64::from(n))],
        ..nothing("centro")
    };
    assert!(matches!(store.commit(&both(0, 0, 1)).await.unwrap(), Committed::Done { .. }));
    for (a, b) in [(1, 0), (0, 1), (2, 1), (1, 2)] {
        assert_eq!(store.commit(&both(a, b, 2)).await.unwrap(), Committed::Conflict, "{a} {b}");
    }
    for partition in [&first, &second] {
        let ledger = ledger(&*store, partition).await;
        assert_eq!((ledger.version(), ledger.len()), (1, 1));
    }
    assert_eq!(event_ids(&*store, &every_event()).await, [event(&harness, 1).id]);
    assert_eq!(store.rejects(None, 10).await.unwrap().len(), 1);
    assert_eq!(lease(&*store, "erp", 10).await.len(), 1);
    assert!(matches!(store.commit(&both(1, 1, 2)).await.unwrap(), Committed::Done { .. }));
    assert_eq!(ledger(&*store, &second).await.version(), 2);
}

pub(crate) async fn a_commit_is_guarded_by_the_version_of_the_state<H: Harness>(harness: H) {
    let store = harness.store();
    let partition = day("centro", 1);
    let with = |expected: u64, ledger: u64| Commit {
        state: Some((expected, some_state())),
        ..write(&partition, ledger, &[change(1, &[memory(1)])])
    };
    assert_eq!(store.commit(&with(1, 0)).await.unwrap(), Committed::Conflict);
    assert!(ledger(&*store, &partition).await.is_unread(), "a conflict of the state changes no ledger");
    assert!(matches!(store.commit(&with(0, 0)).await.unwrap(), Committed::Done { .. }));
    assert_eq!(store.account(&account("centro")).await.unwrap().version, 1);
    assert_eq!(store.commit(&with(0, 1)).await.unwrap(), Committed::Conflict);
    // A conflict of a ledger changes no state.
    assert_eq!(store.commit(&with(1, 0)).await.unwrap(), Committed::Conflict);
    assert_eq!(store.account(&account("centro")).await.unwrap().version, 1);
    assert!(matches!(store.commit(&with(1, 1)).await.unwrap(), Committed::Done { .. }));
    assert_eq!(store.account(&account("centro")).await.unwrap().version, 2);
}

pub(crate) async fn a_state_is_read_as_it_was_written<H: Harness>(harness: H) {
    let store = harness.store();
    let unknown = store.account(&account("centro")).await.unwrap();
    assert_eq!(unknown, crate::store::VersionedState::default());
    let commit = Commit { state: Some((0, some_state())), ..nothing("centro") };
    created(store.commit(&commit).await);
    let known = store.account(&account("centro")).await.unwrap();
    assert_eq!((known.version, known.state), (1, some_state()));
    assert_eq!(store.account(&account("otro")).await.unwrap().version, 0);
    // A commit without a state leaves it alone.
    created(store.commit(&write(&day("centro", 1), 0, &[])).await);
    assert_eq!(store.account(&account("centro")).await.unwrap().version, 1);
}

pub(crate) async fn an_unread_ledger_has_version_0_and_an_empty_write_makes_it_1<H: Harness>(harness: H) {
    let store = harness.store();
    let partition = day("centro", 1);
    assert!(ledger(&*store, &partition).await.is_unread());
    created(store.commit(&write(&partition, 0, &[])).await);
    let read = ledger(&*store, &partition).await;
    assert_eq!((read.version(), read.len()), (1, 0));
}

pub(crate) async fn slots_are_replaced_and_removed_when_empty<H: Harness>(harness: H) {
    let store = harness.store();
    let partition = day("centro", 1);
    let twins = [memory(1), memory(2)];
    let first = [change(1, &twins), change(2, &[memory(5)]), change(3, &[memory(6)])];
    created(store.commit(&write(&partition, 0, &first)).await);
    let expected = vec![(slot(1), twins.to_vec()), (slot(2), vec![memory(5)]), (slot(3), vec![memory(6)])];
    assert_eq!(contents(&ledger(&*store, &partition).await), expected);
    let second = [change(1, &[memory(8)]), change(2, &[]), change(4, &[])];
    created(store.commit(&write(&partition, 1, &second)).await);
    let expected = vec![(slot(1), vec![memory(8)]), (slot(3), vec![memory(6)])];
    assert_eq!(contents(&ledger(&*store, &partition).await), expected);
}

pub(crate) async fn a_partition_is_told_from_every_other<H: Harness>(harness: H) {
    let store = harness.store();
    let scopes = [
        Scope::Day(Day::parse("2026-11-01").unwrap()),
        Scope::Watched("2026-11-01".to_owned()),
        Scope::Watched("1".to_owned()),
        Scope::Refunds("1".to_owned()),
        Scope::Refunds("2026-11-01".to_owned()),
    ];
    let sources = [SourceKind::Movements, SourceKind::Links];
    let partitions: Vec<Partition> = sources
        .into_iter()
        .flat_map(|source| scopes.clone().map(|scope| Partition { account: account("centro"), source, scope }))
        .collect();
    for (n, partition) in (0_u32..).zip(&partitions) {
        created(store.commit(&write(partition, 0, &[change(n, &[memory(1)])])).await);
    }
    let mut asked = partitions.clone();
    asked.push(day("centro", 9));
    asked.reverse();
    let ledgers = store.ledgers(&account("centro"), &asked).await.unwrap();
    assert!(ledgers[0].is_unread(), "the answer is in the order of the question");
    for (n, ledger) in (0_u32..).zip(ledgers.iter().skip(1).rev()) {
        assert_eq!((ledger.version(), ledger.len(), ledger.get(&slot(n)).len()), (1, 1, 1), "{n}");
    }
    assert!(store.ledgers(&account("centro"), &[]).await.unwrap().is_empty());
}

pub(crate) async fn a_fact_told_twice_is_one_event_with_its_deliveries_once<H: Harness>(harness: H) {
    let store = harness.store();
    let (one, two, three) = (event(&harness, 1), event(&harness, 2), event(&harness, 3));
    let commit = tell(vec![announce(&two, &["erp"]), announce(&one, &["erp"]), announce(&two, &["erp", "caja"])]);
    assert_eq!(created(store.commit(&commit).await), [two.id, one.id]);
    let again = tell(vec![announce(&one, &["erp", "caja"]), announce(&three, &["erp"]), announce(&two, &["erp"])]);
    assert_eq!(created(store.commit(&again).await), [three.id]);
    assert_eq!(ids(&lease(&*store, "erp", 10).await), [two.id, one.id, three.id]);
    assert!(lease(&*store, "caja", 10).await.is_empty());
    assert_eq!(store.counts().await.unwrap().events, 3);
    assert_eq!(store.deliveries(&every_delivery()).await.unwrap().len(), 3);
}

pub(crate) async fn an_event_that_nobody_asked_for_is_kept<H: Harness>(harness: H) {
    let store = harness.store();
    let lonely = Arc::new(Event { account: None, upstream: None, source: None, ..(*event(&harness, 1)).clone() });
    created(store.commit(&tell(vec![announce(&lonely, &[])])).await);
    let (read, deliveries) = store.event(&lonely.id).await.unwrap().expect("it is kept");
    assert_eq!((read, deliveries), (lonely, Vec::new()));
}

pub(crate) async fn a_reject_is_kept_once_for_each_account<H: Harness>(harness: H) {
    let store = harness.store();
    let with =
        |name: &str, prints: &[u64]| Commit { rejects: prints.iter().copied().map(reject).collect(), ..nothing(name) };
    let mut news = Vec::new();
    for commit in [with("centro", &[7, u64::MAX, 7]), with("centro", &[7, 8]), with("palermo", &[7])] {
        match store.commit(&commit).await.unwrap() {
            Committed::Done { rejected, .. } => news.push(rejected),
            Committed::Conflict => panic!("a conflict where there is none"),
        }
    }
    assert_eq!(news, [vec![7, u64::MAX], vec![8], vec![7]]);
    assert_eq!(store.counts().await.unwrap().rejects, 4);
    let kept = store.rejects(Some(&account("palermo")), 10).await.unwrap();
    assert_eq!(kept.len(), 1);
    assert_eq!((&kept[0].account, &kept[0].reject), (&account("palermo"), &reject(7)));
}

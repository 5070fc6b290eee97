//! Laws of many at once.

use super::*;
use std::collections::HashSet;
use tokio::task::JoinSet;

pub(crate) async fn a_large_commit_is_read_as_it_was_written<H: Harness>(harness: H) {
    let store = harness.store();
    let partition = day("centro", 1);
    let events: Vec<_> = (0..500).map(|n| event(&harness, n)).collect();
    let changes: Vec<_> = (0..500).map(|n| change(n, &[memory(n + 1)])).collect();
    let announcements = events.iter().map(|event| announce(event, &["erp"])).collect();
    let commit = Commit { announcements, ..write(&partition, 0, &changes) };
    assert_eq!(created(store.commit(&commit).await).len(), 500);
    let read = ledger(&*store, &partition).await;
    assert_eq!(read.len(), 500);
    assert!((0..500).all(|n| read.get(&slot(n)) == [memory(n + 1)]));
    let newest_first: Vec<_> = events.iter().rev().cloned().collect();
    assert_eq!(store.events(&every_event()).await.unwrap(), newest_first);
    let leases = lease(&*store, "erp", 1000).await;
    assert_eq!(ids(&leases), events.iter().map(|event| event.id).collect::<Vec<_>>());
    let settlements: Vec<_> = leases
        .iter()
        .map(|lease| Settlement {
            id: lease.id.clone(),
            fence: lease.fence,
            verdict: Verdict::Delivered,
            attempt: Some(attempt(&harness, None)),
        })
        .collect();
    let answer = exchange(&*store, &settlements, &[want("erp", 10, LONG)]).await;
    assert_eq!(answer.settled, [true; 500]);
    assert_eq!((answer.leases.len(), answer.next_due), (0, None));
    assert_eq!(store.counts().await.unwrap().pending, 0);
}

pub(crate) async fn commits_of_many_accounts_do_not_mix<H: Harness>(harness: H) {
    let store = harness.store();
    let mut tasks = JoinSet::new();
    for n in 0..40_u32 {
        let name = format!("cuenta-{n}");
        let event = event_of(&harness, &name, n);
        let store = harness.store();
        tasks.spawn(async move {
            let partition = day(&name, 1);
            let changes = [change(n, &[memory(n + 1)])];
            let commit = Commit { announcements: vec![announce(&event, &["erp"])], ..write(&partition, 0, &changes) };
            let created = created(store.commit(&commit).await);
            assert_eq!(created, [event.id]);
            let ledger = ledger(&*store, &partition).await;
            assert_eq!(contents(&ledger), [(slot(n), vec![memory(n + 1)])]);
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    let mut leased = HashSet::new();
    for lease in lease(&*store, "erp", 100).await {
        assert!(leased.insert(lease.id.event));
    }
    assert_eq!(leased.len(), 40);
}

pub(crate) async fn eight_tasks_lease_each_delivery_once<H: Harness>(harness: H) {
    put(&harness, 300, &["erp", "crm"]).await;
    let mut tasks = JoinSet::new();
    for n in 0..8 {
        let store = match harness.replica(&format!("task-{n}")).await {
            Some(replica) => replica,
            None => harness.store(),
        };
        let good = attempt(&harness, None);
        tasks.spawn(async move {
            let mut mine = Vec::new();
            let mut settlements = Vec::new();
            loop {
                let answer = exchange(&*store, &settlements, &[want("erp", 3, LONG), want("crm", 2, LONG)]).await;
                assert!(answer.settled.iter().all(|held| *held), "nobody else has our leases");
                if answer.leases.is_empty() {
                    return mine;
                }
                settlements = answer
                    .leases
                    .into_iter()
                    .map(|lease| {
                        mine.push(lease.id.clone());
                        let attempt = Some(good.clone());
                        Settlement { id: lease.id, fence: lease.fence, verdict: Verdict::Delivered, attempt }
                    })
                    .collect();
            }
        });
    }
    let mut all = Vec::new();
    while let Some(mine) = tasks.join_next().await {
        all.extend(mine.unwrap());
    }
    let distinct: HashSet<_> = all.iter().collect();
    assert_eq!((all.len(), distinct.len()), (600, 600));
    assert_eq!(harness.store().counts().await.unwrap().pending, 0);
}

pub(crate) async fn of_concurrent_commits_one_wins_each_version<H: Harness>(harness: H) {
    let partition = day("centro", 1);
    let mut tasks = JoinSet::new();
    for task in 0..8_u32 {
        let store = harness.store();
        let partition = partition.clone();
        tasks.spawn(async move {
            let mut won = Vec::new();
            while won.len() < 10 {
                let version = ledger(&*store, &partition).await.version();
                let n = task * 100 + u32::try_from(won.len()).unwrap();
                let commit = write(&partition, version, &[change(n, &[memory(1)])]);
                if store.commit(&commit).await.unwrap() != Committed::Conflict {
                    won.push(version);
                }
            }
            won
        });
    }
    let mut versions = Vec::new();
    while let Some(won) = tasks.join_next().await {
        versions.extend(won.unwrap());
    }
    versions.sort_unstable();
    assert_eq!(versions, (0..80).collect::<Vec<u64>>());
    let ledger = ledger(&*harness.store(), &partition).await;
    assert_eq!((ledger.version(), ledger.len()), (80, 80));
}

pub(crate) async fn a_ledger_is_read_as_written_however_it_grows_and_changes<H: Harness>(harness: H) {
    let store = harness.store();
    let partition = day("centro", 1);
    let mut expected = Ledger::default();
    let mut random = 7_u64;
    let mut draw = |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u32::try_from((random >> 33) % below).unwrap()
    };
    // Single rows, a few, none, a crowd; then again over what is there: new ones, known ones, removed ones.
    for (version, size) in (0..).zip([1, 1, 3, 0, 17, 40, 1, 200, 3, 1500, 1, 60, 1]) {
        let mut changes: Vec<Change> = (0..size)
            .map(|_| {
                let memories = match draw(8) {
                    0 => 0,
                    1 => 12,
                    2 => 2,
                    _ => 1,
                };
                change(draw(3000).wrapping_mul(0x9E37_79B9), &vec![memory(draw(9)); memories])
            })
            .collect();
        // The bytes of one's slot stand in the middle of the other's row.
        let sevens = u64::from_be_bytes([7; 8]);
        let party = Party { cuit: sevens, account: sevens };
        let decoy = Memory { party, ..memory(version) };
        if version == 0 {
            changes.push(Change { slot: Slot::from_bytes([6; 16]), memories: [decoy].into_iter().collect() });
        }
        changes.push(Change { slot: Slot::from_bytes([7; 16]), memories: [memory(version)].into_iter().collect() });
        let number = u64::from(version);
        created(store.commit(&write(&partition, number, &changes)).await);
        expected.apply(number + 1, &changes);
        let read = ledger(&*store, &partition).await;
        assert_eq!(read.version(), number + 1);
        assert_eq!(contents(&read), contents(&expected), "commit {version}");
    }
    assert!(expected.len() > 1000, "it grew");
}

//! What is dumped and loaded is the same, for each pair of back-ends, and behaves the same.

mod goods;

use tempfile::TempDir;

use self::goods::{LONG, account, announcement, commit, fill, now, partitions, request, row, shown, to};
use super::*;
use crate::domain::payout::Begun;
use crate::store::embedded::EmbeddedStore;
use crate::store::memory::MemoryStore;
use crate::store::redis::{RedisServer, RedisStore, cluster, denied, mover, tls_cluster};
use crate::store::{Archive, Commit, Committed, LedgerWrite, Payouts, Store, Want, Watches};

async fn copied<S: Dump, T: Dump + Load>(source: &S, target: &T) -> Result<Summary, CopyError> {
    copy(source, target, "the same source", now(), &mut |_| ()).await
}

fn number(summary: &Summary, name: &str) -> u64 {
    summary.sums.iter().find(|(kind, _)| *kind == name).map_or(0, |(_, sum)| sum.count)
}

/// Copies, and looks from all sides.
async fn law<S, T>(source: &S, target: &T)
where
    S: Store + Archive + Watches + Payouts + Dump,
    T: Store + Archive + Watches + Payouts + Dump + Load,
{
    let summary = copied(source, target).await.unwrap();
    let counts =
        ["accounts", "ledgers", "rows", "events", "deliveries", "rejects", "watched accounts", "watches", "cash-outs"]
            .map(|kind| number(&summary, kind));
    assert_eq!(counts, [4, 12, 4 * 603, 601, 1803, 8, 3, 701, 307]);
    assert!(shown(target).await == shown(source).await, "it shows something else");
    assert!(matches!(copied(source, target).await, Err(CopyError::NotEmpty)), "a second time");

    paid_once(target).await;
    let told = (0..150).map(|n| announcement("centro", n, false)).collect::<Vec<_>>();
    let again = Commit { rejects: Vec::new(), ..commit("centro", 0, told.clone()) };
    assert_eq!(target.commit(&again).await.unwrap(), Committed::Conflict, "the versions came over");
    let next = commit("centro", 1, told);
    let done = target.commit(&next).await.unwrap();
    assert_eq!(done, Committed::Done { created: Vec::new(), rejected: Vec::new() }, "nothing is news");
    let many = Commit {
        ledgers: vec![LedgerWrite {
            partition: partitions("centro").remove(0),
            expected: 2,
            changes: (500..2000).map(|n| row(n, 1)).collect(),
        }],
        state: None,
        ..commit("centro", 2, vec![announcement("centro", 999, false)])
    };
    assert!(matches!(target.commit(&many).await.unwrap(), Committed::Done { created, .. } if created.len() == 1));
    let ledger = target.ledgers(&account("centro"), &partitions("centro")).await.unwrap().remove(0);
    assert_eq!((ledger.len(), ledger.get(&row(1, 1).slot).len()), (2000, 30), "it grows on");
    // 151 of the last two dozens still wait, a sixth asks again at once; those of the leases that stand do not come.
    let want = |destination| Want { destination: to(destination), room: 2000, lease: LONG };
    let leases = target.exchange(&[], &[want("erp"), want("caja {1}"), want("mudo")]).await.unwrap().leases;
    let due = |total: usize, leased: usize| total - leased + (0..leased).filter(|n| n % 6 == 4).count();
    let total = 4 * 140 + 1;
    assert_eq!(leases.len(), due(total, 400) + due(total, 500) + total + 3);
    assert_eq!(target.release_held(Some(&account("once {x}")), false).await.unwrap(), 30);
}

/// What was sent is not sent again, and no other data go out under its reference.
async fn paid_once<T: Payouts>(target: &T) {
    let begin = async |cents| target.begin_payout(&account("once {x}"), "0: {r} ñ", &request(cents), now()).await;
    assert_eq!(begin(0).await.unwrap(), Begun::Done { id: "0".to_owned() });
    assert_eq!(begin(1).await.unwrap(), Begun::Different);
}

fn embedded(folder: &TempDir, name: &str) -> EmbeddedStore {
    EmbeddedStore::open_target(&folder.path().join(name)).unwrap()
}

#[tokio::test]
async fn every_pair_of_back_ends_agrees() {
    let folder = tempfile::tempdir().unwrap();
    let server = RedisServer::start().await;
    let (first, second) = (embedded(&folder, "first"), embedded(&folder, "second"));
    fill(&first).await;
    law(&first, &second).await;
    let there = server.named("one", "there").await;
    copied(&first, &there).await.unwrap();
    let back = embedded(&folder, "back");
    law(&there, &back).await;
    law(&there, &server.named("one", "two").await).await;
    law(&first, &server.named("one", "three").await).await;
    let memory = || MemoryStore::new("one", Arc::new(crate::clock::SystemClock));
    law(&there, &memory()).await;
    let filled = memory();
    fill(&filled).await;
    law(&filled, &embedded(&folder, "of memory")).await;
    law(&filled, &server.named("one", "of-memory").await).await;
}

#[tokio::test]
async fn a_cluster_is_copied_from_and_to_and_a_copy_to_it_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (plain, secret) = tokio::join!(cluster(), tls_cluster());
    let first = embedded(&folder, "first");
    fill(&first).await;
    let there = plain.named("one", "there").await;
    resumes(&first, &there).await;
    law(&there, &embedded(&folder, "back")).await;
    law(&there, &plain.named("one", "two").await).await;
    law(&there, &secret.named("one", "far").await).await;
    resumes(&there, &secret.named("one", "further").await).await;
    resumes(&there, &embedded(&folder, "again")).await;
}

#[tokio::test]
async fn a_copy_needs_no_more_rights_than_the_manual_grants() {
    let folder = tempfile::tempdir().unwrap();
    let (first, server) = (embedded(&folder, "first"), mover().await);
    fill(&first).await;
    let there = server.named("one", "p1").await;
    copied(&first, &there).await.unwrap();
    law(&first, &server.named("one", "p3").await).await;
    law(&there, &server.named("one", "p2").await).await;
    law(&there, &embedded(&folder, "back")).await;
    assert_eq!(denied(&server), Vec::<String>::new());
}

/// Fails a load after a number of them, before or after its effect.
struct Fragile<'a, T> {
    inner: &'a T,
    left: std::sync::atomic::AtomicI64,
}

#[async_trait]
impl<T: Dump> Dump for Fragile<'_, T> {
    async fn page(&self, kind: Kind, from: &str) -> Result<Page, StoreError> {
        self.inner.page(kind, from).await
    }

    async fn users(&self) -> Result<Vec<String>, StoreError> {
        self.inner.users().await
    }
}

#[async_trait]
impl<T: Load> Load for Fragile<'_, T> {
    async fn mark(&self) -> Result<Option<Mark>, StoreError> {
        self.inner.mark().await
    }

    async fn set_mark(&self, mark: Option<&Mark>) -> Result<(), StoreError> {
        self.step()?;
        self.inner.set_mark(mark).await
    }

    async fn load(&self, records: Vec<Record>) -> Result<(), StoreError> {
        self.step()?;
        self.inner.load(records).await?;
        self.step()
    }
}

impl<T> Fragile<'_, T> {
    fn step(&self) -> Result<(), StoreError> {
        let left = self.left.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
        if left > 0 { Ok(()) } else { Err(StoreError::Unavailable("cut off".to_owned(), None)) }
    }
}

/// Cut off ever later, until it is whole.
async fn resumes<S, T>(source: &S, target: &T)
where
    S: Store + Archive + Watches + Payouts + Dump,
    T: Store + Archive + Watches + Payouts + Dump + Load,
{
    let mut cuts = 0;
    loop {
        let fragile = Fragile { inner: target, left: (cuts * 2 + 1).into() };
        match copied(source, &fragile).await {
            Ok(summary) => {
                assert!(summary.resumed && number(&summary, "deliveries") == 1803);
                break;
            }
            Err(CopyError::Store("the target", StoreError::Unavailable(..))) => cuts += 1,
            Err(other) => panic!("{other}"),
        }
        assert!(cuts < 200, "it never ends");
        if cuts > 2 {
            let other = copy(source, target, "another", now(), &mut |_| ()).await;
            assert!(matches!(other, Err(CopyError::OtherSource(name)) if name == "the same source"));
        }
    }
    assert!(cuts > 3, "it was cut off");
    assert!(shown(target).await == shown(source).await, "it shows something else");
}

#[tokio::test]
async fn a_copy_that_is_cut_off_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let server = RedisServer::start().await;
    let first = embedded(&folder, "first");
    fill(&first).await;
    resumes(&first, &embedded(&folder, "second")).await;
    let there = server.named("one", "there").await;
    resumes(&first, &there).await;
    resumes(&there, &embedded(&folder, "back")).await;
}

#[tokio::test]
async fn no_daemon_opens_half_a_copy() {
    let folder = tempfile::tempdir().unwrap();
    let server = RedisServer::start().await;
    let mark = Mark { source: "x\ny".to_owned(), kind: Kind::Events, from: "7".to_owned() };
    let path = folder.path().join("half");
    let half = embedded(&folder, "half");
    half.set_mark(Some(&mark)).await.unwrap();
    assert_eq!(half.mark().await.unwrap(), Some(mark.clone()));
    drop(half);
    let error = EmbeddedStore::open(&path, "one").unwrap_err().to_string();
    assert!(error.contains("not whole yet") && error.contains("store copy"), "{error}");
    assert!(EmbeddedStore::open_reader(&path).is_err());
    embedded(&folder, "half").set_mark(None).await.unwrap();
    EmbeddedStore::open(&path, "one").unwrap();

    let store = server.named("one", "pregonero").await;
    store.set_mark(Some(&mark)).await.unwrap();
    assert_eq!(store.mark().await.unwrap(), Some(mark));
    let error = server.connect("one").await.unwrap_err().to_string();
    assert!(error.contains("not whole yet"), "{error}");
    store.set_mark(None).await.unwrap();
    server.connect("one").await.unwrap();
}

#[tokio::test]
async fn a_store_at_work_is_neither_read_nor_filled() {
    let folder = tempfile::tempdir().unwrap();
    let server = RedisServer::start().await;
    let (idle, busy): (_, RedisStore) = (embedded(&folder, "idle"), server.named("caja-1", "pregonero").await);
    busy.acquire(&account("centro"), LONG).await.unwrap();
    for result in [copied(&busy, &idle).await, copied(&idle, &busy).await] {
        assert!(matches!(&result, Err(CopyError::InUse(_, who)) if who == "caja-1"), "{result:?}");
    }
    busy.release(&account("centro")).await.unwrap();
    copied(&busy, &idle).await.unwrap();
}

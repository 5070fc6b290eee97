//! What is dumped and loaded is the same, for each pair of back-ends, and behaves the same.

use std::collections::BTreeMap;

use tempfile::TempDir;

use super::*;
use crate::domain::account::{Partition, Scope, SourceKind};
use crate::domain::day::Day;
use crate::domain::delivery::{DeathReason, FailureClass, Verdict};
use crate::domain::event::{Body, EventId, EventType, Notice};
use crate::domain::fact::{FactKind, FactSet};
use crate::domain::ledger::{Change, Ledger, Memory, Party};
use crate::domain::watch::{Origin, Watch, WatchId, WatchKind};
use crate::store::embedded::EmbeddedStore;
use crate::store::memory::MemoryStore;
use crate::store::redis::{RedisServer, RedisStore};
use crate::store::{
    AccountState, Announcement, Archive, Commit, Committed, Counts, DeliveryFilter, EventFilter, LedgerWrite,
    Settlement, Store, Want, Watches,
};

const LONG: Duration = Duration::from_secs(40 * 86_400);

fn account(name: &str) -> AccountName {
    AccountName::new(name)
}

fn to(name: &str) -> DestinationName {
    DestinationName::new(name)
}

/// Now, to the millisecond: finer times are not kept by every back-end.
fn now() -> Timestamp {
    let now = crate::clock::Clock::now(&crate::clock::SystemClock);
    Timestamp::from_millisecond(now.as_millisecond()).unwrap()
}

fn partitions(name: &str) -> Vec<Partition> {
    let of = |source, scope| Partition { account: account(name), source, scope };
    vec![
        of(SourceKind::Transactions, Scope::Day(Day::parse("2026-11-20").unwrap())),
        of(SourceKind::Links, Scope::Watched("a:b/{c} !ñ".to_owned())),
        of(SourceKind::Movements, Scope::Refunds("77/!:x".to_owned())),
    ]
}

fn row(n: u32, twins: u32) -> Change {
    let id = EventId::of_notice(&["slot", &n.to_string()]);
    let memory = |ordinal| Memory {
        ordinal,
        facts: FactSet::EMPTY.with(FactKind::Credited),
        rank: 2,
        party: Party { cuit: n.into(), account: u64::MAX },
        details: 7,
        sale: 0,
        payment: u64::from(n % 2),
        missing_since: n.is_multiple_of(5).then(|| Timestamp::from_second(1_800_000_000).unwrap()),
    };
    Change { slot: Slot::from_bytes(*id.as_bytes()), memories: (1..=twins).map(memory).collect() }
}

fn announcement(name: &str, n: u32, held: bool) -> Announcement {
    let event = Event {
        id: EventId::of_notice(&[name, &n.to_string()]),
        kind: EventType::CreditReceived,
        account: (!name.is_empty()).then(|| account(name)),
        upstream: None,
        source: None,
        occurred_at: "2026-11-21".to_owned(),
        detected_at: now() - Duration::from_secs(3600) + Duration::from_secs(n.into()),
        late: false,
        sandbox: false,
        body: Body::Notice(Notice { reason: format!("número {n}"), ..Notice::default() }),
    };
    let destinations = ["erp", "caja {1}", "mudo"].map(to);
    Announcement { event: Arc::new(event), destinations: destinations.to_vec(), held }
}

fn commit(name: &str, expected: u64, announcements: Vec<Announcement>) -> Commit {
    let rows = [600, 3, 0];
    let writes = partitions(name).into_iter().zip(rows).map(|(partition, rows)| LedgerWrite {
        partition,
        expected,
        changes: (0..rows).map(|n| row(n, if n == 1 { 30 } else { 1 })).collect(),
    });
    let reject = |fingerprint| Reject {
        fingerprint,
        source: SourceKind::Movements,
        position: 3,
        reason: "amount: not a number".to_owned(),
        shape: "{amount:string}".to_owned(),
    };
    Commit {
        account: account(name),
        ledgers: writes.collect(),
        state: Some((expected, AccountState { contacted_at: Some(now()), ..AccountState::default() })),
        announcements,
        rejects: vec![reject(1), reject(u64::MAX)],
        remember: LONG,
    }
}

const ACCOUNTS: [&str; 4] = ["centro", "palermo:1", "once {x}", "ñandú 1%"];

/// Something of everything: each state of a delivery, twins, empty ledgers, odd names.
async fn fill<S: Store + Watches>(store: &S) {
    for (name, many) in [("once {x}", 700), ("only %watches", 1), ("none any more", 0)] {
        let watch = |n: usize| {
            let id = WatchId { kind: WatchKind::ALL[n % 4], id: n.to_string() };
            Watch { expires: Some(now()), reusable: n.is_multiple_of(2), ..Watch::new(id, Origin::Operator, now()) }
        };
        let watches: Vec<Watch> = (0..=many).map(watch).collect();
        store.put_watches(&account(name), &watches).await.unwrap();
        store.remove_watches(&account(name), &[watches[0].id.clone()]).await.unwrap();
    }
    for name in ACCOUNTS {
        let announcements = (0..150).map(|n| announcement(name, n, n >= 140)).collect();
        store.commit(&commit(name, 0, announcements)).await.unwrap();
    }
    let lonely = Commit { ledgers: Vec::new(), state: None, ..commit("centro", 0, vec![announcement("", 1, false)]) };
    store.commit(&lonely).await.unwrap();
    for (destination, room) in [("erp", 400), ("caja {1}", 500)] {
        let want = Want { destination: to(destination), room, lease: LONG };
        let leases = store.exchange(&[], &[want]).await.unwrap().leases;
        assert_eq!(leases.len(), room);
        let settle = |(n, lease): (usize, &crate::store::Lease)| {
            let failure = (n % 6 != 0).then_some(FailureClass::Http);
            let detail = failure.map(|_| "ocupado".to_owned()).unwrap_or_default();
            let attempt = Attempt { at: now(), took: Duration::from_micros(1234), failure, status: Some(200), detail };
            let verdict = match n % 6 {
                0 => Verdict::Delivered,
                1 => Verdict::Dead { reason: DeathReason::Exhausted },
                2 => Verdict::Dead { reason: DeathReason::Refused },
                3 => Verdict::Retry { after: LONG, spent: true },
                4 => Verdict::Retry { after: Duration::ZERO, spent: true },
                _ => return None,
            };
            Some(Settlement { id: lease.id.clone(), fence: lease.fence, verdict, attempt: Some(attempt) })
        };
        let settlements: Vec<_> = leases.iter().enumerate().filter_map(settle).collect();
        let settled = store.exchange(&settlements, &[]).await.unwrap().settled;
        assert!(settled.iter().all(|settled| *settled));
    }
}

/// A delivery to the millisecond.
fn as_kept(view: &crate::store::DeliveryView) -> String {
    let at = match &view.state {
        State::Pending { due: at }
        | State::InFlight { until: at }
        | State::Delivered { at }
        | State::Dead { at, .. } => at.as_millisecond(),
        State::Held => 0,
    };
    let reason = if let State::Dead { reason, .. } = &view.state { reason.as_str() } else { "" };
    format!(
        "{:?} {} {reason} {at} {} {:?} {}",
        view.id,
        view.state.as_str(),
        view.attempts,
        view.last,
        view.detected_at
    )
}

/// All that a store shows, in one order.
#[derive(Debug, PartialEq)]
struct Shown {
    events: BTreeMap<EventId, Arc<Event>>,
    deliveries: Vec<String>,
    counts: Counts,
    rejects: Vec<String>,
    states: Vec<VersionedState>,
    ledgers: Vec<(u64, BTreeMap<Slot, Memories>)>,
    watches: Vec<Watchlist>,
}

async fn shown<S: Store + Archive + Watches>(store: &S) -> Shown {
    let events = store.events(&EventFilter { limit: 10_000, ..EventFilter::default() }).await.unwrap();
    let filter = DeliveryFilter { limit: 10_000, ..DeliveryFilter::default() };
    let mut deliveries: Vec<_> = store.deliveries(&filter).await.unwrap().iter().map(as_kept).collect();
    deliveries.sort();
    let mut rejects: Vec<_> = store
        .rejects(None, 100)
        .await
        .unwrap()
        .iter()
        .map(|reject| (reject.account.clone(), reject.first_seen.as_millisecond(), reject.reject.fingerprint))
        .map(|reject| format!("{reject:?}"))
        .collect();
    rejects.sort();
    let (mut states, mut ledgers, mut watches) = (Vec::new(), Vec::new(), Vec::new());
    for name in ACCOUNTS {
        states.push(store.account(&account(name)).await.unwrap());
        watches.push(store.watches(&account(name)).await.unwrap());
        let read: Vec<Ledger> = store.ledgers(&account(name), &partitions(name)).await.unwrap();
        let content = |ledger: &Ledger| ledger.iter().map(|(slot, memories)| (*slot, memories.clone())).collect();
        ledgers.extend(read.iter().map(|ledger| (ledger.version(), content(ledger))));
    }
    let events = events.into_iter().map(|event| (event.id, event)).collect();
    Shown { events, deliveries, counts: store.counts().await.unwrap(), rejects, states, ledgers, watches }
}

async fn copied<S: Dump, T: Dump + Load>(source: &S, target: &T) -> Result<Summary, CopyError> {
    copy(source, target, "the same source", now(), &mut |_| ()).await
}

fn number(summary: &Summary, name: &str) -> u64 {
    summary.sums.iter().find(|(kind, _)| *kind == name).map_or(0, |(_, sum)| sum.count)
}

/// Copies, and looks from all sides.
async fn law<S, T>(source: &S, target: &T)
where
    S: Store + Archive + Watches + Dump,
    T: Store + Archive + Watches + Dump + Load,
{
    let summary = copied(source, target).await.unwrap();
    let counts = ["accounts", "ledgers", "rows", "events", "deliveries", "rejects", "watched accounts", "watches"]
        .map(|kind| number(&summary, kind));
    assert_eq!(counts, [4, 12, 4 * 603, 601, 1803, 8, 3, 701]);
    assert!(shown(target).await == shown(source).await, "it shows something else");
    assert!(matches!(copied(source, target).await, Err(CopyError::NotEmpty)), "a second time");

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
    S: Store + Archive + Watches + Dump,
    T: Store + Archive + Watches + Dump + Load,
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

//! The laws on the embedded store, and what is its own: the lock, full disks, the command line beside the daemon.

use std::path::PathBuf;

use tempfile::TempDir;

use super::*;
use crate::domain::delivery::Verdict;
use crate::domain::event::{Body, Event, EventId, EventType, Notice};
use crate::domain::route::DestinationName;
use crate::store::conformance::{Harness, ManualClock, laws};
use crate::store::{Announcement, Archive, DeliveryFilter, Settlement};

struct InFile {
    store: Arc<EmbeddedStore>,
    clock: Arc<ManualClock>,
    dir: TempDir,
}

impl InFile {
    fn path(&self) -> PathBuf {
        self.dir.path().join("store.db")
    }
}

impl Harness for InFile {
    type Store = EmbeddedStore;

    async fn fresh() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::default());
        let store = EmbeddedStore::open_with(&dir.path().join("store.db"), "one", clock.clone()).unwrap();
        Self { store: Arc::new(store), clock, dir }
    }

    fn store(&self) -> Arc<EmbeddedStore> {
        self.store.clone()
    }

    async fn replica(&self, _: &str) -> Option<Arc<EmbeddedStore>> {
        None
    }

    async fn reopen(self) -> Option<Self> {
        let path = self.path();
        let Self { store, clock, dir } = self;
        drop(Arc::into_inner(store).expect("nobody else has it open"));
        let store = EmbeddedStore::open_with(&path, "one", clock.clone()).unwrap();
        Some(Self { store: Arc::new(store), clock, dir })
    }

    fn born(&self) -> Timestamp {
        ManualClock::BORN
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn pass(&self, time: Duration) {
        self.clock.pass(time);
    }
}

laws!(InFile);

const LONG: Duration = Duration::from_secs(600);

fn commit(n: u32, reason: &str) -> Commit {
    let event = Event {
        id: EventId::of_notice(&[&n.to_string()]),
        kind: EventType::TestPing,
        account: None,
        upstream: None,
        source: None,
        occurred_at: "2026-11-21".to_owned(),
        detected_at: ManualClock::BORN,
        late: false,
        sandbox: false,
        body: Body::Notice(Notice { reason: reason.to_owned(), ..Notice::default() }),
    };
    Commit {
        account: AccountName::new("centro"),
        ledgers: Vec::new(),
        state: None,
        announcements: vec![Announcement {
            event: Arc::new(event),
            destinations: vec![DestinationName::new("erp")],
            held: false,
        }],
        rejects: Vec::new(),
        remember: LONG,
    }
}

/// New rows of one ledger, and an event.
pub(super) fn commit_of_rows(expected: u64, rows: u32) -> Commit {
    use crate::domain::account::{Scope, SourceKind};
    use crate::domain::fact::FactSet;
    use crate::domain::ledger::{Change, Memory, Party, Slot};
    let memory = Memory {
        ordinal: 1,
        facts: FactSet::EMPTY,
        rank: 1,
        party: Party { cuit: u64::MAX, account: 7 },
        details: u64::MAX,
        sale: 0,
        payment: 0,
        seen: 0,
        missing_since: None,
    };
    let change = |n: u32| {
        let id = EventId::of_notice(&["slot", &expected.to_string(), &n.to_string()]);
        Change { slot: Slot::from_bytes(*id.as_bytes()), memories: [memory].into_iter().collect() }
    };
    let scope = Scope::Watched("x".to_owned());
    let partition = Partition { account: AccountName::new("centro"), source: SourceKind::Links, scope };
    let changes = (0..rows).map(change).collect();
    let number = u32::try_from(expected).unwrap();
    Commit { ledgers: vec![crate::store::LedgerWrite { partition, expected, changes }], ..commit(number, "row") }
}

fn erp(room: usize) -> Want {
    Want { destination: DestinationName::new("erp"), room, lease: LONG }
}

#[tokio::test]
async fn a_second_daemon_is_kept_out_and_a_successor_let_in() {
    let first = InFile::fresh().await;
    let path = first.path();
    match EmbeddedStore::open(&path, "two") {
        Err(StoreError::Unusable(text)) => assert!(text.contains("another daemon") && text.contains("store.db")),
        other => panic!("{other:?}"),
    }
    let InFile { store, dir, .. } = first;
    drop(store);
    EmbeddedStore::open(&path, "two").unwrap();
    drop(dir);
}

#[tokio::test]
async fn a_full_disk_loses_nothing_and_passes() {
    let harness = InFile::fresh().await;
    let store = harness.store();
    store.commit(&commit(1, "before")).await.unwrap();
    let pages = |pages: u32| {
        move |desk: &mut writer::Desk| {
            desk.conn.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).map_err(StoreError::from)
        }
    };
    store.writer.run(false, pages(20)).await.unwrap();
    let large = "x".repeat(200_000);
    for n in 2..5 {
        match store.commit(&commit(n, &large)).await {
            Err(StoreError::Unavailable(why, _)) => assert!(why.contains("full"), "{why}"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(store.counts().await.unwrap().events, 1);
    assert_eq!(store.exchange(&[], &[erp(8)]).await.unwrap().leases.len(), 1, "what needs no room goes on");
    store.writer.run(false, pages(100_000)).await.unwrap();
    store.commit(&commit(2, &large)).await.unwrap();
    let leases = store.exchange(&[], &[erp(8)]).await.unwrap().leases;
    assert_eq!(leases[0].event, commit(2, &large).announcements[0].event);
}

#[tokio::test]
async fn a_failed_job_takes_none_of_its_batch_with_it() {
    let harness = InFile::fresh().await;
    let store = harness.store();
    let (good, other) = (commit(1, "good"), commit(2, "other"));
    // All three queue up while the first job waits.
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let stop = store.writer.run(false, move |_| gate.recv().map_err(|_| StoreError::Unusable("gate".to_owned())));
    let bad = store.writer.run(true, |desk| {
        desk.conn.execute("INSERT INTO destination(name) VALUES('half')", ())?;
        Err::<(), _>(StoreError::Unusable("on purpose".to_owned()))
    });
    let release = async {
        tokio::task::yield_now().await;
        open.send(()).unwrap();
    };
    let (stop, good, bad, other, ()) =
        tokio::join!(biased; stop, store.commit(&good), bad, store.commit(&other), release);
    stop.unwrap();
    assert!(matches!(good.unwrap(), Committed::Done { .. }));
    assert!(matches!(other.unwrap(), Committed::Done { .. }));
    assert!(matches!(bad, Err(StoreError::Unusable(text)) if text == "on purpose"));
    let halves = |conn: &rusqlite::Connection| {
        let sql = "SELECT count(*) FROM destination WHERE name = 'half'";
        Ok(conn.query_row(sql, (), |row| row.get::<_, i64>(0))?)
    };
    assert_eq!(store.readers.run(halves).await.unwrap(), 0);
    assert_eq!(store.exchange(&[], &[erp(8)]).await.unwrap().leases.len(), 2);
}

#[tokio::test]
async fn the_command_line_reads_and_requeues_beside_the_daemon() {
    let harness = InFile::fresh().await;
    let store = harness.store();
    store.commit(&commit(1, "one")).await.unwrap();
    let lease = store.exchange(&[], &[erp(1)]).await.unwrap().leases.remove(0);
    let verdict = Verdict::Delivered;
    let done = Settlement { id: lease.id.clone(), fence: lease.fence, verdict, attempt: None };
    store.exchange(&[done], &[]).await.unwrap();
    let beside = EmbeddedArchive::open(&harness.path(), harness.clock.clone()).unwrap();
    let all = DeliveryFilter { limit: 10, ..DeliveryFilter::default() };
    assert_eq!(beside.deliveries(&all).await.unwrap()[0].state.as_str(), "delivered");
    assert_eq!(beside.requeue(&all, true).await.unwrap(), 1);
    assert_eq!(beside.requeue(&all, false).await.unwrap(), 1);
    assert_eq!(store.exchange(&[], &[erp(1)]).await.unwrap().leases[0].id, lease.id);
    assert_eq!(beside.event(&lease.id.event).await.unwrap().unwrap().1[0].state.as_str(), "in_flight");
    assert_eq!(beside.release_held(None, false).await.unwrap(), 0);
}

#[tokio::test]
async fn an_event_that_cannot_be_read_blocks_no_other() {
    let harness = InFile::fresh().await;
    let store = harness.store();
    store.commit(&commit(1, "one")).await.unwrap();
    store.commit(&commit(2, "two")).await.unwrap();
    let spoil = |desk: &mut writer::Desk| {
        desk.cache.forget_events();
        Ok(desk.conn.execute("UPDATE event SET body = x'39' WHERE seq = 1", ())?)
    };
    store.writer.run(true, spoil).await.unwrap();
    let answer = store.exchange(&[], &[erp(8)]).await.unwrap();
    assert_eq!(answer.leases.len(), 1);
    assert_eq!(answer.leases[0].event.id, commit(2, "two").announcements[0].event.id);
    assert_eq!(answer.next_due, Some(Duration::from_secs(3600)));
}

#[tokio::test]
async fn a_clock_that_is_set_back_keeps_nobody_waiting() {
    let harness = InFile::fresh().await;
    let path = harness.path();
    let InFile { store, clock, dir } = harness;
    drop(store);
    let late = Arc::new(ManualClock::default());
    late.pass(LONG * 1000);
    let store = EmbeddedStore::open_with(&path, "one", late).unwrap();
    store.commit(&commit(1, "one")).await.unwrap();
    let back = EmbeddedStore { clock, ..store };
    assert_eq!(back.exchange(&[], &[erp(8)]).await.unwrap().leases.len(), 1);
    drop(dir);
}

#[tokio::test]
async fn a_fleeting_folder_is_warned_of() {
    let dir = tempfile::tempdir_in("/tmp").unwrap();
    let store = EmbeddedStore::open(&dir.path().join("store.db"), "one").unwrap();
    let warnings = store.warnings().await.unwrap();
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].contains("lasting place"));
}

//! Stores of version 1 are checked in under `tests/data/store-v1` and must open for ever.
//!
//! They were written by this very test: `PREGONERO_WRITE_STORE_V1=1 cargo test --lib store::first_form::write`. After a
//! release they are never written again.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::conformance::ManualClock;
use super::embedded::EmbeddedStore;
use super::redis::{RedisServer, RedisStore};
use super::{
    AccountState, Announcement, Archive, Commit, Committed, DeliveryFilter, LedgerWrite, Settlement, Store, Want,
};
use crate::domain::account::{AccountName, Partition, Scope, SourceKind};
use crate::domain::day::Day;
use crate::domain::delivery::{Attempt, DeathReason, FailureClass, Verdict};
use crate::domain::event::{Body, Event, EventId, EventType, Notice};
use crate::domain::fact::{FactKind, FactSet};
use crate::domain::ledger::{Change, Memories, Memory, Party, Slot};
use crate::domain::route::DestinationName;
use crate::domain::row::Reject;

const ROWS: u32 = 40;
const YEARS: Duration = Duration::from_secs(50 * 365 * 86_400);
/// Pending, delivered, dead twice, waiting for a second attempt; and one held.
const STATES: [&str; 6] = ["pending", "delivered", "dead", "dead", "pending", "held"];

fn data(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/store-v1").join(name)
}

fn partition() -> Partition {
    let scope = Scope::Day(Day::parse("2026-11-20").unwrap());
    Partition { account: AccountName::new("centro"), source: SourceKind::Transactions, scope }
}

fn row(n: u32) -> Change {
    let id = EventId::of_notice(&["slot", &n.to_string()]);
    let memory = |ordinal| Memory {
        ordinal,
        facts: FactSet::EMPTY.with(FactKind::Credited),
        rank: 2,
        party: Party { cuit: u64::MAX - u64::from(n), account: 7 },
        details: 99,
        sale: u64::from(n % 2),
        payment: u64::from(n % 3),
        seen: 0,
        missing_since: n.is_multiple_of(5).then(|| Timestamp::from_second(1_800_000_000).unwrap()),
    };
    Change { slot: Slot::from_bytes(*id.as_bytes()), memories: (1..=(1 + n % 12)).map(memory).collect() }
}

fn event(n: u32) -> Arc<Event> {
    Arc::new(Event {
        id: EventId::of_notice(&["event", &n.to_string()]),
        kind: EventType::CreditReceived,
        account: Some(AccountName::new("centro")),
        upstream: None,
        source: Some(SourceKind::Transactions),
        occurred_at: "2026-11-20".to_owned(),
        detected_at: ManualClock::BORN + Duration::from_secs(n.into()),
        late: n.is_multiple_of(2),
        sandbox: false,
        body: Body::Notice(Notice { reason: format!("número {n}"), ..Notice::default() }),
    })
}

fn state() -> AccountState {
    AccountState { contacted_at: Some(ManualClock::BORN), floor: Day::parse("2026-10-07"), ..AccountState::default() }
}

fn commit() -> Commit {
    let destinations = vec![DestinationName::new("erp")];
    let announce = |n| Announcement { event: event(n), destinations: destinations.clone(), held: n == 5 };
    let reject = Reject {
        fingerprint: 7,
        source: SourceKind::Movements,
        position: 3,
        reason: "amount: not a number".to_owned(),
        shape: "{amount:string}".to_owned(),
    };
    Commit {
        account: AccountName::new("centro"),
        ledgers: vec![LedgerWrite { partition: partition(), expected: 0, changes: (0..ROWS).map(row).collect() }],
        state: Some((0, state())),
        announcements: (0..6).map(announce).collect(),
        rejects: vec![reject],
        remember: YEARS,
    }
}

fn attempt(n: usize) -> Attempt {
    let failure = (n != 1).then_some(FailureClass::Http);
    let detail = failure.map(|_| "ocupado".to_owned()).unwrap_or_default();
    Attempt { at: ManualClock::BORN, took: Duration::from_millis(12), failure, status: Some(503), detail }
}

async fn fill(store: &dyn Store) {
    store.commit(&commit()).await.unwrap();
    let want = Want { destination: DestinationName::new("erp"), room: 5, lease: YEARS };
    let leases = store.exchange(&[], &[want]).await.unwrap().leases;
    let settle = |(n, lease): (usize, super::Lease)| {
        let (verdict, attempt) = match n {
            1 => (Verdict::Delivered, Some(attempt(n))),
            2 => (Verdict::Dead { reason: DeathReason::Exhausted }, Some(attempt(n))),
            3 => (Verdict::Dead { reason: DeathReason::Refused }, Some(attempt(n))),
            4 => (Verdict::Retry { after: Duration::ZERO, spent: true }, Some(attempt(n))),
            _ => (Verdict::Retry { after: Duration::ZERO, spent: false }, None),
        };
        Settlement { id: lease.id, fence: lease.fence, verdict, attempt }
    };
    let settlements: Vec<_> = leases.into_iter().enumerate().map(settle).collect();
    assert_eq!(store.exchange(&settlements, &[]).await.unwrap().settled, [true; 5]);
}

/// Everything in it is understood, and the same rows are no news.
async fn check<S: Store + Archive>(store: &S) {
    let ledger = store.ledgers(&partition().account, &[partition()]).await.unwrap().remove(0);
    assert_eq!((ledger.version(), ledger.len()), (1, 40));
    for change in (0..ROWS).map(row) {
        assert_eq!(Memories::from_slice(ledger.get(&change.slot)), change.memories);
    }
    let known = store.account(&partition().account).await.unwrap();
    assert_eq!((known.version, known.state), (1, state()));
    for (n, expected) in (0_u32..).zip(STATES) {
        let (read, deliveries) = store.event(&event(n).id).await.unwrap().expect("it is kept");
        assert_eq!(read, event(n));
        let n = usize::try_from(n).unwrap();
        assert_eq!((deliveries.len(), deliveries[0].state.as_str()), (1, expected), "{n}");
        assert_eq!(deliveries[0].attempts, u32::from((1..5).contains(&n)));
        assert_eq!(deliveries[0].last, (1..5).contains(&n).then(|| attempt(n)));
    }
    let rejects = store.rejects(None, 10).await.unwrap();
    assert_eq!((rejects.len(), &rejects[0].reject), (1, &commit().rejects[0]));
    let mut again = commit();
    again.ledgers[0].expected = 1;
    again.state = Some((1, state()));
    let done = store.commit(&again).await.unwrap();
    assert_eq!(done, Committed::Done { created: Vec::new(), rejected: Vec::new() });
    assert_eq!(store.commit(&commit()).await.unwrap(), Committed::Conflict);
    let want = Want { destination: DestinationName::new("erp"), room: 9, lease: YEARS };
    let leases = store.exchange(&[], &[want]).await.unwrap().leases;
    let taken: Vec<_> = leases.iter().map(|lease| (lease.event.id, lease.attempts, lease.fence > 1)).collect();
    assert_eq!(taken, [(event(0).id, 0, true), (event(4).id, 1, true)]);
    assert_eq!(store.release_held(None, false).await.unwrap(), 1);
    let dead = DeliveryFilter { states: vec!["dead"], limit: 9, ..DeliveryFilter::default() };
    assert_eq!(store.requeue(&dead, false).await.unwrap(), 2);
}

#[tokio::test]
async fn the_file_of_the_first_form_opens() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    std::fs::copy(data("pregonero.db"), &path).unwrap();
    check(&EmbeddedStore::open_with(&path, "one", Arc::new(ManualClock::default())).unwrap()).await;
}

#[tokio::test]
async fn the_keys_of_the_first_form_are_understood() {
    let server = RedisServer::start().await;
    let store = server.named("one", "other").await;
    let text = std::fs::read_to_string(data("redis.txt")).unwrap();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        store.tell(&line.split(' ').map(unprinted).collect::<Vec<_>>()).await;
    }
    check(&server.connect("one").await.unwrap()).await;
}

/// Writes the files anew; does nothing unless it is told to.
#[tokio::test]
async fn write() {
    if std::env::var_os("PREGONERO_WRITE_STORE_V1").is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = EmbeddedStore::open_with(&path, "one", Arc::new(ManualClock::default())).unwrap();
    fill(&store).await;
    drop(store);
    std::fs::copy(&path, data("pregonero.db")).unwrap();
    let server = RedisServer::start().await;
    let store = server.connect("one").await.unwrap();
    fill(&store).await;
    std::fs::write(data("redis.txt"), keys(&store).await).unwrap();
}

/// Commands that make every key of the server.
async fn keys(store: &RedisStore) -> String {
    let mut text = "# A Redis store of version 1 as commands; bytes that cannot be printed are \\xNN.\n".to_owned();
    let mut keys = store.tell(&[b"KEYS".to_vec(), b"*".to_vec()]).await;
    keys.sort();
    for key in keys {
        let kind = store.tell(&[b"TYPE".to_vec(), key.clone()]).await.remove(0);
        let word = |text: &str| text.as_bytes().to_vec();
        let (read, put) = match kind.as_slice() {
            b"hash" => (vec![word("HGETALL"), key.clone()], "HSET"),
            b"set" => (vec![word("SMEMBERS"), key.clone()], "SADD"),
            b"zset" => (vec![word("ZRANGE"), key.clone(), word("0"), word("-1"), word("WITHSCORES")], "ZADD"),
            _ => (vec![word("GET"), key.clone()], "SET"),
        };
        let mut values = store.tell(&read).await;
        if put == "ZADD" {
            values.chunks_mut(2).for_each(<[_]>::reverse);
        }
        let words: Vec<_> = [word(put), key].into_iter().chain(values).map(|value| printed(&value)).collect();
        writeln!(text, "{}", words.join(" ")).unwrap();
    }
    text
}

fn printed(bytes: &[u8]) -> String {
    if bytes.is_empty() {
        return "''".to_owned();
    }
    bytes.iter().fold(String::new(), |text, byte| match byte {
        b'!'..=b'~' if *byte != b'\\' => text + &char::from(*byte).to_string(),
        _ => format!("{text}\\x{byte:02x}"),
    })
}

fn unprinted(word: &str) -> Vec<u8> {
    let word = if word == "''" { "" } else { word };
    let mut parts = word.split("\\x");
    let mut bytes = parts.next().unwrap_or_default().as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at(2);
        bytes.push(u8::from_str_radix(digits, 16).unwrap());
        bytes.extend_from_slice(rest.as_bytes());
    }
    bytes
}

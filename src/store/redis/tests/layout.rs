//! Where data is put: one slot for all that is written together, and little room for each row.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::Server;
use crate::domain::account::{AccountName, Partition, Scope, SourceKind};
use crate::domain::event::{Body, Event, EventId, EventType, Notice};
use crate::domain::fact::FactSet;
use crate::domain::ledger::{Change, Memory, Party, Slot};
use crate::domain::route::DestinationName;
use crate::store::redis::{RedisStore, reply};
use crate::store::{AccountState, Announcement, Archive as _, Commit, LedgerWrite, Store as _, Want};

/// The slot of a key, by the Redis Cluster specification: CRC16 (XMODEM) of the hash tag, of 16384.
fn slot(key: &[u8]) -> u16 {
    let open = key.iter().position(|byte| *byte == b'{');
    let tag = open.and_then(|open| {
        let rest = &key[open + 1..];
        rest.iter().position(|byte| *byte == b'}').filter(|length| *length > 0).map(|length| &rest[..length])
    });
    crc16(tag.unwrap_or(key)) % 16384
}

fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc: u16, byte| {
        (0..8).fold(
            crc ^ (u16::from(*byte) << 8),
            |crc, _| if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 },
        )
    })
}

fn event(account: &str, n: u32) -> Arc<Event> {
    Arc::new(Event {
        id: EventId::of_notice(&[account, &n.to_string()]),
        kind: EventType::CreditReceived,
        account: Some(AccountName::new(account)),
        upstream: None,
        source: None,
        occurred_at: "2026-11-21".to_owned(),
        detected_at: Timestamp::from_second(1_800_000_000).unwrap(),
        late: false,
        sandbox: false,
        body: Body::Notice(Notice::default()),
    })
}

fn commit(account: &str, rows: u32, events: u32) -> Commit {
    let partition = Partition {
        account: AccountName::new(account),
        source: SourceKind::Movements,
        scope: Scope::Watched("{1}{2}".to_owned()),
    };
    let memory = Memory {
        ordinal: 1,
        facts: FactSet::EMPTY,
        rank: 1,
        party: Party { cuit: u64::MAX, account: u64::MAX },
        details: u64::MAX,
        sale: u64::MAX,
        payment: 0,
        seen: 0,
        missing_since: None,
    };
    let change = |n: u32| {
        let id = EventId::of_notice(&["slot", &n.to_string()]);
        Change { slot: Slot::from_bytes(*id.as_bytes()), memories: [memory].into_iter().collect() }
    };
    let destinations = ["erp", "{x}"].map(DestinationName::new).to_vec();
    let announce = |n| Announcement { event: event(account, n), destinations: destinations.clone(), held: n == 0 };
    Commit {
        account: AccountName::new(account),
        ledgers: vec![LedgerWrite { partition, expected: 0, changes: (0..rows).map(change).collect() }],
        state: Some((0, AccountState::default())),
        announcements: (0..events).map(announce).collect(),
        rejects: Vec::new(),
        remember: Duration::from_secs(600),
    }
}

pub(super) async fn all_keys(store: &RedisStore) -> BTreeSet<Vec<u8>> {
    let mut command = redis::cmd("KEYS");
    command.arg("*");
    let keys = reply::list(store.link.ask_one(command).await.unwrap()).unwrap();
    keys.into_iter().map(|key| reply::bytes(key).unwrap()).collect()
}

#[tokio::test]
async fn all_keys_of_an_account_are_in_one_slot() {
    assert_eq!(crc16(b"123456789"), 0x31C3, "the check value of the specification");
    for account in ["centro", "{a}", "}{", "a:b {7} \"ñ\" 💸"] {
        let server = Server::start().await;
        let store = server.store().await;
        store.commit(&commit(account, 3, 3)).await.unwrap();
        store.acquire(&AccountName::new(account), Duration::from_secs(9)).await.unwrap();
        let want = Want { destination: DestinationName::new("{x}"), room: 1, lease: Duration::from_secs(60) };
        assert_eq!(store.exchange(&[], &[want]).await.unwrap().leases.len(), 1);
        let keys = all_keys(&store).await;
        let slots: BTreeSet<u16> = keys.iter().filter(|key| !key.ends_with(b":meta")).map(|key| slot(key)).collect();
        assert_eq!(slots.len(), 1, "{keys:?}");
        assert!(keys.len() > 10, "the test sees them");
    }
}

#[tokio::test]
async fn a_row_of_a_ledger_costs_far_less_than_120_bytes() {
    let server = Server::start().await;
    let store = server.store().await;
    let rows = 5000;
    let commit = commit("centro", rows, 0);
    store.commit(&commit).await.unwrap();
    let mut command = redis::cmd("MEMORY");
    command.arg("USAGE").arg(store.keys.ledger(&commit.ledgers[0].partition)).arg("SAMPLES").arg(0);
    let bytes = reply::integer(&store.link.ask_one(command).await.unwrap()).unwrap();
    assert!(bytes / i64::from(rows) <= 90, "{} bytes a row", bytes / i64::from(rows));
}

#[tokio::test]
async fn nothing_is_left_of_what_was_swept() {
    let server = Server::start().await;
    let store = server.store().await;
    let mut commit = commit("centro", 0, 600);
    for announcement in &mut commit.announcements {
        announcement.destinations.clear();
    }
    commit.remember = Duration::from_millis(1);
    store.commit(&commit).await.unwrap();
    let mut swept = 0;
    for _ in 0..500 {
        swept += store.sweep(Duration::ZERO).await.unwrap().events;
        if swept == 600 && all_keys(&store).await.len() == 3 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let left: Vec<_> = all_keys(&store).await.into_iter().map(|key| String::from_utf8(key).unwrap()).collect();
    assert_eq!(swept, 600);
    assert_eq!(left.len(), 3, "meta, the account and the sequence are left: {left:?}");
    assert_eq!(store.counts().await.unwrap().events, 0);
}

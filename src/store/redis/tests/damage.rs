//! Values that no release wrote: each is refused with the name of its key, and nothing panics or is overwritten.

use std::time::Duration;

use redis::Value;

use super::Server;
use crate::domain::account::{AccountName, Partition, Scope, SourceKind};
use crate::domain::day::Day;
use crate::domain::fact::FactSet;
use crate::domain::ledger::{Change, Memory, Party, Slot};
use crate::store::redis::RedisStore;
use crate::store::{Commit, LedgerWrite, Store as _, StoreError};

fn partition() -> Partition {
    let scope = Scope::Day(Day::parse("2026-11-20").unwrap());
    Partition { account: AccountName::new("centro"), source: SourceKind::Transactions, scope }
}

fn row(n: u8) -> Change {
    let memory = Memory {
        ordinal: 1,
        facts: FactSet::EMPTY,
        rank: 1,
        party: Party::default(),
        details: 5,
        sale: 0,
        payment: 0,
        seen: 0,
        missing_since: None,
    };
    Change { slot: Slot::from_bytes([n; 16]), memories: [memory].into_iter().collect() }
}

fn commit(expected: u64, changes: Vec<Change>) -> Commit {
    Commit {
        account: AccountName::new("centro"),
        ledgers: vec![LedgerWrite { partition: partition(), expected, changes }],
        state: None,
        announcements: Vec::new(),
        rejects: Vec::new(),
        remember: Duration::from_secs(600),
    }
}

async fn tell(store: &RedisStore, words: &[&[u8]]) -> Value {
    let mut command = redis::Cmd::new();
    for word in words {
        command.arg(*word);
    }
    store.link.ask_one(command).await.unwrap()
}

fn names(error: &StoreError, key: &str) -> bool {
    matches!(error, StoreError::Unusable(text) if text.contains(key) && text.contains("damaged"))
}

#[tokio::test]
async fn a_damaged_ledger_is_named_and_left_as_it_is() {
    let server = Server::start().await;
    let store = server.store().await;
    store.commit(&commit(0, vec![row(1), row(2)])).await.unwrap();
    let key = store.keys.ledger(&partition());
    let whole = store.ledgers(&partition().account, &[partition()]).await.unwrap();
    assert_eq!(whole[0].len(), 2);
    let Value::BulkString(group) = tell(&store, &[b"HGET", key.as_bytes(), b"0"]).await else { panic!("no group") };
    let mut long = group.clone();
    long[16] = 254;
    for bad in [&group[..group.len() - 1], &group[..3], &long, b"\x01".as_slice()] {
        tell(&store, &[b"HSET", key.as_bytes(), b"0", bad]).await;
        let error = store.ledgers(&partition().account, &[partition()]).await.unwrap_err();
        assert!(names(&error, &key), "{error}");
    }
    // More rows than one group holds: the damaged one would be dealt out.
    let many: Vec<_> = (10..60).map(row).collect();
    tell(&store, &[b"HSET", key.as_bytes(), b"0", &group[..group.len() - 1]]).await;
    for changes in [many, vec![row(2)]] {
        let error = store.commit(&commit(1, changes)).await.unwrap_err();
        assert!(names(&error, &key), "{error}");
    }
    let left = tell(&store, &[b"HGET", key.as_bytes(), b""]).await;
    assert_eq!(left, Value::BulkString(b"1 1 2".to_vec()), "nothing was written");
    for header in [&b"1"[..], b"one 1 2", b"1 x 2"] {
        tell(&store, &[b"HSET", key.as_bytes(), b"0", &group]).await;
        tell(&store, &[b"HSET", key.as_bytes(), b"", header]).await;
        let read = store.ledgers(&partition().account, &[partition()]).await;
        let written = store.commit(&commit(1, vec![row(3)])).await;
        assert!(read.is_err() || written.is_err(), "{header:?}");
    }
}

#[tokio::test]
async fn a_damaged_account_state_is_named() {
    let server = Server::start().await;
    let store = server.store().await;
    let key = store.keys.at(store.keys.shard_of(&partition().account), super::super::keys::ACCOUNTS);
    for bad in [&b"nonsense"[..], b"x:1{}", b"1:1{", b"1:"] {
        tell(&store, &[b"HSET", key.as_bytes(), b"centro", bad]).await;
        let error = store.account(&partition().account).await.unwrap_err();
        assert!(names(&error, &key), "{error}");
    }
}

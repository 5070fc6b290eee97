//! What a remembered row costs: bytes in Redis' memory and in the embedded file, at a million rows.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use pregonero::domain::account::{AccountName, Partition, Scope, SourceKind};
use pregonero::domain::day::Day;
use pregonero::domain::fact::{FactKind, FactSet};
use pregonero::domain::ledger::{Change, Memory, Party, Slot, short_hash};
use pregonero::domain::row::Identity;
use pregonero::store::embedded::EmbeddedStore;
use pregonero::store::{Commit, Committed, LedgerWrite, Store};

/// Rows that are remembered in all.
const ROWS: u32 = 1_000_000;
/// Rows of one partition: a busy account's day.
const DAY: u32 = 10_000;
/// Rows that one commit brings.
const PIECE: u32 = 500;

/// What the diff remembers of a row.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A transfer: CUIT, account and details.
    Transfer,
    /// A card sale: details, sale and payment.
    Sale,
    /// All that a row may have at once.
    Everything,
}

impl Kind {
    fn memory(self, n: u32) -> Memory {
        let hash = |what: &str, wanted: bool| if wanted { short_hash(&format!("{what} {n}")) } else { 0 };
        let (transfer, sale) = (!matches!(self, Self::Sale), !matches!(self, Self::Transfer));
        Memory {
            ordinal: 1,
            facts: FactSet::EMPTY.with(FactKind::Pending).with(FactKind::Credited),
            rank: 2,
            party: Party { cuit: hash("cuit", transfer), account: hash("account", transfer) },
            details: hash("details", true),
            sale: hash("sale", sale),
            payment: hash("payment", sale),
            seen: 0,
            missing_since: None,
        }
    }
}

/// Remembers `ROWS` rows, each day in commits as a day brings them, five accounts in turn.
async fn fill(store: &dyn Store, kind: Kind) {
    let first = Day::parse("2026-11-01").expect("a day");
    let days: Vec<Partition> = (0..ROWS / DAY)
        .map(|day| Partition {
            account: AccountName::new(&format!("account-{}", day % 5)),
            source: SourceKind::Transactions,
            scope: Scope::Day(first.plus(i64::from(day / 5))),
        })
        .collect();
    for version in 0..DAY / PIECE {
        for partition in &days {
            let change = |n: u32| {
                let identity = Identity::Keyed(format!("{}/{}", partition.key(), version * PIECE + n));
                let slot = Slot::of(&partition.account, partition.source, &identity);
                Change { slot, memories: std::iter::once(kind.memory(n)).collect() }
            };
            let changes = (0..PIECE).map(change).collect();
            let commit = Commit {
                account: partition.account.clone(),
                ledgers: vec![LedgerWrite { partition: partition.clone(), expected: version.into(), changes }],
                state: None,
                announcements: Vec::new(),
                rejects: Vec::new(),
                remember: Duration::from_secs(86_400 * 60),
            };
            let committed = store.commit(&commit).await.expect("a commit");
            assert!(matches!(committed, Committed::Done { .. }));
        }
    }
}

/// Bytes a row on disk: the file and its log, after the store was closed.
pub async fn embedded(kind: Kind) -> f64 {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("memory.db");
    let store = EmbeddedStore::open(&path, "bench").expect("a store");
    let empty = size(&path);
    fill(&store, kind).await;
    drop(store);
    (size(&path) - empty) / f64::from(ROWS)
}

fn size(path: &Path) -> f64 {
    let length = |path: &Path| std::fs::metadata(path).map_or(0, |data| data.len());
    (length(path) + length(&path.with_extension("db-wal"))) as f64
}

/// Bytes a row of Redis' `used_memory`.
pub async fn redis(kind: Kind) -> f64 {
    let server = super::redis_server::RedisServer::start().await;
    let store = Arc::new(server.store("bench").await);
    let empty = server.used_memory().await;
    fill(&*store, kind).await;
    (server.used_memory().await - empty) / f64::from(ROWS)
}

/// Milliseconds of a poll of `rows` known rows that finds one new: the ledger is loaded, one slot is committed.
pub async fn one_more(store: &dyn Store, rows: u32) -> (Vec<f64>, Vec<f64>) {
    let partition = Partition {
        account: AccountName::new("busy"),
        source: SourceKind::Transactions,
        scope: Scope::Day(Day::parse("2026-11-20").expect("a day")),
    };
    let commit = |version: u32, rows: std::ops::Range<u32>| Commit {
        account: partition.account.clone(),
        ledgers: vec![LedgerWrite {
            partition: partition.clone(),
            expected: version.into(),
            changes: rows
                .map(|n| Change {
                    slot: Slot::of(&partition.account, partition.source, &Identity::Keyed(n.to_string())),
                    memories: std::iter::once(Kind::Transfer.memory(n)).collect(),
                })
                .collect(),
        }],
        state: None,
        announcements: Vec::new(),
        rejects: Vec::new(),
        remember: Duration::from_secs(86_400),
    };
    for version in 0..rows / PIECE {
        store.commit(&commit(version, version * PIECE..(version + 1) * PIECE)).await.expect("a commit");
    }
    let (mut loads, mut commits) = (Vec::new(), Vec::new());
    for more in 0..20 {
        let start = std::time::Instant::now();
        let ledgers = store.ledgers(&partition.account, std::slice::from_ref(&partition)).await.expect("a ledger");
        loads.push(start.elapsed().as_secs_f64() * 1e3);
        assert_eq!(ledgers.first().map(pregonero::domain::ledger::Ledger::len), usize::try_from(rows + more).ok());
        let start = std::time::Instant::now();
        store.commit(&commit(rows / PIECE + more, rows + more..rows + more + 1)).await.expect("a commit");
        commits.push(start.elapsed().as_secs_f64() * 1e3);
    }
    (loads, commits)
}

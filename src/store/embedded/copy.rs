//! The file as the source or target of a copy.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::commit::{account_number, destination_number};
use super::exchange::columns;
use super::readers::{self, unreadable};
use super::schema::{self, state};
use super::writer::{Desk, Writer};
use super::{EmbeddedStore, Readers, instant, payouts, query, signed, watches};
use crate::clock::SystemClock;
use crate::domain::account::AccountName;
use crate::domain::delivery::{DeathReason, State};
use crate::store::codec::{decode_event, decode_reject, decode_state, encode_event, encode_memories};
use crate::store::codec::{encode_reject, encode_state};
use crate::store::copy::{
    DeliveryRecord, Dump, EventRecord, Kind, LedgerRecord, Load, Mark, Page, Record, RejectRecord,
};
use crate::store::{StoreError, VersionedState};

/// Records of a page; a ledger may be large.
const PAGE: i64 = 500;
const LEDGERS: i64 = 4;

impl EmbeddedStore {
    /// Opens a file that must be there, and keeps daemons out.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_source(path: &Path) -> Result<Self, StoreError> {
        drop(schema::open_beside(path, false)?);
        Self::open(path, "store-copy")
    }

    /// Opens a file to fill it, and creates it if it is not there. It may hold a copy that was cut off.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_target(path: &Path) -> Result<Self, StoreError> {
        let lock = schema::lock(path)?;
        let conn = schema::open_target(path)?;
        let writer = Writer::start(conn, lock)?;
        let readers = |connections| Readers::of_target(path.to_owned(), connections);
        let clock = Arc::new(SystemClock);
        Ok(Self { instance: "store-copy".into(), clock, readers: readers(1), operator: readers(1), writer })
    }
}

#[async_trait]
impl Dump for EmbeddedStore {
    async fn page(&self, kind: Kind, from: &str) -> Result<Page, StoreError> {
        let from = match from {
            "" => i64::MIN,
            text => text.parse().map_err(|_| StoreError::Unusable("the mark of the copy is damaged".to_owned()))?,
        };
        self.readers
            .run(move |conn| match kind {
                Kind::Accounts => accounts(conn, from),
                Kind::Ledgers => ledgers(conn, from),
                Kind::Events => events(conn, from),
                Kind::Rejects => rejects(conn, from),
                Kind::Watches => watched(conn, from),
                Kind::Payouts => sent(conn, from),
            })
            .await
    }

    /// Nobody: the lock is ours.
    async fn users(&self) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl Load for EmbeddedStore {
    async fn mark(&self) -> Result<Option<Mark>, StoreError> {
        self.readers.run(schema::mark).await
    }

    async fn set_mark(&self, mark: Option<&Mark>) -> Result<(), StoreError> {
        let mark = mark.cloned();
        self.writer.run(true, move |desk| schema::set_mark(&desk.conn, mark.as_ref())).await
    }

    async fn load(&self, records: Vec<Record>) -> Result<(), StoreError> {
        self.writer.run(true, move |desk| records.iter().try_for_each(|record| write(desk, record))).await
    }
}

/// A page whose rows begin with their number.
fn page(mut records: Vec<(i64, Record)>, size: i64) -> Page {
    let is_full = i64::try_from(records.len()).is_ok_and(|count| count >= size);
    let next = records.last().filter(|_| is_full).map(|(number, _)| number.to_string());
    Page { records: records.drain(..).map(|(_, record)| record).collect(), next }
}

fn accounts(conn: &Connection, from: i64) -> Result<Page, StoreError> {
    let mut find = conn.prepare_cached(
        "SELECT id, name, version, state FROM account WHERE id > ?1 AND state IS NOT NULL ORDER BY id LIMIT ?2",
    )?;
    let mut rows = find.query([from, PAGE])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let state = decode_state(query::blob(row, 3)?).map_err(unreadable)?;
        let version = u64::try_from(row.get::<_, i64>(2)?).unwrap_or_default();
        let name = AccountName::new(query::text(row, 1)?);
        found.push((row.get(0)?, Record::Account(name, VersionedState { version, state })));
    }
    Ok(page(found, PAGE))
}

fn ledgers(conn: &Connection, from: i64) -> Result<Page, StoreError> {
    let mut find = conn.prepare_cached(
        "SELECT l.id, a.name, l.key, l.version, l.expires FROM ledger l JOIN account a ON a.id = l.account
         WHERE l.id > ?1 ORDER BY l.id LIMIT ?2",
    )?;
    let mut rows = find.query([from, LEDGERS])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        let ledger = LedgerRecord {
            account: AccountName::new(query::text(row, 1)?),
            key: row.get(2)?,
            version: u64::try_from(row.get::<_, i64>(3)?).unwrap_or_default(),
            expires: instant(row.get(4)?),
            rows: readers::rows(conn, id)?,
        };
        found.push((id, Record::Ledger(ledger)));
    }
    Ok(page(found, LEDGERS))
}

fn events(conn: &Connection, from: i64) -> Result<Page, StoreError> {
    let mut find = conn.prepare_cached("SELECT seq, body FROM event WHERE seq > ?1 ORDER BY seq LIMIT ?2")?;
    let mut of_event = conn.prepare_cached(
        "SELECT n.name, d.state, d.at, d.attempts, d.began, d.took, d.status, d.last, d.fence
         FROM delivery d JOIN destination n ON n.id = d.destination WHERE d.event = ?1 ORDER BY d.destination",
    )?;
    let mut rows = find.query([from, PAGE])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(0)?;
        let event = Arc::new(decode_event(query::blob(row, 1)?).map_err(unreadable)?);
        let mut deliveries = Vec::new();
        let mut rows = of_event.query([seq])?;
        while let Some(row) = rows.next()? {
            deliveries.push(DeliveryRecord {
                destination: crate::domain::route::DestinationName::new(query::text(row, 0)?),
                state: query::state_of(row.get(1)?, row.get(2)?),
                attempts: row.get(3)?,
                fence: row.get(8)?,
                last: query::last_attempt(row, 4)?,
            });
        }
        let owner = event.account.clone().unwrap_or_else(|| AccountName::new(""));
        found.push((seq, Record::Event(EventRecord { owner, event, deliveries })));
    }
    Ok(page(found, PAGE))
}

fn rejects(conn: &Connection, from: i64) -> Result<Page, StoreError> {
    let mut find = conn.prepare_cached(
        "SELECT r.rowid, a.name, r.first_seen, r.body FROM reject r JOIN account a ON a.id = r.account
         WHERE r.rowid > ?1 ORDER BY r.rowid LIMIT ?2",
    )?;
    let mut rows = find.query([from, PAGE])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let reject = RejectRecord {
            account: AccountName::new(query::text(row, 1)?),
            first_seen: instant(row.get(2)?),
            reject: decode_reject(query::blob(row, 3)?).map_err(unreadable)?,
        };
        found.push((row.get(0)?, Record::Reject(reject)));
    }
    Ok(page(found, PAGE))
}

fn watched(conn: &Connection, from: i64) -> Result<Page, StoreError> {
    let mut found = Vec::new();
    for (number, account) in watches::accounts(conn, from, LEDGERS)? {
        let list = watches::list(conn, &account)?;
        found.push((number, Record::Watches(account, list)));
    }
    Ok(page(found, LEDGERS))
}

/// The cash-outs of some accounts.
fn sent(conn: &Connection, from: i64) -> Result<Page, StoreError> {
    let accounts = payouts::accounts(conn, from, LEDGERS)?;
    let is_full = i64::try_from(accounts.len()).is_ok_and(|count| count >= LEDGERS);
    let next = accounts.last().filter(|_| is_full).map(|(number, _)| number.to_string());
    let mut records = Vec::new();
    for (_, account) in accounts {
        let of_it = payouts::all(conn, &account)?;
        records.extend(of_it.into_iter().map(|payout| Record::Payout(account.clone(), payout)));
    }
    Ok(Page { records, next })
}

fn write(desk: &mut Desk, record: &Record) -> Result<(), StoreError> {
    let conn = &desk.conn;
    match record {
        Record::Account(name, VersionedState { version, state }) => {
            let id = account_number(conn, name)?;
            conn.prepare_cached("UPDATE account SET version = ?2, state = ?3 WHERE id = ?1")?.execute(params![
                id,
                signed(*version),
                encode_state(state)
            ])?;
        }
        Record::Ledger(ledger) => write_ledger(conn, ledger)?,
        Record::Event(record) => write_event(desk, record)?,
        Record::Watches(account, list) => watches::replace(conn, account, list)?,
        Record::Payout(account, payout) => payouts::put(conn, account, payout)?,
        Record::Reject(RejectRecord { account, first_seen, reject }) => {
            let id = account_number(conn, account)?;
            conn.prepare_cached("INSERT INTO reject VALUES(?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING")?.execute(
                params![id, reject.fingerprint.cast_signed(), first_seen.as_millisecond(), encode_reject(reject)],
            )?;
        }
    }
    Ok(())
}

fn write_ledger(conn: &Connection, ledger: &LedgerRecord) -> Result<(), StoreError> {
    let account = account_number(conn, &ledger.account)?;
    let id: i64 = conn
        .prepare_cached(
            "INSERT INTO ledger(account, key, version, expires) VALUES(?1, ?2, ?3, ?4)
             ON CONFLICT(account, key) DO UPDATE SET version = excluded.version, expires = excluded.expires
             RETURNING id",
        )?
        .query_row(params![account, ledger.key, signed(ledger.version), ledger.expires.as_millisecond()], |row| {
            row.get(0)
        })?;
    let mut rows: Vec<_> = ledger.rows.iter().collect();
    // In the order of the tree, so that its pages are filled one after the other.
    rows.sort_by_key(|(slot, _)| *slot);
    let mut put = conn.prepare_cached("INSERT OR REPLACE INTO memory VALUES(?1, ?2, ?3)")?;
    for (slot, memories) in rows {
        put.execute(params![id, slot.as_bytes(), encode_memories(memories)])?;
    }
    Ok(())
}

fn write_event(desk: &mut Desk, record: &EventRecord) -> Result<(), StoreError> {
    let Desk { conn, cache, .. } = desk;
    let EventRecord { event, deliveries, .. } = record;
    let account = event.account.as_ref().map(|account| account_number(conn, account)).transpose()?;
    let known: Option<i64> = conn
        .prepare_cached("SELECT seq FROM event WHERE id = ?1")?
        .query_row([event.id.as_bytes()], |row| row.get(0))
        .optional()?;
    if known.is_some() {
        return Ok(());
    }
    let detected = event.detected_at.as_millisecond();
    conn.prepare_cached("INSERT INTO event(id, account, kind, detected, body) VALUES(?1, ?2, ?3, ?4, ?5)")?
        .execute(params![event.id.as_bytes(), account, event.kind.as_str(), detected, encode_event(event)])?;
    let seq = conn.last_insert_rowid();
    for delivery in deliveries {
        let destination = destination_number(conn, cache, &delivery.destination)?;
        let (state, at) = match &delivery.state {
            State::Pending { due } => (state::PENDING, *due),
            State::InFlight { until } => (state::IN_FLIGHT, *until),
            State::Delivered { at } => (state::DELIVERED, *at),
            State::Held => (state::HELD, event.detected_at),
            State::Dead { at, reason: DeathReason::Exhausted } => (state::EXHAUSTED, *at),
            State::Dead { at, reason: DeathReason::Refused } => (state::REFUSED, *at),
        };
        let (began, took, last) = delivery.last.as_ref().map_or((None, None, None), columns);
        let status = delivery.last.as_ref().and_then(|last| last.status);
        conn.prepare_cached("INSERT INTO delivery VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")?.execute(
            params![
                seq,
                destination,
                state,
                at.as_millisecond(),
                delivery.attempts,
                delivery.fence,
                began,
                took,
                status,
                last
            ],
        )?;
    }
    Ok(())
}

//! The commit: guards first, then everything.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::cache::Cache;
use super::schema::state;
use super::writer::Desk;
use super::{millis, signed};
use crate::domain::account::AccountName;
use crate::domain::event::Event;
use crate::domain::route::DestinationName;
use crate::store::codec::{encode_event, encode_memories, encode_reject, encode_state};
use crate::store::{Commit, Committed, StoreError};

/// A commit in its persisted form. Encoding is done by the caller, so that the one thread that writes only writes.
pub(super) struct Prepared {
    account: AccountName,
    ledgers: Vec<PreparedLedger>,
    state: Option<(i64, Vec<u8>)>,
    announcements: Vec<PreparedEvent>,
    rejects: Vec<(u64, Vec<u8>)>,
    now: i64,
    expires: i64,
}

struct PreparedLedger {
    key: String,
    expected: i64,
    /// `None`: the slot is removed.
    slots: Vec<([u8; 16], Option<Vec<u8>>)>,
}

struct PreparedEvent {
    event: Arc<Event>,
    body: Vec<u8>,
    destinations: Vec<DestinationName>,
    state: i64,
}

impl Prepared {
    /// Encodes a commit.
    pub(super) fn new(commit: &Commit, now: Timestamp) -> Self {
        let now = now.as_millisecond();
        Self {
            account: commit.account.clone(),
            ledgers: commit
                .ledgers
                .iter()
                .map(|write| {
                    let slot = |change: &crate::domain::ledger::Change| {
                        let memories = (!change.memories.is_empty()).then(|| encode_memories(&change.memories));
                        (*change.slot.as_bytes(), memories)
                    };
                    let mut slots: Vec<_> = write.changes.iter().map(slot).collect();
                    // In the order of the tree, so that each page is visited once. Stable: the last word on a slot stays last.
                    slots.sort_by_key(|(slot, _)| *slot);
                    PreparedLedger { key: write.partition.key(), expected: signed(write.expected), slots }
                })
                .collect(),
            state: commit.state.as_ref().map(|(expected, state)| (signed(*expected), encode_state(state))),
            announcements: commit
                .announcements
                .iter()
                .map(|announcement| PreparedEvent {
                    event: announcement.event.clone(),
                    body: encode_event(&announcement.event),
                    destinations: announcement.destinations.clone(),
                    state: if announcement.held { state::HELD } else { state::PENDING },
                })
                .collect(),
            rejects: commit.rejects.iter().map(|reject| (reject.fingerprint, encode_reject(reject))).collect(),
            now,
            expires: now.saturating_add(millis(commit.remember)),
        }
    }

    /// Writes it all, or says that a guard failed and writes nothing.
    pub(super) fn run(&self, desk: &mut Desk) -> Result<Committed, StoreError> {
        desk.notice(self.now)?;
        let Desk { conn, cache, .. } = desk;
        if !self.is_allowed(conn)? {
            return Ok(Committed::Conflict);
        }
        let account = account_number(conn, &self.account)?;
        for ledger in &self.ledgers {
            ledger.write(conn, account, self.expires)?;
        }
        if let Some((expected, state)) = &self.state {
            conn.prepare_cached("UPDATE account SET version = ?2, state = ?3 WHERE id = ?1")?.execute(params![
                account,
                expected + 1,
                state
            ])?;
        }
        let mut created = Vec::with_capacity(self.announcements.len());
        for announcement in &self.announcements {
            if announcement.write(conn, cache, (&self.account, account), self.now)? {
                created.push(announcement.event.id);
            }
        }
        let mut rejected = Vec::new();
        for (fingerprint, body) in &self.rejects {
            let written = conn
                .prepare_cached("INSERT INTO reject VALUES(?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING")?
                .execute(params![account, fingerprint.cast_signed(), self.now, body])?;
            if written > 0 {
                rejected.push(*fingerprint);
            }
        }
        Ok(Committed::Done { created, rejected })
    }

    fn is_allowed(&self, conn: &Connection) -> Result<bool, StoreError> {
        let mut known = conn.prepare_cached(
            "SELECT version FROM ledger WHERE account = (SELECT id FROM account WHERE name = ?1) AND key = ?2",
        )?;
        for ledger in &self.ledgers {
            let version = known.query_row(params![self.account.as_str(), ledger.key], |row| row.get(0)).optional()?;
            if version.unwrap_or(0_i64) != ledger.expected {
                return Ok(false);
            }
        }
        let Some((expected, _)) = &self.state else { return Ok(true) };
        let mut known = conn.prepare_cached("SELECT version FROM account WHERE name = ?1")?;
        let version = known.query_row([self.account.as_str()], |row| row.get(0)).optional()?;
        Ok(version.unwrap_or(0_i64) == *expected)
    }
}

impl PreparedLedger {
    fn write(&self, conn: &Connection, account: i64, expires: i64) -> Result<(), StoreError> {
        let id: i64 = conn
            .prepare_cached(
                "INSERT INTO ledger(account, key, version, expires) VALUES(?1, ?2, ?3, ?4)
                 ON CONFLICT(account, key) DO UPDATE SET version = excluded.version, expires = excluded.expires
                 RETURNING id",
            )?
            .query_row(params![account, self.key, self.expected + 1, expires], |row| row.get(0))?;
        let mut put = conn.prepare_cached("INSERT OR REPLACE INTO memory VALUES(?1, ?2, ?3)")?;
        let mut remove = conn.prepare_cached("DELETE FROM memory WHERE ledger = ?1 AND slot = ?2")?;
        for (slot, memories) in &self.slots {
            match memories {
                Some(memories) => put.execute(params![id, slot, memories])?,
                None => remove.execute(params![id, slot])?,
            };
        }
        Ok(())
    }
}

impl PreparedEvent {
    /// Whether it was new.
    fn write(
        &self,
        conn: &Connection,
        cache: &mut Cache,
        (name, number): (&AccountName, i64),
        now: i64,
    ) -> Result<bool, StoreError> {
        let account = match &self.event.account {
            Some(account) if account == name => Some(number),
            Some(account) => Some(account_number(conn, account)?),
            None => None,
        };
        let detected = self.event.detected_at.as_millisecond();
        let written = conn
            .prepare_cached(
                "INSERT INTO event(id, account, kind, detected, body) VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
            )?
            .execute(params![self.event.id.as_bytes(), account, self.event.kind.as_str(), detected, self.body])?;
        if written == 0 {
            return Ok(false);
        }
        let seq = conn.last_insert_rowid();
        for destination in &self.destinations {
            let destination = destination_number(conn, cache, destination)?;
            conn.prepare_cached(
                "INSERT INTO delivery(event, destination, state, at, attempts, fence) VALUES(?1, ?2, ?3, ?4, 0, 0)
                 ON CONFLICT DO NOTHING",
            )?
            .execute(params![seq, destination, self.state, now])?;
        }
        cache.note(seq, &self.event);
        Ok(true)
    }
}

/// The number of an account, which it gets if it has none.
pub(super) fn account_number(conn: &Connection, name: &AccountName) -> Result<i64, StoreError> {
    let mut known = conn.prepare_cached("SELECT id FROM account WHERE name = ?1")?;
    if let Some(id) = known.query_row([name.as_str()], |row| row.get(0)).optional()? {
        return Ok(id);
    }
    conn.prepare_cached("INSERT INTO account(name) VALUES(?1)")?.execute([name.as_str()])?;
    Ok(conn.last_insert_rowid())
}

/// The number of a destination, which it gets if it has none.
pub(super) fn destination_number(
    conn: &Connection,
    cache: &mut Cache,
    name: &DestinationName,
) -> Result<i64, StoreError> {
    if let Some(id) = super::exchange::known_destination(conn, cache, name)? {
        return Ok(id);
    }
    conn.prepare_cached("INSERT INTO destination(name) VALUES(?1)")?.execute([name.as_str()])?;
    let id = conn.last_insert_rowid();
    cache.note_destination(name, id);
    Ok(id)
}

impl Desk {
    /// Takes note of the time. When the clock was set back, whatever waits is moved back with it: otherwise it would wait
    /// for as long as the clock was wrong. A clock set forward makes it due early, which is harmless.
    pub(super) fn notice(&mut self, now: i64) -> Result<(), StoreError> {
        // Callers read the clock before they queue up, so a little disorder is usual.
        const DISORDER: Duration = Duration::from_secs(10);
        let back = self.latest.saturating_sub(now);
        if back > millis(DISORDER) {
            self.conn.execute("UPDATE delivery SET at = at - ?1 WHERE state < 2", [back])?;
            self.latest = now;
        }
        self.latest = self.latest.max(now);
        Ok(())
    }
}

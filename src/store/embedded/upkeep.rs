//! What happens beside the work: taking accounts, reclaiming, sweeping.

use rusqlite::{Connection, OptionalExtension as _, params};

use super::commit::account_number;
use super::writer::Desk;
use crate::domain::account::AccountName;
use crate::store::{StoreError, Swept};

/// Events that one sweep removes at the most.
const EVENTS: u64 = 500;
/// Events that one sweep looks at in one step, and at the most.
const PAGE: usize = 500;
const LOOK: usize = 5000;
/// Ledgers that one sweep removes at the most. One goes as a whole: half a ledger would announce the other half anew.
const LEDGERS: i64 = 8;
/// Rejects that one sweep removes at the most.
const REJECTS: i64 = 1000;

/// Takes an account. As only one daemon can have the file, whoever else held it is gone. Renewing changes nothing and so
/// writes nothing: ten thousand accounts renew 833 times a second.
pub(super) fn acquire(desk: &Desk, account: &AccountName, instance: &str) -> Result<Option<u64>, StoreError> {
    let held: Option<i64> = desk
        .conn
        .prepare_cached("SELECT fence FROM account WHERE name = ?1 AND holder = ?2")?
        .query_row([account.as_str(), instance], |row| row.get(0))
        .optional()?;
    if let Some(fence) = held {
        return Ok(Some(u64::try_from(fence).unwrap_or_default()));
    }
    let id = account_number(&desk.conn, account)?;
    let fence: i64 = desk
        .conn
        .prepare_cached(
            "UPDATE account SET fence = fence + (holder IS NOT ?2), holder = ?2 WHERE id = ?1 RETURNING fence",
        )?
        .query_row(params![id, instance], |row| row.get(0))?;
    Ok(Some(u64::try_from(fence).unwrap_or_default()))
}

/// Gives an account back.
pub(super) fn release(desk: &Desk, account: &AccountName, instance: &str) -> Result<(), StoreError> {
    desk.conn
        .prepare_cached("UPDATE account SET holder = NULL WHERE name = ?1 AND holder = ?2")?
        .execute([account.as_str(), instance])?;
    Ok(())
}

/// Makes due what is in flight. As only one daemon can have the file, all of it was ours.
pub(super) fn reclaim(desk: &mut Desk, now: i64) -> Result<u64, StoreError> {
    desk.notice(now)?;
    let reclaimed = desk.conn.execute("UPDATE delivery SET state = 0, at = ?1 WHERE state < 2 AND state = 1", [now])?;
    Ok(count(reclaimed))
}

/// Removes what was settled or expired before its time.
pub(super) fn sweep(desk: &mut Desk, before: i64, now: i64) -> Result<Swept, StoreError> {
    let events = sweep_events(desk, before)?;
    if events > 0 {
        // A number that was freed may be given to another event.
        desk.cache.forget_events();
    }
    let ledgers = sweep_ledgers(&desk.conn, now)?;
    let rejects = desk.conn.execute(
        "DELETE FROM reject WHERE rowid IN (SELECT rowid FROM reject WHERE first_seen < ?1 LIMIT ?2)",
        [before, REJECTS],
    )?;
    Ok(Swept { events, ledgers, rejects: count(rejects) })
}

/// From the oldest on, and where the last sweep stopped. Events are numbered about in the order of their detection: a
/// page without any old enough ends the search.
fn sweep_events(desk: &mut Desk, before: i64) -> Result<u64, StoreError> {
    let mut removed = 0;
    let mut looked = 0;
    while removed < EVENTS && looked < LOOK {
        let page: Vec<(i64, bool)> = desk
            .conn
            .prepare_cached("SELECT seq, detected < ?2 FROM event WHERE seq > ?1 ORDER BY seq LIMIT ?3")?
            .query_map(params![desk.swept, before, super::limit(PAGE)], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        let Some((last, _)) = page.last().filter(|_| page.iter().any(|(_, is_old)| *is_old)) else {
            desk.swept = 0;
            break;
        };
        let last = *last;
        for (seq, _) in page.iter().filter(|(_, is_old)| *is_old) {
            removed += u64::from(remove_settled(&desk.conn, *seq, before)?);
        }
        looked += page.len();
        desk.swept = last;
    }
    Ok(removed)
}

fn remove_settled(conn: &Connection, seq: i64, before: i64) -> Result<bool, StoreError> {
    let is_needed: bool = conn
        .prepare_cached(
            "SELECT EXISTS(SELECT 1 FROM delivery WHERE event = ?1 AND (state NOT IN (2, 4, 5) OR at >= ?2))",
        )?
        .query_row([seq, before], |row| row.get(0))?;
    if !is_needed {
        conn.prepare_cached("DELETE FROM delivery WHERE event = ?1")?.execute([seq])?;
        conn.prepare_cached("DELETE FROM event WHERE seq = ?1")?.execute([seq])?;
    }
    Ok(!is_needed)
}

fn sweep_ledgers(conn: &Connection, now: i64) -> Result<u64, StoreError> {
    let over: Vec<i64> = conn
        .prepare_cached("SELECT id FROM ledger WHERE expires <= ?1 LIMIT ?2")?
        .query_map([now, LEDGERS], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for id in &over {
        conn.prepare_cached("DELETE FROM memory WHERE ledger = ?1")?.execute([id])?;
        conn.prepare_cached("DELETE FROM ledger WHERE id = ?1")?.execute([id])?;
    }
    Ok(count(over.len()))
}

/// A number of rows.
pub(super) fn count(rows: usize) -> u64 {
    u64::try_from(rows).unwrap_or(u64::MAX)
}

//! Settling and leasing: the path that every delivery takes.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::cache::Cache;
use super::schema::state;
use super::writer::Desk;
use super::{limit, millis};
use crate::domain::delivery::{Attempt, DeathReason, DeliveryId, Verdict};
use crate::domain::event::{Event, EventId};
use crate::domain::route::DestinationName;
use crate::store::codec::{decode_event, encode_attempt};
use crate::store::{Exchange, Lease, Settlement, StoreError, Want};

/// How long a delivery rests whose event cannot be read, so that it blocks no other: an upgrade may be under way.
const REST: Duration = Duration::from_secs(3600);

/// Writes settlements, then leases what is due.
pub(super) fn exchange(
    desk: &mut Desk,
    settlements: &[Settlement],
    wants: &[Want],
    now: Timestamp,
) -> Result<Exchange, StoreError> {
    let now = now.as_millisecond();
    desk.notice(now)?;
    let Desk { conn, cache, .. } = desk;
    let mut result = Exchange::default();
    for settlement in settlements {
        result.settled.push(settle(conn, cache, settlement, now)?);
    }
    for want in wants {
        let Some(destination) = known_destination(conn, cache, &want.destination)? else { continue };
        if want.room > 0 {
            lease(conn, cache, want, destination, now, &mut result.leases)?;
        }
        let due = next_due(conn, destination, now)?;
        result.next_due = [result.next_due, due].into_iter().flatten().min();
    }
    Ok(result)
}

fn settle(conn: &Connection, cache: &mut Cache, settlement: &Settlement, now: i64) -> Result<bool, StoreError> {
    let Some(event) = known_event(conn, cache, &settlement.id.event)? else { return Ok(false) };
    let Some(destination) = known_destination(conn, cache, &settlement.id.destination)? else { return Ok(false) };
    let Ok(fence) = i64::try_from(settlement.fence) else { return Ok(false) };
    let (state, at, spent) = match &settlement.verdict {
        Verdict::Delivered => (state::DELIVERED, now, true),
        Verdict::Dead { reason: DeathReason::Exhausted } => (state::EXHAUSTED, now, true),
        Verdict::Dead { reason: DeathReason::Refused } => (state::REFUSED, now, true),
        Verdict::Retry { after, spent } => (state::PENDING, now.saturating_add(millis(*after)), *spent),
    };
    let written = match &settlement.attempt {
        None => conn
            .prepare_cached(
                "UPDATE delivery SET state = ?4, at = ?5, attempts = attempts + ?6
                 WHERE event = ?1 AND destination = ?2 AND fence = ?3 AND state = 1",
            )?
            .execute(params![event, destination, fence, state, at, spent])?,
        Some(attempt) => {
            let (began, took, last) = columns(attempt);
            conn.prepare_cached(
                "UPDATE delivery SET state = ?4, at = ?5, attempts = attempts + ?6,
                     began = ?7, took = ?8, status = ?9, last = ?10
                 WHERE event = ?1 AND destination = ?2 AND fence = ?3 AND state = 1",
            )?
            .execute(params![
                event,
                destination,
                fence,
                state,
                at,
                spent,
                began,
                took,
                attempt.status,
                last
            ])?
        }
    };
    Ok(written > 0)
}

/// A success is three numbers, a failure its whole story.
pub(super) fn columns(attempt: &Attempt) -> (Option<i64>, Option<i64>, Option<Vec<u8>>) {
    if attempt.failure.is_some() || !attempt.detail.is_empty() {
        return (None, None, Some(encode_attempt(attempt)));
    }
    let took = i64::try_from(attempt.took.as_micros()).unwrap_or(i64::MAX);
    (Some(attempt.at.as_millisecond()), Some(took), None)
}

fn lease(
    conn: &Connection,
    cache: &mut Cache,
    want: &Want,
    destination: i64,
    now: i64,
    leases: &mut Vec<Lease>,
) -> Result<(), StoreError> {
    let due: Vec<(i64, i64, u32)> = conn
        .prepare_cached(
            "SELECT event, fence, attempts FROM delivery INDEXED BY delivery_due
             WHERE destination = ?1 AND state < 2 AND at <= ?2 ORDER BY at, event LIMIT ?3",
        )?
        .query_map(params![destination, now, limit(want.room)], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    let mut take = conn.prepare_cached(
        "UPDATE delivery SET state = ?3, at = ?4, fence = fence + 1 WHERE event = ?1 AND destination = ?2",
    )?;
    for (seq, fence, attempts) in due {
        let Some(event) = event(conn, cache, seq)? else {
            take.execute(params![seq, destination, state::PENDING, now.saturating_add(millis(REST))])?;
            continue;
        };
        take.execute(params![seq, destination, state::IN_FLIGHT, now.saturating_add(millis(want.lease))])?;
        leases.push(Lease {
            id: DeliveryId { event: event.id, destination: want.destination.clone() },
            event,
            fence: u64::try_from(fence + 1).unwrap_or_default(),
            attempts,
        });
    }
    Ok(())
}

/// How long until the earliest waiting delivery falls due.
fn next_due(conn: &Connection, destination: i64, now: i64) -> Result<Option<Duration>, StoreError> {
    let due: Option<i64> = conn
        .prepare_cached(
            "SELECT at FROM delivery INDEXED BY delivery_due
             WHERE destination = ?1 AND state < 2 AND state = 0 ORDER BY at LIMIT 1",
        )?
        .query_row([destination], |row| row.get(0))
        .optional()?;
    Ok(due.map(|due| Duration::from_millis(u64::try_from(due.saturating_sub(now)).unwrap_or_default())))
}

/// The event, from the cache or the file; `None` when its stored form cannot be read.
fn event(conn: &Connection, cache: &mut Cache, seq: i64) -> Result<Option<Arc<Event>>, StoreError> {
    if let Some(event) = cache.event(seq) {
        return Ok(Some(event.clone()));
    }
    let mut find = conn.prepare_cached("SELECT body FROM event WHERE seq = ?1")?;
    let body: Option<Vec<u8>> = find.query_row([seq], |row| row.get(0)).optional()?;
    match body.as_deref().map(decode_event) {
        Some(Ok(event)) => {
            let event = Arc::new(event);
            cache.note(seq, &event);
            Ok(Some(event))
        }
        Some(Err(error)) => {
            tracing::error!(event.seq = seq, %error, "an event cannot be read; its deliveries rest for an hour");
            Ok(None)
        }
        None => Ok(None),
    }
}

fn known_event(conn: &Connection, cache: &Cache, id: &EventId) -> Result<Option<i64>, StoreError> {
    if let Some(seq) = cache.number(id) {
        return Ok(Some(seq));
    }
    let mut find = conn.prepare_cached("SELECT seq FROM event WHERE id = ?1")?;
    Ok(find.query_row([id.as_bytes()], |row| row.get(0)).optional()?)
}

/// The number of a destination that any event ever went to.
pub(super) fn known_destination(
    conn: &Connection,
    cache: &mut Cache,
    name: &DestinationName,
) -> Result<Option<i64>, StoreError> {
    if let Some(id) = cache.destination(name) {
        return Ok(Some(id));
    }
    let mut find = conn.prepare_cached("SELECT id FROM destination WHERE name = ?1")?;
    let id = find.query_row([name.as_str()], |row| row.get(0)).optional()?;
    if let Some(id) = id {
        cache.note_destination(name, id);
    }
    Ok(id)
}

//! What the operator asks, in SQL. The readers run it, and the daemon's thread or the command line where it writes.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension as _, Row, params, params_from_iter};

use super::readers::unreadable;
use super::schema::state;
use super::upkeep::count;
use super::{instant, limit};
use crate::domain::account::AccountName;
use crate::domain::delivery::{Attempt, DeathReason, DeliveryId, State};
use crate::domain::event::{Event, EventId, EventType};
use crate::domain::route::DestinationName;
use crate::store::codec::{decode_attempt, decode_event, decode_reject};
use crate::store::{Counts, DeliveryFilter, DeliveryView, EventFilter, RejectView, StoreError};

/// Conditions that are joined by AND, with their values.
struct Where {
    sql: String,
    values: Vec<Value>,
}

impl Where {
    fn new(base: &str) -> Self {
        Self { sql: format!("{base} WHERE 1"), values: Vec::new() }
    }

    /// A condition with one `?`.
    fn and(&mut self, condition: &str, value: impl Into<Value>) {
        self.sql.push_str(" AND ");
        self.sql.push_str(condition);
        self.values.push(value.into());
    }

    fn and_in(&mut self, column: &str, values: Vec<Value>) {
        let marks = vec!["?"; values.len()].join(",");
        self.sql.extend([" AND ", column, " IN (", &marks, ")"]);
        self.values.extend(values);
    }

    fn end(mut self, order: &str, items: usize) -> Self {
        self.sql.extend([" ORDER BY ", order, " LIMIT ?"]);
        self.values.push(limit(items).into());
        self
    }
}

/// Events, newest first.
pub(super) fn events(conn: &Connection, filter: &EventFilter) -> Result<Vec<Arc<Event>>, StoreError> {
    let mut wanted = Where::new("SELECT body FROM event");
    if let Some(account) = &filter.account {
        wanted.and("account = (SELECT id FROM account WHERE name = ?)", account.as_str().to_owned());
    }
    if !filter.patterns.is_empty() {
        let is_asked = |kind: &EventType| filter.patterns.iter().any(|pattern| pattern.matches(*kind));
        let kinds = EventType::ALL.into_iter().filter(is_asked);
        wanted.and_in("kind", kinds.map(|kind| kind.as_str().to_owned().into()).collect());
    }
    if let Some(since) = filter.since {
        wanted.and("detected >= ?", since.as_millisecond());
    }
    if let Some(until) = filter.until {
        wanted.and("detected < ?", until.as_millisecond());
    }
    let wanted = wanted.end("seq DESC", filter.limit);
    let mut statement = conn.prepare_cached(&wanted.sql)?;
    let mut rows = statement.query(params_from_iter(wanted.values))?;
    let mut events = Vec::new();
    while let Some(row) = rows.next()? {
        events.push(Arc::new(decode_event(blob(row, 0)?).map_err(unreadable)?));
    }
    Ok(events)
}

/// An event and its deliveries.
pub(super) type Shown = (Arc<Event>, Vec<DeliveryView>);

/// One event with its deliveries.
pub(super) fn event(conn: &Connection, id: EventId) -> Result<Option<Shown>, StoreError> {
    let mut find = conn.prepare_cached("SELECT body FROM event WHERE id = ?1")?;
    let body: Option<Vec<u8>> = find.query_row([id.as_bytes()], |row| row.get(0)).optional()?;
    let Some(body) = body else { return Ok(None) };
    let event = Arc::new(decode_event(&body).map_err(unreadable)?);
    let of = DeliveryFilter { event: Some(id), limit: usize::MAX, ..DeliveryFilter::default() };
    let mut views = deliveries(conn, &of)?;
    views.sort_by(|a, b| a.id.destination.cmp(&b.id.destination));
    Ok(Some((event, views)))
}

/// The conditions of a filter over `delivery d` and `event e`.
fn matching(base: &str, filter: &DeliveryFilter, allowed: &[i64]) -> Where {
    let mut wanted = Where::new(base);
    if let Some(event) = &filter.event {
        wanted.and("d.event = (SELECT seq FROM event WHERE id = ?)", event.as_bytes().to_vec());
    }
    if let Some(destination) = &filter.destination {
        wanted.and("d.destination = (SELECT id FROM destination WHERE name = ?)", destination.as_str().to_owned());
    }
    if let Some(since) = filter.since {
        wanted.and("e.detected >= ?", since.as_millisecond());
    }
    if let Some(until) = filter.until {
        wanted.and("e.detected < ?", until.as_millisecond());
    }
    let asked = |state: &i64| filter.states.is_empty() || filter.states.contains(&name_of(*state));
    let states: Vec<i64> = allowed.iter().copied().filter(asked).collect();
    if states.iter().all(|state| *state > state::DELIVERED) {
        // Said so that the small index of held and dead ones can be used.
        wanted.sql.push_str(" AND d.state > 2");
    }
    wanted.and_in("d.state", states.into_iter().map(Value::from).collect());
    wanted
}

/// Deliveries, newest event first.
pub(super) fn deliveries(conn: &Connection, filter: &DeliveryFilter) -> Result<Vec<DeliveryView>, StoreError> {
    const BASE: &str = "SELECT e.id, n.name, d.state, d.at, d.attempts, d.began, d.took, d.status, d.last, e.detected
        FROM delivery d CROSS JOIN event e ON e.seq = d.event CROSS JOIN destination n ON n.id = d.destination";
    let wanted = matching(BASE, filter, &ALL).end("d.event DESC, d.destination DESC", filter.limit);
    let mut statement = conn.prepare_cached(&wanted.sql)?;
    let mut rows = statement.query(params_from_iter(wanted.values))?;
    let mut views = Vec::new();
    while let Some(row) = rows.next()? {
        views.push(view(row)?);
    }
    Ok(views)
}

/// Gives a second chance; see [`crate::store::Archive::requeue`].
pub(super) fn requeue(conn: &Connection, filter: &DeliveryFilter, dry_run: bool, now: i64) -> Result<u64, StoreError> {
    const BASE: &str = "SELECT d.event, d.destination FROM delivery d CROSS JOIN event e ON e.seq = d.event";
    let allowed = [state::PENDING, state::DELIVERED, state::EXHAUSTED, state::REFUSED];
    let wanted = matching(BASE, filter, &allowed).end("d.event DESC, d.destination DESC", filter.limit);
    let chosen: Vec<(i64, i64)> = conn
        .prepare_cached(&wanted.sql)?
        .query_map(params_from_iter(wanted.values), |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    if !dry_run {
        let mut turn = conn.prepare_cached(
            "UPDATE delivery SET state = 0, at = ?3, attempts = iif(state = 0, attempts, 0)
             WHERE event = ?1 AND destination = ?2",
        )?;
        for (event, destination) in &chosen {
            turn.execute(params![event, destination, now])?;
        }
    }
    Ok(count(chosen.len()))
}

/// Lets held deliveries go; see [`crate::store::Archive::release_held`].
pub(super) fn release_held(
    conn: &Connection,
    account: Option<&AccountName>,
    dry_run: bool,
    now: i64,
) -> Result<u64, StoreError> {
    const HELD: &str = "state > 2 AND state = 3 AND (?1 IS NULL OR
        (SELECT account FROM event WHERE seq = event) = (SELECT id FROM account WHERE name = ?1))";
    let account = account.map(AccountName::as_str);
    if dry_run {
        let sql = format!("SELECT count(*) FROM delivery WHERE {HELD}");
        let held: i64 = conn.prepare_cached(&sql)?.query_row([account], |row| row.get(0))?;
        return Ok(u64::try_from(held).unwrap_or_default());
    }
    let sql = format!("UPDATE delivery SET state = 0, at = ?2 WHERE {HELD}");
    Ok(count(conn.prepare_cached(&sql)?.execute(params![account, now])?))
}

/// Rejects, newest first.
pub(super) fn rejects(
    conn: &Connection,
    account: Option<&AccountName>,
    items: usize,
) -> Result<Vec<RejectView>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT a.name, r.first_seen, r.body FROM reject r JOIN account a ON a.id = r.account
         WHERE ?1 IS NULL OR a.name = ?1 ORDER BY r.first_seen DESC, r.rowid DESC LIMIT ?2",
    )?;
    let mut rows = statement.query(params![account.map(AccountName::as_str), limit(items)])?;
    let mut views = Vec::new();
    while let Some(row) = rows.next()? {
        views.push(RejectView {
            account: AccountName::new(text(row, 0)?),
            first_seen: instant(row.get(1)?),
            reject: decode_reject(blob(row, 2)?).map_err(unreadable)?,
        });
    }
    Ok(views)
}

/// How many of what.
pub(super) fn counts(conn: &Connection) -> Result<Counts, StoreError> {
    let number = |sql: &str| -> Result<u64, StoreError> {
        let number: i64 = conn.prepare_cached(sql)?.query_row((), |row| row.get(0))?;
        Ok(u64::try_from(number).unwrap_or_default())
    };
    Ok(Counts {
        events: number("SELECT count(*) FROM event")?,
        pending: number("SELECT count(*) FROM delivery INDEXED BY delivery_due WHERE state < 2")?,
        held: number("SELECT count(*) FROM delivery INDEXED BY delivery_stuck WHERE state > 2 AND state = 3")?,
        dead: number("SELECT count(*) FROM delivery INDEXED BY delivery_stuck WHERE state > 2 AND state > 3")?,
        rejects: number("SELECT count(*) FROM reject")?,
    })
}

const ALL: [i64; 6] =
    [state::PENDING, state::IN_FLIGHT, state::DELIVERED, state::HELD, state::EXHAUSTED, state::REFUSED];

/// The state as the domain says it.
pub(super) fn state_of(number: i64, at: i64) -> State {
    let at = instant(at);
    match number {
        state::PENDING => State::Pending { due: at },
        state::IN_FLIGHT => State::InFlight { until: at },
        state::DELIVERED => State::Delivered { at },
        state::HELD => State::Held,
        state::EXHAUSTED => State::Dead { at, reason: DeathReason::Exhausted },
        _ => State::Dead { at, reason: DeathReason::Refused },
    }
}

fn name_of(number: i64) -> &'static str {
    state_of(number, 0).as_str()
}

fn view(row: &Row<'_>) -> Result<DeliveryView, StoreError> {
    let event = EventId::from_bytes(row.get(0)?);
    Ok(DeliveryView {
        id: DeliveryId { event, destination: DestinationName::new(text(row, 1)?) },
        state: state_of(row.get(2)?, row.get(3)?),
        attempts: row.get(4)?,
        last: last_attempt(row, 5)?,
        detected_at: instant(row.get(9)?),
    })
}

/// The last attempt, whose four columns begin at `first`.
pub(super) fn last_attempt(row: &Row<'_>, first: usize) -> Result<Option<Attempt>, StoreError> {
    let last: Option<Vec<u8>> = row.get(first + 3)?;
    Ok(match (last, row.get::<_, Option<i64>>(first)?) {
        (Some(stored), _) => Some(decode_attempt(&stored).map_err(unreadable)?),
        (None, Some(began)) => Some(Attempt {
            at: instant(began),
            took: Duration::from_micros(u64::try_from(row.get::<_, i64>(first + 1)?).unwrap_or_default()),
            failure: None,
            status: row.get(first + 2)?,
            detail: String::new(),
        }),
        (None, None) => None,
    })
}

/// A column's bytes.
pub(super) fn blob<'a>(row: &'a Row<'_>, column: usize) -> Result<&'a [u8], StoreError> {
    Ok(row.get_ref(column)?.as_blob().map_err(rusqlite::Error::from)?)
}

/// A column's text.
pub(super) fn text<'a>(row: &'a Row<'_>, column: usize) -> Result<&'a str, StoreError> {
    Ok(row.get_ref(column)?.as_str().map_err(rusqlite::Error::from)?)
}

//! All that is kept under our prefix, in pages.

use std::sync::Arc;

use jiff::Timestamp;
use redis::Value;

use super::super::keys::{ACCOUNTS, DELIVERIES, EVENTS, LOG, REJECTS, REJECTS_BY_AGE};
use super::super::record::{self, Member};
use super::super::scan::fetch;
use super::super::{RedisStore, ledger, reply};
use crate::domain::account::AccountName;
use crate::domain::event::EventId;
use crate::store::codec::{CodecError, decode_event, decode_reject, decode_state};
use crate::store::copy::{DeliveryRecord, EventRecord, LedgerRecord, Page, Record, RejectRecord};
use crate::store::{Payouts as _, StoreError, VersionedState, Watches as _};

/// Entries that are read from each shard for one page.
const PAGE: usize = 128;
/// Keys that one step of the walk through all keys looks at: each may be a large ledger.
const KEYS: usize = 10;

fn damaged_mark() -> StoreError {
    StoreError::Unusable("the mark of the copy is damaged".to_owned())
}

/// The server's time.
pub(super) async fn now(store: &RedisStore) -> Result<Timestamp, StoreError> {
    let servers = store.link.servers().await?;
    let first = servers.first().ok_or_else(damaged_mark)?;
    let [seconds, micros] = reply::exactly(first.ask(redis::cmd("TIME")).await?)?;
    let micros = reply::integer(&seconds)?.saturating_mul(1_000_000).saturating_add(reply::integer(&micros)?);
    Ok(Timestamp::from_microsecond(micros).unwrap_or(Timestamp::MAX))
}

/// The states, a shard a page.
pub(super) async fn accounts(store: &RedisStore, from: &str) -> Result<Page, StoreError> {
    let shard: u16 = if from.is_empty() { 0 } else { from.parse().map_err(|_| damaged_mark())? };
    let key = store.keys.at(shard, ACCOUNTS);
    let mut command = redis::cmd("HGETALL");
    command.arg(&key);
    let mut records = Vec::new();
    for (name, value) in reply::pairs(store.link.ask_one(command).await?)? {
        let damaged = |_| reply::unreadable(&key, CodecError::Damaged("account state"));
        let bytes = reply::bytes(value)?;
        let (version, state) = reply::split(&bytes).map_err(damaged)?;
        let version = reply::parse(version).map_err(damaged)?;
        let state = decode_state(state).map_err(|error| reply::unreadable(&key, error))?;
        records.push(Record::Account(AccountName::new(&reply::text(name)?), VersionedState { version, state }));
    }
    Ok(Page { records, next: (shard + 1 < store.keys.shards()).then(|| (shard + 1).to_string()) })
}

/// Ledgers, found by a walk through all keys.
pub(super) async fn ledgers(store: &RedisStore, from: &str) -> Result<Page, StoreError> {
    let (keys, next) = walk(store, &store.keys.every_ledger(), from).await?;
    let mut records = Vec::new();
    for key in keys {
        records.extend(one_ledger(store, &key).await?.map(Record::Ledger));
    }
    Ok(Page { records, next })
}

/// The watches of accounts, found likewise.
pub(super) async fn watches(store: &RedisStore, from: &str) -> Result<Page, StoreError> {
    let (keys, next) = walk(store, &store.keys.every_watchlist(), from).await?;
    let mut records = Vec::new();
    for account in keys.iter().filter_map(|key| store.keys.watched_account(key)) {
        let list = store.watches(&account).await?;
        records.push(Record::Watches(account, list));
    }
    Ok(Page { records, next })
}

/// The cash-outs of accounts, found likewise.
pub(super) async fn payouts(store: &RedisStore, from: &str) -> Result<Page, StoreError> {
    let (keys, next) = walk(store, &store.keys.every_payouts(), from).await?;
    let mut records = Vec::new();
    for account in keys.iter().filter_map(|key| store.keys.paying_account(key)) {
        let of_it = store.payouts(&account).await?;
        records.extend(of_it.into_iter().map(|payout| Record::Payout(account.clone(), payout)));
    }
    Ok(Page { records, next })
}

/// The next keys that fit a pattern, server after server: `from` is the number of the server and its own cursor. What moves
/// to another server meanwhile may be met twice or not at all; the comparison in the end tells.
async fn walk(store: &RedisStore, pattern: &str, from: &str) -> Result<(Vec<String>, Option<String>), StoreError> {
    let mut servers = store.link.servers().await?;
    servers.sort_by_key(super::super::link::Server::place);
    let (number, cursor) = from.split_once(' ').unwrap_or(("0", "0"));
    let number: usize = number.parse().map_err(|_| damaged_mark())?;
    let server = servers.get(number).ok_or_else(damaged_mark)?;
    let mut cursor = cursor.to_owned();
    loop {
        let mut command = redis::cmd("SCAN");
        command.arg(&cursor).arg("MATCH").arg(pattern).arg("COUNT").arg(KEYS);
        let [next, found] = reply::exactly(server.ask(command).await?)?;
        cursor = reply::text(next)?;
        let keys = reply::list(found)?.into_iter().map(reply::text).collect::<Result<Vec<_>, _>>()?;
        let is_over = cursor == "0";
        if is_over || !keys.is_empty() {
            let next = match (is_over, number + 1 < servers.len()) {
                (false, _) => Some(format!("{number} {cursor}")),
                (true, true) => Some(format!("{} 0", number + 1)),
                (true, false) => None,
            };
            return Ok((keys, next));
        }
    }
}

/// `None`: it is not ours, or its time ended just now.
async fn one_ledger(store: &RedisStore, key: &str) -> Result<Option<LedgerRecord>, StoreError> {
    let Some((account, partition)) = store.keys.ledger_of(key) else { return Ok(None) };
    let mut content = redis::cmd("HGETALL");
    content.arg(key);
    let mut rest = redis::cmd("PTTL");
    rest.arg(key);
    let now = now(store).await?;
    let mut values = store.link.ask([content, rest]).await?.into_iter();
    let read = ledger::read(key, values.next().unwrap_or_default())?;
    let rest = reply::integer(&values.next().unwrap_or(Value::Int(0)))?;
    let expires = now.as_millisecond().saturating_add(rest.max(0));
    Ok(read.map(|(version, rows)| LedgerRecord {
        account,
        key: partition,
        version,
        expires: Timestamp::from_millisecond(expires).unwrap_or(Timestamp::MAX),
        rows,
    }))
}

/// A sorted list in all shards read as one, the oldest first. `from` has the rank in each shard.
async fn merged(
    store: &RedisStore,
    what: &str,
    from: &str,
) -> Result<(Vec<(i64, Vec<u8>, u16)>, Option<String>), StoreError> {
    let shards = usize::from(store.keys.shards());
    let mut ranks: Vec<usize> = if from.is_empty() {
        vec![0; shards]
    } else {
        from.split(',').map(str::parse).collect::<Result<_, _>>().map_err(|_| damaged_mark())?
    };
    if ranks.len() != shards {
        return Err(damaged_mark());
    }
    let commands = store.keys.all().zip(&ranks).map(|(shard, rank)| {
        let mut command = redis::cmd("ZRANGE");
        command.arg(store.keys.at(shard, what)).arg(*rank).arg(rank + PAGE - 1).arg("WITHSCORES");
        command
    });
    let mut found = Vec::new();
    // Beyond the last entry of a shard that has more, the other shards' entries wait for the next page.
    let mut horizon: Option<(i64, Vec<u8>, u16)> = None;
    for (shard, value) in store.keys.all().zip(store.link.ask(commands).await?) {
        let entries = reply::pairs(value)?;
        let is_full = entries.len() == PAGE;
        for (member, score) in entries {
            found.push((reply::parse(reply::text(score)?.as_bytes())?, reply::bytes(member)?, shard));
        }
        let last = found.last().filter(|_| is_full);
        if let Some(last) = last.filter(|last| horizon.as_ref().is_none_or(|horizon| *last < horizon)) {
            horizon = Some(last.clone());
        }
    }
    found.sort();
    if let Some(horizon) = &horizon {
        found.retain(|entry| entry <= horizon);
    }
    for (_, _, shard) in &found {
        if let Some(rank) = ranks.get_mut(usize::from(*shard)) {
            *rank += 1;
        }
    }
    let next = horizon.map(|_| ranks.iter().map(ToString::to_string).collect::<Vec<_>>().join(","));
    Ok((found, next))
}

/// Events with their deliveries.
pub(super) async fn events(store: &RedisStore, from: &str) -> Result<Page, StoreError> {
    let (found, next) = merged(store, LOG, from).await?;
    let ids: Vec<(u16, EventId)> =
        found.iter().filter_map(|(_, member, shard)| Some((*shard, Member::read(member)?.event))).collect();
    let fields: Vec<(u16, &[u8])> = ids.iter().map(|(shard, id)| (*shard, id.as_bytes().as_slice())).collect();
    let events = fetch(store, EVENTS, &fields).await?;
    let deliveries = fetch(store, DELIVERIES, &fields).await?;
    let mut records = Vec::with_capacity(ids.len());
    for (((shard, id), event), deliveries) in ids.iter().zip(events).zip(deliveries) {
        let (Some(event), Some(bytes)) = (event, deliveries) else { continue };
        let key = |what| store.keys.at(*shard, what);
        let event = decode_event(&event).map_err(|error| reply::unreadable(&key(EVENTS), error))?;
        let record = record::read(*id, &bytes)?;
        let fences = record.fences;
        let delivery = |(view, fence): (crate::store::DeliveryView, u32)| DeliveryRecord {
            destination: view.id.destination,
            state: view.state,
            attempts: view.attempts,
            fence,
            last: view.last,
        };
        records.push(Record::Event(EventRecord {
            owner: AccountName::new(&record.account),
            event: Arc::new(event),
            deliveries: record.deliveries.into_iter().zip(fences).map(delivery).collect(),
        }));
    }
    Ok(Page { records, next })
}

/// Rejects.
pub(super) async fn rejects(store: &RedisStore, from: &str) -> Result<Page, StoreError> {
    let (found, next) = merged(store, REJECTS_BY_AGE, from).await?;
    let fields: Vec<(u16, &[u8])> = found.iter().map(|(_, member, shard)| (*shard, member.as_slice())).collect();
    let values = fetch(store, REJECTS, &fields).await?;
    let mut records = Vec::with_capacity(values.len());
    for ((age, member, shard), bytes) in found.iter().zip(values) {
        let key = store.keys.at(*shard, REJECTS);
        // Eight bytes of fingerprint, then the account.
        let name = member.split_at_checked(8).and_then(|(_, name)| std::str::from_utf8(name).ok());
        let (Some(name), Some(bytes)) = (name, bytes) else { continue };
        let (_, reject) = reply::split(&bytes)?;
        records.push(Record::Reject(RejectRecord {
            account: AccountName::new(name),
            first_seen: Timestamp::from_microsecond(*age).unwrap_or(Timestamp::MIN),
            reject: decode_reject(reject).map_err(|error| reply::unreadable(&key, error))?,
        }));
    }
    Ok(Page { records, next })
}

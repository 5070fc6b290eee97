//! Writing what a copy brings.

use std::collections::BTreeMap;

use redis::Cmd;

use super::super::commit::Numbered;
use super::super::keys::{
    ACCOUNTS, DEAD, DELIVERIES, DESTINATIONS, EVENTS, HELD, LOG, REJECTS, REJECTS_BY_AGE, SEQUENCE, SETTLED,
};
use super::super::{RedisStore, ledger, record};
use crate::domain::account::AccountName;
use crate::domain::delivery::State;
use crate::store::codec::{encode_event, encode_payout, encode_reject, encode_state, encode_watch};
use crate::store::copy::{EventRecord, LedgerRecord, Record};
use crate::store::{StoreError, Watchlist};

/// The keys of a call of `load.lua` before those of the destinations.
const PARTS: [&str; 8] = [DELIVERIES, EVENTS, LOG, SETTLED, HELD, DEAD, SEQUENCE, DESTINATIONS];
/// Groups of rows that one command writes.
const GROUPS: usize = 500;

/// Writes records.
///
/// # Errors
/// See [`StoreError`].
pub(super) async fn load(store: &RedisStore, records: Vec<Record>) -> Result<(), StoreError> {
    let mut commands = Vec::new();
    let mut events: BTreeMap<u16, Vec<EventRecord>> = BTreeMap::new();
    for record in records {
        match record {
            Record::Account(name, state) => {
                let mut value = format!("{}:", state.version).into_bytes();
                value.extend(encode_state(&state.state));
                let mut command = redis::cmd("HSET");
                command.arg(store.keys.at(store.keys.shard_of(&name), ACCOUNTS)).arg(name.as_str()).arg(value);
                commands.push(command);
            }
            Record::Ledger(ledger) => write_ledger(store, &ledger).await?,
            Record::Watches(account, list) => write_watches(store, &account, &list).await?,
            Record::Payout(account, payout) => {
                let mut put = redis::cmd("HSET");
                put.arg(store.keys.payouts(&account)).arg(&payout.reference).arg(encode_payout(&payout));
                commands.push(put);
            }
            Record::Event(record) => events.entry(store.keys.shard_of(&record.owner)).or_default().push(record),
            Record::Reject(record) => {
                let shard = store.keys.shard_of(&record.account);
                let age = record.first_seen.as_microsecond();
                let mut field = record.reject.fingerprint.to_be_bytes().to_vec();
                field.extend_from_slice(record.account.as_str().as_bytes());
                let mut value = format!("{age}:").into_bytes();
                value.extend(encode_reject(&record.reject));
                let mut put = redis::cmd("HSET");
                put.arg(store.keys.at(shard, REJECTS)).arg(&field).arg(value);
                let mut list = redis::cmd("ZADD");
                list.arg(store.keys.at(shard, REJECTS_BY_AGE)).arg(age).arg(field);
                commands.extend([put, list]);
            }
        }
    }
    if !commands.is_empty() {
        store.link.ask(commands).await?;
    }
    for (shard, records) in events {
        store.link.run(&store.scripts.load, write_events(store, shard, &records)).await?;
    }
    Ok(())
}

/// Begins the ledger anew, so that half of one is of no harm; its header comes last.
async fn write_ledger(store: &RedisStore, record: &LedgerRecord) -> Result<(), StoreError> {
    let key = store.keys.ledger_named(&record.account, &record.key);
    let (header, groups) = ledger::groups(record.version, &record.rows);
    let put = || {
        let mut command = redis::cmd("HSET");
        command.arg(&key);
        command
    };
    let mut clear = redis::cmd("DEL");
    clear.arg(&key);
    store.link.ask_one(clear).await?;
    for chunk in groups.chunks(GROUPS) {
        let mut command = put();
        for (number, group) in chunk {
            command.arg(*number).arg(group);
        }
        store.link.ask_one(command).await?;
    }
    let mut head = put();
    head.arg("").arg(header);
    let mut end = redis::cmd("PEXPIREAT");
    end.arg(&key).arg(record.expires.as_millisecond());
    store.link.ask([head, end]).await.map(drop)
}

/// Begins the watches of an account anew; their version comes last.
async fn write_watches(store: &RedisStore, account: &AccountName, list: &Watchlist) -> Result<(), StoreError> {
    let key = store.keys.watches(account);
    let mut clear = redis::cmd("DEL");
    clear.arg(&key);
    store.link.ask_one(clear).await?;
    for some in list.watches.chunks(GROUPS) {
        let mut put = redis::cmd("HSET");
        put.arg(&key);
        for watch in some {
            put.arg(watch.id.to_string()).arg(encode_watch(watch));
        }
        store.link.ask_one(put).await?;
    }
    let mut head = redis::cmd("HSET");
    head.arg(&key).arg("").arg(list.version);
    store.link.ask_one(head).await.map(drop)
}

/// One call of `load.lua`.
fn write_events(store: &RedisStore, shard: u16, records: &[EventRecord]) -> Cmd {
    let mut names = Numbered::default();
    for delivery in records.iter().flat_map(|record| &record.deliveries) {
        names.number(&delivery.destination);
    }
    let mut keys = PARTS.map(|part| store.keys.at(shard, part)).to_vec();
    for name in names.names() {
        keys.extend([store.keys.due(shard, name), store.keys.running(shard, name)]);
    }
    let mut call = store.scripts.load.call(&keys);
    call.arg(names.names().len());
    for name in names.names() {
        call.arg(name.as_str());
    }
    call.arg(records.len());
    for record in records {
        let detected = record.event.detected_at;
        call.arg(record.event.id.as_bytes().as_slice()).arg(encode_event(&record.event));
        call.arg(record::rest_of_copied(record)).arg(detected.as_microsecond());
        match settled_at(record) {
            Some(at) => call.arg(at),
            None => call.arg(""),
        };
        call.arg(record.deliveries.iter().filter(|delivery| place(&delivery.state, 0).is_some()).count());
        for delivery in &record.deliveries {
            if let Some((list, score)) = place(&delivery.state, detected.as_microsecond()) {
                call.arg(list).arg(names.number(&delivery.destination)).arg(score);
            }
        }
    }
    call
}

/// The list that a delivery stands in, and its score there.
fn place(state: &State, detected: i64) -> Option<(&'static str, i64)> {
    match state {
        State::Pending { due } => Some(("due", due.as_millisecond())),
        State::InFlight { until } => Some(("running", until.as_millisecond())),
        State::Held => Some(("held", detected)),
        State::Dead { .. } => Some(("dead", detected)),
        State::Delivered { .. } => None,
    }
}

/// When the last delivery was settled, if all are.
fn settled_at(record: &EventRecord) -> Option<i64> {
    let mut latest = record.event.detected_at.as_millisecond();
    for delivery in &record.deliveries {
        match &delivery.state {
            State::Delivered { at } | State::Dead { at, .. } => latest = latest.max(at.as_millisecond()),
            State::Pending { .. } | State::InFlight { .. } | State::Held => return None,
        }
    }
    Some(latest)
}

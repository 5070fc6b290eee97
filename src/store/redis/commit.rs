//! Reading and writing what an account remembers: ledgers, state, new events.

use std::collections::HashMap;
use std::time::Duration;

use redis::{Cmd, Value};

use super::{RedisStore, keys, ledger, record, reply};
use crate::domain::account::AccountName;
use crate::domain::route::DestinationName;
use crate::store::codec::{CodecError, decode_state, encode_event, encode_reject, encode_state};
use crate::store::{Commit, Committed, StoreError, VersionedState};

/// Most rejects that a shard keeps; newer ones are counted as known until a sweep makes room.
const MOST_REJECTS: u32 = 10_000;
/// The longest time that is handed to Redis: a century. Longer ones overflow its sum of times.
const CENTURY: Duration = Duration::from_secs(100 * 366 * 86_400);

/// Milliseconds, as scripts take them.
pub(super) fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.min(CENTURY).as_millis()).unwrap_or(u64::MAX)
}

/// The state of an account.
///
/// # Errors
/// See [`StoreError`].
pub(super) async fn account(store: &RedisStore, account: &AccountName) -> Result<VersionedState, StoreError> {
    let mut command = redis::cmd("HGET");
    let key = store.keys.at(store.keys.shard_of(account), keys::ACCOUNTS);
    command.arg(&key).arg(account.as_str());
    let Some(bytes) = reply::maybe_bytes(store.link.ask_one(command).await?)? else {
        return Ok(VersionedState::default());
    };
    let damaged = |_| reply::unreadable(&key, CodecError::Damaged("account state"));
    let (version, state) = reply::split(&bytes).map_err(damaged)?;
    let state = decode_state(state).map_err(|error| reply::unreadable(&key, error))?;
    Ok(VersionedState { version: reply::parse(version).map_err(damaged)?, state })
}

/// Writes all of it or nothing.
///
/// # Errors
/// See [`StoreError`].
pub(super) async fn commit(store: &RedisStore, commit: &Commit) -> Result<Committed, StoreError> {
    let value = store.link.run(&store.scripts.commit, call(store, commit)).await?;
    let values = reply::list(value)?;
    let [_, created, rejected] = match <[Value; 3]>::try_from(values) {
        Ok(done) => done,
        Err(refusal) => return refused(store, commit, &refusal),
    };
    let created = reply::list(created)?;
    if !created.is_empty() {
        store.hints.set(store.keys.shard_of(&commit.account), true);
    }
    let created = created
        .iter()
        .map(|number| Ok(reply::nth(&commit.announcements, reply::place(number)?)?.event.id))
        .collect::<Result<_, StoreError>>()?;
    let rejected = reply::list(rejected)?
        .iter()
        .map(|number| Ok(reply::nth(&commit.rejects, reply::place(number)?)?.fingerprint))
        .collect::<Result<_, StoreError>>()?;
    Ok(Committed::Done { created, rejected })
}

/// A conflict is one number alone; with another one beside it, the first is that of a ledger that cannot be read.
fn refused(store: &RedisStore, commit: &Commit, refusal: &[Value]) -> Result<Committed, StoreError> {
    let [number, _] = refusal else { return Ok(Committed::Conflict) };
    let key = store.keys.ledger(&reply::nth(&commit.ledgers, reply::place(number)?)?.partition);
    Err(reply::unreadable(&key, CodecError::Damaged("ledger")))
}

/// Destinations by the number that stands for them in a call, from 1.
#[derive(Default)]
pub(super) struct Numbered<'a> {
    names: Vec<&'a DestinationName>,
    numbers: HashMap<&'a DestinationName, usize>,
}

impl<'a> Numbered<'a> {
    /// The number of a name, given if it has none.
    pub(super) fn number(&mut self, name: &'a DestinationName) -> usize {
        *self.numbers.entry(name).or_insert_with(|| {
            self.names.push(name);
            self.names.len()
        })
    }

    /// In the order of their numbers.
    pub(super) fn names(&self) -> &[&'a DestinationName] {
        &self.names
    }
}

fn call(store: &RedisStore, commit: &Commit) -> Cmd {
    let shard = store.keys.shard_of(&commit.account);
    let mut destinations = Numbered::default();
    let routes: Vec<Vec<usize>> = commit
        .announcements
        .iter()
        .map(|announcement| {
            let mut route: Vec<usize> = Vec::with_capacity(announcement.destinations.len());
            for name in &announcement.destinations {
                let number = destinations.number(name);
                // Named twice is told once.
                if !route.contains(&number) {
                    route.push(number);
                }
            }
            route
        })
        .collect();

    let mut command = store.scripts.commit.call(&all_keys(store, commit, shard, destinations.names()));
    command
        .arg(commit.account.as_str())
        .arg(commit.ledgers.len())
        .arg(destinations.names().len())
        .arg(milliseconds(commit.remember).max(1));
    match &commit.state {
        Some((expected, state)) => {
            let mut value = format!("{}:", expected.saturating_add(1)).into_bytes();
            value.extend(encode_state(state));
            command.arg(*expected).arg(value);
        }
        None => {
            command.arg("").arg("");
        }
    }
    command.arg(commit.announcements.len()).arg(commit.rejects.len()).arg(MOST_REJECTS);
    for name in destinations.names() {
        command.arg(name.as_str());
    }
    for write in &commit.ledgers {
        ledger::add_write(&mut command, write);
    }
    add_announcements(&mut command, commit, destinations.names(), &routes);
    for reject in &commit.rejects {
        let mut field = reject.fingerprint.to_be_bytes().to_vec();
        field.extend_from_slice(commit.account.as_str().as_bytes());
        command.arg(field).arg(encode_reject(reject));
    }
    command
}

fn all_keys(store: &RedisStore, commit: &Commit, shard: u16, destinations: &[&DestinationName]) -> Vec<String> {
    [
        keys::ACCOUNTS,
        keys::EVENTS,
        keys::DELIVERIES,
        keys::LOG,
        keys::SETTLED,
        keys::HELD,
        keys::REJECTS,
        keys::REJECTS_BY_AGE,
        keys::SEQUENCE,
        keys::DESTINATIONS,
    ]
    .into_iter()
    .map(|what| store.keys.at(shard, what))
    .chain(commit.ledgers.iter().map(|ledger| store.keys.ledger(&ledger.partition)))
    .chain(destinations.iter().map(|name| store.keys.due(shard, name)))
    .collect()
}

fn add_announcements(command: &mut Cmd, commit: &Commit, names: &[&DestinationName], routes: &[Vec<usize>]) {
    for announcement in &commit.announcements {
        command.arg(announcement.event.id.as_bytes().as_slice()).arg(encode_event(&announcement.event));
    }
    for (announcement, route) in commit.announcements.iter().zip(routes) {
        let detected = announcement.event.detected_at;
        let destinations: Vec<_> = route.iter().filter_map(|number| names.get(number - 1).copied()).collect();
        command.arg(detected.as_microsecond()).arg(record::rest_of_new(
            detected,
            commit.account.as_str(),
            &destinations,
            announcement.held,
        ));
    }
    for (announcement, route) in commit.announcements.iter().zip(routes) {
        command.arg(u8::from(announcement.held)).arg(route.len());
        for number in route {
            command.arg(*number);
        }
    }
}

//! What happens beside the work: reclaiming, reviving, sweeping.

use std::collections::BTreeMap;
use std::time::Duration;

use super::commit::{Numbered, milliseconds};
use super::keys::{DEAD, DELIVERIES, DESTINATIONS, EVENTS, HELD, LOG, REJECTS, REJECTS_BY_AGE, SETTLED};
use super::record::Member;
use super::{RedisStore, reply};
use crate::domain::event::EventId;
use crate::domain::route::DestinationName;
use crate::store::{StoreError, Swept};

/// Most events and most rejects that a sweep removes from one shard; a script holds up everyone.
const SWEPT_AT_ONCE: u32 = 500;
/// Most deliveries that one call of the script revives.
const REVIVED_AT_ONCE: usize = 500;

/// Removes what is old, from every shard a bounded number. Ledgers expire by themselves and are not counted.
///
/// # Errors
/// See [`StoreError`].
pub(super) async fn sweep(store: &RedisStore, retention: Duration) -> Result<Swept, StoreError> {
    let parts = [SETTLED, LOG, EVENTS, DELIVERIES, DEAD, REJECTS, REJECTS_BY_AGE];
    let calls = store.keys.all().map(|shard| {
        let mut call = store.scripts.sweep.call(&parts.map(|part| store.keys.at(shard, part)));
        call.arg(milliseconds(retention)).arg(SWEPT_AT_ONCE);
        call
    });
    let mut swept = Swept::default();
    for value in store.link.run_all(&store.scripts.sweep, calls.collect()).await? {
        let [events, rejects] = reply::exactly(value)?;
        swept.events += reply::count(&events)?;
        swept.rejects += reply::count(&rejects)?;
    }
    Ok(swept)
}

/// Why deliveries may be made due.
#[derive(Clone, Copy, Debug)]
pub(super) enum Revival {
    /// Dead, delivered and pending ones: the operator asks.
    Requeue,
    /// Held ones: the operator lets go.
    Release,
    /// Those in flight under our own name: we died.
    Reclaim,
}

impl Revival {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Requeue => "requeue",
            Self::Release => "release",
            Self::Reclaim => "reclaim",
        }
    }
}

/// Deliveries by shard, in the order of the facts.
pub(super) type Chosen = BTreeMap<u16, Vec<(EventId, DestinationName)>>;

/// Makes chosen deliveries due now, as far as their states still allow it. Returns how many.
///
/// # Errors
/// See [`StoreError`].
pub(super) async fn revive(store: &RedisStore, why: Revival, chosen: &Chosen) -> Result<u64, StoreError> {
    let mut revived = 0;
    for (shard, items) in chosen {
        for items in items.chunks(REVIVED_AT_ONCE) {
            let mut names = Numbered::default();
            let numbers: Vec<_> = items.iter().map(|(_, name)| names.number(name)).collect();
            let mut keys = [DELIVERIES, HELD, DEAD, SETTLED].map(|part| store.keys.at(*shard, part)).to_vec();
            keys.extend(names.names().iter().map(|name| store.keys.due(*shard, name)));
            keys.extend(names.names().iter().map(|name| store.keys.running(*shard, name)));
            let mut call = store.scripts.revive.call(&keys);
            call.arg(why.as_str()).arg(&store.instance).arg(names.names().len()).arg(items.len());
            for name in names.names() {
                call.arg(name.as_str());
            }
            for ((event, _), number) in items.iter().zip(numbers) {
                call.arg(number).arg(event.as_bytes().as_slice());
            }
            revived += reply::count(&store.link.run(&store.scripts.revive, call).await?)?;
        }
    }
    Ok(revived)
}

/// Every shard and destination that ever met.
///
/// # Errors
/// See [`StoreError`].
pub(super) async fn destinations(store: &RedisStore) -> Result<Vec<(u16, DestinationName)>, StoreError> {
    let commands = store.keys.all().map(|shard| {
        let mut command = redis::cmd("SMEMBERS");
        command.arg(store.keys.at(shard, DESTINATIONS));
        command
    });
    let mut all = Vec::new();
    for (shard, value) in store.keys.all().zip(store.link.ask(commands).await?) {
        for name in reply::list(value)? {
            all.push((shard, DestinationName::new(&reply::text(name)?)));
        }
    }
    Ok(all)
}

/// Makes due what is in flight under our name. What runs is bounded by the caps of those who run it.
///
/// # Errors
/// See [`StoreError`].
pub(super) async fn reclaim(store: &RedisStore) -> Result<u64, StoreError> {
    let places = destinations(store).await?;
    if places.is_empty() {
        return Ok(0);
    }
    let commands = places.iter().map(|(shard, name)| {
        let mut command = redis::cmd("ZRANGE");
        command.arg(store.keys.running(*shard, name)).arg(0).arg(-1);
        command
    });
    let values = store.link.ask(commands).await?;
    let mut chosen = Chosen::new();
    for ((shard, name), value) in places.iter().zip(values) {
        for member in reply::list(value)? {
            if let Some(member) = Member::read(&reply::bytes(member)?) {
                chosen.entry(*shard).or_default().push((member.event, name.clone()));
            }
        }
    }
    revive(store, Revival::Reclaim, &chosen).await
}

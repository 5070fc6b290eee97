//! Settling and leasing in one round trip.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Once};
use std::time::Duration;

use redis::{Cmd, Value};

use super::commit::{Numbered, milliseconds};
use super::keys::{DEAD, DELIVERIES, EVENTS, SETTLED, SHARD_BITS};
use super::{RedisStore, record, reply, spread};
use crate::domain::delivery::{DeathReason, DeliveryId, Verdict};
use crate::domain::event::{Event, EventId};
use crate::domain::route::DestinationName;
use crate::store::codec::{decode_event, encode_attempt};
use crate::store::{Exchange, Lease, Settlement, StoreError, Want};

/// Fixed keys of a shard, in the order of the script.
const PARTS: [&str; 4] = [DELIVERIES, EVENTS, SETTLED, DEAD];
/// Verdict "again" with an attempt spent; `exchange.lua` has the same numbers.
const SPENT: u8 = 0;
/// Verdict "again" without.
const UNSPENT: u8 = 9;

/// Settles, then leases.
///
/// # Errors
/// See [`StoreError`].
pub(super) async fn exchange(
    store: &RedisStore,
    settlements: &[Settlement],
    wants: &[Want],
) -> Result<Exchange, StoreError> {
    // A fence from elsewhere may name a shard that we do not have: its lease does not hold.
    let places: Vec<_> =
        settlements.iter().enumerate().filter(|(_, it)| shard_of(it.fence) < store.keys.shards()).collect();
    let mut asked = BTreeSet::new();
    let wants: Vec<_> = wants.iter().filter(|want| asked.insert(&want.destination)).collect();
    if places.is_empty() && wants.is_empty() {
        return Ok(Exchange { settled: vec![false; settlements.len()], ..Exchange::default() });
    }
    let mut exchange = if store.link.is_cluster() {
        spread::exchange(store, places, &wants).await?
    } else {
        // Settlements alone concern their shards; what is due may be in any.
        let shards = if wants.is_empty() {
            let named: BTreeSet<u16> = places.iter().map(|(_, settlement)| shard_of(settlement.fence)).collect();
            named.into_iter().collect()
        } else {
            store.keys.all().collect()
        };
        let plan = Plan::new(shards, places, wants.into_iter().map(|want| (want, want.room)).collect());
        let value = store.link.run(&store.scripts.exchange, plan.call(store)).await?;
        plan.answer(value)?.exchange
    };
    exchange.settled.resize(settlements.len(), false);
    Ok(exchange)
}

/// What one call brought.
#[derive(Debug)]
pub(super) struct Answer {
    /// With a place for each settlement of the whole question, as far as this call had one.
    pub(super) exchange: Exchange,
    /// For each want how many more are due; counted where one shard is asked.
    pub(super) waiting: Vec<usize>,
}

/// Who is who in one call.
pub(super) struct Plan<'a> {
    shards: Vec<u16>,
    destinations: Numbered<'a>,
    /// Place in the question, and the settlement.
    settlements: Vec<(usize, &'a Settlement)>,
    /// Each want, and the room for it in this call.
    wants: Vec<(&'a Want, usize)>,
}

impl<'a> Plan<'a> {
    /// Settlements of these shards, and wants, each destination once.
    pub(super) fn new(
        shards: Vec<u16>,
        settlements: Vec<(usize, &'a Settlement)>,
        wants: Vec<(&'a Want, usize)>,
    ) -> Self {
        let mut destinations = Numbered::default();
        for (_, settlement) in &settlements {
            destinations.number(&settlement.id.destination);
        }
        for (want, _) in &wants {
            destinations.number(&want.destination);
        }
        Self { shards, destinations, settlements, wants }
    }

    fn all_keys(&self, store: &RedisStore) -> Vec<String> {
        let names = self.destinations.names();
        let mut keys = Vec::with_capacity(self.shards.len() * (PARTS.len() + 2 * names.len()));
        for shard in &self.shards {
            keys.extend(PARTS.map(|part| store.keys.at(*shard, part)));
        }
        for name in names {
            keys.extend(self.shards.iter().map(|shard| store.keys.due(*shard, name)));
        }
        for name in names {
            keys.extend(self.shards.iter().map(|shard| store.keys.running(*shard, name)));
        }
        keys
    }

    /// The call of the script.
    pub(super) fn call(&self, store: &RedisStore) -> Cmd {
        let names = self.destinations.names();
        let number_of: HashMap<&DestinationName, usize> = (1..).zip(names).map(|(n, name)| (*name, n)).collect();
        let number = |name: &DestinationName| number_of.get(name).copied().unwrap_or(0);
        let mut command = store.scripts.exchange.call(&self.all_keys(store));
        command
            .arg(self.shards.len())
            .arg(names.len())
            .arg(&store.instance)
            .arg(self.wants.len())
            .arg(self.settlements.len());
        for name in names {
            command.arg(name.as_str());
        }
        for (want, room) in &self.wants {
            command.arg(number(&want.destination)).arg(*room).arg(milliseconds(want.lease));
        }
        for (_, settlement) in &self.settlements {
            let shard = shard_of(settlement.fence);
            let place = self.shards.iter().position(|known| *known == shard).map_or(0, |place| place + 1);
            let (verdict, wait) = encode_verdict(&settlement.verdict);
            command
                .arg(place)
                .arg(number(&settlement.id.destination))
                .arg(settlement.id.event.as_bytes().as_slice())
                .arg(settlement.fence >> SHARD_BITS)
                .arg(verdict)
                .arg(wait)
                .arg(settlement.attempt.as_ref().map(encode_attempt).unwrap_or_default());
        }
        command
    }

    /// What the script answered.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] when it is of an unexpected form.
    pub(super) fn answer(&self, value: Value) -> Result<Answer, StoreError> {
        let [written, leases, events, next_due, waiting] = reply::exactly(value)?;
        let mut settled = vec![false; self.settlements.iter().map(|(place, _)| place + 1).max().unwrap_or(0)];
        for ((place, _), value) in self.settlements.iter().zip(reply::list(written)?) {
            if let Some(slot) = settled.get_mut(*place) {
                *slot = reply::integer(&value)? == 1;
            }
        }
        let events = reply::list(events)?
            .into_iter()
            .map(|value| Ok(readable(&reply::bytes(value)?)))
            .collect::<Result<Vec<_>, StoreError>>()?;
        let mut values = reply::list(leases)?.into_iter();
        let mut leases = Vec::with_capacity(values.len() / 6);
        while let Some(first) = values.next() {
            let mut next = || values.next().unwrap_or_default();
            if let Some(lease) = self.lease(&[first, next(), next(), next(), next(), next()], &events)? {
                leases.push(lease);
            }
        }
        let next_due = u64::try_from(reply::integer(&next_due)?).ok().map(Duration::from_millis);
        let waiting = reply::list(waiting)?
            .iter()
            .map(|count| Ok(usize::try_from(reply::count(count)?).unwrap_or(usize::MAX)))
            .collect::<Result<_, StoreError>>()?;
        Ok(Answer { exchange: Exchange { settled, leases, next_due }, waiting })
    }

    fn lease(&self, values: &[Value; 6], events: &[Option<Arc<Event>>]) -> Result<Option<Lease>, StoreError> {
        let [destination, shard, id, fence, attempts, event] = values;
        let destination = *reply::nth(self.destinations.names(), reply::place(destination)?)?;
        let shard = *reply::nth(&self.shards, reply::place(shard)?)?;
        let id: [u8; 16] = reply::bytes(id.clone())?
            .try_into()
            .map_err(|_| StoreError::Unusable("a stored event id is damaged".to_owned()))?;
        let Some(event) = reply::nth(events, reply::place(event)?)? else { return Ok(None) };
        Ok(Some(Lease {
            id: DeliveryId { event: EventId::from_bytes(id), destination: destination.clone() },
            event: event.clone(),
            fence: (reply::count(fence)? << SHARD_BITS) | u64::from(shard),
            attempts: u32::try_from(reply::count(attempts)?).unwrap_or(u32::MAX),
        }))
    }
}

/// The low bits of a fence say where its delivery is: an event's id alone does not tell its account.
pub(super) fn shard_of(fence: u64) -> u16 {
    u16::try_from(fence & ((1 << SHARD_BITS) - 1)).unwrap_or(u16::MAX)
}

fn encode_verdict(verdict: &Verdict) -> (u8, u64) {
    match verdict {
        Verdict::Delivered => (record::DELIVERED, 0),
        Verdict::Retry { after, spent } => (if *spent { SPENT } else { UNSPENT }, milliseconds(*after)),
        Verdict::Dead { reason: DeathReason::Exhausted } => (record::EXHAUSTED, 0),
        Verdict::Dead { reason: DeathReason::Refused } => (record::REFUSED, 0),
    }
}

/// An event that can be read. One that cannot (a newer release wrote it) must not hold up the others: its lease lapses,
/// and a release that understands it will come.
pub(super) fn readable(bytes: &[u8]) -> Option<Arc<Event>> {
    static SAID: Once = Once::new();
    match decode_event(bytes) {
        Ok(event) => Some(Arc::new(event)),
        Err(error) => {
            SAID.call_once(|| tracing::error!(error = %error, "an event cannot be delivered; this is said once"));
            None
        }
    }
}

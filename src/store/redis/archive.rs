//! The operator's view.

use std::ops::Range;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use redis::Cmd;

use super::exchange::readable;
use super::keys::{DEAD, DELIVERIES, EVENTS, HELD, LOG, REJECTS, REJECTS_BY_AGE};
use super::record::{self, Member};
use super::scan::{Found, Scan, fetch};
use super::upkeep::{Chosen, Revival, destinations, revive};
use super::{RedisStore, reply};
use crate::domain::account::AccountName;
use crate::domain::event::{Event, EventId};
use crate::store::codec::{decode_event, decode_reject};
use crate::store::{Archive, Counts, DeliveryFilter, DeliveryView, EventFilter, RejectView, StoreError};

/// How many entries are looked at in one round trip.
const BATCH: usize = 256;
/// States that a requeue may change.
const REQUEUED: [&str; 3] = ["pending", "delivered", "dead"];

/// A delivery that was chosen, and where it stands.
struct Choice {
    shard: u16,
    sequence: u64,
    view: DeliveryView,
}

impl RedisStore {
    /// The shard of an account, or all.
    fn shards_of(&self, account: Option<&AccountName>) -> Range<u16> {
        account.map_or_else(
            || self.keys.all(),
            |account| {
                let shard = self.keys.shard_of(account);
                shard..shard + 1
            },
        )
    }

    /// A field of a hash in every shard.
    fn everywhere(&self, what: &str, id: &EventId) -> Vec<Cmd> {
        let command = |shard| {
            let mut command = redis::cmd("HGET");
            command.arg(self.keys.at(shard, what)).arg(id.as_bytes().as_slice());
            command
        };
        self.keys.all().map(command).collect()
    }

    /// The record of one event and its shard: the id alone does not tell where it is.
    async fn record_of(&self, id: &EventId) -> Result<Option<(u16, record::Record)>, StoreError> {
        for (shard, value) in self.keys.all().zip(self.link.ask(self.everywhere(DELIVERIES, id)).await?) {
            if let Some(bytes) = reply::maybe_bytes(value)? {
                return Ok(Some((shard, record::read(*id, &bytes)?)));
            }
        }
        Ok(None)
    }

    /// The records behind entries of a list, with the entries.
    async fn records(&self, found: &[Found]) -> Result<Vec<(u16, Member, record::Record)>, StoreError> {
        let members: Vec<_> =
            found.iter().filter_map(|found| Some((found.shard, Member::read(&found.member)?))).collect();
        let fields: Vec<_> =
            members.iter().map(|(shard, member)| (*shard, member.event.as_bytes().as_slice())).collect();
        let values = fetch(self, DELIVERIES, &fields).await?;
        let mut out = Vec::with_capacity(values.len());
        for ((shard, member), bytes) in members.into_iter().zip(values) {
            if let Some(bytes) = bytes {
                let record = record::read(member.event, &bytes)?;
                out.push((shard, member, record));
            }
        }
        Ok(out)
    }

    /// Deliveries by filter, newest event first.
    async fn choose(&self, filter: &DeliveryFilter) -> Result<Vec<Choice>, StoreError> {
        let mut chosen = Vec::new();
        let mut take = |shard, sequence, only: &str, record: record::Record| {
            let fitting = record
                .deliveries
                .into_iter()
                .filter(|view| only.is_empty() || view.id.destination.as_str() == only)
                .filter(|view| fits(filter, view));
            chosen.extend(fitting.map(|view| Choice { shard, sequence, view }));
            chosen.len() >= filter.limit
        };
        if let Some(id) = &filter.event {
            if let Some((shard, record)) = self.record_of(id).await? {
                take(shard, 0, "", record);
            }
        } else if filter.limit > 0 {
            let what = match *filter.states.as_slice() {
                ["dead"] => DEAD,
                ["held"] => HELD,
                _ => LOG,
            };
            let times = (filter.since, filter.until);
            let mut scan = Scan::new(self, what, self.keys.all(), times, filter.limit);
            'walk: loop {
                let found = scan.next(BATCH).await?;
                if found.is_empty() {
                    break;
                }
                for (shard, member, record) in self.records(&found).await? {
                    if take(shard, member.sequence, &member.destination, record) {
                        break 'walk;
                    }
                }
            }
        }
        chosen.truncate(filter.limit);
        Ok(chosen)
    }

    /// Held deliveries of an account or of all.
    async fn held(&self, account: Option<&AccountName>) -> Result<Vec<Choice>, StoreError> {
        let mut chosen = Vec::new();
        let mut scan = Scan::new(self, HELD, self.shards_of(account), (None, None), BATCH);
        loop {
            let found = scan.next(BATCH).await?;
            if found.is_empty() {
                return Ok(chosen);
            }
            for (shard, member, record) in self.records(&found).await? {
                if account.is_none_or(|account| account.as_str() == record.account) {
                    let view = record.deliveries.into_iter().find(|v| v.id.destination.as_str() == member.destination);
                    chosen.extend(view.map(|view| Choice { shard, sequence: member.sequence, view }));
                }
            }
        }
    }
}

fn is_within(time: Timestamp, since: Option<Timestamp>, until: Option<Timestamp>) -> bool {
    since.is_none_or(|since| time >= since) && until.is_none_or(|until| time < until)
}

fn fits(filter: &DeliveryFilter, view: &DeliveryView) -> bool {
    filter.destination.as_ref().is_none_or(|name| *name == view.id.destination)
        && (filter.states.is_empty() || filter.states.contains(&view.state.as_str()))
        && is_within(view.detected_at, filter.since, filter.until)
}

/// By shard, in the order of the facts: they leave in that order.
fn in_order(mut choices: Vec<Choice>) -> Chosen {
    choices.sort_by_key(|choice| choice.sequence);
    let mut chosen = Chosen::new();
    for Choice { shard, view, .. } in choices {
        chosen.entry(shard).or_default().push((view.id.event, view.id.destination));
    }
    chosen
}

fn count(choices: &[Choice]) -> u64 {
    u64::try_from(choices.len()).unwrap_or(u64::MAX)
}

#[async_trait]
impl Archive for RedisStore {
    async fn events(&self, filter: &EventFilter) -> Result<Vec<Arc<Event>>, StoreError> {
        let mut out = Vec::new();
        let times = (filter.since, filter.until);
        let mut scan = Scan::new(self, LOG, self.shards_of(filter.account.as_ref()), times, filter.limit);
        while out.len() < filter.limit {
            let found = scan.next(BATCH.min(filter.limit)).await?;
            if found.is_empty() {
                break;
            }
            let members: Vec<_> =
                found.iter().filter_map(|found| Some((found.shard, Member::read(&found.member)?.event))).collect();
            let fields: Vec<_> = members.iter().map(|(shard, id)| (*shard, id.as_bytes().as_slice())).collect();
            let events = fetch(self, EVENTS, &fields).await?;
            out.extend(events.into_iter().flatten().filter_map(|bytes| readable(&bytes)).filter(|event| {
                (filter.patterns.is_empty() || filter.patterns.iter().any(|pattern| pattern.matches(event.kind)))
                    && filter.account.as_ref().is_none_or(|account| event.account.as_ref() == Some(account))
                    && is_within(event.detected_at, filter.since, filter.until)
            }));
        }
        out.truncate(filter.limit);
        Ok(out)
    }

    async fn event(&self, id: &EventId) -> Result<Option<(Arc<Event>, Vec<DeliveryView>)>, StoreError> {
        let mut commands = self.everywhere(EVENTS, id);
        commands.extend(self.everywhere(DELIVERIES, id));
        let values = self.link.ask(commands).await?;
        let (events, records) = values.split_at(values.len() / 2);
        for (event, record) in events.iter().zip(records) {
            let (event, record) = (reply::maybe_bytes(event.clone())?, reply::maybe_bytes(record.clone())?);
            if let (Some(event), Some(record)) = (event, record) {
                let event = decode_event(&event).map_err(|error| StoreError::Unusable(error.to_string()))?;
                return Ok(Some((Arc::new(event), record::read(*id, &record)?.deliveries)));
            }
        }
        Ok(None)
    }

    async fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<DeliveryView>, StoreError> {
        Ok(self.choose(filter).await?.into_iter().map(|choice| choice.view).collect())
    }

    async fn requeue(&self, filter: &DeliveryFilter, dry_run: bool) -> Result<u64, StoreError> {
        let states: Vec<_> =
            REQUEUED.into_iter().filter(|state| filter.states.is_empty() || filter.states.contains(state)).collect();
        if states.is_empty() {
            return Ok(0);
        }
        let choices = self.choose(&DeliveryFilter { states, ..filter.clone() }).await?;
        if dry_run {
            return Ok(count(&choices));
        }
        revive(self, Revival::Requeue, &in_order(choices)).await
    }

    async fn release_held(&self, account: Option<&AccountName>, dry_run: bool) -> Result<u64, StoreError> {
        let choices = self.held(account).await?;
        if dry_run {
            return Ok(count(&choices));
        }
        revive(self, Revival::Release, &in_order(choices)).await
    }

    async fn rejects(&self, account: Option<&AccountName>, limit: usize) -> Result<Vec<RejectView>, StoreError> {
        let mut out = Vec::new();
        let mut scan = Scan::new(self, REJECTS_BY_AGE, self.shards_of(account), (None, None), limit);
        while out.len() < limit {
            let found = scan.next(BATCH).await?;
            if found.is_empty() {
                break;
            }
            let fields: Vec<_> = found.iter().map(|found| (found.shard, found.member.as_slice())).collect();
            for (found, bytes) in found.iter().zip(fetch(self, REJECTS, &fields).await?) {
                // Eight bytes of fingerprint, then the account.
                let name = found.member.split_at_checked(8).and_then(|(_, name)| std::str::from_utf8(name).ok());
                let (Some(name), Some(bytes)) = (name, bytes) else { continue };
                if account.is_some_and(|account| account.as_str() != name) {
                    continue;
                }
                let (age, reject) = reply::split(&bytes)?;
                let first_seen = Timestamp::from_microsecond(reply::parse(age)?).unwrap_or(Timestamp::UNIX_EPOCH);
                let reject = decode_reject(reject).map_err(|error| StoreError::Unusable(error.to_string()))?;
                out.push(RejectView { account: AccountName::new(name), first_seen, reject });
            }
        }
        out.truncate(limit);
        Ok(out)
    }

    async fn counts(&self) -> Result<Counts, StoreError> {
        let size = |command: &str, key: String| {
            let mut command = redis::cmd(command);
            command.arg(key);
            command
        };
        let mut commands = Vec::new();
        for (command, what) in [("HLEN", EVENTS), ("ZCARD", HELD), ("ZCARD", DEAD), ("HLEN", REJECTS)] {
            commands.extend(self.keys.all().map(|shard| size(command, self.keys.at(shard, what))));
        }
        for (shard, name) in destinations(self).await? {
            commands.push(size("ZCARD", self.keys.due(shard, &name)));
            commands.push(size("ZCARD", self.keys.running(shard, &name)));
        }
        let values = self.link.ask(commands).await?;
        let sizes = values.iter().map(reply::count).collect::<Result<Vec<_>, _>>()?;
        let mut parts = sizes.chunks(usize::from(self.keys.shards()));
        let mut next = || parts.next().unwrap_or_default().iter().sum();
        let (events, held, dead, rejects) = (next(), next(), next(), next());
        Ok(Counts { events, held, dead, rejects, pending: parts.flatten().sum() })
    }
}

//! The sorted lists of all shards read as one, newest first, in pages: an operator's question never holds Redis up.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use redis::Value;

use super::{RedisStore, reply};
use crate::store::StoreError;

/// Most entries that are read from one shard at once.
const PAGE: usize = 500;

/// An entry of a sorted list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Found {
    /// The time that it is sorted by.
    pub(super) score: i64,
    /// What is listed.
    pub(super) member: Vec<u8>,
    /// Where.
    pub(super) shard: u16,
}

/// One shard's list, read so far.
#[derive(Debug)]
struct Stream {
    shard: u16,
    key: String,
    buffer: VecDeque<Found>,
    /// The score to go on from, and how many entries with that score were read.
    high: String,
    ties: usize,
    last: Option<Found>,
    is_over: bool,
}

/// A walk through a list.
#[derive(Debug)]
pub(super) struct Scan<'a> {
    store: &'a RedisStore,
    low: String,
    page: usize,
    streams: Vec<Stream>,
}

impl<'a> Scan<'a> {
    /// From the newest below `until` to the oldest from `since`, both to the microsecond and both included; `expected`
    /// is how many the caller may need.
    pub(super) fn new(
        store: &'a RedisStore,
        what: &str,
        shards: std::ops::Range<u16>,
        (since, until): (Option<Timestamp>, Option<Timestamp>),
        expected: usize,
    ) -> Self {
        let bound = |time: Option<Timestamp>, open: &str| {
            time.map_or_else(|| open.to_owned(), |time| time.as_microsecond().to_string())
        };
        let stream = |shard| Stream {
            shard,
            key: store.keys.at(shard, what),
            buffer: VecDeque::new(),
            high: bound(until, "+inf"),
            ties: 0,
            last: None,
            is_over: false,
        };
        Self { store, low: bound(since, "-inf"), page: expected.clamp(16, PAGE), streams: shards.map(stream).collect() }
    }

    /// The next entries, at the most that many; none when the walk is over.
    ///
    /// # Errors
    /// See [`StoreError`].
    pub(super) async fn next(&mut self, most: usize) -> Result<Vec<Found>, StoreError> {
        let mut out = Vec::new();
        while out.len() < most {
            self.refill().await?;
            let newest = self
                .streams
                .iter_mut()
                .filter(|stream| !stream.buffer.is_empty())
                .max_by(|a, b| a.buffer.front().cmp(&b.buffer.front()));
            let Some(found) = newest.and_then(|stream| stream.buffer.pop_front()) else { break };
            out.push(found);
        }
        Ok(out)
    }

    /// Reads on where nothing is left of what was read.
    async fn refill(&mut self) -> Result<(), StoreError> {
        let (low, page) = (&self.low, self.page);
        let mut dry: Vec<_> =
            self.streams.iter_mut().filter(|stream| stream.buffer.is_empty() && !stream.is_over).collect();
        if dry.is_empty() {
            return Ok(());
        }
        let commands: Vec<_> = dry
            .iter()
            .map(|stream| {
                let mut command = redis::cmd("ZREVRANGEBYSCORE");
                command.arg(&stream.key).arg(&stream.high).arg(low).arg("WITHSCORES");
                command.arg("LIMIT").arg(stream.ties).arg(page);
                command
            })
            .collect();
        for (stream, value) in dry.iter_mut().zip(self.store.link.ask(commands).await?) {
            stream.take(value, page)?;
        }
        Ok(())
    }
}

impl Stream {
    fn take(&mut self, value: Value, page: usize) -> Result<(), StoreError> {
        let entries = reply::pairs(value)?;
        self.is_over = entries.len() < page;
        for (member, score) in entries {
            let text = reply::text(score)?;
            let found =
                Found { score: reply::parse(text.as_bytes())?, member: reply::bytes(member)?, shard: self.shard };
            if self.high == text {
                self.ties += 1;
            } else {
                self.high = text;
                self.ties = 1;
            }
            // What came in on top meanwhile shifts the rest: it is not shown twice.
            if self.last.as_ref().is_none_or(|last| found < *last) {
                self.last = Some(found.clone());
                self.buffer.push_back(found);
            }
        }
        Ok(())
    }
}

/// Values of hash fields in several shards, in the order of the question, in one round trip.
///
/// # Errors
/// See [`StoreError`].
pub(super) async fn fetch(
    store: &RedisStore,
    what: &str,
    fields: &[(u16, &[u8])],
) -> Result<Vec<Option<Vec<u8>>>, StoreError> {
    let mut by_shard: BTreeMap<u16, Vec<usize>> = BTreeMap::new();
    for (place, (shard, _)) in fields.iter().enumerate() {
        by_shard.entry(*shard).or_default().push(place);
    }
    let commands: Vec<_> = by_shard
        .iter()
        .map(|(shard, places)| {
            let mut command = redis::cmd("HMGET");
            command.arg(store.keys.at(*shard, what));
            for (_, field) in places.iter().filter_map(|place| fields.get(*place)) {
                command.arg(*field);
            }
            command
        })
        .collect();
    let mut out = vec![None; fields.len()];
    if commands.is_empty() {
        return Ok(out);
    }
    for (places, value) in by_shard.into_values().zip(store.link.ask(commands).await?) {
        for (place, value) in places.into_iter().zip(reply::list(value)?) {
            if let Some(slot) = out.get_mut(place) {
                *slot = reply::maybe_bytes(value)?;
            }
        }
    }
    Ok(out)
}

//! Number and hash of what a store holds, the same whatever the back-end and its order.

use std::collections::HashSet;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::{DeliveryRecord, Kind, Record};
use crate::domain::delivery::{Attempt, State};
use crate::domain::event::EventId;
use crate::store::codec::{encode_attempt, encode_event, encode_memories, encode_payout, encode_reject};
use crate::store::codec::{encode_state, encode_watch};

/// How many there are, and the sum of their hashes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many.
    pub count: u64,
    /// A sum does not depend on the order.
    pub hash: u128,
}

impl Sum {
    fn add(&mut self, parts: &[&[u8]]) {
        self.count += 1;
        self.hash = self.hash.wrapping_add(hash(parts));
    }
}

fn hash(parts: &[&[u8]]) -> u128 {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        hasher.update(part);
    }
    let digest: [u8; 32] = hasher.finalize().into();
    digest.split_first_chunk::<16>().map_or(0, |(head, _)| u128::from_be_bytes(*head))
}

/// The sums of one kind.
#[derive(Debug, Default)]
pub(super) struct Tally {
    whole: Sum,
    parts: Sum,
    /// Redis may list a key twice while it walks through all.
    met: HashSet<u128>,
}

impl Tally {
    /// How many records.
    pub(super) const fn records(&self) -> u64 {
        self.whole.count
    }

    /// By name.
    pub(super) fn sums(&self, kind: Kind) -> Vec<(&'static str, Sum)> {
        match kind {
            Kind::Accounts | Kind::Rejects | Kind::Payouts => vec![(kind.as_str(), self.whole)],
            Kind::Ledgers => vec![(kind.as_str(), self.whole), ("rows", self.parts)],
            Kind::Watches => vec![(kind.as_str(), self.whole), ("watches", self.parts)],
            Kind::Events => vec![(kind.as_str(), self.whole), ("deliveries", self.parts)],
        }
    }

    pub(super) fn add(&mut self, record: &Record) {
        match record {
            Record::Account(name, state) => {
                self.whole.add(&[name.as_str().as_bytes(), &state.version.to_be_bytes(), &encode_state(&state.state)]);
            }
            Record::Ledger(ledger) => {
                let name = [ledger.account.as_str().as_bytes(), ledger.key.as_bytes()];
                if !self.met.insert(hash(&name)) {
                    return;
                }
                let [account, key] = name;
                self.whole.add(&[account, key, &ledger.version.to_be_bytes()]);
                for (slot, memories) in &ledger.rows {
                    self.parts.add(&[account, key, slot.as_bytes(), &encode_memories(memories)]);
                }
            }
            Record::Event(record) => {
                self.whole.add(&[&encode_event(&record.event)]);
                for delivery in &record.deliveries {
                    self.delivery(record.event.id, delivery);
                }
            }
            Record::Watches(account, list) => {
                let account = account.as_str().as_bytes();
                if !self.met.insert(hash(&[account])) {
                    return;
                }
                self.whole.add(&[account, &list.version.to_be_bytes()]);
                list.watches.iter().for_each(|watch| self.parts.add(&[account, &encode_watch(watch)]));
            }
            Record::Payout(account, payout) => {
                let name = [account.as_str().as_bytes(), payout.reference.as_bytes()];
                if self.met.insert(hash(&name)) {
                    self.whole.add(&[account.as_str().as_bytes(), &encode_payout(payout)]);
                }
            }
            Record::Reject(record) => {
                let seen = record.first_seen.as_millisecond().to_be_bytes();
                self.whole.add(&[record.account.as_str().as_bytes(), &seen, &encode_reject(&record.reject)]);
            }
        }
    }

    fn delivery(&mut self, event: EventId, delivery: &DeliveryRecord) {
        let (at, reason) = match &delivery.state {
            State::Pending { due: at } | State::InFlight { until: at } | State::Delivered { at } => {
                (at.as_millisecond(), "")
            }
            State::Dead { at, reason } => (at.as_millisecond(), reason.as_str()),
            State::Held => (0, ""),
        };
        self.parts.add(&[
            event.as_bytes(),
            delivery.destination.as_str().as_bytes(),
            delivery.state.as_str().as_bytes(),
            reason.as_bytes(),
            &at.to_be_bytes(),
            &delivery.attempts.to_be_bytes(),
            &delivery.fence.to_be_bytes(),
            &delivery.last.as_ref().map(attempt).unwrap_or_default(),
        ]);
    }
}

/// As every store keeps it: a success to the millisecond.
fn attempt(attempt: &Attempt) -> Vec<u8> {
    let at = Timestamp::from_millisecond(attempt.at.as_millisecond()).unwrap_or(attempt.at);
    if attempt.failure.is_none() && attempt.detail.is_empty() {
        return encode_attempt(&Attempt { at, ..attempt.clone() });
    }
    encode_attempt(attempt)
}

//! Where everything is: the names of the keys.
//!
//! Every key is `prefix:{shard}:…`. The shard in braces is Redis Cluster's hash tag: all keys of an account are in one
//! slot, so that one script may write them together. Names may hold anything; the one that is followed by more is
//! escaped, so that no two lists of names give the same key.

use crate::domain::account::{AccountName, Partition};
use crate::domain::ledger::short_hash;
use crate::domain::route::DestinationName;

/// How many shards a new store gets (DESIGN §6). An existing store keeps the number that is recorded in it.
pub(super) const SHARDS: u16 = 16;
/// Most shards that a store may have: a fence keeps its shard in ten bits.
pub(super) const MOST_SHARDS: u16 = 1 << SHARD_BITS;
/// How many low bits of a fence say where the delivery is.
pub(super) const SHARD_BITS: u32 = 10;

/// Account name → version and state.
pub(super) const ACCOUNTS: &str = "accounts";
/// Event id → event.
pub(super) const EVENTS: &str = "events";
/// Event id → record of its deliveries ([`super::record`]).
pub(super) const DELIVERIES: &str = "deliveries";
/// Every event, by the microsecond of its detection.
pub(super) const LOG: &str = "log";
/// Events with nothing left to do, by the millisecond when that was.
pub(super) const SETTLED: &str = "settled";
/// Deliveries held by the flood guard, by the microsecond of detection.
pub(super) const HELD: &str = "held";
/// Deliveries given up, by the microsecond of detection.
pub(super) const DEAD: &str = "dead";
/// Fingerprint and account → when it was first seen, and the reject.
pub(super) const REJECTS: &str = "rejects";
/// The same, by the microsecond when they were first seen.
pub(super) const REJECTS_BY_AGE: &str = "rejects_by_age";
/// Numbers the facts.
pub(super) const SEQUENCE: &str = "sequence";
/// Names of all destinations that ever had a delivery here.
pub(super) const DESTINATIONS: &str = "destinations";
/// Account name → who may poll it, until when, with which fence.
pub(super) const LEASES: &str = "leases";

/// Names keys.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    prefix: String,
    shards: u16,
}

impl Keys {
    /// For a store of that many shards. Braces in the prefix would be taken for the hash tag.
    pub(super) fn new(prefix: &str, shards: u16) -> Self {
        Self { prefix: prefix.replace('{', "%7B").replace('}', "%7D"), shards: shards.clamp(1, MOST_SHARDS) }
    }

    /// Where form and number of shards are recorded; it can be read before the number is known.
    pub(super) fn meta(prefix: &str) -> String {
        Self::new(prefix, 1).at(0, "meta")
    }

    /// How many shards there are.
    pub(super) const fn shards(&self) -> u16 {
        self.shards
    }

    /// All shards.
    pub(super) fn all(&self) -> std::ops::Range<u16> {
        0..self.shards
    }

    /// The shard of an account: for ever the same.
    pub(super) fn shard_of(&self, account: &AccountName) -> u16 {
        u16::try_from(short_hash(account.as_str()) % u64::from(self.shards)).unwrap_or(0)
    }

    /// A key of a shard.
    pub(super) fn at(&self, shard: u16, what: &str) -> String {
        format!("{}:{{{shard}}}:{what}", self.prefix)
    }

    /// Number → group of rows ([`super::ledger`] has the form), and under the empty field the version.
    pub(super) fn ledger(&self, partition: &Partition) -> String {
        let shard = self.shard_of(&partition.account);
        self.at(shard, &format!("ledger:{}:{}", escaped(partition.account.as_str()), partition.key()))
    }

    /// Deliveries to a destination that wait, by the millisecond when they are due.
    pub(super) fn due(&self, shard: u16, destination: &DestinationName) -> String {
        self.at(shard, &format!("due:{destination}"))
    }

    /// Deliveries to a destination that are in flight, by the millisecond when their lease ends.
    pub(super) fn running(&self, shard: u16, destination: &DestinationName) -> String {
        self.at(shard, &format!("running:{destination}"))
    }
}

/// Letters, digits, `-`, `_` and `.` as they are, all else as `%` and the hexadecimal digits of its bytes.
fn escaped(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for character in name.chars() {
        if character.is_alphanumeric() || matches!(character, '-' | '_' | '.') {
            out.push(character);
        } else {
            let mut buffer = [0; 4];
            for byte in character.encode_utf8(&mut buffer).bytes() {
                out.push('%');
                for digit in [byte >> 4, byte & 15] {
                    out.extend(char::from_digit(digit.into(), 16).map(|digit| digit.to_ascii_uppercase()));
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::account::{Scope, SourceKind};

    fn ledger(account: &str, watched: &str) -> String {
        Keys::new("p", SHARDS).ledger(&Partition {
            account: AccountName::new(account),
            source: SourceKind::Links,
            scope: Scope::Watched(watched.to_owned()),
        })
    }

    #[test]
    fn no_two_partitions_share_a_key() {
        assert_ne!(ledger("a:links/b", "c"), ledger("a", "b:links/c"));
        assert_ne!(ledger("a%3A", ""), ledger("a:", ""));
        assert!(ledger("ñandú 1", "x").ends_with(":ledger:ñandú%201:links/x"));
    }

    #[test]
    fn the_shard_of_an_account_is_pinned() {
        let keys = Keys::new("p", SHARDS);
        let shards = ["centro", "palermo", "once"].map(|name| keys.shard_of(&AccountName::new(name)));
        // Pinned: stores in the field have their data there.
        assert_eq!(shards, [5, 11, 9]);
    }

    #[test]
    fn braces_in_the_prefix_are_no_hash_tag() {
        assert_eq!(Keys::new("{}", SHARDS).at(3, LOG), "%7B%7D:{3}:log");
        assert_eq!(Keys::meta("pregonero"), "pregonero:{0}:meta");
    }
}

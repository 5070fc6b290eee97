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

/// Between the shard and the account in the key of a ledger.
const LEDGER: &str = "ledger:";

/// The same in the key of an account's watches.
const WATCHES: &str = "watches:";

/// The same in the key of its cash-outs.
const PAYOUTS: &str = "payouts:";

/// Names keys.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    prefix: String,
    shards: u16,
}

impl Keys {
    /// Where form and number of shards are recorded.
    pub(super) const META: &str = "meta";

    /// For a store of that many shards. Braces in the prefix would be taken for the hash tag.
    pub(super) fn new(prefix: &str, shards: u16) -> Self {
        Self { prefix: prefix.replace('{', "%7B").replace('}', "%7D"), shards: shards.clamp(1, MOST_SHARDS) }
    }

    /// Where form and number of shards are recorded; it can be read before the number is known.
    pub(super) fn meta(prefix: &str) -> String {
        Self::new(prefix, 1).at(0, Self::META)
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
        self.ledger_named(&partition.account, &partition.key())
    }

    /// The same by the name of the partition below its account.
    pub(super) fn ledger_named(&self, account: &AccountName, partition: &str) -> String {
        self.at(self.shard_of(account), &format!("{LEDGER}{}:{partition}", escaped(account.as_str())))
    }

    /// A pattern that all keys of ledgers fit.
    pub(super) fn every_ledger(&self) -> String {
        self.every(LEDGER)
    }

    /// A pattern that all keys of watches fit.
    pub(super) fn every_watchlist(&self) -> String {
        self.every(WATCHES)
    }

    /// A pattern that all keys of cash-outs fit.
    pub(super) fn every_payouts(&self) -> String {
        self.every(PAYOUTS)
    }

    fn every(&self, what: &str) -> String {
        // The prefix stands for itself: of the letters of a pattern it may hold none but these.
        let mut pattern = String::new();
        for letter in self.prefix.chars() {
            if matches!(letter, '*' | '?' | '[' | ']' | '\\' | '^' | '-') {
                pattern.push('\\');
            }
            pattern.push(letter);
        }
        format!("{pattern}:{{*}}:{what}*")
    }

    /// The account and the partition of a ledger's key; `None` when it is none of ours.
    pub(super) fn ledger_of(&self, key: &str) -> Option<(AccountName, String)> {
        let rest = key.strip_prefix(&self.prefix)?.strip_prefix(":{")?;
        let (shard, rest) = rest.split_once("}:")?;
        let (account, partition) = rest.strip_prefix(LEDGER)?.split_once(':')?;
        let account = AccountName::new(&unescaped(account)?);
        (shard.parse() == Ok(self.shard_of(&account))).then(|| (account, partition.to_owned()))
    }

    /// The account of a key of watches; `None` when it is none of ours.
    pub(super) fn watched_account(&self, key: &str) -> Option<AccountName> {
        self.account_of(key, WATCHES).filter(|account| self.watches(account) == key)
    }

    /// The account of a key of cash-outs; `None` when it is none of ours.
    pub(super) fn paying_account(&self, key: &str) -> Option<AccountName> {
        self.account_of(key, PAYOUTS).filter(|account| self.payouts(account) == key)
    }

    fn account_of(&self, key: &str, what: &str) -> Option<AccountName> {
        let rest = key.strip_prefix(&self.prefix)?.strip_prefix(":{")?;
        Some(AccountName::new(&unescaped(rest.split_once("}:")?.1.strip_prefix(what)?)?))
    }

    /// Id of a watch → watch, and under the empty field the version.
    pub(super) fn watches(&self, account: &AccountName) -> String {
        self.at(self.shard_of(account), &format!("{WATCHES}{}", escaped(account.as_str())))
    }

    /// Reference → money that was asked to be sent.
    pub(super) fn payouts(&self, account: &AccountName) -> String {
        self.at(self.shard_of(account), &format!("{PAYOUTS}{}", escaped(account.as_str())))
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

/// What [`escaped`] was given.
fn unescaped(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let digits = [bytes.next()?, bytes.next()?];
            out.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).ok()
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
    fn a_ledger_is_found_by_its_key() {
        let keys = Keys::new("p", SHARDS);
        for (account, watched) in [("centro", "x"), ("a:links/b %", "c:d/{3}"), ("ñandú 1", "")] {
            let found = keys.ledger_of(&ledger(account, watched)).unwrap();
            assert_eq!(found, (AccountName::new(account), format!("links/{watched}")));
        }
        for other in ["q:{5}:ledger:centro:x", "p:{4}:ledger:centro:x", "p:{5}:events", "p", "p:{5}:ledger:centro"] {
            assert_eq!(keys.ledger_of(other), None, "{other}");
        }
        assert_eq!(Keys::new("a-b", SHARDS).every_ledger(), "a\\-b:{*}:ledger:*");
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

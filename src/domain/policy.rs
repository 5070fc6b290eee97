//! What an account's owner decides about history: where announcing starts and when a flood is held.

use std::time::Duration;

use super::day::Day;

/// What first contact announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Nothing that is there already.
    Now,
    /// What bears today's date.
    Today,
    /// What bears this date or a later one.
    Day(Day),
}

/// A poll that would announce more than `limit` facts older than `older_than` holds them for `release`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flood {
    /// 0 switches the guard off.
    pub limit: usize,
    /// How old a fact must be to count.
    pub older_than: Duration,
}

/// How an account is read, as far as it decides what is announced.
#[derive(Clone, Copy, Debug)]
pub struct Policy {
    /// What first contact announces.
    pub start: Start,
    /// How many days back the account is read.
    pub lookback_days: u32,
    /// The flood guard.
    pub flood: Flood,
    /// How long ledgers are remembered: the look-back and a margin.
    pub remember: Duration,
    /// The version of the identities: [`IDENTITY_VERSION`](super::ledger::IDENTITY_VERSION), but for tests.
    pub identity: u8,
}

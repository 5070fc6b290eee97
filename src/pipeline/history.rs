//! What is history: where the silent baseline ends, and how far was ever read.

use jiff::Timestamp;

use super::announce::Herald;
use crate::domain::account::{Partition, Scope, SourceKind};
use crate::domain::day::Day;
use crate::domain::policy::{Policy, Start};
use crate::sources::{Snapshot, Task};
use crate::store::{AccountState, VersionedState};

/// How many days from today a sale is looked for at most, before the look-back of the account.
const FARTHEST: i64 = 100;

/// Whether the first reading of a partition is silent: history that was there before we were asked to watch.
///
/// A restart is not first contact: days after the first contact are never a baseline, however long nobody looked.
pub(super) fn is_baseline(
    herald: &Herald,
    policy: &Policy,
    before: &VersionedState,
    partition: &Partition,
    now: Timestamp,
) -> bool {
    let state = &before.state;
    match &partition.scope {
        Scope::Day(day) => {
            let silent_before = state.silent_before.unwrap_or_else(|| silent_before(herald, policy, now));
            *day < silent_before || state.floor.is_some_and(|floor| *day < floor)
        }
        // Switched on later, the list of deposits is as new to us as at first contact.
        Scope::Watched(_) if partition.source == SourceKind::Deposits => policy.start == Start::Now,
        // An order or a cash-in has no date. Asked for at first contact it is history; asked for later it is a question.
        Scope::Watched(_) => state.contacted_at.is_none() && policy.start == Start::Now,
        Scope::Refunds(_) | Scope::Pairs(_) => false,
    }
}

pub(super) fn silent_before(herald: &Herald, policy: &Policy, now: Timestamp) -> Day {
    match policy.start {
        // Tomorrow is read too, and whatever stands there already is history.
        Start::Now => herald.today(now).plus(2),
        Start::Today => herald.today(now),
        Start::Day(day) => day,
    }
}

/// The account's state after a reading of its listing.
pub(super) fn next_state(
    herald: &Herald,
    policy: &Policy,
    task: &Task,
    before: &VersionedState,
    now: Timestamp,
) -> AccountState {
    let mut state = before.state.clone();
    let Task::Days { from, to } = task else { return state };
    let today = herald.today(now);
    let lowest = today.plus(-i64::from(policy.lookback_days));
    let contacted = state.contacted_at.is_some();
    if !contacted {
        state.contacted_at = Some(now);
        state.silent_before = Some(silent_before(herald, policy, now));
    }
    // The floor follows the look-back: what a later, larger look-back adds below it is a baseline.
    let floor = state.floor.map_or(lowest, |floor| floor.max(lowest));
    let reaches_below = *from < floor && to.next() >= floor && state.floor.is_some();
    state.floor = Some(if reaches_below { *from } else { floor });
    if *from <= today && today <= *to {
        // Only a reading that reaches back to where the last one ended closes the gap between them.
        let gapless = state.read_through.is_none_or(|last| *from <= last.next());
        if gapless {
            state.read_through = Some(state.read_through.map_or(today, |last| last.max(today)));
        }
    }
    state
}

/// The partitions in which the sale of a refund row of this reading may be remembered: the listing's days, the look-back
/// long. They are reckoned from the days of the rows and from how far was ever read, too, so that a wall clock that
/// jumped does not hide a sale and with it that its refund was told.
pub(super) fn look_back(
    herald: &Herald,
    policy: &Policy,
    listing: SourceKind,
    snapshot: &Snapshot,
    read_through: Option<Day>,
    now: Timestamp,
) -> Vec<Partition> {
    let today = herald.today(now);
    let rows = || snapshot.rows.iter().map(|row| row.occurred.day());
    // A row that bears a date of another century must not have its ledgers loaded.
    let first = rows().fold(today, Day::min).max(today.plus(-FARTHEST));
    let last = rows().chain(read_through).fold(today, Day::max).min(today.plus(FARTHEST));
    let days = first.plus(-i64::from(policy.lookback_days)).through(last.next());
    days.map(|day| Partition { account: herald.account.clone(), source: listing, scope: Scope::Day(day) }).collect()
}

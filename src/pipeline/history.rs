//! What is history: where the silent baseline ends, and how far was ever read.

use jiff::Timestamp;

use super::announce::Herald;
use crate::domain::account::{Partition, Scope, SourceKind};
use crate::domain::day::Day;
use crate::domain::policy::{Policy, Start};
use crate::sources::{Snapshot, Task, WARM_DAYS};
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
    let contacted = state.contacted_at.is_some();
    if !contacted {
        state.contacted_at = Some(now);
        state.silent_before = Some(silent_before(herald, policy, now));
    }
    if *from <= today && today <= *to {
        state.read_through = Some(match state.read_through {
            None => today,
            // A clock that ran ahead has written that. A reading that goes back as far as we look in that case mends it.
            Some(last) if last > today.next() => {
                if *from <= today.plus(-WARM_DAYS) {
                    // It may have closed days, too, that are not over.
                    state.closed_through = state.closed_through.map(|day| day.min(today.plus(-1)));
                    today
                } else {
                    last
                }
            }
            // Only a reading that reaches back to where the last one ended closes the gap between them.
            Some(last) if *from <= last.next() => last.max(today),
            Some(last) => last,
        });
    } else if let Some(last) = state.read_through.filter(|last| *from <= last.next() && *to < today) {
        // A gap that is closed in pieces.
        state.read_through = Some(last.max(*to));
    }
    // The floor follows the look-back: what a later, larger look-back adds below it is a baseline. It goes no further than
    // all days were read: after a pause that is longer than the look-back, the days between are news and no history.
    let reached = state.read_through.map_or(today, |last| last.min(today));
    let lowest = reached.plus(-i64::from(policy.lookback_days));
    let floor = state.floor.map_or(lowest, |floor| floor.max(lowest));
    let reaches_below = *from < floor && to.next() >= floor && state.floor.is_some();
    state.floor = Some(if reaches_below { *from } else { floor });
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
    let same = || snapshot.same.iter().map(|(day, _)| *day);
    let rows = || snapshot.rows.iter().map(|row| row.occurred.day()).chain(same());
    // A row that bears a date of another century must not have its ledgers loaded.
    let first = rows().fold(today, Day::min).max(today.plus(-FARTHEST));
    let last = rows().chain(read_through).fold(today, Day::max).min(today.plus(FARTHEST));
    let days = first.plus(-i64::from(policy.lookback_days)).through(last.next());
    days.map(|day| Partition { account: herald.account.clone(), source: listing, scope: Scope::Day(day) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> Day {
        Day::parse(text).unwrap()
    }

    fn read(from: &str, read_through: &str) -> Option<String> {
        let herald = Herald {
            account: crate::domain::account::AccountName::new("palermo"),
            upstream: crate::domain::account::Upstream::Sipago,
            zone: jiff::tz::TimeZone::UTC,
            late_after: std::time::Duration::from_secs(3600),
            sandbox: false,
            routes: Vec::new().into(),
        };
        let policy = Policy {
            start: Start::Now,
            lookback_days: 30,
            flood: crate::domain::policy::Flood { limit: 0, older_than: std::time::Duration::ZERO },
            remember: std::time::Duration::ZERO,
            identity: 1,
        };
        let state = AccountState { read_through: Some(day(read_through)), ..AccountState::default() };
        let task = Task::Days { from: day(from), to: day("2026-11-22") };
        let now = "2026-11-21T12:00:00Z".parse().unwrap();
        let next = next_state(&herald, &policy, &task, &VersionedState { version: 1, state }, now);
        next.read_through.map(|day| day.to_string())
    }

    #[test]
    fn how_far_was_read_never_goes_back_and_never_leaves_a_gap() {
        assert_eq!(read("2026-11-20", "2026-11-20").as_deref(), Some("2026-11-21"));
        assert_eq!(read("2026-11-20", "2026-11-10").as_deref(), Some("2026-11-10"), "what lies between was not read");
        assert_eq!(read("2026-11-11", "2026-11-10").as_deref(), Some("2026-11-21"));
        assert_eq!(read("2026-11-20", "2026-11-22").as_deref(), Some("2026-11-22"), "around midnight clocks differ");
    }

    #[test]
    fn what_a_clock_far_ahead_has_written_stands_until_a_week_was_read() {
        assert_eq!(read("2026-11-20", "2027-01-10").as_deref(), Some("2027-01-10"));
        assert_eq!(read("2026-11-14", "2027-01-10").as_deref(), Some("2026-11-21"));
    }
}

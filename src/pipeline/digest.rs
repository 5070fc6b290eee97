//! A reading becomes a commit. Pure: the watcher loads what is asked for and writes what comes out.
//!
//! In three steps, because only the diff tells which books of refunds are needed: [`partitions`] says which ledgers to
//! load, [`Draft::new`] compares, `Draft::finish` merges refunds and makes the plan that the commits come from.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;

use super::announce::Herald;
use super::merge::{Claim, payment_among, sale_to_look_up, settle};
use super::plan::{self, Inputs, Plan, Told};
use crate::domain::account::{Partition, Scope, SourceKind};
use crate::domain::day::Day;
use crate::domain::ledger::{Coverage, Diff, Finding, Ledger, diff, shared};
use crate::domain::policy::{Policy, Start};
use crate::domain::row::Row;
use crate::sources::{Snapshot, Task};
use crate::store::VersionedState;

/// What a commit would do, for the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Rows read.
    pub rows: usize,
    /// Facts passed over silently, because they belong to a baseline.
    pub baseline: usize,
    /// Facts held by the flood guard.
    pub held: usize,
    /// Rewordings taken over.
    pub amended: usize,
    /// Rows that are missing for the first time.
    pub vanished: usize,
    /// Missing rows that came back.
    pub returned: usize,
    /// Rows that wait for a second opinion.
    pub unconfirmed: usize,
}

/// The partitions that a reading touches, with the indices of their rows. Days of the task are there even if empty.
pub fn partitions(herald: &Herald, task: &Task, snapshot: &Snapshot) -> BTreeMap<Partition, Vec<usize>> {
    let partition = |scope| Partition { account: herald.account.clone(), source: snapshot.source, scope };
    let mut parts = BTreeMap::new();
    match task {
        Task::Watched { id, .. } => {
            parts.insert(partition(Scope::Watched(id.clone())), (0..snapshot.rows.len()).collect());
        }
        Task::Days { from, to } => {
            for day in from.through(*to) {
                parts.insert(partition(Scope::Day(day)), Vec::new());
            }
            for (index, row) in snapshot.rows.iter().enumerate() {
                parts.entry(partition(Scope::Day(row.occurred.day()))).or_default().push(index);
            }
        }
    }
    parts
}

struct Part {
    partition: Partition,
    expected: u64,
    silent: bool,
    diff: Diff,
    /// Index in the diff's rows → index in the snapshot.
    rows: Vec<usize>,
}

/// A reading that was compared with what is remembered.
pub struct Draft<'a> {
    herald: &'a Herald,
    policy: &'a Policy,
    task: &'a Task,
    snapshot: &'a Snapshot,
    before: &'a VersionedState,
    now: Timestamp,
    parts: Vec<Part>,
}

impl<'a> Draft<'a> {
    /// Compares. `ledgers` holds every partition of [`partitions`].
    pub fn new(
        herald: &'a Herald,
        policy: &'a Policy,
        task: &'a Task,
        snapshot: &'a Snapshot,
        before: &'a VersionedState,
        ledgers: &HashMap<Partition, Ledger>,
        now: Timestamp,
    ) -> Self {
        let empty = Ledger::default();
        let parts = partitions(herald, task, snapshot)
            .into_iter()
            .filter_map(|(partition, indices)| {
                let ledger = ledgers.get(&partition).unwrap_or(&empty);
                let complete = covers(task, &partition);
                let watched = matches!(task, Task::Watched { .. });
                let silent = ledger.is_unread() && is_baseline(herald, policy, before, &partition, now);
                if silent && !complete && !watched {
                    // A few rows of a day of history, which another zone put into this answer. Remembering them would
                    // make the day look read, and its first whole reading look like news.
                    return None;
                }
                let rows: Vec<&Row> = indices.iter().filter_map(|index| snapshot.rows.get(*index)).collect();
                let coverage =
                    Coverage { complete, baseline: silent, paged: snapshot.paged, read_at: snapshot.read_at };
                let diff = diff(&herald.account, ledger, &rows, coverage);
                Some(Part { partition, expected: ledger.version(), silent, diff, rows: indices })
            })
            .collect();
        Self { herald, policy, task, snapshot, before, now, parts }
    }

    /// Hashes of sales whose payment neither the reading nor `known` tells: to be looked up in older ledgers.
    pub fn sales_to_look_up(&self) -> Vec<u64> {
        let shared_rows = self
            .findings()
            .filter(|(_, finding)| !shared(finding.facts).is_empty())
            .filter_map(|(_, finding)| self.snapshot.rows.get(finding.row));
        let mut sales: Vec<u64> = shared_rows
            .filter_map(sale_to_look_up)
            .filter(|sale| payment_among(&self.snapshot.rows, *sale).is_none())
            .collect();
        sales.sort_unstable();
        sales.dedup();
        sales
    }

    /// Claims to refunds that must be merged. `found` maps hashes of sales to hashes of payments.
    pub(super) fn claims(&self, found: &HashMap<u64, u64>) -> Vec<Claim> {
        self.findings()
            .filter(|(_, finding)| !shared(finding.facts).is_empty())
            .filter_map(|(_, finding)| {
                let row = self.snapshot.rows.get(finding.row)?;
                let among =
                    sale_to_look_up(row).and_then(|sale| Some((sale, payment_among(&self.snapshot.rows, sale)?)));
                match among {
                    Some(known) => Claim::of(&finding, row, &HashMap::from([known])),
                    None => Claim::of(&finding, row, found),
                }
            })
            .collect()
    }

    /// Merges refunds and decides what is told. `books` holds the ledgers of the books of all claims.
    pub(super) fn finish(self, claims: &[Claim], books: &HashMap<Partition, Ledger>) -> (Plan<'a>, Tally) {
        let (merged, book_writes) = settle(&self.herald.account, claims, books);
        let mut tally = Tally { rows: self.snapshot.rows.len(), ..Tally::default() };
        let mut told: Vec<Told> = Vec::new();
        let claimed: HashSet<usize> = claims.iter().map(|claim| claim.row).collect();
        for (part, finding) in self.findings() {
            let shares = claimed.contains(&finding.row);
            let own = if shares { finding.facts.minus(shared(finding.facts)) } else { finding.facts };
            let Finding { row, slot, ordinal, .. } = finding;
            let mut facts: Vec<Told> =
                own.iter().map(|fact| Told { row, slot, ordinal, fact, payment: None, from: slot, shares }).collect();
            let of_payment = merged.iter().filter(|merged| shares && merged.row == row);
            facts.extend(of_payment.map(|merged| Told {
                row,
                slot: merged.slot,
                ordinal: merged.ordinal,
                fact: merged.fact,
                payment: Some(merged.payment),
                from: slot,
                shares,
            }));
            if part.silent || self.is_history(part, finding.row) {
                tally.baseline += facts.len();
            } else {
                told.extend(facts);
            }
        }
        for part in &self.parts {
            tally.amended += part.diff.amended;
            tally.vanished += part.diff.vanished;
            tally.returned += part.diff.returned;
            tally.unconfirmed += part.diff.unconfirmed;
        }
        let state = next_state(self.herald, self.policy, self.task, self.before, self.now);
        let plan = Plan::new(Inputs {
            herald: self.herald,
            policy: self.policy,
            snapshot: self.snapshot,
            now: self.now,
            state: (state != self.before.state).then_some((self.before.version, state)),
            parts: self
                .parts
                .into_iter()
                .map(|part| plan::Part::new(part.partition, part.expected, part.diff.changes))
                .collect(),
            book_writes,
            told,
        });
        tally.held = plan.held();
        (plan, tally)
    }

    /// Whether a row of a list that is always whole was there before we were asked to look: its first reading shows all
    /// there ever was, so that `start` is held against the row's own day.
    fn is_history(&self, part: &Part, row: usize) -> bool {
        let first = part.partition.source == SourceKind::Deposits && part.expected == 0;
        let before = || silent_before(self.herald, self.policy, self.now);
        first && self.snapshot.rows.get(row).is_some_and(|row| row.occurred.day() < before())
    }

    fn findings(&self) -> impl Iterator<Item = (&Part, Finding)> {
        self.parts.iter().flat_map(|part| {
            part.diff.findings.iter().filter_map(move |finding| {
                let row = *part.rows.get(finding.row)?;
                Some((part, Finding { row, ..*finding }))
            })
        })
    }
}

/// Whether a reading covers a partition wholly. Rows of days beyond the task are news, but their absence is none.
fn covers(task: &Task, partition: &Partition) -> bool {
    match (task, &partition.scope) {
        (Task::Days { from, to }, Scope::Day(day)) => from <= day && day <= to,
        // Orders and cash-ins do not lose rows that matter; an absent payment is not reported.
        (Task::Days { .. } | Task::Watched { .. }, Scope::Day(_) | Scope::Watched(_) | Scope::Refunds(_)) => false,
    }
}

/// Whether the first reading of a partition is silent: history that was there before we were asked to watch.
///
/// A restart is not first contact: days after the first contact are never a baseline, however long nobody looked.
fn is_baseline(
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
        Scope::Refunds(_) => false,
    }
}

fn silent_before(herald: &Herald, policy: &Policy, now: Timestamp) -> Day {
    match policy.start {
        // Tomorrow is read too, and whatever stands there already is history.
        Start::Now => herald.today(now).plus(2),
        Start::Today => herald.today(now),
        Start::Day(day) => day,
    }
}

/// The account's state after a reading of its listing.
fn next_state(
    herald: &Herald,
    policy: &Policy,
    task: &Task,
    before: &VersionedState,
    now: Timestamp,
) -> crate::store::AccountState {
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

/// The partitions in which the sale of a refund row may be remembered: the listing's days of the look-back.
pub fn look_back(herald: &Herald, policy: &Policy, listing: SourceKind, now: Timestamp) -> Vec<Partition> {
    let today = herald.today(now);
    let days = today.plus(-i64::from(policy.lookback_days)).through(today.next());
    days.map(|day| Partition { account: herald.account.clone(), source: listing, scope: Scope::Day(day) }).collect()
}

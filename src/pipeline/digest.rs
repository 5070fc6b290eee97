//! A reading becomes a commit. Pure: the watcher loads what is asked for and writes what comes out.
//!
//! In steps, because only the diff tells which books are needed: [`partitions`] says which ledgers to load,
//! [`Draft::new`] compares, [`Draft::pair`] finds the other halves of new payments, `Draft::finish` merges refunds and
//! makes the plan that the commits come from.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::Timestamp;

use super::announce::Herald;
use super::history::{is_baseline, look_back, next_state, silent_before};
use super::merge::{Claim, payment_among, sale_to_look_up, sale_told, settle};
use super::pairs::{self, Paired};
use super::plan::{self, Inputs, Plan, Told};
use super::reconcile::Doubts;
use crate::domain::account::{AccountName, Partition, Scope, SourceKind};
use crate::domain::ledger::{
    Coverage, Diff, Finding, Ledger, Memory, Slot, birthmark, diff_as, diff_beside, reidentified, shared,
};
use crate::domain::pairing::own_payment;
use crate::domain::policy::Policy;
use crate::domain::row::Row;
use crate::sources::{Snapshot, Task};
use crate::store::VersionedState;

/// What a commit would do, for the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Rows that were compared.
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
    /// Facts of a reconciled day that had not been announced.
    pub differences: usize,
}

impl Tally {
    fn add(&mut self, parts: &[Part]) {
        for Part { diff, .. } in parts {
            self.amended += diff.amended;
            self.vanished += diff.vanished;
            self.returned += diff.returned;
            self.unconfirmed += diff.unconfirmed;
        }
    }
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

/// One partition of a reading, compared.
pub(super) struct Part {
    pub(super) partition: Partition,
    pub(super) expected: u64,
    /// It is history: nothing of it is told.
    pub(super) silent: bool,
    pub(super) diff: Diff,
    /// Index in the diff's rows → index in the snapshot.
    rows: Vec<usize>,
}

impl Part {
    /// Its findings, with the index of the row in the snapshot.
    pub(super) fn findings(&self) -> impl Iterator<Item = Finding> {
        self.diff.findings.iter().filter_map(|finding| {
            let row = *self.rows.get(finding.row)?;
            Some(Finding { row, ..*finding })
        })
    }

    /// What will be remembered of the row of a finding.
    pub(super) fn memory(&self, finding: &Finding) -> Option<&Memory> {
        let place = self.diff.changes.binary_search_by_key(&finding.slot, |change| change.slot).ok()?;
        self.diff.changes.get(place)?.memories.iter().find(|memory| memory.ordinal == finding.ordinal)
    }

    /// The same, to be written to.
    pub(super) fn memory_mut(&mut self, finding: &Finding) -> Option<&mut Memory> {
        let place = self.diff.changes.binary_search_by_key(&finding.slot, |change| change.slot).ok()?;
        self.diff.changes.get_mut(place)?.memories.iter_mut().find(|memory| memory.ordinal == finding.ordinal)
    }

    /// What a finding is told under.
    fn payment(&self, finding: &Finding, row: &Row) -> u64 {
        let known = self.memory(finding).map(|memory| memory.payment).filter(|payment| *payment != 0);
        known.unwrap_or_else(|| own_payment(row, &finding.slot, finding.ordinal))
    }
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
    paired: Paired,
    /// What the sales of refund rows were told under, as far as the ledgers of this reading remember it; by hashes.
    remembered: HashMap<u64, u64>,
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
        let parts: Vec<Part> = partitions(herald, task, snapshot)
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
                let diff = if ledger.is_unread() {
                    let mut diff = diff_as(policy.identity, &herald.account, ledger, &rows, coverage);
                    // The highest slot there can be: the changes stay sorted.
                    diff.changes.extend(birthmark(policy.identity));
                    diff
                } else if ledger.identity() == policy.identity {
                    let same = same_of(snapshot, &partition);
                    diff_beside(policy.identity, &herald.account, ledger, &rows, same, coverage)
                } else if complete || watched {
                    reidentify(herald, policy, ledger, &rows, coverage)
                } else {
                    // A few rows of the day: who they are is found out when all of them are there.
                    return None;
                };
                Some(Part { partition, expected: ledger.version(), silent, diff, rows: indices })
            })
            .collect();
        let mut draft = Self {
            herald,
            policy,
            task,
            snapshot,
            before,
            now,
            parts,
            paired: Paired::default(),
            remembered: HashMap::new(),
        };
        let read = draft.parts.iter().filter_map(|part| ledgers.get(&part.partition));
        let told = |sale: u64| read.clone().find_map(|ledger| ledger.payment_of_sale(sale));
        draft.remembered = draft.refunded_sales().into_iter().filter_map(|sale| Some((sale, told(sale)?))).collect();
        draft
    }

    /// Hashes of the sales of new refund rows.
    fn refunded_sales(&self) -> BTreeSet<u64> {
        let shared = self.findings().filter(|(_, finding)| !shared(finding.facts).is_empty());
        shared.filter_map(|(_, finding)| sale_to_look_up(self.snapshot.rows.get(finding.row)?)).collect()
    }

    /// The ledgers and books in which the other halves of new payments may stand. Mostly none, or hot ones.
    pub fn needed_to_pair(&self) -> Vec<Partition> {
        let read_through = self.before.state.read_through;
        pairs::needed(self.herald, self.policy, self.snapshot, &self.parts, read_through, self.now)
    }

    /// The account, and the partitions in which the sales of refund rows may be remembered.
    pub(super) fn look_back(&self, listing: SourceKind) -> (&AccountName, Vec<Partition>) {
        let read_through = self.before.state.read_through;
        let days = look_back(self.herald, self.policy, listing, self.snapshot, read_through, self.now);
        (&self.herald.account, days)
    }

    /// Finds the other halves of new payments. `ledgers` holds every partition of [`Draft::needed_to_pair`].
    pub fn pair(&mut self, ledgers: &HashMap<Partition, Ledger>) {
        let needed = self.needed_to_pair();
        self.paired = pairs::pair(self.herald, self.snapshot, &mut self.parts, &needed, ledgers);
    }

    /// Hashes of sales whose payment neither the reading nor its ledgers tell: to be looked up in older ones.
    pub fn sales_to_look_up(&self) -> Vec<u64> {
        let is_unknown =
            |sale: &u64| !self.remembered.contains_key(sale) && payment_among(&self.snapshot.rows, *sale).is_none();
        self.refunded_sales().into_iter().filter(is_unknown).collect()
    }

    /// Claims to refunds that must be merged. `found` maps hashes of sales to hashes of payments.
    pub(super) fn claims(&self, found: &HashMap<u64, u64>) -> Vec<Claim> {
        let mut shared_rows = self.findings().filter(|(_, finding)| !shared(finding.facts).is_empty()).peekable();
        if shared_rows.peek().is_none() {
            return Vec::new();
        }
        let told_now: HashMap<u64, u64> = self
            .findings()
            .filter_map(|(part, finding)| {
                let row = self.snapshot.rows.get(finding.row)?;
                Some((sale_told(row)?, part.payment(&finding, row)))
            })
            .collect();
        shared_rows
            .filter_map(|(part, finding)| {
                let row = self.snapshot.rows.get(finding.row)?;
                let among = sale_to_look_up(row).and_then(|sale| {
                    // What it was told under goes before the id that it prints: it may have printed none then.
                    let told = told_now.get(&sale).or(self.remembered.get(&sale)).copied();
                    let payment = told.or_else(|| payment_among(&self.snapshot.rows, sale))?;
                    Some(HashMap::from([(sale, payment)]))
                });
                Claim::of(&finding, row, part.payment(&finding, row), among.as_ref().unwrap_or(found))
            })
            .collect()
    }

    /// Merges refunds and decides what is told. `books` holds the ledgers of the books of all claims.
    ///
    /// `doubts` are those of a reconciliation; nothing is in doubt in an ordinary reading.
    pub(super) fn finish(
        self,
        claims: &[Claim],
        books: &HashMap<Partition, Ledger>,
        doubts: Option<&Doubts>,
    ) -> (Plan<'a>, Tally) {
        let nothing = HashSet::new();
        let missing = doubts.map_or(&nothing, |doubts| &doubts.missing);
        let (merged, book_writes) = settle(&self.herald.account, claims, books, missing);
        let mut tally = Tally { rows: self.snapshot.rows.len(), ..Tally::default() };
        let mut told: Vec<Told> = Vec::new();
        let claimed: HashSet<usize> = claims.iter().map(|claim| claim.row).collect();
        for (part, finding) in self.findings() {
            let shares = claimed.contains(&finding.row);
            let Some(payment) = self.snapshot.rows.get(finding.row).map(|row| part.payment(&finding, row)) else {
                continue;
            };
            let own = if shares { finding.facts.minus(shared(finding.facts)) } else { finding.facts };
            let Finding { row, slot, ordinal, .. } = finding;
            let with_books = shares || self.paired.shares(&slot);
            let told_of = |fact| Told { row, slot, ordinal, fact, payment, from: slot, shares: with_books };
            let mut facts: Vec<Told> = own.iter().map(told_of).collect();
            let of_payment = merged.iter().filter(|merged| shares && merged.row == row);
            facts.extend(of_payment.map(|merged| Told {
                row,
                slot: merged.slot,
                ordinal: merged.ordinal,
                fact: merged.fact,
                payment: merged.payment,
                from: slot,
                shares: with_books,
            }));
            if part.silent || self.is_history(part, finding.row) {
                tally.baseline += facts.len();
            } else {
                told.extend(facts);
            }
        }
        tally.add(&self.parts);
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
                .chain(self.paired.parts)
                .collect(),
            book_writes,
            told,
            reconciles: doubts.map(|doubts| doubts.day),
        });
        tally.held = plan.held();
        tally.differences = plan.differences();
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
        self.parts.iter().flat_map(|part| part.findings().map(move |finding| (part, finding)))
    }
}

/// The first reading of a partition under a new identity version: what is remembered is recognised, the rest is news.
fn reidentify(herald: &Herald, policy: &Policy, ledger: &Ledger, rows: &[&Row], coverage: Coverage) -> Diff {
    let (ledger, mut changes) = reidentified(&herald.account, ledger, rows, policy.identity);
    let mut diff = diff_as(policy.identity, &herald.account, &ledger, rows, coverage);
    changes.retain(|change| diff.changes.binary_search_by_key(&change.slot, |change| change.slot).is_err());
    diff.changes.append(&mut changes);
    diff.changes.sort_unstable_by_key(|change| change.slot);
    diff
}

/// The slots of a partition that were left out of a reading, because nothing changed there.
fn same_of(snapshot: &Snapshot, partition: &Partition) -> Vec<Slot> {
    let Scope::Day(day) = partition.scope else { return Vec::new() };
    snapshot.same.iter().filter(|(of, _)| *of == day).map(|(_, slot)| *slot).collect()
}

/// Whether a reading covers a partition wholly. Rows of days beyond the task are news, but their absence is none.
fn covers(task: &Task, partition: &Partition) -> bool {
    match (task, &partition.scope) {
        (Task::Days { from, to }, Scope::Day(day)) => from <= day && day <= to,
        // Orders and cash-ins do not lose rows that matter; an absent payment is not reported.
        (
            Task::Days { .. } | Task::Watched { .. },
            Scope::Day(_) | Scope::Watched(_) | Scope::Refunds(_) | Scope::Pairs(_),
        ) => false,
    }
}

//! From a complete reading and a ledger to what changed.

use jiff::Timestamp;
use smallvec::{SmallVec, smallvec};

use super::matching::pair;
use super::reidentify::MARKER;
use super::{Change, IDENTITY_VERSION, Ledger, Memories, Memory, Slot, Traits, look, short_hash};
use crate::domain::account::AccountName;
use crate::domain::fact::{FactKind, FactSet};
use crate::domain::row::{Identity, Row};

/// How far a reading can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Coverage {
    /// Every row of the partition is in it; only then can a memory be missing.
    pub complete: bool,
    /// It is a baseline: nothing of it will be announced, not even what waits for a second opinion.
    pub baseline: bool,
    /// It was put together from pages that may have shifted, so that a second occurrence needs a second opinion.
    pub paged: bool,
    /// When it was read.
    pub read_at: Timestamp,
}

/// New facts of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Index into the rows that were given.
    pub row: usize,
    /// Slot of the row.
    pub slot: Slot,
    /// Occurrence number, from 1.
    pub ordinal: u32,
    /// What is new.
    pub facts: FactSet,
}

/// What a reading changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// New contents of slots.
    pub changes: Vec<Change>,
    /// New facts, in the order of the rows.
    pub findings: Vec<Finding>,
    /// Rows whose rewording was taken over.
    pub amended: usize,
    /// Memories that a complete reading lacks for the first time.
    pub vanished: usize,
    /// Missing memories that came back.
    pub returned: usize,
    /// Rows that wait for a second opinion.
    pub unconfirmed: usize,
}

/// Compares a reading with what is remembered. Pure, and independent of the order of the rows of a bucket.
pub fn diff(account: &AccountName, ledger: &Ledger, rows: &[&Row], coverage: Coverage) -> Diff {
    diff_as(IDENTITY_VERSION, account, ledger, rows, coverage)
}

/// The same under another version of the identities; the ledger must be kept under it.
pub fn diff_as(version: u8, account: &AccountName, ledger: &Ledger, rows: &[&Row], coverage: Coverage) -> Diff {
    diff_beside(version, account, ledger, rows, Vec::new(), coverage)
}

/// The same of a reading that is left out in part: `same` are remembered slots of which every row was listed as it was
/// when it was compared last, and none is in `rows`. Comparing them again would find nothing; they are there, and that is
/// all that counts. In any order, and repeated at will.
pub fn diff_beside(
    version: u8,
    account: &AccountName,
    ledger: &Ledger,
    rows: &[&Row],
    mut same: Vec<Slot>,
    coverage: Coverage,
) -> Diff {
    let slot = |row: &Row| Slot::of_version(version, account, row.source, &row.identity);
    let mut order: Vec<(Slot, usize)> = rows.iter().enumerate().map(|(index, row)| (slot(row), index)).collect();
    order.sort_unstable();
    let mut diff = Diff::default();
    let mut scratch = String::new();
    let mut known_slots = 0;
    for group in order.chunk_by(|a, b| a.0 == b.0) {
        let Some((slot, first)) = group.first() else { continue };
        let memories = ledger.get(slot);
        known_slots += usize::from(!memories.is_empty());
        let keyed = rows.get(*first).is_some_and(|row| matches!(row.identity, Identity::Keyed(_)));
        let bucket = Bucket { slot: *slot, memories, members: group, rows, coverage };
        if keyed {
            bucket.keyed(&mut diff, &mut scratch);
        } else {
            bucket.counted(&mut diff, &mut scratch);
        }
    }
    same.sort_unstable();
    same.dedup();
    if coverage.complete && known_slots + same.len() < ledger.len() {
        for (slot, memories) in ledger.iter() {
            let is_listed =
                order.binary_search_by_key(slot, |(slot, _)| *slot).is_ok() || same.binary_search(slot).is_ok();
            if *slot != MARKER && !is_listed {
                let bucket = Bucket { slot: *slot, memories, members: &[], rows, coverage };
                bucket.counted(&mut diff, &mut scratch);
            }
        }
    }
    diff.findings.sort_unstable_by_key(|finding| (finding.row, finding.ordinal));
    diff.changes.sort_unstable_by_key(|change| change.slot);
    diff
}

struct Bucket<'a> {
    slot: Slot,
    memories: &'a [Memory],
    members: &'a [(Slot, usize)],
    rows: &'a [&'a Row],
    coverage: Coverage,
}

impl Bucket<'_> {
    /// All rows with one id are one row, however often a page repeats it.
    fn keyed(&self, diff: &mut Diff, scratch: &mut String) {
        let known = self.memories.first().copied();
        let mut memory = known;
        let mut facts = FactSet::EMPTY;
        let mut teller = None;
        for (_, index) in self.members {
            let Some(row) = self.rows.get(*index) else { continue };
            let traits = Traits::of(row, scratch);
            let current = memory.get_or_insert_with(|| blank(row, 1, traits));
            let new = row.view.facts(current.facts);
            if !new.is_empty() {
                // The row that tells most is the one that the event is printed from.
                teller = Some(*index);
            }
            facts = facts.union(new);
            current.facts = current.facts.union(new);
            overwrite(current, row, traits, diff, known.is_some());
        }
        let Some(memory) = memory else { return };
        if let (Some(row), false) = (teller, facts.is_empty()) {
            diff.findings.push(Finding { row, slot: self.slot, ordinal: memory.ordinal, facts });
        }
        if known != Some(memory) {
            diff.changes.push(Change { slot: self.slot, memories: smallvec![memory] });
        }
    }

    /// Rows without an id are counted: matched with what is remembered, and numbered on where they are new.
    fn counted(&self, diff: &mut Diff, scratch: &mut String) {
        let mut members: SmallVec<[(usize, &Row, Traits); 1]> = self
            .members
            .iter()
            .filter_map(|(_, index)| self.rows.get(*index).map(|row| (*index, *row, Traits::of(row, scratch))))
            .collect();
        // Numbers go by content and not by place in the list, so that every order of one reading gives the same ids.
        members
            .sort_by_key(|(index, _, traits)| (std::cmp::Reverse(traits.rank), traits.party, traits.details, *index));
        let traits: SmallVec<[Traits; 1]> = members.iter().map(|(.., traits)| *traits).collect();
        let pairs = pair(self.memories, &traits);
        let mut next: Memories = self.memories.iter().copied().collect();
        let mut highest = next.iter().map(|memory| memory.ordinal).max().unwrap_or(0);
        let mut matched = vec![false; self.memories.len()];
        let mut fresh = Vec::new();
        for ((index, row, traits), pair) in members.iter().zip(&pairs) {
            let Some((place, memory)) = pair.and_then(|place| next.get_mut(place).map(|memory| (place, memory))) else {
                fresh.push((*index, *row, *traits));
                continue;
            };
            if let Some(seen) = matched.get_mut(place) {
                *seen = true;
            }
            if memory.ordinal == 0 {
                // The second reading agrees: it was no phantom of a shifting page.
                highest += 1;
                memory.ordinal = highest;
            }
            let new = row.view.facts(memory.facts);
            memory.facts = memory.facts.union(new);
            overwrite(memory, row, *traits, diff, true);
            if !new.is_empty() {
                diff.findings.push(Finding { row: *index, slot: self.slot, ordinal: memory.ordinal, facts: new });
            }
        }
        self.mark_missing(&mut next, &matched, diff);
        self.admit(fresh, &mut next, highest, diff);
        if next.as_slice() != self.memories {
            diff.changes.push(Change { slot: self.slot, memories: next });
        }
    }

    /// New occurrences. Those that may be the shadow of a shifted page wait for a second opinion.
    fn admit(&self, fresh: Vec<(usize, &Row, Traits)>, next: &mut Memories, mut highest: u32, diff: &mut Diff) {
        for (index, row, traits) in fresh {
            let has_sibling = next.iter().any(|memory| memory.party.is_compatible(traits.party));
            if self.coverage.paged && has_sibling {
                diff.unconfirmed += 1;
                let mut memory = blank(row, 0, traits);
                if self.coverage.baseline {
                    // History stays history when the second reading agrees that it happened twice.
                    memory.facts = row.view.facts(FactSet::EMPTY);
                }
                next.push(memory);
                continue;
            }
            highest += 1;
            let mut memory = blank(row, highest, traits);
            memory.facts = row.view.facts(FactSet::EMPTY);
            if !memory.facts.is_empty() {
                diff.findings.push(Finding { row: index, slot: self.slot, ordinal: highest, facts: memory.facts });
            }
            next.push(memory);
        }
    }

    fn mark_missing(&self, next: &mut Memories, matched: &[bool], diff: &mut Diff) {
        if !self.coverage.complete {
            return;
        }
        let mut place = 0;
        next.retain(|memory| {
            let seen = matched.get(place).copied().unwrap_or(true);
            place += 1;
            if seen {
                return true;
            }
            if memory.ordinal == 0 {
                // Announced to nobody and not confirmed: it was a phantom.
                return false;
            }
            if memory.missing_since.is_none() {
                memory.missing_since = Some(self.coverage.read_at);
                diff.vanished += 1;
            }
            true
        });
    }
}

fn blank(row: &Row, ordinal: u32, traits: Traits) -> Memory {
    Memory {
        ordinal,
        facts: FactSet::EMPTY,
        rank: traits.rank,
        party: traits.party,
        details: traits.details,
        sale: traits.sale,
        payment: row.references.payment_id.as_deref().map_or(0, short_hash),
        seen: 0,
        missing_since: None,
    }
}

/// Takes over what a row says now, unless it is an older view than the one remembered.
fn overwrite(memory: &mut Memory, row: &Row, traits: Traits, diff: &mut Diff, known: bool) {
    if memory.missing_since.take().is_some() {
        diff.returned += 1;
    }
    memory.party = memory.party.merged(traits.party);
    let latest = blank(row, memory.ordinal, traits);
    if memory.payment == 0 {
        memory.payment = latest.payment;
    }
    if memory.sale == 0 {
        memory.sale = latest.sale;
    }
    if traits.rank >= memory.rank {
        memory.rank = traits.rank;
        if memory.details != traits.details {
            memory.details = traits.details;
            diff.amended += usize::from(known);
        }
    }
    let seen = look(traits.party, traits.details);
    memory.seen = if seen == look(memory.party, memory.details) { 0 } else { seen };
}

/// The facts of these that several signals may tell, so that [`crate::domain::refund`] merges them.
pub fn shared(facts: FactSet) -> FactSet {
    [FactKind::Refunded, FactKind::Voided].into_iter().filter(|kind| facts.has(*kind)).collect()
}

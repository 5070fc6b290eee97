//! The diff once more, slow and obvious, to check the real one against on random histories.
//!
//! It keeps occurrences in a plain list, compares everything with everything and tries every pairing.
#![expect(clippy::indexing_slicing, reason = "only tests and the fuzzer build it, and it fails loudly")]

use std::collections::BTreeSet;

use super::diff::Coverage;
use super::{Party, Traits};
use crate::domain::fact::FactKind;
use crate::domain::row::Row;

/// One remembered occurrence of a bucket.
#[derive(Clone, Debug)]
struct Occurrence {
    bucket: String,
    ordinal: u32,
    party: Party,
    details: u64,
    rank: u8,
    facts: BTreeSet<FactKind>,
}

/// What is remembered of a partition.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    occurrences: Vec<Occurrence>,
}

/// Bucket, ordinal, fact: what an event id is computed from.
pub(crate) type Announced = (String, u32, FactKind);

impl Model {
    /// Reads a snapshot and returns what is to be announced.
    pub(crate) fn read(&mut self, rows: &[Row], coverage: Coverage) -> BTreeSet<Announced> {
        let mut announced = BTreeSet::new();
        let mut buckets: BTreeSet<String> = rows.iter().map(bucket).collect();
        buckets.extend(self.occurrences.iter().map(|occurrence| occurrence.bucket.clone()));
        for name in buckets {
            let members: Vec<&Row> = rows.iter().filter(|row| bucket(row) == name).collect();
            self.read_bucket(&name, &members, coverage, &mut announced);
        }
        announced
    }

    fn read_bucket(&mut self, name: &str, rows: &[&Row], coverage: Coverage, announced: &mut BTreeSet<Announced>) {
        let traits: Vec<Traits> = rows.iter().map(|row| Traits::of(row, &mut String::new())).collect();
        let mut free_rows: Vec<usize> = (0..rows.len()).collect();
        let mut free: Vec<usize> =
            (0..self.occurrences.len()).filter(|i| self.occurrences[*i].bucket == name).collect();
        let mut pairs = self.alike(&traits, &mut free_rows, &mut free);
        let best = largest(&free_rows, &free, &|row, i| self.occurrences[i].party.is_compatible(traits[row].party));
        for (row, i) in &best {
            free_rows.retain(|other| other != row);
            free.retain(|other| other != i);
        }
        pairs.extend(best);
        let mut highest = self.occurrences.iter().filter(|o| o.bucket == name).map(|o| o.ordinal).max().unwrap_or(0);
        pairs.sort_unstable();
        for (row, i) in pairs {
            let occurrence = &mut self.occurrences[i];
            if occurrence.ordinal == 0 {
                highest += 1;
                occurrence.ordinal = highest;
            }
            occurrence.party = occurrence.party.merged(traits[row].party);
            if traits[row].rank >= occurrence.rank {
                occurrence.rank = traits[row].rank;
                occurrence.details = traits[row].details;
            }
            tell(occurrence, rows[row], announced);
        }
        if coverage.complete {
            let phantoms: Vec<usize> = free.into_iter().filter(|i| self.occurrences[*i].ordinal == 0).collect();
            let mut index = 0;
            self.occurrences.retain(|_| {
                index += 1;
                !phantoms.contains(&(index - 1))
            });
        }
        for row in free_rows {
            let sibling = self.occurrences.iter().any(|o| o.bucket == name && o.party.is_compatible(traits[row].party));
            let waits = coverage.paged && sibling;
            highest += u32::from(!waits);
            let Traits { party, details, rank, .. } = traits[row];
            let ordinal = if waits { 0 } else { highest };
            let mut occurrence =
                Occurrence { bucket: name.to_owned(), ordinal, party, details, rank, facts: BTreeSet::new() };
            if !waits {
                tell(&mut occurrence, rows[row], announced);
            }
            self.occurrences.push(occurrence);
        }
    }

    /// Pairs what is exactly alike, then what has the same payer.
    fn alike(&self, traits: &[Traits], free_rows: &mut Vec<usize>, free: &mut Vec<usize>) -> Vec<(usize, usize)> {
        let mut pairs = Vec::new();
        // The furthest along meets the furthest along.
        free_rows.sort_by_key(|row| (std::cmp::Reverse(traits[*row].rank), traits[*row].party, traits[*row].details));
        for exact in [true, false] {
            if exact {
                // Of equals the youngest confirmed one stays as it is, so that it is the eldest that moves on.
                free.sort_by_key(|i| {
                    (self.occurrences[*i].ordinal == 0, std::cmp::Reverse(self.occurrences[*i].ordinal))
                });
            } else {
                free.sort_by_key(|i| {
                    (std::cmp::Reverse(self.occurrences[*i].rank), self.occurrences[*i].ordinal.wrapping_sub(1))
                });
            }
            for row in free_rows.clone() {
                let wanted = traits[row];
                let fits = |i: &usize| {
                    let occurrence = &self.occurrences[*i];
                    occurrence.party == wanted.party && (!exact || occurrence.details == wanted.details)
                };
                if let Some(place) = free.iter().position(fits) {
                    pairs.push((row, free.remove(place)));
                    free_rows.retain(|other| *other != row);
                }
            }
        }
        pairs
    }
}

fn tell(occurrence: &mut Occurrence, row: &Row, announced: &mut BTreeSet<Announced>) {
    let known = occurrence.facts.iter().copied().collect();
    for fact in row.view.facts(known).iter() {
        occurrence.facts.insert(fact);
        announced.insert((occurrence.bucket.clone(), occurrence.ordinal, fact));
    }
}

/// Tries every pairing and returns a largest one; of equally large ones the first, so that earlier rows and memories go before.
fn largest(rows: &[usize], free: &[usize], fits: &impl Fn(usize, usize) -> bool) -> Vec<(usize, usize)> {
    let Some((row, rest)) = rows.split_first() else { return Vec::new() };
    let mut best = Vec::new();
    for i in free.iter().filter(|i| fits(*row, **i)) {
        let left: Vec<usize> = free.iter().copied().filter(|other| other != i).collect();
        let mut with = largest(rest, &left, fits);
        with.push((*row, *i));
        if with.len() > best.len() {
            best = with;
        }
    }
    let without = largest(rest, free, fits);
    if without.len() > best.len() { without } else { best }
}

fn bucket(row: &Row) -> String {
    format!("{:?}", row.identity)
}

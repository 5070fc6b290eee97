//! Which remembered occurrence is which row of a bucket.
//!
//! Exact matches first, then equal payers, then as many compatible ones as can be paired at all. The first two passes
//! are sorted merges, so that a thousand equal rows cost a sort and no more.

use super::{Memory, Party, Traits};

/// For each row of a bucket the index of its memory, or `None` for a new occurrence.
pub(super) fn pair(memories: &[Memory], rows: &[Traits]) -> Vec<Option<usize>> {
    if let ([memory], [row]) = (memories, rows) {
        return vec![memory.party.is_compatible(row.party).then_some(0)];
    }
    let mut pairing = Pairing { of_row: vec![None; rows.len()], taken: vec![false; memories.len()] };
    // Of equals the youngest stays as it is, so that it is the eldest that moves on: the k-th of some twins to be
    // credited has number k, in whatever order their states were seen.
    let youngest = |memory: &Memory| (memory.ordinal == 0, std::cmp::Reverse(memory.ordinal));
    pairing.merge(memories, rows, |memory| (memory.party, memory.details), |row| (row.party, row.details), youngest);
    let furthest = |memory: &Memory| (std::cmp::Reverse(memory.rank), seniority(memory));
    pairing.merge(memories, rows, |memory| memory.party, |row| row.party, furthest);
    pairing.augment(memories, rows);
    pairing.of_row
}

struct Pairing {
    of_row: Vec<Option<usize>>,
    taken: Vec<bool>,
}

impl Pairing {
    /// Pairs what has equal keys; inside a key the rows that are furthest along choose first, in the order of `preference`.
    fn merge<K: Ord, P: Ord>(
        &mut self,
        memories: &[Memory],
        rows: &[Traits],
        memory_key: impl Fn(&Memory) -> K,
        row_key: impl Fn(&Traits) -> K,
        preference: impl Fn(&Memory) -> P,
    ) {
        let mut left: Vec<_> = memories
            .iter()
            .enumerate()
            .zip(&self.taken)
            .filter(|(_, taken)| !**taken)
            .map(|((index, memory), _)| (memory_key(memory), preference(memory), index))
            .collect();
        let mut right: Vec<_> = rows
            .iter()
            .enumerate()
            .zip(&self.of_row)
            .filter(|(_, pair)| pair.is_none())
            .map(|((index, row), _)| (row_key(row), std::cmp::Reverse(row.rank), row.details, index))
            .collect();
        left.sort_unstable();
        right.sort_unstable();
        let mut left = left.into_iter().peekable();
        for (key, .., row) in right {
            while left.next_if(|(other, ..)| *other < key).is_some() {}
            if let Some((.., memory)) = left.next_if(|(other, ..)| *other == key) {
                self.set(row, memory);
            }
        }
    }

    /// A largest pairing of what is left, by augmenting paths: a row that could only be one thing is not robbed of it
    /// by a row that could be either.
    fn augment(&mut self, memories: &[Memory], rows: &[Traits]) {
        let mut order: Vec<usize> =
            (0..rows.len()).filter(|row| self.of_row.get(*row).is_some_and(Option::is_none)).collect();
        order.sort_by_key(|row| rows.get(*row).map(|row| (std::cmp::Reverse(row.rank), row.party, row.details)));
        let mut candidates: Vec<(usize, Party)> = memories
            .iter()
            .enumerate()
            .zip(&self.taken)
            .filter(|(_, taken)| !**taken)
            .map(|((index, memory), _)| (index, memory.party))
            .collect();
        candidates.sort_by_key(|(index, _)| {
            memories.get(*index).map(|memory| (std::cmp::Reverse(memory.rank), seniority(memory)))
        });
        if candidates.is_empty() {
            return;
        }
        let mut owner: Vec<Option<usize>> = vec![None; candidates.len()];
        for row in order {
            let mut visited = vec![false; candidates.len()];
            claim(row, rows, &candidates, &mut owner, &mut visited);
        }
        for (candidate, row) in candidates.iter().zip(owner) {
            if let Some(row) = row {
                self.set(row, candidate.0);
            }
        }
    }

    fn set(&mut self, row: usize, memory: usize) {
        if let (Some(pair), Some(taken)) = (self.of_row.get_mut(row), self.taken.get_mut(memory)) {
            *pair = Some(memory);
            *taken = true;
        }
    }
}

/// Unconfirmed memories (ordinal 0) are the youngest.
fn seniority(memory: &Memory) -> u32 {
    memory.ordinal.wrapping_sub(1)
}

/// Finds a memory for `row`: a free one, or else one whose owner can be moved aside.
///
/// Depth is bounded by the number of candidates, and each is visited once a call.
fn claim(
    row: usize,
    rows: &[Traits],
    candidates: &[(usize, Party)],
    owner: &mut [Option<usize>],
    visited: &mut [bool],
) -> bool {
    let Some(party) = rows.get(row).map(|row| row.party) else { return false };
    let compatible: Vec<usize> = (0..candidates.len())
        .filter(|place| candidates.get(*place).is_some_and(|(_, other)| other.is_compatible(party)))
        .collect();
    let free = compatible.iter().find(|place| owner.get(**place).is_some_and(Option::is_none));
    if let Some(slot) = free.and_then(|place| owner.get_mut(*place)) {
        *slot = Some(row);
        return true;
    }
    for place in compatible {
        match visited.get_mut(place) {
            Some(seen) if !*seen => *seen = true,
            _ => continue,
        }
        let moved =
            owner.get(place).copied().flatten().is_none_or(|other| claim(other, rows, candidates, owner, visited));
        if let (true, Some(slot)) = (moved, owner.get_mut(place)) {
            *slot = Some(row);
            return true;
        }
    }
    false
}

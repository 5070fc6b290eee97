//! Which remembered occurrence is which row of a bucket.
//!
//! A bucket in which every row looks as a memory's row looked when it was read last has not changed, and is paired so: the
//! same reading never brings news, whatever the views before it were. Otherwise what is remembered counts and not who
//! saw it last: exact matches first, then equal payers as far as they are known, then as many compatible ones as can be
//! paired at all. The first two are sorted merges, so that a thousand unchanged rows cost a sort and no more. Of equally
//! large pairings it is always the same one, whatever the order of the rows: see [`Pairing::augment`].
//!
//! What waits for a second opinion has what the others leave: a row that two pages showed in two states is one payment,
//! and of it the later state may be all that is left the next time.

use super::{Memory, Party, Traits, look};

/// For each row of a bucket the index of its memory, or `None` for a new occurrence.
pub(super) fn pair(memories: &[Memory], rows: &[Traits]) -> Vec<Option<usize>> {
    if let ([memory], [row]) = (memories, rows) {
        return vec![memory.party.is_compatible(row.party).then_some(0)];
    }
    // Of equals the youngest stays as it is, so that it is the eldest that moves on: the k-th of some twins to be
    // credited has number k, in whatever order their states were seen.
    let youngest = |memory: &Memory| (memory.ordinal == 0, std::cmp::Reverse(memory.ordinal));
    let mut same = Pairing::none(memories, rows);
    let last_look = |memory: &Memory| (memory.last_look(), (memory.missing_since.is_some(), youngest(memory)));
    same.merge(memories, rows, last_look, |row| look(row.party, row.details));
    if same.of_row.iter().all(Option::is_some) && same.is_agreed(memories) {
        return same.of_row;
    }
    let mut pairing = Pairing::none(memories, rows);
    let is_waiting = memories.iter().any(|memory| memory.ordinal == 0);
    for waits in [false, true].into_iter().take(1 + usize::from(is_waiting)) {
        for (_, taken) in memories.iter().zip(&mut pairing.taken).filter(|(memory, _)| memory.ordinal == 0) {
            *taken = !waits;
        }
        let exact = |memory: &Memory| ((memory.party, memory.details), youngest(memory));
        pairing.merge(memories, rows, exact, |row| (row.party, row.details));
        pairing.join(memories, rows);
        pairing.augment(memories, rows);
    }
    pairing.of_row
}

struct Pairing {
    of_row: Vec<Option<usize>>,
    taken: Vec<bool>,
}

impl Pairing {
    fn none(memories: &[Memory], rows: &[Traits]) -> Self {
        Self { of_row: vec![None; rows.len()], taken: vec![false; memories.len()] }
    }

    /// Whether nothing that waits for a second opinion is taken before all that needs none.
    fn is_agreed(&self, memories: &[Memory]) -> bool {
        let taken = |waits: bool| {
            memories
                .iter()
                .zip(&self.taken)
                .filter(move |(memory, _)| (memory.ordinal == 0) == waits)
                .map(|(_, taken)| *taken)
        };
        !taken(true).any(|taken| taken) || taken(false).all(|taken| taken)
    }

    /// Pairs what is left and has the same key; of a memory this comes with how much it is preferred among its like.
    fn merge<K: Ord + Copy, P: Ord>(
        &mut self,
        memories: &[Memory],
        rows: &[Traits],
        of_memory: impl Fn(&Memory) -> (K, P),
        of_row: impl Fn(&Traits) -> K,
    ) {
        let free = memories.iter().zip(&self.taken).enumerate().filter(|(_, (_, taken))| !**taken);
        let mut left: Vec<_> = free.map(|(index, (memory, _))| (of_memory(memory), index)).collect();
        let alone = rows.iter().zip(&self.of_row).enumerate().filter(|(_, (_, pair))| pair.is_none());
        let mut right: Vec<_> = alone.map(|(index, (row, _))| (of_row(row), index)).collect();
        left.sort_unstable();
        right.sort_unstable();
        let mut left = left.into_iter().peekable();
        for (key, row) in right {
            while left.next_if(|((other, _), _)| *other < key).is_some() {}
            if let Some((_, memory)) = left.next_if(|((other, _), _)| *other == key) {
                self.set(row, memory);
            }
        }
    }

    /// Pairs equal payers; the rows that are furthest along choose first. Two of whom nothing is known are not equal.
    fn join(&mut self, memories: &[Memory], rows: &[Traits]) {
        for (row, traits) in self.waiting(rows) {
            if traits.party == Party::default() {
                continue;
            }
            let alike = memories
                .iter()
                .enumerate()
                .zip(&self.taken)
                .filter(|((_, memory), taken)| !**taken && memory.party == traits.party);
            let best =
                alike.map(|(alike, _)| alike).min_by_key(|(_, memory)| (news(memory, traits), seniority(memory)));
            if let Some((memory, _)) = best {
                self.set(row, memory);
            }
        }
    }

    /// The rows that have no partner, those that are furthest along first.
    fn waiting<'a>(&self, rows: &'a [Traits]) -> Vec<(usize, &'a Traits)> {
        let mut order: Vec<(usize, &Traits)> =
            rows.iter().enumerate().zip(&self.of_row).filter(|(_, pair)| pair.is_none()).map(|(row, _)| row).collect();
        order.sort_by_key(|(_, row)| (std::cmp::Reverse(row.rank), row.party, row.details));
        order
    }

    /// A largest pairing of what is left: a row that could only be one thing is not robbed of it by one that could be either.
    ///
    /// Of the largest ones it is this one: first those rows have a partner that can have one with whom they share a
    /// number, then the others, of each those that are furthest along before the rest; and in this order each has the
    /// memory with which it shares most, then the one beside which it tells least, then the eldest. Numbers go before rank,
    /// because a wrong partner takes over the row's numbers and is no partner any more for the right one.
    fn augment(&mut self, memories: &[Memory], rows: &[Traits]) {
        let mut left: Vec<(usize, &Memory)> =
            memories.iter().enumerate().zip(&self.taken).filter(|(_, taken)| !**taken).map(|(left, _)| left).collect();
        if left.is_empty() {
            return;
        }
        left.sort_by_key(|(_, memory)| seniority(memory));
        let mut order = self.waiting(rows);
        let mut seats = Seats { memories: &left, owner: vec![None; left.len()], fixed: vec![false; left.len()] };
        let mut seated = Vec::new();
        for least in [1, 0] {
            order.retain(|(row, traits)| {
                let found = seats.any(*row, traits, least);
                if found {
                    seated.push((*row, *traits));
                }
                !found
            });
        }
        // Who sits is settled; now each in turn has the best seat that leaves one for all others.
        for (row, traits) in seated {
            seats.leave(row);
            let Some(seat) = seats.seat(row, traits, 0) else { continue };
            if let (Some((memory, _)), Some(fixed)) = (left.get(seat), seats.fixed.get_mut(seat)) {
                *fixed = true;
                self.set(row, *memory);
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

/// How much a row would tell beside a memory: nothing where it is as far along or further, however stale the view is.
fn news(memory: &Memory, row: &Traits) -> (bool, u8) {
    (memory.rank < row.rank, memory.rank.abs_diff(row.rank))
}

/// Unconfirmed memories (ordinal 0) are the youngest.
fn seniority(memory: &Memory) -> u32 {
    memory.ordinal.wrapping_sub(1)
}

/// Rows on memories, by augmenting paths.
struct Seats<'a> {
    /// The memories with their places, the preferred ones first.
    memories: &'a [(usize, &'a Memory)],
    /// Which row sits there, and its party.
    owner: Vec<Option<(usize, Party)>>,
    /// Whether it has to stay there.
    fixed: Vec<bool>,
}

impl Seats<'_> {
    /// Finds a row any seat, moving others only where none is free. `least` is how many numbers a row and its memory
    /// have to share.
    fn any(&mut self, row: usize, traits: &Traits, least: u8) -> bool {
        let free = self.best(traits, least, |seat| self.owner.get(seat).is_some_and(Option::is_none));
        free.and_then(|seat| self.take(row, traits, seat)).or_else(|| self.seat(row, traits, least)).is_some()
    }

    /// Puts a row on the best seat that can be had without making another one stand, and says which.
    fn seat(&mut self, row: usize, traits: &Traits, least: u8) -> Option<usize> {
        let best = self.best(traits, least, |seat| self.fixed.get(seat).is_some_and(|fixed| !fixed))?;
        if let Some(seat) = self.take(row, traits, best) {
            return Some(seat);
        }
        let onward = self.reachable(least);
        let best = self.best(traits, least, |seat| onward.get(seat).is_some_and(Option::is_some))?;
        let (mut seat, mut coming) = (best, Some((row, traits.party)));
        while let (Some(owner), Some(Some(next))) = (self.owner.get_mut(seat), onward.get(seat)) {
            coming = std::mem::replace(owner, coming);
            if coming.is_none() {
                break;
            }
            seat = *next;
        }
        Some(best)
    }

    /// The seat that a row likes best of the usable ones.
    fn best(&self, traits: &Traits, least: u8, usable: impl Fn(usize) -> bool) -> Option<usize> {
        let seats = self.memories.iter().enumerate().filter(|(seat, _)| usable(*seat));
        let liked = seats.filter_map(|(seat, (_, memory))| {
            let shared = memory.party.shared(traits.party).filter(|shared| *shared >= least)?;
            Some(((std::cmp::Reverse(shared), news(memory, traits)), seat))
        });
        liked.min().map(|(_, seat)| seat)
    }

    /// Sits down where nobody sits.
    fn take(&mut self, row: usize, traits: &Traits, seat: usize) -> Option<usize> {
        let owner = self.owner.get_mut(seat).filter(|owner| owner.is_none())?;
        *owner = Some((row, traits.party));
        Some(seat)
    }

    /// For each seat that is free or can be freed, where its owner would go; backwards from the free ones, each seat once.
    fn reachable(&self, least: u8) -> Vec<Option<usize>> {
        let mut onward = vec![None; self.memories.len()];
        let mut queue = Vec::new();
        let mut waiting = Vec::new();
        for (seat, ((owner, fixed), onward)) in self.owner.iter().zip(&self.fixed).zip(&mut onward).enumerate() {
            match owner {
                None => {
                    *onward = Some(seat);
                    queue.push(seat);
                }
                Some((_, party)) if !fixed => waiting.push((seat, *party)),
                Some(_) => {}
            }
        }
        while let Some((next, wanted)) = queue.pop().and_then(|seat| Some((seat, self.memories.get(seat)?.1.party))) {
            waiting.retain(|(seat, party)| {
                let moves = wanted.shared(*party).is_some_and(|shared| shared >= least);
                if let (true, Some(onward)) = (moves, onward.get_mut(*seat)) {
                    *onward = Some(next);
                    queue.push(*seat);
                }
                !moves
            });
        }
        onward
    }

    fn leave(&mut self, row: usize) {
        for owner in &mut self.owner {
            if owner.is_some_and(|(other, _)| other == row) {
                *owner = None;
            }
        }
    }
}

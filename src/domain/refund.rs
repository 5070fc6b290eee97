//! One refund, however many signals show it.
//!
//! The same refund may be told by the flag of its sale, by a row of its own and by the order behind a link. Each payment
//! has a small book, a ledger of its own: refunds numbered from 1, each bound to the row that told it once such a row
//! was seen. A flag says "there is at least one"; a row says "I am one".

use smallvec::SmallVec;

use super::fact::{FactKind, FactSet};
use super::ledger::{Change, Ledger, Memories, Memory, Party, Slot};

/// One signal of a refund or void.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// A flag of the sale or of the order's payment.
    Flag(FactKind),
    /// A row of its own, told apart by the hash of its identity.
    Row(FactKind, u64),
}

/// What a signal brought that the book did not know: the n-th refund, or the void.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// Refunded or voided.
    pub kind: FactKind,
    /// Which refund of the payment, from 1.
    pub ordinal: u32,
}

/// The one slot of a book's ledger.
const BOOK: Slot = Slot::from_bytes([0; 16]);

/// The rank of an entry whose event bears the id of another book: a flag must not tell it again, and no row is bound to it.
const ELSEWHERE: u8 = 1;

/// The refunds and voids of one payment.
#[derive(Clone, Debug)]
pub struct Book {
    stored: Memories,
    entries: Memories,
    /// Entries whose event is nowhere, although they count as told.
    doubted: Vec<(FactKind, u32)>,
}

impl Book {
    /// Opens the book that a ledger of scope `Refunds` holds.
    pub fn open(ledger: &Ledger) -> Self {
        let entries: Memories = SmallVec::from_slice(ledger.get(&BOOK));
        Self { stored: entries.clone(), entries, doubted: Vec::new() }
    }

    /// Doubts every entry that `is_missing`: it is told again, under the number that it has, when a signal shows it.
    pub fn doubt(&mut self, is_missing: impl Fn(FactKind, u32) -> bool) {
        self.doubted = self.told().filter(|(kind, ordinal)| is_missing(*kind, *ordinal)).collect();
    }

    /// What was told under these numbers; the first that is in doubt is in doubt no more, and has to be told.
    fn known(&mut self, kind: FactKind, ordinals: &[u32]) -> Option<Told> {
        let place =
            self.doubted.iter().position(|(doubted, ordinal)| *doubted == kind && ordinals.contains(ordinal))?;
        let (kind, ordinal) = self.doubted.swap_remove(place);
        Some(Told { kind, ordinal })
    }

    /// Whether a signal is told here already: a row by its own name, a flag by any refund (or void) at all.
    pub fn knows(&self, signal: Signal) -> bool {
        match signal {
            Signal::Flag(kind) => self.entries.iter().any(|entry| entry.facts.has(kind)),
            Signal::Row(kind, row) => self.entries.iter().any(|entry| entry.facts.has(kind) && entry.details == row),
        }
    }

    /// What was told under the ids of this book.
    pub fn told(&self) -> impl Iterator<Item = (FactKind, u32)> {
        let here = self.entries.iter().filter(|entry| entry.rank != ELSEWHERE);
        here.flat_map(|entry| entry.facts.iter().map(|kind| (kind, entry.ordinal)))
    }

    /// Notes that another book has told of this.
    pub fn is_told_elsewhere(&mut self, kind: FactKind) {
        if !self.knows(Signal::Flag(kind)) {
            self.enter(kind, ELSEWHERE, 0);
        }
    }

    /// Enters a signal; `Some` when it tells of something that nobody told before.
    pub fn tell(&mut self, signal: Signal) -> Option<Told> {
        let (kind, row) = match signal {
            Signal::Flag(kind) => (kind, 0),
            Signal::Row(kind, row) => (kind, row),
        };
        let of_kind = |memory: &&mut Memory| memory.facts.has(kind) && memory.rank != ELSEWHERE;
        if row == 0 {
            let told: Vec<u32> = self.entries.iter().filter(|entry| entry.facts.has(kind)).map(|e| e.ordinal).collect();
            if !told.is_empty() {
                // A flag shows that there is one at least: if any is sure, it may be that one.
                let doubtful = |ordinal: &u32| self.doubted.contains(&(kind, *ordinal));
                return if told.iter().all(doubtful) { self.known(kind, &told) } else { None };
            }
        } else if let Some(entry) = self.entries.iter().find(|entry| entry.facts.has(kind) && entry.details == row) {
            let ordinal = entry.ordinal;
            return self.known(kind, &[ordinal]);
        } else if let Some(unbound) = self.entries.iter_mut().filter(of_kind).find(|memory| memory.details == 0) {
            // A flag told of it first; this row is what the flag meant.
            unbound.details = row;
            let ordinal = unbound.ordinal;
            return self.known(kind, &[ordinal]);
        }
        Some(Told { kind, ordinal: self.enter(kind, 0, row) })
    }

    fn enter(&mut self, kind: FactKind, rank: u8, row: u64) -> u32 {
        let of_kind = self.entries.iter().filter(|memory| memory.facts.has(kind));
        let ordinal = of_kind.map(|memory| memory.ordinal).max().unwrap_or(0) + 1;
        self.entries.push(Memory {
            ordinal,
            facts: FactSet::EMPTY.with(kind),
            rank,
            party: Party::default(),
            details: row,
            sale: 0,
            payment: 0,
            seen: 0,
            missing_since: None,
        });
        ordinal
    }

    /// What to write back.
    pub fn changes(&self) -> Vec<Change> {
        if self.entries == self.stored {
            Vec::new()
        } else {
            vec![Change { slot: BOOK, memories: self.entries.clone() }]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use FactKind::{Refunded, Voided};

    fn told(signals: &[Signal]) -> Vec<Option<u32>> {
        let mut book = Book::open(&Ledger::default());
        signals.iter().map(|signal| book.tell(*signal).map(|told| told.ordinal)).collect()
    }

    #[test]
    fn a_flag_and_its_row_are_one_refund_in_either_order() {
        assert_eq!(told(&[Signal::Flag(Refunded), Signal::Row(Refunded, 7)]), [Some(1), None]);
        assert_eq!(told(&[Signal::Row(Refunded, 7), Signal::Flag(Refunded)]), [Some(1), None]);
        assert_eq!(told(&[Signal::Flag(Refunded), Signal::Flag(Refunded)]), [Some(1), None]);
    }

    #[test]
    fn two_rows_are_two_partial_refunds() {
        let signals =
            [Signal::Flag(Refunded), Signal::Row(Refunded, 7), Signal::Row(Refunded, 8), Signal::Row(Refunded, 7)];
        assert_eq!(told(&signals), [Some(1), None, Some(2), None]);
    }

    #[test]
    fn a_void_is_no_refund() {
        assert_eq!(
            told(&[Signal::Flag(Refunded), Signal::Flag(Voided), Signal::Row(Voided, 3)]),
            [Some(1), Some(1), None]
        );
    }

    #[test]
    fn what_is_in_doubt_is_told_again_under_its_number_and_once() {
        let mut ledger = Ledger::default();
        let mut book = Book::open(&ledger);
        for row in [7, 8] {
            book.tell(Signal::Row(Refunded, row));
        }
        ledger.apply(1, &book.changes());
        let mut doubting = Book::open(&ledger);
        doubting.doubt(|_, ordinal| ordinal == 2);
        let signals = [Signal::Flag(Refunded), Signal::Row(Refunded, 7), Signal::Row(Refunded, 8)];
        let mut told = |signal: &Signal| doubting.tell(*signal).map(|told| told.ordinal);
        assert_eq!(signals.each_ref().map(&mut told), [None, None, Some(2)], "one that is sure explains the flag");
        assert_eq!(signals.each_ref().map(&mut told), [None, None, None]);
        assert!(doubting.changes().is_empty(), "doubt changes no memory");
        let mut doubting = Book::open(&ledger);
        doubting.doubt(|_, _| true);
        let first = doubting.tell(Signal::Flag(Refunded)).map(|told| told.ordinal);
        assert_eq!(first, Some(1));
    }

    #[test]
    fn a_book_survives_its_ledger() {
        let mut book = Book::open(&Ledger::default());
        book.tell(Signal::Flag(Refunded));
        let mut ledger = Ledger::default();
        ledger.apply(1, &book.changes());
        let mut again = Book::open(&ledger);
        assert!(again.changes().is_empty());
        assert_eq!(again.tell(Signal::Row(Refunded, 9)), None);
        assert_eq!(again.changes().len(), 1);
    }
}

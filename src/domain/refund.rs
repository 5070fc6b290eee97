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

/// The refunds and voids of one payment.
#[derive(Clone, Debug)]
pub struct Book {
    stored: Memories,
    entries: Memories,
}

impl Book {
    /// Opens the book that a ledger of scope `Refunds` holds.
    pub fn open(ledger: &Ledger) -> Self {
        let entries: Memories = SmallVec::from_slice(ledger.get(&BOOK));
        Self { stored: entries.clone(), entries }
    }

    /// Enters a signal; `Some` when it tells of something that nobody told before.
    pub fn tell(&mut self, signal: Signal) -> Option<Told> {
        let (kind, row) = match signal {
            Signal::Flag(kind) => (kind, 0),
            Signal::Row(kind, row) => (kind, row),
        };
        let of_kind = |memory: &&mut Memory| memory.facts.has(kind);
        if row == 0 {
            if self.entries.iter().any(|memory| memory.facts.has(kind)) {
                return None;
            }
        } else if self.entries.iter().any(|memory| memory.facts.has(kind) && memory.details == row) {
            return None;
        } else if let Some(unbound) = self.entries.iter_mut().filter(of_kind).find(|memory| memory.details == 0) {
            // A flag told of it first; this row is what the flag meant.
            unbound.details = row;
            return None;
        }
        let ordinal =
            self.entries.iter().filter(|memory| memory.facts.has(kind)).map(|memory| memory.ordinal).max().unwrap_or(0)
                + 1;
        self.entries.push(Memory {
            ordinal,
            facts: FactSet::EMPTY.with(kind),
            rank: 0,
            party: Party::default(),
            details: row,
            sale: 0,
            payment: 0,
            missing_since: None,
        });
        Some(Told { kind, ordinal })
    }

    /// Which kinds were told at all.
    pub fn kinds(&self) -> FactSet {
        self.entries.iter().fold(FactSet::EMPTY, |kinds, memory| kinds.union(memory.facts))
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

//! Which book of refunds a signal belongs to.
//!
//! A sale knows its sale id and its payment id, an order knows the payment id, a refund row often only the sale id. The
//! book is kept by payment; the sale of a refund row is looked up in what was read or is remembered.

use std::collections::{HashMap, HashSet};

use crate::domain::account::{AccountName, Partition, Scope, SourceKind};
use crate::domain::event::EventId;
use crate::domain::fact::{FactKind, FactSet, View};
use crate::domain::ledger::{Finding, Ledger, Slot, shared, short_hash};
use crate::domain::pairing;
use crate::domain::refund::{Book, Signal};
use crate::domain::row::{Identity, Row};
use crate::store::LedgerWrite;

/// A finding whose refund or void must be merged with other signals.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    /// Index of the row.
    pub(super) row: usize,
    /// Refunded, voided or both.
    pub(super) facts: FactSet,
    /// Hash of the payment, or of the sale where the payment is not known.
    pub(super) payment: u64,
    /// A second name that earlier signals may have used: the hash of the sale.
    alias: Option<u64>,
    /// The hash that tells a refund row from others; `None` for a flag.
    teller: Option<u64>,
}

/// A refund that nobody told before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Merged {
    pub(super) row: usize,
    pub(super) fact: FactKind,
    pub(super) slot: Slot,
    pub(super) ordinal: u32,
    pub(super) payment: u64,
}

/// The hash of the sale of a refund row whose payment has to be looked up.
pub(super) fn sale_to_look_up(row: &Row) -> Option<u64> {
    let refund = matches!(row.view, View::RefundOfSale | View::VoidOfSale);
    refund.then(|| hash(row.references.sale_id.as_deref())).flatten()
}

/// The payment of a sale, if the sale stands among these rows.
pub(super) fn payment_among(rows: &[Row], sale: u64) -> Option<u64> {
    let mut sales = rows.iter().filter(|row| sale_told(row) == Some(sale));
    sales.find_map(|row| hash(row.references.payment_id.as_deref()))
}

/// The hash of the sale that a row tells.
pub(super) fn sale_told(row: &Row) -> Option<u64> {
    let sale = matches!(row.view, View::Sale { .. });
    sale.then(|| hash(row.references.sale_id.as_deref())).flatten()
}

impl Claim {
    /// The claim of a finding, which is told under `told_under`; `payments` maps hashes of sales to hashes of payments.
    /// `None` when nothing of it is shared.
    pub(super) fn of(finding: &Finding, row: &Row, told_under: u64, payments: &HashMap<u64, u64>) -> Option<Self> {
        let facts = shared(finding.facts);
        if facts.is_empty() || !row.view.merges_refunds() {
            return None;
        }
        let (own, sale) = (hash(row.references.payment_id.as_deref()), hash(row.references.sale_id.as_deref()));
        let (Identity::Keyed(identity) | Identity::Counted(identity)) = &row.identity;
        let itself = short_hash(identity);
        let (payment, alias, teller) = match row.view {
            View::RefundOfSale | View::VoidOfSale => {
                let of_sale = sale.and_then(|sale| payments.get(&sale).copied());
                let by_sale = sale.map(pairing::of_sale);
                let payment = of_sale.or(by_sale).or(own).unwrap_or(itself);
                (payment, by_sale.filter(|by_sale| *by_sale != payment), Some(itself))
            }
            View::Credit(_)
            | View::Debit(_)
            | View::RefundRow(_)
            | View::Sale { .. }
            | View::OrderOpen
            | View::OrderDone
            | View::OrderExpired
            | View::OrderFailed
            | View::OrderPayment { .. }
            | View::LinkCashin
            | View::QrCashin
            | View::PlainCashin
            | View::Settlement => (told_under, sale.map(pairing::of_sale).filter(|sale| *sale != told_under), None),
        };
        Some(Self { row: finding.row, facts, payment, alias, teller })
    }

    /// The partitions of the books that this claim needs.
    pub(super) fn books(&self, account: &AccountName) -> impl Iterator<Item = Partition> {
        let account = account.clone();
        std::iter::once(self.payment).chain(self.alias).map(move |hash| book(&account, hash))
    }
}

/// Books are kept under one source, whatever source told of the refund.
fn book(account: &AccountName, payment: u64) -> Partition {
    Partition {
        account: account.clone(),
        source: SourceKind::Movements,
        scope: Scope::Refunds(format!("{payment:016x}")),
    }
}

/// The identity version of the books: they are kept by hashes of ids and know nothing of rows, so that it never grows.
const BOOKS: u8 = 1;

/// Where the refunds of a payment stand.
fn slot_of(account: &AccountName, payment: u64) -> Slot {
    let identity = Identity::Keyed(format!("refund-of:{payment:016x}"));
    Slot::of_version(BOOKS, account, SourceKind::Movements, &identity)
}

/// The ids of the events that a book says were told.
pub(super) fn told_by_book(account: &AccountName, partition: &Partition, ledger: &Ledger) -> Vec<EventId> {
    let Scope::Refunds(payment) = &partition.scope else { return Vec::new() };
    let Ok(payment) = u64::from_str_radix(payment, 16) else { return Vec::new() };
    let slot = slot_of(account, payment);
    Book::open(ledger).told().map(|(fact, ordinal)| EventId::of_fact(&slot, ordinal, fact)).collect()
}

/// Enters all claims into their books: what is new, and what has to be written. What is among `missing` counts as told,
/// but its event is nowhere.
pub(super) fn settle(
    account: &AccountName,
    claims: &[Claim],
    ledgers: &HashMap<Partition, Ledger>,
    missing: &HashSet<EventId>,
) -> (Vec<Merged>, Vec<LedgerWrite>) {
    let mut books: HashMap<u64, (Partition, u64, Book)> = HashMap::new();
    for hash in claims.iter().flat_map(|claim| std::iter::once(claim.payment).chain(claim.alias)) {
        books.entry(hash).or_insert_with(|| {
            let partition = book(account, hash);
            let ledger = ledgers.get(&partition).cloned().unwrap_or_default();
            let mut open = Book::open(&ledger);
            if !missing.is_empty() {
                let slot = slot_of(account, hash);
                open.doubt(|kind, ordinal| missing.contains(&EventId::of_fact(&slot, ordinal, kind)));
            }
            (partition, ledger.version(), open)
        });
    }
    let mut merged = Vec::new();
    for claim in claims {
        for kind in claim.facts.iter() {
            let signal = claim.teller.map_or(Signal::Flag(kind), |teller| Signal::Row(kind, teller));
            // A refund row that came before its sale was known was entered under the sale's name, and stays there.
            let knows = |alias: &u64| books.get(alias).is_some_and(|(_, _, book)| book.knows(signal));
            let alias = claim.alias.filter(knows);
            if let (Some(_), Some((_, _, book))) = (alias, books.get_mut(&claim.payment)) {
                book.is_told_elsewhere(kind);
            }
            let place = alias.unwrap_or(claim.payment);
            let Some((_, _, book)) = books.get_mut(&place) else { continue };
            let Some(told) = book.tell(signal) else { continue };
            let slot = slot_of(account, place);
            merged.push(Merged { row: claim.row, fact: kind, slot, ordinal: told.ordinal, payment: claim.payment });
        }
    }
    let mut writes: Vec<LedgerWrite> = books
        .into_values()
        .map(|(partition, expected, book)| LedgerWrite { partition, expected, changes: book.changes() })
        .filter(|write| !write.changes.is_empty())
        .collect();
    writes.sort_by(|a, b| a.partition.cmp(&b.partition));
    (merged, writes)
}

fn hash(id: Option<&str>) -> Option<u64> {
    id.filter(|id| !id.is_empty()).map(short_hash)
}

//! One payment, told by two sources that share no id.
//!
//! A TelePagos cash-in has amount, payer and no date; its row among the transactions has amount, payer, date and no id. A
//! Sipago movement may lack the payment id that its order prints. Both halves are put together by amount, payer and
//! time, one to one. A payer that nobody printed, a number that contradicts, a moment too far off: no pair. Two messages
//! for one payment are a nuisance; one message for two payments hides money.

mod book;
#[cfg(test)]
mod laws;

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;

pub use self::book::Book;
use super::account::SourceKind;
use super::day::Day;
use super::fact::{FactKind, View};
use super::ledger::{Memory, Party, Slot, short_hash};
use super::money::Money;
use super::row::{References, Row};

/// A listed payment happened at the most this long before its other half was seen paid, in seconds: a day.
pub const WITHIN: i64 = 86_400;

/// It was seen paid before it is said to have happened by this much at the most, in seconds: clocks differ.
pub const SKEW: i64 = 900;

/// Which half of a payment a source tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The account's listing, which has dates.
    Listed,
    /// What is watched by its id, whose date is when it was seen.
    Watched,
}

/// Which half a source tells, and the listing that both halves are kept under. `None`: it has no other half.
pub const fn side(source: SourceKind) -> Option<(Side, SourceKind)> {
    match source {
        SourceKind::Transactions => Some((Side::Listed, SourceKind::Transactions)),
        SourceKind::Movements => Some((Side::Listed, SourceKind::Movements)),
        SourceKind::Cashin => Some((Side::Watched, SourceKind::Transactions)),
        SourceKind::Links => Some((Side::Watched, SourceKind::Movements)),
        SourceKind::Deposits => None,
    }
}

/// Amount and moment in 64 bits, as the ledgers keep them: cents in the upper 45, below them the seconds since 1970
/// modulo `ROUND`, about six days, or `UNTIMED`. It is persisted: never change the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Trace(u64);

impl Trace {
    const BITS: u32 = 19;
    const UNTIMED: u64 = (1 << Self::BITS) - 1;
    const ROUND: i64 = (1 << Self::BITS) - 1;

    /// Of an amount, whatever its sign, and a moment. `None` for nothing and for 351 thousand million and more.
    pub fn of(amount: Money, at: Option<Timestamp>) -> Option<Self> {
        let cents = u64::try_from(amount.abs().cents()).ok().filter(|cents| (1..1 << 45).contains(cents))?;
        let seconds = at.and_then(|at| u64::try_from(at.as_second().rem_euclid(Self::ROUND)).ok());
        Some(Self(cents << Self::BITS | seconds.unwrap_or(Self::UNTIMED)))
    }

    /// As it was persisted; 0 is none.
    pub const fn restore(bits: u64) -> Option<Self> {
        if bits >> Self::BITS == 0 { None } else { Some(Self(bits)) }
    }

    /// To persist.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// In cents.
    pub const fn cents(self) -> u64 {
        self.0 >> Self::BITS
    }

    fn seconds(self) -> Option<i64> {
        let seconds = self.0 & Self::UNTIMED;
        if seconds == Self::UNTIMED { None } else { i64::try_from(seconds).ok() }
    }

    /// Seconds from `earlier` to this; right for moments that are less than three days apart.
    fn since(self, earlier: Self) -> Option<i64> {
        let passed = (self.seconds()? - earlier.seconds()?).rem_euclid(Self::ROUND);
        Some(if passed > Self::ROUND / 2 { passed - Self::ROUND } else { passed })
    }
}

/// One half of a payment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Half {
    /// How much and when.
    pub trace: Trace,
    /// Of the partition or book that it stands in.
    pub day: Day,
    /// By whom.
    pub party: Party,
    /// What its events are told under.
    pub payment: u64,
}

impl Half {
    /// How far a listed half (`self`) and a watched one are apart, in seconds. `None`: too far.
    fn distance(&self, watched: &Self) -> Option<u64> {
        match watched.trace.since(self.trace) {
            Some(passed) => (-SKEW..=WITHIN).contains(&passed).then_some(passed.unsigned_abs()),
            None => (watched.day == self.day || watched.day == self.day.next()).then_some(u64::MAX),
        }
    }

    /// Whether a refund of that amount to that payer may be of this credit.
    pub fn is_refunded_by(&self, refund: &Self) -> bool {
        let in_order = match refund.trace.since(self.trace) {
            // Further apart than a trace can tell, the days decide.
            Some(passed) if self.day.plus(1) >= refund.day => passed >= -SKEW,
            _ => self.day <= refund.day,
        };
        in_order && self.trace.cents() == refund.trace.cents() && self.is_of(refund.party)
    }

    /// Both know a number of the payer, and none contradicts.
    fn is_of(&self, payer: Party) -> bool {
        let same = |a: u64, b: u64| a != 0 && a == b;
        self.party.is_compatible(payer)
            && (same(self.party.cuit, payer.cuit) || same(self.party.account, payer.account))
    }
}

/// Pairs listed halves with watched ones: (index of the listed, index of the watched). Each is used once, and the order
/// of neither list matters.
///
/// Equal payers come first, the nearest in time before others. A half whose payer is only partly known is paired where
/// all that it could belong to bear the same numbers, so that it does not matter which it is.
pub fn match_up(listed: &[Half], watched: &[Half]) -> Vec<(usize, usize)> {
    let mut by_amount: HashMap<u64, Vec<usize>> = HashMap::new();
    for (index, half) in watched.iter().enumerate() {
        by_amount.entry(half.trace.cents()).or_default().push(index);
    }
    let mut edges = Vec::new();
    for (l, half) in listed.iter().enumerate() {
        for w in by_amount.get(&half.trace.cents()).into_iter().flatten() {
            let Some(other) = watched.get(*w).filter(|other| half.is_of(other.party)) else { continue };
            if let Some(distance) = half.distance(other) {
                edges.push(Edge { exact: half.party == other.party, distance, l, w: *w, of: (*half, *other) });
            }
        }
    }
    edges.sort_by_key(|edge| (!edge.exact, edge.distance, edge.of.0.payment, edge.of.1.payment, edge.l, edge.w));
    let (exact, compatible): (Vec<Edge>, Vec<Edge>) = edges.into_iter().partition(|edge| edge.exact);
    let mut taken = Taken::default();
    for edge in &exact {
        taken.take(edge);
    }
    let free: Vec<Edge> = compatible.into_iter().filter(|edge| taken.is_free(edge)).collect();
    let (mut of_listed, mut of_watched) = (BTreeMap::new(), BTreeMap::new());
    for edge in &free {
        of_listed.entry(edge.l).or_insert_with(HashSet::new).insert(edge.of.1.party);
        of_watched.entry(edge.w).or_insert_with(HashSet::new).insert(edge.of.0.party);
    }
    let is_one = |parties: Option<&HashSet<Party>>| parties.is_some_and(|parties| parties.len() == 1);
    for edge in free.iter().filter(|edge| is_one(of_listed.get(&edge.l)) && is_one(of_watched.get(&edge.w))) {
        taken.take(edge);
    }
    taken.pairs.sort_unstable();
    taken.pairs
}

#[derive(Clone, Copy)]
struct Edge {
    exact: bool,
    distance: u64,
    l: usize,
    w: usize,
    of: (Half, Half),
}

#[derive(Default)]
struct Taken {
    listed: HashSet<usize>,
    watched: HashSet<usize>,
    pairs: Vec<(usize, usize)>,
}

impl Taken {
    fn is_free(&self, edge: &Edge) -> bool {
        !self.listed.contains(&edge.l) && !self.watched.contains(&edge.w)
    }

    fn take(&mut self, edge: &Edge) {
        if self.is_free(edge) {
            self.listed.insert(edge.l);
            self.watched.insert(edge.w);
            self.pairs.push((edge.l, edge.w));
        }
    }
}

/// The name of a payment of which only the sale is known; `sale` is the hash of its id. No payment id gives the same.
pub fn of_sale(sale: u64) -> u64 {
    short_hash(&format!("sale:{sale:016x}"))
}

/// What a row's events are told under where no other half was told before it: by the upstream's id, else by the row itself.
pub fn own_payment(row: &Row, slot: &Slot, ordinal: u32) -> u64 {
    let References { payment_id, sale_id, transaction_id, .. } = &row.references;
    if let Some(payment) = payment_id.as_deref().filter(|id| !id.is_empty()) {
        return short_hash(payment);
    }
    if let Some(sale) = sale_id.as_deref().filter(|id| !id.is_empty()) {
        return of_sale(short_hash(sale));
    }
    match (row.source, transaction_id) {
        (SourceKind::Cashin, Some(transaction)) => short_hash(&format!("transaction:{transaction}")),
        _ => of_slot(slot, ordinal),
    }
}

fn of_slot(slot: &Slot, ordinal: u32) -> u64 {
    let hex = u128::from_be_bytes(*slot.as_bytes());
    short_hash(&format!("row:{hex:032x}:{ordinal}"))
}

/// What a row that may have another half is found by: trace and payer. `seen_at` is when a watched one was read.
pub fn clue(row: &Row, seen_at: Timestamp) -> Option<(Trace, Party)> {
    let (at, party) = match row.view {
        View::Credit(_) => (row.occurred.instant(), payer(row)),
        View::LinkCashin | View::QrCashin => (Some(seen_at), payer(row)),
        // A movement with a payment id needs no search: its order prints the same.
        View::Sale { .. } if row.references.payment_id.is_none() => (row.occurred.instant(), by_code(row)),
        View::OrderPayment { paid: true, .. } => (Some(seen_at), by_code(row)),
        View::Sale { .. }
        | View::OrderPayment { .. }
        | View::Debit(_)
        | View::RefundRow(_)
        | View::RefundOfSale
        | View::VoidOfSale
        | View::OrderOpen
        | View::OrderDone
        | View::OrderExpired
        | View::OrderFailed
        | View::PlainCashin
        | View::Settlement => return None,
    };
    let party = sensible(party);
    if party == Party::default() { None } else { Some((Trace::of(row.amount, at)?, party)) }
}

/// What a refund row of a payer is found by, who must be known.
pub fn payer_of_refund(row: &Row) -> Option<(Trace, Party)> {
    let party = sensible(payer(row));
    let known = matches!(row.view, View::RefundRow(_)) && party != Party::default();
    if known { Trace::of(row.amount, row.occurred.instant()).map(|trace| (trace, party)) } else { None }
}

/// What the memory of a row keeps for its other half to find: the fields `party` and `sale`.
pub(super) fn marks(row: &Row) -> (Party, u64) {
    let sale = row.references.sale_id.as_deref().map_or(0, short_hash);
    match row.view {
        // No sale stands behind a transfer, so that there is room.
        View::Credit(_) => (payer(row), Trace::of(row.amount, row.occurred.instant()).map_or(0, Trace::bits)),
        // And no numbers of the payer behind a card.
        View::Sale { .. } if row.references.payment_id.is_none() => {
            let trace = Trace::of(row.amount, row.occurred.instant()).map_or(0, Trace::bits);
            (Party { account: trace, ..by_code(row) }, sale)
        }
        View::Sale { .. }
        | View::OrderPayment { .. }
        | View::Debit(_)
        | View::RefundRow(_)
        | View::RefundOfSale
        | View::VoidOfSale
        | View::OrderOpen
        | View::OrderDone
        | View::OrderExpired
        | View::OrderFailed
        | View::LinkCashin
        | View::QrCashin
        | View::PlainCashin
        | View::Settlement => (payer(row), sale),
    }
}

/// A remembered listed half. `None`: it was told of nothing that another half could tell, too.
pub fn remembered(source: SourceKind, day: Day, slot: &Slot, memory: &Memory) -> Option<Half> {
    let came_in = memory.facts.has(FactKind::Credited) || memory.facts.has(FactKind::Pending);
    if memory.ordinal == 0 || !came_in || memory.facts.has(FactKind::Rejected) {
        return None;
    }
    let (bits, party) = match source {
        SourceKind::Movements => (memory.party.account, Party { account: 0, ..memory.party }),
        SourceKind::Transactions => (memory.sale, memory.party),
        SourceKind::Cashin | SourceKind::Links | SourceKind::Deposits => return None,
    };
    let payment = if memory.payment == 0 { of_slot(slot, memory.ordinal) } else { memory.payment };
    Some(Half { trace: Trace::restore(bits)?, day, party: sensible(party), payment })
}

fn payer(row: &Row) -> Party {
    let text = |field: &Option<String>| field.as_deref().map_or(0, short_hash);
    Party { cuit: text(&row.payer.cuit), account: text(&row.payer.cvu_cbu) }
}

/// A card payment has no payer that both halves print. Its authorization code is no key, but no bad witness.
fn by_code(row: &Row) -> Party {
    let code = row.references.authorization_code.as_deref().unwrap_or_default().trim();
    let says_something = code.chars().any(|c| c.is_alphanumeric() && c != '0');
    Party { cuit: if says_something { short_hash(code) } else { 0 }, account: 0 }
}

/// Without the "numbers" that are printed where there is none: they are nobody's.
fn sensible(party: Party) -> Party {
    const NOBODY: [&str; 4] = ["0", "-", "00000000000", "0000000000000000000000"];
    let known = |hash: u64| if NOBODY.iter().any(|text| short_hash(text) == hash) { 0 } else { hash };
    Party { cuit: known(party.cuit), account: known(party.account) }
}

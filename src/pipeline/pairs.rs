//! The other halves of new payments: an order's payment and its movement, a cash-in and its transaction.
//!
//! A payment gets its key when it is told for the first time, and both halves bear the key of the one that came first.
//! Which halves are taken stands in the books of the days on which watched ones were seen and in the listing's ledgers,
//! and is written with the announcements. So that two replicas never conclude from halves of the truth, a watched half
//! guards the ledgers in which it did not find its listed one; a listed half is new content of such a ledger.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use jiff::Timestamp;

use super::announce::Herald;
use super::digest::Part;
use super::history::look_back;
use super::plan;
use crate::domain::account::{Partition, Scope, SourceKind};
use crate::domain::day::Day;
use crate::domain::fact::View;
use crate::domain::ledger::{Finding, Ledger, Slot};
use crate::domain::pairing::{self, Book, Half, Side, clue, match_up, own_payment, payer_of_refund, remembered};
use crate::domain::policy::Policy;
use crate::domain::row::Row;
use crate::sources::Snapshot;

/// What pairing adds to a reading.
#[derive(Default)]
pub(super) struct Paired {
    /// Books that change, and what the conclusions rest on.
    pub(super) parts: Vec<plan::Part>,
    slots: HashSet<Slot>,
}

impl Paired {
    /// Whether what is told of a slot must be written together with the books.
    pub(super) fn shares(&self, slot: &Slot) -> bool {
        self.slots.contains(slot)
    }
}

/// A row that is told for the first time.
#[derive(Clone, Copy)]
struct Fresh<'a> {
    part: usize,
    finding: Finding,
    row: &'a Row,
}

/// Everything that is told for the first time.
fn fresh<'a>(snapshot: &'a Snapshot, parts: &[Part]) -> Vec<Fresh<'a>> {
    let of_part = |(index, part): (usize, &Part)| {
        let first =
            |finding: &Finding| part.memory(finding).is_some_and(|memory| memory.facts.minus(finding.facts).is_empty());
        let findings = part.findings().filter(first);
        let fresh =
            findings.filter_map(|finding| Some(Fresh { part: index, finding, row: snapshot.rows.get(finding.row)? }));
        fresh.collect::<Vec<_>>()
    };
    parts.iter().enumerate().flat_map(of_part).collect()
}

/// The days of the books in which the watched half of a listed row may wait.
fn book_days(day: Day, silent: bool, today: Day) -> impl Iterator<Item = Day> {
    let worth_it = !silent || day >= today.plus(-1);
    let last = if worth_it { day.next().min(today) } else { day.plus(-2) };
    day.plus(-1).through(last)
}

fn day_of(part: &Part) -> Option<Day> {
    match part.partition.scope {
        Scope::Day(day) => Some(day),
        Scope::Watched(_) | Scope::Refunds(_) | Scope::Pairs(_) => None,
    }
}

fn is_refund_to_trace(parts: &[Part], fresh: &Fresh<'_>) -> bool {
    parts.get(fresh.part).is_some_and(|part| !part.silent) && payer_of_refund(fresh.row).is_some()
}

/// The ledgers and books that [`pair`] looks at.
pub(super) fn needed(
    herald: &Herald,
    policy: &Policy,
    snapshot: &Snapshot,
    parts: &[Part],
    read_through: Option<Day>,
    now: Timestamp,
) -> Vec<Partition> {
    let Some((side, listing)) = pairing::side(snapshot.source) else { return Vec::new() };
    let partition = |scope| Partition { account: herald.account.clone(), source: listing, scope };
    let fresh = fresh(snapshot, parts);
    let mut needed = BTreeSet::new();
    match side {
        Side::Listed => {
            let seeking = fresh.iter().filter(|fresh| clue(fresh.row, snapshot.read_at).is_some());
            let days: BTreeSet<(Day, bool)> = seeking
                .filter_map(|fresh| parts.get(fresh.part).and_then(|part| Some((day_of(part)?, part.silent))))
                .collect();
            let today = herald.today(now);
            let books = days.into_iter().flat_map(|(day, silent)| book_days(day, silent, today));
            needed.extend(books.map(|day| partition(Scope::Pairs(day))));
            if fresh.iter().any(|fresh| is_refund_to_trace(parts, fresh)) {
                needed.extend(look_back(herald, policy, listing, snapshot, read_through, now));
            }
        }
        Side::Watched => {
            if fresh.iter().any(|fresh| clue(fresh.row, snapshot.read_at).is_some()) {
                let seen = herald.today(snapshot.read_at);
                needed.extend(seen.plus(-2).through(seen).map(|day| partition(Scope::Pairs(day))));
                needed.extend(seen.plus(-1).through(seen.next()).map(|day| partition(Scope::Day(day))));
            }
        }
    }
    needed.into_iter().collect()
}

/// Pairs what can be paired, and writes into the memories of fresh rows what they are told under.
pub(super) fn pair(
    herald: &Herald,
    snapshot: &Snapshot,
    parts: &mut [Part],
    needed: &[Partition],
    ledgers: &HashMap<Partition, Ledger>,
) -> Paired {
    let Some((side, listing)) = pairing::side(snapshot.source) else { return Paired::default() };
    let mut desk = Desk::open(needed, ledgers);
    let fresh = fresh(snapshot, parts);
    match side {
        Side::Listed => {
            desk.listed(&fresh, parts, snapshot.read_at);
            desk.refunds(&fresh, parts, listing, ledgers);
        }
        Side::Watched => desk.watched(&fresh, parts, snapshot.read_at, listing, herald.today(snapshot.read_at)),
    }
    desk.paired
}

/// Books and ledgers, opened.
struct Desk<'a> {
    books: BTreeMap<Day, (&'a Partition, u64, Book)>,
    days: BTreeMap<Day, (&'a Partition, Option<&'a Ledger>)>,
    paired: Paired,
}

impl<'a> Desk<'a> {
    fn open(needed: &'a [Partition], ledgers: &'a HashMap<Partition, Ledger>) -> Self {
        let mut desk = Self { books: BTreeMap::new(), days: BTreeMap::new(), paired: Paired::default() };
        let unread = Ledger::default();
        for partition in needed {
            let ledger = ledgers.get(partition);
            match partition.scope {
                Scope::Pairs(day) => {
                    let ledger = ledger.unwrap_or(&unread);
                    desk.books.insert(day, (partition, ledger.version(), Book::open(day, ledger)));
                }
                Scope::Day(day) => drop(desk.days.insert(day, (partition, ledger))),
                Scope::Watched(_) | Scope::Refunds(_) => {}
            }
        }
        desk
    }

    fn listed(&mut self, fresh: &[Fresh<'_>], parts: &mut [Part], read_at: Timestamp) {
        let waiting: Vec<(Day, u64, Half)> = self
            .books
            .iter()
            .flat_map(|(day, (.., book))| book.waiting().map(|(name, half)| (*day, name, half)))
            .collect();
        // Guards are for the first reading of a day: later ones are guarded by the day's own version.
        let mut guards = false;
        let mut seekers = Vec::new();
        for fresh in fresh {
            let Some((trace, payer)) = clue(fresh.row, read_at) else { continue };
            let Some(part) = parts.get(fresh.part) else { continue };
            guards |= part.expected == 0 && !part.silent;
            if let (Some(day), false) = (day_of(part), waiting.is_empty()) {
                let payment = own_payment(fresh.row, &fresh.finding.slot, fresh.finding.ordinal);
                seekers.push((*fresh, Half { trace, day, party: payer, payment }));
            }
        }
        let listed: Vec<Half> = seekers.iter().map(|(_, half)| *half).collect();
        let watched: Vec<Half> = waiting.iter().map(|(.., half)| *half).collect();
        for (l, w) in match_up(&listed, &watched) {
            let (Some((fresh, _)), Some((day, name, half))) = (seekers.get(l), waiting.get(w)) else { continue };
            set_payment(parts, fresh, half.payment);
            self.paired.slots.insert(fresh.finding.slot);
            if let Some((.., book)) = self.books.get_mut(day) {
                book.close(*name);
            }
        }
        for fresh in fresh.iter().filter(|fresh| matches!(fresh.row.view, View::Sale { .. })) {
            // Once told under the sale it stays so, even if the payment's id is printed later.
            settle_payment(parts, fresh);
        }
        self.write_books(guards);
    }

    /// A refund that names no payment belongs to the only credit of that payer and amount, if there is only one.
    fn refunds(
        &self,
        fresh: &[Fresh<'_>],
        parts: &mut [Part],
        listing: SourceKind,
        ledgers: &HashMap<Partition, Ledger>,
    ) {
        let seekers: Vec<&Fresh<'_>> = fresh.iter().filter(|fresh| is_refund_to_trace(parts, fresh)).collect();
        if seekers.is_empty() {
            return;
        }
        let (credits, mut refunded) = Self::credits(&self.days, parts, listing, ledgers);
        for fresh in seekers {
            let Some((trace, payer)) = payer_of_refund(fresh.row) else { continue };
            let refund = Half { trace, day: fresh.row.occurred.day(), party: payer, payment: 0 };
            let mut fitting = credits.iter().filter(|credit| credit.is_refunded_by(&refund));
            let (only, another) = (fitting.next(), fitting.next());
            if let (Some(credit), None) = (only, another)
                && refunded.insert(credit.payment)
            {
                set_payment(parts, fresh, credit.payment);
            }
        }
    }

    /// All credits of the look-back as they will be remembered, and which payments are refunded by a row already.
    fn credits(
        days: &BTreeMap<Day, (&Partition, Option<&Ledger>)>,
        parts: &[Part],
        listing: SourceKind,
        ledgers: &HashMap<Partition, Ledger>,
    ) -> (Vec<Half>, HashSet<u64>) {
        let (mut credits, mut refunded) = (Vec::new(), HashSet::new());
        let read: HashMap<&Partition, &Part> = parts.iter().map(|part| (&part.partition, part)).collect();
        for (day, (partition, _)) in days {
            let changes = read.get(partition).map_or(&[][..], |part| part.diff.changes.as_slice());
            let before = ledgers.get(*partition).into_iter().flat_map(Ledger::iter);
            let untouched =
                before.filter(|(slot, _)| changes.binary_search_by_key(slot, |change| &change.slot).is_err());
            let all = untouched.chain(changes.iter().map(|change| (&change.slot, &change.memories)));
            for (slot, memory) in all.flat_map(|(slot, memories)| memories.iter().map(move |memory| (slot, memory))) {
                match remembered(listing, *day, slot, memory) {
                    Some(half) => credits.push(half),
                    None if memory.payment != 0 => drop(refunded.insert(memory.payment)),
                    None => {}
                }
            }
        }
        (credits, refunded)
    }

    fn watched(&mut self, fresh: &[Fresh<'_>], parts: &mut [Part], read_at: Timestamp, listing: SourceKind, seen: Day) {
        let mut seekers: Vec<(Fresh<'_>, Half)> = Vec::new();
        for fresh in fresh {
            let name = own_payment(fresh.row, &fresh.finding.slot, fresh.finding.ordinal);
            if let Some(known) = self.books.values().find_map(|(.., book)| book.payment(name)) {
                set_payment(parts, fresh, known);
            } else if let Some((trace, payer)) = clue(fresh.row, read_at) {
                seekers.push((*fresh, Half { trace, day: seen, party: payer, payment: name }));
            }
            settle_payment(parts, fresh);
        }
        if seekers.is_empty() {
            return;
        }
        let offers = self.offers(&seekers, listing);
        let watched: Vec<Half> = seekers.iter().map(|(_, half)| *half).collect();
        let found: HashMap<usize, u64> =
            match_up(&offers, &watched).into_iter().filter_map(|(l, w)| Some((w, offers.get(l)?.payment))).collect();
        for (index, (fresh, half)) in seekers.iter().enumerate() {
            let paired = found.get(&index).copied();
            let payment = paired.unwrap_or(half.payment);
            set_payment(parts, fresh, payment);
            self.paired.slots.insert(fresh.finding.slot);
            if let Some((.., book)) = self.books.get_mut(&seen) {
                book.enter(half.payment, &Half { payment, ..*half }, paired.is_some());
            }
        }
        self.write_books(false);
        self.guard_days();
    }

    /// Listed halves that no watched one has taken.
    fn offers(&self, seekers: &[(Fresh<'_>, Half)], listing: SourceKind) -> Vec<Half> {
        let taken: HashSet<u64> = self.books.values().flat_map(|(.., book)| book.payments()).collect();
        let wanted: HashSet<u64> = seekers.iter().map(|(_, half)| half.trace.cents()).collect();
        let mut offers: Vec<Half> = Vec::new();
        for (day, (_, ledger)) in &self.days {
            let memories = ledger.iter().flat_map(|ledger| ledger.iter());
            let halves = memories.flat_map(|(slot, memories)| {
                memories.iter().filter_map(move |memory| {
                    // A transfer that is told under another name than its own took it from a watched half.
                    let free = listing != SourceKind::Transactions || memory.payment == 0;
                    remembered(listing, *day, slot, memory).filter(|_| free)
                })
            });
            offers.extend(halves.filter(|half| wanted.contains(&half.trace.cents()) && !taken.contains(&half.payment)));
        }
        offers
    }

    fn write_books(&mut self, guards: bool) {
        for (partition, version, book) in self.books.values() {
            let changes = book.changes();
            if guards || !changes.is_empty() {
                self.paired.parts.push(plan::Part::guarded((*partition).clone(), *version, changes));
            }
        }
    }

    /// An unread day is left alone, or it would look read. Its first reading guards the books instead.
    fn guard_days(&mut self) {
        for (partition, ledger) in self.days.values() {
            if let Some(ledger) = ledger.filter(|ledger| !ledger.is_unread()) {
                let part = plan::Part::guarded((*partition).clone(), ledger.version(), Vec::new());
                self.paired.parts.push(part);
            }
        }
    }
}

fn set_payment(parts: &mut [Part], fresh: &Fresh<'_>, payment: u64) {
    if let Some(memory) = parts.get_mut(fresh.part).and_then(|part| part.memory_mut(&fresh.finding)) {
        memory.payment = payment;
    }
}

/// Keeps what a row is told under, where nothing else says so.
fn settle_payment(parts: &mut [Part], fresh: &Fresh<'_>) {
    if let Some(memory) = parts.get_mut(fresh.part).and_then(|part| part.memory_mut(&fresh.finding))
        && memory.payment == 0
    {
        memory.payment = own_payment(fresh.row, &fresh.finding.slot, fresh.finding.ordinal);
    }
}

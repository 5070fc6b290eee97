//! A day is held against what was announced of it. Pure: the watcher reads, loads and writes.
//!
//! The check does not trust the ledgers. It takes the events that the archive holds, and every fact of the day that is
//! remembered as told without an event is in doubt: it is taken out of the memory before the day is compared anew. What
//! the reading then shows is what was missed, whatever the reason; it goes the ordinary way, under the ids that it has
//! for ever. Only days of a baseline are believed, because silence is right there.

use std::collections::{HashMap, HashSet};

use jiff::SignedDuration;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::announce::Herald;
use crate::domain::account::{Partition, Scope};
use crate::domain::closing::{Closing, Totals};
use crate::domain::day::Day;
use crate::domain::event::{Body, Event, EventId, EventType, Notice};
use crate::domain::fact::FactKind;
use crate::domain::ledger::Ledger;
use crate::domain::money::Money;
use crate::sources::Task;
use crate::store::{AccountState, Announcement};

/// A row that is missing for less than that may be missing from a stale answer only.
const GRACE: SignedDuration = SignedDuration::from_mins(10);

/// What is told although it counts as told.
#[derive(Debug)]
pub(super) struct Doubts {
    /// The day that is reconciled.
    pub(super) day: Day,
    /// Events that should be there and are not.
    pub(super) missing: HashSet<EventId>,
}

/// What matters here of an event.
#[derive(Clone, Copy, Debug)]
struct Told {
    kind: EventType,
    /// The local day that it bears.
    day: Day,
    /// The local day on which it was detected.
    detected: Day,
    amount: Money,
}

/// The events about money that were announced around a day.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard(HashMap<EventId, Told>);

impl Heard {
    /// Takes in an event; what is no payment is passed over.
    pub(super) fn take(&mut self, event: &Event, zone: &TimeZone) {
        let Body::Payment(payment) = &event.body else { return };
        let Some(day) = event.occurred_at.get(..10).and_then(Day::parse) else { return };
        let told = Told { kind: event.kind, day, detected: Day::of(event.detected_at, zone), amount: payment.amount };
        self.0.insert(event.id, told);
    }

    /// Whether this event was announced.
    pub(super) fn has(&self, id: &EventId) -> bool {
        self.0.contains_key(id)
    }

    /// The sums of a day.
    pub(super) fn closing(&self, day: Day) -> Closing {
        let (mut of_day, mut earlier) = (Totals::default(), Totals::default());
        for told in self.0.values() {
            if told.day == day {
                of_day.count(told.kind, told.amount);
            } else if told.day < day && told.detected == day {
                earlier.count(told.kind, told.amount);
            }
        }
        Closing { of_day, earlier, ..Closing::default() }
    }
}

/// What is read to reconcile a day: the neighbours too, because an upstream filters in a zone of its own.
pub(super) fn task(day: Day) -> Task {
    Task::Days { from: day.plus(-1), to: day.next() }
}

/// From when on events of a day can have been detected: tomorrow is read today.
pub(super) fn heard_since(day: Day, zone: &TimeZone) -> Timestamp {
    day.plus(-1).start(zone)
}

/// The first day of an account that can be closed: that of its first contact, or where `start` went further back.
pub(super) fn first_day(state: &AccountState, zone: &TimeZone) -> Option<Day> {
    let contacted = Day::of(state.contacted_at?, zone);
    Some(state.silent_before.map_or(contacted, |day| day.min(contacted)))
}

/// Whether everything that is listed in a partition must have been announced under the id that follows from its ledger:
/// it was never a baseline and never re-identified.
pub(super) fn is_strict(state: &AccountState, partition: &Partition, ledger: &Ledger) -> bool {
    match &partition.scope {
        Scope::Day(_) if ledger.was_reidentified() => false,
        Scope::Day(day) => state.silent_before.is_some_and(|silent_before| *day >= silent_before),
        Scope::Watched(_) | Scope::Refunds(_) | Scope::Pairs(_) => false,
    }
}

/// Ids that the ledger says were announced.
pub(super) fn told(ledger: &Ledger) -> impl Iterator<Item = EventId> {
    ledger.facts().map(|(slot, ordinal, fact)| EventId::of_fact(slot, ordinal, fact))
}

/// The ledger without what has no event.
pub(super) fn doubted(ledger: &Ledger, missing: &HashSet<EventId>) -> Ledger {
    ledger.vouched(|slot, ordinal, fact| !missing.contains(&EventId::of_fact(slot, ordinal, fact)))
}

/// Of the ledgers after the reading: rows whose announcement bears the day and that are not listed any more; credits that
/// were announced to nobody.
pub(super) fn odd<'a>(
    ledgers: impl Iterator<Item = (&'a Partition, &'a Ledger)>,
    heard: &Heard,
    day: Day,
    read_at: Timestamp,
) -> (u64, u64) {
    let (mut vanished, mut baseline) = (0, 0);
    for (partition, ledger) in ledgers {
        for (slot, memories) in ledger.iter() {
            for memory in memories.iter().filter(|memory| memory.ordinal > 0) {
                let of_day = |fact| {
                    let told = heard.0.get(&EventId::of_fact(slot, memory.ordinal, fact));
                    told.map(|told| told.day == day)
                };
                let gone = memory.missing_since.map(|since| read_at.duration_since(since) >= GRACE);
                if gone == Some(true) && memory.facts.iter().any(|fact| of_day(fact) == Some(true)) {
                    vanished += 1;
                }
                let credit = memory.facts.has(FactKind::Credited) && of_day(FactKind::Credited).is_none();
                baseline += u64::from(credit && gone.is_none() && partition.scope == Scope::Day(day));
            }
        }
    }
    (vanished, baseline)
}

/// `reconcile.difference`, once per account and day; `None` when there is none.
pub(super) fn difference(herald: &Herald, day: Day, closing: Closing, now: Timestamp) -> Option<Announcement> {
    let Closing { differences, vanished, .. } = closing;
    if differences == 0 && vanished == 0 {
        return None;
    }
    let reason = format!(
        "the check of {day} found {differences} facts that were listed and not announced, and {vanished} rows that were announced and are not listed any more"
    );
    let closing = Closing { differences, vanished, ..Closing::default() };
    Some(announce(herald, EventType::ReconcileDifference, day, reason, closing, now))
}

/// `day.closed`, once per account and day.
pub(super) fn closed(herald: &Herald, day: Day, closing: Closing, now: Timestamp) -> Announcement {
    let Totals { credits, refunds, voids } = closing.of_day;
    let reason = format!(
        "{day}: credits {} ({}), refunds {} ({}), voids {} ({}), differences {}",
        credits.count, credits.total, refunds.count, refunds.total, voids.count, voids.total, closing.differences
    );
    announce(herald, EventType::DayClosed, day, reason, closing, now)
}

/// The id of what is said of a day.
pub(super) fn id(herald: &Herald, kind: EventType, day: Day) -> EventId {
    herald.notice(kind, None, &[&day.to_string()], Notice::default(), Timestamp::UNIX_EPOCH).id
}

fn announce(
    herald: &Herald,
    kind: EventType,
    day: Day,
    reason: String,
    closing: Closing,
    now: Timestamp,
) -> Announcement {
    let text = day.to_string();
    let notice = Notice { reason, day: Some(day), closing: Some(Box::new(closing)), ..Notice::default() };
    let event = herald.notice(kind, None, &[&text], notice, now);
    herald.route(Event { occurred_at: text, ..event }, false)
}

/// As an event counts.
pub(super) fn count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

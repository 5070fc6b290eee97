//! The end of a day: what was announced of it, in numbers, and when a day is to be closed.

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::TimeZone;

use super::day::Day;
use super::event::EventType;
use super::money::Money;

/// How many, and how much they are together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Sum {
    /// How many.
    pub count: u64,
    /// Exact; it stops at 92 quadrillion pesos.
    pub total: Money,
}

impl Sum {
    /// One more.
    pub const fn add(&mut self, amount: Money) {
        self.count += 1;
        self.total = self.total.plus(amount);
    }
}

/// The money of a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Totals {
    /// `credit.received`.
    pub credits: Sum,
    /// `payment.refunded`.
    pub refunds: Sum,
    /// `payment.voided`.
    pub voids: Sum,
}

impl Totals {
    /// Counts an event. A link or a QR that was paid is told by its credit too, so that only the credit counts.
    pub const fn count(&mut self, kind: EventType, amount: Money) {
        match kind {
            EventType::CreditReceived => self.credits.add(amount),
            EventType::PaymentRefunded => self.refunds.add(amount),
            EventType::PaymentVoided => self.voids.add(amount),
            EventType::CreditPending
            | EventType::CreditRejected
            | EventType::LinkPaid
            | EventType::QrPaid
            | EventType::LinkExpired
            | EventType::LinkFailed
            | EventType::DebitSent
            | EventType::SettlementPaid
            | EventType::DayClosed
            | EventType::SourceFailing
            | EventType::SourceStale
            | EventType::SourceRecovered
            | EventType::DestinationFailing
            | EventType::DestinationPaused
            | EventType::DestinationRecovered
            | EventType::ReconcileDifference
            | EventType::FloodHeld
            | EventType::TestPing => {}
        }
    }

    /// Whether nothing was counted.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A closed day of one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Closing {
    /// What bears the day.
    pub of_day: Totals,
    /// What bears an earlier day and was announced on this one: late rows, and refunds whose only date is the sale's.
    pub earlier: Totals,
    /// Facts that were listed and had not been announced.
    pub differences: u64,
    /// Rows that were announced and are not listed any more.
    pub vanished: u64,
    /// Credits that were there at first contact, so that they were announced to nobody.
    pub baseline: u64,
}

/// When days are closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nightly {
    /// The local time from which on yesterday may be closed.
    pub at: Time,
    /// How many days back days that were missed are closed. At least 1.
    pub days: u32,
}

impl Nightly {
    /// The next day to close at `now`, if one is due: the days from `first` on, in order, each after the one that was
    /// closed before it.
    pub fn due(&self, now: Timestamp, zone: &TimeZone, first: Day, closed_through: Option<Day>) -> Option<Day> {
        let local = zone.to_datetime(now);
        let last = Day::new(local.date()).plus(if local.time() >= self.at { -1 } else { -2 });
        let next = closed_through.map_or(first, |day| first.max(day.next()));
        let oldest = last.plus(1 - i64::from(self.days));
        Some(next.max(oldest)).filter(|day| *day <= last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn due(now: &str, first: &str, closed: Option<&str>) -> Option<String> {
        let zone = TimeZone::get("America/Argentina/Buenos_Aires").unwrap();
        let nightly = Nightly { at: "03:30".parse().unwrap(), days: 7 };
        let day = |text: &str| Day::parse(text).unwrap();
        nightly.due(now.parse().unwrap(), &zone, day(first), closed.map(day)).map(|day| day.to_string())
    }

    #[test]
    fn a_day_is_due_after_midnight_and_the_time_that_is_set_in_local_time() {
        let first = "2026-11-20";
        assert_eq!(due("2026-11-21T02:00:00Z", first, None), None, "23:00 of the 20th");
        assert_eq!(due("2026-11-21T06:29:59Z", first, None), None);
        assert_eq!(due("2026-11-21T06:30:00Z", first, None).as_deref(), Some("2026-11-20"));
        assert_eq!(due("2026-11-21T06:30:00Z", first, Some("2026-11-20")), None, "once");
        assert_eq!(due("2026-11-21T06:30:00Z", "2026-11-21", None), None, "no day before the first");
    }

    #[test]
    fn missed_days_are_due_in_order_and_not_more_than_are_wanted() {
        let now = "2026-11-21T12:00:00Z";
        assert_eq!(due(now, "2026-11-01", Some("2026-11-17")).as_deref(), Some("2026-11-18"));
        assert_eq!(due(now, "2026-11-01", Some("2026-11-02")).as_deref(), Some("2026-11-14"));
        assert_eq!(due(now, "2026-11-01", Some("2026-11-25")), None, "a clock that went back closes nothing twice");
    }

    #[test]
    fn sums_are_exact_and_only_credits_refunds_and_voids_count() {
        let mut totals = Totals::default();
        for kind in EventType::ALL {
            totals.count(kind, Money::from_cents(10));
            totals.count(kind, Money::from_cents(i64::MAX / 8));
        }
        let sum = Sum { count: 2, total: Money::from_cents(i64::MAX / 8 + 10) };
        assert_eq!(totals, Totals { credits: sum, refunds: sum, voids: sum });
    }
}

//! A fact becomes an event.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::domain::account::{AccountName, SourceKind, Upstream};
use crate::domain::day::{Day, Moment, rfc3339};
use crate::domain::event::{Body, Event, EventId, EventType, Notice, Payment, is_late, payment_key};
use crate::domain::fact::FactKind;
use crate::domain::ledger::Slot;
use crate::domain::money::Money;
use crate::domain::pairing::own_payment;
use crate::domain::route::Route;
use crate::domain::row::{Label, OperationKind, Payer, References, Row, StatusKind};
use crate::domain::watch::{Watch, WatchKind};
use crate::store::Announcement;

/// What is the same for all announcements of one account.
#[derive(Clone, Debug)]
pub struct Herald {
    /// Whose.
    pub account: AccountName,
    /// Where.
    pub upstream: Upstream,
    /// Of the account's local days.
    pub zone: TimeZone,
    /// A fact first seen that long after it happened is late.
    pub late_after: Duration,
    /// It comes from the pretend upstreams.
    pub sandbox: bool,
    /// What the destinations asked for.
    pub routes: Arc<[Route]>,
}

impl Herald {
    /// The local day at `now`.
    pub fn today(&self, now: Timestamp) -> Day {
        Day::of(now, &self.zone)
    }

    /// Announces one fact of a row. `payment` is the hash of what is known to name its payment; `None`: what the row itself
    /// tells, where nobody told of the payment before.
    pub fn fact(
        &self,
        row: &Row,
        slot: &Slot,
        ordinal: u32,
        fact: FactKind,
        payment: Option<u64>,
        now: Timestamp,
    ) -> Event {
        let payment = payment.unwrap_or_else(|| own_payment(row, slot, ordinal));
        let kind = EventType::of_fact(fact);
        Event {
            id: EventId::of_fact(slot, ordinal, fact),
            kind,
            account: Some(self.account.clone()),
            upstream: Some(self.upstream),
            source: Some(row.source),
            occurred_at: row.occurred.rfc3339(&self.zone),
            detected_at: now,
            late: is_late(&row.occurred, now, self.today(now), self.late_after),
            sandbox: self.sandbox,
            body: Body::Payment(Box::new(Payment {
                amount: row.amount.abs(),
                status: status_of(row, fact),
                operation: row.operation.clone(),
                payer: row.payer.clone(),
                key: payment_key(&self.account, &format!("payment:{payment:016x}")),
                references: row.references.clone(),
            })),
        }
    }

    /// Announces that a link or QR that we issued can be paid no more. Nothing lists it: all that is known is what the watch
    /// tells, and the amount is zero where that tells none.
    pub fn expired(&self, watch: &Watch, at: Timestamp, now: Timestamp) -> Event {
        let (id, when) = (watch.id.to_string(), at.to_string());
        let kind = EventType::LinkExpired;
        let of = |kind| (watch.id.kind == kind).then(|| watch.id.id.clone());
        Event {
            id: EventId::of_notice(&[kind.as_str(), self.account.as_str(), &id, &when]),
            kind,
            account: Some(self.account.clone()),
            upstream: Some(self.upstream),
            source: Some(SourceKind::Cashin),
            occurred_at: rfc3339(at, &self.zone),
            detected_at: now,
            late: is_late(&Moment::at(at, &self.zone), now, self.today(now), self.late_after),
            sandbox: self.sandbox,
            body: Body::Payment(Box::new(Payment {
                amount: watch.amount.unwrap_or(Money::from_cents(0)),
                status: Label { kind: StatusKind::Cancelled, raw: String::from("expired") },
                operation: Label { kind: OperationKind::Credit, raw: String::new() },
                payer: Payer::default(),
                key: payment_key(&self.account, &format!("issued:{id}")),
                references: References {
                    link_id: of(WatchKind::IssuedLink),
                    qr_order_id: of(WatchKind::IssuedQr),
                    ..References::default()
                },
            })),
        }
    }

    /// Announces something that the daemon itself has to say of this account. Equal `parts` give equal ids.
    pub fn notice(
        &self,
        kind: EventType,
        source: Option<SourceKind>,
        parts: &[&str],
        notice: Notice,
        now: Timestamp,
    ) -> Event {
        let mut identity = vec![kind.as_str(), self.account.as_str()];
        identity.extend(source.map(SourceKind::as_str));
        identity.extend(parts);
        Event {
            id: EventId::of_notice(&identity),
            kind,
            account: Some(self.account.clone()),
            upstream: Some(self.upstream),
            source,
            occurred_at: rfc3339(notice.since.unwrap_or(now), &self.zone),
            detected_at: now,
            late: false,
            sandbox: self.sandbox,
            body: Body::Notice(notice),
        }
    }

    /// Adds the destinations that asked for an event.
    pub fn route(&self, event: Event, held: bool) -> Announcement {
        let about = match &event.body {
            Body::Notice(notice) => notice.destination.as_deref(),
            Body::Payment(_) => None,
        };
        let destinations = self
            .routes
            .iter()
            .filter(|route| route.takes(event.kind, event.account.as_ref(), about))
            .map(|route| route.destination.clone())
            .collect();
        Announcement { event: Arc::new(event), destinations, held }
    }
}

/// The status that the event shows: the row's own, where it does not contradict the fact.
///
/// A credit that was approved and reversed while nobody looked is announced as received and as refunded; the first must
/// not say "reversed".
fn status_of(row: &Row, fact: FactKind) -> Label<StatusKind> {
    let kind = match (fact, row.status.kind) {
        (FactKind::Credited, StatusKind::Reversed | StatusKind::Cancelled) => StatusKind::Approved,
        (_, kind) => kind,
    };
    Label { kind, raw: row.status.raw.clone() }
}

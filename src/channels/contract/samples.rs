//! Events to send: one for every type, full of what must not leak and of what breaks careless markup.

use std::time::Duration;

use crate::config::{DestinationConfig, Detail};
use crate::domain::account::{AccountName, SourceKind, Upstream};
use crate::domain::cause::Cause;
use crate::domain::closing::{Closing, Sum, Totals};
use crate::domain::day::Day;
use crate::domain::event::{Body, Event, EventId, EventType, Notice, Payment};
use crate::domain::money::Money;
use crate::domain::retry::Schedule;
use crate::domain::route::DestinationName;
use crate::domain::row::{Label, OperationKind, Payer, References, StatusKind};

/// What only `full` may show.
pub(crate) const PERSONAL: [&str; 5] = ["LUISA", "PÉREZ", "20267565393", "2850590940090418135201", "seña"];

fn event(kind: EventType, body: Body) -> Event {
    Event {
        id: EventId::from_bytes(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef_u128.to_be_bytes()),
        kind,
        account: Some(AccountName::new("centro")),
        upstream: Some(Upstream::Telepagos),
        source: Some(SourceKind::Transactions),
        occurred_at: String::from("2026-11-21T14:03:16-03:00"),
        detected_at: "2026-11-21T17:03:22.418Z".parse().unwrap(),
        late: false,
        sandbox: false,
        body,
    }
}

/// A payment.
pub(crate) fn payment(kind: EventType) -> Event {
    let body = Payment {
        amount: Money::from_cents(150_000),
        status: Label { kind: StatusKind::Approved, raw: String::from("Aprobada") },
        operation: Label { kind: OperationKind::Credit, raw: String::from("Transferencia recibida") },
        payer: Payer {
            name: Some(String::from("M<RÍA & LUISA PÉREZ")),
            cuit: Some(String::from("20267565393")),
            cvu_cbu: Some(String::from("2850590940090418135201")),
            card_brand: None,
            card_last4: None,
        },
        key: String::from("pay_00112233445566778899aabbccddeeff"),
        references: References {
            transaction_id: Some(String::from("90071992547409931")),
            sale_point: Some(String::from("Caja 1")),
            concept: Some(String::from("VAR")),
            description: Some(String::from("seña & saldo")),
            ..References::default()
        },
    };
    event(kind, Body::Payment(Box::new(body)))
}

/// A payment with another id, told apart by `n`.
pub(crate) fn numbered(n: u128) -> Event {
    Event { id: EventId::from_bytes(n.to_be_bytes()), ..payment(EventType::CreditReceived) }
}

/// The daemon's own news.
pub(crate) fn notice(kind: EventType) -> Event {
    let body = Notice {
        destination: None,
        cause: Some(Cause::Upstream),
        reason: String::from("the upstream answers 500"),
        since: Some("2026-11-21T16:50:00Z".parse().unwrap()),
        count: Some(3),
        ..Notice::default()
    };
    event(kind, Body::Notice(body))
}

/// A day that was closed, or a difference of one.
pub(crate) fn day(kind: EventType) -> Event {
    let sum = |count, cents| Sum { count, total: Money::from_cents(cents) };
    let closing = Closing {
        of_day: Totals { credits: sum(37, 12_345_600), refunds: sum(2, 300_000), voids: sum(0, 0) },
        earlier: Totals { refunds: sum(1, 99), ..Totals::default() },
        differences: 3,
        vanished: 1,
        baseline: 0,
    };
    let body = Notice {
        reason: String::from("3 facts were listed and had not been announced"),
        day: Day::parse("2026-11-20"),
        closing: Some(Box::new(closing)),
        ..Notice::default()
    };
    Event { source: None, occurred_at: String::from("2026-11-20"), ..event(kind, Body::Notice(body)) }
}

/// Whatever that type is about.
pub(crate) fn any(kind: EventType) -> Event {
    if matches!(kind, EventType::DayClosed | EventType::ReconcileDifference) {
        return day(kind);
    }
    let own = kind == EventType::TestPing || kind.is_system();
    if own { notice(kind) } else { payment(kind) }
}

/// What every destination has.
pub(crate) fn destination(name: &str) -> DestinationConfig {
    DestinationConfig {
        name: DestinationName::new(name),
        patterns: Vec::new(),
        accounts: Vec::new(),
        in_flight: 8,
        timeout: Duration::from_secs(20),
        retry: Schedule::default(),
        // So that whatever could leak is on the wire.
        detail: Detail::Full,
    }
}

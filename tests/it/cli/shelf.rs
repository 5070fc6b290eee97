//! A store that the library has filled: one event in each state that an operator can meet.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use pregonero::clock::Clock;
use pregonero::domain::account::{AccountName, SourceKind, Upstream};
use pregonero::domain::delivery::{Attempt, DeathReason, DeliveryId, FailureClass, Verdict};
use pregonero::domain::event::{Body, Event, EventId, EventType, Notice, Payment};
use pregonero::domain::money::Money;
use pregonero::domain::route::DestinationName;
use pregonero::domain::row::{Label, OperationKind, Payer, References, Reject, StatusKind};
use pregonero::store::embedded::EmbeddedStore;
use pregonero::store::{Announcement, Commit, Committed, Settlement, Store as _, Want};

use super::{Place, QUIET};

/// When everything was detected.
const THEN: &str = "2026-11-21T17:03:22.418Z";

/// It always is then, so that the lists can be written down.
#[derive(Debug)]
struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        THEN.parse().expect("a timestamp")
    }

    fn chance(&self) -> f64 {
        0.5
    }
}

/// An event whose id ends in `number`.
fn event(number: u128, kind: EventType, cents: i64) -> Event {
    let payment = Payment {
        amount: Money::from_cents(cents),
        status: Label { kind: StatusKind::Approved, raw: String::from("Aprobada") },
        operation: Label { kind: OperationKind::Credit, raw: String::from("Transferencia recibida") },
        payer: Payer { name: Some(String::from("Ñandú & Cía.")), ..Payer::default() },
        key: String::from("pay_00112233445566778899aabbccddeeff"),
        references: References::default(),
    };
    Event {
        id: EventId::from_bytes(number.to_be_bytes()),
        kind,
        account: Some(AccountName::new("centro")),
        upstream: Some(Upstream::Telepagos),
        source: Some(SourceKind::Transactions),
        occurred_at: String::from("2026-11-21T14:03:16-03:00"),
        detected_at: Stopped.now(),
        late: kind == EventType::PaymentRefunded,
        sandbox: false,
        body: Body::Payment(Box::new(payment)),
    }
}

fn notice(number: u128) -> Event {
    let body = Body::Notice(Notice { reason: String::from("the credentials were refused"), ..Notice::default() });
    Event { body, ..event(number, EventType::SourceFailing, 0) }
}

fn announced(event: Event, to: &[&str], held: bool) -> Announcement {
    Announcement {
        event: Arc::new(event),
        destinations: to.iter().map(|name| DestinationName::new(name)).collect(),
        held,
    }
}

/// 1 delivered, 2 refused, 3 waiting for its second attempt, 4 held, 5 without a destination, and a reject.
pub(super) async fn filled() -> Place {
    let place = Place::with(QUIET);
    let store =
        EmbeddedStore::open_with(&place.path("pregonero.db"), "a-test", Arc::new(Stopped)).expect("a new store");
    let reject = Reject {
        fingerprint: 7,
        source: SourceKind::Transactions,
        position: 3,
        reason: String::from("`amount` is no number"),
        shape: String::from("amount: string, date: string"),
    };
    let commit = Commit {
        account: AccountName::new("centro"),
        ledgers: Vec::new(),
        state: None,
        announcements: vec![
            announced(event(1, EventType::CreditReceived, 150_000), &["erp"], false),
            announced(event(2, EventType::LinkPaid, 99), &["erp"], false),
            announced(event(3, EventType::PaymentRefunded, 123_456_789), &["erp", "old-erp"], false),
            announced(event(4, EventType::CreditReceived, 100), &["erp"], true),
            announced(notice(5), &[], false),
        ],
        rejects: vec![reject],
        remember: Duration::from_secs(86_400),
    };
    let committed = store.commit(&commit).await.expect("the commit");
    assert!(matches!(committed, Committed::Done { created, .. } if created.len() == 5));
    let want = Want { destination: DestinationName::new("erp"), room: 8, lease: Duration::from_secs(30) };
    let leases = store.exchange(&[], &[want]).await.expect("leases").leases;
    let settlements: Vec<Settlement> = leases
        .into_iter()
        .map(|lease| {
            let (verdict, attempt) = ending(lease.event.kind);
            Settlement { id: DeliveryId { ..lease.id }, fence: lease.fence, verdict, attempt: Some(attempt) }
        })
        .collect();
    assert_eq!(settlements.len(), 3);
    let settled = store.exchange(&settlements, &[]).await.expect("settled").settled;
    assert_eq!(settled, [true; 3]);
    place
}

fn ending(kind: EventType) -> (Verdict, Attempt) {
    let attempt = |took, failure, status, detail: &str| Attempt {
        at: Stopped.now(),
        took: Duration::from_millis(took),
        failure,
        status,
        detail: detail.to_owned(),
    };
    if kind == EventType::CreditReceived {
        (Verdict::Delivered, attempt(12, None, Some(204), ""))
    } else if kind == EventType::LinkPaid {
        let refused = attempt(40, Some(FailureClass::Recipient), Some(410), "gone");
        (Verdict::Dead { reason: DeathReason::Refused }, refused)
    } else {
        let slow = attempt(15_000, Some(FailureClass::Timeout), None, "no answer in time");
        (Verdict::Retry { after: Duration::from_secs(60), spent: true }, slow)
    }
}

/// The id of the event with that number.
pub(super) fn id(number: u128) -> String {
    EventId::from_bytes(number.to_be_bytes()).to_string()
}

//! The persisted form of an event.

use serde::{Deserialize, Serialize};

use super::closing::StoredClosing;
use super::{CodecError, from_json, instant, to_json, word};
use crate::domain::account::{AccountName, SourceKind, Upstream};
use crate::domain::cause::Cause;
use crate::domain::day::Day;
use crate::domain::event::{Body, Event, EventId, EventType, Notice, Payment};
use crate::domain::money::Money;
use crate::domain::row::{Label, OperationKind, Payer, References, StatusKind};

const WHAT: &str = "event";

/// The form of an event. Exactly one of `p` and `n` is there.
#[derive(Serialize, Deserialize)]
struct Stored {
    /// `evt_…`
    i: String,
    /// Type.
    k: String,
    /// Account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    a: Option<String>,
    /// Upstream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    u: Option<String>,
    /// Source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    s: Option<String>,
    /// Occurred, as text.
    o: String,
    /// Detected, RFC 3339.
    d: String,
    /// Late.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    l: bool,
    /// Sandbox.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    x: bool,
    /// A payment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    p: Option<StoredPayment>,
    /// A notice.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    n: Option<StoredNotice>,
}

#[derive(Serialize, Deserialize)]
struct StoredPayment {
    /// Cents.
    c: i64,
    /// Status: kind, raw.
    s: (String, String),
    /// Operation: kind, raw.
    o: (String, String),
    /// Payer.
    #[serde(default, skip_serializing_if = "StoredPayer::is_empty")]
    y: StoredPayer,
    /// `pay_…`
    k: String,
    /// References.
    #[serde(default)]
    r: StoredReferences,
}

#[derive(Serialize, Deserialize, Default, PartialEq)]
struct StoredPayer {
    /// Name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    /// CUIT.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    t: Option<String>,
    /// CVU or CBU.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    v: Option<String>,
    /// Card brand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    b: Option<String>,
    /// Last four digits of the card.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    f: Option<String>,
}

impl StoredPayer {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Keys of two letters, because eleven of one would be a riddle.
#[derive(Serialize, Deserialize, Default)]
struct StoredReferences {
    #[serde(default, rename = "tx", skip_serializing_if = "Option::is_none")]
    transaction_id: Option<String>,
    #[serde(default, rename = "li", skip_serializing_if = "Option::is_none")]
    link_id: Option<String>,
    #[serde(default, rename = "qr", skip_serializing_if = "Option::is_none")]
    qr_order_id: Option<String>,
    #[serde(default, rename = "ci", skip_serializing_if = "Option::is_none")]
    cashin_id: Option<String>,
    #[serde(default, rename = "ou", skip_serializing_if = "Option::is_none")]
    order_uuid: Option<String>,
    #[serde(default, rename = "pi", skip_serializing_if = "Option::is_none")]
    payment_id: Option<String>,
    #[serde(default, rename = "si", skip_serializing_if = "Option::is_none")]
    sale_id: Option<String>,
    #[serde(default, rename = "au", skip_serializing_if = "Option::is_none")]
    authorization_code: Option<String>,
    #[serde(default, rename = "sp", skip_serializing_if = "Option::is_none")]
    sale_point: Option<String>,
    #[serde(default, rename = "co", skip_serializing_if = "Option::is_none")]
    concept: Option<String>,
    #[serde(default, rename = "de", skip_serializing_if = "Option::is_none")]
    description: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct StoredNotice {
    /// Destination.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    d: Option<String>,
    /// Cause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    k: Option<String>,
    /// Reason.
    r: String,
    /// Since, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    s: Option<String>,
    /// Count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    c: Option<u64>,
    /// Day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    y: Option<String>,
    /// Closing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    z: Option<StoredClosing>,
}

/// The persisted form of an event, about 400 bytes for a payment.
pub fn encode_event(event: &Event) -> Vec<u8> {
    let (payment, notice) = match &event.body {
        Body::Payment(payment) => (Some(StoredPayment::of(payment)), None),
        Body::Notice(notice) => (None, Some(StoredNotice::of(notice))),
    };
    to_json(&Stored {
        i: event.id.to_string(),
        k: event.kind.as_str().to_owned(),
        a: event.account.as_ref().map(|account| account.as_str().to_owned()),
        u: event.upstream.map(|upstream| upstream.as_str().to_owned()),
        s: event.source.map(|source| source.as_str().to_owned()),
        o: event.occurred_at.clone(),
        d: event.detected_at.to_string(),
        l: event.late,
        x: event.sandbox,
        p: payment,
        n: notice,
    })
}

/// Reads what [`encode_event`] of this or an older release wrote.
///
/// # Errors
/// See [`CodecError`].
pub fn decode_event(bytes: &[u8]) -> Result<Event, CodecError> {
    let stored: Stored = from_json(WHAT, bytes)?;
    let body = match (stored.p, stored.n) {
        (Some(payment), None) => Body::Payment(Box::new(payment.read()?)),
        (None, Some(notice)) => Body::Notice(notice.read()?),
        (Some(_), Some(_)) => return Err(CodecError::Damaged(WHAT)),
        // Neither: a kind of body that this release does not know.
        (None, None) => return Err(CodecError::Newer(WHAT)),
    };
    Ok(Event {
        id: EventId::parse(&stored.i).ok_or(CodecError::Damaged(WHAT))?,
        kind: word(WHAT, EventType::from_name(&stored.k))?,
        account: stored.a.map(|account| AccountName::new(&account)),
        upstream: stored.u.map(|name| word(WHAT, upstream(&name))).transpose()?,
        source: stored.s.map(|name| word(WHAT, SourceKind::from_name(&name))).transpose()?,
        occurred_at: stored.o,
        detected_at: instant(WHAT, &stored.d)?,
        late: stored.l,
        sandbox: stored.x,
        body,
    })
}

fn upstream(name: &str) -> Option<Upstream> {
    [Upstream::Telepagos, Upstream::Sipago].into_iter().find(|upstream| upstream.as_str() == name)
}

impl StoredPayment {
    fn of(payment: &Payment) -> Self {
        let payer = payment.payer.clone();
        let references = payment.references.clone();
        Self {
            c: payment.amount.cents(),
            s: (payment.status.kind.as_str().to_owned(), payment.status.raw.clone()),
            o: (payment.operation.kind.as_str().to_owned(), payment.operation.raw.clone()),
            y: StoredPayer { n: payer.name, t: payer.cuit, v: payer.cvu_cbu, b: payer.card_brand, f: payer.card_last4 },
            k: payment.key.clone(),
            r: StoredReferences {
                transaction_id: references.transaction_id,
                link_id: references.link_id,
                qr_order_id: references.qr_order_id,
                cashin_id: references.cashin_id,
                order_uuid: references.order_uuid,
                payment_id: references.payment_id,
                sale_id: references.sale_id,
                authorization_code: references.authorization_code,
                sale_point: references.sale_point,
                concept: references.concept,
                description: references.description,
            },
        }
    }

    fn read(self) -> Result<Payment, CodecError> {
        Ok(Payment {
            amount: Money::from_cents(self.c),
            status: Label { kind: word(WHAT, StatusKind::from_name(&self.s.0))?, raw: self.s.1 },
            operation: Label { kind: word(WHAT, OperationKind::from_name(&self.o.0))?, raw: self.o.1 },
            payer: Payer {
                name: self.y.n,
                cuit: self.y.t,
                cvu_cbu: self.y.v,
                card_brand: self.y.b,
                card_last4: self.y.f,
            },
            key: self.k,
            references: References {
                transaction_id: self.r.transaction_id,
                link_id: self.r.link_id,
                qr_order_id: self.r.qr_order_id,
                cashin_id: self.r.cashin_id,
                order_uuid: self.r.order_uuid,
                payment_id: self.r.payment_id,
                sale_id: self.r.sale_id,
                authorization_code: self.r.authorization_code,
                sale_point: self.r.sale_point,
                concept: self.r.concept,
                description: self.r.description,
            },
        })
    }
}

impl StoredNotice {
    fn of(notice: &Notice) -> Self {
        Self {
            d: notice.destination.clone(),
            k: notice.cause.map(|cause| cause.as_str().to_owned()),
            r: notice.reason.clone(),
            s: notice.since.map(|since| since.to_string()),
            c: notice.count,
            y: notice.day.map(|day| day.to_string()),
            z: notice.closing.as_deref().map(StoredClosing::of),
        }
    }

    fn read(self) -> Result<Notice, CodecError> {
        let since = self.s.map(|since| instant(WHAT, &since)).transpose()?;
        // A cause of a later release is none to this one; the reason says it in words.
        let cause = self.k.as_deref().and_then(Cause::from_name);
        let day = self.y.map(|day| word(WHAT, Day::parse(&day))).transpose()?;
        let closing = self.z.map(|closing| Box::new(closing.read()));
        Ok(Notice { destination: self.d, cause, reason: self.r, since, count: self.c, day, closing })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use proptest::prelude::*;

    fn payment() -> Event {
        Event {
            id: EventId::from_bytes([0xab; 16]),
            kind: EventType::CreditReceived,
            account: Some(AccountName::new("centro")),
            upstream: Some(Upstream::Telepagos),
            source: Some(SourceKind::Transactions),
            occurred_at: "2026-11-21T14:03:16-03:00".to_owned(),
            detected_at: "2026-11-21T17:03:22.418Z".parse().unwrap(),
            late: false,
            sandbox: true,
            body: Body::Payment(Box::new(Payment {
                amount: Money::from_cents(150_000),
                status: Label { kind: StatusKind::Approved, raw: "Aprobada".to_owned() },
                operation: Label { kind: OperationKind::Credit, raw: "Transferencia".to_owned() },
                payer: Payer { cuit: Some("20123456786".to_owned()), ..Payer::default() },
                key: "pay_1".to_owned(),
                references: References { sale_point: Some("Caja 1".to_owned()), ..References::default() },
            })),
        }
    }

    /// Written by the first release; stores in the field hold it. Never edit: add a version and read both.
    const GOLDEN: &str = r#"1{"i":"evt_abababababababababababababababab","k":"credit.received","a":"centro","u":"telepagos","s":"transactions","o":"2026-11-21T14:03:16-03:00","d":"2026-11-21T17:03:22.418Z","x":true,"p":{"c":150000,"s":["approved","Aprobada"],"o":["credit","Transferencia"],"y":{"t":"20123456786"},"k":"pay_1","r":{"sp":"Caja 1"}}}"#;
    const GOLDEN_NOTICE: &str = r#"1{"i":"evt_00000000000000000000000000000000","k":"source.failing","o":"2026-11-21","d":"2026-11-21T00:00:00Z","l":true,"n":{"d":"erp","r":"no answer","s":"2026-11-20T00:00:00Z","c":3}}"#;

    #[test]
    fn the_form_of_the_first_release_is_written_and_read() {
        assert_eq!(String::from_utf8(encode_event(&payment())).unwrap(), GOLDEN);
        assert_eq!(decode_event(GOLDEN.as_bytes()), Ok(payment()));
        let notice = decode_event(GOLDEN_NOTICE.as_bytes()).unwrap();
        assert_eq!(
            notice.body,
            Body::Notice(Notice {
                cause: None,
                destination: Some("erp".to_owned()),
                reason: "no answer".to_owned(),
                since: Some("2026-11-20T00:00:00Z".parse().unwrap()),
                count: Some(3),
                ..Notice::default()
            })
        );
        assert_eq!(String::from_utf8(encode_event(&notice)).unwrap(), GOLDEN_NOTICE);
    }

    #[test]
    fn a_field_of_a_newer_minor_release_is_passed_over() {
        let with_more = GOLDEN.replace(r#""x":true"#, r#""x":true,"zz":{"new":[1,2]}"#);
        assert_eq!(decode_event(with_more.as_bytes()), Ok(payment()));
    }

    #[test]
    fn what_a_newer_release_wrote_is_called_so() {
        assert_eq!(decode_event(&GOLDEN.replacen('1', "2", 1).into_bytes()), Err(CodecError::Newer(WHAT)));
        let kind = GOLDEN.replace("credit.received", "credit.invented");
        assert_eq!(decode_event(kind.as_bytes()), Err(CodecError::Newer(WHAT)));
        assert!(CodecError::Newer(WHAT).to_string().contains("newer release"));
    }

    #[test]
    fn what_is_cut_or_foreign_is_damaged() {
        assert_eq!(decode_event(b""), Err(CodecError::Damaged(WHAT)));
        assert_eq!(decode_event(b"{}"), Err(CodecError::Damaged(WHAT)));
        assert_eq!(decode_event(&GOLDEN.as_bytes()[..100]), Err(CodecError::Damaged(WHAT)));
    }

    fn any_event() -> impl Strategy<Value = Event> {
        let text = || proptest::option::of("\\PC{0,12}");
        let head = (any::<[u8; 16]>(), 0..EventType::ALL.len(), text(), any::<(bool, bool)>(), "\\PC{0,20}");
        let times = (-100_000_000_000_i64..200_000_000_000, 0..1_000_000_000_i32);
        let money = (any::<i64>(), 0..StatusKind::ALL.len(), 0..OperationKind::ALL.len());
        (head, times, money, text(), text(), text(), any::<bool>(), proptest::option::of(any::<u64>())).prop_map(
            |((id, kind, account, (late, sandbox), occurred), (secs, nanos), money, a, b, c, notice, count)| Event {
                id: EventId::from_bytes(id),
                kind: EventType::ALL[kind],
                account: account.as_deref().map(AccountName::new),
                upstream: late.then_some(Upstream::Sipago),
                source: sandbox.then_some(SourceKind::Links),
                occurred_at: occurred,
                detected_at: Timestamp::new(secs, nanos).unwrap(),
                late,
                sandbox,
                body: if notice {
                    let reason = b.unwrap_or_default();
                    let (cause, since) = (Cause::from_name(&reason), Timestamp::new(secs, 0).ok());
                    let cause = cause.or_else(|| c.is_some().then_some(Cause::Contract));
                    Body::Notice(Notice { destination: a, cause, reason, since, count, ..Notice::default() })
                } else {
                    Body::Payment(Box::new(Payment {
                        amount: Money::from_cents(money.0),
                        status: Label { kind: StatusKind::ALL[money.1], raw: a.clone().unwrap_or_default() },
                        operation: Label { kind: OperationKind::ALL[money.2], raw: b.clone().unwrap_or_default() },
                        payer: Payer { name: a.clone(), cvu_cbu: b.clone(), card_last4: c.clone(), ..Payer::default() },
                        key: c.clone().unwrap_or_default(),
                        references: References { order_uuid: a, description: b, sale_id: c, ..References::default() },
                    }))
                },
            },
        )
    }

    proptest! {
        #[test]
        fn writing_and_reading_are_inverse(event in any_event()) {
            prop_assert_eq!(decode_event(&encode_event(&event)), Ok(event));
        }

        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), at in 0..300_usize) {
            drop(decode_event(&bytes));
            let mut bent = GOLDEN.as_bytes().to_vec();
            bent.splice(at..=at, bytes);
            drop(decode_event(&bent));
        }
    }
}

//! The event body `standard`, version 1: the form of an event for strangers. Additive only; the order of fields is
//! fixed, because the body must be byte-identical on every try and is pinned by tests.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use crate::config::Detail;
use crate::domain::account::{AccountName, SourceKind, Upstream};
use crate::domain::argentina::{last_four, mask_cuit, mask_name, mask_tail};
use crate::domain::cause::Cause;
use crate::domain::closing::{Sum, Totals};
use crate::domain::event::{Body, Event, EventId, EventType, Notice, Payment};
use crate::domain::money::Money;
use crate::domain::row::Payer;

/// The body to sign and to send: compact JSON, the same bytes for the same event and detail.
///
/// # Errors
/// Never for an event; the signature is serde's.
pub fn body(event: &Event, detail: Detail) -> Result<Vec<u8>, serde_json::Error> {
    // Most bodies are 700 to 900 bytes; the store's limit on a row's texts bounds the rest.
    let mut bytes = Vec::with_capacity(1024);
    match &event.body {
        Body::Payment(payment) => {
            serde_json::to_writer(&mut bytes, &Envelope::of(event, PaymentData::of(event, payment, detail)))?;
        }
        Body::Notice(notice) => {
            serde_json::to_writer(&mut bytes, &Envelope::of(event, NoticeData::of(event, notice)))?;
        }
    }
    Ok(bytes)
}

#[derive(Serialize)]
struct Envelope<'e, D> {
    r#type: &'static str,
    timestamp: &'e str,
    data: D,
}

impl<'e, D> Envelope<'e, D> {
    fn of(event: &'e Event, data: D) -> Self {
        Self { r#type: event.kind.as_str(), timestamp: &event.occurred_at, data }
    }
}

#[derive(Serialize)]
struct Head<'e> {
    #[serde(serialize_with = "id")]
    id: EventId,
    account: Option<&'e str>,
    upstream: Option<&'static str>,
    source: Option<&'static str>,
    occurred_at: &'e str,
    #[serde(serialize_with = "millis")]
    detected_at: Timestamp,
    late: bool,
    sandbox: bool,
}

impl<'e> Head<'e> {
    fn of(event: &'e Event) -> Self {
        Self {
            id: event.id,
            account: event.account.as_ref().map(AccountName::as_str),
            upstream: event.upstream.map(Upstream::as_str),
            source: event.source.map(SourceKind::as_str),
            occurred_at: &event.occurred_at,
            detected_at: event.detected_at,
            late: event.late,
            sandbox: event.sandbox,
        }
    }
}

#[derive(Serialize)]
struct PaymentData<'e> {
    #[serde(flatten)]
    head: Head<'e>,
    amount: Amount,
    status: Labelled<'e>,
    operation: Labelled<'e>,
    payer: PayerData<'e>,
    payment: References<'e>,
}

impl<'e> PaymentData<'e> {
    fn of(event: &'e Event, payment: &'e Payment, detail: Detail) -> Self {
        Self {
            head: Head::of(event),
            amount: Amount { value: payment.amount, currency: "ARS" },
            status: Labelled { kind: payment.status.kind.as_str(), raw: &payment.status.raw },
            operation: Labelled { kind: payment.operation.kind.as_str(), raw: &payment.operation.raw },
            payer: PayerData::of(&payment.payer, detail),
            payment: References::of(payment, detail),
        }
    }
}

#[derive(Serialize)]
struct Amount {
    /// A string with a dot and two decimals: no reader's float may touch it.
    #[serde(serialize_with = "money")]
    value: Money,
    currency: &'static str,
}

#[derive(Serialize)]
struct Labelled<'e> {
    kind: &'static str,
    raw: &'e str,
}

#[derive(Serialize, Default)]
struct PayerData<'e> {
    name: Option<Cow<'e, str>>,
    cuit: Option<Cow<'e, str>>,
    cvu_cbu: Option<Cow<'e, str>>,
    card_brand: Option<&'e str>,
    card_last4: Option<&'e str>,
}

impl<'e> PayerData<'e> {
    fn of(payer: &'e Payer, detail: Detail) -> Self {
        let shown = |value: &'e Option<String>, mask: fn(&str) -> String| {
            let value = value.as_deref()?;
            Some(if detail == Detail::Full { Cow::Borrowed(value) } else { Cow::Owned(mask(value)) })
        };
        match detail {
            Detail::Thin => Self::default(),
            Detail::Full | Detail::Masked => Self {
                name: shown(&payer.name, mask_name),
                cuit: shown(&payer.cuit, mask_cuit),
                cvu_cbu: shown(&payer.cvu_cbu, mask_tail),
                card_brand: payer.card_brand.as_deref(),
                card_last4: payer.card_last4.as_deref().map(last_four),
            },
        }
    }
}

#[derive(Serialize)]
struct References<'e> {
    key: &'e str,
    transaction_id: Option<&'e str>,
    link_id: Option<&'e str>,
    qr_order_id: Option<&'e str>,
    order_uuid: Option<&'e str>,
    authorization_code: Option<&'e str>,
    sale_point: Option<&'e str>,
    cashin_id: Option<&'e str>,
    payment_id: Option<&'e str>,
    sale_id: Option<&'e str>,
    concept: Option<&'e str>,
    description: Option<&'e str>,
}

impl<'e> References<'e> {
    fn of(payment: &'e Payment, detail: Detail) -> Self {
        let references = &payment.references;
        // Free text may name people, so only `full` shows it.
        let free = |text: &'e Option<String>| text.as_deref().filter(|_| detail == Detail::Full);
        Self {
            key: &payment.key,
            transaction_id: references.transaction_id.as_deref(),
            link_id: references.link_id.as_deref(),
            qr_order_id: references.qr_order_id.as_deref(),
            order_uuid: references.order_uuid.as_deref(),
            authorization_code: references.authorization_code.as_deref(),
            sale_point: references.sale_point.as_deref(),
            cashin_id: references.cashin_id.as_deref(),
            payment_id: references.payment_id.as_deref(),
            sale_id: references.sale_id.as_deref(),
            concept: free(&references.concept),
            description: free(&references.description),
        }
    }
}

#[derive(Serialize)]
struct NoticeData<'e> {
    #[serde(flatten)]
    head: Head<'e>,
    cause: Option<&'static str>,
    reason: &'e str,
    destination: Option<&'e str>,
    #[serde(serialize_with = "millis_or_null")]
    since: Option<Timestamp>,
    count: Option<u64>,
    #[serde(flatten)]
    day: Option<DayData>,
}

impl<'e> NoticeData<'e> {
    fn of(event: &'e Event, notice: &'e Notice) -> Self {
        Self {
            head: Head::of(event),
            cause: notice.cause.map(Cause::as_str),
            reason: &notice.reason,
            destination: notice.destination.as_deref(),
            since: notice.since,
            count: notice.count,
            day: DayData::of(event, notice),
        }
    }
}

/// Of `day.closed` and `reconcile.difference` only, after what all notices have.
#[derive(Serialize)]
struct DayData {
    day: String,
    differences: u64,
    vanished: u64,
    #[serde(flatten)]
    sums: Option<DaySums>,
}

/// Of `day.closed` only.
#[derive(Serialize)]
struct DaySums {
    #[serde(flatten)]
    of_day: TotalsData,
    earlier: TotalsData,
    baseline: u64,
}

#[derive(Serialize)]
struct TotalsData {
    credits: SumData,
    refunds: SumData,
    voids: SumData,
}

#[derive(Serialize)]
struct SumData {
    count: u64,
    total: Amount,
}

impl DayData {
    fn of(event: &Event, notice: &Notice) -> Option<Self> {
        let (day, closing) = (notice.day?, notice.closing.as_deref()?);
        let sums = DaySums {
            of_day: TotalsData::of(&closing.of_day),
            earlier: TotalsData::of(&closing.earlier),
            baseline: closing.baseline,
        };
        Some(Self {
            day: day.to_string(),
            differences: closing.differences,
            vanished: closing.vanished,
            sums: (event.kind == EventType::DayClosed).then_some(sums),
        })
    }
}

impl TotalsData {
    const fn of(totals: &Totals) -> Self {
        const fn sum(sum: Sum) -> SumData {
            SumData { count: sum.count, total: Amount { value: sum.total, currency: "ARS" } }
        }
        Self { credits: sum(totals.credits), refunds: sum(totals.refunds), voids: sum(totals.voids) }
    }
}

fn id<S: Serializer>(id: &EventId, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(id)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference to the field")]
fn money<S: Serializer>(money: &Money, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(money)
}

/// Milliseconds, always three digits.
fn millis<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(&format_args!("{at:.3}"))
}

#[expect(clippy::ref_option, reason = "serde passes a reference to the field")]
fn millis_or_null<S: Serializer>(at: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => millis(at, to),
        None => to.serialize_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channels::contract::samples;

    fn text(event: &Event, detail: Detail) -> String {
        String::from_utf8(body(event, detail).unwrap()).unwrap()
    }

    #[test]
    fn the_body_is_pinned_byte_by_byte() {
        // Receivers parse this. Fields may be added at the end of an object; nothing else may change within v1.
        let event = samples::payment(EventType::CreditReceived);
        assert_eq!(
            text(&event, Detail::Full),
            concat!(
                r#"{"type":"credit.received","timestamp":"2026-11-21T14:03:16-03:00","data":{"#,
                r#""id":"evt_0123456789abcdef0123456789abcdef","account":"centro","upstream":"telepagos","source":"transactions","#,
                r#""occurred_at":"2026-11-21T14:03:16-03:00","detected_at":"2026-11-21T17:03:22.418Z","late":false,"sandbox":false,"#,
                r#""amount":{"value":"1500.00","currency":"ARS"},"#,
                r#""status":{"kind":"approved","raw":"Aprobada"},"operation":{"kind":"credit","raw":"Transferencia recibida"},"#,
                r#""payer":{"name":"M<RÍA & LUISA PÉREZ","cuit":"20267565393","cvu_cbu":"2850590940090418135201","card_brand":null,"card_last4":null},"#,
                r#""payment":{"key":"pay_00112233445566778899aabbccddeeff","transaction_id":"90071992547409931","link_id":null,"qr_order_id":null,"order_uuid":null,"#,
                r#""authorization_code":null,"sale_point":"Caja 1","cashin_id":null,"payment_id":null,"sale_id":null,"concept":"VAR","description":"seña & saldo"}}}"#,
            )
        );
    }

    #[test]
    fn masked_shows_just_enough_and_thin_nothing_of_the_payer() {
        let event = samples::payment(EventType::CreditReceived);
        let masked = text(&event, Detail::Masked);
        assert!(masked.contains(
            r#""payer":{"name":"M<RÍA P.","cuit":"**-*****539-*","cvu_cbu":"••••5201","card_brand":null,"card_last4":null}"#
        ));
        assert!(masked.contains(r#""concept":null,"description":null"#));
        let thin = text(&event, Detail::Thin);
        assert!(
            thin.contains(r#""payer":{"name":null,"cuit":null,"cvu_cbu":null,"card_brand":null,"card_last4":null}"#)
        );
        for personal in samples::PERSONAL {
            assert!(!masked.contains(personal) && !thin.contains(personal), "{personal}");
        }
    }

    #[test]
    fn a_notice_has_its_own_data() {
        assert_eq!(
            text(&samples::notice(EventType::SourceFailing), Detail::Masked),
            concat!(
                r#"{"type":"source.failing","timestamp":"2026-11-21T14:03:16-03:00","data":{"#,
                r#""id":"evt_0123456789abcdef0123456789abcdef","account":"centro","upstream":"telepagos","source":"transactions","#,
                r#""occurred_at":"2026-11-21T14:03:16-03:00","detected_at":"2026-11-21T17:03:22.418Z","late":false,"sandbox":false,"#,
                r#""cause":"upstream","reason":"the upstream answers 500","destination":null,"since":"2026-11-21T16:50:00.000Z","count":3}}"#,
            )
        );
    }

    #[test]
    fn a_closed_day_has_its_sums_and_a_difference_only_its_counts() {
        let head = |kind: &str| {
            format!(
                concat!(
                    r#"{{"type":"{}","timestamp":"2026-11-20","data":{{"#,
                    r#""id":"evt_0123456789abcdef0123456789abcdef","account":"centro","upstream":"telepagos","source":null,"#,
                    r#""occurred_at":"2026-11-20","detected_at":"2026-11-21T17:03:22.418Z","late":false,"sandbox":false,"#,
                    r#""cause":null,"reason":"3 facts were listed and had not been announced","destination":null,"since":null,"count":null,"#,
                    r#""day":"2026-11-20","differences":3,"vanished":1"#,
                ),
                kind
            )
        };
        let sum =
            |count: u32, total: &str| format!(r#"{{"count":{count},"total":{{"value":"{total}","currency":"ARS"}}}}"#);
        let sums = |credits: String, refunds: String| {
            format!(r#""credits":{credits},"refunds":{refunds},"voids":{}"#, sum(0, "0.00"))
        };
        let closed = format!(
            r#"{},{},"earlier":{{{}}},"baseline":0}}}}"#,
            head("day.closed"),
            sums(sum(37, "123456.00"), sum(2, "3000.00")),
            sums(sum(0, "0.00"), sum(1, "0.99")),
        );
        assert_eq!(text(&samples::day(EventType::DayClosed), Detail::Masked), closed);
        let difference = head("reconcile.difference") + "}}";
        assert_eq!(text(&samples::day(EventType::ReconcileDifference), Detail::Masked), difference);
    }

    #[test]
    fn the_same_event_gives_the_same_bytes_and_valid_json() {
        for kind in EventType::ALL {
            for detail in [Detail::Full, Detail::Masked, Detail::Thin] {
                let event = samples::any(kind);
                assert_eq!(text(&event, detail), text(&event.clone(), detail));
                let value: serde_json::Value = serde_json::from_str(&text(&event, detail)).unwrap();
                assert_eq!(value["type"], kind.as_str());
                assert!(text(&event, detail).len() < 20_000, "Standard Webhooks recommends less than 20 kB");
            }
        }
    }
}

//! From what Sipago prints to rows of the house.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::value::RawValue;

use super::wire::{Attributes, Buyer, Item, Movement, Order, OrderData, OrderPayment, Payment, Price};
use crate::config::SipagoAccount;
use crate::domain::account::SourceKind;
use crate::domain::argentina::digits;
use crate::domain::day::Moment;
use crate::domain::fact::View;
use crate::domain::money::{Dialect, Unit};
use crate::domain::row::{Identity, Label, OperationKind, Payer, References, Reject, Row, StatusKind};
use crate::sources::json::{self, Field};
use crate::sources::{SourceError, words};

/// Reads bodies by one account's settings.
pub(super) struct Reader<'a> {
    pub(super) config: &'a SipagoAccount,
}

impl Reader<'_> {
    /// One movement, or the reject that it becomes.
    pub(super) fn movement(&self, position: usize, raw: &RawValue) -> Result<Row, Reject> {
        serde_json::from_str::<Movement<'_>>(raw.get())
            .map_err(|_| String::from("the row is no object as documented"))
            .and_then(|wire| self.row(&wire))
            .map_err(|reason| json::reject(SourceKind::Movements, position, raw, reason))
    }

    fn row(&self, wire: &Movement<'_>) -> Result<Row, String> {
        let common = &self.config.common;
        let id = json::string(wire.id).ok_or_else(|| String::from("`_id` is missing"))?;
        let occurred = json::moment("dateTime", wire.date_time, &common.date_formats, &common.provider_zone)?;
        let amount = json::amount(wire.amount, common.dialect)?;
        let payment: Payment<'_> =
            wire.payment.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
        let raw = json::string(wire.operation).unwrap_or_default();
        let inverse = json::flag(wire.is_inverse);
        let known = words::operation(&raw, None, &common.operation);
        let voided = json::flag(wire.canceled) || json::flag(payment.canceled);
        let sale = View::Sale { refunded: json::flag(payment.has_refund), voided };
        let (view, kind) = match known {
            Some(OperationKind::Refund) => (View::RefundOfSale, OperationKind::Refund),
            Some(OperationKind::Void) => (View::VoidOfSale, OperationKind::Void),
            Some(OperationKind::Debit) => (View::Debit(StatusKind::Approved), OperationKind::Debit),
            // Money that goes the other way, whatever it is called.
            _ if inverse || amount.cents() < 0 => (View::RefundOfSale, OperationKind::Refund),
            Some(OperationKind::Credit) => (sale, OperationKind::Credit),
            Some(OperationKind::Unknown) | None => (sale, OperationKind::Unknown),
        };
        // A movement has no status; only an operation that nobody knows makes it doubtful.
        let status = if kind == OperationKind::Unknown { StatusKind::Unknown } else { StatusKind::Approved };
        Ok(Row {
            source: SourceKind::Movements,
            identity: Identity::Keyed(id.clone()),
            view,
            occurred,
            amount,
            status: Label { kind: status, raw: String::new() },
            operation: Label { kind, raw },
            payer: payer(wire, &payment),
            references: References {
                transaction_id: Some(id),
                payment_id: json::id(payment.payment_id),
                sale_id: json::id(wire.sale_id),
                authorization_code: json::string(wire.authorization_code),
                sale_point: json::string(wire.device),
                ..References::default()
            },
        })
    }

    /// A watched order: a row for itself and one for each payment that it took.
    pub(super) fn order(&self, uuid: &str, body: &[u8], read_at: Timestamp) -> Result<Vec<Row>, SourceError> {
        let attributes = attributes(body)?;
        let told = json::string(attributes.uuid);
        if told.as_ref().is_some_and(|told| !told.eq_ignore_ascii_case(uuid)) {
            return Err(SourceError::Contract(String::from("another order came than was asked for")));
        }
        let price: Price<'_> =
            attributes.price.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
        let cents = Dialect { unit: Unit::Cents, ..self.config.common.dialect };
        let amount =
            json::amount(price.amount, cents).map_err(|reason| SourceError::Contract(format!("price: {reason}")))?;
        let raw = json::string(attributes.status).unwrap_or_default();
        let limit = json::text(attributes.payment_limits).and_then(|text| text.parse::<u64>().ok()).unwrap_or(1);
        let payments = payments(&attributes)?;
        let succeeded = raw.eq_ignore_ascii_case("SUCCESS");
        let approved = |payment: &OrderPayment<'_>| {
            json::text(payment.status).is_some_and(|status| status.eq_ignore_ascii_case("APPROVED"))
        };
        let taken = payments.values().filter(|payment| approved(payment)).count();
        let exhausted = u64::try_from(taken).unwrap_or(u64::MAX) >= limit.max(1);
        let item = attributes.items.and_then(|raw| serde_json::from_str::<Vec<Item<'_>>>(raw.get()).ok());
        let base = Row {
            source: SourceKind::Links,
            identity: Identity::Keyed(format!("order:{uuid}")),
            view: order_view(&raw, succeeded && exhausted),
            // An order bears no date; what is known is when its state was seen.
            occurred: Moment::at(read_at, &self.config.common.zone),
            amount,
            status: Label { kind: words::status(&raw, &self.config.common.status), raw },
            operation: Label { kind: OperationKind::Credit, raw: String::new() },
            payer: Payer::default(),
            references: References {
                order_uuid: Some(uuid.to_owned()),
                concept: item.and_then(|items| items.first().and_then(|item| json::string(item.name))),
                ..References::default()
            },
        };
        let mut rows = vec![base.clone()];
        for (id, payment) in &payments {
            let paid = approved(payment) && (succeeded || limit > 1);
            let raw = json::string(payment.status).unwrap_or_default();
            let mut row = base.clone();
            row.identity = Identity::Keyed(format!("payment:{id}"));
            row.view = View::OrderPayment { paid, refunded: paid && json::flag(payment.is_refunded) };
            row.status = Label { kind: words::status(&raw, &self.config.common.status), raw };
            row.amount = json::amount(payment.amount, cents).unwrap_or(amount);
            row.references.payment_id = Some(id.clone());
            row.references.authorization_code = json::string(payment.authorization_code);
            rows.push(row);
        }
        Ok(rows)
    }
}

/// Order states as the platform documents them (FACTS 2.5). What is not listed tells nothing yet.
fn order_view(status: &str, done: bool) -> View {
    let status = status.to_ascii_uppercase();
    match status.as_str() {
        "SUCCESS" if done => View::OrderDone,
        "EXPIRED" => View::OrderExpired,
        _ if status.starts_with("FAILED") => View::OrderFailed,
        _ => View::OrderOpen,
    }
}

/// The order, printed as a list of one or bare.
fn attributes(body: &[u8]) -> Result<Attributes<'_>, SourceError> {
    let order: Order<'_> = if body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        let list: Vec<&RawValue> = serde_json::from_slice(body).map_err(|error| json::broken(&error))?;
        let first = list.first().ok_or(SourceError::NotFound)?;
        json::object(first.get().as_bytes())?
    } else {
        json::object(body)?
    };
    let missing = |name: &str| SourceError::Contract(format!("`{name}` is missing"));
    let data: OrderData<'_> = json::object(order.data.ok_or_else(|| missing("data"))?.get().as_bytes())?;
    json::object(data.attributes.ok_or_else(|| missing("data.attributes"))?.get().as_bytes())
}

/// `payment` and `payments[]` by id; one that stands in both is one.
fn payments<'a>(attributes: &Attributes<'a>) -> Result<BTreeMap<String, OrderPayment<'a>>, SourceError> {
    let is_null = |field: &Field<'_>| field.is_none_or(|raw| raw.get() == "null");
    let mut all = BTreeMap::new();
    let listed = if is_null(&attributes.payments) { Vec::new() } else { json::list("payments", attributes.payments)? };
    let single = attributes.payment.filter(|raw| raw.get() != "null");
    for raw in listed.into_iter().chain(single) {
        let payment: OrderPayment<'_> = json::object(raw.get().as_bytes())?;
        if let Some(id) = json::id(payment.id) {
            all.entry(id).or_insert(payment);
        }
    }
    Ok(all)
}

fn payer(wire: &Movement<'_>, payment: &Payment<'_>) -> Payer {
    let buyer: Buyer<'_> = wire.buyer.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
    let full = match (json::string(buyer.first_name), json::string(buyer.last_name)) {
        (Some(first), Some(last)) => Some(format!("{first} {last}")),
        (first, last) => first.or(last),
    };
    let number = json::text(payment.card_number).map(|number| digits(&number));
    let tail = number.and_then(|digits| digits.get(digits.len().checked_sub(4)?..).map(str::to_owned));
    let last4 =
        json::string(payment.last4).filter(|text| text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit()));
    Payer {
        name: full.or_else(|| json::string(buyer.name)).or_else(|| json::string(payment.card_holder_name)),
        card_brand: json::string(wire.card_name).or_else(|| json::string(payment.issuer_name)),
        card_last4: last4.or(tail),
        ..Payer::default()
    }
}

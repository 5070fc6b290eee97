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

const NO_OBJECT: &str = "the row is no object as documented";

/// The payments of an order by id, each in all the places where it is printed, and what could not be read.
type Payments<'a> = (BTreeMap<String, Vec<OrderPayment<'a>>>, Vec<Reject>);

/// Reads bodies by one account's settings.
pub(super) struct Reader<'a> {
    pub(super) config: &'a SipagoAccount,
}

impl Reader<'_> {
    /// One movement, or the reject that it becomes.
    pub(super) fn movement(&self, position: usize, raw: &RawValue) -> Result<Row, Reject> {
        json::record::<Movement<'_>>(raw)
            .ok_or_else(|| String::from(NO_OBJECT))
            .and_then(|wire| self.row(&wire))
            .map_err(|reason| json::reject(SourceKind::Movements, position, raw, reason))
    }

    fn row(&self, wire: &Movement<'_>) -> Result<Row, String> {
        let common = &self.config.common;
        let id = json::string(wire.id).ok_or_else(|| String::from("`_id` is missing"))?;
        let occurred = json::moment("dateTime", wire.date_time, &common.date_formats, &common.provider_zone)?;
        let amount = json::amount(wire.amount, common.dialect)?;
        let payment: Payment<'_> = json::part(wire.payment);
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

    /// A watched order: a row for itself and one for each payment that it took. An odd payment is a reject.
    pub(super) fn order(
        &self,
        uuid: &str,
        body: &[u8],
        read_at: Timestamp,
    ) -> Result<(Vec<Row>, Vec<Reject>), SourceError> {
        let attributes = attributes(body)?;
        let told = json::string(attributes.uuid);
        if told.as_ref().is_some_and(|told| !told.eq_ignore_ascii_case(uuid)) {
            return Err(SourceError::Contract(String::from("another order came than was asked for")));
        }
        let price: Price<'_> = json::part(attributes.price);
        let amount = json::amount(price.amount, self.cents())
            .map_err(|reason| SourceError::Contract(format!("price: {reason}")))?;
        let raw = json::string(attributes.status).unwrap_or_default();
        let limit = json::text(attributes.payment_limits).and_then(|text| text.parse::<u64>().ok()).unwrap_or(1);
        let (payments, rejects) = payments(&attributes)?;
        let succeeded = raw.eq_ignore_ascii_case("SUCCESS");
        let taken = payments.values().filter(|payment| approved(payment)).count();
        let exhausted = u64::try_from(taken).unwrap_or(u64::MAX) >= limit.max(1);
        let item: Item<'_> = json::part(attributes.items.and_then(json::first));
        let base = Row {
            source: SourceKind::Links,
            identity: Identity::Keyed(format!("order:{uuid}")),
            view: order_view(&raw, succeeded && exhausted),
            // An order bears no date; what is known is when its state was seen.
            occurred: Moment::at(read_at, &self.config.common.zone),
            amount,
            status: self.status(raw),
            operation: Label { kind: OperationKind::Credit, raw: String::new() },
            payer: Payer::default(),
            references: References {
                order_uuid: Some(uuid.to_owned()),
                concept: json::string(item.name),
                ..References::default()
            },
        };
        let mut rows = vec![base.clone()];
        // A state that nobody knows is no reason to keep quiet about money that was approved.
        let open = succeeded || limit > 1 || base.status.kind == StatusKind::Unknown;
        rows.extend(payments.iter().map(|(id, printed)| self.payment(&base, id, printed, open)));
        Ok((rows, rejects))
    }

    /// One payment of an order, which may be printed twice. `open` says that the order lets its payments count.
    fn payment(&self, order: &Row, id: &str, printed: &[OrderPayment<'_>], open: bool) -> Row {
        let teller = printed.iter().find(|payment| is_approved(payment)).or(printed.first());
        let status = self.status(teller.and_then(|payment| json::string(payment.status)).unwrap_or_default());
        let flagged = printed.iter().any(|payment| json::flag(payment.is_refunded));
        // What was refunded was paid, whatever became of the order's and the payment's state since.
        let refunded = match status.kind {
            StatusKind::Reversed => true,
            StatusKind::Pending | StatusKind::Rejected => false,
            StatusKind::Approved | StatusKind::Cancelled | StatusKind::Unknown => flagged,
        };
        let mut row = order.clone();
        row.identity = Identity::Keyed(format!("payment:{id}"));
        row.view = View::OrderPayment { paid: refunded || (open && approved(printed)), refunded };
        let doubtful = order.status.kind == StatusKind::Unknown && !order.status.raw.is_empty();
        row.status = if doubtful && !refunded { order.status.clone() } else { status };
        let amount = printed.iter().find_map(|payment| json::amount(payment.amount, self.cents()).ok());
        row.amount = amount.unwrap_or(order.amount);
        row.references.payment_id = Some(id.to_owned());
        row.references.authorization_code = printed.iter().find_map(|payment| json::string(payment.authorization_code));
        row
    }

    fn status(&self, raw: String) -> Label<StatusKind> {
        Label { kind: words::status(&raw, &self.config.common.status), raw }
    }

    /// Orders count cents, whatever the account's movements do (FACTS 0.8).
    fn cents(&self) -> Dialect {
        Dialect { unit: Unit::Cents, ..self.config.common.dialect }
    }
}

fn is_approved(payment: &OrderPayment<'_>) -> bool {
    json::text(payment.status).is_some_and(|status| status.eq_ignore_ascii_case("APPROVED"))
}

fn approved(printed: &[OrderPayment<'_>]) -> bool {
    printed.iter().any(is_approved)
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

/// `payment` and `payments[]` by id; one that stands in both is one, and each place may tell what the other leaves out.
fn payments<'a>(attributes: &Attributes<'a>) -> Result<Payments<'a>, SourceError> {
    let listed = match attributes.payments {
        None => Vec::new(),
        listed => json::list("payments", listed)?,
    };
    // Some back ends print an empty record as an empty list.
    let single = attributes.payment.filter(|raw| !matches!(raw.get(), "[]" | "{}"));
    let (mut payments, mut rejects) = (BTreeMap::<String, Vec<OrderPayment<'a>>>::new(), Vec::new());
    for (position, raw) in listed.into_iter().chain(single).enumerate() {
        let payment = json::record::<OrderPayment<'a>>(raw).ok_or(NO_OBJECT);
        match payment.and_then(|payment| Ok((json::id(payment.id).ok_or("`id` is missing")?, payment))) {
            Ok((id, payment)) => payments.entry(id).or_default().push(payment),
            Err(reason) => rejects.push(json::reject(SourceKind::Links, position, raw, reason.to_owned())),
        }
    }
    Ok((payments, rejects))
}

fn payer(wire: &Movement<'_>, payment: &Payment<'_>) -> Payer {
    let buyer: Buyer<'_> = json::part(wire.buyer);
    let full = match (json::string(buyer.first_name), json::string(buyer.last_name)) {
        (Some(first), Some(last)) => Some(format!("{first} {last}")),
        (first, last) => first.or(last),
    };
    let last4 =
        json::string(payment.last4).filter(|text| text.len() == 4 && text.bytes().all(|byte| byte.is_ascii_digit()));
    Payer {
        name: full.or_else(|| json::string(buyer.name)).or_else(|| json::string(payment.card_holder_name)),
        card_brand: brand(wire.card_name).or_else(|| brand(payment.issuer_name)),
        card_last4: last4.or_else(|| json::text(payment.card_number).and_then(|number| tail(&number))),
        ..Payer::default()
    }
}

/// The brand of a card, unless a number stands in its place.
fn brand(field: Field<'_>) -> Option<String> {
    json::string(field).filter(|name| digits(name).len() <= 4)
}

/// The last four digits of a card number, if its end is what the upstream shows.
fn tail(number: &str) -> Option<String> {
    let bare: String = number.chars().filter(|c| !matches!(c, ' ' | '-')).collect();
    // Five to eleven bare digits are the beginning of a number (ISO/IEC 7812: 12 digits at least) or no card at all.
    let is_part = (5..12).contains(&bare.len()) && bare.bytes().all(|byte| byte.is_ascii_digit());
    let tail = bare.get(bare.len().checked_sub(4)?..)?;
    (!is_part && tail.bytes().all(|byte| byte.is_ascii_digit())).then(|| tail.to_owned())
}

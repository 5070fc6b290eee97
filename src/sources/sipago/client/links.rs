//! Payment links: making one, and the order behind it.

use serde::Serialize;
use serde_json::value::RawValue;

use super::{SipagoClient, broken};
use crate::config::order_uuid;
use crate::domain::money::{Dialect, Money, Unit};
use crate::sources::record::Record;
use crate::sources::{Amount, CallError, Extra, Invalid, SourceError, json, rules};

/// `POST /api/paymentButtonsToken`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderLinkRequest {
    /// How much, more than 0; written in the account's `amount_unit`.
    pub amount: Money,
    /// What is sold; at most 255 characters.
    pub description: String,
}

/// A link that can be paid.
#[derive(Clone, Debug, Serialize)]
pub struct NewLink {
    /// `successUrl`: what the payer opens.
    pub link: String,
    /// The order behind it, cut from the link: the answer names none. `None` where the link does not end in a uuid.
    pub order_uuid: Option<String>,
    /// To hand it on in a chat.
    pub whatsapp_url: Option<String>,
    /// To hand it on by Facebook.
    pub facebook_url: Option<String>,
    /// Undocumented fields.
    #[serde(skip_serializing_if = "Extra::is_empty")]
    pub extra: Extra,
}

/// `GET /checkout/getLink/{uuid}`: `data.attributes`. Amounts are always cents.
#[derive(Clone, Debug, Serialize)]
pub struct Order {
    /// Its uuid.
    pub uuid: Option<String>,
    /// `PENDING`, `SUCCESS`, `EXPIRED`, `FAILED_CHECKOUT`, `FAILED`, or whatever else was printed.
    pub status: Option<String>,
    /// How much.
    pub amount: Amount,
    /// As printed; `032` is pesos.
    pub currency: Option<String>,
    /// How many payments it takes.
    pub payment_limits: Option<u64>,
    /// Its life in minutes, where it is told.
    pub expire_limit_minutes: Option<u64>,
    /// As printed.
    pub order_number: Option<String>,
    /// As printed.
    pub source: Option<String>,
    /// What the payer opens.
    pub checkout: Option<String>,
    /// A payment is under way.
    pub has_pending_payment: Option<bool>,
    /// Payments and attempts; one that is printed in two places stands here once.
    pub payments: Vec<OrderPayment>,
    /// What is sold.
    pub items: Vec<OrderItem>,
    /// Undocumented fields.
    #[serde(skip_serializing_if = "Extra::is_empty")]
    pub extra: Extra,
}

/// A payment of an order, or an attempt.
#[derive(Clone, Debug, Serialize)]
pub struct OrderPayment {
    /// Common to the order and the movement.
    pub id: Option<String>,
    /// Not unique.
    pub authorization_code: Option<String>,
    /// As printed.
    pub reference_number: Option<String>,
    /// `APPROVED`, `DENIED`, or whatever else was printed.
    pub status: Option<String>,
    /// It went back.
    pub is_refunded: Option<bool>,
    /// Undocumented fields.
    #[serde(skip_serializing_if = "Extra::is_empty")]
    pub extra: Extra,
}

/// One thing that an order sells.
#[derive(Clone, Debug, Serialize)]
pub struct OrderItem {
    /// Its name.
    pub name: Option<String>,
    /// How many, as printed.
    pub quantity: Option<String>,
    /// Of one.
    pub unit_price: Amount,
}

#[derive(Serialize)]
struct Body {
    amount: Box<RawValue>,
    description: String,
}

impl SipagoClient {
    /// Makes a link.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn link_create(&self, request: &OrderLinkRequest) -> Result<NewLink, CallError> {
        let amount = rules::positive("amount", request.amount)?;
        let body = Body {
            amount: rules::number(amount, self.config.common.dialect.unit),
            description: rules::text("description", &request.description)?,
        };
        self.write("api/paymentButtonsToken", &body, |record| {
            let link = record.text("successUrl")?;
            Some(NewLink {
                order_uuid: order_uuid(&link),
                link,
                whatsapp_url: record.text("whatsappUrl"),
                facebook_url: record.text("facebookUrl"),
                extra: record.without_status(),
            })
        })
        .await
    }

    /// The order behind a link; `id` is its uuid, or the link that ends in it.
    ///
    /// # Errors
    /// See [`CallError`]; it never ends unknown. [`SourceError::NotFound`] where there is none.
    pub async fn link(&self, id: &str) -> Result<Order, CallError> {
        let uuid = order_uuid(id).ok_or(Invalid { field: "uuid", rule: "holds no uuid, or several" })?;
        let body = self.get(&format!("checkout/getLink/{uuid}")).await?;
        if empty(&body) {
            return Err(CallError::failed(SourceError::NotFound, None));
        }
        let mut data = Record::of_body(&body).map_err(broken)?.part("data");
        let attributes = data.part("attributes");
        if attributes.is_empty() {
            return Err(broken(SourceError::Contract(String::from("`data.attributes` is missing"))));
        }
        let dialect = Dialect { unit: Unit::Cents, ..self.config.common.dialect };
        Ok(order(attributes, dialect))
    }
}

/// An empty list: there is no such order.
fn empty(body: &[u8]) -> bool {
    body.iter().filter(|byte| !byte.is_ascii_whitespace()).eq(b"[]")
}

/// Documented fields that say nothing to an operator, or too much about a person.
const NOT_KEPT: &[&str] =
    &["accountId", "subsidiaryId", "appId", "shipping", "tip", "taxes", "externalData", "store", "billing"];

fn order(mut record: Record<'_>, dialect: Dialect) -> Order {
    let mut price = record.part("price");
    let mut links = record.part("links");
    let listed = record.list_if_any("payments").into_iter().filter_map(Record::of);
    let single = record.take("payment").and_then(Record::of);
    let mut payments: Vec<OrderPayment> = Vec::new();
    for payment in listed.chain(single).filter(|record| !record.is_empty()).map(payment) {
        let known = payments.iter().any(|known| known.id.is_some() && known.id == payment.id);
        if !known {
            payments.push(payment);
        }
    }
    let items = record.list_if_any("items").into_iter().filter_map(Record::of);
    let items = items.map(|mut item| OrderItem {
        name: item.text("name"),
        quantity: item.text("quantity"),
        unit_price: item.part("unitPrice").amount("amount", dialect),
    });
    let items = items.collect();
    record.forget(NOT_KEPT);
    Order {
        uuid: record.text("uuid"),
        status: record.text("status"),
        amount: price.amount("amount", dialect),
        currency: price.text("currency"),
        payment_limits: record.whole("paymentLimits"),
        expire_limit_minutes: record.whole("expireLimitMinutes"),
        order_number: record.text("orderNumber"),
        source: record.text("source"),
        checkout: links.text("checkout"),
        has_pending_payment: record.flag("hasPendingPayment"),
        payments,
        items,
        extra: record.rest(),
    }
}

fn payment(mut record: Record<'_>) -> OrderPayment {
    OrderPayment {
        id: record.id("id"),
        authorization_code: json::string(record.single("authorization_code")),
        reference_number: record.text("reference_number"),
        status: record.text("status"),
        is_refunded: record.flag("isRefunded"),
        extra: record.rest(),
    }
}

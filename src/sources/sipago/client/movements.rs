//! Movements: by days and by authorisation code.

use serde::Serialize;
use serde_json::value::RawValue;

use super::{SipagoClient, broken, rows};
use crate::domain::argentina::digits;
use crate::domain::day::Day;
use crate::domain::money::Dialect;
use crate::sources::record::Record;
use crate::sources::{Amount, CallError, Extra, Personal, json, rules};

/// One row of `POST /transactions/page/N` or `GET /transactions/code/{code}`, without what the program must not hold.
#[derive(Clone, Debug, Serialize)]
pub struct Movement {
    /// Unique in the account.
    #[serde(rename = "_id")]
    pub id: Option<String>,
    /// How much.
    pub amount: Amount,
    /// As printed; its format and zone are undocumented.
    pub date_time: Option<String>,
    /// As printed; the words are undocumented.
    pub operation: Option<String>,
    /// Undocumented in its use.
    pub operation_id: Option<String>,
    /// Undocumented in its use.
    pub operation_code: Option<String>,
    /// Common to a sale and what undoes it.
    pub sale_id: Option<String>,
    /// Six digits in the sample, not unique.
    pub authorization_code: Option<String>,
    /// As printed.
    pub authentication_type: Option<String>,
    /// Card brand.
    pub card_name: Option<String>,
    /// Where it was sold.
    pub device: Option<String>,
    /// Who paid: the buyer's name, or the cardholder's.
    pub payer: Option<Personal>,
    /// The acquirer's part.
    pub commission: Commission,
    /// The payment.
    pub payment: MovementPayment,
    /// What was sold.
    pub items: Vec<MovementItem>,
    /// The sale was annulled.
    pub canceled: Option<bool>,
    /// It can be annulled.
    pub can_annulate: Option<bool>,
    /// It can be annulled without the card.
    pub can_annulate_without_card: Option<bool>,
    /// It can be refunded.
    pub can_refund: Option<bool>,
    /// It can be refunded without the card.
    pub can_refund_without_card: Option<bool>,
    /// Undocumented fields.
    #[serde(skip_serializing_if = "Extra::is_empty")]
    pub extra: Extra,
}

/// What the acquirer keeps.
#[derive(Clone, Debug, Serialize)]
pub struct Commission {
    /// As printed; per cent by all that is known.
    pub rate: Option<String>,
    /// How much.
    pub amount: Amount,
}

/// The payment of a movement.
#[derive(Clone, Debug, Serialize)]
pub struct MovementPayment {
    /// Common to the movement and the order behind a link.
    pub payment_id: Option<String>,
    /// As printed.
    pub method: Option<String>,
    /// How much, all included.
    pub total_amount: Amount,
    /// It was refunded, perhaps in part.
    pub has_refund: Option<bool>,
    /// It was annulled.
    pub canceled: Option<bool>,
    /// Last four digits of the card.
    pub last4: Option<String>,
    /// The card's bank.
    pub issuer_name: Option<String>,
    /// As printed.
    pub payment_method_type: Option<String>,
}

/// One thing that was sold.
#[derive(Clone, Debug, Serialize)]
pub struct MovementItem {
    /// Its name.
    pub product_name: Option<String>,
    /// How many, as printed.
    pub quantity: Option<String>,
    /// Of one.
    pub product_price: Amount,
    /// Of all.
    pub total_amount: Amount,
}

impl SipagoClient {
    /// All movements of these days, both included, in the upstream's order. A row that is no object is passed over; every
    /// other row comes, with what could be read of it.
    ///
    /// # Errors
    /// See [`CallError`]; it never ends unknown. Pages that contradict each other are a broken contract, never a part.
    pub async fn movements(&self, from: Day, to: Day) -> Result<Vec<Movement>, CallError> {
        let body = format!(r#"{{"startDate":"{from}","endDate":"{to}"}}"#);
        let bodies = self.pages("transactions", &body).await?;
        let dialect = self.config.common.dialect;
        Ok(rows(&bodies)?.into_iter().map(|record| movement(record, dialect)).collect())
    }

    /// All movements with this authorisation code, which is not unique; none where nothing bears it.
    ///
    /// # Errors
    /// See [`CallError`]; it never ends unknown.
    pub async fn by_code(&self, authorization_code: &str) -> Result<Vec<Movement>, CallError> {
        let code = rules::segment("authorizationcode", authorization_code)?;
        let body = self.get(&format!("transactions/code/{code}")).await?;
        let start = body.iter().find(|byte| !byte.is_ascii_whitespace());
        let found: Vec<Record<'_>> = if start == Some(&b'[') {
            let items: Vec<&RawValue> = serde_json::from_slice(&body).map_err(|error| broken(json::broken(&error)))?;
            items.into_iter().filter_map(Record::of).collect()
        } else {
            vec![Record::of_body(&body).map_err(broken)?]
        };
        let dialect = self.config.common.dialect;
        Ok(found.into_iter().map(|record| movement(record, dialect)).collect())
    }
}

/// Documented fields that are nobody's business here: persons, documents, card numbers, decoration.
const NOT_KEPT: &[&str] = &["userId", "taxes", "abr", "firstName", "lastName"];

fn movement(mut record: Record<'_>, dialect: Dialect) -> Movement {
    let mut payment = record.part("payment");
    let mut buyer = record.part("buyer");
    let mut commission = record.part("commission");
    let payer = buyer.full_name().or_else(|| payment.personal("cardHolderName"));
    let items = record.list_if_any("items");
    record.forget(NOT_KEPT);
    Movement {
        id: record.text("_id"),
        amount: record.amount("amount", dialect),
        date_time: record.text("dateTime"),
        operation: record.text("operation"),
        operation_id: record.id("operationId"),
        operation_code: record.text("operationCode"),
        sale_id: record.id("saleId"),
        authorization_code: record.text("authorizationCode"),
        authentication_type: record.text("authenticationType"),
        // Some print a number where the brand belongs: that is no brand.
        card_name: record.text("cardName").filter(|name| digits(name).len() <= 4),
        device: record.text("device"),
        payer,
        commission: Commission { rate: commission.text("rate"), amount: commission.amount("amount", dialect) },
        payment: MovementPayment {
            payment_id: payment.id("paymentId"),
            method: payment.text("method"),
            total_amount: payment.amount("totalAmount", dialect),
            has_refund: payment.flag("hasRefund"),
            canceled: payment.flag("canceled"),
            last4: payment.text("last4Numbers").filter(|text| text.len() == 4 && digits(text).len() == 4),
            issuer_name: payment.text("issuerName").filter(|name| digits(name).len() <= 4),
            payment_method_type: payment.text("paymentMethodType"),
        },
        items: items.into_iter().filter_map(Record::of).map(|record| item(record, dialect)).collect(),
        canceled: record.flag("canceled"),
        can_annulate: record.flag("canAnnulate"),
        can_annulate_without_card: record.flag("canAnnulateWithoutCard"),
        can_refund: record.flag("canRefund"),
        can_refund_without_card: record.flag("canRefundWithoutCard"),
        extra: record.rest(),
    }
}

fn item(mut record: Record<'_>, dialect: Dialect) -> MovementItem {
    MovementItem {
        product_name: record.text("productName"),
        quantity: record.text("quantity"),
        product_price: record.amount("productPrice", dialect),
        total_amount: record.amount("totalAmount", dialect),
    }
}

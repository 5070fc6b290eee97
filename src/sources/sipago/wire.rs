//! What Sipago prints, field by field as the document has it; every field raw. What is not needed is not read: cards,
//! e-mail, address, birth date and documents of buyers never enter the program.

use serde::Deserialize;

use crate::sources::json::Field;

/// `transactions/page/N`
#[derive(Debug, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the document's names")]
pub(super) struct Page<'a> {
    #[serde(borrow, default)]
    pub(super) page: Field<'a>,
    #[serde(borrow, default, rename = "existMore")]
    pub(super) exist_more: Field<'a>,
    #[serde(borrow, default, rename = "listTrx")]
    pub(super) list_trx: Field<'a>,
}

/// One movement.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Movement<'a> {
    #[serde(borrow, default, rename = "_id")]
    pub(super) id: Field<'a>,
    #[serde(borrow, default)]
    pub(super) amount: Field<'a>,
    #[serde(borrow, default)]
    pub(super) date_time: Field<'a>,
    #[serde(borrow, default)]
    pub(super) payment: Field<'a>,
    #[serde(borrow, default)]
    pub(super) authorization_code: Field<'a>,
    #[serde(borrow, default)]
    pub(super) operation: Field<'a>,
    #[serde(borrow, default)]
    pub(super) is_inverse: Field<'a>,
    #[serde(borrow, default)]
    pub(super) sale_id: Field<'a>,
    #[serde(borrow, default)]
    pub(super) card_name: Field<'a>,
    #[serde(borrow, default)]
    pub(super) device: Field<'a>,
    #[serde(borrow, default)]
    pub(super) buyer: Field<'a>,
    #[serde(borrow, default)]
    pub(super) canceled: Field<'a>,
}

/// Its payment.
#[derive(Debug, Default, Deserialize)]
#[expect(clippy::struct_field_names, reason = "the document's names")]
#[serde(rename_all = "camelCase")]
pub(super) struct Payment<'a> {
    #[serde(borrow, default)]
    pub(super) payment_id: Field<'a>,
    #[serde(borrow, default)]
    pub(super) has_refund: Field<'a>,
    #[serde(borrow, default)]
    pub(super) canceled: Field<'a>,
    #[serde(borrow, default)]
    pub(super) card_number: Field<'a>,
    #[serde(borrow, default)]
    pub(super) card_holder_name: Field<'a>,
    #[serde(borrow, default, rename = "last4Numbers")]
    pub(super) last4: Field<'a>,
    #[serde(borrow, default)]
    pub(super) issuer_name: Field<'a>,
}

/// Its buyer, of whom only the name is read.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Buyer<'a> {
    #[serde(borrow, default)]
    pub(super) name: Field<'a>,
    #[serde(borrow, default)]
    pub(super) first_name: Field<'a>,
    #[serde(borrow, default)]
    pub(super) last_name: Field<'a>,
}

/// `checkout/getLink/{uuid}`, without the list of one around it.
#[derive(Debug, Deserialize)]
pub(super) struct Order<'a> {
    #[serde(borrow, default)]
    pub(super) data: Field<'a>,
}

/// `data`
#[derive(Debug, Deserialize)]
pub(super) struct OrderData<'a> {
    #[serde(borrow, default)]
    pub(super) attributes: Field<'a>,
}

/// `data.attributes`
#[derive(Debug, Deserialize)]
pub(super) struct Attributes<'a> {
    #[serde(borrow, default)]
    pub(super) uuid: Field<'a>,
    #[serde(borrow, default, rename = "paymentLimits")]
    pub(super) payment_limits: Field<'a>,
    #[serde(borrow, default)]
    pub(super) price: Field<'a>,
    #[serde(borrow, default)]
    pub(super) status: Field<'a>,
    #[serde(borrow, default)]
    pub(super) payment: Field<'a>,
    #[serde(borrow, default)]
    pub(super) payments: Field<'a>,
    #[serde(borrow, default)]
    pub(super) items: Field<'a>,
}

/// An amount of an order: integer cents, always (FACTS 0.8).
#[derive(Debug, Default, Deserialize)]
pub(super) struct Price<'a> {
    #[serde(borrow, default)]
    pub(super) amount: Field<'a>,
}

/// What was sold.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Item<'a> {
    #[serde(borrow, default)]
    pub(super) name: Field<'a>,
}

/// One payment, or attempt, of an order.
#[derive(Debug, Deserialize)]
pub(super) struct OrderPayment<'a> {
    #[serde(borrow, default)]
    pub(super) id: Field<'a>,
    #[serde(borrow, default)]
    pub(super) authorization_code: Field<'a>,
    #[serde(borrow, default)]
    pub(super) status: Field<'a>,
    #[serde(borrow, default, rename = "isRefunded")]
    pub(super) is_refunded: Field<'a>,
    #[serde(borrow, default)]
    pub(super) amount: Field<'a>,
}

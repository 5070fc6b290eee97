//! The order that Sipago's `checkout/getLink/{uuid}` gives, every documented field in the document's order.
//!
//! A fresh order has `payment` and `payments` null; a denied attempt stands in `payments` only, with an `error`
//! (github.com/Mueve-TEC/payment_sipago, examples and tests, 2026-11-21). Amounts are whole cents, currency `"032"`.

use serde::Serialize;

use super::raw::Raw;
use crate::sandbox::world::{Order, OrderPayment};

/// The order as printed, without the list around it.
#[derive(Serialize)]
pub(super) struct OrderForm {
    data: Data,
}

#[derive(Serialize)]
struct Data {
    id: String,
    #[serde(rename = "type")]
    kind: &'static str,
    attributes: Attributes,
    links: [Links; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Attributes {
    uuid: String,
    account_id: u64,
    subsidiary_id: u64,
    source: &'static str,
    app_id: &'static str,
    payment_limits: u32,
    /// Not in the merchant document; a recorded order of the same platform has it.
    expire_limit_minutes: u32,
    order_number: String,
    price: Price,
    shipping: Option<()>,
    tip: Option<()>,
    items: [Line; 1],
    status: String,
    taxes: [(); 0],
    external_data: ExternalData,
    links: Links,
    has_pending_payment: bool,
    payment: Option<Payment>,
    payments: Option<Vec<Payment>>,
    store: Option<()>,
    billing: Option<()>,
}

#[derive(Serialize)]
struct Price {
    currency: &'static str,
    amount: Raw,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    name: String,
    quantity: u32,
    unit_price: Price,
    item_id: Option<()>,
}

#[derive(Serialize)]
struct ExternalData {
    user_uuid: String,
    checkout_url: String,
    referer: &'static str,
    #[serde(rename = "errorMessage")]
    error_message: Option<()>,
}

#[derive(Serialize)]
struct Links {
    checkout: String,
    redirect_url: RedirectUrl,
}

#[derive(Serialize)]
struct RedirectUrl {
    success: Option<()>,
    failed: Option<()>,
}

#[derive(Serialize)]
struct Payment {
    id: String,
    authorization_code: String,
    reference_number: String,
    status: &'static str,
    #[serde(rename = "isRefunded")]
    is_refunded: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Denial>,
}

#[derive(Serialize)]
struct Denial {
    description: &'static str,
    message: &'static str,
}

impl Payment {
    fn of(payment: &OrderPayment) -> Self {
        Self {
            id: payment.id.to_string(),
            authorization_code: payment.authorization.clone(),
            reference_number: format!("{:012}", payment.id),
            status: if payment.approved { "APPROVED" } else { "DENIED" },
            is_refunded: payment.is_refunded,
            error: (!payment.approved).then_some(Denial { description: "Fondos insuficientes", message: "DENIED" }),
        }
    }
}

impl OrderForm {
    /// An order as printed; `amount` is its price.
    pub(super) fn of(order: Order, amount: Raw) -> Self {
        let checkout = format!("https://checkout.example.com/orders/{}", order.uuid);
        let links = || Links { checkout: checkout.clone(), redirect_url: RedirectUrl { success: None, failed: None } };
        let payments: Vec<Payment> = order.payments.iter().map(Payment::of).collect();
        let last_approved = order.payments.iter().rev().find(|payment| payment.approved);
        Self {
            data: Data {
                id: order.uuid.clone(),
                kind: "order",
                attributes: Attributes {
                    account_id: 169,
                    subsidiary_id: 171,
                    source: "api_checkout",
                    app_id: "cabal",
                    payment_limits: order.payment_limits,
                    expire_limit_minutes: order.expire_limit_minutes,
                    order_number: format!("0000169-{:010}", order.number),
                    price: Price { currency: "032", amount },
                    shipping: None,
                    tip: None,
                    items: [Line {
                        name: order.item,
                        quantity: 1,
                        unit_price: Price { currency: "032", amount: Raw::cents(order.amount) },
                        item_id: None,
                    }],
                    status: order.status.as_str().to_owned(),
                    taxes: [],
                    external_data: ExternalData {
                        user_uuid: order.uuid.clone(),
                        checkout_url: checkout.clone(),
                        referer: "https://example.com",
                        error_message: None,
                    },
                    links: links(),
                    has_pending_payment: false,
                    payment: last_approved.map(Payment::of),
                    payments: (!payments.is_empty()).then_some(payments),
                    store: None,
                    billing: None,
                    uuid: order.uuid,
                },
                links: [links()],
            },
        }
    }
}

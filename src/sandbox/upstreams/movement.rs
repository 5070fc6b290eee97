//! A row of Sipago's `listTrx`, every documented field in the document's order.

use serde::Serialize;

use super::raw::Raw;
use crate::domain::money::Money;
use crate::sandbox::world::{Sale, SaleKind};

/// A movement as printed.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_excessive_bools, reason = "the document's fields")]
pub(super) struct MovementRow {
    #[serde(rename = "_id")]
    id: u64,
    pub(super) amount: Raw,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) date_time: Option<String>,
    first_name: String,
    last_name: String,
    user_id: u64,
    taxes: [(); 0],
    commission: Commission,
    payment: CardPayment,
    authorization_code: String,
    authentication_type: &'static str,
    operation_code: String,
    operation: String,
    operation_id: u64,
    sale_id: u64,
    card_name: &'static str,
    abr: &'static str,
    device: &'static str,
    buyer: Customer,
    items: [Item; 1],
    can_annulate: bool,
    can_annulate_without_card: bool,
    can_refund: bool,
    can_refund_without_card: bool,
    canceled: bool,
}

#[derive(Serialize)]
struct Commission {
    rate: Raw,
    amount: Raw,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct CardPayment {
    payment_id: u64,
    hash: String,
    method: &'static str,
    total_amount: Raw,
    has_refund: bool,
    canceled: bool,
    card_number: String,
    card_holder_name: String,
    first5_numbers: &'static str,
    last4_numbers: String,
    issuer_name: &'static str,
    issuer_key: &'static str,
    payment_method_id: u64,
    name: &'static str,
    es: &'static str,
    en: &'static str,
    payment_method_type: &'static str,
    adjust_tip_available: bool,
    issuer_image_url: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Customer {
    id: u64,
    name: String,
    buyer_id: u64,
    first_name: String,
    last_name: String,
    email: String,
    address: &'static str,
    #[serde(rename = "addressLine2")]
    address_line2: &'static str,
    province: &'static str,
    zip_code: &'static str,
    birthdate: &'static str,
    phone: &'static str,
    city: &'static str,
    document: String,
    document_type: &'static str,
    country_id: &'static str,
    occupation: &'static str,
    country: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Item {
    product_id: u64,
    is_custom_amount: bool,
    quantity: u64,
    product_price: Raw,
    total_amount: Raw,
    product_name: &'static str,
    product_background_color: &'static str,
    product_image_url: &'static str,
}

impl MovementRow {
    /// A sale as printed, its amounts in cents or in pesos.
    pub(super) fn of(sale: Sale, cents: bool) -> Self {
        let print = |amount: Money| if cents { Raw::cents(amount) } else { Raw::number(amount) };
        let amount = sale.amount;
        let undoable = sale.kind == SaleKind::Sale && !sale.canceled && !sale.has_refund;
        Self {
            id: sale.id,
            amount: print(amount),
            date_time: Some(sale.at.strftime("%Y-%m-%dT%H:%M:%S").to_string()),
            first_name: String::from("Comercio"),
            last_name: String::from("de Prueba"),
            user_id: 31_415,
            taxes: [],
            // 2.90 %, rounded down.
            commission: Commission {
                rate: Raw(String::from("2.9")),
                amount: print(Money::from_cents(amount.cents() / 1000 * 29)),
            },
            payment: CardPayment::of(&sale, print(amount)),
            buyer: Customer::of(&sale),
            authorization_code: sale.authorization,
            authentication_type: "CHIP",
            operation_code: format!("{:012}", sale.operation_id),
            operation: sale.kind.as_str().to_owned(),
            operation_id: sale.operation_id,
            sale_id: sale.sale_id,
            card_name: sale.card.brand,
            abr: sale.card.short,
            device: "POS",
            items: [Item {
                product_id: 1,
                is_custom_amount: true,
                quantity: 1,
                product_price: print(amount),
                total_amount: print(amount),
                product_name: "Venta",
                product_background_color: "#FFFFFF",
                product_image_url: "",
            }],
            can_annulate: undoable,
            can_annulate_without_card: undoable,
            can_refund: undoable,
            can_refund_without_card: undoable,
            canceled: sale.canceled,
        }
    }
}

impl CardPayment {
    fn of(sale: &Sale, total_amount: Raw) -> Self {
        Self {
            payment_id: sale.payment_id,
            hash: format!("{:032x}", u128::from(sale.payment_id) * 0x9e37_79b9_7f4a_7c15),
            method: "CREDIT",
            total_amount,
            has_refund: sale.has_refund,
            canceled: sale.payment_canceled,
            card_number: format!("{}*******{}", sale.card.first5, sale.card.last4),
            card_holder_name: sale.buyer.name().to_uppercase(),
            first5_numbers: sale.card.first5,
            last4_numbers: sale.card.last4.clone(),
            issuer_name: "Banco de Prueba",
            issuer_key: "banco-de-prueba",
            payment_method_id: 1,
            name: sale.card.brand,
            es: "Crédito",
            en: "Credit",
            payment_method_type: "CREDIT_CARD",
            adjust_tip_available: false,
            issuer_image_url: "https://example.com/issuer.png",
        }
    }
}

impl Customer {
    fn of(sale: &Sale) -> Self {
        Self {
            id: sale.payment_id % 10_000,
            name: sale.buyer.name(),
            buyer_id: sale.payment_id % 10_000,
            email: format!("comprador{}@example.com", sale.payment_id % 10_000),
            document: sale.buyer.document().to_owned(),
            first_name: sale.buyer.first.clone(),
            last_name: sale.buyer.last.clone(),
            address: "Av. de Prueba 123",
            address_line2: "",
            province: "Buenos Aires",
            zip_code: "1900",
            birthdate: "1980-01-31",
            phone: "+5492215550100",
            city: "La Plata",
            document_type: "DNI",
            country_id: "032",
            occupation: "",
            country: "Argentina",
        }
    }
}

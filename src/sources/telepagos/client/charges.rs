//! Ways to be paid: links, QR codes, transfer links, and orders for the QR of a sale point.

use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;

use super::TelepagosClient;
use super::sale_points::point;
use crate::domain::money::{Money, Unit};
use crate::http::Method;
use crate::sources::{CallError, Extra, Invalid, rules};

/// `POST v2/payment/cashin/link/generate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkRequest {
    /// When it ends; later than now. Sent as wall time of the account's `timezone`, to the second.
    pub expires_at: Timestamp,
    /// How much, more than 0.
    pub amount: Money,
    /// Whether it can be paid more than once.
    pub multiple_use: bool,
    /// A word of [`TelepagosClient::concepts`].
    pub concept: String,
    /// Who gets which part; empty: all of it is ours. Together no more than `amount`.
    pub distribution: Vec<Share>,
}

/// A part of a link's money that goes elsewhere.
#[derive(Clone, PartialEq, Eq)]
pub struct Share {
    /// 22 digits.
    pub cvu: String,
    /// How much, more than 0.
    pub amount: Money,
}

impl std::fmt::Debug for Share {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Share({})", self.amount)
    }
}

/// A link that can be paid.
#[derive(Clone, Debug, Serialize)]
pub struct Link {
    /// What the payer opens.
    pub link: String,
    /// By which cash-ins name it; `None` where the answer lacks it.
    pub link_id: Option<String>,
    /// Undocumented fields.
    #[serde(skip_serializing_if = "Extra::is_empty")]
    pub extra: Extra,
}

/// `POST v2/payment/cashin/qr/generate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QrRequest {
    /// How much, more than 0.
    pub amount: Money,
    /// A word of [`TelepagosClient::concepts`].
    pub concept: String,
    /// Free text, at most 255 characters; may be empty.
    pub description: String,
}

/// A QR code that can be paid.
#[derive(Clone, Debug, Serialize)]
pub struct QrCode {
    /// The text to be drawn.
    pub qr_code: String,
    /// By which cash-ins name it; `None` where the answer lacks it.
    pub qr_order_id: Option<String>,
    /// Undocumented fields.
    #[serde(skip_serializing_if = "Extra::is_empty")]
    pub extra: Extra,
}

/// `POST v2/payment/cashin/transfer/generate`.
#[derive(Clone, PartialEq, Eq)]
pub struct TransferRequest {
    /// 22 digits.
    pub cvu: String,
    /// 11 digits.
    pub cuit: String,
    /// How much, more than 0.
    pub amount: Money,
    /// A word of [`TelepagosClient::concepts`].
    pub concept: String,
    /// Free text, at most 255 characters; may be empty.
    pub description: String,
}

impl std::fmt::Debug for TransferRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TransferRequest({})", self.amount)
    }
}

/// A link that asks for a transfer.
#[derive(Clone, Debug, Serialize)]
pub struct TransferLink {
    /// What the payer opens.
    pub payment_link: String,
    /// Undocumented fields.
    #[serde(skip_serializing_if = "Extra::is_empty")]
    pub extra: Extra,
}

/// `POST v2/payment/cashin/qr/static/order`: an amount for the closed QR of a sale point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticOrderRequest {
    /// Which, as [`super::SalePoint::id`] has it.
    pub sale_point_id: String,
    /// How much, more than 0.
    pub amount: Money,
    /// A word of [`TelepagosClient::concepts`].
    pub concept: String,
    /// Free text, at most 255 characters; may be empty.
    pub description: String,
}

/// An order that waits at a sale point's QR.
#[derive(Clone, Debug, Serialize)]
pub struct StaticOrder {
    /// By which cash-ins name it.
    pub qr_order_id: String,
    /// Undocumented fields.
    #[serde(skip_serializing_if = "Extra::is_empty")]
    pub extra: Extra,
}

#[derive(Serialize)]
struct LinkBody {
    expiration_date: String,
    amount: Box<RawValue>,
    multiple_use: bool,
    concept: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    distribution: Vec<ShareBody>,
}

#[derive(Serialize)]
struct ShareBody {
    cvu: String,
    amount: Box<RawValue>,
}

#[derive(Serialize)]
struct ChargeBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    cvu: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cuit: Option<String>,
    amount: Box<RawValue>,
    concept: String,
    description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sale_point_id: Option<u64>,
}

impl ChargeBody {
    fn of(amount: Money, concept: &str, description: &str) -> Result<Self, Invalid> {
        Ok(Self {
            cvu: None,
            cuit: None,
            amount: decimal(amount)?,
            concept: rules::text("concept", concept)?,
            description: rules::free("description", description)?,
            sale_point_id: None,
        })
    }
}

fn decimal(amount: Money) -> Result<Box<RawValue>, Invalid> {
    Ok(rules::number(rules::positive("amount", amount)?, Unit::Pesos))
}

impl TelepagosClient {
    /// Makes a link.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn link_create(&self, request: &LinkRequest) -> Result<Link, CallError> {
        let body = self.link_body(request)?;
        self.write(Method::POST, "v2/payment/cashin/link/generate", &body, |record| {
            let (link, link_id) = (record.text("link")?, record.id("link_id"));
            Some(Link { link, link_id, extra: record.without_status() })
        })
        .await
    }

    fn link_body(&self, request: &LinkRequest) -> Result<LinkBody, Invalid> {
        if request.expires_at <= self.clock.now() {
            return Err(Invalid { field: "expiration_date", rule: "is not later than now" });
        }
        let share = |share: &Share| {
            Ok(ShareBody { cvu: rules::cvu("distribution.cvu", &share.cvu)?, amount: decimal(share.amount)? })
        };
        let shared = request.distribution.iter().try_fold(0_i64, |sum, share| sum.checked_add(share.amount.cents()));
        if shared.is_none_or(|shared| shared > request.amount.cents()) {
            return Err(Invalid { field: "distribution", rule: "is more than `amount`" });
        }
        let wall = self.config.common.provider_zone.to_datetime(request.expires_at);
        Ok(LinkBody {
            // The document's `Y-m-d H:m:s` is PHP with the month where minutes are meant (FACTS 1.1).
            expiration_date: wall.strftime("%Y-%m-%d %H:%M:%S").to_string(),
            amount: decimal(request.amount)?,
            multiple_use: request.multiple_use,
            concept: rules::text("concept", &request.concept)?,
            distribution: request.distribution.iter().map(share).collect::<Result<_, Invalid>>()?,
        })
    }

    /// Makes a QR code of an amount.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn qr_create(&self, request: &QrRequest) -> Result<QrCode, CallError> {
        let body = ChargeBody::of(request.amount, &request.concept, &request.description)?;
        self.write(Method::POST, "v2/payment/cashin/qr/generate", &body, |record| {
            let (qr_code, qr_order_id) = (record.text("qr_code")?, record.id("qr_order_id"));
            Some(QrCode { qr_code, qr_order_id, extra: record.without_status() })
        })
        .await
    }

    /// Makes a link that asks for a transfer.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn transfer_create(&self, request: &TransferRequest) -> Result<TransferLink, CallError> {
        let mut body = ChargeBody::of(request.amount, &request.concept, &request.description)?;
        body.cvu = Some(rules::cvu("cvu", &request.cvu)?);
        body.cuit = Some(rules::cuit("cuit", &request.cuit)?);
        self.write(Method::POST, "v2/payment/cashin/transfer/generate", &body, |record| {
            Some(TransferLink { payment_link: record.text("payment_link")?, extra: record.without_status() })
        })
        .await
    }

    /// Puts an amount on the closed QR of a sale point.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn static_order(&self, request: &StaticOrderRequest) -> Result<StaticOrder, CallError> {
        let mut body = ChargeBody::of(request.amount, &request.concept, &request.description)?;
        body.sale_point_id = Some(point(&request.sale_point_id)?);
        self.write(Method::POST, "v2/payment/cashin/qr/static/order", &body, |record| {
            Some(StaticOrder { qr_order_id: record.id("qr_order_id")?, extra: record.without_status() })
        })
        .await
    }
}

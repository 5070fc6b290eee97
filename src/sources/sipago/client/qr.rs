//! The merchant's QR code, with and without an amount.

use serde::Serialize;
use serde_json::value::RawValue;

use super::{SipagoClient, broken};
use crate::domain::money::Money;
use crate::sources::record::Record;
use crate::sources::{CallError, Extra, SourceError, rules};

/// A QR code, by `GET` (the payer types the amount) or `POST /api/paymentQr`.
#[derive(Clone, Debug, Serialize)]
pub struct Qr {
    /// Its number.
    pub id: Option<String>,
    /// The text to be drawn.
    pub qr_string: Option<String>,
    /// The upstream's own drawing.
    pub img_url: Option<String>,
    /// Undocumented in its use.
    pub subscription_url: Option<String>,
    /// Undocumented in its use.
    pub hash: Option<String>,
    /// To hand it on in a chat.
    pub whatsapp_url: Option<String>,
    /// To hand it on by Facebook.
    pub facebook_url: Option<String>,
    /// Undocumented fields.
    #[serde(skip_serializing_if = "Extra::is_empty")]
    pub extra: Extra,
}

const PATH: &str = "api/paymentQr";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    total_amount: Box<RawValue>,
}

impl SipagoClient {
    /// The merchant's QR without an amount.
    ///
    /// # Errors
    /// See [`CallError`]; it never ends unknown.
    pub async fn qr(&self) -> Result<Qr, CallError> {
        let answer = self.get(PATH).await?;
        let mut record = Record::of_body(&answer).map_err(broken)?;
        if let Some(refused) = self.unsuccessful(&mut record, &answer) {
            return Err(refused);
        }
        let missing = || broken(SourceError::Contract(String::from("the answer has no `data`")));
        qr(&mut record).ok_or_else(missing)
    }

    /// Makes a QR of an amount, more than 0; written in the account's `amount_unit`.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn qr_create(&self, amount: Money) -> Result<Qr, CallError> {
        let amount = rules::positive("totalAmount", amount)?;
        let body = Body { total_amount: rules::number(amount, self.config.common.dialect.unit) };
        self.write(PATH, &body, qr).await
    }
}

fn qr(record: &mut Record<'_>) -> Option<Qr> {
    let mut data = record.part("data");
    if data.is_empty() {
        return None;
    }
    Some(Qr {
        id: data.id("id"),
        qr_string: data.text("qrString"),
        img_url: data.text("imgUrl"),
        subscription_url: data.text("subscriptionUrl"),
        hash: data.text("hash"),
        whatsapp_url: record.text("whatsappUrl"),
        facebook_url: record.text("facebookUrl"),
        extra: data.rest(),
    })
}

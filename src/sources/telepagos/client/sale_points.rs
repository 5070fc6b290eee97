//! Sale points and their printed QR codes.

use serde::Serialize;

use super::TelepagosClient;
use super::account::{broken, record};
use crate::http::Method;
use crate::sources::record::Record;
use crate::sources::{CallError, Extra, Invalid, SourceError, rules};

/// One entry of `GET v2/payment/cashin/qr/sale-point`.
#[derive(Clone, Debug, Serialize)]
pub struct SalePoint {
    /// Its number.
    pub id: Option<String>,
    /// Its name.
    pub name: Option<String>,
    /// As printed; the words are undocumented.
    pub status: Option<String>,
    /// Undocumented fields.
    #[serde(skip_serializing_if = "Extra::is_empty")]
    pub extra: Extra,
}

/// Which of a sale point's two codes: `type_amount`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StaticAmount {
    /// The payer types the amount.
    Open,
    /// It takes the amount of the order that waits there: [`TelepagosClient::static_order`].
    Closed,
}

impl StaticAmount {
    /// The document's word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
        }
    }
}

/// `GET v2/payment/cashin/qr/sale-point/static`.
#[derive(Clone, Debug, Serialize)]
pub struct StaticQr {
    /// The text to be drawn.
    pub qr_code: String,
    /// Undocumented fields.
    #[serde(skip_serializing_if = "Extra::is_empty")]
    pub extra: Extra,
}

const PATH: &str = "v2/payment/cashin/qr/sale-point";

#[derive(Serialize)]
struct Named {
    name: String,
}

#[derive(Serialize)]
struct Numbered {
    sale_point_id: u64,
}

impl TelepagosClient {
    /// The account's sale points.
    ///
    /// # Errors
    /// See [`CallError`]; it never ends unknown.
    pub async fn sale_points(&self) -> Result<Vec<SalePoint>, CallError> {
        let body = self.get(PATH, &[]).await?;
        let items = record(&body)?.list("sale_points").map_err(broken)?;
        let point = |mut record: Record<'_>| SalePoint {
            id: record.text("id"),
            name: record.text("name"),
            status: record.text("status"),
            extra: record.rest(),
        };
        Ok(items.into_iter().filter_map(Record::of).map(point).collect())
    }

    /// Makes a sale point of this name and returns its number.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn sale_point_create(&self, name: &str) -> Result<String, CallError> {
        let body = Named { name: rules::text("name", name)? };
        self.write(Method::POST, PATH, &body, |record| record.text("sale_point_id")).await
    }

    /// Removes a sale point.
    ///
    /// # Errors
    /// See [`CallError`]; where there is none of that number the upstream refuses.
    pub async fn sale_point_delete(&self, id: &str) -> Result<(), CallError> {
        let body = Numbered { sale_point_id: point(id)? };
        self.write(Method::DELETE, PATH, &body, |_| Some(())).await
    }

    /// The text of a sale point's printed QR.
    ///
    /// # Errors
    /// See [`CallError`]; it never ends unknown. [`SourceError::NotFound`] where there is no such sale point.
    pub async fn static_qr(&self, id: &str, amount: StaticAmount) -> Result<StaticQr, CallError> {
        let filters = [("type_amount", amount.as_str().to_owned()), ("sale_point_id", point(id)?.to_string())];
        let path = "v2/payment/cashin/qr/sale-point/static";
        let body = self.get_by_id(path, &filters).await?;
        let mut record = record(&body)?;
        let missing = || broken(SourceError::Contract(String::from("the answer has no `qr_code`")));
        let qr_code = record.text("qr_code").ok_or_else(missing)?;
        Ok(StaticQr { qr_code, extra: record.without_status() })
    }
}

/// The document's `int`.
pub(super) fn point(id: &str) -> Result<u64, Invalid> {
    id.trim().parse().map_err(|_| Invalid { field: "sale_point_id", rule: "is no number" })
}

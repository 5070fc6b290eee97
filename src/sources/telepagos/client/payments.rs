//! Payments: concepts, cash-ins, and cash-outs, which move money.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde::Serialize;
use serde_json::value::RawValue;

use super::TelepagosClient;
use super::account::{broken, record};
use crate::domain::money::{Money, Unit};
use crate::http::Method;
use crate::sources::record::Record;
use crate::sources::{Amount, CallError, Doubt, Extra, Invalid, Personal, SourceError, json, rules};

/// One entry of `GET v2/payment/concepts`. The document says "array" and no more: a bare word is an id, an object is
/// read for one.
#[derive(Clone, Debug, Serialize)]
pub struct Concept {
    /// What `concept` takes.
    pub id: Option<String>,
    /// What people read.
    pub name: Option<String>,
    /// Undocumented fields.
    #[serde(skip_serializing_if = "Extra::is_empty")]
    pub extra: Extra,
}

/// `GET v2/payment/cashin/{id}`. It bears no date.
#[derive(Clone, Debug, Serialize)]
pub struct Cashin {
    /// As asked for.
    pub id: String,
    /// As printed: the payment's state or no more than "ok"; the document does not say which.
    pub status: Option<String>,
    /// Who paid.
    pub buyer: Buyer,
    /// How much, by the account's dialect.
    pub amount: Amount,
    /// A word of [`TelepagosClient::concepts`].
    pub concept: Option<String>,
    /// Free text.
    pub description: Option<String>,
    /// The transaction behind it.
    pub transaction_id: Option<String>,
    /// The QR order that it paid, if any.
    pub qr_order_id: Option<String>,
    /// The link that it paid, if any.
    pub link_id: Option<String>,
    /// Undocumented fields.
    #[serde(skip_serializing_if = "Extra::is_empty")]
    pub extra: Extra,
}

/// The payer of a cash-in, printed as an object or as a list of one.
#[derive(Clone, Debug, Serialize)]
pub struct Buyer {
    /// Tax number.
    pub cuit: Option<Personal>,
    /// Account number.
    pub cvu: Option<Personal>,
    /// Undocumented fields.
    #[serde(skip_serializing_if = "Extra::is_empty")]
    pub extra: Extra,
}

/// Where a cash-out goes: the document wants one of the two, never both.
#[derive(Clone, PartialEq, Eq)]
pub enum CashoutTo {
    /// 22 digits, CVU or CBU; spaces and hyphens are dropped.
    Cvu(String),
    /// 6 to 20 characters.
    Alias(String),
}

/// `POST v2/payment/cashout`: sends money.
#[derive(Clone, PartialEq, Eq)]
pub struct CashoutRequest {
    /// To whom.
    pub to: CashoutTo,
    /// Tax number of whoever gets it, 11 digits.
    pub cuit: String,
    /// How much, more than 0.
    pub amount: Money,
    /// Ours, never used for another transfer; 1 to 64 of letters, digits, `-`, `_`, `.`, `:`. Whoever asks again after an
    /// unknown result must send the very same request: the upstream then answers what became of the first.
    pub reference_id: String,
    /// A word of [`TelepagosClient::concepts`].
    pub concept: String,
    /// Free text, at most 255 characters; may be empty.
    pub description: String,
}

/// Prints the reference only: the rest is somebody's.
impl fmt::Debug for CashoutRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CashoutRequest({})", self.reference_id)
    }
}

impl fmt::Debug for CashoutTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cvu(_) => "Cvu(…)",
            Self::Alias(_) => "Alias(…)",
        })
    }
}

/// A cash-out that the upstream has taken on.
#[derive(Clone, Debug, Serialize)]
pub struct Cashout {
    /// By which its voucher is asked for.
    pub id: String,
    /// Undocumented fields.
    #[serde(skip_serializing_if = "Extra::is_empty")]
    pub extra: Extra,
}

/// `GET v2/payment/cashout/{id}`: the proof of a transfer. Holds personal data.
#[derive(Clone, Serialize)]
#[serde(transparent)]
pub struct Voucher(String);

impl fmt::Debug for Voucher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Voucher({} characters)", self.0.len())
    }
}

impl Voucher {
    /// As printed: base64, as the one known client has it (FACTS 1.3), perhaps behind a `data:` prefix.
    pub fn as_printed(&self) -> &str {
        &self.0
    }

    /// The document, a PDF by all that is known; `None` where it is no base64.
    pub fn decode(&self) -> Option<Vec<u8>> {
        let text = self.0.rsplit_once("base64,").map_or(self.0.as_str(), |(_, text)| text);
        let bare: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let bare = bare.trim_end_matches('=');
        STANDARD_NO_PAD.decode(bare).or_else(|_| URL_SAFE_NO_PAD.decode(bare)).ok()
    }
}

#[derive(Serialize)]
struct CashoutBody {
    #[serde(skip_serializing_if = "Option::is_none")]
    cvu: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alias: Option<String>,
    cuit: String,
    amount: Box<RawValue>,
    reference_id: String,
    concept: String,
    description: String,
}

impl CashoutRequest {
    fn body(&self) -> Result<CashoutBody, Invalid> {
        let (cvu, alias) = match &self.to {
            CashoutTo::Cvu(cvu) => (Some(rules::cvu("cvu", cvu)?), None),
            CashoutTo::Alias(alias) => (None, Some(rules::alias("alias", alias)?)),
        };
        Ok(CashoutBody {
            cvu,
            alias,
            cuit: rules::cuit("cuit", &self.cuit)?,
            amount: rules::number(rules::positive("amount", self.amount)?, Unit::Pesos),
            reference_id: rules::reference("reference_id", &self.reference_id)?,
            concept: rules::text("concept", &self.concept)?,
            description: rules::free("description", &self.description)?,
        })
    }

    /// Whether it may be sent.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn check(&self) -> Result<(), Invalid> {
        self.body().map(drop)
    }

    /// What may be sent and yet looks wrong: check digits.
    pub fn doubts(&self) -> Vec<Doubt> {
        let account = match &self.to {
            CashoutTo::Cvu(cvu) => Some(cvu.as_str()),
            CashoutTo::Alias(_) => None,
        };
        rules::doubts(account, &self.cuit)
    }
}

impl TelepagosClient {
    /// The words that `concept` takes.
    ///
    /// # Errors
    /// See [`CallError`]; it never ends unknown.
    pub async fn concepts(&self) -> Result<Vec<Concept>, CallError> {
        let body = self.get("v2/payment/concepts", &[]).await?;
        let items = record(&body)?.list("concepts").map_err(broken)?;
        Ok(items.into_iter().filter_map(concept).collect())
    }

    /// One cash-in.
    ///
    /// # Errors
    /// See [`CallError`]; it never ends unknown. [`SourceError::NotFound`] where there is none of that id (yet).
    pub async fn cashin(&self, id: &str) -> Result<Cashin, CallError> {
        let id = rules::segment("id", id)?;
        let body = self.get_by_id(&format!("v2/payment/cashin/{id}"), &[]).await?;
        let mut record = record(&body)?;
        let mut buyer = record.part("buyer");
        Ok(Cashin {
            id,
            status: record.text("status"),
            buyer: Buyer { cuit: buyer.personal("cuit"), cvu: buyer.personal("cvu"), extra: buyer.rest() },
            amount: record.amount("amount", self.config.common.dialect),
            concept: record.text("concept"),
            description: record.text("description"),
            transaction_id: record.id("transaction_id"),
            qr_order_id: record.id("qr_order_id"),
            link_id: record.id("link_id"),
            extra: record.rest(),
        })
    }

    /// Sends money. Write `reference_id` down before calling: after [`CallError::Unknown`] the very same request, sent
    /// again, asks what became of it. Whether the account allows it (`cashout = true`) is the caller's business.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn cashout(&self, request: &CashoutRequest) -> Result<Cashout, CallError> {
        let body = request.body()?;
        self.write(Method::POST, "v2/payment/cashout", &body, |record| {
            Some(Cashout { id: record.id("id")?, extra: record.without_status() })
        })
        .await
    }

    /// The proof of a transfer.
    ///
    /// # Errors
    /// See [`CallError`]; it never ends unknown. [`SourceError::NotFound`] where there is none of that id.
    pub async fn voucher(&self, id: &str) -> Result<Voucher, CallError> {
        let id = rules::segment("id", id)?;
        let body = self.get_by_id(&format!("v2/payment/cashout/{id}"), &[]).await?;
        let voucher = record(&body)?.text("voucher");
        let missing = || broken(SourceError::Contract(String::from("the answer has no `voucher`")));
        voucher.map(Voucher).ok_or_else(missing)
    }
}

fn concept(raw: &RawValue) -> Option<Concept> {
    if let Some(word) = json::string(Some(raw)) {
        return Some(Concept { id: Some(word), name: None, extra: Extra::default() });
    }
    let mut record = Record::of(raw)?;
    let id = ["id", "code", "concept"].into_iter().find_map(|name| record.text(name));
    let name = ["name", "description"].into_iter().find_map(|name| record.text(name));
    Some(Concept { id, name, extra: record.rest() })
}

//! What TelePagos prints, field by field as the document has it; every field raw.

use serde::Deserialize;
use xxhash_rust::xxh3::xxh3_128;

use crate::sources::SourceError;
use crate::sources::json::{self, Field};

/// `v2/account/transactions`
#[derive(Debug, Deserialize)]
pub(super) struct Listing<'a> {
    #[serde(borrow, default)]
    pub(super) transactions: Field<'a>,
    #[serde(borrow, default)]
    pub(super) number_of_results: Field<'a>,
    #[serde(borrow, default)]
    page: Field<'a>,
    #[serde(borrow, default)]
    pages: Field<'a>,
}

/// One row of it.
#[derive(Debug, Deserialize)]
pub(super) struct Transaction<'a> {
    #[serde(borrow, default)]
    pub(super) income: Field<'a>,
    #[serde(borrow, default)]
    pub(super) date: Field<'a>,
    #[serde(borrow, default)]
    pub(super) amount: Field<'a>,
    #[serde(borrow, default)]
    pub(super) operation: Field<'a>,
    #[serde(borrow, default)]
    pub(super) holder: Field<'a>,
    #[serde(borrow, default)]
    pub(super) cuit: Field<'a>,
    #[serde(borrow, default)]
    pub(super) cvu_cbu: Field<'a>,
    #[serde(borrow, default)]
    pub(super) status: Field<'a>,
    #[serde(borrow, default)]
    pub(super) sale_point_name: Field<'a>,
}

/// `v2/account/transactions_filters`
#[derive(Debug, Deserialize)]
pub(super) struct Filters<'a> {
    #[serde(borrow, default)]
    pub(super) operations: Field<'a>,
}

/// One operation of it.
#[derive(Debug, Deserialize)]
pub(super) struct Operation<'a> {
    #[serde(borrow, default)]
    pub(super) id: Field<'a>,
    #[serde(borrow, default)]
    pub(super) name: Field<'a>,
    #[serde(borrow, default, rename = "type")]
    pub(super) kind: Field<'a>,
}

/// `v2/payment/cashin/{id}`
#[derive(Debug, Deserialize)]
pub(super) struct Cashin<'a> {
    #[serde(borrow, default)]
    pub(super) status: Field<'a>,
    #[serde(borrow, default)]
    pub(super) buyer: Field<'a>,
    #[serde(borrow, default)]
    pub(super) amount: Field<'a>,
    #[serde(borrow, default)]
    pub(super) concept: Field<'a>,
    #[serde(borrow, default)]
    pub(super) description: Field<'a>,
    #[serde(borrow, default)]
    pub(super) transaction_id: Field<'a>,
    #[serde(borrow, default)]
    pub(super) qr_order_id: Field<'a>,
    #[serde(borrow, default)]
    pub(super) link_id: Field<'a>,
}

/// The payer of a cash-in.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Buyer<'a> {
    #[serde(borrow, default)]
    pub(super) cuit: Field<'a>,
    #[serde(borrow, default)]
    pub(super) cvu: Field<'a>,
}

/// What a page tells of the whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paging {
    pub(super) results: u64,
    pub(super) page: u64,
    pub(super) pages: u64,
    pub(super) rows: u64,
    /// Hash of the rows as printed; `None` where there are none.
    pub(super) content: Option<u128>,
}

/// Reads what a page tells of the whole; all of it must be there.
pub(super) fn paging(body: &[u8]) -> Result<Paging, SourceError> {
    let listing: Listing<'_> = json::object(body)?;
    let number = |name: &str, field| {
        let number = json::text(field).and_then(|text| text.parse::<u64>().ok());
        number.ok_or_else(|| SourceError::Contract(format!("a page does not tell `{name}`; set `paginate = false`")))
    };
    let content = listing.transactions.map(|rows| xxh3_128(rows.get().as_bytes()));
    let rows = json::list("transactions", listing.transactions)?.len();
    Ok(Paging {
        results: number("number_of_results", listing.number_of_results)?,
        page: number("page", listing.page)?,
        pages: number("pages", listing.pages)?,
        rows: u64::try_from(rows).unwrap_or(u64::MAX),
        content: content.filter(|_| rows > 0),
    })
}

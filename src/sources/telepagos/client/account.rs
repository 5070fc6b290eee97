//! The account: balance, transactions, and the list of operations to filter them by.

use std::collections::HashSet;

use bytes::Bytes;
use serde::Serialize;
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use super::super::{read, wire};
use super::TelepagosClient;
use crate::domain::day::Day;
use crate::sources::record::Record;
use crate::sources::{Amount, CallError, Extra, Fingerprint, Personal, SourceError};

/// `GET v2/account/balance`.
#[derive(Clone, Debug, Serialize)]
pub struct Balance {
    /// What is in the account. The document says "integer" and leaves pesos or cents open: the account's `amount_unit`
    /// decides.
    pub amount: Amount,
    /// Undocumented fields.
    #[serde(skip_serializing_if = "Extra::is_empty")]
    pub extra: Extra,
}

/// One entry of `GET v2/account/transactions_filters`.
#[derive(Clone, Debug, Serialize)]
pub struct Operation {
    /// What the filter `operation` takes.
    pub id: Option<String>,
    /// What people read.
    pub name: Option<String>,
    /// The upstream's own word for its kind; undocumented.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Undocumented fields.
    #[serde(skip_serializing_if = "Extra::is_empty")]
    pub extra: Extra,
}

/// Which transactions are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionFilter {
    /// First day, as the upstream prints days.
    pub from: Day,
    /// Last day; taken as included.
    pub to: Day,
    /// One operation's id, as [`Operation::id`] has it.
    pub operation: Option<String>,
}

/// One row of `GET v2/account/transactions`. It has no id.
#[derive(Clone, Debug, Serialize)]
pub struct Transaction {
    /// As printed; 1 is taken for money in.
    pub income: Option<String>,
    /// As printed; its format and zone are undocumented.
    pub date: Option<String>,
    /// How much, by the account's dialect.
    pub amount: Amount,
    /// As printed.
    pub operation: Option<String>,
    /// The other side's name.
    pub holder: Option<Personal>,
    /// Its tax number.
    pub cuit: Option<Personal>,
    /// Its account number.
    pub cvu_cbu: Option<Personal>,
    /// As printed; the words are undocumented.
    pub status: Option<String>,
    /// Where it was sold.
    pub sale_point_name: Option<String>,
    /// Undocumented fields.
    #[serde(skip_serializing_if = "Extra::is_empty")]
    pub extra: Extra,
}

impl TelepagosClient {
    /// What is in the account.
    ///
    /// # Errors
    /// See [`CallError`]; it never ends unknown.
    pub async fn balance(&self) -> Result<Balance, CallError> {
        let body = self.get("v2/account/balance", &[]).await?;
        let mut record = record(&body)?;
        record.forget(&["status"]);
        Ok(Balance { amount: record.amount("amount", self.config.common.dialect), extra: record.rest() })
    }

    /// The operations that transactions can be filtered by.
    ///
    /// # Errors
    /// See [`CallError`]; it never ends unknown.
    pub async fn filters(&self) -> Result<Vec<Operation>, CallError> {
        let body = self.get("v2/account/transactions_filters", &[]).await?;
        let items = record(&body)?.list("operations").map_err(broken)?;
        let operation = |mut record: Record<'_>| Operation {
            id: record.text("id"),
            name: record.text("name"),
            kind: record.text("type"),
            extra: record.rest(),
        };
        Ok(items.into_iter().filter_map(Record::of).map(operation).collect())
    }

    /// All transactions of these days, in the upstream's order; page by page where the account says `paginate`. A row
    /// that is no object is passed over; every other row comes, with what could be read of it.
    ///
    /// # Errors
    /// See [`CallError`]; it never ends unknown. Pages that contradict each other are a broken contract, never a part.
    pub async fn transactions(&self, filter: &TransactionFilter) -> Result<Vec<Transaction>, CallError> {
        let mut filters = days(filter.from, filter.to);
        filters.extend(filter.operation.iter().map(|operation| ("operation", operation.clone())));
        let (bodies, _) = self.listing(&filters).await?;
        let mut transactions = Vec::new();
        for body in &bodies {
            let items = read::items(body, self.config.paginate).map_err(broken)?;
            transactions.extend(items.into_iter().filter_map(Record::of).map(|record| self.transaction(record)));
        }
        Ok(transactions)
    }

    fn transaction(&self, mut record: Record<'_>) -> Transaction {
        Transaction {
            income: record.text("income"),
            date: record.text("date"),
            amount: record.amount("amount", self.config.common.dialect),
            operation: record.text("operation"),
            holder: record.personal("holder"),
            cuit: record.personal("cuit"),
            cvu_cbu: record.personal("cvu_cbu"),
            status: record.text("status"),
            sale_point_name: record.text("sale_point_name"),
            extra: record.rest(),
        }
    }

    /// The bodies of a whole listing and their fingerprint.
    pub(in crate::sources::telepagos) async fn listing(
        &self,
        filters: &[(&'static str, String)],
    ) -> Result<(Vec<Bytes>, Fingerprint), CallError> {
        if self.config.paginate {
            return self.pages(filters).await;
        }
        let body = self.get("v2/account/transactions", filters).await?;
        let fingerprint = xxh3_128(&body);
        Ok((vec![body], fingerprint))
    }

    /// All pages, which must tell one story: the same totals on each, each its own number and its own rows, and as many
    /// rows as they say. A page that repeats another one, as a cache in between may, would double every payment on it.
    async fn pages(&self, filters: &[(&'static str, String)]) -> Result<(Vec<Bytes>, Fingerprint), CallError> {
        let (mut bodies, mut hash, mut rows) = (Vec::new(), Xxh3::new(), 0);
        let (mut story, mut contents): (Option<(u64, u64)>, HashSet<u128>) = (None, HashSet::new());
        let contract = |reason: String| Err(broken(SourceError::Contract(reason)));
        let most = self.config.common.max_pages;
        for page in 1..=most {
            let mut filters = filters.to_vec();
            filters.extend([("paginate", String::from("1")), ("page", page.to_string())]);
            let body = self.get("v2/account/transactions", &filters).await?;
            let told = wire::paging(&body).map_err(broken)?;
            if story.is_some_and(|story| story != (told.results, told.pages)) {
                return contract(String::from("the list changed while its pages were read"));
            }
            if told.page != u64::from(page) {
                return contract(format!("page {page} was asked for and page {} came", told.page));
            }
            if told.content.is_some_and(|content| !contents.insert(content)) {
                return contract(format!("page {page} repeats the rows of an earlier page"));
            }
            if told.pages > u64::from(most) {
                break;
            }
            story = Some((told.results, told.pages));
            rows += told.rows;
            hash.update(&body);
            bodies.push(body);
            if u64::from(page) >= told.pages {
                if rows != told.results {
                    return contract(format!("the pages hold {rows} rows and promise {}", told.results));
                }
                return Ok((bodies, hash.digest128()));
            }
        }
        contract(format!("the list is longer than `max_pages` ({most})"))
    }
}

/// The filter of a span of days.
pub(in crate::sources::telepagos) fn days(from: Day, to: Day) -> Vec<(&'static str, String)> {
    vec![("date_from", from.to_string()), ("date_to", to.to_string())]
}

/// One answer as a record.
pub(super) fn record(body: &[u8]) -> Result<Record<'_>, CallError> {
    Record::of_body(body).map_err(broken)
}

/// An answer that does not keep the contract.
pub(super) fn broken(error: SourceError) -> CallError {
    CallError::failed(error, None)
}

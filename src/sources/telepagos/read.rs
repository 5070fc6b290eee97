//! From what TelePagos prints to rows of the house.

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use serde_json::value::RawValue;

use super::wire::{Buyer, Cashin, Listing, Operation, Transaction};
use crate::config::{Income, TelepagosAccount};
use crate::domain::account::SourceKind;
use crate::domain::argentina::digits;
use crate::domain::day::Moment;
use crate::domain::fact::View;
use crate::domain::money::Money;
use crate::domain::row::{Identity, Label, OperationKind, Payer, References, Reject, Row, StatusKind};
use crate::sources::json::{self, Field};
use crate::sources::{SourceError, words};

/// The upstream's own list of operations: raw id → name and type.
#[derive(Debug, Default)]
pub(super) struct Catalogue(HashMap<String, (String, String)>);

impl Catalogue {
    /// From the items of `operations`; an odd one is passed over.
    pub(super) fn of(items: &[&RawValue]) -> Self {
        let operation = |raw: &&RawValue| {
            let operation: Operation<'_> = json::record(raw)?;
            let (id, kind) = (json::string(operation.id)?, json::string(operation.kind).unwrap_or_default());
            let name = json::string(operation.name).unwrap_or_else(|| id.clone());
            Some([(words::key(&id), (name.clone(), kind.clone())), (words::key(&name), (name, kind))])
        };
        Self(items.iter().filter_map(operation).flatten().collect())
    }

    pub(super) fn name(&self, raw: &str) -> Option<&str> {
        self.0.get(&words::key(raw)).map(|(name, _)| name.as_str())
    }

    /// What the catalogue says of the direction of an operation.
    pub(super) fn income(&self, raw: &str) -> Option<Income> {
        self.0.get(&words::key(raw)).and_then(|(_, kind)| income_word(kind))
    }
}

/// Reads bodies by one account's settings.
pub(super) struct Reader<'a> {
    pub(super) config: &'a TelepagosAccount,
    pub(super) catalogue: Arc<Catalogue>,
}

impl Reader<'_> {
    /// The rows of all pages. One odd row is a reject, and the others go on; an odd list is an error.
    pub(super) fn listing(&self, bodies: &[Bytes]) -> Result<(Vec<Row>, Vec<Reject>), SourceError> {
        let (mut rows, mut rejects) = (Vec::new(), Vec::new());
        for body in bodies {
            let items = items(body, self.config.paginate)?;
            rows.reserve(items.len());
            for raw in items {
                match self.row(rows.len() + rejects.len(), raw) {
                    Ok(row) => rows.push(row),
                    Err(reject) => rejects.push(reject),
                }
            }
        }
        Ok((rows, rejects))
    }

    /// One row; `position` is its place in the whole list.
    pub(super) fn row(&self, position: usize, raw: &RawValue) -> Result<Row, Reject> {
        json::record::<Transaction<'_>>(raw)
            .ok_or_else(|| String::from("the row is no object as documented"))
            .and_then(|transaction| self.transaction(&transaction))
            .map_err(|reason| json::reject(SourceKind::Transactions, position, raw, reason))
    }

    fn transaction(&self, wire: &Transaction<'_>) -> Result<Row, String> {
        let common = &self.config.common;
        let occurred = json::moment("date", wire.date, &common.date_formats, &common.provider_zone)?;
        let amount = json::amount(wire.amount, common.dialect)?;
        let income_raw = json::text(wire.income).unwrap_or_default();
        let operation_raw = json::string(wire.operation).unwrap_or_default();
        let status_raw = json::string(wire.status).unwrap_or_default();
        let (income, sure) = self.income(&income_raw, &operation_raw, amount);
        let known = words::operation(&operation_raw, self.catalogue.name(&operation_raw), &common.operation);
        let status = if sure { words::status(&status_raw, &common.status) } else { StatusKind::Unknown };
        let (view, operation) = match (known, income) {
            (Some(kind @ (OperationKind::Refund | OperationKind::Void)), _) => (View::RefundRow(status), kind),
            // Money "in" with a minus went back, whatever it is called.
            (_, Income::Credit) if amount.cents() < 0 => (View::RefundRow(status), OperationKind::Refund),
            (_, Income::Credit) => (View::Credit(status), OperationKind::Credit),
            (_, Income::Debit) => (View::Debit(status), OperationKind::Debit),
        };
        let normal = occurred.normal_form();
        let bucket = format!("{income_raw}|{normal}|{}|{}", amount.cents(), words::key(&operation_raw));
        Ok(Row {
            source: SourceKind::Transactions,
            identity: Identity::Counted(bucket),
            view,
            occurred,
            amount,
            status: Label { kind: status, raw: status_raw },
            operation: Label { kind: operation, raw: operation_raw },
            payer: Payer {
                name: json::string(wire.holder),
                cuit: number(wire.cuit, 11),
                cvu_cbu: number(wire.cvu_cbu, 22),
                ..Payer::default()
            },
            references: References { sale_point: json::string(wire.sale_point_name), ..References::default() },
        })
    }

    /// Money in or out, and whether that is sure: what no map knows follows its sign and is announced as unknown.
    fn income(&self, raw: &str, operation: &str, amount: Money) -> (Income, bool) {
        let said = self.config.income.get(&words::key(raw)).copied();
        match said.or_else(|| income_word(raw)).or_else(|| self.catalogue.income(operation)) {
            Some(income) => (income, true),
            None if amount.cents() < 0 => (Income::Debit, false),
            None => (Income::Credit, false),
        }
    }

    /// A watched cash-in.
    pub(super) fn cashin(&self, id: &str, body: &[u8], read_at: Timestamp) -> Result<Row, SourceError> {
        let common = &self.config.common;
        let wire: Cashin<'_> = json::object(body)?;
        let amount = json::amount(wire.amount, common.dialect).map_err(SourceError::Contract)?;
        let raw = json::string(wire.status).unwrap_or_default();
        let status = words::status(&raw, &common.status);
        let (link, order) = (json::id(wire.link_id), json::id(wire.qr_order_id));
        let view = match (status, &link, &order) {
            (StatusKind::Pending | StatusKind::Rejected | StatusKind::Cancelled, ..) => View::OrderOpen,
            (_, Some(_), _) => View::LinkCashin,
            (_, None, Some(_)) => View::QrCashin,
            (_, None, None) => View::PlainCashin,
        };
        let buyer = buyer(wire.buyer);
        Ok(Row {
            source: SourceKind::Cashin,
            identity: Identity::Keyed(id.to_owned()),
            view,
            // A cash-in bears no date; what is known is when it was seen.
            occurred: Moment::at(read_at, &common.zone),
            amount,
            status: Label { kind: status, raw },
            operation: Label { kind: OperationKind::Credit, raw: String::new() },
            payer: Payer { cuit: number(buyer.cuit, 11), cvu_cbu: number(buyer.cvu, 22), ..Payer::default() },
            references: References {
                cashin_id: Some(id.to_owned()),
                transaction_id: json::id(wire.transaction_id),
                link_id: link,
                qr_order_id: order,
                concept: json::string(wire.concept),
                description: json::string(wire.description),
                ..References::default()
            },
        })
    }
}

/// The rows of one page; a bare list instead of the documented envelope is tolerated.
pub(super) fn items(body: &[u8], paged: bool) -> Result<Vec<&RawValue>, SourceError> {
    if body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[') {
        let items: Vec<&RawValue> = serde_json::from_slice(body).map_err(|error| json::broken(&error))?;
        // An empty list for an object is how some back ends print "nothing", and how others print a fault.
        return if items.is_empty() {
            Err(SourceError::Contract(String::from("the answer is no object but a list")))
        } else {
            Ok(items)
        };
    }
    let listing: Listing<'_> = json::object(body)?;
    let items = json::list("transactions", listing.transactions)?;
    if !paged && is_part(listing.number_of_results, items.len()) {
        // It pages although nobody asked for pages: a part must not pass for the whole.
        let reason = "the answer is only a part of the list; set `paginate = true`";
        return Err(SourceError::Contract(String::from(reason)));
    }
    Ok(items)
}

/// Whether an answer of so many rows promises more.
pub(super) fn is_part(promised: Field<'_>, rows: usize) -> bool {
    let promised = json::text(promised).and_then(|text| text.parse::<usize>().ok());
    promised.is_some_and(|promised| promised > rows)
}

/// The payer, printed as an object or as a list of one.
fn buyer(field: Field<'_>) -> Buyer<'_> {
    field.and_then(|raw| json::record(raw).or_else(|| json::record(json::first(raw)?))).unwrap_or_default()
}

/// A tax or account number: bare digits where it is well formed, else as printed.
fn number(field: Field<'_>, length: usize) -> Option<String> {
    let text = json::text(field)?;
    if text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(text.into_owned());
    }
    let bare = digits(&text);
    Some(if bare.len() == length { bare } else { text.into_owned() })
}

pub(super) fn income_word(raw: &str) -> Option<Income> {
    match words::key(raw).as_str() {
        "1" | "true" | "credit" | "credito" | "crédito" | "ingreso" | "income" | "in" | "c" => Some(Income::Credit),
        "0" | "false" | "debit" | "debito" | "débito" | "egreso" | "outcome" | "out" | "d" => Some(Income::Debit),
        _ => None,
    }
}

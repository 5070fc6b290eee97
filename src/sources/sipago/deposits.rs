//! From a deposit, as Sipago prints it, to a row of the house.

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::read::Reader;
use crate::domain::account::SourceKind;
use crate::domain::day::{Day, Moment};
use crate::domain::fact::View;
use crate::domain::money::Money;
use crate::domain::row::{Identity, Label, OperationKind, Payer, References, Reject, Row, StatusKind};
use crate::sources::json::{self, Field};
use crate::sources::words;

/// One row of `deposits/paid/page/N`. Its `_id` is text, where a movement's is a number.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Deposit<'a> {
    #[serde(borrow, default, rename = "_id")]
    id: Field<'a>,
    #[serde(borrow, default)]
    amount: Field<'a>,
    #[serde(borrow, default)]
    date_time: Field<'a>,
    #[serde(borrow, default)]
    total: Field<'a>,
    #[serde(borrow, default)]
    state: Field<'a>,
}

impl Reader<'_> {
    /// One paid deposit, or the reject that it becomes.
    pub(super) fn deposit(&self, position: usize, raw: &RawValue, read_at: Timestamp) -> Result<Row, Reject> {
        json::record::<Deposit<'_>>(raw)
            .ok_or_else(|| String::from("the row is no object as documented"))
            .and_then(|wire| self.settlement(&wire, read_at))
            .map_err(|reason| json::reject(SourceKind::Deposits, position, raw, reason))
    }

    fn settlement(&self, wire: &Deposit<'_>, read_at: Timestamp) -> Result<Row, String> {
        let common = &self.config.common;
        let id = json::string(wire.id).ok_or_else(|| String::from("`_id` is missing"))?;
        // What arrives in the account is what is left; where that is not told, what it was taken from.
        let amount = match wire.total {
            Some(_) => json::amount(wire.total, common.dialect).map_err(|reason| reason.replace("`amount`", "`total`")),
            None => json::amount(wire.amount, common.dialect),
        }?;
        let occurred = match json::text(wire.date_time) {
            Some(_) => json::moment("dateTime", wire.date_time, &common.date_formats, &common.provider_zone)?,
            None => Moment::at(read_at, &common.zone),
        };
        let raw = json::string(wire.state).unwrap_or_default();
        // It stands in the list of what was paid: a word that nobody knows takes nothing from that.
        let kind = words::status(&raw, &common.status);
        let kind = if kind == StatusKind::Unknown { StatusKind::Approved } else { kind };
        Ok(Row {
            source: SourceKind::Deposits,
            identity: Identity::Keyed(id.clone()),
            view: View::Settlement,
            occurred,
            amount,
            status: Label { kind, raw },
            operation: Label { kind: OperationKind::Credit, raw: String::new() },
            payer: Payer::default(),
            references: References { transaction_id: Some(id), ..References::default() },
        })
    }

    /// The list itself: it tells nothing and changes with the day.
    pub(super) fn deposit_list(&self, today: Day, read_at: Timestamp) -> Row {
        Row {
            source: SourceKind::Deposits,
            identity: Identity::Keyed(String::from("list:paid")),
            view: View::OrderOpen,
            occurred: Moment::at(read_at, &self.config.common.zone),
            amount: Money::from_cents(0),
            status: Label { kind: StatusKind::Unknown, raw: today.to_string() },
            operation: Label { kind: OperationKind::Unknown, raw: String::new() },
            payer: Payer::default(),
            references: References::default(),
        }
    }
}

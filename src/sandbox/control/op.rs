//! The operations of the control endpoint, as JSON says them.

use std::time::Duration;

use jiff::civil::DateTime;
use serde::Deserialize;
use serde::de::Error as _;

use super::fault::FaultOp;
use super::trade::Trade;
use crate::domain::money::{Dialect, Money, Punctuation, Unit};
use crate::sandbox::world::{RefundShown, Settings, Transaction, Via};

/// An operation and whose it is.
pub(super) struct Order {
    pub(super) merchant: Option<String>,
    pub(super) op: Task,
}

/// What is to be done.
pub(super) enum Task {
    Op(Op),
    Trade(Trade),
}

impl Order {
    /// Reads one. The error's text is for whoever sent it.
    pub(super) fn read(body: &[u8]) -> Result<Self, String> {
        let mut fields: serde_json::Map<String, serde_json::Value> =
            serde_json::from_slice(body).map_err(|error| error.to_string())?;
        let merchant = match fields.remove("merchant") {
            None | Some(serde_json::Value::Null) => None,
            Some(name) => Some(serde_json::from_value(name).map_err(|error| format!("`merchant`: {error}"))?),
        };
        let name = fields.get("op").and_then(serde_json::Value::as_str).unwrap_or_default();
        let trade = Trade::NAMES.contains(&name);
        let fields = serde_json::Value::Object(fields);
        let op = if trade {
            serde_json::from_value(fields).map(Task::Trade)
        } else {
            serde_json::from_value(fields).map(Task::Op)
        };
        Ok(Self { merchant, op: op.map_err(|error| error.to_string())? })
    }
}

#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Op {
    Credit(Credit),
    Pending { amount: Pesos },
    Debit { amount: Pesos },
    Twin { row: u64 },
    Refund { row: u64 },
    Status { row: u64, status: String },
    Amend { row: u64, holder: String },
    Hide { row: u64 },
    Show { row: u64 },
    BackDate { row: u64, at: WallClock },
    Cashin { amount: Pesos, via: ViaOp },
    ExpireTokens,
    Sale { amount: Pesos },
    SaleRefund { movement: u64, shown: ShownOp },
    SaleVoid { movement: u64 },
    SaleHide { movement: u64 },
    SaleShow { movement: u64 },
    Order { amount: Pesos, payment_limits: Option<u32>, minutes: Option<u32> },
    OrderPay { uuid: String },
    OrderDeny { uuid: String },
    OrderRefund { uuid: String },
    OrderExpire { uuid: String },
    OrderFail { uuid: String },
    Fault(FaultOp),
    Unfault { rule: u64 },
    Clear,
    Live { seconds: u64 },
    Truth,
    Caught,
    Forget,
    Links,
    Settings(SettingsOp),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Credit {
    pub(super) amount: Pesos,
    status: Option<String>,
    holder: Option<String>,
    cuit: Option<String>,
    cvu_cbu: Option<String>,
    operation: Option<String>,
    sale_point_name: Option<String>,
    at: Option<WallClock>,
}

impl Credit {
    /// Puts what was said into the row.
    pub(super) fn shape(self, row: &mut Transaction) {
        row.at = self.at.map_or(row.at, |at| at.0);
        for (said, field) in [
            (self.status, &mut row.status),
            (self.holder, &mut row.holder),
            (self.cuit, &mut row.cuit),
            (self.cvu_cbu, &mut row.cvu_cbu),
            (self.operation, &mut row.operation),
            (self.sale_point_name, &mut row.sale_point_name),
        ] {
            if let Some(said) = said {
                *field = said;
            }
        }
    }
}

/// An amount in a string of pesos.
#[derive(Clone, Copy)]
pub(super) struct Pesos(pub(super) Money);

impl<'de> Deserialize<'de> for Pesos {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let dialect = Dialect { unit: Unit::Pesos, punctuation: Punctuation::Dot };
        Money::from_text(&text, dialect).map(Self).map_err(D::Error::custom)
    }
}

/// `2026-11-20T23:59:00`, local.
#[derive(Clone, Copy)]
pub(super) struct WallClock(pub(super) DateTime);

impl<'de> Deserialize<'de> for WallClock {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map(Self).map_err(D::Error::custom)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ViaOp {
    Link,
    Qr,
    Plain,
}

impl From<ViaOp> for Via {
    fn from(via: ViaOp) -> Self {
        match via {
            ViaOp::Link => Self::Link,
            ViaOp::Qr => Self::Qr,
            ViaOp::Plain => Self::Plain,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ShownOp {
    Flag,
    Row,
    Both,
}

impl From<ShownOp> for RefundShown {
    fn from(shown: ShownOp) -> Self {
        match shown {
            ShownOp::Flag => Self::Flag,
            ShownOp::Row => Self::Row,
            ShownOp::Both => Self::Both,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SettingsOp {
    pace_ms: Option<u64>,
    telepagos_page: Option<usize>,
    sipago_page: Option<usize>,
    token_life_s: Option<u64>,
    access_token: Option<bool>,
    buyer_as_list: Option<bool>,
    order_as_list: Option<bool>,
    movements_in_cents: Option<bool>,
    unknown_order: Option<u16>,
}

impl SettingsOp {
    /// Changes what was said.
    pub(super) fn apply(self, settings: &mut Settings) {
        settings.pace = self.pace_ms.map_or(settings.pace, Duration::from_millis);
        settings.telepagos_page = self.telepagos_page.unwrap_or(settings.telepagos_page);
        settings.sipago_page = self.sipago_page.unwrap_or(settings.sipago_page);
        settings.token_life = self.token_life_s.map_or(settings.token_life, Duration::from_secs);
        settings.access_token = self.access_token.unwrap_or(settings.access_token);
        settings.buyer_as_list = self.buyer_as_list.unwrap_or(settings.buyer_as_list);
        settings.order_as_list = self.order_as_list.unwrap_or(settings.order_as_list);
        settings.movements_in_cents = self.movements_in_cents.unwrap_or(settings.movements_in_cents);
        // Beyond what HTTP can carry the old one stays.
        settings.unknown_order =
            self.unknown_order.filter(|status| (200..600).contains(status)).unwrap_or(settings.unknown_order);
    }
}

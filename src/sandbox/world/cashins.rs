//! A TelePagos account's cash-ins, which have no date.

use std::collections::BTreeMap;

use super::wallet::Operation;
use super::{Happening, MOST_ROWS, World};
use crate::domain::account::{SourceKind, Upstream};
use crate::domain::fact::FactKind;
use crate::domain::money::Money;

/// How a cash-in came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// By a payment link: it has a `link_id`.
    Link,
    /// By a QR order: it has a `qr_order_id`.
    Qr,
    /// By transfer: it has neither.
    Plain,
}

/// One cash-in, as `v2/payment/cashin/{id}` knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cashin {
    /// Its id. The first is [`Cashin::FIRST`], the next one more.
    pub id: u64,
    /// Payer's tax number.
    pub cuit: String,
    /// Payer's account number.
    pub cvu: String,
    /// How much.
    pub amount: Money,
    /// Concept.
    pub concept: String,
    /// Free text.
    pub description: String,
    /// Transaction behind it.
    pub transaction_id: u64,
    /// QR order.
    pub qr_order_id: Option<u64>,
    /// Link.
    pub link_id: Option<u64>,
}

impl Cashin {
    /// Id of the first cash-in of an account, so that one can be watched before it happens.
    pub const FIRST: u64 = 1001;
}

/// What a cash-in is made of.
pub(super) struct Draft {
    pub(super) operation: Operation,
    pub(super) amount: Money,
    pub(super) concept: String,
    pub(super) description: String,
    pub(super) sale_point: Option<String>,
    pub(super) qr_order_id: Option<u64>,
    pub(super) link_id: Option<u64>,
}

/// All of an account.
#[derive(Default)]
pub(super) struct Cashins {
    known: BTreeMap<u64, Cashin>,
    made: u64,
}

impl Cashins {
    fn push(&mut self, cashin: Cashin) {
        if self.known.len() >= MOST_ROWS {
            self.known.pop_first();
        }
        self.known.insert(cashin.id, cashin);
    }
}

impl World {
    /// A cash-in with its transaction, of a link or QR order that nobody made here; returns its id.
    pub fn telepagos_cashin(&self, via: Via, amount: Money) -> u64 {
        let number = self.with(super::State::number);
        self.cash_in(Draft {
            operation: match via {
                Via::Link => Operation::LINK,
                Via::Qr => Operation::QR,
                Via::Plain => Operation::TRANSFER_IN,
            },
            amount,
            concept: String::from("VAR"),
            description: String::from("Compra en el local"),
            sale_point: None,
            qr_order_id: matches!(via, Via::Qr).then_some(40_000 + number),
            link_id: matches!(via, Via::Link).then_some(70_000 + number),
        })
    }

    /// Money came in: a transaction, and the cash-in that names it. Returns the cash-in's id.
    pub(super) fn cash_in(&self, draft: Draft) -> u64 {
        let Draft { operation, amount, concept, description, sale_point, qr_order_id, link_id } = draft;
        let row = self.telepagos_row(amount, 1, operation, |row| {
            if let Some(name) = sale_point {
                row.sale_point_name = name;
            }
        });
        let payer = self.telepagos_transaction(row);
        let (cuit, cvu) = payer.map(|row| (row.cuit, row.cvu_cbu)).unwrap_or_default();
        let now = self.now();
        self.in_wallet(|wallet, truth| {
            let cashins = &mut wallet.cashins;
            let id = Cashin::FIRST.saturating_add(cashins.made);
            cashins.made = cashins.made.saturating_add(1);
            let transaction_id = 900_000 + row.0;
            cashins.push(Cashin { id, cuit, cvu, amount, concept, description, transaction_id, qr_order_id, link_id });
            let kind = match (link_id, qr_order_id) {
                (Some(_), _) => FactKind::LinkPaid,
                (None, Some(_)) => FactKind::QrPaid,
                (None, None) => return id,
            };
            truth.enter(Happening {
                at: now,
                upstream: Upstream::Telepagos,
                source: SourceKind::Cashin,
                merchant: self.merchant.username.as_ref().to_owned(),
                kind,
                identity: id.to_string(),
                amount,
            });
            id
        })
    }

    /// A cash-in as it stands.
    pub fn telepagos_cashin_of(&self, id: u64) -> Option<Cashin> {
        self.in_wallet(|wallet, _| wallet.cashins.known.get(&id).cloned())
    }
}

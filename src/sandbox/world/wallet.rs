//! A TelePagos account: its transactions, which have no id.

use std::collections::VecDeque;

use jiff::civil::DateTime;

use super::cashins::Cashins;
use super::cashouts::Payouts;
use super::charges::Desk;
use super::{Happening, MOST_ROWS, Person, World, truth};
use crate::domain::account::{SourceKind, Upstream};
use crate::domain::fact::FactKind;
use crate::domain::money::Money;

/// The world's own number of a transaction. TelePagos prints none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowId(pub u64);

/// One row of `v2/account/transactions`. Every field may be bent by [`World::telepagos_edit`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transaction {
    /// The world's number.
    pub id: RowId,
    /// 1: money in, 0: money out.
    pub income: i64,
    /// Printed date, local.
    pub at: DateTime,
    /// How much, without sign.
    pub amount: Money,
    /// What `operation` prints.
    pub operation: String,
    /// The other side's name, number and account.
    pub holder: String,
    /// Its tax number.
    pub cuit: String,
    /// Its account number.
    pub cvu_cbu: String,
    /// What `status` prints.
    pub status: String,
    /// What `sale_point_name` prints.
    pub sale_point_name: String,
    /// Not listed at the moment.
    pub hidden: bool,
}

/// The words that `status` prints here. The document names none; [`World::telepagos_set_status`] takes any other, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status;

impl Status {
    /// The money is there.
    pub const APPROVED: &'static str = "Aprobada";
    /// Not decided.
    pub const PENDING: &'static str = "Pendiente";
    /// Refused.
    pub const REJECTED: &'static str = "Rechazada";
    /// It was there and went back.
    pub const REVERSED: &'static str = "Reversada";
}

/// One entry of `v2/account/transactions_filters`. The document names none of the values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Operation {
    /// What the filter takes.
    pub id: &'static str,
    /// What rows print.
    pub name: &'static str,
    /// Direction.
    pub kind: &'static str,
}

impl Operation {
    /// Money by transfer.
    pub const TRANSFER_IN: Self = Self { id: "transfer_in", name: "Transferencia recibida", kind: "credito" };
    /// A QR was paid.
    pub const QR: Self = Self { id: "qr", name: "Cobro con QR", kind: "credito" };
    /// A link was paid.
    pub const LINK: Self = Self { id: "link", name: "Cobro con link", kind: "credito" };
    /// Money sent.
    pub const TRANSFER_OUT: Self = Self { id: "transfer_out", name: "Transferencia enviada", kind: "debito" };
    /// A payment that went back.
    pub const REFUND: Self = Self { id: "refund", name: "Devolución", kind: "debito" };
    /// All.
    pub const ALL: [Self; 5] = [Self::TRANSFER_IN, Self::QR, Self::LINK, Self::TRANSFER_OUT, Self::REFUND];
}

/// One account.
pub(super) struct Wallet {
    password: String,
    rows: VecDeque<Transaction>,
    pub(super) cashins: Cashins,
    pub(super) desk: Desk,
    pub(super) payouts: Payouts,
}

impl Wallet {
    pub(super) fn new(password: &str) -> Self {
        Self {
            password: password.to_owned(),
            rows: VecDeque::new(),
            cashins: Cashins::default(),
            desk: Desk::default(),
            payouts: Payouts::default(),
        }
    }

    pub(super) fn opens_with(&self, password: &str) -> bool {
        self.password == password
    }

    pub(super) fn change_password(&mut self, password: &str) {
        password.clone_into(&mut self.password);
    }

    fn push(&mut self, row: Transaction) {
        if self.rows.len() >= MOST_ROWS {
            self.rows.pop_front();
        }
        self.rows.push_back(row);
    }

    fn row(&mut self, id: RowId) -> Option<&mut Transaction> {
        // The young ones are asked for most.
        self.rows.iter_mut().rev().find(|row| row.id == id)
    }
}

impl World {
    /// A transfer came in and is approved.
    pub fn telepagos_credit(&self, amount: Money) -> RowId {
        self.telepagos_credit_with(amount, |_| ())
    }

    /// A transfer came in; `shape` may change the row before anybody sees it.
    pub fn telepagos_credit_with(&self, amount: Money, shape: impl FnOnce(&mut Transaction)) -> RowId {
        self.telepagos_row(amount, 1, Operation::TRANSFER_IN, shape)
    }

    /// A transfer was announced and is not decided. Decide it with [`World::telepagos_set_status`].
    pub fn telepagos_pending(&self, amount: Money) -> RowId {
        self.telepagos_credit_with(amount, |row| Status::PENDING.clone_into(&mut row.status))
    }

    /// A second payment like `row` in every printed field, the second included. `None` when there is no such row.
    pub fn telepagos_twin(&self, row: RowId) -> Option<RowId> {
        let model = self.telepagos_transaction(row)?;
        Some(self.telepagos_row(model.amount, model.income, Operation::TRANSFER_IN, |twin| {
            *twin = Transaction { id: twin.id, hidden: false, ..model };
        }))
    }

    /// Money was sent.
    pub fn telepagos_debit(&self, amount: Money) -> RowId {
        self.telepagos_row(amount, 0, Operation::TRANSFER_OUT, |_| ())
    }

    /// The payment of `row` went back: a row of its own, money out, to the same payer. `None` when there is no such row.
    pub fn telepagos_refund(&self, row: RowId) -> Option<RowId> {
        let model = self.telepagos_transaction(row)?;
        Some(self.telepagos_row(model.amount, 0, Operation::REFUND, |back| {
            *back = Transaction {
                id: back.id,
                at: back.at,
                income: 0,
                operation: Operation::REFUND.name.to_owned(),
                status: Status::APPROVED.to_owned(),
                hidden: false,
                ..model
            };
        }))
    }

    /// Changes a printed status. [`Status`]' words make facts; `false` when there is no such row.
    pub fn telepagos_set_status(&self, row: RowId, status: &str) -> bool {
        self.telepagos_change(row, |row| status.clone_into(&mut row.status))
    }

    /// Rewords the holder, as upstreams do when a name is completed later.
    pub fn telepagos_amend_holder(&self, row: RowId, holder: &str) -> bool {
        self.telepagos_change(row, |row| holder.clone_into(&mut row.holder))
    }

    /// The row vanishes from the listing.
    pub fn telepagos_hide(&self, row: RowId) -> bool {
        self.telepagos_change(row, |row| row.hidden = true)
    }

    /// It comes back.
    pub fn telepagos_show(&self, row: RowId) -> bool {
        self.telepagos_change(row, |row| row.hidden = false)
    }

    /// The row bears another date.
    pub fn telepagos_back_date(&self, row: RowId, at: DateTime) -> bool {
        self.telepagos_change(row, |row| row.at = at)
    }

    /// Bends a row at will; makes the facts that a change of status makes. `false` when there is no such row.
    pub fn telepagos_edit(&self, row: RowId, change: impl FnOnce(&mut Transaction)) -> bool {
        self.telepagos_change(row, change)
    }

    /// A row as it stands.
    pub fn telepagos_transaction(&self, row: RowId) -> Option<Transaction> {
        self.in_wallet(|wallet, _| wallet.row(row).map(|row| row.clone()))
    }

    /// What is listed between two days, both included, newest first.
    pub fn telepagos_listing(&self, from: jiff::civil::Date, to: jiff::civil::Date) -> Vec<Transaction> {
        let mut rows: Vec<Transaction> = self.in_wallet(|wallet, _| {
            let listed = |row: &&Transaction| !row.hidden && (from..=to).contains(&row.at.date());
            wallet.rows.iter().filter(listed).cloned().collect()
        });
        rows.sort_by_key(|row| std::cmp::Reverse((row.at, row.id)));
        rows
    }

    /// Approved credits less debits.
    pub fn telepagos_balance(&self) -> Money {
        self.in_wallet(|wallet, _| {
            let cents = wallet.rows.iter().filter(|row| row.status == Status::APPROVED).fold(0_i64, |sum, row| {
                if row.income == 1 {
                    sum.saturating_add(row.amount.cents())
                } else {
                    sum.saturating_sub(row.amount.cents())
                }
            });
            Money::from_cents(cents)
        })
    }

    /// Approved money in and approved money out of the days whose printed form begins with `period`.
    pub fn telepagos_turnover(&self, period: &str) -> (Money, Money) {
        let sum = |rows: &VecDeque<Transaction>, income: bool| {
            let counts = |row: &&Transaction| {
                (row.income == 1) == income
                    && row.status == Status::APPROVED
                    && row.at.date().to_string().starts_with(period)
            };
            rows.iter().filter(counts).fold(0_i64, |sum, row| sum.saturating_add(row.amount.cents()))
        };
        self.in_wallet(|wallet, _| {
            (Money::from_cents(sum(&wallet.rows, true)), Money::from_cents(sum(&wallet.rows, false)))
        })
    }

    pub(super) fn telepagos_row(
        &self,
        amount: Money,
        income: i64,
        operation: Operation,
        shape: impl FnOnce(&mut Transaction),
    ) -> RowId {
        let (id, person) = self.with(|state| (RowId(state.number()), Person::draw(&mut state.rng)));
        let mut row = Transaction {
            id,
            income,
            at: self.wall_clock(),
            amount,
            operation: operation.name.to_owned(),
            holder: person.name(),
            cuit: person.cuit,
            cvu_cbu: person.cvu,
            status: Status::APPROVED.to_owned(),
            sale_point_name: String::from("Caja 1"),
            hidden: false,
        };
        shape(&mut row);
        row.id = id;
        self.in_wallet(|wallet, truth| {
            // What was refused before anybody saw it is no news.
            if let Some(kind) = told_by(&row).filter(|kind| *kind != FactKind::Rejected) {
                truth.enter(self.of_row(&row, kind));
            }
            wallet.push(row);
        });
        id
    }

    fn telepagos_change(&self, id: RowId, change: impl FnOnce(&mut Transaction)) -> bool {
        self.in_wallet(|wallet, truth: &mut truth::Book| {
            let Some(row) = wallet.row(id) else { return false };
            let before = told_by(row);
            change(row);
            row.id = id;
            let after = told_by(row);
            if let Some(kind) = after.filter(|_| after != before) {
                truth.enter(self.of_row(row, kind));
            }
            true
        })
    }

    fn of_row(&self, row: &Transaction, kind: FactKind) -> Happening {
        Happening {
            at: self.now(),
            upstream: Upstream::Telepagos,
            source: SourceKind::Transactions,
            merchant: self.merchant.username.as_ref().to_owned(),
            kind,
            identity: row.id.0.to_string(),
            amount: row.amount,
        }
    }
}

/// The fact that a row in this state tells of. A word that is not ours tells of money all the same, as DESIGN §4 has it.
fn told_by(row: &Transaction) -> Option<FactKind> {
    let refund = row.operation == Operation::REFUND.name;
    match (row.income, row.status.as_str()) {
        (1, Status::PENDING) => Some(FactKind::Pending),
        (1, Status::REJECTED) => Some(FactKind::Rejected),
        (1, Status::REVERSED) => Some(FactKind::Refunded),
        (1, _) => Some(FactKind::Credited),
        (_, Status::PENDING | Status::REJECTED | Status::REVERSED) => None,
        _ if refund => Some(FactKind::Refunded),
        _ => Some(FactKind::Debited),
    }
}

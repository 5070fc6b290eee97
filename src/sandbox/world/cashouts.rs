//! Money that a TelePagos account sends.

use std::collections::BTreeMap;

use super::World;
use super::wallet::Operation;
use crate::domain::money::Money;

/// What `v2/payment/cashout` was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CashoutOrder {
    /// CVU, CBU or alias.
    pub to: String,
    /// Tax number.
    pub cuit: String,
    /// How much.
    pub amount: Money,
    /// The merchant's own, never used twice.
    pub reference_id: String,
    /// Concept.
    pub concept: String,
    /// Free text.
    pub description: String,
}

/// A transfer that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CashoutDone {
    /// `id`, from 500001.
    pub id: u64,
    /// As it was asked for.
    pub order: CashoutOrder,
    /// When, local.
    pub at: jiff::civil::DateTime,
}

/// Why no transfer was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CashoutRefusal {
    /// The reference was used for a transfer of other data.
    OtherData,
    /// There is not enough in the account.
    Balance,
}

/// All of an account.
#[derive(Default)]
pub(super) struct Payouts {
    by_reference: BTreeMap<String, CashoutDone>,
}

impl World {
    /// Money is sent, once for each reference: asked for again with the same data, the answer is the first one's.
    ///
    /// # Errors
    /// See [`CashoutRefusal`]; nothing was sent.
    pub fn telepagos_cashout(&self, order: CashoutOrder) -> Result<u64, CashoutRefusal> {
        let known = self.in_wallet(|wallet, _| wallet.payouts.by_reference.get(&order.reference_id).cloned());
        if let Some(done) = known {
            return if done.order == order { Ok(done.id) } else { Err(CashoutRefusal::OtherData) };
        }
        if self.telepagos_balance() < order.amount {
            return Err(CashoutRefusal::Balance);
        }
        self.telepagos_row(order.amount, 0, Operation::TRANSFER_OUT, |row| {
            row.cuit.clone_from(&order.cuit);
            row.cvu_cbu.clone_from(&order.to);
        });
        let at = self.wall_clock();
        Ok(self.in_wallet(|wallet, _| {
            let payouts = &mut wallet.payouts.by_reference;
            let id = 500_001 + u64::try_from(payouts.len()).unwrap_or(u64::MAX / 2);
            payouts.insert(order.reference_id.clone(), CashoutDone { id, order, at });
            id
        }))
    }

    /// A transfer by its id.
    pub fn telepagos_cashout_of(&self, id: u64) -> Option<CashoutDone> {
        self.in_wallet(|wallet, _| wallet.payouts.by_reference.values().find(|done| done.id == id).cloned())
    }

    /// All transfers, by reference.
    pub fn telepagos_cashouts(&self) -> Vec<CashoutDone> {
        self.in_wallet(|wallet, _| wallet.payouts.by_reference.values().cloned().collect())
    }
}

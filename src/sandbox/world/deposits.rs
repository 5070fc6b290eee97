//! Sipago's deposits and QR codes.

use jiff::civil::DateTime;

use super::{Happening, MOST_ROWS, World};
use crate::domain::account::{SourceKind, Upstream};
use crate::domain::fact::FactKind;
use crate::domain::money::Money;

/// One row of `deposits/paid` or `deposits/pending`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deposit {
    /// `_id`: text, the same in both lists.
    pub id: String,
    /// Printed date, local.
    pub at: DateTime,
    /// Before what is kept.
    pub amount: Money,
    /// It was paid out.
    pub paid: bool,
}

impl Deposit {
    /// What the acquirer keeps: 2.90 %, rounded down.
    pub fn commission(&self) -> Money {
        Money::from_cents(self.amount.cents() / 1_000 * 29)
    }

    /// The tax on it: 21 %, rounded down.
    pub fn commission_tax(&self) -> Money {
        Money::from_cents(self.commission().cents() * 21 / 100)
    }

    /// What is withheld: 1 %, rounded down.
    pub fn withheld(&self) -> Money {
        Money::from_cents(self.amount.cents() / 100)
    }

    /// What is paid out.
    pub fn total(&self) -> Money {
        let kept = self.commission().cents() + self.commission_tax().cents() + self.withheld().cents();
        Money::from_cents(self.amount.cents() - kept)
    }
}

/// A QR code of `api/paymentQr`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShopQr {
    /// `data.id`.
    pub id: u64,
    /// How much; `None`: the payer types it.
    pub amount: Option<Money>,
    /// Paid, where it bears an amount.
    pub paid: bool,
}

impl World {
    /// A deposit is to come; returns its id.
    pub fn sipago_deposit(&self, amount: Money) -> String {
        let id = format!("65f0{:020x}", self.with(super::State::number));
        let deposit = Deposit { id: id.clone(), at: self.wall_clock(), amount, paid: false };
        self.in_shop(|shop, _| {
            if shop.deposits.len() >= MOST_ROWS {
                shop.deposits.pop_front();
            }
            shop.deposits.push_back(deposit);
        });
        id
    }

    /// It was paid out: it leaves the pending list and stands in the paid one. `false` when there is none or it was paid.
    pub fn sipago_deposit_pay(&self, id: &str) -> bool {
        let now = self.now();
        self.in_shop(|shop, truth| {
            let Some(deposit) = shop.deposits.iter_mut().find(|deposit| deposit.id == id && !deposit.paid) else {
                return false;
            };
            deposit.paid = true;
            truth.enter(Happening {
                at: now,
                upstream: Upstream::Sipago,
                source: SourceKind::Deposits,
                merchant: self.merchant.api_key.as_ref().to_owned(),
                kind: FactKind::Settled,
                identity: id.to_owned(),
                amount: deposit.total(),
            });
            true
        })
    }

    /// One of the two lists, newest first.
    pub fn sipago_deposits(&self, paid: bool) -> Vec<Deposit> {
        let mut rows: Vec<Deposit> =
            self.in_shop(|shop, _| shop.deposits.iter().filter(|deposit| deposit.paid == paid).cloned().collect());
        rows.reverse();
        rows
    }

    /// A QR code: a new one for an amount, or the merchant's own for any.
    pub fn sipago_qr(&self, amount: Option<Money>) -> ShopQr {
        let number = self.with(super::State::number);
        self.in_shop(|shop, _| {
            let standing = shop.codes.iter().find(|code| amount.is_none() && code.amount.is_none()).cloned();
            standing.unwrap_or_else(|| {
                let code = ShopQr { id: 8_600_000 + number, amount, paid: false };
                shop.codes.push(code.clone());
                code
            })
        })
    }

    /// Somebody paid a QR code: a movement. `amount` counts where the code bears none. Returns the movement's `_id`; `None`
    /// when there is no such code, it was paid, or nobody says how much.
    pub fn sipago_qr_pay(&self, id: u64, amount: Option<Money>) -> Option<u64> {
        let amount = self.in_shop(|shop, _| {
            let code = shop.codes.iter_mut().find(|code| code.id == id && !code.paid)?;
            code.paid = code.amount.is_some();
            code.amount.or(amount)
        })?;
        Some(self.sipago_sale(amount))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::TokioClock;

    #[tokio::test(start_paused = true)]
    async fn a_deposit_moves_from_one_list_to_the_other_under_its_id() {
        let world = World::new(Arc::new(TokioClock::starting_at("2026-11-21T17:00:00Z".parse().unwrap(), 1)), 1);
        let id = world.sipago_deposit(Money::from_cents(1_000_000));
        assert_eq!((world.sipago_deposits(false).len(), world.sipago_deposits(true).len()), (1, 0));
        assert!(world.sipago_deposit_pay(&id) && !world.sipago_deposit_pay(&id));
        assert_eq!((world.sipago_deposits(false).len(), world.sipago_deposits(true)[0].id.as_str()), (0, id.as_str()));
        let fact = world.truth().pop().unwrap();
        assert_eq!((fact.kind, fact.identity, fact.amount.cents()), (FactKind::Settled, id, 954_910));
        let (open, closed) = (world.sipago_qr(None), world.sipago_qr(Some(Money::from_cents(500))));
        assert_eq!(world.sipago_qr(None), open, "the merchant has one of its own");
        assert_eq!(world.sipago_qr_pay(open.id, None), None);
        assert!(world.sipago_qr_pay(open.id, Some(Money::from_cents(1))).is_some());
        assert!(world.sipago_qr_pay(closed.id, None).is_some() && world.sipago_qr_pay(closed.id, None).is_none());
    }
}

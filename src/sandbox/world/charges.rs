//! What a TelePagos account asks to be paid by: links, QR orders, sale points.
//!
//! The document says neither how a spent or expired link answers nor what a deleted sale point's codes do; here they can
//! no longer be paid.

use std::collections::BTreeMap;

use jiff::civil::DateTime;

use super::cashins::Draft;
use super::wallet::Operation;
use super::{MOST_ROWS, World};
use crate::domain::money::Money;

/// A link, made by `v2/payment/cashin/link/generate`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PayLink {
    /// `link_id`.
    pub id: u64,
    /// How much.
    pub amount: Money,
    /// Concept.
    pub concept: String,
    /// Whether it can be paid more than once.
    pub multiple_use: bool,
    /// When it ends, local.
    pub expires: DateTime,
    /// Accounts that get a part of each payment.
    pub distribution: Vec<(String, Money)>,
    /// How often it was paid.
    pub paid: u32,
}

/// An order that a QR code asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QrOrder {
    /// `qr_order_id`.
    pub id: u64,
    /// How much.
    pub amount: Money,
    /// Concept.
    pub concept: String,
    /// Free text.
    pub description: String,
    /// The sale point at whose printed code it waits.
    pub sale_point: Option<u64>,
    /// It was paid.
    pub paid: bool,
}

/// A sale point.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SalePoint {
    /// `id`, from 1.
    pub id: u64,
    /// Its name.
    pub name: String,
}

/// All of an account.
#[derive(Default)]
pub(super) struct Desk {
    links: BTreeMap<u64, PayLink>,
    orders: BTreeMap<u64, QrOrder>,
    sale_points: BTreeMap<u64, SalePoint>,
    sale_points_made: u64,
}

fn keep<T>(shelf: &mut BTreeMap<u64, T>, id: u64, thing: T) {
    if shelf.len() >= MOST_ROWS {
        shelf.pop_first();
    }
    shelf.insert(id, thing);
}

impl World {
    /// A link was made; `shape` may change all but its id. Returns the id.
    pub fn telepagos_link(&self, amount: Money, shape: impl FnOnce(&mut PayLink)) -> u64 {
        let id = 70_000 + self.with(super::State::number);
        let expires = self.wall_clock().saturating_add(jiff::Span::new().days(1));
        let concept = String::from("VAR");
        let mut link = PayLink { id, amount, concept, multiple_use: false, expires, distribution: Vec::new(), paid: 0 };
        shape(&mut link);
        link.id = id;
        self.in_wallet(|wallet, _| keep(&mut wallet.desk.links, id, link));
        id
    }

    /// A link as it stands.
    pub fn telepagos_link_of(&self, id: u64) -> Option<PayLink> {
        self.in_wallet(|wallet, _| wallet.desk.links.get(&id).cloned())
    }

    /// Somebody paid a link; what it distributes leaves at once. Returns the cash-in's id; `None` when there is no such
    /// link, its time is over, or it was paid and takes one payment only.
    pub fn telepagos_link_pay(&self, id: u64) -> Option<u64> {
        let now = self.wall_clock();
        let link = self.in_wallet(|wallet, _| {
            let link = wallet.desk.links.get_mut(&id)?;
            if link.expires <= now || (link.paid > 0 && !link.multiple_use) {
                return None;
            }
            link.paid = link.paid.saturating_add(1);
            Some(link.clone())
        })?;
        let cashin = self.cash_in(Draft {
            operation: Operation::LINK,
            amount: link.amount,
            concept: link.concept,
            description: String::from("Pago con link"),
            sale_point: None,
            qr_order_id: None,
            link_id: Some(id),
        });
        for (cvu, part) in link.distribution {
            self.telepagos_row(part, 0, Operation::TRANSFER_OUT, |row| row.cvu_cbu = cvu);
        }
        Some(cashin)
    }

    /// A QR order was made, at a sale point's printed code or for a code of its own. `None` when there is no such sale
    /// point. An order takes the place of the one that waited there.
    pub fn telepagos_qr_order(
        &self,
        amount: Money,
        concept: &str,
        description: &str,
        sale_point: Option<u64>,
    ) -> Option<u64> {
        let id = 40_000 + self.with(super::State::number);
        let (concept, description) = (concept.to_owned(), description.to_owned());
        self.in_wallet(|wallet, _| {
            let desk = &mut wallet.desk;
            if let Some(point) = sale_point {
                desk.sale_points.get(&point)?;
                desk.orders.retain(|_, order| order.paid || order.sale_point != Some(point));
            }
            keep(&mut desk.orders, id, QrOrder { id, amount, concept, description, sale_point, paid: false });
            Some(id)
        })
    }

    /// Somebody paid a QR order. Returns the cash-in's id; `None` when there is no such order, it was paid, or its sale
    /// point is gone.
    pub fn telepagos_qr_pay(&self, id: u64) -> Option<u64> {
        let (order, sale_point) = self.in_wallet(|wallet, _| {
            let Desk { orders, sale_points, .. } = &mut wallet.desk;
            let order = orders.get_mut(&id).filter(|order| !order.paid)?;
            let name = match order.sale_point {
                Some(point) => Some(sale_points.get(&point)?.name.clone()),
                None => None,
            };
            order.paid = true;
            Some((order.clone(), name))
        })?;
        Some(self.cash_in(Draft {
            operation: Operation::QR,
            amount: order.amount,
            concept: order.concept,
            description: order.description,
            sale_point,
            qr_order_id: Some(id),
            link_id: None,
        }))
    }

    /// A sale point was made; returns its id.
    pub fn telepagos_sale_point(&self, name: &str) -> u64 {
        self.in_wallet(|wallet, _| {
            let desk = &mut wallet.desk;
            desk.sale_points_made = desk.sale_points_made.saturating_add(1);
            let id = desk.sale_points_made;
            keep(&mut desk.sale_points, id, SalePoint { id, name: name.to_owned() });
            id
        })
    }

    /// A sale point was removed; `false` when there is none of that id.
    pub fn telepagos_sale_point_delete(&self, id: u64) -> bool {
        self.in_wallet(|wallet, _| wallet.desk.sale_points.remove(&id).is_some())
    }

    /// The sale points, by id.
    pub fn telepagos_sale_points(&self) -> Vec<SalePoint> {
        self.in_wallet(|wallet, _| wallet.desk.sale_points.values().cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::clock::TokioClock;

    fn world() -> World {
        World::new(Arc::new(TokioClock::starting_at("2026-11-21T17:00:00Z".parse().unwrap(), 1)), 1)
    }

    fn pesos(pesos: i64) -> Money {
        Money::from_cents(pesos * 100)
    }

    #[tokio::test(start_paused = true)]
    async fn a_link_is_paid_once_unless_it_takes_many_and_never_after_its_end() {
        let world = world();
        let one = world.telepagos_link(pesos(10), |_| ());
        assert!(world.telepagos_link_pay(one).is_some());
        assert_eq!(world.telepagos_link_pay(one), None);
        let many = world.telepagos_link(pesos(10), |link| {
            link.multiple_use = true;
            link.distribution = vec![("0000003100000000000017".to_owned(), pesos(4))];
        });
        let (first, second) = (world.telepagos_link_pay(many).unwrap(), world.telepagos_link_pay(many).unwrap());
        assert_ne!(first, second);
        assert_eq!(world.telepagos_cashin_of(second).unwrap().link_id, Some(many));
        assert_eq!(world.telepagos_balance(), pesos(10 + 2 * (10 - 4)), "what is distributed leaves");
        tokio::time::advance(Duration::from_secs(86_400)).await;
        assert_eq!(world.telepagos_link_pay(many), None);
        assert_eq!(world.telepagos_link_of(many).unwrap().paid, 2);
    }

    #[tokio::test(start_paused = true)]
    async fn an_order_waits_at_its_sale_point_until_it_is_paid_replaced_or_the_point_is_gone() {
        let world = world();
        let point = world.telepagos_sale_point("Caja 7");
        assert_eq!(world.telepagos_qr_order(pesos(1), "VAR", "", Some(point + 1)), None);
        let old = world.telepagos_qr_order(pesos(1), "VAR", "", Some(point)).unwrap();
        let new = world.telepagos_qr_order(pesos(2), "VAR", "", Some(point)).unwrap();
        assert_eq!(world.telepagos_qr_pay(old), None, "another one took its place");
        let cashin = world.telepagos_cashin_of(world.telepagos_qr_pay(new).unwrap()).unwrap();
        assert_eq!((cashin.amount, cashin.qr_order_id), (pesos(2), Some(new)));
        assert_eq!(world.telepagos_qr_pay(new), None);
        let last = world.telepagos_qr_order(pesos(3), "VAR", "", Some(point)).unwrap();
        assert!(world.telepagos_sale_point_delete(point) && !world.telepagos_sale_point_delete(point));
        assert_eq!(world.telepagos_qr_pay(last), None);
        assert!(world.telepagos_sale_points().is_empty());
    }
}

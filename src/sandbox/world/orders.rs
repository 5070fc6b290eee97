//! The orders behind Sipago's payment links.
//!
//! States and payment states as Sipago's own checkout pages name them; a denied card leaves the order `PENDING`
//! (docs.sipago.coop, page `EstadoOrden`, 2026-11-21).

use jiff::{SignedDuration, Timestamp};

use super::{Happening, MOST_ROWS, World};
use crate::domain::account::{SourceKind, Upstream};
use crate::domain::fact::FactKind;
use crate::domain::money::Money;

/// One order, as `checkout/getLink/{uuid}` knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Version 4.
    pub uuid: String,
    /// The world's number, part of `orderNumber`.
    pub number: u64,
    /// How much.
    pub amount: Money,
    /// Name of its one item.
    pub item: String,
    /// Where it stands.
    pub status: OrderStatus,
    /// How many payments it takes.
    pub payment_limits: u32,
    /// Its life in minutes. Sipago's default is 10 (docs.sipago.coop, 2026-11-21); links live longer, here a day.
    pub expire_limit_minutes: u32,
    /// When it was made.
    pub created: Timestamp,
    /// Attempts and payments, oldest first.
    pub payments: Vec<OrderPayment>,
}

/// Where an order stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderStatus {
    /// Not paid yet, perhaps denied.
    Pending,
    /// Paid.
    Success,
    /// Its time ran out.
    Expired,
    /// The payment intention broke.
    FailedCheckout,
    /// Making the order broke.
    Failed,
    /// Any other word.
    Other(String),
}

impl OrderStatus {
    /// What `status` prints.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Pending => "PENDING",
            Self::Success => "SUCCESS",
            Self::Expired => "EXPIRED",
            Self::FailedCheckout => "FAILED_CHECKOUT",
            Self::Failed => "FAILED",
            Self::Other(word) => word,
        }
    }
}

/// One attempt to pay an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderPayment {
    /// The payment id, the same as in the movement.
    pub id: u64,
    /// The movement's `_id`; none where it was denied.
    pub movement: Option<u64>,
    /// `authorization_code`.
    pub authorization: String,
    /// `APPROVED`, else `DENIED`.
    pub approved: bool,
    /// `isRefunded`.
    pub is_refunded: bool,
}

impl World {
    /// A link was made: takes one payment, lives a day. Returns its uuid.
    pub fn order_create(&self, amount: Money) -> String {
        self.order_create_with(amount, |_| ())
    }

    /// A link was made; `shape` may change it before anybody sees it.
    pub fn order_create_with(&self, amount: Money, shape: impl FnOnce(&mut Order)) -> String {
        let created = self.now();
        let (uuid, number) = self.with(|state| {
            let uuid = uuid::Builder::from_random_bytes(state.rng.u128(..).to_be_bytes()).into_uuid();
            (uuid.to_string(), state.number())
        });
        let mut order = Order {
            uuid: uuid.clone(),
            number,
            amount,
            item: String::from("Pedido"),
            status: OrderStatus::Pending,
            payment_limits: 1,
            expire_limit_minutes: 24 * 60,
            created,
            payments: Vec::new(),
        };
        shape(&mut order);
        order.uuid.clone_from(&uuid);
        self.in_shop(|shop, _| {
            if shop.orders.len() >= MOST_ROWS {
                shop.orders.pop_first();
            }
            shop.orders.insert(uuid.clone(), order);
        });
        uuid
    }

    /// A card paid it: an `APPROVED` payment, `SUCCESS`, and the movement. Returns the payment id; `None` when the order
    /// does not exist, is over, or has all its payments.
    pub fn order_pay(&self, uuid: &str) -> Option<u64> {
        let fresh = self.draw_sale(Money::from_cents(0));
        let now = self.now();
        self.order(uuid)?;
        self.in_shop(|shop, truth| {
            let order = shop.orders.get_mut(uuid)?;
            let paid = order.payments.iter().filter(|payment| payment.approved).count();
            let open = matches!(order.status, OrderStatus::Pending | OrderStatus::Success);
            if !open || paid >= usize::try_from(order.payment_limits).unwrap_or(usize::MAX) {
                return None;
            }
            let mut sale = fresh;
            sale.amount = order.amount;
            order.status = OrderStatus::Success;
            order.payments.push(OrderPayment {
                id: sale.payment_id,
                movement: Some(sale.id),
                authorization: sale.authorization.clone(),
                approved: true,
                is_refunded: false,
            });
            truth.enter(self.of_order(now, order.amount, FactKind::LinkPaid, sale.payment_id.to_string()));
            let payment = sale.payment_id;
            self.enter_sale(shop, truth, sale);
            Some(payment)
        })
    }

    /// A card was denied: a `DENIED` attempt, the order stays as it is. Returns the attempt's id.
    pub fn order_deny(&self, uuid: &str) -> Option<u64> {
        let fresh = self.draw_sale(Money::from_cents(0));
        self.in_shop(|shop, _| {
            let order = shop.orders.get_mut(uuid)?;
            order.payments.push(OrderPayment {
                id: fresh.payment_id,
                movement: None,
                authorization: String::new(),
                approved: false,
                is_refunded: false,
            });
            Some(fresh.payment_id)
        })
    }

    /// Its time ran out. `false` unless it was `PENDING`.
    pub fn order_expire(&self, uuid: &str) -> bool {
        self.order_end(uuid, OrderStatus::Expired, FactKind::LinkExpired)
    }

    /// It broke: `FAILED_CHECKOUT`. `false` unless it was `PENDING`.
    pub fn order_fail(&self, uuid: &str) -> bool {
        self.order_end(uuid, OrderStatus::FailedCheckout, FactKind::LinkFailed)
    }

    /// The oldest payment that is still there went back: `isRefunded` of the order and `hasRefund` of the movement, one
    /// refund. Returns the payment id.
    pub fn order_refund(&self, uuid: &str) -> Option<u64> {
        let (payment, movement) = self.in_shop(|shop, _| {
            let order = shop.orders.get(uuid)?;
            let standing = order.payments.iter().find(|payment| payment.approved && !payment.is_refunded)?;
            Some((standing.id, standing.movement?))
        })?;
        self.sipago_refund(movement, super::RefundShown::Flag).then_some(payment)
    }

    /// Bends an order at will, without a fact. `false` when there is none.
    pub fn order_edit(&self, uuid: &str, change: impl FnOnce(&mut Order)) -> bool {
        self.in_shop(|shop, _| match shop.orders.get_mut(uuid) {
            Some(order) => {
                change(order);
                uuid.clone_into(&mut order.uuid);
                true
            }
            None => false,
        })
    }

    /// An order as it stands; one whose time ran out expires in this moment.
    pub fn order(&self, uuid: &str) -> Option<Order> {
        let now = self.now();
        let order = self.in_shop(|shop, _| shop.orders.get(uuid).cloned())?;
        let life = SignedDuration::from_mins(i64::from(order.expire_limit_minutes));
        let over = order.created.checked_add(life).is_ok_and(|end| end <= now);
        if over && self.order_expire(uuid) {
            return self.in_shop(|shop, _| shop.orders.get(uuid).cloned());
        }
        Some(order)
    }

    /// The uuids of all orders.
    pub fn orders(&self) -> Vec<String> {
        self.in_shop(|shop, _| shop.orders.keys().cloned().collect())
    }

    fn order_end(&self, uuid: &str, status: OrderStatus, kind: FactKind) -> bool {
        let now = self.now();
        self.in_shop(|shop, truth| {
            let Some(order) = shop.orders.get_mut(uuid).filter(|order| order.status == OrderStatus::Pending) else {
                return false;
            };
            order.status = status;
            truth.enter(self.of_order(now, order.amount, kind, uuid.to_owned()));
            true
        })
    }

    fn of_order(&self, at: Timestamp, amount: Money, kind: FactKind, identity: String) -> Happening {
        Happening {
            at,
            upstream: Upstream::Sipago,
            source: SourceKind::Links,
            merchant: self.merchant.api_key.as_ref().to_owned(),
            kind,
            identity,
            amount,
        }
    }
}

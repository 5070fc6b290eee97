//! A Sipago account: its movements.

use std::collections::{BTreeMap, VecDeque};

use jiff::civil::{Date, DateTime};

use super::deposits::{Deposit, ShopQr};
use super::orders::Order;
use super::{Happening, MOST_ROWS, Person, World, truth};
use crate::domain::account::{SourceKind, Upstream};
use crate::domain::fact::FactKind;
use crate::domain::money::Money;

/// One row of `transactions/page/N`. Every field may be bent by [`World::sipago_edit`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "four flags of the document, one of the world")]
pub struct Sale {
    /// `_id`.
    pub id: u64,
    /// Printed date, local.
    pub at: DateTime,
    /// How much, without sign.
    pub amount: Money,
    /// What kind of movement it is.
    pub kind: SaleKind,
    /// Common to a sale and what undoes it.
    pub sale_id: u64,
    /// Common to the movement and the order behind a link.
    pub payment_id: u64,
    /// `operationId`.
    pub operation_id: u64,
    /// `authorizationCode`: six digits, not unique.
    pub authorization: String,
    /// The card.
    pub card: Card,
    /// The cardholder and buyer.
    pub buyer: Person,
    /// `payment.hasRefund`.
    pub has_refund: bool,
    /// `payment.canceled`.
    pub payment_canceled: bool,
    /// `canceled`.
    pub canceled: bool,
    /// Not listed at the moment.
    pub hidden: bool,
}

/// What kind of movement a row is. The document names no value of `operation`; these are ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SaleKind {
    /// `Venta`.
    Sale,
    /// `Devolución`.
    Refund,
    /// `Anulación`.
    Void,
    /// Any other word.
    Other(String),
}

impl SaleKind {
    /// What `operation` prints.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Sale => "Venta",
            Self::Refund => "Devolución",
            Self::Void => "Anulación",
            Self::Other(word) => word,
        }
    }
}

/// A card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Card {
    /// `VISA`, …
    pub brand: &'static str,
    /// Its short form, which `abr` prints.
    pub short: &'static str,
    /// First five digits (sic).
    pub first5: &'static str,
    /// Last four digits.
    pub last4: String,
}

/// Brands with a first block that is reserved for tests or typical of the brand; none is a real card.
const BRANDS: [Card; 3] = [
    Card { brand: "VISA", short: "VI", first5: "41111", last4: String::new() },
    Card { brand: "MASTERCARD", short: "MC", first5: "55555", last4: String::new() },
    Card { brand: "CABAL", short: "CA", first5: "60426", last4: String::new() },
];

/// How the upstream shows that a sale was refunded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefundShown {
    /// By `payment.hasRefund` of the sale.
    Flag,
    /// By a row of its own with the same `saleId`.
    Row,
    /// By both: it is one refund all the same.
    Both,
}

/// One account.
#[derive(Default)]
pub(super) struct Shop {
    pub(super) sales: VecDeque<Sale>,
    pub(super) orders: BTreeMap<String, Order>,
    pub(super) deposits: VecDeque<Deposit>,
    pub(super) codes: Vec<ShopQr>,
}

impl Shop {
    fn push(&mut self, sale: Sale) {
        if self.sales.len() >= MOST_ROWS {
            self.sales.pop_front();
        }
        self.sales.push_back(sale);
    }

    pub(super) fn sale(&mut self, id: u64) -> Option<&mut Sale> {
        self.sales.iter_mut().rev().find(|sale| sale.id == id)
    }

    /// Sets the flag on the order's payment, where the sale came by a link.
    fn flag_order(&mut self, payment_id: u64) {
        let mut payments = self.orders.values_mut().flat_map(|order| order.payments.iter_mut());
        if let Some(payment) = payments.find(|payment| payment.id == payment_id) {
            payment.is_refunded = true;
        }
    }
}

impl World {
    /// A card was charged; returns the movement's `_id`.
    pub fn sipago_sale(&self, amount: Money) -> u64 {
        self.sipago_sale_with(amount, |_| ())
    }

    /// A card was charged; `shape` may change the row before anybody sees it.
    pub fn sipago_sale_with(&self, amount: Money, shape: impl FnOnce(&mut Sale)) -> u64 {
        let mut sale = self.draw_sale(amount);
        let id = sale.id;
        shape(&mut sale);
        sale.id = id;
        self.in_shop(|shop, truth| {
            if let Some(kind) = told_by(&sale) {
                truth.enter(self.of_sale(&sale, kind, sale.id.to_string()));
            }
            shop.push(sale);
        });
        id
    }

    /// The whole sale went back, shown by `shown`. Call it again to show the other sign later: that is no second refund.
    /// `true` when this is news; `false` when there is no such sale or its money went back already.
    pub fn sipago_refund(&self, id: u64, shown: RefundShown) -> bool {
        let fresh = self.draw_sale(Money::from_cents(0));
        self.in_shop(|shop, truth| {
            let Some(sale) = shop.sale(id) else { return false };
            let flagged = sale.has_refund;
            if matches!(shown, RefundShown::Flag | RefundShown::Both) {
                sale.has_refund = true;
            }
            let model = sale.clone();
            if model.has_refund {
                shop.flag_order(model.payment_id);
            }
            let undoes = |other: &Sale| other.sale_id == model.sale_id && other.kind == SaleKind::Refund;
            let has_row = shop.sales.iter().any(undoes);
            if matches!(shown, RefundShown::Row | RefundShown::Both) && !has_row {
                shop.push(undoing(&model, &fresh, SaleKind::Refund, model.amount));
            }
            let news = !flagged && !has_row;
            if news {
                truth.enter(self.of_sale(&model, FactKind::Refunded, model.payment_id.to_string()));
            }
            news
        })
    }

    /// A part of the sale went back, in a row of its own. Each call is one more refund. `None` when there is no such sale.
    pub fn sipago_refund_part(&self, id: u64, amount: Money) -> Option<u64> {
        let row = self.draw_sale(amount);
        self.in_shop(|shop, truth| {
            let model = shop.sale(id)?.clone();
            let part = undoing(&model, &row, SaleKind::Refund, amount);
            truth.enter(self.of_sale(&part, FactKind::Refunded, part.id.to_string()));
            let number = part.id;
            shop.push(part);
            Some(number)
        })
    }

    /// The sale was annulled: `canceled` and `payment.canceled`. `false` when there is none or it is annulled already.
    pub fn sipago_void(&self, id: u64) -> bool {
        self.in_shop(|shop, truth| {
            let Some(sale) = shop.sale(id).filter(|sale| !sale.canceled) else { return false };
            sale.canceled = true;
            sale.payment_canceled = true;
            let happening = self.of_sale(sale, FactKind::Voided, sale.payment_id.to_string());
            truth.enter(happening);
            true
        })
    }

    /// The row vanishes from the listing.
    pub fn sipago_hide(&self, id: u64) -> bool {
        self.sipago_edit(id, |sale| sale.hidden = true)
    }

    /// It comes back.
    pub fn sipago_show(&self, id: u64) -> bool {
        self.sipago_edit(id, |sale| sale.hidden = false)
    }

    /// The row bears another date.
    pub fn sipago_back_date(&self, id: u64, at: DateTime) -> bool {
        self.sipago_edit(id, |sale| sale.at = at)
    }

    /// Bends a row at will, without a fact. `false` when there is no such row.
    pub fn sipago_edit(&self, id: u64, change: impl FnOnce(&mut Sale)) -> bool {
        self.in_shop(|shop, _| match shop.sale(id) {
            Some(sale) => {
                change(sale);
                sale.id = id;
                true
            }
            None => false,
        })
    }

    /// A movement as it stands.
    pub fn sipago_movement(&self, id: u64) -> Option<Sale> {
        self.in_shop(|shop, _| shop.sale(id).map(|sale| sale.clone()))
    }

    /// What is listed between two days, both included, newest first.
    pub fn sipago_listing(&self, from: Date, to: Date) -> Vec<Sale> {
        self.listed(|sale| (from..=to).contains(&sale.at.date()))
    }

    /// What bears this authorisation code, newest first.
    pub fn sipago_by_code(&self, code: &str) -> Vec<Sale> {
        self.listed(|sale| sale.authorization == code)
    }

    fn listed(&self, wanted: impl Fn(&Sale) -> bool) -> Vec<Sale> {
        let mut rows: Vec<Sale> =
            self.in_shop(|shop, _| shop.sales.iter().filter(|sale| !sale.hidden && wanted(sale)).cloned().collect());
        rows.sort_by_key(|sale| std::cmp::Reverse((sale.at, sale.id)));
        rows
    }

    /// A sale with fresh numbers, listed nowhere yet.
    pub(super) fn draw_sale(&self, amount: Money) -> Sale {
        let at = self.wall_clock();
        self.with(|state| {
            let number = state.number();
            let buyer = Person::draw(&mut state.rng);
            let [visa, master, cabal] = BRANDS;
            let mut card = state.rng.choice([visa, master, cabal]).unwrap_or(BRANDS[0].clone());
            card.last4 = format!("{:04}", state.rng.u32(0..10_000));
            Sale {
                id: 48_000_000 + number,
                at,
                amount,
                kind: SaleKind::Sale,
                sale_id: 5_200_000 + number,
                payment_id: 7_100_000 + number,
                operation_id: 9_300_000 + number,
                authorization: format!("{:06}", state.rng.u32(0..1_000_000)),
                card,
                buyer,
                has_refund: false,
                payment_canceled: false,
                canceled: false,
                hidden: false,
            }
        })
    }

    fn of_sale(&self, sale: &Sale, kind: FactKind, identity: String) -> Happening {
        Happening {
            at: self.now(),
            upstream: Upstream::Sipago,
            source: SourceKind::Movements,
            merchant: self.merchant.api_key.as_ref().to_owned(),
            kind,
            identity,
            amount: sale.amount,
        }
    }

    /// Lists a sale and enters its credit.
    pub(super) fn enter_sale(&self, shop: &mut Shop, truth: &mut truth::Book, sale: Sale) {
        truth.enter(self.of_sale(&sale, FactKind::Credited, sale.id.to_string()));
        shop.push(sale);
    }
}

/// The row that undoes `model`: numbers of its own from `fresh`, everything else of the sale.
fn undoing(model: &Sale, fresh: &Sale, kind: SaleKind, amount: Money) -> Sale {
    Sale {
        id: fresh.id,
        at: fresh.at,
        operation_id: fresh.operation_id,
        payment_id: fresh.payment_id,
        authorization: fresh.authorization.clone(),
        kind,
        amount,
        has_refund: false,
        payment_canceled: false,
        canceled: false,
        // That the sale is out of sight does not hide what undoes it.
        hidden: false,
        ..model.clone()
    }
}

/// The fact that a new row tells of.
fn told_by(sale: &Sale) -> Option<FactKind> {
    match sale.kind {
        SaleKind::Sale => Some(FactKind::Credited),
        SaleKind::Refund => Some(FactKind::Refunded),
        SaleKind::Void => Some(FactKind::Voided),
        SaleKind::Other(_) => None,
    }
}

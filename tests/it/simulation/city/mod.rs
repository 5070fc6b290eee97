//! What happens at both upstreams, drawn from the seed, and what must be told of it.

mod sight;

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use jiff::civil::{Date, DateTime};
use jiff::{SignedDuration, ToSpan as _};
use pregonero::domain::money::Money;
use pregonero::sandbox::world::{Cashin, RefundShown, RowId, Status, Via, World};

use super::trace::Trace;

/// How many cash-ins are watched before they happen.
pub(super) const CASHINS: u64 = 3;
/// How many links are watched.
const LINKS: usize = 3;

/// A transaction of the wallet, as far as the city remembers it.
#[derive(Clone, Debug)]
struct Transfer {
    id: RowId,
    cents: i64,
    state: &'static str,
    born_pending: bool,
    /// Others look just like it.
    twin: bool,
}

/// A card sale.
#[derive(Clone, Debug)]
struct Sold {
    id: u64,
    cents: i64,
    /// How its refund is shown: one way for each sale.
    refund: Option<RefundShown>,
    parts: u32,
    by_link: bool,
    /// Its refund was shown by a row of its own, and by a flag.
    shown: (bool, bool),
}

/// A fact that stood there before anybody looked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Old {
    pub(super) account: &'static str,
    pub(super) cents: i64,
    pub(super) day: Date,
}

/// The city: two upstreams, their customers, and a good memory.
pub(super) struct City {
    pub(super) world: World,
    trace: Trace,
    rng: Rng,
    next_cents: i64,
    transfers: Vec<Transfer>,
    sales: Vec<Sold>,
    pub(super) links: Vec<String>,
    hidden: Vec<(RowId, u64)>,
    /// Amounts of transfers that were ever out of sight.
    vanished: BTreeSet<i64>,
    cashins: u64,
    /// The farthest that a row is back-dated, in hours.
    depth: i64,
    pub(super) history: Vec<Old>,
    /// Amounts of rows of which nothing need be told: they vanished for good.
    lost: BTreeSet<i64>,
    /// Local time that stands in the row of an amount.
    printed: BTreeMap<i64, DateTime>,
}

const CENTRO: &str = "centro";
const PALERMO: &str = "palermo";

impl City {
    /// A city with some history and some open links. `lookback` in days.
    pub(super) fn found(world: World, trace: Trace, mut rng: Rng, lookback: u32) -> Self {
        let depth = (i64::from(lookback) - 8) * 24;
        let (rows, sales) = (rng.u32(0..20), rng.u32(0..20));
        let mut city = Self {
            world,
            trace,
            rng,
            next_cents: 100_001,
            transfers: Vec::new(),
            sales: Vec::new(),
            links: Vec::new(),
            hidden: Vec::new(),
            vanished: BTreeSet::new(),
            cashins: 0,
            depth,
            history: Vec::new(),
            lost: BTreeSet::new(),
            printed: BTreeMap::new(),
        };
        for _ in 0..rows {
            let hours = city.rng.i64(0..depth);
            let cents = city.transfer(Status::APPROVED, -hours * 60);
            city.remember(CENTRO, cents);
        }
        for _ in 0..sales {
            let hours = city.rng.i64(0..depth);
            let cents = city.sell(-hours * 60);
            city.remember(PALERMO, cents);
        }
        for n in 0..LINKS {
            let minutes = if n == 0 { city.rng.u32(15..50) } else { 60 * 24 * 30 };
            let (cents, limit) = (city.amount(), city.rng.u32(1..5));
            let link = city.world.order_create_with(Money::from_cents(cents), |order| {
                order.payment_limits = limit;
                order.expire_limit_minutes = minutes;
            });
            city.links.push(link);
        }
        city
    }

    pub(super) fn cashin_ids() -> Vec<u64> {
        (0..CASHINS).map(|n| Cashin::FIRST + n).collect()
    }

    fn remember(&mut self, account: &'static str, cents: i64) {
        let day = self.printed[&cents].date();
        self.history.push(Old { account, cents, day });
    }

    /// An amount that nothing else has.
    fn amount(&mut self) -> i64 {
        self.next_cents += 37;
        self.next_cents
    }

    fn shifted(&self, minutes: i64) -> DateTime {
        self.world.wall_clock().saturating_add(SignedDuration::from_mins(minutes))
    }

    fn transfer(&mut self, state: &'static str, minutes: i64) -> i64 {
        let (cents, at) = (self.amount(), self.shifted(minutes));
        let id = self.world.telepagos_credit_with(Money::from_cents(cents), |row| {
            row.at = at;
            state.clone_into(&mut row.status);
        });
        self.printed.insert(cents, at);
        self.transfers.push(Transfer { id, cents, state, born_pending: state == Status::PENDING, twin: false });
        cents
    }

    fn sell(&mut self, minutes: i64) -> i64 {
        let (cents, at) = (self.amount(), self.shifted(minutes));
        let id = self.world.sipago_sale_with(Money::from_cents(cents), |sale| sale.at = at);
        self.printed.insert(cents, at);
        self.sales.push(Sold { id, cents, refund: None, parts: 0, by_link: false, shown: (false, false) });
        cents
    }

    /// Something happens; now and then many things at once.
    pub(super) fn happen(&mut self) {
        let times = if self.rng.u32(0..12) == 0 { self.rng.u32(3..12) } else { 1 };
        for _ in 0..times {
            let kind = self.rng.u32(0..100);
            self.trace.say(format_args!("city: happening {kind}"));
            let before = self.world.truth().len();
            match kind {
                0..50 => self.at_telepagos(kind),
                _ => self.at_sipago(kind - 50),
            }
            for news in self.world.truth().iter().skip(before) {
                let (kind, id, amount) = (news.kind.as_str(), &news.identity, news.amount.cents());
                self.trace.say(format_args!("city: {} {kind} {id} {amount}", news.source));
            }
        }
    }

    fn at_telepagos(&mut self, kind: u32) {
        match kind {
            0..12 => drop(self.transfer(Status::APPROVED, 0)),
            12..16 => drop(self.transfer(Status::PENDING, 0)),
            16..21 => self.decide(),
            21..26 => self.twin(),
            26 => {
                let (cents, at) = (self.amount(), self.shifted(0));
                self.world.telepagos_debit(Money::from_cents(cents));
                self.printed.insert(cents, at);
            }
            27..30 => self.reverse(),
            30..33 => {
                if let Some(index) = self.any_transfer(|transfer| transfer.state == Status::APPROVED) {
                    self.world.telepagos_refund(self.transfers[index].id);
                }
            }
            33..37 => {
                let hours = self.rng.i64(1..self.depth);
                self.transfer(Status::APPROVED, -hours * 60);
            }
            37..39 => {
                let minutes = self.rng.i64(1..20 * 60);
                self.transfer(Status::APPROVED, minutes);
            }
            39..42 => self.hide_transfer(),
            42..44 => {
                if let Some(index) = self.any_transfer(|transfer| !transfer.twin) {
                    let name = format!("Nombre {}", self.rng.u32(0..9));
                    self.world.telepagos_amend_holder(self.transfers[index].id, &name);
                }
            }
            44..47 => self.cash_in(),
            47 => drop(self.transfer("Estado-17", 0)),
            48 => drop(self.transfer(Status::REJECTED, 0)),
            _ => self.fill_in(),
        }
    }

    fn at_sipago(&mut self, kind: u32) {
        match kind {
            0..16 => drop(self.sell(0)),
            16..24 => self.refund(),
            24..26 => self.refund_part(),
            26..29 => {
                if let Some(index) = self.any_sale(|_| true) {
                    self.world.sipago_void(self.sales[index].id);
                }
            }
            29..32 => self.hide_sale(),
            32..35 => {
                let hours = self.rng.i64(1..self.depth);
                self.sell(-hours * 60);
            }
            35..37 => {
                let minutes = self.rng.i64(1..20 * 60);
                self.sell(minutes);
            }
            _ => self.at_link(kind),
        }
    }

    fn at_link(&mut self, kind: u32) {
        let link = self.rng.choice(&self.links).unwrap().clone();
        match kind {
            37..44 => {
                let Some(payment) = self.world.order_pay(&link) else { return };
                let order = self.world.order(&link).unwrap();
                let id = order.payments.iter().find(|one| one.id == payment).and_then(|one| one.movement).unwrap();
                self.sales.push(Sold {
                    id,
                    cents: order.amount.cents(),
                    refund: None,
                    parts: 0,
                    by_link: true,
                    shown: (false, false),
                });
            }
            44..46 => drop(self.world.order_deny(&link)),
            46..48 => drop(self.world.order_refund(&link)),
            48 => drop(self.world.order_fail(&link)),
            _ => drop(self.world.order_expire(&link)),
        }
    }

    fn any_transfer(&mut self, wanted: impl Fn(&Transfer) -> bool) -> Option<usize> {
        let fitting: Vec<usize> = (0..self.transfers.len()).filter(|index| wanted(&self.transfers[*index])).collect();
        self.rng.choice(fitting)
    }

    fn any_sale(&mut self, wanted: impl Fn(&Sold) -> bool) -> Option<usize> {
        let fitting: Vec<usize> = (0..self.sales.len()).filter(|index| wanted(&self.sales[*index])).collect();
        self.rng.choice(fitting)
    }

    fn decide(&mut self) {
        let Some(index) = self.any_transfer(|transfer| transfer.state == Status::PENDING) else { return };
        // Of two that look alike nobody can say which of them was refused.
        let refused = !self.transfers[index].twin && self.rng.u32(0..3) == 0;
        self.set(index, if refused { Status::REJECTED } else { Status::APPROVED });
    }

    fn set(&mut self, index: usize, state: &'static str) {
        let transfer = &mut self.transfers[index];
        transfer.state = state;
        self.world.telepagos_set_status(transfer.id, state);
    }

    fn twin(&mut self) {
        let alive = |transfer: &Transfer| [Status::APPROVED, Status::PENDING].contains(&transfer.state);
        let Some(index) = self.any_transfer(alive) else { return };
        let Some(id) = self.world.telepagos_twin(self.transfers[index].id) else { return };
        self.transfers[index].twin = true;
        let model = self.transfers[index].clone();
        self.transfers.push(Transfer { id, born_pending: model.state == Status::PENDING, ..model });
    }

    fn reverse(&mut self) {
        if let Some(index) = self.any_transfer(|transfer| transfer.state == Status::APPROVED) {
            self.set(index, Status::REVERSED);
        }
    }

    fn cash_in(&mut self) {
        if self.cashins >= CASHINS {
            return;
        }
        self.cashins += 1;
        let (cents, at) = (self.amount(), self.shifted(0));
        let via = *self.rng.choice(&[Via::Link, Via::Qr, Via::Plain]).unwrap();
        self.world.telepagos_cashin(via, Money::from_cents(cents));
        self.printed.insert(cents, at);
    }

    /// A row comes without its payer, who is filled in later.
    fn fill_in(&mut self) {
        let cents = self.transfer(Status::APPROVED, 0);
        let id = self.transfers.last().unwrap().id;
        let whole = self.world.telepagos_transaction(id).unwrap();
        if self.rng.bool() {
            self.world.telepagos_edit(id, |row| {
                row.cuit.clear();
                row.cvu_cbu.clear();
            });
            self.lost.remove(&cents);
            self.transfers.last_mut().unwrap().twin = false;
        } else if let Some(index) = self.any_transfer(|transfer| !transfer.twin) {
            let id = self.transfers[index].id;
            self.world.telepagos_edit(id, |row| {
                if row.cuit.is_empty() {
                    row.cuit = whole.cuit;
                    row.cvu_cbu = whole.cvu_cbu;
                }
            });
        }
    }

    fn refund(&mut self) {
        let Some(index) = self.any_sale(|sale| sale.parts == 0) else { return };
        let shown = *self.rng.choice(&[RefundShown::Flag, RefundShown::Row, RefundShown::Both]).unwrap();
        let sale = &mut self.sales[index];
        sale.refund = Some(shown);
        sale.shown.0 |= shown != RefundShown::Flag;
        sale.shown.1 |= shown != RefundShown::Row;
        self.trace.say(format_args!("city: refund {:?} {shown:?}", self.sales[index]));
        self.world.sipago_refund(self.sales[index].id, shown);
    }

    fn refund_part(&mut self) {
        let Some(index) = self.any_sale(|sale| sale.refund.is_none() && !sale.by_link) else { return };
        self.sales[index].parts += 1;
        let cents = self.amount();
        self.world.sipago_refund_part(self.sales[index].id, Money::from_cents(cents));
    }

    /// Whether nothing need be told of this amount.
    pub(super) fn is_lost(&self, cents: i64) -> bool {
        self.lost.contains(&cents)
    }

    /// How many refunds of this amount were shown by the order and by a row that knows the sale only: who never saw the
    /// sale itself cannot know that they are one.
    pub(super) fn shown_apart(&self, cents: i64) -> usize {
        let apart = |sale: &&Sold| sale.cents == cents && sale.by_link && sale.shown == (true, true);
        self.sales.iter().filter(apart).count()
    }

    /// How many rows of this amount were pending and are no more: their pending state may have passed unseen.
    pub(super) fn decided(&self, cents: i64) -> usize {
        let gone = |one: &&Transfer| one.cents == cents && one.born_pending && one.state != Status::PENDING;
        self.transfers.iter().filter(gone).count()
    }

    /// The time that a row of this amount bears.
    pub(super) fn printed(&self, cents: i64) -> Option<DateTime> {
        self.printed.get(&cents).copied()
    }

    /// The local day after next: rows of that day are not listed yet.
    pub(super) fn horizon(&self) -> Date {
        self.world.wall_clock().date().saturating_add(2.days())
    }
}

//! A plausible day: payments, twins, refunds, voids, links and late rows, drawn from the world's seed.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::ToSpan as _;

use super::{RefundShown, RowId, Status, Via, World};
use crate::domain::money::Money;

/// The most happenings of one call, so that a clock that jumps floods nobody.
const MOST_AT_ONCE: u32 = 1_000;

/// How many of its own rows the generator remembers to come back to.
const RECENT: usize = 64;

/// How many links stand open for everybody to pay, so that a demo can watch them from its start.
const STANDING_LINKS: usize = 3;

/// What the generator remembers between two calls.
#[derive(Default)]
pub(super) struct Life {
    /// Time that was lived but has not brought a happening yet.
    owed: Duration,
    pending: VecDeque<RowId>,
    rows: VecDeque<RowId>,
    sales: VecDeque<u64>,
    links: Vec<String>,
}

impl World {
    /// Lets `elapsed` of life pass: one happening per [`super::Settings::pace`]. Returns how many there were.
    pub fn live(&self, elapsed: Duration) -> u32 {
        let due = self.with(|state| {
            let pace = state.settings.pace.max(Duration::from_millis(1));
            state.life.owed = state.life.owed.saturating_add(elapsed);
            let mut due = 0;
            while state.life.owed >= pace && due < MOST_AT_ONCE {
                state.life.owed = state.life.owed.saturating_sub(pace);
                due += 1;
            }
            if due == MOST_AT_ONCE {
                state.life.owed = Duration::ZERO;
            }
            due
        });
        for _ in 0..due {
            self.happen();
        }
        due
    }

    /// The links that stay open and take many payments: a demo watches them, [`World::live`] pays them.
    pub fn standing_links(&self) -> Vec<String> {
        let known = self.with(|state| state.life.links.clone());
        if !known.is_empty() {
            return known;
        }
        let links: Vec<String> = (0..STANDING_LINKS)
            .map(|_| {
                let amount = self.draw_amount();
                self.order_create_with(amount, |order| {
                    order.payment_limits = 1_000;
                    order.expire_limit_minutes = 30 * 24 * 60;
                })
            })
            .collect();
        self.with(|state| state.life.links.clone_from(&links));
        links
    }

    fn happen(&self) {
        let weights = self.with(|state| state.rng.u32(0..100));
        match weights {
            0..34 => self.remember_row(self.telepagos_credit(self.draw_amount())),
            34..38 => self.twin(),
            38..43 => {
                let row = self.telepagos_pending(self.draw_amount());
                self.with(|state| push(&mut state.life.pending, row));
            }
            43..48 => self.decide(),
            48..51 => {
                self.telepagos_debit(self.draw_amount());
            }
            51..54 => self.refund_transfer(),
            54..57 => self.late_row(),
            57..62 => {
                let via = if weights < 60 { Via::Link } else { Via::Qr };
                self.telepagos_cashin(via, self.draw_amount());
            }
            62..64 => self.amend(),
            64..86 => {
                let sale = self.sipago_sale(self.draw_amount());
                self.with(|state| push(&mut state.life.sales, sale));
            }
            86..90 => self.refund_sale(),
            90..92 => {
                if let Some(sale) = self.with(|state| state.life.sales.pop_front()) {
                    self.sipago_void(sale);
                }
            }
            _ => self.link(weights),
        }
    }

    fn twin(&self) {
        let last = self.with(|state| state.life.rows.back().copied());
        if let Some(row) = last.and_then(|row| self.telepagos_twin(row)) {
            self.remember_row(row);
        }
    }

    fn decide(&self) {
        let (row, refused) = self.with(|state| (state.life.pending.pop_front(), state.rng.u32(0..4) == 0));
        if let Some(row) = row {
            self.telepagos_set_status(row, if refused { Status::REJECTED } else { Status::APPROVED });
        }
    }

    fn refund_transfer(&self) {
        let (row, turned) = self.with(|state| (state.life.rows.pop_front(), state.rng.bool()));
        let Some(row) = row else { return };
        if turned {
            self.telepagos_set_status(row, Status::REVERSED);
        } else {
            self.telepagos_refund(row);
        }
    }

    fn late_row(&self) {
        let hours = self.with(|state| state.rng.i64(2..30));
        self.telepagos_credit_with(self.draw_amount(), |row| row.at = row.at.saturating_sub(hours.hours()));
    }

    fn amend(&self) {
        let Some(row) = self.with(|state| state.life.rows.back().copied()) else { return };
        if let Some(known) = self.telepagos_transaction(row) {
            self.telepagos_amend_holder(row, &known.holder.to_uppercase());
        }
    }

    fn refund_sale(&self) {
        let (sale, how) = self.with(|state| (state.life.sales.pop_front(), state.rng.u32(0..3)));
        let Some(sale) = sale else { return };
        let shown = match how {
            0 => RefundShown::Flag,
            1 => RefundShown::Row,
            _ => RefundShown::Both,
        };
        self.sipago_refund(sale, shown);
    }

    /// Pays, denies or refunds a standing link; now and then makes one of a short life.
    fn link(&self, weight: u32) {
        let links = self.standing_links();
        let Some(link) = self.with(|state| state.rng.choice(&links).cloned()) else { return };
        match weight {
            92..97 => {
                self.order_pay(&link);
            }
            97 => {
                self.order_deny(&link);
            }
            98 => {
                self.order_refund(&link);
            }
            _ => {
                self.order_create_with(self.draw_amount(), |order| order.expire_limit_minutes = 1);
            }
        }
    }

    /// Mostly round amounts, some with cents, a few large.
    fn draw_amount(&self) -> Money {
        self.with(|state| {
            let cents = match state.rng.u32(0..10) {
                0 => state.rng.i64(10_000_000..150_000_000),
                1..4 => state.rng.i64(50_000..8_000_000),
                _ => state.rng.i64(5..800) * 10_000,
            };
            Money::from_cents(cents)
        })
    }

    fn remember_row(&self, row: RowId) {
        self.with(|state| push(&mut state.life.rows, row));
    }
}

fn push<T>(queue: &mut VecDeque<T>, item: T) {
    if queue.len() >= RECENT {
        queue.pop_front();
    }
    queue.push_back(item);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use super::*;
    use crate::clock::TokioClock;
    use crate::domain::fact::FactKind;

    fn world(seed: u64) -> World {
        World::new(Arc::new(TokioClock::starting_at("2026-11-21T17:00:00Z".parse().unwrap(), 1)), seed)
    }

    #[tokio::test(start_paused = true)]
    async fn one_seed_lives_one_life() {
        let (one, same, other) = (world(1), world(1), world(2));
        for world in [&one, &same, &other] {
            assert_eq!(world.live(Duration::from_secs(300)), 300);
        }
        assert_eq!(one.truth(), same.truth());
        assert_ne!(one.truth(), other.truth());
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_life_has_something_of_everything() {
        let world = world(5);
        for _ in 0..4 {
            world.live(Duration::from_secs(900));
        }
        let kinds: BTreeSet<&str> = world.truth().iter().map(|happening| happening.kind.as_str()).collect();
        for kind in [
            FactKind::Pending,
            FactKind::Credited,
            FactKind::Rejected,
            FactKind::LinkPaid,
            FactKind::QrPaid,
            FactKind::Refunded,
            FactKind::Voided,
            FactKind::Debited,
        ] {
            assert!(kinds.contains(kind.as_str()), "{}", kind.as_str());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_jumps_floods_nobody() {
        let world = world(1);
        assert_eq!(world.live(Duration::MAX), MOST_AT_ONCE);
        assert_eq!(world.live(Duration::ZERO), 0);
    }
}

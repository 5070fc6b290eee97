//! Sales, refunds, voids and paid links from a seed, each of an amount of its own, so that facts can be told apart.

use pregonero::domain::money::Money;
use pregonero::sandbox::World;
use pregonero::sandbox::world::{RefundShown, RowId, Status};

/// Makes things happen in a world. Nothing of it depends on when the daemon looks: whatever it missed can be seen later.
pub(crate) struct Load {
    world: World,
    pub(crate) rng: fastrand::Rng,
    amount: i64,
    credits: Vec<RowId>,
    sales: Vec<u64>,
    link: String,
}

impl Load {
    /// A load whose link is to be watched.
    pub(crate) fn new(world: &World, seed: u64) -> Self {
        let link = world.order_create_with(Money::from_cents(77_700), |order| order.payment_limits = 100_000);
        let rng = fastrand::Rng::with_seed(seed);
        Self { world: world.clone(), rng, amount: 1_000, credits: Vec::new(), sales: Vec::new(), link }
    }

    /// Further lines of `[[sipago]]` that watch the link.
    pub(crate) fn watch(&self) -> String {
        format!("watch = {{ links = [\"{}\"] }}", self.link)
    }

    /// Lets that many things happen.
    pub(crate) fn strike(&mut self, times: usize) {
        for _ in 0..times {
            self.happen();
        }
    }

    fn happen(&mut self) {
        self.amount += 1;
        let amount = Money::from_cents(self.amount * 100);
        let world = &self.world;
        match self.rng.u32(0..100) {
            0..35 => self.credits.push(world.telepagos_credit(amount)),
            35..45 => {
                let credit = world.telepagos_credit(amount);
                world.telepagos_twin(credit).unwrap();
                self.credits.push(credit);
            }
            45..50 => {
                world.telepagos_debit(amount);
            }
            50..60 => {
                if let Some(credit) = self.credits.pop() {
                    if self.rng.bool() {
                        world.telepagos_refund(credit).unwrap();
                    } else {
                        assert!(world.telepagos_set_status(credit, Status::REVERSED));
                    }
                }
            }
            60..80 => self.sales.push(world.sipago_sale(amount)),
            80..88 => {
                if let Some(sale) = self.sales.pop() {
                    let shown = [RefundShown::Flag, RefundShown::Row, RefundShown::Both];
                    assert!(world.sipago_refund(sale, *self.rng.choice(&shown).unwrap()));
                }
            }
            88..92 => {
                if let Some(sale) = self.sales.pop() {
                    assert!(world.sipago_void(sale));
                }
            }
            _ => {
                world.order_pay(&self.link).unwrap();
            }
        }
    }
}

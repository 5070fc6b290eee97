//! What is out of sight: rows that vanish and come back, or never do, and rows that no poll is shown.

use pregonero::sandbox::world::{RowId, Status};

use super::{City, Transfer};
use crate::simulation::nights::{Gap, Unseen};

impl City {
    /// A row vanishes, or one that vanished comes back.
    pub(super) fn hide_transfer(&mut self) {
        if let Some((row, _)) = self.hidden.pop().filter(|(row, _)| row.0 != 0) {
            self.world.telepagos_show(row);
        } else if let Some(index) = self.any_transfer(|_| true) {
            let Transfer { id, cents, .. } = self.transfers[index];
            self.vanished.insert(cents);
            self.world.telepagos_hide(id);
            self.hidden.push((id, 0));
        }
        self.show_stray();
    }

    pub(super) fn hide_sale(&mut self) {
        if let Some(index) = self.any_sale(|sale| !sale.by_link) {
            let id = self.sales[index].id;
            self.world.sipago_hide(id);
            self.hidden.push((RowId(0), id));
        }
        if self.rng.bool() {
            self.show_stray();
        }
    }

    fn show_stray(&mut self) {
        if self.hidden.len() > 2 {
            let (row, sale) = self.hidden.remove(0);
            self.world.telepagos_show(row);
            self.world.sipago_show(sale);
        }
    }

    /// What is out of sight comes back; now and then something never does.
    pub(in crate::simulation) fn show_all(&mut self) {
        let all = std::mem::take(&mut self.hidden);
        for transfer in &self.transfers {
            self.world.telepagos_show(transfer.id);
        }
        for sale in &self.sales {
            self.world.sipago_show(sale.id);
        }
        for (row, sale) in all.into_iter().filter(|_| self.rng.u32(0..8) == 0) {
            let transfer = self.transfers.iter().find(|transfer| transfer.id == row);
            let sold = self.sales.iter().find(|sold| sold.id == sale);
            self.lost.extend(transfer.map(|transfer| transfer.cents).into_iter().chain(sold.map(|sold| sold.cents)));
            self.world.telepagos_hide(row);
            self.world.sipago_hide(sale);
        }
    }

    /// How many transfers of this amount there are, if one of them was ever out of sight.
    pub(in crate::simulation) fn twins_of_vanished(&self, cents: i64) -> usize {
        let twins = self.transfers.iter().filter(|transfer| transfer.cents == cents).count();
        if self.vanished.contains(&cents) && twins > 1 { twins } else { 0 }
    }

    /// Something happens that no poll is shown.
    pub(in crate::simulation) fn happen_unseen(&mut self, gap: &Gap) {
        let (unseen, cents) = if self.rng.bool() {
            let cents = self.transfer(Status::APPROVED, 0);
            (Unseen::Transfer(self.transfers.pop().unwrap().id), cents)
        } else {
            let cents = self.sell(0);
            (Unseen::Sale(self.sales.pop().unwrap().id), cents)
        };
        self.trace.say(format_args!("city: unseen {unseen:?} {cents}"));
        gap.take(unseen);
    }
}

//! The operations on what a merchant asks to be paid by, and on what is paid out.

use serde::Deserialize;

use super::op::{Pesos, WallClock};
use super::{Done, found, with};
use crate::sandbox::world::World;

#[derive(Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Trade {
    Link { amount: Pesos, multiple_use: Option<bool>, expires: Option<WallClock> },
    LinkPay { link: u64 },
    QrOrder { amount: Pesos, sale_point: Option<u64> },
    QrPay { order: u64 },
    SalePoint { name: String },
    SalePointDelete { sale_point: u64 },
    Deposit { amount: Pesos },
    DepositPay { deposit: String },
    Qr { amount: Option<Pesos> },
    CodePay { qr: u64, amount: Option<Pesos> },
}

impl Trade {
    /// The names of all of them.
    pub(super) const NAMES: [&str; 10] = [
        "link",
        "link_pay",
        "qr_order",
        "qr_pay",
        "sale_point",
        "sale_point_delete",
        "deposit",
        "deposit_pay",
        "qr",
        "code_pay",
    ];

    /// Does it.
    pub(super) fn run(self, world: &World) -> Done {
        match self {
            Self::Link { amount, multiple_use, expires } => {
                let id = world.telepagos_link(amount.0, |link| {
                    link.multiple_use = multiple_use.unwrap_or(link.multiple_use);
                    link.expires = expires.map_or(link.expires, |expires| expires.0);
                });
                with("link", id)
            }
            Self::LinkPay { link } => made("id", world.telepagos_link_pay(link), "link"),
            Self::QrOrder { amount, sale_point } => {
                made("order", world.telepagos_qr_order(amount.0, "VAR", "", sale_point), "sale point")
            }
            Self::QrPay { order } => made("id", world.telepagos_qr_pay(order), "order"),
            Self::SalePoint { name } => with("sale_point", world.telepagos_sale_point(&name)),
            Self::SalePointDelete { sale_point } => found(world.telepagos_sale_point_delete(sale_point), "sale point"),
            Self::Deposit { amount } => with("deposit", world.sipago_deposit(amount.0)),
            Self::DepositPay { deposit } => found(world.sipago_deposit_pay(&deposit), "deposit"),
            Self::Qr { amount } => with("qr", world.sipago_qr(amount.map(|amount| amount.0)).id),
            Self::CodePay { qr, amount } => {
                made("movement", world.sipago_qr_pay(qr, amount.map(|amount| amount.0)), "QR code")
            }
        }
    }
}

fn made(name: &str, id: Option<u64>, what: &str) -> Done {
    id.map_or_else(|| found(false, what), |id| with(name, id))
}

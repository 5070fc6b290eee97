//! Sale points, their printed QR codes, and orders that wait there.

use serde_json::json;

use super::charge::{Charge, PERHAPS_MADE};
use super::{Desk, Whose, text, told};
use crate::app::telepagos_calls::{SalePoint, StaticAmount, StaticOrderRequest};
use crate::cli::given::{self, Output, PICTURES};

/// Sale points.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli) enum Verb {
    /// List sale points
    List(Whose),
    /// Make a sale point
    Create(Create),
    /// Remove a sale point
    Delete(super::read::ById),
}

impl Verb {
    pub(super) const fn whose(&self) -> &Whose {
        match self {
            Self::List(whose) => whose,
            Self::Create(args) => &args.whose,
            Self::Delete(args) => &args.whose,
        }
    }
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Create {
    /// Its name
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    whose: Whose,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct StaticQr {
    /// The sale point's number
    #[arg(value_name = "ID")]
    id: String,
    /// `open`: the payer types the amount; `closed`: it takes the amount of `telepagos order`
    #[arg(long = "type", value_name = "TYPE", value_parser = ["open", "closed"])]
    kind: String,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    pub(super) whose: Whose,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Order {
    /// The sale point's number
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    charge: Charge,
    /// What the payer reads
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    description: String,
    #[command(flatten)]
    pub(super) whose: Whose,
}

pub(super) async fn run(mut desk: Desk, verb: Verb) -> anyhow::Result<()> {
    let perhaps = "look at `telepagos sale-point list` before you repeat it";
    match verb {
        Verb::List(_) => {
            let points = desk.client.sale_points().await.map_err(|error| told(error, perhaps))?;
            let row = |one: &SalePoint| vec![text(one.id.as_ref()), text(one.name.as_ref()), text(one.status.as_ref())];
            desk.list(&points, &["SALE POINT", "NAME", "STATUS"], row, "there are no sale points")
        }
        Verb::Create(args) => {
            let id = desk.client.sale_point_create(&args.name).await.map_err(|error| told(error, perhaps))?;
            let row = vec![text(Some(&id)), args.name.trim().to_owned()];
            desk.show(&json!({ "id": id, "name": args.name.trim() }), &["SALE POINT", "NAME"], row)
        }
        Verb::Delete(args) => {
            desk.client.sale_point_delete(&args.id).await.map_err(|error| told(error, perhaps))?;
            let id = args.id.trim().to_owned();
            desk.show(
                &json!({ "id": id, "deleted": true }),
                &["SALE POINT", ""],
                vec![id.clone(), "deleted".to_owned()],
            )
        }
    }
}

pub(super) async fn static_qr(mut desk: Desk, args: StaticQr) -> anyhow::Result<()> {
    args.output.check(&PICTURES)?;
    let kind = if args.kind == "open" { StaticAmount::Open } else { StaticAmount::Closed };
    let code = desk.client.static_qr(&args.id, kind).await.map_err(|error| told(error, ""))?;
    if desk.json {
        desk.print(&code)?;
    }
    let quiet = desk.json;
    args.output.show(&mut desk.out, &code.qr_code, quiet)
}

pub(super) async fn order(mut desk: Desk, args: Order) -> anyhow::Result<()> {
    let amount = given::amount("--amount", &args.charge.amount)?;
    let (sale_point_id, concept) = (args.id, args.charge.concept);
    let request = StaticOrderRequest { sale_point_id, amount, concept, description: args.description };
    let order = desk.client.static_order(&request).await.map_err(|error| told(error, PERHAPS_MADE))?;
    let row = vec![text(Some(&order.qr_order_id))];
    desk.show(&order, &["QR ORDER"], row)
}

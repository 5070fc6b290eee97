//! `sipago link show` and `sipago link create`

use super::super::Usage;
use super::super::output::{Out, say};
use super::told::{failed, json};
use super::{Shared, client};
use crate::app::{Order, OrderLinkRequest};
use crate::cli::answered::{cell, money};
use crate::cli::given;
use crate::cli::made::{Follow, Made};
use crate::config::{Config, order_uuid};
use crate::domain::watch::WatchKind;

/// The longest description that Sipago takes.
const DESCRIPTION: usize = 255;

/// Show or make a payment link.
#[derive(Debug, clap::Subcommand)]
pub(in crate::cli) enum Verb {
    /// Show the order behind a link, and its payments
    Show(Show),
    /// Make a link; whoever has it can pay
    Create(Create),
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Show {
    /// The order's uuid, or the link that ends in it
    #[arg(value_name = "UUID_OR_URL")]
    id: String,
    /// Print undocumented fields too (JSON)
    #[arg(long, requires = "json")]
    full: bool,
    #[command(flatten)]
    shared: Shared,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Create {
    /// How much, in pesos: `1234.56` or `1.234,56`
    #[arg(long, value_name = "PESOS", allow_hyphen_values = true)]
    amount: String,
    /// What is sold
    #[arg(long, value_name = "TEXT")]
    description: String,
    #[command(flatten)]
    follow: Follow,
    #[command(flatten)]
    shared: Shared,
}

pub(super) async fn show(config: &Config, args: Show) -> anyhow::Result<()> {
    let account = args.shared.account(config)?;
    let Some(uuid) = order_uuid(&args.id) else {
        let text = &args.id;
        return Err(Usage(format!(
            "`{text}` holds no uuid, or several; write the order's uuid, or the link that ends in it"
        ))
        .into());
    };
    let order = client(config, account)?.link(&uuid).await.map_err(failed)?;
    let mut out = Out::new();
    if args.shared.json {
        return out.json(&json(&order, args.full)?);
    }
    out.table(&["ORDER", "STATUS", "AMOUNT", "PAYMENTS", "ITEMS", "LINK"], vec![row(&order)], "")?;
    let payments = order.payments.iter().map(|payment| {
        let refunded = if payment.is_refunded == Some(true) { "refunded" } else { "" };
        let [id, status, code] = [&payment.id, &payment.status, &payment.authorization_code];
        vec![cell(id.as_deref()), cell(status.as_deref()), cell(code.as_deref()), refunded.to_owned()]
    });
    out.line("")?;
    out.table(&["PAYMENT", "STATUS", "CODE", "STATE"], payments.collect(), "nobody has tried to pay it")
}

fn row(order: &Order) -> Vec<String> {
    let taken = order.payments.iter().filter(|payment| payment.status.as_deref() == Some("APPROVED")).count();
    let most = order.payment_limits.map(|most| format!(" of {most}")).unwrap_or_default();
    let items: Vec<&str> = order.items.iter().filter_map(|item| item.name.as_deref()).collect();
    vec![
        cell(order.uuid.as_deref()),
        cell(order.status.as_deref()),
        money(&order.amount),
        format!("{taken}{most}"),
        cell(Some(&items.join(", "))),
        cell(order.checkout.as_deref()),
    ]
}

pub(super) async fn create(config: &Config, args: Create) -> anyhow::Result<()> {
    let account = args.shared.account(config)?;
    let amount = given::amount("--amount", &args.amount)?;
    let length = args.description.trim().chars().count();
    if !(1..=DESCRIPTION).contains(&length) {
        return Err(Usage(format!("`--description` has {length} characters; write 1 to {DESCRIPTION}")).into());
    }
    let request = OrderLinkRequest { amount, description: args.description };
    let link = client(config, account)?.link_create(&request).await.map_err(failed)?;
    let mut out = Out::new();
    if args.shared.json {
        out.json(&json(&link, false)?)?;
    } else {
        // Only the link is data, so that it can be piped on.
        out.line(&cell(Some(&link.link)))?;
        if let Some(uuid) = &link.order_uuid {
            say(&format!("`pregonero sipago link show {uuid}` says whether it was paid"));
        }
    }
    let (kind, id, amount) = (WatchKind::Order, link.order_uuid, Some(request.amount));
    let made = Made { kind, id, amount, expires: None, reusable: false };
    args.follow.begin(config, &account.common.name, made).await
}

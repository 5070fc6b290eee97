//! `sipago qr`

use anyhow::Context as _;

use super::super::output::Out;
use super::told::{failed, json};
use super::{Shared, client};
use crate::app::SipagoQr as Code;
use crate::cli::given::{self, Output, PICTURES};
use crate::cli::made::{Follow, Made};
use crate::config::{Config, order_uuid};
use crate::domain::watch::WatchKind;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// How much, in pesos: `1234.56` or `1.234,56` [default: the payer types it]
    #[arg(long, value_name = "PESOS", allow_hyphen_values = true)]
    amount: Option<String>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    follow: Follow,
    #[command(flatten)]
    shared: Shared,
}

/// Draws it for a person; whoever reads a pipe gets the text that it holds.
pub(super) async fn run(config: &Config, args: Args) -> anyhow::Result<()> {
    let account = args.shared.account(config)?;
    let amount = args.amount.as_deref().map(|amount| given::amount("--amount", amount)).transpose()?;
    // Before anything is made: a QR that cannot be written would be lost.
    args.output.check(&PICTURES)?;
    let client = client(config, account)?;
    let code = match amount {
        Some(amount) => client.qr_create(amount).await,
        None => client.qr().await,
    };
    let code = code.map_err(failed)?;
    let shown = show(&args, &code);
    // Where the answer names an order, its state can be asked for; else the listing alone tells of the payment.
    let id = [&code.id, &code.hash].into_iter().flatten().find_map(|id| order_uuid(id));
    let (Some(_), Some(_)) = (amount, &id) else { return shown };
    let made = Made { kind: WatchKind::Order, id, amount, expires: None, reusable: false };
    let followed = args.follow.begin(config, &account.common.name, made).await;
    shown.and(followed)
}

fn show(args: &Args, code: &Code) -> anyhow::Result<()> {
    let text = code.qr_string.as_deref().context("Sipago's answer holds no text of a QR code")?;
    let mut out = Out::new();
    if args.shared.json {
        out.json(&json(code, false)?)?;
    }
    args.output.show(&mut out, text, args.shared.json)
}

//! `sipago qr`

use std::io::IsTerminal as _;
use std::path::PathBuf;

use anyhow::Context as _;

use super::super::output::{Out, say};
use super::super::qr::{self, Qr};
use super::told::{cell, failed, json};
use super::{Shared, chosen};
use crate::app::SipagoQr as Code;
use crate::cli::made::{Follow, Made};
use crate::config::{Config, order_uuid};
use crate::domain::watch::WatchKind;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// How much, in pesos, such as 1500.00 [default: the payer types it]
    #[arg(long, value_name = "PESOS", allow_hyphen_values = true)]
    amount: Option<String>,
    /// Draw it into this file, whose name ends in .png or .svg
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    follow: Follow,
    #[command(flatten)]
    shared: Shared,
}

/// Draws it for a person; whoever reads a pipe gets the text that it holds.
pub(super) async fn run(config: &Config, args: Args) -> anyhow::Result<()> {
    let account = chosen::account(config, args.shared.account.as_deref())?;
    let amount = args.amount.as_deref().map(chosen::amount).transpose()?;
    // Before anything is made: a QR that cannot be written would be lost.
    args.output.as_deref().map(qr::check_ending).transpose()?;
    let client = chosen::client(account)?;
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
    let drawn = Qr::new(text)?;
    if let Some(path) = &args.output {
        drawn.write(path)?;
        say(&format!("`{}` is written", path.display()));
    }
    let mut out = Out::new();
    if args.shared.json {
        return out.json(&json(code, false)?);
    }
    if args.output.is_some() {
        return Ok(());
    }
    if std::io::stdout().is_terminal() {
        return drawn.on_terminal().lines().try_for_each(|line| out.line(line));
    }
    out.line(&cell(Some(text)))
}

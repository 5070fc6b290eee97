//! `sipago deposits`

use super::super::output::Out;
use super::told::{failed, json, reading};
use super::{Shared, client};
use crate::app::{Deposit, DepositState};
use crate::cli::answered::{cell, money};
use crate::config::Config;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Those that are still to come, instead of those that were paid
    #[arg(long)]
    pending: bool,
    /// Print undocumented fields too (JSON)
    #[arg(long, requires = "json")]
    full: bool,
    #[command(flatten)]
    shared: Shared,
}

/// The list cannot be filtered: it is always the whole history.
pub(super) async fn run(config: &Config, args: Args) -> anyhow::Result<()> {
    let account = args.shared.account(config)?;
    let client = client(config, account)?;
    let state = if args.pending { DepositState::Pending } else { DepositState::Paid };
    let deposits = reading(&client, client.deposits(state)).await.map_err(failed)?;
    let mut out = Out::new();
    if args.shared.json {
        return deposits.iter().try_for_each(|deposit| out.json(&json(deposit, args.full)?));
    }
    let head = ["DATE", "AMOUNT", "COMMISSION", "WITHHELD", "TOTAL", "STATE", "ID"];
    let empty = if args.pending { "no deposit is pending" } else { "nothing was deposited yet" };
    out.table(&head, deposits.iter().map(row).collect(), empty)
}

fn row(deposit: &Deposit) -> Vec<String> {
    vec![
        cell(deposit.date_time.as_deref()),
        money(&deposit.amount),
        money(&deposit.commission_amount),
        money(&deposit.withholding_tax_amount),
        money(&deposit.total),
        cell(deposit.state.as_deref()),
        cell(deposit.id.as_deref()),
    ]
}

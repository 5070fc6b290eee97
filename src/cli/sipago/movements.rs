//! `sipago movements` and `sipago code`

use super::super::Usage;
use super::super::output::Out;
use super::told::{cell, failed, json, money, reading};
use super::{Shared, chosen};
use crate::app::Movement;
use crate::config::Config;
use crate::domain::argentina::mask_name;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Days {
    /// First day, such as 2026-11-21, `today` or `yesterday` [default: the last day]
    #[arg(long, value_name = "DAY")]
    from: Option<String>,
    /// Last day, included [default: today]
    #[arg(long, value_name = "DAY")]
    to: Option<String>,
    /// Show payers' whole names and, in JSON, undocumented fields
    #[arg(long)]
    full: bool,
    #[command(flatten)]
    shared: Shared,
}

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Code {
    /// The authorisation code, such as 006417
    #[arg(value_name = "CODE")]
    number: String,
    /// Show payers' whole names and, in JSON, undocumented fields
    #[arg(long)]
    full: bool,
    #[command(flatten)]
    shared: Shared,
}

pub(super) async fn of_days(config: &Config, args: Days) -> anyhow::Result<()> {
    let account = chosen::account(config, args.shared.account.as_deref())?;
    let (from, to) = chosen::days(args.from.as_deref(), args.to.as_deref(), &account.common.zone)?;
    let client = chosen::client(account)?;
    let movements = reading(&client, client.movements(from, to)).await.map_err(failed)?;
    print(&movements, args.full, args.shared.json, "there are no movements on these days")
}

pub(super) async fn by_code(config: &Config, args: Code) -> anyhow::Result<()> {
    let account = chosen::account(config, args.shared.account.as_deref())?;
    let code = args.number.trim();
    if code.is_empty() || !code.chars().all(|c| c.is_ascii_alphanumeric()) {
        let text = &args.number;
        return Err(Usage(format!(
            "`{text}` is no authorisation code; write its letters and digits, such as `006417`"
        ))
        .into());
    }
    let movements = chosen::client(account)?.by_code(code).await.map_err(failed)?;
    print(&movements, args.full, args.shared.json, "no movement has this code")
}

const HEAD: [&str; 9] = ["DATE", "AMOUNT", "OPERATION", "ID", "CODE", "CARD", "PAYER", "STATE", "DEVICE"];

fn print(movements: &[Movement], full: bool, as_json: bool, empty: &str) -> anyhow::Result<()> {
    let mut out = Out::new();
    if as_json {
        return movements.iter().try_for_each(|movement| out.json(&json(movement, full)?));
    }
    out.table(&HEAD, movements.iter().map(|movement| row(movement, full)).collect(), empty)
}

fn row(movement: &Movement, full: bool) -> Vec<String> {
    let payer = movement.payer.as_ref().map(crate::app::Personal::expose);
    let payer = if full { payer.map(str::to_owned) } else { payer.map(mask_name) };
    let last4 = movement.payment.last4.as_ref().map(|last4| format!("••••{last4}"));
    let card: Vec<String> = movement.card_name.clone().into_iter().chain(last4).collect();
    vec![
        cell(movement.date_time.as_deref()),
        money(&movement.amount),
        cell(movement.operation.as_deref()),
        cell(movement.id.as_deref()),
        cell(movement.authorization_code.as_deref()),
        cell(Some(&card.join(" "))),
        cell(payer.as_deref()),
        state(movement).to_owned(),
        cell(movement.device.as_deref()),
    ]
}

/// What its flags say; a movement has no status.
fn state(movement: &Movement) -> &'static str {
    let payment = &movement.payment;
    if movement.canceled == Some(true) || payment.canceled == Some(true) {
        "annulled"
    } else if payment.has_refund == Some(true) {
        "refunded"
    } else {
        ""
    }
}

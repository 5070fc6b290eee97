//! `sipago movements` and `sipago code`

use super::super::Usage;
use super::super::output::Out;
use super::told::{failed, json, reading};
use super::{Shared, client};
use crate::app::Movement;
use crate::cli::answered::{cell, money};
use crate::cli::given;
use crate::config::Config;
use crate::domain::argentina::mask_name;
use crate::domain::day::Day;

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
    let account = args.shared.account(config)?;
    let today = Day::of(crate::app::now(), &account.common.zone);
    let (from, to) = days(args.from.as_deref(), args.to.as_deref(), today)?;
    let client = client(config, account)?;
    let movements = reading(&client, client.movements(from, to)).await.map_err(failed)?;
    print(&movements, args.full, args.shared.json, "there are no movements on these days")
}

pub(super) async fn by_code(config: &Config, args: Code) -> anyhow::Result<()> {
    let account = args.shared.account(config)?;
    let code = args.number.trim();
    if code.is_empty() || !code.chars().all(|c| c.is_ascii_alphanumeric()) {
        let text = &args.number;
        return Err(Usage(format!(
            "`{text}` is no authorisation code; write its letters and digits, such as `006417`"
        ))
        .into());
    }
    let movements = client(config, account)?.by_code(code).await.map_err(failed)?;
    print(&movements, args.full, args.shared.json, "no movement has this code")
}

/// First and last day, both included; today where nothing is said.
fn days(from: Option<&str>, to: Option<&str>, today: Day) -> Result<(Day, Day), Usage> {
    let from = from.map(|from| given::day("--from", from, today)).transpose()?;
    let to = to.map(|to| given::day("--to", to, today)).transpose()?;
    let last = to.or(from.map(|from| from.max(today))).unwrap_or(today);
    let first = from.unwrap_or(last);
    if first > last {
        return Err(Usage(format!("`--from {first}` is after `--to {last}`; exchange them")));
    }
    Ok((first, last))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_day_is_enough_and_two_stand_in_order() {
        let day = |text| Day::parse(text).unwrap();
        let today = day("2026-11-21");
        let one = day("2026-01-05");
        assert_eq!(days(None, None, today).unwrap(), (today, today));
        assert_eq!(days(None, Some("2026-01-05"), today).unwrap(), (one, one));
        assert_eq!(days(Some("2026-01-05"), None, today).unwrap(), (one, today));
        assert_eq!(days(Some("2027-01-05"), None, today).unwrap().1, day("2027-01-05"));
        assert!(days(Some("2026-01-06"), Some("2026-01-05"), today).unwrap_err().to_string().contains("exchange"));
        assert!(days(Some("5/1/2026"), None, today).unwrap_err().to_string().contains("such as"));
    }
}

//! `pregonero report`: what was announced of a day, and whether anything is missing.

use std::process::ExitCode;

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::Usage;
use super::output::{Out, say};
use crate::app::{Report, ReportError, pesos};
use crate::config::{Config, Loaded};
use crate::domain::account::AccountName;
use crate::domain::closing::{Sum, Totals};
use crate::domain::day::Day;

/// Say what came in.
#[derive(Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// Sum up a day, account by account, and hold it against what the upstream lists
    Day(DayArgs),
}

#[derive(Debug, clap::Args)]
pub(super) struct DayArgs {
    /// A day such as 2026-11-21, `today` (so far) or `yesterday`
    #[arg(value_name = "DATE", default_value = "today")]
    date: String,
    /// Only of this account
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// Do not ask the upstreams: only what was announced
    #[arg(long)]
    offline: bool,
    /// Print JSON, one line for each account
    #[arg(long)]
    json: bool,
}

type Line = (AccountName, Day, Result<Report, ReportError>);

/// Exit code 1 when something of a day that is over was not announced, or an upstream could not be read.
pub(super) async fn run(loaded: Loaded, verb: Verb) -> anyhow::Result<ExitCode> {
    let Verb::Day(args) = verb;
    let config = &loaded.config;
    let only = super::events::known_account(config, args.account.as_deref())?;
    let now = crate::app::now();
    let fixed = match args.date.as_str() {
        "today" | "yesterday" => None,
        text => Some(Day::parse(text).ok_or_else(|| {
            Usage(format!("`{text}` is no day; write one such as `2026-11-21`, `today` or `yesterday`"))
        })?),
    };
    let back = if args.date == "yesterday" { -1 } else { 0 };
    let day = |zone: &TimeZone| fixed.unwrap_or_else(|| Day::of(now, zone).plus(back));
    let lines = crate::app::report(config, only.as_ref(), day, !args.offline).await?;
    let is_over = |day: &Day, name: &AccountName| *day < Day::of(now, &zone_of(config, name));
    if args.json {
        let mut out = Out::new();
        lines.iter().try_for_each(|line| out.json(&as_json(line, is_over(&line.1, &line.0))))?;
    } else {
        table(&lines, |day, name| is_over(day, name))?;
    }
    let mut sound = true;
    for (name, day, report) in lines {
        match report {
            Ok(report) => sound &= report.closing.differences == 0 || !is_over(&day, &name),
            Err(error) => {
                sound = false;
                say(&format!("error: {:#}", anyhow::Error::new(error).context(format!("account `{name}`"))));
            }
        }
    }
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn zone_of(config: &Config, name: &AccountName) -> TimeZone {
    let account = config.accounts().find(|account| account.name == *name);
    account.map_or_else(|| config.timezone.clone(), |account| account.zone.clone())
}

const HEAD: [&str; 9] = ["DAY", "ACCOUNT", "CREDITS", "TOTAL", "REFUNDS", "TOTAL", "VOIDS", "STATE", "NOT ANNOUNCED"];

fn table(lines: &[Line], is_over: impl Fn(&Day, &AccountName) -> bool) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    for (name, day, report) in lines {
        let Ok(Report { closing, closed, checked }) = report else { continue };
        let Totals { credits, refunds, voids } = closing.of_day;
        let money = |sum: Sum| pesos(sum.total).replace('\u{a0}', " ");
        rows.push(vec![
            day.to_string(),
            name.to_string(),
            credits.count.to_string(),
            money(credits),
            refunds.count.to_string(),
            money(refunds),
            voids.count.to_string(),
            state(*closed, is_over(day, name)).to_owned(),
            if *checked { closing.differences.to_string() } else { String::from("not asked") },
        ]);
    }
    Out::new().table(&HEAD, rows, "there is nothing to report")?;
    for (name, _, report) in lines {
        let Ok(Report { closing, .. }) = report else { continue };
        let earlier = closing.earlier;
        let notes = [
            (earlier.credits.count, "credits dated earlier were announced on that day"),
            (earlier.refunds.count, "refunds dated earlier were announced on that day"),
            (earlier.voids.count, "voids dated earlier were announced on that day"),
            (closing.vanished, "rows were announced and are not listed any more"),
            (closing.baseline, "credits were there at first contact and were announced to nobody"),
        ];
        notes.iter().filter(|(count, _)| *count > 0).for_each(|(count, note)| say(&format!("{name}: {count} {note}")));
    }
    Ok(())
}

const fn state(closed: bool, over: bool) -> &'static str {
    match (closed, over) {
        (true, _) => "closed",
        (false, true) => "not closed",
        (false, false) => "so far",
    }
}

fn as_json((name, day, report): &Line, over: bool) -> Value {
    let sum = |sum: Sum| json!({ "count": sum.count, "total": { "value": sum.total.to_string(), "currency": "ARS" } });
    let sums = |totals: Totals| json!({ "credits": sum(totals.credits), "refunds": sum(totals.refunds), "voids": sum(totals.voids) });
    match report {
        Ok(Report { closing, closed, checked }) => {
            let asked = |count: u64| checked.then_some(count);
            json!({
                "day": day.to_string(), "account": name.as_str(), "state": state(*closed, over).replace(' ', "_"),
                "credits": sum(closing.of_day.credits), "refunds": sum(closing.of_day.refunds),
                "voids": sum(closing.of_day.voids), "earlier": sums(closing.earlier), "checked": checked,
                "differences": asked(closing.differences), "vanished": asked(closing.vanished),
                "baseline": asked(closing.baseline),
            })
        }
        Err(error) => json!({ "day": day.to_string(), "account": name.as_str(), "error": error.to_string() }),
    }
}

//! `pregonero probe`: what the upstreams really print, held against what the configuration assumes.

use std::fs::File;
use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::{Value, json};

use super::output::{Out, counted, say};
use crate::app::{Probe, ProbeCall, ProbeVerdict};
use crate::config::{AccountConfig, Config};
use crate::domain::account::AccountName;
use crate::domain::money::{Punctuation, Unit};

/// Log in, read one page of everything that only reads, and say how the answers look and which settings fit them.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only this account
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// Print JSON, one line for each account
    #[arg(long)]
    json: bool,
    /// Write a report that can be sent to a maintainer: every digit is a 9, every letter an a
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// Exit code 1 when an account answered nothing at all.
pub(super) async fn run(config: &Config, args: Args) -> anyhow::Result<ExitCode> {
    let only = super::events::known_account(config, args.account.as_deref())?;
    // Before anybody is asked: an answer that cannot be kept would have been asked for in vain.
    let file = args.report.as_ref().map(|path| {
        File::create(path).with_context(|| format!("`{}` cannot be written", path.display())).map(|file| (path, file))
    });
    let file = file.transpose()?;
    if config.accounts().next().is_none() {
        return Err(
            super::Usage(String::from("there is no account; write a `[[telepagos]]` or `[[sipago]]` section")).into()
        );
    }
    let (mut out, mut reports, mut sound) = (Out::new(), Vec::new(), true);
    for account in config.accounts().filter(|account| only.as_ref().is_none_or(|only| *only == account.name)) {
        if std::io::stderr().is_terminal() {
            say(&format!("asking `{}`; its rate is kept, so this may take a while", account.name));
        }
        let Some(probe) = crate::app::probe(config, &account.name).await? else { continue };
        sound &= probe.calls.iter().any(|call| call.answer.is_ok());
        if args.json {
            out.json(&whole(probe.as_json(), account.name.as_str(), account))?;
        } else {
            print(&mut out, &account.name, &probe)?;
        }
        let number = reports.len() + 1;
        reports.push(whole(probe.as_report(), &format!("account {number}"), account));
    }
    if let Some((path, mut file)) = file {
        let report = json!({ "pregonero": env!("CARGO_PKG_VERSION"), "accounts": reports });
        let written = writeln!(file, "{}", serde_json::to_string_pretty(&report)?);
        written.with_context(|| format!("`{}` cannot be written", path.display()))?;
        say(&format!("`{}` is written; it holds patterns and counts only", path.display()));
    }
    Ok(if sound { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// A probe with the name that the account is shown by, and what its section says.
fn whole(mut probe: Value, name: &str, account: &AccountConfig) -> Value {
    if let Value::Object(fields) = &mut probe {
        fields.insert(String::from("account"), name.into());
        fields.insert(String::from("assumes"), assumptions(account));
    }
    probe
}

fn assumptions(account: &AccountConfig) -> Value {
    let unit = match account.dialect.unit {
        Unit::Pesos => "pesos",
        Unit::Cents => "cents",
    };
    let format = match account.dialect.punctuation {
        Punctuation::Auto => "auto",
        Punctuation::Dot => "dot",
        Punctuation::Comma => "comma",
    };
    json!({
        "amount_unit": unit, "amount_format": format, "date_formats": account.date_formats,
        "timezone": account.provider_zone.iana_name(), "status": account.status.len(), "operation": account.operation.len(),
    })
}

fn print(out: &mut Out, name: &AccountName, probe: &Probe) -> anyhow::Result<()> {
    out.line(&format!("# `{name}` at {}", probe.upstream))?;
    out.line("")?;
    out.table(&["CALL", "ROWS", "ANSWER"], probe.calls.iter().map(row).collect(), "nothing was asked")?;
    for call in &probe.calls {
        if let Ok(shape) = &call.answer {
            out.line("")?;
            out.line(&format!("## {}", call.name))?;
            shape.lines().iter().try_for_each(|line| out.line(line))?;
        }
    }
    let words = probe.sets.iter().flat_map(|set| {
        set.words
            .iter()
            .map(|(word, kind, count)| vec![set.field.to_owned(), clean(word), (*kind).to_owned(), count.to_string()])
    });
    let words: Vec<Vec<String>> = words.collect();
    if !words.is_empty() {
        out.line("")?;
        out.table(&["FIELD", "WORD", "TAKEN FOR", "SEEN"], words, "")?;
    }
    out.line("")?;
    let findings = probe
        .findings
        .iter()
        .map(|finding| vec![finding.topic.to_owned(), finding.verdict.as_str().to_owned(), finding.says.clone()]);
    out.table(&["ABOUT", "VERDICT", "SEEN"], findings.collect(), "nothing was found out")?;
    let lines: Vec<&String> = probe.findings.iter().filter_map(|finding| finding.suggestion.as_ref()).collect();
    if !lines.is_empty() {
        out.line("")?;
        out.line(&format!("# into [[{}]] `{name}`:", probe.upstream))?;
        let mut told: Vec<&String> = Vec::new();
        for line in lines {
            if !told.contains(&line) {
                out.line(line)?;
                told.push(line);
            }
        }
    }
    let odd = probe.findings.iter().filter(|finding| finding.verdict == ProbeVerdict::Differs).count();
    out.line("")?;
    out.line(&format!(
        "# {} of the configuration contradicted",
        if odd == 0 { String::from("no assumption") } else { counted(odd, "assumption", "assumptions") }
    ))?;
    out.line("")
}

fn row(call: &ProbeCall) -> Vec<String> {
    let answer = match &call.answer {
        Ok(_) => String::from("read"),
        Err(trouble) => {
            let status = trouble.status.map(|status| format!(" (HTTP {status})")).unwrap_or_default();
            clean(&format!("{}{status} {}", trouble.class, trouble.words))
        }
    };
    vec![call.name.to_owned(), call.rows.map(|rows| rows.to_string()).unwrap_or_default(), answer.trim().to_owned()]
}

/// A stranger's words, which must not move the cursor.
fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

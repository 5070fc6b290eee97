//! `pregonero check`: everything that is wrong with the configuration, at once.

use std::path::Path;

use serde_json::json;

use super::Usage;
use super::output::{Out, counted, say};
use crate::config::Loaded;

/// Check the configuration.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Treat warnings as errors
    #[arg(long)]
    strict: bool,
    /// Print what was understood as JSON, without secrets
    #[arg(long)]
    json: bool,
}

pub(super) fn run(path: Option<&Path>, args: &Args) -> anyhow::Result<()> {
    let loaded = super::load(path)?;
    let config = &loaded.config;
    let channels = crate::app::channels(config)?;
    crate::app::check_store(&config.store).map_err(Usage)?;
    let accounts: Vec<String> = config.accounts().map(|account| account.name.to_string()).collect();
    let destinations: Vec<String> = channels.iter().map(|channel| channel.name().to_string()).collect();
    let warnings = warnings(&loaded);
    if !args.json || args.strict {
        for warning in &warnings {
            say(&format!("warning: {warning}"));
        }
    }
    if args.strict && !warnings.is_empty() {
        let count = warnings.len();
        let (verb, noun) = if count == 1 { ("is", "warning") } else { ("are", "warnings") };
        return Err(Usage(format!("there {verb} {count} {noun} and `--strict` was given")).into());
    }
    let mut out = Out::new();
    if args.json {
        let file = loaded.file.as_ref().map(|file| file.display().to_string());
        return out.json(&json!({ "ok": true, "file": file, "accounts": accounts, "destinations": destinations, "warnings": warnings }));
    }
    let Some(file) = &loaded.file else {
        return out.line("there is no configuration file; the defaults are right, but they watch nothing");
    };
    let accounts = counted(accounts.len(), "account", "accounts");
    let destinations = counted(destinations.len(), "destination", "destinations");
    out.line(&format!("{} is right: {accounts}, {destinations}", file.display()))
}

/// What works and is probably not meant.
fn warnings(loaded: &Loaded) -> Vec<String> {
    let (mut warnings, routes) = (loaded.warnings.clone(), loaded.config.routes());
    if loaded.config.accounts().next().is_none() {
        warnings.push(String::from("there is no account; nothing is watched"));
    }
    if routes.is_empty() {
        warnings.push(String::from("there is no destination; events will be kept and sent to nobody"));
    }
    warnings
}

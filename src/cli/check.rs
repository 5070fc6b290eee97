//! `pregonero check`: everything that is wrong with the configuration, at once.

use std::path::Path;

use serde_json::json;

use super::output::{Out, say};

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
    anyhow::ensure!(!args.strict || loaded.warnings.is_empty(), "there are warnings and `--strict` was given");
    let accounts: Vec<String> = config.accounts().map(|account| account.name.to_string()).collect();
    let destinations: Vec<String> = channels.iter().map(|channel| channel.name().to_string()).collect();
    let mut out = Out::new();
    if args.json {
        let file = loaded.file.as_ref().map(|file| file.display().to_string());
        return out.json(&json!({ "ok": true, "file": file, "accounts": accounts, "destinations": destinations, "warnings": loaded.warnings }));
    }
    match &loaded.file {
        Some(file) => out.line(&format!(
            "{} is right: {} accounts, {} destinations",
            file.display(),
            accounts.len(),
            destinations.len()
        ))?,
        None => out.line("there is no configuration file; the defaults are right, but they watch nothing")?,
    }
    for route in config.routes().iter().filter(|_| accounts.is_empty()) {
        say(&format!("warning: destination `{}` will stay silent: there is no account", route.destination));
    }
    if destinations.is_empty() {
        say("warning: there is no destination; events will be kept and sent to nobody");
    }
    Ok(())
}

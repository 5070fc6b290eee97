//! `pregonero release`: lets go what the flood guard holds.

use serde_json::json;

use super::output::{Out, counted};
use crate::config::Loaded;
use crate::domain::account::AccountName;

/// Let go what the flood guard holds.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only of this account
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// Only count
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(loaded: Loaded, args: Args) -> anyhow::Result<()> {
    let account = super::events::known_account(&loaded.config, args.account.as_deref())?;
    let archive = crate::app::open_archive(&loaded.config.store).await?;
    let count = archive.release_held(account.as_ref(), args.dry_run).await?;
    let mut out = Out::new();
    if args.json {
        return out.json(&json!({ "deliveries": count, "dry_run": args.dry_run, "account": account.as_ref().map(AccountName::as_str) }));
    }
    let verb = if args.dry_run { "would be released" } else { "released" };
    out.line(&format!("{} {verb}", counted(count, "delivery", "deliveries")))
}

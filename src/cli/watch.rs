//! `pregonero watch`: what the accounts are to follow by id. Written to the store directly; a daemon on it notices within
//! seconds.

use std::collections::BTreeSet;

use clap::builder::PossibleValuesParser;
use jiff::Timestamp;

use super::Usage;
use super::output::{Out, counted, say};
use crate::config::watching::{self, Ends, Named, Wording};
use crate::config::{Config, Loaded};
use crate::domain::account::AccountName;
use crate::domain::watch::{Origin, WatchId, WatchKind};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Verb {
    /// Follow ids from now on
    Add(Add),
    /// List what is followed
    List(List),
    /// Follow ids no more
    Remove(Remove),
}

/// Follow ids from now on.
#[derive(Debug, clap::Args)]
pub(super) struct Add {
    #[command(flatten)]
    ids: Ids,
    /// For how long at the most, while nothing is paid; or until when [default: until it expires, else 30d]
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// When it can be paid no more: in that time, or then; tells `link.expired` of a `link` or `qr`
    #[arg(long, value_name = "TIME")]
    expires: Option<String>,
    /// It can be paid many times
    #[arg(long)]
    reusable: bool,
}

/// Follow ids no more.
#[derive(Debug, clap::Args)]
pub(super) struct Remove {
    #[command(flatten)]
    ids: Ids,
}

/// What is named.
#[derive(Debug, clap::Args)]
struct Ids {
    /// A number, a range of numbers such as `1000..1050` (both ends included), an order's uuid, or its link
    #[arg(value_name = "ID", required = true)]
    named: Vec<String>,
    /// Of this account [default: the only one that knows such ids]
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// What the ids are [default: `cashin` for numbers, `order` for uuids]
    #[arg(long, value_parser = PossibleValuesParser::new(WatchKind::ALL.map(WatchKind::as_str)))]
    kind: Option<String>,
}

/// List what is followed.
#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// Only of this account
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// Those that ended, too
    #[arg(long)]
    all: bool,
    /// Print JSON, one object a line
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(loaded: Loaded, verb: Verb) -> anyhow::Result<()> {
    match verb {
        Verb::Add(args) => add(&loaded.config, args).await,
        Verb::List(args) => list(&loaded.config, args).await,
        Verb::Remove(args) => remove(&loaded.config, &args.ids).await,
    }
}

async fn add(config: &Config, args: Add) -> anyhow::Result<()> {
    let (account, ids) = named(config, &args.ids)?;
    let ends = Ends { until: args.until.as_deref(), expires: args.expires.as_deref(), reusable: args.reusable };
    let terms = watching::terms(&ids, &ends, Wording::Options, crate::app::now()).map_err(Usage::from)?;
    let again = crate::app::watch(config, &account, &ids, &terms).await?;
    let again = if again > 0 { format!(", {again} of them were known") } else { String::new() };
    Out::new().line(&format!("following {} of {account}{again}", counted_ids(ids.len())))
}

async fn remove(config: &Config, args: &Ids) -> anyhow::Result<()> {
    let (account, ids) = named(config, args)?;
    let store = crate::app::open_watches(&config.store).await?;
    let known = store.watches(&account).await?.watches;
    let ids: Vec<WatchId> = ids.into_iter().collect();
    let removed = store.remove_watches(&account, &ids).await?;
    if known.iter().any(|watch| watch.origin == Origin::Configured && ids.contains(&watch.id)) {
        say(
            "some of them stand in the configuration, too: remove them there, or they are followed again after a restart",
        );
    }
    let removed = usize::try_from(removed).unwrap_or(usize::MAX);
    if removed < ids.len() {
        say(&format!("{} not followed anyway", counted(ids.len() - removed.min(ids.len()), "was", "were")));
    }
    Out::new().line(&format!("{} of {account} followed no more", counted_ids(removed)))
}

async fn list(config: &Config, args: List) -> anyhow::Result<()> {
    let only = super::events::known_account(config, args.account.as_deref())?;
    let (now, mut out) = (crate::app::now(), Out::new());
    let store = crate::app::open_watches(&config.store).await?;
    let mut rows = Vec::new();
    for account in config.accounts().filter(|account| only.as_ref().is_none_or(|only| *only == account.name)) {
        let watches = store.watches(&account.name).await?.watches;
        for watch in watches.into_iter().filter(|watch| args.all || watch.ended.is_none()) {
            let local =
                |at: Option<Timestamp>| at.map(|at| at.to_zoned(account.zone.clone()).strftime("%F %T").to_string());
            if args.json {
                out.json(&crate::app::watch_json(&account.name, &watch, now))?;
                continue;
            }
            rows.push(vec![
                account.name.to_string(),
                watch.id.kind.to_string(),
                watch.id.id.clone(),
                watch.state(now).to_owned(),
                watch.origin.as_str().to_owned(),
                local(Some(watch.since)).unwrap_or_default(),
                local(watch.expires).unwrap_or_else(|| "-".to_owned()),
                local(watch.until).unwrap_or_else(|| "-".to_owned()),
            ]);
        }
    }
    if args.json {
        return Ok(());
    }
    out.table(&["ACCOUNT", "KIND", "ID", "STATE", "ORIGIN", "SINCE", "EXPIRES", "UNTIL"], rows, "nothing is followed")
}

fn counted_ids(count: usize) -> String {
    format!("{count} {}", if count == 1 { "id" } else { "ids" })
}

/// The account and the ids that are named, each once.
fn named(config: &Config, args: &Ids) -> Result<(AccountName, BTreeSet<WatchId>), Usage> {
    let (account, kind, wording) = (args.account.as_deref(), args.kind.as_deref(), Wording::Options);
    Ok(watching::named(config, &Named { ids: &args.named, account, kind, wording })?)
}

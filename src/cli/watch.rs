//! `pregonero watch`: what the accounts are to follow by id. Written to the store directly; a daemon on it notices within
//! seconds.

use std::collections::{BTreeMap, BTreeSet};

use clap::builder::PossibleValuesParser;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::Usage;
use super::output::{Out, counted, say};
use crate::config::{Config, Loaded, order_uuid};
use crate::domain::account::AccountName;
use crate::domain::watch::{Origin, Watch, WatchId, WatchKind};

/// The most ids that one command names.
const MOST: u64 = 10_000;

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
    /// For how long at the most, while nothing is paid
    #[arg(long, value_name = "TIME", default_value = "30d")]
    until: String,
    /// When it can be paid no more: in that time; tells `link.expired` of a `link` or `qr`
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
    let now = crate::app::now();
    let until = later(now, &args.until)?;
    let expires = args.expires.as_deref().map(|text| later(now, text)).transpose()?;
    let (account, ids) = named(config, &args.ids)?;
    let issued = ids.iter().all(|id| id.kind.source().is_none());
    if !issued && (expires.is_some() || args.reusable) {
        let why = "`--expires` and `--reusable` are for links and QRs that we issued; add `--kind link` or `--kind qr`";
        return Err(Usage(why.to_owned()).into());
    }
    let store = crate::app::open_watches(&config.store).await?;
    let known: BTreeMap<WatchId, Watch> =
        store.watches(&account).await?.watches.into_iter().map(|watch| (watch.id.clone(), watch)).collect();
    let new = |id: &WatchId| {
        let before = known.get(id).filter(|watch| watch.ended.is_none());
        // What is followed already keeps its age, and stays what the configuration says it is.
        let since = before.map_or(now, |watch| watch.since);
        let configured = known.get(id).is_some_and(|watch| watch.origin == Origin::Configured);
        let origin = if configured { Origin::Configured } else { Origin::Operator };
        let amount = known.get(id).and_then(|watch| watch.amount);
        let (until, reusable) = (Some(until).filter(|_| !configured), args.reusable);
        Watch { since, expires, until, reusable, amount, ..Watch::new(id.clone(), origin, now) }
    };
    let watches: Vec<Watch> = ids.iter().map(new).collect();
    store.put_watches(&account, &watches).await?;
    let again = ids.iter().filter(|id| known.contains_key(*id)).count();
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
                out.json(&as_json(&account.name, &watch, now))?;
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

fn as_json(account: &AccountName, watch: &Watch, now: Timestamp) -> serde_json::Value {
    let text = |at: Option<Timestamp>| at.map(|at| at.to_string());
    json!({
        "account": account.as_str(), "kind": watch.id.kind.as_str(), "id": watch.id.id, "state": watch.state(now),
        "origin": watch.origin.as_str(), "since": watch.since.to_string(), "expires": text(watch.expires),
        "until": text(watch.until), "ended": text(watch.ended), "reusable": watch.reusable,
        "amount": watch.amount.map(|amount| json!({ "value": amount.to_string(), "currency": "ARS" })),
    })
}

fn counted_ids(count: usize) -> String {
    format!("{count} {}", if count == 1 { "id" } else { "ids" })
}

fn later(now: Timestamp, text: &str) -> Result<Timestamp, Usage> {
    let time = SignedDuration::try_from(super::when::duration(text)?).unwrap_or(SignedDuration::MAX);
    now.checked_add(time).map_err(|_| Usage(format!("`{text}` is too long")))
}

/// The account and the ids that are named, each once.
fn named(config: &Config, args: &Ids) -> Result<(AccountName, BTreeSet<WatchId>), Usage> {
    let wanted = args.kind.as_deref().and_then(WatchKind::from_name);
    let mut ids = BTreeSet::new();
    for text in &args.named {
        read(text.trim(), wanted, &mut ids)?;
        if u64::try_from(ids.len()).unwrap_or(u64::MAX) > MOST {
            return Err(Usage(format!("more than {MOST} ids; name fewer at once")));
        }
    }
    let orders = ids.iter().filter(|id| id.kind == WatchKind::Order).count();
    if orders > 0 && orders < ids.len() {
        return Err(Usage(
            "numbers and orders belong to accounts of two companies; name them one after the other".into(),
        ));
    }
    let telepagos = config.telepagos.iter().map(|account| account.common.name.clone());
    let sipago = config.sipago.iter().map(|account| account.common.name.clone());
    let fitting: Vec<AccountName> = if orders > 0 { sipago.collect() } else { telepagos.collect() };
    let listed = || fitting.iter().map(AccountName::as_str).collect::<Vec<_>>();
    let (thing, company) = if orders > 0 { ("orders", "sipago") } else { ("such numbers", "telepagos") };
    let account = super::events::known_account(config, args.account.as_deref())?;
    let account = match (account, fitting.as_slice()) {
        (Some(account), _) if fitting.contains(&account) => account,
        (Some(account), _) => {
            let known = listed().join("`, `");
            return Err(Usage(format!("account `{account}` knows no {thing}; those that do: `{known}`")));
        }
        (None, [only]) => only.clone(),
        (None, []) => return Err(Usage(format!("no account knows {thing}; the configuration has no `[[{company}]]`"))),
        (None, _) => {
            return Err(Usage(format!("which account? add `--account` with one of `{}`", listed().join("`, `"))));
        }
    };
    Ok((account, ids))
}

/// One argument as ids.
fn read(text: &str, wanted: Option<WatchKind>, ids: &mut BTreeSet<WatchId>) -> Result<(), Usage> {
    let number = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u64>().ok().filter(|id| digits && *id > 0)
    };
    let kind = wanted.unwrap_or(WatchKind::Cashin);
    if let Some((from, to)) = text.split_once("..") {
        let (Some(from), Some(to)) = (number(from), number(to)) else {
            return Err(Usage(format!("`{text}` is no range; write one such as `1000..1050`")));
        };
        if from > to || to - from >= MOST {
            return Err(Usage(format!("`{text}` must go upwards and hold {MOST} numbers at the most")));
        }
        if kind == WatchKind::Order {
            return Err(Usage(format!("`{text}` names numbers, and an order has a uuid; leave `--kind order` out")));
        }
        ids.extend((from..=to).map(|id| WatchId { kind, id: id.to_string() }));
        return Ok(());
    }
    if let Some(id) = number(text).filter(|_| kind != WatchKind::Order) {
        ids.insert(WatchId { kind, id: id.to_string() });
        return Ok(());
    }
    match order_uuid(text) {
        Some(id) if wanted.is_none_or(|kind| kind == WatchKind::Order) => {
            ids.insert(WatchId { kind: WatchKind::Order, id });
            Ok(())
        }
        Some(_) => Err(Usage(format!("`{text}` is an order; leave `--kind {kind}` out"))),
        None => Err(Usage(format!(
            "`{text}` is no id; write a number, a range such as `1000..1050`, an order's uuid or its link"
        ))),
    }
}

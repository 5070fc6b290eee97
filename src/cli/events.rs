//! `pregonero events list|show`

use clap::Subcommand;
use serde_json::{Value, json};

use super::Usage;
use super::output::Out;
use crate::app::{EventFilter, RejectView};
use crate::config::{Config, Loaded, watching};
use crate::domain::account::AccountName;
use crate::domain::day::rfc3339;
use crate::domain::event::{Body, Event, EventId};
use crate::domain::route::Pattern;

/// List what was announced.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// List events, newest first
    List(List),
    /// Show one event with its deliveries
    Show {
        /// The id, `evt_…`
        id: String,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// Only of this account
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// Only of these types: `credit.received`, `credit.*`, `system.*`; may be given several times
    #[arg(long = "type", value_name = "PATTERN")]
    kind: Vec<String>,
    /// Detected at or after: an age (`2h`), a day or a time
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Detected before
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// At the most how many
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
    /// List the rows that could not be read instead
    #[arg(long, conflicts_with_all = ["kind", "since", "until"])]
    rejects: bool,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(loaded: Loaded, verb: Verb) -> anyhow::Result<()> {
    match verb {
        Verb::List(args) if args.rejects => list_rejects(&loaded.config, &args).await,
        Verb::List(args) => list(&loaded.config, args).await,
        Verb::Show { id, json } => show(&loaded.config, &id, json).await,
    }
}

/// The account of that name; the known ones are listed when there is none.
pub(super) fn known_account(config: &Config, name: Option<&str>) -> Result<Option<AccountName>, Usage> {
    Ok(name.map(|name| watching::account(config, name)).transpose()?)
}

async fn list(config: &Config, args: List) -> anyhow::Result<()> {
    let now = crate::app::now();
    let time = |text: Option<String>| text.map(|text| super::when::moment(&text, &config.timezone, now)).transpose();
    let pattern = |text: &String| {
        Pattern::parse(text).ok_or_else(|| {
            Usage(format!(
                "no event type fits `{text}`; write one such as `credit.received` or a family such as `credit.*`"
            ))
        })
    };
    let filter = EventFilter {
        account: known_account(config, args.account.as_deref())?,
        patterns: args.kind.iter().map(pattern).collect::<Result<_, _>>()?,
        since: time(args.since)?,
        until: time(args.until)?,
        limit: args.limit,
    };
    let archive = crate::app::open_archive(&config.store).await?;
    let events = archive.events(&filter).await?;
    let mut out = Out::new();
    if args.json {
        return events.iter().try_for_each(|event| out.json(&crate::app::event_json(event)));
    }
    let rows = events.iter().map(|event| row(config, event)).collect();
    out.table(&["DETECTED", "TYPE", "ACCOUNT", "AMOUNT", "STATUS", "LATE", "EVENT"], rows, "there are no such events")
}

fn row(config: &Config, event: &Event) -> Vec<String> {
    let (amount, status) = match &event.body {
        Body::Payment(payment) => {
            let raw =
                if payment.status.raw.is_empty() { payment.status.kind.as_str() } else { payment.status.raw.as_str() };
            (payment.amount.to_string(), raw.to_owned())
        }
        Body::Notice(notice) => (String::new(), notice.reason.clone()),
    };
    let account = event.account.as_ref().map(ToString::to_string).unwrap_or_default();
    let late = if event.late { "late" } else { "" };
    vec![
        rfc3339(event.detected_at, &config.timezone),
        event.kind.to_string(),
        account,
        amount,
        status,
        late.to_owned(),
        event.id.to_string(),
    ]
}

async fn show(config: &Config, id: &str, json: bool) -> anyhow::Result<()> {
    let id = EventId::parse(id)
        .ok_or_else(|| Usage(format!("`{id}` is no event id; they look like `evt_` and 32 hexadecimal digits")))?;
    let archive = crate::app::open_archive(&config.store).await?;
    let Some((event, deliveries)) = archive.event(&id).await? else {
        anyhow::bail!("there is no event `{id}`; it may be past the retention");
    };
    let mut out = Out::new();
    let body = crate::app::event_json(&event);
    if json {
        let deliveries: Vec<Value> = deliveries.iter().map(super::deliveries::as_json).collect();
        return out.json(&json!({ "event": body, "deliveries": deliveries }));
    }
    out.line(&serde_json::to_string_pretty(&body)?)?;
    out.line("")?;
    let rows = deliveries.iter().map(|view| super::deliveries::row(config, view)).collect();
    out.table(&["DETECTED", "EVENT", "DESTINATION", "STATE", "ATTEMPTS", "LAST"], rows, "no destination asked for it")?;
    for view in &deliveries {
        if let Some(said) = view.last.as_ref().map(|last| one_line(&last.detail)).filter(|said| !said.is_empty()) {
            out.line("")?;
            out.line(&format!(" `{}` said: {said}", view.id.destination))?;
        }
    }
    Ok(())
}

/// A stranger's words, which must not move the cursor.
pub(super) fn one_line(text: &str) -> String {
    let words: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    words.trim().to_owned()
}

async fn list_rejects(config: &Config, args: &List) -> anyhow::Result<()> {
    let account = known_account(config, args.account.as_deref())?;
    let archive = crate::app::open_archive(&config.store).await?;
    let rejects = archive.rejects(account.as_ref(), args.limit).await?;
    let mut out = Out::new();
    if args.json {
        return rejects.iter().try_for_each(|view| out.json(&reject_json(view)));
    }
    let row = |view: &RejectView| {
        let RejectView { account, first_seen, reject } = view;
        let when = rfc3339(*first_seen, &config.timezone);
        vec![
            when,
            account.to_string(),
            reject.source.to_string(),
            reject.position.to_string(),
            reject.reason.clone(),
            reject.shape.clone(),
        ]
    };
    let rows = rejects.iter().map(row).collect();
    out.table(&["FIRST SEEN", "ACCOUNT", "SOURCE", "ROW", "REASON", "SHAPE"], rows, "every row could be read")
}

fn reject_json(view: &RejectView) -> Value {
    json!({
        "account": view.account.as_str(),
        "source": view.reject.source.as_str(),
        "first_seen": view.first_seen.to_string(),
        "fingerprint": format!("{:016x}", view.reject.fingerprint),
        "row": view.reject.position,
        "reason": view.reject.reason,
        "shape": view.reject.shape,
    })
}

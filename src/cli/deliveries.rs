//! `pregonero deliveries list|requeue`

use clap::Subcommand;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::Usage;
use super::output::{Out, counted};
use crate::app::{DeliveryFilter, DeliveryView};
use crate::config::{Config, Loaded};
use crate::domain::day::rfc3339;
use crate::domain::delivery::State;
use crate::domain::event::EventId;
use crate::domain::route::DestinationName;

/// The states of a delivery, as [`State::as_str`] names them.
const STATES: [&str; 5] = ["pending", "held", "in_flight", "delivered", "dead"];

/// List deliveries, or give dead ones a second chance.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// List deliveries, newest event first
    List {
        #[command(flatten)]
        filter: Filter,
        /// Print one JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Attempt deliveries again: the dead ones, unless `--state` names others
    ///
    /// Dead and delivered ones start from their first attempt, waiting ones are attempted at once. Those that are held
    /// wait for `pregonero release`.
    Requeue {
        #[command(flatten)]
        filter: Filter,
        /// Only count
        #[arg(long)]
        dry_run: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, clap::Args)]
pub(super) struct Filter {
    /// Of this event
    #[arg(long, value_name = "ID")]
    event: Option<String>,
    /// To this destination
    #[arg(long, value_name = "NAME")]
    destination: Option<String>,
    /// In this state; may be given several times
    #[arg(long, value_name = "STATE", value_parser = STATES)]
    state: Vec<String>,
    /// Of events detected at or after: an age (`2h`), a day or a time
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Of events detected before
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// At the most how many [default: 50 to list, all to requeue]
    #[arg(long, value_name = "N")]
    limit: Option<usize>,
}

pub(super) async fn run(loaded: Loaded, verb: Verb) -> anyhow::Result<()> {
    let config = &loaded.config;
    match verb {
        Verb::List { filter, json } => {
            let filter = filter.validate(config, 50)?;
            let archive = crate::app::open_archive(&config.store).await?;
            let views = archive.deliveries(&filter).await?;
            if views.is_empty() {
                filter_names_something(config, &filter)?;
            }
            print(config, &views, json)
        }
        Verb::Requeue { filter, dry_run, json } => {
            let mut filter = filter.validate(config, usize::MAX)?;
            if filter.states.is_empty() {
                filter.states = vec!["dead"];
            }
            let archive = crate::app::open_archive(&config.store).await?;
            let count = archive.requeue(&filter, dry_run).await?;
            if count == 0 {
                filter_names_something(config, &filter)?;
            }
            let mut out = Out::new();
            if json {
                return out.json(&json!({ "deliveries": count, "dry_run": dry_run }));
            }
            let verb = if dry_run { "would be attempted again" } else { "will be attempted again" };
            out.line(&format!("{} {verb}", counted(count, "delivery", "deliveries")))
        }
    }
}

impl Filter {
    fn validate(self, config: &Config, limit: usize) -> anyhow::Result<DeliveryFilter> {
        let now = crate::app::now();
        let time =
            |text: Option<String>| text.map(|text| super::when::moment(&text, &config.timezone, now)).transpose();
        let event = self
            .event
            .map(|text| {
                EventId::parse(&text).ok_or_else(|| {
                    Usage(format!("`{text}` is no event id; they look like `evt_` and 32 hexadecimal digits"))
                })
            })
            .transpose()?;
        let states = STATES.into_iter().filter(|state| self.state.iter().any(|wanted| wanted == state)).collect();
        // A destination that was removed from the file may still have deliveries, so any name is accepted.
        let destination = self.destination.as_deref().map(DestinationName::new);
        let (since, until) = (time(self.since)?, time(self.until)?);
        Ok(DeliveryFilter { event, destination, states, since, until, limit: self.limit.unwrap_or(limit) })
    }
}

/// Nothing was found: a destination that is neither in the file nor in the store is a slip of the pen.
fn filter_names_something(config: &Config, filter: &DeliveryFilter) -> Result<(), Usage> {
    let Some(name) = &filter.destination else { return Ok(()) };
    let routes = config.routes();
    if routes.iter().any(|route| route.destination == *name) {
        return Ok(());
    }
    Err(Usage::unknown("destination", name.as_str(), routes.iter().map(|route| route.destination.as_str())))
}

fn print(config: &Config, views: &[DeliveryView], json: bool) -> anyhow::Result<()> {
    let mut out = Out::new();
    if json {
        return views.iter().try_for_each(|view| out.json(&as_json(view)));
    }
    let rows = views.iter().map(|view| row(config, view)).collect();
    let head = ["DETECTED", "EVENT", "DESTINATION", "STATE", "ATTEMPTS", "LAST"];
    out.table(&head, rows, "there are no such deliveries")
}

/// The columns of a delivery.
pub(super) fn row(config: &Config, view: &DeliveryView) -> Vec<String> {
    let last = view.last.as_ref().map_or_else(String::new, |attempt| match (attempt.failure, attempt.status) {
        (None, _) => format!("ok in {} ms", attempt.took.as_millis()),
        (Some(class), Some(status)) => format!("{} {status}", class.as_str()),
        (Some(class), None) => class.as_str().to_owned(),
    });
    vec![
        rfc3339(view.detected_at, &config.timezone),
        view.id.event.to_string(),
        view.id.destination.to_string(),
        state(config, &view.state),
        view.attempts.to_string(),
        last,
    ]
}

fn state(config: &Config, state: &State) -> String {
    let at = |at: Timestamp| rfc3339(at, &config.timezone);
    match state {
        State::Pending { due } => format!("pending, due {}", at(*due)),
        State::InFlight { until } => format!("in flight until {}", at(*until)),
        State::Held => String::from("held (`pregonero release`)"),
        State::Delivered { at: when } => format!("delivered {}", at(*when)),
        State::Dead { at: when, reason } => format!("dead {} ({})", at(*when), reason.as_str()),
    }
}

/// A delivery for machines.
pub(super) fn as_json(view: &DeliveryView) -> Value {
    let (due, ended) = match &view.state {
        State::Pending { due } => (Some(*due), None),
        State::InFlight { until } => (Some(*until), None),
        State::Held => (None, None),
        State::Delivered { at } | State::Dead { at, .. } => (None, Some(*at)),
    };
    let last = view.last.as_ref().map(|attempt| {
        json!({
            "at": attempt.at.to_string(),
            "took_ms": u64::try_from(attempt.took.as_millis()).unwrap_or(u64::MAX),
            "failure": attempt.failure.map(crate::domain::delivery::FailureClass::as_str),
            "status": attempt.status,
            "detail": attempt.detail,
        })
    });
    json!({
        "event": view.id.event.to_string(),
        "destination": view.id.destination.as_str(),
        "state": view.state.as_str(),
        "due_at": due.map(|at| at.to_string()),
        "ended_at": ended.map(|at| at.to_string()),
        "attempts": view.attempts,
        "last": last,
        "detected_at": view.detected_at.to_string(),
    })
}

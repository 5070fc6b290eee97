//! `pregonero send-test DEST`: one test event to one destination, now, once, with the true answer shown.

use std::process::ExitCode;
use std::sync::Arc;

use serde_json::json;

use super::Usage;
use super::output::Out;
use crate::app::Dispatch;
use crate::config::Loaded;
use crate::domain::day::rfc3339;
use crate::domain::delivery::Outcome;
use crate::domain::event::{Body, Event, EventId, EventType, Notice};

/// Send a test event to one destination.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The destination's name
    #[arg(value_name = "DEST")]
    destination: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(loaded: Loaded, args: Args) -> anyhow::Result<ExitCode> {
    let config = loaded.config;
    let channels = crate::app::channels(&config)?;
    let Some(channel) = channels.iter().find(|channel| channel.name().as_str() == args.destination) else {
        let known = channels.iter().map(|channel| channel.name().as_str());
        return Err(Usage::unknown("destination", &args.destination, known).into());
    };
    let now = crate::app::now();
    let event = Arc::new(Event {
        id: EventId::of_notice(&[EventType::TestPing.as_str(), &args.destination, &now.to_string()]),
        kind: EventType::TestPing,
        account: None,
        upstream: None,
        source: None,
        occurred_at: rfc3339(now, &config.timezone),
        detected_at: now,
        late: false,
        sandbox: false,
        body: Body::Notice(Notice { destination: Some(args.destination.clone()), ..Notice::default() }),
    });
    let id = event.id;
    let watch = crate::app::Stopwatch::start();
    let report = channel.send(&Dispatch { event, attempt: 1 }).await;
    let took = watch.elapsed().as_millis();
    let accepted = report.outcome == Outcome::Accepted;
    let failure = match &report.outcome {
        Outcome::Accepted => None,
        Outcome::Later { class, .. } | Outcome::Park { class, .. } | Outcome::Never { class } => Some(class.as_str()),
    };
    let mut out = Out::new();
    if args.json {
        out.json(&json!({
            "event": id.to_string(), "destination": args.destination, "accepted": accepted, "failure": failure,
            "status": report.status, "detail": report.detail, "took_ms": u64::try_from(took).unwrap_or(u64::MAX),
        }))?;
    } else if accepted {
        out.line(&format!("`{}` accepted {id} in {took} ms", args.destination))?;
    } else {
        let status = report.status.map(|status| format!(" {status}")).unwrap_or_default();
        let class = failure.unwrap_or_default();
        out.line(&format!(
            "`{}` did not accept {id}: {class}{status} after {took} ms\n{}",
            args.destination, report.detail
        ))?;
    }
    Ok(ExitCode::from(u8::from(!accepted)))
}

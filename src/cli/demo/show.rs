//! What the demo prints: facts as they are committed, attempts as they are judged.

use std::collections::BTreeMap;
use std::sync::Mutex;

use jiff::tz::TimeZone;
use serde_json::json;

use crate::app::Channel;
use crate::app::Listener;
use crate::app::Witness;
use crate::app::{Announcement, Counts, Lease};
use crate::cli::output::Out;
use crate::domain::argentina::mask_name;
use crate::domain::delivery::{Attempt, Verdict};
use crate::domain::event::Body;

/// Prints what it is told of.
#[derive(Debug)]
pub(super) struct Show {
    json: bool,
    zone: TimeZone,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    out: Out,
    facts: u64,
    accepted: BTreeMap<&'static str, u64>,
    failed: u64,
}

impl Show {
    pub(super) fn new(json: bool, zone: TimeZone) -> Self {
        let state = State { out: Out::new(), facts: 0, accepted: BTreeMap::new(), failed: 0 };
        Self { json, zone, state: Mutex::new(state) }
    }

    fn with(&self, write: impl FnOnce(&mut State) -> anyhow::Result<()>) {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // A terminal that went away must not stop a daemon.
        drop(write(&mut state));
    }

    fn time(&self) -> String {
        let civil = self.zone.to_datetime(crate::app::now());
        format!("{:02}:{:02}:{:02}", civil.hour(), civil.minute(), civil.second())
    }

    /// The sum of it, and what to do next.
    pub(super) fn conclude(&self, counts: &Counts) -> anyhow::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let accepted: Vec<String> =
            state.accepted.iter().map(|(channel, count)| format!("{count} by {channel}")).collect();
        if self.json {
            let value = json!({ "kind": "summary", "facts": state.facts, "accepted": state.accepted, "failed_attempts": state.failed, "pending": counts.pending });
            return state.out.json(&value);
        }
        let told = if accepted.is_empty() {
            String::from("nothing delivered")
        } else {
            format!("delivered {}", accepted.join(", "))
        };
        let lines = [
            String::new(),
            format!("{} facts found, {told}; {} deliveries still waiting.", state.facts, counts.pending),
            String::from("Next:"),
            String::from(
                "  pregonero sandbox              serves the same pretend upstreams on fixed ports, with a configuration to copy",
            ),
            String::from("  cp config.toml.example config.toml, fill in your accounts and destinations"),
            String::from("  pregonero check                says everything that is wrong with it"),
            String::from("  pregonero send-test NAME       sends a test event to one destination"),
            String::from("  pregonero run                  runs the daemon"),
        ];
        lines.iter().try_for_each(|line| state.out.line(line))
    }
}

impl Listener for Show {
    fn announced(&self, announcement: &Announcement) {
        let event = &announcement.event;
        self.with(|state| {
            state.facts += 1;
            if self.json {
                return state.out.json(&json!({ "kind": "fact", "event": crate::app::event_json(event) }));
            }
            let what = match &event.body {
                Body::Payment(payment) => {
                    let name = payment.payer.name.as_deref().map(mask_name).unwrap_or_default();
                    let amount = crate::app::pesos(payment.amount);
                    format!("{amount:>16}  {name:<20}")
                }
                Body::Notice(notice) => notice.reason.clone(),
            };
            let account = event.account.as_ref().map(ToString::to_string).unwrap_or_default();
            let late = if event.late { " late" } else { "" };
            let (bold, plain) = if state.out.colour { ("\u{1b}[1;32m", "\u{1b}[0m") } else { ("", "") };
            let line = format!(
                "{} {bold}+{plain} {:<17} {what} {account:<8} {}{late}",
                self.time(),
                event.kind.to_string(),
                event.id
            );
            state.out.line(&line)
        });
    }
}

impl Witness for Show {
    fn attempted(&self, lease: &Lease, channel: &dyn Channel, attempt: &Attempt, verdict: &Verdict) {
        self.with(|state| {
            let kind = channel.kind().as_str();
            match attempt.failure {
                None => *state.accepted.entry(kind).or_default() += 1,
                Some(_) => state.failed += 1,
            }
            let took = attempt.took.as_millis();
            if self.json {
                return state.out.json(&json!({
                    "kind": "delivery", "event": lease.id.event.to_string(), "destination": lease.id.destination.as_str(), "channel": kind,
                    "accepted": attempt.failure.is_none(), "failure": attempt.failure.map(crate::domain::delivery::FailureClass::as_str),
                    "status": attempt.status, "took_ms": u64::try_from(took).unwrap_or(u64::MAX),
                }));
            }
            let answer = match (attempt.failure, verdict) {
                (None, _) => attempt.status.map_or_else(|| String::from("accepted"), |status| format!("accepted, {status}")),
                (Some(class), Verdict::Retry { after, .. }) => format!("{}, again in {} s", class.as_str(), after.as_secs()),
                (Some(class), Verdict::Delivered | Verdict::Dead { .. }) => class.as_str().to_owned(),
            };
            let line = format!("{}   → {kind:<8} {:<12} {} {answer} in {took} ms", self.time(), lease.id.destination.to_string(), lease.id.event);
            state.out.line(&line)
        });
    }
}

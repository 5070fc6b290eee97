//! The contract that every channel passes: one table of what the other side does and what we make of it, and no
//! secret or personal data in any report or debug print.

mod email;
mod receiver;
mod relay;
pub(crate) mod samples;
mod telegram;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use self::samples::destination;
use super::{Channel, Dispatch, Report};
use crate::clock::{Clock, SystemClock};
use crate::config::Secret;
use crate::domain::delivery::{FailureClass, Outcome};
use crate::domain::event::{Event, EventType};

/// What must never be seen outside the wire: passwords, tokens, keys, paths and queries of URLs, addresses.
const SECRETS: [&str; 8] = [
    "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0",
    "header-s3cret",
    "path-s3cret",
    "query-s3cret",
    "123456:bot-t0ken",
    "smtp-s3cret",
    "caja@example.org",
    "avisos@example.com",
];

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

fn zone() -> TimeZone {
    TimeZone::get("America/Argentina/Buenos_Aires").unwrap()
}

/// What the other side did, in the words of the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    Accepted,
    Later(FailureClass),
    Park(FailureClass),
    Never(FailureClass),
}

fn word(report: &Report) -> Word {
    match report.outcome {
        Outcome::Accepted => Word::Accepted,
        Outcome::Later { class, .. } => Word::Later(class),
        Outcome::Park { class, rest } => {
            assert!(!rest.is_zero(), "a park without a rest spins");
            Word::Park(class)
        }
        Outcome::Never { class } => Word::Never(class),
    }
}

async fn send(channel: &dyn Channel, event: &Event, attempt: u32) -> Report {
    let dispatch = Dispatch { event: Arc::new(event.clone()), attempt };
    let bound = channel.timeout() + Duration::from_secs(20);
    let report = tokio::time::timeout(bound, channel.send(&dispatch)).await.expect("send must be bounded by timeout()");
    assert_clean(channel, &report);
    report
}

async fn announce(channel: &dyn Channel) -> Report {
    send(channel, &samples::payment(EventType::CreditReceived), 1).await
}

fn assert_clean(channel: &dyn Channel, report: &Report) {
    let shown = format!("{channel:?} {report:?} {}", report.detail);
    for hidden in SECRETS.iter().chain(&samples::PERSONAL) {
        assert!(!shown.contains(hidden), "{hidden} in {shown}");
    }
    assert!(report.detail.len() <= 1200, "{}", report.detail.len());
    assert!(!report.detail.chars().any(char::is_control));
    assert_eq!(report.detail.is_empty(), report.outcome == Outcome::Accepted, "{report:?}");
}

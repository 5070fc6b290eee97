//! What an SMTP reply means for us (RFC 5321, section 4.2; enhanced codes by RFC 3463).

use std::error::Error as _;
use std::time::Duration;

use lettre::transport::smtp::Error;

use crate::channels::{Report, answer};
use crate::domain::delivery::{FailureClass, Outcome};

/// How long all mail rests after our credentials or our sender address were refused.
const CREDENTIALS_REST: Duration = Duration::from_secs(300);

/// How long to wait when a quota is used up: Gmail's and Microsoft's count by the day.
const QUOTA_WAIT: Duration = Duration::from_secs(3600);

/// What we were doing when the reply came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Connecting, greeting, TLS.
    Connect,
    /// Logging in.
    Auth,
    /// `MAIL FROM`.
    Sender,
    /// `RCPT TO`.
    Recipient,
    /// `DATA` and the message.
    Content,
}

/// A failed step as a report. The recipient's address is hidden from the text.
pub(super) fn report(error: &Error, stage: Stage) -> Report {
    let said = error.source().map(ToString::to_string).unwrap_or_default();
    if let Some(code) = error.status() {
        let code = u16::from(code);
        let detail = format!("{code} {}", answer::keep(said.as_bytes(), &[]));
        return Report {
            outcome: outcome(code, &said, stage),
            status: Some(code),
            detail: detail.trim_end().to_owned(),
        };
    }
    if error.is_client() && stage == Stage::Auth {
        return Report::park(FailureClass::Credentials, CREDENTIALS_REST, "the relay offers no login that we know");
    }
    // lettre calls a connection that was closed in the middle of a reply an incomplete response.
    let class = match said.as_str() {
        "incomplete response" => FailureClass::Connect,
        _ if error.is_response() || error.is_client() => FailureClass::Protocol,
        _ => answer::class_of(error, stage == Stage::Connect, error.is_timeout()),
    };
    Report::later(class, answer::words(class))
}

/// The outcome of a negative reply.
fn outcome(code: u16, said: &str, stage: Stage) -> Outcome {
    let enhanced = said.split_whitespace().next().filter(|word| word.starts_with(['4', '5']) && word.contains('.'));
    let quota = matches!(enhanced, Some("4.2.1" | "4.4.5" | "4.5.3" | "5.4.5"));
    let later = |class, retry_after| Outcome::Later { class, retry_after };
    let never = |class| Outcome::Never { class };
    match (code, stage) {
        _ if quota => later(FailureClass::RateLimited, Some(QUOTA_WAIT)),
        (..500, _) => later(FailureClass::Protocol, None),
        (530 | 534 | 535 | 538, _) | (_, Stage::Auth | Stage::Sender) => {
            // Whatever the event: our login or our own address is wrong, and an operator can mend it.
            Outcome::Park { class: FailureClass::Credentials, rest: CREDENTIALS_REST }
        }
        // A relay that turns everybody away says nothing about this mail.
        (_, Stage::Connect) => later(FailureClass::Protocol, None),
        (550, _) => match enhanced {
            Some(enhanced) if !enhanced.starts_with("5.1.") && !enhanced.starts_with("5.2.1") => {
                never(FailureClass::Protocol)
            }
            _ if stage == Stage::Content => never(FailureClass::Protocol),
            _ => never(FailureClass::Recipient),
        },
        (551 | 553, _) => never(FailureClass::Recipient),
        _ => never(FailureClass::Protocol),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reply_has_its_reaction() {
        use FailureClass::{Credentials, Protocol, RateLimited, Recipient};
        let later = |class| Outcome::Later { class, retry_after: None };
        let never = |class| Outcome::Never { class };
        let quota = Outcome::Later { class: RateLimited, retry_after: Some(QUOTA_WAIT) };
        let park = Outcome::Park { class: Credentials, rest: CREDENTIALS_REST };
        for (code, said, stage, expected) in [
            (421, "4.3.2 shutting down", Stage::Connect, later(Protocol)),
            (450, "4.2.0 greylisted", Stage::Recipient, later(Protocol)),
            (450, "4.2.1 too fast", Stage::Recipient, quota.clone()),
            (452, "4.5.3 too many", Stage::Recipient, quota.clone()),
            (454, "4.7.0 try again", Stage::Auth, later(Protocol)),
            (550, "5.4.5 daily limit", Stage::Content, quota),
            (535, "5.7.8 bad", Stage::Auth, park.clone()),
            (530, "5.7.0 log in", Stage::Sender, park.clone()),
            (534, "", Stage::Auth, park.clone()),
            (550, "5.7.1 not your address", Stage::Sender, park),
            (554, "no service", Stage::Connect, later(Protocol)),
            (550, "5.1.1 unknown", Stage::Recipient, never(Recipient)),
            (550, "unknown", Stage::Recipient, never(Recipient)),
            (551, "", Stage::Recipient, never(Recipient)),
            (553, "", Stage::Recipient, never(Recipient)),
            (550, "5.7.1 spam", Stage::Content, never(Protocol)),
            (552, "5.3.4 too big", Stage::Content, never(Protocol)),
            (554, "5.7.1 spam", Stage::Content, never(Protocol)),
        ] {
            assert_eq!(outcome(code, said, stage), expected, "{code} {said} {stage:?}");
        }
    }
}

//! What a call of a client ends with when it brings no answer, for whoever has to tell an operator.
//!
//! The daemon needs only the reaction ([`SourceError`]); a command shows the upstream's own words and the HTTP status,
//! and must know whether a request that moves money may have been carried out all the same.

use std::error::Error;
use std::fmt;

use serde::Deserialize;

use super::SourceError;
use super::json::{self, Field};
use crate::http::TransportError;

/// The longest piece of an upstream's own words that an operator is shown.
const WORDS: usize = 500;

/// What the upstream said, in its own words. May name a payer: for an operator's terminal, never for a log; `Debug`
/// prints the status only.
#[derive(Clone, PartialEq, Eq)]
pub struct Said {
    /// HTTP status; an error can hide in 200.
    pub status: u16,
    /// Its own words, without our credentials, at most 500 characters; empty where it said none.
    pub words: String,
}

impl fmt::Debug for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Said({}, …)", self.status)
    }
}

impl Said {
    /// From an answer; `secrets` are cut out.
    pub(super) fn of(status: u16, body: &[u8], secrets: &[&str]) -> Self {
        Self { status, words: words(body, secrets) }
    }
}

/// A request that was not sent, because it breaks a rule of the document. Carries no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{field}` {rule}")]
pub struct Invalid {
    /// Which field, as the document names it.
    pub field: &'static str,
    /// What is wrong with it: "has no 22 digits".
    pub rule: &'static str,
}

/// Why nothing was read, or nothing done.
pub struct Failure {
    /// By what to do about it.
    pub error: SourceError,
    /// What the upstream said; `None` where it said nothing.
    pub said: Option<Said>,
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Failure").field("error", &self.error).field("said", &self.said).finish()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.error, f)
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}

/// How a call can end badly, by reaction. Carries no credential; its `Display` and `Debug` name no payer.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// It was not sent: mend the request.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// Nothing was read, or nothing was done: the reaction stands in [`Failure::error`].
    #[error(transparent)]
    Failed(#[from] Failure),
    /// A request that creates something or moves money was sent, and whether it was carried out is unknown: no answer
    /// in time, a broken one, a 5xx. Never repeat it blindly; look first, or (cash-out) ask again with the same
    /// `reference_id` and the very same data. No reading ends so.
    #[error("the request was sent and its result is unknown")]
    Unknown {
        /// What the upstream said; `None` where it said nothing.
        said: Option<Said>,
        /// What happened to the answer.
        #[source]
        cause: SourceError,
    },
}

impl CallError {
    /// What the upstream said, where it said anything.
    pub const fn said(&self) -> Option<&Said> {
        match self {
            Self::Failed(Failure { said, .. }) | Self::Unknown { said, .. } => said.as_ref(),
            Self::Invalid(_) => None,
        }
    }

    /// Whether the request may have been carried out although there is no answer that says so.
    pub const fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown { .. })
    }

    /// The reaction, where the upstream was asked.
    pub const fn reaction(&self) -> Option<&SourceError> {
        match self {
            Self::Failed(Failure { error, .. }) => Some(error),
            Self::Unknown { cause, .. } => Some(cause),
            Self::Invalid(_) => None,
        }
    }

    /// A failure of a reading, or of a request that certainly was not carried out.
    pub(super) const fn failed(error: SourceError, said: Option<Said>) -> Self {
        Self::Failed(Failure { error, said })
    }

    /// A failure after `intent` was sent.
    pub(super) fn after(intent: Intent, error: SourceError, said: Option<Said>) -> Self {
        if intent == Intent::Write && is_doubtful(&error) {
            Self::Unknown { said, cause: error }
        } else {
            Self::failed(error, said)
        }
    }
}

/// For the daemon, which reads only: the reaction without the words.
impl From<CallError> for SourceError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Failed(Failure { error, .. }) | CallError::Unknown { cause: error, .. } => error,
            CallError::Invalid(invalid) => Self::Contract(invalid.to_string()),
        }
    }
}

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Intent {
    /// It changes nothing: a failure is a failure.
    Read,
    /// It creates something or moves money: without a clear answer its result is unknown.
    Write,
}

/// Whether a request that was sent may have been carried out although this came of it.
const fn is_doubtful(error: &SourceError) -> bool {
    match error {
        // Without a name or a connection nothing was sent; a refusal says that nothing was done.
        SourceError::Transport(TransportError::Dns(_) | TransportError::Connect(_))
        | SourceError::Unauthorized { .. }
        | SourceError::NotFound => false,
        // A TLS fault may come at the end as well as at the beginning.
        SourceError::Transport(
            TransportError::Tls(_)
            | TransportError::Timeout(_)
            | TransportError::TooLarge(_)
            | TransportError::Broken(_),
        )
        | SourceError::Upstream { .. }
        | SourceError::Contract(_) => true,
        // 503 is a gateway's word for "limited", but also for a back end that died over the request.
        SourceError::SlowDown { status, .. } => *status != 429,
        SourceError::Refused { status, .. } => *status == 408,
    }
}

/// An upstream's own words for an operator: `message`, `statusText` or `error`, and what a validation lists.
fn words(body: &[u8], secrets: &[&str]) -> String {
    #[derive(Default, Deserialize)]
    struct Answer<'a> {
        #[serde(borrow, default)]
        message: Field<'a>,
        #[serde(borrow, default, rename = "statusText")]
        status_text: Field<'a>,
        #[serde(borrow, default)]
        error: Field<'a>,
        #[serde(borrow, default)]
        validations: Field<'a>,
    }
    #[derive(Default, Deserialize)]
    struct Validations<'a> {
        #[serde(borrow, default)]
        body: Field<'a>,
    }
    let Ok(answer) = json::object::<Answer<'_>>(body) else { return String::new() };
    let said = [answer.message, answer.status_text, answer.error].into_iter().find_map(json::text);
    let mut parts: Vec<String> = said.into_iter().map(std::borrow::Cow::into_owned).collect();
    let listed = json::part::<Validations<'_>>(answer.validations).body;
    let flaws = json::list("body", listed).unwrap_or_default();
    parts.extend(
        flaws.into_iter().filter_map(|flaw| json::string(json::record::<Answer<'_>>(flaw).unwrap_or_default().message)),
    );
    let secrets = secrets.iter().filter(|secret| !secret.is_empty());
    // Cut out before it is shortened, so that no half of a secret stays at the end.
    let safe = secrets.fold(parts.join("; "), |words, secret| words.replace(secret, "…"));
    safe.chars().filter(|c| !c.is_control()).take(WORDS).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_operator_reads_the_upstreams_own_words() {
        for (body, expected) in [
            (
                r#"{"status":"error","message":"El CVU 0000003100000000000017 no existe"}"#,
                "El CVU 0000003100000000000017 no existe",
            ),
            (
                r#"{"statusText":"Bad Request","jsonSchemaValidation":true,"validations":{"body":[{"message":"falta amount"},7,{}]}}"#,
                "Bad Request; falta amount",
            ),
            (r#"{"message":"clave sesamo\u0007 mala"}"#, "clave … mala"),
            ("<html>", ""),
            ("[]", ""),
            (r#"{"validations":[]}"#, ""),
        ] {
            let said = Said::of(400, body.as_bytes(), &["sesamo", ""]);
            assert_eq!((said.status, said.words.as_str()), (400, expected));
            assert_eq!(format!("{said:?}"), "Said(400, …)");
        }
    }

    #[test]
    fn only_a_write_without_a_clear_answer_is_unknown() {
        let message = String::new;
        let broken = || TransportError::Broken("x".into());
        for (error, doubtful) in [
            (SourceError::Transport(TransportError::Timeout(Duration::ZERO)), true),
            (SourceError::Transport(broken()), true),
            (SourceError::Transport(TransportError::Connect("x".into())), false),
            (SourceError::Transport(TransportError::Dns("x".into())), false),
            (SourceError::Upstream { status: 502, message: message() }, true),
            (SourceError::SlowDown { status: 429, retry_after: None }, false),
            (SourceError::SlowDown { status: 503, retry_after: None }, true),
            (SourceError::Refused { status: 422, message: message() }, false),
            (SourceError::Contract(message()), true),
            (SourceError::Unauthorized { message: message() }, false),
            (SourceError::NotFound, false),
        ] {
            let class = error.class();
            let ended = CallError::after(Intent::Write, error, None);
            assert_eq!(ended.is_unknown(), doubtful, "{class}");
            assert_eq!(ended.reaction().map(SourceError::class), Some(class));
            let reading = CallError::after(Intent::Read, SourceError::from(ended), None);
            assert!(!reading.is_unknown(), "{class}");
        }
    }
}

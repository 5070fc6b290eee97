//! One call of `sendMessage` and what its answer means.
//!
//! The payload and the bot are teloxide's, the call is ours: teloxide sleeps ten seconds inside the request on any
//! 5xx, throws `error_code` away, reads bodies without a cap, and takes an accepted message that it cannot parse for a
//! failure, which would ring twice (0.17.0, `net/request.rs`, 2026-11-21).

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use teloxide::Bot;
use teloxide::payloads::{SendMessage, SendMessageSetters as _};
use teloxide::types::{ChatId, LinkPreviewOptions, MessageId, ParseMode, ThreadId};
use url::Url;

use super::limits::Limits;
use crate::channels::answer;
use crate::domain::delivery::FailureClass;

/// The most bytes of an answer that are read; the Bot API's own are one or two kilobytes.
const READ: usize = 64 * 1024;

/// When a 429 does not say for how long.
const UNSAID_PAUSE: Duration = Duration::from_secs(30);

/// A bot and its limits, shared by all its chats.
pub(super) struct Seat {
    bot: Bot,
    /// Holds the token: never printed.
    url: Url,
    pub(super) limits: Limits,
}

impl fmt::Debug for Seat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seat(…)")
    }
}

/// One message as it goes out.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) chat: i64,
    pub(super) thread: Option<i32>,
    pub(super) text: String,
    /// The text is Telegram's HTML.
    pub(super) html: bool,
}

/// What the Bot API said, by what we do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// It is in the chat.
    Taken,
    /// The group became a supergroup with that id.
    Migrated(i64),
    /// This chat must rest.
    Limited(Duration),
    /// The topic is gone or closed.
    NoThread,
    /// The markup was refused.
    BadMarkup,
    /// The text is too long.
    TooLong,
    /// Nobody is there, or we may not write to them.
    Unwelcome(String),
    /// The token is wrong.
    BadToken,
    /// This message never.
    Refused(String),
    /// Something else; later.
    Trouble(FailureClass, String),
}

#[derive(Deserialize)]
struct Envelope {
    ok: bool,
    error_code: Option<u16>,
    description: Option<String>,
    parameters: Option<Parameters>,
}

#[derive(Deserialize)]
struct Parameters {
    retry_after: Option<u64>,
    migrate_to_chat_id: Option<i64>,
}

impl Seat {
    /// A bot at that Bot API. `None` when the URL cannot be a base.
    pub(super) fn new(bot: Bot) -> Option<Self> {
        let mut url = bot.api_url();
        url.path_segments_mut().ok()?.pop_if_empty().push(&format!("bot{}", bot.token())).push("sendMessage");
        Some(Self { bot, url, limits: Limits::new() })
    }

    /// Sends a message; the status is that of HTTP, where there is one.
    pub(super) async fn call(&self, draft: &Draft, timeout: Duration) -> (Answer, Option<u16>) {
        let Ok(body) = serde_json::to_vec(&payload(draft)) else {
            return (Answer::Trouble(FailureClass::Internal, String::from("the message could not be written")), None);
        };
        let request = self.bot.client().post(self.url.clone()).header("content-type", "application/json");
        let mut response = match request.timeout(timeout).body(body).send().await {
            Ok(response) => response,
            Err(error) => {
                // Its text holds the URL and so the token; only its class is used.
                let class = answer::class_of(&error, error.is_connect(), error.is_timeout());
                return (Answer::Trouble(class, answer::words(class).to_owned()), None);
            }
        };
        let status = response.status().as_u16();
        if response.url() != &self.url {
            // teloxide's reqwest cannot be told not to follow, but whoever answers there is not the Bot API.
            return (Answer::Trouble(FailureClass::Protocol, String::from("the Bot API redirects")), Some(status));
        }
        let mut bytes = Vec::new();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) if bytes.len() + chunk.len() <= READ => bytes.extend_from_slice(&chunk),
                Ok(_) => break,
                Err(error) => {
                    let class = answer::class_of(&error, false, error.is_timeout());
                    return (Answer::Trouble(class, answer::words(class).to_owned()), Some(status));
                }
            }
        }
        (read(status, &bytes), Some(status))
    }
}

fn payload(draft: &Draft) -> SendMessage {
    let preview = LinkPreviewOptions {
        is_disabled: true,
        url: None,
        prefer_small_media: false,
        prefer_large_media: false,
        show_above_text: false,
    };
    let mut message = SendMessage::new(ChatId(draft.chat), draft.text.clone()).link_preview_options(preview);
    if draft.html {
        message = message.parse_mode(ParseMode::Html);
    }
    if let Some(thread) = draft.thread {
        message = message.message_thread_id(ThreadId(MessageId(thread)));
    }
    message
}

/// Reads an answer. The Bot API tells most errors apart by their words only.
fn read(status: u16, body: &[u8]) -> Answer {
    let Ok(envelope) = serde_json::from_slice::<Envelope>(body) else {
        return match status {
            // Cut at the cap, but it says what matters.
            200 if body.starts_with(br#"{"ok":true"#) => Answer::Taken,
            401 | 404 => Answer::BadToken,
            429 => Answer::Limited(UNSAID_PAUSE),
            500.. => Answer::Trouble(FailureClass::Http, format!("HTTP {status}")),
            _ => Answer::Trouble(FailureClass::Protocol, format!("HTTP {status} without a Bot API answer")),
        };
    };
    if envelope.ok {
        return Answer::Taken;
    }
    let parameters = envelope.parameters.unwrap_or(Parameters { retry_after: None, migrate_to_chat_id: None });
    if let Some(chat) = parameters.migrate_to_chat_id {
        return Answer::Migrated(chat);
    }
    let code = envelope.error_code.unwrap_or(status);
    let said = envelope.description.unwrap_or_default();
    if let Some(seconds) = parameters.retry_after {
        return Answer::Limited(Duration::from_secs(seconds));
    }
    by_code(code, &said)
}

fn by_code(code: u16, said: &str) -> Answer {
    let detail = || answer::keep(said.as_bytes(), &[]);
    let words = said.to_ascii_lowercase();
    let speaks_of = |phrases: &[&str]| phrases.iter().any(|phrase| words.contains(phrase));
    match code {
        429 => Answer::Limited(UNSAID_PAUSE),
        401 | 404 => Answer::BadToken,
        403 => Answer::Unwelcome(detail()),
        400 if speaks_of(&["thread not found", "topic_closed", "topic_deleted", "topic closed"]) => Answer::NoThread,
        400 if speaks_of(&["can't parse entities", "can't find end", "unsupported start tag"]) => Answer::BadMarkup,
        400 if speaks_of(&["message is too long", "message_too_long"]) => Answer::TooLong,
        400 if speaks_of(UNWELCOME) => Answer::Unwelcome(detail()),
        400..500 => Answer::Refused(detail()),
        500.. => Answer::Trouble(FailureClass::Http, detail()),
        _ => Answer::Trouble(FailureClass::Protocol, detail()),
    }
}

/// Phrases of a 400 that mean that nobody is there or that we may not write to them.
const UNWELCOME: &[&str] = &[
    "chat not found",
    "chat_write_forbidden",
    "have no rights to send",
    "not enough rights",
    "need administrator rights",
    "peer_id_invalid",
    "user_is_blocked",
    "deactivated",
    "was deleted",
    "was kicked",
    "not a member",
    "chat_restricted",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: u16, description: &str) -> Answer {
        let body = serde_json::json!({ "ok": false, "error_code": code, "description": description });
        read(code, body.to_string().as_bytes())
    }

    #[test]
    fn every_answer_has_its_reaction() {
        for text in [
            "Forbidden: bot was blocked by the user",
            "Forbidden: user is deactivated",
            "Forbidden: bot was kicked from the supergroup chat",
            "Forbidden: the group chat was deleted",
            "Forbidden: bot is not a member of the channel chat",
        ] {
            assert_eq!(error(403, text), Answer::Unwelcome(text.to_owned()));
        }
        let nobody = "Bad Request: chat not found";
        assert_eq!(error(400, nobody), Answer::Unwelcome(nobody.to_owned()));
        assert_eq!(error(400, "Bad Request: message thread not found"), Answer::NoThread);
        assert_eq!(error(400, "Bad Request: TOPIC_CLOSED"), Answer::NoThread);
        assert_eq!(error(400, "Bad Request: can't parse entities: Unsupported start tag"), Answer::BadMarkup);
        assert_eq!(error(400, "Bad Request: message is too long"), Answer::TooLong);
        assert_eq!(
            error(400, "Bad Request: message text is empty"),
            Answer::Refused("Bad Request: message text is empty".into())
        );
        assert_eq!(error(401, "Unauthorized"), Answer::BadToken);
        assert_eq!(error(404, "Not Found"), Answer::BadToken);
        assert!(matches!(error(500, "Internal Server Error"), Answer::Trouble(FailureClass::Http, _)));
        assert_eq!(error(429, "Too Many Requests"), Answer::Limited(UNSAID_PAUSE));
    }

    #[test]
    fn parameters_go_before_words() {
        let body = br#"{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 6","parameters":{"retry_after":6}}"#;
        assert_eq!(read(429, body), Answer::Limited(Duration::from_secs(6)));
        let body =
            br#"{"ok":false,"error_code":400,"description":"x","parameters":{"migrate_to_chat_id":-1001234567890}}"#;
        assert_eq!(read(400, body), Answer::Migrated(-1_001_234_567_890));
    }

    #[test]
    fn what_was_taken_counts_as_taken_whatever_else_is_said() {
        assert_eq!(read(200, br#"{"ok":true,"result":{"message_id":1}}"#), Answer::Taken);
        assert_eq!(read(200, br#"{"ok":true,"result":true,"new":{"field":[]}}"#), Answer::Taken);
        assert!(matches!(read(200, b"<html>welcome</html>"), Answer::Trouble(FailureClass::Protocol, _)));
        assert!(matches!(read(502, b"<html>bad gateway</html>"), Answer::Trouble(FailureClass::Http, _)));
        assert!(matches!(read(200, b""), Answer::Trouble(FailureClass::Protocol, _)));
        assert_eq!(read(200, br#"{"ok":true,"result":{"text":"cut"#), Answer::Taken);
        assert_eq!(read(404, b"nope"), Answer::BadToken);
    }

    #[test]
    fn the_payload_is_what_the_bot_api_documents() {
        let draft = Draft { chat: -100, thread: Some(7), text: String::from("<b>x</b>"), html: true };
        let json = serde_json::to_value(payload(&draft)).unwrap();
        assert_eq!(json["chat_id"], -100);
        assert_eq!(json["message_thread_id"], 7);
        assert_eq!(json["parse_mode"], "HTML");
        assert_eq!(json["link_preview_options"]["is_disabled"], true);
        let plain = serde_json::to_value(payload(&Draft { thread: None, html: false, ..draft })).unwrap();
        assert!(plain.get("parse_mode").is_none() && plain.get("message_thread_id").is_none());
    }
}

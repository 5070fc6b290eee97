//! Telegram: a destination is one chat, or one topic of it.
//!
//! `limits` paces (a bucket for each chat, one for the bot), `send` makes one call and classes its answer. What can be
//! mended at once is mended within the attempt: a group that moved is followed, refused markup goes out as plain text,
//! a dead topic is left out, a text that is too long is shortened by showing less.

mod limits;
mod send;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use sha2::{Digest as _, Sha256};
use teloxide::Bot;
use tokio::time::timeout;
use url::Url;

use self::send::{Answer, Draft, Seat};
use super::text::{Moment, Style, Texts};
use super::{Channel, Dispatch, Report};
use crate::clock::Clock;
use crate::config::{Detail, Secret, TelegramConfig};
use crate::domain::delivery::FailureClass;
use crate::domain::route::{ChannelKind, DestinationName};

/// How long a chat rests in which we are not welcome.
const UNWELCOME_REST: Duration = Duration::from_secs(3600);

/// How long a bot rests whose token was refused.
const CREDENTIALS_REST: Duration = Duration::from_secs(300);

/// The longest pause that is obeyed at one go; a longer one is asked for again.
const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 3600);

/// Calls of one attempt: one, and one for each thing that can be mended.
const CALLS: usize = 5;

/// The most characters of a message (Bot API, `sendMessage`, 2026-11-21).
const LONGEST: usize = 4096;

/// Why a chat cannot be made. Carries no token.
#[derive(Debug, thiserror::Error)]
pub enum TelegramProblem {
    /// `api_url` cannot have a path.
    #[error("`api_url` cannot be the base of a Bot API")]
    Url,
    /// The HTTP client could not be made.
    #[error("the HTTP client could not be made")]
    Client(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The bots: destinations with the same token share its limits and its connections.
#[derive(Debug, Default)]
pub struct TelegramBots {
    /// By hash of the token and URL of the Bot API.
    seats: HashMap<([u8; 32], String), Arc<Seat>>,
}

impl TelegramBots {
    fn get(&mut self, token: &Secret, api_url: &Url) -> Result<Arc<Seat>, TelegramProblem> {
        let key = (Sha256::digest(token.expose()).into(), api_url.to_string());
        if let Some(seat) = self.seats.get(&key) {
            return Ok(Arc::clone(seat));
        }
        // No Referer: after a redirect it would carry the token.
        let mut settings = teloxide::net::default_reqwest_settings().referer(false);
        if api_url.scheme() == "http" {
            // A Bot API of our own stands beside us, not behind the proxy of the environment.
            settings = settings.no_proxy();
        }
        let client = settings.build();
        let client = client.map_err(|error| TelegramProblem::Client(error.without_url().into()))?;
        let bot = Bot::with_client(token.expose(), client).set_api_url(api_url.clone());
        let seat = Arc::new(Seat::new(bot).ok_or(TelegramProblem::Url)?);
        self.seats.insert(key, Arc::clone(&seat));
        Ok(seat)
    }
}

/// One chat.
pub struct TelegramChannel {
    name: DestinationName,
    seat: Arc<Seat>,
    /// Changes when a group becomes a supergroup; the configured id is followed again after a restart.
    chat: AtomicI64,
    thread: Option<i32>,
    /// The topic was refused once; until the next start it is left out.
    thread_is_gone: AtomicBool,
    style: Style,
    timeout: Duration,
    texts: Arc<Texts>,
    clock: Arc<dyn Clock>,
}

impl TelegramChannel {
    /// From its section of the configuration.
    ///
    /// # Errors
    /// When `api_url` cannot be used.
    pub fn new(
        config: &TelegramConfig,
        bots: &mut TelegramBots,
        texts: Arc<Texts>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, TelegramProblem> {
        Ok(Self {
            name: config.common.name.clone(),
            seat: bots.get(&config.token, &config.api_url)?,
            chat: AtomicI64::new(config.chat_id),
            thread: config.thread_id,
            thread_is_gone: AtomicBool::new(false),
            style: Style { language: config.language, detail: config.common.detail, zone: config.zone.clone() },
            timeout: config.common.timeout,
            texts,
            clock,
        })
    }

    fn chat(&self) -> i64 {
        self.chat.load(Ordering::Relaxed)
    }

    async fn attempt(&self, dispatch: &Dispatch) -> Report {
        match self.seat.limits.book(self.chat()) {
            Ok(wait) if wait.is_zero() => {}
            Ok(wait) => tokio::time::sleep(wait).await,
            Err(rest) => return Report::park(FailureClass::RateLimited, rest, "the chat's own rate is spent"),
        }
        let mut form = Form::Html;
        for call in 0..CALLS {
            if call > 0 {
                self.seat.limits.charge(self.chat());
            }
            let (answer, status) = self.seat.call(&self.draft(dispatch, form), self.timeout).await;
            match self.judge(answer, form) {
                Next::Again(next) => form = next,
                Next::Done(report) => return Report { status, ..report },
            }
        }
        Report::later(FailureClass::Protocol, "the Bot API refused every form of the message")
    }

    fn draft(&self, dispatch: &Dispatch, form: Form) -> Draft {
        let moment = Moment { now: self.clock.now(), repeated: dispatch.attempt > 1 };
        let event = &dispatch.event;
        let thin = || Style { detail: Detail::Thin, ..self.style.clone() };
        let text = match form {
            Form::Html => self.texts.telegram(event, &self.style, moment),
            Form::Plain => self.texts.plain(event, &self.style, moment),
            Form::Short => self.texts.line(event, &thin(), moment),
        };
        let html = form == Form::Html;
        // Only markup must not be cut in the middle.
        let text = if html { text } else { text.chars().take(LONGEST).collect() };
        let thread = self.thread.filter(|_| !self.thread_is_gone.load(Ordering::Relaxed));
        Draft { chat: self.chat(), thread, text, html }
    }

    fn judge(&self, answer: Answer, form: Form) -> Next {
        let done = Next::Done;
        match answer {
            Answer::Taken => done(Report::accepted(None)),
            Answer::Migrated(chat) if chat != self.chat() => {
                self.chat.store(chat, Ordering::Relaxed);
                tracing::warn!(destination.name = %self.name, "the group became a supergroup; put its new id into the configuration");
                Next::Again(form)
            }
            Answer::NoThread if !self.thread_is_gone.swap(true, Ordering::Relaxed) && self.thread.is_some() => {
                tracing::warn!(destination.name = %self.name, "the topic is gone or closed; messages go to the chat without it");
                Next::Again(form)
            }
            Answer::BadMarkup if form == Form::Html => {
                tracing::error!(destination.name = %self.name, "Telegram refused a message's markup; it is sent as plain text");
                Next::Again(Form::Plain)
            }
            Answer::TooLong if form != Form::Short => Next::Again(Form::Short),
            Answer::Limited(pause) => {
                let rest = pause.min(LONGEST_PAUSE) + Duration::from_secs_f64(self.clock.chance().clamp(0.0, 1.0));
                self.seat.limits.park(self.chat(), rest);
                done(Report::park(FailureClass::RateLimited, rest, "Telegram asked for a pause"))
            }
            Answer::Unwelcome(said) => done(Report::park(FailureClass::Recipient, UNWELCOME_REST, said)),
            Answer::BadToken => done(Report::park(
                FailureClass::Credentials,
                CREDENTIALS_REST,
                "Telegram does not know the bot's token",
            )),
            Answer::Refused(said) => done(Report::never(FailureClass::Protocol, said)),
            Answer::Trouble(class, said) => done(Report::later(class, said)),
            Answer::Migrated(_) | Answer::NoThread | Answer::BadMarkup | Answer::TooLong => {
                done(Report::never(FailureClass::Protocol, "the Bot API refused the message in its simplest form"))
            }
        }
    }
}

/// How a message is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Html,
    Plain,
    /// One line that shows the least.
    Short,
}

enum Next {
    Again(Form),
    Done(Report),
}

#[async_trait]
impl Channel for TelegramChannel {
    fn name(&self) -> &DestinationName {
        &self.name
    }

    fn kind(&self) -> ChannelKind {
        ChannelKind::Telegram
    }

    fn timeout(&self) -> Duration {
        self.timeout
    }

    /// One: a chat is read from top to bottom, so the facts must arrive in their order.
    fn in_flight(&self) -> usize {
        1
    }

    fn rest(&self) -> Duration {
        self.seat.limits.rest(self.chat())
    }

    async fn send(&self, dispatch: &Dispatch) -> Report {
        match timeout(self.timeout, self.attempt(dispatch)).await {
            Ok(report) => report,
            Err(_) => Report::later(FailureClass::Timeout, "no complete answer in time; the message may have arrived"),
        }
    }
}

impl fmt::Debug for TelegramChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // No token and no chat.
        f.debug_struct("TelegramChannel").field("name", &self.name).finish_non_exhaustive()
    }
}

//! Every destination's channel, from the checked configuration.

use std::sync::Arc;

use super::Channel;
use super::email::relay::{Relay, RelayProblem};
use super::email::{AddressProblem, EmailChannel};
use super::telegram::{TelegramBots, TelegramChannel, TelegramProblem};
use super::text::{TextError, Texts};
use super::webhook::{WebhookChannel, WebhookClients, WebhookProblem};
use crate::clock::Clock;
use crate::config::{Config, DestinationConfig};

/// Why a destination cannot be set up; the cause is its source. Carries no secret, address or URL.
#[derive(Debug, thiserror::Error)]
#[error("{what} cannot be set up")]
pub struct ChannelSetupError {
    /// Which section of the configuration.
    what: String,
    /// Why.
    #[source]
    problem: SetupProblem,
}

/// What is wrong.
#[derive(Debug, thiserror::Error)]
pub enum SetupProblem {
    /// A webhook.
    #[error(transparent)]
    Webhook(#[from] WebhookProblem),
    /// An address of a mailing.
    #[error(transparent)]
    Address(#[from] AddressProblem),
    /// The mail relay.
    #[error(transparent)]
    Relay(#[from] RelayProblem),
    /// There are mailings and no relay.
    #[error("there is no [smtp] section")]
    NoRelay,
    /// A chat.
    #[error(transparent)]
    Telegram(#[from] TelegramProblem),
    /// Our own templates.
    #[error(transparent)]
    Text(#[from] TextError),
}

/// Makes the channel of every destination, in the order of the file (webhooks, mailings, chats). Connects to nothing.
///
/// # Errors
/// The first destination that cannot be set up.
pub fn build_all(config: &Config, clock: &Arc<dyn Clock>) -> Result<Vec<Arc<dyn Channel>>, ChannelSetupError> {
    let mut channels: Vec<Arc<dyn Channel>> = Vec::new();
    let mut clients = WebhookClients::default();
    for webhook in &config.webhook {
        let channel = WebhookChannel::new(webhook, &mut clients, Arc::clone(clock));
        channels.push(Arc::new(channel.map_err(|problem| of(&webhook.common, problem))?));
    }
    let texts = Texts::new().map_err(|problem| about("the messages", problem))?;
    let texts = Arc::new(texts);
    channels.extend(mailings(config, &texts, clock)?);
    let mut bots = TelegramBots::default();
    for chat in &config.telegram {
        let channel = TelegramChannel::new(chat, &mut bots, Arc::clone(&texts), Arc::clone(clock));
        channels.push(Arc::new(channel.map_err(|problem| of(&chat.common, problem))?));
    }
    Ok(channels)
}

fn mailings(
    config: &Config,
    texts: &Arc<Texts>,
    clock: &Arc<dyn Clock>,
) -> Result<Vec<Arc<dyn Channel>>, ChannelSetupError> {
    let Some(first) = config.email.first() else { return Ok(Vec::new()) };
    let smtp = config.smtp.as_ref().ok_or_else(|| of(&first.common, SetupProblem::NoRelay))?;
    let relay = Arc::new(Relay::new(smtp).map_err(|problem| about("[smtp]", problem))?);
    let mut channels: Vec<Arc<dyn Channel>> = Vec::new();
    for email in &config.email {
        let channel = EmailChannel::new(email, &smtp.from, Arc::clone(&relay), Arc::clone(texts), Arc::clone(clock));
        channels.push(Arc::new(channel.map_err(|problem| of(&email.common, problem))?));
    }
    Ok(channels)
}

fn of(destination: &DestinationConfig, problem: impl Into<SetupProblem>) -> ChannelSetupError {
    about(&format!("destination `{}`", destination.name), problem)
}

fn about(what: &str, problem: impl Into<SetupProblem>) -> ChannelSetupError {
    ChannelSetupError { what: what.to_owned(), problem: problem.into() }
}

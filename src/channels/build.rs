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

#[cfg(test)]
mod tests {
    use std::error::Error as _;
    use std::path::PathBuf;
    use std::time::Duration;

    use jiff::tz::TimeZone;

    use super::*;
    use crate::channels::contract::samples::destination;
    use crate::clock::SystemClock;
    use crate::config::{
        Backend, EmailConfig, Flood, HttpConfig, Language, Log, LogFormat, Secret, SmtpConfig, SmtpSecurity,
        StoreConfig, TelegramConfig, WebhookConfig,
    };

    fn config() -> Config {
        let secret = |text: &str| Secret::new(text.to_owned());
        Config {
            language: Language::Es,
            timezone: TimeZone::UTC,
            retention: Duration::ZERO,
            late_after: Duration::ZERO,
            flood: Flood { limit: 0, older_than: Duration::ZERO },
            reconcile: None,
            log: Log { filter: None, format: LogFormat::Text },
            store: StoreConfig {
                backend: Backend::Embedded(PathBuf::new()),
                prefix: String::new(),
                instance: String::new(),
                tls: crate::config::RedisTls::default(),
            },
            http: HttpConfig { listen: None, token: None },
            telepagos: Vec::new(),
            sipago: Vec::new(),
            webhook: vec![WebhookConfig {
                common: destination("erp"),
                url: "https://erp.example.com/".parse().unwrap(),
                secrets: vec![secret("whsec_c2VjcmV0")],
                allow_private: Vec::new(),
                rate: None,
                headers: Vec::new(),
            }],
            smtp: Some(SmtpConfig {
                host: String::from("localhost"),
                port: 25,
                security: SmtpSecurity::Plain,
                credentials: None,
                from: String::from("Avisos <avisos@example.com>"),
                ca_file: None,
            }),
            email: vec![EmailConfig {
                common: destination("contaduria"),
                to: vec![String::from("a@example.org")],
                language: Language::Es,
                zone: TimeZone::UTC,
            }],
            telegram: vec![TelegramConfig {
                common: destination("caja"),
                token: secret("1:t0ken"),
                chat_id: 1,
                thread_id: None,
                api_url: "https://api.telegram.org/".parse().unwrap(),
                language: Language::En,
                zone: TimeZone::UTC,
            }],
        }
    }

    fn problem(change: impl FnOnce(&mut Config)) -> String {
        let mut config = config();
        change(&mut config);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let error = build_all(&config, &clock).unwrap_err();
        format!("{error}: {}", error.source().unwrap())
    }

    #[test]
    fn every_destination_gets_its_channel() {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let channels = build_all(&config(), &clock).unwrap();
        let names: Vec<_> = channels.iter().map(|channel| channel.name().as_str().to_owned()).collect();
        assert_eq!(names, ["erp", "contaduria", "caja"]);
    }

    #[test]
    fn a_problem_names_its_destination_and_no_secret() {
        assert_eq!(
            problem(|config| config.webhook[0].secrets = vec![Secret::new(String::from("whsec_?"))]),
            "destination `erp` cannot be set up: the secret is not `whsec_` followed by base64"
        );
        assert_eq!(
            problem(|config| config.smtp = None),
            "destination `contaduria` cannot be set up: there is no [smtp] section"
        );
        assert_eq!(
            problem(|config| config.email[0].to.push(String::from("nobody"))),
            "destination `contaduria` cannot be set up: entry 2 of `to` is not a mail address"
        );
        assert_eq!(
            problem(|config| config.telegram[0].api_url = "data:x".parse().unwrap()),
            "destination `caja` cannot be set up: `api_url` cannot be the base of a Bot API"
        );
    }
}

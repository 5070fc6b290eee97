//! What the file says, checked: inside, nothing can be wrong any more.
//!
//! What was written is a tree of values that know their file (`node`, laid over each other in `layers`); what it means
//! are the types here. Between them stand readers, one file for each kind of section, which note every problem with its
//! key and file and go on, so that all are reported at once. The annotated `config.toml.example` is embedded: it *is*
//! the lowest layer.

mod accounts;
mod destinations;
mod environment;
mod fields;
mod follow;
mod globals;
mod hints;
mod layers;
mod load;
mod node;
mod problem;
pub mod secret;
mod section;
pub mod values;
pub mod watching;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;
use url::Url;

pub use self::environment::Environment;
pub use self::follow::FollowConfig;
pub use self::hints::HintsConfig;
pub use self::layers::EXAMPLE;
pub use self::load::{Loaded, from_toml, load, load_in};
pub use self::problem::{ConfigErrors, Problem};
pub use self::secret::Secret;
pub use self::values::{Rate, order_uuid};
use crate::domain::account::AccountName;
pub use crate::domain::closing::Nightly;
use crate::domain::money::Dialect;
pub use crate::domain::policy::{Flood, Start};
use crate::domain::retry::Schedule;
use crate::domain::route::{DestinationName, Pattern, Route};
use crate::domain::row::{OperationKind, StatusKind};

/// The whole configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Of people's messages, unless a destination says otherwise.
    pub language: Language,
    /// The accounts' local days and people's times, unless an account says otherwise.
    pub timezone: TimeZone,
    /// How long events, settled deliveries and rejects are kept. At least the longest look-back.
    pub retention: Duration,
    /// A fact first seen that long after it happened is late.
    pub late_after: Duration,
    /// The flood guard.
    pub flood: Flood,
    /// When days are closed; `None`: never.
    pub reconcile: Option<Nightly>,
    /// The log.
    pub log: Log,
    /// Where memory is.
    pub store: StoreConfig,
    /// Where we listen.
    pub http: HttpConfig,
    /// TelePagos accounts.
    pub telepagos: Vec<TelepagosAccount>,
    /// Sipago accounts.
    pub sipago: Vec<SipagoAccount>,
    /// Webhook destinations.
    pub webhook: Vec<WebhookConfig>,
    /// The mail relay; present when there is an e-mail destination.
    pub smtp: Option<SmtpConfig>,
    /// E-mail destinations.
    pub email: Vec<EmailConfig>,
    /// Telegram destinations.
    pub telegram: Vec<TelegramConfig>,
}

/// Of people's messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Spanish as in Argentina.
    Es,
    /// English.
    En,
}

/// The log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Filter directives of the file; `None`: `RUST_LOG`, else `info`.
    pub filter: Option<String>,
    /// Lines for people or JSON for machines.
    pub format: LogFormat,
}

/// Form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// Where memory is.
#[derive(Clone, Debug)]
pub struct StoreConfig {
    /// Which back-end.
    pub backend: Backend,
    /// In front of every Redis key.
    pub prefix: String,
    /// Name of this daemon among those that share a store; unique per living process and the same after a restart.
    pub instance: String,
    /// Certificates for `rediss://`.
    pub tls: RedisTls,
}

/// Certificates for `rediss://`; PEM files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RedisTls {
    /// Whom to trust instead of the system's authorities.
    pub ca_file: Option<PathBuf>,
    /// Our own certificate and its key.
    pub client: Option<(PathBuf, PathBuf)>,
}

/// Which back-end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backend {
    /// `file:` — SQLite.
    Embedded(PathBuf),
    /// `redis://` and its relatives (TLS, sentinels, cluster, socket), as written (it may hold a password: never log it).
    Redis(RedisUrl),
}

/// A Redis URL, whose `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl(pub String);

impl std::fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RedisUrl(…)")
    }
}

/// Where we listen.
#[derive(Clone, Debug)]
pub struct HttpConfig {
    /// `None`: not at all.
    pub listen: Option<SocketAddr>,
    /// Bearer token; required unless loopback.
    pub token: Option<Secret>,
}

/// What both upstreams' accounts have in common.
#[derive(Clone, Debug)]
pub struct AccountConfig {
    /// Unique over all accounts.
    pub name: AccountName,
    /// With a trailing slash, so that paths can be joined.
    pub base_url: Url,
    /// Requests that we allow ourselves.
    pub rate: Rate,
    /// Cadences.
    pub poll: Poll,
    /// How many days back the cold sweep reads.
    pub lookback_days: u32,
    /// What first contact means.
    pub start: Start,
    /// Plain `http://` is wanted.
    pub allow_http: bool,
    /// Events of this account are marked as play money.
    pub sandbox: bool,
    /// Of one request, its answer included.
    pub timeout: Duration,
    /// Most bytes of one answer.
    pub body_cap: usize,
    /// Most pages of one reading; reaching it fails the poll.
    pub max_pages: u32,
    /// Of timestamps without an offset.
    pub provider_zone: TimeZone,
    /// Of the account's local days.
    pub zone: TimeZone,
    /// How amounts are printed.
    pub dialect: Dialect,
    /// strftime formats beside ISO 8601, tried in order.
    pub date_formats: Vec<String>,
    /// Raw status, in lower case → kind; goes before the built-in words.
    pub status: BTreeMap<String, StatusKind>,
    /// Raw operation, in lower case → kind; goes before the built-in words.
    pub operation: BTreeMap<String, OperationKind>,
    /// Whether, and how, the upstream may push "look now".
    pub hints: Option<HintsConfig>,
}

/// Cadences of polling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Poll {
    /// Yesterday, today and tomorrow.
    pub hot: Duration,
    /// The same at hours at which nothing comes in.
    pub quiet: Duration,
    /// The last seven days.
    pub warm: Duration,
    /// The whole look-back.
    pub cold: Duration,
    /// Young watched ids.
    pub watch: Duration,
}

/// A TelePagos account.
#[derive(Clone, Debug)]
pub struct TelepagosAccount {
    /// What all accounts have.
    pub common: AccountConfig,
    /// API user; not the web login.
    pub username: String,
    /// API password.
    pub password: Secret,
    /// Read the listing by pages.
    pub paginate: bool,
    /// Filters as query string (default) or as JSON body of the GET.
    pub filters_in_body: bool,
    /// Allow the command that sends money.
    pub cashout: bool,
    /// Raw `income`, in lower case → is it money in? Goes before the built-in 1 and 0.
    pub income: BTreeMap<String, Income>,
    /// Cash-in ids to follow.
    pub watch_cashin: Vec<u64>,
    /// Cash-ins that are looked for although nobody names them.
    pub follow: Option<FollowConfig>,
}

/// What a raw `income` means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Income {
    /// Money in.
    Credit,
    /// Money out.
    Debit,
}

/// A Sipago account.
#[derive(Clone, Debug)]
pub struct SipagoAccount {
    /// What all accounts have.
    pub common: AccountConfig,
    /// Header `apikey`.
    pub api_key: Secret,
    /// Header `X-VERSION`.
    pub x_version: String,
    /// Read the paid deposits too.
    pub deposits: bool,
    /// Leave a list where what is known begins, once it was seen to be newest first.
    pub early_stop: bool,
    /// Order uuids to follow (cut from URLs where those were given), in lower case.
    pub watch_links: Vec<String>,
}

/// What every destination has.
#[derive(Clone, Debug)]
pub struct DestinationConfig {
    /// Unique over all destinations.
    pub name: DestinationName,
    /// `events = […]`.
    pub patterns: Vec<Pattern>,
    /// `accounts = […]`; empty: all.
    pub accounts: Vec<AccountName>,
    /// Attempts at once.
    pub in_flight: usize,
    /// Of one attempt, its answer included.
    pub timeout: Duration,
    /// Waits between attempts.
    pub retry: Schedule,
    /// Full, masked or thin.
    pub detail: Detail,
}

/// How much of the payer a destination is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// Everything the upstream printed (cards: brand and last four, always).
    Full,
    /// First name and initial, the tails of numbers.
    Masked,
    /// Ids, state and amount only.
    Thin,
}

/// A webhook destination. `Debug` shows the host only: paths and queries hold tokens.
#[derive(Clone)]
pub struct WebhookConfig {
    /// What all destinations have.
    pub common: DestinationConfig,
    /// Where to.
    pub url: Url,
    /// The key behind `whsec_…`; the first signs first, all sign (rotation).
    pub secrets: Vec<Secret>,
    /// Private ranges that this destination may be in.
    pub allow_private: Vec<ipnet::IpNet>,
    /// Sends that the receiver wants at most; `None`: no limit.
    pub rate: Option<Rate>,
    /// Further headers; values may be secret.
    pub headers: Vec<(String, Secret)>,
}

/// The mail relay.
#[derive(Clone, Debug)]
pub struct SmtpConfig {
    /// Host name; also what the certificate must show.
    pub host: String,
    /// Port.
    pub port: u16,
    /// How the connection is protected.
    pub security: SmtpSecurity,
    /// User name and password.
    pub credentials: Option<(String, Secret)>,
    /// `Name <address>`.
    pub from: String,
    /// A PEM file of further authorities.
    pub ca_file: Option<PathBuf>,
}

/// How a mail connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SmtpSecurity {
    /// TLS from the first byte.
    ImplicitTls,
    /// STARTTLS or nothing.
    RequiredStarttls,
    /// `allow_plain = true`: a local relay.
    Plain,
}

/// An e-mail destination.
#[derive(Clone, Debug)]
pub struct EmailConfig {
    /// What all destinations have.
    pub common: DestinationConfig,
    /// Recipients, each in an envelope of its own.
    pub to: Vec<String>,
    /// Of its messages.
    pub language: Language,
    /// Of its times.
    pub zone: TimeZone,
}

/// A Telegram destination.
#[derive(Clone, Debug)]
pub struct TelegramConfig {
    /// What all destinations have.
    pub common: DestinationConfig,
    /// Bot token.
    pub token: Secret,
    /// Chat; groups are negative.
    pub chat_id: i64,
    /// Forum topic.
    pub thread_id: Option<i32>,
    /// The Bot API.
    pub api_url: Url,
    /// Of its messages.
    pub language: Language,
    /// Of its times.
    pub zone: TimeZone,
}

impl Config {
    /// What each destination asked for, in the order of the file.
    pub fn routes(&self) -> Vec<Route> {
        use crate::domain::route::ChannelKind::{Email, Telegram, Webhook};
        let route = |common: &DestinationConfig, channel| Route {
            destination: common.name.clone(),
            channel,
            patterns: common.patterns.clone(),
            accounts: common.accounts.clone(),
        };
        let webhooks = self.webhook.iter().map(|webhook| route(&webhook.common, Webhook));
        let mails = self.email.iter().map(|email| route(&email.common, Email));
        let chats = self.telegram.iter().map(|telegram| route(&telegram.common, Telegram));
        webhooks.chain(mails).chain(chats).collect()
    }

    /// Every account's common part, in the order of the file.
    pub fn accounts(&self) -> impl Iterator<Item = &AccountConfig> {
        self.telepagos.iter().map(|account| &account.common).chain(self.sipago.iter().map(|account| &account.common))
    }
}

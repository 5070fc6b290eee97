//! One mail relay: at most two conversations at once, each on a connection of its own.
//!
//! lettre's pooled transport is not used, because a time-out around it lets replies slip by one: a mail that was
//! rejected counts as sent (measured on 0.11.23, 2026-11-21). Here a `Seat` owns its connection and every step
//! consumes the seat; only a step that ended well gives it back. So whatever goes wrong, and wherever a future is
//! dropped, the connection is dropped with it.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout};

use super::reply::{self, Stage};
use crate::channels::{Report, answer};
use crate::config::{Secret, SmtpConfig, SmtpSecurity};
use crate::domain::delivery::FailureClass;

/// Conversations at once; providers frown upon more.
pub(super) const CONVERSATIONS: usize = 2;

/// For one command and its reply. RFC 5321 allows minutes; a relay that takes them is tried again later.
const STEP: Duration = Duration::from_secs(30);

/// For the question whether an idle connection still lives.
const PROBE: Duration = Duration::from_secs(5);

/// An idle connection older than that is not used again; servers drop them after minutes.
const MAX_IDLE: Duration = Duration::from_secs(30);

/// Why there is no relay.
#[derive(Debug, thiserror::Error)]
pub enum RelayProblem {
    /// The file with further authorities cannot be read.
    #[error("`ca_file` {0} cannot be read", file.display())]
    CaFile {
        /// As configured.
        file: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// TLS cannot be set up.
    #[error("TLS cannot be set up for the relay")]
    Tls(#[source] Error),
}

/// A relay and its idle connections.
pub struct Relay {
    host: String,
    port: u16,
    security: SmtpSecurity,
    tls: Option<TlsParameters>,
    credentials: Option<(String, Secret)>,
    hello: ClientId,
    permits: Semaphore,
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    connection: AsyncSmtpConnection,
    since: Instant,
}

impl Relay {
    /// From its section of the configuration. Reads the file of authorities, connects to nothing.
    ///
    /// # Errors
    /// When the file cannot be read or holds no certificate.
    pub fn new(config: &SmtpConfig) -> Result<Self, RelayProblem> {
        let tls = match config.security {
            SmtpSecurity::Plain => None,
            SmtpSecurity::ImplicitTls | SmtpSecurity::RequiredStarttls => Some(tls(config)?),
        };
        Ok(Self {
            host: config.host.clone(),
            port: config.port,
            security: config.security,
            tls,
            credentials: config.credentials.clone(),
            hello: ClientId::default(),
            permits: Semaphore::new(CONVERSATIONS),
            idle: Mutex::default(),
        })
    }

    /// The right to converse. Cancel-safe.
    ///
    /// # Errors
    /// Only when the relay was closed, which nobody does.
    pub(super) async fn permit(&self) -> Result<SemaphorePermit<'_>, Report> {
        self.permits.acquire().await.map_err(|_| Report::later(FailureClass::Internal, "the relay was closed"))
    }

    /// A connection that is ready for a mail: an idle one that still answers, or a new one.
    pub(super) async fn seat(&self) -> Result<Seat<'_>, Report> {
        while let Some(mut connection) = self.take_idle() {
            if matches!(timeout(PROBE, connection.test_connected()).await, Ok(true)) {
                return Ok(Seat { relay: self, connection });
            }
        }
        Ok(Seat { relay: self, connection: self.connect().await? })
    }

    fn take_idle(&self) -> Option<AsyncSmtpConnection> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|idle| idle.since.elapsed() < MAX_IDLE);
        idle.pop().map(|idle| idle.connection)
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Report> {
        let implicit = self.tls.clone().filter(|_| self.security == SmtpSecurity::ImplicitTls);
        let server = (self.host.as_str(), self.port);
        let connecting = AsyncSmtpConnection::connect_tokio1(server, Some(STEP), &self.hello, implicit, None);
        let mut connection = match timeout(STEP, connecting).await {
            Ok(connected) => connected.map_err(|error| reply::report(&error, Stage::Connect))?,
            Err(_) => return Err(Report::later(FailureClass::Timeout, self.silence())),
        };
        if self.security == SmtpSecurity::RequiredStarttls {
            if !connection.can_starttls() {
                return Err(Report::later(
                    FailureClass::Tls,
                    "the relay offers no STARTTLS, and nothing is sent without",
                ));
            }
            if let Some(tls) = self.tls.clone() {
                step(Stage::Connect, connection.starttls(tls, &self.hello)).await?;
            }
        }
        if let Some((user, password)) = &self.credentials {
            let credentials = Credentials::new(user.clone(), password.expose().to_owned());
            step(Stage::Auth, connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials)).await?;
        }
        Ok(connection)
    }

    const fn silence(&self) -> &'static str {
        match self.security {
            SmtpSecurity::ImplicitTls => "no greeting from the relay in time",
            SmtpSecurity::RequiredStarttls | SmtpSecurity::Plain => {
                "no greeting from the relay in time; if its port speaks TLS from the first byte, the URL must begin with smtps://"
            }
        }
    }
}

impl fmt::Debug for Relay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relay").field("host", &self.host).field("port", &self.port).finish_non_exhaustive()
    }
}

/// A connection that is ready for a mail.
pub(super) struct Seat<'r> {
    relay: &'r Relay,
    connection: AsyncSmtpConnection,
}

impl Seat<'_> {
    /// One mail to one recipient. Gives the seat back only when the relay took it.
    pub(super) async fn deliver(mut self, from: &Address, to: &Address, mail: &[u8]) -> Result<Self, Report> {
        let connection = &mut self.connection;
        let options = options(connection, from, to, mail)?;
        step(Stage::Sender, connection.command(Mail::new(Some(from.clone()), options))).await?;
        step(Stage::Recipient, connection.command(Rcpt::new(to.clone(), Vec::new()))).await?;
        step(Stage::Content, connection.command(Data)).await?;
        step(Stage::Content, connection.message(mail)).await?;
        Ok(self)
    }

    /// Keeps the connection for the next mail.
    pub(super) fn keep(self) {
        let mut idle = self.relay.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < CONVERSATIONS {
            idle.push(Idle { connection: self.connection, since: Instant::now() });
        }
    }
}

fn options(
    connection: &AsyncSmtpConnection,
    from: &Address,
    to: &Address,
    mail: &[u8],
) -> Result<Vec<MailParameter>, Report> {
    let server = connection.server_info();
    let mut options = Vec::new();
    let international = [from, to].iter().any(|address| !AsRef::<str>::as_ref(address).is_ascii());
    if international {
        if !server.supports_feature(Extension::SmtpUtfEight) {
            return Err(Report::never(FailureClass::Recipient, "the relay does not know international addresses"));
        }
        options.push(MailParameter::SmtpUtfEight);
    }
    if !mail.is_ascii() && server.supports_feature(Extension::EightBitMime) {
        options.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    Ok(options)
}

/// One command and its reply within [`STEP`].
async fn step<T>(stage: Stage, command: impl Future<Output = Result<T, Error>>) -> Result<T, Report> {
    match timeout(STEP, command).await {
        Ok(result) => result.map_err(|error| reply::report(&error, stage)),
        Err(_) => Err(Report::later(FailureClass::Timeout, answer::words(FailureClass::Timeout))),
    }
}

fn tls(config: &SmtpConfig) -> Result<TlsParameters, RelayProblem> {
    let mut builder = TlsParameters::builder(config.host.clone());
    if let Some(file) = &config.ca_file {
        let pem = std::fs::read(file).map_err(|source| RelayProblem::CaFile { file: file.clone(), source })?;
        builder = builder.add_root_certificate(Certificate::from_pem(&pem).map_err(RelayProblem::Tls)?);
    }
    builder.build_rustls().map_err(RelayProblem::Tls)
}

//! Every call of TelePagos' document, typed: one client for one account, shared by the daemon and the commands.
//!
//! Each request passes the account's gate, carries a token that is renewed in a single flight, and has a time-out and a
//! cap on its answer. Readers are tolerant: numbers may be strings, single values lists of one, nulls count as absent,
//! words that nobody documented stay as printed, and fields that nobody documented stand in `extra`. Writers are strict:
//! what breaks a rule of the document is [`CallError::Invalid`] and is not sent. A request that creates something or
//! moves money is sent once; only a refused token lets it be sent again, because then it was not carried out. Without a
//! clear answer it ends in [`CallError::Unknown`].
//!
//! Source of all shapes: TelePagos, "API Empresas", as of 2026-11-21. Amounts are pesos unless the account says
//! `amount_unit = "cents"`, which tells how answers print them; requests are written in pesos with two decimals, the
//! document's "decimal". All ids are text: they may exceed what other programs keep exactly.
//!
//! Every call is cancel-safe in the sense of HTTP: dropped before it was sent it leaves a spent permit at most; a dropped
//! write may have been carried out.

mod account;
mod charges;
mod payments;
mod sale_points;
mod stats;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde_json::json;
use url::Url;

pub(super) use self::account::days;
pub use self::account::{Balance, Operation, Transaction, TransactionFilter};
pub use self::charges::{
    Link, LinkRequest, QrCode, QrRequest, Share, StaticOrder, StaticOrderRequest, TransferLink, TransferRequest,
};
pub use self::payments::{Buyer, Cashin, Cashout, CashoutRequest, CashoutTo, Concept, Voucher};
pub use self::sale_points::{SalePoint, StaticAmount, StaticQr};
pub use self::stats::Stats;
use super::auth::{self, Auth, Token};
use crate::clock::Clock;
use crate::config::TelepagosAccount;
use crate::http::{Method, Request, Transport};
use crate::sources::call::Intent;
use crate::sources::gate::{Gate, Usage};
use crate::sources::record::Record;
use crate::sources::{CallError, Said, SourceError, json, words};

/// The pause of a 429 or 503 that names none.
const SLOW_DOWN: Duration = Duration::from_secs(5);

/// One account's way to TelePagos.
#[derive(Debug)]
pub struct TelepagosClient {
    pub(super) config: TelepagosAccount,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    gate: Gate,
    auth: Auth,
}

/// What is asked.
struct Question<'a> {
    method: Method,
    path: &'a str,
    /// Filters of a GET: in the query or, by the account's setting, in the body.
    filters: &'a [(&'a str, String)],
    /// JSON of a POST or DELETE.
    body: Option<Bytes>,
    /// It names a thing that may not be there.
    by_id: bool,
    intent: Intent,
}

/// An answer other than 429 and 503. An error can come with any status, and hide in a 200.
struct Answer {
    status: u16,
    /// Its envelope says so, whatever the status is.
    is_error: bool,
    body: Bytes,
}

impl Answer {
    fn is_good(&self) -> bool {
        (200..=299).contains(&self.status) && !self.is_error
    }

    /// Whether a new token may help.
    fn refuses_token(&self) -> bool {
        let hidden = self.is_error && matches!(self.status, 200..=299 | 400 | 403);
        self.status == 401 || (hidden && words::is_token_refused(&json::message(&self.body, &[])))
    }
}

impl TelepagosClient {
    /// A client that has not logged in yet.
    pub fn new(config: TelepagosAccount, transport: Arc<dyn Transport>, clock: Arc<dyn Clock>) -> Self {
        let gate = Gate::new(config.common.rate);
        Self { config, transport, clock, gate, auth: Auth::default() }
    }

    /// What the account's gate is doing.
    pub fn usage(&self) -> Usage {
        self.gate.usage()
    }

    /// Waits at the account's gate, on behalf of somebody who asks on a way of their own. Cancel-safe.
    pub async fn permit(&self) {
        self.gate.pass().await;
    }

    /// The account's settings.
    pub const fn config(&self) -> &TelepagosAccount {
        &self.config
    }

    /// One GET of a list. The answer is a 2xx whose envelope is no error.
    pub(super) async fn get(&self, path: &str, filters: &[(&str, String)]) -> Result<Bytes, CallError> {
        let (method, intent) = (Method::GET, Intent::Read);
        let answer = self.ask(&Question { method, path, filters, body: None, by_id: false, intent }).await?;
        Ok(answer.0)
    }

    /// One GET of a thing by its id, which may be unknown. Only here an answer means [`SourceError::NotFound`]: a list
    /// or a login that is not found is a wrong address.
    pub(super) async fn get_by_id(&self, path: &str, filters: &[(&str, String)]) -> Result<Bytes, CallError> {
        let (method, intent) = (Method::GET, Intent::Read);
        let answer = self.ask(&Question { method, path, filters, body: None, by_id: true, intent }).await?;
        Ok(answer.0)
    }

    /// One request that creates something or moves money, sent once, and what `read` makes of its answer.
    async fn write<T>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
        read: impl FnOnce(&mut Record<'_>) -> Option<T>,
    ) -> Result<T, CallError> {
        let body = serde_json::to_vec(body).map_err(|_| {
            CallError::failed(SourceError::Contract(String::from("the request cannot be written as JSON")), None)
        })?;
        let body = Some(Bytes::from(body));
        let question = Question { method, path, filters: &[], body, by_id: false, intent: Intent::Write };
        let (answer, token) = self.ask(&question).await?;
        let doubt = |error| CallError::after(Intent::Write, error, Some(self.said(200, &answer, Some(&token))));
        let mut record = Record::of_body(&answer).map_err(doubt)?;
        let told = read(&mut record);
        // It said yes, but not to what: the thing may exist.
        told.ok_or_else(|| doubt(SourceError::Contract(format!("`{path}` answers without what it promises"))))
    }

    /// A good answer, and the token that it was asked with.
    async fn ask(&self, question: &Question<'_>) -> Result<(Bytes, Token), CallError> {
        let (answer, token) = self.fetch(question).await?;
        if answer.is_good() {
            return Ok((answer.body, token));
        }
        let refusal = self.refusal(question.intent, &answer, Some(&token));
        Err(if question.by_id { unknown_id(refusal) } else { refusal })
    }

    /// Asks with a token, renewed once. A refused token means that nothing was done, whatever the question was.
    async fn fetch(&self, question: &Question<'_>) -> Result<(Answer, Token), CallError> {
        let token = self.token(None).await?;
        let first = self.once(question, &token).await?;
        if !first.refuses_token() {
            return Ok((first, token));
        }
        let token = self.token(Some(&token.value)).await?;
        let second = self.once(question, &token).await?;
        if second.status == 401 {
            return Err(self.unauthorized(&second, Some(&token)));
        }
        Ok((second, token))
    }

    /// Logs in, unless there is a good token.
    pub(super) async fn token(&self, spent: Option<&str>) -> Result<Token, CallError> {
        self.auth.token(self.clock.now(), spent, self.login()).await
    }

    async fn login(&self) -> Result<Token, CallError> {
        let answer = self.log_in().await?;
        self.read_token(&answer)
    }

    /// Logs in and gives the answer as it was printed, which holds the token: its shape only may be shown. The token is kept.
    pub(super) async fn login_answer(&self) -> Result<Bytes, CallError> {
        let answer = self.log_in().await?;
        self.auth.hold(self.read_token(&answer)?).await;
        Ok(answer.body)
    }

    async fn log_in(&self) -> Result<Answer, CallError> {
        let credentials = json!({ "username": self.config.username, "password": self.config.password.expose() });
        let request = Request {
            method: Method::POST,
            url: self.url("v2/auth/token")?,
            headers: vec![("accept", String::from("application/json"))],
            body: Some(("application/json", Bytes::from(credentials.to_string()))),
            timeout: self.config.common.timeout.min(auth::LOGIN),
            body_cap: self.config.common.body_cap,
        };
        self.send(request, Intent::Read, None).await
    }

    fn read_token(&self, answer: &Answer) -> Result<Token, CallError> {
        match answer.status {
            400 | 401 | 403 | 422 => Err(self.unauthorized(answer, None)),
            200..=299 => match auth::read(&answer.body, self.clock.now(), &self.config.common.provider_zone) {
                Err(SourceError::Unauthorized { .. }) => Err(self.unauthorized(answer, None)),
                Err(other) => Err(CallError::failed(other, None)),
                Ok(token) => Ok(token),
            },
            _ => Err(self.refusal(Intent::Read, answer, None)),
        }
    }

    async fn once(&self, question: &Question<'_>, token: &Token) -> Result<Answer, CallError> {
        let mut url = self.url(question.path)?;
        let mut body = question.body.clone();
        let filters = question.filters;
        if self.config.filters_in_body && !filters.is_empty() {
            let fields = filters.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into())).collect();
            body = Some(Bytes::from(serde_json::Value::Object(fields).to_string()));
        } else if !filters.is_empty() {
            url.query_pairs_mut().extend_pairs(filters.iter().map(|(name, value)| (*name, value.as_str())));
        }
        let authorization = format!("Bearer {}", token.value);
        let request = Request {
            method: question.method.clone(),
            url,
            headers: vec![("authorization", authorization), ("accept", String::from("application/json"))],
            body: body.map(|body| ("application/json", body)),
            timeout: self.config.common.timeout,
            body_cap: self.config.common.body_cap,
        };
        self.send(request, question.intent, Some(token)).await
    }

    async fn send(&self, request: Request, intent: Intent, token: Option<&Token>) -> Result<Answer, CallError> {
        self.gate.pass().await;
        let answer = self.transport.call(request).await;
        let answer = answer.map_err(|error| CallError::after(intent, SourceError::Transport(error), None))?;
        let status = answer.status;
        if matches!(status, 429 | 503) {
            self.gate.close_for(answer.retry_after.unwrap_or(SLOW_DOWN).min(crate::sources::LONGEST_PAUSE));
            let error = SourceError::SlowDown { status, retry_after: answer.retry_after };
            return Err(CallError::after(intent, error, Some(self.said(status, &answer.body, token))));
        }
        let is_error = json::is_error(&answer.body);
        Ok(Answer { status, is_error, body: answer.body })
    }

    /// Sorts an answer that is not good by what to do about it.
    fn refusal(&self, intent: Intent, answer: &Answer, token: Option<&Token>) -> CallError {
        let status = answer.status;
        let error = match status {
            300..=399 => SourceError::Contract(format!("the upstream redirects (HTTP {status}); check `base_url`")),
            500.. => SourceError::Upstream { status, message: self.scrub(&answer.body, token) },
            _ => SourceError::Refused { status, message: self.scrub(&answer.body, token) },
        };
        CallError::after(intent, error, Some(self.said(status, &answer.body, token)))
    }

    fn unauthorized(&self, answer: &Answer, token: Option<&Token>) -> CallError {
        let error = SourceError::Unauthorized { message: self.scrub(&answer.body, token) };
        CallError::failed(error, Some(self.said(answer.status, &answer.body, token)))
    }

    /// The upstream's words without our secrets, should it repeat them.
    fn scrub(&self, body: &[u8], token: Option<&Token>) -> String {
        json::message(body, &self.secrets(token))
    }

    fn said(&self, status: u16, body: &[u8], token: Option<&Token>) -> Said {
        Said::of(status, body, &self.secrets(token))
    }

    fn secrets<'a>(&'a self, token: Option<&'a Token>) -> [&'a str; 3] {
        let token = token.map(|token| token.value.as_str()).unwrap_or_default();
        [token, self.config.password.expose(), &self.config.username]
    }

    fn url(&self, path: &str) -> Result<Url, CallError> {
        let url = self.config.common.base_url.join(path);
        let reason = "`base_url` cannot be joined with a path";
        url.map_err(|_| CallError::failed(SourceError::Contract(String::from(reason)), None))
    }
}

/// An answer to a question by id that says "there is none".
fn unknown_id(error: CallError) -> CallError {
    let unknown = matches!(error.reaction(), Some(SourceError::Refused { status, message })
        if *status == 404 || words::is_not_found(message));
    match error {
        CallError::Failed(failure) if unknown => CallError::failed(SourceError::NotFound, failure.said),
        CallError::Failed(_) | CallError::Invalid(_) | CallError::Unknown { .. } => error,
    }
}

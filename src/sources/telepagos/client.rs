//! TelePagos over HTTP: the gate, the token, one renewal, and errors sorted by what to do about them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use url::Url;

use super::auth::{self, Auth, Token};
use crate::clock::Clock;
use crate::config::TelepagosAccount;
use crate::http::{Method, Request, Transport};
use crate::sources::gate::Gate;
use crate::sources::{SourceError, json, words};

/// The pause of a 429 or 503 that names none.
const SLOW_DOWN: Duration = Duration::from_secs(5);

/// One account's way to TelePagos.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) config: TelepagosAccount,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    gate: Gate,
    auth: Auth,
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

impl Client {
    pub(super) fn new(config: TelepagosAccount, transport: Arc<dyn Transport>, clock: Arc<dyn Clock>) -> Self {
        let gate = Gate::new(config.common.rate);
        Self { config, transport, clock, gate, auth: Auth::default() }
    }

    /// One GET of a list. The answer is a 2xx whose envelope is no error.
    pub(super) async fn get(&self, path: &str, filters: &[(&str, String)]) -> Result<Bytes, SourceError> {
        let (answer, token) = self.fetch(path, filters).await?;
        if answer.is_good() { Ok(answer.body) } else { Err(self.refusal(&answer, Some(&token))) }
    }

    /// One GET of a thing by its id, which may be unknown. Only here an answer means [`SourceError::NotFound`]: a list
    /// or a login that is not found is a wrong address.
    pub(super) async fn get_by_id(&self, path: &str) -> Result<Bytes, SourceError> {
        let (answer, token) = self.fetch(path, &[]).await?;
        if answer.is_good() {
            return Ok(answer.body);
        }
        let error = self.refusal(&answer, Some(&token));
        let unknown = matches!(&error, SourceError::Refused { status, message }
            if *status == 404 || words::is_not_found(message));
        Err(if unknown { SourceError::NotFound } else { error })
    }

    /// Asks with a token, renewed once.
    async fn fetch(&self, path: &str, filters: &[(&str, String)]) -> Result<(Answer, Token), SourceError> {
        let token = self.token(None).await?;
        let first = self.once(path, filters, &token).await?;
        if !first.refuses_token() {
            return Ok((first, token));
        }
        let token = self.token(Some(&token.value)).await?;
        let second = self.once(path, filters, &token).await?;
        if second.status == 401 {
            return Err(SourceError::Unauthorized { message: self.scrub(&second.body, Some(&token)) });
        }
        Ok((second, token))
    }

    /// Logs in, unless there is a good token.
    pub(super) async fn token(&self, spent: Option<&str>) -> Result<Token, SourceError> {
        self.auth.token(self.clock.now(), spent, self.login()).await
    }

    async fn login(&self) -> Result<Token, SourceError> {
        let credentials = json!({ "username": self.config.username, "password": self.config.password.expose() });
        let request = Request {
            method: Method::POST,
            url: self.url("v2/auth/token")?,
            headers: vec![("accept", String::from("application/json"))],
            body: Some(("application/json", Bytes::from(credentials.to_string()))),
            timeout: self.config.common.timeout.min(auth::LOGIN),
            body_cap: self.config.common.body_cap,
        };
        let answer = self.send(request).await?;
        match answer.status {
            400 | 401 | 403 | 422 => Err(SourceError::Unauthorized { message: self.scrub(&answer.body, None) }),
            200..=299 => match auth::read(&answer.body, self.clock.now(), &self.config.common.provider_zone) {
                Err(SourceError::Unauthorized { .. }) => {
                    Err(SourceError::Unauthorized { message: self.scrub(&answer.body, None) })
                }
                other => other,
            },
            _ => Err(self.refusal(&answer, None)),
        }
    }

    async fn once(&self, path: &str, filters: &[(&str, String)], token: &Token) -> Result<Answer, SourceError> {
        let mut url = self.url(path)?;
        let mut body = None;
        if self.config.filters_in_body && !filters.is_empty() {
            let fields = filters.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into())).collect();
            body = Some(("application/json", Bytes::from(serde_json::Value::Object(fields).to_string())));
        } else if !filters.is_empty() {
            url.query_pairs_mut().extend_pairs(filters.iter().map(|(name, value)| (*name, value.as_str())));
        }
        let authorization = format!("Bearer {}", token.value);
        self.send(Request {
            method: Method::GET,
            url,
            headers: vec![("authorization", authorization), ("accept", String::from("application/json"))],
            body,
            timeout: self.config.common.timeout,
            body_cap: self.config.common.body_cap,
        })
        .await
    }

    async fn send(&self, request: Request) -> Result<Answer, SourceError> {
        self.gate.pass().await;
        let answer = self.transport.call(request).await.map_err(SourceError::Transport)?;
        if matches!(answer.status, 429 | 503) {
            self.gate.close_for(answer.retry_after.unwrap_or(SLOW_DOWN).min(crate::sources::LONGEST_PAUSE));
            return Err(SourceError::SlowDown { status: answer.status, retry_after: answer.retry_after });
        }
        let is_error = json::is_error(&answer.body);
        Ok(Answer { status: answer.status, is_error, body: answer.body })
    }

    /// Sorts an answer that is not good by what to do about it.
    fn refusal(&self, answer: &Answer, token: Option<&Token>) -> SourceError {
        let status = answer.status;
        match status {
            300..=399 => SourceError::Contract(format!("the upstream redirects (HTTP {status}); check `base_url`")),
            500.. => SourceError::Upstream { status, message: self.scrub(&answer.body, token) },
            _ => SourceError::Refused { status, message: self.scrub(&answer.body, token) },
        }
    }

    /// The upstream's words without our secrets, should it repeat them.
    fn scrub(&self, body: &[u8], token: Option<&Token>) -> String {
        let token = token.map(|token| token.value.as_str()).unwrap_or_default();
        json::message(body, &[token, self.config.password.expose(), &self.config.username])
    }

    fn url(&self, path: &str) -> Result<Url, SourceError> {
        self.config
            .common
            .base_url
            .join(path)
            .map_err(|_| SourceError::Contract(String::from("`base_url` cannot be joined with a path")))
    }
}

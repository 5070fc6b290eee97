//! TelePagos over HTTP: the gate, the token, one renewal, and errors sorted by what to do about them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use url::Url;

use super::auth::{self, Auth, Token};
use crate::clock::Clock;
use crate::config::TelepagosAccount;
use crate::http::{Method, Request, Response, Transport};
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

impl Client {
    pub(super) fn new(config: TelepagosAccount, transport: Arc<dyn Transport>, clock: Arc<dyn Clock>) -> Self {
        let gate = Gate::new(config.common.rate);
        Self { config, transport, clock, gate, auth: Auth::default() }
    }

    /// One GET with a token, renewed once. The answer is a 2xx whose envelope is no error.
    pub(super) async fn get(&self, path: &str, filters: &[(&str, String)]) -> Result<Bytes, SourceError> {
        let mut token = self.token(None).await?;
        let first = self.once(path, filters, &token).await?;
        let answer = if first.status == 401 {
            token = self.token(Some(&token.value)).await?;
            let second = self.once(path, filters, &token).await?;
            if second.status == 401 {
                let message = self.scrub(&second.body, &token.value);
                return Err(SourceError::Unauthorized { message });
            }
            second
        } else {
            first
        };
        self.judge(answer, &token.value)
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
            400 | 401 | 403 | 422 => Err(SourceError::Unauthorized { message: self.scrub(&answer.body, "") }),
            200..=299 => match auth::read(&answer.body, self.clock.now(), &self.config.common.provider_zone) {
                Err(SourceError::Unauthorized { .. }) => {
                    Err(SourceError::Unauthorized { message: self.scrub(&answer.body, "") })
                }
                other => other,
            },
            _ => Err(self
                .judge(answer, "")
                .err()
                .unwrap_or(SourceError::Contract(String::from("the login answers strangely")))),
        }
    }

    async fn once(&self, path: &str, filters: &[(&str, String)], token: &Token) -> Result<Response, SourceError> {
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

    async fn send(&self, request: Request) -> Result<Response, SourceError> {
        self.gate.pass().await;
        let answer = self.transport.call(request).await.map_err(SourceError::Transport)?;
        if matches!(answer.status, 429 | 503) {
            self.gate.close_for(answer.retry_after.unwrap_or(SLOW_DOWN).min(crate::sources::LONGEST_PAUSE));
            return Err(SourceError::SlowDown { status: answer.status, retry_after: answer.retry_after });
        }
        Ok(answer)
    }

    /// Sorts an answer: an error can come with any status, and hide in a 200.
    fn judge(&self, answer: Response, token: &str) -> Result<Bytes, SourceError> {
        let Response { status, body, .. } = answer;
        let message = || self.scrub(&body, token);
        match status {
            200..=299 if !json::is_error(&body) => Ok(body),
            300..=399 => {
                Err(SourceError::Contract(format!("the upstream redirects (HTTP {status}); check `base_url`")))
            }
            404 => Err(SourceError::NotFound),
            500.. => Err(SourceError::Upstream { status, message: message() }),
            _ => {
                let message = message();
                if words::is_not_found(&message) {
                    Err(SourceError::NotFound)
                } else {
                    Err(SourceError::Refused { status, message })
                }
            }
        }
    }

    /// The upstream's words without our secrets, should it repeat them.
    fn scrub(&self, body: &[u8], token: &str) -> String {
        let secrets = [token, self.config.password.expose(), self.config.username.as_str()];
        json::message(body, &secrets)
    }

    fn url(&self, path: &str) -> Result<Url, SourceError> {
        self.config
            .common
            .base_url
            .join(path)
            .map_err(|_| SourceError::Contract(String::from("`base_url` cannot be joined with a path")))
    }
}

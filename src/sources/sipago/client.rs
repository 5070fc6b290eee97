//! Sipago over HTTP: the gate, the headers, and errors sorted by what to do about them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use url::Url;
use uuid::Uuid;

use crate::config::SipagoAccount;
use crate::http::{Method, Request, Response, Transport};
use crate::sources::gate::Gate;
use crate::sources::{LONGEST_PAUSE, SourceError, json};

/// The pause of a 429 or 503 that names none.
const SLOW_DOWN: Duration = Duration::from_secs(5);

/// One account's way to Sipago.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) config: SipagoAccount,
    transport: Arc<dyn Transport>,
    gate: Gate,
}

impl Client {
    pub(super) fn new(config: SipagoAccount, transport: Arc<dyn Transport>) -> Self {
        let gate = Gate::new(config.common.rate);
        Self { config, transport, gate }
    }

    /// One GET of a thing by its id, which may be unknown.
    pub(super) async fn get(&self, path: &str) -> Result<Bytes, SourceError> {
        self.call(Method::GET, path, None).await
    }

    /// One POST that asks for a list; one that is not found is a wrong address.
    pub(super) async fn post(&self, path: &str, body: String) -> Result<Bytes, SourceError> {
        self.call(Method::POST, path, Some(body)).await
    }

    async fn call(&self, method: Method, path: &str, body: Option<String>) -> Result<Bytes, SourceError> {
        let by_id = method == Method::GET;
        let request = Request {
            method,
            url: self.url(path)?,
            headers: vec![
                ("apikey", self.config.api_key.expose().to_owned()),
                ("x-trace-id", Uuid::new_v4().to_string()),
                ("x-version", self.config.x_version.clone()),
                ("accept", String::from("application/json")),
            ],
            body: body.map(|body| ("application/json", Bytes::from(body))),
            timeout: self.config.common.timeout,
            body_cap: self.config.common.body_cap,
        };
        self.gate.pass().await;
        let Response { status, retry_after, body, .. } =
            self.transport.call(request).await.map_err(SourceError::Transport)?;
        let message = || json::message(&body, &[self.config.api_key.expose()]);
        match status {
            200..=299 if !json::is_error(&body) => Ok(body),
            // The gateway limits with either (FACTS 2.1).
            429 | 503 => {
                self.gate.close_for(retry_after.unwrap_or(SLOW_DOWN).min(LONGEST_PAUSE));
                Err(SourceError::SlowDown { status, retry_after })
            }
            300..=399 => {
                Err(SourceError::Contract(format!("the upstream redirects (HTTP {status}); check `base_url`")))
            }
            401 | 403 => Err(SourceError::Unauthorized { message: message() }),
            404 if by_id => Err(SourceError::NotFound),
            // 500 may also mean wrong parameters; the back-off bounds it either way.
            500.. => Err(SourceError::Upstream { status, message: message() }),
            _ => Err(SourceError::Refused { status, message: message() }),
        }
    }

    fn url(&self, path: &str) -> Result<Url, SourceError> {
        self.config
            .common
            .base_url
            .join(path)
            .map_err(|_| SourceError::Contract(String::from("`base_url` cannot be joined with a path")))
    }
}

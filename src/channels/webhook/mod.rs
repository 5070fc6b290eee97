//! Webhooks: Standard Webhooks 1.0 over HTTP/1.1 with kept-alive connections.
//!
//! The body of an event is the same bytes on every try ([`payload`]), the signature covers a fresh time ([`signature`]),
//! the address is vetted and pinned ([`target`]). 2xx only is success; a redirect is a failure and is never followed.

pub mod payload;
pub mod signature;
pub mod target;

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use reqwest::header::{
    CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE, USER_AGENT,
};
use reqwest::{Method, Response, StatusCode};
use tokio::time::Instant;
use url::Url;

use self::signature::{SecretProblem, Signer};
use self::target::{Policy, RefusedTarget, VettedDns};
use super::answer;
use super::bucket::{Bucket, PATIENCE};
use super::{Channel, Dispatch, Report};
use crate::clock::Clock;
use crate::config::{Detail, Secret, WebhookConfig};
use crate::domain::delivery::{FailureClass, Outcome};
use crate::domain::event::Event;
use crate::domain::route::{ChannelKind, DestinationName};

const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// The most bytes of an answer that are read. What is left is not worth the connection.
const READ: usize = 16 * 1024;

/// How long a destination rests that says it is gone (410).
const GONE_REST: Duration = Duration::from_secs(3600);

/// To the first byte of a connection; a receiver that takes longer is down.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Shorter than the common keep-alives (60 to 75 s), so that a connection is seldom closed as we write on it.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);

/// More than any destination has in flight.
const IDLE_PER_HOST: usize = 256;

/// Why a webhook destination cannot be made. Carries no secret and no URL.
#[derive(Debug, thiserror::Error)]
pub enum WebhookProblem {
    /// A secret cannot sign.
    #[error(transparent)]
    Secret(#[from] SecretProblem),
    /// A header name that HTTP does not know or that is ours.
    #[error("header `{0}` cannot be set")]
    Header(String),
    /// The HTTP client could not be made.
    #[error("the HTTP client could not be made")]
    Client(#[source] reqwest::Error),
}

/// The HTTP clients: one for each set of `allow_private` ranges, because vetting is part of a client.
#[derive(Debug, Default)]
pub struct WebhookClients {
    by_policy: HashMap<Policy, reqwest::Client>,
}

impl WebhookClients {
    fn get(&mut self, policy: &Policy) -> Result<reqwest::Client, WebhookProblem> {
        if let Some(client) = self.by_policy.get(policy) {
            return Ok(client.clone());
        }
        let client = client(policy.clone()).map_err(WebhookProblem::Client)?;
        self.by_policy.insert(policy.clone(), client.clone());
        Ok(client)
    }
}

fn client(policy: Policy) -> Result<reqwest::Client, reqwest::Error> {
    // Whoever came first has installed the same provider.
    rustls::crypto::ring::default_provider().install_default().ok();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        // A proxy from the environment would connect in our stead and unvetted.
        .no_proxy()
        .no_gzip()
        .http1_only()
        .tcp_nodelay(true)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(IDLE_TIMEOUT)
        .pool_max_idle_per_host(IDLE_PER_HOST)
        .dns_resolver(Arc::new(VettedDns { policy }))
        .build()
}

/// One webhook destination.
pub struct WebhookChannel {
    name: DestinationName,
    url: Url,
    client: reqwest::Client,
    /// All headers but the three that change on each try.
    headers: HeaderMap,
    signer: Signer,
    /// Values of custom headers: hidden when an answer echoes them.
    echoes: Vec<Secret>,
    detail: Detail,
    in_flight: usize,
    timeout: Duration,
    /// The verdict on a literal address; it can never change, because the URL cannot.
    refused: Option<RefusedTarget>,
    pace: Option<Mutex<Bucket>>,
    clock: Arc<dyn Clock>,
}

impl WebhookChannel {
    /// From its section of the configuration.
    ///
    /// # Errors
    /// When a secret cannot sign or a header cannot be set.
    pub fn new(
        config: &WebhookConfig,
        clients: &mut WebhookClients,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, WebhookProblem> {
        let policy = Policy::new(&config.allow_private);
        let pace = config.rate.map(|rate| Mutex::new(Bucket::new(rate.count.get(), rate.per, rate.burst.get())));
        Ok(Self {
            name: config.common.name.clone(),
            client: clients.get(&policy)?,
            headers: headers(&config.headers)?,
            signer: Signer::new(&config.secrets)?,
            echoes: config.headers.iter().map(|(_, value)| value.clone()).chain(config.secrets.clone()).collect(),
            detail: config.common.detail,
            in_flight: config.common.in_flight,
            timeout: config.common.timeout,
            refused: policy.vet_url(&config.url).err(),
            url: config.url.clone(),
            pace,
            clock,
        })
    }

    /// Waits for a permit, or says how long that would take when it is too long.
    async fn pace(&self) -> Result<(), Duration> {
        let Some(pace) = &self.pace else { return Ok(()) };
        let wait = {
            let mut bucket = pace.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            let wait = bucket.wait(now);
            if wait > PATIENCE {
                return Err(wait);
            }
            bucket.book(now);
            wait
        };
        if !wait.is_zero() {
            tokio::time::sleep(wait).await;
        }
        Ok(())
    }

    fn request(&self, event: &Event) -> Option<reqwest::Request> {
        let body = payload::body(event, self.detail).ok()?;
        let id = event.id.to_string();
        let timestamp = self.clock.now().as_second().to_string();
        let signature = self.signer.sign(&id, &timestamp, &body);
        let mut headers = self.headers.clone();
        headers.insert(WEBHOOK_ID, HeaderValue::try_from(id).ok()?);
        headers.insert(WEBHOOK_TIMESTAMP, HeaderValue::try_from(timestamp).ok()?);
        headers.insert(WEBHOOK_SIGNATURE, HeaderValue::try_from(signature).ok()?);
        let mut request = reqwest::Request::new(Method::POST, self.url.clone());
        *request.headers_mut() = headers;
        *request.body_mut() = Some(body.into());
        *request.timeout_mut() = Some(self.timeout);
        Some(request)
    }

    async fn judge(&self, mut response: Response, event: &Event) -> Report {
        let status = response.status();
        if status.is_success() {
            // The status decides; the body is read only to hand the connection back.
            drain(&mut response).await;
            return Report::accepted(Some(status.as_u16()));
        }
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| wait_of(value, self.clock.now()));
        let text = beginning(&mut response).await;
        let outcome = match status {
            StatusCode::GONE => Outcome::Park { class: FailureClass::Recipient, rest: GONE_REST },
            StatusCode::TOO_MANY_REQUESTS => Outcome::Later { class: FailureClass::RateLimited, retry_after },
            _ => Outcome::Later { class: FailureClass::Http, retry_after },
        };
        let mut hide = answer::personal(event);
        hide.extend(self.echoes.iter().map(|secret| secret.expose().into()));
        let detail = match answer::keep(&text, &hide) {
            text if status.is_redirection() => format!("redirects are not followed {text}").trim_end().to_owned(),
            text => text,
        };
        Report { outcome, status: Some(status.as_u16()), detail }
    }
}

#[async_trait]
impl Channel for WebhookChannel {
    fn name(&self) -> &DestinationName {
        &self.name
    }

    fn kind(&self) -> ChannelKind {
        ChannelKind::Webhook
    }

    fn timeout(&self) -> Duration {
        if self.pace.is_some() { self.timeout + PATIENCE } else { self.timeout }
    }

    fn in_flight(&self) -> usize {
        self.in_flight
    }

    fn rest(&self) -> Duration {
        let Some(pace) = &self.pace else { return Duration::ZERO };
        pace.lock().unwrap_or_else(PoisonError::into_inner).wait(Instant::now())
    }

    async fn send(&self, dispatch: &Dispatch) -> Report {
        if let Some(refused) = self.refused {
            return Report::later(FailureClass::RefusedTarget, refused.to_string());
        }
        if let Err(rest) = self.pace().await {
            return Report::park(FailureClass::RateLimited, rest, "the destination's own rate is spent");
        }
        let Some(request) = self.request(&dispatch.event) else {
            return Report::later(FailureClass::Internal, "the request could not be made");
        };
        match self.client.execute(request).await {
            Ok(response) => self.judge(response, &dispatch.event).await,
            Err(error) => {
                let class = answer::class_of(&error, error.is_connect(), error.is_timeout());
                Report::later(class, answer::words(class))
            }
        }
    }
}

impl fmt::Debug for WebhookChannel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Nothing of the URL: its path and query may be secret.
        f.debug_struct("WebhookChannel").field("name", &self.name).finish_non_exhaustive()
    }
}

fn headers(custom: &[(String, Secret)]) -> Result<HeaderMap, WebhookProblem> {
    let mut headers = HeaderMap::with_capacity(custom.len() + 8);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("pregonero/", env!("CARGO_PKG_VERSION"))));
    for (name, value) in custom {
        let refused = || WebhookProblem::Header(name.clone());
        let header = HeaderName::try_from(name.as_str()).map_err(|_| refused())?;
        if is_reserved(&header) {
            return Err(refused());
        }
        let mut value = HeaderValue::try_from(value.expose()).map_err(|_| refused())?;
        value.set_sensitive(true);
        headers.insert(header, value);
    }
    Ok(headers)
}

/// Headers that are ours or HTTP's.
fn is_reserved(name: &HeaderName) -> bool {
    let connection = [CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE];
    connection.contains(name) || name.as_str().starts_with("webhook-") || name.as_str() == "keep-alive"
}

/// Reads on until the end, the cap or the time-out, so that the connection can be used again.
async fn drain(response: &mut Response) {
    let mut read = 0;
    while let Ok(Some(chunk)) = response.chunk().await {
        read += chunk.len();
        if read > READ {
            break;
        }
    }
}

/// The beginning of an answer; what cannot be read is left out, because the status has decided already.
async fn beginning(response: &mut Response) -> Vec<u8> {
    let mut text = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        text.extend_from_slice(&chunk);
        if text.len() > READ {
            text.truncate(READ);
            break;
        }
    }
    text
}

/// `Retry-After` in seconds or as an HTTP date (RFC 9110, section 10.2.3).
fn wait_of(value: &HeaderValue, now: Timestamp) -> Option<Duration> {
    let text = value.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text).ok()?;
    Some(Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_understood_in_both_forms() {
        let now: Timestamp = "2026-11-21T14:00:00Z".parse().unwrap();
        let wait = |text| wait_of(&HeaderValue::from_static(text), now).map(|wait| wait.as_secs());
        assert_eq!(wait("120"), Some(120));
        assert_eq!(wait(" 5 "), Some(5));
        assert_eq!(wait("Sat, 21 Nov 2026 14:02:00 GMT"), Some(120));
        assert_eq!(wait("Fri, 21 Nov 2026 14:02:00 GMT"), Some(120), "the weekday is wrong, the time is clear");
        assert_eq!(wait("Sat, 21 Nov 2020 14:02:00 GMT"), Some(0), "the past is now");
        for bad in ["", "-1", "soon", "1e9", "99999999999999999999999"] {
            assert_eq!(wait(bad), None, "{bad}");
        }
    }

    #[test]
    fn our_own_headers_cannot_be_overwritten() {
        let set = |name: &str, value: &str| headers(&[(name.to_owned(), Secret::new(value.to_owned()))]);
        for name in ["Webhook-Id", "webhook-signature", "Host", "content-length", "Content-Type", "bad name", ""] {
            assert!(set(name, "x").is_err(), "{name}");
        }
        let problem = set("X-Key", "s3cret\nX-Evil: 1").unwrap_err();
        assert!(!format!("{problem} {problem:?}").contains("s3cret"));
        let map = set("Authorization", "Bearer s3cret").unwrap();
        assert!(!format!("{map:?}").contains("s3cret"));
    }
}

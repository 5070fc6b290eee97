//! Requests and answers, with a cap on every size and time. The sources speak through [`Transport`], so that the same
//! clients run over sockets and, in a simulation, without any.

mod client;
#[cfg(test)]
mod sockets;

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
pub use reqwest::Method;
use reqwest::header::{DATE, HeaderMap, RETRY_AFTER};
use url::Url;

pub use self::client::ReqwestTransport;

/// One request.
#[derive(Clone)]
pub struct Request {
    /// Verb.
    pub method: Method,
    /// Where to. Never logged: it may hold an id.
    pub url: Url,
    /// Header names and values. Never logged: they hold credentials.
    pub headers: Vec<(&'static str, String)>,
    /// Body and its content type.
    pub body: Option<(&'static str, Bytes)>,
    /// For everything, the last byte of the answer included.
    pub timeout: Duration,
    /// The most bytes of an answer that are taken, after decompression.
    pub body_cap: usize,
}

/// One answer, read to its end.
#[derive(Clone, Debug)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// `Retry-After` in either of its forms, as a wait.
    pub retry_after: Option<Duration>,
    /// `Content-Type` as sent.
    pub content_type: Option<String>,
    /// The whole body.
    pub body: Bytes,
}

/// Why there is no answer. Carries neither URL nor header.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The name could not be resolved.
    #[error("the name could not be resolved")]
    Dns(#[source] Cause),
    /// No connection, or it broke.
    #[error("the connection failed")]
    Connect(#[source] Cause),
    /// TLS failed.
    #[error("the TLS handshake failed")]
    Tls(#[source] Cause),
    /// Not answered in time.
    #[error("no complete answer within {} s", .0.as_secs_f32())]
    Timeout(Duration),
    /// The answer is larger than allowed.
    #[error("the answer is larger than {0} bytes")]
    TooLarge(usize),
    /// The answer broke off or cannot be decoded.
    #[error("the answer broke off")]
    Broken(#[source] Cause),
}

/// An underlying error whose text was cleared of URLs.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Sends one request and reads the whole answer. Never follows a redirect.
///
/// Cancel-safe in the sense of HTTP: a dropped call may or may not have reached the other side.
#[async_trait]
pub trait Transport: Send + Sync + std::fmt::Debug {
    /// One request, one answer.
    ///
    /// # Errors
    /// When there is no complete answer; a status of 4xx or 5xx is an answer.
    async fn call(&self, request: Request) -> Result<Response, TransportError>;
}

/// Chooses the process's TLS provider. Every program and test that opens a TLS client calls it first; again is harmless.
pub fn install_crypto() {
    // An error says that one is installed already.
    drop(rustls::crypto::ring::default_provider().install_default());
}

/// `Retry-After` as a wait: seconds, or an HTTP date relative to the answer's own `Date`, so that no clock is trusted.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let value = text(RETRY_AFTER)?;
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let date = |text: &str| jiff::fmt::rfc2822::parse(text).ok().map(|zoned| zoned.timestamp());
    let wait = date(value)?.duration_since(date(text(DATE)?)?);
    Some(Duration::try_from(wait).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_wait_is_read_in_both_forms_and_needs_no_clock() {
        assert_eq!(retry_after(&headers(&[("retry-after", "120")])), Some(Duration::from_secs(120)));
        let date = ("date", "Sat, 21 Nov 2026 10:00:00 GMT");
        let later = [date, ("retry-after", "Sat, 21 Nov 2026 10:01:30 GMT")];
        assert_eq!(retry_after(&headers(&later)), Some(Duration::from_secs(90)));
        let earlier = [date, ("retry-after", "Sat, 21 Nov 2026 09:00:00 GMT")];
        assert_eq!(retry_after(&headers(&earlier)), Some(Duration::ZERO));
        for bad in ["-1", "soon", "99999999999999999999999"] {
            assert_eq!(retry_after(&headers(&[date, ("retry-after", bad)])), None, "{bad}");
        }
        assert_eq!(retry_after(&headers(&[])), None);
    }
}

//! Requests and answers, with a cap on every size and time. The sources speak through [`Transport`], so that the same
//! clients run over sockets and, in a simulation, without any.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
pub use reqwest::Method;
use url::Url;

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

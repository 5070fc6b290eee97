//! The transport over sockets: reqwest with rustls, no redirects, every size and time bounded.

use std::collections::HashMap;
use std::error::Error as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use reqwest::header::{CONTENT_TYPE, HeaderMap};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{Cause, Request, Response, Transport, TransportError, retry_after};

/// The longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(10);

/// How long an unused connection is kept.
const IDLE: Duration = Duration::from_secs(60);

/// Requests at once to one host, over all accounts. Without it ten thousand accounts open ten thousand connections in the
/// first second, which neither memory nor a shell's 1,024 file descriptors are made for; at a second an answer
/// it still lets 15,000 a minute through.
const AT_ONCE: usize = 256;

/// Sends requests over sockets.
#[derive(Clone, Debug)]
pub struct ReqwestTransport {
    client: reqwest::Client,
    rooms: Arc<Rooms>,
}

/// How many requests are under way to each host. A host that hangs takes no other's room.
#[derive(Debug)]
struct Rooms {
    at_once: usize,
    of: Mutex<HashMap<String, Arc<Semaphore>>>,
}

impl Rooms {
    /// Waits for a place. Cancel-safe; `None` never comes, as no room is ever closed.
    async fn enter(&self, host: &str) -> Option<OwnedSemaphorePermit> {
        let room = {
            let mut rooms = self.of.lock().unwrap_or_else(PoisonError::into_inner);
            match rooms.get(host) {
                Some(room) => Arc::clone(room),
                None => Arc::clone(rooms.entry(host.to_owned()).or_insert(Arc::new(Semaphore::new(self.at_once)))),
            }
        };
        room.acquire_owned().await.ok()
    }
}

impl ReqwestTransport {
    /// A client that all accounts share. Needs [`super::install_crypto`] first.
    ///
    /// # Errors
    /// When the system's certificates cannot be read.
    pub fn new() -> Result<Self, TransportError> {
        Self::with_room(AT_ONCE)
    }

    /// With room for so many requests at once to each host.
    pub(super) fn with_room(at_once: usize) -> Result<Self, TransportError> {
        let builder = reqwest::Client::builder()
            .user_agent(concat!("pregonero/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(CONNECT)
            .pool_idle_timeout(IDLE)
            .tcp_nodelay(true)
            .referer(false);
        let client = builder.build().map_err(|error| TransportError::Tls(Box::new(error.without_url())))?;
        Ok(Self { client, rooms: Arc::new(Rooms { at_once, of: Mutex::default() }) })
    }

    async fn exchange(&self, request: Request) -> Result<Response, TransportError> {
        let Request { method, url, headers, body, timeout, body_cap } = request;
        let mut builder = self.client.request(method, url);
        for (name, value) in headers {
            builder = builder.header(name, value);
        }
        if let Some((content_type, body)) = body {
            builder = builder.header(CONTENT_TYPE, content_type).body(body);
        }
        let answer = builder.send().await.map_err(|error| classify(error, timeout))?;
        let status = answer.status().as_u16();
        let retry_after = retry_after(answer.headers());
        let content_type = text(answer.headers(), CONTENT_TYPE.as_str());
        let body = read(answer, body_cap).await.map_err(|error| match error {
            Unread::TooLarge => TransportError::TooLarge(body_cap),
            Unread::Broken(error) => classify(error, timeout),
        })?;
        Ok(Response { status, retry_after, content_type, body })
    }
}

#[async_trait]
impl Transport for ReqwestTransport {
    async fn call(&self, request: Request) -> Result<Response, TransportError> {
        let timeout = request.timeout;
        // The wait for a place is not the upstream's doing: its time begins afterwards.
        let _place = self.rooms.enter(request.url.host_str().unwrap_or_default()).await;
        // One bound over everything: the last byte of a slow body counts too.
        tokio::time::timeout(timeout, self.exchange(request)).await.unwrap_or(Err(TransportError::Timeout(timeout)))
    }
}

enum Unread {
    TooLarge,
    Broken(reqwest::Error),
}

/// Reads a body by chunks against a cap. The chunks are decompressed, so that the cap holds for what is unpacked.
async fn read(mut answer: reqwest::Response, cap: usize) -> Result<Bytes, Unread> {
    let announced = answer.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
    if announced > cap {
        return Err(Unread::TooLarge);
    }
    let mut body = BytesMut::with_capacity(announced);
    while let Some(chunk) = answer.chunk().await.map_err(Unread::Broken)? {
        if body.len().saturating_add(chunk.len()) > cap {
            return Err(Unread::TooLarge);
        }
        if announced > 0 && body.is_empty() && chunk.len() == announced {
            return Ok(chunk);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// Sorts a failure by what it means, and clears it of the URL.
fn classify(error: reqwest::Error, timeout: Duration) -> TransportError {
    if error.is_timeout() {
        return TransportError::Timeout(timeout);
    }
    let is_connect = error.is_connect();
    let error = error.without_url();
    let mut words = String::new();
    let mut source = error.source();
    while let Some(cause) = source {
        words.push_str(&cause.to_string().to_ascii_lowercase());
        source = cause.source();
    }
    let cause: Cause = Box::new(error);
    if words.contains("dns error") || words.contains("failed to lookup") {
        TransportError::Dns(cause)
    } else if words.contains("certificate")
        || words.contains("tls")
        || words.contains("handshake")
        || words.contains("corrupt message")
    {
        TransportError::Tls(cause)
    } else if is_connect {
        TransportError::Connect(cause)
    } else {
        TransportError::Broken(cause)
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

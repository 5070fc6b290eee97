//! The way of an operator's commands to an upstream: through the gate of the daemon that runs on this machine, so that both
//! together keep to the account's rate. Where none answers, the command's own gate is the only one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tracing::warn;
use url::Url;

use crate::clock::Stopwatch;
use crate::config::{HttpConfig, Secret};
use crate::domain::account::AccountName;
use crate::http::{Method, Request, ReqwestTransport, Response, Transport, TransportError};

/// The daemon answers a request for a permit within 20 s, with one or without.
const ANSWER: Duration = Duration::from_secs(25);

/// A command waits no longer for the daemon's gate: a pause that an upstream asked for may last an hour.
const LONGEST: Duration = Duration::from_secs(60);

/// The answer to a request for a permit is short, whoever gives it.
const ANSWER_BYTES: usize = 4_096;

/// Asks the daemon for a permit before each request.
#[derive(Debug)]
pub(super) struct Beside {
    upstream: ReqwestTransport,
    door: Option<Door>,
}

#[derive(Debug)]
struct Door {
    at: Url,
    token: Option<Secret>,
    account: AccountName,
    /// Nobody lets pass there: no daemon, or one that does not know the account.
    is_shut: AtomicBool,
}

impl Beside {
    /// The way to the upstream of `account`, beside the daemon that listens as `http` says.
    pub(super) fn new(upstream: ReqwestTransport, http: &HttpConfig, account: &AccountName) -> Self {
        Self { upstream, door: Door::of(http, account) }
    }
}

impl Door {
    fn of(http: &HttpConfig, account: &AccountName) -> Option<Self> {
        let mut listen = http.listen.filter(|listen| listen.port() != 0)?;
        match listen.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => listen.set_ip(Ipv4Addr::LOCALHOST.into()),
            IpAddr::V6(ip) if ip.is_unspecified() => listen.set_ip(Ipv6Addr::LOCALHOST.into()),
            IpAddr::V4(_) | IpAddr::V6(_) => {}
        }
        let mut at = Url::parse(&format!("http://{listen}/")).ok()?;
        at.path_segments_mut().ok()?.pop().extend(["api", "v1", "sources", account.as_str(), "permit"]);
        Some(Self { at, token: http.token.clone(), account: account.clone(), is_shut: AtomicBool::new(false) })
    }

    /// Waits until the daemon lets pass, or until it is known that it will not.
    async fn pass(&self, transport: &ReqwestTransport) {
        let since = Stopwatch::start();
        let mut was_told = false;
        while !self.is_shut.load(Ordering::Relaxed) {
            let headers = self.token.iter().map(|token| ("authorization", format!("Bearer {}", token.expose())));
            let request = Request {
                method: Method::POST,
                url: self.at.clone(),
                headers: headers.collect(),
                body: None,
                timeout: ANSWER,
                body_cap: ANSWER_BYTES,
            };
            match transport.call(request).await.map(|answer| answer.status) {
                Ok(429) if since.elapsed() < LONGEST => {
                    if !std::mem::replace(&mut was_told, true) {
                        warn!(account.name = %self.account, "waiting for the daemon, which uses up the account's rate or was asked for a pause");
                    }
                }
                Ok(204 | 429) => return,
                Ok(_) | Err(_) => self.is_shut.store(true, Ordering::Relaxed),
            }
        }
    }
}

#[async_trait]
impl Transport for Beside {
    async fn call(&self, request: Request) -> Result<Response, TransportError> {
        if let Some(door) = &self.door {
            door.pass(&self.upstream).await;
        }
        self.upstream.call(request).await
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::sync::{Arc, Mutex};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// A daemon and an upstream in one: gives these answers in turn, the last of them for ever, and notes who asked for what.
    async fn answering(statuses: &'static [&'static str]) -> (SocketAddr, Arc<Mutex<Vec<String>>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (at, heads) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let noted = Arc::clone(&heads);
        tokio::spawn(async move {
            for turn in 0.. {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut head = vec![0; 4_096];
                let read = stream.read(&mut head).await.unwrap();
                noted.lock().unwrap().push(String::from_utf8_lossy(&head[..read]).into_owned());
                let status = statuses.get(turn).or(statuses.last()).unwrap();
                let answer = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
                drop(stream.write_all(answer.as_bytes()).await);
            }
        });
        (at, heads)
    }

    async fn ask(beside: &Beside, upstream: SocketAddr) -> u16 {
        let request = Request {
            method: Method::GET,
            url: format!("http://{upstream}/asked").parse().unwrap(),
            headers: Vec::new(),
            body: None,
            timeout: ANSWER,
            body_cap: ANSWER_BYTES,
        };
        beside.call(request).await.unwrap().status
    }

    fn beside(listen: SocketAddr, token: Option<&str>) -> Beside {
        crate::http::install_crypto();
        let http = HttpConfig { listen: Some(listen), token: token.map(|token| Secret::new(token.to_owned())) };
        Beside::new(ReqwestTransport::new().unwrap(), &http, &AccountName::new("centro"))
    }

    #[tokio::test]
    async fn each_request_waits_for_a_permit_of_the_daemon() {
        let (at, heads) = answering(&["429 X", "429 X", "204 X", "200 OK", "204 X", "200 OK"]).await;
        let beside = beside(at, Some("a-token"));
        assert_eq!((ask(&beside, at).await, ask(&beside, at).await), (200, 200));
        let heads = heads.lock().unwrap().clone();
        let lines: Vec<&str> = heads.iter().map(|head| head.lines().next().unwrap()).collect();
        let (permit, asked) = ("POST /api/v1/sources/centro/permit HTTP/1.1", "GET /asked HTTP/1.1");
        assert_eq!(lines, [permit, permit, permit, asked, permit, asked]);
        assert!(heads[0].contains("authorization: Bearer a-token") && !heads[3].contains("a-token"));
    }

    #[tokio::test]
    async fn without_a_daemon_or_with_one_that_refuses_the_commands_own_gate_is_the_only_one() {
        let (upstream, heads) = answering(&["200 OK"]).await;
        let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let alone = beside(nobody, None);
        assert_eq!((ask(&alone, upstream).await, ask(&alone, upstream).await), (200, 200));
        let (another, asked) = answering(&["404 X"]).await;
        let refused = beside(another, None);
        assert_eq!((ask(&refused, upstream).await, ask(&refused, upstream).await), (200, 200));
        assert_eq!((heads.lock().unwrap().len(), asked.lock().unwrap().len()), (4, 1), "it is asked once and no more");
    }
}

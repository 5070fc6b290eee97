//! The listener, with a limit on everything that a stranger can hold: connections, heads, bodies, time.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{ApiState, routes};

#[derive(Clone, Copy, Debug)]
struct Limits {
    /// At once; further ones wait in the kernel's queue.
    connections: usize,
    /// From the first byte of a request, or from the last answer, to the end of the next head.
    head: Duration,
    /// Of one connection, however busy: a reader that takes a byte a minute goes too.
    life: Duration,
    /// For requests in hand when the drain begins.
    drain: Duration,
}

const LIMITS: Limits = Limits {
    connections: 64,
    head: Duration::from_secs(10),
    life: Duration::from_secs(300),
    drain: Duration::from_secs(5),
};

/// Bytes of a head; also hyper's smallest buffer (8 KiB) doubled.
const HEAD_BYTES: usize = 16 * 1024;

/// Header lines of a head.
const HEAD_LINES: usize = 64;

/// Bytes of a body, for whatever reads one without a cap of its own.
const BODY_BYTES: usize = 64 * 1024;

/// How long to rest when no connection can be accepted, most often because file descriptors ran out.
const ACCEPT_REST: Duration = Duration::from_millis(200);

/// Answers on `listener` until `shutdown` is done, then lets requests in hand finish (5 s at most).
///
/// Cancel-safe: dropping it closes every connection.
pub async fn serve(listener: TcpListener, state: ApiState, shutdown: impl Future<Output = ()>) {
    serve_within(LIMITS, listener, state, shutdown).await;
}

async fn serve_within(limits: Limits, listener: TcpListener, state: ApiState, shutdown: impl Future<Output = ()>) {
    let router = routes::router(state).layer(DefaultBodyLimit::max(BODY_BYTES));
    let (permits, stop, connections) =
        (Arc::new(Semaphore::new(limits.connections)), CancellationToken::new(), TaskTracker::new());
    // Dropped with this future, it ends whatever is still open.
    let kill = CancellationToken::new();
    let _kill_on_drop = kill.clone().drop_guard();
    let mut shutdown = pin!(shutdown);
    let mut was_refused = false;
    loop {
        let next = async {
            let permit = Arc::clone(&permits).acquire_owned().await;
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            () = &mut shutdown => break,
            next = next => next,
        };
        match accepted {
            Ok((stream, _)) => {
                was_refused = false;
                let (router, stop, kill) = (router.clone(), stop.clone(), kill.clone());
                connections.spawn(async move {
                    kill.run_until_cancelled(connection(limits, stream, router, stop)).await;
                    drop(permit);
                });
            }
            Err(error) => {
                log_once(&mut was_refused, &error);
                tokio::time::sleep(ACCEPT_REST).await;
            }
        }
    }
    drop(listener);
    stop.cancel();
    connections.close();
    if tokio::time::timeout(limits.drain, connections.wait()).await.is_err() {
        tracing::debug!(http.connections = connections.len(), "connections were cut at the end of the drain");
    }
}

fn log_once(was_refused: &mut bool, error: &io::Error) {
    if !*was_refused {
        tracing::warn!(error = %error, "no connection can be accepted; trying again");
    }
    *was_refused = true;
}

async fn connection(limits: Limits, stream: TcpStream, router: Router, stop: CancellationToken) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(limits.head).max_headers(HEAD_LINES).max_buf_size(HEAD_BYTES);
    let mut conversation = pin!(http.serve_connection(TokioIo::new(stream), TowerToHyperService::new(router)));
    let end = tokio::time::sleep(limits.life);
    let done = tokio::select! {
        done = conversation.as_mut() => done,
        () = end => return,
        () = stop.cancelled() => {
            conversation.as_mut().graceful_shutdown();
            conversation.await
        }
    };
    if let Err(error) = done {
        // A probe that hangs up is everyday; the text of the error holds no bytes of the request.
        tracing::debug!(error = %error, "a connection ended early");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Health;
    use std::net::SocketAddr;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::task::JoinHandle;

    const ENOUGH: Duration = Duration::from_secs(20);

    struct Served {
        at: SocketAddr,
        health: Arc<Health>,
        stop: CancellationToken,
        task: JoinHandle<()>,
    }

    async fn served(limits: Limits, stalled: &'static [&'static str]) -> Served {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let (health, stop) = (Arc::new(Health::default()), CancellationToken::new());
        let state = ApiState::new(Arc::clone(&health), || stalled.iter().map(ToString::to_string).collect());
        let task = tokio::spawn(serve_within(limits, listener, state, stop.clone().cancelled_owned()));
        Served { at, health, stop, task }
    }

    /// Sends bytes and reads until the other side closes.
    async fn raw(at: SocketAddr, bytes: &[u8]) -> String {
        let mut stream = TcpStream::connect(at).await.unwrap();
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        // A reset after the answer is an end as well.
        let _end = tokio::time::timeout(ENOUGH, stream.read_to_end(&mut answer)).await.expect("closed in time");
        String::from_utf8(answer).unwrap()
    }

    async fn get(at: SocketAddr, path: &str) -> String {
        raw(at, format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).await
    }

    #[tokio::test]
    async fn ready_tells_its_reasons_and_live_the_stalled_loops() {
        let served = served(LIMITS, &[]).await;
        let starting = get(served.at, "/ready").await;
        assert!(
            starting.starts_with("HTTP/1.1 503") && starting.ends_with(r#"{"ready":false,"reasons":["starting"]}"#)
        );
        served.health.serving();
        let ready = get(served.at, "/ready").await;
        assert!(ready.starts_with("HTTP/1.1 200") && ready.ends_with(r#"{"ready":true,"reasons":[]}"#), "{ready}");
        let live = get(served.at, "/live").await;
        assert!(live.starts_with("HTTP/1.1 200") && live.ends_with("live\n"));

        let stuck = super::tests::served(LIMITS, &["dispatcher"]).await;
        let dead = get(stuck.at, "/live").await;
        assert!(dead.starts_with("HTTP/1.1 503") && dead.ends_with("stalled: dispatcher\n"));
    }

    #[tokio::test]
    async fn other_paths_and_verbs_are_refused_in_json() {
        let served = served(LIMITS, &[]).await;
        let nowhere = get(served.at, "/api/v1/events").await;
        assert!(nowhere.starts_with("HTTP/1.1 404") && nowhere.ends_with(r#"{"error":"no such path"}"#));
        let request = b"POST /ready HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        assert!(raw(served.at, request).await.starts_with("HTTP/1.1 405"));
    }

    #[tokio::test]
    async fn a_silent_client_and_a_huge_head_are_let_go() {
        let served = served(Limits { head: Duration::from_millis(50), ..LIMITS }, &[]).await;
        let half = raw(served.at, b"GET /live HTT").await;
        assert!(!half.contains("200"), "{half}");
        let huge = format!("GET /live HTTP/1.1\r\nhost: x\r\nfiller: {}", "x".repeat(HEAD_BYTES * 2));
        assert!(!raw(served.at, huge.as_bytes()).await.contains(" 200 "));
        let lines = "a: b\r\n".repeat(HEAD_LINES + 1);
        let many = raw(served.at, format!("GET /live HTTP/1.1\r\n{lines}\r\n").as_bytes()).await;
        assert!(many.starts_with("HTTP/1.1 431"), "{many}");
    }

    #[tokio::test]
    async fn a_connection_has_an_end_and_frees_its_place() {
        let limits = Limits { connections: 1, life: Duration::from_millis(50), ..LIMITS };
        let served = served(limits, &[]).await;
        let _idle = TcpStream::connect(served.at).await.unwrap();
        assert!(get(served.at, "/live").await.starts_with("HTTP/1.1 200"));
    }

    #[tokio::test]
    async fn a_shutdown_ends_idle_connections_and_the_server() {
        let served = served(LIMITS, &[]).await;
        let mut idle = TcpStream::connect(served.at).await.unwrap();
        idle.write_all(b"GET /live HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut first = [0; 12];
        idle.read_exact(&mut first).await.unwrap();
        served.stop.cancel();
        tokio::time::timeout(ENOUGH, served.task).await.expect("ended in time").unwrap();
        let mut rest = Vec::new();
        let _end = tokio::time::timeout(ENOUGH, idle.read_to_end(&mut rest)).await.expect("closed in time");
    }
}

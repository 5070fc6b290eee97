//! The transport against a server that misbehaves, over real sockets and in real time.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use base64::Engine as _;
use bytes::Bytes;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{Method, Request, ReqwestTransport, Response, Transport, TransportError, install_crypto};

/// Long enough that only a test that is stuck reaches it.
const PATIENCE: Duration = Duration::from_secs(20);

/// Short enough to wait for.
const BRIEF: Duration = Duration::from_millis(300);

const CAP: usize = 1 << 20;

/// Stands in the path, the query and a header of every request.
const SECRET: &str = "ficha-de-prueba";

/// A server on a free port. It reads one request from each connection, hands it to `answer`, and counts them.
struct Server {
    port: u16,
    requests: Arc<AtomicUsize>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Server {
    async fn with<F>(answer: impl Fn(TcpStream, String) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&requests);
        let accepting = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = Vec::new();
                let mut piece = [0; 4_096];
                while !request.windows(4).any(|window| window == b"\r\n\r\n") {
                    match stream.read(&mut piece).await {
                        Ok(read) if read > 0 => request.extend_from_slice(&piece[..read]),
                        _ => break,
                    }
                }
                counter.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(answer(stream, String::from_utf8_lossy(&request).into_owned()));
            }
        });
        Self { port, requests, accepting }
    }

    /// A server that sends these bytes and closes.
    async fn saying(answer: impl Into<Vec<u8>>) -> Self {
        let answer: Arc<[u8]> = answer.into().into();
        Self::with(move |mut stream, _| {
            let answer = Arc::clone(&answer);
            // Whoever has heard enough hangs up, and the writing fails: that is no matter of the server.
            async move { drop(stream.write_all(&answer).await) }
        })
        .await
    }

    async fn get(&self, timeout: Duration, body_cap: usize) -> Result<Response, TransportError> {
        call(request(&format!("http://127.0.0.1:{}", self.port), timeout, body_cap)).await
    }
}

fn request(origin: &str, timeout: Duration, body_cap: usize) -> Request {
    Request {
        method: Method::GET,
        url: format!("{origin}/path/{SECRET}?key={SECRET}").parse().unwrap(),
        headers: vec![("apikey", SECRET.to_owned())],
        body: None,
        timeout,
        body_cap,
    }
}

async fn call(request: Request) -> Result<Response, TransportError> {
    install_crypto();
    ReqwestTransport::new().unwrap().call(request).await
}

fn head(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 {status}\r\n{headers}\r\n").into_bytes();
    answer.extend_from_slice(body);
    answer
}

/// 4 KiB that unpack to 4 MiB; as text, like all of the project.
fn bomb() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/http/four_mebibytes_of_zeros.gz.base64");
    let text = std::fs::read_to_string(path).unwrap();
    base64::engine::general_purpose::STANDARD.decode(text.replace('\n', "")).unwrap()
}

/// An error with all its causes and its `Debug`; fails if it tells where or with what was asked.
fn printed(error: &TransportError) -> String {
    let outer: &dyn std::error::Error = error;
    let chain = std::iter::successors(Some(outer), |error| error.source());
    let text = chain.map(|error| format!("{error:?} {error}")).collect::<Vec<_>>().join(" ");
    assert!(!text.contains(SECRET) && !text.contains("http://") && !text.contains("/path"), "{text}");
    text
}

#[tokio::test]
async fn an_answer_is_handed_over_whole() {
    let headers = "Content-Type: application/json\r\nContent-Length: 2\r\nRetry-After: 17\r\n";
    let server = Server::saying(head("503 Busy", headers, b"{}")).await;
    let answer = server.get(PATIENCE, CAP).await.unwrap();
    assert_eq!((answer.status, answer.body), (503, Bytes::from_static(b"{}")));
    assert_eq!(answer.content_type.as_deref(), Some("application/json"));
    assert_eq!(answer.retry_after, Some(Duration::from_secs(17)));
}

#[tokio::test]
async fn a_retry_after_may_be_a_date() {
    let headers =
        "Date: Sat, 21 Nov 2026 10:00:00 GMT\r\nRetry-After: Sat, 21 Nov 2026 10:01:30 GMT\r\nContent-Length: 0\r\n";
    let server = Server::saying(head("429 Slow", headers, b"")).await;
    let answer = server.get(PATIENCE, CAP).await.unwrap();
    assert_eq!((answer.status, answer.retry_after), (429, Some(Duration::from_secs(90))));
}

#[tokio::test]
async fn what_is_asked_arrives_as_it_was_given() {
    let (sender, mut heard) = tokio::sync::mpsc::unbounded_channel();
    let server = Server::with(move |mut stream, request| {
        sender.send(request).unwrap();
        async move { drop(stream.write_all(&head("200 OK", "Content-Length: 0\r\n", b"")).await) }
    })
    .await;
    let mut post = request(&format!("http://127.0.0.1:{}", server.port), PATIENCE, CAP);
    post.method = Method::POST;
    post.headers.push(("x-trace-id", "31".to_owned()));
    post.body = Some(("application/json", Bytes::from_static(b"{}")));
    call(post).await.unwrap();
    let heard = heard.recv().await.unwrap().to_ascii_lowercase();
    assert!(heard.starts_with(&format!("post /path/{SECRET}?key={SECRET} http/1.1\r\n")), "{heard}");
    for line in [
        "x-trace-id: 31",
        "apikey: ficha-de-prueba",
        "content-type: application/json",
        "content-length: 2",
        "accept-encoding: gzip",
        concat!("user-agent: pregonero/", env!("CARGO_PKG_VERSION")),
    ] {
        assert!(heard.contains(&format!("{line}\r\n")), "{line}: {heard}");
    }
    assert!(!heard.contains("referer"));
}

#[tokio::test]
async fn a_body_as_large_as_allowed_is_taken_and_one_byte_more_is_not() {
    let body = vec![b' '; CAP + 1];
    for (length, fits) in [(0, true), (CAP, true), (CAP + 1, false)] {
        let announced = head("200 OK", &format!("Content-Length: {length}\r\n"), &body[..length]);
        // Without a length the body ends with the connection.
        let unannounced = head("200 OK", "Connection: close\r\n", &body[..length]);
        for answer in [announced, unannounced] {
            let server = Server::saying(answer).await;
            match server.get(PATIENCE, CAP).await {
                Ok(answer) => assert!(fits && answer.body.len() == length, "{length}"),
                Err(error) => {
                    assert!(matches!(error, TransportError::TooLarge(CAP)) && !fits, "{length}: {error:?}");
                    printed(&error);
                }
            }
        }
    }
}

#[tokio::test]
async fn an_announced_giant_is_refused_before_it_is_sent() {
    let server = Server::with(|mut stream, _| async move {
        drop(stream.write_all(&head("200 OK", "Content-Length: 99999999999\r\n", b"{")).await);
        std::future::pending::<()>().await;
    })
    .await;
    let error = server.get(PATIENCE, CAP).await.unwrap_err();
    assert!(matches!(error, TransportError::TooLarge(CAP)), "{error:?}");
}

#[tokio::test]
async fn a_body_without_end_is_cut_at_the_cap() {
    let server = Server::with(|mut stream, _| async move {
        drop(stream.write_all(&head("200 OK", "Transfer-Encoding: chunked\r\n", b"")).await);
        let mut chunk = b"10000\r\n".to_vec();
        chunk.resize(chunk.len() + 0x10000, b' ');
        chunk.extend_from_slice(b"\r\n");
        while stream.write_all(&chunk).await.is_ok() {}
    })
    .await;
    let error = server.get(PATIENCE, CAP).await.unwrap_err();
    assert!(matches!(error, TransportError::TooLarge(CAP)), "{error:?}");
}

#[tokio::test]
async fn a_small_body_that_unpacks_beyond_the_cap_is_cut() {
    let bomb = bomb();
    assert!(bomb.len() < 16_384);
    let headers = format!("Content-Encoding: gzip\r\nContent-Length: {}\r\n", bomb.len());
    let server = Server::saying(head("200 OK", &headers, &bomb)).await;
    let error = server.get(PATIENCE, CAP).await.unwrap_err();
    assert!(matches!(error, TransportError::TooLarge(CAP)), "{error:?}");
    let whole = server.get(PATIENCE, 4 << 20).await.unwrap();
    assert_eq!(whole.body.len(), 4 << 20, "the cap counts what is unpacked");
}

#[tokio::test]
async fn a_body_that_drips_is_cut_by_the_time_out() {
    let server = Server::with(|mut stream, _| async move {
        drop(stream.write_all(&head("200 OK", "Content-Length: 100000\r\n", b"")).await);
        while stream.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    let error = server.get(BRIEF, CAP).await.unwrap_err();
    assert!(matches!(error, TransportError::Timeout(BRIEF)), "{error:?}");
    printed(&error);
}

#[tokio::test]
async fn a_server_that_says_nothing_is_cut_by_the_time_out() {
    let server = Server::with(|stream, _| async move {
        std::future::pending::<()>().await;
        drop(stream);
    })
    .await;
    let error = server.get(BRIEF, CAP).await.unwrap_err();
    assert!(matches!(error, TransportError::Timeout(BRIEF)), "{error:?}");
}

#[tokio::test]
async fn nobody_at_the_port_is_a_failed_connection() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let error = call(request(&format!("http://127.0.0.1:{free}"), PATIENCE, CAP)).await.unwrap_err();
    assert!(matches!(error, TransportError::Connect(_)), "{error:?}");
    printed(&error);
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_broken() {
    let bomb = bomb();
    let packed = format!("Content-Encoding: gzip\r\nContent-Length: {}\r\n", bomb.len() / 2);
    for answer in [
        head("200 OK", "Content-Length: 100\r\n", b"{\"status\":"),
        head("200 OK", "Transfer-Encoding: chunked\r\n", b"5\r\n{\"sta"),
        head("200 OK", "Transfer-Encoding: chunked\r\n", b"zz\r\n"),
        head("200 OK", &packed, &bomb[..bomb.len() / 2]),
        head("200 OK", "Content-Encoding: gzip\r\nContent-Length: 4\r\n", b"{}{}"),
        b"HTTP/1.1 200 OK\r\nContent-".to_vec(),
        b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(),
        Vec::new(),
    ] {
        let server = Server::saying(answer.clone()).await;
        let error = server.get(PATIENCE, 8 << 20).await.unwrap_err();
        assert!(matches!(error, TransportError::Broken(_)), "{}: {error:?}", String::from_utf8_lossy(&answer));
        printed(&error);
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_never_followed() {
    for status in ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"] {
        let server = Server::saying(head(status, "Location: /elsewhere\r\nContent-Length: 0\r\n", b"")).await;
        let answer = server.get(PATIENCE, CAP).await.unwrap();
        assert!(status.starts_with(&answer.status.to_string()));
        assert_eq!(server.requests.load(Ordering::SeqCst), 1, "{status}");
    }
}

#[tokio::test]
async fn a_header_that_cannot_be_sent_is_an_error_that_does_not_tell_it() {
    let server = Server::saying(head("200 OK", "Content-Length: 0\r\n", b"")).await;
    let mut odd = request(&format!("http://127.0.0.1:{}", server.port), PATIENCE, CAP);
    odd.headers = vec![("authorization", format!("Bearer {SECRET}\r\nX-Smuggled: 1"))];
    printed(&call(odd).await.unwrap_err());
    assert_eq!(server.requests.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_server_without_tls_behind_https_is_no_connection() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let plain = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        drop(stream.write_all(&head("400 Bad Request", "Content-Length: 0\r\n", b"")).await);
        // Held open, so that what is seen is the answer and not the end of the connection.
        stream
    };
    let (answer, _stream) = tokio::join!(call(request(&format!("https://127.0.0.1:{port}"), PATIENCE, CAP)), plain);
    let error = answer.unwrap_err();
    assert!(matches!(error, TransportError::Tls(_) | TransportError::Connect(_)), "{}", printed(&error));
}

#[tokio::test]
async fn no_host_is_asked_more_at_once_than_there_is_room_and_none_takes_the_place_of_another() {
    install_crypto();
    let (open, doors) = tokio::sync::watch::channel(false);
    let slow = Server::with(move |mut stream, _| {
        let mut doors = doors.clone();
        async move {
            doors.wait_for(|open| *open).await.unwrap();
            stream.write_all(&head("200 OK", "connection: close\r\ncontent-length: 0\r\n", b"")).await.unwrap();
        }
    })
    .await;
    let quick = Server::saying(head("200 OK", "connection: close\r\ncontent-length: 0\r\n", b"")).await;
    let transport = ReqwestTransport::with_room(2).unwrap();
    let ask = |origin: String| {
        let transport = transport.clone();
        tokio::spawn(async move { transport.call(request(&origin, PATIENCE, CAP)).await.unwrap().status })
    };
    let waiting: Vec<_> = (0..5).map(|_| ask(format!("http://127.0.0.1:{}", slow.port))).collect();
    while slow.requests.load(Ordering::SeqCst) < 2 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Another name of the same machine is another host.
    assert_eq!(ask(format!("http://localhost:{}", quick.port)).await.unwrap(), 200);
    assert_eq!(slow.requests.load(Ordering::SeqCst), 2, "the third waits for a place");
    open.send(true).unwrap();
    for answer in waiting {
        assert_eq!(answer.await.unwrap(), 200);
    }
    assert_eq!(slow.requests.load(Ordering::SeqCst), 5);
}

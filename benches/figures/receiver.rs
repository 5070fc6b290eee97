//! A webhook receiver that costs as little as one can: keep-alive HTTP/1.1, reads the body by its length, answers 204.
//!
//! It remembers when each event id was first accepted, so that latencies and repeats can be told.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const ANSWER: &[u8] = b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n";

/// What was received.
#[derive(Debug, Default)]
pub struct Received {
    pub count: usize,
    pub first: HashMap<String, Instant>,
    pub repeats: usize,
    pub last: Option<Instant>,
    /// Milliseconds from `detected_at` in the body to the acceptance.
    pub waits: Vec<f64>,
    /// For each event, once: its amount, when it was detected, and when it was accepted.
    pub told: Vec<(String, jiff::Timestamp, jiff::Timestamp)>,
}

/// A receiver on a free port of the loopback.
#[derive(Clone, Debug)]
pub struct Receiver {
    pub address: SocketAddr,
    received: Arc<Mutex<Received>>,
    by_id: bool,
}

impl Receiver {
    /// Starts one. `by_id`: remember ids and times; else only count.
    pub async fn start(by_id: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let receiver = Self { address: listener.local_addr().expect("bound"), received: Arc::default(), by_id };
        let serving = receiver.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serving.clone().serve(stream));
            }
        });
        receiver
    }

    /// What was received so far.
    pub fn with<T>(&self, read: impl FnOnce(&mut Received) -> T) -> T {
        read(&mut self.received.lock().expect("no panic inside"))
    }

    /// Waits until `count` requests were accepted, and returns when the last of them was.
    pub async fn wait_for(&self, count: usize) -> Instant {
        loop {
            if let Some(last) = self.with(|received| received.last.filter(|_| received.count >= count)) {
                return last;
            }
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
    }

    async fn serve(self, mut stream: TcpStream) {
        stream.set_nodelay(true).expect("a socket");
        let mut buffer: Vec<u8> = Vec::with_capacity(16 * 1024);
        loop {
            let Some((head, length)) = parse(&buffer) else {
                match stream.read_buf(&mut buffer).await {
                    Ok(0) | Err(_) => return,
                    Ok(_) => continue,
                }
            };
            while buffer.len() < head + length {
                match stream.read_buf(&mut buffer).await {
                    Ok(0) | Err(_) => return,
                    Ok(_) => {}
                }
            }
            self.note(&buffer[..head], &buffer[head..head + length]);
            buffer.drain(..head + length);
            if stream.write_all(ANSWER).await.is_err() {
                return;
            }
        }
    }

    fn note(&self, head: &[u8], body: &[u8]) {
        let now = Instant::now();
        let detected = self.by_id.then(|| detected(body)).flatten();
        let id = self.by_id.then(|| id(head)).flatten();
        self.with(|received| {
            received.count += 1;
            received.last = Some(now);
            if let Some(id) = id {
                if received.first.contains_key(&id) {
                    received.repeats += 1;
                } else {
                    received.first.insert(id, now);
                    if let Some((amount, detected)) = detected {
                        let now = jiff::Timestamp::now();
                        received.waits.push(now.duration_since(detected).as_secs_f64() * 1e3);
                        received.told.push((amount, detected, now));
                    }
                }
            }
        });
    }
}

/// The length of the head and of the body, once the head is whole.
fn parse(buffer: &[u8]) -> Option<(usize, usize)> {
    let head = buffer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let length = header(&buffer[..head], "content-length").and_then(|value| value.parse().ok()).unwrap_or(0);
    Some((head, length))
}

/// The amount, and when the event was detected, by the machine's clock, which both programs share.
fn detected(body: &[u8]) -> Option<(String, jiff::Timestamp)> {
    let body: serde_json::Value = serde_json::from_slice(body).ok()?;
    let data = &body["data"];
    Some((data["amount"]["value"].as_str()?.to_owned(), data["detected_at"].as_str()?.parse().ok()?))
}

fn id(head: &[u8]) -> Option<String> {
    header(head, "webhook-id")
}

fn header(head: &[u8], name: &str) -> Option<String> {
    let text = std::str::from_utf8(head).ok()?;
    text.split("\r\n")
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim().to_owned())
}

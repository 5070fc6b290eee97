//! A scripted HTTP receiver on a raw socket: it can do everything that a well-behaved server library cannot.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// What it does with one request.
#[derive(Clone, Debug)]
pub(super) enum Act {
    /// A complete answer: status, extra header lines, body.
    Answer(u16, &'static str, String),
    /// The status, and the request's own body as body.
    Echo(u16),
    /// Never answers.
    Hang,
    /// The head of an answer with that status, a byte of its body, then nothing.
    SlowBody(u16),
    /// An answer with that status whose body never ends.
    EndlessBody(u16),
    /// Closes without an answer, with a reset.
    Reset,
    /// Something that is no HTTP.
    Nonsense,
}

/// One request as it came.
#[derive(Clone, Debug)]
pub(super) struct Got {
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) connection: usize,
}

impl Got {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

#[derive(Debug, Default)]
struct State {
    script: VecDeque<Act>,
    got: Vec<Got>,
}

/// The receiver. It serves until the runtime ends.
#[derive(Clone, Debug)]
pub(super) struct Receiver {
    pub(super) port: u16,
    state: Arc<Mutex<State>>,
}

impl Receiver {
    /// Follows the script, then answers 200.
    pub(super) async fn start(script: impl IntoIterator<Item = Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State { script: script.into_iter().collect(), got: Vec::new() }));
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            for connection in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, connection, Arc::clone(&shared)));
            }
        });
        Self { port, state }
    }

    pub(super) fn got(&self) -> Vec<Got> {
        self.state.lock().unwrap().got.clone()
    }
}

async fn serve(mut stream: TcpStream, connection: usize, state: Arc<Mutex<State>>) {
    let mut buffer = Vec::new();
    while let Some(got) = read_request(&mut stream, &mut buffer, connection).await {
        let act = {
            let mut state = state.lock().unwrap();
            state.got.push(got.clone());
            state.script.pop_front().unwrap_or_else(|| Act::Answer(200, "", String::new()))
        };
        if act_out(&mut stream, act, &got).await.is_none() {
            return;
        }
    }
}

async fn act_out(stream: &mut TcpStream, act: Act, got: &Got) -> Option<()> {
    match act {
        Act::Answer(status, headers, body) => answer(stream, status, headers, body.as_bytes()).await,
        Act::Echo(status) => answer(stream, status, "", &got.body).await,
        Act::Hang => std::future::pending().await,
        Act::SlowBody(status) => {
            let head = format!("HTTP/1.1 {status} X\r\ncontent-length: 10\r\n\r\nx");
            stream.write_all(head.as_bytes()).await.ok()?;
            std::future::pending().await
        }
        Act::EndlessBody(status) => {
            let head = format!("HTTP/1.1 {status} X\r\ntransfer-encoding: chunked\r\n\r\n");
            stream.write_all(head.as_bytes()).await.ok()?;
            let chunk = format!("1000\r\n{}\r\n", "z".repeat(4096));
            loop {
                stream.write_all(chunk.as_bytes()).await.ok()?;
            }
        }
        Act::Reset => {
            // A zero linger turns the close into a reset.
            stream.set_zero_linger().ok()?;
            None
        }
        Act::Nonsense => {
            stream.write_all(b"220 mail.example.com ESMTP\r\n").await.ok()?;
            None
        }
    }
}

async fn answer(stream: &mut TcpStream, status: u16, headers: &str, body: &[u8]) -> Option<()> {
    let head = format!("HTTP/1.1 {status} X\r\n{headers}content-length: {}\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), body].concat()).await.ok()
}

async fn read_request(stream: &mut TcpStream, buffer: &mut Vec<u8>, connection: usize) -> Option<Got> {
    let end = loop {
        if let Some(at) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        more(stream, buffer).await?;
    };
    let head = String::from_utf8(buffer.drain(..end).collect()).unwrap();
    let mut lines = head.lines();
    let target = lines.next()?.split(' ').nth(1)?.to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    let length =
        headers.iter().find(|(name, _)| name == "content-length").map_or(0, |(_, value)| value.parse().unwrap());
    while buffer.len() < length {
        more(stream, buffer).await?;
    }
    Some(Got { target, headers, body: buffer.drain(..length).collect(), connection })
}

async fn more(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<()> {
    let mut chunk = [0; 4096];
    let read = tokio::time::timeout(Duration::from_secs(30), stream.read(&mut chunk)).await.ok()?.ok()?;
    buffer.extend_from_slice(&chunk[..read]);
    (read > 0).then_some(())
}

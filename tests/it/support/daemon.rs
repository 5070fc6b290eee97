//! The real daemon as a child process.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use pregonero::clock::Stopwatch;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::guarded;

/// How long a start may take: debug build, two cores, tests beside it.
const START: Duration = Duration::from_secs(30);

/// A running `pregonero run`. Dropped, it is killed.
pub(crate) struct Daemon {
    child: Child,
    port: u16,
    log: PathBuf,
}

impl Daemon {
    /// Starts it; stderr is appended to `log`. `port` is where its configuration listens.
    pub(crate) fn launch(config: &Path, log: &Path, port: u16) -> Self {
        let stderr = OpenOptions::new().create(true).append(true).open(log).unwrap();
        let arguments = ["run", "--config", config.to_str().unwrap()];
        let child = guarded(env!("CARGO_BIN_EXE_pregonero"), &arguments, Stdio::null(), stderr.into());
        Self { child, port, log: log.to_owned() }
    }

    /// Waits until `/ready` says so; false when the process ended instead.
    pub(crate) async fn ready(&mut self) -> bool {
        let watch = Stopwatch::start();
        while watch.elapsed() < START {
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            if self.get("/ready").await.is_some_and(|answer| answer.starts_with("HTTP/1.1 200")) {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the daemon is not ready:\n{}", self.log());
    }

    /// An answer of its own HTTP port, headers included; `None` when nobody answers.
    pub(crate) async fn get(&self, path: &str) -> Option<String> {
        self.asked(&format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")).await
    }

    /// The same of a POST with a JSON body.
    pub(crate) async fn post(&self, path: &str, body: &str) -> Option<String> {
        let head = "Host: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/json";
        let length = body.len();
        self.asked(&format!("POST {path} HTTP/1.1\r\n{head}\r\nContent-Length: {length}\r\n\r\n{body}")).await
    }

    async fn asked(&self, question: &str) -> Option<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await.ok()?;
        stream.write_all(question.as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        Some(answer)
    }

    /// `kill -9`, and the end of it.
    pub(crate) async fn kill(&mut self) {
        self.child.kill().await.unwrap();
    }

    /// Sends a signal, such as `TERM`.
    pub(crate) async fn signal(&self, name: &str) {
        let id = self.child.id().expect("it runs");
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {id}")]).status().await.unwrap();
        assert!(sent.success(), "the signal was not sent");
    }

    /// Waits for the end.
    pub(crate) async fn ended(&mut self, limit: Duration) -> ExitStatus {
        let status = tokio::time::timeout(limit, self.child.wait()).await.ok();
        status.unwrap_or_else(|| panic!("it runs still after {limit:?}:\n{}", self.log())).unwrap()
    }

    /// Whether it runs.
    pub(crate) fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// SIGTERM, a clean end, exit code 0.
    pub(crate) async fn stop(&mut self) {
        self.signal("TERM").await;
        let status = self.ended(Duration::from_secs(40)).await;
        assert_eq!(status.code(), Some(0), "{}", self.log());
    }

    /// All that it and those before it wrote to stderr.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }
}

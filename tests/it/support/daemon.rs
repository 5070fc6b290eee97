//! The real daemon as a child process.

use std::fs::OpenOptions;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use pregonero::clock::Stopwatch;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::{House, Plan, guarded};

/// How long a start may take: debug build, two cores, tests beside it.
const START: Duration = Duration::from_secs(30);

/// The program under test; `PREGONERO_UNDER_TEST` names another one, such as a release build or a copy for a long soak.
pub(crate) fn program() -> String {
    std::env::var("PREGONERO_UNDER_TEST").unwrap_or_else(|_| env!("CARGO_BIN_EXE_pregonero").to_owned())
}

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
        let child = guarded(&program(), &arguments, Stdio::null(), stderr.into());
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

    /// The answer to a whole request; `None` when nobody answers.
    pub(crate) async fn asked(&self, question: &str) -> Option<String> {
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

    /// Lets no file of it grow beyond so many bytes from now on; `None`: as large as they like. To it the disk is full.
    pub(crate) async fn limit_files(&self, bytes: Option<u64>) {
        let id = self.child.id().expect("it runs").to_string();
        let limit = bytes.map_or_else(|| String::from("unlimited"), |bytes| bytes.to_string());
        let arguments = ["--pid", &id, &format!("--fsize={limit}:")];
        let set = Command::new("prlimit").args(arguments).status().await.unwrap();
        assert!(set.success(), "the limit was not set");
    }

    /// Sends a signal, such as `TERM`.
    pub(crate) async fn signal(&self, name: &str) {
        super::signal(&self.child, name).await;
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

/// Runs a daemon as a user who is not root, until it ends by itself; its exit code and what it said.
pub(crate) async fn unprivileged(house: &House, plan: &Plan) -> (Option<i32>, String) {
    let config = house.path(&format!("{}.toml", plan.instance));
    let program = program();
    let command = [program.as_str(), "run", "--config", config.to_str().unwrap()];
    let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];
    let is_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    let words = if is_root { [&nobody[..], &command[..]].concat() } else { command.to_vec() };
    let running = Command::new(words[0]).args(&words[1..]).kill_on_drop(true).output();
    let output = tokio::time::timeout(START, running).await.expect("it ends by itself").unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

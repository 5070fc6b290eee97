//! The real daemon as a child: rows at a local upstream → webhooks accepted by a local receiver.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::process::Process;
use super::receiver::Receiver;
use super::upstream::Upstream;

/// Where the daemon keeps its memory.
#[derive(Clone, Debug)]
pub enum Store {
    Embedded,
    Redis(String),
}

/// One measured run.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    pub per_second: f64,
    pub cpu_per_10k: f64,
    pub peak_mib: f64,
    pub idle_mib: f64,
}

/// A running daemon and its peers.
pub struct Town {
    pub upstream: Upstream,
    pub receiver: Receiver,
    pub daemon: Process,
    folder: tempfile::TempDir,
    program: String,
}

impl Town {
    /// Starts the daemon on an empty upstream and waits until its first contact is over.
    pub async fn start(program: &str, store: &Store, in_flight: usize, hot: &str, more: &str, by_id: bool) -> Self {
        let (upstream, receiver) = (Upstream::start().await, Receiver::start(by_id).await);
        let folder = tempfile::tempdir().expect("a folder");
        let url = match store {
            Store::Embedded => format!("file:{}", folder.path().join("bench.db").display()),
            Store::Redis(url) => url.clone(),
        };
        let config = format!(
            r#"
[log]
filter = "warn"
[flood]
limit = 0
[store]
url = "{url}"
instance = "bench"
prefix = "bench{}"
[http]
listen = ""
[[telepagos]]
name = "centro"
base_url = "http://{}"
allow_http = true
username = "u"
password = "p"
rate = "1000/s"
poll = {{ hot = "{hot}" }}
[[webhook]]
name = "erp"
url = "http://{}/hook"
secret = "{}"
allow_private = ["127.0.0.0/8"]
in_flight = {in_flight}
events = ["*"]
{more}
"#,
            std::process::id(),
            upstream.address,
            receiver.address,
            super::SECRET,
        );
        std::fs::write(folder.path().join("config.toml"), config).expect("a file");
        let daemon = spawn(program, folder.path());
        let town = Self { upstream, receiver, daemon, folder, program: program.to_owned() };
        tokio::time::sleep(Duration::from_secs(4)).await;
        town
    }

    /// For each event accepted: milliseconds from its commit (`detected_at`, by the daemon's clock) to its acceptance.
    pub fn latencies(&self) -> Vec<f64> {
        self.receiver.with(|received| received.waits.clone())
    }

    /// Kills the daemon and starts it again on the same memory.
    pub fn crash(&mut self) {
        self.daemon.kill();
        self.daemon = spawn(&self.program, self.folder.path());
    }

    /// Lists `count` rows and waits until all of them were accepted.
    pub async fn burst(&mut self, count: usize) -> Run {
        let idle = self.daemon.memory().0;
        let before = self.daemon.cpu();
        let start = Instant::now();
        self.upstream.list(count, &super::today());
        let last = self.receiver.wait_for(count).await;
        // From the poll that saw the rows: the pause until that poll is no work.
        let seen = self.upstream.first_asked_after(start).unwrap_or(start);
        let taken = last.duration_since(seen).as_secs_f64();
        let cpu = (self.daemon.cpu() - before).as_secs_f64();
        let (_, peak) = self.daemon.memory();
        let scale = count as f64 / 10_000.0;
        Run {
            per_second: count as f64 / taken,
            cpu_per_10k: cpu / scale,
            peak_mib: peak as f64 / 1024.0,
            idle_mib: idle as f64 / 1024.0,
        }
    }
}

fn spawn(program: &str, folder: &Path) -> Process {
    Process::spawn(Command::new(program).arg("run").arg("--config").arg(folder.join("config.toml")))
}

//! A `redis-server` with an append-only file, which can be killed and come back on the same port.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use pregonero::clock::Stopwatch;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::{free_port, guarded};

/// How long a server may take to listen.
const START: Duration = Duration::from_secs(20);

/// The right to poll an account, as Redis keeps it.
#[derive(Clone, Debug)]
pub(crate) struct AccountLease {
    /// The replica; empty when it was given back.
    pub(crate) holder: String,
    /// Until when, in milliseconds since 1970.
    pub(crate) till: i64,
    /// What time it was.
    pub(crate) now: i64,
}

/// A Redis of one test. It ends with the test.
pub(crate) struct Server {
    folder: TempDir,
    port: u16,
    child: Option<Child>,
}

impl Server {
    /// Starts one on a free port.
    pub(crate) async fn start() -> Self {
        let mut server = Self { folder: tempfile::tempdir().unwrap(), port: free_port(), child: None };
        for _ in 0..5 {
            if server.run().await {
                return server;
            }
            // Somebody else took the port.
            server.port = free_port();
        }
        panic!("redis-server does not start; is it installed? `apt-get install redis-server`");
    }

    /// One that is not started yet.
    pub(crate) fn asleep() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), port: free_port(), child: None }
    }

    /// Starts it (again) on its folder and port; false when it ended at once.
    pub(crate) async fn run(&mut self) -> bool {
        assert!(self.child.is_none(), "it runs already");
        let (folder, port) = (self.folder.path().to_str().unwrap(), self.port.to_string());
        let log = format!("{folder}/log");
        let options = ["--port", &port, "--bind", "127.0.0.1", "--dir", folder, "--logfile", &log];
        let durable = ["--appendonly", "yes", "--save", ""];
        let arguments = [&options[..], &durable[..]].concat();
        let mut child = guarded("redis-server", &arguments, Stdio::null(), Stdio::null());
        let watch = Stopwatch::start();
        while watch.elapsed() < START {
            if child.try_wait().unwrap().is_some() {
                return false;
            }
            if TcpStream::connect(("127.0.0.1", self.port)).await.is_ok() {
                self.child = Some(child);
                return true;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("redis-server does not listen");
    }

    /// From now on a kill loses nothing that was acknowledged. With `everysec` a busy disk may delay it by two seconds,
    /// which is a limit of Redis that operators are told of; with this a busy disk makes every write slow.
    pub(crate) async fn keep_all(&self) {
        let _done = self.command("CONFIG SET appendfsync always").await;
    }

    /// `kill -9`.
    pub(crate) async fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().await.unwrap();
        }
    }

    /// Lets its append-only file grow no further from now on, or again: to it the disk is full.
    pub(crate) async fn fill_disk(&self, full: bool) {
        let id = self.child.as_ref().and_then(Child::id).expect("it runs").to_string();
        let limit = if full { "--fsize=1:" } else { "--fsize=unlimited:" };
        let set = Command::new("prlimit").args(["--pid", &id, limit]).status().await.unwrap();
        assert!(set.success(), "the limit was not set");
    }

    /// Keeps a copy of what is on disk now, for [`Server::roll_back`].
    pub(crate) async fn keep(&self) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        duplicate(self.folder.path(), copy.path()).await;
        copy
    }

    /// Loses everything that was written since the copy, as a power failure or a failover may.
    pub(crate) async fn roll_back(&mut self, copy: TempDir) {
        self.kill().await;
        self.folder = copy;
        assert!(self.run().await);
    }

    /// Where it listens.
    pub(crate) const fn port(&self) -> u16 {
        self.port
    }

    /// Runs one command, such as `CONFIG SET maxmemory 1`, and returns its answer.
    pub(crate) async fn command(&self, words: &str) -> redis::Value {
        let client = redis::Client::open(self.url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut words = words.split(' ');
        let mut command = redis::cmd(words.next().unwrap());
        command.arg(words.collect::<Vec<_>>());
        command.query_async(&mut connection).await.unwrap()
    }

    /// Who polls an account, until when, and what time it is, all by Redis' clock.
    pub(crate) async fn account_lease(&self, account: &str) -> AccountLease {
        let client = redis::Client::open(self.url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.unwrap();
        let mut lease = AccountLease { holder: String::new(), till: 0, now: 0 };
        for shard in 0..16 {
            let mut ask = redis::cmd("HGET");
            ask.arg(format!("pregonero:{{{shard}}}:leases")).arg(account);
            let text: Option<String> = ask.query_async(&mut connection).await.unwrap();
            if let Some(text) = text {
                let parts: Vec<&str> = text.splitn(3, ' ').collect();
                (lease.till, lease.holder) = (parts[1].parse().unwrap(), parts[2].to_owned());
            }
        }
        let (seconds, micros): (i64, i64) = redis::cmd("TIME").query_async(&mut connection).await.unwrap();
        lease.now = seconds * 1_000 + micros / 1_000;
        lease
    }

    /// For `store.url`.
    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }
}

async fn duplicate(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from.join(".")).arg(to).status().await.unwrap();
    assert!(copied.success(), "the folder was not copied");
}

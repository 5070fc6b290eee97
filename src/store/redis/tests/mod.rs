//! A real `redis-server` for each test, and the laws of a store upon it.

mod damage;
mod faults;
mod forms;
mod layout;
mod reach;
mod rights;
mod secure;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tempfile::TempDir;

pub(crate) use self::forms::cluster;
pub(crate) use self::rights::{denied, mover};
pub(crate) use self::secure::tls_cluster;
use super::RedisStore;
use crate::clock::{Clock as _, SystemClock};
use crate::config::{Backend, RedisTls, RedisUrl, StoreConfig};
use crate::store::StoreError;
use crate::store::conformance::{Harness, laws};

/// A `redis-server` that ends with its handle, and with the process, however that ends: the shell that started it waits for
/// our end of a pipe to close.
pub(super) struct Shell(Child);

impl Drop for Shell {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        self.0.wait().unwrap();
    }
}

/// Starts a server in a folder; its log is `log` there.
pub(super) fn spawn(folder: &Path, options: &[String]) -> Shell {
    let folder = folder.to_str().unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", "redis-server \"$@\" & read -r _; kill -9 $!; wait $!", "sh"]);
    command.args(options).args(["--dir", folder, "--logfile", &format!("{folder}/log")]);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    Shell(command.spawn().unwrap())
}

/// A server on a socket in a folder of its own.
pub(crate) struct Server {
    folder: TempDir,
    shell: Option<Shell>,
    options: Vec<String>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With further options, `--name value`.
    pub(super) async fn start_with(options: &[&str]) -> Self {
        let installed = Command::new("redis-server").arg("--version").output();
        assert!(installed.is_ok(), "redis-server is missing: `apt-get install redis-server`");
        let options = options.iter().map(|option| (*option).to_owned()).collect();
        let mut server = Self { folder: tempfile::tempdir().unwrap(), shell: None, options };
        server.run().await;
        server
    }

    /// Starts it (again) on its folder and waits until it listens.
    pub(super) async fn run(&mut self) {
        assert!(self.shell.is_none(), "it runs already");
        let socket = self.folder.path().join("s");
        let mut options: Vec<String> =
            ["--port", "0", "--appendonly", "yes", "--save", "", "--unixsocket"].map(str::to_owned).to_vec();
        options.push(socket.to_str().unwrap().to_owned());
        options.extend(self.options.iter().cloned());
        self.shell = Some(spawn(self.folder.path(), &options));
        for _ in 0..1000 {
            if std::os::unix::net::UnixStream::connect(&socket).is_ok() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("redis-server did not start");
    }

    /// Kills it as a crash would.
    pub(super) fn kill(&mut self) {
        self.shell = None;
    }

    /// Where it listens.
    pub(super) fn url(&self) -> RedisUrl {
        RedisUrl(format!("unix://{}/s", self.folder.path().display()))
    }

    /// Under another prefix, with whatever is there.
    pub(crate) async fn named(&self, instance: &str, prefix: &str) -> RedisStore {
        let config = StoreConfig { prefix: prefix.to_owned(), ..config(&self.url(), instance) };
        RedisStore::connect_target(&config, &self.url()).await.expect("the server runs")
    }

    pub(crate) async fn connect(&self, instance: &str) -> Result<RedisStore, StoreError> {
        RedisStore::connect(&config(&self.url(), instance), &self.url()).await
    }

    pub(super) async fn store(&self) -> RedisStore {
        self.connect("one").await.expect("the server runs")
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "a test prints whatever else it is told")]
impl RedisStore {
    /// Says words to the server; the answer's values as bytes, pairs one after the other.
    pub(crate) async fn tell(&self, words: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut command = redis::Cmd::new();
        for word in words {
            command.arg(word);
        }
        match self.link.ask_one(command).await.unwrap() {
            redis::Value::Map(pairs) => pairs.into_iter().flat_map(|(a, b)| [bytes(a), bytes(b)]).collect(),
            redis::Value::Array(values) | redis::Value::Set(values) => values.into_iter().map(bytes).collect(),
            value => vec![bytes(value)],
        }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "a test prints whatever else it is told")]
fn bytes(value: redis::Value) -> Vec<u8> {
    match value {
        redis::Value::BulkString(bytes) => bytes,
        redis::Value::SimpleString(text) => text.into_bytes(),
        redis::Value::Int(number) => number.to_string().into_bytes(),
        other => format!("{other:?}").into_bytes(),
    }
}

pub(super) fn config(url: &RedisUrl, instance: &str) -> StoreConfig {
    StoreConfig {
        backend: Backend::Redis(url.clone()),
        prefix: "pregonero".to_owned(),
        instance: instance.to_owned(),
        tls: RedisTls::default(),
    }
}

/// The laws' view of it.
struct Redis {
    server: Server,
    store: Arc<RedisStore>,
    born: Timestamp,
}

impl Harness for Redis {
    type Store = RedisStore;

    async fn fresh() -> Self {
        let server = Server::start().await;
        let store = Arc::new(server.store().await);
        Self { server, store, born: SystemClock.now() }
    }

    fn store(&self) -> Arc<RedisStore> {
        self.store.clone()
    }

    async fn replica(&self, instance: &str) -> Option<Arc<RedisStore>> {
        Some(Arc::new(self.server.connect(instance).await.expect("the server runs")))
    }

    async fn reopen(mut self) -> Option<Self> {
        self.server.kill();
        self.server.run().await;
        self.store = Arc::new(self.server.store().await);
        Some(self)
    }

    fn born(&self) -> Timestamp {
        self.born
    }

    fn now(&self) -> Timestamp {
        SystemClock.now()
    }

    async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }
}

laws!(Redis);

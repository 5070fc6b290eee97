//! The laws upon the other forms of Redis: TLS, sentinels, a cluster of three, and with no more rights than the manual
//! tells to grant. Servers are shared by all laws of a form; each
//! law has a prefix of its own.

use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use redis::Value;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use super::secure::{tls, tls_cluster, tls_sentinel};
use super::{Shell, config, spawn};
use crate::clock::{Clock as _, SystemClock};
use crate::config::{RedisUrl, StoreConfig};
use crate::store::StoreError;
use crate::store::conformance::Harness;
use crate::store::redis::RedisStore;

/// Servers that run as long as this, and how to reach them.
pub(crate) struct Servers {
    #[expect(dead_code, reason = "they end when this is dropped")]
    pub(super) shells: Vec<Shell>,
    pub(super) folder: TempDir,
    pub(super) ports: Vec<u16>,
    pub(super) config: StoreConfig,
}

impl Servers {
    pub(super) fn url(&self) -> RedisUrl {
        let crate::config::Backend::Redis(url) = &self.config.backend else { panic!("it is one") };
        url.clone()
    }

    pub(super) async fn connect(&self, prefix: &str, instance: &str) -> Result<RedisStore, StoreError> {
        let (prefix, instance) = (prefix.to_owned(), instance.to_owned());
        RedisStore::connect(&StoreConfig { prefix, instance, ..self.config.clone() }, &self.url()).await
    }

    /// As the target of a copy.
    pub(crate) async fn named(&self, instance: &str, prefix: &str) -> RedisStore {
        let (prefix, instance) = (prefix.to_owned(), instance.to_owned());
        let config = StoreConfig { prefix, instance, ..self.config.clone() };
        RedisStore::connect_target(&config, &self.url()).await.expect("the servers run")
    }
}

pub(super) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A command to a server without TLS.
pub(super) fn tell(port: u16, words: &[&str]) -> Value {
    let mut connection = redis::Client::open(("127.0.0.1", port)).unwrap().get_connection().unwrap();
    let mut command = redis::cmd(words[0]);
    command.arg(&words[1..]);
    command.query(&mut connection).unwrap_or_else(|error| panic!("{words:?}: {error}"))
}

/// Starts a server on a free port and waits until it listens.
pub(super) async fn listening(folder: &Path, options: &dyn Fn(u16) -> Vec<String>) -> (Shell, u16) {
    for _ in 0..10 {
        let port = free_port();
        let place = folder.join(port.to_string());
        std::fs::create_dir(&place).unwrap();
        let shell = spawn(&place, &options(port));
        for _ in 0..1000 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return (shell, port);
            }
            // Somebody else took the port.
            if std::fs::read_to_string(place.join("log")).is_ok_and(|log| log.contains("Failed listening")) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    panic!("redis-server does not start");
}

pub(super) fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

pub(super) fn plain(port: u16, more: &[&str]) -> Vec<String> {
    let mut all = words(&["--port", &port.to_string(), "--bind", "127.0.0.1", "--appendonly", "yes", "--save", ""]);
    all.extend(words(more));
    all
}

/// Three masters that share the slots.
pub(crate) async fn cluster() -> Servers {
    let folder = tempfile::tempdir().unwrap();
    let (shells, ports) = masters(folder.path(), &|_| Vec::new()).await;
    let hosts: Vec<_> = ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
    let config = config(&RedisUrl(format!("redis+cluster://{}", hosts.join(","))), "one");
    Servers { shells, folder, ports, config }
}

/// The same with further options, which may depend on the port.
pub(super) async fn masters(folder: &Path, more: &dyn Fn(u16) -> Vec<String>) -> (Vec<Shell>, Vec<u16>) {
    let (mut shells, mut ports) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let options = |port| {
            let bus = free_port().to_string();
            let mut all =
                plain(port, &["--cluster-enabled", "yes", "--cluster-port", &bus, "--cluster-node-timeout", "2000"]);
            all.extend(more(port));
            all
        };
        let (shell, port) = listening(folder, &options).await;
        shells.push(shell);
        ports.push(port);
    }
    for (port, (first, last)) in ports.iter().zip([("0", "5460"), ("5461", "10922"), ("10923", "16383")]) {
        tell(*port, &["CLUSTER", "ADDSLOTSRANGE", first, last]);
        tell(*port, &["CLUSTER", "SET-CONFIG-EPOCH", &(ports[0].abs_diff(*port) % 1000 + 1).to_string()]);
    }
    form_up(&ports).await;
    (shells, ports)
}

/// The port where other nodes reach a node.
pub(super) fn among_nodes(port: u16) -> String {
    let is_secure = tell_text(port, &["CONFIG", "GET", "tls-cluster"]) == "yes";
    if is_secure { tell_text(port, &["CONFIG", "GET", "tls-port"]) } else { port.to_string() }
}

async fn form_up(ports: &[u16]) {
    let bus = tell_text(ports[0], &["CONFIG", "GET", "cluster-port"]);
    let first = among_nodes(ports[0]);
    for port in &ports[1..] {
        tell(*port, &["CLUSTER", "MEET", "127.0.0.1", &first, &bus]);
    }
    for port in ports {
        for attempt in 0.. {
            let Value::BulkString(info) = tell(*port, &["CLUSTER", "INFO"]) else { panic!("it is text") };
            let info = String::from_utf8(info).unwrap();
            if info.contains("cluster_state:ok") && info.contains("cluster_size:3") {
                break;
            }
            assert!(attempt < 1000, "the cluster does not form: {info}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

pub(super) fn tell_text(port: u16, words: &[&str]) -> String {
    let Value::Array(values) = tell(port, words) else { panic!("it is a list") };
    let Some(Value::BulkString(text)) = values.into_iter().nth(1) else { panic!("it is text") };
    String::from_utf8(text).unwrap()
}

/// A master, and a sentinel that knows it.
pub(super) async fn sentinel() -> Servers {
    let folder = tempfile::tempdir().unwrap();
    let (master, port) = listening(folder.path(), &|port| plain(port, &[])).await;
    let options = |own: u16| {
        let file = folder.path().join(format!("{own}.conf"));
        let text = format!("port {own}\nbind 127.0.0.1\nsentinel monitor caja 127.0.0.1 {port} 1\n");
        std::fs::write(&file, text).unwrap();
        words(&[file.to_str().unwrap(), "--sentinel"])
    };
    let (sentinel, own) = listening(folder.path(), &options).await;
    // Nobody is at the first; one that answers is enough.
    let url = format!("redis+sentinel://127.0.0.1:1,127.0.0.1:{own}/caja/2");
    let config = config(&RedisUrl(url), "one");
    Servers { shells: vec![master, sentinel], folder, ports: vec![port, own], config }
}

/// The line of the manual that makes our user.
pub(super) fn rights() -> Vec<&'static str> {
    let manual = include_str!("../../../../docs/operating.md");
    let line = manual.lines().find(|line| line.starts_with("ACL SETUSER pregonero on ")).expect("the manual has it");
    line.split_whitespace().collect()
}

/// The line that adds what a copy needs.
pub(super) fn rights_of_copies() -> Vec<&'static str> {
    let manual = include_str!("../../../../docs/operating.md");
    let line = manual.lines().find(|line| line.starts_with("ACL SETUSER pregonero +scan ")).expect("the manual has it");
    line.split_whitespace().collect()
}

/// A server that lets us do what the manual says, and nothing else.
pub(super) async fn acl() -> Servers {
    let folder = tempfile::tempdir().unwrap();
    let (shell, port) = listening(folder.path(), &|port| plain(port, &[])).await;
    let line: Vec<_> = rights().into_iter().map(|word| if word == "~pregonero:*" { "~p*" } else { word }).collect();
    tell(port, &line);
    let config = config(&RedisUrl(format!("redis://pregonero:PASSWORD@127.0.0.1:{port}/0")), "one");
    Servers { shells: vec![shell], folder, ports: vec![port], config }
}

/// A law's view of shared servers.
struct Shared {
    servers: &'static Servers,
    prefix: String,
    store: Arc<RedisStore>,
    born: Timestamp,
}

impl Shared {
    async fn of(servers: &'static Servers) -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let prefix = format!("p{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        let store = Arc::new(servers.connect(&prefix, "one").await.expect("the servers run"));
        Self { servers, prefix, store, born: SystemClock.now() }
    }
}

/// A harness upon servers of one form.
macro_rules! form {
    ($module:ident, $start:path) => {
        mod $module {
            use super::*;
            use crate::store::conformance::laws;

            struct Form(Shared);

            impl Harness for Form {
                type Store = RedisStore;

                async fn fresh() -> Self {
                    static SERVERS: OnceCell<Servers> = OnceCell::const_new();
                    Self(Shared::of(SERVERS.get_or_init($start).await).await)
                }

                fn store(&self) -> Arc<RedisStore> {
                    self.0.store.clone()
                }

                async fn replica(&self, instance: &str) -> Option<Arc<RedisStore>> {
                    Some(Arc::new(self.0.servers.connect(&self.0.prefix, instance).await.expect("the servers run")))
                }

                async fn reopen(mut self) -> Option<Self> {
                    let store = self.0.servers.connect(&self.0.prefix, "one").await.expect("the servers run");
                    self.0.store = Arc::new(store);
                    Some(self)
                }

                fn born(&self) -> Timestamp {
                    self.0.born
                }

                fn now(&self) -> Timestamp {
                    SystemClock.now()
                }

                async fn pass(&self, time: Duration) {
                    tokio::time::sleep(time).await;
                }
            }

            laws!(Form);
        }
    };
}

form!(upon_a_cluster, cluster);
form!(upon_sentinels, sentinel);
form!(upon_tls, tls);
form!(upon_a_cluster_over_tls, tls_cluster);
form!(upon_sentinels_over_tls, tls_sentinel);
form!(with_the_rights_of_the_manual, acl);

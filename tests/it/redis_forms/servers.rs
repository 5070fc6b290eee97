//! Servers of one test: masters, replicas, sentinels; nodes of a cluster.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use pregonero::clock::Stopwatch;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use crate::support::{free_port, guarded, signal};

/// How long anything of them may take.
const SOON: Duration = Duration::from_secs(60);

/// One server. Dropped, it ends.
pub(crate) struct Node {
    pub(crate) port: u16,
    folder: TempDir,
    arguments: Vec<String>,
    child: Option<Child>,
}

impl Node {
    /// Starts one with further options.
    async fn start(options: &[&str]) -> Self {
        for _ in 0..5 {
            let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
            let place = folder.path().to_str().unwrap().to_owned();
            let own = ["--port", &port.to_string(), "--bind", "127.0.0.1", "--dir", &place];
            let arguments = own.iter().chain(options).map(|word| (*word).to_owned()).collect();
            let mut node = Self { port, folder, arguments, child: None };
            if node.run().await {
                return node;
            }
        }
        panic!("redis-server does not start; is it installed? `apt-get install redis-server`");
    }

    /// Starts it (again); false when it ended at once.
    pub(crate) async fn run(&mut self) -> bool {
        let log = self.folder.path().join("log");
        let mut arguments: Vec<&str> = self.arguments.iter().map(String::as_str).collect();
        arguments.extend(["--logfile", log.to_str().unwrap()]);
        let mut child = guarded("redis-server", &arguments, Stdio::null(), Stdio::null());
        let watch = Stopwatch::start();
        while watch.elapsed() < SOON {
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

    /// `kill -9`.
    pub(crate) async fn kill(&mut self) {
        self.child.take().unwrap().kill().await.unwrap();
    }

    /// Sends it a signal, such as `STOP`.
    pub(crate) async fn signal(&self, name: &str) {
        signal(self.child.as_ref().unwrap(), name).await;
    }

    /// What it answers to a command, as text.
    pub(crate) async fn tell(&self, words: &[&str]) -> String {
        tell(self.port, words).await
    }

    /// Writes down all that it is told from now on.
    pub(crate) fn monitor(&self, file: &Path) -> Child {
        let file = std::fs::File::create(file).unwrap();
        let port = self.port.to_string();
        guarded("redis-cli", &["-p", &port, "MONITOR"], file.into(), Stdio::null())
    }

    /// Waits until an answer says so.
    pub(crate) async fn says(&self, words: &[&str], what: &str) {
        let watch = Stopwatch::start();
        loop {
            let answer = self.tell(words).await;
            if answer.contains(what) {
                return;
            }
            assert!(watch.elapsed() < SOON, "{words:?} never says {what}: {answer}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn tell(port: u16, words: &[&str]) -> String {
    let output = Command::new("redis-cli").arg("-p").arg(port.to_string()).args(words).output().await.unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

const DURABLE: [&str; 4] = ["--appendonly", "yes", "--save", ""];

/// One server alone.
pub(crate) async fn single() -> Node {
    Node::start(&DURABLE).await
}

/// One server, and the port where it speaks TLS and asks for a certificate. The authority, a certificate for us and its key are
/// written into the folder: `ca.pem`, `client.pem`, `client.key`.
pub(crate) async fn secured(folder: &Path) -> (Node, u16) {
    let write = |name: &str, text: String| std::fs::write(folder.join(name), text).unwrap();
    let mut wanted = rcgen::CertificateParams::new(Vec::new()).unwrap();
    wanted.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate().unwrap();
    write("ca.pem", wanted.self_signed(&key).unwrap().pem());
    let authority = rcgen::Issuer::new(wanted, key);
    for name in ["server", "client"] {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut wanted = rcgen::CertificateParams::new(vec![String::from("127.0.0.1")]).unwrap();
        wanted.distinguished_name.push(rcgen::DnType::CommonName, name);
        write(&format!("{name}.pem"), wanted.signed_by(&key, &authority).unwrap().pem());
        write(&format!("{name}.key"), key.serialize_pem());
    }
    let port = free_port();
    let [port_, server, key, authority] =
        [port.to_string(), place(folder, "server.pem"), place(folder, "server.key"), place(folder, "ca.pem")];
    let files = ["--tls-cert-file", &server, "--tls-key-file", &key, "--tls-ca-cert-file", &authority];
    let options = [&DURABLE[..], &["--tls-port", &port_, "--tls-auth-clients", "yes"], &files].concat();
    (Node::start(&options).await, port)
}

fn place(folder: &Path, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_owned()
}

/// A master with a replica, and three sentinels.
pub(crate) struct Watched {
    pub(crate) servers: Vec<Node>,
    pub(crate) sentinels: Vec<Node>,
}

impl Watched {
    pub(crate) async fn start() -> Self {
        let master = Node::start(&DURABLE).await;
        let port = master.port.to_string();
        let replica = Node::start(&[&DURABLE[..], &["--replicaof", "127.0.0.1", &port]].concat()).await;
        replica.says(&["INFO", "replication"], "master_link_status:up").await;
        let mut sentinels = Vec::new();
        for _ in 0..3 {
            sentinels.push(sentinel(&port).await);
        }
        for sentinel in &sentinels {
            sentinel.says(&["SENTINEL", "MASTER", "caja"], "num-other-sentinels\n2").await;
            sentinel.says(&["SENTINEL", "MASTER", "caja"], "num-slaves\n1").await;
        }
        Self { servers: vec![master, replica], sentinels }
    }

    pub(crate) fn url(&self) -> String {
        let hosts: Vec<_> = self.sentinels.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        format!("redis+sentinel://{}/caja", hosts.join(","))
    }

    /// The place of who is master by the sentinels.
    pub(crate) async fn master(&self) -> usize {
        let answer = self.sentinels[0].tell(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", "caja"]).await;
        let port = answer.lines().nth(1).unwrap();
        self.servers.iter().position(|node| node.port.to_string() == port).unwrap()
    }

    /// Waits until the sentinels take this one for the master.
    pub(crate) async fn becomes_master(&self, wanted: usize) {
        let watch = Stopwatch::start();
        while self.master().await != wanted {
            assert!(watch.elapsed() < SOON, "the sentinels never take {wanted} for the master");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until one of the two follows the other, and says which. Who is master may change until then: on a busy machine the
    /// sentinels take a server that is slow to answer for dead.
    pub(crate) async fn paired(&self) -> usize {
        let watch = Stopwatch::start();
        loop {
            let replica = 1 - self.master().await;
            let state = self.servers[replica].tell(&["INFO", "replication"]).await;
            if state.contains("master_link_status:up") {
                return replica;
            }
            assert!(watch.elapsed() < SOON, "no server follows the other: {state}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// A sentinel that knows a master; it writes into its file.
async fn sentinel(master: &str) -> Node {
    for _ in 0..5 {
        let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
        let file = folder.path().join("sentinel.conf");
        let place = folder.path().display();
        let text = format!(
            "port {port}\nbind 127.0.0.1\ndir {place}\nsentinel monitor caja 127.0.0.1 {master} 2\n\
             sentinel down-after-milliseconds caja 2000\nsentinel failover-timeout caja 6000\n"
        );
        std::fs::write(&file, text).unwrap();
        let arguments = vec![file.to_str().unwrap().to_owned(), String::from("--sentinel")];
        let mut node = Node { port, folder, arguments, child: None };
        if node.run().await {
            return node;
        }
    }
    panic!("the sentinel does not start");
}

/// Three masters of a Redis Cluster, and a replica of the first.
pub(crate) struct Sliced {
    pub(crate) nodes: Vec<Node>,
}

impl Sliced {
    pub(crate) async fn start() -> Self {
        let mut nodes = Vec::new();
        for _ in 0..4 {
            let bus = free_port().to_string();
            let options = ["--cluster-enabled", "yes", "--cluster-port", &bus, "--cluster-node-timeout", "2000"];
            nodes.push(Node::start(&[&DURABLE[..], &options].concat()).await);
        }
        for (node, (first, last)) in nodes.iter().zip([("0", "5460"), ("5461", "10922"), ("10923", "16383")]) {
            assert_eq!(node.tell(&["CLUSTER", "ADDSLOTSRANGE", first, last]).await, "OK");
        }
        for (epoch, node) in (1..).zip(&nodes) {
            assert_eq!(node.tell(&["CLUSTER", "SET-CONFIG-EPOCH", &epoch.to_string()]).await, "OK");
        }
        let port = nodes[0].port.to_string();
        let bus = nodes[0].tell(&["CONFIG", "GET", "cluster-port"]).await;
        let bus = bus.lines().nth(1).unwrap();
        for node in &nodes[1..] {
            assert_eq!(node.tell(&["CLUSTER", "MEET", "127.0.0.1", &port, bus]).await, "OK");
        }
        let all = Self { nodes };
        for node in &all.nodes {
            node.says(&["CLUSTER", "INFO"], "cluster_known_nodes:4").await;
            node.says(&["CLUSTER", "INFO"], "cluster_state:ok").await;
        }
        let first = all.id(0).await;
        assert_eq!(all.nodes[3].tell(&["CLUSTER", "REPLICATE", &first]).await, "OK");
        all.nodes[3].says(&["INFO", "replication"], "master_link_status:up").await;
        all.nodes[0].says(&["INFO", "replication"], "state=online").await;
        for node in &all.nodes {
            node.says(&["CLUSTER", "NODES"], &format!("slave {first}")).await;
        }
        all
    }

    pub(crate) fn url(&self) -> String {
        let hosts: Vec<_> = self.nodes[1..3].iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        format!("redis+cluster://{}", hosts.join(","))
    }

    async fn id(&self, node: usize) -> String {
        self.nodes[node].tell(&["CLUSTER", "MYID"]).await
    }

    /// The node that serves a shard of ours, and its slot.
    pub(crate) async fn owner(&self, shard: u16) -> (usize, String) {
        let slot = self.nodes[1].tell(&["CLUSTER", "KEYSLOT", &format!("{{{shard}}}")]).await;
        let number: u16 = slot.parse().unwrap();
        for line in self.nodes[1].tell(&["CLUSTER", "NODES"]).await.lines() {
            let words: Vec<_> = line.split_whitespace().collect();
            let serves = words[8..].iter().filter(|word| !word.starts_with('[')).any(|range| {
                let (first, last) = range.split_once('-').unwrap_or((range, range));
                (first.parse().unwrap()..=last.parse::<u16>().unwrap()).contains(&number)
            });
            if serves && words[2].contains("master") {
                let port = words[1].split(['@', ':']).nth(1).unwrap();
                return (self.nodes.iter().position(|node| node.port.to_string() == port).unwrap(), slot);
            }
        }
        panic!("nobody serves shard {shard}");
    }

    /// Moves the slot of a shard, key by key, as `redis-cli --cluster reshard` does.
    pub(crate) async fn migrate(&self, shard: u16, to: usize, pause: Duration) {
        let (from, slot) = self.owner(shard).await;
        let (from_id, to_id) = (self.id(from).await, self.id(to).await);
        let (source, target) = (&self.nodes[from], &self.nodes[to]);
        assert_eq!(target.tell(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from_id]).await, "OK");
        assert_eq!(source.tell(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to_id]).await, "OK");
        loop {
            let keys = source.tell(&["CLUSTER", "GETKEYSINSLOT", &slot, "1"]).await;
            if keys.is_empty() {
                break;
            }
            let port = target.port.to_string();
            for key in keys.lines() {
                let moved = source.tell(&["MIGRATE", "127.0.0.1", &port, key, "0", "5000"]).await;
                assert!(["OK", "NOKEY"].contains(&moved.as_str()), "{moved}");
            }
            tokio::time::sleep(pause).await;
        }
        assert_eq!(target.tell(&["CLUSTER", "SETSLOT", &slot, "NODE", &to_id]).await, "OK");
        assert_eq!(source.tell(&["CLUSTER", "SETSLOT", &slot, "NODE", &to_id]).await, "OK");
    }
}

//! A sandbox, a store and a folder: everything that daemons of one test live in.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use pregonero::clock::{Stopwatch, SystemClock};
use pregonero::config::{Backend, RedisTls, RedisUrl, StoreConfig};
use pregonero::sandbox::{API_KEY, BOT_TOKEN, Face, PASSWORD, Ports, Sandbox, USERNAME, WEBHOOK_SECRET};
use pregonero::store::{Archive, Counts, DeliveryFilter, DeliveryView};
use tempfile::TempDir;
use tokio::process::Command;

use super::{Daemon, Proxy, Server, announced, daemon::program, free_port, happened, until, webhooks_by_id};

/// Which store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Memory {
    /// SQLite in the folder.
    File,
    /// A Redis of the test's own.
    Redis,
}

/// What a daemon is configured with. Further lines go into their tables as they are.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    /// `store.instance`; names its files too.
    pub(crate) instance: String,
    /// Before the tables.
    pub(crate) top: String,
    /// `log.filter`.
    pub(crate) log: String,
    /// `poll` of both accounts.
    pub(crate) poll: String,
    /// Further lines of `[[telepagos]]`, named `centro`.
    pub(crate) telepagos: String,
    /// Further lines of `[[sipago]]`, named `palermo`.
    pub(crate) sipago: String,
    /// Name and further lines of each `[[webhook]]`.
    pub(crate) hooks: Vec<(String, String)>,
    /// E-mail `contaduria` and Telegram `caja` too, for everything about money; further lines of both.
    pub(crate) people: Option<String>,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            instance: String::from("one"),
            top: String::new(),
            log: String::from("info"),
            poll: String::from(r#"{ hot = "1s", watch = "1s" }"#),
            telepagos: String::new(),
            sipago: String::new(),
            hooks: vec![(String::from("erp"), String::new())],
            people: None,
        }
    }
}

/// The house. Dropped, everything in it ends.
pub(crate) struct House {
    folder: TempDir,
    pub(crate) sandbox: Sandbox,
    pub(crate) redis: Option<Server>,
    /// Where daemons find Redis instead.
    pub(crate) proxy: Option<Proxy>,
    /// The store, where it is neither of these.
    elsewhere: Option<String>,
}

impl House {
    /// An empty world and an empty store.
    pub(crate) async fn build(memory: Memory, seed: u64) -> Self {
        let redis = match memory {
            Memory::File => None,
            Memory::Redis => Some(Server::start().await),
        };
        let sandbox = Sandbox::start(Ports::default(), Arc::new(SystemClock), seed).await.unwrap();
        Self { folder: tempfile::tempdir().unwrap(), sandbox, redis, proxy: None, elsewhere: None }
    }

    /// An empty world, and a store that the test has built.
    pub(crate) async fn upon(url: String, seed: u64) -> Self {
        let house = Self::build(Memory::File, seed).await;
        Self { elsewhere: Some(url), ..house }
    }

    /// The next daemons find their store there.
    pub(crate) fn move_to(&mut self, url: String) {
        self.elsewhere = Some(url);
    }

    /// Where a Redis is, if it is one.
    fn redis_url(&self) -> Option<String> {
        self.elsewhere.clone().or_else(|| self.redis.as_ref().map(Server::url))
    }

    /// A path in its folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes the configuration of a plan and returns where it stands.
    pub(crate) fn write(&self, plan: &Plan, port: u16) -> PathBuf {
        let path = self.path(&format!("{}.toml", plan.instance));
        std::fs::write(&path, self.config(plan, port)).unwrap();
        path
    }

    fn config(&self, plan: &Plan, port: u16) -> String {
        let Plan { instance, top, log, poll, telepagos, sipago, .. } = plan;
        let store = match (&self.proxy, self.redis_url()) {
            (Some(proxy), _) => format!("redis://127.0.0.1:{}/0", proxy.port()),
            (None, Some(url)) => url,
            (None, None) => format!("file:{}", self.path("store.db").display()),
        };
        let (telepagos_url, sipago_url) = (self.sandbox.telepagos_url(), self.sandbox.sipago_url());
        let mut config = format!(
            r#"{top}
[log]
filter = "{log}"
[store]
url = "{store}"
instance = "{instance}"
[http]
listen = "127.0.0.1:{port}"
[[telepagos]]
name = "centro"
base_url = "{telepagos_url}"
allow_http = true
username = "{USERNAME}"
password = "{PASSWORD}"
rate = "600/min"
poll = {poll}
{telepagos}
[[sipago]]
name = "palermo"
base_url = "{sipago_url}"
allow_http = true
api_key = "{API_KEY}"
rate = "600/min"
poll = {poll}
{sipago}
"#
        );
        for (name, lines) in &plan.hooks {
            let url = self.sandbox.webhook_url(name);
            let table = format!(
                r#"[[webhook]]
name = "{name}"
url = "{url}"
secret = "{WEBHOOK_SECRET}"
allow_private = ["127.0.0.0/8"]
events = ["*"]
{lines}
"#
            );
            config.push_str(&table);
        }
        config + &plan.people.as_ref().map(|lines| self.people(lines)).unwrap_or_default()
    }

    fn people(&self, lines: &str) -> String {
        let (smtp, telegram) = (self.sandbox.smtp_addr(), self.sandbox.telegram_url());
        format!(
            r#"[smtp]
url = "smtp://{smtp}"
allow_plain = true
from = "Avisos <avisos@example.com>"
[[email]]
name = "contaduria"
to = ["pagos@example.com"]
events = ["*"]
{lines}
[[telegram]]
name = "caja"
token = "{BOT_TOKEN}"
api_url = "{telegram}"
chat_id = 1234567890
events = ["*"]
{lines}
"#
        )
    }

    /// What the store holds, as an operator's command reads it.
    pub(crate) async fn counts(&self) -> Counts {
        self.archive().await.counts().await.unwrap()
    }

    /// Every delivery with its last attempt, as an operator's command reads it.
    pub(crate) async fn deliveries(&self) -> Vec<DeliveryView> {
        let all = DeliveryFilter { limit: 100_000, ..DeliveryFilter::default() };
        self.archive().await.deliveries(&all).await.unwrap()
    }

    async fn archive(&self) -> Arc<dyn Archive> {
        let backend = match self.redis_url() {
            Some(url) => Backend::Redis(RedisUrl(url)),
            None => Backend::Embedded(self.path("store.db")),
        };
        let (prefix, instance) = (String::from("pregonero"), String::from("test"));
        let config = StoreConfig { backend, prefix, instance, tls: RedisTls::default() };
        pregonero::app::open_archive(&config).await.unwrap()
    }

    /// Waits until no delivery is pending any more; none may be dead.
    pub(crate) async fn nothing_pending(&self, limit: Duration) -> Counts {
        let watch = Stopwatch::start();
        loop {
            let counts = self.counts().await;
            assert_eq!(counts.dead, 0, "{counts:?}");
            if counts.pending == 0 {
                return counts;
            }
            assert!(watch.elapsed() < limit, "deliveries are pending still after {limit:?}: {counts:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Runs an operator's command with the configuration of a plan that was started before; returns its stdout.
    pub(crate) async fn ask(&self, plan: &Plan, arguments: &[&str]) -> String {
        let config = self.path(&format!("{}.toml", plan.instance));
        let mut command = Command::new(program());
        let output = command.args(arguments).arg("--config").arg(config).output().await.unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Starts a daemon without waiting for it.
    pub(crate) fn launch(&self, plan: &Plan) -> Daemon {
        let port = free_port();
        Daemon::launch(&self.write(plan, port), &self.path(&format!("{}.log", plan.instance)), port)
    }

    /// Starts a daemon and waits until it is ready.
    pub(crate) async fn daemon(&self, plan: &Plan) -> Daemon {
        for _ in 0..3 {
            let mut daemon = self.launch(plan);
            if daemon.ready().await {
                return daemon;
            }
            let log = daemon.log();
            // The port was free a moment ago, but we are not alone here.
            assert!(log.lines().last().is_some_and(|line| line.contains("cannot listen")), "it ended:\n{log}");
        }
        panic!("no port is free for long enough");
    }

    /// Starts a daemon and waits until first contact is over: what happens from now on is news.
    pub(crate) async fn contacted(&self, plan: &Plan) -> Daemon {
        let daemon = self.daemon(plan).await;
        self.read_again().await;
        daemon
    }

    /// Waits until both accounts' listings were read and committed by a reading that began after this call.
    pub(crate) async fn read_again(&self) {
        // One may be under way, the next is ours, and a third is asked only when ours is committed.
        let (telepagos, sipago) = (self.listings(Face::Telepagos) + 3, self.listings(Face::Sipago) + 3);
        until("both listings are read again", Duration::from_secs(60), || {
            self.listings(Face::Telepagos) >= telepagos && self.listings(Face::Sipago) >= sipago
        })
        .await;
    }

    /// How often a listing was answered.
    pub(crate) fn listings(&self, face: Face) -> usize {
        let is_listing = |line: &str| line.contains("transactions") && !line.contains("filters");
        self.sandbox.caught().look(|shelves| {
            let asked = shelves.asked.iter().filter(|asked| asked.face == face && asked.answered == Some(200));
            asked.filter(|asked| is_listing(&asked.line)).count()
        })
    }

    /// Waits until the webhook `name` has accepted every fact of the world; returns how long it took. Fails when it was told of
    /// anything that did not happen, or of one fact under two ids.
    pub(crate) async fn all_told(&self, name: &str, limit: Duration) -> Duration {
        let complete = || {
            let told = announced(&webhooks_by_id(self.sandbox.caught(), name));
            happened(self.sandbox.world()).iter().all(|(fact, count)| told.get(fact) >= Some(count))
        };
        let watch = Stopwatch::start();
        while !complete() {
            assert!(watch.elapsed() <= limit, "not all told to {name} within {limit:?}: {}", self.difference(name));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let took = watch.elapsed();
        self.nothing_invented(name);
        took
    }

    /// Fails when the webhook `name` was told of anything that did not happen, or of one fact under two ids.
    pub(crate) fn nothing_invented(&self, name: &str) {
        let (happened, told) =
            (happened(self.sandbox.world()), announced(&webhooks_by_id(self.sandbox.caught(), name)));
        let invented = told.iter().any(|(fact, count)| happened.get(fact) < Some(count));
        assert!(!invented, "something was invented for {name}: {}", self.difference(name));
    }

    fn difference(&self, name: &str) -> String {
        let (happened, told) =
            (happened(self.sandbox.world()), announced(&webhooks_by_id(self.sandbox.caught(), name)));
        let mut lines = vec![String::from("fact: happened, announced")];
        for fact in happened.keys().chain(told.keys()).collect::<std::collections::BTreeSet<_>>() {
            let (was, said) = (happened.get(fact).copied().unwrap_or(0), told.get(fact).copied().unwrap_or(0));
            if was != said {
                lines.push(format!("{fact:?}: {was}, {said}"));
            }
        }
        lines.join("\n  ")
    }
}

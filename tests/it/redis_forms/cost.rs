//! What the store costs, counted by Redis itself: every command that a client sent, none of those inside scripts.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use pregonero::clock::Stopwatch;
use tokio::process::Child;

use super::servers::{Node, single};
use crate::support::{House, Load, Plan, until, webhooks_by_id};

const SOON: Duration = Duration::from_secs(60);

/// A Redis whose commands are written down.
struct Counted {
    redis: Node,
    file: PathBuf,
    _monitor: Child,
}

impl Counted {
    async fn start(folder: &Path) -> Self {
        let redis = single().await;
        let file = folder.join("commands");
        let monitor = redis.monitor(&file);
        until("it is written down", SOON, || std::fs::read_to_string(&file).is_ok_and(|text| text.contains("OK")))
            .await;
        Self { redis, file, _monitor: monitor }
    }

    fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.redis.port)
    }

    /// Commands that clients sent so far: `1700000000.123456 [0 127.0.0.1:1234] "EVALSHA" …`; those of a script bear `lua`.
    /// The sweep of each shard, by its seven keys, and the sending of its script are left out: they come once an hour,
    /// and a minute after the start.
    fn commands(&self) -> usize {
        let bytes = std::fs::read(&self.file).unwrap();
        let text = String::from_utf8_lossy(&bytes);
        let sent = text.lines().filter(|line| line.contains("] \"") && !line.contains(" lua] \""));
        sent.filter(|line| !line.contains(" \"7\" \"pregonero:{") && !line.contains("\"SCRIPT\" \"LOAD\"")).count()
    }

    /// Waits until a while has passed without any but the commands of an idle daemon.
    async fn quiet(&self) {
        let watch = Stopwatch::start();
        loop {
            let before = self.commands();
            tokio::time::sleep(Duration::from_secs(6)).await;
            // A renewal and a look for what is due.
            if self.commands() - before <= 2 {
                return;
            }
            assert!(watch.elapsed() < Duration::from_secs(90), "it does not come to rest");
        }
    }
}

fn delivered(house: &House) -> usize {
    webhooks_by_id(house.sandbox.caught(), "erp").values().map(|heard| heard.accepted).sum()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_the_store_costs_at_most_three_commands_per_delivered_event() {
    let folder = tempfile::tempdir().unwrap();
    let counted = Counted::start(folder.path()).await;
    let house = House::upon(counted.url(), 44).await;
    let mut load = Load::new(house.sandbox.world(), 44);
    let _daemon = house.contacted(&Plan { sipago: load.watch(), ..Plan::default() }).await;
    let (commands, events) = (counted.commands(), delivered(&house));
    for _ in 0..10 {
        load.strike(60);
        house.all_told("erp", SOON).await;
    }
    let (commands, events) = (counted.commands() - commands, delivered(&house) - events);
    eprintln!("under load: {commands} commands for {events} delivered events");
    assert!(events > 300 && commands <= 3 * events, "{commands} commands for {events} delivered events");

    let (commands, events) = (counted.commands(), delivered(&house));
    for _ in 0..20 {
        load.strike(1);
        house.all_told("erp", SOON).await;
    }
    let (commands, events) = (counted.commands() - commands, delivered(&house) - events);
    eprintln!("one by one: {commands} commands for {events} delivered events");
}

/// The commands of an idle daemon with that many accounts, and in what time.
async fn idle(accounts: usize, seed: u64) -> (usize, Duration) {
    let folder = tempfile::tempdir().unwrap();
    let counted = Counted::start(folder.path()).await;
    let house = House::upon(counted.url(), seed).await;
    let url = house.sandbox.telepagos_url();
    let mut telepagos = String::new();
    for number in 2..accounts {
        write!(
            telepagos,
            "[[telepagos]]\nname = \"a{number}\"\nbase_url = \"{url}\"\nallow_http = true\n\
             username = \"{}\"\npassword = \"{}\"\nrate = \"600/min\"\n",
            pregonero::sandbox::USERNAME,
            pregonero::sandbox::PASSWORD
        )
        .unwrap();
    }
    let _daemon = house.contacted(&Plan { telepagos, ..Plan::default() }).await;
    counted.quiet().await;
    let (before, watch) = (counted.commands(), Stopwatch::start());
    tokio::time::sleep(Duration::from_secs(45)).await;
    (counted.commands() - before, watch.elapsed())
}

/// One renewal of all accounts in 12 s, one look for what is due in 30 s, each once more for the ends of the time.
fn allowed(time: Duration) -> usize {
    usize::try_from(time.as_secs() / 12 + 1 + time.as_secs() / 30 + 1).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_daemon_looks_once_in_30_s_and_renews_its_accounts_by_one_command_in_12_s() {
    let (commands, time) = idle(2, 45).await;
    eprintln!("idle with 2 accounts: {commands} commands in {time:?}");
    assert!(commands <= allowed(time), "{commands} commands in {time:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_accounts_idle_as_cheaply_as_two() {
    let (commands, time) = idle(100, 46).await;
    eprintln!("idle with 100 accounts: {commands} commands in {time:?}");
    assert!(commands <= allowed(time), "{commands} commands in {time:?}");
}

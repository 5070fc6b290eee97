//! The store in trouble while the daemon is under load: full, read-only, emptied, and at the end of a bad line.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use pregonero::sandbox::{Face, Fault, Rule};

use crate::support::{Daemon, House, Load, Memory, Mood, Plan, Proxy, announced, unprivileged, until, webhooks_by_id};

const SOON: Duration = Duration::from_secs(20);

/// The longest wait of a loop between two looks at a store that does not answer is 30 s.
const AFTER_AN_OUTAGE: Duration = Duration::from_secs(45);

/// How long trouble goes on after it was noticed, so that some retries meet it too.
const A_WHILE: Duration = Duration::from_millis(1_500);

/// A daemon under load on a Redis of its own.
struct Scene {
    house: House,
    load: Load,
    plan: Plan,
    daemon: Daemon,
}

impl Scene {
    async fn set(memory: Memory, seed: u64, top: &str, start: &str) -> Self {
        Self::with(House::build(memory, seed).await, seed, top, start).await
    }

    async fn with(house: House, seed: u64, top: &str, start: &str) -> Self {
        let load = Load::new(house.sandbox.world(), seed);
        let plan = Plan {
            top: top.to_owned(),
            telepagos: start.to_owned(),
            sipago: format!("{}\n{start}", load.watch()),
            hooks: vec![(String::from("erp"), String::from("retry = [\"1s\", \"1s\", \"1s\", \"20s\"]"))],
            ..Plan::default()
        };
        let daemon = house.contacted(&plan).await;
        Self { house, load, plan, daemon }
    }

    async fn command(&self, words: &str) {
        self.house.redis.as_ref().unwrap().command(words).await;
    }

    /// Lets things happen and waits until deliveries are under way.
    async fn burst(&mut self, times: usize) {
        let before = self.house.sandbox.caught().look(|shelves| shelves.webhooks.total());
        self.load.strike(times);
        let begun = self.house.sandbox.caught().wait_until(|shelves| shelves.webhooks.total() > before, SOON).await;
        begun.expect("the burst is being delivered");
    }

    fn outages(&self) -> usize {
        self.daemon.log().matches("the store does not answer").count()
    }

    /// Things go on happening while the store is in trouble: until the daemon has said so, and a while longer.
    async fn endured(&mut self, trouble: &str) {
        let before = self.outages();
        self.load.strike(15);
        until(&format!("the daemon notices {trouble}"), AFTER_AN_OUTAGE, || self.outages() > before).await;
        tokio::time::sleep(A_WHILE).await;
        self.load.strike(10);
        assert!(self.daemon.runs(), "{}", self.daemon.log());
    }

    /// Everything is told, once under its id, without a restart; and the trouble flooded no log.
    async fn recovered(&mut self, trouble: &str, lines_before: usize) {
        let took = self.house.all_told("erp", AFTER_AN_OUTAGE).await;
        self.house.nothing_pending(AFTER_AN_OUTAGE).await;
        assert!(self.daemon.runs(), "{}", self.daemon.log());
        let written = self.daemon.log().lines().count().saturating_sub(lines_before);
        assert!(written <= 14, "{written} lines for {trouble}:\n{}", self.daemon.log());
        let heard = webhooks_by_id(self.house.sandbox.caught(), "erp");
        let facts: usize = announced(&heard).values().sum();
        assert_eq!(facts, heard.len(), "each fact under one id");
        let repeated = heard.values().filter(|heard| heard.accepted > 1).count();
        eprintln!(
            "{trouble}: {facts} facts, 0 lost, 0 invented, {repeated} repeated under the same id; told {took:?} after it ended"
        );
    }

    /// A repeat is the same to the byte, unless the store had forgotten the event and it was made again.
    fn repeats_are_the_same(&self) {
        assert!(webhooks_by_id(self.house.sandbox.caught(), "erp").values().all(|heard| heard.same_bytes));
    }

    fn lines(&self) -> usize {
        self.daemon.log().lines().count()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_full_or_read_only_for_a_while_costs_nothing() {
    let mut scene = Scene::set(Memory::Redis, 41, "", "").await;
    let troubles = [
        ("CONFIG SET maxmemory 1", "CONFIG SET maxmemory 0", "OOM"),
        // Its master does not exist: it keeps what it has and refuses to write, as a replica after a failover.
        ("REPLICAOF 127.0.0.1 1", "REPLICAOF NO ONE", "READONLY"),
    ];
    scene.command("CONFIG SET maxmemory-policy noeviction").await;
    for (begins, ends, name) in troubles {
        let lines = scene.lines();
        scene.burst(10).await;
        scene.command(begins).await;
        scene.endured(name).await;
        assert!(scene.daemon.log().contains(name), "the log names it:\n{}", scene.daemon.log());
        scene.command(ends).await;
        scene.recovered(name, lines).await;
    }
    // And the disk under its append-only file is full.
    let lines = scene.lines();
    scene.burst(10).await;
    scene.house.redis.as_ref().unwrap().fill_disk(true).await;
    scene.endured("MISCONF").await;
    assert!(scene.daemon.log().contains("MISCONF"), "the log names it:\n{}", scene.daemon.log());
    scene.house.redis.as_ref().unwrap().fill_disk(false).await;
    scene.recovered("MISCONF", lines).await;
    scene.repeats_are_the_same();
    scene.daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_forgets_its_scripts_is_given_them_again_and_nobody_notices() {
    let mut scene = Scene::set(Memory::Redis, 42, "", "").await;
    let lines = scene.lines();
    for _ in 0..5 {
        scene.burst(8).await;
        scene.command("SCRIPT FLUSH").await;
        scene.load.strike(4);
    }
    scene.recovered("SCRIPT FLUSH", lines).await;
    let heard = webhooks_by_id(scene.house.sandbox.caught(), "erp");
    assert!(heard.values().all(|heard| heard.attempts == 1), "not even a repeat");
    assert_eq!(scene.outages(), 0);
    scene.daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_emptied_makes_no_history_of_what_happens_afterwards() {
    let mut scene = Scene::set(Memory::Redis, 43, "", "").await;
    for _ in 0..3 {
        scene.load.strike(10);
        scene.house.all_told("erp", SOON).await;
        scene.house.nothing_pending(SOON).await;
        scene.command("FLUSHALL").await;
        scene.load.strike(10);
        scene.house.all_told("erp", SOON).await;
    }
    // A restart on the store that was begun anew knows everything, too.
    scene.house.nothing_pending(SOON).await;
    let attempts = |house: &House| -> usize {
        webhooks_by_id(house.sandbox.caught(), "erp").values().map(|heard| heard.attempts).sum()
    };
    scene.house.read_again().await;
    let before = attempts(&scene.house);
    scene.daemon.stop().await;
    scene.daemon = scene.house.daemon(&scene.plan).await;
    scene.house.read_again().await;
    assert_eq!(attempts(&scene.house), before, "the restart is silent");
    scene.recovered("FLUSHALL with start = \"now\"", usize::MAX / 2).await;
    scene.daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_emptied_is_told_everything_again_under_the_same_ids_where_start_says_so() {
    let mut scene = Scene::set(Memory::Redis, 44, "", "start = \"today\"").await;
    scene.load.strike(10);
    scene.house.all_told("erp", SOON).await;
    scene.house.nothing_pending(SOON).await;
    let first = webhooks_by_id(scene.house.sandbox.caught(), "erp");
    // These are committed, tried in vain, and then forgotten with all the others.
    scene.house.sandbox.script().add(Rule::always(Face::Webhook, "hooks/erp", Fault::status(500)));
    scene.burst(10).await;
    scene.house.read_again().await;
    scene.command("FLUSHALL").await;
    scene.house.sandbox.script().clear();
    scene.load.strike(10);
    scene.house.all_told("erp", AFTER_AN_OUTAGE).await;
    let again = || {
        let heard = webhooks_by_id(scene.house.sandbox.caught(), "erp");
        first.keys().all(|id| heard.get(id).is_some_and(|heard| heard.accepted > 1))
    };
    until("what was told before is told again under its id", SOON, again).await;
    scene.recovered("FLUSHALL with start = \"today\"", usize::MAX / 2).await;
    scene.daemon.stop().await;
}

/// Trouble on the line, one kind after the other.
async fn bad_line(seed: u64, moods: &[Mood]) {
    let mut house = House::build(Memory::Redis, seed).await;
    house.proxy = Some(Proxy::to(house.redis.as_ref().unwrap().port()).await);
    let mut scene = Scene::with(house, seed, "", "").await;
    for mood in moods {
        let lines = scene.lines();
        scene.burst(10).await;
        scene.house.proxy.as_ref().unwrap().turn(*mood);
        if let Mood::Delays(_) = mood {
            scene.load.strike(15);
            scene.house.all_told("erp", AFTER_AN_OUTAGE).await;
        } else {
            scene.endured(&format!("{mood:?}")).await;
        }
        scene.house.proxy.as_ref().unwrap().turn(Mood::Passes);
        scene.recovered(&format!("a line to Redis: {mood:?}"), lines).await;
    }
    scene.repeats_are_the_same();
    scene.daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_to_redis_that_is_cut_slow_half_closed_deaf_or_silent_costs_nothing() {
    let several = [Mood::Cut, Mood::Delays(Duration::from_millis(150)), Mood::HalfClosed];
    tokio::join!(bad_line(45, &several), bad_line(46, &[Mood::Deaf]), bad_line(47, &[Mood::Silent]),);
}

fn size(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |file| file.len())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_disk_that_is_full_for_a_while_costs_nothing() {
    let mut scene = Scene::set(Memory::File, 48, "", "").await;
    for _ in 0..2 {
        let lines = scene.lines();
        scene.burst(10).await;
        // No file may grow any more: neither the log of changes, nor the file that it goes back into.
        let largest = ["store.db", "store.db-wal"].map(|name| size(&scene.house.path(name))).into_iter().max();
        scene.daemon.limit_files(largest).await;
        scene.endured("the full disk").await;
        scene.daemon.limit_files(None).await;
        scene.recovered("a full disk", lines).await;
    }
    scene.repeats_are_the_same();
    scene.daemon.stop().await;
}

/// Files and a folder that nobody may write, root neither: not even through a handle that is open already, as on a file system
/// that was turned read-only. Undone at the end.
struct Frozen(Vec<PathBuf>);

impl Frozen {
    /// `None` where the system does not let us, or the file system knows no such thing.
    fn new(paths: Vec<PathBuf>) -> Option<Self> {
        let frozen = Self(paths);
        frozen.chattr("+i").then_some(frozen)
    }

    fn chattr(&self, change: &str) -> bool {
        let done = std::process::Command::new("chattr").arg(change).args(&self.0).stderr(Stdio::null()).status();
        done.is_ok_and(|status| status.success())
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        self.chattr("-i");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_is_turned_read_only_under_the_daemon_costs_nothing() {
    let mut scene = Scene::set(Memory::File, 50, "", "").await;
    for name in ["store.db-wal", "store.db"] {
        let (lines, outages) = (scene.lines(), scene.outages());
        scene.burst(10).await;
        let paths = vec![scene.house.path(name), scene.house.path("")];
        let Some(frozen) = Frozen::new(paths) else {
            eprintln!("not tried: `chattr +i` is not allowed here, or does nothing");
            return;
        };
        if name == "store.db-wal" {
            scene.endured("that the file is read-only").await;
            let before = scene.house.listings(Face::Sipago);
            let polled = || scene.house.listings(Face::Sipago) > before + 2;
            until("it polls on", AFTER_AN_OUTAGE, polled).await;
            // The dispatcher and each of both accounts.
            assert!(scene.outages() - outages <= 3, "each says it once:\n{}", scene.daemon.log());
        } else {
            // The log of changes may be written still: all goes on until that goes back into the file.
            scene.load.strike(10);
            scene.house.all_told("erp", AFTER_AN_OUTAGE).await;
        }
        drop(frozen);
        scene.recovered(&format!("{name} read-only"), lines).await;
    }
    scene.repeats_are_the_same();
    scene.daemon.stop().await;
}

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_or_folder_that_may_not_be_written_is_refused_at_the_start_and_left_as_it_was() {
    let mut scene = Scene::set(Memory::File, 49, "", "").await;
    scene.burst(10).await;
    scene.house.all_told("erp", SOON).await;
    scene.house.nothing_pending(SOON).await;
    scene.daemon.stop().await;
    let (store, folder) = (scene.house.path("store.db"), scene.house.path(""));
    let before = std::fs::read(&store).unwrap();
    for (file_mode, folder_mode) in [(0o444, 0o555), (0o444, 0o777), (0o666, 0o555)] {
        chmod(&store, file_mode);
        chmod(&folder, folder_mode);
        let (status, said) = unprivileged(&scene.house, &scene.plan).await;
        assert_eq!(status, Some(1), "{said}");
        assert!(said.contains("store.db") && said.contains("must be able to write the file and its folder"), "{said}");
        assert_eq!(std::fs::read(&store).unwrap(), before, "it was left as it was");
    }
    chmod(&folder, 0o755);
    chmod(&store, 0o600);
    scene.load.strike(10);
    scene.daemon = scene.house.daemon(&scene.plan).await;
    scene.recovered("a file that could not be written", usize::MAX / 2).await;
    scene.daemon.stop().await;
}

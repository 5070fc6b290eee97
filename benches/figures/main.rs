//! All figures in one table: `cargo bench --bench figures`.
//!
//! Ratios are of one run on one machine; absolute times are noisy. `cargo bench --bench figures -- quick` is shorter,
//! and `reading`, `commits`, `memory`, `throughput`, `latency`, `recovery`, `listed`, `hot-poll` and `accounts` pick parts.
//! `accounts` takes half an hour and is measured only when it is named; `ACCOUNTS` (10,000) and `MINUTES` (5) change it.
#![expect(
    clippy::as_conversions,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::disallowed_methods,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::map_entry,
    clippy::panic,
    clippy::print_stdout,
    clippy::unchecked_time_subtraction,
    clippy::missing_panics_doc,
    unreachable_pub,
    reason = "a program that measures and prints"
)]

mod bare;
mod daemon;
mod fleet;
mod memory;
mod micro;
mod poll;
mod process;
mod receiver;
mod redis_server;
mod upstream;

use std::process::Command;
use std::time::{Duration, Instant};

use self::daemon::{Store, Town};
use self::process::Process;
use self::receiver::Receiver;

/// The bytes `a webhook secret of a benchmark!`
pub const SECRET: &str = "whsec_YSB3ZWJob29rIHNlY3JldCBvZiBhIGJlbmNobWFyayE=";

/// The daemon to measure; `PREGONERO` names another build of it.
pub fn program() -> String {
    std::env::var("PREGONERO").unwrap_or_else(|_| env!("CARGO_BIN_EXE_pregonero").to_owned())
}

/// The upstream's day, as the daemon sees it.
pub fn today() -> String {
    let zone = jiff::tz::TimeZone::get("America/Argentina/Buenos_Aires").expect("tz data");
    zone.to_datetime(jiff::Timestamp::now()).date().to_string()
}

fn main() {
    pregonero::http::install_crypto();
    let arguments: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    if let [_, verb, url, count, at_once] = arguments.as_slice()
        && verb == "bare"
    {
        runtime.block_on(bare::run(url, count.parse().expect("a number"), at_once.parse().expect("a number")));
        return;
    }
    let quick = arguments.iter().any(|argument| argument == "quick");
    runtime.block_on(all(if quick { 1 } else { 5 }, &arguments));
}

async fn all(runs: usize, arguments: &[String]) {
    const PARTS: [&str; 9] =
        ["reading", "commits", "memory", "throughput", "latency", "recovery", "listed", "hot-poll", "accounts"];
    let named = arguments.iter().any(|argument| PARTS.contains(&argument.as_str()));
    let wanted = |part: &str| !named || arguments.iter().any(|argument| argument == part);
    machine();
    println!("{:<58} {:>12} {:>12} {:>12}  goal", "figure", "min", "median", "max");
    if wanted("reading") {
        reading(runs).await;
    }
    if wanted("commits") {
        commits(runs).await;
    }
    if wanted("memory") {
        memory().await;
    }
    if wanted("throughput") {
        end_to_end(runs).await;
    }
    if wanted("latency") {
        latency().await;
    }
    if wanted("recovery") {
        recovery().await;
    }
    if wanted("listed") {
        poll::listed(if runs == 1 { 100 } else { 500 }).await;
    }
    if wanted("hot-poll") {
        poll::hot_poll(99_900, runs).await;
    }
    if named && wanted("accounts") {
        let number = |name: &str, usual| std::env::var(name).map_or(usual, |value| value.parse().expect("a number"));
        fleet::accounts(number("ACCOUNTS", 10_000), number("MINUTES", 5), runs > 1).await;
    }
}

fn machine() {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find(|line| line.starts_with("model name"))
        .and_then(|line| line.split(':').nth(1))
        .unwrap_or("unknown");
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZeroUsize::get);
    println!("machine: {},{model}, {cores} cores; release build; all on loopback\n", std::env::consts::ARCH);
}

/// One row of the table.
pub fn row(name: &str, unit: &str, values: &[f64], goal: &str) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let (min, median, max) = (sorted[0], sorted[sorted.len() / 2], sorted[sorted.len() - 1]);
    let digits = if median >= 1000.0 { 0 } else { 2 };
    println!("{:<58} {min:>12.digits$} {median:>12.digits$} {max:>12.digits$}  {goal}", format!("{name} [{unit}]"));
}

async fn reading(runs: usize) {
    let bench = micro::Bench::telepagos(10_000);
    let rows = bench.read().await;
    let ledger = micro::ledger_of(&rows);
    let (mut diffs, mut polls, mut per_kib, mut sipago) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let page = micro::Bench::sipago(100);
    let kib = upstream::listing(10_000, "2026-11-20").len() as f64 / 1024.0;
    for _ in 0..runs * 4 {
        let start = Instant::now();
        assert_eq!(micro::compare(&ledger, &rows), 0);
        diffs.push(10_000.0 / start.elapsed().as_secs_f64());
        let start = Instant::now();
        assert_eq!(micro::compare(&ledger, &bench.read().await), 0);
        polls.push(start.elapsed().as_secs_f64() * 1e3);
        per_kib.push(bench.unchanged_many(20).await.as_secs_f64() * 1e6 / kib);
        let start = Instant::now();
        for _ in 0..20 {
            assert_eq!(page.read().await.len(), 100);
        }
        sipago.push(start.elapsed().as_secs_f64() * 1e6 / 2_000.0);
    }
    row("diff of known rows", "rows/s", &diffs, "");
    row("reading + diff", "rows/s", &polls.iter().map(|ms| 1e7 / ms).collect::<Vec<_>>(), ">= 150000");
    row("poll of 10,000 known rows", "ms", &polls, "<= 60");
    row("unchanged body", "us/KiB", &per_kib, "<= 1");
    row("parse of a 100-row Sipago page", "us/row", &sipago, "");
}

async fn commits(runs: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let embedded =
        pregonero::store::embedded::EmbeddedStore::open(&folder.path().join("bench.db"), "bench").expect("a store");
    let millis = |times: Vec<Duration>| times.iter().map(|time| time.as_secs_f64() * 1e3).collect::<Vec<_>>();
    row(
        "commit of 500 rows, events, deliveries, embedded",
        "ms",
        &millis(micro::commits(&embedded, runs * 8).await),
        "<= 10",
    );
    let server = redis_server::RedisServer::start().await;
    let redis = server.store("bench").await;
    row(
        "commit of 500 rows, events, deliveries, Redis everysec",
        "ms",
        &millis(micro::commits(&redis, runs * 8).await),
        "<= 10",
    );
}

async fn memory() {
    use memory::Kind;
    for (name, kind) in
        [("transfer", Kind::Transfer), ("card sale", Kind::Sale), ("row with everything", Kind::Everything)]
    {
        row(&format!("a remembered {name}, embedded"), "bytes", &[memory::embedded(kind).await], "<= 100");
        row(&format!("a remembered {name}, Redis"), "bytes", &[memory::redis(kind).await], "<= 120");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let embedded =
        pregonero::store::embedded::EmbeddedStore::open(&folder.path().join("bench.db"), "bench").expect("a store");
    let server = redis_server::RedisServer::start().await;
    let redis = server.store("bench").await;
    let stores: [(&str, &dyn pregonero::store::Store); 2] = [("embedded", &embedded), ("Redis", &redis)];
    for (name, store) in stores {
        let (loads, commits) = memory::one_more(store, 100_000).await;
        row(&format!("load of a ledger of 100,000 rows, {name}"), "ms", &loads, "");
        row(&format!("commit of one row more, {name}"), "ms", &commits, "");
    }
}

async fn end_to_end(runs: usize) {
    const BURST: usize = 10_000;
    const AT_ONCE: usize = 64;
    let mut results: Vec<(&str, Vec<daemon::Run>, Vec<f64>)> =
        vec![("embedded", Vec::new(), Vec::new()), ("Redis", Vec::new(), Vec::new())];
    let (mut bares, mut bare_cpu) = (Vec::new(), Vec::new());
    for _ in 0..runs {
        // In turn, so that a machine that drifts drifts for all.
        let (bare, cpu) = bare_limit(2 * BURST, AT_ONCE).await;
        bares.push(bare);
        bare_cpu.push(cpu);
        for (name, measured, ratios) in &mut results {
            let server = redis_server::RedisServer::start().await;
            let store = if *name == "Redis" { Store::Redis(server.url()) } else { Store::Embedded };
            let mut town = Town::start(&program(), &store, AT_ONCE, "1s", "", false).await;
            let run = town.burst(BURST).await;
            ratios.push(run.per_second / bare);
            measured.push(run);
        }
    }
    row("bare limit, 64 in flight", "requests/s", &bares, "");
    row("bare limit, client CPU", "s/10,000", &bare_cpu, "");
    for (name, measured, ratios) in &results {
        let pick = |field: fn(&daemon::Run) -> f64| measured.iter().map(field).collect::<Vec<_>>();
        row(&format!("end to end, {name}"), "deliveries/s", &pick(|run| run.per_second), "");
        row(&format!("end to end / bare limit, {name}"), "ratio", ratios, ">= 0.30");
        row(&format!("daemon CPU, {name}"), "s/10,000", &pick(|run| run.cpu_per_10k), "<= 1.0");
        row(&format!("daemon RSS at its peak, {name}"), "MiB", &pick(|run| run.peak_mib), "<= 40");
        row(&format!("daemon RSS idle, {name}"), "MiB", &pick(|run| run.idle_mib), "<= 25");
    }
}

async fn bare_limit(count: usize, at_once: usize) -> (f64, f64) {
    let receiver = Receiver::start(false).await;
    let this = std::env::current_exe().expect("this program");
    let url = format!("http://{}/hook", receiver.address);
    let start = Instant::now();
    let child = Process::spawn(Command::new(this).args(["bare", &url, &count.to_string(), &at_once.to_string()]));
    // Without the start of the process: from the first tenth to the last.
    receiver.wait_for(count / 10).await;
    let (from, cpu_from) = (Instant::now(), child.cpu());
    let near_end = count - count / 20;
    receiver.wait_for(near_end).await;
    let (to, cpu_to) = (Instant::now(), child.cpu());
    child.wait();
    let counted = (near_end - count / 10) as f64;
    assert!(start.elapsed() < Duration::from_secs(120));
    (counted / (to - from).as_secs_f64(), (cpu_to - cpu_from).as_secs_f64() / (counted / 10_000.0))
}

/// Commit → webhook accepted at about 50 events/s, alone and beside an endpoint that hangs.
async fn latency() {
    for (name, more) in [("alone", String::new()), ("beside a hanging endpoint", hanging().await)] {
        let town = Town::start(&program(), &Store::Embedded, 8, "100ms", &more, true).await;
        for count in (5..=500).step_by(5) {
            town.upstream.list(count, &today());
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        town.receiver.wait_for(500).await;
        let mut waits = town.latencies();
        waits.sort_by(f64::total_cmp);
        let at = |part: f64| waits[((waits.len() - 1) as f64 * part) as usize];
        row(&format!("commit to accepted, {name}, p50"), "ms", &[at(0.5)], "<= 3");
        row(&format!("commit to accepted, {name}, p99"), "ms", &[at(0.99)], "<= 10");
    }
}

/// A webhook destination that never answers.
async fn hanging() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
    format!(
        "[[webhook]]\nname = \"mute\"\nurl = \"http://{address}/hook\"\nsecret = \"{SECRET}\"\nallow_private = [\"127.0.0.0/8\"]\nevents = [\"*\"]\n"
    )
}

/// `kill -9` in the middle of a burst, and how long until everything is delivered.
async fn recovery() {
    for name in ["embedded", "Redis"] {
        let server = redis_server::RedisServer::start().await;
        let store = if name == "Redis" { Store::Redis(server.url()) } else { Store::Embedded };
        let mut town = Town::start(&program(), &store, 64, "1s", "", true).await;
        town.upstream.list(20_000, &today());
        town.receiver.wait_for(5_000).await;
        town.crash();
        let start = Instant::now();
        loop {
            let done = town.receiver.with(|received| received.first.len() >= 20_000);
            if done || start.elapsed() > Duration::from_secs(90) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let (unique, repeats) = town.receiver.with(|received| (received.first.len(), received.repeats));
        row(&format!("after kill -9, all delivered, {name}"), "s", &[start.elapsed().as_secs_f64()], "<= 5");
        row(&format!("repeats under the same id, {name}"), "count", &[repeats as f64], "<= 64");
        assert_eq!(unique, 20_000, "lost");
    }
}

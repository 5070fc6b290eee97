//! Against the sandbox, over HTTP: how soon a listed row is committed, and what one new row costs in a long day.

use std::collections::HashMap;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use pregonero::app::SystemClock;
use pregonero::domain::money::Money;
use pregonero::sandbox::{PASSWORD, Ports, Sandbox, USERNAME};

use super::process::Process;
use super::receiver::Receiver;
use super::{program, row};

/// A daemon on one account of the sandbox, and whoever it tells.
struct Town {
    sandbox: Sandbox,
    receiver: Receiver,
    daemon: Process,
    _folder: tempfile::TempDir,
}

impl Town {
    /// Rows that are there before the daemon starts are history. `more` is configuration of the account.
    async fn start(rows: u32, more: &str) -> Self {
        let sandbox = Sandbox::start(Ports::default(), Arc::new(SystemClock), 1).await.expect("free ports");
        for n in 0..rows {
            let (hour, minute, second) = (n / 3600 % 24, n / 60 % 60, n % 60);
            sandbox.world().telepagos_credit_with(Money::from_cents(i64::from(150_000 + n)), |row| {
                let clock = |value: u32| i8::try_from(value).expect("small");
                row.at = row.at.date().at(clock(hour), clock(minute), clock(second), 0);
            });
        }
        let receiver = Receiver::start(true).await;
        let folder = tempfile::tempdir().expect("a folder");
        let config = format!(
            r#"
[log]
filter = "warn"
[flood]
limit = 0
[store]
url = "file:{}"
[http]
listen = ""
[[telepagos]]
name = "centro"
base_url = "{}"
allow_http = true
username = "{USERNAME}"
password = "{PASSWORD}"
{more}
[[webhook]]
name = "erp"
url = "http://{}/hook"
secret = "{}"
allow_private = ["127.0.0.0/8"]
events = ["credit.received"]
"#,
            folder.path().join("bench.db").display(),
            sandbox.telepagos_url(),
            receiver.address,
            super::SECRET,
        );
        let file = folder.path().join("config.toml");
        std::fs::write(&file, config).expect("a file");
        let daemon = Process::spawn(Command::new(program()).arg("run").arg("--config").arg(&file));
        let town = Self { sandbox, receiver, daemon, _folder: folder };
        town.contact().await;
        town
    }

    /// Waits until the first contact is over: from then on a row is news.
    async fn contact(&self) {
        let mut probe = 0;
        while self.told() == 0 {
            probe += 1;
            self.sandbox.world().telepagos_credit(Money::from_cents(100 + probe));
            let until = Instant::now() + Duration::from_secs(5);
            while self.told() == 0 && Instant::now() < until {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        tokio::time::sleep(Duration::from_secs(5)).await;
    }

    fn told(&self) -> usize {
        self.receiver.with(|received| received.first.len())
    }

    /// Lists one row and waits until it is told.
    async fn one_more(&self, cents: i64) {
        let before = self.told();
        self.sandbox.world().telepagos_credit(Money::from_cents(cents));
        while self.told() == before {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

/// The part of a poll's cadence after which the next row is listed: by the golden ratio the moments fall evenly between the
/// polls, where random ones would move the median by a tenth of the cadence.
const STEP: f64 = 0.381_966;

/// Rows listed at all moments between two polls; each waits for the poll that sees it.
pub async fn listed(rows: u32) {
    for millis in [500_u64, 2_000] {
        let town = Town::start(0, &format!("rate = \"1000/s\"\npoll = {{ hot = \"{millis}ms\" }}")).await;
        let (mut listed, start) = (HashMap::new(), tokio::time::Instant::now());
        for n in 0..rows {
            let moment = Duration::from_secs_f64(f64::from(n) * STEP * millis as f64 / 1e3);
            tokio::time::sleep_until(start + moment).await;
            let cents = i64::from(1_000_000 + n);
            listed.insert(format!("{}.{:02}", cents / 100, cents % 100), jiff::Timestamp::now());
            town.sandbox.world().telepagos_credit(Money::from_cents(cents));
        }
        let told = || {
            town.receiver.with(|received| {
                let waits = received.told.iter().filter_map(|(amount, seen, at)| {
                    let listed = listed.get(amount)?;
                    let since = |at: &jiff::Timestamp| at.duration_since(*listed).as_secs_f64() * 1e3;
                    Some((since(seen), since(at)))
                });
                waits.collect::<Vec<_>>()
            })
        };
        while told().len() < listed.len() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let (mut seen, mut accepted): (Vec<f64>, Vec<f64>) = told().into_iter().unzip();
        for (name, waits) in [("read", &mut seen), ("accepted by the receiver", &mut accepted)] {
            waits.sort_by(f64::total_cmp);
            let at = |part: f64| waits[((waits.len() - 1) as f64 * part) as usize];
            let (p50, p99) = (millis / 2 + 20, millis + 50);
            row(&format!("listed to {name}, every {millis} ms, p50"), "ms", &[at(0.5)], &format!("<= {p50}"));
            row(&format!("listed to {name}, every {millis} ms, p99"), "ms", &[at(0.99)], &format!("<= {p99}"));
        }
    }
}

/// Hot polls that one figure is of.
const POLLS: u32 = 10;

/// CPU of a hot poll of one day's `rows` rows, of which one is new; and of one that finds the same as before.
pub async fn hot_poll(rows: u32, rounds: usize) {
    let start = Instant::now();
    let more = "rate = \"1000/s\"\npoll = { hot = \"1s\", warm = \"1h\" }\nmax_body = \"256MiB\"\ntimeout = \"60s\"";
    let town = Town::start(rows, more).await;
    row(&format!("{rows} rows: from nothing to the first row that is told"), "s", &[start.elapsed().as_secs_f64()], "");
    row(&format!("{rows} rows: CPU until then"), "s", &[town.daemon.cpu().as_secs_f64()], "");
    let (mut news, mut same, mut cents) = (Vec::new(), Vec::new(), 50_000_000);
    for _ in 0..rounds {
        town.one_more(cents).await;
        let before = town.daemon.cpu();
        for _ in 0..POLLS {
            cents += 1;
            town.one_more(cents).await;
        }
        news.push((town.daemon.cpu() - before).as_secs_f64() * 1e3 / f64::from(POLLS));
        cents += 1;
        let (before, polls) = (town.daemon.cpu(), asked(&town.sandbox));
        tokio::time::sleep(Duration::from_secs(10)).await;
        let polls = asked(&town.sandbox) - polls;
        same.push((town.daemon.cpu() - before).as_secs_f64() * 1e3 / polls as f64);
    }
    row(&format!("hot poll of {rows} rows, one new, embedded"), "ms CPU", &news, "<= 150");
    row(&format!("hot poll of {rows} rows, none new"), "ms CPU", &same, "");
    let (now, peak) = town.daemon.memory();
    row(&format!("{rows} rows: RSS, RSS at its peak"), "MiB", &[now as f64 / 1024.0, peak as f64 / 1024.0], "");
}

/// Questions that the sandbox was asked so far; on a settled account each is a poll.
fn asked(sandbox: &Sandbox) -> u64 {
    sandbox.caught().look(|shelves| shelves.asked.total())
}

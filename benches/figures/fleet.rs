//! Ten thousand accounts in one process: what they cost a minute, and how long it takes until all were read once.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use tokio::net::TcpListener;

use super::daemon::Store;
use super::process::Process;
use super::{program, redis_server, row};

/// What one account asked.
#[derive(Clone, Copy, Debug, Default)]
struct Asked {
    logins: u64,
    hot: u64,
    others: u64,
}

/// A TelePagos of many accounts on which nothing happens: every listing is empty. A token is its account's name.
#[derive(Clone, Debug)]
struct Quiet {
    address: SocketAddr,
    asked: Arc<Mutex<HashMap<String, Asked>>>,
}

impl Quiet {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let quiet = Self { address: listener.local_addr().expect("bound"), asked: Arc::default() };
        let router = Router::new()
            .route("/v2/auth/token", post(login))
            .route("/v2/account/transactions_filters", get(filters))
            .route("/v2/account/transactions", get(list))
            .with_state(quiet.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        quiet
    }

    fn note(&self, name: &str, note: impl FnOnce(&mut Asked)) {
        note(self.asked.lock().expect("no panic").entry(name.to_owned()).or_default());
    }

    /// Of all accounts together: how many were read at all, and how often which.
    fn sum(&self) -> (usize, Asked) {
        let asked = self.asked.lock().expect("no panic");
        let sum = asked.values().fold(Asked::default(), |sum, asked| Asked {
            logins: sum.logins + asked.logins,
            hot: sum.hot + asked.hot,
            others: sum.others + asked.others,
        });
        (asked.values().filter(|asked| asked.hot > 0).count(), sum)
    }
}

async fn login(State(quiet): State<Quiet>, body: String) -> impl IntoResponse {
    let body: serde_json::Value = serde_json::from_str(&body).expect("a login");
    let name = body["username"].as_str().expect("a name");
    quiet.note(name, |asked| asked.logins += 1);
    ([(CONTENT_TYPE, "application/json")], format!(r#"{{"status":"ok","token":"{name}","expires_at":4102444800}}"#))
}

async fn filters() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], r#"{"status":"ok","operations":[]}"#)
}

async fn list(State(quiet): State<Quiet>, RawQuery(query): RawQuery, headers: HeaderMap) -> impl IntoResponse {
    let token = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).expect("a token");
    let day = |name: &str| -> jiff::civil::Date {
        let query = query.as_deref().unwrap_or_default();
        let value = query.split('&').find_map(|pair| pair.strip_prefix(name)).expect("a day");
        value.parse().expect("a day")
    };
    let days = day("date_from=").until(day("date_to=")).expect("a span").get_days();
    quiet.note(token.trim_start_matches("Bearer "), |asked| match days {
        2 => asked.hot += 1,
        _ => asked.others += 1,
    });
    ([(CONTENT_TYPE, "application/json")], r#"{"status":"ok","transactions":[]}"#)
}

fn config(upstream: SocketAddr, store: &str, accounts: usize) -> String {
    let mut text = format!(
        "[log]\nfilter = \"warn\"\n[store]\nurl = \"{store}\"\ninstance = \"bench\"\n[http]\nlisten = \"\"\n\
         [[webhook]]\nname = \"erp\"\nurl = \"http://127.0.0.1:9/\"\nsecret = \"{}\"\n\
         allow_private = [\"127.0.0.0/8\"]\nevents = [\"*\"]\n",
        super::SECRET
    );
    for n in 0..accounts {
        write!(
            text,
            "[[telepagos]]\nname = \"account-{n:05}\"\nbase_url = \"http://{upstream}\"\nallow_http = true\n\
             username = \"account-{n:05}\"\npassword = \"p\"\npoll = {{ hot = \"60s\" }}\n"
        )
        .expect("text");
    }
    text
}

/// Prints what `accounts` accounts cost over `minutes` minutes after the start.
pub async fn accounts(accounts: usize, minutes: usize, redis: bool) {
    for name in if redis { vec!["embedded", "Redis"] } else { vec!["embedded"] } {
        let folder = tempfile::tempdir().expect("a folder");
        let server = redis_server::RedisServer::start().await;
        let store = match if name == "Redis" { Store::Redis(server.url()) } else { Store::Embedded } {
            Store::Embedded => format!("file:{}", folder.path().join("bench.db").display()),
            Store::Redis(url) => url,
        };
        one(name, &store, folder.path(), accounts, minutes).await;
    }
}

async fn one(name: &str, store: &str, folder: &std::path::Path, accounts: usize, minutes: usize) {
    let quiet = Quiet::start().await;
    let file = folder.join("config.toml");
    std::fs::write(&file, config(quiet.address, store, accounts)).expect("a file");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).expect("our file");
    let start = Instant::now();
    let log = std::fs::File::create(folder.join("log")).expect("a file");
    let daemon = Process::spawn_logging(Command::new(program()).arg("run").arg("--config").arg(&file), log);
    let all_read = wait(&quiet, start, |read, _| read >= accounts).await;
    let (_, peak) = daemon.memory();
    row(&format!("{accounts} accounts, {name}: until all were read once"), "s", &[all_read.as_secs_f64()], "");
    row(&format!("{accounts} accounts, {name}: RSS at its peak by then"), "MiB", &[peak as f64 / 1024.0], "<= 500");
    // The first sweeps of the look-back are part of the start.
    let mut others = quiet.sum().1.others;
    loop {
        tokio::time::sleep(Duration::from_secs(20)).await;
        let now = quiet.sum().1.others;
        if std::mem::replace(&mut others, now) == now || start.elapsed() > Duration::from_secs(900) {
            break;
        }
    }
    row(
        &format!("{accounts} accounts, {name}: until the look-back is over"),
        "s",
        &[start.elapsed().as_secs_f64()],
        "",
    );
    row(&format!("{accounts} accounts, {name}: CPU of the start"), "s", &[daemon.cpu().as_secs_f64()], "");
    let (mut cores, mut polls, mut resident) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..minutes {
        let (began, cpu, (_, before)) = (Instant::now(), daemon.cpu(), quiet.sum());
        tokio::time::sleep(Duration::from_secs(60)).await;
        let ((_, after), seconds) = (quiet.sum(), began.elapsed().as_secs_f64());
        cores.push((daemon.cpu() - cpu).as_secs_f64() / seconds);
        polls.push((after.hot - before.hot) as f64 * 60.0 / seconds);
        resident.push(daemon.memory().0 as f64 / 1024.0);
    }
    row(&format!("{accounts} accounts, {name}: hot polls a minute"), "polls", &polls, "");
    row(&format!("{accounts} accounts, {name}: CPU in a minute"), "cores", &cores, "<= 1");
    row(&format!("{accounts} accounts, {name}: RSS"), "MiB", &resident, "<= 500");
    row(
        &format!("{accounts} accounts, {name}: RSS at its peak"),
        "MiB",
        &[daemon.memory().1 as f64 / 1024.0],
        "<= 500",
    );
    row(
        &format!("{accounts} accounts, {name}: logins an account"),
        "",
        &[quiet.sum().1.logins as f64 / accounts as f64],
        "1",
    );
    let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
    println!(
        "  lines logged as warnings: {}; the first: {}",
        log.lines().count(),
        log.lines().next().unwrap_or("none")
    );
}

async fn wait(quiet: &Quiet, start: Instant, is_done: impl Fn(usize, Asked) -> bool) -> Duration {
    loop {
        let (read, sum) = quiet.sum();
        if is_done(read, sum) || start.elapsed() > Duration::from_secs(900) {
            return start.elapsed();
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

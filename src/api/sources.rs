//! `/api/v1/sources`: how each account is doing: how far behind it is, what of its quota is used, what is asked next; and a
//! way through its gate, for programs that ask the same upstream beside us.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use serde::Serialize;
use serde_json::json;

use super::ApiState;
use super::routes::{NO_STORE, refusal};

/// A wait for a permit.
pub type Permit = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The way through the gate of the account of that name.
pub(super) type Permits = Arc<dyn Fn(&str) -> Option<Permit> + Send + Sync>;

/// Whoever has no permit by then asks again: a connection that hangs for minutes is cut by proxies.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// One account as this process sees it. Seconds are whole ones.
#[derive(Clone, Debug, Serialize)]
pub struct SourceView {
    /// Its name.
    pub account: String,
    /// Its company.
    pub upstream: &'static str,
    /// Its listing.
    pub source: &'static str,
    /// `starting`, `ok`, `failing`, `stale`, or `elsewhere`: another replica has the right to poll it, or the store does not answer.
    pub state: &'static str,
    /// When a reading that covers today was completed last, by this process.
    pub read_at: Option<String>,
    /// How long ago that was.
    pub lag_s: Option<u64>,
    /// `expecting`, `awake` or `quiet`.
    pub tempo: Option<&'static str>,
    /// How often its listing is asked now.
    pub every_s: Option<u64>,
    /// Failures of the listing in a row.
    pub failures: u32,
    /// How many ids are followed.
    pub watches: usize,
    /// What is asked next.
    pub next: Option<NextView>,
    /// What its gate is doing.
    pub quota: Option<QuotaView>,
}

/// The work of an account that is due first.
#[derive(Clone, Debug, Serialize)]
pub struct NextView {
    /// `hot`, `warm`, `cold`, `follow`, or the source of a watched id.
    pub task: &'static str,
    /// The watched id.
    pub id: Option<String>,
    /// In how long.
    pub due_in_s: u64,
    /// For how long it has been due: what the rate, a pause or a slow reading keeps from being asked.
    pub overdue_s: u64,
}

/// The gate of an account.
#[derive(Clone, Debug, Serialize)]
pub struct QuotaView {
    /// Requests within about the last period.
    pub used: u32,
    /// Requests that the configured rate allows in a period.
    pub of: u32,
    /// The part of that which is allowed now; less than 1 after complaints of the upstream.
    pub share: f64,
    /// For how long nothing is asked, because the upstream wants a pause.
    pub closed_s: u64,
}

/// Answers with all accounts, in the order of the configuration.
pub(super) async fn list(State(state): State<ApiState>) -> Response {
    let sources = (state.sources)();
    (NO_STORE, Json(json!({ "sources": sources }))).into_response()
}

/// `POST /api/v1/sources/{account}/permit`: waits until one request may be sent to this account's upstream. 204: send it now.
/// 429: ask again.
pub(super) async fn permit(State(state): State<ApiState>, Path(account): Path<String>) -> Response {
    let Some(permit) = (state.permits)(&account) else {
        return refusal(StatusCode::NOT_FOUND, "there is no such account");
    };
    if tokio::time::timeout(LONGEST_WAIT, permit).await.is_ok() {
        return (StatusCode::NO_CONTENT, NO_STORE).into_response();
    }
    let busy = "the account's rate is used up, or its upstream asked for a pause; ask again";
    ([(header::RETRY_AFTER, "1")], refusal(StatusCode::TOO_MANY_REQUESTS, busy)).into_response()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::api::{Health, WatchDesk, serve};
    use crate::clock::{Clock, SystemClock};
    use crate::store::memory::MemoryStore;

    #[tokio::test]
    async fn a_permit_is_given_for_an_account_to_whoever_may_use_the_api() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let config = "[[sipago]]\nname = \"palermo\"\nbase_url = \"https://sipago.example\"\napi_key = \"x\"\n";
        let config = crate::config::from_toml(&format!("[http]\nlisten = \"{at}\"\n{config}")).unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let store = Arc::new(MemoryStore::new("one", Arc::clone(&clock)));
        let given = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&given);
        let permits = move |name: &str| -> Option<Permit> {
            let counter = Arc::clone(&counter);
            (name == "palermo").then(|| -> Permit {
                Box::pin(async move {
                    counter.fetch_add(1, Ordering::SeqCst);
                })
            })
        };
        let state = ApiState::new(Arc::new(Health::default()), Vec::new)
            .with_watches(WatchDesk::new(Arc::new(config), store, clock))
            .with_permits(permits);
        tokio::spawn(serve(listener, state, std::future::pending()));
        for (method, account, headers, status) in [
            ("POST", "palermo", "", "204"),
            ("POST", "nowhere", "", "404"),
            ("GET", "palermo", "", "405"),
            ("POST", "palermo", "origin: https://elsewhere.example\r\n", "403"),
            ("POST", "palermo", "", "204"),
        ] {
            let mut stream = TcpStream::connect(at).await.unwrap();
            let head = format!(
                "{method} /api/v1/sources/{account}/permit HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n"
            );
            stream.write_all(head.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert_eq!(answer.split(' ').nth(1), Some(status), "{method} {account} {headers}: {answer}");
        }
        assert_eq!(given.load(Ordering::SeqCst), 2);
    }
}

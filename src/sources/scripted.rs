//! A transport that answers by a script, without a socket, and remembers what it was asked. For tests under paused time.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use jiff::tz::TimeZone;
use proptest::prelude::*;
use tokio::time::Instant;

use super::{Source, SourceError, Task};
use crate::clock::{Clock, TokioClock};
use crate::config::{AccountConfig, Poll, Rate, Start};
use crate::domain::account::AccountName;
use crate::domain::day::Day;
use crate::domain::money::{Dialect, Punctuation, Unit};
use crate::http::{Method, Request, Response, Transport, TransportError};

/// One request as it came.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: BTreeMap<String, String>,
    pub(super) headers: BTreeMap<&'static str, String>,
    pub(super) content_type: Option<&'static str>,
    pub(super) body: String,
    pub(super) timeout: Duration,
    pub(super) body_cap: usize,
    pub(super) at: Instant,
}

/// One answer of a script.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// A status and a body.
    Said(Response),
    /// Nothing, until the asker's time-out.
    Silence,
    /// The connection breaks.
    Broken,
}

/// An answer of this status.
pub(super) fn status(status: u16, body: impl Into<Bytes>) -> Answer {
    Answer::Said(Response { status, retry_after: None, content_type: None, body: body.into() })
}

/// A 200.
pub(super) fn ok(body: impl Into<Bytes>) -> Answer {
    status(200, body)
}

/// A body from `tests/data`.
pub(super) fn data(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A 200 with a body from `tests/data`.
pub(super) fn file(name: &str) -> Answer {
    ok(data(name))
}

impl Answer {
    /// With a `Retry-After`.
    pub(super) fn retry_after(mut self, seconds: u64) -> Self {
        if let Self::Said(response) = &mut self {
            response.retry_after = Some(Duration::from_secs(seconds));
        }
        self
    }
}

type Rule = Box<dyn FnMut(&Asked) -> Answer + Send>;

/// The transport.
pub(super) struct Scripted {
    rule: Mutex<Rule>,
    asked: Mutex<Vec<Asked>>,
}

impl std::fmt::Debug for Scripted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scripted")
    }
}

impl Scripted {
    /// Answers in this order; whoever asks more finds a broken connection.
    pub(super) fn queue(answers: impl IntoIterator<Item = Answer>) -> Arc<Self> {
        let mut answers: VecDeque<Answer> = answers.into_iter().collect();
        Self::rule(move |_| answers.pop_front().unwrap_or(Answer::Broken))
    }

    /// Answers by the question.
    pub(super) fn rule(rule: impl FnMut(&Asked) -> Answer + Send + 'static) -> Arc<Self> {
        Arc::new(Self { rule: Mutex::new(Box::new(rule)), asked: Mutex::default() })
    }

    /// Everything that was asked so far.
    pub(super) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// The paths that were asked so far, in order.
    pub(super) fn paths(&self) -> Vec<String> {
        self.asked().into_iter().map(|asked| asked.path).collect()
    }
}

#[async_trait]
impl Transport for Scripted {
    async fn call(&self, request: Request) -> Result<Response, TransportError> {
        let asked = Asked {
            method: request.method,
            path: request.url.path().to_owned(),
            query: request.url.query_pairs().into_owned().collect(),
            headers: request.headers.into_iter().collect(),
            content_type: request.body.as_ref().map(|(kind, _)| *kind),
            body: request.body.map(|(_, body)| String::from_utf8(body.to_vec()).unwrap()).unwrap_or_default(),
            timeout: request.timeout,
            body_cap: request.body_cap,
            at: Instant::now(),
        };
        let answer = (self.rule.lock().unwrap())(&asked);
        let timeout = asked.timeout;
        self.asked.lock().unwrap().push(asked);
        match answer {
            Answer::Said(response) => Ok(response),
            Answer::Silence => {
                tokio::time::sleep(timeout).await;
                Err(TransportError::Timeout(timeout))
            }
            Answer::Broken => Err(TransportError::Broken("the script is at its end".into())),
        }
    }
}

/// An account that may ask as often as it likes.
pub(super) fn account(name: &str) -> AccountConfig {
    let second = Duration::from_secs(1);
    let zone = TimeZone::get("America/Argentina/Buenos_Aires").unwrap();
    AccountConfig {
        name: AccountName::new(name),
        base_url: "https://api.example/base/".parse().unwrap(),
        rate: rate(6_000, 6_000),
        poll: Poll {
            hot: 15 * second,
            quiet: 60 * second,
            warm: 900 * second,
            cold: 86_400 * second,
            watch: 5 * second,
        },
        lookback_days: 45,
        start: Start::Now,
        allow_http: false,
        sandbox: false,
        timeout: 20 * second,
        body_cap: 1 << 20,
        max_pages: 5,
        provider_zone: zone.clone(),
        zone,
        dialect: Dialect { unit: Unit::Pesos, punctuation: Punctuation::Auto },
        date_formats: Vec::new(),
        status: BTreeMap::new(),
        operation: BTreeMap::new(),
        hints: None,
    }
}

/// So many requests a minute, and so many at once.
pub(super) fn rate(count: u32, burst: u32) -> Rate {
    let number = |n| NonZeroU32::new(n).unwrap();
    Rate { count: number(count), per: Duration::from_secs(60), burst: number(burst) }
}

/// A clock that follows the paused time, from 2026-11-21 at noon in Buenos Aires.
pub(super) fn clock() -> Arc<dyn Clock> {
    Arc::new(TokioClock::starting_at("2026-11-21T15:00:00Z".parse().unwrap(), 1))
}

/// The listing of yesterday, today and tomorrow.
pub(super) fn days() -> Task {
    Task::Days { from: Day::parse("2026-11-20").unwrap(), to: Day::parse("2026-11-22").unwrap() }
}

/// What a task fails with.
pub(super) async fn failure(source: &dyn Source, task: &Task) -> SourceError {
    source.read(task, None).await.map(|reading| format!("{reading:?}")).unwrap_err()
}

/// An error with all its causes, as a log would print it, and its `Debug`.
pub(super) fn printed(error: &SourceError) -> String {
    let outer: &dyn std::error::Error = error;
    let chain = std::iter::successors(Some(outer), |error| error.source());
    chain.map(|error| format!("{error:?} {error}")).collect::<Vec<_>>().join(" ")
}

/// Fails if a text holds one of these.
pub(super) fn assert_silent_about(text: &str, words: &[&str]) {
    for word in words {
        assert!(!text.to_lowercase().contains(&word.to_lowercase()), "{word:?} stands in {text}");
    }
}

/// JSON in which fields of these names hold anything: for tests of tolerance.
pub(super) fn odd_json(names: &'static [&'static str]) -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<f64>().prop_map(serde_json::Value::from),
        "[0-9a-zA-Z., $-]{0,12}".prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(4, 48, 6, move |inner| {
        let name = prop_oneof![proptest::sample::select(names).prop_map(str::to_owned), "[a-z]{1,4}"];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
            proptest::collection::btree_map(name, inner, 0..6)
                .prop_map(|fields| serde_json::Value::Object(fields.into_iter().collect())),
        ]
    })
}

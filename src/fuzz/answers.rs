//! An upstream whose answers are the fuzzer's: the whole way from the request to the rows, without a socket.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::FutureExt as _;
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use url::Url;

use crate::clock::Clock;
use crate::config::{AccountConfig, Poll, Rate, Start};
use crate::domain::account::AccountName;
use crate::domain::day::Day;
use crate::domain::money::{Dialect, Punctuation, Unit};
use crate::http::{Request, Response, Transport, TransportError};
use crate::sources::{Reading, Snapshot, Source, SourceError, Task};

/// Between two answers of one input; a text file does not hold it.
const BETWEEN: u8 = 0x1e;

/// Stands in the account's credentials, and so must stand in no error.
pub(super) const SECRET: &str = "hunter2-hunter2";

/// Of the token that the upstream gives.
pub(super) const TOKEN: &str = "sesame-open-sesame";

/// An input: answers, and the setting of the account that they are read by. A lone body is one answer under the
/// first setting, so that the bodies of `tests/data` are inputs as they stand. An answer may begin with its status.
#[derive(Debug)]
pub(super) struct Input<'a> {
    pub(super) answers: Vec<(u16, &'a [u8])>,
    pub(super) setting: u8,
    /// The bodies once more as text, for the laws: a reader passes over what is no UTF-8 in a field that it does not read.
    texts: Vec<String>,
}

impl<'a> Input<'a> {
    pub(super) fn of(data: &'a [u8]) -> Self {
        let mut parts: Vec<&[u8]> = data.split(|byte| *byte == BETWEEN).collect();
        let setting = match parts.as_slice() {
            [_, .., [setting]] => *setting,
            _ => 0,
        };
        if parts.len() > 1 && parts.last().is_some_and(|last| last.len() == 1) {
            parts.pop();
        }
        let answers: Vec<_> = parts.into_iter().map(with_status).collect();
        let texts = answers.iter().map(|(_, body)| String::from_utf8_lossy(body).into_owned()).collect();
        Self { answers, setting, texts }
    }

    pub(super) fn body(&self, index: usize) -> &[u8] {
        self.texts.get(index).map_or(&[], |text| text.as_bytes())
    }
}

/// `404 {…}`
fn with_status(part: &[u8]) -> (u16, &[u8]) {
    let said = part.split_at_checked(4).filter(|(head, _)| head.ends_with(b" "));
    let status = said.and_then(|(head, body)| Some((std::str::from_utf8(head).ok()?.trim_end().parse().ok()?, body)));
    status.filter(|(status, _)| (200..600).contains(status)).unwrap_or((200, part))
}

/// Answers by a rule from the address and the number of requests before.
pub(super) struct Upstream<F>(F, AtomicUsize);

impl<F> std::fmt::Debug for Upstream<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Upstream")
    }
}

impl<F: Fn(&Url, usize) -> (u16, Vec<u8>) + Send + Sync> Upstream<F> {
    pub(super) fn new(rule: F) -> Arc<Self> {
        Arc::new(Self(rule, AtomicUsize::new(0)))
    }

    /// How many requests came.
    pub(super) fn asked(&self) -> usize {
        self.1.load(Ordering::Relaxed)
    }
}

#[async_trait]
impl<F: Fn(&Url, usize) -> (u16, Vec<u8>) + Send + Sync> Transport for Upstream<F> {
    async fn call(&self, request: Request) -> Result<Response, TransportError> {
        let before = self.1.fetch_add(1, Ordering::Relaxed);
        let (status, body) = (self.0)(&request.url, before);
        Ok(Response { status, retry_after: None, content_type: None, body: Bytes::from(body) })
    }
}

/// A clock that stands.
#[derive(Debug)]
pub(super) struct Noon;

/// What it shows: 2026-11-21 at noon in Buenos Aires.
pub(super) fn noon() -> Timestamp {
    Timestamp::constant(1_795_273_200, 0)
}

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        noon()
    }

    fn chance(&self) -> f64 {
        0.5
    }
}

/// An account; the setting decides what is settled by settings: units, marks, pages.
pub(super) fn account(setting: u8) -> AccountConfig {
    let second = Duration::from_secs(1);
    let zone = TimeZone::fixed(Offset::constant(-3));
    let many = NonZeroU32::MAX;
    AccountConfig {
        name: AccountName::new("centro"),
        base_url: "https://api.example/base/".parse().unwrap_or_else(|_| unreachable!()),
        rate: Rate { count: many, per: second, burst: many },
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
        dialect: Dialect {
            unit: if setting & 1 == 0 { Unit::Pesos } else { Unit::Cents },
            punctuation: match setting >> 1 & 3 {
                0 | 3 => Punctuation::Auto,
                1 => Punctuation::Dot,
                _ => Punctuation::Comma,
            },
        },
        date_formats: Vec::new(),
        status: BTreeMap::new(),
        operation: BTreeMap::new(),
        hints: None,
    }
}

/// Reads a task. It has nothing to wait for, so that it must be done at once.
pub(super) fn read(source: &dyn Source, task: &Task) -> Result<Snapshot, SourceError> {
    let reading = source.read(task, None).now_or_never();
    assert!(reading.is_some(), "a reading waits though every answer is there and the quota is endless");
    match reading {
        Some(Ok(Reading::Snapshot(snapshot))) => {
            // The same answers once more say nothing new.
            let again = source.read(task, Some(snapshot.fingerprint)).now_or_never();
            assert!(matches!(again, Some(Ok(Reading::Unchanged))), "the same answer is not recognised");
            Ok(snapshot)
        }
        Some(Ok(Reading::Unchanged)) | None => unreachable!("nothing was known"),
        Some(Err(error)) => {
            assert_tells_nothing(&error);
            Err(error)
        }
    }
}

/// The listing of three days.
pub(super) fn days() -> Task {
    let today = Day::of(noon(), &TimeZone::UTC);
    Task::Days { from: today.plus(-1), to: today.next() }
}

/// No credential, no document and no address stands in an error, and it has an end.
pub(super) fn assert_tells_nothing(error: &SourceError) {
    let text = format!("{error} {error:?}");
    assert!(text.len() < 3_000, "an error of {} bytes", text.len());
    assert!(!text.contains(SECRET) && !text.contains(TOKEN), "a credential stands in an error");
    let (SourceError::Upstream { message, .. }
    | SourceError::Unauthorized { message }
    | SourceError::Refused { message, .. }) = error
    else {
        return;
    };
    assert!(message.chars().count() <= 200, "their words are too long");
    assert!(!message.contains('@'), "an address of mail stands in an error");
    assert!(!message.contains(char::is_control), "a control character stands in an error");
    let longest = message.split(|c: char| !c.is_ascii_digit()).map(str::len).max();
    assert!(longest.is_none_or(|digits| digits < 7), "a long number stands in an error");
}

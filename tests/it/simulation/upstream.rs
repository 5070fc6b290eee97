//! The way to an upstream: the sandbox without sockets, and everything that may go wrong on the way.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use fastrand::Rng;
use pregonero::domain::account::Upstream;
use pregonero::http::{Request, Response, Transport, TransportError};
use pregonero::sandbox::direct::DirectTransport;
use pregonero::sandbox::{Face, Fault, Rule, Script};
use tokio::time::Instant;

use super::trace::Trace;
use super::weather::{Part, Weather, between};

/// How many earlier answers a stale replica of an upstream may give.
const MEMORY: usize = 4;

/// What all ways to one upstream share: earlier answers, and who asked when.
#[derive(Clone, Debug, Default)]
pub(super) struct Counter(Arc<Mutex<Asked>>);

#[derive(Debug, Default)]
struct Asked {
    answers: BTreeMap<String, VecDeque<Bytes>>,
    /// Every request, and the process that made it.
    requests: Vec<(Instant, u64)>,
}

impl Counter {
    pub(super) fn requests(&self) -> Vec<(Instant, u64)> {
        self.0.lock().unwrap().requests.clone()
    }

    fn remember(&self, key: String, body: &Bytes) {
        let mut asked = self.0.lock().unwrap();
        let answers = asked.answers.entry(key).or_default();
        if answers.back() != Some(body) {
            answers.push_back(body.clone());
            if answers.len() > MEMORY {
                answers.pop_front();
            }
        }
    }

    fn earlier(&self, key: &str, pick: usize) -> Option<Bytes> {
        let asked = self.0.lock().unwrap();
        let answers = asked.answers.get(key)?;
        answers.get(pick % answers.len().max(1)).cloned()
    }
}

/// One process's way to one upstream.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) inner: DirectTransport,
    pub(super) script: Script,
    pub(super) upstream: Upstream,
    pub(super) counter: Counter,
    pub(super) weather: Weather,
    pub(super) trace: Trace,
    pub(super) process: u64,
    /// Faults and stale views, per mille.
    pub(super) rates: (u32, u32),
    pub(super) chance: Mutex<Rng>,
}

impl Way {
    fn face(&self) -> Face {
        if self.upstream == Upstream::Telepagos { Face::Telepagos } else { Face::Sipago }
    }

    fn part(&self) -> Part {
        if self.upstream == Upstream::Telepagos { Part::Telepagos } else { Part::Sipago }
    }

    /// Any of the faults that an upstream was seen with, or might be.
    fn fault(&self) -> Fault {
        let mut rng = self.chance.lock().unwrap();
        let seconds = rng.u64(1..40);
        // While the accounts are contacted no row is garbled: one that could not be read then is news when it can.
        match rng.u32(0..if self.weather.is_mild() { 20 } else { 22 }) {
            0 => Fault::Hang { after_effect: false },
            1 => Fault::Hang { after_effect: true },
            2 => Fault::Reset { after_effect: false },
            3 => Fault::Reset { after_effect: true },
            4 => Fault::status(500),
            5 => Fault::status(502),
            6 => Fault::slow_down(429, Duration::from_secs(seconds)),
            7 => Fault::slow_down(503, Duration::from_secs(seconds)),
            8 => Fault::Truncated,
            9 => Fault::CutOff,
            10 => Fault::Html,
            11 => Fault::ErrorInOk(String::from("Error interno")),
            12 => Fault::Body(String::from(rng.choice(["[]", "null", "{}", "{\"status\":\"ok\"}", ""]).unwrap())),
            13 => Fault::Slow(Duration::from_millis(seconds * 400)),
            14 => Fault::TokenExpiry,
            15 | 16 => Fault::PageShift,
            17 => Fault::RepeatedPage,
            18 => Fault::LyingTotals,
            19 => Fault::EndlessPages,
            20 => Fault::RowWithoutDate,
            _ => Fault::RowAmount(String::from(rng.choice(["\"mil\"", "null", "1e400", "{}"]).unwrap())),
        }
    }

    async fn ask(&self, request: Request, key: &str) -> Result<Response, TransportError> {
        if self.weather.is_out(self.part()) {
            tokio::time::sleep(between(&self.chance, 1, 300)).await;
            let cause = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
            return Err(TransportError::Connect(Box::new(cause)));
        }
        let fault = self.weather.strikes(&self.chance, self.rates.0).then(|| self.fault());
        let stale = self.weather.strikes(&self.chance, self.rates.1);
        if let Some(fault) = fault {
            self.trace.say(format_args!("p{} fault {fault:?}", self.process));
            // The rule strikes in the first poll of the call and is gone before anybody else asks.
            let rule = self.script.add(Rule::once(self.face(), "", fault));
            let call = self.inner.call(request);
            tokio::pin!(call);
            let first = futures_util::poll!(&mut call);
            self.script.remove(rule);
            return match first {
                std::task::Poll::Ready(done) => done,
                std::task::Poll::Pending => call.await,
            };
        }
        let mut response = self.inner.call(request).await?;
        if response.status == 200 && !key.contains("auth/token") {
            let pick = self.chance.lock().unwrap().usize(0..MEMORY);
            match self.counter.earlier(key, pick).filter(|_| stale) {
                Some(body) => response.body = body,
                None => self.counter.remember(key.to_owned(), &response.body),
            }
        }
        Ok(response)
    }
}

#[async_trait]
impl Transport for Way {
    async fn call(&self, request: Request) -> Result<Response, TransportError> {
        let body =
            request.body.as_ref().map(|(_, body)| String::from_utf8_lossy(body).into_owned()).unwrap_or_default();
        let key = format!("{}?{} {body}", request.url.path(), request.url.query().unwrap_or_default());
        self.counter.0.lock().unwrap().requests.push((Instant::now(), self.process));
        self.trace.say(format_args!("p{} asks {key}", self.process));
        tokio::time::sleep(between(&self.chance, 1, 60)).await;
        let result = self.ask(request, &key).await;
        // The effect is there; the answer is still on its way.
        tokio::time::sleep(between(&self.chance, 0, 60)).await;
        match &result {
            Ok(response) => self.trace.say(format_args!(
                "p{} got {} ({} bytes)",
                self.process,
                response.status,
                response.body.len()
            )),
            Err(error) => self.trace.say(format_args!("p{} got {error}", self.process)),
        }
        result
    }
}

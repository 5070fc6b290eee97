//! A destination without sockets.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use crate::channels::{Channel, Dispatch, Report};
use crate::domain::delivery::{FailureClass, Outcome};
use crate::domain::event::EventId;
use crate::domain::route::{ChannelKind, DestinationName};

/// The most dispatches that are kept; the oldest go first.
const MOST_DISPATCHES: usize = 100_000;

/// What the channel does with one dispatch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conduct {
    /// Says so; `Accepted` counts as taken.
    Say(Outcome),
    /// Takes that long, then accepts.
    Slow(Duration),
    /// Takes it, yet never answers: the attempt ends with the channel's time-out.
    TakeAndHang,
    /// Neither takes it nor answers.
    Hang,
}

/// A destination that keeps what it is given. Clones are the same destination.
#[derive(Clone, Debug)]
pub struct DirectChannel {
    name: DestinationName,
    kind: ChannelKind,
    timeout: Duration,
    in_flight: usize,
    inbox: Arc<Mutex<Inbox>>,
}

#[derive(Debug)]
struct Inbox {
    taken: VecDeque<Dispatch>,
    attempts: u64,
    next: VecDeque<Conduct>,
    always: Conduct,
    rest: Duration,
    now_in_flight: usize,
    most_in_flight: usize,
}

impl DirectChannel {
    /// An obedient destination: time-out 10 s, 8 attempts at once.
    pub fn new(name: &str, kind: ChannelKind) -> Self {
        let inbox = Inbox {
            taken: VecDeque::new(),
            attempts: 0,
            next: VecDeque::new(),
            always: Conduct::Say(Outcome::Accepted),
            rest: Duration::ZERO,
            now_in_flight: 0,
            most_in_flight: 0,
        };
        Self {
            name: DestinationName::new(name),
            kind,
            timeout: Duration::from_secs(10),
            in_flight: 8,
            inbox: Arc::new(Mutex::new(inbox)),
        }
    }

    /// The same destination with another time-out.
    #[must_use]
    pub fn with_timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// The same destination with another number of attempts at once.
    #[must_use]
    pub fn with_in_flight(self, in_flight: usize) -> Self {
        Self { in_flight, ..self }
    }

    /// How the next attempts go, one after the other, before the standing conduct counts again.
    pub fn next(&self, conduct: impl IntoIterator<Item = Conduct>) {
        self.with(|inbox| inbox.next.extend(conduct));
    }

    /// How every attempt goes from now on.
    pub fn always(&self, conduct: Conduct) {
        self.with(|inbox| inbox.always = conduct);
    }

    /// What [`Channel::rest`] says from now on.
    pub fn set_rest(&self, rest: Duration) {
        self.with(|inbox| inbox.rest = rest);
    }

    /// What was taken, oldest first; the same event twice if it was taken twice.
    pub fn taken(&self) -> Vec<Dispatch> {
        self.with(|inbox| inbox.taken.iter().cloned().collect())
    }

    /// The ids of what was taken.
    pub fn taken_ids(&self) -> Vec<EventId> {
        self.with(|inbox| inbox.taken.iter().map(|dispatch| dispatch.event.id).collect())
    }

    /// How many attempts were begun.
    pub fn attempts(&self) -> u64 {
        self.with(|inbox| inbox.attempts)
    }

    /// The most attempts that were under way at once.
    pub fn most_in_flight(&self) -> usize {
        self.with(|inbox| inbox.most_in_flight)
    }

    fn with<T>(&self, work: impl FnOnce(&mut Inbox) -> T) -> T {
        work(&mut self.inbox.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn take(&self, dispatch: &Dispatch) {
        self.with(|inbox| {
            if inbox.taken.len() >= MOST_DISPATCHES {
                inbox.taken.pop_front();
            }
            inbox.taken.push_back(dispatch.clone());
        });
    }

    async fn timed_out(&self) -> Report {
        tokio::time::sleep(self.timeout).await;
        report(Outcome::Later { class: FailureClass::Timeout, retry_after: None })
    }
}

/// Counts an attempt as under way, also when it is dropped in the middle.
struct UnderWay<'a>(&'a DirectChannel);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.with(|inbox| inbox.now_in_flight = inbox.now_in_flight.saturating_sub(1));
    }
}

#[async_trait]
impl Channel for DirectChannel {
    fn name(&self) -> &DestinationName {
        &self.name
    }

    fn kind(&self) -> ChannelKind {
        self.kind
    }

    fn timeout(&self) -> Duration {
        self.timeout
    }

    fn in_flight(&self) -> usize {
        self.in_flight
    }

    fn rest(&self) -> Duration {
        self.with(|inbox| inbox.rest)
    }

    async fn send(&self, dispatch: &Dispatch) -> Report {
        let conduct = self.with(|inbox| {
            inbox.attempts = inbox.attempts.saturating_add(1);
            inbox.now_in_flight += 1;
            inbox.most_in_flight = inbox.most_in_flight.max(inbox.now_in_flight);
            inbox.next.pop_front().unwrap_or_else(|| inbox.always.clone())
        });
        let _under_way = UnderWay(self);
        match conduct {
            Conduct::Say(outcome) => {
                if outcome == Outcome::Accepted {
                    self.take(dispatch);
                }
                report(outcome)
            }
            Conduct::Slow(delay) if delay < self.timeout => {
                tokio::time::sleep(delay).await;
                self.take(dispatch);
                report(Outcome::Accepted)
            }
            Conduct::TakeAndHang => {
                self.take(dispatch);
                self.timed_out().await
            }
            Conduct::Slow(_) | Conduct::Hang => self.timed_out().await,
        }
    }
}

fn report(outcome: Outcome) -> Report {
    let (status, detail) = match &outcome {
        Outcome::Accepted => (Some(200), String::new()),
        Outcome::Later { class, .. } | Outcome::Park { class, .. } | Outcome::Never { class } => {
            (None, format!("scripted: {}", class.as_str()))
        }
    };
    Report { outcome, status, detail }
}

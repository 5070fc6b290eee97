//! The only place that reads the clock and draws chance. Everyone else is handed values.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

/// Time and chance, injected so that a simulation can own both.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The wall clock. It may jump; never subtract two of these to measure.
    fn now(&self) -> Timestamp;

    /// A uniform number in [0, 1), for jitter. Not for secrets.
    fn chance(&self) -> f64;
}

/// The machine's clock and an unpredictable seed.
#[derive(Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the wall clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    #[expect(clippy::disallowed_methods, reason = "this is the one place that draws chance")]
    fn chance(&self) -> f64 {
        fastrand::f64()
    }
}

/// A wall clock that follows tokio's timer, so that paused time moves it; chance comes from a seed.
#[derive(Debug)]
pub struct TokioClock {
    origin: Timestamp,
    started: tokio::time::Instant,
    chance: std::sync::Mutex<fastrand::Rng>,
}

impl TokioClock {
    /// A clock that shows `origin` now. Must be made inside a runtime.
    pub fn starting_at(origin: Timestamp, seed: u64) -> Self {
        Self {
            origin,
            started: tokio::time::Instant::now(),
            chance: std::sync::Mutex::new(fastrand::Rng::with_seed(seed)),
        }
    }
}

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        let passed = jiff::SignedDuration::try_from(self.started.elapsed()).unwrap_or(jiff::SignedDuration::MAX);
        self.origin.checked_add(passed).unwrap_or(Timestamp::MAX)
    }

    fn chance(&self) -> f64 {
        self.chance.lock().unwrap_or_else(std::sync::PoisonError::into_inner).f64()
    }
}

/// A monotonic stopwatch on tokio's timer.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(tokio::time::Instant);

impl Stopwatch {
    /// Starts it.
    pub fn start() -> Self {
        Self(tokio::time::Instant::now())
    }

    /// Time since the start.
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

//! The governed rate of one account. Every request to its upstream passes here, the operator's own too.
//!
//! `governor` counts; time is tokio's, so that paused time moves it. Its own `until_ready` would wait in real time.

use std::num::NonZeroU32;
use std::sync::Mutex;
use std::time::Duration;

use governor::clock::{Clock, Reference};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::time::Instant;

use crate::config::Rate;

/// tokio's clock as governor wants to see it.
#[derive(Clone, Copy, Debug, Default)]
struct TokioTime;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Point(Instant);

impl Reference for Point {
    fn duration_since(&self, earlier: Self) -> Nanos {
        self.0.saturating_duration_since(earlier.0).into()
    }

    fn saturating_sub(&self, duration: Nanos) -> Self {
        Self(self.0.checked_sub(duration.into()).unwrap_or(self.0))
    }
}

impl std::ops::Add<Nanos> for Point {
    type Output = Self;

    fn add(self, duration: Nanos) -> Self {
        Self(self.0 + Duration::from(duration))
    }
}

impl Clock for TokioTime {
    type Instant = Point;

    fn now(&self) -> Point {
        Point(Instant::now())
    }
}

/// The gate of one account.
#[derive(Debug)]
pub struct Gate {
    limiter: RateLimiter<NotKeyed, InMemoryState, TokioTime, NoOpMiddleware<Point>>,
    closed_until: Mutex<Option<Instant>>,
    /// Those who wait stand in a line: first come, first served.
    line: tokio::sync::Mutex<()>,
}

impl Gate {
    /// A gate for this rate.
    pub fn new(rate: Rate) -> Self {
        let each = rate.per / rate.count.get();
        let quota =
            Quota::with_period(each).unwrap_or_else(|| Quota::per_second(NonZeroU32::MAX)).allow_burst(rate.burst);
        Self {
            limiter: RateLimiter::direct_with_clock(quota, TokioTime),
            closed_until: Mutex::new(None),
            line: tokio::sync::Mutex::new(()),
        }
    }

    /// Waits for a permit. Cancel-safe: a permit is taken only in the moment in which this returns.
    pub async fn pass(&self) {
        let _turn = self.line.lock().await;
        loop {
            if let Some(until) = self.closed() {
                tokio::time::sleep_until(until).await;
                continue;
            }
            match self.limiter.check() {
                Ok(()) => return,
                Err(early) => tokio::time::sleep(early.wait_time_from(Point(Instant::now()))).await,
            }
        }
    }

    /// Nobody passes for that long: the upstream asked for it.
    pub fn close_for(&self, pause: Duration) {
        let until = Instant::now() + pause;
        let mut closed = self.closed_until.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *closed = Some(closed.map_or(until, |earlier| earlier.max(until)));
    }

    fn closed(&self) -> Option<Instant> {
        let closed = self.closed_until.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        closed.filter(|until| *until > Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(count: u32, per: u64, burst: u32) -> Rate {
        let number = |n| NonZeroU32::new(n).unwrap();
        Rate { count: number(count), per: Duration::from_secs(per), burst: number(burst) }
    }

    #[tokio::test(start_paused = true)]
    async fn no_window_ever_sees_more_than_the_rate_and_one_burst() {
        let gate = Gate::new(rate(30, 60, 5));
        let start = Instant::now();
        let mut passed = Vec::new();
        for _ in 0..200 {
            gate.pass().await;
            passed.push(start.elapsed());
        }
        let window = Duration::from_secs(60);
        for from in &passed {
            let inside = passed.iter().filter(|at| **at >= *from && **at < *from + window).count();
            assert!(inside <= 35, "{inside} requests within a minute");
        }
        // 5 at once, then one every two seconds.
        assert_eq!(passed.last().map(Duration::as_secs), Some(390));
    }

    #[tokio::test(start_paused = true)]
    async fn a_closed_gate_lets_nobody_through() {
        let gate = Gate::new(rate(10, 1, 10));
        gate.close_for(Duration::from_secs(7));
        gate.close_for(Duration::from_secs(3));
        let start = Instant::now();
        gate.pass().await;
        assert_eq!(start.elapsed(), Duration::from_secs(7));
    }

    #[tokio::test(start_paused = true)]
    async fn a_waiter_that_gives_up_takes_no_permit() {
        let gate = Gate::new(rate(1, 10, 1));
        gate.pass().await;
        let impatient = tokio::time::timeout(Duration::from_secs(1), gate.pass()).await;
        assert!(impatient.is_err());
        let start = Instant::now();
        gate.pass().await;
        assert!(start.elapsed() <= Duration::from_secs(9));
    }
}

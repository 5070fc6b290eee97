//! The governed rate of one account. Every request to its upstream passes here, the operator's own too.
//!
//! `governor` counts; time is tokio's, so that paused time moves it. Its own `until_ready` would wait in real time.
//!
//! The configured rate is a ceiling. An upstream that says 429 or 503 has a lower one that it does not tell: the gate
//! halves its rate each time it hears so and takes a tenth of the ceiling back in each period without a complaint.

use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};
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

/// The slowest that complaints make a gate, as a part of its ceiling.
const LEAST: f64 = 1.0 / 16.0;

/// What a complaint leaves of the rate.
const CUT: f64 = 0.5;

/// What a period without complaints gives back, as a part of the ceiling.
const GAIN: f64 = 0.1;

/// The gate of one account.
#[derive(Debug)]
pub struct Gate {
    limiter: RateLimiter<NotKeyed, InMemoryState, TokioTime, NoOpMiddleware<Point>>,
    ceiling: Rate,
    state: Mutex<State>,
    /// Those who wait stand in a line: first come, first served.
    line: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct State {
    closed_until: Option<Instant>,
    /// The part of the ceiling that the last complaint left, and when that was.
    cut: Option<(f64, Instant)>,
    last: Option<Instant>,
    /// Permits of the period that began then, and of the one before.
    period: (Instant, u32, u32),
}

/// What a gate is doing, for people who look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    /// Permits within about the last period of the rate.
    pub used: u32,
    /// Permits that the configured rate allows in a period.
    pub ceiling: u32,
    /// The part of the ceiling that is in use; less than 1 after complaints of the upstream.
    pub share: f64,
    /// For how long nobody passes, because the upstream asked for a pause.
    pub closed_for: Duration,
}

impl State {
    /// The part of the ceiling that is allowed now.
    fn share(&self, now: Instant, per: Duration) -> f64 {
        self.cut.map_or(1.0, |(left, at)| {
            let periods = now.saturating_duration_since(at).as_secs_f64() / per.as_secs_f64().max(0.001);
            (left + GAIN * periods).min(1.0)
        })
    }

    fn is_closed(&self, now: Instant) -> bool {
        self.closed_until.is_some_and(|until| until > now)
    }

    fn count(&mut self, now: Instant, per: Duration) {
        self.turn(now, per);
        self.period.1 = self.period.1.saturating_add(1);
        self.last = Some(now);
    }

    fn turn(&mut self, now: Instant, per: Duration) {
        let (began, current, _) = self.period;
        let age = now.saturating_duration_since(began);
        if age >= per {
            self.period = (now, 0, if age < per * 2 { current } else { 0 });
        }
    }
}

impl Gate {
    /// A gate for this rate.
    pub fn new(rate: Rate) -> Self {
        let each = rate.per / rate.count.get();
        let quota =
            Quota::with_period(each).unwrap_or_else(|| Quota::per_second(NonZeroU32::MAX)).allow_burst(rate.burst);
        let state = State { closed_until: None, cut: None, last: None, period: (Instant::now(), 0, 0) };
        Self {
            limiter: RateLimiter::direct_with_clock(quota, TokioTime),
            ceiling: rate,
            state: Mutex::new(state),
            line: tokio::sync::Mutex::new(()),
        }
    }

    /// Waits for a permit. Cancel-safe: a permit is taken only in the moment in which this returns.
    pub async fn pass(&self) {
        let _turn = self.line.lock().await;
        loop {
            let now = Instant::now();
            if let Some(until) = self.opens(now) {
                tokio::time::sleep_until(until).await;
                continue;
            }
            match self.limiter.check() {
                Ok(()) => return self.state().count(now, self.ceiling.per),
                Err(early) => tokio::time::sleep(early.wait_time_from(Point(now))).await,
            }
        }
    }

    /// The upstream complains: nobody passes for that long, and then at half the rate. Complaints of requests that were
    /// under way together count once.
    pub fn close_for(&self, pause: Duration) {
        let now = Instant::now();
        let mut state = self.state();
        if !state.is_closed(now) {
            let left = (state.share(now, self.ceiling.per) * CUT).max(LEAST);
            // The pause gives nothing back.
            state.cut = Some((left, now + pause));
        }
        let until = now + pause;
        state.closed_until = Some(state.closed_until.map_or(until, |earlier| earlier.max(until)));
    }

    /// What it is doing.
    pub fn usage(&self) -> Usage {
        let now = Instant::now();
        let mut state = self.state();
        state.turn(now, self.ceiling.per);
        let (began, current, before) = state.period;
        let passed = now.saturating_duration_since(began).as_secs_f64() / self.ceiling.per.as_secs_f64().max(0.001);
        // As if the permits of the period before were spread evenly.
        let still: u32 = (0..before).map(|n| u32::from(f64::from(n) + 1.0 > f64::from(before) * passed)).sum();
        Usage {
            used: current.saturating_add(still),
            ceiling: self.ceiling.count.get(),
            share: state.share(now, self.ceiling.per),
            closed_for: state.closed_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now)),
        }
    }

    /// When the next one may pass as far as the upstream's complaints say; `None` when now.
    fn opens(&self, now: Instant) -> Option<Instant> {
        let state = self.state();
        let share = state.share(now, self.ceiling.per);
        let spaced = (share < 1.0)
            .then(|| Some(state.last? + (self.ceiling.per / self.ceiling.count.get()).div_f64(share)))
            .flatten();
        state.closed_until.max(spaced).filter(|until| *until > now)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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

    async fn passes_within(gate: &Gate, time: Duration) -> u32 {
        let end = Instant::now() + time;
        let mut passes = 0;
        while tokio::time::timeout_at(end, gate.pass()).await.is_ok() {
            passes += 1;
        }
        passes
    }

    #[tokio::test(start_paused = true)]
    async fn complaints_halve_the_rate_and_quiet_gives_it_back() {
        let (gate, minute) = (Gate::new(rate(60, 60, 1)), Duration::from_secs(60));
        assert!((60..=61).contains(&passes_within(&gate, minute).await));
        gate.close_for(Duration::from_secs(1));
        gate.close_for(Duration::from_secs(2));
        assert!((gate.usage().share - 0.5).abs() < 1e-9, "two complaints at once are one: {:?}", gate.usage());
        let first = passes_within(&gate, minute).await;
        assert!((28..=36).contains(&first), "about half a minute's rate, growing: {first}");
        assert!(passes_within(&gate, minute * 5).await < 300, "it comes back slowly");
        assert!((gate.usage().share - 1.0).abs() < 1e-9, "and whole");
        assert!((60..=61).contains(&passes_within(&gate, minute).await));
        for _ in 0..20 {
            gate.close_for(Duration::from_secs(1));
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert!(gate.usage().share >= LEAST, "it never stands still");
        assert!(passes_within(&gate, minute).await >= 3);
    }

    #[tokio::test(start_paused = true)]
    async fn usage_tells_the_permits_of_the_last_period() {
        let gate = Gate::new(rate(30, 60, 5));
        let passed = passes_within(&gate, Duration::from_secs(20)).await;
        assert_eq!((gate.usage().used, gate.usage().ceiling), (passed, 30));
        tokio::time::sleep(Duration::from_secs(200)).await;
        assert_eq!(gate.usage().used, 0);
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

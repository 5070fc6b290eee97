//! A token bucket on tokio's timer, so that paused time moves it.
//!
//! It is the generic cell rate algorithm: one instant says it all, and a permit may be booked ahead, so that whoever
//! waits for a permit sleeps once and never loops.

use std::time::Duration;

use tokio::time::Instant;

/// The longest that a send sleeps for a booked permit. Whoever would wait longer holds no lease meanwhile.
pub(super) const PATIENCE: Duration = Duration::from_secs(1);

/// `count` permits in `per`, `burst` of them at once after a pause.
#[derive(Debug)]
pub(super) struct Bucket {
    interval: Duration,
    allowance: Duration,
    /// When the bucket would be full again.
    full_at: Instant,
}

impl Bucket {
    /// A full bucket.
    pub(super) fn new(count: u32, per: Duration, burst: u32) -> Self {
        let interval = per.checked_div(count.max(1)).unwrap_or(per);
        Self { interval, allowance: interval.saturating_mul(burst.max(1) - 1), full_at: Instant::now() }
    }

    /// How long until the next permit.
    pub(super) fn wait(&self, now: Instant) -> Duration {
        self.full_at.saturating_duration_since(now).saturating_sub(self.allowance)
    }

    /// Takes a permit, the next one where none is left.
    pub(super) fn book(&mut self, now: Instant) {
        self.full_at = self.full_at.max(now) + self.interval;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_goes_at_once_and_the_rest_at_the_rate() {
        let mut bucket = Bucket::new(60, Duration::from_secs(60), 3);
        let start = Instant::now();
        let mut waits = Vec::new();
        for _ in 0..5 {
            waits.push(bucket.wait(start).as_secs());
            bucket.book(start);
        }
        assert_eq!(waits, [0, 0, 0, 1, 2]);
        tokio::time::advance(Duration::from_secs(3600)).await;
        assert_eq!(bucket.wait(Instant::now()), Duration::ZERO);
        bucket.book(Instant::now());
        bucket.book(Instant::now());
        bucket.book(Instant::now());
        assert_eq!(bucket.wait(Instant::now()), Duration::from_secs(1), "an hour of rest does not save up more");
    }

    #[tokio::test(start_paused = true)]
    async fn no_rate_makes_it_overflow() {
        let mut bucket = Bucket::new(1, Duration::from_secs(60 * 60 * 24 * 365), u32::MAX);
        for _ in 0..100 {
            bucket.book(Instant::now());
        }
        assert_eq!(bucket.wait(Instant::now()), Duration::ZERO);
    }
}

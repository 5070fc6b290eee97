//! Proof that the loops turn.
//!
//! A beat says "this loop made a step", never "the store or an upstream answered": a daemon that is killed because its
//! Redis is away only loses time. A loop that waits long on purpose says so with [`Heartbeat::rest`].

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;

/// The register of loops. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Heartbeats {
    /// What the beats' milliseconds count from.
    origin: Instant,
    /// Weak: a loop that ended is no stalled loop, its end is noticed elsewhere.
    beats: Arc<Mutex<Vec<Weak<Beat>>>>,
}

#[derive(Debug)]
struct Beat {
    name: String,
    /// Until when silence is in order, in milliseconds since the origin.
    fresh_as_of: AtomicU64,
}

impl Default for Heartbeats {
    fn default() -> Self {
        Self::new()
    }
}

impl Heartbeats {
    /// An empty register.
    pub fn new() -> Self {
        Self { origin: Instant::now(), beats: Arc::default() }
    }

    /// Enters a loop, as if it had just turned. Dropping the handle takes it out again.
    pub fn register(&self, name: impl Into<String>) -> Heartbeat {
        let beat =
            Arc::new(Beat { name: name.into(), fresh_as_of: AtomicU64::new(self.millis_from_now(Duration::ZERO)) });
        let mut beats = self.beats.lock().unwrap_or_else(PoisonError::into_inner);
        beats.retain(|beat| beat.strong_count() > 0);
        beats.push(Arc::downgrade(&beat));
        drop(beats);
        Heartbeat { register: self.clone(), beat }
    }

    /// The names of the loops that have been silent for longer than `patience` beyond what they announced.
    pub fn stalled(&self, patience: Duration) -> Vec<String> {
        let oldest = self.millis_from_now(Duration::ZERO).saturating_sub(millis(patience));
        let beats = self.beats.lock().unwrap_or_else(PoisonError::into_inner);
        let living = beats.iter().filter_map(Weak::upgrade);
        living.filter(|beat| beat.fresh_as_of.load(Ordering::Relaxed) < oldest).map(|beat| beat.name.clone()).collect()
    }

    /// The names of the loops that are silent for too long to be called alive (30 s).
    pub fn dead(&self) -> Vec<String> {
        self.stalled(super::PATIENCE)
    }

    fn millis_from_now(&self, later: Duration) -> u64 {
        millis(self.origin.elapsed().saturating_add(later))
    }
}

/// One loop's entry in the register.
#[derive(Debug)]
pub struct Heartbeat {
    register: Heartbeats,
    beat: Arc<Beat>,
}

impl Heartbeat {
    /// "I made a step."
    pub fn beat(&self) {
        self.rest(Duration::ZERO);
    }

    /// "I made a step, and wait for that long now on purpose."
    pub fn rest(&self, wait: Duration) {
        self.beat.fresh_as_of.store(self.register.millis_from_now(wait), Ordering::Relaxed);
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    #[tokio::test(start_paused = true)]
    async fn silence_beyond_patience_is_a_stall_until_the_next_beat() {
        let heartbeats = Heartbeats::new();
        let one = heartbeats.register("one");
        tokio::time::advance(PATIENCE).await;
        assert!(heartbeats.stalled(PATIENCE).is_empty());
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(heartbeats.stalled(PATIENCE), ["one"]);
        assert_eq!(heartbeats.dead(), ["one"]);
        one.beat();
        assert!(heartbeats.stalled(PATIENCE).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn an_announced_rest_is_no_stall_but_has_an_end() {
        let heartbeats = Heartbeats::new();
        let one = heartbeats.register("one");
        one.rest(Duration::from_secs(600));
        tokio::time::advance(Duration::from_secs(620)).await;
        assert!(heartbeats.stalled(PATIENCE).is_empty());
        tokio::time::advance(Duration::from_secs(11)).await;
        assert_eq!(heartbeats.stalled(PATIENCE), ["one"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_ended_is_not_missed() {
        let heartbeats = Heartbeats::new();
        drop(heartbeats.register("gone"));
        let _here = heartbeats.register("here");
        tokio::time::advance(PATIENCE * 2).await;
        assert_eq!(heartbeats.stalled(PATIENCE), ["here"]);
    }
}

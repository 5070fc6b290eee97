//! A replica's wall clock: it may be wrong, and it may jump, while tokio's timer goes on as ever.

use std::sync::{Arc, Mutex};

use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use pregonero::clock::{Clock, TokioClock};

/// The true time and an error that anybody may change.
#[derive(Debug)]
pub(super) struct Crooked {
    truth: Arc<TokioClock>,
    error: Mutex<SignedDuration>,
    chance: Mutex<Rng>,
}

impl Crooked {
    pub(super) fn new(truth: Arc<TokioClock>, chance: Rng) -> Self {
        Self { truth, error: Mutex::new(SignedDuration::ZERO), chance: Mutex::new(chance) }
    }

    /// From now on it is wrong by that much.
    pub(super) fn jump(&self, error: SignedDuration) {
        *self.error.lock().unwrap() = error;
    }
}

impl Clock for Crooked {
    fn now(&self) -> Timestamp {
        self.truth.now().checked_add(*self.error.lock().unwrap()).unwrap()
    }

    fn chance(&self) -> f64 {
        f64::from(self.chance.lock().unwrap().u32(0..1 << 30)) / f64::from(1 << 30)
    }
}

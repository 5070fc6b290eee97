//! When things go wrong: one sky for all, chance from the seed, nothing at all once the storm is over.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use tokio::time::Instant;

/// What may be out for some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Telepagos,
    Sipago,
    Store,
    Destinations,
}

/// The sky. Clones are the same.
#[derive(Clone, Debug)]
pub(super) struct Weather(Arc<Mutex<Sky>>);

#[derive(Debug)]
struct Sky {
    storm: bool,
    mild: bool,
    out: [Option<Instant>; 4],
}

impl Weather {
    pub(super) fn calm() -> Self {
        Self(Arc::new(Mutex::new(Sky { storm: false, mild: true, out: [None; 4] })))
    }

    pub(super) fn set_storm(&self, storm: bool) {
        let mut sky = self.0.lock().unwrap();
        sky.storm = storm;
        if !storm {
            sky.out = [None; 4];
        }
    }

    /// No row is garbled.
    pub(super) fn is_mild(&self) -> bool {
        self.0.lock().unwrap().mild
    }

    /// From now on everything may go wrong.
    pub(super) fn turn_wild(&self) {
        self.0.lock().unwrap().mild = false;
    }

    pub(super) fn is_storm(&self) -> bool {
        self.0.lock().unwrap().storm
    }

    /// Takes a part out for some time.
    pub(super) fn take_out(&self, part: Part, time: Duration) {
        self.0.lock().unwrap().out[place(part)] = Some(Instant::now() + time);
    }

    pub(super) fn is_out(&self, part: Part) -> bool {
        self.0.lock().unwrap().out[place(part)].is_some_and(|until| until > Instant::now())
    }

    /// Whether a fault of this frequency (per mille) falls on this call.
    pub(super) fn strikes(&self, rng: &Mutex<Rng>, per_mille: u32) -> bool {
        // Chance is drawn in fair weather, too: a seed's life must not hang on who asks first.
        let drawn = rng.lock().unwrap().u32(0..1000) < per_mille;
        drawn && self.is_storm()
    }
}

const fn place(part: Part) -> usize {
    match part {
        Part::Telepagos => 0,
        Part::Sipago => 1,
        Part::Store => 2,
        Part::Destinations => 3,
    }
}

/// A time between two, in milliseconds.
pub(super) fn between(rng: &Mutex<Rng>, least: u64, most: u64) -> Duration {
    Duration::from_millis(rng.lock().unwrap().u64(least..=most))
}

/// A generator for one actor of a seed.
pub(super) fn chance(seed: u64, actor: &str) -> Rng {
    Rng::with_seed(xxhash_rust::xxh3::xxh3_64_with_seed(actor.as_bytes(), seed))
}

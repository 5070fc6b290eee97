//! Whether this process takes part.

use std::sync::Mutex;
use std::sync::PoisonError;

/// A reason for not being ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unready {
    /// Not everything is open yet.
    Starting,
    /// The store does not answer.
    StoreDown,
    /// The process is on its way out.
    Draining,
}

impl Unready {
    /// The name in the answer of `/ready`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::StoreDown => "store_down",
            Self::Draining => "draining",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Starting,
    Serving,
    Draining,
}

/// The health of this process, set by those who know and read by probes. Begins as starting, with a store that answers:
/// the start itself fails when it does not.
#[derive(Debug)]
pub struct Health {
    /// Phase, and whether the store answered last. A lock and not two atomics: a probe sees one moment.
    now: Mutex<(Phase, bool)>,
}

impl Default for Health {
    fn default() -> Self {
        Self { now: Mutex::new((Phase::Starting, true)) }
    }
}

impl Health {
    /// Everything is open. Does nothing when the drain has begun already.
    pub fn serving(&self) {
        self.change(|(phase, _)| {
            if *phase == Phase::Starting {
                *phase = Phase::Serving;
            }
        });
    }

    /// The drain begins; there is no way back.
    pub fn draining(&self) {
        self.change(|(phase, _)| *phase = Phase::Draining);
    }

    /// Whether the store answered the last time that it was asked. Returns whether that is news, so that it is logged once.
    pub fn store_answers(&self, answers: bool) -> bool {
        self.change(|(_, store)| std::mem::replace(store, answers) != answers)
    }

    /// Why this process is not ready; empty when it is.
    pub fn unready(&self) -> Vec<Unready> {
        let (phase, store) = self.change(|now| *now);
        let phase = match phase {
            Phase::Starting => Some(Unready::Starting),
            Phase::Draining => Some(Unready::Draining),
            Phase::Serving => None,
        };
        phase.into_iter().chain((!store).then_some(Unready::StoreDown)).collect()
    }

    fn change<T>(&self, change: impl FnOnce(&mut (Phase, bool)) -> T) -> T {
        change(&mut self.now.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_is_served_open_and_remembered() {
        let health = Health::default();
        assert_eq!(health.unready(), [Unready::Starting]);
        health.serving();
        assert_eq!(health.unready(), []);
        assert!(health.store_answers(false));
        assert!(!health.store_answers(false), "an outage is news once");
        assert_eq!(health.unready(), [Unready::StoreDown]);
        assert!(health.store_answers(true));
        assert_eq!(health.unready(), []);
    }

    #[test]
    fn a_drain_that_began_cannot_be_taken_back() {
        let health = Health::default();
        health.draining();
        health.serving();
        assert_eq!(health.unready(), [Unready::Draining]);
    }
}

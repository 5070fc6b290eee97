//! What is heard over HTTP: probes at `/live` and `/ready`, and upstreams at `/hints/{account}/{secret}`.
//!
//! Live means that every loop turns; a supervisor restarts what is not. Ready means that this process takes part: it
//! is neither starting nor draining and its store answers. An upstream that is down makes it neither dead nor unready,
//! because a restart would not bring it back.

mod health;
pub mod hints;
mod listener;
mod routes;

use std::fmt;
use std::sync::Arc;

pub use self::health::{Health, Unready};
pub use self::listener::serve;

/// What the answers are made of; handed in by `app`. Cheap to clone.
#[derive(Clone)]
pub struct ApiState {
    health: Arc<Health>,
    stalled: Arc<dyn Fn() -> Vec<String> + Send + Sync>,
    hints: Arc<[hints::Desk]>,
}

impl ApiState {
    /// From the shared health and a question after the loops that do not turn, which must not wait for anything.
    pub fn new(health: Arc<Health>, stalled: impl Fn() -> Vec<String> + Send + Sync + 'static) -> Self {
        Self { health, stalled: Arc::new(stalled), hints: Arc::default() }
    }

    /// With desks for hints, one for each account that takes any.
    #[must_use]
    pub fn with_hints(self, desks: Vec<hints::Desk>) -> Self {
        Self { hints: desks.into(), ..self }
    }
}

impl fmt::Debug for ApiState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiState").field("health", &self.health).finish_non_exhaustive()
    }
}

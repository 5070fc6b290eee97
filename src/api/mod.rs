//! What is heard over HTTP: probes at `/live` and `/ready`, upstreams at `/hints/{account}/{secret}`, and other programs at
//! `/api/v1/watches` and `/api/v1/sources`.
//!
//! Live means that every loop turns; a supervisor restarts what is not. Ready means that this process takes part: it
//! is neither starting nor draining and its store answers. An upstream that is down makes it neither dead nor unready,
//! because a restart would not bring it back.

mod guard;
mod health;
pub mod hints;
mod listener;
mod routes;
mod sources;
mod watches;

use std::fmt;
use std::sync::Arc;

pub use self::health::{Health, Unready};
pub use self::listener::serve;
pub use self::sources::{NextView, Permit, QuotaView, SourceView};
pub use self::watches::{WatchDesk, watch_json};

/// What the answers are made of; handed in by `app`. Cheap to clone.
#[derive(Clone)]
pub struct ApiState {
    health: Arc<Health>,
    stalled: Arc<dyn Fn() -> Vec<String> + Send + Sync>,
    hints: Arc<[hints::Desk]>,
    watches: Option<WatchDesk>,
    sources: Arc<dyn Fn() -> Vec<SourceView> + Send + Sync>,
    permits: sources::Permits,
}

impl ApiState {
    /// From the shared health and a question after the loops that do not turn, which must not wait for anything.
    pub fn new(health: Arc<Health>, stalled: impl Fn() -> Vec<String> + Send + Sync + 'static) -> Self {
        Self {
            health,
            stalled: Arc::new(stalled),
            hints: Arc::default(),
            watches: None,
            sources: Arc::new(Vec::new),
            permits: Arc::new(|_| None),
        }
    }

    /// With desks for hints, one for each account that takes any.
    #[must_use]
    pub fn with_hints(self, desks: Vec<hints::Desk>) -> Self {
        Self { hints: desks.into(), ..self }
    }

    /// With a desk for watches; without one there is nothing behind `/api/`.
    #[must_use]
    pub fn with_watches(self, desk: WatchDesk) -> Self {
        Self { watches: Some(desk), ..self }
    }

    /// With a question after the accounts, which must not wait for anything.
    #[must_use]
    pub fn with_sources(self, sources: impl Fn() -> Vec<SourceView> + Send + Sync + 'static) -> Self {
        Self { sources: Arc::new(sources), ..self }
    }

    /// With a way through the gate of each account; `None` for a name that is none.
    #[must_use]
    pub fn with_permits(self, permits: impl Fn(&str) -> Option<Permit> + Send + Sync + 'static) -> Self {
        Self { permits: Arc::new(permits), ..self }
    }
}

impl fmt::Debug for ApiState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiState").field("health", &self.health).finish_non_exhaustive()
    }
}

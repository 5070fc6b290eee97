//! Bounds memory: forgets what is settled, told and older than the retention.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use crate::store::{Store, Swept};

/// The pause between two sweeps.
const EVERY: Duration = Duration::from_secs(3600);

/// The pause before the first, so that a start is not slowed down.
const FIRST: Duration = Duration::from_secs(60);

/// The loop that forgets.
#[derive(Debug)]
pub struct Janitor {
    store: Arc<dyn Store>,
    retention: Duration,
}

impl Janitor {
    /// Forgets what is settled for longer than `retention`.
    pub fn new(store: Arc<dyn Store>, retention: Duration) -> Self {
        Self { store, retention }
    }

    /// Sweeps until `stop`. Cancel-safe.
    pub async fn run(self, stop: CancellationToken, beat: impl Fn(Duration) + Send) {
        let mut wait = FIRST;
        loop {
            beat(wait);
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
            wait = self.step().await;
        }
    }

    /// One bounded sweep; returns the pause until the next, which is short while there is more to do.
    pub async fn step(&self) -> Duration {
        match self.store.sweep(self.retention).await {
            Ok(swept) if swept == Swept::default() => EVERY,
            Ok(swept) => {
                info!(
                    events = swept.events,
                    ledgers = swept.ledgers,
                    rejects = swept.rejects,
                    "forgot what is past its retention"
                );
                Duration::from_secs(1)
            }
            Err(error) => {
                // The dispatcher says that the store is down; this would only say it twice.
                let error: &(dyn std::error::Error + 'static) = &error;
                debug!(error, "could not sweep");
                FIRST
            }
        }
    }
}

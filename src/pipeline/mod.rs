//! The way of a fact: poll → diff → route → commit, and lease → send → judge → settle.
//!
//! [`watcher`] turns readings of one account into commits, [`dispatcher`] empties the outbox, [`janitor`] bounds
//! memory. Every loop is a `step` that may be dropped at any await and done again: what matters is in the store, never
//! in a task. The pure parts are [`announce`] (a fact becomes an event) and [`digest`] (a reading becomes a commit).

pub mod announce;
mod audit;
pub mod digest;
pub mod dispatcher;
pub mod hints;
mod history;
pub mod janitor;
#[cfg(test)]
mod laws;
mod merge;
mod outbox;
mod pairs;
mod plan;
mod reconcile;
pub mod report;
pub mod watcher;

use std::sync::Arc;

use tokio::sync::Notify;

/// "Look now": wakes the dispatcher after a commit. A nudge that comes while nobody waits is kept.
#[derive(Clone, Debug, Default)]
pub struct Nudge(Arc<Notify>);

impl Nudge {
    /// Says it.
    pub fn give(&self) {
        self.0.notify_one();
    }

    /// Waits for it. Cancel-safe: a nudge is not lost when this is dropped.
    pub async fn given(&self) {
        self.0.notified().await;
    }
}

//! The ways out: webhooks, e-mail, Telegram.
//!
//! A [`Channel`] is one destination. It makes one attempt and says what happened in the words of
//! [`crate::domain::delivery`]; whether and when to try again is decided elsewhere. No secret and no personal data
//! stands in a [`Report`]. The contract that every channel passes is `contract` in the tests.

mod answer;
mod bucket;
pub mod build;
#[cfg(test)]
mod contract;
pub mod email;
pub mod telegram;
pub mod text;
pub mod webhook;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::domain::delivery::{FailureClass, Outcome};
use crate::domain::event::Event;
use crate::domain::route::{ChannelKind, DestinationName};

/// One attempt to make.
#[derive(Clone, Debug)]
pub struct Dispatch {
    /// What to announce.
    pub event: Arc<Event>,
    /// Which attempt this is, from 1.
    pub attempt: u32,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// In our words.
    pub outcome: Outcome,
    /// HTTP or SMTP status, where there is one.
    pub status: Option<u16>,
    /// The first 1 KiB of the answer, or our own words. Empty for a success.
    pub detail: String,
}

impl Report {
    /// It was taken.
    pub const fn accepted(status: Option<u16>) -> Self {
        Self { outcome: Outcome::Accepted, status, detail: String::new() }
    }

    /// Not now; an attempt is spent.
    pub fn later(class: FailureClass, detail: impl Into<String>) -> Self {
        Self { outcome: Outcome::Later { class, retry_after: None }, status: None, detail: detail.into() }
    }

    /// Not to this destination for that long; no attempt is spent.
    pub fn park(class: FailureClass, rest: Duration, detail: impl Into<String>) -> Self {
        Self { outcome: Outcome::Park { class, rest }, status: None, detail: detail.into() }
    }

    /// This event never.
    pub fn never(class: FailureClass, detail: impl Into<String>) -> Self {
        Self { outcome: Outcome::Never { class }, status: None, detail: detail.into() }
    }

    /// The same with the other side's status.
    #[must_use]
    pub const fn with_status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }
}

/// One destination.
#[async_trait]
pub trait Channel: Send + Sync + std::fmt::Debug {
    /// Its name.
    fn name(&self) -> &DestinationName;

    /// Its kind.
    fn kind(&self) -> ChannelKind;

    /// The longest that [`Channel::send`] can take; the lease is that and 15 s more.
    fn timeout(&self) -> Duration;

    /// How many attempts may be in flight at once.
    fn in_flight(&self) -> usize;

    /// How long this destination wants to rest before it is given more to do (a chat's bucket is empty, a 429 was
    /// obeyed). Zero: at once. Asked before leasing, so that nothing is leased that cannot be sent.
    fn rest(&self) -> Duration {
        Duration::ZERO
    }

    /// Makes one attempt. Bounded by [`Channel::timeout`]; cancel-safe in that a dropped attempt may have been taken,
    /// and the next one bears the same id.
    async fn send(&self, dispatch: &Dispatch) -> Report;
}

//! The ways out: webhooks, e-mail, Telegram.
//!
//! A [`Channel`] is one destination. It makes one attempt and says what happened in the words of
//! [`crate::domain::delivery`]; whether and when to try again is decided elsewhere. No secret and no personal data
//! stands in a [`Report`]. The contract that every channel passes is `contract` in the tests.

#[cfg(test)]
mod contract;
pub mod email;
pub mod telegram;
pub mod text;
pub mod webhook;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::domain::delivery::Outcome;
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

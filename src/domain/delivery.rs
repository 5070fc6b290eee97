//! A delivery: event × destination, its states, its attempts, and what the channel's word makes of it.

use std::time::Duration;

use jiff::Timestamp;

use super::event::EventId;
use super::retry::{Retry, Schedule};
use super::route::DestinationName;

/// Which delivery.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryId {
    /// Of this event.
    pub event: EventId,
    /// To this destination.
    pub destination: DestinationName,
}

/// Where a delivery stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// To be attempted from then on.
    Pending {
        /// Not before.
        due: Timestamp,
    },
    /// Held back by the flood guard until an operator releases it.
    Held,
    /// Being attempted.
    InFlight {
        /// When the lease ends and others may try.
        until: Timestamp,
    },
    /// Accepted by the other side.
    Delivered {
        /// When.
        at: Timestamp,
    },
    /// Given up; kept, shown, counted, and `requeue`-able.
    Dead {
        /// When.
        at: Timestamp,
        /// Why.
        reason: DeathReason,
    },
}

impl State {
    /// The name in lists and filters.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Pending { .. } => "pending",
            Self::Held => "held",
            Self::InFlight { .. } => "in_flight",
            Self::Delivered { .. } => "delivered",
            Self::Dead { .. } => "dead",
        }
    }
}

/// Why a delivery was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DeathReason {
    /// The whole schedule was spent.
    Exhausted,
    /// The other side will never take it.
    Refused,
}

impl DeathReason {
    /// The name in lists and in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exhausted => "exhausted",
            Self::Refused => "refused",
        }
    }

    /// The reason of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Exhausted, Self::Refused].into_iter().find(|reason| reason.as_str() == name)
    }
}

/// The class of a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FailureClass {
    /// The name could not be resolved.
    Dns,
    /// No connection, or it broke.
    Connect,
    /// TLS failed.
    Tls,
    /// No complete answer in time; it may have been taken all the same.
    Timeout,
    /// An answer that is no success.
    Http,
    /// The target's address is forbidden.
    RefusedTarget,
    /// The other side asked for a pause.
    RateLimited,
    /// Our credentials were refused.
    Credentials,
    /// The recipient does not exist, has blocked us, or the destination is gone.
    Recipient,
    /// A protocol answer of another kind (SMTP reply, Bot API error).
    Protocol,
    /// A fault of our own; the attempt did not happen.
    Internal,
}

impl FailureClass {
    /// Every class.
    pub const ALL: [Self; 11] = [
        Self::Dns,
        Self::Connect,
        Self::Tls,
        Self::Timeout,
        Self::Http,
        Self::RefusedTarget,
        Self::RateLimited,
        Self::Credentials,
        Self::Recipient,
        Self::Protocol,
        Self::Internal,
    ];

    /// The name in lists, logs and the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Http => "http",
            Self::RefusedTarget => "refused_target",
            Self::RateLimited => "rate_limited",
            Self::Credentials => "credentials",
            Self::Recipient => "recipient",
            Self::Protocol => "protocol",
            Self::Internal => "internal",
        }
    }

    /// The class of that name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.as_str() == name)
    }
}

/// What a channel says of one attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Taken.
    Accepted,
    /// Not now. Counts as an attempt.
    Later {
        /// What kind of failure.
        class: FailureClass,
        /// How long the other side asked us to wait.
        retry_after: Option<Duration>,
    },
    /// Not to this destination for that long, whatever the event (a chat's 429, refused credentials, a destination that
    /// is gone). No attempt is spent: the delivery waits.
    Park {
        /// What kind of failure.
        class: FailureClass,
        /// For how long the destination rests.
        rest: Duration,
    },
    /// This event never.
    Never {
        /// What kind of failure.
        class: FailureClass,
    },
}

/// One try of a delivery, as it is kept. Success keeps one compact row, failure its details.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// `None` for a success.
    pub failure: Option<FailureClass>,
    /// HTTP or SMTP status, where there is one.
    pub status: Option<u16>,
    /// The first 1 KiB of the answer or of our own words; no secret.
    pub detail: String,
}

/// What we decide about a delivery after an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Done.
    Delivered,
    /// Again, after that long (the store adds it to its own time).
    Retry {
        /// How long to wait.
        after: Duration,
        /// Whether an attempt was spent.
        spent: bool,
    },
    /// Given up.
    Dead {
        /// Why.
        reason: DeathReason,
    },
}

/// Judges an outcome. `made` counts the attempts including this one; `chance` is uniform in [0, 1).
pub fn judge(outcome: &Outcome, made: u32, schedule: &Schedule, chance: f64) -> Verdict {
    match outcome {
        Outcome::Accepted => Verdict::Delivered,
        Outcome::Never { .. } => Verdict::Dead { reason: DeathReason::Refused },
        Outcome::Park { rest, .. } => Verdict::Retry { after: *rest, spent: false },
        Outcome::Later { class, retry_after } => match schedule.next(made, *class, *retry_after, chance) {
            Retry::After(after) => Verdict::Retry { after, spent: true },
            Retry::GiveUp => Verdict::Dead { reason: DeathReason::Exhausted },
        },
    }
}

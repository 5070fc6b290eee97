//! The upstreams, read as rows of the house.
//!
//! A [`Source`] is one account at one upstream. It logs in, asks within the account's [`gate`], checks that a reading is
//! complete, and hands out [`Snapshot`]s. It decides nothing and remembers nothing but its token: what is new is the
//! ledger's business. An error never comes with half a reading.

pub mod agenda;
mod call;
pub mod gate;
mod json;
mod listed;
mod newest;
pub mod probe;
mod record;
mod rules;
#[cfg(test)]
mod scripted;
pub mod shape;
pub mod sipago;
pub mod telepagos;
mod words;

use std::sync::Arc;
use std::time::Duration;

pub use self::agenda::{Agenda, Feedback, Kept, MOST_HINTED, Tempo, Upcoming, WARM_DAYS, Work};
pub use self::call::{CallError, Failure, Invalid, Said};
pub use self::gate::Usage;
pub use self::listed::Listed;
pub use self::record::{Amount, Extra, Personal};
pub use self::rules::Doubt;
use async_trait::async_trait;
use jiff::Timestamp;

use crate::domain::account::{AccountName, SourceKind, Upstream};
use crate::domain::cause::Cause;
use crate::domain::day::Day;
use crate::domain::ledger::Slot;
use crate::domain::row::{Reject, Row};
use crate::http::TransportError;

/// The longest pause that an upstream can ask for: one broken header must not stop an account for a week.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);

/// The rows of so many days are recognised by what was listed before: those of the hot reading. Longer ones are rare, and
/// are read in full, as a check of the rest.
const RECOGNISED_DAYS: i64 = 3;

/// Whether rows of these days are recognised by what was listed before.
fn is_recognised(from: Day, to: Day) -> bool {
    to <= from.plus(RECOGNISED_DAYS - 1)
}

/// What to read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Task {
    /// The account's listing (transactions or movements) of these days, both included.
    Days {
        /// First day.
        from: Day,
        /// Last day.
        to: Day,
    },
    /// One watched id.
    Watched {
        /// Cash-in or link.
        source: SourceKind,
        /// Its id.
        id: String,
    },
}

/// A fingerprint of a whole answer, by which an unchanged one is recognised before it is parsed.
pub type Fingerprint = u128;

/// One complete, self-consistent reading.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Read from where.
    pub source: SourceKind,
    /// When the first byte was asked for.
    pub read_at: Timestamp,
    /// Put together from several pages that may have shifted between two requests, with rows that have no id.
    pub paged: bool,
    /// What could be read. A row of a day outside the task is possible: the upstream filters in its own zone.
    pub rows: Vec<Row>,
    /// Slots of which every row was listed, to the letter, at the last reading, and none is in `rows`. In no order, and
    /// a slot of several rows more than once. Empty but after [`Source::read_again`].
    pub same: Vec<(Day, Slot)>,
    /// What [`Source::read_again`] needs to know the next time, where that is worth it.
    pub listed: Option<Arc<Listed>>,
    /// What could not.
    pub rejects: Vec<Reject>,
    /// Of the raw answers.
    pub fingerprint: Fingerprint,
}

impl Snapshot {
    /// A reading in one piece, of which nothing is left out.
    pub(crate) const fn whole(
        source: SourceKind,
        read_at: Timestamp,
        rows: Vec<Row>,
        rejects: Vec<Reject>,
        fingerprint: Fingerprint,
    ) -> Self {
        Self { source, read_at, paged: false, rows, same: Vec::new(), listed: None, rejects, fingerprint }
    }
}

/// The last answer to a task, whose news are all committed.
#[derive(Clone, Debug)]
pub struct Known {
    /// Its fingerprint.
    pub fingerprint: Fingerprint,
    /// Its rows, if they are all remembered as they were then.
    pub listed: Option<Arc<Listed>>,
}

/// The result of a reading.
#[derive(Clone, Debug)]
pub enum Reading {
    /// Byte for byte what `known` was the fingerprint of.
    Unchanged,
    /// Something else.
    Snapshot(Snapshot),
}

/// Why nothing was read, by what to do about it. No variant moves a ledger; none carries a credential.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// 429 or 503: ask less.
    #[error("the upstream asks to slow down (HTTP {status})")]
    SlowDown {
        /// 429 or 503.
        status: u16,
        /// How long it asked us to wait.
        retry_after: Option<Duration>,
    },
    /// A passing fault of theirs: again, with back-off.
    #[error("the upstream failed (HTTP {status}): {message}")]
    Upstream {
        /// HTTP status.
        status: u16,
        /// Their own words, shortened; empty if none.
        message: String,
    },
    /// No answer: again, with back-off.
    #[error("the upstream could not be reached")]
    Transport(#[source] TransportError),
    /// Our credentials were refused twice: stop hammering, tell the operator.
    #[error("the credentials were refused: {message}")]
    Unauthorized {
        /// Their own words, shortened.
        message: String,
    },
    /// They refuse this request (`{"status":"error"}`, or a 4xx): again later, tell the operator.
    #[error("the upstream refused the request (HTTP {status}): {message}")]
    Refused {
        /// HTTP status; 200 is possible.
        status: u16,
        /// Their own words, shortened.
        message: String,
    },
    /// The watched id does not exist (yet).
    #[error("the upstream does not know this id")]
    NotFound,
    /// The answer is not what the document promises: broken JSON, a list that is none, pages that contradict each other,
    /// a page limit that was reached.
    #[error("the answer does not keep the contract: {0}")]
    Contract(String),
}

impl SourceError {
    /// How long the upstream asked us to wait.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::SlowDown { retry_after, .. } => *retry_after,
            Self::Upstream { .. }
            | Self::Transport(_)
            | Self::Unauthorized { .. }
            | Self::Refused { .. }
            | Self::NotFound
            | Self::Contract(_) => None,
        }
    }

    /// What kind of trouble it is.
    pub const fn cause(&self) -> Cause {
        match self {
            Self::SlowDown { .. } => Cause::SlowDown,
            Self::Upstream { .. } => Cause::Upstream,
            Self::Transport(_) => Cause::Transport,
            Self::Unauthorized { .. } => Cause::Unauthorized,
            Self::Refused { .. } => Cause::Refused,
            Self::NotFound => Cause::NotFound,
            Self::Contract(_) => Cause::Contract,
        }
    }

    /// One word for logs and lists.
    pub const fn class(&self) -> &'static str {
        self.cause().as_str()
    }
}

/// One account at one upstream.
#[async_trait]
pub trait Source: Send + Sync + std::fmt::Debug {
    /// Whose.
    fn account(&self) -> &AccountName;

    /// Where.
    fn upstream(&self) -> Upstream;

    /// The source that is read by days.
    fn listing(&self) -> SourceKind;

    /// What its gate is doing; `None` for one that has none.
    fn usage(&self) -> Option<Usage> {
        None
    }

    /// Waits until somebody else may ask one thing of this account: an operator's command beside the daemon. Cancel-safe.
    async fn permit(&self) {}

    /// Logs in and fetches what readings are interpreted by (the list of operations). Idempotent; called before the
    /// first reading and repeated until it succeeds, but a reading does not depend on it.
    ///
    /// # Errors
    /// As [`Source::read`].
    async fn prepare(&self) -> Result<(), SourceError>;

    /// Reads one task completely, or not at all. Cancel-safe: a dropped call leaves nothing behind but a spent permit.
    ///
    /// # Errors
    /// See [`SourceError`]; on any error nothing may be concluded about any row.
    async fn read(&self, task: &Task, known: Option<Fingerprint>) -> Result<Reading, SourceError>;

    /// The same, where the last answer is known: what it says again may be left out as [`Snapshot::same`].
    ///
    /// # Errors
    /// As [`Source::read`].
    async fn read_again(&self, task: &Task, known: &Known) -> Result<Reading, SourceError> {
        self.read(task, Some(known.fingerprint)).await
    }
}

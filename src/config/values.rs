//! Values with units, as an operator writes them.

use std::num::NonZeroU32;
use std::time::Duration;

/// A number of requests in a time, such as `30/min`, with a burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many.
    pub count: NonZeroU32,
    /// In how long.
    pub per: Duration,
    /// How many at once after a pause.
    pub burst: NonZeroU32,
}

//! Times and durations as an operator types them.

use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::Usage;
use crate::domain::day::{Day, Moment};

/// A point in time: `2026-11-21`, `2026-11-21T14:00`, RFC 3339, or an age such as `2h`.
pub(super) fn moment(text: &str, zone: &TimeZone, now: Timestamp) -> Result<Timestamp, Usage> {
    if let Ok(age) = duration(text) {
        let age = SignedDuration::try_from(age).unwrap_or(SignedDuration::MAX);
        return Ok(now.checked_sub(age).unwrap_or(Timestamp::MIN));
    }
    let wrong = || {
        Usage(format!(
            "`{text}` is no time; write an age such as `2h`, a day such as `2026-11-21`, or `2026-11-21T14:00:00-03:00`"
        ))
    };
    let moment = Moment::read(text, &[], zone).ok_or_else(wrong)?;
    Ok(moment.instant().unwrap_or_else(|| Day::start(moment.day(), zone)))
}

/// A duration: `30s`, `5min`, `2h`, `1d`.
pub(super) fn duration(text: &str) -> Result<Duration, Usage> {
    crate::config::values::duration(text)
        .map_err(|problem| Usage(format!("`{text}` {problem}; write one such as `30s`, `5min` or `2h`")))
}

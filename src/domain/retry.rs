//! The retry curve: arithmetic only. Waiting is data in the store, never a sleeping task.

use std::time::Duration;

use super::delivery::FailureClass;

/// The longest `Retry-After` that is obeyed, so that one broken header cannot stop a destination for a week.
pub const RETRY_AFTER_CAP: Duration = Duration::from_secs(10 * 3600);

/// The shortest wait after a time-out or a 429: the other side is overloaded (as Svix, `OVERLOAD_PENALTY_SECS`, 2026-11-21).
pub const OVERLOAD_FLOOR: Duration = Duration::from_secs(60);

/// Waits between attempts. The first attempt is immediate; `waits[n]` follows the n-th failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    waits: Vec<Duration>,
}

/// What follows a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// Again after that long.
    After(Duration),
    /// The schedule is spent.
    GiveUp,
}

impl Schedule {
    /// A schedule with these waits between attempts.
    pub const fn new(waits: Vec<Duration>) -> Self {
        Self { waits }
    }

    /// The waits.
    pub fn waits(&self) -> &[Duration] {
        &self.waits
    }

    /// What follows the `made`-th attempt (from 1) when it failed. `chance` is uniform in [0, 1) and spreads the wait by ±20 %.
    pub fn next(&self, made: u32, class: FailureClass, retry_after: Option<Duration>, chance: f64) -> Retry {
        let index = usize::try_from(made.max(1) - 1).unwrap_or(usize::MAX);
        let Some(wait) = self.waits.get(index) else { return Retry::GiveUp };
        let jittered = wait.mul_f64(0.8 + 0.4 * chance.clamp(0.0, 1.0));
        let floor = match class {
            FailureClass::Timeout | FailureClass::RateLimited => OVERLOAD_FLOOR,
            FailureClass::Dns
            | FailureClass::Connect
            | FailureClass::Tls
            | FailureClass::Http
            | FailureClass::RefusedTarget
            | FailureClass::Credentials
            | FailureClass::Recipient
            | FailureClass::Protocol
            | FailureClass::Internal => Duration::ZERO,
        };
        let asked = retry_after.unwrap_or_default().min(RETRY_AFTER_CAP);
        Retry::After(jittered.max(floor).max(asked))
    }
}

/// 5 s, 1 min, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h: eleven attempts over about 76 hours.
impl Default for Schedule {
    fn default() -> Self {
        let seconds = [5, 60, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
        Self::new(seconds.map(Duration::from_secs).to_vec())
    }
}

/// A back-off that doubles from `base` to `cap`, with full jitter: `failures` counts from 1, `chance` is uniform in [0, 1).
pub fn backoff(failures: u32, base: Duration, cap: Duration, chance: f64) -> Duration {
    let doubled = base.saturating_mul(2_u32.saturating_pow(failures.max(1) - 1)).min(cap);
    // Full jitter, but never below a quarter: a zero wait would hammer.
    doubled.mul_f64(0.25 + 0.75 * chance.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn the_curve_at_least_middle_and_most() {
        let schedule = Schedule::default();
        assert_eq!(schedule.next(1, FailureClass::Http, None, 0.0), Retry::After(secs(4)));
        assert_eq!(schedule.next(1, FailureClass::Http, None, 0.5), Retry::After(secs(5)));
        assert_eq!(schedule.next(1, FailureClass::Http, None, 1.0), Retry::After(secs(6)));
        assert_eq!(schedule.next(10, FailureClass::Http, None, 0.5), Retry::After(secs(86_400)));
        assert_eq!(schedule.next(11, FailureClass::Http, None, 0.5), Retry::GiveUp);
        let total: Duration = schedule.waits().iter().sum();
        assert_eq!(total.as_secs() / 3600, 75, "about 76 hours");
    }

    #[test]
    fn the_other_side_may_ask_for_more_but_not_for_ever() {
        let schedule = Schedule::default();
        assert_eq!(schedule.next(1, FailureClass::Http, Some(secs(120)), 0.5), Retry::After(secs(120)));
        assert_eq!(schedule.next(1, FailureClass::Http, Some(secs(1)), 0.5), Retry::After(secs(5)));
        assert_eq!(schedule.next(1, FailureClass::Http, Some(secs(u64::MAX)), 0.5), Retry::After(RETRY_AFTER_CAP));
        assert_eq!(schedule.next(1, FailureClass::Timeout, None, 0.5), Retry::After(OVERLOAD_FLOOR));
        assert_eq!(schedule.next(1, FailureClass::RateLimited, None, 0.5), Retry::After(OVERLOAD_FLOOR));
    }

    #[test]
    fn the_back_off_doubles_to_its_cap_and_is_never_zero() {
        let (base, cap) = (secs(1), secs(60));
        assert_eq!(backoff(1, base, cap, 1.0), secs(1));
        assert_eq!(backoff(4, base, cap, 1.0), secs(8));
        assert_eq!(backoff(40, base, cap, 1.0), cap);
        assert_eq!(backoff(u32::MAX, base, cap, 0.0), secs(15));
    }
}

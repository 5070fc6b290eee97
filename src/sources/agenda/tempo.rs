//! How often the listing is asked: by the account's own rhythm, and by what is expected of it.

use std::time::Duration;

use super::{Agenda, Item};
use crate::config::Rate;

/// What is to be expected of an account now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tempo {
    /// A link or a QR was made just now, and its payer stands at the counter: asked at the cadence `poll.watch`.
    Expecting,
    /// Asked at the cadence `poll.hot`.
    #[default]
    Awake,
    /// Nothing has come in at this hour for a week, nothing has come in just now, and nothing young is followed: asked at
    /// the cadence `poll.quiet`.
    Quiet,
}

impl Tempo {
    /// The name in lists.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Expecting => "expecting",
            Self::Awake => "awake",
            Self::Quiet => "quiet",
        }
    }
}

impl Agenda {
    /// The same, knowing the account's rate: who expects something leaves half of it to other work.
    #[must_use]
    pub fn within(mut self, rate: Rate) -> Self {
        self.least_hot = rate.per / rate.count.get() * 2;
        self
    }

    /// Asks the listing at that tempo from now on. A quicker one brings it forward, unless it failed last.
    pub fn set_tempo(&mut self, tempo: Tempo, now: Duration) {
        if std::mem::replace(&mut self.tempo, tempo) == tempo {
            return;
        }
        let every = self.hot_cadence();
        let hot = self.entries.iter_mut().find(|entry| entry.item == Item::Hot && entry.failures == 0);
        if let Some(hot) = hot {
            hot.every = every;
            hot.due = hot.due.min(hot.asked.map_or(now, |asked| asked.saturating_add(every)));
        }
    }

    /// The tempo that was set last.
    pub const fn tempo(&self) -> Tempo {
        self.tempo
    }

    /// How often the listing is asked at the present tempo.
    pub fn hot_cadence(&self) -> Duration {
        match self.tempo {
            Tempo::Expecting => self.poll.watch.max(self.least_hot).min(self.poll.hot),
            Tempo::Awake => self.poll.hot,
            Tempo::Quiet => self.poll.quiet.max(self.poll.hot),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Poll;
    use crate::domain::day::Day;
    use crate::sources::{Feedback, SourceError};

    const POLL: Poll = Poll {
        hot: Duration::from_secs(15),
        quiet: Duration::from_secs(60),
        warm: Duration::from_secs(900),
        cold: Duration::from_secs(86_400),
        watch: Duration::from_secs(5),
    };

    fn today() -> Day {
        Day::parse("2026-11-21").unwrap()
    }

    fn rate(count: u32) -> Rate {
        Rate::with_default_burst(std::num::NonZeroU32::new(count).unwrap(), Duration::from_secs(60))
    }

    /// At which seconds the listing is asked.
    fn asked(agenda: &mut Agenda, seconds: std::ops::Range<u64>) -> Vec<u64> {
        let mut asked = Vec::new();
        for second in seconds {
            let now = Duration::from_secs(second);
            while let Some(work) = agenda.next(now, today(), Some(today())).work {
                agenda.feed(&work, now, &Feedback::Done, 0.5);
                asked.push(second);
            }
        }
        asked.dedup();
        asked
    }

    #[test]
    fn a_quiet_hour_asks_less_and_an_awaited_payment_more() {
        let mut agenda = Agenda::new(POLL, 7, Vec::new()).within(rate(30));
        assert_eq!(asked(&mut agenda, 0..31), [0, 15, 30]);
        agenda.set_tempo(Tempo::Quiet, Duration::from_secs(31));
        assert_eq!(asked(&mut agenda, 31..200), [45, 105, 165], "what was due stays due, then it is asked rarely");
        agenda.set_tempo(Tempo::Expecting, Duration::from_secs(200));
        assert_eq!(asked(&mut agenda, 200..212), [200, 205, 210], "at once, because it was long ago");
        agenda.set_tempo(Tempo::Awake, Duration::from_secs(212));
        assert_eq!(asked(&mut agenda, 212..250), [215, 230, 245]);
    }

    #[test]
    fn who_expects_a_payment_leaves_half_of_a_low_rate_to_other_work() {
        let mut agenda = Agenda::new(POLL, 7, Vec::new()).within(rate(12));
        agenda.set_tempo(Tempo::Expecting, Duration::ZERO);
        assert_eq!(asked(&mut agenda, 0..25), [0, 10, 20]);
        let mut agenda = Agenda::new(POLL, 7, Vec::new()).within(rate(2));
        agenda.set_tempo(Tempo::Expecting, Duration::ZERO);
        assert_eq!(asked(&mut agenda, 0..31), [0, 15, 30], "and is never slower than `poll.hot`");
    }

    #[test]
    fn no_tempo_shortens_a_back_off() {
        let mut agenda = Agenda::new(POLL, 7, Vec::new()).within(rate(30));
        assert_eq!(asked(&mut agenda, 0..1), [0]);
        let now = Duration::from_secs(15);
        let broken = SourceError::Upstream { status: 500, message: String::new() };
        for failures in 0..6 {
            let now = Duration::from_secs(15 + failures * 60);
            let work = agenda.next(now, today(), Some(today())).work.expect("the listing is due");
            agenda.feed(&work, now, &Feedback::Failed(&broken), 1.0);
        }
        agenda.set_tempo(Tempo::Expecting, now + Duration::from_secs(301));
        assert_eq!(agenda.next(now + Duration::from_secs(301), today(), Some(today())).work, None);
    }
}

//! At which hours of the day an account's money comes in.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::day::Moment;

/// With fewer dated rows than this, which is one a day of a warm reading, nothing is known of an account's hours.
const EVIDENCE: u32 = 8;

/// How many rows fell into each local hour. Nothing but a summary of one listing: made anew from each, kept nowhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rhythm {
    hours: [u32; 24],
    /// Rows of which only the day is printed.
    undated: u32,
}

impl Rhythm {
    /// The rhythm of what a listing prints, in the account's zone.
    pub fn of<'a>(moments: impl IntoIterator<Item = &'a Moment>, zone: &TimeZone) -> Self {
        let mut rhythm = Self::default();
        for moment in moments {
            let count = match moment.instant() {
                Some(at) => rhythm.hours.get_mut(hour(at, zone)),
                None => Some(&mut rhythm.undated),
            };
            if let Some(count) = count {
                *count = count.saturating_add(1);
            }
        }
        rhythm
    }

    /// Whether nothing has come in at this hour, nor at the one before or after it. False where that is not known: too few
    /// rows, or some without a time.
    pub fn is_quiet(&self, now: Timestamp, zone: &TimeZone) -> bool {
        let rows = self.hours.iter().fold(0_u32, |sum, count| sum.saturating_add(*count));
        let at = hour(now, zone);
        let around = [(at + 23) % 24, at, (at + 1) % 24];
        self.undated == 0 && rows >= EVIDENCE && around.into_iter().all(|hour| self.hours.get(hour) == Some(&0))
    }
}

/// The local hour, 0 to 23.
fn hour(at: Timestamp, zone: &TimeZone) -> usize {
    usize::try_from(zone.to_datetime(at).hour()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone() -> TimeZone {
        TimeZone::get("America/Argentina/Buenos_Aires").unwrap()
    }

    fn rhythm(texts: &[&str]) -> Rhythm {
        let moments: Vec<Moment> = texts.iter().map(|text| Moment::read(text, &[], &zone()).unwrap()).collect();
        Rhythm::of(&moments, &zone())
    }

    fn quiet_hours(rhythm: &Rhythm) -> Vec<i8> {
        let at =
            |hour: &i8| Moment::read(&format!("2026-11-21T{hour:02}:30:00"), &[], &zone()).unwrap().instant().unwrap();
        (0..24).filter(|hour| rhythm.is_quiet(at(hour), &zone())).collect()
    }

    #[test]
    fn an_hour_is_quiet_when_nothing_came_in_around_it() {
        let shop = rhythm(&["2026-11-20T09:15:00", "2026-11-19T22:59:59"].repeat(4));
        assert_eq!(quiet_hours(&shop), [0, 1, 2, 3, 4, 5, 6, 7, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
    }

    #[test]
    fn midnight_is_an_hour_as_any_other() {
        let bar = rhythm(&["2026-11-20T00:05:00"].repeat(8));
        assert_eq!(quiet_hours(&bar), (2..23).collect::<Vec<i8>>());
    }

    #[test]
    fn the_hours_are_those_of_the_account_whatever_offset_is_printed() {
        assert_eq!(quiet_hours(&rhythm(&["2026-11-20T12:15:00Z"].repeat(8))).first(), Some(&0));
        assert!(!quiet_hours(&rhythm(&["2026-11-20T12:15:00Z"].repeat(8))).contains(&9));
    }

    #[test]
    fn where_little_is_known_no_hour_is_quiet() {
        assert_eq!(quiet_hours(&Rhythm::default()), [0_i8; 0]);
        assert_eq!(quiet_hours(&rhythm(&["2026-11-20T09:15:00"].repeat(7))), [0_i8; 0], "too few");
        let mut undated = ["2026-11-20T09:15:00"].repeat(20);
        undated.push("2026-11-20");
        assert_eq!(quiet_hours(&rhythm(&undated)), [0_i8; 0], "one may be of any hour");
    }
}
